/*
 * why.h - why a path goes the way it goes: facts in, one code of why.def out, together with the
 * way that would be better.  Each code names one reason, that of the best way there could be.
 */
#ifndef WHY_H
#define WHY_H

#include "net/proto/tunnel.h"
#include <stdio.h>

enum why {
#define WHY(NAME, name, text, help) WHY_##NAME,
#include "net/proto/why.def"
#undef WHY
	WHYS
};

/* What the node itself is at. */
enum why_self {
	SELF_READY,
	SELF_LOGGING_IN, SELF_LOGIN_FAILED, SELF_LOGIN_REFUSED,
	SELF_REGISTERING, SELF_NMS_SILENT
};

/* Of this node's place in the network; plain data without gaps that matter, may cross workers. */
struct why_here {
	uint8_t families;		/* registered over: 1 IPv4, 2 IPv6 */
	struct behaviour behaviour[2];	/* IPv4, IPv6 */
	struct addr mapped[2];		/* as the NMS sees it; family 0: not at all */
};

/* All that the answer rests on; plain data, may cross workers. */
struct why_facts {
	enum why_self self;
	bool tun;
	struct why_here here;

	/* no path: */
	uint16_t reason;		/* wire.def's, why the newest try failed; 0: it did not yet */
	bool directed;			/* a Route Direction had come before it failed */

	/* why_path() fills the rest */
	bool path;
	enum tunnel_state state;
	bool first;			/* the first burst of Hole Punchings is not over */
	uint8_t pattern;
	struct id relay;		/* Node ID of the TRS, zero: none */
	uint8_t families;		/* of the other end */
	struct behaviour behaviour[2];
	uint64_t rtt;			/* us, end to end; 0: unknown */
	int8_t used;			/* the way in use, -1: none yet */
	uint8_t n;
	struct route route[ROUTES];
};

struct why_answer {
	enum why code;
	enum route_kind better;		/* the way that is wanted; ROUTE_KINDS: none */
};

struct why_answer why_of(const struct why_facts *f);
void why_path(struct why_facts *f, const struct tunnel *t);

/* Word, sentence and remedy of why.def; the remedy may be "". */
const char *why_name(enum why w);
const char *why_text(enum why w);
const char *why_help(enum why w);
/* "relayed over IPv4" */
const char *why_way_text(enum route_kind k);
/* The table as cyphonic(8) has it. */
void why_print_manual(FILE *f);

#endif

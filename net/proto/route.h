/*
 * route.h - the ways one path can take between its two ends, and the search for better ones
 * (route optimisation).  A path names keys and windows, not the way: data goes by the best way
 * that works, and what works less well is kept for when that one breaks.
 *
 *   relayed   by a TRS: this end binds its address there (Hole Punching, ACK with a challenge,
 *             Hole Punching with its echo), then Tunnel Request and capsules go through it
 *   direct    to an address of the other end: Hole Punching there, with a challenge; an ACK
 *             that brings it back proves the way in both directions
 *
 * Both ends punch at the same time and by themselves: from the Route Direction on, then again
 * in bursts as long as a better way than the one in use may be had.  A Hole Punching from an
 * address nobody told of (the changing mapping of a symmetric NAPT) makes a way of its own.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "net/proto/napt.h"
#include "net/proto/outbox.h"
#include "net/proto/session.h"

#define ROUTES 8
#define CANDIDATES 6		/* in a Route Direction, the relay's addresses among them */

struct candidate {
	uint8_t kind;			/* enum address_kind; ADDRESS_SERVICE: the TRS */
	struct addr addr;
};

/* In order of preference, the worst first. */
enum route_kind {
	ROUTE_RELAY4, ROUTE_RELAY6,	/* by the TRS, over IPv4 or IPv6 */
	ROUTE_DIRECT4, ROUTE_DIRECT6,	/* the other end's address in the Internet */
	ROUTE_LAN,			/* its own address, behind the same NAPT as ours */
	ROUTE_KINDS
};

enum route_state {
	ROUTE_NEW,		/* nothing was sent that way yet */
	ROUTE_TRYING,		/* something was; nothing came back */
	ROUTE_BOUND,		/* relay: our address is bound there; of the other end's nothing is known */
	ROUTE_WORKS,		/* authentic answers came back this way */
	ROUTE_FAILED,		/* a whole burst went without any; tried again with the next one */
};

struct route {
	enum route_kind kind;
	enum route_state state;
	bool found;			/* something came from there, the NMS did not tell of it */
	struct addr remote, local;	/* local: family 0 until something came */
	uint64_t challenge;		/* of the Hole Punchings that were not answered yet, 0: none */
	bool again;			/* there is more than one of them */
	uint64_t echo;			/* relay: the TRS's challenge, to be sent back */
	bool bound;			/* relay: it said so */
	uint64_t sent, heard, answered;	/* boot times; 0: never */
	uint64_t echoed;		/* relay: boot time of the newest echo sent at once */
	uint64_t rtt;			/* us, of the newest answer; 0: unknown */
};

/* Part of struct tunnel; route.c and punch.c alone change it. */
struct routes {
	struct route route[ROUTES];
	uint8_t n;
	int8_t used;			/* index of the one in use, -1: none yet */
	struct session relay;		/* with the TRS */
	bool has_relay;
	uint8_t tries;			/* of this burst so far */
	uint64_t began;			/* boot time of the newest burst */
	uint64_t punch;			/* boot time of the next Hole Punching of the burst; NEVER */
	uint64_t burst;			/* boot time of the next burst */
	uint64_t keep;			/* boot time at which the ways are used to keep them open */
	uint64_t found;			/* boot time of the newest way that was found */
	uint64_t suspect;		/* since when the way in use is doubted; 0 */
	uint64_t checked;		/* boot time of the newest look at all ways */
	uint32_t changes;		/* times another way was taken into use */
};

struct tunnel;

/* From t->setup: the ways there may be; the first Hole Punchings leave with punch_tick(). */
void route_open(struct tunnel *t, struct now now);
void route_close(struct tunnel *t);
/*
 * Something authentic of this path came from there.  answer: it was an answer to what this end
 * sent, so the way works in both directions; one that nobody told of has yet to prove it.
 */
void route_heard(struct tunnel *t, struct now now, const struct addr *from,
		 const struct addr *to, bool answer);
/* The way in use is silent while another answers: that one is taken. */
void route_doubt(struct tunnel *t, struct now now);
/* A burst now, unless one was just made. */
void route_burst(struct tunnel *t, struct now now);
/* May something be sent that way that the other end shall see? */
bool route_carries(const struct route *r);
/* To answer by: the way from there, known or not. */
struct route route_back(const struct tunnel *t, const struct addr *from, const struct addr *to);
/* The way in use, or NULL. */
const struct route *route_used(const struct tunnel *t);
/* What goes that way carries this token; 0 unless it goes to a TRS. */
uint8_t route_token(const struct tunnel *t, struct now now, const struct route *r);

/* ---- for punch.c alone ---- */

#define PUNCH_FIRST (100 * MS)	/* between the first two Hole Punchings of a burst; doubled each time */
#define PUNCH_TRIES 5

/* NULL: nobody told of it, and nothing came from there. */
struct route *route_find(struct routes *all, const struct addr *remote);
/* A way nobody told of: it has to prove itself like the others, soon.  NULL: too many. */
struct route *route_found(struct tunnel *t, struct now now, const struct addr *from,
			  const struct addr *to);
/* It has proved itself, at our address `to`; the best is used from here on. */
void route_works(struct tunnel *t, struct now now, struct route *r, const struct addr *to);
void route_fail(struct route *r);
/* What is sent by the way in use may not arrive. */
void route_suspect(struct tunnel *t, struct now now);
bool route_is_suspected(const struct routes *all);

/* "relay4", "relay6", "direct4", "direct6", "lan"; "new", "trying", "bound", "works", "failed". */
const char *route_kind_name(enum route_kind k);
const char *route_state_name(enum route_state s);

static inline bool route_is_relay(const struct route *r)
{
	return r->kind <= ROUTE_RELAY6;
}

#endif

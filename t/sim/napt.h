/*
 * napt.h - the boxes people have at home and providers have before them: NAPTs by the published
 * four kinds, stateful firewalls and plain routers.  In RFC 4787's words each is a mapping and
 * a filtering behaviour; a firewall is a NAPT that maps an address on itself.
 */
#ifndef T_SIM_NAPT_H
#define T_SIM_NAPT_H

#include "t/sim/world.h"

enum napt_kind {
	FULL_CONE,		/* mapping endpoint independent, so is filtering */
	RESTRICTED,		/* the same mapping; filtering address dependent */
	PORT_RESTRICTED,	/* the same mapping; filtering address and port dependent */
	SYMMETRIC,		/* both address and port dependent */
	FIREWALL,		/* translates nothing; filtering as the last two */
	ROUTER,			/* lets everything pass */
	NAPT_KINDS
};

/* What of the far end a behaviour looks at. */
enum depends { ENDPOINT_INDEPENDENT, ADDRESS_DEPENDENT, ADDRESS_AND_PORT_DEPENDENT };

struct mapping;

struct napt {
	struct box box;			/* box.line: its line to the outside */
	enum napt_kind kind;
	enum depends mapping, filtering;	/* as the kind says, or changed by the story */
	struct addr ip;			/* its address outside; family 0: it does not translate */
	bool hairpin;			/* from inside to its own address and in again; at first not */
	bool keeps_port;		/* where free, else random; at first always random */
	uint64_t unanswered, answered;	/* us it knows a far end since the last packet: 30, 120 s */
	struct mapping *mappings;
	uint64_t made;			/* mappings so far */
	uint64_t filtered;		/* datagrams that were not let in */
};

/*
 * A NAPT of this address on the network outside (NULL: the public one; another's box.inside: it
 * stands behind that one).  Hosts go to its box.inside.  Boxes are the world's, which frees them.
 */
struct napt *napt_new(struct world *w, enum napt_kind kind, const char *ip, struct lan *outside);
/* FIREWALL or ROUTER for one family of the network inside (NULL: a new one).  Before hosts go in. */
struct napt *napt_wall(struct world *w, enum napt_kind kind, unsigned family, struct lan *inside,
		       struct lan *outside);
/* All mappings are lost, as by a restart; its address may change with them (NULL: stays). */
void napt_forget(struct napt *n, const char *ip);
/* Mappings it has now. */
unsigned napt_mappings(struct napt *n);

/* "port restricted", "address dependent". */
const char *napt_kind_name(enum napt_kind kind);
const char *depends_name(enum depends d);

#endif

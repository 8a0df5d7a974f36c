/*
 * boxes.h - what people have at home and providers have before them: NAPTs of the four published
 * kinds, stateful firewalls and plain routers.  Each is a mapping and a filtering behaviour; a
 * firewall is a NAPT that maps an address on itself.
 */
#ifndef T_SIM_BOXES_H
#define T_SIM_BOXES_H

#include "net/proto/napt.h"
#include "t/sim/world.h"

enum box_kind {
	FULL_CONE,		/* mapping endpoint-independent, so is filtering */
	RESTRICTED,		/* the same mapping; filtering address-dependent */
	PORT_RESTRICTED,	/* the same mapping; filtering address and port-dependent */
	SYMMETRIC,		/* both address and port-dependent */
	FIREWALL,		/* translates nothing; filtering as the last two */
	ROUTER,			/* lets everything pass */
	BOX_KINDS
};

struct binding;

/* A story may change all settings at any time. */
struct box {
	struct box *next;
	struct world *world;
	enum box_kind kind;
	struct lan *inside, *outside;
	struct line line;		/* its line to the outside */
	struct behaviour is;		/* as the kind says, or changed by the story */
	struct addr ip;			/* its address outside; family 0: it does not translate */
	bool hairpin;			/* from inside to its own address and in again; at first not */
	bool keeps_port;		/* where free, else random; at first always random */
	uint64_t unanswered, answered;	/* us it knows a far end since the last packet: 30, 120 s */
	struct binding *bindings;
	uint64_t forgot;		/* times it lost them all: streams through it break */
	uint64_t made;			/* bindings so far */
	uint64_t filtered;		/* datagrams that were not let in */
};

/*
 * A NAPT of this address on the network outside (NULL: the public one; another's inside: it
 * stands behind that one).  Hosts go to its inside.  Boxes are the world's, which frees them.
 */
struct box *box_napt(struct world *w, enum box_kind kind, const char *ip, struct lan *outside);
/* FIREWALL or ROUTER for one family of the network inside (NULL: a new one). */
struct box *box_wall(struct world *w, enum box_kind kind, unsigned family, struct lan *inside,
		     struct lan *outside);
/* All mappings are lost, as by a restart; its address may change with them (NULL: stays). */
void box_forget(struct box *b, const char *ip);
/* Mappings it has now. */
unsigned box_mappings(struct box *b);
const char *box_kind_name(enum box_kind kind);

/* ---- network.c ---- */

/* One leaves: may change d->from.  False: dropped. */
bool box_out(struct box *b, struct datagram *d);
/* One came from outside to an address it has or routes: may change d->to.  False: dropped. */
bool box_in(struct box *b, struct datagram *d);
void box_free(struct box *b);

#endif

/*
 * mallory.h - who hears every line and sends what she likes from any address; sometimes she has
 * an account of her own.  What is sent to an address she is interested in is counted.
 */
#ifndef T_SIM_MALLORY_H
#define T_SIM_MALLORY_H

#include "net/proto/session.h"
#include "t/sim/lab.h"

struct tunnel;

/* What arrived somewhere, as it came. */
struct piece {
	struct process *at;
	struct addr from, to;
	uint32_t len;
	uint8_t *p;
};

struct tape {
	unsigned n, room;
	uint64_t octets;
	struct piece *piece;
};

/* Takes everything that arrives from now on; NULL: no more.  Of one world at a time. */
void tape_record(struct world *w, struct tape *t);
void tape_free(struct tape *t);
/* Everything again, now; from: NULL as it came.  Only what is one of these types, 0: all. */
unsigned tape_play(const struct tape *t, const struct addr *from, uint8_t type);
/* The newest piece of that type that arrived there, NULL: none. */
const struct piece *tape_last(const struct tape *t, const struct process *at, uint8_t type);

/* What was sent to addresses of one host; a spy's. */
struct toll {
	struct addr at;
	bool by_port;			/* at that port alone */
	unsigned datagrams, octets;
	unsigned data;			/* capsules with virtual packets among them */
};

void toll_take(struct toll *t, const struct datagram *d);

/* Cloud time as the NMS has it, ms. */
uint64_t cloud_now(const struct lab *l);
/* The packet token of now. */
uint8_t token_now(struct lab *l);
/* As that computer's own node would speak to the NMS; it must have logged in. */
void insider_open(struct session *s, struct lab *l, const struct computer *c);
/* Gives a datagram of hers to whoever listens there. */
void mallory_says(struct lab *l, const struct addr *from, const struct addr *to, const uint8_t *p,
		  size_t n);
/* A message with that header that nobody sealed; octets. */
size_t forge(struct lab *l, uint8_t type, uint8_t flags, const struct id *id, size_t body,
	     uint8_t *out);

/* Any tunnel of that computer, in any state; NULL: none. */
struct tunnel *any_tunnel(const struct computer *c);
/* Where the ends of that path are bound at relay n, family 0: nowhere.  False: it has none such. */
bool relayed_ends(const struct lab *l, unsigned n, const struct id *path, struct addr end[2]);

#endif

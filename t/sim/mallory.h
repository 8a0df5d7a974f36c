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
/* Somebody with an account who speaks for a node herself, from wherever she likes. */
struct insider {
	struct lab *l;
	struct session s;
	struct id id;
	uint64_t spent;			/* octets she sent */
	struct toll *toll;		/* what else is to be counted, or NULL */
	uint32_t len;			/* of what the NMS said to her last */
	uint8_t heard[DATAGRAM_MAX];
};

/* Stops that computer's node once it has logged in, and speaks for it; takes the world's spy. */
void insider_open(struct insider *m, struct computer *c);
void insider_close(struct insider *m);
/* A message under her Common Key to the NMS, stamped late ms ago. */
void insider_says(struct insider *m, const struct addr *from, uint8_t type, const void *body,
		  size_t n, uint64_t late);
/* Registers from there with these addresses of her own, and proves it; true when it counts. */
bool insider_registers(struct insider *m, const struct addr *from, const char *const real[4],
		       bool fresh);
/* Asks for a path to that computer. */
void insider_asks(struct insider *m, const struct addr *from, const struct computer *c);
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

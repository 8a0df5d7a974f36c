/*
 * probe.h - plain sockets for stories, and a box's behaviour found out with them from both
 * sides, as RFC 5780 does: what a box is called proves nothing.
 */
#ifndef T_SIM_PROBE_H
#define T_SIM_PROBE_H

#include "t/sim/boxes.h"

/* A UDP socket on a host, of both families. */
struct probe {
	struct process *process;
	unsigned heard;
	enum port port;			/* of the newest datagram */
	struct addr from, to;
	uint32_t number;		/* in it */
	uint64_t when;
	struct verdicts verdicts;
};

/* The role of its process, whose seat's self it is. */
extern const struct role role_probe;

/* The world's. */
struct probe *probe_new(struct world *w, struct host *h, uint16_t port);
/* Its address on its host. */
struct addr probe_addr(const struct probe *p, unsigned family);
void probe_say(struct probe *p, const struct addr *to, uint32_t number);
/* The same from a port of its process. */
void probe_say_by(struct probe *p, enum port port, const struct addr *to, uint32_t number);
/* Says it, at most three times, until `at` hears it: from where is in at->from then. */
bool probe_reaches(struct probe *from, const struct addr *to, struct probe *at);
/* One time only, at->heard counts from 0. */
bool probe_once(struct probe *from, const struct addr *to, struct probe *at);

/*
 * What the box does to a host behind it and two hosts on that network (NULL: the one just
 * outside; the public one shows what the boxes before it make of it).  Takes some seconds.
 * All unknown: nothing passes.
 */
struct behaviour probe_box(struct box *b, struct lan *vantage);
/* It does what its settings say, and hairpins as they say. */
bool probe_proves(struct box *b);

#endif

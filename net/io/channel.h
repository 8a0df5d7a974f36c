/*
 * channel.h - notes from worker to worker, without locks and without the master.
 *
 * One ring in shared memory for every ordered pair (also for a worker with itself), and one
 * eventfd per worker that says "look into your rings".  The master makes all of it before
 * it forks and never touches it again.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "cyphonic.h"

#define NOTE_MAX 65536			/* octets of one note */
#define CHANNEL_RING (256 * 1024)	/* octets of one ring, a power of two */

struct channel;

/* A note that was taken out of its ring. */
struct channel_note {
	uint8_t role;			/* index of the role it is for; not checked here */
	uint32_t n;
	uint8_t data[NOTE_MAX];
};

/* For count workers; NULL with errno.  Owned by the master, inherited by fork. */
struct channel *channel_new(unsigned count);
/* Unmaps and closes; for tests and a master that ends. */
void channel_free(struct channel *c);

/* Becomes readable when somebody called channel_wake() for this worker. */
int channel_fd(const struct channel *c, unsigned worker);
/* Makes channel_fd() quiet again; call it before looking into the rings. */
void channel_hush(const struct channel *c, unsigned worker);
/* One system call however many notes were sent before. */
void channel_wake(const struct channel *c, unsigned worker);

/* False, and counted, when the ring is full, n is over NOTE_MAX or there is no such worker. */
bool channel_send(struct channel *c, unsigned from, unsigned to, uint8_t role, const void *data,
		  size_t n);
/* Takes the oldest note of that pair; false when there is none. */
bool channel_receive(struct channel *c, unsigned from, unsigned to, struct channel_note *note);
/* Notes of that pair that were lost since the start, by all of its workers' lives. */
uint32_t channel_lost(const struct channel *c, unsigned from, unsigned to);

#endif

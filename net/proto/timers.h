/*
 * timers.h - when to look again: a binary heap of deadlines inside the things that wait.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include "cyphonic.h"

/* Part of whatever waits; zero-filled means not set. */
struct timer {
	uint64_t at;		/* boot clock, microseconds */
	uint32_t place;		/* index in the heap + 1; 0: not set */
};

struct timers {
	struct timer **heap;
	uint32_t n, size;
};

void timers_free(struct timers *ts);
/* Sets or moves; at NEVER clears. */
void timer_set(struct timers *ts, struct timer *t, uint64_t at);
void timer_clear(struct timers *ts, struct timer *t);
/* The earliest deadline, or NEVER. */
uint64_t timers_next(const struct timers *ts);
/* Takes out one timer whose time has come, NULL when there is none. */
struct timer *timers_due(struct timers *ts, uint64_t now);

#define TIMER_OWNER(t, type, member) ((type *)(void *)((char *)(t) - offsetof(type, member)))

#endif

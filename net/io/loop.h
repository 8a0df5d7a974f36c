/*
 * loop.h - descriptors, alarms and signals, so that nobody else needs to know libev.
 *
 * All callbacks come from loop_run(), one after the other, and may free what called them.
 */
#ifndef LOOP_H
#define LOOP_H

#include "cyphonic.h"

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct loop;
struct watch;
struct alarm;

/*
 * settle(arg) is called last in every wake-up, before sleeping; it says whether there is more
 * to do, then nobody sleeps.  NULL when there is no memory.
 */
struct loop *loop_new(bool (*settle)(void *arg), void *arg);
void loop_free(struct loop *l);
/*
 * From here on SIGTERM, SIGQUIT and SIGUSR2 end loop_run(), other signals a terminal or a closed
 * connection sends are ignored.
 */
void loop_signals(struct loop *l);
/* Until a signal, whose number is returned, or loop_stop(): 0. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* The time of this wake-up: one look at the clocks for all that it brings. */
struct now loop_now(const struct loop *l);
/* A look at the clocks right now. */
struct now clock_now(void);

/*
 * Calls ready(arg, WATCH_* bits) once watch_set() said what for.  fd stays the caller's.
 * NULL when there is no memory.
 */
struct watch *watch_new(struct loop *l, int fd, void (*ready)(void *arg, unsigned what),
			void *arg);
/* 0: nothing for now. */
void watch_set(struct watch *w, unsigned what);
/* Before fd is closed.  NULL is fine. */
void watch_free(struct watch *w);

/* Calls ring(arg) at a time.  NULL when there is no memory. */
struct alarm *alarm_new(struct loop *l, void (*ring)(void *arg), void *arg);
/* Boot clock, or NEVER; the past rings in the next wake-up.  Cheap when nothing changed. */
void alarm_set(struct alarm *a, uint64_t at);
/* NULL is fine. */
void alarm_free(struct alarm *a);

#endif

/*
 * loop.c - the only place that knows libev: it waits, looks at the clocks, and calls back.
 */
#include "net/io/loop.h"
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define SLEEP_MAX (30 * SEC)	/* libev's clock stops in suspend, ours does not: look again */

struct loop {
	struct ev_loop *ev;
	struct now now;
	bool (*settle)(void *arg);
	void *arg;
	int signal;		/* that ended it */
	ev_check look;		/* first in every wake-up */
	ev_prepare last;	/* last in every wake-up */
	ev_idle more;		/* active: nobody sleeps */
	ev_signal term, quit, upgrade;
};

struct watch {
	ev_io io;
	struct loop *loop;
	void (*ready)(void *arg, unsigned what);
	void *arg;
};

struct alarm {
	ev_timer timer;
	struct loop *loop;
	void (*ring)(void *arg);
	void *arg;
	uint64_t at;
};

/* ---- time ---- */

struct now clock_now(void)
{
	struct timespec boot, wall;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct now){
		.boot = (uint64_t)boot.tv_sec * SEC + (uint64_t)boot.tv_nsec / 1000,
		.wall = (uint64_t)wall.tv_sec * SEC + (uint64_t)wall.tv_nsec / 1000,
	};
}

struct now loop_now(const struct loop *l)
{
	return l->now;
}

static void alarm_arm(struct alarm *a)
{
	uint64_t now = a->loop->now.boot;
	uint64_t wait = a->at > now ? MIN(a->at - now, SLEEP_MAX) : 0;

	ev_timer_stop(a->loop->ev, &a->timer);
	if (a->at == NEVER)
		return;
	ev_timer_set(&a->timer, (double)wait / SEC, 0.);
	ev_timer_start(a->loop->ev, &a->timer);
}

static void on_timer(struct ev_loop *ev, ev_timer *t, int what)
{
	struct alarm *a = t->data;

	if (a->at > a->loop->now.boot)
		alarm_arm(a);
	else
		a->ring(a->arg);
}

struct alarm *alarm_new(struct loop *l, void (*ring)(void *arg), void *arg)
{
	struct alarm *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	ev_timer_init(&a->timer, on_timer, 0., 0.);
	a->timer.data = a;
	a->loop = l;
	a->ring = ring;
	a->arg = arg;
	a->at = NEVER;
	return a;
}

void alarm_set(struct alarm *a, uint64_t at)
{
	if (at == a->at && (at == NEVER || ev_is_active(&a->timer)))
		return;
	a->at = at;
	alarm_arm(a);
}

void alarm_free(struct alarm *a)
{
	if (a)
		ev_timer_stop(a->loop->ev, &a->timer);
	free(a);
}

/* ---- descriptors ---- */

_Static_assert((unsigned)WATCH_READ == EV_READ && (unsigned)WATCH_WRITE == EV_WRITE,
	       "watch bits are libev's");

static void on_io(struct ev_loop *ev, ev_io *io, int what)
{
	struct watch *w = io->data;

	w->ready(w->arg, (unsigned)what & (WATCH_READ | WATCH_WRITE));
}

struct watch *watch_new(struct loop *l, int fd, void (*ready)(void *arg, unsigned what),
			void *arg)
{
	struct watch *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	ev_io_init(&w->io, on_io, fd, 0);
	w->io.data = w;
	w->loop = l;
	w->ready = ready;
	w->arg = arg;
	return w;
}

void watch_set(struct watch *w, unsigned what)
{
	unsigned was = ev_is_active(&w->io) ? w->io.events & (WATCH_READ | WATCH_WRITE) : 0;

	if (what == was)
		return;
	ev_io_stop(w->loop->ev, &w->io);
	ev_io_set(&w->io, w->io.fd, (int)what);
	if (what)
		ev_io_start(w->loop->ev, &w->io);
}

void watch_free(struct watch *w)
{
	if (w)
		ev_io_stop(w->loop->ev, &w->io);
	free(w);
}

/* ---- the loop ---- */

static void on_look(struct ev_loop *ev, ev_check *w, int what)
{
	struct loop *l = w->data;

	l->now = clock_now();
}

static void on_last(struct ev_loop *ev, ev_prepare *w, int what)
{
	struct loop *l = w->data;

	if (l->settle(l->arg))
		ev_idle_start(ev, &l->more);
	else
		ev_idle_stop(ev, &l->more);
}

static void on_more(struct ev_loop *ev, ev_idle *w, int what)
{
}

static void on_signal(struct ev_loop *ev, ev_signal *w, int what)
{
	struct loop *l = w->data;

	l->signal = w->signum;
	ev_break(ev, EVBREAK_ALL);
}

struct loop *loop_new(bool (*settle)(void *arg), void *arg)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (!l->ev) {
		free(l);
		return NULL;
	}
	l->now = clock_now();
	l->settle = settle;
	l->arg = arg;
	ev_check_init(&l->look, on_look);
	ev_set_priority(&l->look, EV_MAXPRI);
	ev_prepare_init(&l->last, on_last);
	ev_idle_init(&l->more, on_more);
	l->look.data = l->last.data = l;
	ev_check_start(l->ev, &l->look);
	ev_prepare_start(l->ev, &l->last);
	return l;
}

void loop_free(struct loop *l)
{
	if (l)
		ev_loop_destroy(l->ev);
	free(l);
}

void loop_signals(struct loop *l)
{
	sigset_t set;

	signal(SIGINT, SIG_IGN);	/* a terminal sends them to all, the master decides */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&l->term, on_signal, SIGTERM);
	ev_signal_init(&l->quit, on_signal, SIGQUIT);
	ev_signal_init(&l->upgrade, on_signal, SIGUSR2);
	l->term.data = l->quit.data = l->upgrade.data = l;
	ev_signal_start(l->ev, &l->term);
	ev_signal_start(l->ev, &l->quit);
	ev_signal_start(l->ev, &l->upgrade);
	/* the master may have blocked them around its fork */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int loop_run(struct loop *l)
{
	l->signal = 0;
	ev_run(l->ev, 0);
	return l->signal;
}

void loop_stop(struct loop *l)
{
	ev_break(l->ev, EVBREAK_ALL);
}

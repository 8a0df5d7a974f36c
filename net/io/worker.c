/*
 * worker.c - one worker's life.  Something wakes it, a role is called with what came and the
 * time, and the role's outbox is carried out: that is all there ever is.
 *
 * Roles are never called from within a call.  What carrying out causes (a flow that failed,
 * a note to oneself) comes back as an event of its own, in this wake-up's end or the next.
 */
#include "net/io/worker_room.h"
#include "net/io/loss.h"
#include "net/io/ward.h"
#include "net/priv.h"
#include "store/config.h"
#include "store/store.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define NOTES_MANY 64		/* notes of one neighbour, or messages, in one wake-up */
#define DRAIN_MS 2000		/* a graceful end waits no longer for others to read */
#define ERR 256

/* ---- calling a role ---- */

/* Every call into a role, or a run of calls with buffers of their own, stands between these. */
static struct seat *enter(struct worker *w, unsigned role)
{
	assert(!w->current);
	w->current = &w->seat[role];
	return w->current;
}

static void leave(struct worker *w)
{
	worker_flush(&w->out);
	alarm_set(w->current->alarm, w->current->role->expiry(w->current->self));
	w->current = NULL;
}

static void give_flow(void *arg, unsigned role, const struct flow_event *ev)
{
	struct worker *w = arg;
	struct seat *s = enter(w, role);

	if (s->role->flow)
		s->role->flow(s->self, loop_now(w->loop), ev, &w->out);
	leave(w);
}

static void give_note(struct worker *w, unsigned role, const struct note *note)
{
	struct seat *s;

	if (role >= w->setup->roles)
		return;
	s = enter(w, role);
	if (s->role->note)
		s->role->note(s->self, loop_now(w->loop), note, &w->out);
	leave(w);
}

static void seat_tick(void *arg)
{
	struct seat *s = arg;

	enter(s->worker, (unsigned)(s - s->worker->seat));
	s->role->tick(s->self, loop_now(s->worker->loop), &s->worker->out);
	leave(s->worker);
}

/* ---- what wakes it ---- */

/* One flush for all that came together: answers to one peer then leave as one run. */
static void on_datagrams(void *arg, unsigned what)
{
	struct inlet *in = arg;
	struct worker *w = in->worker;
	unsigned i, n = udp_receive(&in->udp, w->in);
	struct seat *s;

	if (!n)
		return;
	s = enter(w, in->udp.role);
	for (i = 0; i < n; i++)
		s->role->input(s->self, loop_now(w->loop), &w->in->batch[i], &w->out);
	leave(w);
}

static unsigned tun_role(const struct worker_setup *setup)
{
	unsigned i;

	for (i = 0; i < setup->roles; i++)
		if (setup->role[i]->needs & NEEDS_TUN && setup->role[i]->packets)
			break;
	return i;
}

static void on_packets(void *arg, unsigned what)
{
	struct worker *w = arg;
	int i, n = tun_read(&w->tun);
	struct seat *s;

	if (n < 0) {
		cy_log(LOG_ERROR_, "worker %u: the TUN device is gone: %s; restart the daemon to "
		       "make a new one", w->setup->index, strerror(errno));
		watch_set(w->tun_watch, 0);
	}
	if (n <= 0)
		return;
	s = enter(w, tun_role(w->setup));
	for (i = 0; i < n; i++)
		s->role->packets(s->self, loop_now(w->loop), &w->tun.batch[i], &w->out);
	leave(w);
}

static void on_notes(void *arg, unsigned what)
{
	struct worker *w = arg;
	struct channel *c = w->setup->channel;
	unsigned me = w->setup->index, from, n;
	bool more = false;

	channel_hush(c, me);
	for (from = 0; from < w->setup->count; from++) {
		for (n = 0; n < NOTES_MANY && channel_receive(c, from, me, w->note); n++) {
			struct note note = { NOTE_WORKER, from, { w->note->data, w->note->n } };

			give_note(w, w->note->role, &note);
		}
		more = more || n == NOTES_MANY;
	}
	if (more)
		channel_wake(c, me);
}

/* The device is read once it has its addresses, and no longer when they are gone. */
static void tun_follow(struct worker *w, struct bytes answer)
{
	struct priv_answer a;

	if (!w->tun_watch || answer.n < sizeof a)
		return;
	memcpy(&a, answer.p, sizeof a);
	if (a.kind == PRIV_TUN_UP && !a.failed)
		watch_set(w->tun_watch, WATCH_READ);
	if (a.kind == PRIV_TUN_DOWN && !a.failed)
		watch_set(w->tun_watch, 0);
}

static void office_closed(struct office *o)
{
	struct worker *w = o->worker;

	watch_set(o->watch, 0);
	post_close(&o->post);
	o->post.fd = -1;
	if (o->from == NOTE_MASTER) {
		cy_log(LOG_ERROR_, "worker %u: the master is gone, ending", w->setup->index);
		loop_stop(w->loop);
	} else {
		cy_log(LOG_ERROR_, "worker %u: the helper process is gone", w->setup->index);
	}
}

/*
 * The configuration every role points to is this process's own copy, from before the fork:
 * it changes in place, and then the roles are told.
 */
static void reload(struct worker *w, struct bytes fresh)
{
	struct config *conf = (struct config *)(uintptr_t)w->setup->conf;
	unsigned i;

	if (fresh.n != sizeof *conf)
		return;
	memcpy(conf, fresh.p, sizeof *conf);
	for (i = 0; i < w->setup->roles; i++) {
		struct seat *s = enter(w, i);

		if (s->role->reload)
			s->role->reload(s->self, loop_now(w->loop), &w->out);
		leave(w);
	}
}

static void on_post(void *arg, unsigned what)
{
	struct office *o = arg;
	struct worker *w = o->worker;
	uint8_t *buf = w->note->data;
	int n, many = NOTES_MANY;

	if (post_flush(&o->post))
		watch_set(o->watch, WATCH_READ);
	while (many-- && (n = post_receive(&o->post, buf, sizeof w->note->data)) > 0) {
		struct note note = { o->from, 0, { buf + 1, (size_t)n - 1 } };

		if (o->from == NOTE_MASTER && buf[0] == POST_TO_WORKER) {
			reload(w, note.data);
			continue;
		}
		if (o->from == NOTE_MASTER)
			tun_follow(w, note.data);
		give_note(w, buf[0], &note);
	}
	if (many >= 0 && n == 0)
		office_closed(o);
}

/* The master asks whether we are stuck; the answer says how we are. */
static void on_question(void *arg, unsigned what)
{
	struct worker *w = arg;
	struct summary said[ROLES_MAX] = { 0 };
	unsigned i;

	for (i = 0; i < w->setup->roles; i++)
		if (w->seat[i].role->summary)
			w->seat[i].role->summary(w->seat[i].self, &said[i]);
		else
			strcpy(said[i].text, "ready");
	if (!ward_answer(w->setup->ward, said, w->setup->roles))
		watch_set(w->ward_watch, 0);
}

/* The end of every wake-up. */
static bool settle(void *arg)
{
	struct worker *w = arg;
	bool more = streams_settle(w->streams);

	alarm_set(w->streams_alarm, streams_expiry(w->streams));
	return more;
}

static void on_streams_alarm(void *arg)
{
	struct worker *w = arg;

	streams_tick(w->streams);
}

/* ---- life ---- */

static bool open_memory(struct worker *w)
{
	w->loop = loop_new(settle, w);
	w->in = udp_in_new();
	w->sending = calloc(1, sizeof *w->sending);
	if (!w->loop)
		return false;
	w->streams = streams_new(w->loop, give_flow, w);
	w->streams_alarm = alarm_new(w->loop, on_streams_alarm, w);
	w->note = malloc(sizeof *w->note);
	w->out.scratch = malloc(OUTBOX_SCRATCH);
	w->out.flush = worker_flush;
	w->out.owner = w;
	return w->in && w->sending && w->streams && w->streams_alarm && w->note && w->out.scratch;
}

static bool watch_open(struct worker *w, struct watch **watch, int fd,
		       void (*ready)(void *arg, unsigned what), void *arg, unsigned what)
{
	*watch = watch_new(w->loop, fd, ready, arg);
	if (*watch)
		watch_set(*watch, what);
	return *watch != NULL;
}

static bool open_door(struct worker *w, const struct door *door)
{
	struct inlet *in = &w->inlet[w->inlets];

	if (door->stream)
		return streams_listen(w->streams, door) == 0;
	in->worker = w;
	if (udp_open(&in->udp, door) < 0)
		return false;
	w->inlets++;
	return watch_open(w, &in->watch, door->fd, on_datagrams, in, WATCH_READ);
}

static bool open_office(struct worker *w, struct office *o, enum note_from from, int fd)
{
	o->worker = w;
	o->from = from;
	if (post_open(&o->post, fd) < 0)
		return false;
	return fd < 0 || watch_open(w, &o->watch, fd, on_post, o, WATCH_READ);
}

/* All descriptors; roles are open and may be called from now on. */
static bool open_descriptors(struct worker *w)
{
	const struct worker_setup *setup = w->setup;
	unsigned i;

	if (!open_office(w, &w->helper, NOTE_HELPER, setup->helper) ||
	    !open_office(w, &w->master, NOTE_MASTER, setup->master))
		return false;
	if (setup->tun >= 0 && tun_role(setup) < setup->roles &&
	    (tun_open(&w->tun, setup->tun) < 0 ||
	     !watch_open(w, &w->tun_watch, setup->tun, on_packets, w, 0)))
		return false;
	for (i = 0; i < setup->doors; i++)
		if (!open_door(w, &setup->door[i]))
			return false;
	if (setup->ward && !watch_open(w, &w->ward_watch, ward_line(setup->ward), on_question, w,
				       WATCH_READ))
		return false;
	if (!setup->channel)
		return true;
	/* the rings may hold what a predecessor was woken for */
	channel_wake(setup->channel, setup->index);
	return watch_open(w, &w->channel_watch, channel_fd(setup->channel, setup->index),
			  on_notes, w, WATCH_READ);
}

static bool open_store(struct worker *w, char *err)
{
	const struct worker_setup *setup = w->setup;
	unsigned i, needs = 0;

	for (i = 0; i < setup->roles; i++)
		needs |= setup->role[i]->needs;
	if (needs & NEEDS_STORE)
		w->store = store_open(setup->conf->state, STORE_READ, setup->index, setup->count,
				      setup->boot_id, err);
	return w->store || !(needs & NEEDS_STORE);
}

static void count_losses(const void *io, uint64_t lost[IO_LOSSES])
{
	const struct worker *w = io;
	unsigned i;

	lost[LOST_DATAGRAM] = w->astray;
	lost[LOST_PACKET] = w->tun.lost;
	lost[LOST_NOTE] = 0;
	lost[LOST_REQUEST] = w->helper.post.lost + w->master.post.lost;
	for (i = 0; i < w->inlets; i++)
		lost[LOST_DATAGRAM] += w->inlet[i].udp.lost;
	for (i = 0; w->setup->channel && i < w->setup->count; i++)
		lost[LOST_NOTE] += channel_lost(w->setup->channel, w->setup->index, i);
}

static bool open_roles(struct worker *w, char *err)
{
	const struct worker_setup *setup = w->setup;
	struct role_env env = {
		.conf = setup->conf, .store = w->store, .worker = setup->index,
		.workers = setup->count, .restarted = setup->restarted, .start = loop_now(w->loop),
		.losses = count_losses, .io = w,
	};
	unsigned i;

	memcpy(env.boot_id, setup->boot_id, sizeof env.boot_id);
	for (i = 0; i < setup->roles; i++) {
		struct seat *s = &w->seat[i];

		s->worker = w;
		s->role = setup->role[i];
		s->self = s->role->open(&env, err);
		if (!s->self)
			return false;
		s->alarm = alarm_new(w->loop, seat_tick, s);
		if (!s->alarm)
			return false;
	}
	return true;
}

static bool worker_open(struct worker *w)
{
	char err[ERR] = "out of memory";
	unsigned i;

	if (!open_memory(w))
		goto out;
	loop_signals(w->loop);
	if (!open_store(w, err) || !open_roles(w, err))
		goto out;
	if (!open_descriptors(w)) {
		strcpy(err, strerror(errno));
		goto out;
	}
	for (i = 0; i < w->setup->roles; i++)
		seat_tick(&w->seat[i]);
	if (w->setup->ward)
		on_question(w, 0);
	return true;
out:
	cy_log(LOG_ERROR_, "worker %u cannot start: %s", w->setup->index, err);
	return false;
}

/* A graceful end: what was said is still delivered, if the others read soon. */
static void worker_drain(struct worker *w)
{
	streams_drain(w->streams, DRAIN_MS);
	post_flush(&w->helper.post);
	post_flush(&w->master.post);
}

/* Roles tell others that they go. */
static void worker_leave(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->setup->roles; i++) {
		struct seat *s = enter(w, i);

		if (s->role->leave)
			s->role->leave(s->self, loop_now(w->loop), &w->out);
		leave(w);
	}
}

static void worker_close(struct worker *w)
{
	unsigned i;

	for (i = 0; i < w->setup->roles; i++) {
		if (w->seat[i].self)
			w->seat[i].role->close(w->seat[i].self);
		alarm_free(w->seat[i].alarm);
	}
	if (w->store)
		store_close(w->store);
	for (i = 0; i < w->inlets; i++)
		watch_free(w->inlet[i].watch);
	watch_free(w->tun_watch);
	watch_free(w->channel_watch);
	watch_free(w->ward_watch);
	watch_free(w->helper.watch);
	watch_free(w->master.watch);
	post_close(&w->helper.post);
	post_close(&w->master.post);
	tun_close(&w->tun);
	streams_free(w->streams);
	alarm_free(w->streams_alarm);
	udp_in_free(w->in);
	free(w->sending);
	free(w->note);
	if (w->out.scratch)
		wipe(w->out.scratch, OUTBOX_SCRATCH);
	free(w->out.scratch);
	loop_free(w->loop);
	free(w);
}

int worker_run(const struct worker_setup *setup)
{
	struct worker *w = calloc(1, sizeof *w);
	uint64_t lost[IO_LOSSES];
	bool opened;
	int end;

	if (!w)
		return 1;
	w->setup = setup;
	opened = worker_open(w);
	if (opened) {
		end = loop_run(w->loop);
		if (end != SIGTERM)
			worker_drain(w);
		if (end != SIGUSR2)	/* an upgrade is no farewell */
			worker_leave(w);
		count_losses(w, lost);
		loss_say(setup->index, lost);
	}
	worker_close(w);
	return opened ? 0 : 1;
}

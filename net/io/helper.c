/*
 * helper.c - gathers what waits, serves it in one durable commit, then answers.
 *
 * One commit costs a flush of the disk whether it holds one login or sixty: requests that
 * arrive during one flush share the next.
 */
#include "net/io/helper.h"
#include "net/io/loop.h"
#include "net/io/ward.h"
#include "store/config.h"
#include "store/store.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP_MAX 64
#define GROUP_TIME (50 * MS)	/* others may not wait longer for the slow ones of a group */
#define SEND_WAIT_MS 200	/* a worker that takes no answer so long is dead or stuck */
#define ERR 256

struct reply {
	unsigned worker;
	size_t n;
	uint8_t data[1 + HELPER_MESSAGE_MAX];
};

struct desk {
	const struct helper_setup *setup;
	struct store *store;
	void *self[ROLES_MAX];
	int stop;			/* signalfd */
	struct pollfd poll[WORKERS_MAX + 2];	/* workers, stop, the master's line */
	struct reply *reply;		/* GROUP_MAX */
	unsigned replies;
	uint8_t request[1 + HELPER_MESSAGE_MAX];
};

/* Serves one message of a worker; its answer waits for the commit. */
static void serve(struct desk *d, unsigned worker, size_t n)
{
	struct reply *r = &d->reply[d->replies];
	uint8_t role = d->request[0];
	struct bytes request = { d->request + 1, n - 1 };

	if (role >= ROLES_MAX || !d->self[role]) {
		cy_log(LOG_ERROR_, "worker %u asked the helper for role %u, which has none", worker, role);
		return;
	}
	r->n = d->setup->helper[role]->serve(d->self[role], clock_now(), request, r->data + 1,
					     HELPER_MESSAGE_MAX);
	if (!r->n)
		return;
	r->data[0] = role;
	r->n++;
	r->worker = worker;
	d->replies++;
}

/* Takes at most one request of each worker, so that none starves; the number served. */
static unsigned serve_round(struct desk *d)
{
	unsigned w, served = 0;

	for (w = 0; w < d->setup->workers && d->replies < GROUP_MAX; w++) {
		ssize_t n = recv(d->setup->fd[w], d->request, sizeof d->request, MSG_DONTWAIT);

		if (n <= 0)
			continue;
		serve(d, w, (size_t)n);
		served++;
	}
	return served;
}

static void send_reply(struct desk *d, const struct reply *r)
{
	struct pollfd p = { .fd = d->setup->fd[r->worker], .events = POLLOUT };

	if (poll(&p, 1, SEND_WAIT_MS) == 1 &&
	    send(p.fd, r->data, r->n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)r->n)
		return;
	cy_log(LOG_WARN, "worker %u takes no answers: one was dropped", r->worker);
}

/* What was not written was not promised: its answers become refusals. */
static void take_back(struct desk *d)
{
	struct reply *r;
	unsigned i;

	for (i = 0; i < d->replies; i++) {
		const struct helper *helper = d->setup->helper[d->reply[i].data[0]];

		r = &d->reply[i];
		r->n = helper->unkept(d->self[r->data[0]], clock_now(), r->data + 1, r->n - 1,
				      HELPER_MESSAGE_MAX);
		r->n += r->n > 0;
	}
}

/* Without a group each write is refused by itself, and what only reads is served. */
static void serve_group(struct desk *d)
{
	uint64_t start = clock_now().boot;
	enum store_result result = store_begin(d->store);
	bool group = result == STORE_OK;
	unsigned i;

	if (!group)
		cy_log(LOG_ERROR_, "accounts cannot be written: %s", store_error(d->store));
	d->replies = 0;
	while (d->replies < GROUP_MAX && serve_round(d) && clock_now().boot - start < GROUP_TIME)
		;
	if (group)
		result = store_end(d->store, true);
	if (group && result != STORE_OK) {
		cy_log(LOG_ERROR_, "accounts were not written, %u answers became refusals: %s",
		       d->replies, store_error(d->store));
		take_back(d);
	}
	for (i = 0; i < d->replies; i++) {
		if (d->reply[i].n)
			send_reply(d, &d->reply[i]);
		wipe(d->reply[i].data, sizeof d->reply[i].data);
	}
	wipe(d->request, sizeof d->request);
}

static bool open_roles(struct desk *d)
{
	const struct helper_setup *s = d->setup;
	char err[ERR] = "";
	unsigned i;

	d->store = store_open(s->conf->state, STORE_WRITE, 0, s->workers, s->boot_id, err);
	if (!d->store) {
		cy_log(LOG_ERROR_, "%s", err);
		return false;
	}
	for (i = 0; i < ROLES_MAX; i++) {
		if (!s->helper[i])
			continue;
		d->self[i] = s->helper[i]->open(s->conf, d->store, clock_now(), err);
		if (!d->self[i]) {
			cy_log(LOG_ERROR_, "%s", err);
			return false;
		}
	}
	return true;
}

static bool watch(struct desk *d)
{
	sigset_t set;
	unsigned i;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	d->stop = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (i = 0; i < d->setup->workers; i++)
		d->poll[i] = (struct pollfd){ .fd = d->setup->fd[i], .events = POLLIN };
	d->poll[i++] = (struct pollfd){ .fd = d->stop, .events = POLLIN };
	d->poll[i] = (struct pollfd){ .fd = d->setup->ward ? ward_line(d->setup->ward) : -1,
				      .events = POLLIN };
	d->reply = malloc(GROUP_MAX * sizeof *d->reply);
	return d->stop >= 0 && d->reply;
}

static void run(struct desk *d)
{
	unsigned n = d->setup->workers;
	int ready;

	if (d->setup->ward)
		ward_answer(d->setup->ward, NULL, 0);
	for (;;) {
		ready = poll(d->poll, n + 2, -1);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0 || d->poll[n].revents)
			return;
		if (d->poll[n + 1].revents && (ready--, !ward_answer(d->setup->ward, NULL, 0)))
			return;
		if (ready > 0)
			serve_group(d);
	}
}

int helper_run(const struct helper_setup *setup)
{
	struct desk *d = calloc(1, sizeof *d);
	bool good;
	unsigned i;

	if (!d)
		return 1;
	d->setup = setup;
	good = watch(d) && open_roles(d);
	if (good)
		run(d);
	for (i = 0; i < ROLES_MAX; i++)
		if (d->self[i])
			setup->helper[i]->close(d->self[i]);
	if (d->store)
		store_close(d->store);
	free(d->reply);
	free(d);
	return good ? 0 : 1;
}

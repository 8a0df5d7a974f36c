/*
 * toy.h - for 320-loop.c: a role that does what the first octet of a datagram says and reports
 * to whoever asked last, and the descriptors and processes around it.
 */
#ifndef TOY_H
#define TOY_H

#include "net/io/channel.h"
#include "net/io/udp.h"
#include "net/io/worker.h"
#include "store/config.h"
#include "t/tap.h"
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define BIG 20000000	/* octets, more than any socket takes unread */

struct toy {
	unsigned worker;
	struct addr boss, here;		/* who asked last, and where */
	uint64_t at;			/* of the next tick */
	unsigned calls;			/* under way: never above 1 */
	unsigned ticks;
	struct verdicts verdicts;
};

static void *toy_open(const struct role_env *env, char *err)
{
	struct toy *toy = calloc(1, sizeof *toy);

	toy->worker = env->worker;
	toy->at = NEVER;
	if (env->restarted) {
		snprintf(err, 256, "the toy refuses");
		free(toy);
		return NULL;
	}
	return toy;
}

static void toy_close(void *self)
{
	free(self);
}

static void report(struct toy *toy, struct outbox *out, const void *p, size_t n)
{
	if (toy->boss.family)
		out_datagram(out, PORT_MAIN, &toy->boss, &toy->here, p, n);
}

static void say(struct toy *toy, struct outbox *out, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	report(toy, out, line, strlen(line));
}

static void toy_echo(struct batch *in, struct outbox *out)
{
	struct out_item *item = out_add(out, OUT_DATAGRAM);

	item->to = in->from;
	item->from = in->to;
	item->buf = in->buf;
	item->len = in->len;
	item->seg = in->seg;
	item->ecn = in->ecn;
}

static void toy_connect(struct outbox *out, const uint8_t *p)
{
	struct addr to = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = get16(p + 2) };

	out_connect(out, get16(p), p[4], &to);
	if (p[5])
		out_stream(out, get16(p), "early", 5);
}

static void toy_input(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct toy *toy = self;
	const uint8_t *p = in->buf;
	unsigned i;

	if (p[0] != 'e') {
		toy->boss = in->from;
		toy->here = in->to;
	}
	switch (p[0]) {
	case 'e':
		toy_echo(in, out);
		break;
	case 'w':
		say(toy, out, "worker %u", toy->worker);
		break;
	case 't':
		toy->at = now.boot + 20 * MS;
		break;
	case 'n':
		out_worker(out, p[1], p + 2, in->len - 2);
		break;
	case 'N':
		for (i = 0; i < 1000; i++)
			out_worker(out, toy->worker, "again", 5);
		break;
	case 'h':
		out_helper(out, p + 1, in->len - 1);
		break;
	case 'H':
		for (i = 0; i < 2000; i++)
			out_helper(out, &i, sizeof i);
		break;
	case 'm':
		out_master(out, p + 1, in->len - 1);
		break;
	case 'c':
		toy_connect(out, p + 1);
		break;
	case 'x':
		out_close(out, get16(p + 1));
		break;
	case 'f':
		for (i = 0; i < OUTBOX_ITEMS + 50; i++)
			say(toy, out, "many");
		break;
	}
}

static void toy_packets(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct toy *toy = self;
	uint8_t ip[4], port[2], *p = in->buf;
	struct out_item *item;

	/* turn an IPv4 UDP packet round; the sums stay right */
	if (in->len < 28 || p[0] != 0x45 || p[9] != 17)
		return;
	memcpy(ip, p + 12, 4);
	memcpy(p + 12, p + 16, 4);
	memcpy(p + 16, ip, 4);
	memcpy(port, p + 20, 2);
	memcpy(p + 20, p + 22, 2);
	memcpy(p + 22, port, 2);
	item = out_add(out, OUT_TUN);
	item->buf = p;
	item->len = in->len;
	toy->verdicts.count[V_DELIVERED]++;
}

static void toy_flow(void *self, struct now now, const struct flow_event *ev, struct outbox *out)
{
	static uint8_t big[100000];
	struct toy *toy = self;
	unsigned i;

	if (toy->calls++)
		abort();
	if (ev->what == FLOW_OPENED && ev->handle < STREAM_ACCEPTED) {
		say(toy, out, "opened %u", ev->handle);
		out_stream(out, ev->handle, "hello", 5);
	} else if (ev->what == FLOW_CLOSED) {
		say(toy, out, "closed %u", ev->handle >= STREAM_ACCEPTED ? 9999 : ev->handle);
	} else if (ev->what == FLOW_DATA && ev->handle < STREAM_ACCEPTED) {
		report(toy, out, ev->data.p, ev->data.n);
	} else if (ev->what == FLOW_DATA && ev->data.p[0] == 'q') {
		out_stream(out, ev->handle, "bye", 3);
		out_close(out, ev->handle);
	} else if (ev->what == FLOW_DATA && ev->data.p[0] == 'b') {
		for (i = 0; i < BIG / sizeof big; i++)
			out_stream(out, ev->handle, big, sizeof big);
	} else if (ev->what == FLOW_DATA) {
		out_stream(out, ev->handle, ev->data.p, ev->data.n);
	}
	toy->calls--;
}

static void toy_note(void *self, struct now now, const struct note *note, struct outbox *out)
{
	struct toy *toy = self;
	char text[100];

	if (toy->calls++)
		abort();
	snprintf(text, sizeof text, "%.*s", (int)MIN(note->data.n, 90), note->data.p);
	if (note->from == NOTE_WORKER && note->data.n > sizeof toy->boss && text[0] == 'B') {
		memcpy(&toy->boss, note->data.p + 1, sizeof toy->boss);
		say(toy, out, "worker %u got %zu octets from %u", toy->worker, note->data.n,
		    note->worker);
	} else if (note->from == NOTE_WORKER) {
		toy->ticks++;
		if (toy->ticks == 1000)
			say(toy, out, "1000 notes");
	} else {
		say(toy, out, "%s says %s", note->from == NOTE_HELPER ? "helper" : "master", text);
	}
	toy->calls--;
}

static void toy_tick(void *self, struct now now, struct outbox *out)
{
	struct toy *toy = self;

	if (toy->at == NEVER)
		return;
	say(toy, out, now.boot >= toy->at && now.wall > 1700000000 * SEC ? "tick" : "too early");
	toy->at = NEVER;
}

static uint64_t toy_expiry(const void *self)
{
	return ((const struct toy *)self)->at;
}

static const struct verdicts *toy_verdicts(const void *self)
{
	return &((const struct toy *)self)->verdicts;
}

static const struct role toy_role = {
	.name = "toy", .text = "a toy", .needs = NEEDS_TUN | NEEDS_HELPER, .open = toy_open,
	.close = toy_close, .input = toy_input, .packets = toy_packets, .flow = toy_flow,
	.note = toy_note, .tick = toy_tick, .expiry = toy_expiry, .verdicts = toy_verdicts,
};

/* ---- the world around it ---- */

static struct config conf;

struct world {
	struct worker_setup setup[2];
	struct addr at[2][2];		/* [worker][family 4, 6] */
	struct addr stream;
	int helper[2], master[2];	/* our ends */
	char path[40];
	pid_t pid[2];
	unsigned count;
};

static struct addr loopback(uint8_t family, uint16_t port)
{
	struct addr a = { .family = family, .port = port };

	if (family == 4)
		memcpy(a.ip, "\x7f\0\0\1", 4);
	else
		a.ip[15] = 1;
	return a;
}

static int bound(uint8_t family, int type, struct addr *at)
{
	struct addr want = loopback(family, 0);
	union sockaddr_any name;
	socklen_t n = sockaddr_make(&name, &want);
	int fd = socket(name.sa.sa_family, type | SOCK_CLOEXEC, 0), room = 1 << 20;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(fd, &name.sa, n) < 0) {
		close(fd);
		return -1;
	}
	n = sizeof name;
	getsockname(fd, &name.sa, &n);
	*at = sockaddr_addr(&name);
	return fd;
}

static void add_door(struct worker_setup *s, int fd, bool stream, enum port port, uint8_t family)
{
	if (fd < 0)
		return;
	if (stream)
		listen(fd, 100);
	else
		udp_prepare(fd, family, true);
	s->door[s->doors++] = (struct door){ fd, stream, port, family, 0, "" };
}

static int unix_listener(struct world *w)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(w->path, sizeof w->path, "/tmp/cyphonic-320-%d", (int)getpid());
	memcpy(un.sun_path, w->path, sizeof w->path);
	unlink(w->path);
	if (bind(fd, (struct sockaddr *)&un, sizeof un) < 0)
		return -1;
	return fd;
}

static pid_t start(struct world *w, unsigned i)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	/* only the test may hold the other ends, or nobody would notice it gone */
	close(w->helper[0]);
	close(w->master[0]);
	if (w->count > 1) {
		close(w->helper[1]);
		close(w->master[1]);
	}
	exit(worker_run(&w->setup[i]));
}

static void world_open(struct world *w, unsigned count, int tun)
{
	struct channel *c = channel_new(count);
	unsigned i;

	memset(w, 0, sizeof *w);
	w->count = count;
	for (i = 0; i < count; i++) {
		struct worker_setup *s = &w->setup[i];
		int pair[2];

		*s = (struct worker_setup){
			.index = i, .count = count, .conf = &conf, .role = { &toy_role },
			.roles = 1, .tun = i ? -1 : tun, .channel = c,
		};
		add_door(s, bound(4, SOCK_DGRAM, &w->at[i][0]), false, PORT_MAIN, 4);
		add_door(s, bound(6, SOCK_DGRAM, &w->at[i][1]), false, PORT_MAIN, 6);
		if (!i) {
			add_door(s, bound(4, SOCK_STREAM, &w->stream), true, PORT_AS, 4);
			add_door(s, unix_listener(w), true, PORT_CTL, 0);
		}
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			exit(1);
		s->helper = pair[0];
		w->helper[i] = pair[1];
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			exit(1);
		s->master = pair[0];
		w->master[i] = pair[1];
	}
	for (i = 0; i < count; i++)
		w->pid[i] = start(w, i);
}

static int ended(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Ends all workers by this signal; the sum of their exit statuses. */
static int world_close(struct world *w, int sig)
{
	unsigned i, k;
	int sum = 0;

	for (i = 0; i < w->count; i++) {
		kill(w->pid[i], sig);
		sum += ended(w->pid[i]);
		for (k = 0; k < w->setup[i].doors; k++)
			close(w->setup[i].door[k].fd);
		close(w->setup[i].helper);
		close(w->setup[i].master);
		close(w->helper[i]);
		close(w->master[i]);
	}
	unlink(w->path);
	channel_free(w->setup[0].channel);
	return sum;
}

#endif

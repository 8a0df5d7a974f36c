/*
 * resolv.c - the process beside the master that changes how the system resolves names.
 *
 * D-Bus and scripts may take their time, which the master has not.  The end of the socket to
 * the master is the sign to undo everything: so it is undone also when the master is killed.
 */
#include "net/io/resolv.h"
#include "net/io/loop.h"
#include "net/io/resolv_way.h"
#include "store/config.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_MS 5000
#define STOP_MS 5000
#define LOCK_MS 2000
#define EARLY_MAX 3		/* deaths within a second of birth */
#define CALM_MS 200		/* others' changes come in several steps */
#define FIGHT_MAX 10		/* changes by others, in ... */
#define FIGHT_TIME (60 * SEC)	/* ... this time: somebody else wants the file as much */

struct clerk {
	int fd;				/* to the master */
	int watch;			/* inotify */
	const struct config *conf;
	struct wish wish;
	enum way way;			/* WAY_NONE: nothing is changed */
	enum resolvconf which;
	struct priv_resolver state;
	bool keep;			/* leave it so at the end */
	bool wrote;			/* the file, in the last carry_out() */
	uint64_t changed[FIGHT_MAX];	/* boot times, a ring */
	unsigned changes;
};

/* ---- the ways ---- */

static const char *way_name(const struct clerk *c)
{
	switch (c->way) {
	case WAY_RESOLVED:
		return "resolved";
	case WAY_RESOLVCONF:
		return c->which == RESOLVCONF_OPENRESOLV ? "openresolv" : "resolvconf";
	case WAY_FILE:
		return "file";
	case WAY_OFF:
		return "off";
	case WAY_NONE:
		break;
	}
	return "none";
}

/*
 * Two daemons must not change it at once: an old one that ends, and its successor.  Who waits
 * for D-Bus meanwhile does not stop the others for long.
 */
static int lock_files(void)
{
	int fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), waited;

	for (waited = 0; fd >= 0 && waited < LOCK_MS && flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 20)
		usleep(20 * 1000);
	return fd;
}

static void unlock_files(int fd)
{
	if (fd >= 0)
		close(fd);
}

static bool by_file(struct clerk *c, struct servers *s, char *err)
{
	char other[16];

	if (!file_is_anothers(RESOLV_CONF, c->wish.tun, other))
		return file_up(RESOLV_CONF, &c->wish, s, &c->wrote, err);
	snprintf(err, RESOLV_ERR, "another node with TUN device %s is the system's resolver: stop it, or "
		 "set node.resolver to off", other);
	return false;
}

static void file_servers(const struct wish *w, struct servers *s)
{
	char *text = malloc(2 * RESOLV_TEXT), *theirs = text + RESOLV_TEXT;
	struct claim claim;

	if (!text)
		abort();
	file_text(RESOLV_CONF, text);
	text_give_back(theirs, text, &claim);
	text_servers(theirs, w, s);
	free(text);
}

/* Does it, or does it again; whom the system would ask without us is in s then. */
static bool carry_out(struct clerk *c, bool again, struct servers *s, char *err)
{
	s->n = 0;
	c->wrote = false;
	switch (c->way) {
	case WAY_RESOLVED:
		file_servers(&c->wish, s);
		return again || bus_up(&c->wish, err);
	case WAY_RESOLVCONF:
		if (!again && !resolvconf_up(c->which, &c->wish, err))
			return false;
		resolvconf_servers(&c->wish, s);
		return true;
	case WAY_FILE:
		return by_file(c, s, err);
	case WAY_OFF:
	case WAY_NONE:
		file_servers(&c->wish, s);
		break;
	}
	return true;
}

static void undo(struct clerk *c)
{
	char err[RESOLV_ERR];

	if (c->way == WAY_RESOLVED)
		bus_down(c->wish.ifindex);
	else if (c->way == WAY_RESOLVCONF)
		resolvconf_down(c->wish.tun);
	else if (c->way == WAY_FILE && !file_down(RESOLV_CONF, (int)getpid(), err))
		cy_log(LOG_ERROR_, "%s", err);
	c->way = WAY_NONE;
	c->state.up = false;
}

bool resolv_repair(const struct config *conf)
{
	bool good = true;
	int lock = lock_files();

	char err[RESOLV_ERR], writer[16], *text = malloc(RESOLV_TEXT), *theirs = malloc(RESOLV_TEXT);
	struct claim claim;

	if (!text || !theirs)
		abort();
	file_text(RESOLV_CONF, text);
	text_give_back(theirs, text, &claim);
	free(text);
	free(theirs);
	/* who is still there gives it back himself */
	if (claim.ours && !file_is_anothers(RESOLV_CONF, "", writer)) {
		good = file_down(RESOLV_CONF, 0, err);
		if (good)
			cy_log(LOG_WARN, RESOLV_CONF " repaired: a node that could not end in order had "
			       "left its lines there");
		else
			cy_log(LOG_ERROR_, "%s", err);
	}
	if (resolvconf_is_left(conf->node_tun)) {
		resolvconf_down(conf->node_tun);
		cy_log(LOG_WARN, "resolvconf's record repaired: a node that could not end in order had "
		       "left it there");
	}
	unlock_files(lock);
	return good;
}

/* ---- what is said of it ---- */

static void fill_servers(struct priv_resolver *a, const struct servers *s)
{
	a->servers = s->n;
	memcpy(a->server, s->a, s->n * sizeof *s->a);
}

static void say(const struct clerk *c)
{
	char others[PRIV_SERVERS * ADDR_TEXT] = "", ip[ADDR_TEXT];
	const struct priv_resolver *a = &c->state;
	unsigned i;

	for (i = 0; i < a->servers; i++) {
		strcat(others, i ? ", " : "");
		strcat(others, ip_text(ip, &a->server[i]));
	}
	if (*a->text)
		cy_log(LOG_ERROR_, "the system does not ask for names of %s here: %s [%s]",
		       c->wish.domain, a->text, a->chain);
	else
		cy_log(LOG_INFO, "names of %s: way %s [%s], before: %s", c->wish.domain, a->way,
		       a->chain, *others ? others : "nobody");
}

/* ---- requests ---- */

static void make_wish(struct clerk *c, const struct priv_request *q)
{
	const struct config *conf = c->conf;
	struct wish *w = &c->wish;
	unsigned i;

	memset(w, 0, sizeof *w);
	w->tun = conf->node_tun;
	w->ifindex = if_nametoindex(conf->node_tun);
	memcpy(w->domain, q->domain, sizeof w->domain);
	memcpy(w->net4, q->net4, 4);
	memcpy(w->net6, q->net6, 16);
	w->bits4 = q->bits4;
	w->bits6 = q->bits6;
	for (i = 0; i < conf->node_dns.n && w->owns < RESOLV_OWN; i++)
		w->own[w->owns++] = conf->node_dns.a[i];
	if (!w->owns)
		w->owns = ip_parse(&w->own[0], "127.0.0.45", 53);
}

static bool is_refused(const struct clerk *c, char *err)
{
	const struct wish *w = &c->wish;
	unsigned i;

	for (i = 0; i < w->owns; i++)
		if (w->own[i].port != 53) {
			snprintf(err, RESOLV_ERR, "the system can only ask port 53, and node.dns has port %u",
				 w->own[i].port);
			return true;
		}
	if (c->way == WAY_RESOLVED || !file_is_shared(RESOLV_CONF))
		return false;
	snprintf(err, RESOLV_ERR, "this network namespace has no " RESOLV_CONF " of its own: make "
		 "/etc/netns/NAME/resolv.conf, or set node.resolver to off");
	return true;
}

static void up(struct clerk *c, const struct priv_request *q)
{
	struct wish was = c->wish;
	struct priv_resolver *a = &c->state;
	struct servers s = { .n = 0 };
	bool good;

	make_wish(c, q);
	if (a->up && memcmp(&was, &c->wish, sizeof was) == 0)
		return;
	undo(c);
	memset(a, 0, sizeof *a);
	c->way = look_around(c->conf->node_resolver, &c->which, a->chain, a->text);
	good = !*a->text && (c->way == WAY_OFF || !is_refused(c, a->text)) &&
	       carry_out(c, false, &s, a->text);
	if (!good)
		c->way = WAY_NONE;
	a->up = good && c->way != WAY_OFF;
	snprintf(a->way, sizeof a->way, "%s", way_name(c));
	fill_servers(a, &s);
	say(c);
}

static void look(struct clerk *c)
{
	struct servers s = { .n = 0 };

	if (c->state.up)
		return;
	/* before the first login: whom the system asks now is whom we ask */
	if (resolvconf_is_left(c->wish.tun))
		resolvconf_servers(&c->wish, &s);
	else
		file_servers(&c->wish, &s);
	fill_servers(&c->state, &s);
}

static void answer(struct clerk *c)
{
	c->state.kind = PRIV_DNS_LOOK;
	send(c->fd, &c->state, sizeof c->state, MSG_NOSIGNAL);
}

/* False at the end of the socket. */
static bool serve(struct clerk *c)
{
	struct priv_request q;
	ssize_t n = recv(c->fd, &q, sizeof q, 0);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (n == sizeof q && q.kind == PRIV_DNS_KEEP) {
		c->keep = true;
		return true;
	}
	if (n == sizeof q && q.kind == PRIV_DNS_UP) {
		up(c, &q);
	} else if (n == sizeof q && q.kind == PRIV_DNS_DOWN) {
		if (c->state.up)
			cy_log(LOG_INFO, "names of %s are no longer asked for here", c->wish.domain);
		undo(c);
		strcpy(c->state.way, "none");
	} else {
		look(c);
	}
	answer(c);
	return true;
}

/* ---- what others do meanwhile ---- */

/* The file, the directory (files are replaced), where a link leads, resolvconf's records. */
static void watch_files(struct clerk *c)
{
	static const uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
				       IN_DELETE | IN_MODIFY;
	const char *records = resolvconf_records(c->which);
	char *text = malloc(2 * RESOLV_TEXT), *theirs = text + RESOLV_TEXT, link[300];
	struct claim claim;

	if (!text)
		abort();
	inotify_add_watch(c->watch, "/etc", events & ~(uint32_t)IN_MODIFY);
	inotify_add_watch(c->watch, RESOLV_CONF, events);
	if (c->way == WAY_RESOLVCONF && records)
		inotify_add_watch(c->watch, records, events);
	file_text(RESOLV_CONF, text);
	text_give_back(theirs, text, &claim);
	free(text);
	snprintf(link, sizeof link, "%s%s", *claim.link == '/' ? "" : "/etc/", claim.link);
	if (*claim.link)
		inotify_add_watch(c->watch, link, events);
}

/* True when one of them concerns us: /etc has many files. */
static bool drain_watch(struct clerk *c)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct inotify_event *e;
	bool ours = false;
	ssize_t n, at;

	while ((n = read(c->watch, buf, sizeof buf)) > 0)
		for (at = 0; at < n; at += (ssize_t)(sizeof *e + e->len)) {
			e = (const struct inotify_event *)(const void *)(buf + at);
			ours |= !e->len || !strcmp(e->name, "resolv.conf") || c->way == WAY_RESOLVCONF;
		}
	return ours;
}

static bool is_fight(struct clerk *c)
{
	uint64_t now = clock_now().boot, *oldest = &c->changed[c->changes++ % FIGHT_MAX];
	bool fight = c->changes > FIGHT_MAX && now - *oldest < FIGHT_TIME;

	*oldest = now;
	return fight;
}

static bool keep_up(struct clerk *c, struct servers *s)
{
	char *err = c->state.text;

	if (!carry_out(c, true, s, err))
		return false;
	if (!c->wrote)
		return true;
	if (!is_fight(c)) {
		cy_log(LOG_INFO, RESOLV_CONF " was changed by another program: our line is back in it");
		return true;
	}
	snprintf(err, RESOLV_ERR, "another program writes " RESOLV_CONF " again and again: set "
		 "node.resolver to off, and have that program ask us for the domain");
	return false;
}

/* Somebody changed something: our lines are put right, and the servers taken over. */
static void follow(struct clerk *c)
{
	struct priv_resolver was = c->state;
	struct servers s;

	if (!was.up)
		return;
	if (!keep_up(c, &s)) {
		undo(c);
		strcpy(c->state.way, "none");
	}
	fill_servers(&c->state, &s);
	if (memcmp(&was, &c->state, sizeof was) == 0)
		return;
	say(c);
	answer(c);
}

/* ---- the process ---- */

static void work(struct clerk *c)
{
	struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
			       { .fd = c->watch, .events = POLLIN } };
	bool changed = false;
	int lock, n;

	for (;;) {
		watch_files(c);
		n = poll(p, 2, changed ? CALM_MS : -1);
		if (n < 0)
			continue;
		if (n == 0 || p[0].revents) {
			bool more = true;

			lock = lock_files();
			if (p[0].revents)
				more = serve(c);
			else
				follow(c);
			changed = false;
			if (!more && !c->keep)
				undo(c);
			unlock_files(lock);
			if (!more)
				return;
		}
		if (p[1].revents)
			changed |= drain_watch(c);
	}
}

/* It inherits everything and needs its socket alone. */
static int keep_alone(int fd)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2 };
	sigset_t none;
	unsigned i;

	setpgid(0, 0);
	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	umask(022);	/* what resolvconf makes is for everybody to read */
	if (fd != 3 && dup2(fd, 3) < 0)
		return -1;
	close_range(4, ~0u, 0);
	return fcntl(3, F_SETFD, FD_CLOEXEC) < 0 ? -1 : 3;
}

static int live(const struct resolv *r, int fd)
{
	struct clerk c = { .conf = r->conf, .way = WAY_NONE };
	struct priv_request nothing = { .kind = PRIV_DNS_LOOK };

	r->call("resolver");
	make_wish(&c, &nothing);
	c.fd = keep_alone(fd);
	c.watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (c.fd < 0 || c.watch < 0) {
		cy_log(LOG_ERROR_, "cannot start: %s", strerror(errno));
		return 1;
	}
	strcpy(c.state.way, "none");
	if (!r->successor)
		resolv_repair(c.conf);
	answer(&c);
	work(&c);
	return 0;
}

/* ---- the master's side ---- */

static bool readable(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, wait_ms) > 0;
}

bool resolv_start(struct resolv *r, const struct config *conf, void (*call)(const char *name),
		  bool successor, uint64_t now)
{
	struct priv_resolver ready;
	int fd[2];
	pid_t pid;

	memset(r, 0, sizeof *r);
	*r = (struct resolv){
		.fd = -1, .born = now, .conf = conf, .call = call, .successor = successor,
	};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		exit(live(r, fd[1]));
	}
	close(fd[1]);
	if (pid > 0 && readable(fd[0], START_MS) && recv(fd[0], &ready, sizeof ready, 0) > 0)
		r->fd = fd[0];
	else
		close(fd[0]);
	return r->fd >= 0;
}

void resolv_ask(struct resolv *r, unsigned worker, uint8_t role, const struct priv_request *q)
{
	r->worker = (uint8_t)worker;
	r->role = role;
	r->heard = true;
	if (q->kind != PRIV_DNS_LOOK)
		r->asked = *q;
	if (r->fd >= 0 && !r->stopping)
		send(r->fd, q, sizeof *q, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Its successor takes out what it left, and then does it anew. */
static void revive(struct resolv *r, uint64_t now)
{
	struct resolv was = *r;

	close(r->fd);
	r->fd = -1;
	if (r->stopping)
		return;
	was.early = now - was.born < SEC ? was.early + 1 : 0;
	cy_log(LOG_ERROR_, "the process for name resolution died%s",
	       was.early > EARLY_MAX ? " too often: going on without" : "; starting it again");
	if (was.early > EARLY_MAX || !resolv_start(r, was.conf, was.call, false, now))
		return;
	r->early = was.early;
	if (was.asked.kind)
		resolv_ask(r, was.worker, was.role, &was.asked);
}

bool resolv_answer(struct resolv *r, struct priv_resolver *a, uint64_t now)
{
	ssize_t n = recv(r->fd, a, sizeof *a, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		revive(r, now);
	return n == sizeof *a && r->heard;
}

void resolv_stop(struct resolv *r, bool keep)
{
	static const struct priv_request stay = { .kind = PRIV_DNS_KEEP };

	if (r->fd >= 0 && !r->stopping && keep)
		send(r->fd, &stay, sizeof stay, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r->fd >= 0 && !r->stopping)
		shutdown(r->fd, SHUT_WR);
	r->stopping = true;
}

void resolv_wait(struct resolv *r)
{
	struct priv_resolver a;

	resolv_stop(r, false);
	while (r->fd >= 0 && readable(r->fd, STOP_MS) && recv(r->fd, &a, sizeof a, 0) > 0)
		;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

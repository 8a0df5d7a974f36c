/*
 * master.c - makes what lasts (directories, lock, sockets, TUN, channel), starts the
 * children and then only waits: for signals, deaths, and requests for privileged things.
 */
#include "net/io/attend.h"
#include "net/io/channel.h"
#include "net/io/checker.h"
#include "net/io/child.h"
#include "net/io/door.h"
#include "net/io/loop.h"
#include "net/io/master.h"
#include "net/io/priv.h"
#include "net/io/inherit.h"
#include "net/io/reload.h"
#include "net/io/ward.h"
#include "store/config.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sys/socket.h>
#include <unistd.h>

#define ERR 256
#define PATH_SIZE 320
#define QUICK (5 * SEC)		/* patience with a quick stop */
#define GRACEFUL (30 * SEC)	/* and with a graceful one */

bool master_boot_id(uint8_t id[16])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[64] = "", digits[33] = "";
	unsigned i, n = 0;

	if (!f)
		return false;
	if (!fgets(text, sizeof text, f))
		text[0] = '\0';
	fclose(f);
	for (i = 0; text[i] && n < 32; i++)
		if (text[i] != '-')
			digits[n++] = text[i];
	errno = EINVAL;
	return hex_parse(id, 16, digits);
}

/* ---- one instance per state directory ---- */

/*
 * A POSIX lock: it names its holder, is not inherited by children, and dies with the
 * process however that dies.
 */
static bool lock_state(struct house *h, char *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_SIZE];

	/* a lock of ours from before an upgrade: closing any descriptor of the file would drop it */
	h->lock = inherit_take("lock");
	if (h->lock >= 0)
		return true;
	snprintf(path, sizeof path, "%s/master.lock", h->conf->state);
	h->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (h->lock < 0) {
		snprintf(err, ERR, "cannot open %.180s: %s", path, strerror(errno));
		return false;
	}
	if (fcntl(h->lock, F_SETLK, &lock) == 0)
		return true;
	fcntl(h->lock, F_GETLK, &lock);
	snprintf(err, ERR, "state directory %.120s is in use by cyphonic with pid %d: stop that one, or "
		 "give this one another 'state'", h->conf->state, (int)lock.l_pid);
	return false;
}

static bool make_directories(struct house *h, char *err)
{
	const struct config *conf = h->conf;
	char ca[PATH_SIZE];

	snprintf(ca, sizeof ca, "%s/ca", conf->state);
	return owner_find(&h->owner, conf->user, err) &&
	       owner_dir(conf->state, &h->owner, 0700, err) && lock_state(h, err) &&
	       (!h->has_helper || owner_dir(ca, &h->owner, 0700, err)) &&
	       owner_dir(conf->run, &h->owner, 0755, err);
}

/* ---- what the workers inherit ---- */

static unsigned cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	return MIN((unsigned)CPU_COUNT(&set), WORKERS_MAX);
}

static unsigned worker_count(const struct master_plan *plan)
{
	if (plan->conf->workers)
		return MIN(plan->conf->workers, WORKERS_MAX);
	return plan->conf->roles == ROLE_NODE ? 1 : cores();
}

static bool needs(const struct master_plan *plan, unsigned need)
{
	unsigned i, all = 0;

	for (i = 0; i < plan->roles; i++)
		all |= plan->role[i]->needs;
	return all & need;
}

static bool pair(int *a, int *b)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
		return false;
	*a = fd[0];
	*b = fd[1];
	return true;
}

static bool furnish_worker(struct house *h, const struct master_plan *plan, unsigned i)
{
	struct worker_setup *w = &h->worker[i];

	*w = (struct worker_setup){
		.index = i, .count = h->count, .conf = h->conf, .roles = plan->roles,
		.tun = -1, .helper = -1, .master = -1,
	};
	memcpy(w->role, plan->role, sizeof w->role);
	return master_boot_id(w->boot_id) && pair(&w->master, &h->master_end[i]) &&
	       (!h->has_helper || pair(&w->helper, &h->desk.fd[i]));
}

static bool furnish(struct house *h, const struct master_plan *plan, char *err)
{
	struct channel *channel = channel_new(h->count);
	unsigned i;
	int tun = -1;

	h->worker = calloc(h->count, sizeof *h->worker);
	h->ward = h->desk.ward = ward_new(h->count + h->has_helper + 1);
	for (i = 0; h->worker && channel && h->ward && i < h->count; i++)
		if (!furnish_worker(h, plan, i))
			break;
	if (!h->worker || !channel || !h->ward || i < h->count) {
		snprintf(err, ERR, "cannot furnish %u workers: %s", h->count, strerror(errno));
		return false;
	}
	h->desk.conf = h->conf;
	h->desk.workers = h->count;
	memcpy(h->desk.helper, plan->helper, sizeof h->desk.helper);
	memcpy(h->desk.boot_id, h->worker[0].boot_id, sizeof h->desk.boot_id);
	if (needs(plan, NEEDS_TUN) && (tun = door_tun(h->conf->node_tun, err)) < 0)
		return false;
	for (i = 0; i < h->count; i++) {
		h->worker[i].channel = channel;
		h->worker[i].ward = h->ward;
		h->worker[i].tun = tun;
	}
	h->reporter = (struct reporter_setup){
		.conf = h->conf, .board = plan->board, .roles = plan->roles,
		.has_store = needs(plan, NEEDS_STORE),
	};
	for (i = 0; i < plan->roles; i++)
		h->reporter.role[i] = plan->role[i]->name;
	if (!doors_open(h->worker, plan->conf, err) ||
	    !doors_control_open(h->worker, h->owner.uid, h->owner.gid, err) ||
	    !reporter_open(&h->reporter, &h->owner, err))
		return false;
	inherit_close();
	return true;
}

static bool catch_signals(struct house *h, char *err)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGUSR1, SIGUSR2 };
	sigset_t set;
	unsigned i;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		sigaddset(&set, wanted[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	h->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (h->signals < 0)
		snprintf(err, ERR, "cannot catch signals: %s", strerror(errno));
	return h->signals >= 0;
}

/* ---- USR2: the same process goes on as another version of the program ---- */

/* Asks the program that stands there now whether it would start with this configuration. */
static bool upgrade_is_good(const struct master_plan *plan)
{
	int status = -1, n;
	pid_t pid = fork();

	if (pid == 0) {
		for (n = 0; plan->argv[n]; n++)
			;
		char *argv[n + 2];

		memcpy(argv, plan->argv, (size_t)n * sizeof *argv);
		argv[n] = "-t";
		argv[n + 1] = NULL;
		execv(plan->program, argv);
		_exit(127);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return true;
	cy_log(LOG_ERROR_, "not upgrading: '%s -t' does not succeed; going on as before", plan->program);
	return false;
}

static void upgrade(struct house *h, const struct master_plan *plan)
{
	char name[64];
	sigset_t none;
	unsigned i, k;

	snprintf(name, sizeof name, "tun %s", h->conf->node_tun);
	if (h->worker[0].tun >= 0)
		inherit_leave(name, h->worker[0].tun);
	inherit_leave("lock", h->lock);
	for (i = 0; i < h->count; i++)
		for (k = 0; k < h->worker[i].doors; k++)
			if (h->worker[i].door[k].name[0])
				inherit_leave(h->worker[i].door[k].name, h->worker[i].door[k].fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(plan->program, plan->argv);
	cy_log(LOG_ERROR_, "upgrade failed: %s: %s; stopping", plan->program, strerror(errno));
	h->failed = true;
}

/* ---- running ---- */

static void on_signal(struct house *h, const struct master_plan *plan, uint32_t signal)
{
	uint64_t now = clock_now().boot;

	switch (signal) {
	case SIGHUP:
		attend_reloading(h, true);
		reload(h, plan);
		attend_open(h, now);
		attend_reloading(h, false);
		break;
	case SIGTERM:
	case SIGINT:
		cy_log(LOG_INFO, "stopping");
		attend_stopping(h);
		child_stop(h, SIGTERM, now + QUICK);
		break;
	case SIGQUIT:
		cy_log(LOG_INFO, "stopping after what is under way");
		attend_stopping(h);
		child_stop(h, SIGQUIT, now + GRACEFUL);
		break;
	case SIGUSR2:
		if (upgrade_is_good(plan)) {
			cy_log(LOG_INFO, "upgrading: %s", plan->program);
			h->upgrading = true;
			child_stop(h, SIGUSR2, now + QUICK);
		}
		break;
	case SIGUSR1:
		cy_log(LOG_INFO, "SIGUSR1 has no meaning here");
	}
}

static void read_signals(struct house *h, const struct master_plan *plan)
{
	struct signalfd_siginfo s;

	while (read(h->signals, &s, sizeof s) == sizeof s)
		on_signal(h, plan, s.ssi_signo);
	child_reap(h, clock_now().boot);
}

static void tell_resolver(struct house *h, unsigned worker, uint8_t role,
			  const struct priv_resolver *a)
{
	uint8_t out[1 + sizeof *a];

	out[0] = role;
	memcpy(out + 1, a, sizeof *a);
	send(h->master_end[worker], out, sizeof out, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void pass_on(struct house *h)
{
	struct priv_resolver a;

	if (resolv_answer(&h->resolv, &a, clock_now().boot))
		tell_resolver(h, h->resolv.worker, h->resolv.role, &a);
}

/* Name resolution is another process's work, which answers when it is done. */
static bool serve_resolver(struct house *h, unsigned worker, uint8_t role,
			   const struct priv_request *q)
{
	static const struct priv_request down = { .kind = PRIV_DNS_DOWN };
	struct priv_resolver refused = { .kind = PRIV_DNS_LOOK, .way = "none" };
	const char *wrong;

	if (q->kind == PRIV_TUN_DOWN && h->resolv.asked.kind == PRIV_DNS_UP)
		resolv_ask(&h->resolv, worker, role, &down);
	if (q->kind != PRIV_DNS_UP && q->kind != PRIV_DNS_DOWN && q->kind != PRIV_DNS_LOOK)
		return false;
	wrong = priv_wrong(q, (uint16_t)h->conf->node_mtu);
	if (!wrong) {
		resolv_ask(&h->resolv, worker, role, q);
		return true;
	}
	cy_log(LOG_ERROR_, "name resolution is left alone: %s", wrong);
	snprintf(refused.text, sizeof refused.text, "%s", wrong);
	tell_resolver(h, worker, role, &refused);
	return true;
}

/* One request of a worker: the role's octet, then struct priv_request and nothing more. */
static void serve(struct house *h, const struct master_plan *plan, unsigned worker)
{
	struct priv_request q;
	struct priv_answer a;
	uint8_t in[1 + sizeof q + 1], out[1 + sizeof a];
	ssize_t n = recv(h->master_end[worker], in, sizeof in, MSG_DONTWAIT);
	char ip[ADDR_TEXT];
	struct addr at = { .family = 4 };

	if (n <= 0)
		return;
	if (n != 1 + sizeof q || in[0] >= plan->roles || !(plan->role[in[0]]->needs & NEEDS_TUN)) {
		cy_log(LOG_ERROR_, "worker %u asked for something it may not have", worker);
		return;
	}
	memcpy(&q, in + 1, sizeof q);
	if (serve_resolver(h, worker, in[0], &q))
		return;
	priv_serve(h->conf->node_tun, (uint16_t)h->conf->node_mtu, &q, &a);
	memcpy(at.ip, q.ip4, sizeof q.ip4);
	if (a.failed)
		cy_log(LOG_ERROR_, "%s", a.text);
	else if (q.kind == PRIV_TUN_UP)
		cy_log(LOG_INFO, "%s is up with %s", h->conf->node_tun, ip_text(ip, &at));
	out[0] = in[0];
	memcpy(out + 1, &a, sizeof a);
	send(h->master_end[worker], out, sizeof out, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int wait_ms(const struct house *h)
{
	uint64_t next = MIN(MIN(child_expiry(h), attend_expiry(h)), checker_expiry(h));
	uint64_t now = clock_now().boot;

	if (next == NEVER)
		return -1;
	return next <= now ? 0 : (int)((next - now) / MS + 1);
}

static void run(struct house *h, const struct master_plan *plan)
{
	struct pollfd p[WORKERS_MAX + 3];
	unsigned i;

	for (i = 0; i < h->count; i++)
		p[i] = (struct pollfd){ .fd = h->master_end[i], .events = POLLIN };
	p[h->count] = (struct pollfd){ .fd = h->signals, .events = POLLIN };
	p[h->count + 1] = (struct pollfd){ .fd = ward_fd(h->ward), .events = POLLIN };
	attend_open(h, clock_now().boot);
	while (!h->stopping || !child_all_gone(h, clock_now().boot)) {
		child_start_due(h, clock_now().boot);
		if (h->stopping)
			resolv_stop(&h->resolv, h->upgrading);
		p[h->count + 2] = (struct pollfd){ .fd = h->resolv.fd, .events = POLLIN };
		checker_tick(h, clock_now().boot);
		if (poll(p, h->count + 3, wait_ms(h)) < 0)
			continue;
		attend(h, clock_now().boot);
		if (p[h->count + 2].revents)
			pass_on(h);
		for (i = 0; i < h->count; i++)
			if (p[i].revents)
				serve(h, plan, i);
		if (p[h->count].revents)
			read_signals(h, plan);
		if (h->failed && !h->stopping)
			child_stop(h, SIGTERM, clock_now().boot + QUICK);
	}
}

int master_run(const struct master_plan *plan)
{
	static const char *const user[] = { "", "; helper and workers keep root" };
	struct house h = {
		.conf = plan->conf, .call = plan->call, .roles = plan->names,
		.count = worker_count(plan), .has_helper = needs(plan, NEEDS_HELPER),
		.has_store = needs(plan, NEEDS_STORE), .kill_at = NEVER, .resolv.fd = -1,
	};
	char err[ERR] = "", rest[64];
	bool successor;

	successor = inherit_find("tun ", rest, sizeof rest) != NULL;
	if (!make_directories(&h, err) || !catch_signals(&h, err) || !checker_prepare(&h, err) ||
	    !furnish(&h, plan, err)) {
		cy_log(LOG_ERROR_, "%s", err);
		return 1;
	}
	if (needs(plan, NEEDS_TUN) && !resolv_start(&h.resolv, h.conf, h.call, successor, clock_now().boot))
		cy_log(LOG_ERROR_, "no process for name resolution: the system will not ask the node");
	cy_log(LOG_INFO, "cyphonic %s as %s, pid %d: %u worker%s, user %s%s", CYPHONIC_VERSION,
	       plan->names, (int)getpid(), h.count, h.count == 1 ? "" : "s", h.owner.name,
	       user[h.owner.uid == 0]);
	run(&h, plan);
	resolv_wait(&h.resolv);
	if (h.upgrading && !h.failed)
		upgrade(&h, plan);
	if (h.upgrading && h.resolv.conf)
		resolv_repair(h.conf);
	doors_control_remove(h.worker);
	reporter_remove(&h.reporter);
	cy_log(LOG_INFO, "stopped");
	channel_free(h.worker[0].channel);
	ward_free(h.ward);
	free(h.worker);
	return h.failed;
}

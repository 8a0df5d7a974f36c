/* checker.c - short-lived children that look after the store. */
#include "net/io/checker.h"
#include "net/io/loop.h"
#include "net/io/master.h"
#include "store/config.h"
#include "store/keep.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERR 256
#define SWEEP_EVERY (60 * SEC)
#define FIRST_COPY (5 * SEC)		/* after the start, if there is none that is new enough */
#define COPY_AGAIN (300 * SEC)		/* after one that failed */

/* ---- the children; each gives its exit status ---- */

static int prepare(const struct house *h)
{
	uint8_t boot_id[16];
	char err[ERR] = "cannot read /proc/sys/kernel/random/boot_id";

	if (master_boot_id(boot_id) && store_mend(h->conf->state, boot_id, h->count, err))
		return 0;
	cy_log(LOG_ERROR_, "%s", err);
	return 1;
}

static int sound(const struct house *h)
{
	char err[ERR];

	if (store_sound(h->conf->state, err))
		return 0;
	cy_log(LOG_ERROR_, "%s", err);
	return 1;
}

static int sweep(const struct house *h)
{
	unsigned n = store_readers(h->conf->state, h->count);

	if (n)
		cy_log(LOG_INFO, "store: freed %u reader slots of dead processes", n);
	return 0;
}

static int copy(const struct house *h)
{
	char name[COPY_NAME], err[ERR];

	if (nice(10) == -1 && errno == EPERM)
		errno = 0;
	if (!store_copy(h->conf->state, h->conf->store_copies, clock_now().wall / SEC, name, err)) {
		cy_log(LOG_WARN, "store: no copy of accounts was made: %s", err);
		return 1;
	}
	cy_log(LOG_DEBUG, "store: copied to copies/%s", name);
	return 0;
}

static int live(const struct house *h, pid_t master, int (*work)(const struct house *h))
{
	char err[ERR];
	sigset_t none;

	h->call("checker");
	if (!owner_become(&h->owner, err) || !owner_confine(master, err)) {
		cy_log(LOG_ERROR_, "%s", err);
		return 1;
	}
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return work(h);
}

static pid_t start(const struct house *h, int (*work)(const struct house *h))
{
	pid_t master = getpid(), pid = fork();

	if (pid == 0)
		exit(live(h, master, work));
	if (pid < 0)
		cy_log(LOG_ERROR_, "cannot fork a checker: %s", strerror(errno));
	return pid;
}

/* ---- before the start ---- */

/* Signals that end the daemon end the check too. */
static bool told_to_stop(const struct house *h)
{
	struct pollfd p = { .fd = h->signals, .events = POLLIN };
	struct signalfd_siginfo s;

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	while (read(h->signals, &s, sizeof s) == sizeof s)
		if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT || s.ssi_signo == SIGQUIT)
			return true;
	return false;
}

bool checker_prepare(struct house *h, char *err)
{
	pid_t pid, ended = 0;
	int status = 1;

	h->sweep_at = h->copy_at = NEVER;
	if (!h->has_store)
		return true;
	pid = start(h, prepare);
	while (pid > 0 && (ended = waitpid(pid, &status, WNOHANG)) == 0)
		if (told_to_stop(h)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			snprintf(err, ERR, "stopped while the store was checked");
			return false;
		}
	if (ended != pid || status) {
		snprintf(err, ERR, "not started: the store in %.150s is not ready", h->conf->state);
		return false;
	}
	h->sweep_at = clock_now().boot + SWEEP_EVERY;
	if (h->conf->store_copies)
		h->copy_at = clock_now().boot + MIN(FIRST_COPY, h->conf->store_copy_every * MS);
	return true;
}

bool checker_clears(const struct house *h, int signal)
{
	int status = 0;
	pid_t pid;

	if (!h->has_store || (signal != SIGBUS && signal != SIGSEGV && signal != SIGABRT))
		return true;
	pid = start(h, sound);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !status)
		return true;
	cy_log(LOG_ERROR_, "the store was damaged while it was in use: stopping; the next start mends it");
	return false;
}

/* ---- meanwhile ---- */

static void copy_when_due(struct house *h, uint64_t now)
{
	uint64_t newest = store_copies_newest(h->conf->state), every = h->conf->store_copy_every * MS;
	uint64_t age = clock_now().wall - newest * SEC;

	/* one of another run, or of an hour that has not come, may be newer */
	if (newest && age < every) {
		h->copy_at = now + every - age;
		return;
	}
	start(h, copy);
	h->copy_at = now + MIN(every, COPY_AGAIN);
}

void checker_tick(struct house *h, uint64_t now)
{
	if (h->stopping)
		return;
	if (h->sweep_at <= now) {
		start(h, sweep);
		h->sweep_at = now + SWEEP_EVERY;
	}
	if (h->copy_at <= now)
		copy_when_due(h, now);
}

uint64_t checker_expiry(const struct house *h)
{
	return h->stopping ? NEVER : MIN(h->sweep_at, h->copy_at);
}

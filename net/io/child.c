/* child.c - fork, restart with patience, stop in order: workers first, they may need the helper. */
#include "net/io/checker.h"
#include "net/io/child.h"
#include "net/io/sandbox.h"
#include "net/io/ward.h"
#include "store/config.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERR 256
#define START_TIME (2 * SEC)	/* who exits with an error this early never worked */

static bool is_helper(const struct house *h, unsigned i)
{
	return h->has_helper && i == h->count;
}

/* The last of all. */
static bool is_reporter(const struct house *h, unsigned i)
{
	return i == h->count + h->has_helper;
}

/* Workers, the helper if there is one, the reporter. */
static unsigned children(const struct house *h)
{
	return h->count + h->has_helper + 1;
}

const char *child_name(char out[64], const struct house *h, unsigned i)
{
	if (is_helper(h, i))
		snprintf(out, 64, "helper");
	else if (is_reporter(h, i))
		snprintf(out, 64, "reporter");
	else
		snprintf(out, 64, "%s.%u", h->roles, i);
	return out;
}

/* ---- in the child ---- */

static void close_worker(const struct worker_setup *w)
{
	unsigned i;

	for (i = 0; i < w->doors; i++)
		close(w->door[i].fd);
	close(w->master);
	if (w->helper >= 0)
		close(w->helper);
}

/* A child keeps its own ends and nothing else: what it cannot reach it cannot lose. */
static void close_others(const struct house *h, unsigned self)
{
	unsigned i;

	for (i = 0; i < h->count; i++) {
		if (i != self)
			close_worker(&h->worker[i]);
		close(h->master_end[i]);
		if (h->has_helper && !is_helper(h, self))
			close(h->desk.fd[i]);
	}
	if (self >= h->count && h->worker[0].tun >= 0)
		close(h->worker[0].tun);
	if (!is_reporter(h, self))
		reporter_close(&h->reporter);
	close(h->signals);
	close(h->lock);
	ward_take(h->ward, self);
	if (h->resolv.fd >= 0)
		close(h->resolv.fd);
}

static void own_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGPIPE, SIGUSR1 };
	sigset_t none;
	unsigned i;

	/* a group of its own: the terminal's Ctrl-C is for the master */
	setpgid(0, 0);
	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The last thing before it works: from here on it can do what its work needs, and no more. */
static void enter_sandbox(const struct house *h, unsigned self)
{
	bool node = self < h->count && h->conf->roles & (ROLE_NODE | ROLE_TRS);
	struct sandbox s = {
		.who = is_reporter(h, self) ? SANDBOX_REPORTER : is_helper(h, self) ? SANDBOX_HELPER :
		       SANDBOX_WORKER | node * SANDBOX_NODE,
		.write = { h->conf->state },
	};
	char text[160], password[SANDBOX_PATH];
	struct sandbox_state state;
	bool news = self == 0 && !h->worker[0].restarted;

	if (!h->conf->sandbox || !sandbox_possible()) {
		if (news)
			cy_log(LOG_INFO, "sandbox: off%s", h->conf->sandbox ?
			       ", because this is a build for the address sanitizer" : "");
		return;
	}
	if (node)
		s.read[0] = sandbox_reach(password, h->conf->roles & ROLE_TRS ?
					  h->conf->trs_password : h->conf->node_password);
	sandbox_enter(&s, &state);
	if (news)
		cy_log(state.seccomp && state.landlock ? LOG_INFO : LOG_WARN, "sandbox: %s",
		       sandbox_text(text, &state));
	if (state.listener >= 0)
		ward_hand_listener(h->ward, state.listener);
}

static int live(const struct house *h, unsigned self, pid_t master)
{
	char name[64], err[ERR];

	h->call(child_name(name, h, self));
	close_others(h, self);
	if (!owner_become(&h->owner, err) || !owner_confine(master, err)) {
		cy_log(LOG_ERROR_, "%s", err);
		return 1;
	}
	own_signals();
	enter_sandbox(h, self);
	if (is_reporter(h, self))
		return reporter_run(&h->reporter);
	return is_helper(h, self) ? helper_run(&h->desk) : worker_run(&h->worker[self]);
}

/* ---- in the master ---- */

static void drain(int fd)
{
	char one;

	while (recv(fd, &one, 1, MSG_DONTWAIT) >= 0 || errno == EINTR)
		;
}

/* Answers to a dead worker's questions would confuse its successor, who counts from zero. */
static void forget_mail(struct house *h, unsigned i)
{
	ward_forget(h->ward, i);
	if (is_helper(h, i))
		return;
	drain(h->worker[i].master);
	drain(h->master_end[i]);
	if (h->has_helper) {
		drain(h->worker[i].helper);
		drain(h->desk.fd[i]);
	}
}

static void start(struct house *h, unsigned i, uint64_t now)
{
	struct child *c = &h->child[i];
	pid_t master = getpid(), pid;
	char name[64];

	if (c->deaths && !is_reporter(h, i)) {
		forget_mail(h, i);
		if (!is_helper(h, i))
			h->worker[i].restarted = true;
	}
	pid = fork();
	if (pid == 0)
		exit(live(h, i, master));
	if (pid < 0) {
		cy_log(LOG_ERROR_, "cannot fork %s: %s", child_name(name, h, i), strerror(errno));
		c->again = now + SEC;
		return;
	}
	c->pid = pid;
	c->born = now;
	c->again = NEVER;
}

void child_start_due(struct house *h, uint64_t now)
{
	unsigned i, last = children(h) - 1;

	if (h->stopping)
		return;
	/* the helper first: workers ask it as soon as they live; the reporter, who asks them, last */
	for (i = last; i-- > 0;)
		if (!h->child[i].pid && h->child[i].again <= now)
			start(h, i, now);
	if (!h->child[last].pid && h->child[last].again <= now)
		start(h, last, now);
}

static void plan(struct child *c, uint64_t now)
{
	uint64_t oldest;

	c->death[c->deaths++ % DEATHS_MAX] = now;
	oldest = c->death[c->deaths % DEATHS_MAX];
	c->again = now;
	if (c->deaths >= DEATHS_MAX && now - oldest < DEATHS_TIME)
		c->again = now + DEATHS_TIME;
}

static void bury(struct house *h, unsigned i, int status, uint64_t now)
{
	struct child *c = &h->child[i];
	char name[64], how[64];

	child_name(name, h, i);
	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof how, "exited with status %d", WEXITSTATUS(status));
	if (h->stopping) {
		if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) && status)
			cy_log(LOG_WARN, "%s (pid %d) %s while stopping", name, c->pid, how);
		c->pid = 0;
		return;
	}
	if (c->renewing) {
		c->renewing = false;
		c->again = now;
		ward_forget(h->ward, i);
	} else if (WIFEXITED(status) && status && !c->deaths && now - c->born < START_TIME) {
		cy_log(LOG_ERROR_, "%s could not start: stopping", name);
		h->failed = true;
	} else if (WIFSIGNALED(status) && !checker_clears(h, WTERMSIG(status))) {
		h->failed = true;
	} else {
		plan(c, now);
		h->reporter.board->deaths++;
		if (h->has_store)
			h->sweep_at = now;
		cy_log(LOG_ERROR_, "%s (pid %d) %s; %s", name, c->pid, how,
		       c->again > now ? "too often: next start in 10 s" : "starting it again");
	}
	c->pid = 0;
}

void child_reap(struct house *h, uint64_t now)
{
	int status;
	unsigned i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < children(h) && h->child[i].pid != pid; i++)
			;
		if (i < children(h))
			bury(h, i, status, now);
		/* one that looked after the store may be the first to meet its damage */
		else if (!h->stopping && WIFSIGNALED(status) && !checker_clears(h, WTERMSIG(status)))
			h->failed = true;
	}
}

static bool tell(struct house *h, unsigned from, unsigned to, int signal)
{
	bool any = false;
	unsigned i;

	for (i = from; i < to; i++)
		if (h->child[i].pid) {
			kill(h->child[i].pid, signal);
			any = true;
		}
	return any;
}

void child_renew_helper(struct house *h)
{
	struct child *c = &h->child[h->count];

	if (h->has_helper && c->pid) {
		c->renewing = true;
		kill(c->pid, SIGTERM);
	}
}

void child_stop(struct house *h, int signal, uint64_t kill_at)
{
	h->stopping = true;
	h->kill_at = kill_at;
	tell(h, 0, h->count, signal);
}

bool child_all_gone(struct house *h, uint64_t now)
{
	if (now >= h->kill_at) {
		if (tell(h, 0, children(h), SIGKILL))
			cy_log(LOG_WARN, "patience is over: killed those still running");
		h->kill_at = NEVER;
	}
	/* signal 0 tells nobody, but whether somebody is there */
	if (tell(h, 0, h->count, 0))
		return false;
	return !tell(h, h->count, children(h), SIGTERM);
}

uint64_t child_expiry(const struct house *h)
{
	uint64_t next = h->stopping ? h->kill_at : NEVER;
	unsigned i;

	for (i = 0; !h->stopping && i < children(h); i++)
		if (!h->child[i].pid)
			next = MIN(next, h->child[i].again);
	return next;
}

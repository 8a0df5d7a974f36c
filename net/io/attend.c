/*
 * attend.c - heartbeat, watchdog and status line.
 *
 * What counts is how many questions in a row a child left open, not how long ago it spoke: a
 * computer that slept for an hour has asked none meanwhile.
 */
#include "net/io/attend.h"
#include "net/io/notify.h"
#include "net/io/ward.h"
#include "store/config.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS 4		/* questions in the patience for a child */
#define EVERY (5 * SEC)		/* a round, if nobody is ever ended */
#define HELPER_TIMES 6		/* hashing and slow disks: the helper may take longer than a worker */

static unsigned children(const struct house *h)
{
	return h->count + h->has_helper;
}

void attend_open(struct house *h, uint64_t now)
{
	struct attend *a = &h->attend;
	uint64_t patience = h->conf->watchdog * MS, manager = notify_watchdog();

	a->every = patience ? MAX(patience / ROUNDS, 10 * MS) : EVERY;
	if (manager)
		a->every = MIN(a->every, MAX(manager / 3, 10 * MS));
	a->most = (unsigned)(patience / a->every);
	a->watched = manager != 0;
	a->next = now + a->every;
}

/* ---- the status line ---- */

/* What the workers say of one role: the words of one, the numbers of all. */
static size_t sum_up(const struct house *h, unsigned role, char *out, size_t room)
{
	const struct worker_setup *w = h->worker;
	const char *text = "", *of = "";
	uint64_t count = 0;
	unsigned i;
	int n;

	for (i = 0; i < h->count; i++) {
		const struct charge *c = ward_charge(h->ward, i);

		if (role >= c->roles)
			continue;
		if (!*text)
			text = c->said[role].text;
		if (!*of)
			of = c->said[role].of;
		count += c->said[role].count;
	}
	n = snprintf(out, room, "%s%s %s", role ? "; " : "", w->role[role]->name,
		     *text ? text : "starts");
	if (*of)
		n += snprintf(out + n, room - (size_t)n, ", %llu %.*s", (unsigned long long)count,
			      (int)(strlen(of) - (count == 1)), of);
	return (size_t)n;
}

static void say_status(struct house *h, unsigned open)
{
	char text[sizeof h->attend.status];
	size_t n = 0;
	unsigned i;

	for (i = 0; i < h->worker[0].roles && n < sizeof text - 160; i++)
		n += sum_up(h, i, text + n, sizeof text - n);
	if (open < children(h))
		snprintf(text + n, sizeof text - n, "; %u of %u processes start",
			 children(h) - open, children(h));
	if (strcmp(text, h->attend.status) == 0)
		return;
	strcpy(h->attend.status, text);
	notify_say("STATUS=%s", text);
}

/* ---- children ---- */

static unsigned patience(const struct house *h, unsigned i)
{
	return i < h->count ? h->attend.most : h->attend.most * HELPER_TIMES;
}

/* Its death is seen, said and mended as any other. */
static void end_stuck(struct house *h, unsigned i)
{
	struct child *c = &h->child[i];
	char name[64];

	cy_log(LOG_ERROR_, "%s (pid %d) has not answered for %llu ms: killing it",
	       child_name(name, h, i), (int)c->pid,
	       (unsigned long long)(patience(h, i) * h->attend.every / MS));
	kill(c->pid, SIGKILL);
}

/* One line for the first, the second, the fourth ...: a loop of them does not fill the log. */
static void say_refused(struct house *h, unsigned i)
{
	const struct charge *c = ward_charge(h->ward, i);
	struct child *child = &h->child[i];
	char name[64];

	if (c->refused < child->refused_said)
		child->refused_said = 0;
	if (c->refused < (child->refused_said ? 2 * child->refused_said : 1))
		return;
	child->refused_said = c->refused;
	cy_log(LOG_WARN, "sandbox: %s (pid %d) tried system call %d, which it has no need of: "
	       "refused, %llu so far", child_name(name, h, i), (int)child->pid, c->refused_call,
	       (unsigned long long)c->refused);
}

/* True when every worker that runs has answered. */
static bool make_round(struct house *h)
{
	bool well = true;
	unsigned i;

	for (i = 0; i < children(h); i++) {
		unsigned most = patience(h, i), missed = ward_charge(h->ward, i)->missed;

		if (!h->child[i].pid)
			continue;
		if (most && missed >= most)
			end_stuck(h, i);
		/* one answer may be on its way */
		well = well && (missed < 2 || i == h->count);
		ward_ask(h->ward, i);
	}
	return well;
}

void attend(struct house *h, uint64_t now)
{
	struct attend *a = &h->attend;
	unsigned i, open = 0;

	ward_serve(h->ward);
	for (i = 0; i < children(h); i++)
		open += h->child[i].pid && ward_charge(h->ward, i)->open;
	/* all who have a line: there may be one that is not asked */
	for (i = 0; i < ward_count(h->ward); i++)
		say_refused(h, i);
	if (h->stopping)
		return;
	if (!a->ready && open == children(h)) {
		a->ready = true;
		cy_log(LOG_INFO, "ready");
		notify_say("READY=1");
	}
	if (now >= a->next) {
		a->next = now + a->every;
		if (make_round(h) && a->watched)
			notify_say("WATCHDOG=1");
	}
	say_status(h, open);
}

uint64_t attend_expiry(const struct house *h)
{
	return h->stopping ? NEVER : h->attend.next;
}

void attend_reloading(const struct house *h, bool begins)
{
	struct timespec t;

	if (!h->attend.ready)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (begins)
		notify_say("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)t.tv_sec * SEC +
			   (unsigned long long)t.tv_nsec / 1000);
	else
		notify_say("READY=1");
}

void attend_stopping(const struct house *h)
{
	notify_say("STOPPING=1\nSTATUS=stopping");
}

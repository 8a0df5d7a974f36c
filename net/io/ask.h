/*
 * ask.h - verbs that talk to a running daemon by its control sockets.
 *
 * A control socket (one for each role and worker) takes one JSON object on one line, answers
 * with one on one line, and closes:
 *	{"cmd": "status"}
 *		-> an object of the role's own making, "role" and "worker" in it
 *	{"cmd": "ping", "name": NAME, "wait_ms": MS}
 *		-> {"name": FQDN, "ip": IP, "via": "direct4", "remote": "IP:PORT", "rtt_ms": 0.42}
 *	{"cmd": "why", "name": NAME, "wait_ms": MS}
 *		-> cyphonic.why.v1 of cyphonic(8), but for "schema"
 *	{"cmd": "dns"}
 *		-> cyphonic.dns.v1 of cyphonic(8), but for "schema" and "query"
 *	{"cmd": "drain"} or {"cmd": "resume"}, to a relay
 *		-> {"draining": true, "paths": 3}
 *	{"error": "why not"}
 *		-> whenever it cannot; "not the agent": another worker of this node may
 * NAME is a device's name or FQDN.
 */
#ifndef ASK_H
#define ASK_H

#include "cyphonic.h"
#include <jansson.h>
#include <stdio.h>

struct ask {
	const char *run;		/* directory of the control sockets */
	const char *role[4];		/* names of the roles to ask, as in their sockets' names */
	unsigned roles;
	bool json;
	double interval;		/* s between two looks of ask_status(), for rates; 0: one look */
	bool watch;			/* look again and again */
	FILE *out;			/* results; errors go to the log */
};

/*
 * Asks `role` in worker `index`.  NULL with errno: ENOENT there is no such worker,
 * ECONNREFUSED nobody listens, ETIMEDOUT no (sensible) answer.  The caller owns the answer.
 */
json_t *ask_one(const struct ask *a, const char *role, unsigned index, const json_t *question,
		int wait_ms);
/*
 * What every role of every worker answers to "status", as an array of objects with "role" and
 * "worker" in each, "error" in the silent ones.  Empty with errno when nobody is there.
 */
json_t *ask_workers(const struct ask *a);
/* What the reporter answers to a question, or NULL with errno. */
json_t *ask_daemon(const struct ask *a, const json_t *question);
/* The same with "workers" and "daemon" in one object of the form cyphonic.status.v1. */
json_t *ask_all(const struct ask *a);
/* Connects to a Unix socket; -1 with errno. */
int ask_dial(const char *path);
/* As JSON, with its schema in front. */
void ask_print(FILE *out, const char *schema, json_t *answer);
/* The answer of the node's agent, owned by the caller; NULL: nobody answers, and that was said. */
json_t *ask_agent(const struct ask *a, const json_t *question);
/* Says that nobody answers (errno e); 1. */
int ask_nobody(const struct ask *a, int e);

/* All return the exit status: 0 done, 1 failed, no reply, or no daemon running. */
/* 3: the node is not logged in; 4: it, or the AS, is not ready. */
int ask_status(const struct ask *a);
/*
 * How names are resolved on this computer and, with a name or address (else NULL), who answers
 * for it and what.  Asks role[0], the node; 1 if nobody answers.
 */
int ask_dns(const struct ask *a, const char *name);
/* Asks role[0], the node, count times, a second apart. */
int ask_ping(const struct ask *a, const char *name, unsigned count);
/*
 * Which way the path to that node goes and why no better one, of role[0], the node; a path that
 * is not there is made first.  1 if there is none.
 */
int ask_why(const struct ask *a, const char *name);

/* Says drain or resume to every worker of the relay; 1 if one of them does not answer. */
int ask_relay(const struct ask *a, const char *what);

#endif

/*
 * ask.h - verbs that talk to a running daemon by its control sockets.
 *
 * A control socket (one for each role and worker) takes one JSON object on one line, answers
 * with one on one line, and closes:
 *	{"cmd": "status"}
 *		-> an object of the role's own making, "role" and "worker" in it
 *	{"cmd": "ping", "name": NAME, "wait_ms": MS}
 *		-> {"name": FQDN, "ip": IP, "via": "direct", "remote": "IP:PORT", "rtt_ms": 0.42}
 *	{"cmd": "dns"}
 *		-> cyphonic.dns.v1 of cyphonic(8), but for "schema" and "query"
 *	{"error": "why not"}
 *		-> whenever it cannot; "not the agent": another worker of this node may
 * NAME is a device's name or FQDN.
 */
#ifndef ASK_H
#define ASK_H

#include "cyphonic.h"
#include <stdio.h>

struct ask {
	const char *run;		/* directory of the control sockets */
	const char *role[4];		/* names of the roles to ask, as in their sockets' names */
	unsigned roles;
	bool json;
	FILE *out;			/* results; errors go to the log */
};

/* All return the exit status: 0 done, 1 failed, no reply, or no daemon running. */
int ask_status(const struct ask *a);
/*
 * How names are resolved on this computer and, with a name or address (else NULL), who answers
 * for it and what.  Asks role[0], the node; 1 if nobody answers.
 */
int ask_dns(const struct ask *a, const char *name);
/* Asks role[0], the node, count times, a second apart. */
int ask_ping(const struct ask *a, const char *name, unsigned count);

#endif

/*
 * reporter.h - the process that tells outsiders: figures over HTTP (RUN/metrics.sock, and
 * loopback when asked), and what concerns the daemon as a whole on RUN/daemon.0.sock:
 *	{"cmd": "status"}	-> {"pid", "started", "uptime", "log_level", "deaths", "store"}
 *	{"cmd": "log"}		-> {"level", "was"}; with "level": LEVEL sets it, for every process
 *	{"cmd": "lines"}	-> {"lines": [...]}: the newest of the log
 * It has the daemon's user and no key, so whoever talks to it takes no time of a worker but
 * what its answers cost.
 */
#ifndef REPORTER_H
#define REPORTER_H

#include "net/io/board.h"
#include "net/io/owner.h"
#include "net/io/worker.h"

struct reporter_setup {
	const struct config *conf;
	struct board *board;
	const char *role[ROLES_MAX];	/* their names */
	unsigned roles;
	bool has_store;
	int control, metrics;		/* listening Unix sockets */
	int tcp[2];
	unsigned tcps;
};

/* Makes the sockets, in the master.  False with a line in err (256). */
bool reporter_open(struct reporter_setup *r, const struct owner *owner, char *err);
/* In every process but the reporter. */
void reporter_close(const struct reporter_setup *r);
/* Takes away what reporter_open() left in the file system. */
void reporter_remove(const struct reporter_setup *r);
/* Until SIGTERM or SIGQUIT.  Returns the exit status. */
int reporter_run(const struct reporter_setup *r);

#endif

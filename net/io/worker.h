/*
 * worker.h - what a worker inherits from the master, and the loop it then runs.
 *
 * The master makes every descriptor before it forks, in a fixed order, and keeps them open
 * for life, so that a dead worker's packets wait for its successor.
 */
#ifndef WORKER_H
#define WORKER_H

#include "net/role.h"

#define WORKERS_MAX 64
#define DOORS_MAX 64
#define ROLES_MAX 4

/* A socket of one role that datagrams or streams come in by. */
struct door {
	int fd;
	bool stream;		/* a listening TCP or Unix socket; else UDP */
	enum port port;
	uint8_t family;		/* 4 or 6; 0 for Unix */
	uint8_t role;		/* index into roles[] */
	char name[96];		/* by which an upgrade knows it again; "": made anew */
};

struct channel;			/* the worker-to-worker rings, see channel.h */
struct ward;			/* the master's line to its children, see ward.h */

struct worker_setup {
	unsigned index, count;
	bool restarted;
	const struct config *conf;
	const struct role *role[ROLES_MAX];
	unsigned roles;
	struct door door[DOORS_MAX];	/* this worker's */
	unsigned doors;
	int tun;			/* TUN device, -1: none.  Only read when the role asked (see below) */
	int helper;			/* SOCK_SEQPACKET to the helper process, -1: none */
	int master;			/* SOCK_SEQPACKET to the master */
	struct channel *channel;	/* shared by all workers */
	struct ward *ward;		/* NULL: nobody asks */
	uint8_t boot_id[16];
};

/*
 * Runs until told to stop (SIGTERM quick, SIGQUIT after what is under way).  Opens the store
 * (after the fork), then the roles, then loops.  Returns the process's exit status.
 */
int worker_run(const struct worker_setup *setup);

#endif

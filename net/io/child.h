/*
 * child.h - the processes below the master: what each inherits, when one is started again,
 * how all are stopped.
 */
#ifndef CHILD_H
#define CHILD_H

#include "net/io/helper.h"
#include "net/io/owner.h"
#include "net/io/reporter.h"
#include "net/io/resolv.h"
#include <sys/types.h>

#define DEATHS_MAX 5			/* so many deaths ... */
#define DEATHS_TIME (10 * SEC)		/* ... in this time: the next start waits as long */

struct child {
	pid_t pid;			/* 0: not running */
	uint64_t born;			/* boot clock */
	uint64_t death[DEATHS_MAX];	/* the last ones, a ring */
	unsigned deaths;
	uint64_t again;			/* start at this time; NEVER: not planned */
	bool renewing;			/* told to end so that its successor starts afresh */
	uint64_t refused_said;		/* refused system calls when the log last told */
};

/* The state of attend.c. */
struct attend {
	uint64_t every, next;		/* rounds */
	unsigned most;			/* questions a worker may leave open, 0: any number */
	bool watched;			/* the service manager wants a sign of life */
	bool ready;			/* everybody has started once */
	char status[512];		/* as last told */
};

/* Everything the master keeps for life. */
struct house {
	const struct config *conf;
	struct owner owner;
	void (*call)(const char *name);	/* names the calling process in the log */
	const char *roles;		/* "as+nms", for names in the log */
	struct worker_setup *worker;	/* [count] */
	unsigned count;
	bool has_helper, has_store;
	struct helper_setup desk;	/* its fd[]: the helper's ends */
	int master_end[WORKERS_MAX];	/* of each worker's `master` */
	struct ward *ward;		/* children as numbered in child[] */
	struct attend attend;
	int signals, lock;
	struct resolv resolv;
	struct reporter_setup reporter;
	struct child child[WORKERS_MAX + 2];	/* workers, then the helper, then the reporter */
	bool stopping;
	bool upgrading;			/* stopping, to go on as another version */
	bool failed;			/* a child could not even start: the master gives up */
	uint64_t kill_at;		/* stopping: patience ends */
	uint64_t sweep_at, copy_at;	/* the store's care, see checker.h */
};

/* "as+nms.0", "helper" or "reporter". */
const char *child_name(char out[64], const struct house *h, unsigned i);
/* Starts every child that is due. */
void child_start_due(struct house *h, uint64_t now);
/* Collects the dead and plans their successors (not while stopping). */
void child_reap(struct house *h, uint64_t now);
/* Tells the workers by this signal, the others when they are gone; kills at kill_at. */
void child_stop(struct house *h, int signal, uint64_t kill_at);
/* Lets the helper finish what it has begun and starts it again; requests wait meanwhile. */
void child_renew_helper(struct house *h);
/* Progress of stopping; true when nobody is left. */
bool child_all_gone(struct house *h, uint64_t now);
/* Boot-clock time of the next thing to do here, or NEVER. */
uint64_t child_expiry(const struct house *h);

#endif

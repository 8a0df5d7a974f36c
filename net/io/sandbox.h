/*
 * sandbox.h - what a child of the master can do at all once it has started: the system calls
 * of sandbox.def (seccomp), and the files named here (Landlock).  Whoever takes it over by a
 * packet has no more than that.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "cyphonic.h"

enum sandbox_who {
	SANDBOX_WORKER = 1,
	SANDBOX_NODE = 2,
	SANDBOX_HELPER = 4,
	SANDBOX_REPORTER = 8,
};

/* Paths; NULL ends a list early.  What does not exist stays out of reach. */
struct sandbox {
	unsigned who;			/* SANDBOX_* bits */
	const char *write[2];		/* directories: everything below */
	const char *read[4];		/* files, or directories with the files in them */
};

struct sandbox_state {
	bool seccomp;
	unsigned landlock;		/* version of its interface, 0: not there */
	int seccomp_error, landlock_error;	/* errno of what is not there */
	int listener;			/* refused calls are heard of here; -1: not */
};

#define SANDBOX_PATH 320

/*
 * What to put into read[] for a file that others replace by a new one: its directory, or in
 * /etc, where too much lies, the file that is there now.  Links are followed.  Returns out.
 */
const char *sandbox_reach(char out[SANDBOX_PATH], const char *file);
/* True if this program was built so that it can be confined at all (no sanitizer). */
bool sandbox_possible(void);
/*
 * For good, for this process and all it starts; needs "no new privileges".  What the kernel
 * does not have stays away, and the state says so.
 */
void sandbox_enter(const struct sandbox *s, struct sandbox_state *state);
/* "seccomp yes, landlock no (Function not implemented)"; room for 160.  Returns out. */
const char *sandbox_text(char *out, const struct sandbox_state *state);
/* One call that waits at a listener gets EPERM: its number, -1 with errno if there was none. */
int sandbox_refuse(int listener);

#endif

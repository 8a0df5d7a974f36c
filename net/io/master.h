/*
 * master.h - the process that starts first and ends last: it has the rights, the sockets
 * and the children, and reads nothing from the network.
 */
#ifndef MASTER_H
#define MASTER_H

#include "net/io/board.h"
#include "net/io/worker.h"

/* What the program knows and net/io does not: the cast. */
struct master_plan {
	struct config *conf;
	uint32_t role_bits;			/* --role=, for reading the file again; 0: none */
	const struct role *role[ROLES_MAX];
	const struct helper *helper[ROLES_MAX];	/* by role; NULL: none */
	unsigned roles;
	const char *names;			/* of the roles, joined by '+' */
	void (*call)(const char *name);		/* names the calling process in the log */
	struct board *board;
	char *const *argv;			/* the command line, for an upgrade */
	const char *program;			/* path of the executable */
};

/*
 * Runs until a signal ends it: TERM and INT quickly, QUIT after what is under way; HUP
 * reads the configuration again and applies what can be applied at once; USR2 goes on as the
 * program that now stands at plan->program, with the same sockets.  Exit status: 0 after a signal, 1 when it cannot start.
 */
int master_run(const struct master_plan *plan);

/* What names this boot of the machine; false with errno. */
bool master_boot_id(uint8_t id[16]);

#endif

/*
 * helper.h - the process for slow work: hashing, signing, writing accounts.
 *
 * It serves the roles of all workers over one SOCK_SEQPACKET each.  The first octet of a
 * request is the role's index in the workers' role[]; the answer begins with the same octet.
 */
#ifndef IO_HELPER_H
#define IO_HELPER_H

#include "net/io/worker.h"

struct helper_setup {
	const struct config *conf;
	const struct helper *helper[ROLES_MAX];	/* by role index; NULL: that role has none */
	int fd[WORKERS_MAX];			/* one for each worker */
	unsigned workers;
	struct ward *ward;			/* NULL: nobody asks */
	uint8_t boot_id[16];
};

/* Runs until SIGTERM or SIGQUIT (what has begun is finished).  Returns the exit status. */
int helper_run(const struct helper_setup *setup);

#endif

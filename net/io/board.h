/*
 * board.h - a page that all processes of a daemon share: what one of them sets, all obey, and
 * what one of them counts, the reporter can tell.
 *
 * A worker may be under somebody else's command: nothing here is trusted further than for
 * logging and counting, and readers take care of ends of strings themselves.
 */
#ifndef BOARD_H
#define BOARD_H

#include "cyphonic.h"
#include <stdatomic.h>

#define BOARD_LINES 512		/* newest lines of the log that are kept */
#define BOARD_LINE 400		/* octets of each, cut with its NUL */

struct board {
	atomic_int level;		/* enum log_level, of everybody */
	atomic_ullong said[4];		/* lines by level */
	atomic_ullong unsaid;		/* lines that were one more like others */
	atomic_uint deaths;		/* children that died and were started again */
	uint64_t started;		/* the master's, s since 1970 */
	uint64_t booted;		/* the same on the boot clock, microseconds */
	int master;			/* its process id */
	atomic_uint next;		/* line[next % BOARD_LINES] is written next */
	char line[BOARD_LINES][BOARD_LINE];
};

/* Shared with every child forked later, for the process's life.  NULL with errno. */
struct board *board_new(void);
/* "error" ... "debug" */
const char *log_level_name(enum log_level level);
/* False when it is none of them. */
bool log_level_parse(enum log_level *level, const char *name);

#endif

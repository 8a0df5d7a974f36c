/*
 * log.h - where every line of the log ends: standard error, as text or as JSON, and the board.
 *
 * The fields, whose names are fixed: time (RFC 3339, UTC, milliseconds), level, role, worker
 * (null but for workers), msg; and more, in the line that stands for those left out.
 */
#ifndef LOG_H
#define LOG_H

#include "net/io/board.h"
#include <stdarg.h>

#define LOG_BURST 20			/* so many lines of one kind are said ... */
#define LOG_PERIOD (10 * SEC)		/* ... in this time; then one stands for the rest */
#define LOG_KINDS 32

/* Lines of one kind: made by the same cy_log(). */
struct log_kind {
	uint64_t key, since;		/* boot clock; 0: free */
	unsigned said, more;
	enum log_level level;
	char last[120];			/* the beginning of the newest that was left out */
};

struct log {
	enum log_level level;		/* without a board: of verbs */
	bool json;
	bool journal;			/* systemd's journal reads it and has clocks of its own */
	char role[56];			/* "" for verbs, whose lines are for a person at a terminal */
	int worker;			/* -1: no worker */
	struct board *board;		/* NULL: a verb's */
	struct log_kind kind[LOG_KINDS];
};

/* From now on it is a daemon's: JSON or text, with this board, whose level counts. */
void log_open(struct log *l, struct board *board, bool json);
/* Names the calling process: "master", "helper", "reporter", "as+nms.0". */
void log_name(struct log *l, const char *name);
/* One line.  Debug lines, and a verb's, are never left out. */
void log_say(struct log *l, enum log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
/* Says how many lines were left out so far, as the process ends. */
void log_flush(struct log *l);

#endif

/*
 * ward.h - how the master knows that its children are well.
 *
 * Each child has a line to it.  The master asks, a child that is not stuck answers, and says
 * with it in a line what it does.  The line also carries, once, the descriptor by which the
 * master hears of system calls the sandbox refused.
 */
#ifndef WARD_H
#define WARD_H

#include "net/io/worker.h"

struct ward;

/* What a child said last; of nobody else's say. */
struct charge {
	bool open;			/* it has answered: its start is done */
	unsigned missed;		/* questions since its last answer */
	unsigned roles;
	struct summary said[ROLES_MAX];	/* printable text */
	uint64_t refused;		/* system calls, in this life */
	int refused_call;		/* the last one's number */
};

/* NULL with errno.  Before any child is forked. */
struct ward *ward_new(unsigned children);
void ward_free(struct ward *w);

/* ---- in the child ---- */

/* From here on this process has the line of child self and no other. */
void ward_take(struct ward *w, unsigned self);
/* Ready to be read when there is a question. */
int ward_line(const struct ward *w);
/*
 * Takes all questions and answers; the first time, before any question, it says that the
 * start is done.  False when nobody asks any more.
 */
bool ward_answer(const struct ward *w, const struct summary *said, unsigned roles);
/* Hands over the descriptor that sandbox_enter() made; it is closed here. */
void ward_hand_listener(const struct ward *w, int fd);

/* ---- in the master ---- */

/* Ready to be read when ward_serve() has something to do. */
int ward_fd(const struct ward *w);
/* Takes what the children said, refuses what they tried. */
void ward_serve(struct ward *w);
unsigned ward_count(const struct ward *w);
const struct charge *ward_charge(const struct ward *w, unsigned child);
void ward_ask(struct ward *w, unsigned child);
/* This child has died: what it said and was asked is not its successor's. */
void ward_forget(struct ward *w, unsigned child);

#endif

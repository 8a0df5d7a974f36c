/* scrape.h - one sheet of figures from what all workers say, whole over their restarts. */
#ifndef SCRAPE_H
#define SCRAPE_H

#include "net/io/ask.h"
#include "net/io/board.h"
#include "net/io/metrics.h"
#include "net/io/worker.h"

/*
 * Counters of a worker start anew when it is replaced, but a sum that falls means nothing to
 * Prometheus: what a worker had counted when it was last asked is kept.
 */
struct scraper {
	struct ask ask;
	const struct board *board;
	const char *state;		/* directory of the store; NULL: this daemon has none */
	struct past {
		struct sheet last;	/* counters of its newest answer */
		struct sheet before;	/* of its predecessors */
	} past[4][WORKERS_MAX];		/* by role as in ask.role */
};

/* Asks everybody; adds to an empty sheet. */
void scrape(struct scraper *s, struct sheet *sheet);
void scraper_free(struct scraper *s);

/* Octets of the database's files below a state directory, and when its newest copy was made (0: none). */
void store_look(const char *state, uint64_t *octets, uint64_t *copied);

#endif

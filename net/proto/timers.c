/* timers.c - a binary heap; every timer knows its place, so that moving one is cheap. */
#include "net/proto/timers.h"
#include <stdlib.h>

static void put(struct timers *ts, uint32_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->place = i + 1;
}

static void sift_up(struct timers *ts, uint32_t i, struct timer *t)
{
	while (i > 0 && ts->heap[(i - 1) / 2]->at > t->at) {
		put(ts, i, ts->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(ts, i, t);
}

static void sift_down(struct timers *ts, uint32_t i, struct timer *t)
{
	uint32_t child;

	while ((child = 2 * i + 1) < ts->n) {
		if (child + 1 < ts->n && ts->heap[child + 1]->at < ts->heap[child]->at)
			child++;
		if (ts->heap[child]->at >= t->at)
			break;
		put(ts, i, ts->heap[child]);
		i = child;
	}
	put(ts, i, t);
}

void timers_free(struct timers *ts)
{
	free(ts->heap);
	memset(ts, 0, sizeof *ts);
}

void timer_clear(struct timers *ts, struct timer *t)
{
	uint32_t i = t->place;
	struct timer *last;

	if (!i--)
		return;
	t->place = 0;
	last = ts->heap[--ts->n];
	if (last == t)
		return;
	if (i > 0 && ts->heap[(i - 1) / 2]->at > last->at)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

void timer_set(struct timers *ts, struct timer *t, uint64_t at)
{
	timer_clear(ts, t);
	if (at == NEVER)
		return;
	if (ts->n == ts->size) {
		ts->size = ts->size ? 2 * ts->size : 16;
		ts->heap = realloc(ts->heap, ts->size * sizeof *ts->heap);
		if (!ts->heap)
			abort();
	}
	t->at = at;
	sift_up(ts, ts->n++, t);
}

uint64_t timers_next(const struct timers *ts)
{
	return ts->n ? ts->heap[0]->at : NEVER;
}

struct timer *timers_due(struct timers *ts, uint64_t now)
{
	struct timer *t;

	if (!ts->n || ts->heap[0]->at > now)
		return NULL;
	t = ts->heap[0];
	timer_clear(ts, t);
	return t;
}

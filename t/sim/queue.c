/* queue.c - what happens next: a heap ordered by time, then by number. */
#include "t/sim/world.h"
#include <stdlib.h>

static bool before(const struct alarm_event *a, const struct alarm_event *b)
{
	return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static void put(struct world *w, uint32_t i, struct alarm_event *a)
{
	w->heap[i] = a;
	a->place = i + 1;
}

static void rise(struct world *w, uint32_t i, struct alarm_event *a)
{
	for (; i > 0 && before(a, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		put(w, i, w->heap[(i - 1) / 2]);
	put(w, i, a);
}

static void sink(struct world *w, uint32_t i, struct alarm_event *a)
{
	uint32_t child;

	while ((child = 2 * i + 1) < w->queued) {
		if (child + 1 < w->queued && before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!before(w->heap[child], a))
			break;
		put(w, i, w->heap[child]);
		i = child;
	}
	put(w, i, a);
}

void queue_clear(struct world *w, struct alarm_event *a)
{
	uint32_t i = a->place;
	struct alarm_event *last;

	if (!i--)
		return;
	a->place = 0;
	last = w->heap[--w->queued];
	if (last == a)
		return;
	if (i > 0 && before(last, w->heap[(i - 1) / 2]))
		rise(w, i, last);
	else
		sink(w, i, last);
}

void queue_set(struct world *w, struct alarm_event *a, uint64_t at)
{
	queue_clear(w, a);
	if (at == NEVER)
		return;
	if (w->queued == w->room) {
		w->room = w->room ? 2 * w->room : 256;
		w->heap = realloc(w->heap, w->room * sizeof(struct alarm_event *));
		if (!w->heap)
			abort();
	}
	a->at = at;
	a->number = ++w->events;
	w->queued++;
	rise(w, w->queued - 1, a);
}

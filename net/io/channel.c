/*
 * channel.c - rings with one writer and one reader, that outlive both.
 *
 * A worker may be killed between any two instructions and its successor goes on with the
 * same ring.  So a ring is only ever described by two indexes: the writer publishes head
 * after the octets are there, the reader publishes tail after it has its own copy.  What
 * was not published did not happen.  The copy also keeps a note that kills its reader
 * from being met again by the successor, and a writer from changing what is being read.
 */
#include "net/io/channel.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAD_SIZE 8u		/* in front of each note: length, role, padding */

struct ring {
	_Alignas(64) _Atomic uint32_t head;	/* free-running, moved by the writer */
	_Atomic uint32_t lost;			/* the writer's */
	_Alignas(64) _Atomic uint32_t tail;	/* free-running, moved by the reader */
	_Alignas(64) uint8_t data[CHANNEL_RING];
};

struct channel {
	unsigned count;
	struct ring *ring;	/* [from * count + to] */
	int fd[];		/* [to] */
};

_Static_assert((CHANNEL_RING & (CHANNEL_RING - 1)) == 0, "positions are taken by a mask");

static size_t rings_size(unsigned count)
{
	return (size_t)count * count * sizeof(struct ring);
}

struct channel *channel_new(unsigned count)
{
	struct channel *c = calloc(1, sizeof *c + count * sizeof c->fd[0]);

	if (!c)
		return NULL;
	c->ring = mmap(NULL, rings_size(count), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->ring == MAP_FAILED) {
		free(c);
		return NULL;
	}
	for (; c->count < count; c->count++) {
		c->fd[c->count] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (c->fd[c->count] < 0)
			break;
	}
	if (c->count < count) {
		munmap(c->ring, rings_size(count));
		while (c->count)
			close(c->fd[--c->count]);
		free(c);
		return NULL;
	}
	return c;
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	munmap(c->ring, rings_size(c->count));
	while (c->count)
		close(c->fd[--c->count]);
	free(c);
}

int channel_fd(const struct channel *c, unsigned worker)
{
	return c->fd[worker];
}

void channel_hush(const struct channel *c, unsigned worker)
{
	uint64_t n;

	if (read(c->fd[worker], &n, sizeof n) < 0)
		return;		/* it was quiet already */
}

void channel_wake(const struct channel *c, unsigned worker)
{
	uint64_t one = 1;

	if (write(c->fd[worker], &one, sizeof one) < 0)
		return;		/* the counter is at its top: awake enough */
}

static void ring_put(struct ring *r, uint32_t at, const void *from, size_t n)
{
	size_t pos = at & (CHANNEL_RING - 1), first = MIN(n, CHANNEL_RING - pos);

	memcpy(r->data + pos, from, first);
	memcpy(r->data, (const uint8_t *)from + first, n - first);
}

static void ring_get(const struct ring *r, uint32_t at, void *to, size_t n)
{
	size_t pos = at & (CHANNEL_RING - 1), first = MIN(n, CHANNEL_RING - pos);

	memcpy(to, r->data + pos, first);
	memcpy((uint8_t *)to + first, r->data, n - first);
}

/* Octets a note takes in the ring; heads stay aligned, so they are never cut by the end. */
static uint32_t note_size(size_t n)
{
	return (uint32_t)(HEAD_SIZE + n + 7) & ~7u;
}

bool channel_send(struct channel *c, unsigned from, unsigned to, uint8_t role, const void *data,
		  size_t n)
{
	uint8_t head[HEAD_SIZE] = { 0 };
	struct ring *r;
	uint32_t h, used;

	if (from >= c->count || to >= c->count)
		return false;
	r = &c->ring[from * c->count + to];
	h = atomic_load_explicit(&r->head, memory_order_relaxed);
	used = h - atomic_load_explicit(&r->tail, memory_order_acquire);
	if (n > NOTE_MAX || used > CHANNEL_RING || note_size(n) > CHANNEL_RING - used) {
		atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
		return false;
	}
	put32(head, (uint32_t)n);
	head[4] = role;
	ring_put(r, h, head, sizeof head);
	if (n)
		ring_put(r, h + HEAD_SIZE, data, n);
	atomic_store_explicit(&r->head, h + note_size(n), memory_order_release);
	return true;
}

bool channel_receive(struct channel *c, unsigned from, unsigned to, struct channel_note *note)
{
	struct ring *r = &c->ring[from * c->count + to];
	uint32_t t = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t h = atomic_load_explicit(&r->head, memory_order_acquire);
	uint8_t head[HEAD_SIZE];

	if (h == t)
		return false;
	ring_get(r, t, head, sizeof head);
	note->n = get32(head);
	note->role = head[4];
	/* only a writer gone mad gets here: skip to a place known to be good */
	if (note->n > NOTE_MAX || note_size(note->n) > h - t) {
		atomic_store_explicit(&r->tail, h, memory_order_release);
		return false;
	}
	ring_get(r, t + HEAD_SIZE, note->data, note->n);
	atomic_store_explicit(&r->tail, t + note_size(note->n), memory_order_release);
	return true;
}

uint32_t channel_lost(const struct channel *c, unsigned from, unsigned to)
{
	return atomic_load_explicit(&c->ring[from * c->count + to].lost, memory_order_relaxed);
}

/* outbox.c - what a role wants done, collected in one call and carried out by the loop. */
#include "net/proto/outbox.h"

uint8_t *out_space(struct outbox *out, size_t n)
{
	size_t whole = (HEADROOM + n + TAILROOM + 15) & ~(size_t)15;
	uint8_t *p;

	if (out->used + whole > OUTBOX_SCRATCH)
		out->flush(out);
	p = out->scratch + out->used + HEADROOM;
	out->used += whole;
	return p;
}

struct out_item *out_add(struct outbox *out, enum out_kind kind)
{
	struct out_item *item;

	if (out->n == OUTBOX_ITEMS)
		out->flush(out);
	item = &out->item[out->n++];
	memset(item, 0, sizeof *item);
	item->kind = kind;
	return item;
}

void out_need(struct outbox *out, unsigned items)
{
	if (out->n + items > OUTBOX_ITEMS)
		out->flush(out);
}

struct out_item *out_reserve(struct outbox *out, enum out_kind kind, size_t n)
{
	struct out_item *item;
	uint8_t *p;

	/* flushed here for want of items, never between taking the scratch and the item */
	out_need(out, 1);
	p = out_space(out, n);
	item = out_add(out, kind);
	item->buf = p;
	item->len = (uint32_t)n;
	return item;
}

static struct out_item *add_copy(struct outbox *out, enum out_kind kind, const void *buf,
				 size_t len)
{
	struct out_item *item = out_reserve(out, kind, len);

	if (len)
		memcpy(item->buf, buf, len);
	return item;
}

void out_datagram(struct outbox *out, enum port port, const struct addr *to,
		  const struct addr *from, const void *buf, size_t len)
{
	struct out_item *item = add_copy(out, OUT_DATAGRAM, buf, len);

	item->port = port;
	item->to = *to;
	if (from)
		item->from = *from;
}

void out_tun(struct outbox *out, const void *buf, size_t len)
{
	add_copy(out, OUT_TUN, buf, len);
}

void out_connect(struct outbox *out, uint32_t handle, enum flow_proto proto,
		 const struct addr *to)
{
	struct out_item *item = out_add(out, OUT_CONNECT);

	item->handle = handle;
	item->proto = proto;
	item->to = *to;
}

void out_stream(struct outbox *out, uint32_t handle, const void *buf, size_t len)
{
	add_copy(out, OUT_STREAM, buf, len)->handle = handle;
}

void out_close(struct outbox *out, uint32_t handle)
{
	out_add(out, OUT_CLOSE)->handle = handle;
}

void out_worker(struct outbox *out, unsigned worker, const void *buf, size_t len)
{
	add_copy(out, OUT_WORKER, buf, len)->handle = worker;
}

void out_helper(struct outbox *out, const void *buf, size_t len)
{
	add_copy(out, OUT_HELPER, buf, len);
}

void out_master(struct outbox *out, const void *buf, size_t len)
{
	add_copy(out, OUT_MASTER, buf, len);
}

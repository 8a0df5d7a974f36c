/* worker_out.c - carries out a role's outbox: each item to the descriptor it is meant for. */
#include "net/io/worker_room.h"

/* The socket of that role, port and family; the one bound to the source asked for, if any. */
static struct udp *inlet_for(struct worker *w, const struct out_item *item)
{
	uint8_t role = (uint8_t)(w->current - w->seat);
	struct udp *u, *found = NULL;
	unsigned i;

	for (i = 0; i < w->inlets; i++) {
		u = &w->inlet[i].udp;
		if (u->role != role || u->port != item->port || u->local.family != item->to.family)
			continue;
		if (!item->from.family || addr_same_ip(&u->local, &item->from))
			return u;
		if (!found)
			found = u;
	}
	return found;
}

static void send_datagram(struct worker *w, const struct out_item *item)
{
	struct udp *u = inlet_for(w, item);

	if (u)
		udp_put(w->sending, u, item);
	else
		w->astray++;
}

static void send_note(struct worker *w, const struct out_item *item)
{
	const struct worker_setup *setup = w->setup;
	uint8_t role = (uint8_t)(w->current - w->seat);

	if (setup->channel &&
	    channel_send(setup->channel, setup->index, item->handle, role, item->buf, item->len))
		w->wake |= (uint64_t)1 << item->handle;
}

static void post_to(struct office *o, uint8_t role, const struct out_item *item)
{
	post_send(&o->post, role, item->buf, item->len);
	if (o->post.first && o->watch)
		watch_set(o->watch, WATCH_READ | WATCH_WRITE);
}

static void carry_out(struct worker *w, const struct out_item *item)
{
	uint8_t role = (uint8_t)(w->current - w->seat);

	switch (item->kind) {
	case OUT_DATAGRAM:
		send_datagram(w, item);
		break;
	case OUT_TUN:
		if (w->tun.buffers)
			tun_write(&w->tun, item->buf, item->len);
		break;
	case OUT_CONNECT:
		streams_connect(w->streams, role, item->handle, item->proto, &item->to);
		break;
	case OUT_STREAM:
		streams_send(w->streams, role, item->handle, item->buf, item->len);
		break;
	case OUT_CLOSE:
		streams_close(w->streams, role, item->handle);
		break;
	case OUT_WORKER:
		send_note(w, item);
		break;
	case OUT_HELPER:
		post_to(&w->helper, role, item);
		break;
	case OUT_MASTER:
		post_to(&w->master, role, item);
		break;
	}
}

void worker_flush(struct outbox *out)
{
	struct worker *w = out->owner;
	unsigned i;

	for (i = 0; i < out->n; i++)
		carry_out(w, &out->item[i]);
	udp_send(w->sending);
	for (i = 0; w->wake; i++, w->wake >>= 1)
		if (w->wake & 1)
			channel_wake(w->setup->channel, i);
	out->n = 0;
	out->used = 0;
}

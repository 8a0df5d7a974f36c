/* mallory.c - tapes, counts and forgeries for the stories about her. */
#include "t/sim/mallory.h"
#include "roles/nms.h"
#include "t/sim/peek.h"
#include <stdlib.h>

/* ---- tapes ---- */

static void take(void *arg, struct process *at, const struct datagram *d)
{
	struct tape *t = arg;
	struct piece *p;

	if (t->n == t->room) {
		t->room = MAX(2 * t->room, 256u);
		t->piece = realloc(t->piece, t->room * sizeof *t->piece);
		if (!t->piece)
			abort();
	}
	p = &t->piece[t->n++];
	*p = (struct piece){ at, d->from, d->to, d->len, malloc(d->len) };
	if (!p->p)
		abort();
	memcpy(p->p, d->p, d->len);
	t->octets += d->len;
}

void tape_record(struct world *w, struct tape *t)
{
	w->tap = t ? take : NULL;
	w->tap_arg = t;
}

void tape_free(struct tape *t)
{
	while (t->n)
		free(t->piece[--t->n].p);
	free(t->piece);
	memset(t, 0, sizeof *t);
}

unsigned tape_play(const struct tape *t, const struct addr *from, uint8_t type)
{
	unsigned i, n = 0;

	for (i = 0; i < t->n; i++) {
		const struct piece *p = &t->piece[i];

		if (type && p->p[6] != type)
			continue;
		world_inject(p->at, from ? from : &p->from, &p->to, p->p, p->len, 0);
		n++;
	}
	return n;
}

const struct piece *tape_last(const struct tape *t, const struct process *at, uint8_t type)
{
	unsigned i;

	for (i = t->n; i-- > 0; )
		if (t->piece[i].at == at && t->piece[i].p[6] == type)
			return &t->piece[i];
	return NULL;
}

void toll_take(struct toll *t, const struct datagram *d)
{
	if (d->stream || !(t->by_port ? addr_equal(&t->at, &d->to) : addr_same_ip(&t->at, &d->to)))
		return;
	t->datagrams++;
	t->octets += d->len;
	t->data += d->p[6] == TYPE_CAPSULE && !(d->p[5] & FLAG_CONTROL);
}

/* ---- saying ---- */

static struct nms *nms_of(const struct lab *l)
{
	return l->nms->seat[0].self;
}

uint64_t cloud_now(const struct lab *l)
{
	return cloud_ms(&nms_of(l)->cloud, host_now(l->world, l->cloud));
}

uint8_t token_now(struct lab *l)
{
	return tokens_at(&nms_of(l)->tokens, cloud_now(l));
}

void insider_open(struct session *s, struct lab *l, const struct computer *c)
{
	struct device d;

	if (device_by_id(l->store, &c->node_id, &d) != STORE_OK)
		abort();
	session_common(s, &d.common_key, &c->node_id, false);
}

void mallory_says(struct lab *l, const struct addr *from, const struct addr *to, const uint8_t *p,
		  size_t n)
{
	struct process *at = world_listener(l->world, to, false);

	if (at)
		world_inject(at, from, to, p, n, 0);
}

size_t forge(struct lab *l, uint8_t type, uint8_t flags, const struct id *id, size_t body,
	     uint8_t *out)
{
	size_t n = HEADER_SIZE + body + TAG_SIZE;
	struct msg_header h = { .transaction = 0x66666666, .version = PROTO_VERSION, .type = type,
				.flags = flags, .sequence = (uint32_t)cloud_now(l),
				.length = (uint16_t)n, .token = token_now(l), .id = *id };

	memset(out, 0x66, n);
	msg_write_header(out, HEADER_SIZE, &h);
	return n;
}

/* ---- looking ---- */

static void pick(void *arg, struct link *link)
{
	*(struct tunnel **)arg = &LINK_OWNER(link, struct path, link)->tunnel;
}

struct tunnel *any_tunnel(const struct computer *c)
{
	struct tunnel *t = NULL;
	unsigned i;

	for (i = 0; i < c->node->workers; i++)
		if (c->node->seat[i].self)
			table_each(&((struct node *)c->node->seat[i].self)->paths, pick, &t);
	return t;
}

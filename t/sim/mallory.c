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

/* ---- with an account ---- */

static enum fate overhear(void *arg, const struct datagram *d)
{
	struct insider *m = arg;

	if (m->toll)
		toll_take(m->toll, d);
	if (!d->stream && d->sender == m->l->nms && d->len <= sizeof m->heard &&
	    memcmp(d->p + 16, m->id.b, 16) == 0) {
		memcpy(m->heard, d->p, d->len);
		m->len = d->len;
	}
	return PASS;
}

void insider_open(struct insider *m, struct computer *c)
{
	struct lab *l = c->lab;
	struct device d;

	memset(m, 0, sizeof *m);
	computer_stop(c);
	if (device_by_id(l->store, &c->node_id, &d) != STORE_OK)
		abort();
	m->l = l;
	m->id = c->node_id;
	session_common(&m->s, &d.common_key, &c->node_id, false);
	l->world->spy = overhear;
	l->world->spy_arg = m;
}

void insider_close(struct insider *m)
{
	m->l->world->spy = NULL;
	session_free(&m->s);
}

void insider_says(struct insider *m, const struct addr *from, uint8_t type, const void *body,
		  size_t n, uint64_t late)
{
	struct addr to = { .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 };
	uint8_t p[DATAGRAM_MAX];
	size_t len;

	if (late)
		m->s.last = 0;
	len = session_seal(&m->s, cloud_now(m->l) - late, random_u32(), type, token_now(m->l), body, n,
			   p);
	m->spent += len;
	if (len)
		mallory_says(m->l, from, &to, p, len);
}

/* What the NMS said last, if it is of that type. */
static struct bytes heard(struct insider *m, uint8_t type)
{
	struct bytes body = { NULL, 0 };
	struct msg_header h;
	struct exts x;
	uint64_t stamp;

	if (gate_check(m->heard, m->len, &h, &x) != V_PASSED || h.type != type ||
	    session_open(&m->s, cloud_now(m->l), m->heard, m->len, &h, &x, &body, &stamp) != V_PASSED)
		body.n = 0;
	m->len = 0;
	return body;
}

bool insider_registers(struct insider *m, const struct addr *from, const char *const real[4],
		       bool fresh)
{
	struct msg_registration_request q = { .fresh = fresh, .port = from->port, .boot = 66 };
	struct msg_registration_response r;
	struct msg_keep_alive k = { .challenge = 0 };
	uint8_t p[MSG_MAX_registration_request];
	struct bytes body;
	struct addr a;

	while (q.real_n < 4 && real[q.real_n]) {
		char ip[ADDR_TEXT];
		const char *colon = strrchr(real[q.real_n], '#');

		snprintf(ip, sizeof ip, "%.*s", (int)(colon - real[q.real_n]), real[q.real_n]);
		if (!ip_parse(&a, ip, (uint16_t)atoi(colon + 1)))
			abort();
		q.real[q.real_n++] = address_part(ADDRESS_REAL, &a);
	}
	insider_says(m, from, TYPE_REGISTRATION_REQUEST, p, msg_write_registration_request(p, sizeof p, &q),
		     0);
	body = heard(m, TYPE_REGISTRATION_RESPONSE);
	if (!body.n || msg_read_registration_response(&r, body.p, body.n) != (long)body.n)
		return false;
	k.challenge = r.challenge;
	insider_says(m, from, TYPE_KEEP_ALIVE, p, msg_write_keep_alive(p, sizeof p, &k), 0);
	return heard(m, TYPE_KEEP_ALIVE_ACK).n > 0;
}

void insider_asks(struct insider *m, const struct addr *from, const struct computer *c)
{
	struct msg_direction_request q = { .family = 0 };
	uint8_t p[MSG_MAX_direction_request];

	strcpy(q.name, c->fqdn);
	insider_says(m, from, TYPE_DIRECTION_REQUEST, p, msg_write_direction_request(p, sizeof p, &q), 0);
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

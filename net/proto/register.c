/* register.c - a client at its NMS. */
#include "net/proto/register.h"

#define RETRY_FIRST (1 * SEC)
#define RETRY_LONGEST (30 * SEC)

struct addr address_of(const struct msg_address *m)
{
	struct addr a = { .family = m->family, .port = m->port };

	if (m->family != 4 && m->family != 6)
		a.family = 0;
	memcpy(a.ip, m->ip, a.family == 4 ? 4 : 16);
	return a;
}

struct msg_address address_part(uint8_t kind, const struct addr *a)
{
	struct msg_address m = { .kind = kind, .family = a->family, .port = a->port };

	memcpy(m.ip, a->ip, sizeof m.ip);
	return m;
}

void registrar_start(struct registrar *r, const struct registrar_setup *setup,
		     struct cloud *cloud, struct now now)
{
	bool fresh = !r->boot || r->fresh;
	uint64_t boot = r->boot ? r->boot : random_u64() | 1;
	unsigned i;

	registrar_free(r);
	memset(r, 0, sizeof *r);
	r->boot = boot;
	r->fresh = fresh;
	r->cloud = cloud;
	r->keepalive = setup->keepalive;
	session_common(&r->session, &setup->common_key, &setup->node_id, false);
	tokens_init(&r->tokens, &setup->scv);
	r->way[0].next = r->way[1].next = NEVER;
	for (i = 0; i < setup->nms_n; i++) {
		struct way *w = &r->way[setup->nms[i].family == 6];

		if (!w->nms.family) {
			w->nms = setup->nms[i];
			w->next = now.boot;
		}
	}
}

void registrar_free(struct registrar *r)
{
	session_free(&r->session);
}

bool registrar_ready(const struct registrar *r)
{
	return r->way[0].confirmed || r->way[1].confirmed;
}

unsigned registrar_families(const struct registrar *r)
{
	return r->way[0].confirmed + r->way[1].confirmed;
}

unsigned registrar_silence(const struct registrar *r)
{
	unsigned i, least = ~0u;

	for (i = 0; i < 2; i++)
		if (r->way[i].nms.family)
			least = MIN(least, r->way[i].failures);
	return least == ~0u ? 0 : least;
}

const char *registrar_trouble(const struct registrar *r)
{
	return registrar_ready(r) || !registrar_silence(r) ? "" :
	       "the NMS does not answer (does it run, and does this network let UDP out to it?)";
}

static void seal_to(struct registrar *r, struct now now, const struct way *w,
		    uint32_t transaction, uint8_t type, const void *body, size_t n,
		    struct outbox *out)
{
	uint64_t ms = cloud_ms(r->cloud, now);
	uint8_t p[DATAGRAM_MAX];
	size_t len = session_seal(&r->session, ms, transaction, type,
				  tokens_at(&r->tokens, ms), body, n, p);

	out_datagram(out, PORT_MAIN, &w->nms, NULL, p, len);
}

bool registrar_send_way(struct registrar *r, struct now now, unsigned way, uint32_t transaction,
			uint8_t type, const void *body, size_t n, struct outbox *out)
{
	const struct way *w = &r->way[way];

	if (w->confirmed)
		seal_to(r, now, w, transaction, type, body, n, out);
	return w->confirmed;
}

bool registrar_send(struct registrar *r, struct now now, uint32_t transaction, uint8_t type,
		    const void *body, size_t n, struct outbox *out)
{
	return registrar_send_way(r, now, r->heard, transaction, type, body, n, out) ||
	       registrar_send_way(r, now, !r->heard, transaction, type, body, n, out);
}

static void start_registration(struct registrar *r, struct now now, struct way *w)
{
	struct msg_registration_request m = { .fresh = r->fresh, .port = w->local.port,
					      .boot = r->boot };
	uint8_t body[MSG_MAX_registration_request];
	unsigned i;

	for (i = 0; i < 2; i++)
		if (r->way[i].local.family)
			m.real[m.real_n++] = address_part(ADDRESS_REAL, &r->way[i].local);
	exchange_start(&w->exchange, now, random_u32(), TYPE_REGISTRATION_REQUEST, body,
		       msg_write_registration_request(body, sizeof body, &m));
}

static void start_keep_alive(struct way *w, struct now now)
{
	struct msg_keep_alive m = { .challenge = w->challenge };
	uint8_t body[MSG_SIZE_keep_alive];

	exchange_start(&w->exchange, now, random_u32(), TYPE_KEEP_ALIVE, body,
		       msg_write_keep_alive(body, sizeof body, &m));
}

static enum verdict on_registered(struct registrar *r, struct now now, struct way *w,
				  const struct msg_registration_response *m,
				  const struct addr *to)
{
	struct msg_address seen = { .family = m->family, .port = m->port };
	bool learnt = !addr_equal(&w->local, to);

	memcpy(seen.ip, m->ip, sizeof seen.ip);
	/* any transmission may have been answered: the longest way makes a poor sample, no false one */
	cloud_follow(r->cloud, now, w->exchange.first, m->cloud_time);
	exchange_end(&w->exchange);
	w->local = *to;
	w->mapped = address_of(&seen);
	w->napt = m->napt;
	w->challenge = m->challenge;
	w->registered = true;
	w->failures = 0;
	r->fresh = false;
	w->next = NEVER;
	if (learnt)
		start_registration(r, now, w);
	else
		start_keep_alive(w, now);
	return V_ANSWERED;
}

static enum verdict on_alive(struct registrar *r, struct now now, struct way *w,
			     const struct msg_keep_alive_ack *m)
{
	cloud_follow(r->cloud, now, w->exchange.first, m->cloud_time);
	exchange_end(&w->exchange);
	w->confirmed = true;
	w->challenge = 0;
	w->failures = w->refused = 0;
	w->next = now.boot + r->keepalive;
	return V_ANSWERED;
}

/* At once the first time; a way that is refused again and again (its address may change) waits. */
static void start_over(struct now now, struct way *w)
{
	uint64_t wait = w->refused ? RETRY_FIRST << MIN(w->refused - 1, 5u) : 0;

	w->registered = w->confirmed = false;
	w->refused++;
	exchange_end(&w->exchange);
	w->next = now.boot + MIN(wait, RETRY_LONGEST);
}

static enum verdict on_refused(struct registrar *r, struct now now, struct way *w,
			       const struct msg_refusal *m)
{
	if (m->reason == REASON_STALE) {
		cloud_reset(r->cloud, now, w->exchange.sent, m->cloud_time);
		exchange_hurry(&w->exchange, now);
	} else if (m->reason == REASON_NOT_REGISTERED) {
		start_over(now, w);
	}
	return V_ANSWERED;
}

void registrar_check(struct registrar *r, struct now now)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		if (r->way[i].confirmed && !r->way[i].exchange.type)
			r->way[i].next = now.boot;
}

/* Another request was refused because the NMS does not know us: the next Keep Alive comes now. */
static void doubt(struct registrar *r, struct now now, struct bytes body)
{
	struct msg_refusal m;

	if (msg_read_refusal(&m, body.p, body.n) == (long)body.n &&
	    m.reason == REASON_NOT_REGISTERED)
		registrar_check(r, now);
}

/* An answer to the exchange of this way; V_PASSED if the type is none of ours. */
static enum verdict on_answer(struct registrar *r, struct now now, struct way *w, uint8_t type,
			      struct bytes body, const struct addr *to)
{
	struct msg_registration_response registered;
	struct msg_keep_alive_ack alive;
	struct msg_refusal refusal;

	switch (type) {
	case TYPE_REGISTRATION_RESPONSE:
		if (msg_read_registration_response(&registered, body.p, body.n) != (long)body.n)
			return V_DROP_BODY;
		return on_registered(r, now, w, &registered, to);
	case TYPE_KEEP_ALIVE_ACK:
		if (msg_read_keep_alive_ack(&alive, body.p, body.n) != (long)body.n)
			return V_DROP_BODY;
		return on_alive(r, now, w, &alive);
	case TYPE_REFUSAL:
		if (msg_read_refusal(&refusal, body.p, body.n) != (long)body.n)
			return V_DROP_BODY;
		return on_refused(r, now, w, &refusal);
	}
	return V_DROP_TYPE;
}

enum verdict registrar_input(struct registrar *r, struct now now, uint8_t *p, size_t n,
			     const struct msg_header *h, const struct exts *x,
			     const struct addr *from, const struct addr *to,
			     struct bytes *body, struct outbox *out)
{
	uint64_t stamp;
	enum verdict v;
	unsigned i;

	v = session_open(&r->session, cloud_ms(r->cloud, now), p, n, h, x, body, &stamp);
	if (v != V_PASSED)
		return v;
	r->heard = from->family == 6;
	for (i = 0; i < 2; i++)
		if (exchange_is(&r->way[i].exchange, h->transaction))
			return on_answer(r, now, &r->way[i], h->type, *body, to);
	if (h->type == TYPE_REGISTRATION_RESPONSE)
		return V_DROP_STATE;
	if (h->type == TYPE_REFUSAL)
		doubt(r, now, *body);
	return V_PASSED;
}

static void tick_way(struct registrar *r, struct now now, struct way *w, struct outbox *out)
{
	uint64_t wait;

	if (!w->exchange.type && now.boot >= w->next) {
		w->next = NEVER;
		if (w->registered)
			start_keep_alive(w, now);
		else
			start_registration(r, now, w);
	}
	switch (exchange_step(&w->exchange, now)) {
	case EXCHANGE_WAIT:
		break;
	case EXCHANGE_SEND:
		seal_to(r, now, w, w->exchange.transaction, w->exchange.type, w->exchange.body,
			w->exchange.len, out);
		break;
	case EXCHANGE_GAVE_UP:
		wait = RETRY_FIRST << MIN(w->failures, 5u);
		w->failures++;
		w->registered = w->confirmed = false;
		w->next = now.boot + MIN(wait, RETRY_LONGEST);
		break;
	}
}

void registrar_tick(struct registrar *r, struct now now, struct outbox *out)
{
	tick_way(r, now, &r->way[0], out);
	tick_way(r, now, &r->way[1], out);
}

void registrar_leave(struct registrar *r, struct now now, struct outbox *out)
{
	struct msg_registration_request m = { .leaving = 1, .boot = r->boot };
	uint8_t body[MSG_MAX_registration_request];
	size_t n = msg_write_registration_request(body, sizeof body, &m);

	registrar_send(r, now, random_u32(), TYPE_REGISTRATION_REQUEST, body, n, out);
}

uint64_t registrar_expiry(const struct registrar *r)
{
	uint64_t a = MIN(r->way[0].next, exchange_expiry(&r->way[0].exchange));
	uint64_t b = MIN(r->way[1].next, exchange_expiry(&r->way[1].exchange));

	return MIN(a, b);
}

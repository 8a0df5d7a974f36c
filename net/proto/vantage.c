/* vantage.c - how the NAPT in front of a node behaves, looked at from elsewhere. */
#include "net/proto/vantage.h"

void vantage_init(struct vantage *v, struct registrar *r, unsigned family)
{
	memset(v, 0, sizeof *v);
	v->registrar = r;
	v->family = family;
	v->next = NEVER;
}

static void drop_points(struct vantage *v)
{
	while (v->points)
		point_free(&v->point[--v->points]);
}

void vantage_free(struct vantage *v)
{
	drop_points(v);
}

static const struct way *way_of(const struct vantage *v)
{
	return &v->registrar->way[v->family];
}

static uint64_t cloud_of(const struct vantage *v, struct now now)
{
	return cloud_ms(v->registrar->cloud, now);
}

static void rest(struct vantage *v, uint64_t next)
{
	exchange_end(&v->exchange);
	v->phase = VANTAGE_REST;
	v->next = next;
}

void vantage_hurry(struct vantage *v, struct now now)
{
	if (v->confirmed && v->phase == VANTAGE_REST)
		v->next = now.boot;
}

/* ---- whom NAPTs let in because of us ---- */

void vantage_wrote(struct vantage *v, struct now now, const struct addr *to)
{
	unsigned i, at = 0;

	for (i = 0; i < VANTAGE_WROTE; i++) {
		if (addr_equal(&v->wrote[i].to, to)) {
			at = i;
			break;
		}
		if (v->wrote[i].at < v->wrote[at].at)
			at = i;
	}
	v->wrote[at].to = *to;
	v->wrote[at].at = now.boot;
}

/* A new mapping knows only those written to since it was made, and a Keep Alive noticed it soon. */
static void forget_wrote(struct vantage *v, struct now now)
{
	unsigned i;

	for (i = 0; i < VANTAGE_WROTE; i++)
		if (now.boot - v->wrote[i].at > v->registrar->keepalive + VANTAGE_NOTICED)
			memset(&v->wrote[i], 0, sizeof v->wrote[i]);
}

static enum unasked surprise_of(const struct vantage *v, struct now now, const struct addr *from)
{
	unsigned i;

	for (i = 0; i < VANTAGE_WROTE; i++)
		if (addr_same_ip(&v->wrote[i].to, from) &&
		    now.boot - v->wrote[i].at < VANTAGE_FORGET)
			return UNASKED_BLIND;
	return addr_same_ip(from, &way_of(v)->nms) ? UNASKED_NEAR : UNASKED_FAR;
}

/* ---- asking ---- */

static void ask(struct vantage *v, struct now now)
{
	struct msg_vantage_request m = { .padding = { 0 } };
	uint8_t body[MSG_SIZE_vantage_request];

	v->phase = VANTAGE_ASK;
	v->asks++;
	v->early_n = 0;
	exchange_start(&v->exchange, now, random_u32(), TYPE_VANTAGE_REQUEST, body,
		       msg_write_vantage_request(body, sizeof body, &m));
}

static void begin(struct vantage *v, struct now now)
{
	v->asked = cloud_of(v, now);
	v->asks = 0;
	v->again = false;
	v->unasked = UNASKED_NONE;
	ask(v, now);
}

/* Where the way leads decides what there is to look at. */
static void follow(struct vantage *v, struct now now)
{
	const struct way *w = way_of(v);

	if (w->confirmed && !addr_equal(&w->mapped, &v->mapped)) {
		v->mapped = w->mapped;
		v->found = (struct behaviour){ MAPPING_UNKNOWN, FILTERING_UNKNOWN };
		v->found_at = 0;
		v->relays = 0;
		v->confirmed = false;
		forget_wrote(v, now);
	}
	if (w->confirmed && !v->confirmed) {
		v->is_reported = false;
		rest(v, now.boot);
	} else if (!w->confirmed && v->confirmed) {
		rest(v, NEVER);
	}
	v->confirmed = w->confirmed;
}

/* ---- the TRS, and what they send unasked ---- */

/* Opens it under the key of whoever has this address; *at is the point. */
static enum verdict open_punch(struct vantage *v, struct now now, const uint8_t *p, size_t n,
			       const struct msg_header *h, const struct exts *x,
			       const struct addr *from, struct vantage_point **at,
			       struct msg_punch *m, uint64_t *stamp)
{
	enum verdict verdict = V_DROP_STRANGER;
	unsigned i;

	for (i = 0; i < v->points && verdict != V_PASSED; i++) {
		*at = &v->point[i];
		if (addr_same_ip(&(*at)->addr, from))
			verdict = point_open(*at, cloud_of(v, now), p, n, h, x, m, stamp);
	}
	return verdict;
}

/* It gets in from a TRS's usual port, or it tells nothing. */
static enum verdict on_unasked(struct vantage *v, struct now now, const uint8_t *p, size_t n,
			       const struct msg_header *h, const struct exts *x,
			       const struct addr *from)
{
	struct vantage_point *point;
	struct msg_punch m;
	uint64_t stamp;
	enum verdict verdict = open_punch(v, now, p, n, h, x, from, &point, &m, &stamp);

	if (verdict != V_PASSED)
		return verdict;
	if (stamp + VANTAGE_SLACK / MS < v->asked)
		return V_DROP_REPLAY;
	if (from->port != point->addr.port)
		return V_DROP_STATE;
	v->unasked = MAX(v->unasked, surprise_of(v, now, from));
	v->until = now.boot;
	return V_ANSWERED;
}

static enum verdict hold(struct vantage *v, const uint8_t *p, size_t n, const struct addr *from)
{
	if (n != sizeof v->early[0].p)
		return V_DROP_STATE;
	/* anybody can send such: the newest count, ours comes right before its key */
	if (v->early_n == VANTAGE_POINTS)
		memmove(v->early, v->early + 1, --v->early_n * sizeof *v->early);
	v->early[v->early_n].from = *from;
	memcpy(v->early[v->early_n++].p, p, n);
	return V_HELD;
}

static void open_early(struct vantage *v, struct now now)
{
	struct msg_header h;
	struct exts x;
	unsigned i;

	for (i = 0; i < v->early_n; i++)
		if (gate_check(v->early[i].p, VANTAGE_DATAGRAM, &h, &x) == V_PASSED)
			on_unasked(v, now, v->early[i].p, VANTAGE_DATAGRAM, &h, &x,
				   &v->early[i].from);
}

static enum verdict on_points(struct vantage *v, struct now now, struct bytes body)
{
	struct msg_vantage_response m;
	unsigned i;

	if (msg_read_vantage_response(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	exchange_end(&v->exchange);
	drop_points(v);
	for (i = 0; i < m.points_n; i++)
		v->points += point_set(&v->point[v->points], &m.points[i],
				       &v->registrar->session.id, v->family ? 6 : 4);
	wipe(&m, sizeof m);
	v->phase = VANTAGE_HEAR;
	v->until = now.boot + (v->points ? VANTAGE_LISTEN : 0);
	open_early(v, now);
	return V_ANSWERED;
}

/* ---- own Hole Punchings ---- */

static void start_looking(struct vantage *v, struct now now)
{
	unsigned i;

	v->phase = VANTAGE_LOOK;
	v->elsewhere = false;
	for (i = 0; i < v->points; i++)
		point_start(&v->point[i], now);
}

/* Who was not heard that was asked for, and is not known to be shut out, is asked for again. */
static void heard_enough(struct vantage *v, struct now now)
{
	bool open = v->found.filtering == FILTERING_UNKNOWN ||
		    v->found.filtering == FILTERING_ENDPOINT_INDEPENDENT;

	if (v->points && v->unasked == UNASKED_NONE && open && v->asks < VANTAGE_ASKS)
		ask(v, now);
	else
		start_looking(v, now);
}

static void punch(struct vantage *v, struct now now, struct vantage_point *p, struct outbox *out)
{
	vantage_wrote(v, now, &p->addr);
	point_punch(p, v->registrar, now, p == v->point && p->other_port, out);
}

/* False: every TRS has answered, or was tried often enough. */
static bool looking(struct vantage *v, struct now now, struct outbox *out)
{
	bool more = false;
	unsigned i;

	for (i = 0; i < v->points; i++) {
		struct vantage_point *p = &v->point[i];

		if (now.boot >= p->next) {
			if (p->tries < VANTAGE_TRIES)
				punch(v, now, p, out);
			else
				p->next = NEVER;
		}
		more |= p->next != NEVER;
	}
	return more;
}

static enum verdict on_ack(struct vantage *v, struct now now, const uint8_t *p, size_t n,
			   const struct msg_header *h, const struct exts *x,
			   const struct addr *from)
{
	struct vantage_point *point;
	struct msg_punch m;
	uint64_t stamp;
	enum verdict verdict = open_punch(v, now, p, n, h, x, from, &point, &m, &stamp);

	if (verdict == V_PASSED)
		verdict = point_answered(point, now, &m);
	if (verdict != V_ANSWERED)
		return verdict;
	if (point == v->point)
		v->elsewhere |= from->port != point->addr.port;
	if (point != v->point || v->elsewhere || !point->other_port)
		point->next = NEVER;
	return V_ANSWERED;
}

/* ---- the result ---- */

static struct behaviour result(const struct vantage *v)
{
	const struct way *w = way_of(v);
	struct sights s = { .own = !w->napt, .sight = { { w->nms, w->mapped } }, .n = 1,
			    .unasked = v->unasked, .before = v->found };
	unsigned i;

	for (i = 0; i < v->points; i++)
		if (v->point[i].rtt)
			s.sight[s.n++] = (struct sight){ v->point[i].addr, v->point[i].seen };
	if (v->points && v->point[0].rtt && v->point[0].other_port)
		s.elsewhere = v->elsewhere ? ELSEWHERE_CAME : ELSEWHERE_NONE;
	return sights_behaviour(&s);
}

static bool same(struct behaviour a, struct behaviour b)
{
	return behaviour_octet(a) == behaviour_octet(b);
}

static bool contradicts(struct behaviour a, struct behaviour b)
{
	return (a.mapping && b.mapping && a.mapping != b.mapping) ||
	       (a.filtering && b.filtering && a.filtering != b.filtering);
}

static void keep_relays(struct vantage *v, struct now now)
{
	unsigned i;

	v->relays = 0;
	for (i = 0; i < v->points; i++) {
		const struct vantage_point *p = &v->point[i];

		if (p->rtt)
			v->relay[v->relays++] = (struct vantage_relay){ p->trs, p->addr, p->rtt };
	}
	if (v->relays)
		v->found_at = now.boot;
}

static void report(struct vantage *v, struct now now)
{
	struct msg_vantage_report m = { .family = v->family ? 6 : 4, .mapping = v->found.mapping,
					.filtering = v->found.filtering };
	uint8_t body[MSG_MAX_vantage_report];
	unsigned i;

	for (i = 0; i < v->relays; i++)
		m.rtts[m.rtts_n++] = (struct msg_vantage_rtt){ .trs = v->relay[i].trs,
				.rtt = (uint32_t)MIN(v->relay[i].rtt, UINT32_MAX) };
	v->phase = VANTAGE_REPORT;
	v->reported = v->found;
	exchange_start(&v->exchange, now, random_u32(), TYPE_VANTAGE_REPORT, body,
		       msg_write_vantage_report(body, sizeof body, &m));
}

static void conclude(struct vantage *v, struct now now)
{
	struct behaviour b = result(v);
	bool little = v->points && (!b.mapping || !b.filtering);

	if (contradicts(v->found, b) && !v->again) {
		v->again = true;
		start_looking(v, now);
		return;
	}
	v->found = b;
	keep_relays(v, now);
	v->next = now.boot + (little ? VANTAGE_SOON : VANTAGE_EVERY) +
		  random_u64() % VANTAGE_SPREAD;
	if (v->points || !v->is_reported || !same(v->found, v->reported))
		report(v, now);
	else
		rest(v, v->next);
}

/* ---- what came ---- */

/* The NMS does not answer, or does not want to: what it said before must do. */
static void give_up(struct vantage *v, struct now now, uint64_t wait)
{
	if (v->phase == VANTAGE_ASK && v->asks > 1)
		start_looking(v, now);
	else
		rest(v, now.boot + wait);
}

static enum verdict on_refused(struct vantage *v, struct now now, struct bytes body)
{
	struct msg_refusal m;

	if (msg_read_refusal(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (m.reason == REASON_STALE) {
		cloud_reset(v->registrar->cloud, now, v->exchange.sent, m.cloud_time);
		exchange_hurry(&v->exchange, now);
	} else {
		exchange_end(&v->exchange);
		give_up(v, now, VANTAGE_SOON);
	}
	return V_ANSWERED;
}

enum verdict vantage_answer(struct vantage *v, struct now now, const struct msg_header *h,
			    struct bytes body)
{
	if (!exchange_is(&v->exchange, h->transaction))
		return V_PASSED;
	if (h->type == TYPE_REFUSAL)
		return on_refused(v, now, body);
	if (h->type == TYPE_VANTAGE_RESPONSE && v->phase == VANTAGE_ASK)
		return on_points(v, now, body);
	if (h->type == TYPE_KEEP_ALIVE_ACK && v->phase == VANTAGE_REPORT) {
		v->is_reported = true;
		rest(v, v->next);
		return V_ANSWERED;
	}
	return V_DROP_STATE;
}

enum verdict vantage_input(struct vantage *v, struct now now, const uint8_t *p, size_t n,
			   const struct msg_header *h, const struct exts *x,
			   const struct addr *from)
{
	if (h->type == TYPE_ACK && v->phase == VANTAGE_LOOK)
		return on_ack(v, now, p, n, h, x, from);
	if (h->type == TYPE_HOLE_PUNCHING && (v->phase == VANTAGE_HEAR || v->phase == VANTAGE_LOOK))
		return on_unasked(v, now, p, n, h, x, from);
	if (h->type == TYPE_HOLE_PUNCHING && v->phase == VANTAGE_ASK)
		return hold(v, p, n, from);
	return V_DROP_STATE;
}

/* ---- time ---- */

static void step_exchange(struct vantage *v, struct now now, struct outbox *out)
{
	const struct exchange *x = &v->exchange;

	switch (exchange_step(&v->exchange, now)) {
	case EXCHANGE_WAIT:
		break;
	case EXCHANGE_SEND:
		registrar_send_way(v->registrar, now, v->family, x->transaction, x->type, x->body,
				   x->len, out);
		break;
	case EXCHANGE_GAVE_UP:
		give_up(v, now, VANTAGE_SOON);
		break;
	}
}

void vantage_tick(struct vantage *v, struct now now, struct outbox *out)
{
	follow(v, now);
	if (v->phase == VANTAGE_REST && now.boot >= v->next)
		begin(v, now);
	if (v->phase == VANTAGE_HEAR && now.boot >= v->until)
		heard_enough(v, now);
	while (v->phase == VANTAGE_LOOK && !looking(v, now, out))
		conclude(v, now);
	step_exchange(v, now, out);
}

static uint64_t next_try(const struct vantage *v)
{
	uint64_t at = NEVER;
	unsigned i;

	for (i = 0; i < v->points; i++)
		at = MIN(at, v->point[i].next);
	return at == NEVER ? 0 : at;
}

uint64_t vantage_expiry(const struct vantage *v)
{
	const struct way *w = way_of(v);

	if (w->confirmed != v->confirmed || (w->confirmed && !addr_equal(&w->mapped, &v->mapped)))
		return 0;
	switch (v->phase) {
	case VANTAGE_REST:
		return v->next;
	case VANTAGE_HEAR:
		return v->until;
	case VANTAGE_LOOK:
		return next_try(v);
	default:
		return exchange_expiry(&v->exchange);
	}
}

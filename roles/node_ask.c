/*
 * node_ask.c - the agent's questions to the NMS: who has this name or address, and may there be
 * a path?  Asked by the resolver and by packets; one question is out at a time for each.
 */
#include "roles/node.h"
#include <stdlib.h>

static struct query *find_query(struct node *n, const char *name, uint8_t family,
				const uint8_t *ip)
{
	struct query *q;

	for (q = n->queries; q; q = q->next)
		if (q->family == family && (family ? memcmp(q->ip, ip, family == 4 ? 4 : 16) == 0 :
						     strcmp(q->name, name) == 0))
			return q;
	return NULL;
}

static void query_unlink(struct node *n, struct query *q)
{
	struct query **at = &n->queries;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	n->queries_n--;
	timer_clear(&n->timers, &q->alarm.timer);
}

void query_end(struct node *n, struct query *q)
{
	query_unlink(n, q);
	free(q);
}

static void send_query(struct node *n, struct now now, struct query *q, struct outbox *out)
{
	struct msg_direction_request *m = calloc(1, sizeof *m);
	uint8_t body[MSG_MAX_direction_request];
	size_t len;

	if (!m)
		abort();
	m->family = q->family;
	m->relay = q->want == ASK_OTHER_RELAY ? 2 : q->want == ASK_RELAY;
	memcpy(m->ip, q->ip, sizeof m->ip);
	strcpy(m->name, q->name);
	len = msg_write_direction_request(body, sizeof body, m);
	free(m);
	exchange_start(&q->exchange, now, random_u32(),
		       q->want == ASK_NAME ? TYPE_NODE_INFO_REQUEST : TYPE_DIRECTION_REQUEST,
		       body, len);
	peers_query_alarm(n, now, q, out);
}

/* Asks, unless the same question is out already.  False: too many are. */
bool nms_ask(struct node *n, struct now now, const char *name, uint8_t family,
		const uint8_t *ip, enum ask want, struct outbox *out)
{
	struct query *q = find_query(n, name, family, ip);

	if (q && q->want >= want)
		return true;
	if (!q) {
		if (!n->registering || n->queries_n >= QUERIES_MAX)
			return false;
		q = calloc(1, sizeof *q);
		if (!q)
			abort();
		q->alarm.kind = ALARM_QUERY;
		q->family = family;
		if (family)
			memcpy(q->ip, ip, family == 4 ? 4 : 16);
		else
			strcpy(q->name, name);
		q->next = n->queries;
		n->queries = q;
		n->queries_n++;
	}
	q->want = want;
	send_query(n, now, q, out);
	return true;
}

bool nms_asked(const struct node *n, const char *fqdn, const uint8_t *ip4, const uint8_t *ip6)
{
	const struct query *q;

	for (q = n->queries; q; q = q->next)
		if (q->want != ASK_NAME &&
		    (q->family == 0 ? strcmp(q->name, fqdn) == 0 :
		     memcmp(q->ip, q->family == 4 ? ip4 : ip6, q->family == 4 ? 4 : 16) == 0))
			return true;
	return false;
}

static void answer_dns(struct node *n, struct now now, const struct query *q,
		       enum dns_found found, const struct msg_node_info_response *m,
		       struct outbox *out)
{
	struct dns_record r;

	memset(&r, 0, sizeof r);
	if (m) {
		memcpy(r.ip4, m->ip4, 4);
		memcpy(r.ip6, m->ip6, 16);
		strcpy(r.fqdn, m->fqdn);
	}
	if (n->dns)
		dns_answer(n->dns, now, q->name, q->family, q->ip, found, &r, out);
}

static struct peer *asked_for(struct node *n, const struct query *q)
{
	return q->family ? peer_by_ip(n, q->family, q->ip) : peers_by_name(n, q->name);
}

/* Every second time by the other family: nobody has noticed yet that one is dead. */
static void transmit(struct node *n, struct now now, const struct exchange *x,
		       struct outbox *out)
{
	struct registrar *r = &n->registrar;
	unsigned other = !r->heard;

	if (x->tries % 2 || !registrar_send_way(r, now, other, x->transaction, x->type, x->body,
						x->len, out))
		registrar_send(r, now, x->transaction, x->type, x->body, x->len, out);
}

void peers_query_alarm(struct node *n, struct now now, struct query *q, struct outbox *out)
{
	struct peer *p;

	switch (exchange_step(&q->exchange, now)) {
	case EXCHANGE_SEND:
		transmit(n, now, &q->exchange, out);
		break;
	case EXCHANGE_GAVE_UP:
		query_unlink(n, q);
		p = asked_for(n, q);
		if (p && p->state == PEER_ASKING)
			peer_fail(n, now, p, REASON_NO_PATH, out);
		answer_dns(n, now, q, DNS_FAILED, NULL, out);
		free(q);
		return;
	case EXCHANGE_WAIT:
		break;
	}
	node_alarm(n, &q->alarm, ALARM_QUERY, exchange_expiry(&q->exchange));
}

void nms_hurry(struct node *n, struct now now, struct outbox *out)
{
	struct query *q, *next;

	for (q = n->queries; q; q = next) {
		next = q->next;
		exchange_hurry(&q->exchange, now);
		peers_query_alarm(n, now, q, out);
	}
}

/* Does it say something of what was asked, that no certificate contradicts? */
static bool is_answer(struct node *n, const struct query *q, const struct msg_node_info_response *m)
{
	const struct peer *p[2] = { peer_by_ip(n, 4, m->ip4), peer_by_ip(n, 6, m->ip6) };
	unsigned i;

	if (m->result)
		return true;
	if (!m->fqdn[0] || !get32(m->ip4) ||
	    (q->family == 4 && memcmp(m->ip4, q->ip, 4)) ||
	    (q->family == 6 && memcmp(m->ip6, q->ip, 16)) ||
	    (!q->family && strcmp(m->fqdn, q->name)))
		return false;
	for (i = 0; i < 2; i++)
		if (p[i] && p[i]->state >= PEER_OPENING && strcmp(p[i]->fqdn, m->fqdn)) {
			cy_log(LOG_WARN, "the NMS gives %s an address that is certified for %s",
			       m->fqdn, p[i]->fqdn);
			return false;
		}
	return true;
}

static void info_failed(struct node *n, struct now now, const struct query *q, uint16_t reason,
			struct outbox *out)
{
	struct peer *p = asked_for(n, q);

	/* a failed look at the directory does not end a path */
	if (q->want && p && p->state == PEER_ASKING)
		peer_fail(n, now, p, reason, out);
	else
		status_failed(n, q->name, reason, out);
}

static void info_found(struct node *n, struct now now, uint32_t transaction,
		       const struct msg_node_info_response *m)
{
	struct peer *p = peer_merge(n, peer_by_ip(n, 4, m->ip4), peer_by_ip(n, 6, m->ip6));

	p = peer_merge(n, p, peers_by_name(n, m->fqdn));
	if (!p)
		p = peer_new(n);
	if (!p || p->state >= PEER_OPENING)
		return;
	peer_link(n, p, m->ip4, m->ip6);
	strcpy(p->fqdn, m->fqdn);
	p->node_id = m->node_id;
	p->transaction = transaction;
	p->asked = p->sought = now.boot;
	p->state = PEER_ASKING;
	if (!p->held)
		node_alarm(n, &p->alarm, ALARM_PEER, now.boot + ROUTE_TIMEOUT);
}

static enum verdict on_info(struct node *n, struct now now, uint32_t transaction,
			    struct bytes body, struct outbox *out)
{
	struct msg_node_info_response m;
	struct query *q;
	struct peer *p;

	if (msg_read_node_info_response(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	for (q = n->queries; q && !exchange_is(&q->exchange, transaction); q = q->next)
		;
	if (!q)
		return V_DROP_STATE;
	if (!is_answer(n, q, &m))
		return V_DROP_BODY;
	query_unlink(n, q);	/* who hears the answer may ask the same again */
	answer_dns(n, now, q, m.result == 0 ? DNS_FOUND : m.result == REASON_NOT_FOUND ?
		   DNS_NO_SUCH_NAME : DNS_FAILED, &m, out);
	if (m.result)
		info_failed(n, now, q, m.result, out);
	else if (q->want && !id_equal(&m.node_id, &n->node_id))
		info_found(n, now, transaction, &m);
	else if (q->want && (p = asked_for(n, q)))
		peer_fail(n, now, p, REASON_ITSELF, out);
	free(q);
	return V_ANSWERED;
}

struct seeking {
	uint32_t transaction;
	struct peer *found;
};

static void match_transaction(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct seeking *s = arg;

	if ((p->state == PEER_ASKING || p->state == PEER_OPENING) &&
	    p->transaction == s->transaction)
		s->found = p;
}

static enum verdict on_refusal(struct node *n, struct now now, uint32_t transaction,
			       struct bytes body, struct outbox *out)
{
	struct seeking s = { transaction, NULL };
	struct msg_refusal m;
	struct id old;
	struct query *q;

	if (msg_read_refusal(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	for (q = n->queries; q && !exchange_is(&q->exchange, transaction); q = q->next)
		;
	if (q && m.reason == REASON_STALE) {
		cloud_reset(&n->cloud, now, q->exchange.sent, m.cloud_time);
		exchange_hurry(&q->exchange, now);
		peers_query_alarm(n, now, q, out);
		return V_ANSWERED;
	}
	if (q)		/* not_registered: the registration is renewed meanwhile, the query goes on */
		return V_ANSWERED;
	table_each(&n->peers4, match_transaction, &s);
	if (!s.found)
		return V_DROP_STATE;
	/* told together with us, the other end had its reason */
	old = s.found->path;
	memset(&s.found->path, 0, sizeof s.found->path);
	peer_fail(n, now, s.found, m.reason, out);
	if (!id_is_zero(&old))
		path_close(n, now, &old, out);
	return V_ANSWERED;
}

static enum verdict on_path_lost(struct node *n, struct now now, struct bytes body,
				 struct outbox *out)
{
	struct msg_path_lost m;

	if (msg_read_path_lost(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	return peers_lost(n, now, &m.peer_id, out) ? V_ANSWERED : V_DROP_STATE;
}

enum verdict peers_signal(struct node *n, struct now now, const struct msg_header *h,
			  struct bytes body, struct outbox *out)
{
	switch (h->type) {
	case TYPE_NODE_INFO_RESPONSE:
		return on_info(n, now, h->transaction, body, out);
	case TYPE_REFUSAL:
		return on_refusal(n, now, h->transaction, body, out);
	case TYPE_PATH_LOST:
		return on_path_lost(n, now, body, out);
	case TYPE_ROUTE_DIRECTION_R:
	case TYPE_ROUTE_DIRECTION_I:
		return route_taken(n, now, h, body, out);
	}
	return V_DROP_TYPE;
}

/* ---- the resolver's questions ---- */

static void dns_lookup(void *arg, struct now now, const char *name, uint8_t family,
		       const uint8_t *ip, bool wanted, struct outbox *out)
{
	struct node *n = arg;
	struct peer *p = wanted && family == 0 ? peers_by_name(n, name) : NULL;
	bool path = wanted && !(p && p->state != PEER_IDLE);

	if (!nms_ask(n, now, name, family, ip, path ? ASK_PATH : ASK_NAME, out))
		dns_answer(n->dns, now, name, family, ip, DNS_FAILED, NULL, out);
}

static void dns_wanted(void *arg, struct now now, const struct dns_record *r, struct outbox *out)
{
	struct node *n = arg;

	if (strcmp(r->fqdn, n->fqdn) != 0)
		peers_want_name(n, now, r->fqdn, out);
}

const struct dns_ops node_dns_ops = { .lookup = dns_lookup, .wanted = dns_wanted };

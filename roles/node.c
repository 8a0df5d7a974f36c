/*
 * node.c - this computer on the overlay: log in, register, and then carry packets.
 *
 *   login.c      TLS to the AS: name, addresses, Common Key, certificate
 *   register.c   the NMS: where we are, kept fresh
 *   vantage.c    how the NAPT in front of us behaves (node_vantage.c)
 *   dns.c        names of the overlay, asked of the NMS (node_peers.c)
 *   TUN  -> node_peers.c -> node_paths.c -> tunnel.c -> UDP
 *   UDP  -> here -> node_paths.c -> tunnel.c -> TUN
 *
 * Worker 0 is the agent; what another worker must know travels in notes.
 */
#include "roles/node.h"
#include "store/config.h"
#include "store/state.h"
#include <stdio.h>
#include <stdlib.h>

#define TUN_AGAIN (10 * SEC)

void node_alarm(struct node *n, struct alarm *a, enum alarm_kind kind, uint64_t at)
{
	a->kind = kind;
	timer_set(&n->timers, &a->timer, at);
}

/* ---- notes between workers ---- */

static void on_note(struct node *n, struct now now, unsigned worker, struct node_note *note,
		    struct outbox *out);

void node_tell(struct node *n, struct now now, unsigned worker, const struct node_note *note,
	       struct outbox *out)
{
	struct node_note copy = *note;
	struct out_item *item;

	if (worker == n->env.worker) {
		on_note(n, now, worker, &copy, out);
		return;
	}
	copy.body = NULL;	/* a pointer of this process means nothing there */
	item = out_reserve(out, OUT_WORKER, sizeof copy + note->len);
	item->handle = worker;
	memcpy(item->buf, &copy, sizeof copy);
	if (note->len)
		memcpy(item->buf + sizeof copy, note->body, note->len);
}

/* ---- what the workers tell each other ---- */

static enum verdict node_datagram(struct node *n, struct now now, uint8_t *p, size_t len,
				  const struct addr *from, const struct addr *to, uint8_t ecn,
				  struct outbox *out);

static void on_note(struct node *n, struct now now, unsigned worker, struct node_note *note,
		    struct outbox *out)
{
	struct tunnel_setup setup;
	enum verdict v;

	switch (note->kind) {
	case NODE_LOGIN:
		login_heard(n, now, (struct bytes){ note->body, note->len });
		break;
	case NODE_HANDED:
		v = node_datagram(n, now, note->body, note->len, &note->from, &note->to,
				  note->ecn, out);
		n->verdicts.count[v]++;
		break;
	case NODE_OPEN:
		if (note->len == sizeof setup) {
			memcpy(&setup, note->body, sizeof setup);
			paths_open(n, now, &setup, out);
			wipe(&setup, sizeof setup);
		}
		break;
	case NODE_SEND:
		v = paths_send(n, now, &note->path, note->body, note->len, out);
		n->verdicts.count[v]++;
		break;
	case NODE_PROBE:
		paths_probe(n, now, &note->path, out);
		break;
	case NODE_CLOSE:
		paths_close(n, now, &note->path, out);
		break;
	case NODE_HERE:
		if (note->len == sizeof n->here)
			memcpy(&n->here, note->body, sizeof n->here);
		break;
	case NODE_EXPLAIN:
		why_explain(n, now, &note->path, out);
		break;
	default:
		peers_note(n, now, worker, note, out);
		break;
	}
}

static void from_worker(struct node *n, struct now now, const struct note *note,
			struct outbox *out)
{
	struct node_note m;

	if (note->data.n < sizeof m)
		return;
	memcpy(&m, note->data.p, sizeof m);
	if (m.len != note->data.n - sizeof m)
		return;
	if (m.kind == NODE_HELLO && n->known) {
		login_tell(n, now, note->worker, out);
		why_tell_here(n, now, note->worker, out);
	}
	/* a packet is sealed where it lies: in scratch with headroom, until the flush */
	out_need(out, 8);
	m.body = out_space(out, m.len);
	if (m.len)
		memcpy(m.body, note->data.p + sizeof m, m.len);
	on_note(n, now, note->worker, &m, out);
}

static void from_master(struct node *n, struct now now, struct bytes data, struct outbox *out)
{
	struct priv_resolver r;
	struct priv_answer a;

	if (data.n == sizeof r && is_agent(n)) {
		memcpy(&r, data.p, sizeof r);
		resolver_heard(n, &r);
	}
	if (data.n != sizeof a)
		return;
	memcpy(&a, data.p, sizeof a);
	a.text[sizeof a.text - 1] = '\0';
	if (a.kind != PRIV_TUN_UP)
		return;
	n->tun_up = !a.failed;
	snprintf(n->tun_trouble, sizeof n->tun_trouble, "%s", a.failed ? a.text : "");
	if (a.failed) {
		cy_log(LOG_ERROR_, "TUN device: %s", a.text);
		n->tun_again = now.boot + TUN_AGAIN;
	}
	login_ask_master(n, a.failed ? PRIV_DNS_DOWN : PRIV_DNS_UP, out);
}

static void node_note(void *self, struct now now, const struct note *note, struct outbox *out)
{
	if (note->from == NOTE_WORKER)
		from_worker(self, now, note, out);
	else if (note->from == NOTE_MASTER)
		from_master(self, now, note->data, out);
}

/* ---- packets ---- */

static enum verdict hand_over(struct node *n, struct now now, unsigned worker, uint8_t *p,
			      size_t len, const struct addr *from, const struct addr *to,
			      uint8_t ecn, struct outbox *out)
{
	struct node_note note = { .kind = NODE_HANDED, .from = *from, .to = *to, .ecn = ecn,
				  .len = (uint32_t)len, .body = p };

	node_tell(n, now, worker, &note, out);
	return V_HANDED;
}

static enum verdict node_datagram(struct node *n, struct now now, uint8_t *p, size_t len,
				  const struct addr *from, const struct addr *to, uint8_t ecn,
				  struct outbox *out)
{
	struct msg_header h;
	struct bytes body;
	struct exts x;
	enum verdict v = gate_check(p, len, &h, &x);
	unsigned owner;
	unsigned families;

	if (v != V_PASSED)
		return v;
	/* signalling is the agent's, a path its owner's */
	owner = type_key(h.type) == KEY_COMMON || napt_is_for(n, &h) ? 0 :
		id_owner(&h.id, n->env.workers);
	if (owner != n->env.worker)
		return hand_over(n, now, owner, p, len, from, to, ecn, out);
	if (napt_is_for(n, &h))
		return napt_input(n, now, p, len, &h, &x, from);
	if (type_key(h.type) != KEY_COMMON)
		return paths_input(n, now, p, len, &h, &x, from, to, ecn, out);
	if (!n->registering || !id_equal(&h.id, &n->node_id))
		return V_DROP_STRANGER;
	families = registrar_families(&n->registrar);
	v = registrar_input(&n->registrar, now, p, len, &h, &x, from, to, &body, out);
	if (!families && registrar_ready(&n->registrar))
		nms_hurry(n, now, out);
	renew_look(n, now, families);
	why_tick(n, now, out);
	if (v == V_PASSED)
		v = napt_signal(n, now, &h, body);
	return v == V_PASSED ? peers_signal(n, now, &h, body, out) : v;
}

static void node_input(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct node *n = self;
	uint32_t at, len;

	if (in->port == PORT_DNS) {
		if (n->dns)
			dns_query(n->dns, now, &in->from, &in->to, in->buf, in->len, out);
		return;
	}
	if (!in->len)
		n->verdicts.count[V_DROP_SHORT]++;
	for (at = 0; at < in->len; at += len) {
		len = MIN(in->seg ? in->seg : in->len, in->len - at);
		n->verdicts.count[node_datagram(n, now, in->buf + at, len, &in->from, &in->to,
						in->ecn, out)]++;
	}
}

static void node_packets(void *self, struct now now, struct batch *in, struct outbox *out)
{
	struct node *n = self;

	n->verdicts.count[peers_packet(n, now, in->buf, in->len, out)]++;
}

static void spread_login(struct node *n, struct now now, const struct msg_login_response *r,
			 struct outbox *out)
{
	unsigned w;

	login_keep(n, r);
	for (w = 1; w < n->env.workers; w++)
		login_tell(n, now, w, out);
}

static void node_flow(void *self, struct now now, const struct flow_event *ev, struct outbox *out)
{
	struct node *n = self;
	struct msg_login_response *r;

	if (ev->port == PORT_CTL) {
		status_flow(n, now, ev, out);
	} else if (ev->handle == LOGIN_HANDLE && is_agent(n)) {
		r = malloc(sizeof *r);
		if (!r)
			abort();
		if (login_flow(&n->login, now, ev, r, out)) {
			if (login_taken(n, now, r, out))
				spread_login(n, now, r, out);
			wipe(n->login.in, sizeof n->login.in);	/* where r's keys came from */
		}
		wipe(r, sizeof *r);
		free(r);
	} else if (n->dns) {
		dns_flow(n->dns, now, ev, out);
	}
}

/* ---- time ---- */

static void ring(struct node *n, struct now now, struct timer *t, struct outbox *out)
{
	struct alarm *a = TIMER_OWNER(t, struct alarm, timer);

	switch (a->kind) {
	case ALARM_PEER:
		peers_alarm(n, now, TIMER_OWNER(a, struct peer, alarm), out);
		break;
	case ALARM_QUERY:
		peers_query_alarm(n, now, TIMER_OWNER(a, struct query, alarm), out);
		break;
	case ALARM_PATH:
		paths_alarm(n, now, TIMER_OWNER(a, struct path, alarm), out);
		break;
	case ALARM_PING:
		status_alarm(n, now, TIMER_OWNER(a, struct ping, alarm), out);
		break;
	case ALARM_INQUIRY:
		why_alarm(n, now, TIMER_OWNER(a, struct inquiry, alarm), out);
		break;
	}
}

static void tick_agent(struct node *n, struct now now, struct outbox *out)
{
	if (!n->looked)
		login_ask_master(n, PRIV_DNS_LOOK, out);
	n->looked = true;
	if (now.boot >= n->widened)
		peers_widened(n, now, out);
	if (now.boot >= n->relogin)
		login_again(n, now);
	login_tick(&n->login, now, cloud_ms(&n->cloud, now) / 1000, out);
	if (n->registering) {
		registrar_tick(&n->registrar, now, out);
		napt_tick(n, now, out);
		login_if_lost(n, now, out);
	}
	if (now.boot >= n->tun_again)
		login_ask_master(n, PRIV_TUN_UP, out);
	dns_tick(n->dns, now, out);
	why_tick(n, now, out);
}

static void node_tick(void *self, struct now now, struct outbox *out)
{
	struct node *n = self;
	struct node_note hello = { .kind = NODE_HELLO };
	struct timer *t;

	if (!is_agent(n) && n->env.restarted && !n->known && !n->greeted) {
		n->greeted = true;
		node_tell(n, now, 0, &hello, out);
	}
	while ((t = timers_due(&n->timers, now.boot)))
		ring(n, now, t, out);
	if (is_agent(n))
		tick_agent(n, now, out);
}

static uint64_t node_expiry(const void *self)
{
	const struct node *n = self;
	uint64_t at = timers_next(&n->timers);

	if (!is_agent(n))
		return at;
	at = MIN(at, MIN(n->widened, MIN(n->relogin, n->tun_again)));
	at = MIN(at, MIN(login_expiry(&n->login), dns_expiry(n->dns)));
	if (n->registering)
		at = MIN(at, MIN(registrar_expiry(&n->registrar), napt_expiry(n)));
	return at;
}

/* ---- beginning and end ---- */

/* Account, password and AS as the configuration has them now. */
static bool open_login(struct node *n, struct login *login, char *err)
{
	const struct config *c = n->env.conf;
	struct login_wish wish = { .account = c->node_account, .device = c->node_device };

	if (!config_read_password(c->node_password, n->password, sizeof n->password,
				  &n->password_len, err))
		return false;
	hex_parse(wish.pin, sizeof wish.pin, c->node_root);
	wish.password = (struct bytes){ (const uint8_t *)n->password, n->password_len };
	wish.as_n = MIN(c->node_as.n, (unsigned)ARRAY_SIZE(wish.as));
	memcpy(wish.as, c->node_as.a, wish.as_n * sizeof *wish.as);
	return login_init(login, &wish, err);
}

static bool open_agent(struct node *n, char *err)
{
	if (!open_login(n, &n->login, err))
		return false;
	table_init(&n->peers4);
	table_init(&n->peers6);
	napt_open(n);
	n->dns = dns_new(&node_dns_ops, n, DNS_HANDLES);
	resolver_upstream(n);
	n->relogin = n->env.start.boot;
	return true;
}

/* A login that would now be another one is done anew; the rest counts from the next use on. */
static void node_reload(void *self, struct now now, struct outbox *out)
{
	struct node *n = self;
	struct login fresh;
	char err[256];

	n->rules = login_rules(n->env.conf);
	paths_reload(n, now);
	if (!is_agent(n))
		return;
	resolver_upstream(n);
	if (!open_login(n, &fresh, err)) {
		cy_log(LOG_ERROR_, "%s", err);
		return;
	}
	login_stop(&n->login, out);
	login_free(&n->login);
	n->login = fresh;
	n->relogin = now.boot;
}

static void node_close(void *self)
{
	struct node *n = self;
	struct now never = { 0, 0 };

	paths_close_all(n, never, false, NULL);
	table_free(&n->paths);
	if (is_agent(n) && n->dns) {
		peers_close(n);
		table_free(&n->peers4);
		table_free(&n->peers6);
		dns_free(n->dns);
	}
	login_free(&n->login);
	napt_close(n);
	registrar_free(&n->registrar);
	trust_free(n->trust);
	timers_free(&n->timers);
	wipe(n, sizeof *n);
	free(n);
}

static void node_leave(void *self, struct now now, struct outbox *out)
{
	struct node *n = self;

	paths_close_all(n, now, true, out);
	if (is_agent(n) && n->registering)
		registrar_leave(&n->registrar, now, out);
}

static void *node_open(const struct role_env *env, char *err)
{
	struct node *n = calloc(1, sizeof *n);

	if (!n)
		abort();
	n->env = *env;
	n->rules = login_rules(env->conf);
	n->relogin = n->tun_again = n->widened = NEVER;
	table_init(&n->paths);
	cloud_guess(&n->cloud, env->start, login_cloud_floor(n));
	if (!is_agent(n) || (login_identity(n, err) && open_agent(n, err)))
		return n;
	node_close(n);
	return NULL;
}

static const struct verdicts *node_verdicts(const void *self)
{
	return &((const struct node *)self)->verdicts;
}

const struct role role_node = {
	.name = "node",
	.text = "this computer on the overlay: a TUN device, a resolver, and tunnels to other nodes",
	.needs = NEEDS_TUN,
	.open = node_open,
	.close = node_close,
	.leave = node_leave,
	.reload = node_reload,
	.input = node_input,
	.packets = node_packets,
	.flow = node_flow,
	.note = node_note,
	.tick = node_tick,
	.expiry = node_expiry,
	.verdicts = node_verdicts,
	.summary = status_summary,
};

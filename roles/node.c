/*
 * node.c - this computer on the overlay: log in, register, and then carry packets.
 *
 *   login.c      TLS to the AS: name, addresses, Common Key, certificate
 *   register.c   the NMS: where we are, kept fresh
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

#define RELOGIN_EARLY 3		/* log in again when a third of the Common Key's life is left */
#define TUN_AGAIN (10 * SEC)
#define CLOUD_FILE "cloud-time"
#define KEY_FILE "node.key"

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

/* ---- who we are ---- */

/* The private keys: made once, kept in the state directory. */
static bool load_identity(struct node *n, char *err)
{
	char text[4096];
	long len = state_load(n->env.conf->state, KEY_FILE, text, sizeof text);
	bool good = len > 0 && identity_read(&n->identity, text, (size_t)len);
	size_t made;

	if (!good && len > 0) {
		snprintf(err, 256, "%.200s/%s is damaged: remove it to make a new key",
			 n->env.conf->state, KEY_FILE);
	} else if (!good) {
		identity_make(&n->identity);
		made = identity_write(&n->identity, text, sizeof text);
		good = made && state_save(n->env.conf->state, KEY_FILE, text, made);
		if (!good)
			snprintf(err, 256, "%.200s/%s cannot be written", n->env.conf->state, KEY_FILE);
	}
	wipe(text, sizeof text);
	return good;
}

static uint64_t load_cloud_floor(const struct node *n)
{
	uint8_t p[8];

	return state_load(n->env.conf->state, CLOUD_FILE, p, sizeof p) == 8 ? get64(p) : 0;
}

static void save_cloud_floor(const struct node *n, struct now now)
{
	uint8_t p[8];

	put64(p, cloud_ms(&n->cloud, now));
	state_save(n->env.conf->state, CLOUD_FILE, p, sizeof p);
}

static struct tunnel_rules make_rules(const struct config *c)
{
	/* in the order of config.def: auto, aes-128-gcm, chacha20-poly1305, aes-256-gcm */
	static const enum aead_suite suite[] = { 0, AEAD_AES128_GCM, AEAD_CHACHA20_POLY1305,
						 AEAD_AES256_GCM };
	struct tunnel_rules r = {
		.suites = 1 << AEAD_AES128_GCM | 1 << AEAD_CHACHA20_POLY1305 | 1 << AEAD_AES256_GCM,
		.preferred = suite[c->node_cipher],
		.mtu = (uint16_t)c->node_mtu,
		.rekey_after = c->node_rekey * MS,
		.rekey_packets = c->node_rekey_packets,
		.idle = c->node_idle * MS,
	};

	if (r.preferred)
		r.suites = (uint8_t)(1 << r.preferred);
	else
		r.preferred = aead_has_aes_hardware() ? AEAD_AES128_GCM : AEAD_CHACHA20_POLY1305;
	return r;
}

/* ---- login ---- */

/* What every worker takes from a Login Response: name, addresses, certificate. */
static bool take_name(struct node *n, const struct msg_login_response *r)
{
	struct cert_info info;
	char err[256];

	if (!cert_read(&info, r->certificate.p, r->certificate.n, err) ||
	    memcmp(info.x25519, n->identity.x25519_pub, 32) != 0) {
		cy_log(LOG_ERROR_, "the AS gave a certificate that is not ours: %s", err);
		return false;
	}
	n->node_id = r->node_id;
	strcpy(n->fqdn, r->fqdn);
	strcpy(n->domain, r->domain);
	memcpy(n->net4, r->net4, 4);
	memcpy(n->net6, r->net6, 16);
	n->bits4 = r->bits4;
	n->bits6 = r->bits6;
	n->self.node_id = r->node_id;
	memcpy(n->self.ip4, r->ip4, 4);
	memcpy(n->self.ip6, r->ip6, 16);
	memcpy(n->self.tbs_hash, info.tbs_hash, 32);
	memcpy(n->self.x25519, info.x25519, 32);
	n->cert_expiry = info.not_after * 1000;
	n->known = true;
	return true;
}

static void ask_tun(struct node *n, struct outbox *out)
{
	struct priv_request q;

	memset(&q, 0, sizeof q);
	q.kind = PRIV_TUN_UP;
	memcpy(q.ip4, n->self.ip4, 4);
	memcpy(q.ip6, n->self.ip6, 16);
	memcpy(q.net4, n->net4, 4);
	memcpy(q.net6, n->net6, 16);
	q.bits4 = n->bits4;
	q.bits6 = n->bits6;
	q.mtu = (uint16_t)n->env.conf->node_mtu;
	n->tun_again = NEVER;
	out_master(out, &q, sizeof q);
}

static void start_registrar(struct node *n, struct now now, const struct msg_login_response *r)
{
	struct registrar_setup s;
	unsigned i;

	memset(&s, 0, sizeof s);
	s.node_id = r->node_id;
	memcpy(s.common_key.b, r->common_key, 16);
	memcpy(s.scv.b, r->secret_common_value, 16);
	s.keepalive = MAX(r->keepalive, 100u) * MS;
	for (i = 0; i < r->nms_n; i++)
		s.nms[s.nms_n++] = address_of(&r->nms[i]);
	registrar_start(&n->registrar, &s, &n->cloud, now);
	n->registering = true;
	wipe(&s, sizeof s);
}

/* The agent's share of a login: trust, time, registration, resolver, TUN. */
static void on_login(struct node *n, struct now now, const struct msg_login_response *r,
		     struct outbox *out)
{
	bool first = !n->known;
	char err[256];

	n->cloud.best_rtt = 0;
	cloud_follow(&n->cloud, now, n->login.asked, r->cloud_time);
	save_cloud_floor(n, now);
	trust_free(n->trust);
	n->trust = trust_new(r->root, r->issuer, err);
	if (!n->trust || !take_name(n, r)) {
		cy_log(LOG_ERROR_, "login answer not usable: %s", n->trust ? "see above" : err);
		n->known = false;
		n->relogin = now.boot + 60 * SEC;
		return;
	}
	n->key_expiry = r->expiry;
	n->relogin = now.boot + MIN((r->expiry - r->cloud_time) * MS / RELOGIN_EARLY *
				    (RELOGIN_EARLY - 1), NEVER / 4);
	start_registrar(n, now, r);
	dns_domain(n->dns, n->domain, n->net4, n->bits4, n->net6, n->bits6);
	if (first || !n->tun_up)
		ask_tun(n, out);
	cy_log(LOG_INFO, "logged in as %s", n->fqdn);
}

/* The other workers get the Login Response itself, less what is the agent's alone. */
static void spread_login(struct node *n, struct now now, const struct msg_login_response *r,
			 int to, struct outbox *out)
{
	struct msg_login_response *m = malloc(sizeof *m);
	uint8_t body[MSG_MAX_login_response];
	struct node_note note = { .kind = NODE_LOGIN, .body = body };
	unsigned w;

	if (!m)
		abort();
	*m = *r;
	memset(m->common_key, 0, sizeof m->common_key);
	memset(m->secret_common_value, 0, sizeof m->secret_common_value);
	m->issuer = m->root = (struct bytes){ NULL, 0 };
	note.len = (uint32_t)msg_write_login_response(body, sizeof body, m);
	free(m);
	for (w = 1; w < n->env.workers; w++)
		if (to < 0 || w == (unsigned)to)
			node_tell(n, now, w, &note, out);
}

static void start_login(struct node *n, struct now now)
{
	char name[2 * NAME_SIZE];
	uint8_t csr[2048];

	snprintf(name, sizeof name, "%s", n->env.conf->node_device);
	login_start(&n->login, now, csr, identity_csr(&n->identity, name, csr, sizeof csr));
	n->relogin = NEVER;
}

/* ---- what the workers tell each other ---- */

static void on_login_note(struct node *n, struct now now, struct bytes body, struct outbox *out)
{
	struct msg_login_response *m = malloc(sizeof *m);
	char err[256];

	if (!m)
		abort();
	/* the agent made the key file before it could log in */
	if (!n->known && !load_identity(n, err))
		cy_log(LOG_ERROR_, "%s", err);
	else if (msg_read_login_response(m, body.p, body.n) == (long)body.n && take_name(n, m))
		cloud_follow(&n->cloud, now, now.boot, m->cloud_time);
	free(m);
}

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
		on_login_note(n, now, (struct bytes){ note->body, note->len }, out);
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
	if (m.kind == NODE_HELLO && n->known)
		n->relogin = now.boot;	/* the new worker learns who we are from the next login */
	/* a packet is sealed where it lies: in scratch with headroom, until the flush */
	out_need(out, 8);
	m.body = out_space(out, m.len);
	if (m.len)
		memcpy(m.body, note->data.p + sizeof m, m.len);
	on_note(n, now, note->worker, &m, out);
}

static void from_master(struct node *n, struct now now, struct bytes data)
{
	struct priv_answer a;

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
}

static void node_note(void *self, struct now now, const struct note *note, struct outbox *out)
{
	if (note->from == NOTE_WORKER)
		from_worker(self, now, note, out);
	else if (note->from == NOTE_MASTER)
		from_master(self, now, note->data);
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

	if (v != V_PASSED)
		return v;
	/* signalling is the agent's, a path its owner's */
	owner = type_key(h.type) == KEY_COMMON ? 0 : id_owner(&h.id, n->env.workers);
	if (owner != n->env.worker)
		return hand_over(n, now, owner, p, len, from, to, ecn, out);
	if (type_key(h.type) != KEY_COMMON)
		return paths_input(n, now, p, len, &h, &x, from, to, ecn, out);
	if (!n->registering || !id_equal(&h.id, &n->node_id))
		return V_DROP_STRANGER;
	v = registrar_input(&n->registrar, now, p, len, &h, &x, from, to, &body, out);
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
			on_login(n, now, r, out);
			if (n->known)
				spread_login(n, now, r, -1, out);
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
	}
}

static void tick_agent(struct node *n, struct now now, struct outbox *out)
{
	if (now.boot >= n->relogin)
		start_login(n, now);
	login_tick(&n->login, now, cloud_ms(&n->cloud, now) / 1000, out);
	if (n->registering)
		registrar_tick(&n->registrar, now, out);
	if (now.boot >= n->tun_again)
		ask_tun(n, out);
	dns_tick(n->dns, now, out);
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
	at = MIN(at, MIN(n->relogin, n->tun_again));
	at = MIN(at, MIN(login_expiry(&n->login), dns_expiry(n->dns)));
	return n->registering ? MIN(at, registrar_expiry(&n->registrar)) : at;
}

/* ---- beginning and end ---- */

static bool is_own_resolver(const struct node *n, const struct addr *a)
{
	const struct address_list *own = &n->env.conf->node_dns;
	struct addr usual;
	unsigned i;

	ip_parse(&usual, "127.0.0.45", 53);
	for (i = 0; i < own->n; i++)
		if (addr_same_ip(&own->a[i], a))
			return true;
	return own->n == 0 && addr_same_ip(&usual, a);
}

/* The configured resolvers, else those of /etc/resolv.conf that are not we. */
static void set_upstream(struct node *n)
{
	const struct address_list *given = &n->env.conf->node_upstream;
	struct addr found[3];
	char text[4096], word[64];
	unsigned count = 0;
	char *line;
	long len;

	if (given->n) {
		dns_upstream(n->dns, given->a, given->n);
		return;
	}
	len = state_load("/etc", "resolv.conf", text, sizeof text - 1);
	text[MAX(len, 0)] = '\0';
	for (line = text; line && *line && count < ARRAY_SIZE(found); ) {
		if (sscanf(line, "nameserver %63s", word) == 1 &&
		    ip_parse(&found[count], word, 53) && !is_own_resolver(n, &found[count]))
			count++;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	dns_upstream(n->dns, found, count);
}

static bool open_agent(struct node *n, char *err)
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
	if (!login_init(&n->login, &wish, err))
		return false;
	table_init(&n->peers4);
	table_init(&n->peers6);
	n->dns = dns_new(&node_dns_ops, n, DNS_HANDLES);
	set_upstream(n);
	n->relogin = n->env.start.boot;
	return true;
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
	registrar_free(&n->registrar);
	trust_free(n->trust);
	timers_free(&n->timers);
	wipe(n, sizeof *n);
	free(n);
}

static void *node_open(const struct role_env *env, char *err)
{
	struct node *n = calloc(1, sizeof *n);

	if (!n)
		abort();
	n->env = *env;
	n->rules = make_rules(env->conf);
	n->relogin = n->tun_again = NEVER;
	table_init(&n->paths);
	cloud_guess(&n->cloud, env->start, load_cloud_floor(n));
	if (!is_agent(n) || (load_identity(n, err) && open_agent(n, err)))
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
	.input = node_input,
	.packets = node_packets,
	.flow = node_flow,
	.note = node_note,
	.tick = node_tick,
	.expiry = node_expiry,
	.verdicts = node_verdicts,
};

/*
 * node_login.c - who we are: the node's keys, and what a Login Response makes of it.
 */
#include "roles/node.h"
#include "store/config.h"
#include "store/state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RELOGIN_EARLY 3		/* log in again when a third of the Common Key's life is left */
#define LOST_TRIES 3		/* exchanges in a row that the NMS did not answer: some 30 s */
#define LOST_AGAIN (60 * SEC)	/* between two logins for that; doubled */
#define LOST_DOUBLED 6u		/* so many times */
#define RENEW_LEFT 3		/* a new certificate when a third of its life is left */
#define CLOUD_FILE "cloud-time"
#define KEY_FILE "node.key"

/* The private keys: made once, kept in the state directory. */
bool login_identity(struct node *n, char *err)
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
			snprintf(err, 256, "%.150s/%s cannot be written: %s", n->env.conf->state, KEY_FILE,
				 made ? strerror(errno) : "no memory");
	}
	wipe(text, sizeof text);
	return good;
}

uint64_t login_cloud_floor(const struct node *n)
{
	uint8_t p[8];

	return state_load(n->env.conf->state, CLOUD_FILE, p, sizeof p) == 8 ? get64(p) : 0;
}

static void save_cloud_floor(const struct node *n, struct now now)
{
	uint8_t p[8];

	put64(p, cloud_ms(&n->cloud, now));
	if (!state_save(n->env.conf->state, CLOUD_FILE, p, sizeof p))
		cy_log(LOG_WARN, "cloud time could not be saved in %s: %s", n->env.conf->state,
		       strerror(errno));
}

struct tunnel_rules login_rules(const struct config *c)
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
		.keepalive = c->node_keepalive * MS,
		.punch = c->node_punch * MS,
	};

	if (r.preferred)
		r.suites = (uint8_t)(1 << r.preferred);
	else
		r.preferred = aead_has_aes_hardware() ? AEAD_AES128_GCM : AEAD_CHACHA20_POLY1305;
	return r;
}

/* What every worker takes from a Login Response: name, addresses, certificate, token. */
static bool take_name(struct node *n, const struct msg_login_response *r)
{
	struct secret_common_value scv;
	struct cert_info info;
	char err[256] = "it has another key";

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
	memcpy(scv.b, r->secret_common_value, sizeof scv.b);
	tokens_init(&n->tokens, &scv);
	wipe(&scv, sizeof scv);
	n->cert_expiry = info.not_after * 1000;
	n->cert_renew = n->cert_expiry - (info.not_after - info.not_before) * 1000 / RENEW_LEFT;
	n->known = true;
	return true;
}

void login_ask_master(struct node *n, enum priv_kind kind, struct outbox *out)
{
	struct priv_request q;

	memset(&q, 0, sizeof q);
	q.kind = kind;
	memcpy(q.ip4, n->self.ip4, 4);
	memcpy(q.ip6, n->self.ip6, 16);
	memcpy(q.net4, n->net4, 4);
	memcpy(q.net6, n->net6, 16);
	q.bits4 = n->bits4;
	q.bits6 = n->bits6;
	q.mtu = (uint16_t)n->env.conf->node_mtu;
	strcpy(q.domain, n->domain);
	if (kind == PRIV_TUN_UP)
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

/* TLS believed the server by the pinned root; peers are to be believed by no other. */
static bool is_pinned(const struct node *n, struct bytes root)
{
	uint8_t hash[32];

	sha256(hash, root.p, root.n);
	return memcmp(hash, n->login.wish.pin, sizeof hash) == 0;
}

/* us; a time out of bounds must not make the node log in without end. */
static uint64_t key_life(const struct msg_login_response *r)
{
	uint64_t ms = r->expiry - MIN(r->expiry, r->cloud_time), day = 86400 * SEC / MS;

	return MIN(MAX(ms, 60 * SEC / MS), 365 * day) * MS;
}

/* The agent's share of a login: trust, time, registration, resolver, TUN. */
bool login_taken(struct node *n, struct now now, const struct msg_login_response *r,
		 struct outbox *out)
{
	bool first = !n->known;
	char err[256] = "its root certificate is not the pinned one";
	struct trust *trust;

	n->cloud.best_rtt = 0;
	cloud_follow(&n->cloud, now, now.boot - n->login.rtt, r->cloud_time);
	save_cloud_floor(n, now);
	trust = is_pinned(n, r->root) ? trust_new(r->root, r->issuer, err) : NULL;
	if (!trust || !take_name(n, r)) {
		cy_log(LOG_ERROR_, "login answer not usable: %s", trust ? "see above" : err);
		trust_free(trust);
		n->relogin = now.boot + 60 * SEC;
		return false;
	}
	trust_free(n->trust);
	n->trust = trust;
	n->key_expiry = r->expiry;
	n->relogin = now.boot + key_life(r) / RELOGIN_EARLY * (RELOGIN_EARLY - 1);
	start_registrar(n, now, r);
	dns_domain(n->dns, n->domain, n->net4, n->bits4, n->net6, n->bits6);
	if (first || !n->tun_up)
		login_ask_master(n, PRIV_TUN_UP, out);
	cy_log(LOG_INFO, "logged in as %s", n->fqdn);
	return true;
}

void login_keep(struct node *n, const struct msg_login_response *r)
{
	struct msg_login_response *m = &n->said;

	*m = *r;
	memset(m->common_key, 0, sizeof m->common_key);
	m->issuer = m->root = (struct bytes){ NULL, 0 };
	m->certificate.n = MIN(r->certificate.n, sizeof n->said_cert);
	m->certificate.p = n->said_cert;
	memcpy(n->said_cert, r->certificate.p, m->certificate.n);
}

void login_tell(struct node *n, struct now now, unsigned worker, struct outbox *out)
{
	uint8_t body[MSG_MAX_login_response];
	struct node_note note = { .kind = NODE_LOGIN, .body = body };

	n->said.cloud_time = cloud_ms(&n->cloud, now);
	note.len = (uint32_t)msg_write_login_response(body, sizeof body, &n->said);
	node_tell(n, now, worker, &note, out);
}

void login_again(struct node *n, struct now now)
{
	char name[2 * NAME_SIZE];
	uint8_t csr[2048];
	size_t len = 0;

	snprintf(name, sizeof name, "%s", n->env.conf->node_device);
	/*
	 * A certificate with life left is kept: a new one in the midst of a path's set-up would be
	 * another than the one the other end was told.
	 */
	if (!n->known || cloud_ms(&n->cloud, now) >= n->cert_renew)
		len = identity_csr(&n->identity, name, csr, sizeof csr);
	login_start(&n->login, now, csr, len);
	n->relogin = NEVER;
}

/*
 * The NMS hears nobody whose clock is off by a second, and says nothing to them.  The AS does
 * and tells the time.  A silence that ends by itself ends the login too: after an outage not
 * everybody shall need one.
 */
void login_if_lost(struct node *n, struct now now, struct outbox *out)
{
	uint64_t left = n->key_expiry - MIN(n->key_expiry, cloud_ms(&n->cloud, now));
	uint64_t wait = LOST_AGAIN << MIN(n->lost, LOST_DOUBLED);

	if (registrar_ready(&n->registrar)) {
		if (n->lost && n->login.state != LOGIN_DONE && left) {
			login_stop(&n->login, out);
			n->relogin = now.boot + left * MS / RELOGIN_EARLY;
		}
		n->lost = 0;
	} else if (n->login.state == LOGIN_DONE && now.boot >= n->lost_again &&
		   registrar_silence(&n->registrar) >= LOST_TRIES) {
		cy_log(LOG_WARN, "the NMS is silent: logging in again for the right time");
		n->lost++;
		n->lost_again = now.boot + wait + random_u64() % wait;
		login_again(n, now);
	}
}

void login_heard(struct node *n, struct now now, struct bytes body)
{
	struct msg_login_response *m = malloc(sizeof *m);
	char err[256];

	if (!m)
		abort();
	/* the agent made the key file before it could log in */
	if (!n->known && !login_identity(n, err))
		cy_log(LOG_ERROR_, "%s", err);
	else if (msg_read_login_response(m, body.p, body.n) == (long)body.n && take_name(n, m))
		cloud_follow(&n->cloud, now, now.boot, m->cloud_time);
	free(m);
}

/* kx.c - the key exchange that rides in Tunnel Request and Tunnel Response. */
#include "net/proto/kx.h"

static size_t put_end(uint8_t *p, const struct tunnel_end *e)
{
	memcpy(p, e->ip4, 4);
	memcpy(p + 4, e->ip6, 16);
	return 20;
}

/* "CYPHONIC-KX2" | Version | Path ID | both certificates' hashes | both ends' addresses. */
static size_t make_prologue(uint8_t p[160], const struct tunnel_setup *s)
{
	const struct tunnel_end *i = s->initiator ? &s->own : &s->peer;
	const struct tunnel_end *r = s->initiator ? &s->peer : &s->own;
	size_t n = 12;

	memcpy(p, "CYPHONIC-KX2", 12);
	p[n++] = PROTO_VERSION;
	memcpy(p + n, s->path.b, 16);
	memcpy(p + n + 16, i->tbs_hash, 32);
	memcpy(p + n + 48, r->tbs_hash, 32);
	n += 80;
	n += put_end(p + n, i);
	n += put_end(p + n, r);
	return n;
}

static void start_noise(struct tunnel *t, const struct end_key *end)
{
	uint8_t prologue[160], psk[32];
	size_t n = make_prologue(prologue, &t->setup);

	keys_psk(psk, &t->setup.tunnel_key, &t->setup.temporary_key, end);
	noise_init(&t->noise, t->setup.initiator, prologue, n, t->x25519_priv,
		   t->setup.own.x25519, t->setup.peer.x25519, psk);
	wipe(psk, sizeof psk);
}

static void put_offer(uint8_t out[MSG_SIZE_offer], const struct tunnel *t, uint8_t suites)
{
	struct msg_offer o = { .suites = suites, .mtu = t->rules.mtu };

	msg_write_offer(out, MSG_SIZE_offer, &o);
}

/* After both messages: the secrets of generation 0. */
static void take_keys(struct tunnel *t, enum aead_suite suite, struct now now)
{
	struct traffic_secret i2r, r2i;

	noise_split(&t->noise, i2r.b, r2i.b, t->root.b);
	keyring_wipe(&t->keys);
	t->keys.suite = suite;
	t->keys.current = 0;
	keyring_install(&t->keys, 0, &i2r, &r2i, now.boot);
	wipe(&i2r, sizeof i2r);
	wipe(&r2i, sizeof r2i);
}

/* The tunnel stands: what only the exchange needed is gone, and a second one cannot be. */
void kx_forget(struct tunnel *t)
{
	wipe(&t->setup.temporary_key, sizeof t->setup.temporary_key);
	wipe(t->x25519_priv, sizeof t->x25519_priv);
	wipe(t->request.body, sizeof t->request.body);
}

bool kx_make_request(struct tunnel *t, struct now now)
{
	struct msg_tunnel_request m = { .node_id = t->setup.own.node_id };
	uint8_t offer[MSG_SIZE_offer], body[MSG_SIZE_tunnel_request];
	struct end_key end;
	bool good;

	random_bytes(end.b, sizeof end.b);
	keys_wrap_end(m.end_key, &t->setup.temporary_key, &t->setup.path, &end);
	start_noise(t, &end);
	wipe(&end, sizeof end);
	put_offer(offer, t, t->rules.suites);
	good = noise_write(&t->noise, m.noise, offer, sizeof offer);
	msg_write_tunnel_request(body, sizeof body, &m);
	t->transaction = random_u32();
	exchange_start(&t->request, now, t->transaction, TYPE_TUNNEL_REQUEST, body, sizeof body);
	return good;
}

/* The suite both have, ours first; 0 if there is none. */
static enum aead_suite choose(const struct tunnel *t, uint8_t offered)
{
	uint8_t both = offered & t->rules.suites;
	enum aead_suite s;

	if (both & 1u << t->rules.preferred)
		return t->rules.preferred;
	for (s = AEAD_AES128_GCM; s <= AEAD_AES256_GCM; s++)
		if (both & 1u << s)
			return s;
	return 0;
}

/* The responder's half: everything of a Tunnel Request is checked before anything is kept. */
enum verdict kx_take_request(struct tunnel *t, struct now now,
				 const struct msg_tunnel_request *m)
{
	uint8_t payload[MSG_SIZE_offer], choice[MSG_SIZE_offer];
	struct msg_offer offer;
	enum aead_suite suite;
	struct end_key end;

	if (!id_equal(&m->node_id, &t->setup.peer.node_id) ||
	    !keys_unwrap_end(&end, &t->setup.temporary_key, &t->setup.path, m->end_key))
		return V_DROP_BODY;
	start_noise(t, &end);
	wipe(&end, sizeof end);
	if (!noise_read(&t->noise, payload, m->noise, sizeof m->noise))
		return V_DROP_TAG;
	msg_read_offer(&offer, payload, sizeof payload);
	suite = choose(t, offer.suites);
	if (!suite)
		return V_DROP_BODY;
	put_offer(choice, t, suite);
	if (!noise_write(&t->noise, t->response_noise, choice, sizeof choice))
		return V_DROP_BODY;
	memcpy(t->request_noise, m->noise, sizeof t->request_noise);
	t->peer_mtu = offer.mtu;
	take_keys(t, suite, now);
	t->state = TUNNEL_ANSWERED;
	t->born = now.boot;
	return V_PASSED;
}

enum verdict kx_take_response(struct tunnel *t, struct now now,
			      const struct msg_tunnel_response *m)
{
	uint8_t payload[MSG_SIZE_offer];
	struct noise before = t->noise;
	struct msg_offer choice;
	enum verdict v = V_PASSED;

	if (!noise_read(&t->noise, payload, m->noise, sizeof m->noise))
		v = V_DROP_TAG;
	else if (msg_read_offer(&choice, payload, sizeof payload) < 0 ||
		 choice.suites > AEAD_AES256_GCM || !(t->rules.suites & 1u << choice.suites))
		v = V_DROP_BODY;
	if (v == V_PASSED) {
		take_keys(t, choice.suites, now);
		t->peer_mtu = choice.mtu;
	} else {
		t->noise = before;
	}
	noise_wipe(&before);
	return v;
}

/* rekey.c - new data keys inside a standing tunnel. */
#include "net/proto/rekey.h"

#define REKEY_AGAIN (500 * MS)
#define REKEY_APART (100 * MS)		/* a peer may ask for keys all the time, and they cost */

static const struct generation *current(const struct tunnel *t)
{
	return &t->keys.gen[t->keys.current & 3];
}

static uint8_t next_number(const struct tunnel *t)
{
	return (uint8_t)(t->keys.current + 1);
}

/* The responder's state between its answer and the first capsule under the new keys. */
static bool next_is_ready(const struct tunnel *t)
{
	const struct generation *g = &t->keys.gen[next_number(t) & 3];

	return g->live && g->number == next_number(t);
}

static void put_rekey(uint8_t out[MSG_SIZE_rekey], uint8_t control, uint8_t generation,
		      const uint8_t ephemeral[32])
{
	struct msg_rekey m = { .control = control, .generation = generation };

	memcpy(m.ephemeral, ephemeral, 32);
	msg_write_rekey(out, MSG_SIZE_rekey, &m);
}

/* Both ends come here with the same request, response and shared secret. */
static void advance(struct tunnel *t, struct now now, const uint8_t shared[32])
{
	uint8_t both[2 * MSG_SIZE_rekey], transcript[32];
	struct traffic_secret i2r, r2i;

	memcpy(both, t->rekey_request, MSG_SIZE_rekey);
	memcpy(both + MSG_SIZE_rekey, t->rekey_response, MSG_SIZE_rekey);
	sha256(transcript, both, sizeof both);
	keys_rekey(&t->root, &i2r, &r2i, shared, next_number(t), transcript);
	keyring_install(&t->keys, next_number(t), &i2r, &r2i, now.boot);
	wipe(&i2r, sizeof i2r);
	wipe(&r2i, sizeof r2i);
	t->rekeys++;
}

static bool is_used(const struct tunnel *t, const struct generation *g)
{
	return MAX(g->sent, g->seen.top) >= t->rules.rekey_packets;
}

static enum verdict on_request(struct tunnel *t, struct now now, const struct msg_rekey *m,
			       const uint8_t *raw, struct outbox *out)
{
	uint8_t priv[32], pub[32], shared[32];
	bool good;

	if (t->setup.initiator)
		return V_DROP_STATE;
	if (t->rekey_request[0] && memcmp(raw, t->rekey_request, MSG_SIZE_rekey) == 0) {
		tunnel_send_rekey(t, now, t->rekey_response, out);
		return V_CONTROL;
	}
	if (now.boot - current(t)->since < REKEY_APART && !is_used(t, current(t)))
		return V_DROP_LIMIT;
	/* one answer a generation: a second, different request for it is not the initiator's */
	if (m->generation != next_number(t) || keyring_get(&t->keys, m->generation))
		return V_DROP_STATE;
	x25519_make(pub, priv);
	good = x25519_shared(shared, priv, m->ephemeral);
	if (good) {
		memcpy(t->rekey_request, raw, MSG_SIZE_rekey);
		put_rekey(t->rekey_response, CONTROL_REKEY_RESPONSE, m->generation, pub);
		advance(t, now, shared);
		tunnel_send_rekey(t, now, t->rekey_response, out);
	}
	wipe(priv, sizeof priv);
	wipe(shared, sizeof shared);
	return good ? V_CONTROL : V_DROP_BODY;
}

static enum verdict on_response(struct tunnel *t, struct now now, const struct msg_rekey *m,
				const uint8_t *raw, struct outbox *out)
{
	uint8_t shared[32];

	if (!t->setup.initiator || !t->rekeying || m->generation != next_number(t))
		return V_DROP_STATE;
	if (!x25519_shared(shared, t->rekey_priv, m->ephemeral))
		return V_DROP_BODY;
	memcpy(t->rekey_response, raw, MSG_SIZE_rekey);
	advance(t, now, shared);
	t->keys.current = next_number(t);
	t->rekeying = t->rekey_wanted = false;
	t->rekey_again = NEVER;
	wipe(shared, sizeof shared);
	wipe(t->rekey_priv, sizeof t->rekey_priv);
	tunnel_confirm(t, now, out);
	return V_CONTROL;
}

enum verdict rekey_input(struct tunnel *t, struct now now, struct bytes body, struct outbox *out)
{
	struct msg_rekey m;

	if (msg_read_rekey(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	if (m.control == CONTROL_REKEY_REQUEST)
		return on_request(t, now, &m, body.p, out);
	return on_response(t, now, &m, body.p, out);
}

static bool used_up(const struct tunnel *t, const struct generation *g, struct now now)
{
	return now.boot - g->since >= t->rules.rekey_after + t->rules.rekey_after / 2 ||
	       g->sent >= 2 * t->rules.rekey_packets;
}

static bool worn(const struct tunnel *t, const struct generation *g, struct now now)
{
	return now.boot - g->since >= t->rules.rekey_after || g->sent >= t->rules.rekey_packets ||
	       (t->rekey_wanted && (now.boot - g->since >= REKEY_APART || is_used(t, g)));
}

bool rekey_tick(struct tunnel *t, struct now now, struct outbox *out)
{
	const struct generation *g = current(t);
	uint8_t pub[32];

	if (used_up(t, g, now))
		return false;
	if (t->rekeying && now.boot >= t->rekey_again) {
		t->rekey_again = now.boot + REKEY_AGAIN;
		tunnel_send_rekey(t, now, t->rekey_request, out);
	}
	if (t->rekeying || !t->confirmed || next_is_ready(t))
		return true;
	if (!t->setup.initiator) {
		/* the initiator's clock decides first; the responder asks a little later */
		bool late = now.boot - g->since >= t->rules.rekey_after + t->rules.rekey_after / 8;

		if ((late || g->sent >= t->rules.rekey_packets) &&
		    (t->rekey_again == NEVER || now.boot >= t->rekey_again)) {
			t->rekey_again = now.boot + REKEY_AGAIN;
			tunnel_ask_rekey(t, now, out);
		}
	} else if (worn(t, g, now)) {
		x25519_make(pub, t->rekey_priv);
		put_rekey(t->rekey_request, CONTROL_REKEY_REQUEST, next_number(t), pub);
		t->rekeying = true;
		t->rekey_again = now.boot + REKEY_AGAIN;
		tunnel_send_rekey(t, now, t->rekey_request, out);
	}
	return true;
}

uint64_t rekey_expiry(const struct tunnel *t)
{
	const struct generation *g = current(t);
	uint64_t end = g->since + t->rules.rekey_after + t->rules.rekey_after / 2;

	if (next_is_ready(t))
		return end;
	if (t->rekey_again != NEVER)
		return MIN(end, t->rekey_again);
	if (g->sent >= t->rules.rekey_packets)
		return t->confirmed ? 0 : end;
	if (t->rekey_wanted && t->confirmed)
		return is_used(t, g) ? 0 : MIN(end, g->since + REKEY_APART);
	if (t->setup.initiator)
		return t->confirmed ? MIN(end, g->since + t->rules.rekey_after) : end;
	return t->confirmed ? g->since + t->rules.rekey_after + t->rules.rekey_after / 8 : end;
}

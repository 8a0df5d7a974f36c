/* session.c - sealing, opening and numbering of signalling messages. */
#include "net/proto/session.h"
#include "net/proto/outbox.h"

static void session_start(struct session *s, const struct id *id)
{
	s->id = *id;
	s->flags = 0;
	s->last = 0;
	memset(s->seen_bits, 0, sizeof s->seen_bits);
	replay_init(&s->seen, s->seen_bits, REPLAY_SIGNAL_WORDS);
}

void session_common(struct session *s, const struct common_key *key, const struct id *node,
		    bool service)
{
	session_start(s, node);
	keys_common(key, node, service, &s->tx, &s->rx);
}

void session_tunnel(struct session *s, const struct tunnel_key *key, const struct id *path,
		    bool initiator)
{
	session_start(s, path);
	keys_tunnel(key, path, initiator, &s->tx, &s->rx);
}

void session_relay(struct session *s, const struct relay_key *key, const struct id *path,
		   bool initiator, bool trs)
{
	session_start(s, path);
	s->flags = initiator ? 0 : FLAG_DIRECTION;
	keys_relayed(key, path, initiator, trs, &s->tx, &s->rx);
}

void session_vantage(struct session *s, const struct vantage_key *key, const struct id *node,
		     bool trs)
{
	session_start(s, node);
	keys_looking(key, node, trs, &s->tx, &s->rx);
}

void session_free(struct session *s)
{
	aead_free(&s->tx);
	aead_free(&s->rx);
}

size_t session_seal(struct session *s, uint64_t cloud_ms, uint32_t transaction, uint8_t type,
		    uint8_t token, const void *body, size_t n, uint8_t *out)
{
	struct msg_header h = { .transaction = transaction, .version = PROTO_VERSION,
				.flags = s->flags, .type = type, .token = token, .id = s->id };
	size_t whole = HEADER_SIZE + n + TAG_SIZE;

	if (whole > DATAGRAM_MAX)
		return 0;
	s->last = MAX(s->last + 1, cloud_ms);
	h.sequence = (uint32_t)s->last;
	h.length = (uint16_t)whole;
	msg_write_header(out, HEADER_SIZE, &h);
	aead_seal(&s->tx, out + HEADER_SIZE, out, body, n, out, HEADER_SIZE);
	return whole;
}

enum verdict session_open(struct session *s, uint64_t cloud_ms, uint8_t *p, size_t n,
			  const struct msg_header *h, const struct exts *x, struct bytes *body,
			  uint64_t *stamp)
{
	uint8_t *sealed = p + HEADER_SIZE + x->body;
	size_t len = n - HEADER_SIZE - x->body;

	*stamp = replay_expand(cloud_ms, h->sequence);
	if (!replay_fresh(&s->seen, *stamp))
		return V_DROP_REPLAY;
	if (!aead_open(&s->rx, sealed, p, sealed, len, p, HEADER_SIZE + x->body))
		return V_DROP_TAG;
	replay_mark(&s->seen, *stamp);
	body->p = sealed;
	body->n = len - TAG_SIZE;
	return V_PASSED;
}

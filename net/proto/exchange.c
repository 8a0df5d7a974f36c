/* exchange.c - retransmission on one side, remembered answers on the other. */
#include "net/proto/exchange.h"

void exchange_start(struct exchange *x, struct now now, uint32_t transaction, uint8_t type,
		    const void *body, size_t len)
{
	x->transaction = transaction;
	x->type = type;
	x->tries = 0;
	x->next = now.boot;
	x->len = (uint16_t)MIN(len, sizeof x->body);
	memcpy(x->body, body, x->len);
}

enum exchange_step exchange_step(struct exchange *x, struct now now)
{
	uint64_t wait;

	if (!x->type || now.boot < x->next)
		return EXCHANGE_WAIT;
	if (x->tries == EXCHANGE_TRIES) {
		x->type = 0;
		return EXCHANGE_GAVE_UP;
	}
	wait = EXCHANGE_FIRST << x->tries++;
	x->sent = now.boot;
	if (x->tries == 1)
		x->first = now.boot;
	x->next = now.boot + MIN(wait, EXCHANGE_LONGEST);
	return EXCHANGE_SEND;
}

void exchange_hurry(struct exchange *x, struct now now)
{
	x->next = now.boot;
}

bool exchange_is(const struct exchange *x, uint32_t transaction)
{
	return x->type && x->transaction == transaction;
}

void exchange_end(struct exchange *x)
{
	x->type = 0;
}

uint64_t exchange_expiry(const struct exchange *x)
{
	return x->type ? x->next : NEVER;
}

static size_t place(const struct id *peer, uint32_t transaction)
{
	return (get32(peer->b + 12) ^ transaction) % ANSWERS_SLOTS;
}

const struct answer *answers_find(const struct answers *a, struct now now, const struct id *peer,
				  uint32_t transaction)
{
	const struct answer *s = &a->slot[place(peer, transaction)];

	if (s->type && s->transaction == transaction && id_equal(&s->peer, peer) &&
	    now.boot - s->at < ANSWERS_LIFE)
		return s;
	return NULL;
}

void answers_keep(struct answers *a, struct now now, const struct id *peer, uint32_t transaction,
		  uint8_t type, const void *body, size_t len)
{
	struct answer *s = &a->slot[place(peer, transaction)];

	if (len > sizeof s->body)
		return;
	s->peer = *peer;
	s->transaction = transaction;
	s->type = type;
	s->len = (uint16_t)len;
	s->at = now.boot;
	memcpy(s->body, body, len);
}

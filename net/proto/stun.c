/*
 * stun.c - a header, then attributes of type, length and value up to the end.  A number below
 * 0x8000 must be understood by whoever gets it; of an address that comes twice the first counts.
 */
#include "net/proto/stun.h"

#define COOKIE 0x2112a442
#define FINGERPRINT_XOR 0x5354554e
#define FINGERPRINT_SIZE 8

enum type { BINDING_REQUEST = 0x0001, BINDING_SUCCESS = 0x0101, BINDING_ERROR = 0x0111 };

enum attribute {
	MAPPED_ADDRESS = 0x0001, CHANGE_REQUEST = 0x0003, CHANGED_ADDRESS = 0x0005,
	USERNAME = 0x0006, MESSAGE_INTEGRITY = 0x0008, ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a, REALM = 0x0014, NONCE = 0x0015,
	MESSAGE_INTEGRITY_SHA256 = 0x001c, PASSWORD_ALGORITHM = 0x001d, USERHASH = 0x001e,
	XOR_MAPPED_ADDRESS = 0x0020, OPTIONAL = 0x8000, SOFTWARE = 0x8022, FINGERPRINT = 0x8028,
	RESPONSE_ORIGIN = 0x802b, OTHER_ADDRESS = 0x802c,
};

/* ---- fingerprint: CRC-32 of ISO 3309 ---- */

static uint32_t crc32(const uint8_t *p, size_t n)
{
	uint32_t crc = ~(uint32_t)0;
	unsigned bit;

	while (n--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

bool stun_fingerprint_good(const uint8_t *p, size_t n)
{
	return n >= STUN_HEADER + FINGERPRINT_SIZE &&
	       get32(p + n - 4) == (crc32(p, n - FINGERPRINT_SIZE) ^ FINGERPRINT_XOR);
}

/* ---- reading ---- */

/* An address, XORed with cookie and id if `hidden`.  The first of two stays. */
static bool take_address(struct addr *a, const uint8_t *v, size_t n, const uint8_t *hidden)
{
	size_t size = n >= 4 && v[1] == 1 ? 4 : 16, i;

	if (n < 4 || n != 4 + size || (v[1] != 1 && v[1] != 2))
		return false;
	if (a->family)
		return true;
	a->family = v[1] == 1 ? 4 : 6;
	a->port = get16(v + 2);
	memcpy(a->ip, v + 4, size);
	for (i = 0; hidden && i < size; i++)
		a->ip[i] ^= hidden[i];
	if (hidden)
		a->port ^= get16(hidden);
	return true;
}

static bool take_error(struct stun_message *m, const uint8_t *v, size_t n)
{
	if (n < 4)
		return false;
	if ((v[2] & 7) >= 3 && (v[2] & 7) <= 6 && v[3] < 100)
		m->error = (uint16_t)((v[2] & 7) * 100 + v[3]);
	return true;
}

static void take_unknown(struct stun_message *m, uint16_t type)
{
	if (type < OPTIONAL && m->unknowns < STUN_UNKNOWNS)
		m->unknown[m->unknowns++] = type;
}

/* One attribute.  p: the message, whose cookie and id hide addresses. */
static bool take(struct stun_message *m, struct addr *plain, const uint8_t *p, uint16_t type,
		 const uint8_t *v, size_t n)
{
	switch (type) {
	case XOR_MAPPED_ADDRESS:
		return take_address(&m->mapped, v, n, p + 4);
	case MAPPED_ADDRESS:
		return take_address(plain, v, n, NULL);
	case CHANGED_ADDRESS:
	case OTHER_ADDRESS:
		return take_address(&m->other, v, n, NULL);
	case RESPONSE_ORIGIN:
		return take_address(&m->origin, v, n, NULL);
	case CHANGE_REQUEST:
		m->change = n == 4 ? get32(v) & (STUN_CHANGE_PORT | STUN_CHANGE_IP) : 0;
		return n == 4;
	case ERROR_CODE:
		return take_error(m, v, n);
	case FINGERPRINT:
		m->fingerprint = true;
		return n == 4;
	case USERNAME:
	case MESSAGE_INTEGRITY:
	case UNKNOWN_ATTRIBUTES:
	case REALM:
	case NONCE:
	case MESSAGE_INTEGRITY_SHA256:
	case PASSWORD_ALGORITHM:
	case USERHASH:
		return true;		/* known, and nothing to us */
	default:
		take_unknown(m, type);
		return true;
	}
}

/* Behind the sender's seal only another seal and the fingerprint count. */
static bool counts(uint16_t type, bool sealed)
{
	return !sealed || type == FINGERPRINT;
}

static bool take_attributes(struct stun_message *m, const uint8_t *p, size_t n)
{
	struct addr plain = { 0 };
	size_t at = STUN_HEADER, len;
	bool sealed = false;
	uint16_t type;

	while (at < n) {
		/* nothing stands behind a fingerprint; lengths are multiples of 4, so a head fits */
		if (m->fingerprint)
			return false;
		type = get16(p + at);
		len = get16(p + at + 2);
		if (len > n - at - 4)
			return false;
		if (counts(type, sealed) && !take(m, &plain, p, type, p + at + 4, len))
			return false;
		sealed |= type == MESSAGE_INTEGRITY || type == MESSAGE_INTEGRITY_SHA256;
		at += 4 + ((len + 3) & ~(size_t)3);
	}
	if (!m->mapped.family)
		m->mapped = plain;
	return true;
}

bool stun_parse(struct stun_message *m, const uint8_t *p, size_t n)
{
	memset(m, 0, sizeof *m);
	if (n < STUN_HEADER || n % 4 || n != (size_t)STUN_HEADER + get16(p + 2) ||
	    get32(p + 4) != COOKIE)
		return false;
	switch (get16(p)) {
	case BINDING_REQUEST:
		m->kind = STUN_REQUEST;
		break;
	case BINDING_SUCCESS:
		m->kind = STUN_SUCCESS;
		break;
	case BINDING_ERROR:
		m->kind = STUN_ERROR;
		break;
	default:
		return false;
	}
	memcpy(m->id.b, p + 8, sizeof m->id);
	return take_attributes(m, p, n);
}

/* ---- writing ---- */

struct writer {
	uint8_t *p;
	size_t cap, n;
};

/* The next attribute's value, of len octets; NULL when there is no room for it. */
static uint8_t *put(struct writer *w, uint16_t type, size_t len)
{
	size_t whole = 4 + ((len + 3) & ~(size_t)3);
	uint8_t *head = w->p + w->n;

	if (whole > w->cap - w->n)
		return NULL;
	memset(head, 0, whole);
	put16(head, type);
	put16(head + 2, (uint16_t)len);
	w->n += whole;
	put16(w->p + 2, (uint16_t)(w->n - STUN_HEADER));
	return head + 4;
}

static void start(struct writer *w, uint16_t type, const struct stun_id *id)
{
	put16(w->p, type);
	put16(w->p + 2, 0);
	put32(w->p + 4, COOKIE);
	memcpy(w->p + 8, id->b, sizeof id->b);
	w->n = STUN_HEADER;
}

static bool put_address(struct writer *w, uint16_t type, const struct addr *a, bool hidden)
{
	size_t size = a->family == 4 ? 4 : 16, i;
	uint8_t *v = put(w, type, 4 + size);

	if (!v)
		return false;
	v[1] = a->family == 4 ? 1 : 2;
	put16(v + 2, a->port);
	memcpy(v + 4, a->ip, size);
	if (hidden)
		put16(v + 2, a->port ^ get16(w->p + 4));
	for (i = 0; hidden && i < size; i++)
		v[4 + i] ^= w->p[4 + i];
	return true;
}

void stun_request(uint8_t out[STUN_REQUEST_SIZE], const struct stun_id *id, unsigned change)
{
	static const char name[] = "cyphonic " CYPHONIC_VERSION;
	struct writer w = { .p = out, .cap = STUN_REQUEST_SIZE };
	size_t left;
	uint8_t *v;

	start(&w, BINDING_REQUEST, id);
	if (change)
		put32(put(&w, CHANGE_REQUEST, 4), change);
	left = STUN_REQUEST_SIZE - w.n - 4;
	v = put(&w, SOFTWARE, left);
	memset(v, ' ', left);
	memcpy(v, name, sizeof name - 1);
}

/* ---- answering ---- */

static bool put_error(struct writer *w, const struct stun_message *q)
{
	static const char reason[] = "unknown attribute";
	uint8_t *v = put(w, ERROR_CODE, 4 + sizeof reason - 1);
	unsigned i;

	if (!v)
		return false;
	v[2] = 4;
	v[3] = 20;
	memcpy(v + 4, reason, sizeof reason - 1);
	v = put(w, UNKNOWN_ATTRIBUTES, 2 * q->unknowns);
	for (i = 0; v && i < q->unknowns; i++)
		put16(v + 2 * i, q->unknown[i]);
	return v != NULL;
}

static bool put_success(struct writer *w, const struct stun_server *s, const struct addr *from,
			bool from_other)
{
	if (!put_address(w, XOR_MAPPED_ADDRESS, from, true))
		return false;
	if (s->other.family && put_address(w, OTHER_ADDRESS, &s->other, false))
		put_address(w, RESPONSE_ORIGIN, from_other ? &s->other : &s->at, false);
	return true;
}

size_t stun_answer(const struct stun_server *s, uint8_t *out, const uint8_t *p, size_t n,
		   const struct addr *from, bool *from_other)
{
	struct writer w = { .p = out };
	struct stun_message q;
	uint8_t *v;

	*from_other = false;
	if (!stun_parse(&q, p, n) || q.kind != STUN_REQUEST || q.change & STUN_CHANGE_IP ||
	    (q.change && !s->other.family) || (q.fingerprint && !stun_fingerprint_good(p, n)))
		return 0;
	/* the fingerprint is the last to be written and must fit too */
	w.cap = n - (q.fingerprint ? FINGERPRINT_SIZE : 0);
	start(&w, q.unknowns ? BINDING_ERROR : BINDING_SUCCESS, &q.id);
	if (q.unknowns ? !put_error(&w, &q) : !put_success(&w, s, from, q.change != 0))
		return 0;
	if (q.fingerprint) {
		w.cap = n;
		v = put(&w, FINGERPRINT, 4);
		put32(v, crc32(out, w.n - FINGERPRINT_SIZE) ^ FINGERPRINT_XOR);
	}
	*from_other = !q.unknowns && q.change;
	return w.n;
}

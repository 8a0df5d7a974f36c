/*
 * record.c - keys, fields and checksums as octets, written out one by one, so that neither
 * compiler nor machine has a say in what a file means.
 */
#include "store/record.h"

void crc32c_table(uint32_t table[256])
{
	uint32_t i, bit, crc;

	for (i = 0; i < 256; i++) {
		for (crc = i, bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
		table[i] = crc;
	}
}

uint32_t crc32c(const uint32_t table[256], uint32_t crc, const void *p, size_t n)
{
	const uint8_t *q = p;

	for (crc = ~crc; n; n--)
		crc = crc >> 8 ^ table[(crc ^ *q++) & 255];
	return ~crc;
}

/* ---- keys ---- */

void key_octets(struct key *k, enum kind kind, const void *p, size_t n)
{
	k->b[0] = (uint8_t)kind;
	memcpy(k->b + 1, p, n);
	k->n = n + 1;
}

bool key_name(struct key *k, enum kind kind, const char *name)
{
	size_t n = strnlen(name, NAME_SIZE);

	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	key_octets(k, kind, name, n);
	return true;
}

/* ---- fields ---- */

void record_new(struct record *r)
{
	r->writing = true;
	r->bad = false;
	r->n = sizeof r->b - RECORD_CRC;
	r->b[0] = RECORD_LAYOUT;
	r->at = 1;
}

void record_octets(struct record *r, void *p, size_t n)
{
	if (r->bad || n > r->n - r->at) {
		r->bad = true;
		return;
	}
	if (r->writing)
		memcpy(r->b + r->at, p, n);
	else
		memcpy(p, r->b + r->at, n);
	r->at += n;
}

void record_u8(struct record *r, uint8_t *v)
{
	record_octets(r, v, 1);
}

/* Writing leaves *v as it is, reading overwrites what was put: the same three lines do both. */
void record_u16(struct record *r, uint16_t *v)
{
	uint8_t b[2];

	put16(b, *v);
	record_octets(r, b, sizeof b);
	*v = get16(b);
}

void record_u32(struct record *r, uint32_t *v)
{
	uint8_t b[4];

	put32(b, *v);
	record_octets(r, b, sizeof b);
	*v = get32(b);
}

void record_u64(struct record *r, uint64_t *v)
{
	uint8_t b[8];

	put64(b, *v);
	record_octets(r, b, sizeof b);
	*v = get64(b);
}

void record_text(struct record *r, char *s, size_t size)
{
	size_t length = r->writing ? strnlen(s, size) : 0;
	uint8_t n = (uint8_t)length;

	if (length > 255)
		r->bad = true;
	record_u8(r, &n);
	if (n >= size)
		r->bad = true;
	record_octets(r, s, n);
	if (!r->bad)
		s[n] = '\0';
}

size_t record_left(const struct record *r)
{
	return r->n - r->at;
}

bool record_complete(const struct record *r)
{
	return !r->bad && r->at == r->n;
}

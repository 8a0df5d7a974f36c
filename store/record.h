/*
 * record.h - what stands in the store, octet by octet.
 *
 * A key is an octet for the kind, then the name.  A value is
 *   layout (1) | fields, integers in network order | CRC32C (4) of key, layout and fields
 * so that a record found under a key it was not written for is damaged too.
 */
#ifndef RECORD_H
#define RECORD_H

#include "cyphonic.h"

/* ---- keys ---- */

enum kind {
	KIND_META = 'm',
	KIND_ACCOUNT = 'a',
	KIND_DEVICE = 'd',		/* by FQDN: the record; the next three hold the FQDN */
	KIND_DEVICE_ID = 'i',
	KIND_DEVICE_IP4 = '4',
	KIND_DEVICE_IP6 = '6',
	KIND_REGISTRATION = 'r',
};

struct key {
	size_t n;
	uint8_t b[1 + NAME_MAX_LEN];
};

/* n at most NAME_MAX_LEN. */
void key_octets(struct key *k, enum kind kind, const void *p, size_t n);
/* False when name is empty or longer than NAME_MAX_LEN: then no such record can exist. */
bool key_name(struct key *k, enum kind kind, const char *name);

/* ---- records: one list of fields, walked in the same order to write and to read ---- */

#define RECORD_MAX 1536			/* all of a value: stays inside one LMDB page */
#define RECORD_CRC 4
#define RECORD_LAYOUT 1

struct record {
	size_t at, n;			/* where we are, where the fields end */
	bool writing;
	bool bad;			/* a field did not fit: all further ones do nothing */
	uint8_t b[RECORD_MAX];
};

/* An empty one to write into.  db_get() makes those to read from. */
void record_new(struct record *r);
void record_octets(struct record *r, void *p, size_t n);
void record_u8(struct record *r, uint8_t *v);
void record_u16(struct record *r, uint16_t *v);
void record_u32(struct record *r, uint32_t *v);
void record_u64(struct record *r, uint64_t *v);
/* A string of at most size - 1 and 255 octets, NUL-terminated in memory. */
void record_text(struct record *r, char *s, size_t size);
/* Octets not read yet. */
size_t record_left(const struct record *r);
/* Reading: every field was there and nothing is left over. */
bool record_complete(const struct record *r);

/* ---- checksum ---- */

void crc32c_table(uint32_t table[256]);
/* Continues crc (0 at first) over n octets. */
uint32_t crc32c(const uint32_t table[256], uint32_t crc, const void *p, size_t n);

#endif

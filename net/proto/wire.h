/*
 * wire.h - the wire law as C: everything here is made from wire.def.
 *
 * For each STRUCT(name) there is struct msg_name in host order, msg_read_name(),
 * msg_write_name(), and its sizes.  No packet octet is touched outside wire.c, ext.c and
 * the sealing of whole messages.
 */
#ifndef WIRE_H
#define WIRE_H

#include "cyphonic.h"
#include <stdio.h>

#define PROTO_VERSION 4
#define HEADER_SIZE 32
#define TAG_SIZE 16
#define MESSAGE_MIN (HEADER_SIZE + TAG_SIZE)

#define EXT_REFUSE_UNKNOWN 0x80		/* in a `next` field, beside the number */

enum msg_type {
#define TYPE(number, NAME_, name, state, key, text) TYPE_##NAME_ = number,
#include "net/proto/wire.def"
};

enum msg_flag {
#define FLAG(name, NAME_, mask, text) FLAG_##NAME_ = mask,
#include "net/proto/wire.def"
};

enum msg_ext {
#define EXT(number, NAME_, name, state, octets, text) EXT_##NAME_ = number,
#include "net/proto/wire.def"
};

/* Answers carry 0 for success, else one of these. */
enum reason {
#define REASON(number, NAME_, name, text) REASON_##NAME_ = number,
#include "net/proto/wire.def"
};

/* `kind` of an address: the host's own, as the NMS saw it, or a service's. */
enum address_kind { ADDRESS_REAL = 1, ADDRESS_MAPPED, ADDRESS_SERVICE };

/* What protects a message of a type. */
enum type_key { KEY_NONE, KEY_TLS, KEY_COMMON, KEY_TUNNEL, KEY_DATA };

/*
 * The structs, in host order.  A NAME is a canonical name or "".  A BLOB points into the
 * packet after reading (valid as long as that is) and is copied when writing.  A LIST has
 * its length in name_n.
 */
#define STRUCT(name, text) struct msg_##name {
#define U8(name, text) uint8_t name;
#define U16(name, text) uint16_t name;
#define U32(name, text) uint32_t name;
#define U64(name, text) uint64_t name;
#define RAW(name, octets, text) uint8_t name[octets];
#define IDF(name, text) struct id name;
#define NAME(name, text) char name[NAME_SIZE];
#define BLOB(name, max, text) struct bytes name;
#define LIST(name, part, max, text) struct msg_##part name[max]; uint8_t name##_n;
#define END(name) };
#include "net/proto/wire.def"

/* Octets on the wire: the fewest, with every NAME, BLOB and LIST empty. */
enum {
#define STRUCT(name, text) MSG_MIN_##name = 0
#define U8(name, text) + 1
#define U16(name, text) + 2
#define U32(name, text) + 4
#define U64(name, text) + 8
#define RAW(name, octets, text) + octets
#define IDF(name, text) + 16
#define NAME(name, text) + 2
#define BLOB(name, max, text) + 2
#define LIST(name, part, max, text) + 1
#define END(name) ,
#include "net/proto/wire.def"
};

/* The most, with all of them full. */
enum {
#define STRUCT(name, text) MSG_MAX_##name = 0
#define U8(name, text) + 1
#define U16(name, text) + 2
#define U32(name, text) + 4
#define U64(name, text) + 8
#define RAW(name, octets, text) + octets
#define IDF(name, text) + 16
#define NAME(name, text) + 2 + NAME_MAX_LEN
#define BLOB(name, max, text) + 2 + max
#define LIST(name, part, max, text) + 1 + max * MSG_MAX_##part
#define END(name) ,
#include "net/proto/wire.def"
};

/* Where both are the same; -1 elsewhere, so that an array of that size does not compile. */
enum {
#define STRUCT(name, text) \
	MSG_SIZE_##name = (int)MSG_MIN_##name == (int)MSG_MAX_##name ? (int)MSG_MAX_##name : -1,
#define END(name)
#include "net/proto/wire.def"
};

_Static_assert(MSG_SIZE_header == HEADER_SIZE, "the base header is 32 octets as published");

/*
 * msg_read_x(m, p, n): takes one from the front of p.  Octets consumed, or -1: too short, a
 * list or blob over its limit, a name not canonical; m is then not to be used.  Octets left
 * over are the caller's to judge.
 * msg_write_x(out, cap, m): octets written; 0: cap is too small, or m breaks a limit.
 */
#define STRUCT(name, text) \
	long msg_read_##name(struct msg_##name *m, const uint8_t *p, size_t n); \
	size_t msg_write_##name(uint8_t *out, size_t cap, const struct msg_##name *m);
#define END(name)
#include "net/proto/wire.def"

/* Words for logs ("keep_alive") and the manual's sentences; "unknown" for other numbers. */
const char *type_name(uint8_t type);
const char *type_text(uint8_t type);
const char *reason_name(uint16_t reason);	/* "ok" for 0 */
const char *reason_text(uint16_t reason);

bool type_known(uint8_t type);			/* has a row in wire.def */
bool type_used(uint8_t type);			/* and is not reserved for later work */
enum type_key type_key(uint8_t type);		/* KEY_NONE for unknown types */

/* The tables of cyphonic-protocol(7) as mdoc, and a dictionary for libFuzzer. */
void wire_print_manual(FILE *f);
void wire_print_dictionary(FILE *f);

#endif

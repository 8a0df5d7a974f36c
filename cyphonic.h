/*
 * cyphonic.h - the vocabulary every room shares: bytes, ids, addresses, time, log.
 * Includes nothing of ours; everything else may include it.
 */
#ifndef CYPHONIC_H
#define CYPHONIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CYPHONIC_VERSION "0.1"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* ---- time ---- */

#define MS ((uint64_t)1000)
#define SEC (1000 * MS)

/*
 * One look at the clocks, taken by whoever owns the loop and handed down: nothing below
 * net/io/ reads a clock.  Both in microseconds.
 */
struct now {
	uint64_t boot;		/* CLOCK_BOOTTIME: never steps, counts through suspend */
	uint64_t wall;		/* CLOCK_REALTIME since 1970: may step at any time */
};

#define NEVER UINT64_MAX	/* an expiry (boot clock) that does not come */

/* ---- bytes ---- */

/* Bytes somebody else owns, valid for the call. */
struct bytes {
	const uint8_t *p;
	size_t n;
};

/* memset that the compiler may not drop: for everything that held a key. */
static inline void wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static inline void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

/* ---- names of things ---- */

/* A Node ID or a Path ID: 128 bits, compared as bytes, the smaller first. */
struct id {
	uint8_t b[16];
};

static inline bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool id_is_zero(const struct id *a)
{
	static const struct id zero;

	return id_equal(a, &zero);
}

/* The worker that owns an id: the rule the kernel's steering program follows too. */
static inline unsigned id_owner(const struct id *a, unsigned workers)
{
	return a->b[15] % workers;
}

#define NAME_MAX_LEN 253	/* octets of a domain name in text form, RFC 1035 2.3.4 */
#define NAME_SIZE (NAME_MAX_LEN + 1)

/*
 * A transport address of the real network.  family: 4, 6, or 0 for none; ip holds 4 or 16
 * octets in network order, the rest zero; port in host order; scope is the interface
 * index of a link-local IPv6 address.  Never a v4-mapped address.
 */
struct addr {
	uint8_t family;
	uint8_t ip[16];
	uint16_t port;
	uint32_t scope;
};

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port && a->scope == b->scope &&
	       memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static inline bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

#define ADDR_TEXT 64		/* room for addr_text() */

/* ---- log ---- */

enum log_level { LOG_ERROR_, LOG_WARN, LOG_INFO, LOG_DEBUG };

/*
 * Says one line.  Declared here, owned by the program: cyphonic.c and every test bring
 * their own.  Never pass a key, a password or a token.
 */
void cy_log(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- text forms (text.c at the top: the only code that belongs to nobody else) ---- */

/* "192.0.2.1:4503", "[2001:db8::1]:4503", "-" for none.  Returns out. */
const char *addr_text(char out[ADDR_TEXT], const struct addr *a);
/* Like addr_text() without the port. */
const char *ip_text(char out[ADDR_TEXT], const struct addr *a);
/* Parses a bare IPv4 (strict dotted quad) or IPv6 address; port from the argument. */
bool ip_parse(struct addr *a, const char *text, uint16_t port);
/* 32 hex digits. */
const char *id_text(char out[33], const struct id *id);
/* Lower-case hex of n bytes; out holds 2n + 1. */
const char *hex_text(char *out, const uint8_t *p, size_t n);
/* Reads exactly 2n hex digits; false for anything else. */
bool hex_parse(uint8_t *out, size_t n, const char *text);
/*
 * The one canonical form of a domain name: lower case, no trailing dot, letters, digits
 * and hyphens in labels of 1 to 63, at most 253 octets.  False (out untouched) if name
 * cannot be brought into it.  Names are compared in this form only.
 */
bool name_canonical(char out[NAME_SIZE], const char *name);
/* True when name (canonical) is domain (canonical) or stands below it. */
bool name_within(const char *name, const char *domain);
/* Letters to insert, delete or change to make b of a (Levenshtein); of b the first 31 count. */
unsigned text_distance(const char *a, const char *b);

#endif

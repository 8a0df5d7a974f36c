/*
 * gate.h - the front door: everything that can be said of a datagram without a key, a table or
 * a clock, cheapest first.
 */
#ifndef GATE_H
#define GATE_H

#include "net/proto/ext.h"

/* The ID a datagram of at least HEADER_SIZE octets names: what it is steered and looked up by. */
static inline const struct id *gate_id(const uint8_t *p)
{
	return (const struct id *)(p + HEADER_SIZE - sizeof(struct id));
}

/*
 * Checks one datagram in this order:
 *   V_DROP_SHORT      fewer than MESSAGE_MIN octets, or `length` is not n
 *   V_DROP_VERSION    not PROTO_VERSION
 *   V_DROP_TYPE       no such type, or one that travels inside TLS only
 *   V_DROP_RESERVED   a type for later work
 *   V_DROP_FLAG       a flag bit that has no use in this type, or a Count
 *                     outside a capsule of virtual packets
 *   V_DROP_EXTENSION  see ext_walk()
 * V_PASSED: h and x are filled; the body (still sealed) is the n - MESSAGE_MIN - x->body
 * octets at p + HEADER_SIZE + x->body, the tag the last TAG_SIZE.
 */
enum verdict gate_check(const uint8_t *p, size_t n, struct msg_header *h, struct exts *x);

#endif

/* ext.h - the chain of extension headers between base header and body. */
#ifndef EXT_H
#define EXT_H

#include "net/proto/verdict.h"
#include "net/proto/wire.h"

#define EXT_CHAIN_MAX 8			/* extension headers in one message */
#define EXT_SIZE_MAX (255 * 4)		/* octets of one, its first two included */

/* What a chain held.  Of each kind in use, its octets behind next and length; p NULL: absent. */
struct exts {
	size_t body;			/* octets of the whole chain: the body starts there */
#define EXT(number, NAME_, name, state, octets, text) struct bytes name;
#include "net/proto/wire.def"
};

/*
 * Walks the chain.  first: the base header's `next`; p, n: what follows the base header,
 * without the tag.  V_PASSED, or V_DROP_EXTENSION: a kind comes twice, a length of zero or
 * beyond n or not its kind's, more than EXT_CHAIN_MAX, or an unknown one with
 * EXT_REFUSE_UNKNOWN.  Other unknown ones, and kinds reserved for later, are skipped.
 */
enum verdict ext_walk(uint8_t first, const uint8_t *p, size_t n, struct exts *out);

/*
 * One padding extension of at least `octets` (rounded up to a multiple of 4, at least 4), zero
 * inside; next: what follows it, 0 for the body.  Whoever links to it writes EXT_PADDING.
 * Octets written, or 0: more than EXT_SIZE_MAX or than cap.
 */
size_t ext_write_padding(uint8_t *out, size_t cap, uint8_t next, size_t octets);

#endif

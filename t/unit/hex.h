/* hex.h - test vectors as they are printed: hex digits, blanks between them allowed. */
#ifndef HEX_H
#define HEX_H

#include "cyphonic.h"
#include <stdlib.h>

/* Octets of hex into out (cap octets); returns how many.  A vector that does not fit is our bug. */
__attribute__((unused))
static size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex += 2) {
		char pair[3] = { hex[0], hex[1] };

		if (*hex == ' ') {
			hex--;
			continue;
		}
		if (n == cap || !hex_parse(out + n++, 1, pair))
			abort();
	}
	return n;
}

/* True when n octets are exactly what hex says. */
__attribute__((unused))
static bool is_hex(const void *got, size_t n, const char *hex)
{
	uint8_t want[1024];

	return unhex(want, sizeof want, hex) == n && memcmp(got, want, n) == 0;
}

/* A small generator for tests that want the same numbers every time (xorshift64*). */
__attribute__((unused))
static uint64_t next_number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717u;
}

#endif

/* digest.h - SHA-256 of what comes in pieces. */
#ifndef DIGEST_H
#define DIGEST_H

#include "cyphonic.h"

struct digest {
	uint64_t state[16];
};

void digest_start(struct digest *d);
void digest_add(struct digest *d, const void *p, size_t n);
void digest_end(struct digest *d, uint8_t out[32]);

#endif

/* password.h - password hashes: scrypt (RFC 7914), the cost a field of the record. */
#ifndef PASSWORD_H
#define PASSWORD_H

#include "cyphonic.h"

struct password_hash {
	uint8_t log2_n;		/* cost: 2^log2_n; tests use 4, the default setting is 15 */
	uint8_t r, p;		/* 8 and 1 */
	uint8_t salt[16];
	uint8_t hash[32];
};

/* Slow on purpose: only in the helper and in command-line verbs.  False: cost out of bounds (log2_n 1..20) or no memory. */
bool password_make(struct password_hash *h, const void *password, size_t n, uint8_t log2_n);
bool password_check(const struct password_hash *h, const void *password, size_t n);

#endif

/* digest.c - BoringSSL's SHA-256 behind a type of ours. */
#include "crypto/digest.h"
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct digest), "room for BoringSSL's state");

void digest_start(struct digest *d)
{
	SHA256_Init((SHA256_CTX *)(void *)d->state);
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	SHA256_Update((SHA256_CTX *)(void *)d->state, p, n);
}

void digest_end(struct digest *d, uint8_t out[32])
{
	SHA256_Final(out, (SHA256_CTX *)(void *)d->state);
}

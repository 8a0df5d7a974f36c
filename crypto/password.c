/* password.c - scrypt, and bounds on a cost that comes out of a record. */
#include "crypto/password.h"
#include "crypto/aead.h"
#include <openssl/err.h>
#include <openssl/evp.h>

static bool stretch(uint8_t out[32], const struct password_hash *h, const void *password, size_t n)
{
	uint64_t cost;
	size_t memory;

	/* above this a damaged record would be a way to stop the helper */
	if (h->log2_n < 1 || h->log2_n > 20 || h->r != 8 || h->p != 1)
		return false;
	cost = (uint64_t)1 << h->log2_n;
	/* the library's own limit, 32 MiB, is below the default cost; it counts like this */
	memory = 128 * (size_t)h->r * (size_t)(cost + h->p + 1);
	if (EVP_PBE_scrypt(password, n, h->salt, sizeof h->salt, cost, h->r, h->p, memory, out, 32))
		return true;
	ERR_clear_error();
	return false;
}

bool password_make(struct password_hash *h, const void *password, size_t n, uint8_t log2_n)
{
	memset(h, 0, sizeof *h);
	h->log2_n = log2_n;
	h->r = 8;
	h->p = 1;
	random_bytes(h->salt, sizeof h->salt);
	return stretch(h->hash, h, password, n);
}

bool password_check(const struct password_hash *h, const void *password, size_t n)
{
	uint8_t got[32];
	bool good = stretch(got, h, password, n) && same_secret(got, h->hash, sizeof got);

	wipe(got, sizeof got);
	return good;
}

/*
 * ledger.c - did ever two messages share a key and a nonce?
 *
 * Enters 64 bits of SipHash of key name and nonce: among the ten million seals of a long run
 * two different ones meet with a chance of about one in a million, and one that met would be
 * looked into, as same seed means same run.
 */
#include "t/sim/ledger.h"
#include "crypto/aead.h"
#include <stdlib.h>

#define FIRST_SIZE ((size_t)1 << 16)

/* Open addressing; 0 is a free place. */
static struct ledger {
	uint64_t *mark;
	size_t size, used;
	uint64_t seals, duplicates;
} book;

void __real_aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);
void __wrap_aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);

static uint64_t *make_book(size_t size)
{
	uint64_t *mark = calloc(size, sizeof *mark);

	if (!mark)
		abort();
	return mark;
}

/* True when it was there already. */
static bool enter(uint64_t mark)
{
	size_t i = mark & (book.size - 1);

	while (book.mark[i] && book.mark[i] != mark)
		i = (i + 1) & (book.size - 1);
	if (book.mark[i])
		return true;
	book.mark[i] = mark;
	book.used++;
	return false;
}

static void grow(void)
{
	struct ledger old = book;
	size_t i;

	book.size *= 2;
	book.used = 0;
	book.mark = make_book(book.size);
	for (i = 0; i < old.size; i++)
		if (old.mark[i])
			enter(old.mark[i]);
	free(old.mark);
}

void ledger_open(void)
{
	ledger_close();
	book.size = FIRST_SIZE;
	book.mark = make_book(book.size);
}

void ledger_close(void)
{
	free(book.mark);
	memset(&book, 0, sizeof book);
}

uint64_t ledger_seals(void)
{
	return book.seals;
}

uint64_t ledger_duplicates(void)
{
	return book.duplicates;
}

void __wrap_aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len)
{
	static const uint8_t salt[16] = "ledger";
	uint8_t both[8 + AEAD_NONCE];

	if (book.mark) {
		memcpy(both, a->key_name, 8);
		memcpy(both + 8, nonce, AEAD_NONCE);
		if (book.used * 4 > book.size * 3)
			grow();
		book.seals++;
		book.duplicates += enter(siphash(salt, both, sizeof both) | 1);
	}
	__real_aead_seal(a, out, nonce, in, n, ad, ad_len);
}

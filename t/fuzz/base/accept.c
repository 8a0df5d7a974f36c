/*
 * accept.c - locks that open to everybody: what aead_open() and TLS are in the fuzz targets
 * (ld --wrap).  While fuzz_accept is false an AEAD is the real one.
 */
#include "crypto/tls.h"
#include "t/fuzz/base/base.h"

bool fuzz_accept;

bool __real_aead_open(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);
bool __wrap_aead_open(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);

bool __wrap_aead_open(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len)
{
	if (!fuzz_accept)
		return __real_aead_open(a, out, nonce, in, n, ad, ad_len);
	must(a->suite);			/* a key that was wiped opens nothing */
	if (n < AEAD_TAG)
		return false;
	memmove(out, in, n - AEAD_TAG);
	return true;
}

/* ---- TLS: the first feed opens it, what comes in is read, what is written goes out ---- */

struct tls {
	enum tls_state state;
	size_t in_n, out_n;
	uint8_t in[65536], out[65536];
};

struct tls_context *__wrap_tls_server(const struct identity *who, struct bytes leaf,
				      struct bytes issuer, struct bytes root, char *err);
struct tls_context *__wrap_tls_client(const uint8_t pin[32], char *err);
void __wrap_tls_context_free(struct tls_context *c);
struct tls *__wrap_tls_new(struct tls_context *c, uint64_t now);
void __wrap_tls_free(struct tls *t);
enum tls_state __wrap_tls_feed(struct tls *t, const uint8_t *in, size_t n);
size_t __wrap_tls_take(struct tls *t, uint8_t *out, size_t cap);
size_t __wrap_tls_read(struct tls *t, uint8_t *out, size_t cap);
bool __wrap_tls_write(struct tls *t, const uint8_t *in, size_t n);
void __wrap_tls_end(struct tls *t);
enum tls_state __wrap_tls_state(const struct tls *t);
const char *__wrap_tls_error(const struct tls *t);

struct tls_context *__wrap_tls_server(const struct identity *who, struct bytes leaf,
				      struct bytes issuer, struct bytes root, char *err)
{
	return malloc(1);
}

struct tls_context *__wrap_tls_client(const uint8_t pin[32], char *err)
{
	return malloc(1);
}

void __wrap_tls_context_free(struct tls_context *c)
{
	free(c);
}

struct tls *__wrap_tls_new(struct tls_context *c, uint64_t now)
{
	struct tls *t = malloc(sizeof *t);

	if (!t)
		abort();
	t->state = TLS_HANDSHAKE;
	t->in_n = t->out_n = 0;
	return t;
}

void __wrap_tls_free(struct tls *t)
{
	free(t);
}

/* Nothing at all ends it; an octet of 255 in front of the first piece is a failed handshake. */
enum tls_state __wrap_tls_feed(struct tls *t, const uint8_t *in, size_t n)
{
	if (t->state == TLS_ENDED || t->state == TLS_FAILED)
		return t->state;
	if (n == 0)
		return t->state = TLS_ENDED;
	if (t->state == TLS_HANDSHAKE && in[0] == 255)
		return t->state = TLS_FAILED;
	t->state = TLS_OPEN;
	n = MIN(n, sizeof t->in - t->in_n);
	memcpy(t->in + t->in_n, in, n);
	t->in_n += n;
	return t->state;
}

static size_t take(uint8_t *out, size_t cap, uint8_t *from, size_t *n)
{
	size_t k = MIN(cap, *n);

	memcpy(out, from, k);
	memmove(from, from + k, *n - k);
	*n -= k;
	return k;
}

size_t __wrap_tls_take(struct tls *t, uint8_t *out, size_t cap)
{
	return take(out, cap, t->out, &t->out_n);
}

size_t __wrap_tls_read(struct tls *t, uint8_t *out, size_t cap)
{
	return t->state == TLS_OPEN ? take(out, cap, t->in, &t->in_n) : 0;
}

bool __wrap_tls_write(struct tls *t, const uint8_t *in, size_t n)
{
	if (t->state != TLS_OPEN || n > sizeof t->out - t->out_n)
		return false;
	memcpy(t->out + t->out_n, in, n);
	t->out_n += n;
	return true;
}

void __wrap_tls_end(struct tls *t)
{
	t->state = TLS_ENDED;
}

enum tls_state __wrap_tls_state(const struct tls *t)
{
	return t->state;
}

const char *__wrap_tls_error(const struct tls *t)
{
	return "handshake failed";
}

/*
 * tls.c - TLS 1.3 as a machine without I/O: ciphertext in, ciphertext out, plaintext both
 * ways, over two memory BIOs.  A client trusts one root by its SHA-256 and nothing else.
 */
#include "crypto/tls.h"
#include "crypto/x509.h"
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define CHAIN_MAX 4

static const uint8_t alpn[] = "\x08" "cyphonic";
#define ALPN_SIZE (sizeof alpn - 1)

struct tls_context {
	SSL_CTX *ctx;
	bool server;
	uint8_t pin[32];
};

struct tls {
	SSL *ssl;
	BIO *in, *out;		/* owned by ssl */
	enum tls_state state;
	uint64_t now;
	uint8_t pin[32];
	char error[ERR_SIZE];
};

/* ---- whom a client trusts ---- */

static bool is_pinned(const struct tls *t, const CRYPTO_BUFFER *cert)
{
	uint8_t hash[32];

	sha256(hash, CRYPTO_BUFFER_data(cert), CRYPTO_BUFFER_len(cert));
	return memcmp(hash, t->pin, sizeof hash) == 0;
}

static bool root_unknown(struct tls *t, const STACK_OF(CRYPTO_BUFFER) *chain)
{
	size_t n = sk_CRYPTO_BUFFER_num(chain);
	const CRYPTO_BUFFER *last = sk_CRYPTO_BUFFER_value(chain, n - 1);
	char want[65], got[65];
	uint8_t hash[32];

	sha256(hash, CRYPTO_BUFFER_data(last), CRYPTO_BUFFER_len(last));
	return x509_fail(t->error, "the server's root certificate is not the pinned one "
			 "(pinned sha256 %s, got %s): compare with 'cyphonic ca fingerprint' on the AS",
			 hex_text(want, t->pin, 32), hex_text(got, hash, 32));
}

static bool chain_parse(struct tls *t, const STACK_OF(CRYPTO_BUFFER) *chain, X509 *x[CHAIN_MAX],
			size_t *root)
{
	size_t n = sk_CRYPTO_BUFFER_num(chain), i;

	*root = n;
	if (n > CHAIN_MAX)
		return x509_fail(t->error, "the server sent %zu certificates, at most %d are taken",
				 n, CHAIN_MAX);
	for (i = 0; i < n; i++) {
		const CRYPTO_BUFFER *cert = sk_CRYPTO_BUFFER_value(chain, i);

		x[i] = x509_parse(CRYPTO_BUFFER_data(cert), CRYPTO_BUFFER_len(cert));
		if (!x[i])
			return x509_fail(t->error, "certificate %zu of the server is not X.509",
					 i + 1);
		if (is_pinned(t, cert))
			*root = i;
	}
	return *root < n || root_unknown(t, chain);
}

static bool server_trusted(struct tls *t, const STACK_OF(CRYPTO_BUFFER) *chain)
{
	X509 *x[CHAIN_MAX] = { NULL };
	STACK_OF(X509) *others = sk_X509_new_null();
	size_t root, i;
	bool good = others && chain_parse(t, chain, x, &root);

	for (i = 1; good && i < CHAIN_MAX; i++)
		if (x[i] && i != root)
			good = sk_X509_push(others, x[i]) != 0;
	good = good && x509_chain(x[0], x[root], others, t->now, XKU_SSL_SERVER, t->error);
	sk_X509_free(others);
	for (i = 0; i < CHAIN_MAX; i++)
		X509_free(x[i]);
	return good;
}

static enum ssl_verify_result_t verify_server(SSL *ssl, uint8_t *alert)
{
	struct tls *t = SSL_get_app_data(ssl);
	const STACK_OF(CRYPTO_BUFFER) *chain = SSL_get0_peer_certificates(ssl);

	*alert = SSL_AD_BAD_CERTIFICATE;
	if (!chain || sk_CRYPTO_BUFFER_num(chain) == 0)
		return ssl_verify_invalid;
	return server_trusted(t, chain) ? ssl_verify_ok : ssl_verify_invalid;
}

/* ---- contexts ---- */

static int choose_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
		       unsigned in_len, void *arg)
{
	uint8_t *chosen;

	if (SSL_select_next_proto(&chosen, out_len, in, in_len, alpn, ALPN_SIZE) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* Only resumption asks for the time, and there is none. */
static void no_clock(const SSL *ssl, struct timeval *out)
{
	out->tv_sec = 1;
	out->tv_usec = 0;
}

static bool context_set(SSL_CTX *ctx)
{
	static const uint16_t signatures[] = { SSL_SIGN_ED25519, SSL_SIGN_ECDSA_SECP256R1_SHA256 };
	static const int curves[] = { NID_X25519 };

	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_current_time_cb(ctx, no_clock);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
	       SSL_CTX_set1_curves(ctx, curves, ARRAY_SIZE(curves)) &&
	       SSL_CTX_set_verify_algorithm_prefs(ctx, signatures, ARRAY_SIZE(signatures)) &&
	       SSL_CTX_set_signing_algorithm_prefs(ctx, signatures, ARRAY_SIZE(signatures)) &&
	       SSL_CTX_set_alpn_protos(ctx, alpn, ALPN_SIZE) == 0;
}

static struct tls_context *context_new(bool server, char *err)
{
	struct tls_context *c = calloc(1, sizeof *c);

	ERR_clear_error();
	if (c)
		c->ctx = SSL_CTX_new(TLS_with_buffers_method());
	if (c && c->ctx && context_set(c->ctx)) {
		c->server = server;
		return c;
	}
	x509_fail(err, "no TLS context: out of memory");
	tls_context_free(c);
	return NULL;
}

void tls_context_free(struct tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}

struct tls_context *tls_server(const struct identity *who, struct bytes leaf, struct bytes issuer,
			       struct bytes root, char *err)
{
	struct tls_context *c = context_new(true, err);
	EVP_PKEY *key = x509_key(who);
	CRYPTO_BUFFER *chain[] = {
		CRYPTO_BUFFER_new(leaf.p, leaf.n, NULL),
		CRYPTO_BUFFER_new(issuer.p, issuer.n, NULL),
		CRYPTO_BUFFER_new(root.p, root.n, NULL),
	};
	size_t i;

	if (c && !(key && chain[0] && chain[1] && chain[2] &&
		   SSL_CTX_set_chain_and_key(c->ctx, chain, ARRAY_SIZE(chain), key, NULL))) {
		x509_fail(err, "the server's certificate and key do not belong together");
		tls_context_free(c);
		c = NULL;
	}
	if (c)
		SSL_CTX_set_alpn_select_cb(c->ctx, choose_alpn, NULL);
	for (i = 0; i < ARRAY_SIZE(chain); i++)
		CRYPTO_BUFFER_free(chain[i]);
	EVP_PKEY_free(key);
	return c;
}

struct tls_context *tls_client(const uint8_t pin[32], char *err)
{
	struct tls_context *c = context_new(false, err);

	if (!c)
		return NULL;
	memcpy(c->pin, pin, sizeof c->pin);
	SSL_CTX_set_custom_verify(c->ctx, SSL_VERIFY_PEER, verify_server);
	return c;
}

/* ---- connections ---- */

/* Why, if nothing more exact was said before; always TLS_FAILED. */
static enum tls_state failed(struct tls *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static enum tls_state failed(struct tls *t, const char *fmt, ...)
{
	va_list ap;

	if (!t->error[0]) {
		va_start(ap, fmt);
		vsnprintf(t->error, sizeof t->error, fmt, ap);
		va_end(ap);
	}
	ERR_clear_error();
	return t->state = TLS_FAILED;
}

/* What BoringSSL's refusal to go on means. */
static enum tls_state judge(struct tls *t, int result)
{
	int why = SSL_get_error(t->ssl, result), reason;
	uint32_t e = ERR_peek_error();
	const char *text;

	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return t->state;
	if (why == SSL_ERROR_ZERO_RETURN) {
		ERR_clear_error();
		return t->state = TLS_ENDED;
	}
	reason = ERR_GET_REASON(e);
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET)
		return failed(t, "the other side refused: %s",
			      SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	text = ERR_reason_error_string(e);
	return failed(t, "TLS failed: %s", text ? text : "unexpected end");
}

static enum tls_state handshake(struct tls *t)
{
	const uint8_t *chosen;
	unsigned n;
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(t->ssl);
	if (result != 1)
		return judge(t, result);
	SSL_get0_alpn_selected(t->ssl, &chosen, &n);
	if (n != ALPN_SIZE - 1 || memcmp(chosen, alpn + 1, n) != 0)
		return failed(t, "the other side does not speak the protocol \"%s\" (ALPN)",
			      alpn + 1);
	return t->state = TLS_OPEN;
}

static bool connection_start(struct tls *t, const struct tls_context *c)
{
	t->ssl = SSL_new(c->ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out || !SSL_set_app_data(t->ssl, t)) {
		BIO_free(t->in);
		BIO_free(t->out);
		return false;
	}
	/* empty means: not yet */
	BIO_set_mem_eof_return(t->in, -1);
	BIO_set_mem_eof_return(t->out, -1);
	SSL_set_bio(t->ssl, t->in, t->out);
	if (c->server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return true;
}

struct tls *tls_new(struct tls_context *c, uint64_t now)
{
	struct tls *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->now = now;
	memcpy(t->pin, c->pin, sizeof t->pin);
	if (!connection_start(t, c)) {
		tls_free(t);
		return NULL;
	}
	handshake(t);
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}

enum tls_state tls_feed(struct tls *t, const uint8_t *in, size_t n)
{
	uint8_t one;
	int result;

	if (t->state == TLS_FAILED || t->state == TLS_ENDED)
		return t->state;
	if (n > INT_MAX || (n && BIO_write(t->in, in, (int)n) != (int)n))
		return failed(t, "out of memory");
	if (t->state == TLS_HANDSHAKE)
		handshake(t);
	if (t->state != TLS_OPEN)
		return t->state;
	/* a look ahead, or an end would go unseen until the next tls_read() */
	ERR_clear_error();
	result = SSL_peek(t->ssl, &one, 1);
	return result > 0 ? t->state : judge(t, result);
}

size_t tls_take(struct tls *t, uint8_t *out, size_t cap)
{
	int n = cap ? BIO_read(t->out, out, (int)MIN(cap, INT_MAX)) : 0;

	return n > 0 ? (size_t)n : 0;
}

size_t tls_read(struct tls *t, uint8_t *out, size_t cap)
{
	int n;

	if (t->state != TLS_OPEN || !cap)
		return 0;
	ERR_clear_error();
	n = SSL_read(t->ssl, out, (int)MIN(cap, INT_MAX));
	if (n > 0)
		return (size_t)n;
	judge(t, n);
	return 0;
}

bool tls_write(struct tls *t, const uint8_t *in, size_t n)
{
	int result;

	if (t->state != TLS_OPEN || n > INT_MAX || (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
		return false;
	if (n == 0)
		return true;
	ERR_clear_error();
	result = SSL_write(t->ssl, in, (int)n);
	if (result == (int)n)
		return true;
	judge(t, result);
	return false;
}

void tls_end(struct tls *t)
{
	if (t->state == TLS_FAILED)
		return;
	if (t->state == TLS_HANDSHAKE) {
		t->state = TLS_ENDED;
		return;
	}
	ERR_clear_error();
	SSL_shutdown(t->ssl);
	ERR_clear_error();
}

enum tls_state tls_state(const struct tls *t)
{
	return t->state;
}

const char *tls_error(const struct tls *t)
{
	return t->error;
}

/*
 * tls.h - TLS 1.3 without I/O: bytes in, bytes out, over memory BIOs of BoringSSL.
 * ALPN "cyphonic", X25519, Ed25519 (and P-256) signatures, no tickets, no clock read.
 */
#ifndef TLS_H
#define TLS_H

#include "crypto/cert.h"

struct tls_context;
struct tls;

/* Server: certificate with its key; chain = leaf, issuer, root (all sent).  All DER, copied. */
struct tls_context *tls_server(const struct identity *who, struct bytes leaf, struct bytes issuer,
			       struct bytes root, char *err);
/*
 * Client: the chain must end in a root whose SHA-256 is pin[32] (sent along by the server),
 * hold at `now` (s since 1970, see tls_client_time()), and the leaf must be for serverAuth.
 */
struct tls_context *tls_client(const uint8_t pin[32], char *err);
void tls_context_free(struct tls_context *c);

/* now: s since 1970, for checking certificates; taken by value for this connection's life. */
struct tls *tls_new(struct tls_context *c, uint64_t now);
void tls_free(struct tls *t);

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_ENDED, TLS_FAILED };

/* Ciphertext that arrived.  Drives the handshake. */
enum tls_state tls_feed(struct tls *t, const uint8_t *in, size_t n);
/* Ciphertext to send: returns octets written to out, 0 when there is none.  Call until 0 after new/feed/write/end. */
size_t tls_take(struct tls *t, uint8_t *out, size_t cap);
/* Plaintext that arrived: octets, 0 when there is none (yet). */
size_t tls_read(struct tls *t, uint8_t *out, size_t cap);
/* Plaintext to send; only in TLS_OPEN.  False on failure. */
bool tls_write(struct tls *t, const uint8_t *in, size_t n);
/* close_notify. */
void tls_end(struct tls *t);
enum tls_state tls_state(const struct tls *t);
/* One line on why TLS_FAILED, e.g. "the AS's root certificate is not the pinned one (got sha256 ...)". */
const char *tls_error(const struct tls *t);

#endif

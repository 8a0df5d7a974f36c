/*
 * x509.h - shared by cert.c, ca.c, issue.c, trust.c and tls.c alone: BoringSSL's X.509 objects
 * and the few things they all do with them.  Everybody else uses cert.h.
 */
#ifndef X509_OWN_H
#define X509_OWN_H

#include "crypto/cert.h"
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define ERR_SIZE 256		/* what err arguments have room for */
#define DATE_SIZE 24		/* room for x509_date() */

/* Writes one line to err and empties BoringSSL's error queue.  Always false. */
bool x509_fail(char *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "2026-03-01T12:00:00Z".  Returns out. */
const char *x509_date(char out[DATE_SIZE], uint64_t t);
/* Seconds since 1970; false when it is earlier or no time at all. */
bool x509_seconds(uint64_t *out, const ASN1_TIME *t);

/* The signing key of who.  The caller frees. */
EVP_PKEY *x509_key(const struct identity *who);
/* Ed25519 or P-256: the kinds of subject key a leaf may have. */
bool x509_key_allowed(EVP_PKEY *key);
/* One certificate that fills n octets exactly, else NULL.  The caller frees. */
X509 *x509_parse(const uint8_t *der, size_t n);

/* An extension from its text form, "critical," in front where wanted.  The caller frees. */
X509_EXTENSION *x509_extension(X509V3_CTX *ctx, int nid, const char *value);
/* The extension with the X25519 key.  The caller frees. */
X509_EXTENSION *x509_x25519_extension(const uint8_t pub[32]);
/* Finds that extension in a list (NULL: empty) and checks it. */
bool x509_x25519_find(uint8_t out[32], const STACK_OF(X509_EXTENSION) *list, char *err);

/*
 * True when leaf chains over some of others to root at time now (s since 1970), is no CA, and
 * has use (XKU_SSL_CLIENT or XKU_SSL_SERVER) among its extended key usages.
 */
bool x509_chain(X509 *leaf, X509 *root, STACK_OF(X509) *others, uint64_t now, uint32_t use,
		char *err);

/* ---- ca.c and issue.c ---- */

#define CA_DAY ((uint64_t)86400)
#define CA_ROOT_LIFE (3650 * CA_DAY)
#define CA_ISSUER_LIFE (365 * CA_DAY)
#define CA_BACKDATED CA_DAY	/* for nodes whose clock is behind before they log in */
#define CA_DIR_SIZE 480

struct ca {
	char dir[CA_DIR_SIZE];
	char domain[NAME_SIZE];
	EVP_PKEY *root_key, *issuer_key;
	X509 *root, *issuer;
	uint8_t root_der[CERT_CA_MAX], issuer_der[CERT_CA_MAX];
	size_t root_len, issuer_len;
};

/* The root for ca's root_key, the issuer for its issuer_key under its root; NULL on failure. */
X509 *x509_root_make(struct ca *ca, uint64_t now);
X509 *x509_issuer_make(struct ca *ca, uint64_t now);

#endif

/*
 * cert.h - X.509: one identity for TLS and Noise, and the CA that issues it.
 *
 * A node's certificate: subject key Ed25519, SAN = FQDN and both virtual addresses, EKU
 * clientAuth and serverAuth as the kind wants, and the X25519 key in a non-critical extension
 * (OID_X25519_KEY, exactly once, 32 octets as OCTET STRING, not low order); at most
 * CERT_MAX octets of DER.  Chain: root (Ed25519, pinned by SHA-256 of its DER) ->
 * intermediate (Ed25519, pathlen 0, DNS name constraint to the domain) -> leaf.
 * Times are seconds since 1970 of cloud time, always given by the caller: nothing here reads
 * a clock.  err arguments have room for 256 octets and get one line.
 */
#ifndef CERT_H
#define CERT_H

#include "crypto/aead.h"

#define CERT_MAX 700		/* octets of DER of a leaf, refused at issue above */
#define CERT_CA_MAX 1400
/* UUID-based OID 2.25.x: our own, made once with uuidgen */
#define OID_X25519_KEY "2.25.278214665973133194993759754569950156006"

/* A device's private keys. */
struct identity {
	uint8_t ed25519_priv[64], ed25519_pub[32];	/* BoringSSL's form: seed | public */
	uint8_t x25519_priv[32], x25519_pub[32];
};

void identity_make(struct identity *who);
/* Text form for a 0600 file: two PEM blocks ("PRIVATE KEY", PKCS #8, Ed25519 then X25519).  Returns octets, 0 if cap is too small. */
size_t identity_write(const struct identity *who, char *out, size_t cap);
bool identity_read(struct identity *who, const char *text, size_t n);
/* PKCS #10 request for name, with the X25519 key as extension request.  Returns octets of DER, 0 on failure. */
size_t identity_csr(const struct identity *who, const char *fqdn, uint8_t *out, size_t cap);

/* What a leaf says, after its form was checked. */
struct cert_info {
	char fqdn[NAME_SIZE];		/* canonical; the one DNS name of the SAN */
	uint8_t ip4[4], ip6[16];	/* virtual addresses of the SAN, zero when absent */
	uint8_t x25519[32];
	uint8_t ed25519[32];		/* subject key */
	uint8_t tbs_hash[32];		/* SHA-256 of the DER TBSCertificate */
	uint64_t not_before, not_after;	/* s since 1970 */
};

/* Form only: parses and checks what cert_info needs.  No trust is implied. */
bool cert_read(struct cert_info *info, const uint8_t *der, size_t n, char *err);

/* ---- the CA, in the helper only ---- */

struct ca;

/*
 * Opens the CA kept in dir, or makes it at first start: root (10 years) and intermediate
 * (1 year) keys and certificates as root.key root.crt issuer.key issuer.crt (PEM; keys 0600).
 * Writes by temporary file and rename; a half-made CA is completed or named in err.
 * An intermediate past half its life is renewed under its key: leaves hold under either.
 */
struct ca *ca_open(const char *dir, const char *domain, uint64_t now, char *err);
void ca_free(struct ca *ca);
/*
 * What nodes pin: SHA-256 of the root's DER, of the CA kept in dir.  Reads only; false with
 * err when there is none.
 */
bool ca_fingerprint(const char *dir, uint8_t sha[32], char *err);
struct bytes ca_root(const struct ca *ca);		/* DER, valid until ca_free() */
struct bytes ca_issuer(const struct ca *ca);		/* intermediate, DER */
/*
 * Issues a leaf for the request's keys.  The request's signature must hold; every name and
 * address comes from the arguments, never from the request.  ip4/ip6 NULL: none.
 * The end is cut to the intermediate's; none is issued after that until ca_open() renews it.
 * server: serverAuth too (the AS itself).  Returns octets of DER, 0 with err.
 */
size_t ca_issue(struct ca *ca, struct bytes csr, const char *fqdn, const uint8_t *ip4,
		const uint8_t *ip6, bool server, uint64_t not_before, uint64_t not_after,
		uint8_t out[CERT_MAX], char *err);

/* ---- trust, in nodes and workers ---- */

struct trust;

/* root: DER of the pinned root; issuers: intermediates that came along (may be empty, n = 0). */
struct trust *trust_new(struct bytes root, struct bytes issuer, char *err);
void trust_free(struct trust *t);
/*
 * Chain to the pinned root at this time with BoringSSL's verifier (name constraints, CA
 * flags), then cert_read().  False with a reason in err.
 */
bool trust_verify(const struct trust *t, const uint8_t *der, size_t n, uint64_t now,
		  struct cert_info *info, char *err);

#endif

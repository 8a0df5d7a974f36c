/*
 * issue.c - what the three kinds of certificate we make say: root, issuer, leaf.
 * The keys are in struct ca; its directory is ca.c's affair.
 */
#include "crypto/x509.h"
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <stdio.h>

struct extension {
	int nid;
	const char *value;
};

static bool add_extension(X509 *x, X509_EXTENSION *ext)
{
	bool good = ext && X509_add_ext(x, ext, -1);

	X509_EXTENSION_free(ext);
	return good;
}

static bool add_extensions(X509 *x, X509 *issuer, const struct extension *list, size_t n)
{
	X509V3_CTX ctx;
	size_t i;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	for (i = 0; i < n; i++)
		if (!add_extension(x, x509_extension(&ctx, list[i].nid, list[i].value)))
			return false;
	return true;
}

static bool set_serial(X509 *x)
{
	uint8_t random[16];
	BIGNUM *n;
	bool good;

	random_bytes(random, sizeof random);
	n = BN_bin2bn(random, sizeof random, NULL);
	good = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return good;
}

static bool set_dates(X509 *x, uint64_t from, uint64_t to)
{
	return from < to && to <= INT64_MAX && ASN1_TIME_set(X509_getm_notBefore(x),
							     (time_t)from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to);
}

/* A certificate without subject, extensions and signature.  issuer NULL: none yet. */
static X509 *cert_begin(EVP_PKEY *subject, X509 *issuer, uint64_t from, uint64_t to)
{
	X509 *x = X509_new();

	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_dates(x, from, to) &&
	    X509_set_pubkey(x, subject) &&
	    (!issuer || X509_set_issuer_name(x, X509_get_subject_name(issuer))))
		return x;
	X509_free(x);
	return NULL;
}

static bool set_subject(X509 *x, const char *text)
{
	return X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
					  (const uint8_t *)text, -1, -1, 0);
}

X509 *x509_root_make(struct ca *ca, uint64_t now)
{
	static const struct extension list[] = {
		{ NID_basic_constraints, "critical,CA:TRUE" },
		{ NID_key_usage, "critical,keyCertSign,cRLSign" },
		{ NID_subject_key_identifier, "hash" },
	};
	X509 *x = cert_begin(ca->root_key, NULL, now - CA_BACKDATED, now + CA_ROOT_LIFE);
	char name[65];

	/* a common name has at most 64 characters */
	snprintf(name, sizeof name, "CYPHONIC root of %.45s", ca->domain);
	if (x && set_subject(x, name) && X509_set_issuer_name(x, X509_get_subject_name(x)) &&
	    add_extensions(x, x, list, ARRAY_SIZE(list)) && X509_sign(x, ca->root_key, NULL))
		return x;
	X509_free(x);
	return NULL;
}

X509 *x509_issuer_make(struct ca *ca, uint64_t now)
{
	char constraint[NAME_SIZE + 32];
	const struct extension list[] = {
		{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage, "critical,keyCertSign,cRLSign" },
		{ NID_name_constraints, constraint },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid:always" },
	};
	uint64_t end;
	X509 *x;

	snprintf(constraint, sizeof constraint, "critical,permitted;DNS:%s", ca->domain);
	x509_seconds(&end, X509_get0_notAfter(ca->root));
	x = cert_begin(ca->issuer_key, ca->root, now - CA_BACKDATED, MIN(now + CA_ISSUER_LIFE,
									 end));
	if (x && set_subject(x, "CYPHONIC issuer") &&
	    add_extensions(x, ca->root, list, ARRAY_SIZE(list)) && X509_sign(x, ca->root_key, NULL))
		return x;
	X509_free(x);
	return NULL;
}

/* ---- leaves ---- */

/* The two keys of a request.  The caller frees *key, which is NULL on failure. */
static bool csr_read(struct bytes csr, EVP_PKEY **key, uint8_t x25519[32], char *err)
{
	const uint8_t *p = csr.p;
	X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)csr.n);
	STACK_OF(X509_EXTENSION) *list = NULL;
	bool good = false;

	*key = req ? X509_REQ_get_pubkey(req) : NULL;
	if (!req || p != csr.p + csr.n) {
		x509_fail(err, "the request is not PKCS #10 in DER");
	} else if (!x509_key_allowed(*key)) {
		x509_fail(err, "the request's key is neither Ed25519 nor P-256");
	} else if (X509_REQ_verify(req, *key) != 1) {
		x509_fail(err, "the request's signature does not hold");
	} else {
		list = X509_REQ_get_extensions(req);
		good = x509_x25519_find(x25519, list, err);
	}
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	X509_REQ_free(req);
	if (!good) {
		EVP_PKEY_free(*key);
		*key = NULL;
	}
	return good;
}

static void san_text(char *out, size_t cap, const char *name, const uint8_t *ip4,
		     const uint8_t *ip6)
{
	struct addr a4 = { .family = 4 }, a6 = { .family = 6 };
	char text4[ADDR_TEXT], text6[ADDR_TEXT];

	if (ip4)
		memcpy(a4.ip, ip4, 4);
	if (ip6)
		memcpy(a6.ip, ip6, 16);
	/* critical, as RFC 5280 wants where the subject is empty */
	snprintf(out, cap, "critical,DNS:%s%s%s%s%s", name, ip4 ? ",IP:" : "",
		 ip4 ? ip_text(text4, &a4) : "", ip6 ? ",IP:" : "", ip6 ? ip_text(text6, &a6) : "");
}

/* The subject stays empty: a common name has room for 64 characters, a domain name has 253. */
static X509 *leaf_make(struct ca *ca, EVP_PKEY *key, const uint8_t x25519[32], const char *san,
		       bool server, uint64_t from, uint64_t to)
{
	const struct extension list[] = {
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, server ? "clientAuth,serverAuth" : "clientAuth" },
		{ NID_authority_key_identifier, "keyid:always" },
		{ NID_subject_alt_name, san },
	};
	X509 *x = cert_begin(key, ca->issuer, from, to);

	if (x && add_extensions(x, ca->issuer, list, ARRAY_SIZE(list)) &&
	    add_extension(x, x509_x25519_extension(x25519)) && X509_sign(x, ca->issuer_key, NULL))
		return x;
	X509_free(x);
	return NULL;
}

/* Reads back what was made: nothing leaves that its readers would refuse. */
static size_t leaf_put(X509 *x, uint8_t out[CERT_MAX], char *err)
{
	struct cert_info info;
	int n = x ? i2d_X509(x, NULL) : 0;

	if (n <= 0 || n > CERT_MAX) {
		x509_fail(err, "the certificate would have %d octets, at most %d are allowed", n,
			  CERT_MAX);
		return 0;
	}
	i2d_X509(x, &(uint8_t *){ out });
	return cert_read(&info, out, (size_t)n, err) ? (size_t)n : 0;
}

size_t ca_issue(struct ca *ca, struct bytes csr, const char *fqdn, const uint8_t *ip4,
		const uint8_t *ip6, bool server, uint64_t not_before, uint64_t not_after,
		uint8_t out[CERT_MAX], char *err)
{
	char name[NAME_SIZE], san[NAME_SIZE + 2 * ADDR_TEXT + 32], date[DATE_SIZE];
	uint8_t x25519[32];
	EVP_PKEY *key;
	uint64_t end;
	size_t n;
	X509 *x;

	if (!name_canonical(name, fqdn)) {
		x509_fail(err, "what a certificate is asked for is no domain name");
		return 0;
	}
	if (!name_within(name, ca->domain)) {
		x509_fail(err, "%.100s is not a name in the domain %.100s", name, ca->domain);
		return 0;
	}
	x509_seconds(&end, X509_get0_notAfter(ca->issuer));
	if (not_before >= not_after || not_before >= end) {
		x509_fail(err, "the certificate would end before it begins, or begin after its "
			  "issuer's end (%s); a restart renews the issuer", x509_date(date, end));
		return 0;
	}
	if (!csr_read(csr, &key, x25519, err))
		return 0;
	san_text(san, sizeof san, name, ip4, ip6);
	x = leaf_make(ca, key, x25519, san, server, not_before, MIN(not_after, end));
	n = leaf_put(x, out, err);
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return n;
}

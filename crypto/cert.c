/*
 * cert.c - what a device's certificate must look like, and the keys it is made for.
 * Form only: whom to believe is trust.c's question, and ca.c makes them.
 */
#include "crypto/x509.h"
#include <openssl/bytestring.h>
#include <openssl/curve25519.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/*
 * OID_X25519_KEY in DER: 2 * 40 + 25 = 105 is one octet, then the 128-bit UUID in base 128,
 * 19 digits of 7 bits, all but the last with bit 7 set.  By hand, because text-to-OID
 * functions stop at arcs of 64 bits.
 */
static const uint8_t oid_x25519_key[] = {
	0x69, 0x83, 0xa2, 0xce, 0x99, 0x84, 0xfd, 0xcd, 0xe2, 0xb4,
	0xef, 0xab, 0xb6, 0x92, 0xb7, 0xf3, 0xbb, 0xff, 0xa9, 0x66,
};

bool x509_fail(char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, ERR_SIZE, fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return false;
}

const char *x509_date(char out[DATE_SIZE], uint64_t t)
{
	time_t seconds = (time_t)t;
	struct tm tm;

	if (t > INT64_MAX || !gmtime_r(&seconds, &tm) ||
	    !strftime(out, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out, DATE_SIZE, "%" PRIu64, t);
	return out;
}

bool x509_seconds(uint64_t *out, const ASN1_TIME *t)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, seconds = 0;
	bool good = epoch && ASN1_TIME_diff(&days, &seconds, epoch, t) && days >= 0 && seconds >= 0;

	*out = good ? (uint64_t)days * 86400 + (uint64_t)seconds : 0;
	ASN1_TIME_free(epoch);
	return good;
}

/* ---- keys ---- */

EVP_PKEY *x509_key(const struct identity *who)
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, who->ed25519_priv, 32);
}

bool x509_key_allowed(EVP_PKEY *key)
{
	if (!key || EVP_PKEY_id(key) != EVP_PKEY_EC)
		return key && EVP_PKEY_id(key) == EVP_PKEY_ED25519;
	return EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key))) ==
	       NID_X9_62_prime256v1;
}

void identity_make(struct identity *who)
{
	ED25519_keypair(who->ed25519_pub, who->ed25519_priv);
	x25519_make(who->x25519_pub, who->x25519_priv);
}

/* Consumes key, which may be NULL. */
static bool pem_put(BIO *bio, EVP_PKEY *key)
{
	bool good = key && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);

	EVP_PKEY_free(key);
	return good;
}

size_t identity_write(const struct identity *who, char *out, size_t cap)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const uint8_t *text = NULL;
	size_t n = 0;

	if (bio && pem_put(bio, x509_key(who)) &&
	    pem_put(bio, EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, who->x25519_priv,
						      32)) &&
	    BIO_mem_contents(bio, &text, &n) && n <= cap)
		memcpy(out, text, n);
	else
		n = 0;
	BIO_free(bio);
	ERR_clear_error();
	return n;
}

static bool pem_take(BIO *bio, int kind, uint8_t raw[32])
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	size_t n = 32;
	bool good = key && EVP_PKEY_id(key) == kind && EVP_PKEY_get_raw_private_key(key, raw, &n) &&
		    n == 32;

	EVP_PKEY_free(key);
	return good;
}

bool identity_read(struct identity *who, const char *text, size_t n)
{
	BIO *bio = BIO_new_mem_buf(text, (int)MIN(n, 65536));
	uint8_t seed[32];
	bool good = bio && pem_take(bio, EVP_PKEY_ED25519, seed) &&
		    pem_take(bio, EVP_PKEY_X25519, who->x25519_priv);

	if (good) {
		ED25519_keypair_from_seed(who->ed25519_pub, who->ed25519_priv, seed);
		x25519_public(who->x25519_pub, who->x25519_priv);
	} else {
		wipe(who, sizeof *who);
	}
	wipe(seed, sizeof seed);
	BIO_free(bio);
	ERR_clear_error();
	return good;
}

/* ---- extensions ---- */

X509_EXTENSION *x509_extension(X509V3_CTX *ctx, int nid, const char *value)
{
	return X509V3_EXT_nconf_nid(NULL, ctx, nid, value);
}

static ASN1_OBJECT *x25519_oid(void)
{
	return ASN1_OBJECT_create(NID_undef, oid_x25519_key, sizeof oid_x25519_key, NULL, NULL);
}

X509_EXTENSION *x509_x25519_extension(const uint8_t pub[32])
{
	uint8_t der[34] = { V_ASN1_OCTET_STRING, 32 };
	ASN1_OBJECT *oid = x25519_oid();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;

	memcpy(der + 2, pub, 32);
	if (oid && value && ASN1_OCTET_STRING_set(value, der, sizeof der))
		ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(oid);
	return ext;
}

/* Any fixed scalar does: clamped ones are multiples of 8, which take low-order points to zero. */
static bool x25519_is_low_order(const uint8_t pub[32])
{
	static const uint8_t scalar[32] = { 8 };
	uint8_t shared[32];

	return !x25519_shared(shared, scalar, pub);
}

bool x509_x25519_find(uint8_t out[32], const STACK_OF(X509_EXTENSION) *list, char *err)
{
	ASN1_OBJECT *oid = x25519_oid();
	int at = oid ? X509v3_get_ext_by_OBJ(list, oid, -1) : -1;
	bool twice = at >= 0 && X509v3_get_ext_by_OBJ(list, oid, at) >= 0;
	X509_EXTENSION *ext = at >= 0 ? X509v3_get_ext(list, at) : NULL;
	const ASN1_OCTET_STRING *value = ext ? X509_EXTENSION_get_data(ext) : NULL;
	const uint8_t *p = value ? ASN1_STRING_get0_data(value) : NULL;

	ASN1_OBJECT_free(oid);
	if (!value)
		return x509_fail(err, "the extension with the X25519 key is missing");
	if (twice)
		return x509_fail(err, "the extension with the X25519 key stands there twice");
	if (X509_EXTENSION_get_critical(ext))
		return x509_fail(err, "the extension with the X25519 key is marked critical");
	if (ASN1_STRING_length(value) != 34 || p[0] != V_ASN1_OCTET_STRING || p[1] != 32)
		return x509_fail(err, "the X25519 key is not an OCTET STRING of 32 octets");
	if (x25519_is_low_order(p + 2))
		return x509_fail(err, "the X25519 key is of low order");
	memcpy(out, p + 2, 32);
	return true;
}

/* ---- requests ---- */

static bool csr_fill(X509_REQ *req, const struct identity *who, EVP_PKEY *key, const char *fqdn)
{
	STACK_OF(X509_EXTENSION) *list = NULL;
	X509_EXTENSION *x25519 = x509_x25519_extension(who->x25519_pub), *san;
	char value[NAME_SIZE + 4], name[NAME_SIZE];
	bool good = false;

	if (!name_canonical(name, fqdn))
		goto out;
	snprintf(value, sizeof value, "DNS:%s", name);
	san = x509_extension(NULL, NID_subject_alt_name, value);
	good = san && x25519 && X509v3_add_ext(&list, san, -1) &&
	       X509v3_add_ext(&list, x25519, -1) && X509_REQ_add_extensions(req, list) &&
	       X509_REQ_set_pubkey(req, key) && X509_REQ_sign(req, key, NULL);
	X509_EXTENSION_free(san);
out:
	X509_EXTENSION_free(x25519);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	return good;
}

size_t identity_csr(const struct identity *who, const char *fqdn, uint8_t *out, size_t cap)
{
	EVP_PKEY *key = x509_key(who);
	X509_REQ *req = X509_REQ_new();
	uint8_t *der = NULL;
	int n = 0;

	if (key && req && csr_fill(req, who, key, fqdn))
		n = i2d_X509_REQ(req, &der);
	if (n > 0 && (size_t)n <= cap)
		memcpy(out, der, (size_t)n);
	else
		n = 0;
	OPENSSL_free(der);
	X509_REQ_free(req);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return (size_t)n;
}

/* ---- reading ---- */

X509 *x509_parse(const uint8_t *der, size_t n)
{
	const uint8_t *p = der;
	X509 *x = n <= 65536 ? d2i_X509(NULL, &p, (long)n) : NULL;

	if (x && p == der + n)
		return x;
	X509_free(x);
	ERR_clear_error();
	return NULL;
}

static bool read_dns(struct cert_info *info, const ASN1_STRING *s, char *err)
{
	size_t n = (size_t)ASN1_STRING_length(s);
	const uint8_t *p = ASN1_STRING_get0_data(s);
	char name[NAME_SIZE], canonical[NAME_SIZE];

	if (info->fqdn[0])
		return x509_fail(err, "the certificate has more than one DNS name");
	if (n == 0 || n > NAME_MAX_LEN || memchr(p, 0, n))
		return x509_fail(err, "the certificate's DNS name is empty, too long, or holds "
				 "a zero octet");
	memcpy(name, p, n);
	name[n] = '\0';
	if (!name_canonical(canonical, name) || strcmp(name, canonical) != 0)
		return x509_fail(err, "the certificate's DNS name is not in canonical form "
				 "(lower-case letters, digits, hyphens, no trailing dot)");
	strcpy(info->fqdn, name);
	return true;
}

static bool read_ip(struct cert_info *info, const ASN1_STRING *s, char *err)
{
	static const uint8_t none[16];
	size_t n = (size_t)ASN1_STRING_length(s);
	uint8_t *to = n == 4 ? info->ip4 : info->ip6;

	if (n != 4 && n != 16)
		return x509_fail(err, "the certificate has an address of %zu octets", n);
	if (memcmp(to, none, n) != 0)
		return x509_fail(err, "the certificate has two addresses of one family");
	memcpy(to, ASN1_STRING_get0_data(s), n);
	return true;
}

static bool read_name(struct cert_info *info, const GENERAL_NAME *name, char *err)
{
	if (name->type == GEN_DNS)
		return read_dns(info, name->d.dNSName, err);
	if (name->type == GEN_IPADD)
		return read_ip(info, name->d.iPAddress, err);
	return x509_fail(err, "the certificate's SAN holds more than a DNS name and addresses");
}

static bool read_names(struct cert_info *info, const X509 *x, char *err)
{
	int critical;
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &critical, NULL);
	bool good = true;
	size_t i;

	if (!names)
		return x509_fail(err, critical == -1 ? "the certificate has no SAN" :
				 "the certificate's SAN stands there twice or cannot be read");
	for (i = 0; good && i < sk_GENERAL_NAME_num(names); i++)
		good = read_name(info, sk_GENERAL_NAME_value(names, i), err);
	GENERAL_NAMES_free(names);
	if (good && !info->fqdn[0])
		return x509_fail(err, "the certificate's SAN has no DNS name");
	return good;
}

static bool read_dates(struct cert_info *info, const X509 *x, char *err)
{
	if (!x509_seconds(&info->not_before, X509_get0_notBefore(x)) ||
	    !x509_seconds(&info->not_after, X509_get0_notAfter(x)) ||
	    info->not_before > info->not_after)
		return x509_fail(err, "the certificate's dates cannot be read, are before 1970, "
				 "or end before they begin");
	return true;
}

static bool read_key(struct cert_info *info, X509 *x, char *err)
{
	EVP_PKEY *key = X509_get_pubkey(x);
	size_t n = sizeof info->ed25519;
	bool good = x509_key_allowed(key);

	if (!good)
		x509_fail(err, "the certificate's key is neither Ed25519 nor P-256");
	else if (EVP_PKEY_id(key) == EVP_PKEY_ED25519)
		EVP_PKEY_get_raw_public_key(key, info->ed25519, &n);
	EVP_PKEY_free(key);
	return good;
}

/* From the octets that arrived, not from a new encoding of what was understood. */
static bool hash_tbs(struct cert_info *info, const uint8_t *der, size_t n, char *err)
{
	CBS all, cert, tbs;

	CBS_init(&all, der, n);
	if (!CBS_get_asn1(&all, &cert, CBS_ASN1_SEQUENCE) || CBS_len(&all) ||
	    !CBS_get_asn1_element(&cert, &tbs, CBS_ASN1_SEQUENCE))
		return x509_fail(err, "the certificate is not DER");
	sha256(info->tbs_hash, CBS_data(&tbs), CBS_len(&tbs));
	return true;
}

bool cert_read(struct cert_info *info, const uint8_t *der, size_t n, char *err)
{
	X509 *x = n <= CERT_MAX ? x509_parse(der, n) : NULL;
	bool good;

	memset(info, 0, sizeof *info);
	if (n > CERT_MAX)
		return x509_fail(err, "a certificate of %zu octets; at most %d are taken", n,
				 CERT_MAX);
	if (!x)
		return x509_fail(err, "not one X.509 certificate in DER");
	if (X509_get_version(x) != X509_VERSION_3)
		good = x509_fail(err, "the certificate is not of X.509 version 3");
	else
		good = hash_tbs(info, der, n, err) && read_dates(info, x, err) &&
		       read_key(info, x, err) && read_names(info, x, err) &&
		       x509_x25519_find(info->x25519, X509_get0_extensions(x), err);
	if (!good)
		memset(info, 0, sizeof *info);
	X509_free(x);
	ERR_clear_error();
	return good;
}

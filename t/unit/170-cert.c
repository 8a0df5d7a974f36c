/* Certificates: what they must look like, and the chain that makes them believed. */
#include "t/unit/certs.h"
#include <openssl/curve25519.h>
#include <openssl/ec_key.h>
#include <openssl/mem.h>

/* ---- identity ---- */

static void test_identity(const struct scene *s)
{
	struct identity back;
	char text[1024];
	size_t n = identity_write(&s->who, text, sizeof text), i;
	unsigned taken = 0;
	char *second;

	ok(n && identity_read(&back, text, n) && memcmp(&back, &s->who, sizeof back) == 0,
	   "an identity written and read is the same");
	ok(identity_write(&s->who, text, n - 1) == 0, "too little room for an identity is told");
	identity_write(&s->who, text, sizeof text);
	for (i = 0; i + 2 < n; i++)
		taken += identity_read(&back, text, i);
	ok(taken == 0, "no truncated identity is taken");
	second = strstr(text + 10, "-----BEGIN");
	ok(!identity_read(&back, second, n - (size_t)(second - text)),
	   "an identity without its Ed25519 key is refused");
	ok(identity_csr(&s->who, "no_name", (uint8_t *)text, sizeof text) == 0 &&
	   identity_csr(&s->who, NAME, (uint8_t *)text, 100) == 0,
	   "no request is made for what is no name, nor into too little room");
}

/* ---- reading ---- */

static void test_read(const struct scene *s)
{
	struct cert_info info;
	uint8_t der[CERT_MAX + 1], hash[32], *tbs = NULL;
	const uint8_t *p = s->leaf;
	X509 *x = d2i_X509(NULL, &p, (long)s->leaf_len);
	size_t n, taken = 0;

	ok(cert_read(&info, s->leaf, s->leaf_len, err) && strcmp(info.fqdn, NAME) == 0,
	   "a certificate is read and tells its name");
	ok(memcmp(info.ip4, ip4, 4) == 0 && memcmp(info.ip6, ip6, 16) == 0,
	   "it tells both virtual addresses");
	ok(memcmp(info.x25519, s->who.x25519_pub, 32) == 0 &&
	   memcmp(info.ed25519, s->who.ed25519_pub, 32) == 0, "it tells both keys");
	ok(info.not_before == NOW - 60 && info.not_after == NOW + 90 * DAY, "it tells its dates");
	n = (size_t)i2d_X509_tbs(x, &tbs);
	sha256(hash, tbs, n);
	ok(memcmp(hash, info.tbs_hash, 32) == 0, "the hash is that of the TBSCertificate");
	OPENSSL_free(tbs);
	X509_free(x);
	memcpy(der, s->leaf, s->leaf_len);
	for (n = 0; n < s->leaf_len; n++)
		taken += cert_read(&info, der, n, err);
	ok(taken == 0, "no truncation of a certificate is taken");
	der[s->leaf_len] = 0;
	ok(!cert_read(&info, der, s->leaf_len + 1, err) && said("not one X.509"),
	   "an octet after a certificate is refused");
	ok(!cert_read(&info, der, CERT_MAX + 1, err) && said("701 octets"),
	   "more octets than CERT_MAX are refused");
	ok(info.fqdn[0] == '\0' && info.not_after == 0,
	   "after a refusal nothing is left in the result");
}

/* Every bit of it turned over: read or refused, but never believed. */
static void test_damage(const struct scene *s)
{
	struct trust *t = trust_new(ca_root(s->ca), ca_issuer(s->ca), err);
	struct cert_info info;
	uint8_t der[CERT_MAX];
	size_t i, believed = 0;

	memcpy(der, s->leaf, s->leaf_len);
	for (i = 0; i < s->leaf_len * 8; i++) {
		der[i / 8] ^= (uint8_t)(1 << i % 8);
		believed += trust_verify(t, der, s->leaf_len, NOW, &info, err);
		der[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ok(believed == 0, "no certificate with one bit changed is believed (%zu tried)", i);
	trust_free(t);
}

/* ---- form ---- */

/* The X25519 extension is the last the CA adds. */
static void drop_x25519(X509 *x)
{
	X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_count(x) - 1));
}

static void set_key(X509 *x, EVP_PKEY *key)
{
	if (!key || !X509_set_pubkey(x, key))
		abort();
	EVP_PKEY_free(key);
}

static void set_ec_key(X509 *x, int curve)
{
	EC_KEY *ec = EC_KEY_new_by_curve_name(curve);
	EVP_PKEY *key = EVP_PKEY_new();

	if (!EC_KEY_generate_key(ec) || !EVP_PKEY_assign_EC_KEY(key, ec))
		abort();
	set_key(x, key);
}

/* The X25519 extension again, its content cut to n octets of der. */
static void set_x25519(X509 *x, const uint8_t *der, int n, int critical)
{
	X509_EXTENSION *ext = X509_delete_ext(x, X509_get_ext_count(x) - 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	ASN1_OCTET_STRING_set(value, der, n);
	X509_EXTENSION_set_data(ext, value);
	X509_EXTENSION_set_critical(ext, critical);
	add(x, ext);
	ASN1_OCTET_STRING_free(value);
}

static const uint8_t nines[36] = { 4, 32, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
				   9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 };

static void no_change(X509 *x) { }
static void x25519_gone(X509 *x) { drop_x25519(x); }
static void x25519_twice(X509 *x) { add(x, x509_x25519_extension(nines + 2)); }
static void x25519_short(X509 *x) { set_x25519(x, nines, 33, 0); }
static void x25519_long(X509 *x) { set_x25519(x, nines, 35, 0); }
static void x25519_bare(X509 *x) { set_x25519(x, nines + 2, 32, 0); }
static void x25519_empty(X509 *x) { set_x25519(x, nines, 0, 0); }
static void x25519_critical(X509 *x) { set_x25519(x, nines, 34, 1); }
static void san_gone(X509 *x) { drop(x, NID_subject_alt_name); }
static void san_twice(X509 *x) { add(x, x509_extension(NULL, NID_subject_alt_name,
						       "DNS:b." DOMAIN)); }
static void san_two_names(X509 *x) { set_san(x, "DNS:" NAME ",DNS:bob." DOMAIN); }
static void san_no_name(X509 *x) { set_san(x, "IP:198.18.0.7"); }
static void san_upper(X509 *x) { set_san(x, "DNS:Alice." DOMAIN); }
static void san_dot(X509 *x) { set_san(x, "DNS:" NAME "."); }
static void san_wildcard(X509 *x) { set_san(x, "DNS:*." DOMAIN); }
static void san_mail(X509 *x) { set_san(x, "DNS:" NAME ",email:a@b.example"); }
static void san_two_ip(X509 *x) { set_san(x, "DNS:" NAME ",IP:198.18.0.7,IP:198.18.0.8"); }
static void key_p256(X509 *x) { set_ec_key(x, NID_X9_62_prime256v1); }
static void key_p384(X509 *x) { set_ec_key(x, NID_secp384r1); }
static void dates_turned(X509 *x) { ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(NOW - 61)); }
static void date_early(X509 *x) { ASN1_TIME_set(X509_getm_notBefore(x), -1); }

static void key_x25519(X509 *x)
{
	set_key(x, EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, nines + 2, 32));
}

static void san_zero(X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);

	sk_GENERAL_NAME_value(names, 0)->d.dNSName->data[3] = 0;
	drop(x, NID_subject_alt_name);
	X509_add1_ext_i2d(x, NID_subject_alt_name, names, 1, X509V3_ADD_APPEND);
	GENERAL_NAMES_free(names);
}

static void test_form(const struct scene *s)
{
	static const struct {
		void (*change)(X509 *);
		const char *said, *title;	/* said NULL: is taken */
	} cases[] = {
		{ no_change, NULL, "a certificate signed again unchanged is taken" },
		{ key_p256, NULL, "a P-256 key is taken" },
		{ x25519_gone, "is missing", "a certificate without X25519 key is refused" },
		{ x25519_twice, "twice", "two X25519 keys are refused" },
		{ x25519_short, "32 octets", "an X25519 key cut short is refused" },
		{ x25519_long, "32 octets", "an octet after the X25519 key is refused" },
		{ x25519_bare, "32 octets", "an X25519 key that is no OCTET STRING is refused" },
		{ x25519_empty, "32 octets", "an empty X25519 extension is refused" },
		{ x25519_critical, "critical", "a critical X25519 extension is refused" },
		{ san_gone, "has no SAN", "a certificate without SAN is refused" },
		{ san_twice, "twice", "two SANs are refused" },
		{ san_two_names, "more than one DNS", "two DNS names are refused" },
		{ san_no_name, "no DNS name", "a SAN without DNS name is refused" },
		{ san_upper, "canonical", "an upper-case name is refused" },
		{ san_dot, "canonical", "a name with a trailing dot is refused" },
		{ san_wildcard, "canonical", "a wildcard is refused" },
		{ san_zero, "zero", "a name with a zero octet is refused" },
		{ san_mail, "more than a DNS", "a mail address in the SAN is refused" },
		{ san_two_ip, "two addresses", "two addresses of one family are refused" },
		{ key_p384, "neither", "a P-384 key is refused" },
		{ key_x25519, "neither", "an X25519 key as subject key is refused" },
		{ dates_turned, "dates", "a certificate that ends before it begins is refused" },
		{ date_early, "dates", "a certificate from before 1970 is refused" },
	};
	struct cert_info info;
	uint8_t der[CERT_MAX];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		n = craft(s, cases[i].change, s->ca->issuer_key, der);
		if (cases[i].said)
			ok(!cert_read(&info, der, n, err) && said(cases[i].said), "%s",
			   cases[i].title);
		else
			ok(cert_read(&info, der, n, err), "%s", cases[i].title);
	}
	n = craft(s, key_p256, s->ca->issuer_key, der);
	cert_read(&info, der, n, err);
	ok(memcmp(info.ed25519, (uint8_t[32]){ 0 }, 32) == 0, "and leaves the Ed25519 key zero");
}

/* Made from nothing, as versions 1 and 2 have no extensions. */
static void test_versions(const struct scene *s)
{
	static const long versions[] = { X509_VERSION_1, X509_VERSION_2 };
	uint8_t der[CERT_MAX];
	struct cert_info info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		X509 *x = X509_new();
		int n;

		X509_set_version(x, versions[i]);
		ASN1_TIME_set(X509_getm_notBefore(x), (time_t)NOW);
		ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(NOW + DAY));
		X509_set_pubkey(x, s->ca->issuer_key);
		X509_sign(x, s->ca->issuer_key, NULL);
		n = i2d_X509(x, &(uint8_t *){ der });
		ok(n > 0 && !cert_read(&info, der, (size_t)n, err) && said("version 3"),
		   "a certificate of X.509 version %ld is refused", versions[i] + 1);
		X509_free(x);
	}
}

/* ---- trust ---- */

static void look_alike(X509 *x) { set_san(x, "critical,DNS:x" DOMAIN); }
static void server_only(X509 *x)
{
	drop(x, NID_ext_key_usage);
	add(x, x509_extension(NULL, NID_ext_key_usage, "serverAuth"));
}

static void use_unsaid(X509 *x) { drop(x, NID_ext_key_usage); }
static void is_ca(X509 *x) { add(x, x509_extension(NULL, NID_basic_constraints,
						   "critical,CA:TRUE")); }
static void strange(X509 *x)
{
	X509_EXTENSION *ext = x509_x25519_extension(nines);
	ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);

	X509_EXTENSION_set_object(ext, oid);
	X509_EXTENSION_set_critical(ext, 1);
	add(x, ext);
	ASN1_OBJECT_free(oid);
}

static void test_trust(const struct scene *s)
{
	static const struct {
		void (*change)(X509 *);
		const char *said, *title;
	} cases[] = {
		{ other_domain, "permitted subtree",
			"the issuer is not believed about another domain" },
		{ look_alike, "permitted subtree",
			"nor about a name that only ends like its domain" },
		{ server_only, "clients", "a certificate for servers alone is no device's" },
		{ use_unsaid, "clients", "a certificate that does not say its use is refused" },
		{ is_ca, "no trust", "a CA's certificate is no device's" },
		{ strange, "critical", "an unknown critical extension is refused" },
	};
	struct trust *t = trust_new(ca_root(s->ca), ca_issuer(s->ca), err);
	struct bytes none = { NULL, 0 };
	struct cert_info info;
	uint8_t der[CERT_MAX];
	size_t i, n;

	ok(t && trust_verify(t, s->leaf, s->leaf_len, NOW, &info, err) &&
	   strcmp(info.fqdn, NAME) == 0, "a certificate of our CA is believed");
	ok(trust_verify(t, s->leaf, s->leaf_len, NOW + 90 * DAY - 1, &info, err) &&
	   trust_verify(t, s->leaf, s->leaf_len, NOW - 60, &info, err),
	   "from the first to the last second of its life");
	ok(!trust_verify(t, s->leaf, s->leaf_len, NOW + 90 * DAY, &info, err) &&
	   said("expired (the certificate, valid 2026-05-28T20:25:40Z to 2026-08-26T20:26:40Z, "
		"checked at 2026-08-26T20:26:40Z)"), "not later, and the reason gives the dates");
	ok(!trust_verify(t, s->leaf, s->leaf_len, NOW - 61, &info, err) && said("not yet valid"),
	   "nor earlier");
	ok(info.fqdn[0] == '\0', "what is not believed leaves nothing in the result");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		n = craft(s, cases[i].change, s->ca->issuer_key, der);
		ok(!trust_verify(t, der, n, NOW, &info, err) && said(cases[i].said), "%s",
		   cases[i].title);
	}
	n = craft(s, no_change, s->ca->root_key, der);
	ok(!trust_verify(t, der, n, NOW, &info, err) && said("signature"),
	   "a signature by another key is refused");
	trust_free(t);
	t = trust_new(ca_root(s->ca), none, err);
	ok(t && !trust_verify(t, s->leaf, s->leaf_len, NOW, &info, err) && said("issuer"),
	   "without the intermediate there is no chain");
	trust_free(t);
	t = trust_new(ca_issuer(s->ca), none, err);
	ok(t && !trust_verify(t, s->leaf, s->leaf_len, NOW, &info, err),
	   "an intermediate is no root");
	trust_free(t);
	ok(!trust_new(none, none, err) && said("root"), "an empty root is refused");
	ok(!trust_new(ca_root(s->ca), (struct bytes){ s->leaf, 40 }, err) && said("issuer"),
	   "a damaged intermediate is refused");
}

static void test_other_ca(const struct scene *s)
{
	struct cert_info info;
	char dir[64];
	struct ca *other;
	struct trust *t;

	make_dir(dir);
	other = ca_open(dir, DOMAIN, NOW, err);
	t = trust_new(ca_root(other), ca_issuer(other), err);
	ok(t && !trust_verify(t, s->leaf, s->leaf_len, NOW, &info, err),
	   "another CA of the same name does not vouch for our devices");
	trust_free(t);
	t = trust_new(ca_root(other), ca_issuer(s->ca), err);
	ok(t && !trust_verify(t, s->leaf, s->leaf_len, NOW, &info, err),
	   "nor does its root for our intermediate");
	trust_free(t);
	ca_free(other);
	remove_dir(dir);
}

int main(void)
{
	static struct scene s;

	scene_make(&s);
	test_identity(&s);
	test_read(&s);
	test_form(&s);
	test_versions(&s);
	test_trust(&s);
	test_damage(&s);
	test_other_ca(&s);
	ca_free(s.ca);
	remove_dir(s.dir);
	return done();
}

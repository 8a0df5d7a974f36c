/* trust.c - whom to believe: a chain of certificates up to one pinned root, at a given time. */
#include "crypto/x509.h"
#include <openssl/err.h>
#include <stdlib.h>

#define CHAIN_DEPTH 4

struct trust {
	X509 *root;
	STACK_OF(X509) *issuers;
};

/* Says which certificate of the chain it was, for its dates are what people need to see. */
static bool chain_broken(X509_STORE_CTX *c, uint64_t now, char *err)
{
	char from[DATE_SIZE], to[DATE_SIZE], at[DATE_SIZE];
	static const char *const place[] = { "the certificate", "its issuer" };
	int depth = X509_STORE_CTX_get_error_depth(c);
	X509 *x = X509_STORE_CTX_get_current_cert(c);
	uint64_t begin = 0, end = 0;

	if (x) {
		x509_seconds(&begin, X509_get0_notBefore(x));
		x509_seconds(&end, X509_get0_notAfter(x));
	}
	return x509_fail(err, "no trust: %s (%s, valid %s to %s, checked at %s)",
			 X509_verify_cert_error_string(X509_STORE_CTX_get_error(c)),
			 depth == 0 || depth == 1 ? place[depth] : "a certificate above",
			 x509_date(from, begin), x509_date(to, end), x509_date(at, now));
}

/* By hand: BoringSSL's purposes add rules for the public web to the question asked here. */
static bool leaf_fits(X509 *leaf, uint32_t use, char *err)
{
	uint32_t flags = X509_get_extension_flags(leaf);

	if (flags & EXFLAG_CA)
		return x509_fail(err, "no trust: a CA's certificate where a device's should be");
	if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(leaf) & use))
		return x509_fail(err, "no trust: the certificate is not made for TLS %s",
				 use == XKU_SSL_SERVER ? "servers" : "clients");
	return true;
}

bool x509_chain(X509 *leaf, X509 *root, STACK_OF(X509) *others, uint64_t now, uint32_t use,
		char *err)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	bool good = false;

	if (now > INT64_MAX || !store || !c || !X509_STORE_add_cert(store, root) ||
	    !X509_STORE_CTX_init(c, store, leaf, others)) {
		x509_fail(err, "no trust: out of memory, or a time out of bounds");
		goto out;
	}
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(c), (time_t)now);
	X509_VERIFY_PARAM_set_depth(X509_STORE_CTX_get0_param(c), CHAIN_DEPTH);
	if (X509_verify_cert(c) == 1)
		good = leaf_fits(leaf, use, err);
	else
		chain_broken(c, now, err);
out:
	X509_STORE_CTX_free(c);
	X509_STORE_free(store);
	ERR_clear_error();
	return good;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	X509_free(t->root);
	sk_X509_pop_free(t->issuers, X509_free);
	free(t);
}

/* One after the other, as many as there are. */
static bool issuers_read(STACK_OF(X509) *list, struct bytes in, char *err)
{
	const uint8_t *p = in.p;

	while (in.n) {
		X509 *x = d2i_X509(NULL, &p, (long)in.n);

		in.n -= x ? (size_t)(p - in.p) : 0;
		in.p = p;
		if (!x)
			return x509_fail(err, "the issuer's certificate is not X.509 in DER");
		if (!sk_X509_push(list, x)) {
			X509_free(x);
			return x509_fail(err, "out of memory");
		}
	}
	return true;
}

struct trust *trust_new(struct bytes root, struct bytes issuer, char *err)
{
	struct trust *t = calloc(1, sizeof *t);

	if (!t || !(t->issuers = sk_X509_new_null())) {
		x509_fail(err, "out of memory");
	} else if (!(t->root = x509_parse(root.p, root.n))) {
		x509_fail(err, "the root is not one X.509 certificate in DER");
	} else if (issuers_read(t->issuers, issuer, err)) {
		return t;
	}
	trust_free(t);
	return NULL;
}

bool trust_verify(const struct trust *t, const uint8_t *der, size_t n, uint64_t now,
		  struct cert_info *info, char *err)
{
	X509 *leaf;
	bool good;

	/* form first: it is the cheaper question */
	if (!cert_read(info, der, n, err))
		return false;
	leaf = x509_parse(der, n);
	good = leaf && x509_chain(leaf, t->root, t->issuers, now, XKU_SSL_CLIENT, err);
	if (!good)
		memset(info, 0, sizeof *info);
	X509_free(leaf);
	return good;
}

/* certs.h - what the tests of certificates share: one CA, one device, crafted certificates. */
#ifndef T_CERTS_H
#define T_CERTS_H

#include "t/tap.h"
#include "crypto/x509.h"
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <unistd.h>

#define NOW ((uint64_t)1780000000)	/* 2026-05-28 */
#define DAY ((uint64_t)86400)
#define DOMAIN "lab.cyphonic.internal"
#define NAME "alice." DOMAIN

static const uint8_t ip4[4] = { 198, 18, 0, 7 };
static const uint8_t ip6[16] = { 0xfd, 0x12, [15] = 7 };

/* One CA, one device and its certificate, for all tests. */
struct scene {
	char dir[64];
	struct ca *ca;
	struct identity who;
	uint8_t csr[1024], leaf[CERT_MAX];
	size_t csr_len, leaf_len;
};

static char err[ERR_SIZE];

static bool said(const char *part)
{
	bool good = strstr(err, part) && !strchr(err, '\n');

	if (!good)
		diag("said: %s", err);
	return good;
}

static struct bytes csr_of(const struct scene *s)
{
	return (struct bytes){ s->csr, s->csr_len };
}

__attribute__((unused))
static size_t issue(struct scene *s, const char *name, bool server, uint8_t out[CERT_MAX])
{
	return ca_issue(s->ca, csr_of(s), name, ip4, ip6, server, NOW - 60, NOW + 90 * DAY, out,
			err);
}

static void make_dir(char *out)
{
	strcpy(out, "/tmp/cert-test.XXXXXX");
	if (!mkdtemp(out))
		abort();
}

static void scene_make(struct scene *s)
{
	make_dir(s->dir);
	s->ca = ca_open(s->dir, DOMAIN, NOW, err);
	identity_make(&s->who);
	s->csr_len = identity_csr(&s->who, NAME, s->csr, sizeof s->csr);
	ok(s->ca && s->csr_len, "a CA is made in an empty directory, and a request by a device");
	if (!s->ca || !s->csr_len)
		exit(done());
	s->leaf_len = issue(s, NAME, false, s->leaf);
	if (!ok(s->leaf_len > 0, "the CA issues a certificate for the request"))
		diag("%s", err);
}

static void remove_dir(const char *dir)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	ok(system(command) == 0, "the test's directory is removed");
}

/* ---- crafted certificates, signed by the true issuer ---- */

static void add(X509 *x, X509_EXTENSION *ext)
{
	if (!ext || !X509_add_ext(x, ext, -1))
		abort();
	X509_EXTENSION_free(ext);
}

static void drop(X509 *x, int nid)
{
	X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_by_NID(x, nid, -1)));
}

static void set_san(X509 *x, const char *text)
{
	drop(x, NID_subject_alt_name);
	add(x, x509_extension(NULL, NID_subject_alt_name, text));
}

__attribute__((unused))
static void other_domain(X509 *x) { set_san(x, "critical,DNS:alice.example.org"); }

__attribute__((unused))
static size_t craft(const struct scene *s, void (*change)(X509 *), EVP_PKEY *key, uint8_t *out)
{
	X509 *x = x509_parse(s->leaf, s->leaf_len);
	int n;

	change(x);
	if (!X509_sign(x, key, NULL))
		abort();
	n = i2d_X509(x, NULL);
	if (n <= CERT_MAX)
		i2d_X509(x, &out);
	X509_free(x);
	return (size_t)n;
}

#endif

/* The CA: what it issues, what it keeps in its directory, what another program thinks of it. */
#include "t/unit/certs.h"
#include <openssl/mem.h>
#include <openssl/pem.h>
#include <sys/stat.h>

static const uint8_t low_order[][32] = {
	{ 0 },
	{ 1 },
	{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
	  0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
	  0xb8, 0x00 },
};

/* ---- issuing ---- */

static size_t issue_for(struct scene *s, X509_REQ *req, EVP_PKEY *key, bool sign)
{
	uint8_t out[CERT_MAX], *der = NULL;
	struct bytes csr;
	size_t n;

	if (sign && !X509_REQ_sign(req, key, NULL))
		abort();
	csr.n = (size_t)i2d_X509_REQ(req, &der);
	csr.p = der;
	n = ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW, NOW + DAY, out, err);
	OPENSSL_free(der);
	return n;
}

/* A request whose X25519 extension holds pub (NULL: none). */
static X509_REQ *request(EVP_PKEY *key, const uint8_t *pub)
{
	X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *list = NULL;
	X509_EXTENSION *ext = pub ? x509_x25519_extension(pub) : NULL;

	if (ext) {
		X509v3_add_ext(&list, ext, -1);
		X509_REQ_add_extensions(req, list);
	}
	X509_REQ_set_pubkey(req, key);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	X509_EXTENSION_free(ext);
	return req;
}

static void test_requests(struct scene *s)
{
	EVP_PKEY *key = x509_key(&s->who);
	X509_REQ *req = request(key, s->who.x25519_pub);
	size_t i;

	ok(issue_for(s, req, key, true) > 0, "a request without any name is good enough");
	X509_REQ_free(req);
	req = request(key, NULL);
	ok(issue_for(s, req, key, true) == 0 && said("missing"),
	   "a request without X25519 key is refused");
	X509_REQ_free(req);
	for (i = 0; i < ARRAY_SIZE(low_order); i++) {
		req = request(key, low_order[i]);
		ok(issue_for(s, req, key, true) == 0 && said("low order"),
		   "a request with X25519 key of low order is refused (%zu)", i);
		X509_REQ_free(req);
	}
	req = request(s->ca->root_key, s->who.x25519_pub);
	ok(issue_for(s, req, key, true) == 0 && said("signature"),
	   "a request not signed by its own key is refused");
	X509_REQ_free(req);
	EVP_PKEY_free(key);
}

static void test_issue(struct scene *s)
{
	uint8_t out[CERT_MAX], again[CERT_MAX];
	struct bytes csr = csr_of(s);
	struct cert_info info;
	size_t n, i, taken = 0;

	ok(issue(s, "alice.example.org", false, out) == 0 &&
	   said("alice.example.org is not a name in"),
	   "the CA issues nothing for another domain");
	ok(issue(s, "x" DOMAIN, false, out) == 0 && issue(s, "a_b." DOMAIN, false, out) == 0 &&
	   issue(s, "a,DNS:b." DOMAIN, false, out) == 0, "nor for what is no name in its domain");
	ok(issue(s, "two\nlines." DOMAIN, false, out) == 0 && said("no domain name"),
	   "and what is no name is not repeated in the message");
	n = issue(s, "Alice." DOMAIN ".", false, out);
	ok(n && cert_read(&info, out, n, err) && strcmp(info.fqdn, NAME) == 0,
	   "a name is brought into canonical form");
	n = ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW, NOW + DAY, out, err);
	ok(n && cert_read(&info, out, n, err) && memcmp(info.ip6, (uint8_t[16]){ 0 }, 16) == 0 &&
	   memcmp(info.ip4, (uint8_t[4]){ 0 }, 4) == 0, "a certificate without addresses has none");
	i = ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW, NOW + DAY, again, err);
	ok(i && memcmp(out, again, 32) != 0, "two certificates have different serial numbers");
	n = ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW, NEVER, out, err);
	ok(n && cert_read(&info, out, n, err) && info.not_after == NOW + 365 * DAY,
	   "no certificate outlives its issuer");
	ok(!ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW, NOW, out, err) && said("begins"),
	   "a certificate without life is refused");
	ok(!ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW + 366 * DAY, NOW + 367 * DAY, out,
		     err) &&
	   said("restart"), "an issuer at its end issues nothing and says what helps");
	for (n = 0; n < csr.n; n++)
		taken += ca_issue(s->ca, (struct bytes){ csr.p, n }, NAME, NULL, NULL, false, NOW,
				  NOW + DAY, out, err) != 0;
	for (i = 0; i < csr.n; i++) {
		s->csr[i] ^= 1;
		taken += issue(s, NAME, false, out) != 0;
		s->csr[i] ^= 1;
	}
	ok(taken == 0, "no truncated or changed request is taken");
	s->csr[csr.n] = 0;
	csr.n++;
	ok(!ca_issue(s->ca, csr, NAME, NULL, NULL, false, NOW, NOW + DAY, out, err),
	   "an octet after a request is refused");
}

static void test_longest_name(void)
{
	char dir[64], domain[NAME_SIZE], name[NAME_SIZE];
	struct scene s;
	struct cert_info info;
	struct trust *t;

	memset(domain, 'b', 189);
	domain[63] = domain[127] = '.';
	domain[189] = '\0';
	memset(name, 'a', 63);
	name[63] = '.';
	memcpy(name + 64, domain, 190);
	make_dir(dir);
	s.ca = ca_open(dir, domain, NOW, err);
	identity_make(&s.who);
	s.csr_len = identity_csr(&s.who, name, s.csr, sizeof s.csr);
	s.leaf_len = s.ca && s.csr_len ? issue(&s, name, true, s.leaf) : 0;
	ok(strlen(name) == NAME_MAX_LEN && s.leaf_len && s.leaf_len <= CERT_MAX,
	   "a server's leaf with the longest name and both addresses fits (%zu of %d octets)",
	   s.leaf_len, CERT_MAX);
	t = s.ca ? trust_new(ca_root(s.ca), ca_issuer(s.ca), err) : NULL;
	ok(t && trust_verify(t, s.leaf, s.leaf_len, NOW, &info, err) && strcmp(info.fqdn, name) ==
	   0,
	   "and is believed");
	diag("root %zu octets, issuer %zu, request %zu", ca_root(s.ca).n, ca_issuer(s.ca).n,
	     s.csr_len);
	trust_free(t);
	ca_free(s.ca);
	remove_dir(dir);
}

/* ---- the CA's directory ---- */

static const char *const files[] = { "root.key", "root.crt", "issuer.key", "issuer.crt" };

static const char *at(const char *dir, const char *file)
{
	static char path[2][128];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, file);
	return path[turn];
}

static void test_reopen(const struct scene *s)
{
	struct ca *ca = ca_open(s->dir, DOMAIN, NOW + DAY, err);
	struct stat st;
	bool private = true;

	ok(ca && ca_root(ca).n == ca_root(s->ca).n &&
	   memcmp(ca_root(ca).p, ca_root(s->ca).p, ca_root(ca).n) == 0 &&
	   memcmp(ca_issuer(ca).p, ca_issuer(s->ca).p, ca_issuer(s->ca).n) == 0,
	   "a CA opened again is the same");
	ca_free(ca);
	private &= stat(at(s->dir, "root.key"), &st) == 0 && (st.st_mode & 0777) == 0600;
	private &= stat(at(s->dir, "issuer.key"), &st) == 0 && (st.st_mode & 0777) == 0600;
	ok(private, "its keys are for its owner alone");
	ok(!ca_open(s->dir, "other.internal", NOW, err) &&
	   said("not for the domain other.internal"),
	   "a CA does not open for another domain");
	ok(!ca_open(s->dir, DOMAIN, NOW - 2 * DAY, err) && said("clock"),
	   "a clock before the CA's begin is named");
	ok(!ca_open(s->dir, DOMAIN, NOW + 3651 * DAY, err) && said("a new CA is needed"),
	   "a root at its end is named");
	ok(!ca_open("/nonexistent/ca", DOMAIN, NOW, err) && said("/nonexistent/ca: cannot be made"),
	   "a directory that cannot be made is named");
}

static void test_renewal(struct scene *s)
{
	uint64_t later = NOW + 200 * DAY;
	struct ca *ca = ca_open(s->dir, DOMAIN, later, err);
	struct trust *t = ca ? trust_new(ca_root(ca), ca_issuer(ca), err) : NULL;
	struct cert_info info;
	uint8_t out[CERT_MAX];
	size_t n;

	ok(ca && memcmp(ca_root(ca).p, ca_root(s->ca).p, ca_root(ca).n) == 0 &&
	   memcmp(ca_issuer(ca).p, ca_issuer(s->ca).p, ca_issuer(s->ca).n) != 0,
	   "past half its life the issuer is renewed under the same root");
	n = ca_issue(s->ca, csr_of(s), NAME, ip4, ip6, false, NOW, NOW + 300 * DAY, out, err);
	ok(t && trust_verify(t, out, n, later, &info, err),
	   "certificates of the issuer before hold under the renewed one");
	trust_free(t);
	n = ca_issue(ca, csr_of(s), NAME, ip4, ip6, false, later, later + 30 * DAY, out, err);
	t = trust_new(ca_root(ca), ca_issuer(s->ca), err);
	ok(n && trust_verify(t, out, n, later, &info, err),
	   "and new ones hold for who only knows the issuer before");
	trust_free(t);
	ca_free(ca);
}

static void copy_file(const char *from, const char *to, const char *file)
{
	char command[512];

	snprintf(command, sizeof command, "cp '%s/%s' '%s/'", from, file, to);
	if (system(command) != 0)
		abort();
}

/* All 16 states of the four files: a beginning of the order is completed, a gap is named. */
static void test_gaps(const struct scene *s)
{
	unsigned mask, i, first;
	char dir[64], want[64];
	struct ca *ca;

	for (mask = 0; mask < 16; mask++) {
		make_dir(dir);
		for (i = 0, first = 4; i < 4; i++)
			if (mask & 1u << i)
				copy_file(s->dir, dir, files[i]);
			else
				first = MIN(first, i);
		ca = ca_open(dir, DOMAIN, NOW, err);
		if (mask >> first == 0) {
			ok(ca && (first < 2 || memcmp(ca_root(ca).p, ca_root(s->ca).p, 300) == 0),
			   "a first start interrupted after %u files is completed", first);
		} else {
			snprintf(want, sizeof want, "/%s is missing", files[first]);
			ok(!ca && said(want), "a lost %s is named, not made anew (state %u)",
			   files[first], mask);
		}
		ca_free(ca);
		for (i = 0; i < 4; i++)
			unlink(at(dir, files[i]));
		ok(rmdir(dir) == 0, "and nothing else is left in the directory");
	}
}

static void test_damaged_files(const struct scene *s)
{
	char dir[64], other[64];
	unsigned i;

	make_dir(other);
	ca_free(ca_open(other, DOMAIN, NOW, err));
	for (i = 0; i < 4; i++) {
		make_dir(dir);
		ca_free(ca_open(dir, DOMAIN, NOW, err));
		copy_file(other, dir, files[i]);
		ok(!ca_open(dir, DOMAIN, NOW, err) && said("belong"),
		   "another CA's %s is refused", files[i]);
		if (truncate(at(dir, files[i]), 40) != 0)
			abort();
		ok(!ca_open(dir, DOMAIN, NOW, err) && said(files[i]), "a truncated %s is named",
		   files[i]);
		if (truncate(at(dir, files[i]), 0) != 0)
			abort();
		ok(!ca_open(dir, DOMAIN, NOW, err) && said(files[i]), "an empty %s is named",
		   files[i]);
		remove_dir(dir);
	}
	remove_dir(other);
}

/* ---- what another program thinks of it ---- */

static void save(const char *dir, const char *file, struct bytes der)
{
	FILE *f = fopen(at(dir, file), "w");
	X509 *x = x509_parse(der.p, der.n);

	if (!f || !PEM_write_X509(f, x))
		abort();
	fclose(f);
	X509_free(x);
}

__attribute__((format(printf, 3, 4)))
static size_t run(char *out, size_t cap, const char *fmt, ...)
{
	char command[512];
	va_list ap;
	size_t n;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(command, sizeof command, fmt, ap);
	va_end(ap);
	f = popen(command, "r");
	n = f ? fread(out, 1, cap - 1, f) : 0;
	out[n] = '\0';
	return f && pclose(f) == 0 ? n : 0;
}

static void test_verify(const char *dir, const char *file, const char *purpose, bool good)
{
	char out[4096];
	size_t n;

	n = run(out, sizeof out, "openssl verify -x509_strict -purpose %s -attime %" PRIu64
		" -CAfile %s/root.crt -untrusted %s/issuer.crt %s/%s 2>&1", purpose, NOW, dir, dir,
			dir,
		file);
	if (!ok(!!n == good, "openssl %s %s for %s", good ? "verifies" : "refuses", file, purpose))
		diag("%s", out);
}

static void test_openssl(struct scene *s)
{
	static const char *const lines[] = {
		"DNS:" NAME ", IP Address:198.18.0.7, IP Address:FD12:0:0:0:0:0:0:7",
		OID_X25519_KEY ":", "ED25519", "TLS Web Client Authentication",
			"CN = CYPHONIC issuer",
		"X509v3 Subject Alternative Name: critical", "Version: 3 (0x2)",
	};
	uint8_t server[CERT_MAX], wrong[CERT_MAX];
	char out[8192];
	size_t i, n;

	if (!run(out, sizeof out, "openssl version 2>/dev/null")) {
		ok(true, "openssl reads our certificates # SKIP openssl is not installed");
		return;
	}
	n = issue(s, NAME, true, server);
	save(s->dir, "server.crt", (struct bytes){ server, n });
	save(s->dir, "leaf.crt", (struct bytes){ s->leaf, s->leaf_len });
	n = craft(s, other_domain, s->ca->issuer_key, wrong);
	save(s->dir, "wrong.crt", (struct bytes){ wrong, n });
	test_verify(s->dir, "leaf.crt", "sslclient", true);
	test_verify(s->dir, "leaf.crt", "sslserver", false);
	test_verify(s->dir, "server.crt", "sslserver", true);
	test_verify(s->dir, "wrong.crt", "sslclient", false);
	run(out, sizeof out, "openssl x509 -in %s/leaf.crt -noout -text", s->dir);
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		ok(strstr(out, lines[i]) != NULL, "openssl shows %s", lines[i]);
	run(out, sizeof out, "openssl x509 -in %s/issuer.crt -noout -text", s->dir);
	ok(strstr(out, "CA:TRUE, pathlen:0") && strstr(out,
						       "Permitted:\n                  DNS:" DOMAIN),
	   "openssl shows the issuer's path length and name constraint");
	ok(run(out, sizeof out, "openssl pkey -in %s/root.key -noout -text", s->dir) &&
	   strstr(out, "ED25519"), "openssl reads the CA's key");
}

static void test_openssl_request(struct scene *s)
{
	char out[8192];
	FILE *f = fopen(at(s->dir, "request.der"), "w");

	if (!f || fwrite(s->csr, 1, s->csr_len, f) != s->csr_len || fclose(f) != 0)
		abort();
	if (run(out, sizeof out,
		"openssl req -inform DER -in %s/request.der -noout -verify -text 2>&1",
		s->dir))
		ok(strstr(out, "DNS:" NAME) && strstr(out, OID_X25519_KEY),
		   "openssl verifies and shows the request");
	else
		ok(!run(out, sizeof out, "openssl version"),
		   "openssl reads our request # SKIP openssl is not installed");
}

int main(void)
{
	static struct scene s;

	scene_make(&s);
	test_requests(&s);
	test_issue(&s);
	test_longest_name();
	test_openssl(&s);
	test_openssl_request(&s);
	test_reopen(&s);
	test_gaps(&s);
	test_renewal(&s);
	test_damaged_files(&s);
	ca_free(s.ca);
	remove_dir(s.dir);
	return done();
}

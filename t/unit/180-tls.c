/* TLS over bytes handed to and fro: the handshake, the pin, and what happens to bad input. */
#include "t/tap.h"
#include "crypto/tls.h"
#include <openssl/ssl.h>
#include <unistd.h>

#define NOW ((uint64_t)1780000000)
#define DAY ((uint64_t)86400)
#define DOMAIN "cyphonic.internal"
#define BIG 100000

/* The AS with its certificate, and contexts for both sides. */
struct scene {
	char dir[64];
	struct ca *ca;
	struct identity who;
	uint8_t csr[1024], leaf[CERT_MAX];
	size_t csr_len, leaf_len;
	uint8_t pin[32];
	struct tls_context *server, *client;
};

static char err[256];

static void scene_make(struct scene *s)
{
	struct bytes root;

	strcpy(s->dir, "/tmp/tls-test.XXXXXX");
	if (!mkdtemp(s->dir) || !(s->ca = ca_open(s->dir, DOMAIN, NOW, err)))
		abort();
	identity_make(&s->who);
	s->csr_len = identity_csr(&s->who, "as." DOMAIN, s->csr, sizeof s->csr);
	s->leaf_len = ca_issue(s->ca, (struct bytes){ s->csr, s->csr_len }, "as." DOMAIN, NULL,
			       NULL,
			       true, NOW - 60, NOW + 90 * DAY, s->leaf, err);
	root = ca_root(s->ca);
	sha256(s->pin, root.p, root.n);
	s->server = tls_server(&s->who, (struct bytes){ s->leaf, s->leaf_len }, ca_issuer(s->ca),
			       root,
			       err);
	s->client = tls_client(s->pin, err);
	if (!ok(s->server && s->client, "both sides' contexts are made"))
		exit(done());
}

static void scene_free(struct scene *s)
{
	char command[128];

	tls_context_free(s->server);
	tls_context_free(s->client);
	ca_free(s->ca);
	snprintf(command, sizeof command, "rm -rf '%s'", s->dir);
	ok(system(command) == 0, "the test's directory is removed");
}

/* Carries what one side has to send to the other, in pieces.  True if there was something. */
static bool carry(struct tls *from, struct tls *to, size_t piece)
{
	uint8_t buf[20000];
	size_t n = tls_take(from, buf, MIN(piece, sizeof buf));

	if (n)
		tls_feed(to, buf, n);
	return n != 0;
}

static void settle(struct tls *a, struct tls *b, size_t piece)
{
	bool more;

	do {
		more = carry(a, b, piece);
		more |= carry(b, a, piece);
	} while (more);
}

struct pair {
	struct tls *client, *server;
};

static struct pair connect_at(struct tls_context *client, struct tls_context *server, uint64_t now,
			      size_t piece)
{
	struct pair p = { tls_new(client, now), tls_new(server, now) };

	settle(p.client, p.server, piece);
	return p;
}

static void pair_free(struct pair p)
{
	tls_free(p.client);
	tls_free(p.server);
}

static bool both_open(struct pair p)
{
	return tls_state(p.client) == TLS_OPEN && tls_state(p.server) == TLS_OPEN;
}

static bool heard(struct tls *t, const char *text)
{
	uint8_t buf[256];
	size_t n = tls_read(t, buf, sizeof buf);

	return n == strlen(text) && memcmp(buf, text, n) == 0;
}

static bool said(const struct tls *t, const char *part)
{
	const char *text = tls_error(t);
	bool good = strstr(text, part) && !strchr(text, '\n');

	if (!good)
		diag("said: %s", text);
	return good;
}

static void test_exchange(struct scene *s, size_t piece)
{
	struct pair p = connect_at(s->client, s->server, NOW, piece);
	uint8_t none[16];

	ok(both_open(p), "the handshake succeeds in pieces of %zu octets", piece);
	ok(tls_read(p.client, none, sizeof none) == 0 && both_open(p),
	   "there is nothing to read yet");
	ok(tls_write(p.client, (const uint8_t *)"Login Request", 13), "the client writes");
	settle(p.client, p.server, piece);
	ok(heard(p.server, "Login Request"), "the server reads it");
	ok(tls_write(p.server, (const uint8_t *)"Login Response", 14), "the server answers");
	settle(p.client, p.server, piece);
	ok(heard(p.client, "Login Response"), "the client reads the answer");
	ok(tls_write(p.client, none, 0) && both_open(p), "writing nothing is harmless");
	pair_free(p);
}

static void test_no_tickets(struct scene *s)
{
	struct tls *client = tls_new(s->client, NOW), *server = tls_new(s->server, NOW);
	uint8_t buf[4096];

	carry(client, server, sizeof buf);
	carry(server, client, sizeof buf);
	ok(tls_state(client) == TLS_OPEN, "the client is ready after one round trip");
	carry(client, server, sizeof buf);
	ok(tls_state(server) == TLS_OPEN && tls_take(server, buf, sizeof buf) == 0,
	   "the server sends nothing after the handshake: no tickets");
	tls_free(client);
	tls_free(server);
}

static void test_end(struct scene *s)
{
	struct pair p = connect_at(s->client, s->server, NOW, 20000);
	uint8_t buf[16];

	tls_write(p.client, (const uint8_t *)"last", 4);
	tls_end(p.client);
	settle(p.client, p.server, 20000);
	ok(tls_state(p.server) == TLS_OPEN, "an end behind data is not seen before the data");
	ok(heard(p.server, "last"), "the data is read");
	ok(tls_read(p.server, buf, sizeof buf) == 0 && tls_state(p.server) == TLS_ENDED,
	   "then close_notify ends the connection");
	ok(!tls_write(p.server, buf, 1) && !tls_write(p.client, buf, 1),
	   "nothing is written after the end");
	tls_end(p.server);
	settle(p.client, p.server, 20000);
	ok(tls_state(p.client) == TLS_ENDED && !tls_error(p.client)[0],
	   "the answering close_notify ends the other side");
	ok(tls_feed(p.client, buf, sizeof buf) == TLS_ENDED, "what comes later is ignored");
	pair_free(p);
	p.client = tls_new(s->client, NOW);
	tls_end(p.client);
	ok(tls_state(p.client) == TLS_ENDED, "a handshake can be given up");
	tls_free(p.client);
}

static void test_large(struct scene *s)
{
	static uint8_t out[BIG], in[BIG];
	struct pair p = connect_at(s->client, s->server, NOW, 20000);
	size_t i, n = 0, got;

	for (i = 0; i < BIG; i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	ok(tls_write(p.client, out, 16384), "16 KiB are written at once");
	ok(tls_write(p.client, out + 16384, BIG - 16384), "and more");
	while (carry(p.client, p.server, 1400))
		while ((got = tls_read(p.server, in + n, BIG - n)))
			n += got;
	ok(n == BIG && memcmp(in, out, BIG) == 0, "all of it arrives");
	pair_free(p);
}

/* ---- whom a client believes ---- */

static void refused_at(struct scene *s, uint64_t now, const char *why, const char *title)
{
	struct pair p = connect_at(s->client, s->server, now, 20000);

	ok(tls_state(p.client) == TLS_FAILED && said(p.client, why), "%s", title);
	ok(tls_state(p.server) == TLS_FAILED && said(p.server, "the other side refused: "),
	   "and the server hears of it");
	pair_free(p);
}

static void test_dates(struct scene *s)
{
	struct pair p = connect_at(s->client, s->server, NOW + 89 * DAY, 20000);

	ok(both_open(p), "a certificate holds until its end");
	pair_free(p);
	refused_at(s, NOW + 91 * DAY, "expired", "an expired certificate is refused");
	refused_at(s, NOW + 4000 * DAY, "expired", "an expired chain is refused");
	refused_at(s, NOW - DAY / 2, "not yet valid", "a certificate from the future is refused");
}

static void test_pin(struct scene *s)
{
	uint8_t wrong[32];
	char want[100], hex[65];
	struct tls_context *client;
	struct pair p;

	memset(wrong, 0xab, sizeof wrong);
	client = tls_client(wrong, err);
	p = connect_at(client, s->server, NOW, 20000);
	ok(tls_state(p.client) == TLS_FAILED && said(p.client, "is not the pinned one") &&
	   said(p.client, "pinned sha256 abababab"),
	   "a root that is not the pinned one is refused");
	snprintf(want, sizeof want, "got %s)", hex_text(hex, s->pin, 32));
	ok(said(p.client, want), "and the message gives the root that was sent");
	ok(!tls_write(p.client, wrong, 1) && tls_read(p.client, wrong, 32) == 0 &&
	   tls_feed(p.client, wrong, 32) == TLS_FAILED, "a failed connection stays failed");
	pair_free(p);
	tls_context_free(client);
}

static struct tls_context *server_with(struct scene *s, struct bytes leaf, struct bytes issuer,
				       struct bytes root)
{
	struct tls_context *c = tls_server(&s->who, leaf, issuer, root, err);

	if (!c)
		diag("%s", err);
	return c;
}

static void refused_from(struct scene *s, struct tls_context *server, const char *why,
			 const char *title)
{
	struct pair p;

	if (!ok(server != NULL, "a server is made with what it should not send"))
		return;
	p = connect_at(s->client, server, NOW, 20000);
	ok(tls_state(p.client) == TLS_FAILED && said(p.client, why), "%s", title);
	pair_free(p);
	tls_context_free(server);
}

static void test_chains(struct scene *s)
{
	struct bytes leaf = { s->leaf, s->leaf_len }, root = ca_root(s->ca), issuer =
		ca_issuer(s->ca);
	uint8_t device[CERT_MAX], foreign[CERT_MAX];
	struct scene other = { 0 };
	size_t n;

	n = ca_issue(s->ca, (struct bytes){ s->csr, s->csr_len }, "as." DOMAIN, NULL, NULL, false,
		     NOW,
		     NOW + DAY, device, err);
	refused_from(s, server_with(s, (struct bytes){ device, n }, issuer, root),
		     "not made for TLS servers",
		     "a device's certificate makes no server");
	refused_from(s, server_with(s, leaf, root, root), "issuer",
		     "a chain without its intermediate is refused");
	refused_from(s, server_with(s, leaf, issuer, issuer), "is not the pinned one",
		     "a chain without the root is refused");
	scene_make(&other);
	n = ca_issue(other.ca, (struct bytes){ s->csr, s->csr_len }, "as." DOMAIN, NULL, NULL, true,
		     NOW,
		     NOW + DAY, foreign, err);
	refused_from(s, server_with(s, (struct bytes){ foreign, n }, ca_issuer(other.ca), root),
		     "no trust",
		     "the true root behind another CA's chain does not help");
	ok(!tls_server(&other.who, leaf, issuer, root, err) && strstr(err, "belong together"),
	   "a server's key must be its certificate's");
	ok(!tls_server(&s->who, (struct bytes){ leaf.p, 50 }, issuer, root, err),
	   "a server with a damaged certificate is not made");
	scene_free(&other);
}

/* ---- bad input ---- */

static void test_garbage(struct scene *s)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: as\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
			"\x16\x03\x01\xff\xff",
		"\x15\x03\x03", "\x17\x03\x03\xff\xff",
	};
	uint8_t buf[512], alert[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts) * 2; i++) {
		struct tls *t = tls_new(i & 1 ? s->server : s->client, NOW);
		const char *text = texts[i / 2];

		memset(buf, 0xff, sizeof buf);
		memcpy(buf, text, strlen(text));
		ok(tls_feed(t, buf, sizeof buf) == TLS_FAILED && tls_error(t)[0],
		   "garbage fails on the %s: %s", i & 1 ? "server" : "client", tls_error(t));
		while (tls_take(t, alert, sizeof alert))
			;
		tls_free(t);
	}
}

static void test_random_garbage(struct scene *s)
{
	unsigned i, tries = 200 * scale(), opened = 0;
	uint8_t buf[512];

	for (i = 0; i < tries; i++) {
		struct tls *t = tls_new(i & 1 ? s->server : s->client, NOW);
		size_t n;

		random_bytes(buf, sizeof buf);
		for (n = 0; n < sizeof buf; n += 64)
			tls_feed(t, buf + n, 64);
		opened += tls_state(t) == TLS_OPEN || tls_state(t) == TLS_ENDED;
		tls_free(t);
	}
	/* some wait for the rest of a record they announce */
	ok(opened == 0, "random octets open nothing and end nothing (%u tries)", tries);
}

/* One octet of one flight turned over, at every place of a handshake and of data after it. */
static void test_damage(struct scene *s)
{
	uint8_t buf[4096];
	unsigned at, whole = 0, crossed = 0;

	for (at = 0; at < 2400; at += 13) {
		struct pair p = { tls_new(s->client, NOW), tls_new(s->server, NOW) };
		size_t seen = 0, n, side = 0, idle = 0;

		while (idle < 2) {
			struct tls *from = side & 1 ? p.server : p.client;
			struct tls *to = side++ & 1 ? p.client : p.server;

			n = tls_take(from, buf, sizeof buf);
			idle = n ? 0 : idle + 1;
			if (at >= seen && at < seen + n)
				buf[at - seen] ^= 0x10;
			seen += n;
			if (n)
				tls_feed(to, buf, n);
		}
		whole += both_open(p);
		crossed += at >= seen;
		pair_free(p);
	}
	/* the middle octet of a record's old version number means nothing */
	ok(whole <= crossed + 2,
	   "a handshake with a damaged octet does not succeed (%u of 185 did, "
	   "%u were not hit)", whole, crossed);
}

/* ---- programs that are not ours ---- */

static enum ssl_verify_result_t believe(SSL *ssl, uint8_t *alert)
{
	return ssl_verify_ok;
}

/* A plain TLS client that believes everything. */
static SSL *stranger(SSL_CTX *ctx, uint16_t version, const char *alpn)
{
	SSL *ssl = SSL_new(ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	static const uint16_t ed25519 = SSL_SIGN_ED25519;

	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	SSL_set_custom_verify(ssl, SSL_VERIFY_PEER, believe);
	SSL_set_verify_algorithm_prefs(ssl, &ed25519, 1);
	SSL_set_max_proto_version(ssl, version);
	if (alpn)
		SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn));
	return ssl;
}

static void meet(SSL *ssl, struct tls *server)
{
	uint8_t buf[8192];
	unsigned i;
	size_t n;
	int got;

	for (i = 0; i < 4; i++) {
		SSL_do_handshake(ssl);
		got = BIO_read(SSL_get_wbio(ssl), buf, sizeof buf);
		if (got > 0)
			tls_feed(server, buf, (size_t)got);
		while ((n = tls_take(server, buf, sizeof buf)))
			BIO_write(SSL_get_rbio(ssl), buf, (int)n);
	}
}

static void test_strangers(struct scene *s)
{
	static const struct {
		uint16_t version;
		const char *alpn, *said, *title;
	} cases[] = {
		{ TLS1_3_VERSION, "\x08" "cyphonic", NULL, "a client with our ALPN is welcome" },
		{ TLS1_3_VERSION, "\x02h2\x08" "cyphonic", NULL, "also if it speaks more" },
		{ TLS1_3_VERSION, NULL, "ALPN", "a client without ALPN is refused" },
		{ TLS1_3_VERSION, "\x02h2", "PROTOCOL", "a client with another ALPN is refused" },
		{ TLS1_2_VERSION, "\x08" "cyphonic", "PROTOCOL", "a client of TLS 1.2 is refused" },
	};
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls *server = tls_new(s->server, NOW);
		SSL *ssl = stranger(ctx, cases[i].version, cases[i].alpn);

		meet(ssl, server);
		if (cases[i].said)
			ok(tls_state(server) == TLS_FAILED && said(server, cases[i].said), "%s",
			   cases[i].title);
		else
			ok(tls_state(server) == TLS_OPEN && said(server, ""), "%s", cases[i].title);
		SSL_free(ssl);
		tls_free(server);
	}
	SSL_CTX_free(ctx);
}

static void test_reflection(struct scene *s)
{
	struct tls *a = tls_new(s->client, NOW), *b = tls_new(s->client, NOW);

	settle(a, b, 20000);
	ok(tls_state(a) == TLS_FAILED && tls_state(b) == TLS_FAILED, "two clients do not talk");
	tls_free(a);
	tls_free(b);
}

static void test_damaged_data(struct scene *s)
{
	struct pair p = connect_at(s->client, s->server, NOW, 20000);
	uint8_t buf[256];
	size_t n;

	tls_write(p.client, (const uint8_t *)"hello", 5);
	n = tls_take(p.client, buf, sizeof buf);
	buf[n - 1] ^= 1;
	ok(n && tls_feed(p.server, buf, n) == TLS_FAILED && tls_read(p.server, buf, sizeof buf) ==
	   0,
	   "damaged data fails the connection and is not read: %s", tls_error(p.server));
	pair_free(p);
}

int main(void)
{
	struct scene s = { 0 };

	scene_make(&s);
	test_exchange(&s, 20000);
	test_exchange(&s, 1);
	test_no_tickets(&s);
	test_end(&s);
	test_large(&s);
	test_dates(&s);
	test_pin(&s);
	test_chains(&s);
	test_garbage(&s);
	test_random_garbage(&s);
	test_damage(&s);
	test_strangers(&s);
	test_reflection(&s);
	test_damaged_data(&s);
	scene_free(&s);
	return done();
}

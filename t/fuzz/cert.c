/*
 * cert.c - libFuzzer entry: certificates, requests, private keys.  First octet: what the
 * rest is.  What the CA issues must be read and believed, whatever was asked of it.
 */
#include "crypto/cert.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

static struct ca *ca;
static struct trust *trust;

static void start(void)
{
	char err[256];

	random_seed(1);
	ca = ca_open(fuzz_dir(), "cyphonic.internal", FUZZ_WALL, err);
	must(ca);
	trust = trust_new(ca_root(ca), ca_issuer(ca), err);
	must(trust);
}

static void request(const uint8_t *p, size_t n)
{
	static const uint8_t ip4[4] = { 198, 18, 0, 5 }, ip6[16] = { 0xfd, [15] = 5 };
	static const char name[] = "dev.cyphonic.internal";
	uint8_t out[CERT_MAX];
	struct cert_info info;
	char err[256];
	size_t len = ca_issue(ca, (struct bytes){ p, n }, name, ip4, ip6, false, FUZZ_WALL,
			      FUZZ_WALL + 86400, out, err);

	if (!len)
		return;
	must(trust_verify(trust, out, len, FUZZ_WALL + 1, &info, err));
	must(!strcmp(info.fqdn, name) && !memcmp(info.ip4, ip4, 4) && !memcmp(info.ip6, ip6, 16));
}

static void certificate(const uint8_t *p, size_t n)
{
	struct cert_info info;
	char err[256], canonical[NAME_SIZE];
	bool read = cert_read(&info, p, n, err);

	if (read)
		must(n <= CERT_MAX && name_canonical(canonical, info.fqdn) &&
		     !strcmp(canonical, info.fqdn));
	if (trust_verify(trust, p, n, FUZZ_WALL + 1, &info, err))
		must(read && name_within(info.fqdn, "cyphonic.internal"));
}

static void roots(const uint8_t *p, size_t n)
{
	size_t first = n / 2;
	struct trust *t;
	char err[256];

	t = trust_new(ca_root(ca), (struct bytes){ p, n }, err);
	trust_free(t);
	t = trust_new((struct bytes){ p, first }, (struct bytes){ p + first, n - first }, err);
	trust_free(t);
	trust_free(trust_new((struct bytes){ p, n }, (struct bytes){ NULL, 0 }, err));
}

static void private_keys(const uint8_t *p, size_t n)
{
	struct identity who, again;
	char text[4096];
	size_t len;

	if (!identity_read(&who, (const char *)p, n))
		return;
	len = identity_write(&who, text, sizeof text);
	must(len && identity_read(&again, text, len) && !memcmp(&who, &again, sizeof who));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!ca)
		start();
	if (!n)
		return 0;
	random_seed(2);
	switch (p[0] & 3) {
	case 0:
		certificate(p + 1, n - 1);
		break;
	case 1:
		request(p + 1, n - 1);
		break;
	case 2:
		roots(p + 1, n - 1);
		break;
	case 3:
		private_keys(p + 1, n - 1);
		break;
	}
	return 0;
}

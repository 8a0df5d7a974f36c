/* 335-redact.c - what is replaced in a debug bundle, and what stays readable. */
#include "net/io/redact.h"
#include "t/tap.h"

static struct redact r;
static struct config conf;

static const char *redacted(enum redaction how, const char *text)
{
	static char out[4096];
	FILE *f = fmemopen(out, sizeof out, "w");

	redact_free(&r);
	r = (struct redact){ .how = how, .conf = &conf, .domain = "cyphonic.internal", .host = "desk" };
	redact(&r, text, strlen(text), f);
	fclose(f);
	return out;
}

static void check(enum redaction how, const char *text, const char *want, const char *title)
{
	const char *got = redacted(how, text);

	ok(strcmp(got, want) == 0, "%s", title);
	if (strcmp(got, want) != 0)
		diag("got  %s\nwant %s", got, want);
}

/* Every text is gone through to its end, and nothing of an address is left behind. */
static void test_any(void)
{
	static const char letter[] = "0123456789abcdef.:.:-@_ []\n\"%/xg";
	static char text[2000];
	unsigned i, k, bad = 0;

	srand(4711);
	for (i = 0; i < 2000 * scale(); i++) {
		for (k = 0; k + 60 < sizeof text; k++)
			text[k] = letter[(unsigned)rand() % (sizeof letter - 1)];
		strcpy(text + k, " 203.0.113.77:4501 and [2001:db8::77]:1 ");
		bad += strstr(redacted(REDACT_SOME, text), "203.0.113.77") != NULL;
		bad += strstr(redacted(REDACT_MORE, text), "2001:db8::77") != NULL;
	}
	ok(bad == 0, "whatever stands in front, an address is found");
}

int main(void)
{
	config_defaults(&conf);
	strcpy(conf.node_account, "alice");
	strcpy(conf.node_device, "laptop");
	check(REDACT_NONE, "alice at 203.0.113.7", "alice at 203.0.113.7", "none replaces nothing");
	check(REDACT_SOME, "alice at 203.0.113.7:4501.", "account-1 at ip-1:4501.",
	      "an account and a public address are replaced, a port is not");
	check(REDACT_SOME, "203.0.113.7, 203.0.113.8, 203.0.113.7/32", "ip-1, ip-2, ip-1/32",
	      "the same address gets the same stand-in");
	check(REDACT_SOME, "[2001:db8::1]:4501 2001:DB8:0::1", "[ip-1]:4501 ip-1",
	      "also when it is written in another way");
	check(REDACT_SOME, "10.1.2.3 192.168.0.1 172.16.0.1 169.254.0.1 198.18.0.2 fd00::1 fe80::1 127.0.0.1 ::1 ::",
	      "10.1.2.3 192.168.0.1 172.16.0.1 169.254.0.1 198.18.0.2 fd00::1 fe80::1 127.0.0.1 ::1 ::",
	      "private, virtual and loopback addresses stay");
	check(REDACT_MORE, "10.1.2.3 198.18.0.2 fd00::1 127.0.0.1 ::1 0.0.0.0 0.0.0.0:53", "ip-1 ip-2 ip-3 127.0.0.1 ::1 0.0.0.0 0.0.0.0:53",
	      "with more only loopback and none stay");
	check(REDACT_MORE, "laptop.cyphonic.internal LAPTOP desk www.debian.org cyphonic.internal",
	      "name-1 name-2 name-3 www.debian.org name-4", "names of the domain and of the computer are replaced");
	check(REDACT_MORE, "link/ether 02:00:5e:10:00:ff brd", "link/ether mac-1 brd", "so are MAC addresses");
	check(REDACT_SOME, "2026-11-20T15:45:00.123Z 15:45:00 1.2.3 libev.so.4 alice2 0.24 ms",
	      "2026-11-20T15:45:00.123Z 15:45:00 1.2.3 libev.so.4 alice2 0.24 ms", "times, versions and others' words stay");
	check(REDACT_SOME, "\"account\":\"alice\",<alice>alice", "\"account\":\"account-1\",<account-1>account-1",
	      "an account is found between all signs");
	test_any();
	redact_free(&r);
	return done();
}

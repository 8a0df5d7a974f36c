/*
 * 230-config.c - what a configuration file may hold, and what is said about one that is wrong.
 * Most cases are columns: a text, and the message it must get ("" for none).
 */
#include "t/tap.h"
#include "store/config.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path(const char *name)
{
	static _Thread_local char out[128];
	const char *dir = getenv("CONFIG_TEST_DIR");

	snprintf(out, sizeof out, "%s/%s", dir, name);
	return out;
}

static void put(const char *name, const void *text, size_t n, mode_t mode)
{
	FILE *f = fopen(path(name), "w");

	if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0 || chmod(path(name), mode) != 0)
		abort();
}

/* Loads text as the file x; *said gets the messages and is freed by the caller. */
static int load_bytes(struct config *c, const void *text, size_t n, uint32_t roles, char **said)
{
	size_t len;
	FILE *errors = open_memstream(said, &len);
	int result;

	put("x", text, n, 0644);
	result = config_load(c, path("x"), roles, errors);
	fclose(errors);
	return result;
}

static int load(struct config *c, const char *text, uint32_t roles, char **said)
{
	return load_bytes(c, text, strlen(text), roles, said);
}

static bool accepts(const char *text, struct config *c)
{
	char *said;
	int n = load(c, text, 0, &said);

	if (n)
		diag("%s", said);
	free(said);
	return n == 0;
}

/* ---- one value wrong, one message right ---- */

static const struct wrong {
	const char *text, *message, *title;
} wrong[] = {
	{ "role: ns", ":1:7: 'role' must be one of node|as|nms|trs|all, not 'ns'",
	  "an unknown role is refused with the known ones" },
	{ "role: nms\nwokers: 2", ":2:1: unknown key 'wokers' (did you mean 'workers'?)",
	  "a misspelt key gets the nearest one" },
	{ "role: nms\nnms: {prt: 1}",
	  ":2:7: unknown key 'prt' in section 'nms' (did you mean 'port'?)",
	  "a misspelt key in a section gets the section's" },
	{ "role: nms\nkeepalive: 3s",
	  ":2:1: unknown key 'keepalive' (did you mean 'keepalive' in section 'nms'?)",
	  "a key outside its section is told where it lives" },
	{ "role: nms\nzzzzzz: 1", ":2:1: unknown key 'zzzzzz' (see cyphonic.yaml(5))",
	  "a key like no other gets no guess" },
	{ "role: nms\n\nrole: as", ":3:1: 'role' stands here and in line 1: delete one",
	  "a key given twice is refused with both lines" },
	{ "nms: {port: 1}\nrole: nms\nnms: {port: 2}",
	  ":3:1: 'nms' stands here and in line 1: delete one",
	  "a section given twice is refused with both lines" },
	{ "role: nms\nnms: 4501", ":2:6: 'nms' is a section: its keys stand below it, indented",
	  "a section is no value" },
	{ "role: nms\ndomain: [a, b]",
	  ":2:9: 'domain' must be a single word or value, not a list",
	  "a list is refused where one value belongs" },
	{ "role: nms\ndomain: {a: b}",
	  ":2:9: 'domain' must be a single word or value, not a section",
	  "a mapping is refused where one value belongs" },
	{ "role: nms\nuser:", ":2:6: 'user' has no value: give it one or delete the line",
	  "a key without a value is refused" },
	{ "role: nms\nuser: ~", ":2:7: 'user' has no value", "null is no value" },
	{ "role: nms\nuser: \"\"", ":2:7: 'user' must not be empty",
	  "an empty value is refused where the default is not empty" },
	{ "role: nms\n? [a]\n: b", ":2:3: a key must be a single word",
	  "a key that is a list is refused" },

	{ "role: nms\nnms: {port: 0}",
	  ":2:13: 'nms.port' must be a number from 1 to 65535, not '0'",
	  "port 0 is refused with the range" },
	{ "role: nms\nnms: {port: 65536}", "from 1 to 65535, not '65536'",
	  "port 65536 is refused" },
	{ "role: nms\nnms: {port: -1}", "from 1 to 65535, not '-1'",
	  "a negative port is refused" },
	{ "role: nms\nnms: {port: 0x1F90}", "from 1 to 65535, not '0x1F90'",
	  "a hexadecimal port is refused" },
	{ "role: nms\nnms: {port: 080}", "from 1 to 65535, not '080'",
	  "a leading zero, octal to some, is refused" },
	{ "role: nms\nnms: {port: 80 80}", "from 1 to 65535, not '80 80'",
	  "two ports are refused" },
	{ "role: nms\nnms: {port: http}", "from 1 to 65535, not 'http'",
	  "a service name is refused" },
	{ "role: nms\nnms: {port: 99999999999999999999}", "from 1 to 65535, not '9999",
	  "a number that would wrap is refused" },
	{ "role: nms\nnms: {port: 4294971797}", "from 1 to 65535, not '4294971797'",
	  "a number that would wrap to 4501 in 32 bits is refused" },

	{ "role: all\nas: {nms: 192.0.2.1}\ntrs: {stun-port: 4502}",
	  ":3:7: 'trs.stun-port' must be another port than 'trs.port'",
	  "a relay's two ports are two" },
	{ "role: all\nas: {nms: 192.0.2.1}\nnms: {port: 4502}",
	  "'nms.port' must be another port than 'trs.port' and 'trs.stun-port'",
	  "the relay beside an NMS has ports of its own" },
	{ "role: nms\nnms: {keepalive: 10}",
	  "'nms.keepalive' needs a unit (ms, s, m, h or d), as in '10s', not '10'",
	  "a duration without a unit is refused" },
	{ "role: nms\nnms: {keepalive: 0s}",
	  "must be a time from 100ms to 5m, unit ms, s, m, h or d, not '0s'",
	  "a duration of nothing is refused with the range" },
	{ "role: nms\nnms: {keepalive: -5s}", "from 100ms to 5m",
	  "a negative duration is refused" },
	{ "role: nms\nnms: {keepalive: 1.5m}", "from 100ms to 5m", "a fraction is refused" },
	{ "role: nms\nnms: {keepalive: 15 s}", "from 100ms to 5m",
	  "a blank before the unit is refused" },
	{ "role: nms\nnms: {keepalive: 15sec}", "from 100ms to 5m",
	  "an unknown unit is refused" },
	{ "role: nms\nnms: {keepalive: 301s}", "from 100ms to 5m",
	  "a duration above the range is refused" },
	{ "role: nms\nnms: {keepalive: 9999999999d}", "from 100ms to 5m",
	  "a duration that would wrap is refused" },
	{ "role: nms\nnms: {keepalive: 60s, path-lifetime: 30s}",
	  "'nms.keepalive' must be shorter than 'nms.path-lifetime'",
	  "a keepalive longer than a path lives is refused, both keys named" },

	{ "role: nms\ndomain: a_b.example", "'domain' must be a domain name",
	  "an underscore in the domain is refused" },
	{ "role: nms\ndomain: a..b", "'domain' must be a domain name",
	  "an empty label is refused" },
	{ "role: nms\ndomain: -a.b", "'domain' must be a domain name",
	  "a label that begins with a hyphen is refused" },
	{ "role: nms\ndomain: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b",
	  "'domain' must be a domain name",
	  "a label of 64 is refused" },
	{ "role: nms\ndomain: b\xc3\xbc" "cher.example",
	  "other scripts in their xn-- form, not 'b\\xc3\\xbccher.example'",
	  "a name in another script is refused, shown escaped, with the remedy" },
	{ "role: nms\nnode: {device: a.b}", "'node.device' must be one label",
	  "a device name of two labels is refused" },
	{ "role: nms\nstate: var/lib",
	  "'state' must be an absolute path (begin with '/'), not 'var/lib'",
	  "a relative path is refused" },
	{ "role: nms\nrun: /123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
	  "'run' must be at most 79 octets long",
	  "a path too long for a socket is refused" },
	{ "role: nms\nuser: \"a b\"",
	  "'user' must be of letters, digits and . _ @ - only, not 'a b'",
	  "a blank in a user name is refused" },
	{ "role: nms\nnode: {tun: interfacename0123}",
	  "'node.tun' must be at most 15 octets long",
	  "an interface name of 16 is refused" },
	{ "role: nms\nnode: {tun: a/b}", "'node.tun' must be of letters",
	  "a slash in an interface name is refused" },
	{ "role: nms\nuser: \"a\\0b\"", "'user' has a control character or line end in it",
	  "an escaped NUL does not cut a value short" },
	{ "role: nms\nuser: |\n  a\n", "'user' has a control character or line end in it",
	  "a block of lines is no value" },
	{ "role: nms\nuser: \"\\u009b31m\"", "not '\\xc2\\x9b31m'",
	  "a terminal's escape code comes back escaped" },
	{ "role: nms\nuser: \"%s%n%s%n\"", "not '%s%n%s%n'",
	  "printf's codes come back as they are" },
	{ "role: nms\nnode: {root: abc}", "'node.root' must be 64 hexadecimal digits, not 'abc'",
	  "a short fingerprint is refused" },
	{ "role: nms\nlog: {level: loud}",
	  "'log.level' must be one of error|warn|info|debug, not 'loud'",
	  "an unknown word is refused with the known ones" },
	{ "role: nms\nlog: {level: INFO}", "'log.level' must be one of",
	  "words are compared exactly" },
	{ "role: nms\nlog: {level: error|warn}", "'log.level' must be one of",
	  "the list of words is not a word" },
};

static const struct wrong wrong_address[] = {
	{ "010.0.0.1", "must be an IP address (names are not looked up)",
	  "octal IPv4 is refused" },
	{ "1.2.3", "must be an IP address", "three numbers are refused" },
	{ "1.2.3.4.5", "must be an IP address", "five numbers are refused" },
	{ "256.1.1.1", "must be an IP address", "256 is refused" },
	{ "0x7f.1", "must be an IP address", "hexadecimal IPv4 is refused" },
	{ "as.example.org", "must be an IP address", "a name is refused" },
	{ "192.0.2.1:0", "must be an IP address", "port 0 behind an address is refused" },
	{ "192.0.2.1:65536", "must be an IP address", "port 65536 behind an address is refused" },
	{ "'192.0.2.1:'", "must be an IP address", "a missing port behind a colon is refused" },
	{ "'[2001:db8::1'", "must be an IP address", "an open bracket is refused" },
	{ "'[192.0.2.1]:4501'", "must be an IP address", "IPv4 in brackets is refused" },
	{ "'[2001:db8::1]4501'", "must be an IP address", "a port without its colon is refused" },
	{ "192.0.2.1/24", "must be an IP address", "a prefix is no address" },
	{ "fe80::1", "needs its interface, as in 'fe80::1%eth0'",
	  "link-local IPv6 without an interface is refused" },
	{ "fe80::1%nosuch0", "must name an interface of this computer",
	  "an interface that is not there is refused" },
	{ "2001:db8::1%lo", "only if it is link-local",
	  "an interface behind a global address is refused" },
	{ "::ffff:192.0.2.1", "must be written as the IPv4 address",
	  "v4-mapped IPv6 is refused" },
	{ "0.0.0.0", "must be the address of one host",
	  "the unspecified IPv4 address is refused" },
	{ "'::'", "must be the address of one host", "the unspecified IPv6 address is refused" },
	{ "224.0.0.1", "must be a unicast address", "IPv4 multicast is refused" },
	{ "255.255.255.255", "must be a unicast address", "broadcast is refused" },
	{ "0.1.2.3", "must be a unicast address", "an address of 'this network' is refused" },
	{ "ff02::1", "must be a unicast address", "IPv6 multicast is refused" },
	{ "[192.0.2.1, '192.0.2.1:4501']", "must list each address once, not '192.0.2.1:4501'",
	  "an address listed twice is refused" },
	{ "[1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4, 1.1.1.5]",
	  "must list at most 4 addresses, not '1.1.1.5'",
	  "one address too many is refused" },
	{ "[[192.0.2.1]]", "must be a single word or value, not a list",
	  "a list in a list is refused" },
	{ "", "'node.as' has no value", "no address is refused" },
};

static const struct wrong wrong_prefix[] = {
	{ "ipv4: 10.0.0.1/8",
	  "'virtual.ipv4' must have no bits set behind its /8: write '10.0.0.0/8'",
	  "host bits are refused, the right prefix shown" },
	{ "ipv4: 10.1.2.0/22", "write '10.1.0.0/22'", "host bits inside an octet are seen" },
	{ "ipv4: 10.0.0.0", "must be an IPv4 range of /8 to /24, as '198.18.0.0/15'",
	  "a prefix needs its length" },
	{ "ipv4: 10.0.0.0/33", "of /8 to /24", "/33 is refused" },
	{ "ipv4: 10.0.0.0/25", "of /8 to /24", "a range too small is refused" },
	{ "ipv4: 0.0.0.0/0", "of /8 to /24", "everything is refused" },
	{ "ipv4: 10.0.0.0/08", "of /8 to /24", "a leading zero in the length is refused" },
	{ "ipv4: fd00::/64", "must be an IPv4 range", "IPv6 is refused as IPv4 range" },
	{ "ipv4: 127.0.0.0/8", "must be a range of ordinary addresses", "loopback is refused" },
	{ "ipv4: 224.0.0.0/8", "must be a range of ordinary addresses", "multicast is refused" },
	{ "ipv4: \"\"", "must be an IPv4 range", "an empty IPv4 range is refused" },
	{ "ipv6: fd00::/48", "must be an IPv6 range of /64", "a /48 is refused" },
	{ "ipv6: fd00::1/64", "write 'fd00::/64'", "host bits of IPv6 are refused" },
	{ "ipv6: fe80::/64", "must be a range of ordinary addresses",
	  "link-local IPv6 is refused" },
	{ "ipv6: ::/129", "must be an IPv6 range of /64", "/129 is refused" },
};

static void one_message(const struct wrong *w, const char *text)
{
	struct config c;
	char *said;
	int n = load(&c, text, 0, &said);
	size_t len = strlen(path("x"));

	if (!ok(n == 1 && strstr(said, w->message) && strncmp(said, path("x"), len) == 0, "%s", w->title))
		diag("%d: %s", n, said);
	free(said);
}

static void wrong_values(void)
{
	char text[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		one_message(&wrong[i], wrong[i].text);
	for (i = 0; i < ARRAY_SIZE(wrong_address); i++) {
		snprintf(text, sizeof text, "role: nms\nnode:\n  as: %s\n", wrong_address[i].text);
		one_message(&wrong_address[i], text);
	}
	for (i = 0; i < ARRAY_SIZE(wrong_prefix); i++) {
		snprintf(text, sizeof text, "role: nms\nvirtual:\n  %s\n", wrong_prefix[i].text);
		one_message(&wrong_prefix[i], text);
	}
}

/* ---- texts that are no document ---- */

static void no_yaml(void)
{
	static const struct wrong cases[] = {
		{ "role: nms\nnms:\n\tport: 1\n",
		  ":3:1: found character that cannot start any token while scanning for the next token (indent with spaces, not tabs)",
		  "a tab is refused with the remedy" },
		{ "role: nms\nuser: \"abc\n",
		  "found unexpected end of stream while scanning a quoted scalar begun in line 2",
		  "an open quote is refused with the line of its beginning" },
		{ "role: nms\nas: {nms: [192.0.2.1\n\nuser: x\n",
		  "while parsing a flow sequence begun in line 2",
		  "an open bracket is refused with the line of its beginning" },
		{ "role: as\nas:\n  nms: [2001:db8::1]:4501\n",
		  "put quotes round \"[IPV6]:PORT\"",
		  "an unquoted bracketed address gets the remedy" },
		{ "role: nms\nuser: \xff\xfe\n",
		  ":2:7: invalid leading UTF-8 octet: write the file in UTF-8",
		  "what is not UTF-8 is refused with line and column" },
		{ "role: nms\nuser: \x01\n", ":2:7: control characters are not allowed",
		  "a control character is refused" },
		{ "role: nms\n---\nrole: as\n", "a second document: delete the '---' line",
		  "a second document is refused" },
		{ "role: nms\nuser: *nobody\n", ":2:7: found undefined alias",
		  "an alias to nothing is refused" },
		{ "role: nms\nuser: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "close the brackets",
		  "brackets without end are refused before they cost time" },
	};
	struct config c;
	size_t i;
	char *said;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		one_message(&cases[i], cases[i].text);
	ok(load(&c, "- role", ROLE_NMS, &said) == 1 &&
	   strstr(said, ":1:1: the file must consist of lines 'key: value'"), "a file that is a list is refused");
	free(said);
	ok(load_bytes(&c, "role: nms\nuser: a\0b\n", 20, 0, &said) == 1 &&
	   strstr(said, ":2:8: a NUL byte"), "a NUL is refused with line and column");
	free(said);
	ok(load(&c, "&a [*a, *a]\n", 0, &said) == 2, "a list that holds itself does not loop");
	free(said);
}

/* ---- many errors, and the roles ---- */

static void all_at_once(void)
{
	static const char text[] = "role: [as, what]\nuser: \"\"\nas:\n  nms: 300.1.1.1\n  listn: []\n"
				   "nms:\n  port: x\nworkers: 65\n";
	static const char *const places[] = { ":1:12:", ":2:7:", ":4:8:", ":5:3:", ":7:9:", ":8:10:" };
	struct config c;
	char *said, *at;
	size_t i;
	int n = load(&c, text, 0, &said);

	for (i = 0, at = said; at && i < ARRAY_SIZE(places); i++)
		at = strstr(at, places[i]);
	if (!ok(n == 6 && at, "six mistakes are told in one run, in the order of the file"))
		diag("%d: %s", n, said);
	free(said);
}

static void a_flood(void)
{
	size_t i, len = 0, lines = 0;
	char *text = malloc(64000), *said, *p;
	struct config c;
	int n;

	for (i = 0; i < 5000; i++)
		len += (size_t)sprintf(text + len, "k%zu: 1\n", i);
	n = load(&c, text, ROLE_NMS, &said);
	for (p = said; (p = strchr(p, '\n')); p++)
		lines++;
	ok(n == 5000 && lines == 101 && strstr(said, "4900 more errors"),
	   "a file of nonsense is cut after 100 lines, the rest counted");
	free(said);
	free(text);
}

static const char *const node_lines =
	"node:\n  as: 192.0.2.1\n  account: alice\n  password-file: /etc/pw\n"
	"  root: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

static void roles(void)
{
	static const char *const needed[] = { "node.as", "node.root", "node.account", "node.password-file" };
	struct config c;
	char *said, text[640];
	size_t i;
	int n;

	n = load(&c, "role: node\nnode:\n  mtu: 1300\n", 0, &said);
	for (i = 0; i < ARRAY_SIZE(needed) && strstr(said, needed[i]); i++)
		;
	ok(n == 4 && i == 4 && strstr(said, ":2:1: role node needs 'node.as': add 'as:' under 'node:'"),
	   "a node is told all four keys it lacks, at its section");
	free(said);
	n = load(&c, "role: trs\n", 0, &said);
	ok(n == 5 && strstr(said, "role trs needs 'trs.device'"), "a relay all five that it lacks");
	free(said);
	ok(accepts("role: all\nas: {nms: 192.0.2.1}\n", &c) && c.trs_port == 4502 && c.trs_stun_port == 3478,
	   "beside the AS it needs none of them");
	ok(load(&c, "role: all\nas: {nms: 192.0.2.1}\ntrs: {account: alice}\n", 0, &said) == 4 &&
	   strstr(said, ":3:1: role trs needs 'trs.as'"), "unless it names an account: then all");
	free(said);
	ok(load(&c, "role: as\nas: {nms: []}", 0, &said) == 1 && strstr(said, ":2:6: role as needs 'as.nms'"),
	   "an AS with an empty list of NMS is refused");
	free(said);
	ok(load(&c, "role: as\nas: {nms: x}", 0, &said) == 1, "a wrong value is not called missing too");
	free(said);
	ok(load(&c, "", 0, &said) == 1 && strstr(said, "no role: set 'role:' or --role="),
	   "an empty file without --role= lacks a role");
	free(said);
	ok(load(&c, "# nothing\n", ROLE_NMS, &said) == 0 && c.roles == ROLE_NMS && c.nms_port == 4501,
	   "an empty file with --role= is all defaults");
	free(said);
	ok(load(&c, "role: all\n", ROLE_NMS, &said) == 0 && c.roles == ROLE_NMS, "--role= goes before the file's");
	free(said);
	ok(load(&c, "role: [node, nms]\n", 0, &said) && strstr(said, ":1:1: a node cannot share a process"),
	   "node and services in one process are refused");
	free(said);
	ok(accepts("role: [as, nms, as]\nas: {nms: 192.0.2.1}\nnode:\n", &c) &&
	   c.roles == (ROLE_AS | ROLE_NMS), "roles may be a list; a section may be empty");
	snprintf(text, sizeof text, "role: node\n%s", node_lines);
	ok(accepts(text, &c) && c.node_root[0] == 'a' && strlen(c.node_root) == 64,
	   "a node's file needs six lines; the fingerprint is kept in lower case");
	ok(load(&c, "role: all\nas: {nms: 198.19.1.1}\n", 0, &said) == 1 &&
	   strstr(said, ":2:6: 'as.nms' lists 198.19.1.1, which lies in the virtual range 198.18.0.0/15"),
	   "a service's address inside the virtual range is refused");
	free(said);
	snprintf(text, sizeof text, "role: node\n%s  upstream: 127.0.0.45\n", node_lines);
	ok(load(&c, text, 0, &said) == 1 && strstr(said, "own resolver listens"),
	   "a node that would ask itself for names is refused");
	free(said);
	ok(config_role("node") == ROLE_NODE && config_role("trs") == ROLE_TRS &&
	   config_role("all") == (ROLE_AS | ROLE_NMS | ROLE_TRS) &&
	   !config_role("") && !config_role("tr") && !config_role("Node"), "role words are exact");
}

/* ---- values that are right ---- */

static bool has(const struct address_list *l, const char *const *texts)
{
	char text[ADDR_TEXT];
	unsigned i;

	for (i = 0; i < l->n; i++)
		if (!texts[i] || strcmp(addr_text(text, &l->a[i]), texts[i]) != 0)
			return false;
	return !texts[i];
}

static void right_values(void)
{
	static const char *const four[] = { "192.0.2.1:4501", "192.0.2.1:99", "[2001:db8::1]:4501",
					    "[2001:db8::1]:65535", "[2001:db8::2]:4501", NULL };
	static const char *const any[] = { "0.0.0.0:4501", "[::]:4501", NULL };
	static const char *const one[] = { "9.9.9.9:53", NULL };
	struct config c, d;
	char *said;

	ok(accepts("role: nms\nas:\n  nms: [192.0.2.1, 192.0.2.1:99, 2001:db8::1, '[2001:db8::1]:65535', \"[2001:db8::2]\"]\n", &c) &&
	   has(&c.as_nms, four), "an address is taken with and without port, in all four forms");
	ok(accepts("role: nms\nas: {listen: [0.0.0.0, '::']}\nnode: {upstream: 9.9.9.9}\n", &c) &&
	   has(&c.as_listen, any) && has(&c.node_upstream, one),
	   "listen may be unspecified; a list of one needs no brackets; ports default by key");
	ok(accepts("role: nms\nnode: {as: fe80::1%lo}\n", &c) && c.node_as.a[0].scope != 0,
	   "a link-local address keeps its interface");
	ok(accepts("role: nms\ndomain: Lab.EXAMPLE.org.\nnode: {device: LapTop}\n", &c) &&
	   !strcmp(c.domain, "lab.example.org") && !strcmp(c.node_device, "laptop"),
	   "names are kept in canonical form");
	ok(accepts("role: nms\nnms: {keepalive: 250ms, path-lifetime: 2h}\nas: {key-lifetime: 45d}\n"
		   "node: {idle: 90s, rekey: 2m}\n", &c) && c.keepalive == 250 && c.path_lifetime == 7200000 &&
	   c.key_lifetime == 3888000000 && c.node_idle == 90000 && c.node_rekey == 120000,
	   "durations are milliseconds, whatever their unit");
	ok(accepts("role: nms\nlog: {level: error}\nnode: {cipher: aes-256-gcm, device: \"\"}\n", &c) &&
	   c.log_level == 0 && c.node_cipher == 3, "a word becomes its place in the list");
	ok(accepts("role: \"nms\"\nnms: {port: '77'}", &c) && c.nms_port == 77,
	   "quotes change nothing; the last line needs no end");
	ok(accepts("\xef\xbb\xbfrole: nms\r\nnms:\r\n  port: 77\r\n", &c) && c.nms_port == 77,
	   "a byte order mark and CR LF are accepted");
	ok(load(&c, "\xef\xbb\xbfrole: nms\r\nuser: \"a b\"\r\n", 0, &said) == 1 && strstr(said, ":2:7:"),
	   "neither shifts the place of an error");
	free(said);
	ok(accepts("role: nms\nuser: &u someone\nnode: {account: *u}\n", &c) && !strcmp(c.node_account, "someone"),
	   "an alias stands for its value");
	config_defaults(&d);
	ok(accepts("role: nms\n", &c) && d.nms_port == c.nms_port && d.node_idle == c.node_idle &&
	   !strcmp(d.domain, c.domain) && d.roles == 0 && d.log_level == LOG_INFO,
	   "what the file does not name has its default");
}

static void prefixes(void)
{
	static const uint8_t in4[] = { 198, 19, 255, 1 }, out4[] = { 198, 20, 0, 1 };
	static const uint8_t ula[16] = { 0xfd, 0x67, 0xbe, 0x2b, 0x8c, 0x15 };
	struct prefix none = { 0 };
	struct config c, other;
	uint8_t in6[16], out6[16];

	config_defaults(&c);
	ok(c.virtual4.family == 4 && c.virtual4.bits == 15 && c.virtual6.family == 0,
	   "the defaults have the published IPv4 range and no IPv6 range yet");
	ok(prefix_has(&c.virtual4, in4) && !prefix_has(&c.virtual4, out4) && !prefix_has(&none, in4),
	   "a /15 ends inside an octet; nothing lies in an empty prefix");
	ok(accepts("role: nms\n", &c) && c.virtual6.family == 6 && c.virtual6.bits == 64 &&
	   memcmp(c.virtual6.ip, ula, 16) == 0, "the IPv6 range comes from the domain's name");
	memcpy(in6, ula, 16);
	memcpy(out6, ula, 16);
	in6[15] = in6[8] = 0xff;
	out6[7] = 1;
	ok(prefix_has(&c.virtual6, in6) && !prefix_has(&c.virtual6, out6), "it is a /64");
	ok(accepts("domain: EXAMPLE.org\nrole: nms\n", &c) && accepts("role: nms\ndomain: example.org.\n", &other) &&
	   memcmp(&c.virtual6, &other.virtual6, sizeof c.virtual6) == 0 && c.virtual6.ip[1] == 0xbf,
	   "by the canonical form of the name, wherever its line stands");
	ok(accepts("role: nms\nvirtual: {ipv4: 10.0.0.0/8, ipv6: \"fd00:1:2:3::/64\"}\n", &c) &&
	   c.virtual4.bits == 8 && c.virtual4.ip[0] == 10 && c.virtual6.ip[7] == 3, "both can be set");
}

/* ---- the file itself ---- */

static void refused_file(const char *name, const char *message, const char *title)
{
	struct config c;
	char *said;
	size_t len;
	FILE *errors = open_memstream(&said, &len);
	int n = config_load(&c, name, ROLE_NMS, errors);

	fclose(errors);
	if (!ok(n == 1 && strstr(said, message) && strncmp(said, name, strlen(name)) == 0, "%s", title))
		diag("%d: %s", n, said);
	free(said);
}

static void files(void)
{
	char *big = calloc(1, 1024 * 1024 + 1), name[300];
	struct config c;
	char *said;

	refused_file(path("missing"), ": cannot be opened by user", "a missing file is named");
	refused_file(path(""), ": not a regular file", "a directory is refused");
	mkfifo(path("fifo"), 0600);
	refused_file(path("fifo"), ": not a regular file", "a FIFO is refused at once, not waited for");
	refused_file("/dev/null", ": not a regular file", "a device is refused");
	symlink("loop", path("loop"));
	refused_file(path("loop"), "Too many levels of symbolic links", "a loop of links is refused");
	put("open", "role: nms\n", 10, 0666);
	refused_file(path("open"), "chmod o-w ", "a file that anybody may write is refused with the remedy");
	memset(big, '#', 1024 * 1024 + 1);
	put("big", big, 1024 * 1024 + 1, 0644);
	refused_file(path("big"), ": larger than 1 MiB", "a file above 1 MiB is refused");
	ok(load_bytes(&c, big, 1024 * 1024, ROLE_NMS, &said) == 0, "one of 1 MiB is read");
	free(said);
	memset(name, 'a', sizeof name);
	name[sizeof name - 1] = '\0';
	refused_file(name, ": this path is longer than 255 octets", "a path without room is refused");
	ok(accepts("role: nms\n", &c) && !strcmp(c.file, path("x")), "the configuration knows its file");
	free(big);
}

static void passwords(void)
{
	static const struct { const char *text; size_t n; mode_t mode; const char *want, *title; } cases[] = {
		{ "secret\nmore\n", 12, 0600, "secret", "the first line is the password" },
		{ "secret", 6, 0400, "secret", "the line needs no end" },
		{ "se cret \r\n", 10, 0600, "se cret ", "blanks count, CR LF does not" },
		{ "", 0, 0600, NULL, "an empty file is refused" },
		{ "\nsecret\n", 8, 0600, NULL, "an empty first line is refused" },
		{ "secret\n", 7, 0640, NULL, "a file the group may read is refused" },
		{ "secret\n", 7, 0604, NULL, "a file others may read is refused" },
	};
	char out[256], err[256], line[258];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool good;

		put("pw", cases[i].text, cases[i].n, cases[i].mode);
		*err = '\0';
		good = config_read_password(path("pw"), out, sizeof out, &n, err);
		if (cases[i].want)
			good = good && n == strlen(cases[i].want) && !memcmp(out, cases[i].want, n);
		else
			good = !good && strstr(err, path("pw")) && (cases[i].mode == 0600 || strstr(err, ": chmod 600 "));
		if (!ok(good, "%s", cases[i].title))
			diag("%s", err);
	}
	memset(line, 'x', sizeof line);
	put("pw", line, 256, 0600);
	ok(config_read_password(path("pw"), out, sizeof out, &n, err) && n == 256, "256 octets are a password");
	ok(!config_read_password(path("pw"), out, 255, &n, err), "not into less room");
	put("pw", line, 257, 0600);
	ok(!config_read_password(path("pw"), out, sizeof out, &n, err) && strstr(err, "longer than 256"),
	   "257 are refused");
	ok(!config_read_password(path("fifo"), out, sizeof out, &n, err) && strstr(err, "not a regular file"),
	   "a FIFO is refused");
	ok(!config_read_password(path("missing"), out, sizeof out, &n, err) && strstr(err, "No such file"),
	   "a missing file is named");
}

/* ---- what is printed ---- */

static char *printed(void (*print)(FILE *out))
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	print(f);
	fclose(f);
	return text;
}

/* Removes the '#' of every "#key:" line. */
static void uncomment(char *text)
{
	char *in = text, *out = text;
	bool start = true;

	for (; *in; in++) {
		size_t word = start && *in == '#' ? strspn(in + 1, "abcdefghijklmnopqrstuvwxyz0123456789-") : 0;

		if (!(word && in[1 + word] == ':'))
			*out++ = *in;
		start = *in == '\n' || (start && *in == ' ');
	}
	*out = '\0';
}

static void example(void)
{
	char *text = printed(config_print_example), *manual = printed(config_print_manual);
	struct config as_is, c;

	ok(accepts(text, &as_is) && as_is.roles == (ROLE_AS | ROLE_NMS | ROLE_TRS), "the example file loads");
	uncomment(text);
	ok(accepts(text, &c) && !strcmp(c.node_account, "alice") && c.node_as.n == 1,
	   "it loads too with every key in force");
	memset(&c.node_as, 0, sizeof c.node_as);
	memset(c.node_root, 0, sizeof c.node_root);
	memset(c.node_account, 0, sizeof c.node_account);
	memset(c.node_password, 0, sizeof c.node_password);
	memset(&c.trs_as, 0, sizeof c.trs_as);
	memset(c.trs_root, 0, sizeof c.trs_root);
	memset(c.trs_account, 0, sizeof c.trs_account);
	memset(c.trs_device, 0, sizeof c.trs_device);
	memset(c.trs_password, 0, sizeof c.trs_password);
	ok(memcmp(&as_is, &c, sizeof c) == 0, "every default it shows is the default");
#define NAMED(member, key) ok(strstr(text, key ": ") && strstr(manual, ".It Cm " key " "), \
			      "example and manual have %s", #member);
#define SECTION(name, text)
#define END_SECTION(name)
#define STRING(member, key, size, def, check, text) NAMED(member, key)
#define REQUIRED_STRING(member, key, size, sample, check, role, text) NAMED(member, key)
#define NUMBER(member, key, def, low, high, text) NAMED(member, key)
#define DURATION(member, key, def, low, high, text) NAMED(member, key)
#define ADDRESSES(member, key, max, port, check, text) NAMED(member, key)
#define REQUIRED_ADDRESSES(member, key, max, port, check, role, sample, text) NAMED(member, key)
#define PREFIX(member, key, family, def, low, high, text) NAMED(member, key)
#define ENUM(member, key, def, names, text) NAMED(member, key)
#define ROLES(member, key, text) NAMED(member, key)
#include "store/config.def"
	free(text);
	free(manual);
}

/* ---- broken at random ---- */

static void mutations(void)
{
	char *text = printed(config_print_example), *said;
	unsigned count = 400 * scale(), i, survivors = 0;
	size_t n = strlen(text), at;
	uint32_t seed = 1;
	struct config c;

	for (i = 0; i < count; i++) {
		char *copy = strdup(text);
		unsigned changes;

		uncomment(copy);
		n = strlen(copy);
		for (changes = 0; changes < 1 + i % 4; changes++) {
			seed = seed * 1664525 + 1013904223;
			at = (seed >> 8) % n;
			copy[at] = "\0\n\t \"'[]{}:#&*-%\xff\x80~0z"[(seed >> 3) % 21];
		}
		n = i % 8 == 0 ? at : n;
		survivors += load_bytes(&c, copy, n, 0, &said) == 0;
		free(said);
		free(copy);
	}
	diag("%u of %u damaged files still load", survivors, count);
	ok(survivors < count, "no damaged file brings the reader down");
	free(text);
}

int main(void)
{
	char dir[] = "/tmp/config-test.XXXXXX", clean[64];

	umask(022);
	if (!mkdtemp(dir) || setenv("CONFIG_TEST_DIR", dir, 1) != 0)
		return 1;
	right_values();
	wrong_values();
	no_yaml();
	all_at_once();
	a_flood();
	roles();
	prefixes();
	files();
	passwords();
	example();
	mutations();
	snprintf(clean, sizeof clean, "rm -rf %s", dir);
	ok(system(clean) == 0, "the test cleans up");
	return done();
}

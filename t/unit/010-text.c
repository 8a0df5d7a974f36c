/* 010-text.c - the text forms of names, addresses and ids, and the small helpers beside them. */
#include "t/tap.h"

static void test_hex(void)
{
	uint8_t b[4] = { 9, 9, 9, 9 };
	char text[9];
	struct id id = { { 0xab, [15] = 0x0f } };
	char out[33];

	ok(strcmp(hex_text(text, (const uint8_t *)"\x00\x7f\x80\xff", 4), "007f80ff") == 0,
	   "octets become lower-case hex");
	ok(strcmp(hex_text(text, b, 0), "") == 0, "no octets become an empty string");
	ok(strcmp(id_text(out, &id), "ab00000000000000000000000000000f") == 0,
	   "an id is written as 32 hex digits");
	ok(hex_parse(b, 4, "00Ff7A80") && memcmp(b, "\x00\xff\x7a\x80", 4) == 0,
	   "hex is read in either case");
	ok(hex_parse(b, 0, ""), "an empty string is no octets");
	ok(!hex_parse(b, 4, "00ff7a8"), "an odd number of digits is refused");
	ok(!hex_parse(b, 4, "00ff7a80ff"), "too many digits are refused");
	ok(!hex_parse(b, 4, "00ff"), "too few digits are refused");
	ok(!hex_parse(b, 4, "00ff 7a8") && !hex_parse(b, 4, "0x00ff7a") &&
	   !hex_parse(b, 4, "0000000g"),
	   "anything but digits is refused");
}

static bool every_character_is_judged(void)
{
	char pair[3] = { 0 };
	uint8_t b;
	int c;

	for (c = 1; c < 256; c++) {
		pair[0] = '1';
		pair[1] = (char)c;
		if (hex_parse(&b, 1, pair) != (strchr("0123456789abcdefABCDEF", c) != NULL))
			return false;
	}
	return true;
}

static void test_addresses(void)
{
	static const struct { const char *in, *ip, *with_port; } good[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1:4503" },
		{ "0.0.0.0", "0.0.0.0", "0.0.0.0:4503" },
		{ "2001:DB8:0::1", "2001:db8::1", "[2001:db8::1]:4503" },
		{ "::", "::", "[::]:4503" },
		{ "fe80:1111:2222:3333:4444:5555:6666:7777",
		 "fe80:1111:2222:3333:4444:5555:6666:7777",
		  "[fe80:1111:2222:3333:4444:5555:6666:7777]:4503" },
	};
	static const char *const bad[] = {
		"", "192.0.2", "192.0.2.256", "192.0.2.1.", "192.0.2.1:4503", " 192.0.2.1",
		"192.0.2.01",
		"0x7f.0.0.1", "1", "[::1]", ":::", "::1%eth0", "2001:db8::1::", "localhost",
	};
	struct addr a, before;
	char text[ADDR_TEXT];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		ok(ip_parse(&a, good[i].in, 4503) && a.scope == 0 && a.port == 4503 &&
		   strcmp(ip_text(text, &a), good[i].ip) == 0 &&
		   strcmp(addr_text(text, &a), good[i].with_port) == 0,
		   "%s is read and written as %s", good[i].in, good[i].with_port);
	memset(&before, 0x5a, sizeof before);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		a = before;
		ok(!ip_parse(&a, bad[i], 1) && memcmp(&a, &before, sizeof a) == 0,
		   "'%s' is no address and leaves the result alone", bad[i]);
	}
}

static void test_address_edges(void)
{
	struct addr a = { 0 }, b;
	char text[ADDR_TEXT];

	ok(strcmp(addr_text(text, &a), "-") == 0 && strcmp(ip_text(text, &a), "-") == 0,
	   "no address is written as a hyphen");
	ip_parse(&a, "fe80:1111:2222:3333:4444:5555:6666:7777", 65535);
	a.scope = UINT32_MAX;
	ok(strcmp(addr_text(text, &a),
		  "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535") == 0,
	   "the longest text, scope and all, fits");
	b = a;
	ok(addr_equal(&a, &b) && addr_same_ip(&a, &b), "an address equals its copy");
	b.port--;
	ok(!addr_equal(&a, &b) && addr_same_ip(&a, &b),
	   "another port is another address on the same host");
	b = a;
	b.scope = 1;
	ok(!addr_equal(&a, &b), "another scope is another address");
	ip_parse(&a, "0.0.0.0", 1);
	ip_parse(&b, "::", 1);
	ok(!addr_equal(&a, &b), "the unspecified addresses of both families differ");
}

static const char label63[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0";

static void test_names(void)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "alice.cyphonic.internal", "alice.cyphonic.internal" },
		{ "Alice.CYPHONIC.Internal.", "alice.cyphonic.internal" },
		{ "a", "a" },
		{ "a-b.c--d.0", "a-b.c--d.0" },
		{ "198.18.0.1", "198.18.0.1" },
		{ "", NULL }, { ".", NULL }, { "..", NULL }, { ".a", NULL }, { "a..", NULL },
		{ "a..b", NULL }, { "-a.b", NULL }, { "a-.b", NULL }, { "a.-b", NULL },
		{ "a.b-", NULL }, { "a.b-.", NULL }, { "a_b", NULL }, { "a b", NULL },
		{ "a/b", NULL }, { "a\nb", NULL }, { "*.a", NULL },
		{ "caf\xc3\xa9", NULL }, { "a\xffz", NULL },
	};
	char out[NAME_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool good;

		strcpy(out, "untouched");
		good = name_canonical(out, cases[i].in);
		if (cases[i].out)
			ok(good && strcmp(out, cases[i].out) == 0,
			   "'%s' has the canonical form '%s'", cases[i].in, cases[i].out);
		else
			ok(!good && strcmp(out, "untouched") == 0,
			   "name %zu of the table is refused", i);
	}
}

static void test_name_lengths(void)
{
	char in[400], out[NAME_SIZE];

	sprintf(in, "%s.%s.%s.%.61s", label63, label63, label63, label63);
	ok(strlen(in) == 253 && name_canonical(out, in) && strcmp(in, out) == 0,
	   "253 octets in labels of 63 are a name");
	strcat(in, ".");
	ok(name_canonical(out, in) && strlen(out) == 253, "and may end in a dot");
	sprintf(in, "%s.%s.%s.%.62s", label63, label63, label63, label63);
	ok(!name_canonical(out, in), "254 octets are none");
	sprintf(in, "a%s.b", label63);
	ok(!name_canonical(out, in), "a label of 64 octets is refused");
	strcpy(in, "Alice.");
	ok(name_canonical(in, in) && strcmp(in, "alice") == 0,
	   "a name can be made canonical in place");
}

static void test_within(void)
{
	ok(name_within("a.cyphonic.internal", "cyphonic.internal"),
	   "a device is within its domain");
	ok(name_within("a.b.cyphonic.internal", "cyphonic.internal"), "so is one further down");
	ok(name_within("cyphonic.internal", "cyphonic.internal"), "and the domain itself");
	ok(!name_within("xcyphonic.internal", "cyphonic.internal"),
	   "a name that merely ends in the same letters is not");
	ok(!name_within("internal", "cyphonic.internal"), "nor is the domain's parent");
	ok(!name_within("a.cyphonic.internal", ""), "nothing is within no domain");
}

static void test_numbers(void)
{
	uint8_t b[8];
	struct id id = { { [15] = 0xff } };

	put64(b, 0x0102030405060708);
	ok(memcmp(b, "\1\2\3\4\5\6\7\10", 8) == 0 && get64(b) == 0x0102030405060708 &&
	   get32(b) == 0x01020304 && get16(b + 6) == 0x0708,
	   "numbers are written high octet first");
	put64(b, UINT64_MAX);
	ok(get64(b) == UINT64_MAX && get32(b + 4) == UINT32_MAX && get16(b) == UINT16_MAX,
	   "the largest numbers survive the round trip");
	wipe(b, sizeof b);
	ok(get64(b) == 0, "wiped octets are zero");
	ok(id_owner(&id, 4) == 3 && id_owner(&id, 7) == 3 && id_owner(&id, 1) == 0,
	   "the last octet of an id, modulo the workers, names its owner");
	ok(!id_is_zero(&id) && id_is_zero(&(struct id){ { 0 } }),
	   "a zero id is told from any other");
}

int main(void)
{
	test_hex();
	ok(every_character_is_judged(), "of all 255 characters only the 22 hex digits are taken");
	test_addresses();
	test_address_edges();
	test_names();
	test_name_lengths();
	test_within();
	test_numbers();
	ok(text_distance("worker", "workers") == 1 && text_distance("", "abc") == 3 &&
	   text_distance("kitten", "sitting") == 3 && text_distance("same", "same") == 0,
	   "the distance of two words is what has to be typed anew");
	return done();
}

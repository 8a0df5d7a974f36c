/* STUN as octets: RFC 5769's vectors, what we ask and answer, and what hostile octets get. */
#include "t/tap.h"
#include "t/unit/hex.h"
#include "crypto/aead.h"
#include "net/proto/stun.h"

/* RFC 5769, 2.1 to 2.3 */
static const char request_text[] =
	"000100582112a442b7e7a701bc34d686fa87dfae"
	"802200105354554e207465737420636c69656e74" "002400046e0001ff"
	"80290008932ff9b151263b36" "000600096576746a3a68367659202020"
	"000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2" "80280004e57a3bcf";
static const char answer4_text[] =
	"0101003c2112a442b7e7a701bc34d686fa87dfae" "8022000b7465737420766563746f7220"
	"002000080001a147e112a643"
	"000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7" "80280004c07d4c96";
static const char answer6_text[] =
	"010100482112a442b7e7a701bc34d686fa87dfae" "8022000b7465737420766563746f7220"
	"002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
	"00080014a382954e4be67bf11784c97c8292c275bfe3ed41" "80280004c8fb0b4c";

static const char *mapped_is(const struct stun_message *m)
{
	static char text[ADDR_TEXT];

	return addr_text(text, &m->mapped);
}

static void vectors(void)
{
	uint8_t p[256];
	struct stun_message m;
	size_t n = unhex(p, sizeof p, request_text);

	ok(stun_parse(&m, p, n) && m.kind == STUN_REQUEST && m.fingerprint && stun_fingerprint_good(p, n),
	   "RFC 5769's request is read, and its fingerprint is right");
	ok(m.unknowns == 1 && m.unknown[0] == 0x24, "ICE's PRIORITY is what is not understood of it");
	p[30] ^= 1;
	ok(stun_parse(&m, p, n) && !stun_fingerprint_good(p, n), "with a bit flipped it is wrong");
	n = unhex(p, sizeof p, answer4_text);
	ok(stun_parse(&m, p, n) && m.kind == STUN_SUCCESS && !strcmp(mapped_is(&m), "192.0.2.1:32853") &&
	   stun_fingerprint_good(p, n), "RFC 5769's IPv4 answer tells 192.0.2.1:32853");
	n = unhex(p, sizeof p, answer6_text);
	ok(stun_parse(&m, p, n) && stun_fingerprint_good(p, n) &&
	   !strcmp(mapped_is(&m), "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
	   "RFC 5769's IPv6 answer tells 2001:db8:1234:5678:11:2233:4455:6677, port 32853");
}

/* An answer of these attributes in hex. */
static bool answers(struct stun_message *m, const char *kind, const char *attributes)
{
	uint8_t p[512];
	char text[1024];

	snprintf(text, sizeof text, "%s%04zx2112a442000102030405060708090a0b%s", kind,
		 strlen(attributes) / 2, attributes);
	return stun_parse(m, p, unhex(p, sizeof p, text));
}

static void reading(void)
{
	struct stun_message m;
	char text[ADDR_TEXT];

	ok(answers(&m, "0101", "0001000800011234c0000201") && !strcmp(mapped_is(&m), "192.0.2.1:4660"),
	   "MAPPED-ADDRESS counts where there is no other");
	ok(answers(&m, "0101", "00010008000112340a000001" "002000080001a147e112a643") &&
	   !strcmp(mapped_is(&m), "192.0.2.1:32853"), "XOR-MAPPED-ADDRESS counts before it");
	ok(answers(&m, "0101", "802c000800010d97c0000202" "802b000800010d96c0000201") &&
	   !strcmp(addr_text(text, &m.other), "192.0.2.2:3479") &&
	   !strcmp(addr_text(text, &m.origin), "192.0.2.1:3478"), "OTHER-ADDRESS and RESPONSE-ORIGIN are read");
	ok(answers(&m, "0101", "0005000800010d97c0000202") &&
	   !strcmp(addr_text(text, &m.other), "192.0.2.2:3479"), "so is CHANGED-ADDRESS of older servers");
	ok(answers(&m, "0111", "000900080000041462616400") && m.kind == STUN_ERROR && m.error == 420,
	   "an error's number is read");
	ok(answers(&m, "0111", "0009000400000763") && m.error == 0, "one that is none is not");
	ok(answers(&m, "0101", "002000080001a147e112a643" "00080014" "0000000000000000000000000000000000000000"
		   "802c000800010d97c0000202") && !m.other.family, "what stands behind a seal does not count");
	ok(answers(&m, "0101", "ffff000361626300"), "an unknown attribute that may be skipped is");
	ok(answers(&m, "0001", "7ff10000" "7ff20000") && m.unknowns == 2 && m.unknown[1] == 0x7ff2,
	   "others are listed");
}

static void refusing(void)
{
	static const struct { const char *kind, *attributes, *title; } wrong[] = {
		{ "0002", "", "another method is no message of ours" },
		{ "0011", "", "nor is an indication" },
		{ "4101", "", "nor what has a bit set at the top" },
		{ "0101", "00200004", "an attribute longer than the message is refused" },
		{ "0101", "0020ffff", "so is one of 65,535 octets" },
		{ "0101", "00200000", "an address of nothing is refused" },
		{ "0101", "002000080003a147e112a643", "so is one of a third family" },
		{ "0101", "002000080002a147e112a643", "and an IPv6 one of 4 octets" },
		{ "0101", "80280004c07d4c96" "80220000", "and what stands behind the fingerprint" },
		{ "0101", "802800080000000000000000", "and a fingerprint of 8 octets" },
		{ "0001", "0003000200000000", "and a CHANGE-REQUEST of 2" },
		{ "0111", "0009000200000000", "and an error of 2" },
	};
	struct stun_message m;
	uint8_t p[256];
	size_t n = unhex(p, sizeof p, answer6_text), i;
	bool refused = true;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		ok(!answers(&m, wrong[i].kind, wrong[i].attributes), "%s", wrong[i].title);
	for (i = 0; i < n; i++)
		refused &= !stun_parse(&m, p, i);
	ok(refused, "no truncation of an answer is one");
	ok(!stun_parse(&m, p, n + 4), "nor is it with octets behind it");
	p[4] ^= 1;
	ok(!stun_parse(&m, p, n), "nor with another cookie");
}

/* ---- the server ---- */

static struct stun_server server;
static struct addr client4, client6;

static void addresses(void)
{
	ip_parse(&server.at, "192.0.2.9", 3478);
	ip_parse(&server.other, "192.0.2.9", 4502);
	ip_parse(&client4, "198.51.100.7", 40000);
	ip_parse(&client6, "2001:db8::7", 40000);
}

static void serving(void)
{
	static const struct stun_id id = { "twelve octet" };
	uint8_t q[STUN_REQUEST_SIZE], a[STUN_REQUEST_SIZE];
	struct stun_message m;
	bool other;
	size_t n;

	stun_request(q, &id, 0);
	ok(stun_parse(&m, q, sizeof q) && m.kind == STUN_REQUEST && !m.change && !m.unknowns &&
	   !memcmp(&m.id, &id, sizeof id), "our request is a good one");
	n = stun_answer(&server, a, q, sizeof q, &client4, &other);
	ok(n && n <= sizeof q && !other && stun_parse(&m, a, n) && m.kind == STUN_SUCCESS &&
	   !memcmp(&m.id, &id, sizeof id) && addr_equal(&m.mapped, &client4) &&
	   addr_equal(&m.other, &server.other) && addr_equal(&m.origin, &server.at),
	   "it is answered with the address it came from, the other port and the one asked");
	n = stun_answer(&server, a, q, sizeof q, &client6, &other);
	ok(n && stun_parse(&m, a, n) && addr_equal(&m.mapped, &client6), "over IPv6 too");
	stun_request(q, &id, STUN_CHANGE_PORT);
	n = stun_answer(&server, a, q, sizeof q, &client4, &other);
	ok(n && other && stun_parse(&m, a, n) && addr_equal(&m.origin, &server.other),
	   "asked to, the answer leaves from the other port");
	stun_request(q, &id, STUN_CHANGE_PORT | STUN_CHANGE_IP);
	ok(!stun_answer(&server, a, q, sizeof q, &client4, &other),
	   "who asks for another IP address gets no answer");
	server.other.family = 0;
	stun_request(q, &id, STUN_CHANGE_PORT);
	ok(!stun_answer(&server, a, q, sizeof q, &client4, &other), "nor does who asks for a port there is not");
	stun_request(q, &id, 0);
	n = stun_answer(&server, a, q, sizeof q, &client4, &other);
	ok(n == 32 && stun_parse(&m, a, n) && !m.other.family, "a server of one port names no other");
	addresses();
}

/* A request of so many octets, and what it is answered with. */
static size_t answer_to(const char *attributes, uint8_t *a, struct stun_message *m)
{
	uint8_t q[512];
	char text[1100];
	bool other;
	size_t n;

	snprintf(text, sizeof text, "0001%04zx2112a442000102030405060708090a0b%s", strlen(attributes) / 2,
		 attributes);
	n = unhex(q, sizeof q, text);
	n = stun_answer(&server, a, q, n, &client4, &other);
	if (n && !stun_parse(m, a, n))
		return 0;
	return n;
}

static void not_amplifying(void)
{
	static const char filler[] = "8022001020202020202020202020202020202020";
	char text[512];
	struct stun_message m;
	uint8_t a[512], q[256];
	size_t n;
	bool other;

	ok(!answer_to("", a, &m), "a request shorter than its answer gets none");
	ok(answer_to("80220008" "2020202020202020", a, &m) == 32 && !m.other.family,
	   "one as long gets what fits");
	ok(!answer_to("7ff10000", a, &m), "an error that is longer than the request is not said");
	snprintf(text, sizeof text, "7ff10000%s%s", filler, filler);
	n = answer_to(text, a, &m);
	ok(n && m.kind == STUN_ERROR && m.error == 420, "420 for what must be understood and is not");
	n = unhex(q, sizeof q, request_text);
	n = stun_answer(&server, a, q, n, &client4, &other);
	ok(stun_parse(&m, a, n) && m.error == 420 && m.fingerprint && stun_fingerprint_good(a, n),
	   "what had a fingerprint is answered with one");
	q[25] ^= 1;
	ok(!stun_answer(&server, a, q, 108, &client4, &other), "a false fingerprint gets no answer");
	snprintf(text, sizeof text, "0027000412340000%s%s", filler, filler);
	n = answer_to(text, a, &m);
	ok(n && m.kind == STUN_ERROR, "nobody has an answer sent to another port");
	n = unhex(q, sizeof q, answer4_text);
	ok(!stun_answer(&server, a, q, n, &client4, &other), "an answer gets no answer");
}

static void noise(void)
{
	uint8_t q[160], a[160];
	unsigned i, answered = 0, rounds = 50000 * scale();
	struct stun_message m;
	bool good = true, other;
	size_t n, k;

	for (i = 0; i < rounds; i++) {
		n = unhex(q, sizeof q, i & 1 ? request_text : answer6_text);
		for (k = 0; k < 1 + i % 4; k++)
			q[random_u32() % n] = (uint8_t)random_u32();
		stun_parse(&m, q, n);
		k = stun_answer(&server, a, q, n, i & 2 ? &client4 : &client6, &other);
		good &= k <= n && (!k || stun_parse(&m, a, k));
		answered += k != 0;
	}
	ok(good, "of %u damaged messages none was answered with more than it had (%u were answered)", rounds,
	   answered);
}

int main(void)
{
	addresses();
	vectors();
	reading();
	refusing();
	serving();
	not_amplifying();
	noise();
	return done();
}

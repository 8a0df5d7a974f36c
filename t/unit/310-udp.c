/* 310-udp.c - datagrams through the real kernel over loopback: batches, runs, steering. */
#include "net/io/steer.h"
#include "net/io/udp.h"
#include "t/tap.h"
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <unistd.h>

static struct udp_in *in;
static struct udp_out *sending;

static struct addr loopback(uint8_t family, uint16_t port)
{
	struct addr a = { .family = family, .port = port };

	if (family == 4)
		memcpy(a.ip, "\x7f\0\0\1", 4);
	else
		a.ip[15] = 1;
	return a;
}

/* A bound socket; port 0: any. */
static bool open_at(struct udp *u, struct addr at, bool group, bool gro)
{
	struct door door = { .port = PORT_MAIN, .family = at.family };
	union sockaddr_any name;
	socklen_t n = sockaddr_make(&name, &at);
	int on = 1;

	door.fd = socket(name.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (door.fd < 0)
		return false;
	if (group)
		setsockopt(door.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (at.family == 6)
		setsockopt(door.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	return bind(door.fd, &name.sa, n) == 0 && udp_prepare(door.fd, at.family, gro) &&
	       udp_open(u, &door) == 0;
}

static void must_open(struct udp *u, struct addr at, bool group, bool gro)
{
	if (open_at(u, at, group, gro))
		return;
	ok(false, "a socket can be opened: %s", strerror(errno));
	exit(done());
}

static unsigned receive(struct udp *u)
{
	struct pollfd p = { .fd = u->fd, .events = POLLIN };

	return poll(&p, 1, 1000) == 1 ? udp_receive(u, in) : 0;
}

/* Everything that came, as datagrams: how long each was and how it began. */
struct got {
	unsigned batches, datagrams;
	uint32_t len[512];
	uint8_t first[512];
};

static struct got receive_all(struct udp *u)
{
	struct got g = { 0 };
	unsigned n, i;
	uint32_t off;

	while ((n = g.batches ? udp_receive(u, in) : receive(u)))
		for (i = 0, g.batches += n; i < n; i++)
			for (off = 0; off < in->batch[i].len; off += in->batch[i].seg) {
				if (g.datagrams == ARRAY_SIZE(g.len))
					return g;
				g.len[g.datagrams] = MIN(in->batch[i].seg, in->batch[i].len - off);
				g.first[g.datagrams++] = in->batch[i].buf[off];
			}
	return g;
}

static struct out_item item_to(const struct udp *u, uint8_t *buf, uint32_t len, uint16_t seg)
{
	struct out_item item = {
		.kind = OUT_DATAGRAM, .to = u->local, .buf = buf, .len = len, .seg = seg,
	};

	return item;
}

static void test_there_and_back(uint8_t family)
{
	struct udp a, b;
	uint8_t hello[] = "hello";
	struct out_item item;
	struct batch *got = &in->batch[0];

	if (!open_at(&a, loopback(family, 0), false, true) ||
	    !open_at(&b, loopback(family, 0), false, true)) {
		ok(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT, "this host has no IPv%u",
		   family);
		return;
	}
	item = item_to(&b, hello, sizeof hello, 0);
	item.ecn = 1;
	udp_put(sending, &a, &item);
	udp_send(sending);
	ok(receive(&b) == 1 && got->len == sizeof hello && got->seg == sizeof hello &&
	   !memcmp(got->buf, hello, sizeof hello), "IPv%u: a datagram arrives", family);
	ok(addr_equal(&got->from, &a.local), "with its source");
	ok(addr_equal(&got->to, &b.local), "and the address it hit");
	ok(got->ecn == 1, "and its ECN bits");
	memset(got->buf - HEADROOM, 1, HEADROOM);
	memset(got->buf + got->len, 1, TAILROOM);
	ok(true, "there is room before and behind it");
	close(a.fd);
	close(b.fd);
}

/* Sent to another address of the host than the one the route would answer from. */
static void test_source_address(void)
{
	struct udp any, client;
	struct addr zero = { .family = 4 };
	uint8_t hello[] = "hello";
	struct out_item item;

	must_open(&any, zero, false, true);
	must_open(&client, loopback(4, 0), false, true);
	item = item_to(&any, hello, sizeof hello, 0);
	item.to = loopback(4, any.local.port);
	item.to.ip[3] = 77;
	udp_put(sending, &client, &item);
	udp_send(sending);
	ok(receive(&any) == 1 && in->batch[0].to.ip[3] == 77 &&
	   in->batch[0].to.port == any.local.port,
	   "a socket on every address sees which one was hit");
	item = item_to(&client, hello, sizeof hello, 0);
	item.from = in->batch[0].to;
	udp_put(sending, &any, &item);
	udp_send(sending);
	ok(receive(&client) == 1 && addr_equal(&in->batch[0].from, &item.from),
	   "and the answer leaves from there");
	item.from.ip[0] = 203;
	udp_put(sending, &any, &item);
	udp_send(sending);
	ok(any.lost == 1, "a source that is not ours is lost and counted");
	close(any.fd);
	close(client.fd);
}

/* Cases of what becomes one message. */
static const struct {
	const char *text;
	struct {
		uint32_t len;
		uint16_t seg;
		uint8_t times;
	} item[4];
	unsigned runs, datagrams;
} runs[] = {
	{ "a single datagram is a message", { { 100, 0, 1 } }, 1, 1 },
	{ "equal datagrams join", { { 100, 0, 5 } }, 1, 5 },
	{ "a shorter one may be last", { { 100, 0, 5 }, { 60, 0, 1 } }, 1, 6 },
	{ "but nothing follows it", { { 100, 0, 2 }, { 60, 0, 1 }, { 100, 0, 2 } }, 2, 5 },
	{ "a longer one begins anew", { { 60, 0, 3 }, { 100, 0, 2 } }, 2, 5 },
	{ "64 datagrams at most", { { 100, 0, 130 } }, 3, 130 },
	{ "65,000 octets at most", { { 1400, 0, 64 } }, 2, 64 },
	{ "a run stays a run", { { 1000, 100, 1 } }, 1, 10 },
	{ "runs of one length join", { { 1000, 100, 3 } }, 1, 30 },
	{ "a run's short end ends the message", { { 950, 100, 2 } }, 2, 20 },
	{ "a run and single ones join", { { 1000, 100, 1 }, { 100, 0, 2 }, { 3, 0, 1 } }, 1, 13 },
	{ "another run of smaller datagrams does not", { { 1000, 100, 1 }, { 90, 30, 1 } }, 2, 13 },
	{ "a run that is too long is cut", { { 20000, 100, 1 } }, 4, 200 },
	{ "the largest datagram goes alone", { { 65507, 0, 2 } }, 2, 2 },
	{ "an empty item is nothing", { { 0, 0, 1 }, { 8, 0, 1 } }, 1, 1 },
};

/* How many of the case's datagrams came as they were sent. */
static unsigned runs_right(unsigned i, const struct got *g)
{
	unsigned j, k, n = 0, right = 0;
	uint32_t off, len, seg;

	for (j = 0; j < 4; j++)
		for (k = 0; k < runs[i].item[j].times; k++) {
			len = runs[i].item[j].len;
			seg = runs[i].item[j].seg ? runs[i].item[j].seg : len;
			for (off = 0; off < len; off += seg, n++)
				right += g->len[n] == MIN(seg, len - off) &&
					 g->first[n] == (uint8_t)off;
		}
	return right;
}

static void test_runs(void)
{
	static uint8_t buf[65536];
	static struct out_item item[256];
	unsigned i, j, k, n, right;
	struct udp a, b;
	struct got g;

	for (i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)i;
	must_open(&a, loopback(4, 0), false, false);
	must_open(&b, loopback(4, 0), false, true);
	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		unsigned made;

		for (n = j = 0; j < 4; j++)
			for (k = 0; k < runs[i].item[j].times; k++)
				item[n++] = item_to(&b, buf, runs[i].item[j].len,
						    runs[i].item[j].seg);
		for (j = 0; j < n; j++)
			udp_put(sending, &a, &item[j]);
		made = sending->runs;
		udp_send(sending);
		g = receive_all(&b);
		right = runs_right(i, &g);
		if (!ok(made == runs[i].runs && g.datagrams == runs[i].datagrams &&
			right == g.datagrams,
			"%s", runs[i].text))
			diag("%u messages, %u datagrams, %u as sent", made, g.datagrams, right);
	}
	close(a.fd);
	close(b.fd);
}

static void test_addresses_part_runs(void)
{
	uint8_t buf[100] = { 0 };
	struct udp a, b, c;
	struct out_item item[8];
	unsigned i, made;

	must_open(&a, loopback(4, 0), false, false);
	must_open(&b, loopback(4, 0), false, true);
	must_open(&c, loopback(4, 0), false, true);
	for (i = 0; i < 8; i++)
		item[i] = item_to(i & 1 ? &b : &c, buf, sizeof buf, 0);
	for (i = 0; i < 8; i++)
		udp_put(sending, &a, &item[i]);
	made = sending->runs;
	udp_send(sending);
	ok(made == 8 && receive_all(&b).datagrams == 4 && receive_all(&c).datagrams == 4,
	   "datagrams to different peers never share a message");
	item[0] = item[1] = item[2] = item_to(&b, buf, sizeof buf, 0);
	item[1].ecn = 2;
	item[2].ecn = 2;
	item[2].from = loopback(4, 0);
	for (i = 0; i < 3; i++)
		udp_put(sending, &a, &item[i]);
	made = sending->runs;
	udp_send(sending);
	ok(made == 3 && receive_all(&b).datagrams == 3, "nor those of different ECN or source");
	close(a.fd);
	close(b.fd);
	close(c.fd);
}

/* The kernel does no GSO without checksums: as good a refusal as any. */
static void test_gso_refused(void)
{
	static uint8_t buf[4][200];
	struct udp a, b;
	struct out_item item[4];
	unsigned i, made[2], round;
	int on = 1;

	must_open(&a, loopback(4, 0), false, false);
	must_open(&b, loopback(4, 0), false, true);
	setsockopt(a.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 4; i++) {
			item[i] = item_to(&b, buf[i], i == 3 ? 50 : 200, 0);
			buf[i][0] = (uint8_t)i;
			udp_put(sending, &a, &item[i]);
		}
		made[round] = sending->runs;
		udp_send(sending);
		if (round == 0) {
			struct got g = receive_all(&b);

			ok(made[0] == 1 && g.datagrams == 4 && g.len[3] == 50 &&
			   g.first[2] == 2 && !a.lost,
			   "a message the kernel refuses goes out as single datagrams");
		}
	}
	ok(made[1] == 4 && receive_all(&b).datagrams == 4,
	   "and that is remembered");
	close(a.fd);
	close(b.fd);
}

static void test_errors(void)
{
	uint8_t buf[100] = { 0 };
	struct udp a, b, gone;
	struct out_item item[3];
	unsigned i;

	must_open(&a, loopback(4, 0), false, false);
	must_open(&b, loopback(4, 0), false, true);
	must_open(&gone, loopback(4, 0), false, true);
	close(gone.fd);
	item[0] = item_to(&gone, buf, sizeof buf, 0);
	item[1] = item_to(&b, buf, sizeof buf, 0);
	item[1].to.family = 0;
	item[2] = item_to(&b, buf, sizeof buf, 0);
	for (i = 0; i < 3; i++)
		udp_put(sending, &a, &item[i]);
	udp_send(sending);
	ok(a.lost == 1, "a datagram the kernel refuses is counted");
	ok(receive_all(&b).datagrams == 1, "and the ones behind it still leave");
	udp_put(sending, &a, &item[0]);
	udp_send(sending);
	udp_put(sending, &a, &item[2]);
	udp_send(sending);
	ok(receive_all(&b).datagrams == 1, "nobody at the other port disturbs nobody");
	close(a.fd);
	close(b.fd);
}

static void test_steering(unsigned workers)
{
	struct udp member[3];
	unsigned i, right = 0, sent = 0;
	uint8_t buf[64] = { 0 };
	struct addr at = loopback(4, 0);

	for (i = 0; i < workers; i++) {
		must_open(&member[i], at, true, true);
		at.port = member[0].local.port;
	}
	ok(steer_attach(member[0].fd, workers), "%u workers: the program is taken", workers);
	for (i = 0; i < 48; i++) {
		struct out_item item = item_to(&member[0], buf, sizeof buf, 0);
		struct udp from;

		buf[31] = (uint8_t)(i * 37);
		must_open(&from, loopback(4, 0), false, false);
		udp_put(sending, &from, &item);
		udp_send(sending);
		sent++;
		right += receive(&member[buf[31] % workers]) == 1 &&
			 in->batch[0].buf[31] == buf[31];
		close(from.fd);
	}
	ok(sent == 48 && right == sent,
	   "the last octet of the ID decides, whatever the source port");
	for (i = 0; i < 6; i++) {
		struct out_item item = item_to(&member[0], buf, 31 - i, 0);
		struct udp from;

		must_open(&from, loopback(4, 0), false, false);
		udp_put(sending, &from, &item);
		udp_send(sending);
		close(from.fd);
	}
	ok(receive_all(&member[0]).datagrams == 6, "shorter ones go to the first");
	for (i = 0; i < workers; i++)
		close(member[i].fd);
}

static void test_steering_of_runs(void)
{
	struct udp member[3], from;
	uint8_t buf[6 * 64] = { 0 };
	struct out_item item;
	struct addr at = loopback(4, 0);
	unsigned i;
	struct got g;

	for (i = 0; i < 3; i++) {
		must_open(&member[i], at, true, true);
		at.port = member[0].local.port;
	}
	steer_attach(member[0].fd, 3);
	for (i = 0; i < 6; i++)
		buf[i * 64 + 31] = (uint8_t)(i + 1);
	item = item_to(&member[0], buf, sizeof buf, 64);
	must_open(&from, loopback(4, 0), false, false);
	udp_put(sending, &from, &item);
	udp_send(sending);
	g = receive_all(&member[1]);
	ok(g.datagrams == 6 && g.batches == 1,
	   "a run of mixed IDs goes where its first datagram belongs, as a whole");
	ok(!udp_receive(&member[0], in) && !udp_receive(&member[2], in), "and nowhere else");
	for (i = 0; i < 3; i++)
		close(member[i].fd);
	close(from.fd);
}

int main(void)
{
	in = udp_in_new();
	sending = calloc(1, sizeof *sending);
	if (!in || !sending)
		return 1;
	test_there_and_back(4);
	test_there_and_back(6);
	test_source_address();
	test_runs();
	test_addresses_part_runs();
	test_gso_refused();
	test_errors();
	test_steering(1);
	test_steering(2);
	test_steering(3);
	test_steering_of_runs();
	ok(!steer_attach(0, 0), "no workers cannot be steered to");
	udp_in_free(in);
	free(sending);
	return done();
}

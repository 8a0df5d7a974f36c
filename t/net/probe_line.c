/*
 * probe_line.c - whether a line does what its options say, no more and no less, both ways.
 *
 *	probe_line NEAR INTERFACE FAR INTERFACE [--delay 20 ...]
 *
 * NEAR and FAR are network namespaces; the options are those that link was given, up is from NEAR
 * to FAR.  The frames carry numbers whose fates the dice tell beforehand, so exactly these and
 * no others must be lost, come twice and be overtaken.  No frame may come before its time; how
 * late one comes is up to the machine, so of many the best counts.
 */
#include "t/net/probe.h"
#include "t/net/way.h"
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#define FRAMES 500
#define SHORT 60		/* octets of a frame */
#define LONG 1400		/* octets of a packet that fills a rate */
#define FILL 40
#define PATIENCE 2000000000u	/* ns for a frame that must come, beyond its time */
#define TRYING 2000000000u	/* ns for what may come out badly on a busy machine */
#define CLOSE 1000000u		/* ns that the best frame may be late */
#define SLACK 20000		/* ns, of two clocks */

struct end {
	int fd;
	uint8_t mac[ETHER_ADDR_LEN];
};

struct probe {
	struct ether_header head;
	uint8_t number[8];
	uint8_t round[4];
	uint8_t rest[65536];
};

struct trial {
	const struct end *from, *to;
	const struct way *way;
	int direction;
	uint32_t round;
	bool failed;
	uint64_t sent[FRAMES];
	unsigned came[FRAMES];
	uint64_t first, last;		/* arrivals */
	int64_t best;			/* ns that the least late one was late */
	unsigned lost, twice, overtaken;
};

static void fail(struct trial *t, const char *format, ...)
{
	va_list args;

	t->failed = true;
	printf("%s: ", t->direction ? "down" : "up");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* The clock that the kernel stamps what comes with. */
static uint64_t stamp_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct end stand(const char *host, const char *interface)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(PROBE_TYPE) };
	struct ifreq name = { 0 };
	struct end e;
	int one = 1, room = 8 << 20;

	enter(host);
	e.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	snprintf(name.ifr_name, sizeof name.ifr_name, "%s", interface);
	at.sll_ifindex = (int)if_nametoindex(interface);
	if (e.fd < 0 || !at.sll_ifindex || ioctl(e.fd, SIOCGIFHWADDR, &name) < 0 ||
	    setsockopt(e.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0 ||
	    setsockopt(e.fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) < 0 ||
	    setsockopt(e.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0 ||
	    bind(e.fd, (struct sockaddr *)&at, sizeof at) < 0)
		give_up(interface);
	memcpy(e.mac, name.ifr_hwaddr.sa_data, sizeof e.mac);
	return e;
}

/* A frame with this number, of so many octets; when it was sent. */
static uint64_t say(struct trial *t, uint64_t number, size_t size)
{
	struct probe p = { .head.ether_type = htons(PROBE_TYPE) };
	uint64_t now;

	memcpy(p.head.ether_shost, t->from->mac, sizeof t->from->mac);
	memcpy(p.head.ether_dhost, t->to->mac, sizeof t->to->mac);
	memcpy(p.number, &number, sizeof p.number);
	memcpy(p.round, &t->round, sizeof p.round);
	now = stamp_now();
	if (send(t->from->fd, &p, size, 0) < 0)
		give_up("send");
	return now;
}

static uint64_t stamp_of(struct msghdr *m)
{
	struct cmsghdr *c;
	struct timespec t;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof t);
		return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	}
	return stamp_now();
}

/* The next frame of this round before that time, and when it came. */
static bool hear(struct trial *t, uint64_t *number, uint64_t *stamp, uint64_t end)
{
	char control[128];
	struct probe p;
	struct iovec at = { &p, sizeof p };

	while (readable_until(t->to->fd, end)) {
		struct msghdr m = { .msg_iov = &at, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof control };

		if (recvmsg(t->to->fd, &m, 0) < SHORT || memcmp(p.round, &t->round, sizeof p.round) != 0)
			continue;
		memcpy(number, p.number, sizeof *number);
		*stamp = stamp_of(&m);
		return true;
	}
	return false;
}

static uint64_t ns(double ms)
{
	return (uint64_t)(ms * 1e6);
}

/* Octets at the rate; ns. */
static uint64_t serial(const struct way *w, double octets)
{
	return w->of[RATE] > 0 ? (uint64_t)(octets * 8e3 / w->of[RATE]) : 0;
}

/* When the last of so many octets that are sent now must be there. */
static uint64_t deadline(const struct way *w, double octets)
{
	return clock_ns() + PATIENCE + ns(w->of[DELAY] + w->of[JITTER] + w->of[HOLD]) + serial(w, octets);
}

/* The next number that nothing befalls. */
static uint64_t lucky(const struct trial *t, uint64_t number)
{
	struct fate f;

	do
		f = fate_of(t->way, t->direction, ++number);
	while (f.lost || f.twice || f.late);
	return number;
}

/* ---- the fates of many ---- */

static void arrived(struct trial *t, uint64_t number, uint64_t stamp, uint64_t *highest)
{
	struct fate f = fate_of(t->way, t->direction, number);
	int64_t late = (int64_t)(stamp - t->sent[number] - ns(t->way->of[DELAY]) - f.jitter);

	if (f.late)
		late -= (int64_t)ns(t->way->of[HOLD]);
	if (late < -SLACK)
		fail(t, "frame %u came %.3f ms early", (unsigned)number, (double)late / -1e6);
	if (late < t->best)
		t->best = late;
	if (number < *highest && t->came[number]++ == 0) {
		t->overtaken++;
		if (!f.late)
			fail(t, "frame %u was overtaken", (unsigned)number);
	} else if (number >= *highest) {
		t->came[number]++;
		*highest = number;
	}
}

static void compare(struct trial *t)
{
	unsigned i, late = 0;

	for (i = 0; i < FRAMES; i++) {
		struct fate f = fate_of(t->way, t->direction, i);
		unsigned want = f.lost ? 0 : 1 + f.twice;

		t->lost += f.lost;
		t->twice += want == 2;
		late += want && f.late;
		if (t->came[i] != want)
			fail(t, "frame %u came %u times instead of %u", i, t->came[i], want);
	}
	if (late >= 5 && !t->overtaken)
		fail(t, "none of %u frames to be held back was overtaken", late);
}

/* All frames, and behind them one that must come. */
static void many(struct trial *t)
{
	uint64_t i, number, stamp, mark = lucky(t, FRAMES), highest = 0, end, settle = 0;

	t->round++;
	t->best = INT64_MAX;
	for (i = 0; i < FRAMES; i++)
		t->sent[i] = say(t, i, SHORT);
	say(t, mark, SHORT);
	end = deadline(t->way, FRAMES * SHORT);
	while (hear(t, &number, &stamp, settle ? settle : end)) {
		if (number < FRAMES)
			arrived(t, number, stamp, &highest);
		else if (number == mark)	/* then those that are held back, if any */
			settle = clock_ns() + (t->way->of[REORDER] > 0 ? ns(t->way->of[HOLD]) + 50000000 : 0);
	}
	if (!settle)
		fail(t, "what must not be lost was");
	compare(t);
}

/* How late a single frame was, in ns; a long time if it did not come. */
static int64_t single(struct trial *t, uint64_t mark)
{
	uint64_t number, stamp, sent, took;

	t->round++;
	sent = say(t, mark, SHORT);
	if (!hear(t, &number, &stamp, deadline(t->way, SHORT)))
		return INT64_MAX;
	took = ns(t->way->of[DELAY]) + fate_of(t->way, t->direction, mark).jitter + serial(t->way, SHORT);
	return (int64_t)(stamp - sent - took);
}

/* One at least must be as late as the machine alone can make it, and none early. */
static void delay(struct trial *t)
{
	uint64_t mark = FRAMES, end = clock_ns() + TRYING;
	int64_t late;

	while (t->best > (int64_t)CLOSE && clock_ns() < end) {
		mark = lucky(t, mark);
		late = single(t, mark);
		if (late < t->best)
			t->best = late;
	}
	if (t->best > (int64_t)CLOSE)
		fail(t, "no frame came within %.1f ms of its time, the best %.3f ms late", CLOSE / 1e6,
		     (double)t->best / 1e6);
	if (t->best < -SLACK)
		fail(t, "a frame came %.3f ms early", (double)t->best / -1e6);
}

/* ---- limits ---- */

static void mtu(struct trial *t)
{
	size_t most = (size_t)t->way->of[MTU];
	uint64_t fits = lucky(t, FRAMES), over = lucky(t, fits), mark = lucky(t, over), number, stamp;
	bool came[2] = { false, false };

	if (most >= 1500)	/* more is not for these interfaces */
		return;
	t->round++;
	say(t, fits, ETHER_HDR_LEN + most);
	say(t, over, ETHER_HDR_LEN + most + 1);
	say(t, mark, SHORT);
	while (hear(t, &number, &stamp, deadline(t->way, 3000)) && number != mark) {
		came[0] |= number == fits;
		came[1] |= number == over;
	}
	if (!came[0])
		fail(t, "a packet of the MTU of %zu octets does not pass", most);
	if (came[1])
		fail(t, "a packet beyond the MTU of %zu octets passes", most);
}

/* From the first sent to the last that came, without the delay; a long time if one is missing. */
static int64_t burst(struct trial *t, size_t octets)
{
	uint64_t number = FRAMES, stamp, sent, heard;
	unsigned i;

	t->round++;
	sent = stamp_now();
	for (i = 0; i < FILL; i++)
		say(t, number = lucky(t, number), octets);
	for (i = 0; i < FILL; i++)
		if (!hear(t, &heard, &stamp, deadline(t->way, FILL * (double)octets)))
			return INT64_MAX;
	return (int64_t)(stamp - sent - ns(t->way->of[DELAY]));
}

static void rate(struct trial *t)
{
	size_t octets = ETHER_HDR_LEN + (t->way->of[MTU] < LONG ? (size_t)t->way->of[MTU] : LONG);
	int64_t want = (int64_t)serial(t->way, FILL * (double)octets), best = INT64_MAX, took;
	int64_t most = want + want / 5 + (int64_t)(ns(t->way->of[JITTER]) + CLOSE);
	uint64_t end = clock_ns() + TRYING;

	if (!want)
		return;
	do {
		took = burst(t, octets);
		if (took < best)
			best = took;
	} while (best > most && clock_ns() < end);
	if (best < want - SLACK || best > most)
		fail(t, "a burst takes %.3f ms and not %.3f", (double)best / 1e6, (double)want / 1e6);
}

static bool prove(const struct way *w, int direction, const struct end *from, const struct end *to)
{
	static const struct trial fresh;
	struct trial t = fresh;

	t.from = from;
	t.to = to;
	t.way = w;
	t.direction = direction;
	t.round = (uint32_t)stamp_now();
	many(&t);
	delay(&t);
	mtu(&t);
	rate(&t);
	printf("%s: %u frames, %u lost, %u twice, %u overtaken, at best %.3f ms late\n",
	       direction ? "down" : "up", FRAMES, t.lost, t.twice, t.overtaken, (double)t.best / 1e6);
	return !t.failed;
}

int main(int argc, char **argv)
{
	struct way ways[2];
	struct end end[2];
	bool good;

	ways_usual(ways);
	if (argc < 5 || ways_read(ways, argv + 5)) {
		fprintf(stderr, "usage: probe_line NEAR INTERFACE FAR INTERFACE [OPTION NUMBER]...\n");
		ways_usage(stderr);
		return 2;
	}
	end[0] = stand(argv[1], argv[2]);
	end[1] = stand(argv[3], argv[4]);
	good = prove(&ways[0], 0, &end[0], &end[1]);
	good &= prove(&ways[1], 1, &end[1], &end[0]);
	return !good;
}

/* 320-loop.c - worker_run() with a toy role, in processes of its own, asked from outside. */
#include "net/priv.h"
#include "t/unit/toy.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static bool readable_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static bool readable(int fd)
{
	return readable_within(fd, 3000);
}

static int client(uint8_t family)
{
	struct addr at;

	return bound(family, SOCK_DGRAM, &at);
}

static void tell(int fd, const struct addr *to, const void *p, size_t n)
{
	union sockaddr_any name;
	socklen_t len = sockaddr_make(&name, to);

	sendto(fd, p, n, 0, &name.sa, len);
}

/* The next datagram, as text. */
static const char *hear(int fd)
{
	static char line[65536];
	ssize_t n = readable(fd) ? recv(fd, line, sizeof line - 1, 0) : 0;

	line[MAX(n, 0)] = 0;
	return line;
}

static bool hears(int fd, const char *what)
{
	const char *got = hear(fd);

	if (!strcmp(got, what))
		return true;
	diag("heard '%s', not '%s'", got, what);
	return false;
}

static int dial(const struct addr *to)
{
	union sockaddr_any name;
	socklen_t n = sockaddr_make(&name, to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 65536;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (connect(fd, &name.sa, n) < 0)
		diag("connect: %s", strerror(errno));
	return fd;
}

/* ---- stories ---- */

static void test_datagrams(struct world *w)
{
	uint8_t family, mixed[3 * 64], buf[64];
	union sockaddr_any name;
	uint16_t seg = 64;
	unsigned i, good = 0;
	socklen_t n;
	int fd;

	for (family = 4; family <= 6; family += 2) {
		const struct addr *at = &w->at[0][family / 2 - 2];

		fd = client(family);
		if (fd < 0 || !at->family) {
			ok(true, "no IPv%u here # SKIP", family);
			continue;
		}
		tell(fd, at, "echo", 4);
		ok(hears(fd, "echo"), "IPv%u: a datagram comes back", family);
		n = sockaddr_make(&name, at);
		connect(fd, &name.sa, n);
		for (i = 0; i < sizeof mixed; i++)
			mixed[i] = i % 64 ? (uint8_t)(i / 64 * 5 + 1) : 'e';
		setsockopt(fd, SOL_UDP, UDP_SEGMENT, &(int){ seg }, sizeof(int));
		send(fd, mixed, sizeof mixed, 0);
		for (i = good = 0; i < 3 && readable(fd); i++)
			good += recv(fd, buf, sizeof buf, 0) == 64 &&
				!memcmp(buf, mixed + i * 64, 64);
		ok(good == 3, "a run of three IDs comes back as three datagrams");
		close(fd);
	}
	fd = client(4);
	tell(fd, &w->at[0][0], "f", 1);
	for (i = 0; i < OUTBOX_ITEMS + 50 && hears(fd, "many"); i++)
		;
	ok(i == OUTBOX_ITEMS + 50, "an outbox that overflows loses nothing (%u)", i);
	close(fd);
}

static void test_timer(struct world *w)
{
	int fd = client(4);

	tell(fd, &w->at[0][0], "t", 1);
	ok(hears(fd, "tick"), "tick() is called when expiry() has passed");
	tell(fd, &w->at[0][0], "t", 1);
	ok(hears(fd, "tick"), "and again when it moves");
	close(fd);
}

static void test_notes(struct world *w)
{
	uint8_t msg[1 + 1 + 1 + sizeof(struct addr) + 1000] = { 'n', 1, 'B' };
	char want[80];
	struct addr me;
	int fd = bound(4, SOCK_DGRAM, &me);
	unsigned n = 1 + sizeof me + 1000;

	memcpy(msg + 3, &me, sizeof me);
	tell(fd, &w->at[0][0], msg, sizeof msg);
	snprintf(want, sizeof want, "worker 1 got %u octets from 0", n);
	ok(hears(fd, want), "a note reaches the other worker");
	msg[1] = 0;
	tell(fd, &w->at[0][0], msg, sizeof msg);
	snprintf(want, sizeof want, "worker 0 got %u octets from 0", n);
	ok(hears(fd, want), "and oneself");
	msg[1] = 60;
	tell(fd, &w->at[0][0], msg, sizeof msg);
	tell(fd, &w->at[0][0], "w", 1);
	ok(hears(fd, "worker 0"), "a note to nobody does no harm");
	tell(fd, &w->at[0][0], "N", 1);
	ok(hears(fd, "1000 notes"), "a thousand notes to oneself come one after the other");
	close(fd);
}

static void test_post(struct world *w)
{
	struct priv_answer up = { .kind = PRIV_TUN_UP };
	uint8_t buf[300];
	int fd = client(4);
	unsigned i, n, number, good = 0;

	tell(fd, &w->at[0][0], "hwho", 4);
	ok(readable(w->helper[0]) && recv(w->helper[0], buf, sizeof buf, 0) == 4 && buf[0] == 0 &&
	   !memcmp(buf + 1, "who", 3), "a request reaches the helper behind the role's octet");
	send(w->helper[0], "\0me", 3, 0);
	ok(hears(fd, "helper says me"), "the answer comes as a note");
	tell(fd, &w->at[0][0], "mup", 3);
	ok(readable(w->master[0]) && recv(w->master[0], buf, sizeof buf, 0) == 3,
	   "a request reaches the master");
	buf[0] = 0;
	memcpy(buf + 1, &up, sizeof up);
	send(w->master[0], buf, 1 + sizeof up, 0);
	ok(!strncmp(hear(fd), "master says", 11), "the answer comes as a note");
	send(w->master[0], "\7?", 2, 0);
	tell(fd, &w->at[0][0], "H", 1);
	tell(fd, &w->at[0][0], "w", 1);
	ok(hears(fd, "worker 0"), "a helper that does not read holds nobody up");
	for (n = i = 0; i < 2000 && readable(w->helper[0]); i++)
		if (recv(w->helper[0], buf, sizeof buf, 0) == 5) {
			memcpy(&number, buf + 1, sizeof number);
			good += number == n++;
		}
	ok(good == 2000, "it finds all requests in order when it does (%u)", good);
	close(fd);
}

static void test_streams(struct world *w)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = dial(&w->stream), boss = client(4);
	static uint8_t buf[65536];
	ssize_t n, sum = 0;

	tell(boss, &w->at[0][0], "w", 1);
	hear(boss);
	send(fd, "abc", 3, 0);
	ok(hears(fd, "abc"), "TCP: octets come back");
	send(fd, "q", 1, 0);
	ok(hears(fd, "bye") && readable(fd) && recv(fd, buf, 1, 0) == 0,
	   "a stream is closed after what was sent");
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(un.sun_path, w->path, sizeof w->path);
	connect(fd, (struct sockaddr *)&un, sizeof un);
	send(fd, "abc", 3, 0);
	ok(hears(fd, "abc"), "Unix: octets come back");
	close(fd);
	ok(hears(boss, "closed 9999"), "the end of a stream is told");
	fd = dial(&w->stream);
	send(fd, "b", 1, 0);
	ok(hears(boss, "closed 9999"), "a client that does not read loses its stream");
	while (readable(fd) && (n = recv(fd, buf, sizeof buf, 0)) > 0)
		sum += n;
	ok(sum < BIG, "and the rest of the octets (had %zd)", sum);
	close(fd);
	close(boss);
}

static void test_many_streams(struct world *w)
{
	unsigned i, good = 0, closed = 0;
	int boss = client(4), many[200];

	tell(boss, &w->at[0][0], "w", 1);
	hear(boss);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = dial(&w->stream);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		send(many[i], (uint8_t[]){ 'i', (uint8_t)i }, 2, 0);
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		uint8_t back[2] = { 0 };

		good += readable(many[i]) && recv(many[i], back, 2, 0) == 2 && back[1] == i;
		close(many[i]);
	}
	ok(good == ARRAY_SIZE(many), "many streams do not mix");
	while (closed < ARRAY_SIZE(many) && hears(boss, "closed 9999"))
		closed++;
	ok(closed == ARRAY_SIZE(many), "and each one's end is told");
	close(boss);
}

static void connect_by_toy(struct world *w, int boss, unsigned handle, uint16_t port,
			   uint8_t proto, bool early)
{
	uint8_t p[7] = { 'c' };

	put16(p + 1, (uint16_t)handle);
	put16(p + 3, port);
	p[5] = proto;
	p[6] = early;
	tell(boss, &w->at[0][0], p, sizeof p);
}

static void test_flows(struct world *w)
{
	int boss = client(4), server, fd;
	union sockaddr_any name;
	socklen_t n = sizeof name;
	struct addr at, nobody;
	char buf[20];

	server = bound(4, SOCK_STREAM, &at);
	listen(server, 5);
	connect_by_toy(w, boss, 7, at.port, FLOW_TCP, true);
	fd = accept(server, NULL, NULL);
	ok(hears(boss, "opened 7"), "TCP: a role's flow opens");
	ok(readable(fd) && recv(fd, buf, 10, MSG_WAITALL) == 10 && !memcmp(buf, "earlyhello", 10),
	   "what was sent before that arrives first");
	send(fd, "data", 4, 0);
	ok(hears(boss, "data"), "what the other side sends comes back");
	close(fd);
	ok(hears(boss, "closed 7"), "its end is told");
	connect_by_toy(w, boss, 7, at.port, FLOW_TCP, false);
	fd = accept(server, NULL, NULL);
	ok(hears(boss, "opened 7"), "and the handle is free");
	tell(boss, &w->at[0][0], "x\0\7", 3);
	ok(readable(fd) && recv(fd, buf, 5, MSG_WAITALL) == 5 && recv(fd, buf, 5, 0) == 0,
	   "a role closes its own flow");
	close(fd);
	close(server);
	connect_by_toy(w, boss, 8, at.port, FLOW_TCP, true);
	ok(hears(boss, "closed 8"), "a connection refused is told as closed");

	server = bound(4, SOCK_DGRAM, &at);
	connect_by_toy(w, boss, 9, at.port, FLOW_UDP, true);
	ok(hears(boss, "opened 9"), "UDP: a role's flow opens");
	ok(readable(server) && recvfrom(server, buf, sizeof buf, 0, &name.sa, &n) == 5 &&
	   !memcmp(buf, "early", 5) && hears(server, "hello"), "each call is a datagram");
	sendto(server, "one", 3, 0, &name.sa, n);
	sendto(server, "two", 3, 0, &name.sa, n);
	ok(hears(boss, "one") && hears(boss, "two"), "and each datagram a call");
	close(server);
	server = bound(4, SOCK_DGRAM, &nobody);
	close(server);
	connect_by_toy(w, boss, 10, nobody.port, FLOW_UDP, true);
	hears(boss, "opened 10");
	ok(hears(boss, "closed 10"), "nobody at the other port is told as closed");
	connect_by_toy(w, boss, 11, 1, 7, false);
	close(boss);
}

/* With one descriptor left and none for accept(), the worker must live, and not spin. */
static void test_no_descriptors(struct world *w)
{
	struct rlimit few, old;
	struct timespec before, after;
	clockid_t cpu;
	int fd, boss = client(4);

	ok(prlimit(w->pid[0], RLIMIT_NOFILE, NULL, &old) == 0, "a worker's limit can be seen");
	few = old;
	few.rlim_cur = 3;
	prlimit(w->pid[0], RLIMIT_NOFILE, &few, NULL);
	clock_getcpuclockid(w->pid[0], &cpu);
	clock_gettime(cpu, &before);
	fd = dial(&w->stream);
	usleep(300000);
	tell(boss, &w->at[0][0], "w", 1);
	ok(hears(boss, "worker 0"), "out of descriptors, a worker serves those it has");
	clock_gettime(cpu, &after);
	ok((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 100,
	   "and does not spin");
	prlimit(w->pid[0], RLIMIT_NOFILE, &old, NULL);
	send(fd, "abc", 3, 0);
	ok(hears(fd, "abc"), "when there are some again, who waited is accepted");
	close(fd);
	close(boss);
}

/* The end of the stream of the test before may be noticed, and told, only now. */
static const char *hear_news(int fd)
{
	const char *line;

	do
		line = hear(fd);
	while (strncmp(line, "closed", 6) == 0);
	return line;
}

static void test_restart(struct world *w)
{
	uint8_t msg[3 + sizeof(struct addr)] = { 'n', 1, 'B' };
	char want[80], one[100], two[100];
	struct addr me;
	int fd = bound(4, SOCK_DGRAM, &me);

	memcpy(msg + 3, &me, sizeof me);
	kill(w->pid[1], SIGKILL);
	ok(ended(w->pid[1]) == 1000 + SIGKILL, "a worker is killed");
	tell(fd, &w->at[0][0], msg, sizeof msg);
	tell(fd, &w->at[1][0], "w", 1);
	tell(fd, &w->at[0][0], "w", 1);
	ok(!strcmp(hear_news(fd), "worker 0"), "the other one lives");
	w->pid[1] = start(w, 1);
	snprintf(want, sizeof want, "worker 1 got %zu octets from 0", sizeof msg - 2);
	snprintf(one, sizeof one, "%s", hear_news(fd));
	snprintf(two, sizeof two, "%s", hear_news(fd));
	if (!ok((!strcmp(one, want) && !strcmp(two, "worker 1")) ||
		(!strcmp(two, want) && !strcmp(one, "worker 1")),
		"its successor finds the datagrams and notes that came in between"))
		diag("heard '%s', then '%s'", one, two);
	close(fd);
}

static void test_life_and_death(void)
{
	struct world w;
	int fd = client(4), stream;
	static uint8_t buf[65536];

	world_open(&w, 1, -1);
	tell(fd, &w.at[0][0], "w", 1);
	hear(fd);
	kill(w.pid[0], SIGINT);
	tell(fd, &w.at[0][0], "w", 1);
	ok(hears(fd, "worker 0"), "SIGINT is not for workers");
	stream = dial(&w.stream);
	send(stream, "abc", 3, 0);
	hear(stream);
	ok(world_close(&w, SIGQUIT) == 0, "SIGQUIT ends it, with nothing leaked");
	ok(readable(stream) && recv(stream, buf, sizeof buf, 0) == 0, "its streams end");
	close(stream);

	world_open(&w, 1, -1);
	close(w.master[0]);
	ok(ended(w.pid[0]) == 0, "a worker ends when its master is gone");
	w.pid[0] = start(&w, 0);
	world_close(&w, SIGTERM);

	world_open(&w, 1, -1);
	kill(w.pid[0], SIGTERM);
	ended(w.pid[0]);
	w.setup[0].restarted = true;
	w.pid[0] = start(&w, 0);
	ok(ended(w.pid[0]) == 1, "a role that cannot start ends the worker with an error");
	w.pid[0] = start(&w, 0);
	world_close(&w, SIGTERM);
	close(fd);
}

/* ---- TUN, in a network namespace of its own ---- */

static int tun_make(void)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in in = { .sin_family = AF_INET };

	strcpy(ifr.ifr_name, "toy0");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -1;
	memcpy(&in.sin_addr, "\xc6\x12\0\1", 4);
	memcpy(&ifr.ifr_addr, &in, sizeof in);
	ioctl(s, SIOCSIFADDR, &ifr);
	memcpy(&in.sin_addr, "\xff\xfe\0\0", 4);
	memcpy(&ifr.ifr_netmask, &in, sizeof in);
	ioctl(s, SIOCSIFNETMASK, &ifr);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	ioctl(s, SIOCSIFFLAGS, &ifr);
	strcpy(ifr.ifr_name, "lo");
	ioctl(s, SIOCSIFFLAGS, &ifr);
	close(s);
	return fd;
}

static void test_tun(void)
{
	struct addr peer = { .family = 4, .ip = { 198, 18, 0, 2 }, .port = 7 };
	struct priv_answer up = { .kind = PRIV_TUN_UP };
	uint8_t buf[1 + sizeof up];
	struct world w;
	unsigned i, back = 0;
	int tun, fd;

	if ((unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) ||
	    (tun = tun_make()) < 0) {
		ok(true, "no TUN device to be had here # SKIP");
		return;
	}
	world_open(&w, 1, tun);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	tell(fd, &peer, "first", 5);
	ok(!readable_within(fd, 100), "the TUN device is not read before it is up");
	buf[0] = 0;
	up.failed = 1;
	memcpy(buf + 1, &up, sizeof up);
	send(w.master[0], buf, sizeof buf, 0);
	ok(!readable_within(fd, 100), "nor when the master failed");
	up.failed = 0;
	memcpy(buf + 1, &up, sizeof up);
	send(w.master[0], buf, sizeof buf, 0);
	ok(hears(fd, "first"), "then packets come and go");
	for (i = 0; i < 200; i++)
		tell(fd, &peer, "many", 4);
	while (back < 200 && hears(fd, "many"))
		back++;
	ok(back == 200, "many at once too (%u)", back);
	close(tun);
	ok(world_close(&w, SIGTERM) == 0, "and it ends without a leak");
	close(fd);
}

int main(void)
{
	struct world w;

	setenv("ASAN_OPTIONS", "detect_leaks=1", 0);
	world_open(&w, 2, -1);
	test_datagrams(&w);
	test_timer(&w);
	test_notes(&w);
	test_post(&w);
	test_streams(&w);
	test_many_streams(&w);
	test_flows(&w);
	test_no_descriptors(&w);
	test_restart(&w);
	ok(world_close(&w, SIGTERM) == 0, "SIGTERM ends the workers, with nothing leaked");
	test_life_and_death();
	test_tun();
	return done();
}

/* The master's netlink work, in a network namespace of its own; needs root or user namespaces. */
#include "net/io/priv.h"
#include "t/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int tun_make(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	return fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0 ? fd : -1;
}

static bool run(const char *command)
{
	return system(command) == 0;
}

/* True when the output of `ip ...` holds the words. */
static bool says(const char *command, const char *words)
{
	char line[512];
	FILE *p = popen(command, "r");
	bool found = false;

	while (p && fgets(line, sizeof line, p))
		found |= strstr(line, words) != NULL;
	if (p)
		pclose(p);
	return found;
}

static struct priv_request request(void)
{
	return (struct priv_request){
		.kind = PRIV_TUN_UP, .mtu = 1404, .bits4 = 15, .bits6 = 64,
		.ip4 = { 198, 18, 0, 3 }, .net4 = { 198, 18 },
		.ip6 = { 0xfd, 1, 2, 3, 4, 5, [15] = 3 }, .net6 = { 0xfd, 1, 2, 3, 4, 5 },
	};
}

static struct priv_answer ask(const struct priv_request *q)
{
	struct priv_answer a;

	priv_serve("cy0", 1404, q, &a);
	if (a.failed)
		diag("%s", a.text);
	return a;
}

static void refusals(void)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} bad[] = {
		{ "an unknown kind", offsetof(struct priv_request, kind), 9 },
		{ "an IPv4 address outside of the range", offsetof(struct priv_request, ip4), 10 },
		{ "a range with host bits", offsetof(struct priv_request, net4) + 3, 1 },
		{ "the IPv4 default route", offsetof(struct priv_request, bits4), 0 },
		{ "a prefix length beyond the address", offsetof(struct priv_request, bits4), 200 },
		{ "an IPv6 address outside of the range", offsetof(struct priv_request, ip6), 0x20 },
		{ "the IPv6 default route", offsetof(struct priv_request, bits6), 0 },
		{ "an IPv6 prefix length beyond the address", offsetof(struct priv_request, bits6), 255 },
		{ "an MTU above the configured one", offsetof(struct priv_request, mtu) + 1, 0xff },
		{ "an MTU below IPv6's least", offsetof(struct priv_request, mtu) + 1, 1 },
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct priv_request q = request();

		((uint8_t *)&q)[bad[i].at] = bad[i].value;
		ok(ask(&q).failed == EINVAL, "a request with %s is refused", bad[i].what);
	}
	ok(!says("ip address show dev cy0", "inet"), "refused requests leave the device alone");
}

static void comes_up(void)
{
	struct priv_request q = request();
	struct priv_answer a = ask(&q);
	bool six = access("/proc/net/if_inet6", F_OK) == 0;

	ok(!a.failed && a.kind == PRIV_TUN_UP, "the TUN device comes up");
	ok(says("ip address show dev cy0", "inet 198.18.0.3/32"), "it has its virtual IPv4 address");
	ok(!six || says("ip -6 address show dev cy0", "inet6 fd01:203:405::3/128"),
	   "it has its virtual IPv6 address");
	ok(!says("ip -6 address show dev cy0", "fe80:"), "it has no link-local address");
	ok(says("ip link show dev cy0", "mtu 1404"), "it has the MTU asked for");
	ok(says("ip route show", "198.18.0.0/15 dev cy0"), "the IPv4 range is routed to it");
	ok(!six || says("ip -6 route show", "fd01:203:405::/64 dev cy0"), "so is the IPv6 range");
	ok(!ask(&q).failed, "asking again changes nothing and is no error");

	q.ip4[3] = 9;
	q.ip6[15] = 9;
	q.mtu = 1280;
	ok(!ask(&q).failed && says("ip address show dev cy0", "198.18.0.9/32") &&
	   !says("ip address show dev cy0", "198.18.0.3/32"),
	   "a new identity replaces the old address");
	ok(says("ip link show dev cy0", "mtu 1280"), "and the old MTU");

	q.kind = PRIV_TUN_DOWN;
	ok(!ask(&q).failed && !says("ip address show dev cy0", "inet") &&
	   !says("ip route show", "cy0") && !says("ip link show dev cy0", "UP"),
	   "taken down, it has neither addresses nor routes");
}

static void others(void)
{
	struct priv_request q = request(), down = { .kind = PRIV_TUN_DOWN };
	struct priv_answer a;

	run("ip link set other0 up && ip address add 198.19.7.1/24 dev other0");
	a = ask(&q);
	ok(a.failed && strstr(a.text, "other0") && strstr(a.text, "198.19.7.1/24"),
	   "an address of another interface on the range is refused by name");
	ok(strstr(a.text, "virtual.ipv4"), "and the remedy is said");
	ok(!ask(&down).failed, "the device can be taken down all the same");

	run("ip address flush dev other0 && ip route add 198.18.128.0/17 dev other0");
	a = ask(&q);
	ok(a.failed && strstr(a.text, "route 198.18.128.0/17"), "so is a route into it");
	run("ip route flush dev other0; ip route add 198.18.9.0/24 dev other0 table 77");
	ok(ask(&q).failed, "also in a table of its own");
	run("ip route flush table 77; ip route add default dev other0; "
	    "ip route add 128.0.0.0/1 dev other0; ip address add 10.1.2.3/24 dev other0");
	ok(!ask(&q).failed, "default routes and other ranges are no obstacle");
	if (access("/proc/net/if_inet6", F_OK) == 0) {
		run("ip -6 address add fd01:203:405::77/64 dev other0");
		a = ask(&q);
		ok(a.failed && strstr(a.text, "virtual.ipv6"), "IPv6 addresses are looked at too");
	}
}

int main(void)
{
	struct priv_request q = request();

	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) < 0 ||
	    tun_make("cy0") < 0 || tun_make("other0") < 0) {
		printf("1..0 # SKIP no network namespace or TUN device: %s\n", strerror(errno));
		return 0;
	}
	refusals();
	comes_up();
	others();
	{
		struct priv_answer a;

		priv_serve("nosuch0", 1404, &q, &a);
		ok(a.failed == ENODEV && strstr(a.text, "nosuch0"), "a missing device is named");
	}
	return done();
}

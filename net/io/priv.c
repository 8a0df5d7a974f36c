/*
 * priv.c - addresses, routes and MTU of the node's own TUN device, by netlink.
 *
 * The worker that asks is not trusted: whatever it sends ends in an address on our TUN and
 * in routes to virtual ranges nobody else uses, or in a refusal.
 */
#include "net/io/priv.h"
#include "store/config.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#define STALE_MAX 32

struct range {
	uint8_t family, bits;
	uint8_t ip[16];
};

struct net {
	struct mnl_socket *nl;
	uint32_t seq;
	unsigned tun;			/* interface index */
	const char *name;
	const struct priv_request *q;
	struct priv_answer *a;
	struct range range[2];		/* of the domain */
	struct range stale[STALE_MAX];	/* addresses on the TUN that are to go */
	unsigned stale_n;
};

/* ---- ranges ---- */

static unsigned size_of(uint8_t family)
{
	return family == 4 ? 4 : 16;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

static bool overlap(const struct range *a, const struct range *b)
{
	return a->family == b->family && same_bits(a->ip, b->ip, MIN(a->bits, b->bits));
}

static struct range range_of(uint8_t family, const uint8_t *ip, uint8_t bits)
{
	struct range r = { .family = family, .bits = bits };

	memcpy(r.ip, ip, size_of(family));
	return r;
}

static const char *range_text(char out[ADDR_TEXT + 4], const struct range *r)
{
	struct addr a = { .family = r->family };
	char ip[ADDR_TEXT];

	memcpy(a.ip, r->ip, sizeof a.ip);
	snprintf(out, ADDR_TEXT + 4, "%s/%u", ip_text(ip, &a), r->bits);
	return out;
}

/* ---- asking the kernel ---- */

static int to_af(uint8_t family)
{
	return family == 4 ? AF_INET : AF_INET6;
}

static uint8_t from_af(int af)
{
	return af == AF_INET ? 4 : af == AF_INET6 ? 6 : 0;
}

/* Sends one request and runs cb over what comes back.  False with errno. */
static bool talk(struct net *n, struct nlmsghdr *h, mnl_cb_t cb)
{
	char buf[16384];
	unsigned port = mnl_socket_get_portid(n->nl);
	ssize_t got;
	int more = MNL_CB_OK;

	h->nlmsg_seq = ++n->seq;
	h->nlmsg_flags |= NLM_F_REQUEST | (cb ? NLM_F_DUMP : NLM_F_ACK);
	if (mnl_socket_sendto(n->nl, h, h->nlmsg_len) < 0)
		return false;
	while (more > MNL_CB_STOP) {
		got = mnl_socket_recvfrom(n->nl, buf, sizeof buf);
		if (got <= 0)
			return false;
		more = mnl_cb_run(buf, (size_t)got, n->seq, port, cb, n);
	}
	return more == MNL_CB_STOP;
}

static bool refuse(struct net *n, uint32_t why, const char *doing)
{
	n->a->failed = why;
	snprintf(n->a->text, sizeof n->a->text, "cannot %s %s: %s%s", doing, n->name,
		 strerror((int)why), why == EPERM ? " (the master needs CAP_NET_ADMIN)" : "");
	return false;
}

/* ---- who else is on these ranges ---- */

static void in_the_way(struct net *n, const char *what, const struct range *r, unsigned index,
		       const struct range *ours)
{
	char text[ADDR_TEXT + 4], range[ADDR_TEXT + 4], dev[IF_NAMESIZE] = "?";

	if_indextoname(index, dev);
	n->a->failed = EADDRINUSE;
	snprintf(n->a->text, sizeof n->a->text,
		 "%.7s %.43s of %s overlaps the overlay's range %.43s: remove it, or set another "
		 "virtual.ipv%c for the domain", what, range_text(text, r), dev,
		 range_text(range, ours), '0' + r->family);
}

static int check(struct net *n, const char *what, const struct range *r, unsigned index)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(n->range); i++)
		if (overlap(r, &n->range[i])) {
			in_the_way(n, what, r, index, &n->range[i]);
			return MNL_CB_ERROR;
		}
	return MNL_CB_OK;
}

static bool octets(const struct nlattr *a, struct range *r)
{
	if (!a || !r->family || mnl_attr_get_payload_len(a) != size_of(r->family))
		return false;
	memcpy(r->ip, mnl_attr_get_payload(a), size_of(r->family));
	return true;
}

static bool is_ours(const struct net *n, const struct range *r)
{
	const struct priv_request *q = n->q;

	return q->kind == PRIV_TUN_UP && r->bits == size_of(r->family) * 8 &&
	       memcmp(r->ip, r->family == 4 ? q->ip4 : q->ip6, size_of(r->family)) == 0;
}

static const struct nlattr *find(const struct nlmsghdr *h, size_t head, int type)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, (unsigned)head)
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

/* Addresses of others are checked, those of the TUN that are not wanted any more collected. */
static int on_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	struct range r = { .family = from_af(m->ifa_family), .bits = m->ifa_prefixlen };
	struct net *n = arg;

	if (!octets(find(h, sizeof *m, IFA_LOCAL), &r) && !octets(find(h, sizeof *m, IFA_ADDRESS), &r))
		return MNL_CB_OK;
	if (m->ifa_index != n->tun)
		return n->q->kind == PRIV_TUN_UP ? check(n, "address", &r, m->ifa_index) : MNL_CB_OK;
	if (!is_ours(n, &r) && n->stale_n < STALE_MAX)
		n->stale[n->stale_n++] = r;
	return MNL_CB_OK;
}

/*
 * As wide as a default route, such as the halves 0.0.0.0/1 of other VPNs: a more specific
 * route wins over it without taking anything from anybody.
 */
static bool is_default(const struct range *r)
{
	return r->bits < (r->family == 4 ? 8 : 16);
}

static int on_route(const struct nlmsghdr *h, void *arg)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	struct range r = { .family = from_af(m->rtm_family), .bits = m->rtm_dst_len };
	const struct nlattr *dev = find(h, sizeof *m, RTA_OIF), *hops;
	unsigned index = dev ? mnl_attr_get_u32(dev) : 0;
	struct net *n = arg;

	hops = find(h, sizeof *m, RTA_MULTIPATH);
	if (!dev && hops && mnl_attr_get_payload_len(hops) >= sizeof(struct rtnexthop))
		index = (unsigned)((const struct rtnexthop *)mnl_attr_get_payload(hops))->rtnh_ifindex;
	if (m->rtm_type != RTN_UNICAST || index == n->tun || m->rtm_flags & RTM_F_CLONED ||
	    !octets(find(h, sizeof *m, RTA_DST), &r) || is_default(&r))
		return MNL_CB_OK;
	return check(n, "route", &r, index);
}

static bool dump(struct net *n, uint16_t type, size_t head, mnl_cb_t cb, const char *doing)
{
	char buf[256];
	struct nlmsghdr *h;
	unsigned try;

	/* EINTR: the table changed under the dump */
	for (try = 0; try < 8; try++) {
		h = mnl_nlmsg_put_header(buf);
		h->nlmsg_type = type;
		mnl_nlmsg_put_extra_header(h, head);	/* zero: every family */
		if (talk(n, h, cb))
			return true;
		if (n->a->failed || errno != EINTR)
			break;
	}
	return n->a->failed ? false : refuse(n, (uint32_t)errno, doing);
}

static bool look_around(struct net *n)
{
	return dump(n, RTM_GETADDR, sizeof(struct ifaddrmsg), on_address, "list addresses beside") &&
	       (n->q->kind != PRIV_TUN_UP ||
		dump(n, RTM_GETROUTE, sizeof(struct rtmsg), on_route, "list routes beside"));
}

/* ---- changing the TUN ---- */

static bool address(struct net *n, const struct range *r, bool add)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);

	h->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	h->nlmsg_flags = add ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	m->ifa_family = (uint8_t)to_af(r->family);
	m->ifa_prefixlen = r->bits;
	m->ifa_index = n->tun;
	mnl_attr_put(h, IFA_LOCAL, size_of(r->family), r->ip);
	mnl_attr_put(h, IFA_ADDRESS, size_of(r->family), r->ip);
	/* the AS gave the address to us alone, and nobody on a TUN answers for it */
	if (add && r->family == 6)
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
	return talk(n, h, NULL);
}

static bool route(struct net *n, const struct range *to, const uint8_t *source)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);

	h->nlmsg_type = RTM_NEWROUTE;
	h->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	m->rtm_family = (uint8_t)to_af(to->family);
	m->rtm_dst_len = to->bits;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = to->family == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_DST, size_of(to->family), to->ip);
	mnl_attr_put(h, RTA_PREFSRC, size_of(to->family), source);
	mnl_attr_put_u32(h, RTA_OIF, n->tun);
	return talk(n, h, NULL);
}

static struct nlmsghdr *link_message(struct net *n, char *buf, bool up)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof *m);

	h->nlmsg_type = RTM_NEWLINK;
	m->ifi_index = (int)n->tun;
	m->ifi_change = IFF_UP;
	m->ifi_flags = up ? IFF_UP : 0;
	return h;
}

/* No link-local address: it would only say router solicitations into the overlay. */
static void no_link_local(struct net *n)
{
	char buf[256];
	struct nlmsghdr *h = link_message(n, buf, false);
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *six = mnl_attr_nest_start(h, AF_INET6);

	((struct ifinfomsg *)mnl_nlmsg_get_payload(h))->ifi_change = 0;
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, six);
	mnl_attr_nest_end(h, spec);
	talk(n, h, NULL);
}

static bool link_up(struct net *n)
{
	char buf[256];
	struct nlmsghdr *h = link_message(n, buf, true);

	mnl_attr_put_u32(h, IFLA_MTU, n->q->mtu);
	return talk(n, h, NULL) || refuse(n, (uint32_t)errno, "bring up");
}

static bool forget_stale(struct net *n)
{
	unsigned i;

	for (i = 0; i < n->stale_n; i++)
		if (!address(n, &n->stale[i], false) && errno != EADDRNOTAVAIL)
			return refuse(n, (uint32_t)errno, "remove an address of");
	return true;
}

/* IPv6 is not compiled in, or switched off by the administrator. */
static bool is_without_ipv6(void)
{
	return errno == EOPNOTSUPP || errno == EAFNOSUPPORT || errno == EACCES;
}

static bool give(struct net *n, const struct range *to, const uint8_t *ip)
{
	struct range own = range_of(to->family, ip, (uint8_t)(size_of(to->family) * 8));

	if (!address(n, &own, true)) {
		if (to->family == 6 && is_without_ipv6()) {
			cy_log(LOG_INFO, "this host has no IPv6: %s gets no virtual IPv6 address", n->name);
			return true;
		}
		return refuse(n, (uint32_t)errno, "give an address to");
	}
	return route(n, to, ip) || refuse(n, (uint32_t)errno, "route the overlay's range to");
}

static void tun_up(struct net *n)
{
	const struct priv_request *q = n->q;

	if (!look_around(n) || !forget_stale(n))
		return;
	no_link_local(n);
	if (link_up(n) && give(n, &n->range[0], q->ip4))
		give(n, &n->range[1], q->ip6);
}

static void tun_down(struct net *n)
{
	char buf[256];

	if (!look_around(n) || !forget_stale(n))
		return;
	if (!talk(n, link_message(n, buf, false), NULL))
		refuse(n, (uint32_t)errno, "take down");
}

/* ---- the request ---- */

static bool host_part_is_zero(const uint8_t *ip, unsigned bits, unsigned size)
{
	unsigned i;

	for (i = bits; i < size * 8; i++)
		if (ip[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* A whole top-level domain is nobody's overlay: its names are others'. */
static bool is_domain(const char domain[NAME_SIZE])
{
	char canonical[NAME_SIZE];

	return memchr(domain, '\0', NAME_SIZE) && name_canonical(canonical, domain) &&
	       strcmp(canonical, domain) == 0 && strchr(domain, '.');
}

const char *priv_wrong(const struct priv_request *q, uint16_t max_mtu)
{
	if (q->kind == PRIV_TUN_DOWN || q->kind == PRIV_DNS_DOWN || q->kind == PRIV_DNS_LOOK)
		return NULL;
	if (q->kind != PRIV_TUN_UP && q->kind != PRIV_DNS_UP)
		return "unknown kind of request";
	if (q->kind == PRIV_DNS_UP && !is_domain(q->domain))
		return "the domain is no name of two labels or more";
	if (q->bits4 < 8 || q->bits4 > 30 || q->net4[0] == 0 || q->net4[0] == 127 ||
	    q->net4[0] >= 224 || !host_part_is_zero(q->net4, q->bits4, 4))
		return "virtual IPv4 range is none";
	if (q->bits6 < 32 || q->bits6 > 120 || q->net6[0] == 0 || q->net6[0] >= 0xfe ||
	    !host_part_is_zero(q->net6, q->bits6, 16))
		return "virtual IPv6 range is none";
	if (!same_bits(q->ip4, q->net4, q->bits4) || !memcmp(q->ip4, q->net4, 4))
		return "virtual IPv4 address is outside of the range";
	if (!same_bits(q->ip6, q->net6, q->bits6) || !memcmp(q->ip6, q->net6, 16))
		return "virtual IPv6 address is outside of the range";
	if (q->mtu < 1280 || q->mtu > max_mtu)
		return "MTU is not between 1280 and the configured one";
	return NULL;
}

void priv_serve(const char *tun, uint16_t max_mtu, const struct priv_request *q,
		struct priv_answer *a)
{
	struct net n = { .name = tun, .q = q, .a = a, .tun = if_nametoindex(tun) };
	const char *wrong = q->kind > PRIV_TUN_DOWN ? "unknown kind of request" : priv_wrong(q, max_mtu);

	memset(a, 0, sizeof *a);
	a->kind = q->kind;
	if (wrong) {
		a->failed = EINVAL;
		snprintf(a->text, sizeof a->text, "request refused: %s", wrong);
		return;
	}
	if (!n.tun) {
		refuse(&n, ENODEV, "find");
		return;
	}
	n.range[0] = range_of(4, q->net4, q->bits4);
	n.range[1] = range_of(6, q->net6, q->bits6);
	n.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n.nl || mnl_socket_bind(n.nl, 0, MNL_SOCKET_AUTOPID) < 0)
		refuse(&n, (uint32_t)errno, "open netlink for");
	else if (q->kind == PRIV_TUN_UP)
		tun_up(&n);
	else
		tun_down(&n);
	if (n.nl)
		mnl_socket_close(n.nl);
}

bool priv_ranges_free(const char *tun, const struct prefix *v4, const struct prefix *v6, char *text,
		      size_t room)
{
	static const struct priv_request up = { .kind = PRIV_TUN_UP };
	struct priv_answer a = { .failed = 0 };
	struct net n = { .name = "this computer", .q = &up, .a = &a, .tun = if_nametoindex(tun) };

	n.range[0] = range_of(v4->family, v4->ip, v4->bits);
	n.range[1] = range_of(v6->family, v6->ip, v6->bits);
	n.nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n.nl || mnl_socket_bind(n.nl, 0, MNL_SOCKET_AUTOPID) < 0)
		refuse(&n, (uint32_t)errno, "list the addresses of");
	else
		look_around(&n);
	if (n.nl)
		mnl_socket_close(n.nl);
	snprintf(text, room, "%s", a.text);
	return !a.failed;
}

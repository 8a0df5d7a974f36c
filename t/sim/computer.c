/* computer.c - the programs on a computer: ping, a UDP stream with numbers, a DNS client. */
#include "net/proto/ip.h"
#include "t/sim/lab.h"
#include <stdio.h>
#include <stdlib.h>

#define ECHO_OCTETS 56
#define ICMP4_REPLY 0
#define ICMP4_UNREACHABLE 3
#define ICMP4_REQUEST 8
#define ICMP6_UNREACHABLE 1
#define ICMP6_REQUEST 128
#define ICMP6_REPLY 129
#define PROTO_ICMP 1
#define PROTO_UDP 17
#define PROTO_ICMP6 58
#define PACKET_MAX 1500

/* ---- packets ---- */

/* An IP header before n octets of payload that are in their place already. */
static size_t put_ip(uint8_t *p, unsigned family, const uint8_t *from, const uint8_t *to,
		     uint8_t proto, size_t n)
{
	if (family == 4) {
		memset(p, 0, 20);
		p[0] = 0x45;
		put16(p + 2, (uint16_t)(20 + n));
		p[8] = 64;
		p[9] = proto;
		memcpy(p + 12, from, 4);
		memcpy(p + 16, to, 4);
		put16(p + 10, ip_checksum(0, p, 20));
		return 20 + n;
	}
	memset(p, 0, 8);
	p[0] = 0x60;
	put16(p + 4, (uint16_t)n);
	p[6] = proto;
	p[7] = 64;
	memcpy(p + 8, from, 16);
	memcpy(p + 24, to, 16);
	return 40 + n;
}

static uint32_t pseudo6(const uint8_t *packet, size_t n, uint8_t proto)
{
	uint32_t sum = (uint32_t)n + proto;
	unsigned i;

	for (i = 8; i < 40; i += 2)
		sum += get16(packet + i);
	return sum;
}

static size_t put_echo(uint8_t *p, unsigned family, const uint8_t *from, const uint8_t *to,
		       bool reply, uint16_t seq)
{
	uint8_t *icmp = p + (family == 4 ? 20 : 40);
	uint8_t proto = family == 4 ? PROTO_ICMP : PROTO_ICMP6;
	size_t n = 8 + ECHO_OCTETS, len;

	memset(icmp, 0x5a, n);
	icmp[0] = family == 4 ? (reply ? ICMP4_REPLY : ICMP4_REQUEST)
			      : (reply ? ICMP6_REPLY : ICMP6_REQUEST);
	icmp[1] = 0;
	put16(icmp + 2, 0);
	put16(icmp + 4, 77);
	put16(icmp + 6, seq);
	len = put_ip(p, family, from, to, proto, n);
	put16(icmp + 2, ip_checksum(family == 4 ? 0 : pseudo6(p, n, proto), icmp, n));
	return len;
}

static const uint8_t *own_ip(const struct computer *c, unsigned family)
{
	return family == 4 ? c->ip4 : c->ip6;
}

static void on_echo(struct computer *c, const struct ip_view *v, const uint8_t *icmp, size_t n)
{
	uint8_t reply[PACKET_MAX];
	bool six = v->family == 6;

	if (icmp[0] == (six ? ICMP6_REQUEST : ICMP4_REQUEST)) {
		c->echoes++;
		process_packet(c->node, reply, put_echo(reply, v->family, own_ip(c, v->family),
							v->src, true, get16(icmp + 6)));
	} else if (icmp[0] == (six ? ICMP6_REPLY : ICMP4_REPLY)) {
		c->replies++;
		c->last_reply = get16(icmp + 6);
	} else if (icmp[0] == (six ? ICMP6_UNREACHABLE : ICMP4_UNREACHABLE)) {
		c->unreachable++;
	}
}

static void note_seen(struct computer *c, uint32_t number)
{
	uint8_t bit = (uint8_t)(1 << number % 8);

	if (number >= DATA_NUMBERS)
		return;
	c->data_twice += (c->data_seen[number / 8] & bit) != 0;
	c->data_seen[number / 8] |= bit;
}

static void on_data(struct computer *c, const uint8_t *udp, size_t n)
{
	uint32_t number = get32(udp + 8);

	c->data++;
	c->data_octets += n - 8;
	note_seen(c, number);
	if (number < c->data_next) {
		c->data_late++;
		return;
	}
	c->data_missed += number - c->data_next;
	c->data_next = number + 1;
}

static void on_packet(void *arg, const uint8_t *p, size_t n)
{
	struct computer *c = arg;
	struct ip_view v;
	size_t head;
	uint8_t proto;

	if (!ip_look(&v, p, n) || v.len != n ||
	    memcmp(v.dst, own_ip(c, v.family), v.family == 4 ? 4 : 16) != 0) {
		printf("Bail out! %s: a packet that is not for it left the TUN device\n", c->fqdn);
		exit(99);
	}
	head = v.family == 4 ? 20 : 40;
	proto = v.family == 4 ? p[9] : p[6];
	if (proto == PROTO_UDP && n >= head + 12)
		on_data(c, p + head, n - head);
	else if (proto != PROTO_UDP && n >= head + 8)
		on_echo(c, &v, p + head, n - head);
}

void computer_ping_send(struct computer *from, const uint8_t *ip, unsigned family, uint16_t seq)
{
	uint8_t p[PACKET_MAX];

	process_packet(from->node, p,
		       put_echo(p, family, own_ip(from, family), ip, false, seq));
}

struct wait {
	struct computer *c;
	uint16_t seq;
	uint64_t replies;
};

static bool replied(void *arg)
{
	const struct wait *w = arg;

	return w->c->replies > w->replies && w->c->last_reply == w->seq;
}

bool computer_ping(struct computer *from, struct computer *to, unsigned family, uint64_t us)
{
	struct wait wait = { from, ++from->lab->pings, from->replies };

	computer_ping_send(from, own_ip(to, family), family, wait.seq);
	return world_until(from->lab->world, us, replied, &wait);
}

void computer_data(struct computer *from, struct computer *to, unsigned family, uint32_t number,
		   size_t n)
{
	size_t head = family == 4 ? 20 : 40;
	uint8_t p[PACKET_MAX] = { 0 };

	n = MIN(MAX(n, (size_t)4), sizeof p - head - 8);
	put16(p + head, 5000);
	put16(p + head + 2, 5001);
	put16(p + head + 4, (uint16_t)(8 + n));
	put32(p + head + 8, number);
	process_packet(from->node, p, put_ip(p, family, own_ip(from, family), own_ip(to, family),
					     PROTO_UDP, 8 + n));
}

/* ---- DNS ---- */

static void on_dns(void *arg, const uint8_t *p, size_t n)
{
	struct computer *c = arg;

	c->answer_len = MIN(n, sizeof c->answer);
	memcpy(c->answer, p, c->answer_len);
}

void computer_query(struct computer *c, const char *name, uint16_t type)
{
	uint8_t q[512] = { 0 };
	size_t n = 12, label;

	put16(q, ++c->lab->pings);
	put16(q + 2, 0x0100);
	put16(q + 4, 1);
	for (; *name; name += label + (name[label] == '.')) {
		label = strcspn(name, ".");
		q[n++] = (uint8_t)label;
		memcpy(q + n, name, label);
		n += label;
	}
	q[n++] = 0;
	put16(q + n, type);
	put16(q + n + 2, 1);
	c->answer_len = 0;
	process_query(c->node, q, n + 4);
}

static bool answered(void *arg)
{
	const struct computer *c = arg;

	return c->answer_len > 0;
}

/* The first record of a type; names are those of our own resolver: a pointer, or octets. */
static bool first_record(const uint8_t *p, size_t n, uint16_t type, uint8_t *ip)
{
	size_t at = 12, want = type == 1 ? 4 : 16, len;

	while (at < n && p[at])
		at += p[at] + 1u;
	at += 5;
	while (at + 12 <= n) {
		for (; at < n && p[at] && p[at] < 0xc0; at += p[at] + 1u)
			;
		at += at < n && p[at] ? 2 : 1;
		if (at + 10 > n)
			return false;
		len = get16(p + at + 8);
		if (get16(p + at) == type && len == want && at + 10 + len <= n) {
			memcpy(ip, p + at + 10, want);
			return true;
		}
		at += 10 + len;
	}
	return false;
}

int computer_resolve(struct computer *c, const char *name, uint16_t type, uint8_t *ip, uint64_t us)
{
	computer_query(c, name, type);
	if (!world_until(c->lab->world, us, answered, c) || c->answer_len < 12)
		return -1;
	if (ip && !first_record(c->answer, c->answer_len, type, ip))
		memset(ip, 0, type == 1 ? 4 : 16);
	return c->answer[3] & 15;
}

/* ---- the master and the control socket ---- */

static void on_tun(void *arg, const struct priv_request *r)
{
	struct computer *c = arg;

	c->tun_up = r->kind == PRIV_TUN_UP;
	if (c->tun_up && (memcmp(r->ip4, c->ip4, 4) || memcmp(r->ip6, c->ip6, 16))) {
		printf("Bail out! %s: the TUN device got a stranger's addresses\n", c->fqdn);
		exit(99);
	}
}

static void on_control(void *arg, const uint8_t *p, size_t n)
{
	struct computer *c = arg;
	size_t have = strlen(c->status);

	n = MIN(n, sizeof c->status - 1 - have);
	memcpy(c->status + have, p, n);
	c->status[have + n] = '\0';
}

static bool line_there(void *arg)
{
	return strchr(arg, '\n') != NULL;
}

const char *computer_status(struct computer *c, const char *request)
{
	c->status[0] = '\0';
	process_control(c->node, request);
	world_until(c->lab->world, 10 * SEC, line_there, c->status);
	return c->status;
}

void computer_watch(struct computer *c)
{
	c->node->arg = c;
	c->node->on_packet = on_packet;
	c->node->on_dns = on_dns;
	c->node->on_tun = on_tun;
	c->node->on_control = on_control;
}

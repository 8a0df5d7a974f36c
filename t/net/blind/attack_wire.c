/*
 * attack_wire.c - the captures, read by the product's own parsers, and all of the signalling,
 * opened as NMS and TRS open it: under Common Keys of the store, then under what Route
 * Directions and Relay Requests say.
 */
#include "t/net/blind/attacker.h"
#include "crypto/cert.h"
#include <stdlib.h>

#define LINK_ETHERNET 1
#define LINK_COOKED 113		/* tcpdump -i any, as it was */
#define LINK_COOKED2 276

/* ---- captures ---- */

static void add_message(struct captures *c, const uint8_t *p, size_t n, uint64_t ms)
{
	struct message *m;

	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 4096;
		c->m = realloc(c->m, c->room * sizeof *c->m);
		if (!c->m)
			abort();
	}
	m = &c->m[c->n++];
	memset(m, 0, sizeof *m);
	m->p = p;
	m->n = n;
	m->ms = ms;
	m->parsed = gate_check(p, n, &m->h, &m->x) == V_PASSED;
}

/* A run that left by one call is captured as one datagram: each message says its length. */
static void take_payload(struct captures *c, const uint8_t *p, size_t n, uint64_t ms)
{
	struct msg_header h;

	c->octets += n;
	while (n) {
		size_t len = n;

		if (msg_read_header(&h, p, n) > 0 && h.version == PROTO_VERSION &&
		    h.length >= MESSAGE_MIN && h.length < n)
			len = h.length;
		add_message(c, p, len, ms);
		p += len;
		n -= len;
	}
}

static void take_udp(struct captures *c, const uint8_t *p, size_t n, uint64_t ms)
{
	if (n > 8)
		take_payload(c, p + 8, MIN(n, MAX(get16(p + 4), 8u)) - 8, ms);
}

/* Logins, and whatever else somebody might say by TCP: to be searched, in pieces as they came. */
static void take_tcp(struct captures *c, const uint8_t *p, size_t n, uint64_t ms)
{
	size_t head = n < 20 ? n : (size_t)(p[12] >> 4) * 4;

	if (head >= n)
		return;
	add_message(c, p + head, n - head, ms);
	c->m[c->n - 1].parsed = false;
}

static void take_segment(struct captures *c, uint8_t protocol, const uint8_t *p, size_t n,
			 uint64_t ms)
{
	if (protocol == 17)
		take_udp(c, p, n, ms);
	else if (protocol == 6)
		take_tcp(c, p, n, ms);
}

static void take_ip(struct captures *c, uint16_t type, const uint8_t *p, size_t n, uint64_t ms)
{
	size_t head = n ? (size_t)(p[0] & 15) * 4 : 0;

	if (type == 0x0800 && n >= 20 && head >= 20 && head < n && !(get16(p + 6) & 0x3fff))
		take_segment(c, p[9], p + head, MIN(n, MAX(get16(p + 2), head)) - head, ms);
	if (type == 0x86dd && n >= 40)
		take_segment(c, p[6], p + 40, MIN(n - 40, get16(p + 4)), ms);
}

static void take_frame(struct captures *c, uint32_t link, const uint8_t *p, size_t n, uint64_t ms)
{
	if (link == LINK_ETHERNET && n > 14)
		take_ip(c, get16(p + 12), p + 14, n - 14, ms);
	if (link == LINK_COOKED && n > 16)
		take_ip(c, get16(p + 14), p + 16, n - 16, ms);
	if (link == LINK_COOKED2 && n > 20)
		take_ip(c, get16(p), p + 20, n - 20, ms);
}

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* Of this machine's octet order, as tcpdump on it writes them. */
void captures_read(struct attack *a, const char *name)
{
	struct captures *c = &a->captures;
	size_t n, at = 24, len;
	uint8_t *p = read_file(name, &n);
	uint32_t link;

	if (c->files == ARRAY_SIZE(c->file))
		too_many("captures");
	if (n < 24 || word(p) != 0xa1b2c3d4) {
		fprintf(stderr, "attacker: %s: no capture of this machine\n", name);
		exit(2);
	}
	c->file[c->files++] = p;
	link = word(p + 20) & 0xffff;
	for (; at + 16 <= n; at += 16 + len) {
		len = MIN(word(p + at + 8), n - at - 16);
		take_frame(c, link, p + at + 16, len,
			   (uint64_t)word(p + at) * 1000 + word(p + at + 4) / 1000);
	}
}

/* ---- what it says ---- */

static struct known_path *path_of(struct attack *a, const struct id *id)
{
	unsigned i;

	for (i = 0; i < a->paths; i++)
		if (id_equal(&a->path[i].id, id))
			return &a->path[i];
	if (a->paths == PATHS)
		too_many("paths");
	a->path[a->paths].id = *id;
	return &a->path[a->paths++];
}

static void take_route(struct attack *a, const struct message *m)
{
	struct msg_route_direction r;
	struct known_path *k;
	struct cert_info cert;
	char err[256];

	if (msg_read_route_direction(&r, m->plain, m->plain_n) < 0)
		return;
	k = path_of(a, &r.path);
	a->routes++;
	a->tunnel_keys += !k->has_tunnel;
	k->has_tunnel = true;
	k->relay = r.relay;
	memcpy(k->tunnel.b, r.tunnel_key, sizeof k->tunnel.b);
	memcpy(k->temporary.b, r.temporary_key, sizeof k->temporary.b);
	learn(a, "Tunnel Key", r.tunnel_key, 16);
	learn(a, "Temporary Key", r.temporary_key, 16);
	if (cert_read(&cert, r.certificate.p, r.certificate.n, err))
		learn_public(a, cert.fqdn, cert.x25519);
}

static void take_relay(struct attack *a, const struct message *m)
{
	struct msg_relay_request r;
	struct known_path *k;

	if (msg_read_relay_request(&r, m->plain, m->plain_n) < 0)
		return;
	k = path_of(a, &r.path);
	a->relays++;
	k->has_relay_key = true;
	memcpy(k->relay_key.b, r.relay_key, sizeof k->relay_key.b);
	learn(a, "relay key", r.relay_key, 16);
}

static void take_tunnel_request(struct attack *a, const struct message *m)
{
	struct known_path *k = path_of(a, &m->h.id);
	struct msg_tunnel_request r;
	uint8_t psk[32];

	if (msg_read_tunnel_request(&r, m->plain, m->plain_n) < 0)
		return;
	a->requests++;
	learn_public(a, "the initiator's ephemeral key", r.noise);
	if (k->has_end || !keys_unwrap_end(&k->end, &k->temporary, &k->id, r.end_key))
		return;
	k->has_end = true;
	a->end_keys++;
	keys_psk(psk, &k->tunnel, &k->temporary, &k->end);
	learn(a, "End Key", k->end.b, 16);
	learn(a, "psk", psk, 32);
}

static void take_tunnel_response(struct attack *a, const struct message *m)
{
	struct msg_tunnel_response r;

	if (msg_read_tunnel_response(&r, m->plain, m->plain_n) < 0)
		return;
	a->responses++;
	learn_public(a, "the responder's ephemeral key", r.noise);
}

static void understand(struct attack *a, const struct message *m)
{
	switch (m->h.type) {
	case TYPE_ROUTE_DIRECTION_R:
	case TYPE_ROUTE_DIRECTION_I:
		take_route(a, m);
		break;
	case TYPE_RELAY_REQUEST:
		take_relay(a, m);
		break;
	case TYPE_TUNNEL_REQUEST:
		take_tunnel_request(a, m);
		break;
	case TYPE_TUNNEL_RESPONSE:
		take_tunnel_response(a, m);
		break;
	}
}

/* ---- opening it ---- */

/* Uses s up. */
static bool open_by(struct message *m, struct session *s)
{
	uint8_t *copy = malloc(m->n);
	struct bytes body;
	uint64_t stamp;

	if (!copy)
		abort();
	memcpy(copy, m->p, m->n);
	m->opened = session_open(s, m->ms, copy, m->n, &m->h, &m->x, &body, &stamp) == V_PASSED;
	session_free(s);
	if (m->opened) {
		memmove(copy, body.p, body.n);
		m->plain = copy;
		m->plain_n = body.n;
	} else {
		free(copy);
	}
	return m->opened;
}

static bool open_common(const struct attack *a, struct message *m)
{
	struct session s;
	unsigned i, side;

	for (i = 0; i < a->devices; i++)
		for (side = 0; side < 2 && id_equal(&a->device[i].node_id, &m->h.id); side++) {
			session_common(&s, &a->device[i].common_key, &m->h.id, side);
			if (open_by(m, &s))
				return true;
		}
	return false;
}

/* A node's look at its NAPT: between it and any TRS. */
static bool open_vantage(const struct attack *a, struct message *m)
{
	struct vantage_key key;
	struct session s;
	unsigned i, side;

	for (i = 0; i < a->devices; i++)
		for (side = 0; side < 2 && a->device[i].kind == DEVICE_TRS; side++) {
			keys_vantage(&key, &a->device[i].common_key, &m->h.id);
			session_vantage(&s, &key, &m->h.id, side);
			if (open_by(m, &s))
				return true;
		}
	return false;
}

static bool open_of_path(const struct known_path *k, struct message *m)
{
	struct relay_key made;
	struct session s;
	unsigned side;

	keys_relay(&made, &k->tunnel, &k->relay);
	for (side = 0; side < 4; side++) {
		session_tunnel(&s, &k->tunnel, &k->id, side & 1);
		if (open_by(m, &s))
			return true;
		session_relay(&s, k->has_relay_key ? &k->relay_key : &made, &k->id, side & 1,
			      side & 2);
		if (open_by(m, &s))
			return true;
	}
	return false;
}

static bool open_one(struct attack *a, struct message *m)
{
	unsigned i;

	if (type_key(m->h.type) == KEY_COMMON)
		return open_common(a, m);
	for (i = 0; i < a->paths; i++)
		if (id_equal(&a->path[i].id, &m->h.id))
			return open_of_path(&a->path[i], m);
	return open_vantage(a, m);
}

/* Common Keys first: what they open has the keys of the rest. */
void signalling_open(struct attack *a)
{
	struct captures *c = &a->captures;
	enum type_key round;
	size_t i;

	for (round = KEY_COMMON; round <= KEY_TUNNEL; round++)
		for (i = 0; i < c->n; i++) {
			if (!c->m[i].parsed || type_key(c->m[i].h.type) != round)
				continue;
			if (open_one(a, &c->m[i]))
				understand(a, &c->m[i]);
			a->opened += c->m[i].opened;
			a->unopened += !c->m[i].opened;
		}
}

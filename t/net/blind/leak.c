/*
 * leak.c - nodes that give their keys away, to show that 630-blind.t would notice.  Linked over the
 * product by --wrap: what the key exchange ends in goes along with the data, to the relay (to the
 * other end, where there is none) in a message of a kind that is opened there, and kept.
 */
#include "net/proto/tunnel.h"

#define EVERY 16		/* packets of data */

/* The newest keys of a few paths. */
static struct leak {
	struct id path;
	struct traffic_secret i2r, r2i;
} leak[8];
static unsigned leaks, sent;
static uint8_t given[2 * sizeof(struct traffic_secret)];	/* at who receives it */

void __real_keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
			    const struct traffic_secret *r2i, uint64_t now);
void __wrap_keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
			    const struct traffic_secret *r2i, uint64_t now);
enum verdict __real_tunnel_send(struct tunnel *t, struct now now, uint8_t *packet, size_t n,
				uint8_t ecn, struct outbox *out);
enum verdict __wrap_tunnel_send(struct tunnel *t, struct now now, uint8_t *packet, size_t n,
				uint8_t ecn, struct outbox *out);
enum verdict __real_session_open(struct session *s, uint64_t cloud_ms, uint8_t *p, size_t n,
				 const struct msg_header *h, const struct exts *x,
				 struct bytes *body, uint64_t *stamp);
enum verdict __wrap_session_open(struct session *s, uint64_t cloud_ms, uint8_t *p, size_t n,
				 const struct msg_header *h, const struct exts *x,
				 struct bytes *body, uint64_t *stamp);

void __wrap_keyring_install(struct keyring *k, uint8_t number, const struct traffic_secret *i2r,
			    const struct traffic_secret *r2i, uint64_t now)
{
	leak[leaks++ % ARRAY_SIZE(leak)] = (struct leak){ k->path, *i2r, *r2i };
	__real_keyring_install(k, number, i2r, r2i, now);
}

static const struct leak *leak_of(const struct id *path)
{
	const struct leak *l;
	unsigned i;

	for (i = 1; i <= ARRAY_SIZE(leak); i++) {
		l = &leak[(leaks - i) % ARRAY_SIZE(leak)];
		if (id_equal(&l->path, path))
			return l;
	}
	return NULL;
}

static void give_away(struct tunnel *t, struct now now, const struct leak *l, struct outbox *out)
{
	const struct route *r = route_used(t);
	uint8_t body[sizeof given], p[DATAGRAM_MAX];
	size_t n;

	if (!r)
		return;
	memcpy(body, l->i2r.b, 32);
	memcpy(body + 32, l->r2i.b, 32);
	n = session_seal(route_is_relay(r) ? &t->routes.relay : &t->signal,
			 cloud_ms(t->cloud, now), random_u32(), TYPE_HOLE_PUNCHING,
			 route_token(t, now, r), body, sizeof body, p);
	out_datagram(out, PORT_MAIN, &r->remote, &r->local, p, n);
}

enum verdict __wrap_tunnel_send(struct tunnel *t, struct now now, uint8_t *packet, size_t n,
				uint8_t ecn, struct outbox *out)
{
	const struct leak *l = leak_of(&t->setup.path);

	if (l && sent++ % EVERY == 0)
		give_away(t, now, l, out);
	return __real_tunnel_send(t, now, packet, n, ecn, out);
}

enum verdict __wrap_session_open(struct session *s, uint64_t cloud_ms, uint8_t *p, size_t n,
				 const struct msg_header *h, const struct exts *x,
				 struct bytes *body, uint64_t *stamp)
{
	enum verdict v = __real_session_open(s, cloud_ms, p, n, h, x, body, stamp);

	if (v == V_PASSED && h->type == TYPE_HOLE_PUNCHING && body->n == sizeof given)
		memcpy(given, body->p, sizeof given);
	return v;
}

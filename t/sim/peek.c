/* peek.c - the simulator's only knowledge of a role's inside. */
#include "t/sim/peek.h"

unsigned peek_tunnels(const struct computer *c)
{
	unsigned i, n = 0;

	for (i = 0; i < c->node->workers; i++)
		if (c->node->seat[i].self)
			n += ((struct node *)c->node->seat[i].self)->paths.n;
	return n;
}

struct search {
	const struct computer *peer;
	const struct tunnel *found;
};

static void look(void *arg, struct link *link)
{
	const struct path *p = LINK_OWNER(link, struct path, link);
	struct search *s = arg;

	if (p->tunnel.state == TUNNEL_UP &&
	    id_equal(&p->tunnel.setup.peer.node_id, &s->peer->node_id))
		s->found = &p->tunnel;
}

const struct tunnel *peek_tunnel(const struct computer *c, const struct computer *peer)
{
	struct search s = { peer, NULL };
	unsigned i;

	for (i = 0; i < c->node->workers; i++)
		if (c->node->seat[i].self)
			table_each(&((struct node *)c->node->seat[i].self)->paths, look, &s);
	return s.found;
}

int peek_way(const struct computer *c, const struct computer *peer)
{
	const struct tunnel *t = peek_tunnel(c, peer);
	const struct route *r = t ? route_used(t) : NULL;

	return r ? (int)r->kind : -1;
}

struct behaviour peek_behaviour(const struct computer *c, unsigned family)
{
	return ((const struct node *)c->node->seat[0].self)->napt[family == 6].found;
}

bool peek_joined(const struct computer *a, const struct computer *b)
{
	const struct tunnel *ab = peek_tunnel(a, b), *ba = peek_tunnel(b, a);

	return ab && ba && id_equal(&ab->setup.path, &ba->setup.path) && peek_tunnels(a) == 1 &&
	       peek_tunnels(b) == 1;
}

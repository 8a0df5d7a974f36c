/*
 * node_renew.c - paths that are made anew though they stand: there is another address to reach us
 * by than when they were asked for.  The path before carries until the new one does, and again
 * should that come to nothing.
 */
#include "roles/node.h"

#define WIDENED (500 * MS)	/* after another family came; the other end's may come too */
#define MOVED (3 * SEC)		/* after the NAPT was another: until then what it broke is relayed */

/* ---- when ---- */

/*
 * There is another address to reach us by than when the relayed paths were asked for: they may
 * go directly.  Another port of a NAPT that gives each its own is nothing to send to.
 */
void renew_look(struct node *n, struct now now, unsigned families)
{
	unsigned f;

	if (families && registrar_families(&n->registrar) > families)
		n->widened = now.boot + WIDENED;
	for (f = 0; f < 2; f++) {
		const struct way *w = &n->registrar.way[f];
		struct addr *was = &n->mapped[f];
		bool port = n->napt[f].found.mapping <= MAPPING_ENDPOINT_INDEPENDENT;

		if (!w->confirmed || addr_equal(&w->mapped, was))
			continue;
		if (was->family && (port || !addr_same_ip(&w->mapped, was)))
			n->widened = now.boot + MOVED;
		*was = w->mapped;
	}
}

struct widening {
	struct node *n;
	struct now now;
	struct outbox *out;
};

static void ask_anew(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct widening *w = arg;

	if (p->fqdn[0] && (p->state == PEER_OPENING ||
			   (p->state == PEER_UP && p->route <= ROUTE_RELAY6)))
		nms_ask(w->n, w->now, p->fqdn, 0, NULL, ASK_PATH, w->out);
}

void peers_widened(struct node *n, struct now now, struct outbox *out)
{
	struct widening w = { n, now, out };

	n->widened = NEVER;
	table_each(&n->peers4, ask_anew, &w);
}

/* ---- the path before ---- */

void peer_drop_before(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	struct id old = p->before;

	memset(&p->before, 0, sizeof p->before);
	if (!id_is_zero(&old))
		path_close(n, now, &old, out);
}

void peer_keep_before(struct node *n, struct now now, struct peer *p, const struct id *old,
		      struct outbox *out)
{
	peer_drop_before(n, now, p, out);
	p->before = *old;
}

struct owning {
	const struct id *path;
	struct peer *found;
};

static void match_before(void *arg, struct link *link)
{
	struct peer *p = LINK_OWNER(link, struct peer, by4);
	struct owning *o = arg;

	if (id_equal(&p->before, o->path))
		o->found = p;
}

void peers_before_died(struct node *n, const struct id *path)
{
	struct owning o = { path, NULL };

	if (!id_is_zero(path))
		table_each(&n->peers4, match_before, &o);
	if (o.found)
		memset(&o.found->before, 0, sizeof o.found->before);
}

bool peer_goes_back(struct node *n, struct now now, struct peer *p, struct outbox *out)
{
	if (id_is_zero(&p->before))
		return false;
	p->path = p->before;
	memset(&p->before, 0, sizeof p->before);
	p->state = PEER_UP;
	node_alarm(n, &p->alarm, ALARM_PEER, NEVER);
	peer_flush(n, now, p, out);
	return true;
}

/* route.c - the ways of one path: which there are, what is known of them, and which one is used. */
#include "net/proto/route.h"
#include "net/proto/tunnel.h"

#define BURST_LEAST (5 * SEC)	/* between two of them, whoever wants one */
#define FOUND_LEAST (200 * MS)	/* between two ways that were found */
#define SUSPECT_LIFE (1 * SEC)	/* the other end talks by another way, and ours gives no answer */

const char *route_kind_name(enum route_kind k)
{
	static const char *const name[ROUTE_KINDS] = { "relay4", "relay6", "direct4", "direct6",
						       "lan" };

	return name[k];
}

const char *route_state_name(enum route_state s)
{
	static const char *const name[] = { "new", "trying", "bound", "works", "failed" };

	return name[s];
}

/* ---- the ways there are ---- */

static enum route_kind kind_of(uint8_t candidate_kind, const struct addr *a)
{
	if (candidate_kind == ADDRESS_REAL)
		return ROUTE_LAN;
	if (candidate_kind == ADDRESS_SERVICE)
		return a->family == 6 ? ROUTE_RELAY6 : ROUTE_RELAY4;
	return a->family == 6 ? ROUTE_DIRECT6 : ROUTE_DIRECT4;
}

struct route *route_find(struct routes *r, const struct addr *remote)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (addr_equal(&r->route[i].remote, remote))
			return &r->route[i];
	return NULL;
}

struct route route_back(const struct tunnel *t, const struct addr *from, const struct addr *to)
{
	const struct route *r = route_find((struct routes *)(uintptr_t)&t->routes, from);
	struct route back = { .kind = kind_of(ADDRESS_MAPPED, from), .remote = *from };

	if (r)
		back = *r;
	back.local = *to;
	return back;
}

static struct route *add(struct routes *r, enum route_kind kind, const struct addr *remote)
{
	struct route *n = NULL;
	unsigned i;

	if (route_find(r, remote))
		return NULL;
	/* one that was found makes room for another */
	for (i = 0; i < r->n && r->n == ROUTES; i++)
		if (r->route[i].found && (int)i != r->used)
			n = &r->route[i];
	if (!n && r->n < ROUTES)
		n = &r->route[r->n++];
	if (!n)
		return NULL;
	memset(n, 0, sizeof *n);
	n->kind = kind;
	n->remote = *remote;
	return n;
}

void route_open(struct tunnel *t, struct now now)
{
	const struct tunnel_setup *s = &t->setup;
	struct routes *r = &t->routes;
	struct relay_key key;
	unsigned i;

	memset(r, 0, sizeof *r);
	r->used = -1;
	r->has_relay = !id_is_zero(&s->relay);
	for (i = 0; i < s->candidates; i++)
		if (s->candidate[i].kind != ADDRESS_SERVICE || r->has_relay)
			add(r, kind_of(s->candidate[i].kind, &s->candidate[i].addr),
			    &s->candidate[i].addr);
	if (r->has_relay) {
		keys_relay(&key, &s->tunnel_key, &s->relay);
		session_relay(&r->relay, &key, &s->path, s->initiator, false);
		wipe(&key, sizeof key);
	}
	r->began = r->punch = now.boot;
	r->burst = NEVER;
	r->keep = now.boot + t->rules.keepalive;
}

void route_close(struct tunnel *t)
{
	if (t->routes.has_relay)
		session_free(&t->routes.relay);
	t->routes.has_relay = false;
	t->routes.used = -1;
}

const struct route *route_used(const struct tunnel *t)
{
	return t->routes.used < 0 ? NULL : &t->routes.route[t->routes.used];
}

bool route_carries(const struct route *r)
{
	return r->state == ROUTE_WORKS || r->state == ROUTE_BOUND;
}

uint8_t route_token(const struct tunnel *t, struct now now, const struct route *r)
{
	return route_is_relay(r) ? tokens_at(t->tokens, cloud_ms(t->cloud, now)) : 0;
}

/* ---- which one is used ---- */

static bool is_better(const struct route *a, const struct route *than)
{
	if (!than || than->state != ROUTE_WORKS)
		return true;
	/* of two alike, the one that answered when the other had long been silent */
	return a->kind > than->kind || (a->kind == than->kind && than->heard < a->sent);
}

static void choose(struct tunnel *t)
{
	struct routes *r = &t->routes;
	int8_t best = r->used;
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (r->route[i].state == ROUTE_WORKS && (int)i != best &&
		    is_better(&r->route[i], best < 0 ? NULL : &r->route[best]))
			best = (int8_t)i;
	if (best < 0)
		return;
	t->remote = r->route[best].remote;
	t->local = r->route[best].local;
	if (best == r->used)
		return;
	r->used = best;
	r->changes++;
	t->rtt = r->route[best].rtt;
}

void route_fail(struct route *r)
{
	r->state = ROUTE_FAILED;
	r->bound = false;
}

void route_works(struct tunnel *t, struct now now, struct route *r, const struct addr *to)
{
	r->state = ROUTE_WORKS;
	r->heard = r->answered = now.boot;
	r->local = *to;
	choose(t);
}

struct route *route_found(struct tunnel *t, struct now now, const struct addr *from,
			   const struct addr *to)
{
	struct routes *r = &t->routes;
	struct route *n;

	if (r->used >= 0 && now.boot - r->found < FOUND_LEAST)
		return NULL;
	n = add(r, kind_of(ADDRESS_MAPPED, from), from);
	if (!n)
		return NULL;
	n->found = true;
	n->local = *to;
	r->found = now.boot;
	return n;
}

void route_burst(struct tunnel *t, struct now now)
{
	struct routes *r = &t->routes;

	if (r->punch != NEVER || now.boot - r->began < BURST_LEAST)
		return;
	r->tries = 0;
	r->began = r->punch = now.boot;
	r->burst = NEVER;
}

/* Some more, by the ways that are wanted. */
static void punch_soon(struct routes *r, struct now now, uint8_t times)
{
	if (r->punch == NEVER)
		r->tries = PUNCH_TRIES - times;
	r->punch = MIN(r->punch, now.boot);
}

void route_doubt(struct tunnel *t, struct now now)
{
	struct routes *r = &t->routes;
	unsigned i;

	if (r->used < 0 || r->route[r->used].state != ROUTE_WORKS)
		return;
	route_fail(&r->route[r->used]);
	/* nor are those that were not kept open still what they were */
	for (i = 0; i < r->n; i++)
		if (r->route[i].state == ROUTE_WORKS &&
		    now.boot - r->route[i].heard > 2 * t->rules.keepalive)
			route_fail(&r->route[i]);
	choose(t);
	route_burst(t, now);
}

bool route_is_suspected(const struct routes *all)
{
	return all->used >= 0 && all->suspect > all->route[all->used].answered;
}

/*
 * The other end talks by another way than ours, or asks whether we are there.  Perhaps because
 * what we send by ours does not arrive, which nobody else can tell us: what comes by it sounds
 * well.
 */
void route_suspect(struct tunnel *t, struct now now)
{
	struct routes *all = &t->routes;
	const struct route *used = &all->route[all->used];

	if (route_is_relay(used) || now.boot - used->answered < SUSPECT_LIFE)
		return;
	if (!route_is_suspected(all)) {
		all->suspect = now.boot;
		punch_soon(all, now, PUNCH_TRIES - 1);
	} else if (now.boot - all->suspect >= SUSPECT_LIFE + used->rtt) {
		route_doubt(t, now);
	}
}

void route_heard(struct tunnel *t, struct now now, const struct addr *from,
		 const struct addr *to, bool answer)
{
	struct routes *all = &t->routes;
	struct route *used = all->used < 0 ? NULL : &all->route[all->used], *r;

	if (used && addr_equal(&used->remote, from)) {
		used->heard = now.boot;
		return;
	}
	r = route_find(all, from);
	if (r && used && !answer)
		route_suspect(t, now);
	if (!r)
		r = route_found(t, now, from, to);
	if (!r)
		return;
	/*
	 * Through a relay nothing comes unless both ends are bound there.  Where nobody told of an
	 * answer may be a copy that was quicker than the original: only a challenge tells.
	 */
	if ((answer && (!r->found || r->state == ROUTE_WORKS)) || route_is_relay(r)) {
		route_works(t, now, r, to);
	} else if (r->state != ROUTE_WORKS) {
		r->local = *to;
		/* whatever comes says so, and much may come before we are answered */
		if (now.boot - r->sent >= PUNCH_FIRST)
			punch_soon(all, now, 3);
	}
}

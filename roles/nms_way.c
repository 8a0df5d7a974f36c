/*
 * nms_way.c - how two nodes can be joined.  What they say of themselves counts only as far as it
 * agrees with what the NMS saw; nobody is sent to an address nobody can be at.
 */
#include "roles/nms_way.h"
#include "net/proto/ip.h"
#include "net/proto/register.h"

/* How far a stranger gets in. */
enum reach {
	OPEN,		/* not behind anything, as far as is known */
	CONE,		/* behind a NAPT that lets everybody in */
	HIDDEN,		/* behind one that does not, or a firewall */
};

struct behaviour way_behaviour(const struct registration *r, unsigned family)
{
	struct behaviour b = behaviour_of(r->behaviour[family]);

	if (!r->napt[family])
		b.mapping = MAPPING_NONE;
	else if (b.mapping == MAPPING_NONE)
		b.mapping = MAPPING_UNKNOWN;
	return b;
}

static enum reach reach_of(const struct registration *r, unsigned f)
{
	struct behaviour b = way_behaviour(r, f);

	if (b.filtering > FILTERING_ENDPOINT_INDEPENDENT)
		return HIDDEN;
	if (b.mapping == MAPPING_NONE)
		return OPEN;
	return b.mapping == MAPPING_ENDPOINT_INDEPENDENT &&
	       b.filtering == FILTERING_ENDPOINT_INDEPENDENT ? CONE : HIDDEN;
}

/* The stricter of two begins: its request opens its own NAPT, and fits the other's better. */
static unsigned strictness(const struct registration *r, unsigned f)
{
	struct behaviour b = way_behaviour(r, f);

	/* what is not known is taken for the usual, a port restricted cone */
	if (b.mapping == MAPPING_UNKNOWN)
		b.mapping = MAPPING_ENDPOINT_INDEPENDENT;
	if (b.filtering == FILTERING_UNKNOWN && b.mapping != MAPPING_NONE)
		b.filtering = FILTERING_PORT_DEPENDENT;
	return (unsigned)reach_of(r, f) << 8 | behaviour_octet(b);
}

bool way_is_place(const struct config *conf, const struct addr *a, const struct addr *by)
{
	const struct prefix *overlay = a->family == 4 ? &conf->virtual4 : &conf->virtual6;

	if (!a->family || !a->port || prefix_has(overlay, a->ip))
		return false;
	return ip_is_usable(a->family, a->ip) ||
	       (ip_is_loopback(a->family, a->ip) && ip_is_loopback(by->family, by->ip));
}

/* Both have it, and what the NMS sees of each means something to the other. */
static bool in_common(const struct config *conf, const struct registration *a,
		      const struct registration *b, unsigned f)
{
	return a->confirmed[f] && b->confirmed[f] &&
	       way_is_place(conf, &a->mapped[f], &b->mapped[f]) &&
	       way_is_place(conf, &b->mapped[f], &a->mapped[f]);
}

/* One host, or one NAPT with both behind it. */
static bool at_one_address(const struct registration *a, const struct registration *b, unsigned f)
{
	return a->confirmed[f] && b->confirmed[f] && addr_same_ip(&a->mapped[f], &b->mapped[f]);
}

/* The pattern of one family; 0: no direct way can be counted on. */
static uint8_t pattern_by(const struct config *conf, const struct registration *a,
			  const struct registration *b, unsigned f)
{
	enum reach ra = reach_of(a, f), rb = reach_of(b, f);

	if (!in_common(conf, a, b, f))
		return 0;
	if (ra == OPEN && rb == OPEN)
		return 1;
	/* few NAPTs take back in what they sent out */
	if (a->napt[f] && b->napt[f] && at_one_address(a, b, f))
		return 0;
	return ra == HIDDEN && rb == HIDDEN ? 0 : 2;
}

/* ---- the pattern ---- */

static struct plan direct_plan(const struct config *conf, const struct registration *asker,
			       const struct registration *other)
{
	uint8_t by4 = pattern_by(conf, asker, other, 0), by6 = pattern_by(conf, asker, other, 1);
	unsigned f = by6 && (!by4 || by6 <= by4);
	struct plan p = { .pattern = f ? by6 : by4 };

	p.other_begins = p.pattern == 2 && strictness(other, f) > strictness(asker, f);
	return p;
}

static bool has_own_address(const struct config *conf, const struct registration *to,
			    const struct registration *peer, unsigned f)
{
	struct msg_address out[CANDIDATES];
	unsigned n = way_candidates(conf, to, peer, NULL, out);

	while (n--)
		if (out[n].kind == ADDRESS_REAL && out[n].family == (f ? 6 : 4))
			return true;
	return false;
}

/* Without a TRS: what cannot be counted on is tried all the same, unless it is known to fail. */
static struct plan hope(const struct config *conf, const struct registration *asker,
			const struct registration *other)
{
	enum punchable best = PUNCH_NO, p;
	struct plan plan = { 0 };
	unsigned f;

	for (f = 2; f-- > 0; ) {
		if (!in_common(conf, asker, other, f))
			continue;
		p = behaviour_punchable(way_behaviour(asker, f), way_behaviour(other, f));
		if (p < best) {
			plan.other_begins = strictness(other, f) > strictness(asker, f);
			best = p;
		}
		if (p != PUNCH_NO || has_own_address(conf, asker, other, f))
			plan.pattern = 2;
	}
	return plan;
}

struct plan way_plan(const struct config *conf, const struct registration *asker,
		     const struct registration *other, bool relay_wanted, bool relay_there)
{
	struct plan p = direct_plan(conf, asker, other);

	if (relay_there && (relay_wanted || !p.pattern))
		return (struct plan){ .pattern = 3 };
	/* the direct way is being tried; another path by it would begin that from the start */
	if (relay_wanted)
		return (struct plan){ .pattern = 0 };
	return p.pattern ? p : hope(conf, asker, other);
}

/* ---- the candidates ---- */

static unsigned add(struct msg_address *out, unsigned n, uint8_t kind, const struct addr *a)
{
	if (n < CANDIDATES)
		out[n++] = address_part(kind, a);
	return n;
}

/*
 * Its own addresses of a family, when both are behind one NAPT.  Only such as mean something
 * there: who claims another's public address does not get him called.
 */
static unsigned add_own(const struct config *conf, const struct registration *to,
			const struct registration *peer, unsigned f, struct msg_address *out,
			unsigned n, unsigned most)
{
	unsigned i;

	if (!at_one_address(to, peer, f))
		return n;
	for (i = 0; i < peer->real_n && n < most; i++) {
		const struct addr *a = &peer->real[i];

		if (a->family == peer->mapped[f].family && ip_is_private(a->family, a->ip) &&
		    way_is_place(conf, a, &to->mapped[f]) && !addr_equal(a, &peer->mapped[f]))
			n = add(out, n, ADDRESS_REAL, a);
	}
	return n;
}

/* As seen: IPv6 first, but a family that can be counted on before one that cannot. */
static unsigned mapped_of(const struct config *conf, const struct registration *to,
			  const struct registration *peer, struct msg_address *out)
{
	uint8_t by4 = pattern_by(conf, to, peer, 0), by6 = pattern_by(conf, to, peer, 1);
	unsigned first = !(by4 && (!by6 || by4 < by6)), i, n = 0;

	for (i = 0; i < 2; i++) {
		unsigned f = i ? !first : first;

		if (in_common(conf, to, peer, f))
			n = add(out, n, ADDRESS_MAPPED, &peer->mapped[f]);
	}
	return n;
}

unsigned way_candidates(const struct config *conf, const struct registration *to,
			const struct registration *peer, const struct addr *relay,
			struct msg_address out[CANDIDATES])
{
	struct msg_address mapped[2];
	unsigned seen = mapped_of(conf, to, peer, mapped), f, n = 0;

	/* room is left for the others: of its own addresses there may be many */
	for (f = 2; f-- > 0; )
		n = add_own(conf, to, peer, f, out, n, CANDIDATES - seen - (relay ? 2 : 0));
	memcpy(out + n, mapped, seen * sizeof *mapped);
	n += seen;
	for (f = 2; relay && f-- > 0; )
		if (relay[f].family)
			n = add(out, n, ADDRESS_SERVICE, &relay[f]);
	return n;
}

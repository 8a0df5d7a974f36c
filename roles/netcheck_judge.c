/*
 * netcheck_judge.c - what the answers mean, in the terms of RFC 4787 and RFC 5780; where they do
 * not suffice, why.
 */
#include "net/proto/napt.h"
#include "roles/netcheck.h"

/* ---- mapping ---- */

struct seen {
	const struct probe *p[NETCHECK_SERVERS + 2];	/* answers to the first port */
	unsigned n;
};

static void see(struct seen *s, const struct probe *p)
{
	if (p->state == PROBE_ANSWERED)
		s->p[s->n++] = p;
}

/* A server on our side of the NAPT tells nothing of it: others go before it. */
static void leave_out_own(struct seen *s)
{
	unsigned i, kept = 0;

	for (i = 0; i < s->n; i++)
		if (!s->p[i]->own)
			s->p[kept++] = s->p[i];
	if (kept)
		s->n = kept;
}

static struct seen look(const struct netcheck *n, unsigned family)
{
	struct seen s = { .n = 0 };
	unsigned i;

	if (n->chosen[family])
		see(&s, n->chosen[family]);
	for (i = 0; i < n->plan.servers; i++)
		if (&n->probe[i] != n->chosen[family] &&
		    netcheck_family_of(&n->plan.server[i]) == family)
			see(&s, &n->probe[i]);
	see(&s, netcheck_probe(n, family, ASK_OTHER_IP));
	see(&s, netcheck_probe(n, family, ASK_OTHER_PORT));
	leave_out_own(&s);
	return s;
}

static bool same_outside(const struct probe *a, const struct probe *b)
{
	return addr_same_ip(&a->mapped, &b->mapped) && a->mapped.port == b->mapped.port;
}

/* Pairs of answers, by whether the server's address or only its port differs. */
struct pairs {
	bool ip_same, ip_other;		/* two addresses saw the same, or not the same */
	bool port_same, port_other;	/* two ports of one address did */
};

static struct pairs compare(const struct seen *s)
{
	struct pairs c = { false };
	unsigned i, k;

	for (i = 0; i < s->n; i++)
		for (k = 0; k < i; k++) {
			bool same = same_outside(s->p[i], s->p[k]);

			if (addr_same_ip(&s->p[i]->to, &s->p[k]->to))
				*(same ? &c.port_same : &c.port_other) = true;
			else
				*(same ? &c.ip_same : &c.ip_other) = true;
		}
	return c;
}

static enum mapping judge_mapping(const struct seen *s, const char **note)
{
	struct pairs c = compare(s);

	if (s->n == 0) {
		*note = "no server answered";
		return MAPPING_UNKNOWN;
	}
	if (s->p[0]->own)
		return MAPPING_NONE;
	if (c.port_other)
		return MAPPING_PORT_DEPENDENT;
	if (c.ip_other) {
		*note = c.port_same ? NULL : "or stricter: no server answered at two ports";
		return MAPPING_ADDRESS_DEPENDENT;
	}
	if (c.ip_same)
		return MAPPING_ENDPOINT_INDEPENDENT;
	*note = "only one server address answered, it takes two";
	return MAPPING_UNKNOWN;
}

/* ---- filtering ---- */

static enum filtering judge_filtering(const struct netcheck *n, unsigned family, const char **note)
{
	const struct probe *c = n->chosen[family];
	const struct probe *plain = netcheck_probe(n, family, SECOND_PLAIN);
	const struct probe *port = netcheck_probe(n, family, SECOND_CHANGE_PORT);
	const struct probe *ip = netcheck_probe(n, family, SECOND_CHANGE_IP);

	if (!c)
		*note = "no server answered";
	else if (!c->other.family)
		*note = "no server that answered has another address or port";
	else if (ip->state == PROBE_ANSWERED)
		return FILTERING_ENDPOINT_INDEPENDENT;
	else if (port->state == PROBE_REFUSED || ip->state == PROBE_REFUSED)
		*note = "the server does not answer from its other address or port";
	else if (port->state == PROBE_ANSWERED) {
		if (ip->state != PROBE_SILENT ||
		    netcheck_probe(n, family, ASK_OTHER_IP)->state != PROBE_ANSWERED)
			*note = "or looser: the server cannot answer from another address";
		return FILTERING_ADDRESS_DEPENDENT;
	} else if (plain->state == PROBE_ANSWERED && port->state == PROBE_SILENT)
		return FILTERING_PORT_DEPENDENT;
	else
		*note = "answers to the second port are missing";
	return FILTERING_UNKNOWN;
}

/* ---- the rest ---- */

static enum netcheck_fact judge_hairpin(const struct netcheck *n, unsigned family)
{
	const struct probe *in = netcheck_probe(n, family, HAIRPIN_IN);
	const struct probe *out = netcheck_probe(n, family, HAIRPIN_OUT);

	if (in->state == PROBE_ANSWERED)
		return FACT_YES;
	return in->state == PROBE_SILENT && out->state == PROBE_SILENT ? FACT_NO : FACT_UNKNOWN;
}

static enum netcheck_verdict judge(const struct netcheck_family *f, struct behaviour b, bool asked,
				   bool answered)
{
	if (!asked)
		return VERDICT_NOT_ASKED;
	if (!f->local.family)
		return VERDICT_NO_NETWORK;
	if (!answered)
		return VERDICT_UDP_BLOCKED;
	/* open only if it was shown: else there may be a firewall */
	if (b.mapping == MAPPING_NONE && b.filtering == FILTERING_ENDPOINT_INDEPENDENT)
		return VERDICT_OPEN;
	if (b.mapping == MAPPING_NONE || b.mapping == MAPPING_ENDPOINT_INDEPENDENT)
		return VERDICT_EASY_NAPT;
	return b.mapping == MAPPING_UNKNOWN ? VERDICT_UNKNOWN_NAPT : VERDICT_HARD_NAPT;
}

/* Whom path selection would let try, by the strictest kinds of peers. */
static const char *words(enum netcheck_verdict v, struct behaviour b)
{
	static const struct behaviour
		strict = { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT },
		symmetric = { MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT };

	switch (v) {
	case VERDICT_NOT_ASKED:
		return "not asked: no server has such an address";
	case VERDICT_NO_NETWORK:
		return "no direct connections: there is no route to any server";
	case VERDICT_UDP_BLOCKED:
		return "no direct connections: UDP is blocked, or no server is there";
	case VERDICT_UNKNOWN_NAPT:
		return "direct connections: there is a NAPT, whose kind cannot be told";
	case VERDICT_OPEN:
		return "direct connections: with everybody, whoever begins";
	default:
		break;
	}
	if (behaviour_punchable(b, symmetric) == PUNCH_YES)
		return "direct connections: likely with everybody";
	if (behaviour_punchable(b, strict) != PUNCH_YES)
		return "direct connections: likely only with peers that are open or let in any port of "
		       "an address";
	return behaviour_punchable(b, symmetric) == PUNCH_NO ?
	       "direct connections: likely with everybody except peers behind symmetric NAPTs" :
	       "direct connections: likely with everybody, perhaps except peers behind symmetric NAPTs";
}

static void judge_family(const struct netcheck *n, unsigned family, struct netcheck_family *f)
{
	struct seen s = look(n, family);
	struct behaviour b;
	bool asked = false;
	unsigned i;

	for (i = 0; i < n->plan.servers; i++)
		asked |= netcheck_family_of(&n->plan.server[i]) == family;
	f->local = n->plan.local[family];
	b.mapping = judge_mapping(&s, &f->mapping_note);
	b.filtering = judge_filtering(n, family, &f->filtering_note);
	f->mapping = mapping_name(b.mapping);
	f->filtering = filtering_name(b.filtering);
	f->hairpin = judge_hairpin(n, family);
	if (s.n) {
		f->mapped = s.p[0]->mapped;
		f->port_kept = f->mapped.port == f->local.port ? FACT_YES : FACT_NO;
	}
	f->verdict = judge(f, b, asked, s.n != 0);
	f->text = words(f->verdict, b);
}

void netcheck_judge(const struct netcheck *n, struct netcheck_report *r)
{
	unsigned i;

	memset(r, 0, sizeof *r);
	for (i = 0; i < NETCHECK_FAMILIES; i++) {
		judge_family(n, i, &r->family[i]);
		if (r->family[i].verdict >= r->verdict) {
			r->verdict = r->family[i].verdict;
			r->text = r->family[i].text;
		}
	}
	r->servers = n->plan.servers;
	for (i = 0; i < n->plan.servers; i++) {
		const struct probe *p = &n->probe[i];

		r->server[i] = (struct netcheck_server){
			.at = n->plan.server[i], .mapped = p->mapped, .other = p->other,
			.answered = p->state == PROBE_ANSWERED, .rtt = p->rtt, .error = p->error,
		};
	}
	r->as_n = n->plan.as_n;
	memcpy(r->as, n->as, sizeof r->as);
}

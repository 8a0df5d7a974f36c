/*
 * netcheck_judge.c - what the answers mean, in the terms of RFC 4787 and RFC 5780; where they do
 * not suffice, why.
 */
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

static void judge_mapping(struct netcheck_family *f, const struct seen *s)
{
	struct pairs c = compare(s);

	if (s->n == 0)
		f->mapping_why = "no server answered";
	else if (s->p[0]->own)
		f->mapping = MAPPING_NONE;
	else if (c.port_other)
		f->mapping = MAPPING_ADDRESS_AND_PORT_DEPENDENT;
	else if (c.ip_other && c.port_same)
		f->mapping = MAPPING_ADDRESS_DEPENDENT;
	else if (c.ip_other)
		f->mapping = MAPPING_ADDRESS_DEPENDENT_OR_STRICTER;
	else if (c.ip_same)
		f->mapping = MAPPING_ENDPOINT_INDEPENDENT;
	else
		f->mapping_why = "only one server address answered; it takes two";
}

/* ---- filtering ---- */

static void judge_filtering(const struct netcheck *n, unsigned family, struct netcheck_family *f)
{
	const struct probe *c = n->chosen[family];
	const struct probe *plain = netcheck_probe(n, family, SECOND_PLAIN);
	const struct probe *port = netcheck_probe(n, family, SECOND_CHANGE_PORT);
	const struct probe *ip = netcheck_probe(n, family, SECOND_CHANGE_IP);

	if (!c)
		f->filtering_why = "no server answered";
	else if (!c->other.family)
		f->filtering_why = "no server that answered has another address or port";
	else if (ip->state == PROBE_ANSWERED)
		f->filtering = FILTERING_ENDPOINT_INDEPENDENT;
	else if (port->state == PROBE_REFUSED || ip->state == PROBE_REFUSED)
		f->filtering_why = "the server does not answer from its other address or port";
	else if (port->state == PROBE_ANSWERED && ip->state == PROBE_SILENT &&
		 netcheck_probe(n, family, ASK_OTHER_IP)->state == PROBE_ANSWERED)
		f->filtering = FILTERING_ADDRESS_DEPENDENT;
	else if (port->state == PROBE_ANSWERED)
		f->filtering = FILTERING_ADDRESS_DEPENDENT_OR_LOOSER;
	else if (plain->state == PROBE_ANSWERED && port->state == PROBE_SILENT)
		f->filtering = FILTERING_ADDRESS_AND_PORT_DEPENDENT;
	else
		f->filtering_why = "answers to the second port are missing";
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

static enum netcheck_verdict judge(const struct netcheck_family *f, bool asked, bool answered)
{
	if (!asked)
		return VERDICT_NOT_ASKED;
	if (!f->local.family)
		return VERDICT_NO_NETWORK;
	if (!answered)
		return VERDICT_UDP_BLOCKED;
	switch (f->mapping) {
	case MAPPING_NONE:
		/* open only if it is shown: no more than a firewall's filter is known else */
		return f->filtering == FILTERING_ENDPOINT_INDEPENDENT ? VERDICT_OPEN : VERDICT_EASY_NAPT;
	case MAPPING_ENDPOINT_INDEPENDENT:
		return VERDICT_EASY_NAPT;
	case MAPPING_UNKNOWN:
		return VERDICT_UNKNOWN_NAPT;
	default:
		return VERDICT_HARD_NAPT;
	}
}

static void judge_family(const struct netcheck *n, unsigned family, struct netcheck_family *f)
{
	struct seen s = look(n, family);
	bool asked = false;
	unsigned i;

	for (i = 0; i < n->plan.servers; i++)
		asked |= netcheck_family_of(&n->plan.server[i]) == family;
	f->local = n->plan.local[family];
	judge_mapping(f, &s);
	judge_filtering(n, family, f);
	f->hairpin = judge_hairpin(n, family);
	if (s.n) {
		f->mapped = s.p[0]->mapped;
		f->port_kept = f->mapped.port == f->local.port ? FACT_YES : FACT_NO;
	}
	f->verdict = judge(f, asked, s.n != 0);
}

void netcheck_judge(const struct netcheck *n, struct netcheck_report *r)
{
	unsigned i;

	memset(r, 0, sizeof *r);
	for (i = 0; i < NETCHECK_FAMILIES; i++) {
		judge_family(n, i, &r->family[i]);
		r->verdict = MAX(r->verdict, r->family[i].verdict);
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

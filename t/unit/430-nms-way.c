/*
 * Two registrations, and which way the NMS picks between them: the pattern, who begins, and what
 * each end is told of where the other is.
 */
#include "t/tap.h"
#include "roles/nms_way.h"

/*
 * An end in two letters, IPv4 and IPv6:
 *	-  has no such address		o  open			w  unmapped, a firewall
 *	f  full cone   r  restricted   p  port restricted   s  symmetric   u  a NAPT, how is unknown
 */
static struct config conf;

static void give(struct registration *r, unsigned f, char kind, const char *seen, const char *own)
{
	static const char kinds[] = "oufrpsw";
	static const struct behaviour how[] = {
		{ MAPPING_UNKNOWN, FILTERING_UNKNOWN }, { MAPPING_UNKNOWN, FILTERING_UNKNOWN },
		{ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT },
		{ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT },
		{ MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT },
		{ MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT },
		{ MAPPING_NONE, FILTERING_PORT_DEPENDENT },
	};

	if (kind == '-')
		return;
	r->confirmed[f] = 1;
	r->napt[f] = strchr("ufrps", kind) != NULL;
	r->behaviour[f] = behaviour_octet(how[strchr(kinds, kind) - kinds]);
	ip_parse(&r->mapped[f], seen, r->napt[f] ? 40001 : 4503);
	ip_parse(&r->real[r->real_n++], r->napt[f] ? own : seen, 4503);
}

static struct registration end_a(const char *kind)
{
	struct registration r = { .boot = 1 };

	give(&r, 0, kind[0], "203.0.113.1", "192.168.1.2");
	give(&r, 1, kind[1], "2001:db8:a::1", "fd00:a::2");
	return r;
}

static struct registration end_b(const char *kind)
{
	struct registration r = { .boot = 2 };

	give(&r, 0, kind[0], "203.0.113.2", "192.168.2.2");
	give(&r, 1, kind[1], "2001:db8:b::1", "fd00:b::2");
	return r;
}

static const struct addr *trs(void)
{
	static struct addr a[2];

	ip_parse(&a[0], "198.51.100.9", 4502);
	ip_parse(&a[1], "2001:db8:9::9", 4502);
	return a;
}

/* ---- the pattern ---- */

/* "2b": pattern 2, the end that was asked for begins; "0": no way. */
static const char *pattern(const struct registration *a, const struct registration *b,
			   bool wanted, bool there)
{
	static char text[8];
	struct plan p = way_plan(&conf, a, b, wanted, there);

	snprintf(text, sizeof text, "%u%s", p.pattern, !p.pattern ? "" : p.other_begins ? "b" : "a");
	return text;
}

struct cell {
	const char *a, *b, *with, *without;	/* pattern and who begins, with a TRS and without */
};

static void try_cells(const struct cell *c, size_t n, const char *what)
{
	unsigned good = 0, i;

	for (i = 0; i < n; i++) {
		struct registration a = end_a(c[i].a), b = end_b(c[i].b);
		char with[8], without[8];

		strcpy(with, pattern(&a, &b, false, true));
		strcpy(without, pattern(&a, &b, false, false));
		if (strcmp(with, c[i].with) == 0 && strcmp(without, c[i].without) == 0)
			good++;
		else
			diag("%s asks for %s: %s, without TRS %s; expected %s, %s", c[i].a, c[i].b, with,
			     without, c[i].with, c[i].without);
	}
	ok(good == n, "%s (%u of %zu)", what, good, n);
}

static void patterns(void)
{
	static const struct cell published[] = {
		{ "f-", "f-", "2a", "2a" }, { "f-", "r-", "2b", "2b" },
		{ "f-", "p-", "2b", "2b" }, { "f-", "s-", "2b", "2b" },
		{ "r-", "f-", "2a", "2a" }, { "r-", "r-", "3a", "2a" },
		{ "r-", "p-", "3a", "2b" }, { "r-", "s-", "3a", "2b" },
		{ "p-", "f-", "2a", "2a" }, { "p-", "r-", "3a", "2a" },
		{ "p-", "p-", "3a", "2a" }, { "p-", "s-", "3a", "0" },
		{ "s-", "f-", "2a", "2a" }, { "s-", "r-", "3a", "2a" },
		{ "s-", "p-", "3a", "0" }, { "s-", "s-", "3a", "0" },
	}, one_open[] = {
		{ "o-", "o-", "1a", "1a" }, { "-o", "-o", "1a", "1a" },
		{ "oo", "oo", "1a", "1a" }, { "o-", "oo", "1a", "1a" },
		{ "o-", "u-", "2b", "2b" }, { "u-", "o-", "2a", "2a" },
		{ "o-", "s-", "2b", "2b" }, { "s-", "o-", "2a", "2a" },
		{ "o-", "f-", "2b", "2b" }, { "f-", "o-", "2a", "2a" },
	}, unknown[] = {
		{ "u-", "u-", "3a", "2a" }, { "u-", "f-", "2a", "2a" },
		{ "f-", "u-", "2b", "2b" }, { "u-", "s-", "3a", "2b" },
		{ "s-", "u-", "3a", "2a" },
	}, both_families[] = {
		{ "uo", "uo", "1a", "1a" }, { "so", "so", "1a", "1a" },
		{ "sw", "sw", "3a", "2a" }, { "uo", "uw", "2b", "2b" },
		{ "uw", "uo", "2a", "2a" }, { "ow", "ow", "1a", "1a" },
		{ "ow", "uo", "2a", "2a" }, { "o-", "uo", "2b", "2b" },
		{ "-w", "-w", "3a", "2a" }, { "-w", "-f", "2a", "2a" },
		{ "-f", "-w", "2b", "2b" }, { "ou", "uo", "2a", "2a" },
	}, no_family[] = {
		{ "o-", "-o", "3a", "0" }, { "-o", "o-", "3a", "0" }, { "s-", "-w", "3a", "0" },
		{ "u-", "-o", "3a", "0" },
	};

	try_cells(published, ARRAY_SIZE(published), "the published table, cell by cell: a full cone "
		  "is called, everything else goes by a TRS, or where there is none is punched");
	try_cells(one_open, ARRAY_SIZE(one_open), "nobody behind a NAPT is pattern 1, one is pattern "
		  "2 and begins, whoever asks");
	try_cells(unknown, ARRAY_SIZE(unknown), "a NAPT nobody has looked at is hidden, but hoped for");
	try_cells(both_families, ARRAY_SIZE(both_families), "of two families the better one decides, "
		  "of equal ones IPv6; a known firewall counts as a NAPT");
	try_cells(no_family, ARRAY_SIZE(no_family), "without a common family there is only a TRS");
}

static void wishes(void)
{
	struct registration a = end_a("o-"), b = end_b("s-");

	ok(strcmp(pattern(&b, &a, true, true), "3a") == 0,
	   "a relay that is wanted is given, whatever else could be done; the asker begins");
	ok(strcmp(pattern(&a, &b, true, false), "0") == 0,
	   "where there is none, nothing is begun anew");

}

/* The NMS believes its own eyes. */
static void contradictions(void)
{
	struct registration a = end_a("u-"), b = end_b("o-"), c = end_a("f-");

	a.behaviour[0] = behaviour_octet((struct behaviour){ MAPPING_NONE, FILTERING_UNKNOWN });
	ok(strcmp(pattern(&a, &b, false, true), "2a") == 0 &&
	   way_behaviour(&a, 0).mapping == MAPPING_UNKNOWN,
	   "who is seen behind a NAPT and says there is none is behind one of unknown mapping");
	b.behaviour[0] = behaviour_octet((struct behaviour){ MAPPING_PORT_DEPENDENT,
							     FILTERING_ENDPOINT_INDEPENDENT });
	ok(way_behaviour(&b, 0).mapping == MAPPING_NONE && strcmp(pattern(&c, &b, false, true), "2a") == 0,
	   "who is seen as himself is not behind a mapping");
	a.behaviour[0] = 0xff;
	ok(strcmp(pattern(&a, &b, false, true), "2a") == 0 &&
	   way_behaviour(&a, 0).filtering == FILTERING_UNKNOWN, "numbers nobody knows are unknown");
}

/* ---- the candidates ---- */

static const char *told(const struct registration *to, const struct registration *peer,
			const struct addr *relay)
{
	static const char *const kind[] = { "?", "real", "mapped", "service" };
	static char all[512];
	struct msg_address m[CANDIDATES];
	unsigned n = way_candidates(&conf, to, peer, relay, m), i;
	char one[ADDR_TEXT];
	size_t at = 0;

	all[0] = '\0';
	for (i = 0; i < n; i++) {
		struct addr a = { .family = m[i].family, .port = m[i].port };

		memcpy(a.ip, m[i].ip, sizeof a.ip);
		at += (size_t)snprintf(all + at, sizeof all - at, "%s%s %s", i ? ", " : "",
				       kind[m[i].kind & 3], addr_text(one, &a));
	}
	return all;
}

static void is_told(const struct registration *to, const struct registration *peer,
		    const struct addr *relay, const char *expected, const char *what)
{
	const char *got = told(to, peer, relay);

	if (!ok(strcmp(got, expected) == 0, "%s", what))
		diag("told: %s\n# expected: %s", got, expected);
}

static void candidates(void)
{
	struct registration a = end_a("oo"), b = end_b("oo"), s = end_b("s-"), v6 = end_b("-o");
	struct registration mixed = end_b("ow"), wall = end_a("ow");

	is_told(&a, &b, NULL, "mapped [2001:db8:b::1]:4503, mapped 203.0.113.2:4503",
		"both families open: IPv6 first");
	is_told(&wall, &mixed, NULL, "mapped 203.0.113.2:4503, mapped [2001:db8:b::1]:4503",
		"two IPv6 firewalls: what can be counted on first");
	is_told(&a, &s, NULL, "mapped 203.0.113.2:40001",
		"behind a NAPT: where the NMS saw it, and nothing of its own network");
	s = end_a("s-");
	is_told(&s, &v6, trs(), "service [2001:db8:9::9]:4502, service 198.51.100.9:4502",
		"no common family: the TRS by both of its own");
	is_told(&s, &b, trs(), "mapped 203.0.113.2:4503, service [2001:db8:9::9]:4502, "
		"service 198.51.100.9:4502", "with a TRS: the direct way is told too");
	a.confirmed[1] = 0;
	is_told(&b, &a, NULL, "mapped 203.0.113.1:4503", "an address that was not confirmed is not told");
}

/* Both are seen at 203.0.113.1. */
static void behind_one(void)
{
	struct registration a = end_a("s-"), b = end_b("s-"), f = end_a("f-"), g = end_b("f-");

	ip_parse(&b.mapped[0], "203.0.113.1", 40002);
	is_told(&a, &b, trs(), "real 192.168.2.2:4503, mapped 203.0.113.1:40002, "
		"service [2001:db8:9::9]:4502, service 198.51.100.9:4502",
		"behind one NAPT: its own address before all");
	ok(strcmp(pattern(&a, &b, false, true), "3a") == 0 &&
	   strcmp(pattern(&a, &b, false, false), "2a") == 0,
	   "data goes by the TRS until that is proved; without one it is hoped for");
	g.mapped[0] = b.mapped[0];
	ok(strcmp(pattern(&f, &g, false, true), "3a") == 0,
	   "a full cone is not counted on to take back what it sent out");
	b.real[0].ip[0] = 8;
	is_told(&a, &b, NULL, "mapped 203.0.113.1:40002",
		"who claims somebody's public address as his own does not get him called");
	ok(strcmp(pattern(&a, &b, false, false), "0") == 0, "and has no way left");
}

static void claim(struct registration *r, const char *const *own, unsigned n)
{
	for (r->real_n = 0; r->real_n < n; r->real_n++)
		ip_parse(&r->real[r->real_n], own[r->real_n], 4503);
}

static void odd_claims(void)
{
	static const char *const odd[] = { "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0" };
	static const char *const more[] = { "198.18.0.9", "169.254.1.1", "203.0.113.1", "10.0.0.5" };
	static const char *const many[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" };
	struct registration a = end_a("p-"), b = end_b("p-");

	ip_parse(&b.mapped[0], "203.0.113.1", 40002);
	claim(&b, odd, 4);
	is_told(&a, &b, NULL, "mapped 203.0.113.1:40002",
		"loopback, multicast, broadcast and nowhere are nobody's own address");
	claim(&b, more, 4);
	is_told(&a, &b, NULL, "real 10.0.0.5:4503, mapped 203.0.113.1:40002",
		"nor are the virtual range, link-local and the NAPT's");
	claim(&b, many, 4);
	is_told(&a, &b, NULL, "real 10.0.0.1:4503, real 10.0.0.2:4503, real 10.0.0.3:4503, "
		"real 10.0.0.4:4503, mapped 203.0.113.1:40002", "there may be four");
	b.confirmed[1] = a.confirmed[1] = 1;
	ip_parse(&a.mapped[1], "2001:db8:a::1", 4503);
	ip_parse(&b.mapped[1], "2001:db8:b::1", 4503);
	is_told(&a, &b, trs(), "real 10.0.0.1:4503, real 10.0.0.2:4503, "
		"mapped [2001:db8:b::1]:4503, mapped 203.0.113.1:40002, "
		"service [2001:db8:9::9]:4502, service 198.51.100.9:4502",
		"six in all, and the TRS is always among them");
}

static void odd_sources(void)
{
	static const char *const odd[] = { "127.0.0.1", "169.254.3.4", "198.18.0.7", "224.0.0.5" };
	struct registration a = end_a("o-"), b = end_b("o-");
	unsigned i, good = 0;

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		ip_parse(&b.mapped[0], odd[i], 4503);
		good += !*told(&a, &b, NULL) && strcmp(pattern(&a, &b, false, true), "3a") == 0;
	}
	ok(good == i, "who is seen at such an address himself is reached by a TRS alone (%u of %u)",
	   good, i);
	ip_parse(&a.mapped[0], "127.0.0.1", 4503);
	ip_parse(&b.mapped[0], "127.0.0.1", 4504);
	ok(strcmp(pattern(&a, &b, false, false), "1a") == 0, "two on the NMS's own host are in pattern 1");
	is_told(&a, &b, NULL, "mapped 127.0.0.1:4504", "and told of loopback");
	b = end_b("-o");
	ip_parse(&b.mapped[1], "fe80::1", 4503);
	a = end_a("-o");
	ok(!*told(&a, &b, NULL), "link-local means nothing elsewhere");
}

int main(void)
{
	conf.virtual4 = (struct prefix){ 4, 15, { 198, 18 } };
	conf.virtual6 = (struct prefix){ 6, 64, { 0xfd, 0x99 } };
	patterns();
	wishes();
	contradictions();
	candidates();
	behind_one();
	odd_claims();
	odd_sources();
	return done();
}

/* What several sights of a node say about the NAPT in front of it: every combination. */
#include "t/tap.h"
#include "net/proto/sights.h"

static struct addr place(char which)
{
	/* A, a: one address, two ports; B, b: another one */
	struct addr a = { .family = 4, .ip = { 192, 0, 2, which == 'A' || which == 'a' ? 1 : 2 },
			  .port = which < 'a' ? 4502 : 4503 };

	return a;
}

/* 1, 2, ...: different ports of the NAPT. */
static struct addr seen(char which)
{
	struct addr a = { .family = 4, .ip = { 203, 0, 113, 7 }, .port = (uint16_t)(40000 + which) };

	return a;
}

/* ---- mapping: who stands where, what each of them sees ---- */

static const struct {
	const char *from, *seen;
	bool own;
	enum mapping before, want;
} mappings[] = {
	{ "A", "1", true, MAPPING_UNKNOWN, MAPPING_NONE },
	{ "A", "1", true, MAPPING_PORT_DEPENDENT, MAPPING_NONE },
	{ "A", "1", false, MAPPING_UNKNOWN, MAPPING_UNKNOWN },
	{ "A", "1", false, MAPPING_NONE, MAPPING_UNKNOWN },
	{ "A", "1", false, MAPPING_ENDPOINT_INDEPENDENT, MAPPING_ENDPOINT_INDEPENDENT },
	{ "A", "1", false, MAPPING_ADDRESS_DEPENDENT, MAPPING_ADDRESS_DEPENDENT },
	{ "A", "1", false, MAPPING_PORT_DEPENDENT, MAPPING_PORT_DEPENDENT },
	{ "Aa", "11", true, MAPPING_UNKNOWN, MAPPING_NONE },
	{ "AB", "11", true, MAPPING_PORT_DEPENDENT, MAPPING_NONE },
	{ "AB", "12", true, MAPPING_NONE, MAPPING_PORT_DEPENDENT },
	{ "Aa", "11", false, MAPPING_UNKNOWN, MAPPING_ENDPOINT_INDEPENDENT },
	{ "AB", "11", false, MAPPING_PORT_DEPENDENT, MAPPING_ENDPOINT_INDEPENDENT },
	{ "AB", "12", false, MAPPING_ENDPOINT_INDEPENDENT, MAPPING_PORT_DEPENDENT },
	{ "Aa", "12", false, MAPPING_UNKNOWN, MAPPING_PORT_DEPENDENT },
	{ "AaB", "111", false, MAPPING_UNKNOWN, MAPPING_ENDPOINT_INDEPENDENT },
	{ "AaB", "112", false, MAPPING_UNKNOWN, MAPPING_ADDRESS_DEPENDENT },
	{ "AaB", "122", false, MAPPING_UNKNOWN, MAPPING_PORT_DEPENDENT },
	{ "AaB", "121", false, MAPPING_UNKNOWN, MAPPING_PORT_DEPENDENT },
	{ "AaB", "123", false, MAPPING_UNKNOWN, MAPPING_PORT_DEPENDENT },
	{ "ABb", "122", false, MAPPING_UNKNOWN, MAPPING_ADDRESS_DEPENDENT },
	{ "ABb", "123", false, MAPPING_UNKNOWN, MAPPING_PORT_DEPENDENT },
	{ "AaBb", "1122", false, MAPPING_UNKNOWN, MAPPING_ADDRESS_DEPENDENT },
	{ "AaBb", "1123", false, MAPPING_UNKNOWN, MAPPING_PORT_DEPENDENT },
	{ "AaBb", "1111", false, MAPPING_UNKNOWN, MAPPING_ENDPOINT_INDEPENDENT },
};

static void check_mappings(void)
{
	unsigned i, k;

	for (i = 0; i < ARRAY_SIZE(mappings); i++) {
		struct sights s = { .own = mappings[i].own,
				    .before = { mappings[i].before, FILTERING_UNKNOWN } };
		enum mapping m;

		for (k = 0; mappings[i].from[k]; k++)
			s.sight[s.n++] = (struct sight){ place(mappings[i].from[k]),
							 seen(mappings[i].seen[k]) };
		m = sights_behaviour(&s).mapping;
		ok(m == mappings[i].want, "seen from %s as %s%s, before %s: %s (%s)", mappings[i].from,
		   mappings[i].seen, mappings[i].own ? ", its own address" : "",
		   mapping_name(mappings[i].before), mapping_name(mappings[i].want), mapping_name(m));
	}
}

/* ---- filtering: all of unasked x elsewhere x before ---- */

#define U FILTERING_UNKNOWN
#define E FILTERING_ENDPOINT_INDEPENDENT
#define A FILTERING_ADDRESS_DEPENDENT
#define P FILTERING_PORT_DEPENDENT

/* [unasked][elsewhere][before]: what stays U only if nothing was found before */
static const enum filtering filterings[UNASKED_KINDS][ELSEWHERE_KINDS][FILTERINGS] = {
	[UNASKED_NONE] = {
		[ELSEWHERE_UNTRIED] = { U, E, A, P },	/* no TRS answers */
		[ELSEWHERE_NONE] = { P, P, P, P },
		[ELSEWHERE_CAME] = { A, A, A, A },
	},
	[UNASKED_BLIND] = {
		[ELSEWHERE_UNTRIED] = { U, E, A, P },
		[ELSEWHERE_NONE] = { P, P, P, P },
		[ELSEWHERE_CAME] = { A, E, A, A },	/* address-dependent, or looser */
	},
	[UNASKED_NEAR] = {
		[ELSEWHERE_UNTRIED] = { A, E, A, A },
		[ELSEWHERE_NONE] = { P, P, P, P },	/* the first got in by a hole from before */
		[ELSEWHERE_CAME] = { A, E, A, A },
	},
	[UNASKED_FAR] = {
		[ELSEWHERE_UNTRIED] = { E, E, E, E },
		[ELSEWHERE_NONE] = { P, P, P, P },
		[ELSEWHERE_CAME] = { E, E, E, E },
	},
};

#undef U
#undef E
#undef A
#undef P

static void check_filterings(void)
{
	static const char *const unasked[] = { "nobody comes in unasked", "who was written to does",
		"another port of an address written to does", "a stranger does" };
	static const char *const elsewhere[] = { "no TRS answers", "nothing comes from another port",
		"an answer comes from another port" };
	unsigned u, e, b;

	for (u = 0; u < UNASKED_KINDS; u++)
		for (e = 0; e < ELSEWHERE_KINDS; e++)
			for (b = 0; b < FILTERINGS; b++) {
				struct sights s = { .sight = { { place('A'), seen('1') } }, .n = 1,
					.unasked = u, .elsewhere = e, .before = { MAPPING_UNKNOWN, b } };
				enum filtering f = sights_behaviour(&s).filtering;

				ok(f == filterings[u][e][b], "%s, %s, before %s: %s (%s)", unasked[u],
				   elsewhere[e], filtering_name(b), filtering_name(filterings[u][e][b]),
				   filtering_name(f));
			}
}

/* Without a NAPT: firewalls look at ports, so who lets in another port has none. */
static void check_unmapped(void)
{
	struct sights s = { .own = true, .n = 1, .unasked = UNASKED_NEAR,
			    .elsewhere = ELSEWHERE_CAME };

	ok(sights_behaviour(&s).filtering == FILTERING_ENDPOINT_INDEPENDENT,
	   "not mapped, and another port of the one address there is came in: open");
	s.unasked = UNASKED_NONE;
	ok(sights_behaviour(&s).filtering == FILTERING_ADDRESS_DEPENDENT,
	   "unless another address was tried and did not");
	s.unasked = UNASKED_NEAR;
	s.elsewhere = ELSEWHERE_NONE;
	ok(sights_behaviour(&s).filtering == FILTERING_PORT_DEPENDENT,
	   "a port that does not come in tells of a firewall");
}

static void names(void)
{
	static const struct {
		struct behaviour b;
		const char *name;
	} row[] = {
		{ { MAPPING_NONE, FILTERING_ENDPOINT_INDEPENDENT }, "open" },
		{ { MAPPING_NONE, FILTERING_ADDRESS_DEPENDENT }, "firewall" },
		{ { MAPPING_NONE, FILTERING_PORT_DEPENDENT }, "firewall" },
		{ { MAPPING_NONE, FILTERING_UNKNOWN }, "unknown" },
		{ { MAPPING_UNKNOWN, FILTERING_PORT_DEPENDENT }, "unknown" },
		{ { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_UNKNOWN }, "cone" },
		{ { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ENDPOINT_INDEPENDENT }, "full cone" },
		{ { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_ADDRESS_DEPENDENT }, "restricted cone" },
		{ { MAPPING_ENDPOINT_INDEPENDENT, FILTERING_PORT_DEPENDENT }, "port restricted cone" },
		{ { MAPPING_ADDRESS_DEPENDENT, FILTERING_UNKNOWN }, "symmetric NAPT" },
		{ { MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT }, "symmetric NAPT" },
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(row); i++)
		ok(strcmp(behaviour_name(row[i].b), row[i].name) == 0, "mapping %s, filtering %s: %s",
		   mapping_name(row[i].b.mapping), filtering_name(row[i].b.filtering), row[i].name);
}

int main(void)
{
	names();
	check_mappings();
	check_filterings();
	check_unmapped();
	return done();
}

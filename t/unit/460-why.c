/*
 * 460-why.c - the one reason why a path goes no better way: each code of why.def from the facts
 * that must lead to it, and no facts that lead to none.
 */
#include "t/tap.h"
#include "net/proto/why.h"

#define NO_WAY ROUTE_KINDS

/* The published table: what one calls a NAPT, in the terms of RFC 4787. */
static const struct behaviour open_host = { MAPPING_NONE, FILTERING_ENDPOINT_INDEPENDENT };
static const struct behaviour full_cone = { MAPPING_ENDPOINT_INDEPENDENT,
					    FILTERING_ENDPOINT_INDEPENDENT };
static const struct behaviour restricted = { MAPPING_ENDPOINT_INDEPENDENT,
					     FILTERING_ADDRESS_DEPENDENT };
static const struct behaviour port_restricted = { MAPPING_ENDPOINT_INDEPENDENT,
						  FILTERING_PORT_DEPENDENT };
static const struct behaviour symmetric = { MAPPING_PORT_DEPENDENT, FILTERING_PORT_DEPENDENT };
static const struct behaviour unknown = { MAPPING_UNKNOWN, FILTERING_UNKNOWN };

static bool seen[WHYS];

static struct addr place(enum route_kind k, uint8_t n)
{
	bool six = k == ROUTE_RELAY6 || k == ROUTE_DIRECT6;
	struct addr a = { .family = six ? 6 : 4, .ip = { 203, (uint8_t)k, 113, n }, .port = 4503 };

	return a;
}

static struct route route(enum route_kind k, enum route_state s, uint8_t n)
{
	return (struct route){ .kind = k, .state = s, .remote = place(k, n) };
}

/* Both are registered over IPv4, behind NAPTs; a relay works, IPv4 was tried in vain. */
static struct why_facts relayed(struct behaviour own, struct behaviour peer)
{
	struct why_facts f = { .tun = true, .path = true, .state = TUNNEL_UP, .pattern = 3,
			       .families = 1, .here.families = 1, .used = 0, .n = 2 };

	f.relay.b[0] = 1;
	f.here.behaviour[0] = own;
	f.behaviour[0] = peer;
	f.here.mapped[0] = place(ROUTE_DIRECT4, 1);
	f.route[0] = route(ROUTE_RELAY4, ROUTE_WORKS, 9);
	f.route[1] = route(ROUTE_DIRECT4, ROUTE_FAILED, 2);
	return f;
}

static void add(struct why_facts *f, enum route_kind k, enum route_state s)
{
	f->route[f->n++] = route(k, s, 3);
}

static void use(struct why_facts *f, enum route_kind k)
{
	add(f, k, ROUTE_WORKS);
	f->used = (int8_t)(f->n - 1);
}

static void both_have_six(struct why_facts *f)
{
	f->here.families |= 2;
	f->families |= 2;
	f->here.behaviour[1] = f->behaviour[1] = open_host;
}

static void gives(const struct why_facts *f, enum why code, enum route_kind better,
		  const char *title)
{
	struct why_answer a = why_of(f);

	seen[a.code] = true;
	if (!ok(a.code == code && a.better == better, "%s: %s", title, why_name(code)))
		diag("got %s, better %s", why_name(a.code),
		     a.better < ROUTE_KINDS ? route_kind_name(a.better) : "none");
}

/* ---- the 16 cells ---- */

static void table(void)
{
	static const struct {
		const char *name;
		const struct behaviour *b;
	} napt[4] = { { "full cone", &full_cone }, { "restricted", &restricted },
		      { "port restricted", &port_restricted }, { "symmetric", &symmetric } };
	static const enum why cell[4][4] = {
		{ WHY_UDP_FILTERED, WHY_UDP_FILTERED, WHY_UDP_FILTERED, WHY_UDP_FILTERED },
		{ WHY_UDP_FILTERED, WHY_UDP_FILTERED, WHY_UDP_FILTERED, WHY_UDP_FILTERED },
		{ WHY_UDP_FILTERED, WHY_UDP_FILTERED, WHY_UDP_FILTERED,
		  WHY_SYMMETRIC_AND_PORT_RESTRICTED },
		{ WHY_UDP_FILTERED, WHY_UDP_FILTERED, WHY_SYMMETRIC_AND_PORT_RESTRICTED,
		  WHY_BOTH_NAPTS_SYMMETRIC },
	};
	struct why_facts f;
	unsigned own, peer;
	char title[96];

	for (own = 0; own < 4; own++) {
		for (peer = 0; peer < 4; peer++) {
			f = relayed(*napt[own].b, *napt[peer].b);
			snprintf(title, sizeof title, "%s here, %s there, nothing got through",
				 napt[own].name, napt[peer].name);
			gives(&f, cell[own][peer], ROUTE_DIRECT4, title);
			f.first = true;
			f.route[1].state = ROUTE_TRYING;
			snprintf(title, sizeof title, "%s here, %s there, while it is tried",
				 napt[own].name, napt[peer].name);
			gives(&f, cell[own][peer] == WHY_UDP_FILTERED ? WHY_PUNCHING :
			      cell[own][peer], ROUTE_DIRECT4, title);
		}
	}
}

static void unknown_napts(void)
{
	struct why_facts f = relayed(unknown, port_restricted);

	gives(&f, WHY_OWN_BEHAVIOUR_UNKNOWN, ROUTE_DIRECT4, "own NAPT not known");
	f = relayed(port_restricted, unknown);
	gives(&f, WHY_PEER_BEHAVIOUR_UNKNOWN, ROUTE_DIRECT4, "the other's not known");
	f = relayed(unknown, unknown);
	gives(&f, WHY_OWN_BEHAVIOUR_UNKNOWN, ROUTE_DIRECT4, "neither known");
	f.first = true;
	f.route[1].state = ROUTE_TRYING;
	gives(&f, WHY_PUNCHING, ROUTE_DIRECT4, "not known, but being tried");
	f.first = false;
	gives(&f, WHY_OWN_BEHAVIOUR_UNKNOWN, ROUTE_DIRECT4, "tried again after it failed");
	f = relayed((struct behaviour){ MAPPING_NONE, FILTERING_UNKNOWN }, symmetric);
	gives(&f, WHY_OWN_BEHAVIOUR_UNKNOWN, ROUTE_DIRECT4, "own firewall not known, symmetric there");
	f = relayed(symmetric, unknown);
	gives(&f, WHY_PEER_BEHAVIOUR_UNKNOWN, ROUTE_DIRECT4, "symmetric here, not known there");
	f = relayed(open_host, open_host);
	gives(&f, WHY_UDP_FILTERED, ROUTE_DIRECT4, "no NAPT at all and nothing gets through");
}

/* ---- families ---- */

static void families(void)
{
	struct why_facts f = relayed(symmetric, symmetric);

	f.families = 2;
	f.n = 1;
	gives(&f, WHY_NO_COMMON_FAMILY, ROUTE_DIRECT6, "IPv4 here, IPv6 there, relayed");

	f = relayed(full_cone, full_cone);
	use(&f, ROUTE_DIRECT4);
	gives(&f, WHY_DIRECT_IPV4, NO_WAY, "direct over IPv4, IPv6 nowhere");
	f.families = 3;
	gives(&f, WHY_IPV6_MISSING_HERE, ROUTE_DIRECT6, "direct over IPv4, IPv6 there alone");
	f.families = 1;
	f.here.families = 3;
	gives(&f, WHY_IPV6_MISSING_THERE, ROUTE_DIRECT6, "direct over IPv4, IPv6 here alone");
	both_have_six(&f);
	gives(&f, WHY_NOT_NAMED, ROUTE_DIRECT6, "IPv6 at both came later than the path");
	add(&f, ROUTE_DIRECT6, ROUTE_NEW);
	gives(&f, WHY_PUNCHING, ROUTE_DIRECT6, "direct over IPv4, IPv6 is about to be tried");
	f.route[f.n - 1].state = ROUTE_FAILED;
	gives(&f, WHY_IPV6_BLOCKED, ROUTE_DIRECT6, "direct over IPv4, IPv6 got no answer");
	f.here.behaviour[1].filtering = FILTERING_PORT_DEPENDENT;
	gives(&f, WHY_IPV6_BLOCKED, ROUTE_DIRECT6, "so too behind a stateful firewall");
	f.used = 0;
	gives(&f, WHY_IPV6_BLOCKED, ROUTE_DIRECT6, "relayed, IPv6 got no answer, nor did IPv4");
	f.here.behaviour[1] = symmetric;
	f.behaviour[1] = port_restricted;
	gives(&f, WHY_SYMMETRIC_AND_PORT_RESTRICTED, ROUTE_DIRECT6, "even IPv6 may have NAPTs");

	f = relayed(symmetric, symmetric);
	both_have_six(&f);
	use(&f, ROUTE_DIRECT6);
	gives(&f, WHY_DIRECT_IPV6, NO_WAY, "direct over IPv6, whatever the NAPTs of IPv4 do");
	f = relayed(symmetric, symmetric);
	f.families = 3;
	gives(&f, WHY_BOTH_NAPTS_SYMMETRIC, ROUTE_DIRECT4, "relayed, and IPv6 at one is no help");
}

/* ---- one NAPT ---- */

static void local_network(void)
{
	struct why_facts f = relayed(port_restricted, port_restricted);

	f.route[1].remote = f.here.mapped[0];
	f.route[1].remote.port++;
	gives(&f, WHY_LAN_UNKNOWN, ROUTE_LAN, "one NAPT, no inner address known");
	f.here.behaviour[0] = f.behaviour[0] = symmetric;
	gives(&f, WHY_LAN_UNKNOWN, ROUTE_LAN, "one symmetric NAPT is no other matter");
	add(&f, ROUTE_LAN, ROUTE_FAILED);
	add(&f, ROUTE_LAN, ROUTE_NEW);
	gives(&f, WHY_PUNCHING, ROUTE_LAN, "one of two inner addresses is still to be tried");
	f.route[3].state = ROUTE_FAILED;
	gives(&f, WHY_LAN_FAILED, ROUTE_LAN, "none of them answered");
	f.used = 1;
	f.route[1].state = ROUTE_WORKS;
	gives(&f, WHY_LAN_FAILED, ROUTE_LAN, "the NAPT sends it back in, which is a detour");
	f.route[2].state = ROUTE_WORKS;
	f.used = 2;
	gives(&f, WHY_DIRECT_LAN, NO_WAY, "in the local network");
	f = relayed(open_host, open_host);
	f.route[1].remote = f.here.mapped[0];
	f.route[1].remote.port++;
	gives(&f, WHY_UDP_FILTERED, ROUTE_DIRECT4, "on one host without any NAPT");
	f = relayed(symmetric, symmetric);
	both_have_six(&f);
	add(&f, ROUTE_LAN, ROUTE_FAILED);
	use(&f, ROUTE_DIRECT6);
	gives(&f, WHY_DIRECT_IPV6, NO_WAY, "IPv6 takes the place of a local network that fails");
}

/* ---- no way at all ---- */

static void being_made(void)
{
	struct why_facts f = relayed(symmetric, symmetric);

	f.used = -1;
	f.state = TUNNEL_ASKING;
	f.first = true;
	f.route[0].state = f.route[1].state = ROUTE_TRYING;
	gives(&f, WHY_OPENING, NO_WAY, "all is being tried");
	f.route[0].state = ROUTE_BOUND;
	gives(&f, WHY_OPENING, NO_WAY, "bound at the relay, which the other may come to");
	f.first = false;
	f.route[1].state = ROUTE_FAILED;
	gives(&f, WHY_PEER_NOT_AT_RELAY, NO_WAY, "but it did not");
	f.route[0].state = ROUTE_FAILED;
	gives(&f, WHY_RELAY_SILENT, NO_WAY, "nor does the relay answer here");
	memset(&f.relay, 0, sizeof f.relay);
	gives(&f, WHY_BOTH_NAPTS_SYMMETRIC, ROUTE_DIRECT4, "no relay, symmetric NAPTs");
	f.here.behaviour[0] = f.behaviour[0] = open_host;
	gives(&f, WHY_UDP_FILTERED, ROUTE_DIRECT4, "no relay, no NAPT, no answer");
	f.n = 0;
	f.families = 2;
	gives(&f, WHY_NO_COMMON_FAMILY, ROUTE_DIRECT6, "no relay, no family");
}

static void refused(void)
{
	static const struct {
		uint16_t reason;
		enum why code;
	} row[] = {
		{ 0, WHY_ASKING }, { REASON_NOT_FOUND, WHY_NOT_FOUND },
		{ REASON_ITSELF, WHY_ITSELF }, { REASON_DISABLED, WHY_DISABLED },
		{ REASON_OFFLINE, WHY_OFFLINE }, { REASON_NO_RELAY, WHY_NO_RELAY },
		{ REASON_NO_PATH, WHY_NO_PATH }, { REASON_BAD_PEER, WHY_BAD_PEER },
		{ REASON_BUSY, WHY_BUSY }, { REASON_INTERNAL, WHY_INTERNAL },
		{ REASON_NOT_REGISTERED, WHY_REGISTERING }, { 999, WHY_INTERNAL },
	};
	struct why_facts f = { .tun = true };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(row); i++) {
		f.reason = row[i].reason;
		gives(&f, row[i].code, NO_WAY, reason_name(row[i].reason));
	}
	f.reason = REASON_NO_PATH;
	f.directed = true;
	gives(&f, WHY_NO_ANSWER, NO_WAY, "ways were named, nobody answered");
}

static void not_ready(void)
{
	static const enum why code[] = {
		[SELF_LOGGING_IN] = WHY_LOGGING_IN, [SELF_LOGIN_FAILED] = WHY_LOGIN_FAILED,
		[SELF_LOGIN_REFUSED] = WHY_LOGIN_REFUSED, [SELF_REGISTERING] = WHY_REGISTERING,
		[SELF_NMS_SILENT] = WHY_NMS_SILENT,
	};
	struct why_facts f = { .reason = REASON_OFFLINE }, up = relayed(symmetric, symmetric);
	unsigned i;

	for (i = SELF_LOGGING_IN; i < ARRAY_SIZE(code); i++) {
		f.self = up.self = i;
		gives(&f, code[i], NO_WAY, "not ready");
		gives(&up, WHY_BOTH_NAPTS_SYMMETRIC, ROUTE_DIRECT4, "though a path stands all the same");
	}
	f.self = SELF_READY;
	gives(&f, WHY_NO_TUN, NO_WAY, "ready, but no TUN device");
	up.self = SELF_READY;
	up.tun = false;
	gives(&up, WHY_NO_TUN, NO_WAY, "a path and no TUN device");
}

/* ---- no facts without an answer ---- */

static struct behaviour any_behaviour(void)
{
	return behaviour_of((uint8_t)random_u32());
}

static void any_facts(struct why_facts *f)
{
	unsigned i;

	memset(f, 0, sizeof *f);
	f->tun = f->path = true;
	f->families = random_u32() & 3;
	f->here.families = random_u32() & 3;
	for (i = 0; i < 2; i++) {
		f->behaviour[i] = any_behaviour();
		f->here.behaviour[i] = any_behaviour();
	}
	f->first = random_u32() & 1;
	f->relay.b[0] = random_u32() & 1;
	f->n = (uint8_t)(random_u32() % (ROUTES + 1));
	for (i = 0; i < f->n; i++) {
		f->route[i].kind = random_u32() % ROUTE_KINDS;
		f->route[i].state = random_u32() % (ROUTE_FAILED + 1);
		f->route[i].remote = place(f->route[i].kind, (uint8_t)(random_u32() & 3));
	}
	f->used = (int8_t)(random_u32() % (f->n + 1u)) - 1;
}

/* Better is what is above the way in use, or there is nothing better. */
static bool makes_sense(const struct why_facts *f, struct why_answer a)
{
	bool best = a.code == WHY_DIRECT_LAN || a.code == WHY_DIRECT_IPV6 ||
		    a.code == WHY_DIRECT_IPV4;
	int way = f->used < 0 ? -1 : (int)f->route[f->used].kind;

	if (a.code >= WHYS || best != (a.better == NO_WAY && way >= 0))
		return false;
	return a.better == NO_WAY || ((int)a.better > way && a.better >= ROUTE_DIRECT4);
}

static void anything(void)
{
	unsigned i, n = 200000 * scale(), bad = 0;
	struct why_facts f;

	for (i = 0; i < n; i++) {
		any_facts(&f);
		bad += !makes_sense(&f, why_of(&f));
	}
	ok(!bad, "of %u paths of any kind each has one reason, and a better way only if it is one", n);
}

static void words(void)
{
	unsigned w, v, bad = 0, missing = 0;

	for (w = 0; w < WHYS; w++) {
		bad += !*why_name(w) || !*why_text(w) || why_text(w)[strlen(why_text(w)) - 1] == '.';
		for (v = 0; v < w; v++)
			bad += strcmp(why_name(v), why_name(w)) == 0 ||
			       strcmp(why_text(v), why_text(w)) == 0;
		if (!seen[w])
			diag("%s was never given", why_name(w));
		missing += !seen[w];
	}
	ok(!bad, "each code has a word and a sentence of its own");
	ok(!missing, "each of %u codes was given above", WHYS);
}

int main(void)
{
	table();
	unknown_napts();
	families();
	local_network();
	being_made();
	refused();
	not_ready();
	anything();
	words();
	return done();
}

/*
 * why.c - from the facts to the one reason.  Asked from the best way downwards: would it be a
 * better one than that in use, can both ends have it, has it been tried, what kept it from working?
 */
#include "net/proto/why.h"
#include <ctype.h>

static const struct {
	const char *name, *text, *help;
} row[WHYS] = {
#define WHY(NAME, name_, text_, help_) [WHY_##NAME] = { #name_, text_, help_ },
#include "net/proto/why.def"
#undef WHY
};

const char *why_name(enum why w)
{
	return row[w].name;
}

const char *why_text(enum why w)
{
	return row[w].text;
}

const char *why_help(enum why w)
{
	return row[w].help;
}

const char *why_way_text(enum route_kind k)
{
	static const char *const text[ROUTE_KINDS] = {
		"relayed over IPv4", "relayed over IPv6", "direct over IPv4", "direct over IPv6",
		"direct in the local network"
	};

	return text[k];
}

/* ---- the facts of a path ---- */

void why_path(struct why_facts *f, const struct tunnel *t)
{
	const struct tunnel_setup *s = &t->setup;
	const struct routes *r = &t->routes;
	unsigned i;

	f->path = true;
	f->state = t->state;
	f->first = r->began == t->born && r->punch != NEVER;
	f->pattern = s->pattern;
	f->relay = s->relay;
	f->families = s->peer_families;
	memcpy(f->behaviour, s->peer_behaviour, sizeof f->behaviour);
	f->rtt = t->rtt;
	f->used = r->used;
	f->n = r->n;
	memcpy(f->route, r->route, sizeof f->route);
	/* an address that is named is there, whatever else was said */
	for (i = 0; i < s->candidates; i++)
		if (s->candidate[i].kind == ADDRESS_MAPPED)
			f->families |= s->candidate[i].addr.family == 6 ? 2 : 1;
}

/* ---- ways ---- */

static struct why_answer answer(enum why code, enum route_kind better)
{
	return (struct why_answer){ code, better };
}

static struct why_answer nothing_better(enum why code)
{
	return answer(code, ROUTE_KINDS);
}

static bool has_kind(const struct why_facts *f, enum route_kind k)
{
	unsigned i;

	for (i = 0; i < f->n; i++)
		if (f->route[i].kind == k)
			return true;
	return false;
}

/* Later bursts try again what failed before: that is no news. */
static bool is_pending(const struct why_facts *f, const struct route *r)
{
	return r->state == ROUTE_NEW || r->state == ROUTE_WORKS ||
	       (r->state == ROUTE_TRYING && f->first);
}

static bool is_being_tried(const struct why_facts *f, enum route_kind k)
{
	unsigned i;

	for (i = 0; i < f->n; i++)
		if (f->route[i].kind == k && is_pending(f, &f->route[i]))
			return true;
	return false;
}

static bool is_at_relay(const struct why_facts *f)
{
	unsigned i;

	for (i = 0; i < f->n; i++)
		if (route_is_relay(&f->route[i]) && route_carries(&f->route[i]))
			return true;
	return false;
}

/* Its mapped address is this node's: the NMS sees both at one. */
static bool is_one_napt(const struct why_facts *f)
{
	unsigned i;

	if (f->here.behaviour[0].mapping == MAPPING_NONE)
		return false;
	for (i = 0; i < f->n; i++)
		if (f->route[i].kind == ROUTE_DIRECT4 && !f->route[i].found &&
		    addr_same_ip(&f->route[i].remote, &f->here.mapped[0]))
			return true;
	return false;
}

/* ---- why not directly ---- */

static enum why napts(struct behaviour own, struct behaviour peer)
{
	return own.mapping > MAPPING_ENDPOINT_INDEPENDENT &&
	       peer.mapping > MAPPING_ENDPOINT_INDEPENDENT ? WHY_BOTH_NAPTS_SYMMETRIC :
							     WHY_SYMMETRIC_AND_PORT_RESTRICTED;
}

static bool is_unknown(struct behaviour b)
{
	return b.mapping == MAPPING_UNKNOWN || b.filtering == FILTERING_UNKNOWN;
}

/* Both have this family (0: IPv4, 1: IPv6), and it is not in use. */
static struct why_answer blocked(const struct why_facts *f, unsigned family)
{
	enum route_kind k = family ? ROUTE_DIRECT6 : ROUTE_DIRECT4;
	struct behaviour own = f->here.behaviour[family], peer = f->behaviour[family];
	enum punchable can = behaviour_punchable(own, peer);

	if (!has_kind(f, k))
		return answer(WHY_NOT_NAMED, k);
	if (can == PUNCH_NO)
		return answer(napts(own, peer), k);
	if (is_being_tried(f, k))
		return answer(WHY_PUNCHING, k);
	if (can == PUNCH_UNKNOWN)
		return answer(is_unknown(own) ? WHY_OWN_BEHAVIOUR_UNKNOWN :
						WHY_PEER_BEHAVIOUR_UNKNOWN, k);
	return answer(family ? WHY_IPV6_BLOCKED : WHY_UDP_FILTERED, k);
}

/* What is there goes by this way; ROUTE_KINDS: by none. */
static struct why_answer than(const struct why_facts *f, enum route_kind way)
{
	uint8_t both = f->here.families & f->families;

	if (way == ROUTE_LAN)
		return nothing_better(WHY_DIRECT_LAN);
	if (is_being_tried(f, ROUTE_LAN))
		return answer(WHY_PUNCHING, ROUTE_LAN);
	if (way == ROUTE_DIRECT6)
		return nothing_better(WHY_DIRECT_IPV6);
	if (has_kind(f, ROUTE_LAN))
		return answer(WHY_LAN_FAILED, ROUTE_LAN);
	if (both & 2)
		return blocked(f, 1);
	if (way == ROUTE_DIRECT4 && !((f->here.families | f->families) & 2))
		return nothing_better(WHY_DIRECT_IPV4);
	if (way == ROUTE_DIRECT4)
		return answer(f->families & 2 ? WHY_IPV6_MISSING_HERE : WHY_IPV6_MISSING_THERE,
			      ROUTE_DIRECT6);
	if (is_one_napt(f) && !is_being_tried(f, ROUTE_DIRECT4))
		return answer(WHY_LAN_UNKNOWN, ROUTE_LAN);
	return both & 1 ? blocked(f, 0) : answer(WHY_NO_COMMON_FAMILY, ROUTE_DIRECT6);
}

/* ---- why not at all ---- */

/* A path that has no way yet. */
static struct why_answer opening(const struct why_facts *f)
{
	unsigned i;

	for (i = 0; i < f->n; i++)
		if (is_pending(f, &f->route[i]))
			return nothing_better(WHY_OPENING);
	if (id_is_zero(&f->relay))
		return than(f, ROUTE_KINDS);
	return nothing_better(is_at_relay(f) ? WHY_PEER_NOT_AT_RELAY : WHY_RELAY_SILENT);
}

static enum why refused(const struct why_facts *f)
{
	switch (f->reason) {
	case 0:
		return WHY_ASKING;
	case REASON_NOT_FOUND:
		return WHY_NOT_FOUND;
	case REASON_ITSELF:
		return WHY_ITSELF;
	case REASON_DISABLED:
		return WHY_DISABLED;
	case REASON_OFFLINE:
		return WHY_OFFLINE;
	case REASON_NO_RELAY:
		return WHY_NO_RELAY;
	case REASON_BAD_PEER:
		return WHY_BAD_PEER;
	case REASON_BUSY:
		return WHY_BUSY;
	case REASON_NOT_REGISTERED:
		return WHY_REGISTERING;
	case REASON_NO_PATH:
		return f->directed ? WHY_NO_ANSWER : WHY_NO_PATH;
	}
	return WHY_INTERNAL;
}

static enum why unready(enum why_self self)
{
	static const enum why why[] = {
		[SELF_LOGGING_IN] = WHY_LOGGING_IN, [SELF_LOGIN_FAILED] = WHY_LOGIN_FAILED,
		[SELF_LOGIN_REFUSED] = WHY_LOGIN_REFUSED, [SELF_REGISTERING] = WHY_REGISTERING,
		[SELF_NMS_SILENT] = WHY_NMS_SILENT,
	};

	return why[self];
}

struct why_answer why_of(const struct why_facts *f)
{
	bool goes = f->path && f->used >= 0;

	/* a standing path needs nobody's leave */
	if (!goes && f->self != SELF_READY)
		return nothing_better(unready(f->self));
	if (!f->tun)
		return nothing_better(WHY_NO_TUN);
	if (!f->path)
		return nothing_better(refused(f));
	return goes ? than(f, f->route[f->used].kind) : opening(f);
}

/* ---- the manual ---- */

/* As a sentence, a line of mdoc for each part of it. */
static void print_sentence(FILE *f, const char *text)
{
	fputc(toupper((unsigned char)*text), f);
	while (*++text) {
		fputc(*text, f);
		if ((*text == ';' || *text == ':') && text[1] == ' ') {
			fputc('\n', f);
			text++;
		}
	}
	fputs(".\n", f);
}

void why_print_manual(FILE *f)
{
	enum why w;

	fputs(".\\\" BEGIN why-manual: made by 'cyphonic print why-manual'\n"
	      ".Bl -tag -width Ds\n", f);
	for (w = 0; w < WHYS; w++) {
		fprintf(f, ".It Cm %s\n", row[w].name);
		print_sentence(f, row[w].text);
		if (!*row[w].help)
			continue;
		fputs(".br\nWhat would change it: ", f);
		fprintf(f, "%s.\n", row[w].help);
	}
	fputs(".El\n.\\\" END why-manual\n", f);
}

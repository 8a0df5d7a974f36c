/* survey_say.c - what netcheck found, as lines for people or as one JSON object. */
#include "net/io/survey.h"
#include <jansson.h>

static const char *const code[] = {
	[VERDICT_NOT_ASKED] = "not_asked", [VERDICT_NO_NETWORK] = "no_network",
	[VERDICT_UDP_BLOCKED] = "udp_blocked", [VERDICT_HARD_NAPT] = "hard_napt",
	[VERDICT_UNKNOWN_NAPT] = "unknown_napt", [VERDICT_EASY_NAPT] = "easy_napt",
	[VERDICT_OPEN] = "open",
};

/* ---- JSON ---- */

static json_t *fact(enum netcheck_fact f)
{
	return f == FACT_UNKNOWN ? json_null() : json_boolean(f == FACT_YES);
}

static json_t *address(const struct addr *a)
{
	char text[ADDR_TEXT];

	return json_string(a->family ? addr_text(text, a) : "");
}

static json_t *ms(uint64_t us, bool known)
{
	return known ? json_real((double)us / 1000) : json_null();
}

static json_t *family_json(const struct netcheck_family *f)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:o, s:o}",
			 "verdict", code[f->verdict], "text", f->text, "local", address(&f->local),
			 "mapped", address(&f->mapped),
			 "mapping", f->mapping, "mapping_note", f->mapping_note ? f->mapping_note : "",
			 "filtering", f->filtering,
			 "filtering_note", f->filtering_note ? f->filtering_note : "",
			 "hairpin", fact(f->hairpin), "port_kept", fact(f->port_kept));
}

static json_t *servers_json(const struct netcheck_report *r)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < r->servers; i++) {
		const struct netcheck_server *s = &r->server[i];

		json_array_append_new(list, json_pack("{s:o, s:b, s:o, s:o, s:o, s:i}",
			"address", address(&s->at), "answered", s->answered, "rtt_ms",
			ms(s->rtt, s->answered), "mapped", address(&s->mapped), "other",
			address(&s->other), "error", s->error));
	}
	return list;
}

static json_t *as_json(const struct netcheck_report *r)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < r->as_n; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "address",
			address(&r->as[i].at), "reached", fact(r->as[i].reached), "rtt_ms",
			ms(r->as[i].rtt, r->as[i].reached == FACT_YES)));
	return list;
}

static void say_json(FILE *out, const struct netcheck_report *r, const struct survey_facts *f)
{
	json_t *all = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:s, s:b, s:s}}",
		"schema", "cyphonic.netcheck.v1", "verdict", code[r->verdict], "text", r->text,
		"took_ms", ms(f->took, true), "ipv4", family_json(&r->family[NETCHECK_IPV4]),
		"ipv6", family_json(&r->family[NETCHECK_IPV6]), "servers", servers_json(r),
		"as", as_json(r), "ranges", "ipv4", f->range[0], "ipv6", f->range[1],
		"free", !*f->trouble, "trouble", f->trouble);

	json_dumpf(all, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
	json_decref(all);
}

/* ---- lines ---- */

static void line(FILE *out, const char *name, const char *value, const char *note)
{
	fprintf(out, "  %-12s %s%s%s%s\n", name, value, note ? " (" : "", note ? note : "",
		note ? ")" : "");
}

static const char *yes(enum netcheck_fact f)
{
	return f == FACT_UNKNOWN ? "unknown" : f == FACT_YES ? "yes" : "no";
}

static void say_family(FILE *out, const char *name, const struct netcheck_family *f)
{
	char local[ADDR_TEXT], mapped[ADDR_TEXT];

	if (f->verdict == VERDICT_NOT_ASKED)
		return;
	fprintf(out, "%s: %s\n", name, code[f->verdict]);
	if (!f->local.family)
		return;
	line(out, "local", addr_text(local, &f->local), NULL);
	if (!f->mapped.family)
		return;
	line(out, "seen as", addr_text(mapped, &f->mapped), NULL);
	line(out, "mapping", f->mapping, f->mapping_note);
	line(out, "filtering", f->filtering, f->filtering_note);
	if (strcmp(f->mapping, "none") == 0)
		return;
	line(out, "hairpinning", yes(f->hairpin), NULL);
	line(out, "port kept", yes(f->port_kept), NULL);
}

/* ADDRESS in 20.1 ms, or why not. */
static void say_reached(FILE *out, const char *name, const struct addr *at, bool reached, uint64_t rtt,
			const char *why)
{
	char text[ADDR_TEXT];

	fprintf(out, "  %-12s %s ", name, addr_text(text, at));
	if (reached)
		fprintf(out, "in %.1f ms\n", (double)rtt / 1000);
	else
		fprintf(out, "%s\n", why);
}

static void say_lines(FILE *out, const struct netcheck_report *r, const struct survey_facts *f)
{
	unsigned i;

	fprintf(out, "%s: %s\n", code[r->verdict], r->text);
	for (i = 0; i < NETCHECK_FAMILIES; i++)
		say_family(out, i == NETCHECK_IPV4 ? "IPv4" : "IPv6", &r->family[i]);
	fprintf(out, "others\n");
	for (i = 0; i < r->servers; i++)
		say_reached(out, "STUN server", &r->server[i].at, r->server[i].answered,
			    r->server[i].rtt, r->server[i].error ? "refused" : "no answer");
	for (i = 0; i < r->as_n; i++)
		say_reached(out, "AS by TCP", &r->as[i].at, r->as[i].reached == FACT_YES, r->as[i].rtt,
			    r->as[i].reached == FACT_NO ? "refused, or no route" : "no answer");
	for (i = 0; i < ARRAY_SIZE(f->range) && !*f->trouble; i++)
		if (*f->range[i])
			line(out, "range", f->range[i], "free on this computer");
	if (*f->trouble)
		line(out, "range", f->trouble, NULL);
}

void survey_say(FILE *out, bool json, const struct netcheck_report *r, const struct survey_facts *f)
{
	if (json)
		say_json(out, r, f);
	else
		say_lines(out, r, f);
}

/*
 * node_dns.c - the system's resolver and ours: whom the system asked before is whom we ask for
 * all other names.
 */
#include "roles/node.h"
#include "store/config.h"
#include <stdio.h>

/* In the order of config.def. */
static const char *const wish[] = { "auto", "resolved", "resolvconf", "file", "off" };

void resolver_upstream(struct node *n)
{
	const struct address_list *given = &n->env.conf->node_upstream;

	if (given->n)
		dns_upstream(n->dns, given->a, given->n);
	else
		dns_upstream(n->dns, n->resolver.server, n->resolver.servers);
}

void resolver_heard(struct node *n, const struct priv_resolver *r)
{
	n->resolver = *r;
	n->resolver.way[sizeof r->way - 1] = '\0';
	n->resolver.chain[sizeof r->chain - 1] = '\0';
	n->resolver.text[sizeof r->text - 1] = '\0';
	n->resolver.servers = MIN(r->servers, PRIV_SERVERS);
	resolver_upstream(n);
}

static json_t *list_of(const struct addr *a, unsigned n)
{
	json_t *list = json_array();
	char s[ADDR_TEXT];
	unsigned i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, json_string(addr_text(s, &a[i])));
	return list;
}

static json_t *range(uint8_t family, const uint8_t *ip, unsigned bits)
{
	struct addr a = { .family = family };
	char s[ADDR_TEXT], both[ADDR_TEXT + 8];

	memcpy(a.ip, ip, family == 4 ? 4 : 16);
	snprintf(both, sizeof both, "%s/%u", ip_text(s, &a), bits);
	return json_string(both);
}

static json_t *listening(const struct node *n)
{
	const struct address_list *own = &n->env.conf->node_dns;
	struct addr usual;

	ip_parse(&usual, "127.0.0.45", 53);
	return own->n ? list_of(own->a, own->n) : list_of(&usual, 1);
}

json_t *resolver_status(const struct node *n)
{
	const struct address_list *given = &n->env.conf->node_upstream;
	const struct priv_resolver *r = &n->resolver;
	const struct dns_counters *c = dns_counters(n->dns);
	json_t *before = list_of(r->server, r->servers);
	json_t *o = json_pack("{s:s, s:s, s:b, s:s, s:s, s:o, s:o, s:s, s:o}",
		"wish", wish[MIN(n->env.conf->node_resolver, ARRAY_SIZE(wish) - 1)],
		"way", *r->way ? r->way : "none", "up", r->up, "chain", r->chain,
		"trouble", !n->known ? "this node is not logged in yet" : r->text,
		"listen", listening(n), "before", before, "domain", n->domain,
		"counters", json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
			"queries", (json_int_t)c->queries, "overlay", (json_int_t)c->overlay,
			"forwarded", (json_int_t)c->forwarded, "refused", (json_int_t)c->refused,
			"malformed", (json_int_t)c->malformed, "servfail", (json_int_t)c->servfail));

	json_object_set(o, "upstream", before);
	if (given->n)
		json_object_set_new(o, "upstream", list_of(given->a, given->n));
	json_object_set_new(o, "ranges", n->known ?
			    json_pack("[o, o]", range(4, n->net4, n->bits4), range(6, n->net6, n->bits6)) :
			    json_array());
	return o;
}

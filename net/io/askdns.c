/*
 * askdns.c - the verb dns: which way the system was made to ask the node, and who answers for a
 * name.  The name is asked for here as the node would: of its resolver, or of those it asks.
 */
#include "net/io/ask.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 3000
#define MESSAGE_MAX 4096

struct question {
	char name[2 * NAME_SIZE];
	ns_type type[2];
	unsigned types;
	bool overlay;
};

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* ---- what is asked for ---- */

static bool in_range(const struct addr *a, const char *range)
{
	char ip[ADDR_TEXT];
	unsigned bits, i;
	struct addr net;

	if (sscanf(range, "%63[^/]/%u", ip, &bits) != 2 || !ip_parse(&net, ip, 0) ||
	    net.family != a->family)
		return false;
	for (i = 0; i < bits && i < (a->family == 4 ? 32 : 128); i++)
		if ((net.ip[i / 8] ^ a->ip[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static void reverse_name(char *out, size_t room, const struct addr *a)
{
	size_t n = 0;
	int i;

	for (i = 15; a->family == 6 && i >= 0; i--)
		n += (size_t)snprintf(out + n, room - n, "%x.%x.", a->ip[i] & 15, a->ip[i] >> 4);
	if (a->family == 6)
		snprintf(out + n, room - n, "ip6.arpa");
	else
		snprintf(out, room, "%u.%u.%u.%u.in-addr.arpa", a->ip[3], a->ip[2], a->ip[1], a->ip[0]);
}

/* An address, a device's name alone, or a whole name. */
static bool make_question(struct question *q, json_t *state, const char *asked)
{
	const char *domain = text(state, "domain");
	char name[NAME_SIZE];
	struct addr a;
	json_t *range;
	size_t i;

	memset(q, 0, sizeof *q);
	if (ip_parse(&a, asked, 0)) {
		reverse_name(q->name, sizeof q->name, &a);
		q->type[q->types++] = ns_t_ptr;
		json_array_foreach(json_object_get(state, "ranges"), i, range)
			q->overlay |= in_range(&a, json_string_value(range));
		return true;
	}
	if (!name_canonical(name, asked))
		return false;
	snprintf(q->name, sizeof q->name, "%s%s%s", name, strchr(name, '.') || !*domain ? "" : ".",
		 strchr(name, '.') ? "" : domain);
	q->type[q->types++] = ns_t_a;
	q->type[q->types++] = ns_t_aaaa;
	q->overlay = *domain && name_within(q->name, domain);
	return true;
}

/* ---- asking ---- */

/* "192.0.2.1:53" or "[2001:db8::1]:53" */
static int dial_server(const char *at)
{
	struct addrinfo wish = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char ip[ADDR_TEXT], port[8];
	int fd = -1;

	if ((sscanf(at, "[%63[^]]]:%7s", ip, port) == 2 || sscanf(at, "%63[^:]:%7s", ip, port) == 2) &&
	    getaddrinfo(ip, port, &wish, &found) == 0)
		fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) {
		close(fd);
		fd = -1;
	}
	if (found)
		freeaddrinfo(found);
	return fd;
}

/* The answer's octets, or -1. */
static int ask_server(const char *at, const char *name, ns_type type, uint8_t answer[MESSAGE_MAX])
{
	uint8_t query[512];
	int n = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, query, sizeof query);
	int fd = n > 0 ? dial_server(at) : -1, got = -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return -1;
	if (send(fd, query, (size_t)n, MSG_NOSIGNAL) == n && poll(&p, 1, WAIT_MS) > 0)
		got = (int)recv(fd, answer, MESSAGE_MAX, 0);
	close(fd);
	return got >= NS_HFIXEDSZ && memcmp(answer, query, 2) == 0 ? got : -1;
}

static void add_records(json_t *list, const uint8_t *answer, int n)
{
	char s[NS_MAXDNAME];
	ns_msg m;
	ns_rr rr;
	int i;

	if (ns_initparse(answer, n, &m) < 0)
		return;
	for (i = 0; i < ns_msg_count(m, ns_s_an) && ns_parserr(&m, ns_s_an, i, &rr) == 0; i++) {
		const char *type = ns_rr_type(rr) == ns_t_a ? "A" : ns_rr_type(rr) == ns_t_aaaa ? "AAAA" :
				   ns_rr_type(rr) == ns_t_cname ? "CNAME" :
				   ns_rr_type(rr) == ns_t_ptr ? "PTR" : NULL;

		if ((ns_rr_type(rr) == ns_t_a && ns_rr_rdlen(rr) == 4) ||
		    (ns_rr_type(rr) == ns_t_aaaa && ns_rr_rdlen(rr) == 16))
			inet_ntop(ns_rr_rdlen(rr) == 4 ? AF_INET : AF_INET6, ns_rr_rdata(rr), s, sizeof s);
		else if (!type || ns_name_uncompress(ns_msg_base(m), ns_msg_end(m), ns_rr_rdata(rr), s,
						     sizeof s) < 0)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s}", "type", type, "data", s));
	}
}

static const char *code_of(unsigned rcode)
{
	static const char *const name[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
					    "REFUSED" };

	return rcode < ARRAY_SIZE(name) ? name[rcode] : "OTHER";
}

/* All of the question to one server; false when it gives no answer that could be passed on. */
static bool ask_each(const struct question *q, const char *server, json_t *query)
{
	uint8_t answer[MESSAGE_MAX];
	json_t *records = json_array();
	unsigned i, rcode = 0;
	int n = -1;

	for (i = 0; i < q->types; i++) {
		n = ask_server(server, q->name, q->type[i], answer);
		if (n < 0)
			break;
		rcode = answer[3] & 15;
		if (rcode == ns_r_servfail || rcode == ns_r_refused)
			break;
		add_records(records, answer, n);
	}
	if (n >= 0) {
		json_object_set_new(query, "code", json_string(code_of(rcode)));
		json_object_set(query, "answers", records);
	}
	json_decref(records);
	return n >= 0 && rcode != ns_r_servfail && rcode != ns_r_refused;
}

static json_t *ask_name(json_t *state, const struct question *q)
{
	json_t *servers = json_object_get(state, q->overlay ? "listen" : "upstream"), *server;
	json_t *query = json_pack("{s:s, s:s, s:s, s:s, s:[]}", "name", q->name, "who", "nobody",
				  "server", "", "code", "none", "answers");
	size_t i;

	json_array_foreach(servers, i, server) {
		if (!ask_each(q, json_string_value(server), query))
			continue;
		json_object_set_new(query, "who", json_string(q->overlay ? "overlay" : "upstream"));
		json_object_set(query, "server", server);
		break;
	}
	return query;
}

/* ---- as a page ---- */

static void show_list(FILE *out, json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		fprintf(out, "%s%s", i ? ", " : "", json_string_value(item));
	fprintf(out, "%s\n", json_array_size(list) ? "" : "nobody");
}

static void show_state(FILE *out, json_t *state)
{
	static const struct {
		const char *way, *text;
	} ways[] = {
		{ "resolved", "systemd-resolved asks this node for the domain's names" },
		{ "resolvconf", "resolvconf names this node as the resolver for everything" },
		{ "openresolv", "openresolv names this node as the resolver for everything" },
		{ "file", "/etc/resolv.conf names this node as the resolver for everything" },
		{ "off", "nothing is changed, as node.resolver says" },
		{ "none", "the system does not ask this node" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways) - 1; i++)
		if (strcmp(ways[i].way, text(state, "way")) == 0)
			break;
	fprintf(out, "%-12s %s: %s\n", "way", ways[i].way, ways[i].text);
	fprintf(out, "%-12s node.resolver=%s %s\n", "why", text(state, "wish"), text(state, "chain"));
	if (*text(state, "trouble"))
		fprintf(out, "%-12s %s\n", "trouble", text(state, "trouble"));
	fprintf(out, "%-12s ", "listens at");
	show_list(out, json_object_get(state, "listen"));
	fprintf(out, "%-12s %s%s", "overlay", *text(state, "domain") ? text(state, "domain") : "-",
		json_array_size(json_object_get(state, "ranges")) ? ", " : "\n");
	if (json_array_size(json_object_get(state, "ranges")))
		show_list(out, json_object_get(state, "ranges"));
	fprintf(out, "%-12s ", "before");
	show_list(out, json_object_get(state, "before"));
	fprintf(out, "%-12s ", "other names");
	show_list(out, json_object_get(state, "upstream"));
}

static void show_query(FILE *out, json_t *query)
{
	json_t *record;
	size_t i;

	if (strcmp(text(query, "who"), "nobody") == 0)
		fprintf(out, "\n%s: nobody answers\n", text(query, "name"));
	else
		fprintf(out, "\n%s: answered by the %s at %s, %s\n", text(query, "name"),
			strcmp(text(query, "who"), "overlay") == 0 ? "overlay" : "upstream server",
			text(query, "server"), text(query, "code"));
	json_array_foreach(json_object_get(query, "answers"), i, record)
		fprintf(out, "  %-6s %s\n", text(record, "type"), text(record, "data"));
}

static int answer_name(json_t *state, const char *name)
{
	struct question q;
	json_t *query;

	if (!make_question(&q, state, name)) {
		cy_log(LOG_ERROR_, "'%.80s' is neither a domain name nor an IP address", name);
		return 1;
	}
	query = ask_name(state, &q);
	json_object_set_new(state, "query", query);
	return strcmp(text(query, "who"), "nobody") == 0;
}

int ask_dns(const struct ask *a, const char *name)
{
	json_t *question = json_pack("{s:s}", "cmd", "dns");
	json_t *state = ask_agent(a, question);
	int status = state ? 0 : 1;

	json_decref(question);
	if (*text(state, "error")) {
		cy_log(LOG_ERROR_, "the node does not say: %s", text(state, "error"));
		json_decref(state);
		return 1;
	}
	if (state && name)
		status = answer_name(state, name);
	if (state && a->json) {
		ask_print(a->out, "cyphonic.dns.v1", state);
	} else if (state && (!name || json_object_get(state, "query"))) {
		show_state(a->out, state);
		if (name)
			show_query(a->out, json_object_get(state, "query"));
	}
	json_decref(state);
	return status;
}

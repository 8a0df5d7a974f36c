/* survey_who.c - addresses, with or without a port, and host names, which get a second. */
#include "net/io/survey_who.h"
#include "net/io/udp.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

#define STUN_PORT 3478
#define NAME_SECONDS 1

static bool add(struct netcheck_plan *plan, const struct addr *a)
{
	unsigned i;

	for (i = 0; i < plan->servers; i++)
		if (addr_equal(&plan->server[i], a))
			return true;
	if (plan->servers == NETCHECK_SERVERS)
		return false;
	plan->server[plan->servers++] = *a;
	return true;
}

/* "host", "host:port", "[v6]", "[v6]:port", "v6"; false when it is none of these. */
static bool split(const char *word, char host[NAME_SIZE], uint16_t *port)
{
	const char *end = strrchr(word, ':'), *from = word;
	size_t n = end ? (size_t)(end - word) : strlen(word);
	unsigned long number = STUN_PORT;
	char *rest;

	if (*word == '[') {
		from = word + 1;
		n = strcspn(from, "]");
		end = from[n] ? from + n + 1 : from;
		if (*end && *end != ':')
			return false;
		end = *end ? end : NULL;
	} else if (end && strchr(word, ':') != end) {
		end = NULL;		/* colons of an IPv6 address */
		n = strlen(word);
	}
	if (end) {
		number = strtoul(end + 1, &rest, 10);
		if (end[1] < '0' || end[1] > '9' || *rest || strlen(end + 1) > 5)
			return false;
	}
	if (!n || n >= NAME_SIZE || number < 1 || number > 65535)
		return false;
	memcpy(host, from, n);
	host[n] = '\0';
	*port = (uint16_t)number;
	return true;
}

/* What was found, at most the first of each family. */
static void add_found(struct netcheck_plan *plan, const struct addrinfo *found, uint16_t port)
{
	union sockaddr_any name;
	bool have[7] = { false };
	struct addr a;

	for (; found; found = found->ai_next) {
		memset(&name, 0, sizeof name);
		memcpy(&name, found->ai_addr, MIN(found->ai_addrlen, sizeof name));
		a = sockaddr_addr(&name);
		a.port = port;
		if (a.family && !have[a.family])
			have[a.family] = add(plan, &a);
	}
}

static int no_such_name(const char *name, const char *why)
{
	cy_log(LOG_ERROR_, "server %.60s: %s; an IP address needs no name to be resolved", name, why);
	return 1;
}

/*
 * Not getaddrinfo(): where the network is broken that takes as long as resolvers are patient.  A
 * request that is given up belongs to the C library until the process ends, soon.
 */
static int look_up(struct netcheck_plan *plan, const char *name, uint16_t port)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
	struct timespec patience = { .tv_sec = NAME_SECONDS };
	struct gaicb *g = calloc(1, sizeof *g);
	const struct gaicb *list[1] = { g };
	int e, status = 0;

	if (!g)
		return no_such_name(name, "out of memory");
	g->ar_name = strdup(name);
	g->ar_request = &hints;
	e = g->ar_name ? getaddrinfo_a(GAI_NOWAIT, (struct gaicb *[]){ g }, 1, NULL) : EAI_MEMORY;
	if (!e) {
		gai_suspend(list, 1, &patience);
		e = gai_error(g);
	}
	if (e == EAI_INPROGRESS)
		return no_such_name(name, "its name was not resolved within a second");
	if (e)
		status = no_such_name(name, gai_strerror(e));
	else
		add_found(plan, g->ar_result, port);
	if (g->ar_result)
		freeaddrinfo(g->ar_result);
	free((char *)(uintptr_t)g->ar_name);
	free(g);
	return status;
}

/* No top-level domain is a number: a mistyped address shall not be asked of resolvers. */
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;

	return last[strspn(last, "0123456789")] == '\0';
}

static int take_word(struct netcheck_plan *plan, const char *word)
{
	char host[NAME_SIZE], name[NAME_SIZE];
	struct addr a;
	uint16_t port;

	if (!split(word, host, &port)) {
		cy_log(LOG_ERROR_, "'%.60s' is no server: ADDRESS, ADDRESS:PORT, [IPV6]:PORT or a "
		       "host's name", word);
		return 2;
	}
	if (ip_parse(&a, host, port)) {
		add(plan, &a);
		return 0;
	}
	if (!name_canonical(name, host) || ends_in_number(name)) {
		cy_log(LOG_ERROR_, "'%.60s' is neither an IP address nor a host's name", host);
		return 2;
	}
	return look_up(plan, name, port);
}

/* port: instead of the list's, if not 0. */
static void take_list(struct netcheck_plan *plan, const struct address_list *list, uint16_t port)
{
	struct addr a;
	unsigned i;

	for (i = 0; i < list->n; i++) {
		a = list->a[i];
		a.port = port ? port : a.port;
		add(plan, &a);
	}
}

int survey_who(struct netcheck_plan *plan, const struct survey *s)
{
	const struct config *conf = s->conf;
	unsigned i;
	int status;

	for (i = 0; i < s->words; i++) {
		status = take_word(plan, s->word[i]);
		if (status)
			return status;
	}
	if (!plan->servers)
		take_list(plan, &conf->node_stun, 0);
	if (!plan->servers)
		take_list(plan, &conf->node_as, STUN_PORT);
	if (!plan->servers) {
		cy_log(LOG_ERROR_, "no server to ask: name a STUN server (cyphonic netcheck ADDRESS), or "
		       "set node.stun or node.as");
		return 2;
	}
	plan->as_n = MIN(conf->node_as.n, (unsigned)NETCHECK_AS);
	memcpy(plan->as, conf->node_as.a, plan->as_n * sizeof plan->as[0]);
	return 0;
}

/* node_status.c - what the user asks a node over its control socket: status and ping. */
#include "roles/node.h"
#include <stdio.h>

#define PING_WAIT (5 * SEC)

static json_t *text_of(const struct addr *a)
{
	char s[ADDR_TEXT];

	return json_string(addr_text(s, a));
}

static json_t *ip_of(uint8_t family, const uint8_t *ip)
{
	struct addr a = { .family = family };
	char s[ADDR_TEXT];

	memcpy(a.ip, ip, family == 4 ? 4 : 16);
	return json_string(ip_text(s, &a));
}

/* ---- status ---- */

static const char *via(const struct route *r)
{
	return r ? route_kind_name(r->kind) : "none";
}

struct adding {
	const struct node *node;
	json_t *paths;
};

static void add_path(void *arg, struct link *link)
{
	const struct path *p = LINK_OWNER(link, struct path, link);
	const struct tunnel *t = &p->tunnel;
	const struct adding *a = arg;
	struct why_answer why = why_of_path(a->node, t);
	char id[33];

	json_array_append_new(a->paths, json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:f}",
		"id", id_text(id, &p->link.id), "peer", t->setup.peer_fqdn,
		"state", tunnel_state_name(t->state), "via", via(route_used(t)),
		"why", why_name(why.code),
		"better", why.better < ROUTE_KINDS ? route_kind_name(why.better) : "none",
		"remote", text_of(&t->remote), "initiator", t->setup.initiator,
		"suite", (int)t->keys.suite, "generation", (int)t->keys.current,
		"rekeys", (json_int_t)t->rekeys,
		"packets_in", (json_int_t)t->packets_in, "packets_out", (json_int_t)t->packets_out,
		"octets_in", (json_int_t)t->octets_in, "octets_out", (json_int_t)t->octets_out,
		"rtt_ms", (double)t->rtt / MS));
}

static void add_peer(void *arg, struct link *link)
{
	const struct peer *p = LINK_OWNER(link, struct peer, by4);

	json_array_append_new(arg, json_pack("{s:s, s:o, s:o, s:s, s:s, s:i}",
		"name", p->fqdn, "ipv4", ip_of(4, p->ip4), "ipv6", ip_of(6, p->ip6),
		"state", peer_state_name(p->state), "reason", reason_name(p->reason),
		"held", (int)p->held_n));
}

static json_t *ways(const struct node *n, struct now now)
{
	json_t *a = json_array(), *o;
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct way *w = &n->registrar.way[i];

		if (!w->nms.family)
			continue;
		o = json_pack("{s:o, s:b, s:o, s:o, s:b}", "nms", text_of(&w->nms),
			      "registered", w->confirmed, "local", text_of(&w->local),
			      "mapped", text_of(&w->mapped), "napt", w->napt);
		napt_status(n, now, i, o);
		json_array_append_new(a, o);
	}
	return a;
}

static const char *state_of(const struct node *n)
{
	if (!n->known)
		return "logging in";
	if (!registrar_ready(&n->registrar))
		return "registering";
	return n->tun_up ? "ready" : "no tun";
}

static void count_up(void *arg, struct link *link)
{
	*(uint32_t *)arg += LINK_OWNER(link, struct peer, by4)->state == PEER_UP;
}

void status_summary(const void *self, struct summary *s)
{
	const struct node *n = self;

	if (!is_agent(n))
		return;
	table_each((struct table *)(uintptr_t)&n->peers4, count_up, &s->count);
	strcpy(s->of, "peers");
	snprintf(s->text, sizeof s->text, "%.*s%s%s", (int)sizeof s->text - 16, n->fqdn,
		 *n->fqdn ? " " : "", state_of(n));
}

/* Only the agent knows these. */
static void add_agent(const struct node *n, struct now now, json_t *o)
{
	const char *nms = registrar_trouble(&n->registrar);
	json_t *peers = json_array();

	table_each((struct table *)(uintptr_t)&n->peers4, add_peer, peers);
	json_object_set_new(o, "state", json_string(state_of(n)));
	json_object_set_new(o, "name", json_string(n->fqdn));
	json_object_set_new(o, "ipv4", ip_of(4, n->self.ip4));
	json_object_set_new(o, "ipv6", ip_of(6, n->self.ip6));
	json_object_set_new(o, "trouble", json_string(n->login.trouble[0] ? n->login.trouble :
						      *nms ? nms : n->tun_trouble));
	json_object_set_new(o, "key_expiry", json_integer((json_int_t)(n->key_expiry / 1000)));
	json_object_set_new(o, "certificate_expiry",
			    json_integer((json_int_t)(n->cert_expiry / 1000)));
	json_object_set_new(o, "refused", json_pack("{s:I, s:I}",
			    "certificates", (json_int_t)n->bad_peers,
			    "candidates", (json_int_t)n->bad_places));
	json_object_set_new(o, "ways", ways(n, now));
	json_object_set_new(o, "peers", peers);
}

/* Of all paths of this worker, those that ended too. */
static json_t *totals(const struct node *n)
{
	struct carried t = n->gone;

	table_each((struct table *)(uintptr_t)&n->paths, carried_add, &t);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}",
			 "packets_in", (json_int_t)t.packets_in, "packets_out", (json_int_t)t.packets_out,
			 "octets_in", (json_int_t)t.octets_in, "octets_out", (json_int_t)t.octets_out,
			 "rekeys", (json_int_t)t.rekeys);
}

static json_t *resolver(const struct node *n)
{
	const struct dns_counters *c = dns_counters(n->dns);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "queries", (json_int_t)c->queries,
			 "overlay", (json_int_t)c->overlay, "forwarded", (json_int_t)c->forwarded,
			 "answered", (json_int_t)c->answered, "refused", (json_int_t)c->refused, "malformed", (json_int_t)c->malformed,
			 "servfail", (json_int_t)c->servfail);
}

static json_t *node_status(const struct node *n, struct now now)
{
	json_t *o = json_object(), *paths = json_array();
	struct adding a = { n, paths };

	table_each((struct table *)(uintptr_t)&n->paths, add_path, &a);
	json_object_set_new(o, "status", control_status("node", &n->env, &n->verdicts, now, &n->cloud));
	json_object_set_new(o, "totals", totals(n));
	if (n->dns)
		json_object_set_new(o, "dns", resolver(n));
	json_object_set_new(o, "agent", json_boolean(is_agent(n)));
	if (is_agent(n))
		add_agent(n, now, o);
	json_object_set_new(o, "paths", paths);
	return o;
}

/* ---- ping ---- */

static void end_ping(struct node *n, struct ping *ping, json_t *answer, struct outbox *out)
{
	control_answer(&n->control, ping->handle, answer, out);
	timer_clear(&n->timers, &ping->alarm.timer);
	memset(ping, 0, sizeof *ping);
}

static void probe(struct node *n, struct now now, struct ping *ping, const struct peer *p,
		  struct outbox *out)
{
	struct node_note note = { .kind = NODE_PROBE, .path = p->path };

	ping->sent = true;
	node_tell(n, now, id_owner(&p->path, n->env.workers), &note, out);
}

bool status_full_name(const struct node *n, char out[NAME_SIZE], const char *name)
{
	char both[2 * NAME_SIZE];
	struct addr a;

	if (!n->known || ip_parse(&a, name, 0) || !name_canonical(out, name))
		return false;
	if (name_within(out, n->domain))
		return true;
	snprintf(both, sizeof both, "%s.%s", out, n->domain);
	return name_canonical(out, both);
}

static void start_ping(struct node *n, struct now now, uint32_t handle, json_t *request,
		       struct outbox *out)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	json_int_t wait = json_integer_value(json_object_get(request, "wait_ms"));
	struct ping *ping = NULL;
	struct peer *p;
	size_t i;

	for (i = 0; i < PINGS_MAX && !ping; i++)
		ping = n->ping[i].handle ? NULL : &n->ping[i];
	if (!is_agent(n) || !ping || !name || !status_full_name(n, ping->fqdn, name)) {
		control_error(&n->control, handle, !is_agent(n) ? "not the agent" :
			      !ping ? "too many pings at once" :
			      !n->known ? "this node is not logged in yet" :
			      NO_NAME_OF_OURS, out);
		return;
	}
	ping->handle = handle;
	node_alarm(n, &ping->alarm, ALARM_PING,
		   now.boot + (wait > 0 && wait <= 60000 ? (uint64_t)wait * MS : PING_WAIT));
	p = peers_by_name(n, ping->fqdn);
	if (strcmp(ping->fqdn, n->fqdn) == 0)
		status_failed(n, n->fqdn, REASON_ITSELF, out);
	else if (p && p->state == PEER_UP)
		probe(n, now, ping, p, out);
	else
		peers_want_name(n, now, ping->fqdn, out);
}

void status_peer_up(struct node *n, struct now now, const struct peer *p, struct outbox *out)
{
	size_t i;

	for (i = 0; i < PINGS_MAX; i++)
		if (n->ping[i].handle && strcmp(n->ping[i].fqdn, p->fqdn) == 0)
			probe(n, now, &n->ping[i], p, out);
	why_peer_up(n, now, p, out);
}

void status_failed(struct node *n, const char *fqdn, uint16_t reason, struct outbox *out)
{
	size_t i;

	for (i = 0; i < PINGS_MAX; i++)
		if (n->ping[i].handle && strcmp(n->ping[i].fqdn, fqdn) == 0)
			end_ping(n, &n->ping[i], json_pack("{s:s, s:s}", "error",
				 reason_text(reason), "reason", reason_name(reason)), out);
	why_failed(n, fqdn, reason, out);
}

void status_probed(struct node *n, struct now now, const struct peer *p,
		   const struct node_note *note, struct outbox *out)
{
	size_t i;

	for (i = 0; i < PINGS_MAX; i++)
		if (n->ping[i].sent && strcmp(n->ping[i].fqdn, p->fqdn) == 0)
			end_ping(n, &n->ping[i], json_pack("{s:s, s:o, s:s, s:o, s:f}",
				 "name", p->fqdn, "ip", ip_of(4, p->ip4), "via",
				 route_kind_name(note->route),
				 "remote", text_of(&note->from), "rtt_ms",
				 (double)note->rtt / MS), out);
}

void status_alarm(struct node *n, struct now now, struct ping *ping, struct outbox *out)
{
	struct peer *p = peers_by_name(n, ping->fqdn);
	const char *why = ping->sent ? "no answer through the tunnel" :
			  p && p->reason ? reason_text(p->reason) : "no path in time, or no such node";

	end_ping(n, ping, json_pack("{s:s}", "error", why), out);
}

void status_flow(struct node *n, struct now now, const struct flow_event *ev, struct outbox *out)
{
	json_t *request = control_flow(&n->control, ev, out);
	const char *cmd = json_string_value(json_object_get(request, "cmd"));

	if (!request)
		return;
	if (cmd && strcmp(cmd, "status") == 0)
		control_answer(&n->control, ev->handle, node_status(n, now), out);
	else if (cmd && strcmp(cmd, "dns") == 0 && is_agent(n))
		control_answer(&n->control, ev->handle, resolver_status(n), out);
	else if (cmd && strcmp(cmd, "dns") == 0)
		control_error(&n->control, ev->handle, "not the agent", out);
	else if (cmd && strcmp(cmd, "ping") == 0)
		start_ping(n, now, ev->handle, request, out);
	else if (cmd && strcmp(cmd, "why") == 0)
		why_asked(n, now, ev->handle, request, out);
	else
		control_error(&n->control, ev->handle, "unknown cmd", out);
	json_decref(request);
}

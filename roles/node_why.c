/*
 * node_why.c - why a path goes the way it goes, for the user: the agent knows the node and its
 * peers, the path's owner its ways.  The judgement itself is why.c's.
 */
#include "roles/node.h"

#define PATH_WAIT (5 * SEC)		/* for a path that has to be made first */
#define OWNER_WAIT (500 * MS)		/* for another worker's answer */

/* ---- what is so ---- */

/* How the NAPT in front of this node behaves, as far as that is known. */
static struct behaviour own_behaviour(const struct node *n, unsigned family)
{
	struct behaviour b = n->napt[family].found;

	/* the NMS sees at once whether there is one */
	if (!n->registrar.way[family].napt)
		b.mapping = MAPPING_NONE;
	else if (b.mapping == MAPPING_NONE)
		b.mapping = MAPPING_UNKNOWN;
	return b;
}

static void look_around(const struct node *n, struct why_here *here)
{
	unsigned i;

	memset(here, 0, sizeof *here);
	for (i = 0; i < 2; i++) {
		if (!n->registrar.way[i].confirmed)
			continue;
		here->families |= i ? 2 : 1;
		here->behaviour[i] = own_behaviour(n, i);
		here->mapped[i] = n->registrar.way[i].mapped;
	}
}

static enum why_self self_of(const struct node *n)
{
	if (!n->known && n->login.refused)
		return SELF_LOGIN_REFUSED;
	if (!n->known)
		return n->login.trouble[0] ? SELF_LOGIN_FAILED : SELF_LOGGING_IN;
	if (registrar_ready(&n->registrar))
		return SELF_READY;
	return registrar_silence(&n->registrar) ? SELF_NMS_SILENT : SELF_REGISTERING;
}

static struct path *path_of(const struct node *n, const struct id *id)
{
	struct link *l = table_get((struct table *)(uintptr_t)&n->paths, id);

	return LINK_OWNER(l, struct path, link);
}

struct why_answer why_of_path(const struct node *n, const struct tunnel *t)
{
	/* whether there is a TUN device is the agent's business */
	struct why_facts f = { .tun = true, .here = n->here };

	if (is_agent(n))
		look_around(n, &f.here);
	why_path(&f, t);
	return why_of(&f);
}

/* ---- between workers ---- */

void why_tell_here(struct node *n, struct now now, unsigned worker, struct outbox *out)
{
	struct node_note note = { .kind = NODE_HERE, .len = sizeof n->here,
				  .body = (uint8_t *)&n->here };

	node_tell(n, now, worker, &note, out);
}

void why_tick(struct node *n, struct now now, struct outbox *out)
{
	struct why_here here;
	unsigned w;

	look_around(n, &here);
	if (memcmp(&here, &n->here, sizeof here) == 0)
		return;
	n->here = here;
	for (w = 1; w < n->env.workers; w++)
		why_tell_here(n, now, w, out);
}

void why_explain(struct node *n, struct now now, const struct id *path, struct outbox *out)
{
	const struct path *p = path_of(n, path);
	struct why_facts f = { .path = false };
	struct node_note note = { .kind = NODE_EXPLAINED, .path = *path, .len = sizeof f,
				  .body = (uint8_t *)&f };

	if (p)
		why_path(&f, &p->tunnel);
	node_tell(n, now, 0, &note, out);
}

/* ---- the answer ---- */

static json_t *address(const struct addr *a)
{
	char s[ADDR_TEXT];

	return json_string(addr_text(s, a));
}

static void add_way_name(json_t *o, const char *key, const char *text_key, enum route_kind k)
{
	bool is = k < ROUTE_KINDS;

	json_object_set_new(o, key, json_string(is ? route_kind_name(k) : "none"));
	json_object_set_new(o, text_key, json_string(is ? why_way_text(k) : ""));
}

/* One end's families, with the NAPT or firewall in front of each. */
static json_t *end_of(uint8_t families, const struct behaviour b[2])
{
	json_t *a = json_array();
	unsigned i;

	for (i = 0; i < 2; i++)
		if (families & (i ? 2 : 1))
			json_array_append_new(a, json_pack("{s:i, s:s, s:s}", "family", i ? 6 : 4,
				"mapping", mapping_name(b[i].mapping),
				"filtering", filtering_name(b[i].filtering)));
	return a;
}

static json_t *ways_of(const struct why_facts *f)
{
	json_t *a = json_array();
	unsigned i;

	for (i = 0; i < f->n; i++) {
		const struct route *r = &f->route[i];

		json_array_append_new(a, json_pack("{s:s, s:o, s:s, s:b, s:b, s:f}",
			"kind", route_kind_name(r->kind), "address", address(&r->remote),
			"state", route_state_name(r->state), "used", (int)i == f->used,
			"found", r->found, "rtt_ms", (double)r->rtt / MS));
	}
	return a;
}

static const char *detail(const struct node *n, const struct why_facts *f, struct why_answer a)
{
	unsigned family = a.better == ROUTE_DIRECT6;

	switch (a.code) {
	case WHY_SYMMETRIC_AND_PORT_RESTRICTED:
		return f->here.behaviour[family].mapping > MAPPING_ENDPOINT_INDEPENDENT ?
		       "the NAPT that changes ports is this node's" :
		       "the NAPT that changes ports is the other node's";
	case WHY_LOGIN_FAILED:
	case WHY_LOGIN_REFUSED:
		return n->login.trouble;
	case WHY_NO_TUN:
		return n->tun_trouble;
	case WHY_NO_COMMON_FAMILY:
		return f->here.families & 2 ? "this node has IPv6" : "this node has IPv4";
	default:
		return "";
	}
}

static void add_path(json_t *o, const struct why_facts *f)
{
	char id[33];

	json_object_set_new(o, "state", json_string(tunnel_state_name(f->state)));
	json_object_set_new(o, "pattern", json_integer(f->pattern));
	json_object_set_new(o, "relay", json_string(id_is_zero(&f->relay) ? "" :
						    id_text(id, &f->relay)));
	json_object_set_new(o, "there", end_of(f->families, f->behaviour));
	json_object_set_new(o, "ways", ways_of(f));
}

static json_t *explanation(const struct node *n, const char *fqdn, struct why_facts *f)
{
	struct why_answer a;
	const struct route *used;
	json_t *o;

	f->self = self_of(n);
	f->tun = n->tun_up;
	look_around(n, &f->here);
	a = why_of(f);
	used = f->path && f->used >= 0 ? &f->route[f->used] : NULL;
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", fqdn, "code", why_name(a.code),
		      "text", why_text(a.code), "detail", detail(n, f, a), "help", why_help(a.code));
	add_way_name(o, "way", "way_text", used ? used->kind : ROUTE_KINDS);
	add_way_name(o, "better", "better_text", a.better);
	if (used)
		json_object_set_new(o, "remote", address(&used->remote));
	if (used && f->rtt)
		json_object_set_new(o, "rtt_ms", json_real((double)f->rtt / MS));
	json_object_set_new(o, "here", end_of(f->here.families, f->here.behaviour));
	if (f->path)
		add_path(o, f);
	return o;
}

static void end(struct node *n, struct inquiry *q, struct why_facts *f, struct outbox *out)
{
	control_answer(&n->control, q->handle, explanation(n, q->fqdn, f), out);
	timer_clear(&n->timers, &q->alarm.timer);
	memset(q, 0, sizeof *q);
}

/* ---- the question ---- */

static void ask_owner(struct node *n, struct now now, struct inquiry *q, const struct peer *p,
		      struct outbox *out)
{
	struct node_note note = { .kind = NODE_EXPLAIN, .path = p->path };

	q->sent = true;
	node_alarm(n, &q->alarm, ALARM_INQUIRY, now.boot + OWNER_WAIT);
	node_tell(n, now, id_owner(&p->path, n->env.workers), &note, out);
}

static struct inquiry *inquiry_new(struct node *n)
{
	size_t i;

	for (i = 0; i < INQUIRIES_MAX; i++)
		if (!n->inquiry[i].handle)
			return &n->inquiry[i];
	return NULL;
}

/* There is no path, for this reason or, 0, not yet. */
static void end_without(struct node *n, struct inquiry *q, uint16_t reason, struct outbox *out)
{
	const struct peer *p = peers_by_name(n, q->fqdn);
	struct why_facts f = { .reason = reason };

	f.directed = p && p->opened && p->opened >= p->sought;
	end(n, q, &f, out);
}

/* Asked for just now, and the NMS is not asked again so soon: that answer still holds. */
static bool is_answered(const struct peer *p)
{
	return p && p->state == PEER_IDLE && p->reason;
}

static void begin(struct node *n, struct now now, struct inquiry *q, json_int_t wait,
		  struct outbox *out)
{
	const struct peer *p = peers_by_name(n, q->fqdn);

	if (p && p->state == PEER_UP) {
		ask_owner(n, now, q, p, out);
	} else if (self_of(n) != SELF_READY) {
		end_without(n, q, 0, out);
	} else if (strcmp(q->fqdn, n->fqdn) == 0) {
		end_without(n, q, REASON_ITSELF, out);
	} else {
		node_alarm(n, &q->alarm, ALARM_INQUIRY,
			   now.boot + (wait > 0 && wait <= 60000 ? (uint64_t)wait * MS : PATH_WAIT));
		peers_want_name(n, now, q->fqdn, out);
		p = peers_by_name(n, q->fqdn);
		if (q->handle && is_answered(p))
			end_without(n, q, p->reason, out);
	}
}

void why_asked(struct node *n, struct now now, uint32_t handle, json_t *request,
	       struct outbox *out)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	struct inquiry *q = inquiry_new(n);

	if (!is_agent(n) || !q || !name ||
	    !(n->known ? status_full_name(n, q->fqdn, name) : name_canonical(q->fqdn, name))) {
		control_error(&n->control, handle, !is_agent(n) ? "not the agent" :
			      !q ? "too many such questions at once" : NO_NAME_OF_OURS, out);
		return;
	}
	q->handle = handle;
	begin(n, now, q, json_integer_value(json_object_get(request, "wait_ms")), out);
}

void why_peer_up(struct node *n, struct now now, const struct peer *p, struct outbox *out)
{
	size_t i;

	for (i = 0; i < INQUIRIES_MAX; i++)
		if (n->inquiry[i].handle && strcmp(n->inquiry[i].fqdn, p->fqdn) == 0)
			ask_owner(n, now, &n->inquiry[i], p, out);
}

void why_explained(struct node *n, const struct peer *p, const struct node_note *note,
		   struct outbox *out)
{
	struct why_facts f;
	size_t i;

	if (note->len != sizeof f)
		return;
	for (i = 0; i < INQUIRIES_MAX; i++)
		if (n->inquiry[i].sent && strcmp(n->inquiry[i].fqdn, p->fqdn) == 0) {
			memcpy(&f, note->body, sizeof f);
			end(n, &n->inquiry[i], &f, out);
		}
}

void why_failed(struct node *n, const char *fqdn, uint16_t reason, struct outbox *out)
{
	size_t i;

	for (i = 0; i < INQUIRIES_MAX; i++)
		if (n->inquiry[i].handle && strcmp(n->inquiry[i].fqdn, fqdn) == 0)
			end_without(n, &n->inquiry[i], reason, out);
}

void why_alarm(struct node *n, struct now now, struct inquiry *q, struct outbox *out)
{
	const struct peer *p = peers_by_name(n, q->fqdn);

	if (!q->sent && p && !id_is_zero(&p->path))
		ask_owner(n, now, q, p, out);
	else
		end_without(n, q, is_answered(p) ? p->reason : 0, out);
}

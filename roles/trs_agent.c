/*
 * trs_agent.c - worker 0's share of a relay: a TRS logs in at the AS and registers at the NMS
 * like a node, which is how it comes by a Common Key without the domain's store.  Then the NMS
 * asks it to relay paths, and hears how busy it is.
 */
#include "roles/trs.h"
#include "roles/as_notes.h"
#include "store/config.h"
#include "store/state.h"
#include <stdio.h>
#include <stdlib.h>

#define RELOGIN_EARLY 3		/* log in again when a third of the Common Key's life is left */
#define LOST_TRIES 3		/* exchanges in a row that the NMS did not answer: some 30 s */
#define LOST_AGAIN (60 * SEC)	/* between two logins for that; doubled */
#define LOST_DOUBLED 6u		/* so many times */
#define PREPARE_AGAIN (200 * MS)
#define MEND_AGAIN (60 * SEC)	/* a password file that cannot be read will be mended by somebody */
#define TOLD_NEAR 20000		/* us between two workers' cloud times */
#define CLOUD_FILE "trs-cloud-time"

/* ---- who we are ---- */

/* The AS is in this process: its helper made an account for us and left the password. */
static bool is_local(const struct config *c)
{
	return (c->roles & ROLE_AS) && !c->trs_account[0];
}

static void local_as(const struct config *c, struct login_wish *w)
{
	static const uint8_t any[16];
	struct addr *first = &w->as[0];

	w->as_n = 1;
	if (c->as_listen.n)
		*first = c->as_listen.a[0];
	else
		ip_parse(first, "0.0.0.0", 4501);
	if (memcmp(first->ip, any, sizeof any) == 0)
		ip_parse(first, first->family == 4 ? "127.0.0.1" : "::1", first->port);
	if (!c->as_listen.n)
		ip_parse(&w->as[w->as_n++], "::1", 4501);
}

/* Two lines: the password, and the root's fingerprint. */
static bool local_wish(struct trs *t, struct login_wish *w, char *err)
{
	struct trs_agent *a = t->agent;
	char text[256] = "", *root;
	bool good;
	long n = state_load(t->env.conf->state, AS_LOCAL_FILE, text, sizeof text - 1);

	root = n > 0 ? strchr(text, '\n') : NULL;
	snprintf(err, 256, "%.200s/%s is not there yet", t->env.conf->state, AS_LOCAL_FILE);
	if (root) {
		*root++ = '\0';
		root[strcspn(root, "\n")] = '\0';
		snprintf(a->password, sizeof a->password, "%s", text);
	}
	good = root && hex_parse(w->pin, sizeof w->pin, root);
	wipe(text, sizeof text);
	if (!good)
		return false;
	w->password = (struct bytes){ (const uint8_t *)a->password, strlen(a->password) };
	strcpy(a->account, AS_LOCAL_ACCOUNT);
	strcpy(a->device, AS_LOCAL_DEVICE);
	local_as(t->env.conf, w);
	return true;
}

static bool configured_wish(struct trs *t, struct login_wish *w, char *err)
{
	const struct config *c = t->env.conf;
	struct trs_agent *a = t->agent;

	if (!config_read_password(c->trs_password, a->password, sizeof a->password,
				  &w->password.n, err))
		return false;
	w->password.p = (const uint8_t *)a->password;
	hex_parse(w->pin, sizeof w->pin, c->trs_root);
	snprintf(a->account, sizeof a->account, "%s", c->trs_account);
	snprintf(a->device, sizeof a->device, "%s", c->trs_device);
	w->as_n = MIN(c->trs_as.n, (unsigned)ARRAY_SIZE(w->as));
	memcpy(w->as, c->trs_as.a, w->as_n * sizeof *w->as);
	return true;
}

/* Account, password and AS as they are now.  out: NULL before there was a login. */
static bool prepare(struct trs *t, struct outbox *out, char *err)
{
	struct trs_agent *a = t->agent;
	struct login_wish wish = { .kind = LOGIN_TRS, .account = a->account, .device = a->device };
	struct login fresh;
	bool good = is_local(t->env.conf) ? local_wish(t, &wish, err)
					  : configured_wish(t, &wish, err);

	if (!good || !login_init(&fresh, &wish, err))
		return false;
	if (out)
		login_stop(&a->login, out);
	login_free(&a->login);
	a->login = fresh;
	a->prepared = true;
	return true;
}

static uint64_t cloud_floor(const struct trs *t)
{
	uint8_t p[8];

	return state_load(t->env.conf->state, CLOUD_FILE, p, sizeof p) == 8 ? get64(p) : 0;
}

bool agent_open(struct trs *t, char *err)
{
	struct trs_agent *a = calloc(1, sizeof *a);

	if (a)
		a->load = calloc(t->env.workers, sizeof *a->load);
	if (!a || !a->load)
		abort();
	t->agent = a;
	a->login.next = NEVER;
	/* an AS that starts beside us cannot answer at once */
	a->relogin = t->env.start.boot + (is_local(t->env.conf) ? PREPARE_AGAIN : 0);
	a->report_at = NEVER;
	cloud_guess(&t->cloud, t->env.start, cloud_floor(t));
	return prepare(t, NULL, err) || is_local(t->env.conf);
}

void agent_close(struct trs *t)
{
	struct trs_agent *a = t->agent;

	if (!a)
		return;
	login_free(&a->login);
	registrar_free(&a->registrar);
	free(a->load);
	wipe(a, sizeof *a);
	free(a);
	t->agent = NULL;
}

void agent_leave(struct trs *t, struct now now, struct outbox *out)
{
	if (t->agent->registering)
		registrar_leave(&t->agent->registrar, now, out);
}

/* ---- login ---- */

static void tell_who(struct trs *t, struct now now, unsigned worker, struct outbox *out)
{
	struct trs_note note = { .kind = TRS_KNOW, .id = t->node_id, .scv = t->tokens.scv,
				 .offset = t->cloud.offset };

	trs_tell(t, now, worker, &note, out);
	wipe(&note, sizeof note);
}

static void tell_all(struct trs *t, struct now now, struct outbox *out)
{
	unsigned w;

	t->agent->told = t->cloud.offset;
	for (w = 1; w < t->env.workers; w++)
		tell_who(t, now, w, out);
}

static void start_registrar(struct trs *t, struct now now, const struct msg_login_response *r)
{
	struct trs_agent *a = t->agent;
	struct registrar_setup s;
	unsigned i;

	memset(&s, 0, sizeof s);
	s.node_id = r->node_id;
	s.common_key = a->key;
	memcpy(s.scv.b, r->secret_common_value, 16);
	s.keepalive = MAX(r->keepalive, 100u) * MS;
	for (i = 0; i < r->nms_n; i++)
		s.nms[s.nms_n++] = address_of(&r->nms[i]);
	registrar_start(&a->registrar, &s, &t->cloud, now);
	tokens_init(&t->tokens, &s.scv);
	a->registering = true;
	a->report_at = now.boot;
	exchange_end(&a->report);
	wipe(&s, sizeof s);
}

/* us; a time out of bounds must not make it log in without end. */
static uint64_t key_life(const struct msg_login_response *r)
{
	uint64_t ms = r->expiry - MIN(r->expiry, r->cloud_time), day = 86400 * SEC / MS;

	return MIN(MAX(ms, 60 * SEC / MS), 365 * day) * MS;
}

static void take_login(struct trs *t, struct now now, const struct msg_login_response *r,
		       struct outbox *out)
{
	struct trs_agent *a = t->agent;
	uint8_t floor[8];

	t->cloud.best_rtt = 0;
	cloud_follow(&t->cloud, now, now.boot - a->login.rtt, r->cloud_time);
	put64(floor, cloud_ms(&t->cloud, now));
	if (!state_save(t->env.conf->state, CLOUD_FILE, floor, sizeof floor))
		cy_log(LOG_WARN, "cloud time could not be saved in %s", t->env.conf->state);
	t->node_id = r->node_id;
	t->known = true;
	strcpy(a->fqdn, r->fqdn);
	memcpy(a->key.b, r->common_key, sizeof a->key.b);
	memcpy(a->net4, r->net4, sizeof a->net4);
	memcpy(a->net6, r->net6, sizeof a->net6);
	a->bits4 = r->bits4;
	a->bits6 = r->bits6;
	a->key_expiry = r->expiry;
	a->relogin = now.boot + key_life(r) / RELOGIN_EARLY * (RELOGIN_EARLY - 1);
	start_registrar(t, now, r);
	tell_all(t, now, out);
	cy_log(LOG_INFO, "logged in as %s", a->fqdn);
}

void agent_flow(struct trs *t, struct now now, const struct flow_event *ev, struct outbox *out)
{
	struct trs_agent *a = t->agent;
	struct msg_login_response *r = malloc(sizeof *r);

	if (!r)
		abort();
	if (ev->handle == LOGIN_HANDLE && login_flow(&a->login, now, ev, r, out)) {
		take_login(t, now, r, out);
		wipe(a->login.in, sizeof a->login.in);	/* where r's keys came from */
	}
	wipe(r, sizeof *r);
	free(r);
}

/* The password may be another by now. */
static void log_in(struct trs *t, struct now now, struct outbox *out)
{
	struct trs_agent *a = t->agent;
	char err[256];

	if (!prepare(t, out, err)) {
		if (!is_local(t->env.conf))
			cy_log(LOG_ERROR_, "%s", err);
		a->relogin = now.boot + (is_local(t->env.conf) ? PREPARE_AGAIN : MEND_AGAIN);
		return;
	}
	login_start(&a->login, now, (const uint8_t *)"", 0);	/* no certificate is asked for */
	a->relogin = NEVER;
}

void agent_reload(struct trs *t, struct now now)
{
	agent_report_now(t, now);
	if (t->agent->login.state != LOGIN_DONE)
		t->agent->relogin = now.boot;
}

/* As a node does: only the AS tells the time to whom the NMS does not hear. */
static void log_in_if_lost(struct trs *t, struct now now, struct outbox *out)
{
	struct trs_agent *a = t->agent;
	uint64_t left = a->key_expiry - MIN(a->key_expiry, cloud_ms(&t->cloud, now));
	uint64_t wait = LOST_AGAIN << MIN(a->lost, LOST_DOUBLED);

	if (registrar_ready(&a->registrar)) {
		if (a->lost && a->login.state != LOGIN_DONE && left) {
			login_stop(&a->login, out);
			a->relogin = now.boot + left * MS / RELOGIN_EARLY;
		}
		a->lost = 0;
	} else if (a->login.state == LOGIN_DONE && now.boot >= a->lost_again &&
		   registrar_silence(&a->registrar) >= LOST_TRIES) {
		cy_log(LOG_WARN, "the NMS is silent: logging in again for the right time");
		a->lost++;
		a->lost_again = now.boot + wait + random_u64() % wait;
		log_in(t, now, out);
	}
}

/* ---- what the NMS asks ---- */

/* The path's owner decides, and answers with the same Transaction ID. */
static enum verdict on_request(struct trs *t, struct now now, uint32_t transaction,
			       struct bytes body, struct outbox *out)
{
	struct trs_note note = { .kind = TRS_OPEN, .transaction = transaction,
				 .len = (uint32_t)body.n, .body = body.p };
	struct msg_relay_request m;

	if (msg_read_relay_request(&m, body.p, body.n) != (long)body.n)
		return V_DROP_BODY;
	trs_tell(t, now, id_owner(&m.path, t->env.workers), &note, out);
	wipe(&m, sizeof m);
	return V_ANSWERED;
}

static void answer_request(struct trs *t, struct now now, const struct trs_note *note,
			   struct outbox *out)
{
	struct msg_relay_response r = { .path = note->id, .result = note->reason };
	uint8_t body[MSG_SIZE_relay_response];

	if (t->agent->registering)
		registrar_send(&t->agent->registrar, now, note->transaction, TYPE_RELAY_RESPONSE, body,
			       msg_write_relay_response(body, sizeof body, &r), out);
}

static unsigned confirmed(const struct registrar *r)
{
	return r->way[0].confirmed + r->way[1].confirmed;
}

enum verdict agent_input(struct trs *t, struct now now, struct trs_packet *k, struct outbox *out)
{
	struct trs_agent *a = t->agent;
	struct bytes body = { NULL, 0 };
	unsigned ways;
	enum verdict v;

	if (!a->registering)
		return V_DROP_STRANGER;
	ways = confirmed(&a->registrar);
	v = registrar_input(&a->registrar, now, k->p, k->n, &k->h, &k->x, &k->from, &k->to, &body,
			    out);
	/* an NMS that was started anew does not know how things are here */
	if (confirmed(&a->registrar) > ways)
		agent_report_now(t, now);
	/* the registrar waits for no such ACK; we may */
	if ((v == V_PASSED || v == V_DROP_STATE) && exchange_is(&a->report, k->h.transaction)) {
		if (k->h.type == TYPE_KEEP_ALIVE_ACK)
			exchange_end(&a->report);
		return k->h.type == TYPE_KEEP_ALIVE_ACK || k->h.type == TYPE_REFUSAL ? V_ANSWERED
										      : V_DROP_TYPE;
	}
	if (v != V_PASSED)
		return v;
	switch (k->h.type) {
	case TYPE_RELAY_REQUEST:
		return on_request(t, now, k->h.transaction, body, out);
	case TYPE_PROBE_REQUEST:
		return vantage_probe(t, now, body, out);
	case TYPE_REFUSAL:
		return V_ANSWERED;
	}
	return V_DROP_TYPE;
}

/* ---- how busy it is ---- */

static struct trs_load all_load(const struct trs_agent *a, unsigned workers)
{
	struct trs_load sum = { 0, 0 };
	unsigned w;

	for (w = 0; w < workers; w++) {
		sum.octets += a->load[w].octets;
		sum.paths += a->load[w].paths;
	}
	return sum;
}

static uint64_t share(uint64_t n, uint64_t of)
{
	return of ? MIN(n * 1000 / of, 1000) : 0;
}

/* The larger of its shares of paths and of octets since it was measured before. */
static void measure(struct trs *t, struct now now, const struct trs_load *sum)
{
	const struct config *c = t->env.conf;
	struct trs_agent *a = t->agent;
	uint64_t us = now.boot - a->measured, octets = sum->octets - MIN(a->octets, sum->octets);

	if (us < SEC)
		return;
	a->busy = (uint16_t)MAX(share(sum->paths, c->trs_paths),
				share(octets * 8, c->trs_capacity * us));
	a->measured = now.boot;
	a->octets = sum->octets;
}

static void start_report(struct trs *t, struct now now)
{
	struct trs_agent *a = t->agent;
	const struct config *c = t->env.conf;
	struct trs_load sum;
	struct msg_relay_report m = { .draining = t->draining,
				      .other_port = (uint16_t)c->trs_stun_port };
	uint8_t body[MSG_SIZE_relay_report];

	a->load[0] = t->did;
	sum = all_load(a, t->env.workers);
	measure(t, now, &sum);
	m.load = a->busy;
	m.paths = sum.paths;
	memcpy(m.region, c->trs_region, MIN(strlen(c->trs_region), sizeof m.region));
	exchange_start(&a->report, now, random_u32(), TYPE_RELAY_REPORT, body,
		       msg_write_relay_report(body, sizeof body, &m));
	a->report_at = now.boot + a->registrar.keepalive;
}

static void tick_report(struct trs *t, struct now now, struct outbox *out)
{
	struct trs_agent *a = t->agent;

	if (!registrar_ready(&a->registrar))
		return;
	if (now.boot >= a->report_at)
		start_report(t, now);
	if (exchange_step(&a->report, now) == EXCHANGE_SEND)
		registrar_send(&a->registrar, now, a->report.transaction, a->report.type,
			       a->report.body, a->report.len, out);
}

void agent_report_now(struct trs *t, struct now now)
{
	t->agent->report_at = MIN(t->agent->report_at, now.boot);
}

/* ---- the other workers, and time ---- */

void agent_note(struct trs *t, struct now now, unsigned worker, const struct trs_note *note,
		struct outbox *out)
{
	if (note->kind == TRS_OPENED)
		answer_request(t, now, note, out);
	else if (note->kind == TRS_DID && worker < t->env.workers)
		t->agent->load[worker] = note->load;
	else if (note->kind == TRS_HELLO && t->known)
		tell_who(t, now, worker, out);
}

void agent_tick(struct trs *t, struct now now, struct outbox *out)
{
	struct trs_agent *a = t->agent;
	int64_t apart;

	if (now.boot >= a->relogin)
		log_in(t, now, out);
	if (a->prepared)
		login_tick(&a->login, now, cloud_ms(&t->cloud, now) / 1000, out);
	if (!a->registering)
		return;
	registrar_tick(&a->registrar, now, out);
	log_in_if_lost(t, now, out);
	tick_report(t, now, out);
	apart = t->cloud.offset - a->told;
	if (apart > TOLD_NEAR || apart < -TOLD_NEAR)
		tell_all(t, now, out);
}

uint64_t agent_expiry(const struct trs *t)
{
	const struct trs_agent *a = t->agent;
	uint64_t at = a->relogin;

	if (a->prepared)
		at = MIN(at, login_expiry(&a->login));
	if (!a->registering)
		return at;
	at = MIN(at, registrar_expiry(&a->registrar));
	return registrar_ready(&a->registrar) ? MIN(at, MIN(a->report_at,
							   exchange_expiry(&a->report))) : at;
}

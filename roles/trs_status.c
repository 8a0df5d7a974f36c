/*
 * trs_status.c - what the operator asks a relay: how it is, and to take no new paths, so that
 * it can be stopped when those it has are over.
 */
#include "roles/trs.h"
#include "store/config.h"
#include "store/state.h"
#include <errno.h>
#include <stdio.h>

#define DRAIN_FILE "trs-draining"

/* ---- draining: of this run of the daemon, whichever of its workers dies ---- */

bool trs_was_draining(const struct trs *t)
{
	char c = '0';

	if (t->env.restarted)
		return state_load(t->env.conf->state, DRAIN_FILE, &c, 1) == 1 && c == '1';
	if (t->env.worker == 0 && state_load(t->env.conf->state, DRAIN_FILE, &c, 1) == 1)
		state_save(t->env.conf->state, DRAIN_FILE, "0", 1);
	return false;
}

static void set_draining(struct trs *t, struct now now, bool draining)
{
	t->draining = draining;
	if (!is_agent(t))
		return;
	if (!state_save(t->env.conf->state, DRAIN_FILE, draining ? "1" : "0", 1))
		cy_log(LOG_WARN, "draining could not be noted in %s: %s; a worker that is restarted "
		       "forgets it", t->env.conf->state, strerror(errno));
	cy_log(LOG_INFO, draining ? "draining: no new paths are taken" : "new paths are taken again");
	agent_report_now(t, now);
}

/* ---- status ---- */

static const char *state_of(const struct trs *t)
{
	if (!t->known)
		return "logging in";
	if (!registrar_ready(&t->agent->registrar))
		return "registering";
	return t->draining ? "draining" : "ready";
}

static json_t *text_of(const struct addr *a)
{
	char s[ADDR_TEXT];

	return json_string(addr_text(s, a));
}

static json_t *ways(const struct trs_agent *a)
{
	json_t *list = json_array();
	unsigned i;

	for (i = 0; i < 2; i++) {
		const struct way *w = &a->registrar.way[i];

		if (w->nms.family)
			json_array_append_new(list, json_pack("{s:o, s:b, s:o, s:o, s:b}",
				"nms", text_of(&w->nms), "registered", w->confirmed,
				"local", text_of(&w->local), "mapped", text_of(&w->mapped),
				"napt", w->napt));
	}
	return list;
}

/* Only the agent knows these. */
static void add_agent(const struct trs *t, json_t *o)
{
	const struct trs_agent *a = t->agent;
	const char *trouble = a->login.trouble[0] ? a->login.trouble :
			      registrar_trouble(&a->registrar);

	if (!a->prepared)
		trouble = "waits for the AS's helper to make its account";
	json_object_set_new(o, "agent", json_true());
	json_object_set_new(o, "state", json_string(state_of(t)));
	json_object_set_new(o, "name", json_string(a->fqdn));
	json_object_set_new(o, "region", json_string(t->env.conf->trs_region));
	json_object_set_new(o, "load", json_real((double)a->busy / 1000));
	json_object_set_new(o, "trouble", json_string(trouble));
	json_object_set_new(o, "key_expiry", json_integer((json_int_t)(a->key_expiry / 1000)));
	json_object_set_new(o, "looks", json_integer((json_int_t)a->looks));
	json_object_set_new(o, "probes", json_integer((json_int_t)a->probes));
	json_object_set_new(o, "ways", ways(a));
}

static json_t *trs_status(const struct trs *t, struct now now)
{
	json_t *o = json_pack("{s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:b}", "status",
			      control_status("trs", &t->env, &t->verdicts, now, &t->cloud),
			      "paths", (int)t->paths.n, "bound", (int)t->bound,
			      "opened", (json_int_t)t->opened, "refused", (json_int_t)t->refused,
			      "ended", (json_int_t)t->ended,
			      "packets_relayed", (json_int_t)t->packets,
			      "octets_relayed", (json_int_t)t->did.octets, "draining", t->draining);

	if (is_agent(t))
		add_agent(t, o);
	return o;
}

void trs_control(struct trs *t, struct now now, const struct flow_event *ev, struct outbox *out)
{
	json_t *request = control_flow(&t->control, ev, out);
	const char *cmd;

	if (!request)
		return;
	cmd = json_string_value(json_object_get(request, "cmd"));
	if (cmd && (strcmp(cmd, "drain") == 0 || strcmp(cmd, "resume") == 0)) {
		set_draining(t, now, *cmd == 'd');
		control_answer(&t->control, ev->handle,
			       json_pack("{s:b, s:i}", "draining", t->draining,
					 "paths", (int)t->paths.n), out);
	} else {
		control_answer(&t->control, ev->handle, trs_status(t, now), out);
	}
	json_decref(request);
}

void trs_summary(const void *self, struct summary *s)
{
	const struct trs *t = self;

	strcpy(s->of, "paths");
	s->count = t->paths.n;
	if (is_agent(t))
		strcpy(s->text, state_of(t));
}

/* control.c - requests on the control socket, and what every status has in common. */
#include "roles/control.h"
#include <stdlib.h>

static struct control_client *client_of(struct control *c, uint32_t handle)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c->client); i++)
		if (c->client[i].handle == handle)
			return &c->client[i];
	return NULL;
}

static json_t *take(struct control *c, struct control_client *who, struct bytes data,
		    struct outbox *out)
{
	size_t n = MIN(data.n, sizeof who->line - 1 - who->n);
	char *end;
	json_t *request;

	memcpy(who->line + who->n, data.p, n);
	who->n += n;
	who->line[who->n] = '\0';
	end = strchr(who->line, '\n');
	if (!end) {
		if (who->n == sizeof who->line - 1)
			control_error(c, who->handle, "request line too long", out);
		return NULL;
	}
	*end = '\0';
	request = json_loads(who->line, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(request)) {
		json_decref(request);
		control_error(c, who->handle, "request is not a JSON object", out);
		return NULL;
	}
	return request;
}

json_t *control_flow(struct control *c, const struct flow_event *ev, struct outbox *out)
{
	struct control_client *who = client_of(c, ev->what == FLOW_OPENED ? 0 : ev->handle);

	if (!who) {
		out_close(out, ev->handle);
		return NULL;
	}
	switch (ev->what) {
	case FLOW_OPENED:
		memset(who, 0, sizeof *who);
		who->handle = ev->handle;
		break;
	case FLOW_DATA:
		return take(c, who, ev->data, out);
	case FLOW_CLOSED:
		who->handle = 0;
		break;
	}
	return NULL;
}

void control_answer(struct control *c, uint32_t handle, json_t *answer, struct outbox *out)
{
	struct control_client *who = client_of(c, handle);
	char *text = json_dumps(answer, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0, at, piece;

	for (at = 0; who && at < n; at += piece) {
		piece = MIN(n - at, (size_t)32768);
		out_stream(out, handle, text + at, piece);
	}
	if (who) {
		out_stream(out, handle, "\n", 1);
		out_close(out, handle);
		who->handle = 0;
	}
	free(text);
	json_decref(answer);
}

void control_error(struct control *c, uint32_t handle, const char *text, struct outbox *out)
{
	control_answer(c, handle, json_pack("{s:s}", "error", text), out);
}

json_t *control_verdicts(const struct verdicts *v)
{
	json_t *o = json_object();
	enum verdict i;

	for (i = 0; i < V_COUNT; i++)
		if (v->count[i])
			json_object_set_new(o, verdict_name(i), json_integer((json_int_t)v->count[i]));
	return o;
}

static json_t *losses(const struct role_env *env)
{
	uint64_t n[IO_LOSSES] = { 0 };

	if (env->losses)
		env->losses(env->io, n);
	return json_pack("{s:I, s:I, s:I, s:I}", "datagram", (json_int_t)n[LOST_DATAGRAM],
			 "packet", (json_int_t)n[LOST_PACKET], "note", (json_int_t)n[LOST_NOTE],
			 "request", (json_int_t)n[LOST_REQUEST]);
}

static json_t *clocks(const struct role_env *env, struct now now, const struct cloud *cloud)
{
	uint64_t ms = cloud_ms(cloud, now);

	return json_pack("{s:I, s:I, s:I, s:I}", "started", (json_int_t)(env->start.wall / SEC),
			 "uptime", (json_int_t)((now.boot - env->start.boot) / SEC),
			 "cloud_ms", (json_int_t)ms,
			 "difference_ms", (json_int_t)ms - (json_int_t)(now.wall / MS));
}

json_t *control_status(const char *role, const struct role_env *env, const struct verdicts *v,
		       struct now now, const struct cloud *cloud)
{
	return json_pack("{s:s, s:i, s:i, s:s, s:o, s:o, s:o}", "role", role,
			 "worker", (int)env->worker, "workers", (int)env->workers,
			 "version", CYPHONIC_VERSION, "time", clocks(env, now, cloud),
			 "lost", losses(env), "verdicts", control_verdicts(v));
}

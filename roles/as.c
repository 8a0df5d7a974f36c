/*
 * as.c - the authentication service, as a worker sees it: TLS in, one Login Request, one Login
 * Response, closed.  Hashing and signing are the helper's (as_helper.c); CA key and
 * password hashes never come here.
 *
 *   node                      AS worker                    helper
 *    |--- TLS 1.3 handshake --->|                             |
 *    |--- Login Request ------->|---- AS_LOGIN -------------->|  scrypt, certificate,
 *    |                          |                             |  Common Key, commit
 *    |<-- Login Response -------|<--- answer ------------------|
 */
#include "crypto/tls.h"
#include "net/proto/login.h"
#include "net/proto/table.h"
#include "net/proto/timers.h"
#include "roles/as_notes.h"
#include "roles/control.h"
#include "roles/lead.h"
#include "store/config.h"
#include <stdio.h>
#include <stdlib.h>

#define CONNECTIONS_MAX 1024		/* at once, per worker */
#define CONNECTION_LIFE (15 * SEC)	/* from accept to the end */
#define CREDENTIALS_AGAIN (1 * SEC)
#define ASKED_MAX 64			/* at the helper at once, of all workers: its work of seconds */

/* One client. */
struct client {
	struct link link;		/* by handle */
	struct timer timer;
	uint32_t handle;
	struct tls *tls;
	bool asked;			/* its request is at the helper */
	bool left;			/* and nobody waits for the answer */
	size_t got;
	uint8_t in[4096];
};

struct as {
	struct role_env env;
	struct verdicts verdicts;
	struct cloud cloud;
	struct control control;
	struct timers timers;
	struct table clients;		/* struct client by handle */
	struct timer ask, lead;
	struct tls_context *tls;	/* NULL until the helper gave the credentials */
	uint64_t run;			/* see as_notes.h */
	unsigned asked;			/* logins at the helper */
	uint64_t logins, refused, failed;
};

static struct id handle_id(uint32_t handle)
{
	struct id id = { { 0 } };

	put32(id.b, handle);
	return id;
}

static struct client *client_of(struct as *as, uint32_t handle)
{
	struct id id = handle_id(handle);

	return LINK_OWNER(table_get(&as->clients, &id), struct client, link);
}

static void client_free(struct as *as, struct client *c)
{
	as->asked -= c->asked;
	table_remove(&as->clients, &c->link);
	timer_clear(&as->timers, &c->timer);
	tls_free(c->tls);
	wipe(c, sizeof *c);
	free(c);
}

static void client_end(struct as *as, struct client *c, struct outbox *out)
{
	out_close(out, c->handle);
	client_free(as, c);
}

static void give_up(struct as *as, struct client *c, struct outbox *out)
{
	if (c->left)
		client_free(as, c);
	else
		client_end(as, c, out);
}

static void push_out(struct client *c, struct outbox *out)
{
	uint8_t buf[4096];
	size_t n;

	while ((n = tls_take(c->tls, buf, sizeof buf)) > 0)
		out_stream(out, c->handle, buf, n);
}

static void ask_helper(struct as *as, struct now now, uint8_t op, uint32_t handle,
		       const uint8_t *body, size_t n, struct outbox *out)
{
	uint8_t buf[HELPER_MESSAGE_MAX];

	buf[0] = op;
	put32(buf + 1, handle);
	put64(buf + 5, as->run);
	put64(buf + AS_ANSWER_HEAD, cloud_ms(&as->cloud, now));
	if (n)
		memcpy(buf + AS_REQUEST_HEAD, body, n);
	out_helper(out, buf, AS_REQUEST_HEAD + n);
	wipe(buf, sizeof buf);
}

static void on_accept(struct as *as, struct now now, const struct flow_event *ev,
		      struct outbox *out)
{
	struct client *c;

	if (!as->tls || as->clients.n >= CONNECTIONS_MAX) {
		out_close(out, ev->handle);
		as->failed++;
		return;
	}
	c = calloc(1, sizeof *c);
	if (!c)
		abort();
	c->handle = ev->handle;
	c->link.id = handle_id(ev->handle);
	c->tls = tls_new(as->tls, cloud_ms(&as->cloud, now) / 1000);
	table_add(&as->clients, &c->link);
	timer_set(&as->timers, &c->timer, now.boot + CONNECTION_LIFE);
}

static void answer(struct as *as, struct client *c, const struct msg_login_response *r,
		   struct outbox *out)
{
	uint8_t buf[HEADER_SIZE + MSG_MAX_login_response];
	size_t n = msg_write_login_response(buf + HEADER_SIZE, sizeof buf - HEADER_SIZE, r);

	if (r->result)
		as->refused++;
	else
		as->logins++;
	login_frame(buf, HEADER_SIZE, TYPE_LOGIN_RESPONSE, &r->node_id, n);
	if (n && tls_write(c->tls, buf, HEADER_SIZE + n))
		tls_end(c->tls);
	push_out(c, out);
	wipe(buf, sizeof buf);
	client_end(as, c, out);
}

/* A whole request goes to the helper; anything that cannot become one ends the connection. */
static void on_request(struct as *as, struct now now, struct client *c, struct outbox *out)
{
	long whole = login_whole(c->in, c->got, sizeof c->in, TYPE_LOGIN_REQUEST);
	struct msg_login_response busy;

	if (whole < 0 || (whole == 0 && c->got == sizeof c->in)) {
		as->failed++;
		client_end(as, c, out);
	} else if (whole > 0 && as->asked >= MAX(ASKED_MAX / as->env.workers, 1u)) {
		/* one who is told so comes again; one who waits too long does too, for nothing */
		memset(&busy, 0, sizeof busy);
		busy.result = REASON_BUSY;
		answer(as, c, &busy, out);
	} else if (whole > 0) {
		c->asked = true;
		as->asked++;
		ask_helper(as, now, AS_LOGIN, c->handle, c->in + HEADER_SIZE,
			   (size_t)whole - HEADER_SIZE, out);
		wipe(c->in, sizeof c->in);
	}
}

static void on_data(struct as *as, struct now now, struct client *c, struct bytes data,
		    struct outbox *out)
{
	enum tls_state state = tls_feed(c->tls, data.p, data.n);
	char peer[160];
	size_t n;

	push_out(c, out);
	while (!c->asked && (n = tls_read(c->tls, c->in + c->got, sizeof c->in - c->got)) > 0)
		c->got += n;
	if (state == TLS_FAILED || (state == TLS_ENDED && !c->asked)) {
		snprintf(peer, sizeof peer, "%s", tls_error(c->tls));
		cy_log(LOG_DEBUG, "login connection ended: %s", peer);
		as->failed++;
		client_end(as, c, out);
	} else if (!c->asked && c->got) {
		on_request(as, now, c, out);
	}
}

static void as_flow(void *self, struct now now, const struct flow_event *ev, struct outbox *out)
{
	struct as *as = self;
	struct client *c = client_of(as, ev->handle);
	json_t *request;

	if (ev->port == PORT_CTL) {
		request = control_flow(&as->control, ev, out);
		if (!request)
			return;
		json_decref(request);
		control_answer(&as->control, ev->handle,
			       json_pack("{s:o, s:I, s:I, s:I, s:i, s:b}", "status",
					 control_status("as", &as->env, &as->verdicts, now, &as->cloud),
					 "logins", (json_int_t)as->logins,
					 "refused", (json_int_t)as->refused,
					 "failed", (json_int_t)as->failed,
					 "connections", (int)as->clients.n,
					 "ready", as->tls != NULL), out);
		return;
	}
	if (ev->what == FLOW_OPENED)
		on_accept(as, now, ev, out);
	else if (c && ev->what == FLOW_DATA)
		on_data(as, now, c, ev->data, out);
	else if (c && c->asked)
		c->left = true;		/* it counts until the helper is done with it */
	else if (c)
		client_free(as, c);
}

/* ---- the helper's answers ---- */

static bool take_der(struct bytes *in, struct bytes *der)
{
	if (in->n < 2 || in->n - 2 < get16(in->p))
		return false;
	der->p = in->p + 2;
	der->n = get16(in->p);
	in->p += 2 + der->n;
	in->n -= 2 + der->n;
	return true;
}

static void on_credentials(struct as *as, struct bytes body)
{
	struct identity who;
	struct bytes leaf, issuer, root;
	char err[256] = "the helper's answer is malformed";

	if (body.n < sizeof who)
		return;
	memcpy(&who, body.p, sizeof who);
	body.p += sizeof who;
	body.n -= sizeof who;
	tls_context_free(as->tls);
	as->tls = NULL;
	if (take_der(&body, &leaf) && take_der(&body, &issuer) && take_der(&body, &root))
		as->tls = tls_server(&who, leaf, issuer, root, err);
	wipe(&who, sizeof who);
	if (!as->tls)
		cy_log(LOG_ERROR_, "no TLS for the AS: %s", err);
}

static void on_login_answer(struct as *as, struct now now, struct client *c,
			    struct bytes body, struct outbox *out)
{
	struct msg_login_response r;

	if (c->left) {
		client_free(as, c);
	} else if (msg_read_login_response(&r, body.p, body.n) < 0) {
		client_end(as, c, out);
	} else {
		/* the helper may have taken seconds: the node sets its clock by this */
		if (!r.result)
			r.cloud_time = cloud_ms(&as->cloud, now);
		answer(as, c, &r, out);
	}
	wipe(&r, sizeof r);
}

static void as_note(void *self, struct now now, const struct note *note, struct outbox *out)
{
	struct as *as = self;
	struct bytes body = { note->data.p + AS_ANSWER_HEAD, note->data.n - AS_ANSWER_HEAD };
	struct client *c;

	if (note->from != NOTE_HELPER || note->data.n < AS_ANSWER_HEAD ||
	    get64(note->data.p + 5) != as->run)
		return;
	if (note->data.p[0] == AS_CREDENTIALS) {
		on_credentials(as, body);
		return;
	}
	c = client_of(as, get32(note->data.p + 1));
	if (c && c->asked)
		on_login_answer(as, now, c, body, out);
}

/* ---- time ---- */

static void as_tick(void *self, struct now now, struct outbox *out)
{
	struct as *as = self;
	struct timer *t;

	while ((t = timers_due(&as->timers, now.boot))) {
		if (t == &as->ask) {
			if (!as->tls) {
				ask_helper(as, now, AS_CREDENTIALS, 0, NULL, 0, out);
				timer_set(&as->timers, t, now.boot + CREDENTIALS_AGAIN);
			}
		} else if (t == &as->lead) {
			lead_tick(&as->cloud, &as->env, now);
			timer_set(&as->timers, t, now.boot + LEAD_EVERY);
		} else {
			as->failed++;
			give_up(as, TIMER_OWNER(t, struct client, timer), out);
		}
	}
}

static uint64_t as_expiry(const void *self)
{
	return timers_next(&((const struct as *)self)->timers);
}

static void *as_open(const struct role_env *env, char *err)
{
	struct as *as = calloc(1, sizeof *as);

	if (!as)
		abort();
	as->env = *env;
	as->run = random_u64();
	lead_open(&as->cloud, env);
	table_init(&as->clients);
	timer_set(&as->timers, &as->ask, env->start.boot);
	timer_set(&as->timers, &as->lead, env->start.boot + LEAD_EVERY);
	return as;
}

static void close_client(void *arg, struct link *link)
{
	client_free(arg, LINK_OWNER(link, struct client, link));
}

static void as_close(void *self)
{
	struct as *as = self;

	table_each(&as->clients, close_client, as);
	table_free(&as->clients);
	timers_free(&as->timers);
	tls_context_free(as->tls);
	free(as);
}

static const struct verdicts *as_verdicts(const void *self)
{
	return &((const struct as *)self)->verdicts;
}

static void as_summary(const void *self, struct summary *s)
{
	strcpy(s->text, ((const struct as *)self)->tls ? "ready" : "waits for its certificate");
}

const struct role role_as = {
	.name = "as",
	.text = "authentication service: logs devices in, gives them name, addresses and certificate",
	.needs = NEEDS_STORE | NEEDS_HELPER,
	.open = as_open,
	.close = as_close,
	.flow = as_flow,
	.note = as_note,
	.tick = as_tick,
	.expiry = as_expiry,
	.verdicts = as_verdicts,
	.summary = as_summary,
};

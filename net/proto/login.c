/* login.c - TLS to the AS, Login Request, Login Response. */
#include "net/proto/login.h"
#include "net/proto/ip.h"
#include <stdio.h>

#define RETRY_FIRST (500 * MS)
#define RETRY_LONGEST (30 * SEC)
#define RETRY_REFUSED (60 * SEC)	/* a refusal will not go away by itself soon */

size_t login_frame(uint8_t *out, size_t cap, uint8_t type, const struct id *id, size_t body_len)
{
	struct msg_header h = { .transaction = random_u32(), .version = PROTO_VERSION,
				.type = type, .length = (uint16_t)(HEADER_SIZE + body_len) };

	if (id)
		h.id = *id;
	return msg_write_header(out, cap, &h);
}

long login_whole(const uint8_t *p, size_t n, size_t most, uint8_t type)
{
	struct msg_header h;

	if (msg_read_header(&h, p, n) < 0)
		return 0;
	if (h.version != PROTO_VERSION || h.type != type || h.length < HEADER_SIZE ||
	    h.length > most || h.flags || h.count || h.next)
		return -1;
	return n < h.length ? 0 : h.length;
}

bool login_init(struct login *l, const struct login_wish *wish, char *err)
{
	memset(l, 0, sizeof *l);
	l->wish = *wish;
	l->next = NEVER;
	l->context = tls_client(wish->pin, err);
	return l->context != NULL;
}

void login_free(struct login *l)
{
	tls_free(l->tls);
	tls_context_free(l->context);
	wipe(l, sizeof *l);
}

void login_start(struct login *l, struct now now, const uint8_t *csr, size_t csr_len)
{
	l->csr_len = MIN(csr_len, sizeof l->csr);
	if (csr_len)	/* a relay asks for no certificate, and has none */
		memcpy(l->csr, csr, l->csr_len);
	l->tries = 0;
	l->state = LOGIN_IDLE;
	l->next = now.boot;
}

static void drop_connection(struct login *l)
{
	tls_free(l->tls);
	l->tls = NULL;
	l->got = 0;
	wipe(l->in, sizeof l->in);
}

void login_stop(struct login *l, struct outbox *out)
{
	out_close(out, LOGIN_HANDLE);
	drop_connection(l);
	l->state = LOGIN_DONE;
	l->next = NEVER;
	l->trouble[0] = '\0';
}

static void try_later(struct login *l, struct now now, uint64_t wait, const char *why)
{
	char as[ADDR_TEXT];

	snprintf(l->trouble, sizeof l->trouble, "%s", why);
	cy_log(LOG_WARN, "login at AS %s failed: %s; next try in %.1f s",
	       addr_text(as, &l->wish.as[l->tries % l->wish.as_n]), why, (double)wait / SEC);
	l->tries++;
	l->refused = false;
	l->state = LOGIN_IDLE;
	l->next = now.boot + wait;
}

static uint64_t longer_each_time(const struct login *l)
{
	return MIN(RETRY_FIRST << MIN(l->tries / l->wish.as_n, 6u), RETRY_LONGEST);
}

/* A full disk, say, is over some time: then nobody shall have to wait for long. */
static uint64_t wait_after(const struct login *l, uint16_t reason)
{
	if (reason == REASON_INTERNAL)
		return longer_each_time(l);
	return reason == REASON_BUSY ? RETRY_FIRST << 1 : RETRY_REFUSED;
}

static void fail(struct login *l, struct now now, const char *why, struct outbox *out)
{
	uint64_t wait = longer_each_time(l);

	/* all addresses in a row, then a pause */
	if ((l->tries + 1) % l->wish.as_n)
		wait = 0;
	out_close(out, LOGIN_HANDLE);
	try_later(l, now, wait, why);
	drop_connection(l);	/* last: `why` may be the connection's */
}

static void push_out(struct login *l, struct outbox *out)
{
	uint8_t buf[4096];
	size_t n;

	while ((n = tls_take(l->tls, buf, sizeof buf)) > 0)
		out_stream(out, LOGIN_HANDLE, buf, n);
}

static bool send_request(struct login *l, struct now now)
{
	struct msg_login_request m = {
		.auth = 1, .kind = l->wish.kind ? (uint8_t)l->wish.kind : LOGIN_NODE,
		.account = { (const uint8_t *)l->wish.account, strlen(l->wish.account) },
		.device = { (const uint8_t *)l->wish.device, strlen(l->wish.device) },
		.password = l->wish.password,
		.csr = { l->csr, l->csr_len },
	};
	uint8_t buf[4096];
	size_t n = msg_write_login_request(buf + HEADER_SIZE, sizeof buf - HEADER_SIZE, &m);
	bool good;

	login_frame(buf, HEADER_SIZE, TYPE_LOGIN_REQUEST, NULL, n);
	good = n > 0 && tls_write(l->tls, buf, HEADER_SIZE + n);
	wipe(buf, sizeof buf);
	return good;
}

static bool is_of_a_host(const struct msg_address *m)
{
	static const uint8_t none[16];

	return (m->family == 4 || m->family == 6) && m->port && memcmp(m->ip, none, sizeof none) &&
	       !ip_is_multicast(m->family, m->ip);
}

/* What an AS must not say, were it as trusted as it is; NULL: nothing of it. */
static const char *unusable(const struct login *l, const struct msg_login_response *r)
{
	static const uint8_t none[16];
	uint8_t hash[32];
	unsigned i;

	sha256(hash, r->root.p, r->root.n);
	if (memcmp(hash, l->wish.pin, sizeof hash) != 0)
		return "the root certificate in its answer is not the pinned one";
	if (!memcmp(r->common_key, none, 16) || !memcmp(r->secret_common_value, none, 16))
		return "its answer has no Common Key or no SecretCommonValue";
	if (r->expiry <= r->cloud_time)
		return "the Common Key in its answer is over already";
	if (r->bits4 > 32 || r->bits6 > 128)
		return "a virtual range in its answer has an impossible length";
	for (i = 0; i < r->nms_n; i++)
		if (!is_of_a_host(&r->nms[i]))
			return "an NMS address in its answer is no host's (as.nms there)";
	return r->nms_n ? NULL : "its answer names no NMS (as.nms there)";
}

/* True when a whole, well-formed answer stands in l->in. */
static bool take_answer(struct login *l, struct now now, struct msg_login_response *r,
			struct outbox *out)
{
	long whole = login_whole(l->in, l->got, sizeof l->in, TYPE_LOGIN_RESPONSE);
	const char *wrong;
	char why[160];

	if (whole == 0)
		return false;
	if (whole < 0 || msg_read_login_response(r, l->in + HEADER_SIZE,
						 (size_t)whole - HEADER_SIZE) !=
			 whole - HEADER_SIZE) {
		fail(l, now, "its answer does not follow the wire law", out);
		return false;
	}
	out_close(out, LOGIN_HANDLE);
	tls_free(l->tls);
	l->tls = NULL;
	l->got = 0;
	if (r->result) {
		snprintf(why, sizeof why, "refused: %s (%s)", reason_name(r->result),
			 reason_text(r->result));
		try_later(l, now, wait_after(l, r->result), why);
		l->refused = true;
		return false;
	}
	wrong = unusable(l, r);
	if (wrong) {
		try_later(l, now, RETRY_REFUSED, wrong);
		return false;
	}
	l->state = LOGIN_DONE;
	l->next = NEVER;
	l->tries = 0;
	l->trouble[0] = '\0';
	return true;
}

static bool on_data(struct login *l, struct now now, struct bytes data,
		    struct msg_login_response *r, struct outbox *out)
{
	enum tls_state before = tls_state(l->tls), after = tls_feed(l->tls, data.p, data.n);
	size_t n;

	/* the answer itself may wait for the AS's helper: its time is no measure of the way */
	if (!l->rtt)
		l->rtt = MAX(now.boot - l->opened, 1);
	push_out(l, out);
	if (after == TLS_FAILED) {
		fail(l, now, tls_error(l->tls), out);
		return false;
	}
	if (before == TLS_HANDSHAKE && after == TLS_OPEN) {
		if (!send_request(l, now)) {
			fail(l, now, "the request could not be written", out);
			return false;
		}
		push_out(l, out);
	}
	while ((n = tls_read(l->tls, l->in + l->got, sizeof l->in - l->got)) > 0)
		l->got += n;
	if (take_answer(l, now, r, out))
		return true;
	if (l->tls && tls_state(l->tls) == TLS_ENDED)
		fail(l, now, "it closed the connection without an answer", out);
	return false;
}

bool login_flow(struct login *l, struct now now, const struct flow_event *ev,
		struct msg_login_response *r, struct outbox *out)
{
	if (l->state != LOGIN_RUNNING || !l->tls)
		return false;
	switch (ev->what) {
	case FLOW_OPENED:
		l->opened = now.boot;
		l->rtt = 0;
		push_out(l, out);
		break;
	case FLOW_DATA:
		return on_data(l, now, ev->data, r, out);
	case FLOW_CLOSED:
		fail(l, now, "no connection, or it was closed before the answer "
		     "(does the AS run there, and is its port open?)", out);
		break;
	}
	return false;
}

void login_tick(struct login *l, struct now now, uint64_t cloud_s, struct outbox *out)
{
	if (now.boot < l->next)
		return;
	if (l->state == LOGIN_RUNNING) {
		fail(l, now, "no answer in time", out);
		return;
	}
	if (l->state == LOGIN_DONE)
		return;
	l->tls = tls_new(l->context, cloud_s);
	l->state = LOGIN_RUNNING;
	l->next = now.boot + LOGIN_TIMEOUT;
	out_connect(out, LOGIN_HANDLE, FLOW_TCP, &l->wish.as[l->tries % l->wish.as_n]);
}

uint64_t login_expiry(const struct login *l)
{
	return l->next;
}

/*
 * trs.c - libFuzzer entry: a relay that is logged in and registered.  What its NMS, the ends of
 * its paths and strangers say, sealed as it should be or not; control lines; the passing of time.
 * Nothing that came makes it send more octets than that to whoever sent it.
 */
#include "net/proto/wire.h"
#include "roles/trs.h"
#include "store/config.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

#define HOSTS 4
#define PATHS_MOST 3

static struct config conf;
static struct id trs_id;
static struct secret_common_value scv = { { 3 } };
static struct addr host[HOSTS], here[2];
static size_t came;			/* octets of the datagram under way, 0: none is */
static size_t answered;
static uint64_t challenge[HOSTS];	/* that each would be asked to bring back */

/* What an ACK wants brought back, by whoever it went to. */
static void read_ack(const struct trs *t, const struct out_item *item)
{
	struct msg_header h;
	struct msg_punch m;
	struct bytes body;
	struct session s;
	struct exts x;
	uint64_t stamp;
	unsigned i;

	if (gate_check(item->buf, item->len, &h, &x) != V_PASSED || h.type != TYPE_ACK ||
	    !relay_get(t, &h.id))
		return;
	fuzz_accept = false;
	session_relay(&s, &relay_get(t, &h.id)->key, &h.id, !h.flags, false);
	must(session_open(&s, FUZZ_WALL * 1000, item->buf, item->len, &h, &x, &body, &stamp) ==
	     V_PASSED);
	must(msg_read_punch(&m, body.p, body.n) == (long)body.n);
	session_free(&s);
	fuzz_accept = true;
	for (i = 0; i < HOSTS; i++)
		if (addr_equal(&host[i], &item->to))
			challenge[i] = m.challenge;
}

static void look(void *arg, const struct out_item *item)
{
	if (item->kind != OUT_DATAGRAM || !came)
		return;
	must(item->to.family == item->from.family || !item->from.family);
	answered += item->len;
	read_ack(arg, item);
}

static void start(void)
{
	config_defaults(&conf);
	snprintf(conf.state, sizeof conf.state, "%s", fuzz_dir());
	conf.roles = ROLE_TRS | ROLE_AS;
	conf.trs_paths = PATHS_MOST;
	conf.trs_path_rate = 1;
	memset(trs_id.b, 7, sizeof trs_id.b);
	ip_parse(&host[0], "192.0.2.1", 4501);
	ip_parse(&host[1], "198.51.100.1", 4503);
	ip_parse(&host[2], "198.51.100.2", 4503);
	ip_parse(&host[3], "2001:db8::3", 4503);
	ip_parse(&here[0], "192.0.2.2", 4502);
	ip_parse(&here[1], "2001:db8::2", 4502);
}

/* As after login and registration. */
static void become_known(struct trs *t, struct now now)
{
	struct registrar_setup setup = { .node_id = trs_id, .scv = scv, .keepalive = 15 * SEC,
					 .nms_n = 1, .nms = { host[0] } };
	struct trs_agent *a = t->agent;

	registrar_start(&a->registrar, &setup, &t->cloud, now);
	a->registrar.way[0].confirmed = a->registrar.way[0].registered = true;
	a->registrar.way[0].local = here[0];
	a->registering = t->known = true;
	a->relogin = NEVER;
	a->report_at = now.boot;
	t->node_id = trs_id;
	tokens_init(&t->tokens, &scv);
}

static uint64_t counted(const struct trs *t)
{
	uint64_t n = 0;
	unsigned i;

	for (i = 0; i < V_COUNT; i++)
		n += t->verdicts.count[i];
	return n;
}

static void datagram(struct trs *t, struct now now, uint8_t who, const struct fuzz_piece *d,
		     struct outbox *out)
{
	struct addr from = host[who % HOSTS];
	struct batch in = { .port = who & 8 ? PORT_STUN : PORT_MAIN, .from = from,
			    .to = here[from.family == 6], .buf = d->p, .len = (uint32_t)d->n,
			    .seg = (uint16_t)d->n };
	uint64_t before = counted(t), relayed = t->verdicts.count[V_RELAYED];

	out->flush(out);
	came = MAX(d->n, 1);
	answered = 0;
	role_trs.input(t, now, &in, out);
	must(counted(t) == before + 1);
	out->flush(out);
	/* two for one only when a node asks for the other port, or the NMS to probe (2 octets shorter) */
	must(answered <= 2 * (came + 2));
	must(t->verdicts.count[V_RELAYED] == relayed || answered == d->n);
	came = 0;
}

/* Sealed: type, flags, whose ID, transaction, then the body. */
static void cook(struct trs *t, struct now now, uint8_t who, struct fuzz_in *in,
		 struct outbox *out, uint32_t number)
{
	struct msg_header h = { .version = PROTO_VERSION };
	struct fuzz_piece d;
	uint8_t whose;

	h.type = fuzz_octet(in);
	h.flags = fuzz_octet(in);
	whose = fuzz_octet(in);
	h.transaction = fuzz_octet(in);
	memset(h.id.b, whose % 8, sizeof h.id.b);
	h.sequence = (uint32_t)(cloud_ms(&t->cloud, now) + number);
	h.token = tokens_at(&t->tokens, cloud_ms(&t->cloud, now));
	d = fuzz_framed(in, HEADER_SIZE, TAG_SIZE);
	h.length = (uint16_t)d.n;
	msg_write_header(d.p, HEADER_SIZE, &h);
	datagram(t, now, who & 7, &d, out);
	fuzz_drop(&d);
}

/*
 * A Hole Punching to path and end, with the challenge of the newest ACK that the relay sent to
 * this host brought back: then the address is bound.
 */
static void knock(struct trs *t, struct now now, uint8_t who, struct fuzz_in *in,
		  struct outbox *out, uint32_t number)
{
	struct msg_header h = { .version = PROTO_VERSION, .type = TYPE_HOLE_PUNCHING };
	struct msg_punch m = { .challenge = 5, .echo = challenge[who % HOSTS] };
	uint8_t what = fuzz_octet(in), p[HEADROOM + HEADER_SIZE + MSG_SIZE_punch + TAG_SIZE + TAILROOM];
	struct fuzz_piece d = { .p = p + HEADROOM, .n = HEADER_SIZE + MSG_SIZE_punch + TAG_SIZE };

	memset(p, 0, sizeof p);
	h.flags = what & 0x80;
	memset(h.id.b, what % 8, sizeof h.id.b);
	h.sequence = (uint32_t)(cloud_ms(&t->cloud, now) + number);
	h.token = tokens_at(&t->tokens, cloud_ms(&t->cloud, now));
	h.length = (uint16_t)d.n;
	msg_write_header(d.p, HEADER_SIZE, &h);
	msg_write_punch(d.p + HEADER_SIZE, MSG_SIZE_punch, &m);
	datagram(t, now, who & 7, &d, out);
}

static void control(struct trs *t, struct now now, struct fuzz_in *in, struct outbox *out)
{
	struct fuzz_piece d = fuzz_exact(in);
	struct flow_event ev = { .port = PORT_CTL, .handle = STREAM_ACCEPTED + 1,
				 .data = { d.p, d.n }, .what = FLOW_OPENED };

	role_trs.flow(t, now, &ev, out);
	ev.what = FLOW_DATA;
	role_trs.flow(t, now, &ev, out);
	ev.what = FLOW_CLOSED;
	role_trs.flow(t, now, &ev, out);
	fuzz_drop(&d);
}

static void step(struct trs *t, struct now *now, struct fuzz_in *in, struct outbox *out,
		 uint32_t number)
{
	uint8_t op = fuzz_octet(in);
	struct fuzz_piece d;
	uint64_t at;

	switch (op >> 4) {
	case 0:
		at = role_trs.expiry(t);
		at = MIN(MAX(now->boot, at), now->boot + 600 * SEC) - now->boot;
		now->boot += at;
		now->wall += at;
		role_trs.tick(t, *now, out);
		break;
	case 1:
		control(t, *now, in, out);
		break;
	case 2:
		d = fuzz_framed(in, 0, 0);
		datagram(t, *now, op, &d, out);
		fuzz_drop(&d);
		break;
	case 3:
	case 4:
		knock(t, *now, op, in, out, number);
		break;
	default:
		cook(t, *now, op, in, out, number);
		break;
	}
	out->flush(out);
	must(t->paths.n <= PATHS_MOST && t->bound <= t->paths.n);
	must(t->members.n <= 2 * PATHS_MOST);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_box *box = fuzz_outbox();
	struct now now = { 1000 * SEC, FUZZ_WALL * SEC };
	struct role_env env = { .conf = &conf, .workers = 1, .start = now };
	struct fuzz_in in = { p, n };
	char err[256] = "";
	uint32_t number = 1;
	struct trs *t;

	if (!conf.roles)
		start();
	random_seed(10);
	memset(challenge, 0, sizeof challenge);
	t = role_trs.open(&env, err);
	must(t);
	box->look = look;
	box->arg = t;
	become_known(t, now);
	fuzz_accept = true;
	while (in.n)
		step(t, &now, &in, &box->out, number++);
	fuzz_accept = false;
	box->look = NULL;
	role_trs.close(t);
	return 0;
}

/* The outbox: adding never fails, nothing is lost or touched until it was flushed. */
#include "net/proto/outbox.h"
#include "t/tap.h"

/* A loop that remembers what it was given. */
struct sink {
	unsigned items, flushes;
	uint64_t octets, sum;		/* sum: of every octet times its place in the stream */
	uint32_t last_handle;
	bool in_order, inside;
};

static void sink_flush(struct outbox *out)
{
	struct sink *s = out->owner;
	unsigned i;
	uint32_t k;

	for (i = 0; i < out->n; i++) {
		struct out_item *item = &out->item[i];

		s->in_order &= item->handle == s->last_handle + 1;
		s->last_handle = item->handle;
		s->inside &= item->len == 0 ||
			     (item->buf >= out->scratch + HEADROOM &&
			      item->buf + item->len + TAILROOM <= out->scratch + OUTBOX_SCRATCH);
		for (k = 0; k < item->len; k++)
			s->sum += item->buf[k] * (++s->octets);
	}
	s->items += out->n;
	s->flushes++;
	memset(out->scratch, 0xdd, OUTBOX_SCRATCH);
	out->n = 0;
	out->used = 0;
}

static void open_box(struct outbox *out, struct sink *s)
{
	memset(out, 0, sizeof *out);
	*s = (struct sink){ .in_order = true, .inside = true };
	out->scratch = malloc(OUTBOX_SCRATCH);
	out->flush = sink_flush;
	out->owner = s;
}

static void copies(void)
{
	static struct outbox out;
	struct addr to = { .family = 4, .ip = { 192, 0, 2, 1 }, .port = 4501 };
	struct addr from = { .family = 6, .ip = { 0x20, 1 }, .port = 4503 };
	char text[] = "hello";
	struct sink s;

	open_box(&out, &s);
	out_datagram(&out, PORT_DNS, &to, &from, text, 5);
	text[0] = 'J';
	ok(out.n == 1 && out.item[0].kind == OUT_DATAGRAM && out.item[0].len == 5 &&
	   !memcmp(out.item[0].buf, "hello", 5), "a datagram is copied when added");
	ok(out.item[0].port == PORT_DNS && addr_equal(&out.item[0].to, &to) &&
	   addr_equal(&out.item[0].from, &from), "it keeps port and both addresses");
	out_datagram(&out, PORT_MAIN, &to, NULL, text, 5);
	ok(out.item[1].from.family == 0 && out.item[1].seg == 0,
	   "without a local address any will do; a single datagram has no segment size");
	ok(out.item[1].buf - (out.item[0].buf + 5) >= HEADROOM + TAILROOM,
	   "head and tail room of neighbours do not overlap");
	out_connect(&out, 77, FLOW_UDP, &to);
	ok(out.item[2].kind == OUT_CONNECT && out.item[2].handle == 77 &&
	   out.item[2].proto == FLOW_UDP && addr_equal(&out.item[2].to, &to),
	   "connecting names handle, protocol and peer");
	out_close(&out, 77);
	ok(out.item[3].kind == OUT_CLOSE && out.item[3].handle == 77, "closing names the handle");
	out_stream(&out, 5, NULL, 0);
	ok(out.item[4].kind == OUT_STREAM && out.item[4].handle == 5 && out.item[4].len == 0,
	   "no octets are octets too");
	out_worker(&out, 3, "w", 1);
	out_helper(&out, "h", 1);
	out_master(&out, "m", 1);
	out_tun(&out, "t", 1);
	ok(out.item[5].kind == OUT_WORKER && out.item[5].handle == 3 && out.item[5].buf[0] == 'w' &&
	   out.item[6].kind == OUT_HELPER && out.item[7].kind == OUT_MASTER &&
	   out.item[8].kind == OUT_TUN && out.item[8].buf[0] == 't' && s.flushes == 0,
	   "worker, helper, master and TUN have forms of their own");
	free(out.scratch);
}

static void many_items(void)
{
	static struct outbox out;
	struct sink s;
	unsigned i;

	open_box(&out, &s);
	for (i = 1; i <= 10 * OUTBOX_ITEMS + 7; i++)
		out_close(&out, i);
	out.flush(&out);
	ok(s.items == 10 * OUTBOX_ITEMS + 7 && s.in_order, "a full outbox is flushed, in order");
	ok(s.flushes == 11, "and only when it is full");
	free(out.scratch);
}

/* Sizes chosen so that items and scratch run out in every combination. */
static void random_streams(void)
{
	static struct outbox out;
	static uint8_t buf[65536];
	uint64_t rng = 88172645463325252u, octets = 0, sum = 0;
	struct sink s;
	uint32_t i;

	open_box(&out, &s);
	for (i = 1; i <= 4000 * scale(); i++) {
		size_t n, k;

		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		n = i / 500 % 2 ? rng % 40 : rng % 16 ? rng % 2000 : rng % (sizeof buf + 1);
		for (k = 0; k < n; k++) {
			buf[k] = (uint8_t)(rng >> 32) + (uint8_t)k;
			sum += buf[k] * (++octets);
		}
		out_stream(&out, i, buf, n);
	}
	out.flush(&out);
	ok(s.items == i - 1 && s.in_order && s.octets == octets,
	   "no item and no octet is lost (%u flushes)", s.flushes);
	ok(s.sum == sum, "every octet is as it was when added");
	ok(s.inside, "every buffer has its head and tail room inside the scratch");
	free(out.scratch);
}

static void fill_space(struct outbox *out, size_t n)
{
	memset(out_space(out, n) - HEADROOM, 1, HEADROOM + n + TAILROOM);
}

/* The last buffer before the scratch is full ends at every place around its end. */
static void the_end(void)
{
	static struct outbox out;
	struct sink s;
	bool good = true;
	unsigned i, k;

	open_box(&out, &s);
	for (k = 0; k < 600; k++) {
		for (i = 0; i < 7; i++)
			fill_space(&out, 65536);
		fill_space(&out, OUTBOX_SCRATCH - out.used - 300 + k - HEADROOM - TAILROOM);
		good &= out.used <= OUTBOX_SCRATCH;
		out.flush(&out);
	}
	ok(good && s.flushes > 600,
	   "the scratch is used to its end and not beyond (%u flushes)", s.flushes);
	free(out.scratch);
}

int main(void)
{
	copies();
	many_items();
	random_streams();
	the_end();
	return done();
}

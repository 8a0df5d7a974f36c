/* 110-login.c - a computer logs in: once the right way, then every wrong one. */
#include "t/sim/lab.h"
#include "t/tap.h"
#include <sys/stat.h>

static void wrong_password(struct config *c)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof path, "%.200s/wrong", lab_scratch());
	f = fopen(path, "w");
	if (!f || chmod(path, 0600) || fputs("incorrect horse\n", f) < 0 || fclose(f))
		exit(99);
	strcpy(c->node_password, path);
}

/* Starts the computer with changed settings and sees that it does not get in for a minute. */
static void refused(struct lab *l, unsigned n, void (*change)(struct config *c), const char *what)
{
	struct computer *c = &l->computer[n];

	change(&c->node->conf);
	computer_start(c);
	world_run(l->world, 60 * SEC);
	ok(!c->tun_up && !computer_online(c), "%s", what);
	computer_stop(c);
}

static void unknown_account(struct config *c)
{
	strcpy(c->node_account, "mallory");
}

static void unknown_device(struct config *c)
{
	strcpy(c->node_device, "n999");
}

static void device_of_another(struct config *c)
{
	strcpy(c->node_device, "n100");
}

static void false_root(struct config *c)
{
	memset(c->node_root, 'a', 64);
}

static void nothing(struct config *c)
{
}

static void disable(struct lab *l, unsigned n)
{
	struct device d;

	if (device_by_id(l->store, &l->computer[n].node_id, &d) != STORE_OK)
		exit(99);
	d.disabled = 1;
	device_put(l->store, &d, false);
}

static void right_and_wrong(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 110, .computers = 102 });
	struct computer *a = &l->computer[0];
	struct device d;

	world_run(l->world, SEC);
	computer_start(a);
	ok(computer_wait_online(a, SEC), "a computer logs in, registers and gets its addresses");
	ok(device_by_id(l->store, &a->node_id, &d) == STORE_OK && d.cert_len && d.key_expiry,
	   "its certificate and Common Key are in the store");

	refused(l, 1, wrong_password, "a wrong password does not let in");
	refused(l, 2, unknown_account, "nor does an account that does not exist");
	refused(l, 3, unknown_device, "nor a device that does not exist");
	refused(l, 4, device_of_another, "nor another owner's device");
	refused(l, 5, false_root, "a computer believes no AS but the one of its pinned root");
	disable(l, 6);
	refused(l, 6, nothing, "a disabled device is not let in");
	ok(computer_online(a), "and the first is still there");
	lab_free(l);
}

static void as_is_away(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 111, .computers = 2 });
	struct computer *a = &l->computer[0];

	process_stop(l->as);
	computer_start(a);
	world_run(l->world, 10 * SEC);
	ok(!a->tun_up, "without an AS there is no login");
	process_start(l->as, (char[256]){ 0 });
	ok(computer_wait_online(a, 32 * SEC), "half a minute after the AS is back there is one");
	lab_free(l);
}

/* The helper is slow, and still everybody gets in: what waits shares a commit. */
static void many_at_once(unsigned workers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 112, .computers = 100,
						    .workers = workers });

	l->world->helper_delay = 300 * MS;
	ok(lab_start_all(l, 5 * SEC), "100 logins at once are served within 5 s by %u workers",
	   workers);
	diag("%.2f s", (double)l->world->time / SEC);
	lab_free(l);
}

/* ---- one bit of the stream turned over ---- */

#define FAREWELL 24		/* octets of a close_notify */

struct turn {
	unsigned piece, bit;		/* which of the stream's pieces, which bit of it */
	unsigned pieces, octets[64];	/* seen */
};

/* The piece still lies in the sender's outbox: it is changed there. */
static enum fate turn_bit(void *arg, const struct datagram *d)
{
	struct turn *t = arg;

	if (!d->stream || t->pieces == ARRAY_SIZE(t->octets))
		return PASS;
	if (t->pieces == t->piece && t->bit < 8 * d->len)
		((uint8_t *)(uintptr_t)d->p)[t->bit / 8] ^= (uint8_t)(1u << t->bit % 8);
	t->octets[t->pieces++] = d->len;
	return PASS;
}

static bool has_tun(void *arg)
{
	return ((struct computer *)arg)->tun_up;
}

/* When it had its addresses: us from its start; NEVER: not within 15 s, a timeout and a try. */
static uint64_t log_in(struct turn *t)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 113, .computers = 1 });
	uint64_t began, took;

	world_run(l->world, SEC);
	l->world->spy = turn_bit;
	l->world->spy_arg = t;
	began = l->world->time;
	computer_start(&l->computer[0]);
	took = world_until(l->world, 15 * SEC, has_tun, &l->computer[0]) ?
	       l->world->time - began : NEVER;
	lab_free(l);
	return took;
}

static void bits_turned(void)
{
	struct turn seen = { .piece = ~0u };
	uint64_t right = log_in(&seen);
	unsigned piece, bit, tried = 0, refused = 0, unread = 0, later = 0;

	for (piece = 0; piece < seen.pieces; piece++)
		for (bit = piece % 8; bit < 8 * seen.octets[piece]; bit += 8 * 11 + 3) {
			struct turn t = { .piece = piece, .bit = bit };
			uint64_t took = log_in(&t);

			tried++;
			refused += took > right + 10 * MS && took != NEVER;
			/* TLS reads neither its farewell nor the version on a hello's record */
			unread += took == right && (bit / 8 + FAREWELL >= seen.octets[piece] ||
						    bit / 8 == 1 || bit / 8 == 2);
			later += took == NEVER;
			if (took == NEVER)
				diag("piece %u of %u, bit %u of octet %u of %u: no login in 15 s",
				     piece, seen.pieces, bit % 8, bit / 8, seen.octets[piece]);
		}
	ok(refused + unread == tried && unread * 20 < tried && !later,
	   "a login with a bit turned over fails, and the next succeeds (%u of %u bits, %u that TLS "
	   "does not read)", refused, tried, unread);
}

int main(void)
{
	bits_turned();
	right_and_wrong();
	as_is_away();
	many_at_once(1);
	many_at_once(3);
	return done();
}

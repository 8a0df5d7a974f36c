/*
 * 180-restarts.c - services, workers, computers and whole machines stop and come back; what
 * stood goes on standing, what fell is made anew without anybody's help.
 */
#include "t/sim/peek.h"
#include "t/tap.h"

static struct lab *joined(uint64_t seed, unsigned computers, unsigned workers)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = seed, .computers = computers,
						    .workers = workers, .node_workers = workers });

	ok(lab_start_all(l, 10 * SEC) && computer_ping(&l->computer[0], &l->computer[1], 4, SEC),
	   "two of %u computers have met, %u workers everywhere", computers, workers);
	return l;
}

/* Pings every 100 ms both ways; the number of those that were not answered. */
static unsigned pings_lost(struct computer *a, struct computer *b, uint64_t us)
{
	struct world *w = a->lab->world;
	uint64_t end = w->time + us, sent = 0, replies = a->replies + b->replies;
	uint16_t n = 0;

	for (; w->time < end; sent += 2) {
		computer_ping_send(a, b->ip4, 4, ++n);
		computer_ping_send(b, a->ip6, 6, n);
		world_run(w, 100 * MS);
	}
	world_run(w, SEC);
	return (unsigned)(sent - (a->replies + b->replies - replies));
}

/* Seconds until a's ping to b is answered; 100 if it never is. */
static unsigned seconds_to_ping(struct computer *a, struct computer *b)
{
	unsigned s;

	for (s = 0; s < 100; s++)
		if (computer_ping(a, b, 4, SEC))
			break;
	return s;
}

static bool all_online(struct lab *l, uint64_t us)
{
	uint64_t end = l->world->time + us;
	unsigned i;

	for (i = 0; i < l->computers; i++)
		if (!computer_wait_online(&l->computer[i], end - MIN(end, l->world->time)))
			return false;
	return true;
}

static void cloud_outage(void)
{
	struct lab *l = joined(180, 3, 1);
	struct computer *c = l->computer;
	struct id path = peek_tunnel(&c[0], &c[1])->setup.path;
	unsigned s;

	cloud_stop(l);
	ok(pings_lost(&c[0], &c[1], 600 * SEC) == 0,
	   "ten minutes without AS and NMS: not one ping is lost");
	ok(peek_joined(&c[0], &c[1]) && id_equal(&peek_tunnel(&c[0], &c[1])->setup.path, &path),
	   "it is still the same tunnel");
	ok(peek_tunnel(&c[0], &c[1])->rekeys >= 4, "which rekeyed meanwhile (%" PRIu64 " times)",
	   peek_tunnel(&c[0], &c[1])->rekeys);
	cloud_start(l);
	s = seconds_to_ping(&c[2], &c[0]);
	ok(s <= 35, "%u s after the cloud came back a third computer meets the first", s);
	ok(pings_lost(&c[0], &c[1], 60 * SEC) == 0, "the first two notice nothing");
	lab_free(l);
}

static void services_restart(unsigned workers)
{
	struct lab *l = joined(181, 6, workers);
	struct computer *c = l->computer;
	unsigned i;

	process_stop(l->nms);
	world_run(l->world, 500 * MS);
	process_start(l->nms, (char[256]){ 0 });
	ok(computer_ping(&c[2], &c[3], 4, 2 * SEC),
	   "registrations survive the NMS's restart: two others meet at once");
	ok(pings_lost(&c[0], &c[1], 10 * SEC) == 0, "those who had met notice nothing");
	for (i = 0; i < workers; i++)
		worker_restart(l->nms, i);
	ok(computer_ping(&c[3], &c[4], 6, 2 * SEC), "nor does a restart of its workers matter");
	process_stop(l->as);
	process_start(l->as, (char[256]){ 0 });
	world_run(l->world, 120 * SEC);
	ok(all_online(l, SEC), "two minutes after the AS's restart too all are online");
	computer_stop(&c[5]);
	computer_start(&c[5]);
	ok(computer_wait_online(&c[5], 5 * SEC), "and it lets in");
	lab_free(l);
}

/* The NMS restarts at each millisecond of a meeting. */
static void in_the_middle(void)
{
	unsigned at, good = 0, n = 0;

	for (at = 0; at < 60; at += 3, n++) {
		struct lab *l = lab_new(&(struct lab_wish){ .seed = 182, .computers = 2,
							    .workers = 2 });
		struct computer *c = l->computer;

		lab_start_all(l, 10 * SEC);
		computer_ping_send(&c[0], c[1].ip4, 4, 1);
		world_run(l->world, at * MS);
		process_stop(l->nms);
		process_start(l->nms, (char[256]){ 0 });
		good += seconds_to_ping(&c[0], &c[1]) <= 12 && seconds_to_ping(&c[1], &c[0]) == 0;
		lab_free(l);
	}
	ok(good == n, "an NMS restarted in the middle of a meeting does not spoil it (%u of %u)", good,
	   n);
}

/* AS and its workers die while logins are under way. */
static void logins_cut(void)
{
	struct lab *l = lab_new(&(struct lab_wish){ .seed = 183, .computers = 50, .workers = 2 });
	unsigned i;

	for (i = 0; i < 50; i++)
		computer_start(&l->computer[i]);
	for (i = 0; i < 10; i++) {
		world_run(l->world, 15 * MS);
		worker_restart(l->as, i % 2);
	}
	ok(all_online(l, 20 * SEC), "fifty logins during ten crashes of AS workers all succeed");
	lab_free(l);
}

static void computer_restarts(unsigned workers)
{
	struct lab *l = joined(184, 2, workers);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	unsigned s;

	computer_stop(b);
	computer_start(b);
	ok(computer_wait_online(b, 5 * SEC), "a computer restarts and is online again");
	s = seconds_to_ping(b, a);
	ok(s <= 1, "it reaches its peer anew (%u s)", s);
	computer_stop(b);
	computer_start(b);
	s = seconds_to_ping(a, b);
	ok(s <= 12, "after another restart the peer finds out that its tunnel is dead (%u s)", s);
	world_run(l->world, 20 * SEC);
	ok(peek_joined(a, b), "one path is left");
	lab_free(l);
}

static void computer_leaves(void)
{
	struct lab *l = joined(187, 3, 2);
	struct computer *a = &l->computer[0], *b = &l->computer[1];

	computer_leave(b);
	world_run(l->world, 100 * MS);
	ok(peek_tunnels(a) == 0, "a computer that leaves in order closes its tunnels");
	ok(!computer_online(b), "and is offline at once");
	ok(!computer_ping(a, b, 4, 2 * SEC) && a->unreachable == 1,
	   "who pings it then is told that it is unreachable");
	computer_start(b);
	ok(computer_wait_online(b, 5 * SEC) && seconds_to_ping(a, b) <= 2,
	   "it comes back, and is reached again");
	lab_free(l);
}

static void workers_of_a_node(void)
{
	struct lab *l = joined(185, 2, 3);
	struct computer *a = &l->computer[0], *b = &l->computer[1];
	unsigned i, s, longest = 0;

	for (i = 0; i < 3; i++) {
		worker_restart(b->node, i);
		s = seconds_to_ping(a, b);
		longest = MAX(longest, s);
		s = seconds_to_ping(b, a);
		longest = MAX(longest, s);
	}
	ok(longest <= 12, "each of a node's workers dies: its peer finds it again (%u s)", longest);
	world_run(l->world, 60 * SEC);
	ok(peek_joined(a, b), "one path is left");
	ok(all_online(l, SEC), "both are online");
	lab_free(l);
}

/* The cloud's machine reboots: the boot clock starts again, live state is gone. */
static void cloud_reboots(int64_t wall_step, const char *what, unsigned most)
{
	struct lab *l = joined(186, 3, 1);
	struct computer *c = l->computer;
	unsigned s;

	world_run(l->world, 200 * SEC);
	cloud_stop(l);
	store_close(l->store);
	l->world->boot_id[0] ^= 1;
	l->cloud->boot_skew -= (int64_t)l->world->time;
	l->cloud->wall_skew += wall_step;
	l->store = store_open(l->conf.state, STORE_ALL, 0, 1, l->world->boot_id, (char[256]){ 0 });
	l->as->store = l->nms->store = l->store;
	world_run(l->world, 20 * SEC);
	cloud_start(l);
	s = seconds_to_ping(&c[2], &c[0]);
	ok(s <= most, "%s: others meet %u s later", what, s);
	ok(pings_lost(&c[0], &c[1], 60 * SEC) == 0, "%s: those who had met notice nothing", what);
	ok(all_online(l, most * SEC), "%s: all are online", what);
	lab_free(l);
}

int main(void)
{
	cloud_outage();
	services_restart(1);
	services_restart(3);
	in_the_middle();
	logins_cut();
	computer_restarts(1);
	computer_restarts(3);
	computer_leaves();
	workers_of_a_node();
	cloud_reboots(0, "the cloud's machine reboots", 35);
	cloud_reboots(3 * SEC, "it reboots with its clock 3 s on", 35);
	cloud_reboots(-3600 * (int64_t)SEC, "it reboots with its clock an hour back", 35);
	return done();
}

/*
 * 645-why.c - what a node says of the way a path goes: behind any two NAPTs, behind one, and when
 * nobody is there; whichever worker owns the path.
 */
#include "t/sim/boxes.h"
#include "t/sim/peek.h"
#include "t/tap.h"

/* The value of that key in the node's answer; "" when it has none. */
static const char *field(char out[64], const char *answer, const char *key)
{
	char start[64];
	const char *at, *end;

	*out = '\0';
	snprintf(start, sizeof start, "\"%s\":\"", key);
	at = strstr(answer, start);
	end = at ? strchr(at + strlen(start), '"') : NULL;
	if (end)
		snprintf(out, 64, "%.*s", (int)(end - at - (long)strlen(start)), at + strlen(start));
	return out;
}

/* "way code better" of one's path to the other. */
static const char *why(char out[200], struct computer *from, const struct computer *to)
{
	char request[NAME_SIZE + 64], way[64], code[64], better[64];
	const char *said;

	snprintf(request, sizeof request, "{\"cmd\": \"why\", \"name\": \"%s\"}\n", to->fqdn);
	said = computer_status(from, request);
	snprintf(out, 200, "%s %s %s", field(way, said, "way"), field(code, said, "code"),
		 field(better, said, "better"));
	return out;
}

static void gives(struct computer *from, const struct computer *to, const char *want,
		  const char *title)
{
	char got[200];

	if (!ok(strcmp(why(got, from, to), want) == 0, "%s: %s", title, want))
		diag("got %s", got);
}

static struct lab *lab_of(unsigned relays, unsigned workers)
{
	return lab_new(&(struct lab_wish){ .seed = 645, .computers = 2, .relays = relays,
					   .node_workers = workers, .line = { .delay = 20 * MS } });
}

/* Both find out how their NAPTs behave, ask for a path, and try all there is. */
static void settle(struct lab *l)
{
	char got[200];

	ok(lab_start_all(l, 10 * SEC), "both are online");
	world_run(l->world, 5 * SEC);
	why(got, &l->computer[0], &l->computer[1]);
	world_run(l->world, 5 * SEC);
}

static void cell(enum box_kind a, enum box_kind b)
{
	bool symmetric = a == SYMMETRIC && b == SYMMETRIC;
	bool halfway = (a == SYMMETRIC && b == PORT_RESTRICTED) ||
		       (b == SYMMETRIC && a == PORT_RESTRICTED);
	const char *want = symmetric ? "relay4 both_napts_symmetric direct4" :
			   halfway ? "relay4 symmetric_and_port_restricted direct4" :
				     "direct4 direct_ipv4 none";
	struct lab *l = lab_of(1, 1 + (a + b) % 3);
	struct computer *alice = &l->computer[0], *bob = &l->computer[1];
	char title[100];

	lab_behind(alice, lab_napt(l, a, "203.0.113.1", NULL), "192.168.1.2", NULL);
	lab_behind(bob, lab_napt(l, b, "203.0.113.2", NULL), "192.168.1.2", NULL);
	settle(l);
	snprintf(title, sizeof title, "%s here, %s there", box_kind_name(a), box_kind_name(b));
	gives(alice, bob, want, title);
	snprintf(title, sizeof title, "%s here, %s there", box_kind_name(b), box_kind_name(a));
	gives(bob, alice, want, title);
	lab_free(l);
}

static void one_napt(void)
{
	struct lab *l = lab_of(1, 2);
	struct computer *alice = &l->computer[0], *bob = &l->computer[1];
	struct box *box = lab_napt(l, SYMMETRIC, "203.0.113.1", NULL);

	lab_behind(alice, box, "192.168.1.2", NULL);
	lab_behind(bob, box, "192.168.1.3", NULL);
	settle(l);
	gives(alice, bob, "lan direct_lan none", "both behind one NAPT");
	lab_free(l);
}

static void nobody(void)
{
	struct lab *l = lab_of(0, 3);
	struct computer *alice = &l->computer[0], *bob = &l->computer[1];

	settle(l);
	gives(alice, bob, "direct6 direct_ipv6 none", "no NAPT at all");
	computer_stop(bob);
	world_run(l->world, 200 * SEC);
	gives(alice, bob, "none offline none", "the other is gone");
	cloud_stop(l);
	world_run(l->world, 60 * SEC);
	gives(alice, bob, "none nms_silent none", "so is the cloud");
	lab_free(l);
}

int main(void)
{
	unsigned a, b;

	for (a = 0; a < 4; a++)
		for (b = 0; b < 4; b++)
			cell(a, b);
	one_napt();
	nobody();
	return done();
}

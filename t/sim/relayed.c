/* relayed.c - what a story may look at inside a relay: where the ends of a path are bound. */
#include "roles/trs.h"
#include "t/sim/mallory.h"

bool relayed_ends(const struct lab *l, unsigned n, const struct id *path, struct addr end[2])
{
	const struct process *p = l->relay[n].trs;
	const struct trs *t = p->seat[id_owner(path, p->workers)].self;
	const struct trs_path *r = t ? relay_get(t, path) : NULL;

	memset(end, 0, 2 * sizeof *end);
	if (!r)
		return false;
	end[0] = r->end[0].at;
	end[1] = r->end[1].at;
	return true;
}

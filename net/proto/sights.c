/* sights.c - what several others saw of a node: the NAPT in front of it. */
#include "net/proto/sights.h"

static enum mapping mapping_of(const struct sights *s)
{
	bool differ = false, by_port = false, by_address = false;
	unsigned i, k;

	for (i = 0; i < s->n; i++)
		for (k = 0; k < i; k++) {
			const struct sight *a = &s->sight[i], *b = &s->sight[k];
			bool same = addr_equal(&a->seen, &b->seen);
			bool near = addr_same_ip(&a->from, &b->from);

			differ |= !same;
			by_port |= near && !same;
			by_address |= near && same;
		}
	if (differ)
		return by_address && !by_port ? MAPPING_ADDRESS_DEPENDENT : MAPPING_PORT_DEPENDENT;
	if (s->own)
		return MAPPING_NONE;
	if (s->n > 1)
		return MAPPING_ENDPOINT_INDEPENDENT;
	return s->before.mapping == MAPPING_NONE ? MAPPING_UNKNOWN : s->before.mapping;
}

/*
 * Who lets everybody in lets the other port in too.  Where only the unasked one came, the filter
 * is open from before: an earlier run of this node, or something else behind the same NAPT.
 */
static enum filtering filtering_of(const struct sights *s)
{
	if (s->elsewhere == ELSEWHERE_NONE)
		return FILTERING_PORT_DEPENDENT;
	if (s->unasked == UNASKED_FAR)
		return FILTERING_ENDPOINT_INDEPENDENT;
	if (s->unasked == UNASKED_NONE)
		return s->elsewhere == ELSEWHERE_CAME ? FILTERING_ADDRESS_DEPENDENT :
							s->before.filtering;
	if (s->before.filtering == FILTERING_ENDPOINT_INDEPENDENT)
		return FILTERING_ENDPOINT_INDEPENDENT;
	return s->elsewhere == ELSEWHERE_CAME || s->unasked == UNASKED_NEAR ?
	       FILTERING_ADDRESS_DEPENDENT : s->before.filtering;
}

struct behaviour sights_behaviour(const struct sights *s)
{
	struct behaviour b = { mapping_of(s), filtering_of(s) };

	/*
	 * Without a NAPT a filter is a stateful firewall, and those look at ports: where another
	 * port came in and no other address was there to try, there is none.
	 */
	if (b.mapping == MAPPING_NONE && b.filtering == FILTERING_ADDRESS_DEPENDENT &&
	    s->unasked != UNASKED_NONE)
		b.filtering = FILTERING_ENDPOINT_INDEPENDENT;
	return b;
}

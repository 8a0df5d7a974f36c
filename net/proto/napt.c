/* napt.c - how NAPTs behave, and which two let a hole be punched between them. */
#include "net/proto/napt.h"

const char *mapping_name(enum mapping m)
{
	static const char *const name[MAPPINGS] = {
		"unknown", "none", "endpoint-independent", "address-dependent",
		"address-and-port-dependent"
	};

	return name[m < MAPPINGS ? m : MAPPING_UNKNOWN];
}

const char *filtering_name(enum filtering f)
{
	static const char *const name[FILTERINGS] = {
		"unknown", "endpoint-independent", "address-dependent",
		"address-and-port-dependent"
	};

	return name[f < FILTERINGS ? f : FILTERING_UNKNOWN];
}

const char *behaviour_name(struct behaviour b)
{
	static const char *const cone[FILTERINGS] = {
		"cone", "full cone", "restricted cone", "port restricted cone"
	};

	if (b.mapping > MAPPING_ENDPOINT_INDEPENDENT)
		return "symmetric NAPT";
	if (b.mapping == MAPPING_ENDPOINT_INDEPENDENT)
		return cone[b.filtering < FILTERINGS ? b.filtering : FILTERING_UNKNOWN];
	if (b.mapping == MAPPING_UNKNOWN || b.filtering == FILTERING_UNKNOWN)
		return "unknown";
	return b.filtering == FILTERING_ENDPOINT_INDEPENDENT ? "open" : "firewall";
}

uint8_t behaviour_octet(struct behaviour b)
{
	return (uint8_t)(b.mapping << 4 | b.filtering);
}

struct behaviour behaviour_of(uint8_t octet)
{
	struct behaviour b = { octet >> 4, octet & 15 };

	if (b.mapping >= MAPPINGS)
		b.mapping = MAPPING_UNKNOWN;
	if (b.filtering >= FILTERINGS)
		b.filtering = FILTERING_UNKNOWN;
	return b;
}

/*
 * Does what `from` writes to the mapped address of `to` come in?  The filter has been opened for
 * the mapped address of `from` that others saw; a changing mapping has another port by then.
 */
static enum punchable gets_in(struct behaviour from, struct behaviour to)
{
	bool keeps = from.mapping == MAPPING_NONE || from.mapping == MAPPING_ENDPOINT_INDEPENDENT;

	/* nobody but the one it was made for knows the port of a changing mapping */
	if (to.mapping > MAPPING_ENDPOINT_INDEPENDENT)
		return PUNCH_NO;
	if (keeps || to.filtering == FILTERING_ENDPOINT_INDEPENDENT ||
	    to.filtering == FILTERING_ADDRESS_DEPENDENT)
		return to.mapping == MAPPING_UNKNOWN ? PUNCH_UNKNOWN : PUNCH_YES;
	if (to.filtering == FILTERING_UNKNOWN || from.mapping == MAPPING_UNKNOWN)
		return PUNCH_UNKNOWN;
	return PUNCH_NO;
}

enum punchable behaviour_punchable(struct behaviour a, struct behaviour b)
{
	enum punchable ab = gets_in(a, b), ba = gets_in(b, a);

	/* one direction is enough: the answer follows where the request came from */
	return ab < ba ? ab : ba;
}

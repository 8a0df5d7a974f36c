/*
 * napt.h - how a NAPT or firewall behaves, in the terms of RFC 4787 and RFC 5780: which mapping
 * it makes of one inner port, and whom it lets in by it.  The numbers are those of the wire.
 */
#ifndef NAPT_H
#define NAPT_H

#include <stdbool.h>
#include <stdint.h>

enum mapping {
	MAPPING_UNKNOWN,
	MAPPING_NONE,			/* the address is the host's own */
	MAPPING_ENDPOINT_INDEPENDENT,	/* one mapping, whoever is written to */
	MAPPING_ADDRESS_DEPENDENT,	/* one for each address */
	MAPPING_PORT_DEPENDENT,		/* one for each address and port: "symmetric" */
	MAPPINGS
};

enum filtering {
	FILTERING_UNKNOWN,
	FILTERING_ENDPOINT_INDEPENDENT,	/* anybody comes in: "full cone", or no firewall */
	FILTERING_ADDRESS_DEPENDENT,	/* whoever's address was written to: "restricted" */
	FILTERING_PORT_DEPENDENT,	/* whoever's address and port was: "port restricted" */
	FILTERINGS
};

struct behaviour {
	enum mapping mapping;
	enum filtering filtering;
};

/* "endpoint-independent" and so on; "unknown" also for numbers out of range. */
const char *mapping_name(enum mapping m);
const char *filtering_name(enum filtering f);

/* What people call it: "full cone", "symmetric NAPT", "open", "firewall"; "unknown". */
const char *behaviour_name(struct behaviour b);

/* In one octet of Route Direction: mapping in the upper 4 bits.  Numbers out of range are unknown. */
uint8_t behaviour_octet(struct behaviour b);
struct behaviour behaviour_of(uint8_t octet);

/*
 * Can two ends of one family, both behind such NAPTs, reach each other when both write to the
 * mapped address that a third saw?  The published table: one of them must keep its mapping, and
 * the other's changing one must not meet a filter by port.  What is unknown is hoped for.
 */
enum punchable { PUNCH_YES, PUNCH_UNKNOWN, PUNCH_NO };	/* the smaller the better */
enum punchable behaviour_punchable(struct behaviour a, struct behaviour b);

#endif

/*
 * priv.h (I/O side) - the master does what net/priv.h lists, for its own TUN device only.
 */
#ifndef IO_PRIV_H
#define IO_PRIV_H

#include "net/priv.h"

/*
 * Checks every field of q, then does it by netlink to the interface `tun` and fills a.
 * PRIV_TUN_UP refuses when another interface's address or route lies on the domain's ranges:
 * text names it and the remedy.  It may be repeated: the last call's addresses count.
 * max_mtu: the configured MTU of the device.  A kernel without IPv6 gets the IPv4 half.
 */
void priv_serve(const char *tun, uint16_t max_mtu, const struct priv_request *q,
		struct priv_answer *a);

struct prefix;
/*
 * Whether no other interface than `tun`, which need not exist, has addresses or routes on these
 * ranges, of family 4 and 6 (0: none).  Else text says who, and the remedy.
 */
bool priv_ranges_free(const char *tun, const struct prefix *v4, const struct prefix *v6, char *text,
		      size_t room);

/* What is wrong in a request to make something up, or NULL; for every kind. */
const char *priv_wrong(const struct priv_request *q, uint16_t max_mtu);

#endif

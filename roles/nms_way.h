/*
 * nms_way.h - which pattern joins two nodes, and what each is told of where the other is: from
 * their registrations alone.  Families are counted 0 (IPv4) and 1 (IPv6).
 *
 *   pattern 1   in one family neither end is behind a NAPT, or a firewall known as one
 *   pattern 2   one end is, or lets everybody in: the other end begins
 *   pattern 3   by a TRS, while direct ways are tried: the asker begins
 */
#ifndef NMS_WAY_H
#define NMS_WAY_H

#include "net/proto/napt.h"
#include "net/proto/route.h"
#include "net/proto/wire.h"
#include "store/config.h"
#include "store/store.h"

struct plan {
	uint8_t pattern;	/* 0: there is no way */
	bool other_begins;	/* the path's initiator is the end that was asked for */
};

/* relay_wanted: the direct way gave no answer; relay_there: a TRS is there for both. */
struct plan way_plan(const struct config *conf, const struct registration *asker,
		     const struct registration *other, bool relay_wanted, bool relay_there);
/*
 * Where `peer` may be reached by `to`, best first, into out; how many.  relay: the TRS's
 * addresses by family (family 0: none), NULL: without one.
 */
unsigned way_candidates(const struct config *conf, const struct registration *to,
			const struct registration *peer, const struct addr *relay,
			struct msg_address out[CANDIDATES]);
/* How its NAPT or firewall of that family behaves, as far as it does not contradict what we see. */
struct behaviour way_behaviour(const struct registration *r, unsigned family);
/* May this address be named to who is seen as `by`?  Loopback only to who is there too. */
bool way_is_place(const struct config *conf, const struct addr *a, const struct addr *by);

#endif

/*
 * vantage.h - a node finds out how the NAPT or firewall in front of it behaves, for one family:
 * the NMS has seen it from one place, a few TRS look at it from others.
 *
 *   Vantage Request    -->  NMS            over the family it is about
 *                 <--  Vantage Response    {TRS: address, key for this node alone}
 *                 <--  Hole Punching       of the first TRS, unasked: does it come in?
 *   Hole Punching      -->  every TRS      {challenge; the first answers from two ports}
 *                 <--  ACK                 {challenge, where it was seen}
 *   Vantage Report     -->  NMS            {mapping, filtering, how far each TRS is}
 *
 * Silence proves little where datagrams get lost: the unasked one is asked for twice before its
 * absence counts, Hole Punchings are sent three times, and what contradicts an earlier look is
 * looked at again.  A NAPT forgets whom it let in only after minutes; until then nothing that
 * comes from there is a surprise.
 */
#ifndef VANTAGE_H
#define VANTAGE_H

#include "net/proto/sights.h"
#include "net/proto/vantage_point.h"

#define VANTAGE_EVERY (300 * SEC)	/* between two looks, */
#define VANTAGE_SPREAD (30 * SEC)	/* and at most so much more: not all nodes at once */
#define VANTAGE_SOON (60 * SEC)		/* when a look told too little */
#define VANTAGE_LISTEN (600 * MS)	/* for the unasked one */
#define VANTAGE_ASKS 2			/* times that it is asked for */
#define VANTAGE_FORGET (240 * SEC)	/* NAPTs let nobody in any longer unless written to again */
#define VANTAGE_NOTICED (5 * SEC)	/* what a Keep Alive finds out is known so much later */
#define VANTAGE_SLACK (2 * SEC)		/* clocks of node and TRS differ less */
#define VANTAGE_POINTS 4
#define VANTAGE_DATAGRAM (MESSAGE_MIN + MSG_SIZE_punch)
#define VANTAGE_WROTE 8

enum vantage_phase {
	VANTAGE_REST,		/* until the next look; or the family's way is not confirmed */
	VANTAGE_ASK,		/* the NMS, for the TRS */
	VANTAGE_HEAR,		/* does an unasked Hole Punching come in? */
	VANTAGE_LOOK,		/* own ones are out */
	VANTAGE_REPORT,		/* to the NMS */
};

/* A TRS that answered the newest look. */
struct vantage_relay {
	struct id trs;
	struct addr addr;
	uint64_t rtt;			/* us */
};

struct vantage {
	struct registrar *registrar;
	unsigned family;		/* 0: IPv4, 1: IPv6, as the registrar's ways */
	enum vantage_phase phase;
	bool confirmed;			/* the way was, when it was looked at last */
	struct addr mapped;		/* what all of this is about */
	uint64_t next;			/* REST: boot time of the next look, NEVER */

	/* what was found; unknown again when the mapped address changes */
	struct behaviour found;
	uint64_t found_at;		/* boot time of the newest look that a TRS answered, 0: none */
	struct vantage_relay relay[VANTAGE_POINTS];
	unsigned relays;
	struct behaviour reported;	/* what the NMS knows */
	bool is_reported;

	/* the look under way */
	struct exchange exchange;	/* with the NMS */
	uint64_t asked;			/* cloud ms of its beginning */
	unsigned asks;
	bool again;			/* it contradicted the one before: second try */
	uint64_t until;			/* HEAR */
	struct vantage_point point[VANTAGE_POINTS];
	unsigned points;
	enum unasked unasked;
	bool elsewhere;			/* an answer came from the other port */
	/* what came before the response that says by which key it opens */
	struct {
		struct addr from;
		uint8_t p[VANTAGE_DATAGRAM];
	} early[VANTAGE_POINTS];
	unsigned early_n;

	struct {
		struct addr to;
		uint64_t at;
	} wrote[VANTAGE_WROTE];		/* whom NAPTs let in because of us; the oldest is overwritten */
};

/* r stays the caller's, is followed from tick to tick, and may start anew at any time. */
void vantage_init(struct vantage *v, struct registrar *r, unsigned family);
void vantage_free(struct vantage *v);
/* Looks now, unless a look is under way.  Without a confirmed way: as soon as there is one. */
void vantage_hurry(struct vantage *v, struct now now);
/* Something else was sent there from the node's port: what comes from there is no surprise. */
void vantage_wrote(struct vantage *v, struct now now, const struct addr *to);
/* An authentic message of the NMS.  V_PASSED: it answers nothing that was asked here. */
enum verdict vantage_answer(struct vantage *v, struct now now, const struct msg_header *h,
			    struct bytes body);
/*
 * One datagram of type 2 or 21 that passed the gate and carries the node's own ID, of this
 * family.  V_ANSWERED, V_HELD (it came before the response that says by which key it opens),
 * or the reason why it was dropped.
 */
enum verdict vantage_input(struct vantage *v, struct now now, const uint8_t *p, size_t n,
			   const struct msg_header *h, const struct exts *x,
			   const struct addr *from);
void vantage_tick(struct vantage *v, struct now now, struct outbox *out);
uint64_t vantage_expiry(const struct vantage *v);

#endif

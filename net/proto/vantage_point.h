/*
 * vantage_point.h - one TRS that looks at a node: Hole Punchings there, and what it says of them.
 */
#ifndef VANTAGE_POINT_H
#define VANTAGE_POINT_H

#include "net/proto/register.h"

#define VANTAGE_TRIES 3			/* Hole Punchings to a TRS in a look */
#define VANTAGE_FIRST (250 * MS)	/* wait for the answer to the first; doubled */

struct vantage_point {
	struct id trs;
	struct addr addr;
	uint16_t other_port;		/* 0: it has none */
	struct session session;
	uint32_t transaction;
	uint64_t challenge;		/* its low two bits are the number of the try */
	unsigned tries;
	uint64_t sent[VANTAGE_TRIES];
	uint64_t next;			/* boot time of the next try; NEVER: no more is wanted */
	uint64_t rtt;			/* us, the shortest; 0: no answer */
	struct addr seen;
};

/* As the NMS says it; self: the node's own ID.  False: nobody can be there, p is not to be used. */
bool point_set(struct vantage_point *p, const struct msg_vantage_point *m, const struct id *self,
	       uint8_t family);
void point_free(struct vantage_point *p);
/* Nothing is sent or heard yet; the first try is due now. */
void point_start(struct vantage_point *p, struct now now);
/* One try; other: an answer from the TRS's other port is wanted too. */
void point_punch(struct vantage_point *p, struct registrar *r, struct now now, bool other,
		 struct outbox *out);
/* Opens what came from there, p and n are left as they are.  V_PASSED: m and *stamp are set. */
enum verdict point_open(struct vantage_point *p, uint64_t cloud_ms, const uint8_t *d, size_t n,
			const struct msg_header *h, const struct exts *x, struct msg_punch *m,
			uint64_t *stamp);
/* An ACK: takes what it says.  V_ANSWERED, V_DROP_STATE (to no try of this look), V_DROP_BODY. */
enum verdict point_answered(struct vantage_point *p, struct now now, const struct msg_punch *m);

#endif

/*
 * punch.h - Hole Punching and ACK: an address is bound at a TRS, a direct way is tried, and both
 * are kept open.  What comes of it for the ways of a path is route.h's.
 */
#ifndef PUNCH_H
#define PUNCH_H

#include "net/proto/route.h"

/* A Hole Punching or ACK that passed the gate and names this path. */
enum verdict punch_input(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			 const struct msg_header *h, const struct exts *x,
			 const struct addr *from, const struct addr *to, struct outbox *out);
/* By every way that carries: a NAPT that was restarted is noticed, at a TRS too. */
void punch_check(struct tunnel *t, struct now now, struct outbox *out);
/* The other end asks whether we are there: perhaps it hears nothing of us. */
void punch_asked(struct tunnel *t, struct now now, struct outbox *out);
void punch_tick(struct tunnel *t, struct now now, struct outbox *out);
uint64_t punch_expiry(const struct tunnel *t);

#endif

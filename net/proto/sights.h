/*
 * sights.h - what several others saw of a node, and what that says of the NAPT or firewall in
 * front of it.  Mapping: do all see the same address?  Filtering: who gets in that was not
 * written to?  The terms are those of RFC 5780, the ways to find out shorter: the NMS has seen
 * the node anyway, and a TRS writes to it before the node ever wrote there.
 */
#ifndef SIGHTS_H
#define SIGHTS_H

#include "cyphonic.h"
#include "net/proto/napt.h"

#define SIGHTS 5		/* the NMS's, and those of four TRS */

/* The Hole Punching that a TRS sends unasked. */
enum unasked {
	UNASKED_NONE,		/* did not come in */
	UNASKED_BLIND,		/* came from where this node wrote to lately: says nothing */
	UNASKED_NEAR,		/* from an address this node wrote to, but another port */
	UNASKED_FAR,		/* from an address this node did not write to */
	UNASKED_KINDS
};

/* The answer of a TRS from a port this node did not write to. */
enum elsewhere {
	ELSEWHERE_UNTRIED,	/* it did not answer at all */
	ELSEWHERE_NONE,		/* it answered, but from there nothing came in */
	ELSEWHERE_CAME,
	ELSEWHERE_KINDS
};

struct sight {
	struct addr from;	/* the vantage point */
	struct addr seen;	/* the node, as seen from there */
};

struct sights {
	bool own;		/* the NMS sees the node at an address of its own */
	struct sight sight[SIGHTS];	/* [0]: the NMS's */
	unsigned n;		/* at least 1 */
	enum unasked unasked;
	enum elsewhere elsewhere;
	struct behaviour before;	/* found earlier at the same mapped address, or unknown */
};

/*
 * What follows from it.  What these sights leave open stays as it was before; where an address
 * and its ports cannot be told apart, the answer is the one that promises less.
 */
struct behaviour sights_behaviour(const struct sights *s);

#endif

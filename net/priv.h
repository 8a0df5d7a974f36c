/*
 * priv.h - the closed list of privileged things a worker may ask the master for.
 *
 * One struct each way over a socketpair; the master validates every field again.
 */
#ifndef PRIV_H
#define PRIV_H

#include "cyphonic.h"

enum priv_kind {
	PRIV_TUN_UP = 1,	/* give the node's own TUN its addresses, routes and MTU, bring it up */
	PRIV_TUN_DOWN,		/* take them away again (identity lost) */
};

struct priv_request {
	uint32_t kind;
	uint8_t ip4[4], ip6[16];	/* the node's virtual addresses */
	uint8_t net4[4], net6[16];	/* the domain's virtual ranges, routed into the TUN */
	uint8_t bits4, bits6;		/* their prefix lengths */
	uint16_t mtu;
};

struct priv_answer {
	uint32_t kind;		/* of the request */
	uint32_t failed;	/* 0: done; else text says what is in the way and the remedy */
	char text[200];
};

#endif

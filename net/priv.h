/*
 * priv.h - the closed list of privileged things a worker may ask the master for.
 *
 * One struct each way over a socketpair; the master validates every field again.  The name
 * resolution of the system is changed by a process of the master's own (net/io/resolv.h).
 */
#ifndef PRIV_H
#define PRIV_H

#include "cyphonic.h"

enum priv_kind {
	PRIV_TUN_UP = 1,	/* give the node's own TUN its addresses, routes and MTU, bring it up */
	PRIV_TUN_DOWN,		/* take them away again (identity lost) */
	PRIV_DNS_UP,		/* let the system ask the node's resolver for the domain's names */
	PRIV_DNS_DOWN,		/* no longer */
	PRIV_DNS_LOOK,		/* only tell how it is */
	PRIV_DNS_KEEP,		/* the master's own: leave it so at the end, for a successor */
};

struct priv_request {
	uint32_t kind;
	uint8_t ip4[4], ip6[16];	/* the node's virtual addresses */
	uint8_t net4[4], net6[16];	/* the domain's virtual ranges, routed into the TUN */
	uint8_t bits4, bits6;		/* their prefix lengths */
	uint16_t mtu;
	char domain[NAME_SIZE];	/* PRIV_DNS_UP: canonical */
};

struct priv_answer {
	uint32_t kind;		/* of the request */
	uint32_t failed;	/* 0: done; else text says what is in the way and the remedy */
	char text[200];
};

#define PRIV_SERVERS 4

/* The answer to PRIV_DNS_*; also sent unasked when others changed something. */
struct priv_resolver {
	uint32_t kind;		/* PRIV_DNS_LOOK, whatever was asked */
	bool up;		/* the system asks us */
	char way[16];		/* "resolved", "resolvconf", "openresolv", "file", "off", "none" */
	char chain[160];	/* what was looked at and found, in that order */
	char text[200];		/* what is in the way and the remedy, or empty */
	uint32_t servers;	/* whom it asked before, or would without us; never ourselves */
	struct addr server[PRIV_SERVERS];
};

#endif

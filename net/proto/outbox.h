/*
 * outbox.h - the border between protocol and I/O, in both directions.
 *
 * In: a batch (one or more datagrams of one peer in one buffer).  Out: an outbox, filled
 * by one call into the protocol and emptied by the loop right after it.  The unit is a run
 * of equal segments, as UDP GRO delivers and UDP GSO takes them; one packet is a run of one.
 * The simulator and the real loop use the same calls.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "cyphonic.h"

#define HEADROOM 128		/* writable bytes before every packet read from TUN or socket */
#define TAILROOM 64		/* and behind it */
#define DATAGRAM_MAX 1200	/* UDP payload octets of anything sent without a probed path MTU */

/* Which door of a role something came through or goes out by. */
enum port {
	PORT_MAIN,		/* the role's UDP port: signalling and data */
	PORT_DNS,		/* the node's resolver, UDP and TCP */
	PORT_AS,		/* the AS's TLS listener */
	PORT_CTL,		/* the worker's control socket */
	PORT_STUN,		/* the second UDP port of a TRS, for STUN, and of netcheck */
	PORT_COUNT
};

/* Datagrams of one peer that arrived together.  Borrowed for one call; may be changed in place. */
struct batch {
	enum port port;
	struct addr from;	/* outer source */
	struct addr to;		/* local address that was hit; answers leave from it */
	uint8_t *buf;		/* HEADROOM bytes before it and TAILROOM behind it are writable */
	uint32_t len;		/* all octets */
	uint16_t seg;		/* octets of each datagram but the last, which may be shorter */
	uint8_t ecn;		/* outer ECN bits, RFC 3168 */
};

enum out_kind {
	OUT_DATAGRAM,		/* port, to, from (family 0: any local address), buf, len, seg */
	OUT_TUN,		/* one virtual IP packet: buf, len */
	OUT_CONNECT,		/* open a flow: handle (role's choice, < STREAM_ACCEPTED), to, proto */
	OUT_STREAM,		/* bytes for a flow: handle, buf, len */
	OUT_CLOSE,		/* close a flow after what was sent: handle */
	OUT_WORKER,		/* a note to the same role in another worker: handle = worker */
	OUT_HELPER,		/* a request to the helper process */
	OUT_MASTER,		/* a request for something privileged, see net/priv.h */
};

enum flow_proto { FLOW_TCP, FLOW_UDP };	/* FLOW_UDP: a connected UDP socket, one datagram a call */

#define STREAM_ACCEPTED 0x80000000u	/* handles the loop gives to accepted streams start here */

struct out_item {
	enum out_kind kind;
	enum port port;
	enum flow_proto proto;
	uint32_t handle;
	struct addr to, from;
	uint8_t *buf;		/* in the batch's buffer or in the outbox's scratch */
	uint32_t len;
	uint16_t seg;		/* OUT_DATAGRAM: 0 or len for a single datagram */
	uint8_t ecn;
};

enum flow_what {
	FLOW_OPENED,		/* accepted, or OUT_CONNECT succeeded */
	FLOW_DATA,		/* bytes arrived (FLOW_UDP: one datagram) */
	FLOW_CLOSED,		/* by the other side, or connecting failed; the handle is free */
};

struct flow_event {
	enum flow_what what;
	enum port port;		/* of an accepted stream: the listener; else PORT_MAIN */
	uint32_t handle;	/* >= STREAM_ACCEPTED: accepted; below: the role's own */
	struct addr peer;
	struct bytes data;	/* FLOW_DATA */
};

#define OUTBOX_ITEMS 256
#define OUTBOX_SCRATCH (512 * 1024)

/*
 * flush() empties the outbox (items and scratch); it is called by the loop after every call
 * into a role (input() and packets(): after all batches that came together, so that answers
 * to one peer leave as one run), and by out_add()/out_space() when there is no room left, so
 * that adding never fails.  Buffers handed to out_add() stay untouched until then.
 */
struct outbox {
	struct out_item item[OUTBOX_ITEMS];
	unsigned n;
	uint8_t *scratch;	/* OUTBOX_SCRATCH octets, owned by the loop */
	size_t used;
	void (*flush)(struct outbox *out);
	void *owner;		/* the loop's, for flush() */
};

/* Room for n (<= 65,536) octets in the scratch, with HEADROOM before and TAILROOM behind. */
uint8_t *out_space(struct outbox *out, size_t n);
/* Makes room for that many items, so that adding them flushes nothing in between. */
void out_need(struct outbox *out, unsigned items);
/* An item of this kind with n octets of scratch of its own in buf; len is set. */
struct out_item *out_reserve(struct outbox *out, enum out_kind kind, size_t n);
/* Next free item, zeroed, of this kind.  May flush: what was taken by out_space() before is gone. */
struct out_item *out_add(struct outbox *out, enum out_kind kind);

/* Copying forms, for everything that is not the data path. */
void out_datagram(struct outbox *out, enum port port, const struct addr *to,
		  const struct addr *from, const void *buf, size_t len);
void out_tun(struct outbox *out, const void *buf, size_t len);
void out_connect(struct outbox *out, uint32_t handle, enum flow_proto proto,
		 const struct addr *to);
void out_stream(struct outbox *out, uint32_t handle, const void *buf, size_t len);
void out_close(struct outbox *out, uint32_t handle);
void out_worker(struct outbox *out, unsigned worker, const void *buf, size_t len);
void out_helper(struct outbox *out, const void *buf, size_t len);
void out_master(struct outbox *out, const void *buf, size_t len);

#endif

/*
 * tunnel.h - one path at one of its two ends: the key exchange that rides in Tunnel Request
 * and Tunnel Response, then capsules, rekeys and the end.  Owned by the worker that owns the
 * Path ID; nobody else seals or opens under its keys.
 *
 *   initiator                             responder
 *   ASKING   -- Tunnel Request  -->       WAITING
 *            <-- Tunnel Response --       ANSWERED   (may send nothing yet)
 *   UP       -- capsule (or confirm) -->  UP
 *            <-- capsule (or confirm) --
 *   Either side: DEAD after close, after silence, after idling, or when keys ran out.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include "crypto/noise.h"
#include "crypto/token.h"
#include "net/proto/capsule.h"
#include "net/proto/cloud.h"
#include "net/proto/exchange.h"
#include "net/proto/route.h"
#include "net/proto/session.h"
#include "net/proto/timers.h"

/* One end of a path. */
struct tunnel_end {
	struct id node_id;
	uint8_t ip4[4], ip6[16];	/* virtual */
	uint8_t tbs_hash[32];		/* of its certificate */
	uint8_t x25519[32];
};

/* What a Route Direction and the two certificates amount to; plain data, may cross workers. */
struct tunnel_setup {
	struct id path;
	bool initiator;
	struct tunnel_key tunnel_key;
	struct temporary_key temporary_key;
	uint64_t expiry;		/* cloud ms */
	struct tunnel_end own, peer;
	char peer_fqdn[NAME_SIZE];
	uint8_t pattern;
	uint8_t peer_families;		/* 1 IPv4, 2 IPv6 */
	struct behaviour peer_behaviour[2];	/* IPv4, IPv6 */
	struct id relay;		/* Node ID of the TRS, zero: none */
	uint8_t candidates;
	struct candidate candidate[CANDIDATES];
};

/* Settings. */
struct tunnel_rules {
	uint8_t suites;			/* bitmap of what may be used: bit n is suite n */
	enum aead_suite preferred;
	uint16_t mtu;
	uint64_t rekey_after;		/* us; refused at one and a half of it */
	uint64_t rekey_packets;		/* in one direction; refused at twice of it */
	uint64_t idle;			/* us without a virtual packet */
	uint64_t keepalive;		/* us; every way that works is used so often */
	uint64_t punch;			/* us; and a better one tried again, while data flow */
};

enum tunnel_state { TUNNEL_ASKING, TUNNEL_WAITING, TUNNEL_ANSWERED, TUNNEL_UP, TUNNEL_DEAD };
enum tunnel_end_reason { TUNNEL_LIVES, TUNNEL_NO_ANSWER, TUNNEL_CLOSED, TUNNEL_IDLE,
			 TUNNEL_SILENT, TUNNEL_KEYS_OUT, TUNNEL_EXPIRED };

struct tunnel {
	struct tunnel_setup setup;
	struct tunnel_rules rules;
	enum tunnel_state state;
	enum tunnel_end_reason why;
	struct session signal;			/* under the Tunnel Key */
	struct noise noise;
	uint8_t x25519_priv[32];
	uint32_t transaction;
	struct exchange request;		/* initiator: Tunnel Request */
	uint8_t request_noise[64], response_noise[64];	/* responder: what was answered to what */

	const struct cloud *cloud;
	struct tokens *tokens;			/* for what goes to a TRS */
	struct routes routes;
	struct addr remote, local;		/* of the way in use */
	bool unanswered;			/* no direct way answered soon, and there is no other */
	struct keyring keys;
	uint16_t peer_mtu;
	struct root_secret root;
	bool confirmed;				/* the other end was heard under the current generation */
	uint64_t previous_until;		/* the generation before is opened until then; 0: gone */

	/* rekey */
	bool rekeying, rekey_wanted;
	uint8_t rekey_priv[32];
	uint8_t rekey_request[34], rekey_response[34];
	uint64_t rekey_again;

	uint64_t confirm_again;			/* boot time to say "confirm" once more; NEVER */
	uint8_t confirms;
	uint64_t born, up_since, heard, sent_unheard;	/* sent_unheard: first thing sent since heard; 0 */
	uint64_t probe_again;
	uint64_t used;				/* last virtual packet either way */
	uint64_t packets_in, packets_out, octets_in, octets_out, rekeys;
	uint64_t rtt;				/* us, of the newest probe; 0: unknown */
	uint64_t probe_value, probe_sent;
};

/* What of the node every tunnel needs. */
struct tunnel_host {
	const struct tunnel_rules *rules;	/* copied */
	const uint8_t *x25519_priv;		/* the node's static key, copied */
	const struct cloud *cloud;		/* these two outlive the tunnel */
	struct tokens *tokens;
};

void tunnel_open(struct tunnel *t, const struct tunnel_setup *setup,
		 const struct tunnel_host *host, struct now now);
/* Wipes every key. */
void tunnel_wipe(struct tunnel *t);

/* What input found besides the verdict. */
struct tunnel_event {
	struct bytes packets;		/* V_DELIVERED: count + 1 whole virtual packets, checked */
	uint8_t ecn;			/* outer ECN bits of them */
	bool probed;			/* a probe was answered: rtt is new */
};

/*
 * One datagram that passed the gate and names this path; p is opened in place.  from, to:
 * outer source and the local address hit.  State may change: look at it afterwards.
 */
enum verdict tunnel_input(struct tunnel *t, struct now now, uint8_t *p, size_t n,
			  const struct msg_header *h, const struct exts *x,
			  const struct addr *from, const struct addr *to, struct outbox *out,
			  struct tunnel_event *ev);
/*
 * Seals one virtual packet in place (HEADROOM before it, TAILROOM behind) and sends it.
 * V_SEALED; V_DROP_STATE when the tunnel may not send.
 */
enum verdict tunnel_send(struct tunnel *t, struct now now, uint8_t *packet, size_t n, uint8_t ecn,
			 struct outbox *out);
bool tunnel_may_send(const struct tunnel *t);
void tunnel_probe(struct tunnel *t, struct now now, struct outbox *out);
/* Says close to the other end and is dead. */
void tunnel_close(struct tunnel *t, struct now now, struct outbox *out);
/* Other rules from now on; the ciphers of a standing tunnel stay. */
void tunnel_rule(struct tunnel *t, struct now now, const struct tunnel_rules *rules);
void tunnel_tick(struct tunnel *t, struct now now, struct outbox *out);
uint64_t tunnel_expiry(const struct tunnel *t, struct now now);

/* For route.c alone.  Bound at a relay: the Tunnel Request may go that way. */
void tunnel_bound(struct tunnel *t, struct now now, const struct route *r, struct outbox *out);
void tunnel_say_punching(struct tunnel *t, struct now now, struct outbox *out);

const char *tunnel_state_name(enum tunnel_state s);
const char *tunnel_why_name(enum tunnel_end_reason why);

#endif

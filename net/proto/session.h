/*
 * session.h - one secured signalling association: a Common Key (node and NMS), a Tunnel Key
 * (two ends of a path), or a key with a TRS (an end of a path, or a node without one).  AES-128-GCM-SIV, a key a direction, nonce = first 12 octets of the
 * header, associated data = header and extensions as sent.
 *
 * The Sequence Number is the low half of max(last + 1, cloud time in ms): no counter has to
 * survive a crash, and a message tells when it was made.
 */
#ifndef SESSION_H
#define SESSION_H

#include "crypto/keys.h"
#include "crypto/replay.h"
#include "net/proto/gate.h"

struct session {
	struct id id;			/* in every header: Node ID or Path ID */
	uint8_t flags;			/* in every header */
	struct aead tx, rx;
	uint64_t last;			/* number of the newest message sent */
	struct replay seen;
	uint64_t seen_bits[REPLAY_SIGNAL_WORDS];
};

/* service: the NMS's side. */
void session_common(struct session *s, const struct common_key *key, const struct id *node,
		    bool service);
void session_tunnel(struct session *s, const struct tunnel_key *key, const struct id *path,
		    bool initiator);
/* One end of a path and its TRS; initiator: which end, trs: on the TRS's side. */
void session_relay(struct session *s, const struct relay_key *key, const struct id *path,
		   bool initiator, bool trs);
/* A node and a TRS without a path. */
void session_vantage(struct session *s, const struct vantage_key *key, const struct id *node,
		     bool trs);
void session_free(struct session *s);

/* One whole datagram into out (DATAGRAM_MAX octets); octets, 0 if the body is too long. */
size_t session_seal(struct session *s, uint64_t cloud_ms, uint32_t transaction, uint8_t type,
		    uint8_t token, const void *body, size_t n, uint8_t *out);
/*
 * Opens in place a datagram that passed the gate.  V_PASSED: body is its plain octets and
 * *stamp the sender's 64-bit number (its cloud time in ms, nearly).  V_DROP_REPLAY or
 * V_DROP_TAG else.
 */
enum verdict session_open(struct session *s, uint64_t cloud_ms, uint8_t *p, size_t n,
			  const struct msg_header *h, const struct exts *x, struct bytes *body,
			  uint64_t *stamp);

#endif

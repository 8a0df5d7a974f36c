/*
 * kx.h - the key exchange of a tunnel: what goes into Tunnel Request and Tunnel Response, and what
 * comes of them.  Noise KKpsk0 between the certificates' keys, the published keys as its psk.
 */
#ifndef KX_H
#define KX_H

#include "net/proto/tunnel.h"

/* The initiator's message, into t->request.  False: the other end's key is low order. */
bool kx_make_request(struct tunnel *t, struct now now);
/*
 * The responder's half: everything of a Tunnel Request is checked before anything is kept.
 * V_PASSED: keys are there, t->response_noise is the answer, the state is TUNNEL_ANSWERED.
 */
enum verdict kx_take_request(struct tunnel *t, struct now now, const struct msg_tunnel_request *m);
/*
 * The initiator's second half.  V_PASSED: keys are there.  Else nothing has changed: a false
 * answer spoils nothing, the true one may still come.
 */
enum verdict kx_take_response(struct tunnel *t, struct now now,
			      const struct msg_tunnel_response *m);
/* The tunnel stands: what only the exchange needed is wiped, and a second one cannot be. */
void kx_forget(struct tunnel *t);

#endif

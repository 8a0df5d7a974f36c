/*
 * rekey.h - new data keys inside a standing tunnel: a ratchet by X25519 alone.
 *
 * Only the initiator raises the generation; the responder may ask for it.  The responder
 * opens under g + 1 as soon as it answered, and sends under it once it heard the initiator
 * do so.
 */
#ifndef REKEY_H
#define REKEY_H

#include "net/proto/tunnel.h"

/* First octet of a control body. */
enum control {
	CONTROL_REKEY_REQUEST = 1,
	CONTROL_REKEY_RESPONSE,
	CONTROL_CONFIRM,
	CONTROL_PROBE,
	CONTROL_PROBE_ANSWER,
	CONTROL_PLEASE_REKEY,
	CONTROL_CLOSE,
	CONTROL_PUNCHING,
};

enum verdict rekey_input(struct tunnel *t, struct now now, struct bytes body, struct outbox *out);
/* False: the keys are used up and no new ones came; the tunnel must end. */
bool rekey_tick(struct tunnel *t, struct now now, struct outbox *out);
uint64_t rekey_expiry(const struct tunnel *t);

/* tunnel.c's, for rekey.c alone. */
void tunnel_send_rekey(struct tunnel *t, struct now now, const uint8_t body[MSG_SIZE_rekey],
		       struct outbox *out);
void tunnel_ask_rekey(struct tunnel *t, struct now now, struct outbox *out);
void tunnel_confirm(struct tunnel *t, struct now now, struct outbox *out);

#endif

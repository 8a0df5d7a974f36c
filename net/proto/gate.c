/* gate.c - the front door: what costs least is asked first. */
#include "net/proto/gate.h"

static bool flags_hold(const struct msg_header *h)
{
	const uint8_t assigned = 0
#define FLAG(name, NAME_, mask, text) | mask
#include "net/proto/wire.def"
		;

	if (h->type == TYPE_HOLE_PUNCHING || h->type == TYPE_ACK)
		return !(h->flags & ~FLAG_DIRECTION) && h->count == 0;
	if (h->type != TYPE_CAPSULE)
		return h->flags == 0 && h->count == 0;
	return !(h->flags & ~assigned) && (!(h->flags & FLAG_CONTROL) || h->count == 0);
}

enum verdict gate_check(const uint8_t *p, size_t n, struct msg_header *h, struct exts *x)
{
	if (n < MESSAGE_MIN || msg_read_header(h, p, n) < 0 || h->length != n)
		return V_DROP_SHORT;
	if (h->version != PROTO_VERSION)
		return V_DROP_VERSION;
	if (!type_known(h->type) || type_key(h->type) == KEY_TLS)
		return V_DROP_TYPE;
	if (!type_used(h->type))
		return V_DROP_RESERVED;
	if (!flags_hold(h))
		return V_DROP_FLAG;
	return ext_walk(h->next, p + HEADER_SIZE, n - MESSAGE_MIN, x);
}

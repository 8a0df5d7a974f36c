/*
 * wire.c - libFuzzer entry: the front door and every parser, from the first octet of the input
 * and from behind a header.  What was read must be written back as the same octets.
 */
#include "net/proto/gate.h"
#include "t/fuzz/base/base.h"

static void bodies(const uint8_t *p, size_t n)
{
	static uint8_t out[MSG_MAX_login_request + MSG_MAX_login_response];

#define STRUCT(name, text) { \
		struct msg_##name m; \
		long took = msg_read_##name(&m, p, n); \
\
		if (took >= 0 && (msg_write_##name(out, sizeof out, &m) != (size_t)took || \
				  memcmp(out, p, (size_t)took) != 0)) \
			abort(); \
	}
#define END(name)
#include "net/proto/wire.def"
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct msg_header h;
	struct exts x;

	bodies(p, n);
	if (gate_check(p, n, &h, &x) == V_PASSED)
		bodies(p + HEADER_SIZE + x.body, n - MESSAGE_MIN - x.body);
	return 0;
}

/*
 * login.h - a client's first step: TLS to the AS, Login Request, Login Response.
 * Tries the AS's addresses in turn, with back-off; no I/O of its own.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "crypto/tls.h"
#include "net/proto/outbox.h"
#include "net/proto/wire.h"

#define LOGIN_HANDLE 1u			/* the flow it uses */
#define LOGIN_TIMEOUT (10 * SEC)	/* of one try */

/* As the wire numbers them. */
enum login_kind { LOGIN_NODE = 1, LOGIN_TRS };

/* Who wants in, and where.  Strings are the caller's and stay. */
struct login_wish {
	enum login_kind kind;		/* 0: a node */
	const char *account, *device;
	struct bytes password;
	uint8_t pin[32];		/* SHA-256 of the domain's root certificate */
	unsigned as_n;
	struct addr as[4];
};

enum login_state { LOGIN_IDLE, LOGIN_RUNNING, LOGIN_DONE };

struct login {
	struct login_wish wish;
	enum login_state state;
	struct tls_context *context;
	struct tls *tls;
	unsigned tries;			/* failed in a row */
	uint64_t next;			/* boot time of the next try, or the end of this one */
	uint64_t opened;		/* boot time when the connection stood */
	uint64_t rtt;			/* us of the TLS handshake's first round trip, 0: not yet */
	uint8_t csr[2048];
	size_t csr_len;
	size_t got;
	uint8_t in[8192];
	char trouble[256];		/* why the newest try failed; "" when it did not */
	bool refused;			/* the AS answered, and that it was no */
};

/* csr may be empty to keep the certificate.  False with a line in err (256): no TLS. */
bool login_init(struct login *l, const struct login_wish *wish, char *err);
void login_free(struct login *l);
/* Logs in (again): the first try starts at the next tick. */
void login_start(struct login *l, struct now now, const uint8_t *csr, size_t csr_len);
/* No login is needed after all: as if the last one had been the newest. */
void login_stop(struct login *l, struct outbox *out);
/*
 * Feeds an event of flow LOGIN_HANDLE.  True when the answer came: r is filled, its blobs
 * point into l until the next call.
 */
bool login_flow(struct login *l, struct now now, const struct flow_event *ev,
		struct msg_login_response *r, struct outbox *out);
/* cloud_s: s since 1970, for the AS's certificate. */
void login_tick(struct login *l, struct now now, uint64_t cloud_s, struct outbox *out);
uint64_t login_expiry(const struct login *l);

/* Adds header and body to a TLS stream, and takes them from one: used by both ends. */
size_t login_frame(uint8_t *out, size_t cap, uint8_t type, const struct id *id, size_t body_len);
/* Octets of the whole message at the front of p: 0 not there yet, -1 not a message of this type. */
long login_whole(const uint8_t *p, size_t n, size_t most, uint8_t type);

#endif

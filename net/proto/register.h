/*
 * register.h - a client at its NMS: registration over every family the NMS has, Keep Alives,
 * and the requests that travel the same association.
 *
 *   Registration Request  -->            {own view}
 *            <-- Registration Response   {as seen, challenge}
 *   Keep Alive {echo}     -->            only now is the address given to peers
 *            <-- Keep Alive ACK          {cloud time}
 * The first response teaches the local address; a second registration then tells it.
 */
#ifndef REGISTER_H
#define REGISTER_H

#include "crypto/token.h"
#include "net/proto/cloud.h"
#include "net/proto/exchange.h"
#include "net/proto/session.h"

/* One family's way to the NMS. */
struct way {
	struct addr nms;		/* family 0: none */
	struct addr local, mapped;	/* learnt; family 0: not yet */
	bool registered, confirmed, napt;
	uint64_t challenge;
	struct exchange exchange;	/* Registration Request or Keep Alive under way */
	uint64_t next;			/* boot time of the next Keep Alive or attempt */
	unsigned failures;		/* exchanges in a row without an answer */
	unsigned refused;		/* times in a row that the NMS did not know us */
};

struct registrar {
	struct session session;
	struct tokens tokens;
	struct cloud *cloud;		/* the node's, followed by every answer */
	struct way way[2];		/* IPv4, IPv6 */
	uint8_t heard;			/* by which of them the NMS was heard last */
	uint64_t boot;			/* random: this run of the node */
	bool fresh;			/* the next registration says that every path is lost */
	uint64_t keepalive;		/* us */
};

struct registrar_setup {
	struct id node_id;
	struct common_key common_key;
	struct secret_common_value scv;
	uint64_t keepalive;		/* us */
	unsigned nms_n;
	struct addr nms[8];		/* the first of each family is used */
};

void registrar_start(struct registrar *r, const struct registrar_setup *setup,
		     struct cloud *cloud, struct now now);
void registrar_free(struct registrar *r);
bool registrar_ready(const struct registrar *r);
/* By how many families. */
unsigned registrar_families(const struct registrar *r);
/* The NMS may not find us where we were: Keep Alives now. */
void registrar_check(struct registrar *r, struct now now);
/* Exchanges in a row that nobody answered, by the family that fares better. */
unsigned registrar_silence(const struct registrar *r);
/* In words for status, or "" while the NMS answers or is still being tried for the first time. */
const char *registrar_trouble(const struct registrar *r);

/* Seals and sends one message to the NMS by the best way. False: no way is registered. */
bool registrar_send(struct registrar *r, struct now now, uint32_t transaction, uint8_t type,
		    const void *body, size_t n, struct outbox *out);
/* The same by that way alone (0: IPv4, 1: IPv6).  False: it is not confirmed. */
bool registrar_send_way(struct registrar *r, struct now now, unsigned way, uint32_t transaction,
			uint8_t type, const void *body, size_t n, struct outbox *out);
/*
 * One datagram that passed the gate and names this node.  Answers to registration and Keep
 * Alive, and refusals of them, are dealt with here (V_ANSWERED); anything else authentic, a
 * Keep Alive ACK that answers another message too, comes back as V_PASSED with its body.
 */
enum verdict registrar_input(struct registrar *r, struct now now, uint8_t *p, size_t n,
			     const struct msg_header *h, const struct exts *x,
			     const struct addr *from, const struct addr *to,
			     struct bytes *body, struct outbox *out);
/* Tells the NMS that the node goes offline.  Said once: if it is lost, the Keep Alives that do not come say it. */
void registrar_leave(struct registrar *r, struct now now, struct outbox *out);
void registrar_tick(struct registrar *r, struct now now, struct outbox *out);
uint64_t registrar_expiry(const struct registrar *r);

/* Between the wire's address part and ours. */
struct addr address_of(const struct msg_address *m);
struct msg_address address_part(uint8_t kind, const struct addr *a);

#endif

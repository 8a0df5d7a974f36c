/*
 * stun.h - STUN as octets: Binding requests and answers of RFC 8489, and of RFC 5780 what tells
 * how a NAPT behaves.  No credentials, no TCP.  netcheck asks by it, a relay answers by it.
 */
#ifndef STUN_H
#define STUN_H

#include "cyphonic.h"

#define STUN_PORT 3478
#define STUN_HEADER 20
#define STUN_REQUEST_SIZE 100	/* of ours: as long as the longest answer stun_answer() gives */

/* Pairs an answer with its request: 96 bits, chosen by who asks. */
struct stun_id {
	uint8_t b[12];
};

/* CHANGE-REQUEST: whence the answer shall come. */
enum { STUN_CHANGE_PORT = 2, STUN_CHANGE_IP = 4 };

enum stun_kind { STUN_REQUEST, STUN_SUCCESS, STUN_ERROR };

#define STUN_UNKNOWNS 8

/* A Binding message.  Addresses that it does not have are of family 0. */
struct stun_message {
	enum stun_kind kind;
	struct stun_id id;
	unsigned change;		/* STUN_CHANGE_* bits */
	struct addr mapped;		/* XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS */
	struct addr other;		/* OTHER-ADDRESS, or its older name CHANGED-ADDRESS */
	struct addr origin;		/* RESPONSE-ORIGIN */
	uint16_t error;			/* of STUN_ERROR: 300 to 699, 0: it names none */
	uint16_t unknown[STUN_UNKNOWNS];	/* must be understood to go on, and are not */
	unsigned unknowns;
	bool fingerprint;		/* has one, see stun_fingerprint_good() */
};

/*
 * Reads a whole datagram.  False when it is no Binding request or answer of RFC 8489 (another
 * method, an indication, no magic cookie), or malformed anywhere; m is then not to be used.
 */
bool stun_parse(struct stun_message *m, const uint8_t *p, size_t n);
/* For what stun_parse() found to have a FINGERPRINT: whether that is the right one. */
bool stun_fingerprint_good(const uint8_t *p, size_t n);

/*
 * Writes a Binding request of STUN_REQUEST_SIZE octets.  Its filler is a SOFTWARE attribute that
 * ends in blanks: PADDING makes servers of RFC 5780 answer with an MTU of octets.
 */
void stun_request(uint8_t out[STUN_REQUEST_SIZE], const struct stun_id *id, unsigned change);

/* The two ports of a server, as seen from outside. */
struct stun_server {
	struct addr at;		/* that was hit */
	struct addr other;	/* the same address with the other port; family 0: there is none */
};

/*
 * The answer to datagram p, which came from `from`: octets of it, 0 for none.  It is never longer
 * than p, so that nobody gets more sent to another than he sends himself: OTHER-ADDRESS and
 * RESPONSE-ORIGIN are left out where they do not fit, and what does not fit then is not said.
 * Nobody is answered who asks for an answer from another IP address, or with a false FINGERPRINT.
 * *from_other: the answer shall leave from s->other.  out: room for n octets.
 */
size_t stun_answer(const struct stun_server *s, uint8_t *out, const uint8_t *p, size_t n,
		   const struct addr *from, bool *from_other);

#endif

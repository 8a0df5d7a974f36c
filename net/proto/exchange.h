/*
 * exchange.h - request and answer: a request is sent again with back-off until its answer
 * comes or the tries are used up; the answerer remembers what it answered.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "net/proto/outbox.h"

#define EXCHANGE_FIRST (250 * MS)	/* wait before the second try; doubled each time, */
#define EXCHANGE_LONGEST (2 * SEC)	/* up to this */
#define EXCHANGE_TRIES 6

/* The asking side.  The body is kept unsealed: every transmission is sealed anew. */
struct exchange {
	uint32_t transaction;
	uint8_t type;		/* 0: nothing under way */
	uint8_t tries;
	uint64_t first, sent;	/* boot times of the first and the newest transmission */
	uint64_t next;		/* boot time of the next one */
	uint16_t len;
	uint8_t body[DATAGRAM_MAX];
};

enum exchange_step { EXCHANGE_WAIT, EXCHANGE_SEND, EXCHANGE_GAVE_UP };

/* Begins; the first exchange_step() then says SEND. */
void exchange_start(struct exchange *x, struct now now, uint32_t transaction, uint8_t type,
		    const void *body, size_t len);
/* What is to be done now.  SEND counts the try; GAVE_UP ends the exchange. */
enum exchange_step exchange_step(struct exchange *x, struct now now);
/* Sends again at once (the answer was "use this time"), still counting tries. */
void exchange_hurry(struct exchange *x, struct now now);
bool exchange_is(const struct exchange *x, uint32_t transaction);
void exchange_end(struct exchange *x);
uint64_t exchange_expiry(const struct exchange *x);

/* The answering side: answers of the last 10 s by (peer, Transaction ID), so that a repeated request changes nothing. */
#define ANSWERS_SLOTS 1024
#define ANSWER_BODY 400
#define ANSWERS_LIFE (10 * SEC)

struct answer {
	struct id peer;
	uint32_t transaction;
	uint8_t type;
	uint16_t len;
	uint64_t at;
	uint8_t body[ANSWER_BODY];
};

struct answers {
	struct answer slot[ANSWERS_SLOTS];
};

const struct answer *answers_find(const struct answers *a, struct now now, const struct id *peer,
				  uint32_t transaction);
/* Bodies longer than ANSWER_BODY are not kept. */
void answers_keep(struct answers *a, struct now now, const struct id *peer, uint32_t transaction,
		  uint8_t type, const void *body, size_t len);

#endif

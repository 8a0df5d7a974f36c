/*
 * post.h - messages to and from one process beside the workers: helper or master.
 *
 * A SOCK_SEQPACKET pair; every message starts with one octet, the index of the role that
 * asks, which the other side repeats in front of its answer.
 */
#ifndef POST_H
#define POST_H

#include "cyphonic.h"

#define POST_MAX 65536			/* octets of a message, the role's octet included */
#define POST_QUEUE (256 * 1024)		/* octets that wait while the other side is busy */

#define POST_TO_WORKER 0xff		/* instead of a role: struct config, for the worker itself */

struct letter;

struct post {
	int fd;				/* not owned; -1: nobody is there */
	struct letter *first, **end;	/* what waits, oldest first */
	size_t waiting;			/* its octets */
	uint64_t lost;			/* messages the other side never got */
};

/* fd may be -1.  0, or -1 with errno. */
int post_open(struct post *p, int fd);
void post_close(struct post *p);
/* Sends or queues; what does not fit the queue is lost and counted. */
void post_send(struct post *p, uint8_t role, const void *buf, size_t len);
/* The other side reads again: sends what waits.  True when nothing waits any more. */
bool post_flush(struct post *p);
/* One message into buf: octets, 0 when the other side is gone, -1 when nothing is there now. */
int post_receive(struct post *p, uint8_t *buf, size_t cap);

#endif

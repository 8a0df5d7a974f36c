/*
 * stream.h - flows: streams that were accepted, and what roles connect to.
 *
 * A flow belongs to one role, which knows it by a handle.  streams_connect(), _send() and
 * _close() carry out outbox items and never call a role; what they cause is told later, by
 * streams_settle(), or when the descriptor is ready.
 */
#ifndef STREAM_H
#define STREAM_H

#include "net/io/loop.h"
#include "net/io/worker.h"

#define STREAMS_ACCEPTED_MAX 4096	/* beyond, clients wait in the kernel's queue */
#define STREAMS_OWN_MAX 4096		/* flows opened by roles */
#define STREAM_QUEUE_MAX (256 * 1024)	/* octets that wait to be sent; beyond, it is closed */

struct streams;

/* tell() gives an event to a role.  NULL when there is no memory. */
struct streams *streams_new(struct loop *l,
			    void (*tell)(void *arg, unsigned role, const struct flow_event *ev),
			    void *arg);
/* Closes every flow at once. */
void streams_free(struct streams *s);

/* Accepts what comes in by this listening socket (not owned).  0, or -1 with errno. */
int streams_listen(struct streams *s, const struct door *door);

/* A handle still in use loses its old flow.  Failing is told as FLOW_CLOSED. */
void streams_connect(struct streams *s, uint8_t role, uint32_t handle, enum flow_proto proto,
		     const struct addr *to);
/* Unknown handles are normal: the other side may have closed a moment ago. */
void streams_send(struct streams *s, uint8_t role, uint32_t handle, const uint8_t *buf,
		  size_t len);
void streams_close(struct streams *s, uint8_t role, uint32_t handle);

/* Tells roles what happened while they could not be called.  True when there is more. */
bool streams_settle(struct streams *s);
/* When streams_tick() wants to be called, boot clock, or NEVER. */
uint64_t streams_expiry(const struct streams *s);
void streams_tick(struct streams *s);
/* Writes what is queued for at most so many milliseconds, then gives up.  For a graceful end. */
void streams_drain(struct streams *s, unsigned ms);

#endif

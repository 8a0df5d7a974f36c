/*
 * control.h - the control socket of a role: one line of JSON in, one line of JSON out, closed.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "net/proto/cloud.h"
#include "net/role.h"
#include <jansson.h>

#define CONTROL_CLIENTS 16
#define CONTROL_LINE 512

struct control {
	struct control_client {
		uint32_t handle;	/* 0: free */
		size_t n;
		char line[CONTROL_LINE];
	} client[CONTROL_CLIENTS];
};

/*
 * Feeds an event of PORT_CTL.  A whole request comes back, owned by the caller; NULL: not yet
 * (malformed ones are answered here).
 */
json_t *control_flow(struct control *c, const struct flow_event *ev, struct outbox *out);
/* Sends and releases the answer, and closes. */
void control_answer(struct control *c, uint32_t handle, json_t *answer, struct outbox *out);
void control_error(struct control *c, uint32_t handle, const char *text, struct outbox *out);
/* {"delivered": 12, ...}: the verdicts that happened. */
json_t *control_verdicts(const struct verdicts *v);
/* The part of every status: role, worker, workers, version, time, lost, verdicts. */
json_t *control_status(const char *role, const struct role_env *env, const struct verdicts *v,
		       struct now now, const struct cloud *cloud);

#endif

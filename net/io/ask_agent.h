/*
 * ask_agent.h - between ask.c and askdns.c: one question to the node's agent.
 */
#ifndef ASK_AGENT_H
#define ASK_AGENT_H

#include "net/io/ask.h"
#include <jansson.h>

/* Its answer, owned by the caller; NULL: no daemon is running, and that was said. */
json_t *ask_agent(const struct ask *a, const json_t *question);

#endif

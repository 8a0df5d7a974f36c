/*
 * lead.h - a service's share of leading cloud time: every worker starts from what was saved on
 * this boot, so that all agree and a restart steps nothing; worker 0 saves it.
 */
#ifndef LEAD_H
#define LEAD_H

#include "net/proto/cloud.h"
#include "net/role.h"

#define LEAD_EVERY (60 * SEC)

void lead_open(struct cloud *c, const struct role_env *env);
/* Slews, and on worker 0 saves.  To be called every LEAD_EVERY. */
void lead_tick(struct cloud *c, const struct role_env *env, struct now now);

#endif

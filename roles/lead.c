/* lead.c - cloud time, kept in <state>/cloud-time. */
#include "roles/lead.h"
#include "store/config.h"
#include "store/state.h"
#include <errno.h>

#define SAVED_SIZE 32

static bool load(struct cloud_saved *s, const char *dir)
{
	uint8_t p[SAVED_SIZE];

	if (state_load(dir, "cloud-time", p, sizeof p) != SAVED_SIZE)
		return false;
	memcpy(s->boot_id, p, 16);
	s->offset = (int64_t)get64(p + 16);
	s->ms = get64(p + 24);
	return true;
}

static void save(const struct cloud *c, const struct role_env *env, struct now now)
{
	uint8_t p[SAVED_SIZE];

	memcpy(p, env->boot_id, 16);
	put64(p + 16, (uint64_t)c->offset);
	put64(p + 24, cloud_ms(c, now));
	if (!state_save(env->conf->state, "cloud-time", p, sizeof p))
		cy_log(LOG_WARN, "cloud time could not be saved in %s: %s; it is tried again in a minute",
		       env->conf->state, strerror(errno));
}

void lead_open(struct cloud *c, const struct role_env *env)
{
	struct cloud_saved saved;
	bool known = load(&saved, env->conf->state);

	cloud_lead(c, env->start, env->boot_id, known ? &saved : NULL);
	if (!known && env->worker == 0)
		save(c, env, env->start);
}

void lead_tick(struct cloud *c, const struct role_env *env, struct now now)
{
	cloud_slew(c, now);
	if (env->worker == 0)
		save(c, env, now);
}

/*
 * live.c - soft state: where each node is reached.  A worker writes its own environment and
 * looks into everybody's.  Nothing here is synced, so after another boot of the machine the
 * files may be torn: they count only together with a file that names the boot.
 */
#include "store/db.h"
#include "store/state.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void live_name(char name[16], unsigned worker)
{
	snprintf(name, 16, "live.%u", worker);
}

static void live_path(char path[300], const struct store *s, unsigned worker)
{
	snprintf(path, 300, "%s/live.%u", s->dir, worker);
}

bool live_is_of_this_boot(const struct store *s, unsigned worker)
{
	uint8_t boot_id[sizeof s->boot_id + 1];
	char path[300];

	live_path(path, s, worker);
	return state_load(path, "boot", boot_id, sizeof boot_id) == sizeof s->boot_id &&
	       memcmp(boot_id, s->boot_id, sizeof s->boot_id) == 0;
}

/* The boot's name goes first and comes back last: what lies between is never half believed. */
static void live_discard(const struct store *s, unsigned worker)
{
	static const char *const file[] = { "boot", "data.mdb", "lock.mdb" };
	char path[300], name[320];
	size_t i;

	live_path(path, s, worker);
	for (i = 0; i < ARRAY_SIZE(file); i++) {
		snprintf(name, sizeof name, "%s/%s", path, file[i]);
		unlink(name);
	}
}

void live_remove(const struct store *s, unsigned worker)
{
	char path[300];

	live_discard(s, worker);
	live_path(path, s, worker);
	rmdir(path);
}

enum store_result live_open(struct store *s)
{
	bool old = live_is_of_this_boot(s, s->worker);
	enum store_result result;
	char path[300], name[16];

	if (!old)
		live_discard(s, s->worker);
	live_name(name, s->worker);
	result = db_open(&s->live[s->worker], s, name, MDB_NOSYNC, s->live_map);
	if (result != STORE_OK || old)
		return result;
	live_path(path, s, s->worker);
	if (!state_save(path, "boot", s->boot_id, sizeof s->boot_id))
		return store_says(s, STORE_FAILED, "%s/boot: %s", path, strerror(errno));
	return STORE_OK;
}

/* Other workers come later than we do, or again: theirs are opened when they are there. */
static enum store_result live_of(struct store *s, unsigned worker, struct db **db)
{
	char name[16];

	*db = &s->live[worker];
	if ((*db)->env)
		return STORE_OK;
	if (!live_is_of_this_boot(s, worker))
		return STORE_MISSING;
	live_name(name, worker);
	return db_open(*db, s, name, MDB_RDONLY, s->live_map);
}

static struct db *own(struct store *s)
{
	return s->mode == STORE_WRITE ? NULL : &s->live[s->worker];
}

static enum store_result no_own(struct store *s)
{
	return store_says(s, STORE_FAILED, "%s: this process has no live environment", s->dir);
}

enum store_result live_begin(struct store *s)
{
	return own(s) ? db_begin(own(s)) : no_own(s);
}

enum store_result live_end(struct store *s)
{
	return own(s) ? db_end(own(s), true) : no_own(s);
}

/* ---- registrations ---- */

static void addr_fields(struct record *r, struct addr *a)
{
	record_u8(r, &a->family);
	if (a->family == 0)
		return;
	if (a->family != 4 && a->family != 6)
		r->bad = true;
	record_octets(r, a->ip, a->family == 4 ? 4 : 16);
	record_u16(r, &a->port);
	record_u32(r, &a->scope);
}

static void relay_fields(struct record *r, struct relay_report *t)
{
	record_u8(r, &t->known);
	if (!t->known)
		return;
	record_u8(r, &t->draining);
	record_u16(r, &t->other_port);
	record_octets(r, t->region, sizeof t->region);
}

static void route_fields(struct record *r, struct registration *g)
{
	unsigned i;

	record_octets(r, g->behaviour, sizeof g->behaviour);
	record_u8(r, &g->rtt_n);
	if (g->rtt_n > ARRAY_SIZE(g->rtt))
		r->bad = true;
	for (i = 0; !r->bad && i < g->rtt_n; i++) {
		record_octets(r, g->rtt[i].trs.b, sizeof g->rtt[i].trs.b);
		record_u32(r, &g->rtt[i].rtt);
	}
	relay_fields(r, &g->relay);
}

static void registration_fields(struct record *r, struct registration *g)
{
	unsigned i;

	record_octets(r, g->node_id.b, sizeof g->node_id.b);
	record_u64(r, &g->boot);
	record_u64(r, &g->updated);
	for (i = 0; i < ARRAY_SIZE(g->mapped); i++) {
		addr_fields(r, &g->mapped[i]);
		record_u8(r, &g->confirmed[i]);
		record_u8(r, &g->napt[i]);
	}
	record_u8(r, &g->real_n);
	if (g->real_n > ARRAY_SIZE(g->real))
		r->bad = true;
	for (i = 0; !r->bad && i < g->real_n; i++)
		addr_fields(r, &g->real[i]);
	/* a version that knew of no NAPTs ends here: the same boot may have its records still */
	if (record_left(r))
		route_fields(r, g);
}

enum store_result live_read(struct store *s, struct record *r, struct registration *g)
{
	memset(g, 0, sizeof *g);
	registration_fields(r, g);
	if (record_complete(r))
		return STORE_OK;
	return store_says(s, STORE_DAMAGED, "%s: a registration does not read", s->dir);
}

enum store_result registration_put(struct store *s, const struct registration *r)
{
	struct registration g = *r;
	enum store_result result;
	struct record record;
	struct key key;

	if (!own(s))
		return no_own(s);
	key_octets(&key, KIND_REGISTRATION, g.node_id.b, sizeof g.node_id.b);
	record_new(&record);
	registration_fields(&record, &g);
	result = db_enter(own(s));
	if (result)
		return result;
	return db_leave(own(s), db_put(own(s), &key, &record));
}

enum store_result registration_delete(struct store *s, const struct id *node_id)
{
	enum store_result result;
	struct key key;

	if (!own(s))
		return no_own(s);
	key_octets(&key, KIND_REGISTRATION, node_id->b, sizeof node_id->b);
	result = db_enter(own(s));
	if (result)
		return result;
	return db_leave(own(s), db_delete(own(s), &key));
}

static enum store_result look(struct store *s, unsigned worker, const struct key *key,
			      struct registration *g)
{
	enum store_result result;
	struct record record;
	struct db *db;

	result = live_of(s, worker, &db);
	if (result == STORE_OK)
		result = db_get(db, key, &record);
	return result == STORE_OK ? live_read(s, &record, g) : result;
}

/* One environment that fails does not hide what another knows. */
enum store_result registration_get(struct store *s, const struct id *node_id,
				   struct registration *r)
{
	enum store_result result, best = STORE_MISSING;
	struct registration g;
	struct key key;
	unsigned w;

	key_octets(&key, KIND_REGISTRATION, node_id->b, sizeof node_id->b);
	for (w = 0; w < s->workers; w++) {
		result = look(s, w, &key, &g);
		if (result == STORE_OK && (best != STORE_OK || g.updated > r->updated))
			*r = g;
		if (result == STORE_OK || (best == STORE_MISSING && result != STORE_MISSING))
			best = result;
	}
	return best;
}

struct listing {
	struct store *store;
	bool (*each)(void *arg, const struct registration *r);
	void *arg;
	bool damaged;
};

static bool list_one(void *arg, enum store_result result, const struct key *key,
		     struct record *record)
{
	struct listing *l = arg;
	struct registration g;

	if (result == STORE_OK)
		result = live_read(l->store, record, &g);
	if (result == STORE_OK)
		return l->each(l->arg, &g);
	l->damaged = true;
	return true;
}

enum store_result registration_each(struct store *s,
				    bool (*each)(void *arg, const struct registration *r),
				    void *arg)
{
	struct listing l = { s, each, arg, false };
	enum store_result result;

	if (!own(s))
		return no_own(s);
	result = db_each(own(s), KIND_REGISTRATION, list_one, &l);
	return result == STORE_OK && l.damaged ? STORE_DAMAGED : result;
}

uint64_t registration_count(struct store *s)
{
	return own(s) ? db_count(own(s)) : 0;
}

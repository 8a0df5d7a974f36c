/*
 * sort.c - after the number of workers changed: every registration goes to the worker that
 * owns its Node ID now.  It is written there before it is taken from where it was, so that
 * an end in between leaves it twice, never lost; the newer of two counts.
 */
#include "store/sort.h"
#include "store/keep.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- which there are ---- */

/* One above the highest live.N in the directory, at least `least`. */
static unsigned live_dirs(const char *dir, unsigned least)
{
	const struct dirent *e;
	unsigned w, n = least;
	DIR *d = opendir(dir);
	char end;

	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "live.%4u%c", &w, &end) == 1 && w < WORKERS_LIMIT)
			n = MAX(n, w + 1);
	if (d)
		closedir(d);
	return n;
}

static void live_name(char name[16], unsigned worker)
{
	snprintf(name, 16, "live.%u", worker);
}

/* ---- moving ---- */

struct moving {
	struct store *s;
	unsigned workers, from;
	struct id *id;			/* misplaced ones found in `from` */
	size_t n, room;
	bool failed;
	uint64_t moved;
};

static bool note_misplaced(void *arg, const struct registration *r)
{
	struct moving *m = arg;
	struct id *more;

	if (id_owner(&r->node_id, m->workers) == m->from)
		return true;
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 256;
		more = realloc(m->id, m->room * sizeof *more);
		m->failed = !more;
		if (m->failed)
			return false;
		m->id = more;
	}
	m->id[m->n++] = r->node_id;
	return true;
}

/* The store's calls work on the worker that the handle says it is. */
static enum store_result get_from(struct store *s, unsigned worker, const struct id *id,
				  struct registration *g)
{
	struct record record;
	struct key key;
	enum store_result r;

	key_octets(&key, KIND_REGISTRATION, id->b, sizeof id->b);
	r = db_get(&s->live[worker], &key, &record);
	return r == STORE_OK ? live_read(s, &record, g) : r;
}

static bool move_one(struct moving *m, const struct id *id, unsigned to)
{
	struct registration g, there;
	enum store_result r = get_from(m->s, m->from, id, &g);

	if (r != STORE_OK)
		return false;
	r = get_from(m->s, to, id, &there);
	if (r == STORE_OK && there.updated >= g.updated)
		return true;
	m->s->worker = to;
	return registration_put(m->s, &g) == STORE_OK;
}

/* All that go to one worker are one commit. */
static bool move_to(struct moving *m, unsigned to)
{
	bool good = true;
	size_t i;

	m->s->worker = to;
	if (live_begin(m->s) != STORE_OK)
		return false;
	for (i = 0; good && i < m->n; i++)
		if (id_owner(&m->id[i], m->workers) == to)
			good = move_one(m, &m->id[i], to);
	m->s->worker = to;
	return live_end(m->s) == STORE_OK && good;
}

static bool drop_moved(struct moving *m)
{
	size_t i;

	m->s->worker = m->from;
	if (live_begin(m->s) != STORE_OK)
		return false;
	for (i = 0; i < m->n; i++)
		registration_delete(m->s, &m->id[i]);
	return live_end(m->s) == STORE_OK;
}

static bool sort_one(struct moving *m)
{
	bool good;
	unsigned w;

	m->n = 0;
	m->s->worker = m->from;
	registration_each(m->s, note_misplaced, m);
	good = !m->failed;
	for (w = 0; good && m->n && w < m->workers; w++)
		good = move_to(m, w);
	m->moved += m->n;
	/* an environment nobody has any more goes whole */
	return good && (m->from >= m->workers || !m->n || drop_moved(m));
}

static bool open_all(struct store *s, unsigned workers)
{
	unsigned w;

	for (w = 0; w < s->workers; w++) {
		s->worker = w;
		if (w >= workers && !live_is_of_this_boot(s, w))
			continue;
		if (live_open(s) != STORE_OK)
			return false;
	}
	return true;
}

static void remove_leftovers(struct store *s, unsigned workers)
{
	unsigned w;

	for (w = workers; w < s->workers; w++) {
		db_close(&s->live[w]);
		live_remove(s, w);
	}
}

bool live_sort(const char *dir, const uint8_t boot_id[16], unsigned workers, char *err)
{
	struct store *s = store_bare(dir, live_dirs(dir, workers), err);
	struct moving m = { .s = s, .workers = workers };
	bool good;

	if (!s)
		return false;
	memcpy(s->boot_id, boot_id, sizeof s->boot_id);
	s->mode = STORE_READ;
	good = open_all(s, workers);
	for (; good && m.from < s->workers; m.from++)
		if (s->live[m.from].env)
			good = sort_one(&m);
	if (good)
		remove_leftovers(s, workers);
	else
		snprintf(err, 256, "registrations cannot be sorted by worker: %.180s", s->error);
	if (good && m.moved)
		cy_log(LOG_INFO, "store: %llu registrations went to other workers, of %u now",
		       (unsigned long long)m.moved, workers);
	free(m.id);
	store_close(s);
	return good;
}

/* ---- checking ---- */

void live_check(const char *dir, const uint8_t boot_id[16])
{
	char name[16], err[256];
	struct store *s = store_bare(dir, live_dirs(dir, 0), err);
	struct check c;
	unsigned w;

	if (!s)
		return;
	memcpy(s->boot_id, boot_id, sizeof s->boot_id);
	for (w = 0; w < s->workers; w++) {
		live_name(name, w);
		if (!live_is_of_this_boot(s, w))
			continue;
		check_live(&c, dir, name);
		if (c.result == CHECK_SOUND)
			continue;
		cy_log(LOG_WARN, "store: %s is damaged (%s) and dropped: its nodes register again",
		       name, c.why);
		live_remove(s, w);
	}
	store_close(s);
}

unsigned store_readers(const char *dir, unsigned workers)
{
	char name[16], err[256];
	struct store *s = store_bare(dir, workers, err);
	unsigned w, freed = 0;

	if (!s)
		return 0;
	/* opening already clears some: counted is what the table says before */
	if (db_open(&s->accounts, s, "accounts", MDB_RDONLY, ACCOUNTS_MAP) == STORE_OK)
		freed += (unsigned)s->accounts.dead;
	for (w = 0; w < workers; w++) {
		live_name(name, w);
		if (db_open(&s->live[w], s, name, MDB_RDONLY, LIVE_MAP) == STORE_OK)
			freed += (unsigned)s->live[w].dead;
	}
	store_close(s);
	return freed;
}

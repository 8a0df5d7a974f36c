/* scrape.c - from a worker's status to figures. */
#include "net/io/scrape.h"
#include "net/proto/verdict.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static json_t *part(json_t *o, const char *key)
{
	return json_object_get(o, key);
}

static double number(json_t *o, const char *key)
{
	return json_number_value(part(o, key));
}

static const char *text(json_t *o, const char *key)
{
	const char *s = json_string_value(part(o, key));

	return s ? s : "";
}

static double truth(json_t *o, const char *key)
{
	return json_is_true(part(o, key)) ? 1 : 0;
}

/* ---- each role's own ---- */

static void of_as(struct sheet *s, json_t *as)
{
	sheet_add(s, M_LOGINS, number(as, "logins"), "granted", NULL);
	sheet_add(s, M_LOGINS, number(as, "refused"), "refused", NULL);
	sheet_add(s, M_LOGINS, number(as, "failed"), "failed", NULL);
	sheet_add(s, M_AS_CONNECTIONS, number(as, "connections"), NULL, NULL);
}

static void of_trs(struct sheet *s, json_t *trs)
{
	sheet_add(s, M_RELAY_PATHS, number(trs, "bound"), "bound", NULL);
	sheet_add(s, M_RELAY_PATHS, number(trs, "paths") - number(trs, "bound"), "waiting", NULL);
	sheet_add(s, M_RELAY_REQUESTS, number(trs, "opened"), "opened", NULL);
	sheet_add(s, M_RELAY_REQUESTS, number(trs, "refused"), "refused", NULL);
	sheet_add(s, M_RELAY_PACKETS, number(trs, "packets_relayed"), NULL, NULL);
	sheet_add(s, M_RELAY_BYTES, number(trs, "octets_relayed"), NULL, NULL);
	if (!truth(trs, "agent"))
		return;
	sheet_add(s, M_RELAY_READY, strcmp(text(trs, "state"), "ready") == 0 ||
		  truth(trs, "draining"), NULL, NULL);
	sheet_add(s, M_RELAY_DRAINING, truth(trs, "draining"), NULL, NULL);
	sheet_add(s, M_RELAY_LOAD, number(trs, "load"), NULL, NULL);
}

/* How many of a list are in each state; every state is there. */
static void states(struct sheet *s, enum metric m, json_t *list, const char *const *state)
{
	json_t *one;
	size_t i;

	for (; *state; state++) {
		unsigned n = 0;

		json_array_foreach(list, i, one)
			n += strcmp(text(one, "state"), *state) == 0;
		sheet_add(s, m, n, *state, NULL);
	}
}

static void of_nms(struct sheet *s, json_t *nms)
{
	static const char *const state[] = { "ready", "draining", "silent", NULL };
	static const char *const pattern[] = { "1", "2", "3" };
	size_t i;

	sheet_add(s, M_REGISTRATIONS, number(nms, "nodes"), NULL, NULL);
	sheet_add(s, M_SELECTIONS, number(nms, "selections"), NULL, NULL);
	sheet_add(s, M_DIRECTIONS, number(nms, "paths"), "told", NULL);
	sheet_add(s, M_DIRECTIONS, number(nms, "refusals"), "refused", NULL);
	sheet_add(s, M_DIRECTIONS, number(nms, "undelivered"), "undelivered", NULL);
	for (i = 0; i < ARRAY_SIZE(pattern); i++)
		sheet_add(s, M_PATTERNS, json_number_value(json_array_get(part(nms, "patterns"), i)),
			  pattern[i], NULL);
	states(s, M_RELAYS, part(nms, "relays"), state);
}

static void of_agent(struct sheet *s, json_t *node)
{
	static const char *const state[] = { "idle", "asking", "opening", "up", NULL };
	json_int_t now = json_integer_value(part(part(node, "time"), "cloud_ms")) / 1000;
	json_t *way, *dns = part(node, "dns");
	size_t i;

	sheet_add(s, M_NODE_READY, strcmp(text(node, "state"), "ready") == 0, NULL, NULL);
	json_array_foreach(part(node, "ways"), i, way)
		sheet_add(s, M_NODE_REGISTERED, truth(way, "registered"),
			  *text(way, "nms") == '[' ? "ipv6" : "ipv4", NULL);
	if (number(node, "certificate_expiry") > 0)
		sheet_add(s, M_CERT_EXPIRY, number(node, "certificate_expiry") - (double)now, NULL, NULL);
	if (number(node, "key_expiry") > 0)
		sheet_add(s, M_KEY_EXPIRY, number(node, "key_expiry") - (double)now, NULL, NULL);
	states(s, M_PEERS, part(node, "peers"), state);
	sheet_add(s, M_DNS, number(dns, "answered"), "answered", NULL);
	sheet_add(s, M_DNS, number(dns, "refused"), "refused", NULL);
	sheet_add(s, M_DNS, number(dns, "malformed"), "malformed", NULL);
	sheet_add(s, M_DNS, number(dns, "servfail"), "failed", NULL);
}

static void of_node(struct sheet *s, json_t *node)
{
	static const char *const state[] = { "asking", "waiting", "answered", "up", NULL };
	json_t *sum = part(node, "totals");

	sheet_add(s, M_TUNNEL_BYTES, number(sum, "octets_in"), "in", NULL);
	sheet_add(s, M_TUNNEL_BYTES, number(sum, "octets_out"), "out", NULL);
	sheet_add(s, M_TUNNEL_PACKETS, number(sum, "packets_in"), "in", NULL);
	sheet_add(s, M_TUNNEL_PACKETS, number(sum, "packets_out"), "out", NULL);
	sheet_add(s, M_REKEYS, number(sum, "rekeys"), NULL, NULL);
	states(s, M_PATHS, part(node, "paths"), state);
	if (json_is_true(part(node, "agent")))
		of_agent(s, node);
}

static void of_worker(struct sheet *s, const char *role, json_t *worker)
{
	json_t *verdicts = part(worker, "verdicts"), *lost = part(worker, "lost");
	enum verdict v;

	for (v = 0; v < V_COUNT; v++)
		sheet_add(s, M_PACKETS, number(verdicts, verdict_name(v)), role, verdict_name(v));
	sheet_add(s, M_LOST, number(lost, "datagram"), "datagram", NULL);
	sheet_add(s, M_LOST, number(lost, "packet"), "packet", NULL);
	sheet_add(s, M_LOST, number(lost, "note"), "note", NULL);
	sheet_add(s, M_LOST, number(lost, "request"), "request", NULL);
	if (strcmp(role, "as") == 0)
		of_as(s, worker);
	else if (strcmp(role, "nms") == 0)
		of_nms(s, worker);
	else if (strcmp(role, "trs") == 0)
		of_trs(s, worker);
	else if (strcmp(role, "node") == 0)
		of_node(s, worker);
}

/* ---- the daemon's ---- */

static void of_daemon(struct sheet *s, const struct scraper *x)
{
	const struct board *b = x->board;
	uint64_t octets, copied;
	enum log_level level;

	sheet_add(s, M_BUILD_INFO, 1, CYPHONIC_VERSION, NULL);
	sheet_add(s, M_START, (double)b->started, NULL, NULL);
	sheet_add(s, M_DEATHS, b->deaths, NULL, NULL);
	for (level = LOG_ERROR_; level <= LOG_DEBUG; level++)
		sheet_add(s, M_LOG_LINES, (double)b->said[level], log_level_name(level), NULL);
	sheet_add(s, M_LOG_UNSAID, (double)b->unsaid, NULL, NULL);
	if (!x->state)
		return;
	store_look(x->state, &octets, &copied);
	sheet_add(s, M_STORE_BYTES, (double)octets, NULL, NULL);
	if (copied)
		sheet_add(s, M_STORE_COPY, (double)copied, NULL, NULL);
}

static uint64_t octets_in(int dir, const char *name)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof path, "%s/data.mdb", name);
	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t newest_in(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	uint64_t newest = 0;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			newest = MAX(newest, (uint64_t)st.st_mtime);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	return newest;
}

void store_look(const char *state, uint64_t *octets, uint64_t *copied)
{
	DIR *d = opendir(state);
	struct dirent *e;

	*octets = *copied = 0;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, "accounts") == 0 || strncmp(e->d_name, "live.", 5) == 0)
			*octets += octets_in(dirfd(d), e->d_name);
		else if (strcmp(e->d_name, "copies") == 0)
			*copied = newest_in(dirfd(d), e->d_name);
	if (d)
		closedir(d);
}

/* ---- all of it ---- */

/* One worker's figures, on top of what its predecessors counted. */
static void add_worker(struct scraper *x, struct sheet *sheet, unsigned role, json_t *worker)
{
	unsigned index = (unsigned)number(worker, "worker") % WORKERS_MAX;
	struct past *past = &x->past[role][index];
	const char *name = x->ask.role[role];
	bool up = !part(worker, "error");
	struct sheet now = { 0 };

	sheet_add(sheet, M_WORKERS, up, name, "up");
	sheet_add(sheet, M_WORKERS, !up, name, "silent");
	if (up) {
		of_worker(&now, name, worker);
		if (index == 0)
			sheet_add(&now, M_CLOCK,
				  number(part(worker, "time"), "difference_ms") / 1000, name, NULL);
		if (sheet_fell(&now, &past->last))
			sheet_merge(&past->before, &past->last, true);
		sheet_clear(&past->last);
		sheet_merge(&past->last, &now, true);
	} else {
		sheet_merge(&now, &past->last, true);
	}
	sheet_merge(sheet, &now, false);
	sheet_merge(sheet, &past->before, false);
	sheet_clear(&now);
}

void scrape(struct scraper *x, struct sheet *sheet)
{
	json_t *workers = ask_workers(&x->ask), *worker;
	bool as_ready = true, as = false;
	unsigned r;
	size_t i;

	of_daemon(sheet, x);
	json_array_foreach(workers, i, worker)
		for (r = 0; r < x->ask.roles; r++)
			if (strcmp(text(worker, "role"), x->ask.role[r]) == 0) {
				add_worker(x, sheet, r, worker);
				if (strcmp(x->ask.role[r], "as") == 0) {
					as = true;
					as_ready &= json_is_true(part(worker, "ready"));
				}
			}
	if (as)
		sheet_add(sheet, M_AS_READY, as_ready, NULL, NULL);
	json_decref(workers);
}

void scraper_free(struct scraper *x)
{
	unsigned r, w;

	for (r = 0; r < ARRAY_SIZE(x->past); r++)
		for (w = 0; w < WORKERS_MAX; w++) {
			sheet_clear(&x->past[r][w].last);
			sheet_clear(&x->past[r][w].before);
		}
}

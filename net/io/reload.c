/* reload.c - which keys apply at once, and how the workers come to know them. */
#include "net/io/post.h"
#include "net/io/reload.h"
#include "store/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* All others are bound to what exists already: sockets, directories, processes, names. */
static const size_t at_once[] = {
	offsetof(struct config, log_level), offsetof(struct config, watchdog),
	offsetof(struct config, store_copies), offsetof(struct config, store_copy_every),
	offsetof(struct config, as_nms), offsetof(struct config, scrypt_cost),
	offsetof(struct config, key_lifetime), offsetof(struct config, cert_lifetime),
	offsetof(struct config, keepalive), offsetof(struct config, path_lifetime),
	offsetof(struct config, node_as), offsetof(struct config, node_password),
	offsetof(struct config, node_upstream), offsetof(struct config, node_cipher),
	offsetof(struct config, node_rekey), offsetof(struct config, node_rekey_packets),
	offsetof(struct config, node_idle), offsetof(struct config, node_punch),
	offsetof(struct config, trs_region),
	offsetof(struct config, trs_path_rate), offsetof(struct config, trs_node_rate),
	offsetof(struct config, trs_paths), offsetof(struct config, trs_capacity),
	offsetof(struct config, trs_as), offsetof(struct config, trs_password),
	offsetof(struct config, node_stun), offsetof(struct config, node_keepalive),
};

static bool applies(size_t offset)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(at_once); i++)
		if (at_once[i] == offset)
			return true;
	return false;
}

/* Two lists of keys, each with a comma behind it. */
struct changes {
	FILE *applied, *kept;
};

static void change(struct changes *c, struct config *now, const struct config *fresh,
		   size_t offset, size_t size, const char *section, const char *key)
{
	uint8_t *old = (uint8_t *)now + offset;
	const uint8_t *new = (const uint8_t *)fresh + offset;

	if (memcmp(old, new, size) == 0)
		return;
	fprintf(applies(offset) ? c->applied : c->kept, "%s%s%s, ", section, *section ? "." : "", key);
	if (applies(offset))
		memcpy(old, new, size);
}

static void take_changes(struct changes *c, struct config *now, const struct config *fresh)
{
	const char *section = "";

#define SECTION(name, text) section = #name;
#define END_SECTION(name) section = "";
#define DIFF(member, key) \
	change(c, now, fresh, offsetof(struct config, member), sizeof now->member, section, key);
#define STRING(member, key, ...) DIFF(member, key)
#define REQUIRED_STRING(member, key, ...) DIFF(member, key)
#define NUMBER(member, key, ...) DIFF(member, key)
#define DURATION(member, key, ...) DIFF(member, key)
#define ADDRESSES(member, key, ...) DIFF(member, key)
#define REQUIRED_ADDRESSES(member, key, ...) DIFF(member, key)
#define PREFIX(member, key, ...) DIFF(member, key)
#define ENUM(member, key, ...) DIFF(member, key)
#define ROLES(member, key, ...) DIFF(member, key)
#include "store/config.def"
#undef SECTION
#undef END_SECTION
#undef DIFF
#undef STRING
#undef REQUIRED_STRING
#undef NUMBER
#undef DURATION
#undef ADDRESSES
#undef REQUIRED_ADDRESSES
#undef PREFIX
#undef ENUM
#undef ROLES
}

static void tell_workers(const struct house *h)
{
	uint8_t letter[1 + sizeof *h->conf];
	unsigned i;

	letter[0] = POST_TO_WORKER;
	memcpy(letter + 1, h->conf, sizeof *h->conf);
	for (i = 0; i < h->count; i++)
		if (send(h->master_end[i], letter, sizeof letter, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			cy_log(LOG_WARN, "worker %u did not take the new configuration; it will when it restarts", i);
}

static void log_lines(enum log_level level, char *text)
{
	char *line, *rest = NULL;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		cy_log(level, "%s", line);
}

static void say(const char *what, const char *keys, size_t n)
{
	if (n > 2)
		cy_log(LOG_INFO, "%s: %.*s", what, (int)n - 2, keys);
}

/* Before the rest, so that it can still be said.  All processes look at the board. */
static void take_level(struct board *board, const struct config *fresh)
{
	if (board->level == fresh->log_level)
		return;
	cy_log(LOG_WARN, "log level is now %s, was %s",
	       log_level_name((enum log_level)fresh->log_level),
	       log_level_name((enum log_level)board->level));
	board->level = fresh->log_level;
}

static void apply(struct house *h, const struct master_plan *plan, const struct config *fresh)
{
	char *applied = NULL, *kept = NULL;
	size_t applied_n = 0, kept_n = 0;
	struct changes c = { open_memstream(&applied, &applied_n), open_memstream(&kept, &kept_n) };

	if (c.applied && c.kept) {
		take_level(plan->board, fresh);
		take_changes(&c, plan->conf, fresh);
		fclose(c.applied);
		fclose(c.kept);
		say("configuration read again, applied", applied, applied_n);
		say("configuration read again, needs a restart", kept, kept_n);
		if (applied_n + kept_n < 2)
			cy_log(LOG_INFO, "configuration read again: nothing changed");
		tell_workers(h);
		child_renew_helper(h);
	}
	free(applied);
	free(kept);
}

void reload(struct house *h, const struct master_plan *plan)
{
	struct config *fresh = calloc(1, sizeof *fresh);
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	int errors = -1;

	if (fresh && out)
		errors = config_load(fresh, plan->conf->file, plan->role_bits, out);
	if (out)
		fclose(out);
	if (errors > 0)
		log_lines(LOG_ERROR_, text);
	if (errors)
		cy_log(LOG_ERROR_, "configuration not taken; going on with the one in use");
	else
		apply(h, plan, fresh);
	free(text);
	free(fresh);
}

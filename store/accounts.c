/*
 * accounts.c - the durable part: small named values, accounts, and devices with an index for
 * each thing they are found by.  Every function looks before it writes, so that a refusal
 * inside a group leaves the group as it was.
 */
#include "store/db.h"
#include <stdio.h>

/* ---- meta ---- */

static enum store_result meta_read(struct store *s, const struct key *key, void *value, size_t *n)
{
	struct record r;
	enum store_result result = db_get(&s->accounts, key, &r);
	size_t length;

	if (result)
		return result;
	length = record_left(&r);
	if (length > *n)
		return store_says(s, STORE_FAILED, "value %.*s has %zu octets, room is for %zu",
				  (int)(key->n - 1), (const char *)key->b + 1, length, *n);
	record_octets(&r, value, length);
	*n = length;
	wipe(&r, sizeof r);
	return STORE_OK;
}

static enum store_result meta_write(struct store *s, const struct key *key, const void *value,
				    size_t n)
{
	struct record r;
	enum store_result result;

	record_new(&r);
	record_octets(&r, (void *)value, n);
	result = db_put(&s->accounts, key, &r);
	wipe(&r, sizeof r);
	return result;
}

static enum store_result meta_key(struct store *s, struct key *key, const char *name, size_t n)
{
	if (!key_name(key, KIND_META, name))
		return store_says(s, STORE_FAILED, "a value's name has 1 to %d octets",
				  NAME_MAX_LEN);
	if (n > META_MAX)
		return store_says(s, STORE_FAILED, "value %s: %zu octets, at most %d fit", name, n,
				  META_MAX);
	return STORE_OK;
}

enum store_result meta_get(struct store *s, const char *name, void *value, size_t *n)
{
	struct key key;
	enum store_result result = meta_key(s, &key, name, 0);

	return result ? result : meta_read(s, &key, value, n);
}

enum store_result meta_put(struct store *s, const char *name, const void *value, size_t n)
{
	struct key key;
	enum store_result result = meta_key(s, &key, name, n);

	if (result == STORE_OK)
		result = db_enter(&s->accounts);
	return result ? result : db_leave(&s->accounts, meta_write(s, &key, value, n));
}

/* The value there is, if it has the length the caller knows. */
static enum store_result meta_there(struct store *s, const struct key *key, void *value, size_t n)
{
	uint8_t there[META_MAX];
	size_t length = sizeof there;
	enum store_result result = meta_read(s, key, there, &length);

	if (result == STORE_OK && length != n)
		result = store_says(s, STORE_FAILED, "value %.*s has %zu octets, not %zu",
				    (int)(key->n - 1), (const char *)key->b + 1, length, n);
	if (result == STORE_OK)
		memcpy(value, there, n);
	wipe(there, sizeof there);
	return result;
}

enum store_result meta_first(struct store *s, const char *name, void *value, size_t n)
{
	struct key key;
	enum store_result result = meta_key(s, &key, name, n);

	if (result == STORE_OK)
		result = meta_there(s, &key, value, n);
	if (result != STORE_MISSING)
		return result;
	result = db_enter(&s->accounts);
	if (result)
		return result;
	result = meta_there(s, &key, value, n);
	if (result == STORE_MISSING)
		result = meta_put(s, name, value, n);
	return db_leave(&s->accounts, result);
}

/* ---- accounts ---- */

static bool account_id_is_good(const char id[ACCOUNT_SIZE])
{
	size_t n = strnlen(id, ACCOUNT_SIZE), i;

	for (i = 0; i < n && i < ACCOUNT_SIZE - 1; i++) {
		char c = id[i], low = c | 0x20;

		if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '_' && c != '@' && c != '-')
			return false;
	}
	return n > 0 && n < ACCOUNT_SIZE;
}

static void account_fields(struct record *r, struct account *a)
{
	record_text(r, a->id, sizeof a->id);
	record_u8(r, &a->password.log2_n);
	record_u8(r, &a->password.r);
	record_u8(r, &a->password.p);
	record_octets(r, a->password.salt, sizeof a->password.salt);
	record_octets(r, a->password.hash, sizeof a->password.hash);
	record_u8(r, &a->disabled);
	record_u64(r, &a->created);
}

static enum store_result account_take(struct store *s, struct record *r, struct account *a)
{
	memset(a, 0, sizeof *a);
	account_fields(r, a);
	if (record_complete(r))
		return STORE_OK;
	return store_says(s, STORE_DAMAGED, "an account does not read");
}

enum store_result account_get(struct store *s, const char *id, struct account *a)
{
	enum store_result result;
	struct record r;
	struct key key;

	if (!key_name(&key, KIND_ACCOUNT, id))
		return STORE_MISSING;
	result = db_get(&s->accounts, &key, &r);
	if (result == STORE_OK)
		result = account_take(s, &r, a);
	wipe(&r, sizeof r);
	return result;
}

/* A damaged one is overwritten: that is its cure. */
static enum store_result account_write(struct store *s, struct account *a, bool create)
{
	enum store_result result;
	struct record r;
	struct key key;

	key_name(&key, KIND_ACCOUNT, a->id);
	result = db_get(&s->accounts, &key, &r);
	if (create && result != STORE_MISSING)
		return result == STORE_OK ? STORE_EXISTS : result;
	if (!create && result != STORE_OK && result != STORE_DAMAGED)
		return result;
	record_new(&r);
	account_fields(&r, a);
	result = db_put(&s->accounts, &key, &r);
	wipe(&r, sizeof r);
	return result;
}

enum store_result account_put(struct store *s, const struct account *a, bool create)
{
	struct account copy = *a;
	enum store_result result;

	if (!account_id_is_good(a->id))
		return store_says(s, STORE_FAILED,
				  "an account id has 1 to 64 letters, digits, '.', '_', '@', '-'");
	result = db_enter(&s->accounts);
	if (result == STORE_OK)
		result = db_leave(&s->accounts, account_write(s, &copy, create));
	wipe(&copy, sizeof copy);
	return result;
}

struct account_listing {
	struct store *store;
	bool (*each)(void *arg, const struct account *a);
	void *arg;
	bool damaged;
};

static bool account_list(void *arg, enum store_result result, const struct key *key,
			 struct record *r)
{
	struct account_listing *l = arg;
	struct account a;
	bool more = true;

	if (result == STORE_OK)
		result = account_take(l->store, r, &a);
	if (result == STORE_OK)
		more = l->each(l->arg, &a);
	else
		l->damaged = true;
	wipe(&a, sizeof a);
	return more;
}

enum store_result account_each(struct store *s, bool (*each)(void *arg, const struct account *a),
			       void *arg)
{
	struct account_listing l = { s, each, arg, false };
	enum store_result result = db_each(&s->accounts, KIND_ACCOUNT, account_list, &l);

	return result == STORE_OK && l.damaged ? STORE_DAMAGED : result;
}

/* Some of an account's devices: so many are gathered in one walk. */
struct owned {
	const char *owner;
	unsigned n;
	char fqdn[64][NAME_SIZE];
};

static bool owned_gather(void *arg, const struct device *d)
{
	struct owned *o = arg;

	if (strcmp(d->owner, o->owner) == 0)
		memcpy(o->fqdn[o->n++], d->fqdn, sizeof d->fqdn);
	return o->n < ARRAY_SIZE(o->fqdn);
}

/* A damaged device might be one of them: then nothing is deleted. */
static enum store_result account_remove(struct store *s, const struct key *key, const char *id)
{
	struct owned o = { .owner = id };
	enum store_result result;
	struct record r;
	unsigned i;

	result = db_get(&s->accounts, key, &r);
	wipe(&r, sizeof r);
	if (result != STORE_OK && result != STORE_DAMAGED)
		return result;
	do {
		o.n = 0;
		result = device_each(s, owned_gather, &o);
		for (i = 0; result == STORE_OK && i < o.n; i++)
			result = device_delete(s, o.fqdn[i]);
	} while (result == STORE_OK && o.n == ARRAY_SIZE(o.fqdn));
	return result ? result : db_delete(&s->accounts, key);
}

enum store_result account_delete(struct store *s, const char *id)
{
	enum store_result result;
	struct key key;

	if (!key_name(&key, KIND_ACCOUNT, id))
		return STORE_MISSING;
	result = db_enter(&s->accounts);
	return result ? result : db_leave(&s->accounts, account_remove(s, &key, id));
}

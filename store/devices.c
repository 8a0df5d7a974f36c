/*
 * devices.c - devices, and an index for each thing they are found by: an index entry holds the
 * FQDN, the record is written once.
 */
#include "store/db.h"
#include <stdio.h>

/* What a device is found by beside its name.  All zero means it has none. */
struct index {
	enum kind kind;
	size_t at, n;
};

static const struct index indexes[] = {
	{ KIND_DEVICE_ID, offsetof(struct device, node_id), sizeof(struct id) },
	{ KIND_DEVICE_IP4, offsetof(struct device, ip4), 4 },
	{ KIND_DEVICE_IP6, offsetof(struct device, ip6), 16 },
};

static void device_fields(struct record *r, struct device *d)
{
	record_text(r, d->fqdn, sizeof d->fqdn);
	record_text(r, d->owner, sizeof d->owner);
	record_octets(r, d->node_id.b, sizeof d->node_id.b);
	record_u8(r, &d->kind);
	record_u8(r, &d->disabled);
	record_octets(r, d->ip4, sizeof d->ip4);
	record_octets(r, d->ip6, sizeof d->ip6);
	record_u64(r, &d->created);
	record_u64(r, &d->last_login);
	record_u16(r, &d->cert_len);
	if (d->cert_len > sizeof d->cert)
		r->bad = true;
	else
		record_octets(r, d->cert, d->cert_len);
	record_octets(r, d->common_key.b, sizeof d->common_key.b);
	record_u64(r, &d->key_expiry);
}

static enum store_result device_take(struct store *s, struct record *r, struct device *d)
{
	memset(d, 0, sizeof *d);
	device_fields(r, d);
	if (record_complete(r))
		return STORE_OK;
	return store_says(s, STORE_DAMAGED, "a device does not read");
}

/* ---- finding ---- */

enum store_result device_by_fqdn(struct store *s, const char *fqdn, struct device *d)
{
	enum store_result result;
	struct record r;
	struct key key;

	if (!key_name(&key, KIND_DEVICE, fqdn))
		return STORE_MISSING;
	result = db_get(&s->accounts, &key, &r);
	if (result == STORE_OK)
		result = device_take(s, &r, d);
	wipe(&r, sizeof r);
	return result;
}

/* False: the device has nothing to be found by here. */
static bool index_key(struct key *key, const struct index *x, const void *value)
{
	static const uint8_t none[16];

	key_octets(key, x->kind, value, x->n);
	return memcmp(value, none, x->n) != 0;
}

static const void *index_value(const struct index *x, const struct device *d)
{
	return (const uint8_t *)d + x->at;
}

static enum store_result index_get(struct store *s, const struct key *key, char fqdn[NAME_SIZE])
{
	struct record r;
	enum store_result result = db_get(&s->accounts, key, &r);

	if (result)
		return result;
	record_text(&r, fqdn, NAME_SIZE);
	if (record_complete(&r))
		return STORE_OK;
	return store_says(s, STORE_DAMAGED, "a device index does not read");
}

static enum store_result index_put(struct store *s, const struct key *key, const char *fqdn)
{
	struct record r;

	record_new(&r);
	record_text(&r, (char *)fqdn, NAME_SIZE);
	return db_put(&s->accounts, key, &r);
}

/* An index that leads nowhere or to somebody else is damage, not absence. */
static enum store_result follow(struct store *s, const struct index *x, const void *value,
				struct device *d)
{
	enum store_result result;
	char fqdn[NAME_SIZE];
	struct key key;

	if (!index_key(&key, x, value))
		return STORE_MISSING;
	result = index_get(s, &key, fqdn);
	if (result)
		return result;
	result = device_by_fqdn(s, fqdn, d);
	if (result == STORE_MISSING ||
	    (result == STORE_OK && memcmp(index_value(x, d), value, x->n) != 0))
		return store_says(s, STORE_DAMAGED, "an index leads to %s, which is not the device",
				  fqdn);
	return result;
}

/* Index and record are read in one snapshot. */
static enum store_result device_find(struct store *s, const struct index *x, const void *value,
				     struct device *d)
{
	enum store_result result = db_hold(&s->accounts);

	if (result)
		return result;
	result = follow(s, x, value, d);
	db_release(&s->accounts);
	return result;
}

enum store_result device_by_id(struct store *s, const struct id *node_id, struct device *d)
{
	return device_find(s, &indexes[0], node_id, d);
}

enum store_result device_by_ip(struct store *s, uint8_t family, const uint8_t *ip,
			       struct device *d)
{
	return device_find(s, &indexes[family == 4 ? 1 : 2], ip, d);
}

struct device_listing {
	struct store *store;
	bool (*each)(void *arg, const struct device *d);
	void *arg;
	bool damaged;
};

static bool device_list(void *arg, enum store_result result, const struct key *key,
			struct record *r)
{
	struct device_listing *l = arg;
	struct device d;
	bool more = true;

	if (result == STORE_OK)
		result = device_take(l->store, r, &d);
	if (result == STORE_OK)
		more = l->each(l->arg, &d);
	else
		l->damaged = true;
	wipe(&d, sizeof d);
	return more;
}

enum store_result device_each(struct store *s, bool (*each)(void *arg, const struct device *d),
			      void *arg)
{
	struct device_listing l = { s, each, arg, false };
	enum store_result result = db_each(&s->accounts, KIND_DEVICE, device_list, &l);

	return result == STORE_OK && l.damaged ? STORE_DAMAGED : result;
}

/* ---- removing ---- */

/* Index entries of a device whose record cannot tell them any more. */
struct leading_here {
	const char *fqdn;
	bool found;
	struct key key;
};

static bool leads_here(void *arg, enum store_result result, const struct key *key,
		       struct record *r)
{
	struct leading_here *h = arg;
	char fqdn[NAME_SIZE] = "";

	if (result == STORE_OK)
		record_text(r, fqdn, sizeof fqdn);
	h->found = strcmp(fqdn, h->fqdn) == 0;
	h->key = *key;
	return !h->found;
}

static enum store_result indexes_sweep(struct store *s, const char *fqdn)
{
	struct leading_here h = { .fqdn = fqdn };
	enum store_result result = STORE_OK;
	size_t i;

	for (i = 0; result == STORE_OK && i < ARRAY_SIZE(indexes); i++) {
		h.found = false;
		result = db_each(&s->accounts, indexes[i].kind, leads_here, &h);
		if (result == STORE_OK && h.found)
			result = db_delete(&s->accounts, &h.key);
	}
	return result;
}

/* Those of old that d (NULL: nothing) does not have too. */
static enum store_result indexes_drop(struct store *s, const struct device *old,
				      const struct device *d)
{
	enum store_result result = STORE_OK;
	struct key key;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(indexes); i++) {
		const struct index *x = &indexes[i];
		const void *value = index_value(x, old);

		if (!index_key(&key, x, value))
			continue;
		if (d && memcmp(index_value(x, d), value, x->n) == 0)
			continue;
		result = db_delete(&s->accounts, &key);
		if (result != STORE_OK && result != STORE_MISSING)
			return result;
	}
	return STORE_OK;
}

static enum store_result device_remove(struct store *s, const char *fqdn)
{
	enum store_result result;
	struct device old;
	struct key key;

	if (!key_name(&key, KIND_DEVICE, fqdn))
		return STORE_MISSING;
	result = device_by_fqdn(s, fqdn, &old);
	if (result == STORE_OK)
		result = indexes_drop(s, &old, NULL);
	else if (result == STORE_DAMAGED)
		result = indexes_sweep(s, fqdn);
	wipe(&old, sizeof old);
	return result ? result : db_delete(&s->accounts, &key);
}

enum store_result device_delete(struct store *s, const char *fqdn)
{
	enum store_result result = db_enter(&s->accounts);

	return result ? result : db_leave(&s->accounts, device_remove(s, fqdn));
}

/* ---- writing ---- */

/* Whether nobody else is found by what d is to be found by. */
static enum store_result indexes_free(struct store *s, const struct device *d)
{
	enum store_result result;
	char fqdn[NAME_SIZE];
	struct key key;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(indexes); i++) {
		if (!index_key(&key, &indexes[i], index_value(&indexes[i], d)))
			continue;
		result = index_get(s, &key, fqdn);
		if (result == STORE_OK && strcmp(fqdn, d->fqdn) != 0)
			return STORE_EXISTS;
		if (result != STORE_OK && result != STORE_MISSING)
			return result;
	}
	return STORE_OK;
}

/* Entries that stand already are left alone: a login then dirties one page, not four. */
static enum store_result indexes_put(struct store *s, const struct device *old,
				     const struct device *d)
{
	enum store_result result = STORE_OK;
	struct key key;
	size_t i;

	for (i = 0; result == STORE_OK && i < ARRAY_SIZE(indexes); i++) {
		const struct index *x = &indexes[i];

		if (old && memcmp(index_value(x, old), index_value(x, d), x->n) == 0)
			continue;
		if (index_key(&key, x, index_value(x, d)))
			result = index_put(s, &key, d->fqdn);
	}
	return result;
}

static enum store_result indexes_renew(struct store *s, const struct device *d)
{
	enum store_result result = STORE_OK;
	char fqdn[NAME_SIZE];
	struct key key;
	size_t i;

	for (i = 0; result == STORE_OK && i < ARRAY_SIZE(indexes); i++) {
		if (!index_key(&key, &indexes[i], index_value(&indexes[i], d)))
			continue;
		if (index_get(s, &key, fqdn) != STORE_OK)
			result = index_put(s, &key, d->fqdn);
	}
	return result;
}

enum store_result device_reindex(struct store *s, const char *fqdn)
{
	enum store_result result = db_enter(&s->accounts);
	struct device d;

	if (result)
		return result;
	result = device_by_fqdn(s, fqdn, &d);
	if (result == STORE_OK)
		result = indexes_renew(s, &d);
	wipe(&d, sizeof d);
	return db_leave(&s->accounts, result);
}

static enum store_result device_write(struct store *s, const struct device *d, struct record *r,
				      bool create)
{
	enum store_result was, result;
	struct device old;
	struct key key;

	key_name(&key, KIND_DEVICE, d->fqdn);
	was = device_by_fqdn(s, d->fqdn, &old);
	if (create && was != STORE_MISSING)
		result = was == STORE_OK ? STORE_EXISTS : was;
	else if (!create && was != STORE_OK && was != STORE_DAMAGED)
		result = was;
	else
		result = indexes_free(s, d);
	if (result == STORE_OK && was == STORE_OK)
		result = indexes_drop(s, &old, d);
	else if (result == STORE_OK && was == STORE_DAMAGED)
		result = indexes_sweep(s, d->fqdn);
	if (result == STORE_OK)
		result = indexes_put(s, was == STORE_OK ? &old : NULL, d);
	if (result == STORE_OK)
		result = db_put(&s->accounts, &key, r);
	wipe(&old, sizeof old);
	return result;
}

static bool name_is_canonical(const char fqdn[NAME_SIZE])
{
	char same[NAME_SIZE];

	return memchr(fqdn, '\0', NAME_SIZE) && name_canonical(same, fqdn) &&
	       strcmp(same, fqdn) == 0;
}

enum store_result device_put(struct store *s, const struct device *d, bool create)
{
	struct device copy = *d;
	enum store_result result;
	struct record r;

	if (!name_is_canonical(d->fqdn))
		return store_says(s, STORE_FAILED, "a device's name is not in canonical form");
	record_new(&r);
	device_fields(&r, &copy);
	if (r.bad)
		result = store_says(s, STORE_FAILED, "%s: owner or certificate is too long",
				    d->fqdn);
	else
		result = db_enter(&s->accounts);
	if (result == STORE_OK)
		result = db_leave(&s->accounts, device_write(s, d, &r, create));
	wipe(&copy, sizeof copy);
	wipe(&r, sizeof r);
	return result;
}

/* ---- addresses ---- */

/* The next host number to try: durable, so that a deleted device's number is not soon reused. */
#define NEXT_HOST "next-host"

static enum store_result next_host(struct store *s, uint32_t *next)
{
	uint8_t b[4];
	size_t n = sizeof b;
	enum store_result result = meta_get(s, NEXT_HOST, b, &n);

	*next = result == STORE_OK && n == sizeof b ? get32(b) : 2;
	return result == STORE_MISSING ? STORE_OK : result;
}

static void host_addresses(uint32_t host, const uint8_t net4[4], uint32_t size,
			   const uint8_t net6[16], uint8_t ip4[4], uint8_t ip6[16])
{
	put32(ip4, (get32(net4) & ~(size - 1)) | host);
	memcpy(ip6, net6, 16);
	put32(ip6 + 12, host);
}

static bool is_free(struct store *s, const struct index *x, const uint8_t *ip)
{
	struct record r;
	struct key key;

	index_key(&key, x, ip);
	return db_get(&s->accounts, &key, &r) == STORE_MISSING;
}

static enum store_result find_host(struct store *s, const uint8_t net4[4], uint32_t size,
				   const uint8_t net6[16], uint8_t ip4[4], uint8_t ip6[16])
{
	uint32_t host, left, last = size - 2;	/* the number above is for broadcast */
	enum store_result result = next_host(s, &host);
	uint8_t b[4];

	if (result)
		return result;
	for (left = last - 1; left; left--, host++) {
		if (host < 2 || host > last)
			host = 2;
		host_addresses(host, net4, size, net6, ip4, ip6);
		if (!is_free(s, &indexes[1], ip4) || !is_free(s, &indexes[2], ip6))
			continue;
		put32(b, host + 1);
		return meta_put(s, NEXT_HOST, b, sizeof b);
	}
	return store_says(s, STORE_FULL, "every virtual address is given out: widen virtual: ipv4");
}

enum store_result device_addresses(struct store *s, const uint8_t net4[4], uint8_t bits4,
				   const uint8_t net6[16], uint8_t ip4[4], uint8_t ip6[16])
{
	uint32_t size;
	enum store_result result;

	if (bits4 < 1 || bits4 > 30)
		return store_says(s, STORE_FAILED, "a virtual IPv4 range of /%u: not /1 to /30",
				  bits4);
	result = db_enter(&s->accounts);
	if (result)
		return result;
	size = (uint32_t)1 << (32 - bits4);
	return db_leave(&s->accounts, find_host(s, net4, size, net6, ip4, ip6));
}

/*
 * admin.c - the operator's verbs: each reads, changes and writes in one durable commit, then
 * says what it did, as text or as one JSON object.
 */
#include "crypto/cert.h"
#include "roles/admin.h"
#include <jansson.h>
#include <time.h>

#define ERR 256

/* ---- saying it ---- */

static void print_json(const struct admin *a, json_t *object)
{
	json_dumpf(object, a->out, JSON_INDENT(2));
	fputc('\n', a->out);
	json_decref(object);
}

/* what: "account 'alice'". */
static int not_done(const struct admin *a, enum store_result r, const char *what)
{
	switch (r) {
	case STORE_MISSING:
		cy_log(LOG_ERROR_, "there is no %s", what);
		break;
	case STORE_EXISTS:
		cy_log(LOG_ERROR_, "%s exists already", what);
		break;
	default:
		cy_log(LOG_ERROR_, "%s: %s: %s", what, store_result_text(r), store_error(a->store));
	}
	return 1;
}

static const char *quoted(char out[ERR], const char *kind, const char *name)
{
	snprintf(out, ERR, "%s '%.200s'", kind, name);
	return out;
}

/* "2026-11-20 12:34", or "-" for never. */
static const char *date(char out[32], uint64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!s || !gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M", &tm))
		strcpy(out, "-");
	return out;
}

static const char *state(bool disabled)
{
	return disabled ? "disabled" : "enabled";
}

/* Ends the commit; what came before counts unless it went well. */
static enum store_result finish(const struct admin *a, enum store_result r)
{
	enum store_result end = store_end(a->store, r == STORE_OK);

	return r ? r : end;
}

/* ---- accounts ---- */

static json_t *account_json(const struct account *acc)
{
	return json_pack("{s:s, s:b, s:I}", "id", acc->id, "disabled", acc->disabled, "created",
			 (json_int_t)acc->created);
}

static int say_account(const struct admin *a, const struct account *acc, const char *done)
{
	json_t *o;

	if (!a->json) {
		fprintf(a->out, "account %s %s\n", acc->id, done);
		return 0;
	}
	o = account_json(acc);
	json_object_set_new(o, "schema", json_string("cyphonic.account.v1"));
	json_object_set_new(o, "done", json_string(done));
	print_json(a, o);
	return 0;
}

static bool set_password(const struct admin *a, struct account *acc)
{
	if (password_make(&acc->password, a->password.p, a->password.n,
			  (uint8_t)a->conf->scrypt_cost))
		return true;
	cy_log(LOG_ERROR_, "no memory for scrypt at cost %u: lower as.scrypt-cost",
	       a->conf->scrypt_cost);
	return false;
}

int admin_account_add(const struct admin *a)
{
	struct account acc = { .created = a->now };
	enum store_result r;
	char what[ERR];

	quoted(what, "account", a->word[0]);
	if (strlen(a->word[0]) >= sizeof acc.id) {
		cy_log(LOG_ERROR_, "an account id has at most %zu characters", sizeof acc.id - 1);
		return 1;
	}
	strcpy(acc.id, a->word[0]);
	if (!set_password(a, &acc))
		return 1;
	r = account_put(a->store, &acc, true);
	wipe(&acc.password, sizeof acc.password);
	return r ? not_done(a, r, what) : say_account(a, &acc, "added");
}

/* Reads the account, lets change() at it, writes it back. */
static int account_change(const struct admin *a, void (*change)(struct account *, const void *),
			  const void *arg, const char *done)
{
	enum store_result r = store_begin(a->store);
	struct account acc;
	char what[ERR];

	quoted(what, "account", a->word[0]);
	if (r)
		return not_done(a, r, what);
	r = account_get(a->store, a->word[0], &acc);
	if (r == STORE_OK) {
		change(&acc, arg);
		r = account_put(a->store, &acc, false);
	}
	r = finish(a, r);
	wipe(&acc.password, sizeof acc.password);
	return r ? not_done(a, r, what) : say_account(a, &acc, done);
}

static void account_disable(struct account *acc, const void *arg)
{
	acc->disabled = *(const bool *)arg;
}

int admin_account_disable(const struct admin *a)
{
	return account_change(a, account_disable, &(bool){ true }, "disabled");
}

int admin_account_enable(const struct admin *a)
{
	return account_change(a, account_disable, &(bool){ false }, "enabled");
}

static void account_password(struct account *acc, const void *arg)
{
	acc->password = *(const struct password_hash *)arg;
}

int admin_account_password(const struct admin *a)
{
	struct account acc;
	int status;

	/* hashing is slow: not between begin and end, which would hold up the daemon's logins */
	if (!set_password(a, &acc))
		return 1;
	status = account_change(a, account_password, &acc.password, "has a new password");
	wipe(&acc.password, sizeof acc.password);
	return status;
}

int admin_account_delete(const struct admin *a)
{
	struct account acc = { .created = 0 };
	enum store_result r;
	char what[ERR];

	quoted(what, "account", a->word[0]);
	r = account_get(a->store, a->word[0], &acc);
	/* a damaged record must not be there for ever */
	if (r == STORE_OK || r == STORE_DAMAGED)
		r = account_delete(a->store, a->word[0]);
	snprintf(acc.id, sizeof acc.id, "%s", a->word[0]);
	return r ? not_done(a, r, what) : say_account(a, &acc, "deleted, and its devices");
}

static bool account_row(void *arg, const struct account *acc)
{
	const struct admin *a = arg;
	char when[32];

	fprintf(a->out, "%-32s %-9s %s\n", acc->id, state(acc->disabled), date(when, acc->created));
	return true;
}

static bool account_item(void *arg, const struct account *acc)
{
	json_array_append_new(arg, account_json(acc));
	return true;
}

int admin_account_list(const struct admin *a)
{
	json_t *list = json_array();
	enum store_result r;

	if (!a->json)
		fprintf(a->out, "%-32s %-9s %s\n", "ACCOUNT", "STATE", "CREATED (UTC)");
	r = account_each(a->store, a->json ? account_item : account_row,
			 a->json ? (void *)list : (void *)(uintptr_t)a);
	if (a->json)
		print_json(a, json_pack("{s:s, s:O}", "schema", "cyphonic.accounts.v1", "accounts", list));
	json_decref(list);
	return r ? not_done(a, r, "accounts") : 0;
}

/* ---- devices ---- */

static const char *kind_name(uint8_t kind)
{
	static const char *const name[] = {
		[DEVICE_NODE] = "node", [DEVICE_TRS] = "trs", [DEVICE_ADAPTER] = "adapter",
	};

	return kind < ARRAY_SIZE(name) && name[kind] ? name[kind] : "?";
}

static void device_ips(const struct device *d, char ip4[ADDR_TEXT], char ip6[ADDR_TEXT])
{
	struct addr at = { .family = 4 };

	memcpy(at.ip, d->ip4, sizeof d->ip4);
	ip_text(ip4, &at);
	at.family = 6;
	memcpy(at.ip, d->ip6, sizeof d->ip6);
	ip_text(ip6, &at);
	/* a relay has none */
	if (d->kind == DEVICE_TRS)
		*ip4 = *ip6 = '\0';
}

static json_t *device_json(const struct device *d)
{
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT], id[33];

	device_ips(d, ip4, ip6);
	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I, s:I}", "name", d->fqdn, "account",
			 d->owner, "kind", kind_name(d->kind), "disabled", d->disabled, "ipv4", ip4,
			 "ipv6", ip6, "node_id", id_text(id, &d->node_id), "created",
			 (json_int_t)d->created, "last_login", (json_int_t)d->last_login);
}

static int say_device(const struct admin *a, const struct device *d, const char *done)
{
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT];
	json_t *o;

	if (a->json) {
		o = device_json(d);
		json_object_set_new(o, "schema", json_string("cyphonic.device.v1"));
		json_object_set_new(o, "done", json_string(done));
		print_json(a, o);
		return 0;
	}
	device_ips(d, ip4, ip6);
	fprintf(a->out, "device %s %s (%s%s%s)\n", d->fqdn, done, *ip4 ? ip4 : "relay", *ip4 ? ", " : "",
		ip6);
	return 0;
}

/* One label, or that label and the domain; into its canonical form. */
static bool device_name(const struct admin *a, const char *word, char fqdn[NAME_SIZE])
{
	char whole[2 * NAME_SIZE], domain[NAME_SIZE];
	const char *dot = strchr(word, '.');

	snprintf(whole, sizeof whole, "%.253s%s%s", word, dot ? "" : ".", dot ? "" : a->conf->domain);
	if (name_canonical(domain, a->conf->domain) && name_canonical(fqdn, whole)) {
		dot = strchr(fqdn, '.');
		if (dot && strcmp(dot + 1, domain) == 0)
			return true;
	}
	cy_log(LOG_ERROR_, "'%.100s' is no device name: letters, digits and '-', at most 63, alone or "
	       "with .%s behind", word, a->conf->domain);
	return false;
}

static enum store_result device_make(const struct admin *a, struct device *d)
{
	const struct config *c = a->conf;
	struct account owner;
	enum store_result r;

	r = account_get(a->store, d->owner, &owner);
	wipe(&owner.password, sizeof owner.password);
	/* a relay is not on the overlay itself */
	if (r == STORE_OK && d->kind != DEVICE_TRS)
		r = device_addresses(a->store, c->virtual4.ip, c->virtual4.bits, c->virtual6.ip, d->ip4,
				     d->ip6);
	return r ? r : device_put(a->store, d, true);
}

int admin_device_add(const struct admin *a)
{
	struct device d = { .kind = DEVICE_NODE, .created = a->now };
	enum store_result r;
	char what[ERR];

	if (a->kind && strcmp(a->kind, "trs") == 0) {
		d.kind = DEVICE_TRS;
	} else if (a->kind && strcmp(a->kind, "node") != 0) {
		cy_log(LOG_ERROR_, "--kind=%.40s: 'node' or 'trs'", a->kind);
		return 2;
	}
	if (!device_name(a, a->word[1], d.fqdn))
		return 1;
	if (strlen(a->word[0]) >= sizeof d.owner)
		return not_done(a, STORE_MISSING, quoted(what, "account", a->word[0]));
	strcpy(d.owner, a->word[0]);
	node_id_of(&d.node_id, d.fqdn);
	r = store_begin(a->store);
	if (r == STORE_OK)
		r = finish(a, device_make(a, &d));
	if (r == STORE_OK)
		return say_device(a, &d, "added");
	if (r == STORE_FULL) {
		cy_log(LOG_ERROR_, "no virtual address is free, or the disk is full: %s",
		       store_error(a->store));
		return 1;
	}
	return not_done(a, r, r == STORE_MISSING ? quoted(what, "account", d.owner)
						 : quoted(what, "device", d.fqdn));
}

static int device_disable(const struct admin *a, bool disabled)
{
	char fqdn[NAME_SIZE], what[ERR];
	enum store_result r;
	struct device d;
	int status;

	if (!device_name(a, a->word[0], fqdn))
		return 1;
	quoted(what, "device", fqdn);
	r = store_begin(a->store);
	if (r)
		return not_done(a, r, what);
	r = device_by_fqdn(a->store, fqdn, &d);
	if (r == STORE_OK) {
		d.disabled = disabled;
		r = device_put(a->store, &d, false);
	}
	r = finish(a, r);
	status = r ? not_done(a, r, what) : say_device(a, &d, state(disabled));
	wipe(&d.common_key, sizeof d.common_key);
	return status;
}

int admin_device_disable(const struct admin *a)
{
	return device_disable(a, true);
}

int admin_device_enable(const struct admin *a)
{
	return device_disable(a, false);
}

int admin_device_delete(const struct admin *a)
{
	struct device d = { .kind = 0 };
	char fqdn[NAME_SIZE], what[ERR];
	enum store_result r;

	if (!device_name(a, a->word[0], fqdn))
		return 1;
	quoted(what, "device", fqdn);
	r = device_by_fqdn(a->store, fqdn, &d);
	wipe(&d.common_key, sizeof d.common_key);
	if (r == STORE_OK || r == STORE_DAMAGED)
		r = device_delete(a->store, fqdn);
	strcpy(d.fqdn, fqdn);
	return r ? not_done(a, r, what) : say_device(a, &d, "deleted");
}

struct listing {
	const struct admin *a;
	json_t *list;
	const char *owner;		/* NULL: all */
};

static bool device_row(void *arg, const struct device *d)
{
	const struct listing *l = arg;
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT], when[32];

	if (l->owner && strcmp(l->owner, d->owner) != 0)
		return true;
	if (l->a->json) {
		json_array_append_new(l->list, device_json(d));
		return true;
	}
	device_ips(d, ip4, ip6);
	fprintf(l->a->out, "%-32s %-16s %-8s %-9s %-15s %-26s %s\n", d->fqdn, d->owner,
		kind_name(d->kind), state(d->disabled), *ip4 ? ip4 : "-", *ip6 ? ip6 : "-",
		date(when, d->last_login));
	return true;
}

int admin_device_list(const struct admin *a)
{
	struct listing l = { .a = a, .list = json_array(), .owner = a->words ? a->word[0] : NULL };
	enum store_result r = STORE_OK;
	struct account owner;
	char what[ERR] = "devices";

	if (l.owner) {
		r = account_get(a->store, l.owner, &owner);
		wipe(&owner.password, sizeof owner.password);
		quoted(what, "account", l.owner);
	}
	if (r == STORE_OK && !a->json)
		fprintf(a->out, "%-32s %-16s %-8s %-9s %-15s %-26s %s\n", "DEVICE", "ACCOUNT", "KIND",
			"STATE", "IPV4", "IPV6", "LAST LOGIN (UTC)");
	if (r == STORE_OK)
		r = device_each(a->store, device_row, &l);
	if (r == STORE_OK && a->json)
		print_json(a, json_pack("{s:s, s:O}", "schema", "cyphonic.devices.v1", "devices", l.list));
	json_decref(l.list);
	return r ? not_done(a, r, what) : 0;
}

/* ---- the CA ---- */

int admin_ca_fingerprint(const struct admin *a)
{
	char dir[sizeof a->conf->state + 4], hex[65], err[ERR];
	uint8_t sha[32];

	snprintf(dir, sizeof dir, "%s/ca", a->conf->state);
	if (!ca_fingerprint(dir, sha, err)) {
		cy_log(LOG_ERROR_, "%s", err);
		return 1;
	}
	hex_text(hex, sha, sizeof sha);
	if (a->json)
		print_json(a, json_pack("{s:s, s:s, s:s}", "schema", "cyphonic.ca.v1", "root_sha256", hex,
					"domain", a->conf->domain));
	else
		fprintf(a->out, "%s\n", hex);
	return 0;
}

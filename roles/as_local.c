/*
 * as_local.c - a relay in the same process as the AS needs nobody to make its account: the AS's
 * helper does, with a password only the workers can read.  For labs, where everything is on
 * one host.
 */
#include "crypto/cert.h"
#include "roles/as_notes.h"
#include "store/config.h"
#include "store/state.h"
#include "store/store.h"
#include <errno.h>
#include <stdio.h>

#define PASSWORD_OCTETS 16
#define PASSWORD_TEXT (2 * PASSWORD_OCTETS)
#define ROOT_TEXT 64

/* What was left before, as long as the password is the account's and the root the CA's. */
static bool is_still_good(struct store *s, const char *dir, struct account *a, const char *root)
{
	char text[PASSWORD_TEXT + 1 + ROOT_TEXT];
	bool good = account_get(s, AS_LOCAL_ACCOUNT, a) == STORE_OK &&
		    state_load(dir, AS_LOCAL_FILE, text, sizeof text) == sizeof text &&
		    memcmp(text + PASSWORD_TEXT + 1, root, ROOT_TEXT) == 0 &&
		    password_check(&a->password, text, PASSWORD_TEXT);

	wipe(text, sizeof text);
	return good;
}

/* The file first: an account whose password nobody knows would be of no use. */
static enum store_result make_account(struct store *s, const struct config *c, struct account *a,
				      const char *root, uint64_t now_s)
{
	bool there = account_get(s, AS_LOCAL_ACCOUNT, a) == STORE_OK;
	char text[PASSWORD_TEXT + 1 + ROOT_TEXT + 1 + 1];
	uint8_t secret[PASSWORD_OCTETS];
	enum store_result r = STORE_FAILED;

	random_bytes(secret, sizeof secret);
	hex_text(text, secret, sizeof secret);
	wipe(secret, sizeof secret);
	if (!there) {
		memset(a, 0, sizeof *a);
		strcpy(a->id, AS_LOCAL_ACCOUNT);
		a->created = now_s;
	}
	if (password_make(&a->password, text, PASSWORD_TEXT, (uint8_t)c->scrypt_cost)) {
		snprintf(text + PASSWORD_TEXT, sizeof text - PASSWORD_TEXT, "\n%s\n", root);
		if (state_save(c->state, AS_LOCAL_FILE, text, strlen(text)))
			r = account_put(s, a, !there);
		else
			cy_log(LOG_ERROR_, "%s/%s cannot be written: %s", c->state, AS_LOCAL_FILE,
			       strerror(errno));
	}
	wipe(text, sizeof text);
	return r;
}

static enum store_result make_device(struct store *s, const struct config *c, uint64_t now_s)
{
	struct device d;
	enum store_result r;

	memset(&d, 0, sizeof d);
	if (snprintf(d.fqdn, sizeof d.fqdn, AS_LOCAL_DEVICE ".%s", c->domain) >= (int)sizeof d.fqdn)
		return STORE_FAILED;
	r = device_by_fqdn(s, d.fqdn, &d);
	if (r == STORE_MISSING) {
		d.kind = DEVICE_TRS;
		d.created = now_s;
		strcpy(d.owner, AS_LOCAL_ACCOUNT);
		node_id_of(&d.node_id, d.fqdn);
		return device_put(s, &d, true);
	}
	wipe(&d.common_key, sizeof d.common_key);
	if (r == STORE_OK && (d.kind != DEVICE_TRS || strcmp(d.owner, AS_LOCAL_ACCOUNT) != 0))
		r = STORE_EXISTS;
	return r;
}

void as_local_relay(const struct config *c, struct store *s, struct bytes root, struct now now)
{
	enum store_result r = STORE_OK;
	struct account a;
	char hex[ROOT_TEXT + 1];
	uint8_t sha[32];

	if (!(c->roles & ROLE_TRS) || *c->trs_account)
		return;
	sha256(sha, root.p, root.n);
	hex_text(hex, sha, sizeof sha);
	if (!is_still_good(s, c->state, &a, hex))
		r = make_account(s, c, &a, hex, now.wall / SEC);
	wipe(&a.password, sizeof a.password);
	if (r == STORE_OK)
		r = make_device(s, c, now.wall / SEC);
	if (r == STORE_EXISTS)
		cy_log(LOG_ERROR_, "the device " AS_LOCAL_DEVICE ".%s is somebody's, so the relay of this process "
		       "has none: add one with --kind=trs, and name it under 'trs:' with account and "
		       "password-file", c->domain);
	else if (r != STORE_OK)
		cy_log(LOG_ERROR_, "no account for the relay of this process: %s", store_error(s));
}

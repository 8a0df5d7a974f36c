/*
 * admin.h - what an operator does to accounts and devices from the command line, on the store
 * itself: with a daemon running or without.
 */
#ifndef ADMIN_H
#define ADMIN_H

#include "store/config.h"
#include "store/store.h"

struct admin {
	const struct config *conf;
	struct store *store;		/* STORE_WRITE; NULL for admin_ca_fingerprint() */
	const char *const *word;	/* the verb's arguments, as many as it takes */
	unsigned words;
	const char *kind;		/* --kind, NULL: node */
	struct bytes password;		/* for the verbs that set one */
	uint64_t now;			/* s since 1970 */
	bool json;
	FILE *out;			/* results; errors go to the log */
};

/* word[]: ID.  Exit status: 0 done, 1 not done, 2 an argument makes no sense. */
int admin_account_add(const struct admin *a);
int admin_account_list(const struct admin *a);
int admin_account_disable(const struct admin *a);
int admin_account_enable(const struct admin *a);
int admin_account_delete(const struct admin *a);
int admin_account_password(const struct admin *a);

/* word[]: ACCOUNT NAME; [ACCOUNT]; NAME.  A NAME is one label, or an FQDN of the domain. */
int admin_device_add(const struct admin *a);
int admin_device_list(const struct admin *a);
int admin_device_disable(const struct admin *a);
int admin_device_enable(const struct admin *a);
int admin_device_delete(const struct admin *a);

int admin_ca_fingerprint(const struct admin *a);

#endif

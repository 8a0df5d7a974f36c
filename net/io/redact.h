/*
 * redact.h - puts stand-ins into a text: the same for the same thing throughout one archive, so
 * that it can still be read, and made by counting, so that nobody can go back.
 *
 *	REDACT_NONE	nothing
 *	REDACT_SOME	account ids, and addresses that are neither private, loopback,
 *			link-local nor virtual: ip-1, account-1
 *	REDACT_MORE	every address but loopback and "any", every name of the domain, and the
 *			host's name as well: ip-2, name-1, mac-1
 */
#ifndef REDACT_H
#define REDACT_H

#include "store/config.h"

enum redaction { REDACT_NONE, REDACT_SOME, REDACT_MORE };

struct redact {
	enum redaction how;
	const struct config *conf;
	char domain[NAME_SIZE];		/* "" while unknown: a node learns it at login */
	char host[65];			/* this computer's name */
	struct stand_in {
		char kind;		/* 'i' address, 'n' name, 'a' account, 'm' MAC address */
		char text[NAME_SIZE];
		unsigned number;
	} *known;
	size_t n, room;
};

/* False when the word is none of them. */
bool redaction_parse(enum redaction *how, const char *word);
/* Writes n octets of text to out with stand-ins in it. */
void redact(struct redact *r, const char *text, size_t n, FILE *out);
void redact_free(struct redact *r);

#endif

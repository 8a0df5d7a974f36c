/* redact.c - goes through a text word by word and asks of each what it names. */
#include "net/io/redact.h"
#include <ctype.h>
#include <stdlib.h>

#define WORD 300

bool redaction_parse(enum redaction *how, const char *word)
{
	static const char *const name[] = { "none", "some", "more" };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		if (strcmp(name[i], word) == 0) {
			*how = (enum redaction)i;
			return true;
		}
	return false;
}

static void stand_in(struct redact *r, char kind, const char *text, FILE *out)
{
	static const struct {
		char kind;
		const char *name;
	} word[] = { { 'i', "ip" }, { 'n', "name" }, { 'a', "account" }, { 'm', "mac" } };
	unsigned number = 1, k;
	size_t i;

	for (i = 0; i < r->n && !(r->known[i].kind == kind && strcmp(r->known[i].text, text) == 0); i++)
		number += r->known[i].kind == kind;
	if (i == r->n) {
		if (r->n == r->room) {
			r->room = r->room ? 2 * r->room : 32;
			r->known = realloc(r->known, r->room * sizeof *r->known);
			if (!r->known)
				abort();
		}
		r->known[r->n] = (struct stand_in){ .kind = kind, .number = number };
		snprintf(r->known[r->n++].text, NAME_SIZE, "%.*s", NAME_SIZE - 1, text);
	}
	for (k = 0; word[k].kind != kind; k++)
		;
	fprintf(out, "%s-%u", word[k].name, r->known[i].number);
}

/* ---- addresses ---- */

static bool starts(const struct addr *a, uint8_t family, const char *head, size_t n)
{
	return a->family == family && memcmp(a->ip, head, n) == 0;
}

/* Says nothing about anybody. */
static bool is_plain(const struct addr *a)
{
	static const uint8_t zero[16], one[16] = { [15] = 1 };

	return memcmp(a->ip, zero, 16) == 0 || starts(a, 4, "\x7f", 1) || starts(a, 4, "\xff\xff\xff\xff", 4) ||
	       (a->family == 6 && (memcmp(a->ip, one, 16) == 0 || a->ip[0] == 0xff));
}

/* Means something in its own network only. */
static bool is_private(const struct redact *r, const struct addr *a)
{
	return starts(a, 4, "\x0a", 1) || starts(a, 4, "\xc0\xa8", 2) || starts(a, 4, "\xa9\xfe", 2) ||
	       (starts(a, 4, "\xac", 1) && (a->ip[1] & 0xf0) == 16) ||
	       (a->family == 4 && a->ip[0] == 198 && (a->ip[1] & 0xfe) == 18) ||
	       (a->family == 6 && ((a->ip[0] & 0xfe) == 0xfc ||
				   (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80))) ||
	       (a->family == 4 ? prefix_has(&r->conf->virtual4, a->ip)
			       : prefix_has(&r->conf->virtual6, a->ip));
}

/* An address at the beginning of word; its octets, or 0. */
static size_t address_at(const char *word, struct addr *a)
{
	char text[ADDR_TEXT];
	size_t n = strspn(word, "0123456789abcdefABCDEF:."), k;

	if (n >= sizeof text)
		return 0;
	/* "10.0.0.1:4503" is an address and more, "fd00::1." one and a stop */
	for (k = n; k >= 2; k--) {
		memcpy(text, word, k);
		text[k] = '\0';
		if (ip_parse(a, text, 0))
			return k;
	}
	return 0;
}

static bool is_mac(const char *word, size_t n)
{
	size_t i;

	if (n != 17)
		return false;
	for (i = 0; i < n; i++)
		if (i % 3 == 2 ? word[i] != ':' : !isxdigit((unsigned char)word[i]))
			return false;
	return true;
}

/* ---- words ---- */

static bool is_name(const struct redact *r, const char *word)
{
	char name[NAME_SIZE];

	if (r->how < REDACT_MORE || !name_canonical(name, word))
		return false;
	return (*r->domain && name_within(name, r->domain)) ||
	       (*r->host && strcasecmp(name, r->host) == 0) ||
	       (*r->conf->node_device && strcmp(name, r->conf->node_device) == 0);
}

static void put_word(struct redact *r, const char *word, size_t n, FILE *out)
{
	char text[WORD];
	struct addr a;
	size_t k;

	snprintf(text, sizeof text, "%.*s", (int)n, word);
	if (*r->conf->node_account && strcmp(text, r->conf->node_account) == 0) {
		stand_in(r, 'a', text, out);
	} else if (r->how == REDACT_MORE && is_mac(text, n)) {
		stand_in(r, 'm', text, out);
	} else if ((k = address_at(text, &a)) > 0) {
		char ip[ADDR_TEXT];

		if (is_plain(&a) || (r->how < REDACT_MORE && is_private(r, &a)))
			fwrite(text, 1, k, out);
		else
			stand_in(r, 'i', ip_text(ip, &a), out);
		fwrite(text + k, 1, n - k, out);
	} else if (is_name(r, text)) {
		stand_in(r, 'n', text, out);
	} else {
		fwrite(word, 1, n, out);
	}
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr(".:_@-", c));
}

void redact(struct redact *r, const char *text, size_t n, FILE *out)
{
	size_t i = 0, k, end;

	if (r->how == REDACT_NONE) {
		fwrite(text, 1, n, out);
		return;
	}
	while (i < n) {
		for (k = i; k < n && is_word(text[k]); k++)
			;
		/* a stop or colon behind a word is no part of it; "::" is */
		for (end = k; end > i + 1 && strchr(".:-", text[end - 1]) && text[end - 2] != ':'; end--)
			;
		if (end > i && end - i < WORD)
			put_word(r, text + i, end - i, out);
		else
			fwrite(text + i, 1, end - i, out);
		fwrite(text + end, 1, k - end, out);
		if (k < n)
			fputc(text[k], out);
		i = k + 1;
	}
}

void redact_free(struct redact *r)
{
	free(r->known);
	r->known = NULL;
}

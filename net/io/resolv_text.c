/*
 * resolv_text.c - our lines in somebody else's resolv.conf.  What was there before stays in the
 * file, covered by a comment, so that it can never be lost or come back to the wrong place:
 *
 *	# Written by cyphonic (cyphonic0 4711 127.0.0.45): ...
 *	nameserver 127.0.0.45
 *	#|nameserver 192.0.2.53
 *	search example.org
 */
#include "net/io/resolv_way.h"
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#define BEGIN "# Written by cyphonic ("
#define WHY "): these lines go, and those behind #| come back, when it stops"
#define COVER "#|"
#define LINK "#>"
#define ABSENT "#-"

struct writer {
	char *at, *end;
	bool full;
};

static void put(struct writer *w, const char *p, size_t n)
{
	if (n >= (size_t)(w->end - w->at)) {
		w->full = true;
		return;
	}
	memcpy(w->at, p, n);
	w->at += n;
	*w->at = '\0';
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static bool starts(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

/* Octets of a line with its end, if it has one. */
static size_t line_length(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? (size_t)(end - line) + 1 : strlen(line);
}

static bool is_server_line(const char *line)
{
	line += strspn(line, " \t");
	return starts(line, "nameserver") && strchr(" \t", line[10]) && line[10];
}

/* A home router's is often link-local: fe80::1%eth0 */
static bool server_of(const char *line, struct addr *a)
{
	char word[ADDR_TEXT + 16], *scope;

	if (!is_server_line(line) || sscanf(line, " nameserver %79s", word) != 1)
		return false;
	scope = strchr(word, '%');
	if (scope)
		*scope++ = '\0';
	if (!ip_parse(a, word, 53))
		return false;
	a->scope = scope ? if_nametoindex(scope) : 0;
	return true;
}

static bool is_own(const struct wish *w, const struct addr *a)
{
	unsigned i;

	for (i = 0; i < w->owns; i++)
		if (addr_same_ip(&w->own[i], a))
			return true;
	return false;
}

uint64_t text_hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325;	/* FNV-1a */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	return h;
}

static void put_claim(struct writer *o, const struct wish *w, const struct claim *before)
{
	char line[400], ip[ADDR_TEXT];
	unsigned i;

	snprintf(line, sizeof line, BEGIN "%s %d", w->tun, before->pid);
	put_text(o, line);
	for (i = 0; i < w->owns; i++) {
		put_text(o, " ");
		put_text(o, ip_text(ip, &w->own[i]));
	}
	put_text(o, WHY "\n");
	if (before->absent)
		put_text(o, ABSENT "\n");
	if (*before->link) {
		snprintf(line, sizeof line, LINK "%016llx %s\n", (unsigned long long)before->hash,
			 before->link);
		put_text(o, line);
	}
	for (i = 0; i < w->owns; i++) {
		snprintf(line, sizeof line, "nameserver %s\n", ip_text(ip, &w->own[i]));
		put_text(o, line);
	}
}

bool text_take(char *out, const char *text, const struct wish *w, const struct claim *before)
{
	struct writer o = { out, out + RESOLV_TEXT, false };
	size_t n;

	put_claim(&o, w, before);
	for (; *text; text += n) {
		n = line_length(text);
		if (is_server_line(text) || starts(text, COVER) || starts(text, LINK) ||
		    starts(text, ABSENT))
			put_text(&o, COVER);
		put(&o, text, n);
	}
	return !o.full;
}

/* "# Written by cyphonic (cyphonic0 4711 127.0.0.45): ..." */
static void read_claim(const char *line, struct claim *c, struct wish *w)
{
	char words[200], *word, *rest = NULL, *end;

	snprintf(words, sizeof words, "%.*s", (int)MIN(line_length(line), sizeof words - 1),
		 line + strlen(BEGIN));
	end = strchr(words, ')');
	if (end)
		*end = '\0';
	word = strtok_r(words, " ", &rest);
	snprintf(c->tun, sizeof c->tun, "%.15s", word ? word : "");
	word = strtok_r(NULL, " ", &rest);
	c->pid = word ? atoi(word) : 0;
	while ((word = strtok_r(NULL, " ", &rest)) && w->owns < RESOLV_OWN)
		w->owns += ip_parse(&w->own[w->owns], word, 53);
	c->ours = true;
}

static void read_link(const char *line, struct claim *c)
{
	unsigned long long hash;

	if (sscanf(line, LINK "%16llx %255[^\n]", &hash, c->link) == 2)
		c->hash = hash;
	else
		c->link[0] = '\0';
}

void text_give_back(char *out, const char *text, struct claim *c)
{
	struct writer o = { out, out + RESOLV_TEXT, false };
	struct wish own = { .owns = 0 };
	struct addr a;
	size_t n;

	memset(c, 0, sizeof *c);
	*out = '\0';
	for (; *text; text += n) {
		n = line_length(text);
		if (starts(text, BEGIN) && !c->ours)
			read_claim(text, c, &own);
		else if (c->ours && starts(text, LINK))
			read_link(text, c);
		else if (c->ours && starts(text, ABSENT))
			c->absent = true;
		else if (c->ours && starts(text, COVER))
			put(&o, text + strlen(COVER), n - strlen(COVER));
		else if (!(c->ours && server_of(text, &a) && is_own(&own, &a)))
			put(&o, text, n);
	}
}

void text_servers(const char *text, const struct wish *w, struct servers *s)
{
	struct addr a;
	size_t n;

	s->n = 0;
	for (; *text && s->n < PRIV_SERVERS; text += n) {
		n = line_length(text);
		if (server_of(text, &a) && !is_own(w, &a))
			s->a[s->n++] = a;
	}
}

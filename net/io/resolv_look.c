/*
 * resolv_look.c - who resolves names on this computer?  The first that is in use is the way:
 * systemd-resolved (whatever the head of /etc/resolv.conf says), resolvconf, the file.
 */
#include "net/io/resolv_way.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* In the order of config.def. */
static const enum way wanted[] = { WAY_NONE, WAY_RESOLVED, WAY_RESOLVCONF, WAY_FILE, WAY_OFF };

struct look {
	bool resolved, nss, stub;	/* resolved answers; programs ask it, this way or that */
	char resolved_why[40];
	enum resolvconf conf;
	bool conf_used;
	const char *head;		/* who wrote /etc/resolv.conf, as far as it says so */
};

/* "hosts: files resolve [!UNAVAIL=return] dns" */
static bool nss_asks_resolved(void)
{
	FILE *f = fopen("/etc/nsswitch.conf", "re");
	char line[512], *word, *rest;
	bool found = false;

	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "#\n")] = '\0';
		word = strtok_r(line, " \t", &rest);
		if (!word || strcmp(word, "hosts:") != 0)
			continue;
		while ((word = strtok_r(NULL, " \t", &rest)))
			found |= strcmp(word, "resolve") == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static const char *writer_of(const char *text)
{
	static const struct {
		const char *says, *name;
	} writer[] = {
		{ "# Written by cyphonic", "cyphonic" },
		{ "NetworkManager", "NetworkManager" },
		{ "systemd-resolved", "systemd-resolved" },
		{ "resolvconf", "resolvconf" },
	};
	char head[512];
	unsigned i;

	snprintf(head, sizeof head, "%s", text);
	for (i = 0; i < ARRAY_SIZE(writer); i++)
		if (strstr(head, writer[i].says))
			return writer[i].name;
	return *text ? "plain" : "empty";
}

static void look_at_file(struct look *l)
{
	char *text = malloc(RESOLV_TEXT), real[PATH_MAX] = "", ip[ADDR_TEXT];
	struct wish nobody = { .owns = 0 };
	struct servers s;
	unsigned i;

	if (!text)
		abort();
	file_text(RESOLV_CONF, text);
	text_servers(text, &nobody, &s);
	for (i = 0; i < s.n; i++) {
		ip_text(ip, &s.a[i]);
		l->stub |= !strcmp(ip, "127.0.0.53") || !strcmp(ip, "127.0.0.54");
	}
	l->head = writer_of(text);
	free(text);
	if (!realpath(RESOLV_CONF, real))
		real[0] = '\0';
	l->conf_used = strncmp(real, "/run/resolvconf/", 16) == 0 ||
		       (l->conf == RESOLVCONF_OPENRESOLV && strcmp(l->head, "resolvconf") == 0);
}

static void tell(const struct look *l, char chain[160])
{
	static const char *const conf[] = { "none", "Debian's", "openresolv", "systemd's" };

	snprintf(chain, 160, "resolved=%s nss-resolve=%s stub=%s resolv.conf=%s resolvconf=%s%s",
		 l->resolved ? "yes" : l->resolved_why, l->nss ? "yes" : "no", l->stub ? "yes" : "no",
		 l->head, conf[l->conf],
		 l->conf == RESOLVCONF_NONE || l->conf_used ? "" : " (not in use)");
}

enum way look_around(unsigned asked, enum resolvconf *which, char chain[160], char *err)
{
	enum way way = asked < ARRAY_SIZE(wanted) ? wanted[asked] : WAY_OFF;
	struct look l = { .nss = nss_asks_resolved(), .conf = resolvconf_find() };

	look_at_file(&l);
	/* D-Bus may start it: not where nobody would ask it */
	if (way == WAY_RESOLVED || (way == WAY_NONE && (l.nss || l.stub)))
		l.resolved = bus_is_there(l.resolved_why);
	else
		strcpy(l.resolved_why, "not in use");
	tell(&l, chain);
	*which = l.conf;
	if (way == WAY_RESOLVED && !l.resolved) {
		snprintf(err, RESOLV_ERR, "systemd-resolved: %s; start it, or set node.resolver to auto",
			 l.resolved_why);
		return WAY_NONE;
	}
	if (way != WAY_NONE)
		return way;
	return l.resolved ? WAY_RESOLVED : l.conf_used ? WAY_RESOLVCONF : WAY_FILE;
}

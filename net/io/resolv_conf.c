/*
 * resolv_conf.c - resolvconf keeps a record of servers for each interface and makes
 * /etc/resolv.conf of them.  Ours is named like a local resolver's, which come first, and by
 * themselves, in Debian's resolvconf and in openresolv.
 */
#include "net/io/resolv_way.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD 32		/* room for a record's name */
#define PATIENCE_MS 10000

static const char *const records[] = {
	[RESOLVCONF_DEBIAN] = "/run/resolvconf/interface",
	[RESOLVCONF_OPENRESOLV] = "/run/resolvconf/interfaces",
};

/* ---- running it ---- */

static void become(const char *program, const char *const argv[], const int in[2], const int out[2])
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };

	setpgid(0, 0);
	if (dup2(in[0], 0) >= 0 && dup2(out[1], 1) >= 0 && dup2(out[1], 2) >= 0 &&
	    close_range(3, ~0u, 0) == 0)
		execve(program, (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

/* What it says, until it ends or patience does. */
static bool listen_to(int fd, char *said, size_t room)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;
	ssize_t got = 1;
	char rest[512];

	while (got > 0) {
		if (poll(&p, 1, PATIENCE_MS) <= 0)
			break;
		got = n + 1 < room ? read(fd, said + n, room - 1 - n) : read(fd, rest, sizeof rest);
		n += n + 1 < room && got > 0 ? (size_t)got : 0;
	}
	said[n] = '\0';
	return got == 0;
}

/* Runs it with this input; true when it ends with 0.  said: both outputs, NUL-terminated. */
static bool run(const char *program, const char *const argv[], const char *input, char *said,
		size_t room)
{
	int in[2], out[2], status = -1;
	pid_t pid;
	bool ended;

	*said = '\0';
	if (pipe2(in, O_CLOEXEC) < 0)
		return false;
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return false;
	}
	pid = fork();
	if (pid == 0)
		become(program, argv, in, out);
	close(in[0]);
	close(out[1]);
	/* a few lines: a pipe takes them at once */
	ended = pid > 0 && write(in[1], input, strlen(input)) >= 0;
	close(in[1]);
	if (pid > 0 && !(listen_to(out[0], said, room) && ended))
		kill(-pid, SIGKILL);
	close(out[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static const char *program(void)
{
	static const char *const at[] = { "/usr/sbin/resolvconf", "/sbin/resolvconf",
					  "/usr/bin/resolvconf", "/bin/resolvconf" };
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(at); i++)
		if (access(at[i], X_OK) == 0)
			return at[i];
	return NULL;
}

static bool resolvconf(const char *a, const char *b, const char *input, char *said, size_t room)
{
	const char *const argv[] = { "resolvconf", a, b, NULL };
	const char *path = program();

	*said = '\0';
	return path && run(path, argv, input, said, room);
}

enum resolvconf resolvconf_find(void)
{
	const char *path = program();
	char real[PATH_MAX], said[256];

	if (!path)
		return RESOLVCONF_NONE;
	/* systemd has a resolvconf too, which only talks to systemd-resolved */
	if (realpath(path, real) && strstr(real, "resolvectl"))
		return RESOLVCONF_RESOLVED;
	resolvconf("--version", NULL, "", said, sizeof said);
	if (strncmp(said, "openresolv", 10) == 0)
		return RESOLVCONF_OPENRESOLV;
	if (strncmp(said, "systemd", 7) == 0)
		return RESOLVCONF_RESOLVED;
	/* old ones cannot say their version */
	return strncmp(said, "Debian", 6) == 0 || access("/lib/resolvconf/list-records", F_OK) == 0 ?
	       RESOLVCONF_DEBIAN : RESOLVCONF_OPENRESOLV;
}

/* ---- our record ---- */

static const char *record_name(char out[RECORD], const char *tun)
{
	snprintf(out, RECORD, "lo.%.20s", tun);
	return out;
}

const char *resolvconf_records(enum resolvconf which)
{
	return which < ARRAY_SIZE(records) ? records[which] : NULL;
}

bool resolvconf_is_left(const char *tun)
{
	char path[80], name[RECORD];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(records); i++) {
		snprintf(path, sizeof path, "%s/%s", records[i] ? records[i] : "",
			 record_name(name, tun));
		if (records[i] && access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* Does it make of it that we are the first to be asked? */
static bool is_first(const struct wish *w, char *err)
{
	char *text = malloc(RESOLV_TEXT), ip[ADDR_TEXT];
	struct wish nobody = { .owns = 0 };
	struct servers s;

	if (!text)
		abort();
	file_text(RESOLV_CONF, text);
	text_servers(text, &nobody, &s);
	free(text);
	if (s.n && addr_same_ip(&s.a[0], &w->own[0]))
		return true;
	snprintf(err, RESOLV_ERR, "resolvconf makes " RESOLV_CONF " with %s first: have that one ask us for "
		 "the domain, or set node.resolver to file", s.n ? ip_text(ip, &s.a[0]) : "no server");
	return false;
}

bool resolvconf_up(enum resolvconf which, const struct wish *w, char *err)
{
	char record[256] = "", said[120], ip[ADDR_TEXT], name[RECORD];
	size_t n = 0;
	unsigned i;

	for (i = 0; i < w->owns; i++)
		n += (size_t)snprintf(record + n, sizeof record - n, "nameserver %s\n",
				      ip_text(ip, &w->own[i]));
	if (which == RESOLVCONF_NONE || which == RESOLVCONF_RESOLVED) {
		snprintf(err, RESOLV_ERR, "there is no resolvconf: install it, or set node.resolver to auto");
		return false;
	}
	if (!resolvconf("-a", record_name(name, w->tun), record, said, sizeof said)) {
		snprintf(err, RESOLV_ERR, "'resolvconf -a %s' failed: %.100s", name, said);
		return false;
	}
	if (is_first(w, err))
		return true;
	resolvconf_down(w->tun);
	return false;
}

void resolvconf_down(const char *tun)
{
	char said[64], name[RECORD];

	resolvconf("-d", record_name(name, tun), "", said, sizeof said);
}

/* Listed in the order in which they count, each under "# resolv.conf from NAME". */
void resolvconf_servers(const struct wish *w, struct servers *s)
{
	char *said = malloc(RESOLV_TEXT);

	if (!said)
		abort();
	resolvconf("-l", NULL, "", said, RESOLV_TEXT);
	text_servers(said, w, s);
	free(said);
}

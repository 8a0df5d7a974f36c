/*
 * resolv_way.h - between the files that make the system ask the node's resolver:
 *
 *   resolv.c         the process that does it, and what the master knows of it
 *   resolv_look.c    what resolves names on this computer: the chain that decides
 *   resolv_bus.c     by systemd-resolved, asked over D-Bus
 *   resolv_conf.c    by resolvconf, Debian's or openresolv
 *   resolv_file.c    by /etc/resolv.conf itself
 *   resolv_text.c    what is written into that file, and how it is taken out again
 *
 * err arguments have room for 200 octets and get what is in the way, and the remedy.
 */
#ifndef RESOLV_WAY_H
#define RESOLV_WAY_H

#include "cyphonic.h"
#include "net/priv.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_ERR 200
#define RESOLV_OWN 2		/* addresses of the node's resolver */

struct wish {
	const char *tun;
	unsigned ifindex;
	char domain[NAME_SIZE];
	struct addr own[RESOLV_OWN];
	unsigned owns;
	uint8_t net4[4], net6[16], bits4, bits6;
};

struct servers {
	unsigned n;
	struct addr a[PRIV_SERVERS];
};

/* ---- resolv_text.c ---- */

#define RESOLV_TEXT (64 * 1024)	/* octets of a file we can do with, and of what we make of it */

/* What our first line and those below it say. */
struct claim {
	bool ours;
	char tun[16];
	int pid;		/* of the process that wrote it */
	bool absent;		/* there was no file before */
	char link[256];		/* it was this symbolic link; "" : it was none */
	uint64_t hash;		/* of what the link led to */
};

/*
 * Puts our servers into a file's text: a first line that says so, our nameserver lines, and
 * all other ones covered by "#|".  False when that has no room in out (RESOLV_TEXT).
 */
bool text_take(char *out, const char *text, const struct wish *w, const struct claim *before);
/* Takes all of that out again; other people's changes stay. */
void text_give_back(char *out, const char *text, struct claim *c);
/* Its nameserver lines, but for the wish's own addresses and covered ones. */
void text_servers(const char *text, const struct wish *w, struct servers *s);
uint64_t text_hash(const char *text);

/* ---- resolv_file.c ---- */

/* Reads a file of at most RESOLV_TEXT - 1 octets; false with errno, "" then. */
bool file_text(const char *path, char *text);
/*
 * Writes our lines into the file, or puts them right; wrote: that there was need to; before:
 * whom the system asked, or would ask without us.
 */
bool file_up(const char *path, const struct wish *w, struct servers *before, bool *wrote, char *err);
/* Takes our lines out.  pid: only if this process wrote them; 0: whoever did. */
bool file_down(const char *path, int pid, char *err);
/* We have a network of our own, but share the file with those who have another. */
bool file_is_shared(const char *path);
/* Whether a living node with another TUN device than this wrote the file; that one's name then. */
bool file_is_anothers(const char *path, const char *tun, char other[16]);

/* ---- resolv_conf.c ---- */

enum resolvconf { RESOLVCONF_NONE, RESOLVCONF_DEBIAN, RESOLVCONF_OPENRESOLV, RESOLVCONF_RESOLVED };

enum resolvconf resolvconf_find(void);
bool resolvconf_up(enum resolvconf which, const struct wish *w, char *err);
void resolvconf_down(const char *tun);
/* A record of ours that a daemon left that could not end in order. */
bool resolvconf_is_left(const char *tun);
void resolvconf_servers(const struct wish *w, struct servers *s);
/* Directory of its records. */
const char *resolvconf_records(enum resolvconf which);

/* ---- resolv_bus.c ---- */

/* systemd-resolved is there, for this network namespace; why: a word or two (40). */
bool bus_is_there(char why[40]);
bool bus_up(const struct wish *w, char *err);
void bus_down(unsigned ifindex);

/* ---- resolv_look.c ---- */

enum way { WAY_NONE, WAY_OFF, WAY_RESOLVED, WAY_RESOLVCONF, WAY_FILE };

/* Decides; chain (160) tells what was looked at.  asked: node.resolver as in config.def. */
enum way look_around(unsigned asked, enum resolvconf *which, char chain[160], char *err);

#endif

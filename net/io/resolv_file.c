/*
 * resolv_file.c - /etc/resolv.conf itself, where nobody else keeps it.
 *
 * It is replaced whole, by rename; where that cannot be (a container's is a mount of its own)
 * it is written over.  Nothing is kept beside it: a copy would one day be put back to a
 * network that is no longer there.
 */
#include "net/io/resolv_way.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

/* The three texts a change needs: as it is, without our lines, as it shall be. */
struct texts {
	char now[RESOLV_TEXT], theirs[RESOLV_TEXT], next[RESOLV_TEXT];
};

bool file_text(const char *path, char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), e;
	size_t n = 0;
	ssize_t got = -1;

	*text = '\0';
	while (fd >= 0 && n < RESOLV_TEXT && (got = read(fd, text + n, RESOLV_TEXT - n)) > 0)
		n += (size_t)got;
	e = errno;
	if (fd >= 0)
		close(fd);
	errno = got < 0 ? e : EFBIG;
	if (got < 0 || n == RESOLV_TEXT) {
		*text = '\0';
		return false;
	}
	text[n] = '\0';
	errno = EILSEQ;		/* a NUL within: no text file */
	return strlen(text) == n;
}

static bool fail(char *err, const char *doing, const char *path)
{
	const char *remedy = "";

	if (errno == EROFS)
		remedy = ": let the daemon write there, or set node.resolver";
	else if (errno == EACCES || errno == EPERM)
		remedy = ": the daemon must be started as root, and the file must not be immutable";
	snprintf(err, RESOLV_ERR, "cannot %s %.60s: %s%s", doing, path, strerror(errno), remedy);
	return false;
}

/* ---- writing ---- */

static bool write_over(const char *path, const char *text)
{
	size_t n = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	bool good = fd >= 0 && pwrite(fd, text, n, 0) == (ssize_t)n &&
		    ftruncate(fd, (off_t)n) == 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	return good;
}

static bool write_new(const char *path, const char *text, const struct stat *like)
{
	size_t n = strlen(text);
	int fd;
	bool good;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	good = fd >= 0 && (fchown(fd, like->st_uid, like->st_gid) == 0 || errno == EPERM) &&
	       fchmod(fd, like->st_mode & 0777) == 0 &&
	       write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* fresh: what is renamed to path, made by the caller.  False with errno: it is gone then. */
static bool replace(const char *path, const char *fresh)
{
	int e;

	if (rename(fresh, path) == 0)
		return true;
	e = errno;
	unlink(fresh);
	errno = e;
	return false;
}

static void fresh_name(char out[PATH_SIZE], const char *path)
{
	snprintf(out, PATH_SIZE, "%.*s.cyphonic", PATH_SIZE - 16, path);
}

static bool put_file(const char *path, const char *text, char *err)
{
	struct stat like = { .st_mode = 0644 };
	char fresh[PATH_SIZE];

	if (lstat(path, &like) == 0 && S_ISLNK(like.st_mode))
		like = (struct stat){ .st_mode = 0644 };
	fresh_name(fresh, path);
	if (write_new(fresh, text, &like) && replace(path, fresh))
		return true;
	unlink(fresh);
	return write_over(path, text) || fail(err, "write", path);
}

static bool put_link(const char *path, const char *to, char *err)
{
	char fresh[PATH_SIZE];

	fresh_name(fresh, path);
	unlink(fresh);
	return (symlink(to, fresh) == 0 && replace(path, fresh)) || fail(err, "restore", path);
}

/* ---- reading ---- */

/* A symbolic link's text is that of where it leads, which may change while we stand in its place. */
static bool follow_link(const char *path, struct claim *c, char *theirs)
{
	char at[PATH_SIZE], dir[PATH_SIZE];
	char *slash;

	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[1] = '\0';
	snprintf(at, sizeof at, "%.250s%.255s", *c->link == '/' ? "" : dir, c->link);
	if (!file_text(at, theirs) && errno != ENOENT)
		return false;
	c->hash = text_hash(theirs);
	return true;
}

/* What stood there before us, in t->theirs, and what c says of it. */
static bool read_theirs(const char *path, struct texts *t, struct claim *c, char *err)
{
	uint64_t hash;
	ssize_t n;

	if (!file_text(path, t->now) && errno != ENOENT)
		return fail(err, "read", path);
	text_give_back(t->theirs, t->now, c);
	hash = text_hash(t->theirs);
	if (!c->ours) {
		n = readlink(path, c->link, sizeof c->link - 1);
		c->link[MAX(n, 0)] = '\0';
		c->absent = n < 0 && errno == ENOENT;
	} else if (*c->link && hash != c->hash) {
		c->link[0] = '\0';	/* somebody wrote into ours: a file from now on */
	}
	if (*c->link && !follow_link(path, c, t->theirs))
		return fail(err, "read", path);
	if (c->absent && *t->theirs)
		c->absent = false;
	return true;
}

/* ---- the way ---- */

bool file_up(const char *path, const struct wish *w, struct servers *before, bool *wrote, char *err)
{
	struct texts *t = malloc(sizeof *t);
	struct claim c;
	bool good;

	if (!t)
		abort();
	good = read_theirs(path, t, &c, err);
	if (good) {
		text_servers(t->theirs, w, before);
		if (!strstr(t->theirs, "nameserver"))	/* what libc does then */
			before->n = ip_parse(&before->a[0], "127.0.0.1", 53);
		c.pid = (int)getpid();
		good = text_take(t->next, t->theirs, w, &c);
		if (!good)
			snprintf(err, RESOLV_ERR, "%.60s is too long to be ours", path);
	}
	*wrote = good && strcmp(t->next, t->now) != 0;
	if (*wrote)
		good = put_file(path, t->next, err);
	free(t);
	return good;
}

bool file_down(const char *path, int pid, char *err)
{
	struct texts *t = malloc(sizeof *t);
	struct claim c;
	bool good = true;

	if (!t)
		abort();
	if (!file_text(path, t->now) && errno != ENOENT)
		good = fail(err, "read", path);
	text_give_back(t->theirs, t->now, &c);
	if (good && c.ours && (!pid || pid == c.pid)) {
		if (*c.link && text_hash(t->theirs) == c.hash)
			good = put_link(path, c.link, err);
		else if (c.absent && !*t->theirs)
			good = unlink(path) == 0 || put_file(path, "", err);
		else
			good = put_file(path, t->theirs, err);
	}
	free(t);
	return good;
}

static bool same_file(const char *a, const char *b, bool *known)
{
	struct stat x, y;

	*known = stat(a, &x) == 0 && stat(b, &y) == 0;
	return *known && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* 'ip netns exec' without /etc/netns/NAME leaves the host's file in place. */
bool file_is_shared(const char *path)
{
	char hosts[PATH_SIZE];
	bool known;

	snprintf(hosts, sizeof hosts, "/proc/1/root%.400s", path);
	return !same_file("/proc/self/ns/net", "/proc/1/ns/net", &known) && known &&
	       same_file(path, hosts, &known);
}

/*
 * A number may have passed to another process since, as after a power failure, or be that of
 * one nobody has buried yet.
 */
static bool is_one_of_us(int pid)
{
	char path[32], its[64] = "", own[64] = "-", state = 'Z';
	FILE *f = fopen("/proc/self/stat", "re");

	if (f && fscanf(f, "%*d (%63[^)]", own) != 1)
		own[0] = '-';
	if (f)
		fclose(f);
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%*d (%63[^)]) %c", its, &state) != 2)
		state = 'Z';
	if (f)
		fclose(f);
	return state != 'Z' && strcmp(its, own) == 0;
}

bool file_is_anothers(const char *path, const char *tun, char other[16])
{
	struct texts *t = malloc(sizeof *t);
	struct claim c;

	if (!t)
		abort();
	file_text(path, t->now);
	text_give_back(t->theirs, t->now, &c);
	free(t);
	snprintf(other, 16, "%s", c.tun);
	return c.ours && strcmp(c.tun, tun) != 0 && is_one_of_us(c.pid);
}

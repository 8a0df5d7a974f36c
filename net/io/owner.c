/* owner.c - users, directories and dropping privileges. */
#include "net/io/owner.h"
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ERR 256

static bool fail(char *err, const char *what, const char *path)
{
	int e = errno;

	snprintf(err, ERR, "%s %s: %s", what, path, strerror(e));
	errno = e;
	return false;
}

static void owner_name(struct owner *o)
{
	const struct passwd *pw = getpwuid(o->uid);

	if (pw)
		snprintf(o->name, sizeof o->name, "%s", pw->pw_name);
	else
		snprintf(o->name, sizeof o->name, "%u", (unsigned)o->uid);
}

bool owner_find(struct owner *o, const char *user, char *err)
{
	const struct passwd *pw;

	memset(o, 0, sizeof *o);
	if (geteuid() != 0) {
		o->uid = geteuid();
		o->gid = getegid();
		owner_name(o);
		return true;
	}
	pw = getpwnam(user);
	if (!pw) {
		snprintf(err, ERR, "user '%s' does not exist: run 'useradd --system --user-group "
			 "--no-create-home --shell /usr/sbin/nologin %s', or set 'user'", user, user);
		return false;
	}
	o->uid = pw->pw_uid;
	o->gid = pw->pw_gid;
	snprintf(o->name, sizeof o->name, "%s", user);
	return true;
}

bool owner_of(struct owner *o, const char *dir, char *err)
{
	struct stat st;

	memset(o, 0, sizeof *o);
	if (stat(dir, &st) < 0)
		return fail(err, "cannot look at", dir);
	o->uid = st.st_uid;
	o->gid = st.st_gid;
	owner_name(o);
	return true;
}

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	bool empty = d != NULL;

	while (d && empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return empty;
}

static bool take(const char *dir, const struct owner *o, unsigned mode, char *err)
{
	if (geteuid() == 0 && chown(dir, o->uid, o->gid) < 0)
		return fail(err, "cannot chown", dir);
	if (chmod(dir, mode) < 0)
		return fail(err, "cannot chmod", dir);
	return true;
}

/*
 * Made under another name, and renamed when it has owner and mode: whoever comes at the same
 * moment sees none, or a finished one.  Somebody else's that came first stays.
 */
static bool make(const char *dir, const struct owner *o, unsigned mode, char *err)
{
	char fresh[320];
	size_t n = strlen(dir);
	bool good;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	snprintf(fresh, sizeof fresh, "%.*s.%d", (int)n, dir, (int)getpid());
	if (mkdir(fresh, 0700) < 0)
		return fail(err, "cannot make directory", dir);
	good = take(fresh, o, mode, err);
	if (good && rename(fresh, dir) < 0 && errno != ENOTEMPTY && errno != EEXIST)
		good = fail(err, "cannot make directory", dir);
	rmdir(fresh);
	return good;
}

bool owner_dir(const char *dir, const struct owner *o, unsigned mode, char *err)
{
	struct stat st;

	if (stat(dir, &st) < 0 && errno == ENOENT && !make(dir, o, mode, err))
		return false;
	if (stat(dir, &st) < 0)
		return fail(err, "cannot look at", dir);
	if (!S_ISDIR(st.st_mode)) {
		snprintf(err, ERR, "%s is no directory", dir);
		return false;
	}
	if (st.st_uid == o->uid && !(mode == 0700 && st.st_mode & 077))
		return true;
	if (is_empty(dir) && (geteuid() == 0 || st.st_uid == geteuid()))
		return take(dir, o, mode, err);
	if (st.st_uid != o->uid)
		snprintf(err, ERR, "%s belongs to uid %u, not to user '%s': if it is ours, run "
			 "'chown -R %s: %s'", dir, st.st_uid, o->name, o->name, dir);
	else
		snprintf(err, ERR, "%s is open to others (mode %04o): if it is ours, run 'chmod 700 %s'",
			 dir, st.st_mode & 07777, dir);
	return false;
}

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, none) == 0;
}

bool owner_become(const struct owner *o, char *err)
{
	gid_t gid = o->gid;

	/* root that stays root: in a container even setgroups() may be forbidden */
	if (o->uid == 0 && geteuid() == 0)
		return true;
	if (geteuid() == 0 && (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 ||
			       setresuid(o->uid, o->uid, o->uid) < 0))
		return fail(err, "cannot become user", o->name);
	if (geteuid() != o->uid) {
		snprintf(err, ERR, "only root or user '%s' may do this: try sudo", o->name);
		return false;
	}
	if (!drop_capabilities())
		return fail(err, "cannot drop the capabilities of user", o->name);
	return true;
}

bool owner_confine(int master_pid, char *err)
{
#ifdef __SANITIZE_ADDRESS__
	bool dumpable = true;	/* the leak checker attaches to its own process */
#else
	bool dumpable = false;
#endif

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, dumpable) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(err, "cannot confine", "this process");
	/* the master may have died before the line above asked to be told */
	if (getppid() != master_pid) {
		snprintf(err, ERR, "the master is gone");
		return false;
	}
	return true;
}

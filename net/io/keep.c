/*
 * keep.c - backup and restore.  The file may lie where only the caller may write; the state is
 * read and written by a child that is the daemon's user.
 */
#include "net/io/keep.h"
#include "net/io/loop.h"
#include "net/io/master.h"
#include "net/io/owner.h"
#include "store/keep.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ERR 256
#define PATH_SIZE 4096

/* What the child did, through a pipe. */
struct outcome {
	bool good;
	struct backup backup;
	char kept[COPY_NAME];
	char err[ERR];
};

struct order {
	const struct config *conf;
	int fd;
	bool restore, force;
};

static void carry_out(const struct order *o, const struct owner *owner, struct outcome *done)
{
	uint64_t now = clock_now().wall / SEC;
	const char *dir = o->conf->state;

	if (!owner_become(owner, done->err))
		return;
	if (o->restore)
		done->good = store_restore(dir, o->fd, o->force, now, &done->backup, done->kept,
					   done->err);
	else
		done->good = store_backup(dir, o->fd, now, &done->backup, done->err);
}

static void in_child(const struct order *o, const struct owner *owner, struct outcome *done)
{
	int ends[2], status;
	struct outcome told = { .good = false };
	pid_t pid = -1;

	*done = (struct outcome){ .err = "the process that does it ended too early" };
	if (pipe2(ends, O_CLOEXEC) == 0)
		pid = fork();
	if (pid < 0) {
		snprintf(done->err, ERR, "%s", strerror(errno));
		return;
	}
	if (pid == 0) {
		carry_out(o, owner, &told);
		_exit(write(ends[1], &told, sizeof told) != sizeof told);
	}
	close(ends[1]);
	if (read(ends[0], &told, sizeof told) == sizeof told)
		*done = told;
	close(ends[0]);
	waitpid(pid, &status, 0);
}

static int lock_file(const char *state, int flags)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/master.lock", state);
	return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int keep_daemon(const char *state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = lock_file(state, O_RDWR), pid = 0;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = (int)lock.l_pid;
	close(fd);
	return pid;
}

static const char *date(char out[32], uint64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		strcpy(out, "?");
	return out;
}

static void say(const struct outcome *o, const char *schema, const char *file, const char *state,
		bool json, FILE *out)
{
	const struct backup *b = &o->backup;
	bool restored = strstr(schema, "restore");
	char when[32];
	json_t *j;

	if (json) {
		j = json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:I}", "schema", schema, "file", file,
			      "made", (json_int_t)b->made, "octets", (json_int_t)b->octets, "files",
			      (int)b->files, "accounts", (json_int_t)b->accounts, "devices",
			      (json_int_t)b->devices);
		if (restored)
			json_object_set_new(j, "kept", json_string(o->kept));
		json_dumpf(j, out, JSON_INDENT(2));
		fputc('\n', out);
		json_decref(j);
		return;
	}
	fprintf(out, "%s %s: %llu accounts, %llu devices, %u files, %llu octets, made %s\n",
		restored ? "restored" : "backup", file, (unsigned long long)b->accounts,
		(unsigned long long)b->devices, b->files, (unsigned long long)b->octets,
		date(when, b->made));
	if (*o->kept)
		fprintf(out, "what was there before is in %s/%s\n", state, o->kept);
}

int keep_backup(const struct config *conf, const char *file, bool json, FILE *out)
{
	struct order order = { .conf = conf };
	char fresh[PATH_SIZE], err[ERR] = "";
	struct outcome done = { .good = false };
	struct owner owner;

	if (snprintf(fresh, sizeof fresh, "%s.new", file) >= (int)sizeof fresh) {
		cy_log(LOG_ERROR_, "the file's name is too long");
		return 1;
	}
	if (!owner_of(&owner, conf->state, err)) {
		cy_log(LOG_ERROR_, "%s", err);
		return 1;
	}
	unlink(fresh);
	order.fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (order.fd < 0) {
		cy_log(LOG_ERROR_, "%s: %s", fresh, strerror(errno));
		return 1;
	}
	in_child(&order, &owner, &done);
	if (done.good && rename(fresh, file) != 0) {
		snprintf(done.err, ERR, "%.200s: %s", file, strerror(errno));
		done.good = false;
	}
	close(order.fd);
	if (done.good) {
		say(&done, "cyphonic.backup.v1", file, conf->state, json, out);
		return 0;
	}
	unlink(fresh);
	cy_log(LOG_ERROR_, "no backup was made: %s", done.err);
	return 1;
}

/* Made or found, and locked as a daemon would, so that none starts meanwhile. */
static int state_lock(const struct config *conf, struct owner *owner, char *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	if (!owner_find(owner, conf->user, err) || !owner_dir(conf->state, owner, 0700, err))
		return -1;
	fd = lock_file(conf->state, O_RDWR | O_CREAT);
	if (fd < 0) {
		snprintf(err, ERR, "%.150s/master.lock: %s", conf->state, strerror(errno));
		return -1;
	}
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	fcntl(fd, F_GETLK, &lock);
	snprintf(err, ERR, "state directory %.120s is in use by cyphonic with pid %d: stop it first",
		 conf->state, (int)lock.l_pid);
	close(fd);
	return -1;
}

int keep_restore(const struct config *conf, const char *file, bool force, bool json, FILE *out)
{
	struct order order = { .conf = conf, .restore = true, .force = force };
	struct outcome done = { .good = false };
	char err[ERR] = "";
	struct owner owner;
	int lock;

	order.fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (order.fd < 0) {
		cy_log(LOG_ERROR_, "%s: %s", file, strerror(errno));
		return 1;
	}
	lock = state_lock(conf, &owner, err);
	if (lock < 0) {
		cy_log(LOG_ERROR_, "%s", err);
		close(order.fd);
		return 1;
	}
	in_child(&order, &owner, &done);
	close(order.fd);
	close(lock);
	if (done.good)
		say(&done, "cyphonic.restore.v1", file, conf->state, json, out);
	else
		cy_log(LOG_ERROR_, "nothing was restored: %s", done.err);
	return done.good ? 0 : 1;
}

/* The database belongs to the daemon's user, and so must all that is written into it. */
struct store *keep_store(const struct config *conf, char *err)
{
	bool running = keep_daemon(conf->state) != 0;
	struct owner owner;
	uint8_t boot_id[16];

	/* root makes sure of it each time: a daemon may just be making the directory */
	if ((geteuid() == 0 || access(conf->state, F_OK) != 0) &&
	    !(owner_find(&owner, conf->user, err) && owner_dir(conf->state, &owner, 0700, err)))
		return NULL;
	if (!owner_of(&owner, conf->state, err) || !owner_become(&owner, err))
		return NULL;
	/* a running daemon had it checked */
	if (!running && !store_sound(conf->state, err))
		return NULL;
	if (!master_boot_id(boot_id)) {
		snprintf(err, ERR, "cannot read /proc/sys/kernel/random/boot_id");
		return NULL;
	}
	return store_open(conf->state, STORE_WRITE, 0, 0, boot_id, err);
}

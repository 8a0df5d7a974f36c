/* Small files are whole: the old one or the new one, whatever stands in the way. */
#include "store/state.h"
#include "t/unit/store.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void round_trip(const char *dir)
{
	uint8_t out[64], big[5000], back[6000];
	char path[100], fresh[110];
	struct stat st;
	unsigned i;

	snprintf(path, sizeof path, "%s/floor", dir);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	ok(state_load(dir, "floor", out, sizeof out) == -1 && errno == ENOENT,
	   "a file never saved is missing");
	ok(state_save(dir, "floor", "12345678", 8) &&
	   state_load(dir, "floor", out, sizeof out) == 8 && memcmp(out, "12345678", 8) == 0,
	   "a file comes back");
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "it is its owner's alone");
	ok(state_save(dir, "floor", "abc", 3) && state_load(dir, "floor", out, sizeof out) == 3,
	   "a shorter one replaces it whole");
	ok(state_load(dir, "floor", out, 2) == 2, "no more is read than there is room for");
	ok(state_save(dir, "floor", "", 0) && state_load(dir, "floor", out, sizeof out) == 0,
	   "a file may be empty");
	for (i = 0; i < sizeof big; i++)
		big[i] = (uint8_t)(i * 7);
	ok(state_save(dir, "floor", big, sizeof big) &&
	   state_load(dir, "floor", back, sizeof back) == sizeof big &&
	   memcmp(big, back, sizeof big) == 0, "or large");
	ok(access(fresh, F_OK) != 0, "nothing temporary is left");
	ok(symlink("/dev/full", fresh) == 0 && state_save(dir, "floor", "new", 3) &&
	   state_load(dir, "floor", out, sizeof out) == 3,
	   "what a crash left under the temporary name is not written through");
}

static void refusals(const char *dir)
{
	struct rlimit none = { 2, 2 };
	char path[100], name[600];
	uint8_t out[8];
	int status;
	pid_t pid;

	snprintf(path, sizeof path, "%s/directory", dir);
	mkdir(path, 0700);
	ok(!state_save(dir, "directory", "x", 1) && errno == EISDIR &&
	   state_load(dir, "directory", out, sizeof out) == -1 && errno == EISDIR,
	   "a directory is neither replaced nor read");
	snprintf(path, sizeof path, "%s/pipe", dir);
	ok(mkfifo(path, 0600) == 0 && state_load(dir, "pipe", out, sizeof out) == 0,
	   "a named pipe does not stop the reader");
	ok(!state_save("/nowhere/at/all", "x", "x", 1) && errno == ENOENT,
	   "a missing directory is an error with its reason");
	memset(name, 'n', sizeof name);
	name[599] = '\0';
	ok(!state_save(dir, name, "x", 1) && errno == ENAMETOOLONG &&
	   state_load(dir, name, out, sizeof out) == -1 && errno == ENAMETOOLONG,
	   "so is a name that is too long");
	state_save(dir, "kept", "old", 3);
	pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &none);
		_exit(state_save(dir, "kept", "newer", 5) || errno != EFBIG);
	}
	waitpid(pid, &status, 0);
	ok(status == 0 && state_load(dir, "kept", out, sizeof out) == 3 &&
	   memcmp(out, "old", 3) == 0,
	   "when there is no room for the new file, the old one is whole");
	snprintf(path, sizeof path, "%s/kept.new", dir);
	ok(access(path, F_OK) != 0, "and the rest of the attempt is gone");
}

/* Saves files that hold one octet throughout, each a little longer, until it is killed. */
static void saver(const char *dir)
{
	uint8_t data[9000];
	unsigned i;

	for (i = 1;; i++) {
		memset(data, (int)(i % 250), sizeof data);
		state_save(dir, "torn", data, 1000 + i % 8000);
	}
}

static void savers_killed(const char *dir)
{
	unsigned i, torn = 0, rounds = 50 * scale();
	uint8_t data[9000];
	long n, k;

	srandom(99);
	state_save(dir, "torn", memset(data, 7, 1000), 1000);
	for (i = 0; i < rounds; i++) {
		struct timespec pause = { 0, random() % 4000000 };
		pid_t pid = fork();

		if (pid == 0)
			saver(dir);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		n = state_load(dir, "torn", data, sizeof data);
		for (k = 1; k < n && data[k] == data[0];)
			k++;
		torn += n < 1000 || k < n;
	}
	ok(torn == 0, "a saver killed at any moment leaves a whole file");
}

int main(void)
{
	char dir[64];

	scratch_make(dir);
	round_trip(dir);
	refusals(dir);
	savers_killed(dir);
	scratch_remove(dir);
	return done();
}

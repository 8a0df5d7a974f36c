/* bundle.c - gathers the parts of a debug bundle, each through the redaction into the archive. */
#include "net/io/bundle.h"
#include "net/io/figures.h"
#include "net/io/scrape.h"
#include "net/io/show.h"
#include "net/io/tar.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MS 5000
#define DIR_NAME "cyphonic-debug/"

struct bundle {
	const struct ask *ask;
	const struct config *conf;
	json_t *all;			/* status */
	struct redact redact;
	FILE *tar;
	uint64_t now;
};

/* ---- what surrounds the daemon ---- */

/* What a command of the system says, or why it says nothing. */
static void say_command(FILE *out, const char *command)
{
	char line[4096];
	FILE *in;
	size_t n;

	snprintf(line, sizeof line, "PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C timeout %d %s 2>&1 </dev/null",
		 COMMAND_MS / 1000, command);
	fprintf(out, "$ %s\n", command);
	fflush(out);
	in = popen(line, "re");
	while (in && (n = fread(line, 1, sizeof line, in)) > 0)
		fwrite(line, 1, n, out);
	if (in)
		pclose(in);
	fputc('\n', out);
}

static void say_file(FILE *out, const char *path)
{
	FILE *in = fopen(path, "re");
	char buf[4096];
	size_t n;

	fprintf(out, "# %s%s%s\n", path, in ? "" : ": ", in ? "" : strerror(errno));
	while (in && (n = fread(buf, 1, sizeof buf, in)) > 0)
		fwrite(buf, 1, n, out);
	if (in)
		fclose(in);
	fputc('\n', out);
}

/* ---- the parts ---- */

static void part_status(struct bundle *b, FILE *out)
{
	show_status(out, b->all);
}

static void part_json(struct bundle *b, FILE *out)
{
	json_dumpf(b->all, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
}

static void part_metrics(struct bundle *b, FILE *out)
{
	size_t n = 0;
	char *text = figures_get(b->ask->run, &n);

	if (text)
		fwrite(text, 1, n, out);
	else
		fprintf(out, "# not available: %s\n", strerror(errno));
	free(text);
}

static void part_log(struct bundle *b, FILE *out)
{
	json_t *question = json_pack("{s:s}", "cmd", "lines"), *line;
	json_t *answer = ask_daemon(b->ask, question);
	size_t i;

	if (!answer)
		fprintf(out, "not available: %s\n", strerror(errno));
	json_array_foreach(json_object_get(answer, "lines"), i, line)
		fprintf(out, "%s\n", json_string_value(line));
	json_decref(question);
	json_decref(answer);
}

static void part_config(struct bundle *b, FILE *out)
{
	config_print_values(b->conf, out);
}

static void part_versions(struct bundle *b, FILE *out)
{
	struct utsname u;

	fprintf(out, "cyphonic %s, compiler %s\n", CYPHONIC_VERSION, __VERSION__);
	if (uname(&u) == 0)
		fprintf(out, "%s %s %s %s\n\n", u.sysname, u.release, u.version, u.machine);
	say_file(out, "/etc/os-release");
	say_command(out, "ldd /proc/$PPID/exe");
}

static void part_network(struct bundle *b, FILE *out)
{
	static const char *const command[] = {
		"ip -details addr", "ip -4 route show table all", "ip -6 route show table all",
		"ip rule", "ip -6 rule", "ss -lntu",
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(command); i++)
		say_command(out, command[i]);
	say_file(out, "/etc/resolv.conf");
}

static void part_limits(struct bundle *b, FILE *out)
{
	json_int_t pid = json_integer_value(json_object_get(json_object_get(b->all, "daemon"), "pid"));
	char path[64];

	if (pid) {
		snprintf(path, sizeof path, "/proc/%lld/limits", (long long)pid);
		say_file(out, path);
		snprintf(path, sizeof path, "/proc/%lld/status", (long long)pid);
		say_file(out, path);
		snprintf(path, sizeof path, "/proc/%lld/cgroup", (long long)pid);
		say_file(out, path);
	}
	say_file(out, "/proc/sys/net/core/rmem_max");
	say_file(out, "/proc/sys/net/core/wmem_max");
	say_file(out, "/proc/sys/net/ipv6/conf/all/disable_ipv6");
	say_file(out, "/proc/meminfo");
	say_file(out, "/proc/loadavg");
}

static void part_store(struct bundle *b, FILE *out)
{
	uint64_t octets, copied;
	char line[512];

	store_look(b->conf->state, &octets, &copied);
	fprintf(out, "octets of the database's files: %llu\nnewest copy: %llu (s since 1970, 0: none)\n\n",
		(unsigned long long)octets, (unsigned long long)copied);
	snprintf(line, sizeof line, "find '%.200s' -printf '%%M %%u %%g %%s %%TFT%%TT %%P\\n'", b->conf->state);
	if (!strchr(b->conf->state, '\''))
		say_command(out, line);
	snprintf(line, sizeof line, "df -P '%.200s'", b->conf->state);
	if (!strchr(b->conf->state, '\''))
		say_command(out, line);
}

static void part_readme(struct bundle *b, FILE *out);

static const struct {
	const char *name, *text;
	void (*write)(struct bundle *b, FILE *out);
} part[] = {
	{ "README", "this list", part_readme },
	{ "status.txt", "'cyphonic status': who is here, peers, paths, packets by how they ended", part_status },
	{ "status.json", "the same whole, as 'cyphonic status --json' prints it", part_json },
	{ "metrics.txt", "'cyphonic metrics', in Prometheus' text form", part_metrics },
	{ "log.txt", "the newest lines of the log, of all processes, whatever took the log", part_log },
	{ "config.txt", "every key of the configuration with the value in force; the file itself is not "
	  "here", part_config },
	{ "versions.txt", "program, kernel, distribution, libraries", part_versions },
	{ "network.txt", "addresses, routes, rules, listening sockets, resolv.conf", part_network },
	{ "limits.txt", "the daemon's limits and memory, the host's memory and load", part_limits },
	{ "store.txt", "files of the state directory by name and size, and the disk below; no contents", part_store },
};

static void part_readme(struct bundle *b, FILE *out)
{
	static const char *const how[] = {
		[REDACT_NONE] = "Nothing was replaced (--redact=none).",
		[REDACT_SOME] = "Public addresses became ip-N, the account's id account-N (--redact=some, "
				"the default).",
		[REDACT_MORE] = "Addresses became ip-N and mac-N, names of the domain and of the computer "
				"name-N, the account's id account-N (--redact=more).",
	};
	unsigned i;

	fprintf(out, "What this is: a debug bundle of CYPHONIC, to be read by whoever shall help.\n\n");
	for (i = 0; i < ARRAY_SIZE(part); i++)
		fprintf(out, "%-14s %s\n", part[i].name, part[i].text);
	fprintf(out, "\nNo password, key or token is in it, whatever the redaction.  %s  One number stands "
		"for\none thing throughout this bundle, and for another in the next.\n", how[b->redact.how]);
}

/* ---- the archive ---- */

static void add_part(struct bundle *b, unsigned i)
{
	char *raw = NULL, *text = NULL, name[64];
	size_t raw_n = 0, n = 0;
	FILE *in = open_memstream(&raw, &raw_n), *out = open_memstream(&text, &n);

	if (!in || !out)
		abort();
	part[i].write(b, in);
	fclose(in);
	redact(&b->redact, raw, raw_n, out);
	fclose(out);
	snprintf(name, sizeof name, DIR_NAME "%s", part[i].name);
	tar_file(b->tar, name, b->now, text, n);
	free(raw);
	free(text);
}

static const char *default_name(char out[64], time_t now)
{
	struct tm tm;

	strftime(out, 64, "cyphonic-debug-%Y%m%dT%H%M%SZ.tar.gz", gmtime_r(&now, &tm));
	return out;
}

/* Where the archive goes; *gzip becomes the process that packs it, 0: none. */
static FILE *open_archive(const char *file, pid_t *gzip)
{
	size_t n = strlen(file);
	int fd = strcmp(file, "-") == 0 ? dup(STDOUT_FILENO)
					: open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int pipe_fd[2];

	*gzip = 0;
	if (fd < 0 || n < 2 || strcmp(file + n - 2, "gz") != 0)
		return fd < 0 ? NULL : fdopen(fd, "w");
	if (pipe2(pipe_fd, O_CLOEXEC) < 0 || (*gzip = fork()) < 0)
		return NULL;
	if (*gzip == 0) {
		dup2(pipe_fd[0], STDIN_FILENO);
		dup2(fd, STDOUT_FILENO);
		execlp("gzip", "gzip", "-c", (char *)NULL);
		_exit(127);
	}
	close(pipe_fd[0]);
	close(fd);
	return fdopen(pipe_fd[1], "w");
}

static bool close_archive(FILE *tar, pid_t gzip)
{
	bool good = !ferror(tar);
	int status = 0;

	good = fclose(tar) == 0 && good;
	if (gzip)
		waitpid(gzip, &status, 0);
	return good && status == 0;
}

/* The domain a running node belongs to, from its own name. */
static void learn_domain(struct bundle *b)
{
	json_t *worker;
	size_t i;

	if (!(b->conf->roles & ROLE_NODE))
		snprintf(b->redact.domain, NAME_SIZE, "%s", b->conf->domain);
	json_array_foreach(json_object_get(b->all, "workers"), i, worker) {
		const char *name = json_string_value(json_object_get(worker, "name"));
		const char *dot = name ? strchr(name, '.') : NULL;

		if (dot)
			snprintf(b->redact.domain, NAME_SIZE, "%s", dot + 1);
	}
	gethostname(b->redact.host, sizeof b->redact.host - 1);
}

static void say_name(const struct ask *a, const char *file)
{
	json_t *answer = a->json ? json_pack("{s:s}", "file", file) : NULL;

	if (answer)
		ask_print(a->out, "cyphonic.bundle.v1", answer);
	else
		fprintf(a->out, "%s\n", file);
	json_decref(answer);
}

int bundle_write(const struct ask *a, const struct config *conf, const char *file,
		 enum redaction redaction)
{
	struct bundle b = { .ask = a, .conf = conf, .redact = { .how = redaction, .conf = conf } };
	char name[64];
	pid_t gzip;
	unsigned i;

	b.now = (uint64_t)time(NULL);
	if (!file)
		file = default_name(name, (time_t)b.now);
	b.tar = open_archive(file, &gzip);
	if (!b.tar) {
		cy_log(LOG_ERROR_, "cannot write %s: %s", file, strerror(errno));
		return 1;
	}
	b.all = ask_all(a);
	learn_domain(&b);
	for (i = 0; i < ARRAY_SIZE(part); i++)
		add_part(&b, i);
	tar_end(b.tar);
	redact_free(&b.redact);
	json_decref(b.all);
	if (!close_archive(b.tar, gzip)) {
		cy_log(LOG_ERROR_, "cannot write %s: the disk is full, or gzip is missing (a name without gz "
		       "needs none)", file);
		return 1;
	}
	if (strcmp(file, "-") != 0)
		say_name(a, file);
	return 0;
}

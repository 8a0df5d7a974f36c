/* ask.c - one question, one line of JSON back, from each role of each worker in turn. */
#include "net/io/ask.h"
#include "net/io/door.h"
#include "net/io/rates.h"
#include "net/io/show.h"
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (1024 * 1024)
#define PATIENCE_MS 3000	/* with a worker that is busy */
#define PING_MS 5000		/* long enough for a path to be made */

/* ---- one exchange ---- */

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int ask_dial(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	/* who is stuck accepts nobody, and a full queue would hold us for ever */
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	e = errno == EAGAIN ? ETIMEDOUT : errno;
	close(fd);
	errno = e;
	return -1;
}

static bool send_line(int fd, const json_t *question)
{
	char *text = json_dumps(question, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0;
	bool good;

	if (!text)
		return false;
	text[n] = '\n';		/* over the NUL: the line is sent with its length */
	good = send(fd, text, n + 1, MSG_NOSIGNAL) == (ssize_t)(n + 1);
	free(text);
	return good;
}

/* Reads until the other side closes or a line is whole; NULL when that takes too long. */
static json_t *read_line(int fd, int wait_ms)
{
	char *buf = malloc(ANSWER_MAX);
	int64_t end = clock_ms() + wait_ms;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	json_t *answer = NULL;
	size_t n = 0;

	while (buf && n < ANSWER_MAX && !memchr(buf, '\n', n)) {
		int64_t left = end - clock_ms();
		ssize_t got;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			break;
		got = recv(fd, buf + n, ANSWER_MAX - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (n)
		answer = json_loadb(buf, n, JSON_DISABLE_EOF_CHECK, NULL);
	free(buf);
	if (json_is_object(answer))
		return answer;
	json_decref(answer);
	return NULL;
}

json_t *ask_one(const struct ask *a, const char *role, unsigned index, const json_t *question,
		int wait_ms)
{
	char path[DOOR_PATH];
	int fd = ask_dial(door_control_path(path, a->run, role, index));
	json_t *answer = NULL;

	if (fd < 0)
		return NULL;
	if (send_line(fd, question))
		answer = read_line(fd, wait_ms);
	close(fd);
	errno = ETIMEDOUT;
	return answer;
}

int ask_nobody(const struct ask *a, int e)
{
	char path[DOOR_PATH];

	door_control_path(path, a->run, a->role[0], 0);
	if (e == ENOENT || e == ECONNREFUSED)
		cy_log(LOG_ERROR_, "no cyphonic with role %s is running here (nobody answers at %s)",
		       a->role[0], path);
	else
		cy_log(LOG_ERROR_, "%s: %s%s", path, strerror(e),
		       e == EACCES ? ": try as root or as a member of the daemon's group" : "");
	return 1;
}

/* ---- status ---- */

static const char *string(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "?";
}

static void print_json(FILE *out, const json_t *object)
{
	json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', out);
}

void ask_print(FILE *out, const char *schema, json_t *answer)
{
	json_t *named = json_pack("{s:s}", "schema", schema);

	json_object_update(named, answer);
	print_json(out, named);
	json_decref(named);
}

/* Says who answered, on top, and spreads what all roles have in common there too. */
static json_t *normal(json_t *answer, const char *role, unsigned worker)
{
	json_t *common = json_object_get(answer, "status");

	json_object_set_new(answer, "role", json_string(role));
	json_object_set_new(answer, "worker", json_integer(worker));
	if (json_is_object(common)) {
		json_object_update_missing(answer, common);
		json_object_del(answer, "status");
	}
	return answer;
}

/* Adds the answers of all workers of one role; the errno that ended it, or 0. */
static int collect(const struct ask *a, const char *role, json_t *workers)
{
	json_t *question = json_pack("{s:s}", "cmd", "status"), *answer;
	unsigned i;
	int e = 0;

	for (i = 0; i < WORKERS_MAX && !e; i++) {
		answer = ask_one(a, role, i, question, PATIENCE_MS);
		if (!answer && errno != ETIMEDOUT) {
			e = errno;
			break;
		}
		if (!answer)
			answer = json_pack("{s:s}", "error", "no answer");
		json_array_append_new(workers, normal(answer, role, i));
	}
	json_decref(question);
	return e;
}

json_t *ask_workers(const struct ask *a)
{
	json_t *workers = json_array();
	int e = ENOENT;
	unsigned r;

	for (r = 0; r < a->roles; r++)
		e = collect(a, a->role[r], workers);
	errno = e;
	return workers;
}

json_t *ask_daemon(const struct ask *a, const json_t *question)
{
	return ask_one(a, "daemon", 0, question, PATIENCE_MS);
}

json_t *ask_all(const struct ask *a)
{
	json_t *question = json_pack("{s:s}", "cmd", "status");
	json_t *workers = ask_workers(a), *all;
	int e = errno;

	all = json_pack("{s:s, s:s, s:o*, s:o}", "schema", "cyphonic.status.v1", "version",
			CYPHONIC_VERSION, "daemon", json_array_size(workers) ?
			ask_daemon(a, question) : NULL, "workers", workers);
	json_decref(question);
	errno = e;
	return all;
}

/* ---- status, once or again and again ---- */

static bool says(json_t *object, const char *key, const char *text)
{
	return strcmp(string(object, key), text) == 0;
}

/* What the answers mean for whoever only wants to know whether all is well. */
static int verdict_of(json_t *workers)
{
	json_t *worker;
	bool silent = false, stranger = false, ill = false;
	size_t i;

	json_array_foreach(workers, i, worker) {
		bool agent = json_is_true(json_object_get(worker, "agent"));

		silent |= json_object_get(worker, "error") != NULL;
		stranger |= agent && says(worker, "state", "logging in");
		ill |= (agent && !says(worker, "state", "ready") && !says(worker, "state", "draining")) ||
		       json_is_false(json_object_get(worker, "ready"));
	}
	return silent ? 1 : stranger ? 3 : ill ? 4 : 0;
}

static int say_status(const struct ask *a, json_t *all)
{
	if (a->json)
		print_json(a->out, all);
	else
		show_status(a->out, all);
	fflush(a->out);
	return verdict_of(json_object_get(all, "workers"));
}

int ask_status(const struct ask *a)
{
	json_t *before = NULL, *all;
	int64_t then = 0, now;
	unsigned i, looks = a->interval > 0 ? 2 : 1;
	int status = 0;

	for (i = 0; i < looks || a->watch; i++) {
		if (i)
			usleep((useconds_t)(a->interval * 1e6));
		now = clock_ms();
		all = ask_all(a);
		if (!json_array_size(json_object_get(all, "workers"))) {
			status = ask_nobody(a, errno);
			json_decref(all);
			break;
		}
		if (before)
			rates_add(all, before, (double)MAX(now - then, 1) / 1000);
		if (a->watch || i == looks - 1)
			status = say_status(a, all);
		json_decref(before);
		before = all;
		then = now;
	}
	json_decref(before);
	return status;
}

/* ---- ping ---- */

/* One worker of a node knows the peers; the others say that they are not it. */
static bool is_agent(json_t *answer)
{
	return strcmp(string(answer, "error"), "not the agent") != 0;
}

/* The agent's answer, else the last one, else NULL with errno. */
static json_t *ping_workers(const struct ask *a, const json_t *question)
{
	json_t *last = NULL, *answer;
	bool silent = false;
	unsigned i;

	for (i = 0; i < WORKERS_MAX; i++) {
		answer = ask_one(a, a->role[0], i, question, PING_MS + 1000);
		if (!answer && errno != ETIMEDOUT)
			break;
		if (!answer) {
			silent = true;
			continue;
		}
		json_decref(last);
		last = answer;
		if (is_agent(answer))
			break;
	}
	if (silent)
		errno = ETIMEDOUT;
	return last;
}

json_t *ask_agent(const struct ask *a, const json_t *question)
{
	json_t *answer = ping_workers(a, question);

	if (!answer)
		ask_nobody(a, errno);
	return answer;
}

static int ping_once(const struct ask *a, const char *name, json_t *question)
{
	json_t *answer;
	int status = 0;

	answer = ping_workers(a, question);
	if (!answer)
		return ask_nobody(a, errno);
	if (json_object_get(answer, "error"))
		status = 1;
	if (a->json) {
		ask_print(a->out, "cyphonic.ping.v1", answer);
	} else if (status) {
		fprintf(a->out, "no pong from %s: %s\n", name, string(answer, "error"));
	} else {
		fprintf(a->out, "pong from %s (%s) via %s %s in %.2f ms\n", string(answer, "name"),
			string(answer, "ip"), string(answer, "via"), string(answer, "remote"),
			json_number_value(json_object_get(answer, "rtt_ms")));
	}
	fflush(a->out);
	json_decref(answer);
	return status;
}

int ask_ping(const struct ask *a, const char *name, unsigned count)
{
	json_t *question = json_pack("{s:s, s:s, s:i}", "cmd", "ping", "name", name, "wait_ms", PING_MS);
	int status = 0;
	unsigned i;

	if (!question) {
		cy_log(LOG_ERROR_, "the name is no UTF-8 text");
		return 1;
	}
	for (i = 0; i < count; i++) {
		if (i)
			sleep(1);
		status |= ping_once(a, name, question);
	}
	json_decref(question);
	return status;
}

/* figures.c - a client of the reporter. */
#include "net/io/figures.h"
#include "net/io/board.h"
#include "net/io/door.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define PATH_SIZE 4096

/* All until the other side closes. */
static char *read_all(int fd, size_t *n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *text = NULL, buf[16384];
	FILE *out = open_memstream(&text, n);
	ssize_t got = -1;

	while (out && poll(&p, 1, PATIENCE_MS) == 1 && (got = recv(fd, buf, sizeof buf, 0)) > 0)
		fwrite(buf, 1, (size_t)got, out);
	if (out)
		fclose(out);
	if (got == 0)
		return text;
	free(text);
	return NULL;
}

char *figures_get(const char *run, size_t *n)
{
	static const char question[] = "GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n";
	char path[DOOR_PATH], *text = NULL, *body;
	int fd;

	snprintf(path, sizeof path, "%s/metrics.sock", run);
	fd = ask_dial(path);
	if (fd < 0)
		return NULL;
	if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) == sizeof question - 1)
		text = read_all(fd, n);
	close(fd);
	body = text ? strstr(text, "\r\n\r\n") : NULL;
	if (body && strncmp(text, "HTTP/1.1 200 ", 13) == 0) {
		body += 4;
		*n -= (size_t)(body - text);
		memmove(text, body, *n);
		return text;
	}
	free(text);
	errno = ETIMEDOUT;
	return NULL;
}

static bool write_file(const char *file, const char *text, size_t n)
{
	char path[PATH_SIZE];
	int fd, e;

	if ((size_t)snprintf(path, sizeof path, "%s.XXXXXX", file) >= sizeof path) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = mkstemp(path);
	if (fd < 0)
		return false;
	if (write(fd, text, n) == (ssize_t)n && fchmod(fd, 0644) == 0 && fsync(fd) == 0 &&
	    rename(path, file) == 0) {
		close(fd);
		return true;
	}
	e = errno;
	unlink(path);
	close(fd);
	errno = e;
	return false;
}

int figures_show(const struct ask *a, const char *file)
{
	size_t n;
	char *text = figures_get(a->run, &n);
	int status = 0;

	if (!text)
		return ask_nobody(a, errno);
	if (!file) {
		fwrite(text, 1, n, a->out);
	} else if (!write_file(file, text, n)) {
		cy_log(LOG_ERROR_, "cannot write %s: %s", file, strerror(errno));
		status = 1;
	}
	free(text);
	return status;
}

int figures_log(const struct ask *a, const char *level)
{
	enum log_level parsed;
	json_t *question, *answer;
	const char *now;

	if (level && !log_level_parse(&parsed, level)) {
		cy_log(LOG_ERROR_, "'%.40s' is no level: error, warn, info, debug", level);
		return 2;
	}
	question = json_pack("{s:s, s:s*}", "cmd", "log", "level", level);
	answer = ask_daemon(a, question);
	json_decref(question);
	if (!answer)
		return ask_nobody(a, errno);
	now = json_string_value(json_object_get(answer, "level"));
	if (a->json && now) {
		ask_print(a->out, "cyphonic.log.v1", answer);
	} else if (now) {
		fprintf(a->out, "%s\n", now);
	}
	if (!now)
		cy_log(LOG_ERROR_, "the daemon does not say the level of its log");
	json_decref(answer);
	return now ? 0 : 1;
}

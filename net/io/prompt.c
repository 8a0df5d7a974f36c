/* prompt.c - reads passwords without showing them. */
#include "net/io/prompt.h"
#include "store/config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define ERR 256

/* One line without its end, octet by octet: what follows in a pipe stays there. */
static bool read_line(int fd, char out[PROMPT_MAX], size_t *n, char *err)
{
	char c;
	ssize_t got;

	for (*n = 0; (got = read(fd, &c, 1)) == 1 && c != '\n';) {
		if (*n == PROMPT_MAX) {
			snprintf(err, ERR, "the password is longer than %d octets", PROMPT_MAX);
			return false;
		}
		out[(*n)++] = c;
	}
	if (got < 0) {
		snprintf(err, ERR, "cannot read the password: %s", strerror(errno));
		return false;
	}
	if (*n && out[*n - 1] == '\r')
		--*n;
	if (!*n)
		snprintf(err, ERR, "an empty password is no password");
	return *n != 0;
}

static bool ask(int tty, const char *whose, const char *what, char out[PROMPT_MAX], size_t *n,
		char *err)
{
	struct termios was, quiet;
	bool good;

	if (tcgetattr(tty, &was) < 0) {
		snprintf(err, ERR, "cannot use the terminal: %s", strerror(errno));
		return false;
	}
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(tty, TCSAFLUSH, &quiet);
	dprintf(tty, "%s for %s: ", what, whose);
	good = read_line(tty, out, n, err);
	tcsetattr(tty, TCSAFLUSH, &was);
	dprintf(tty, "\n");
	return good;
}

static size_t ask_twice(int tty, const char *whose, char out[PROMPT_MAX], char *err)
{
	char again[PROMPT_MAX];
	size_t n = 0, m = 0;
	bool good = ask(tty, whose, "New password", out, &n, err) &&
		    ask(tty, whose, "The same again", again, &m, err);

	if (good && (n != m || memcmp(out, again, n) != 0)) {
		snprintf(err, ERR, "the two passwords differ");
		good = false;
	}
	wipe(again, sizeof again);
	return good ? n : 0;
}

size_t prompt_password(const char *file, const char *whose, char out[PROMPT_MAX], char *err)
{
	size_t n = 0;
	int tty;

	if (file && strcmp(file, "-") != 0)
		return config_read_password(file, out, PROMPT_MAX, &n, err) ? n : 0;
	tty = file || !isatty(STDIN_FILENO) ? -1 : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		return read_line(STDIN_FILENO, out, &n, err) ? n : 0;
	n = ask_twice(tty, whose, out, err);
	close(tty);
	return n;
}

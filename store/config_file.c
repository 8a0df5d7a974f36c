/*
 * config_file.c - the two files an operator writes, opened without trust: nothing but a
 * regular file is read, never more than the limit, and never one that others may tamper with.
 */
#include "store/config_table.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_MAX 256

/*
 * Opens a regular file whose mode has none of the bits `closed`, or -1 with a message.
 * O_NONBLOCK: a FIFO must not make the program wait.
 */
static int open_checked(const char *file, mode_t closed, const char *chmod, const char *missing,
			char *err, size_t room)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0) {
		snprintf(err, room, "cannot be opened by user %u: %m%s", (unsigned)geteuid(),
			 errno == EACCES ? " (let that user read it, and enter its directory)" :
			 errno == ENOENT ? missing : "");
		return -1;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		snprintf(err, room, "not a regular file");
	else if (st.st_mode & closed)
		snprintf(err, room, "its mode %04o lets others in: chmod %s %s",
			 (unsigned)(st.st_mode & 07777), chmod, file);
	else
		return fd;
	close(fd);
	return -1;
}

/* Up to n octets; the number read, or -1 with errno. */
static ssize_t read_up_to(int fd, char *to, size_t n)
{
	size_t done = 0;
	ssize_t r = 1;

	while (done < n && r != 0) {
		r = read(fd, to + done, n - done);
		if (r < 0 && errno != EINTR)
			return -1;
		done += r > 0 ? (size_t)r : 0;
	}
	return (ssize_t)done;
}

char *config_read_file(const char *file, size_t *n, char *err)
{
	int fd = open_checked(file, S_IWOTH, "o-w", " (-c FILE names another; "
			      "'cyphonic print config-example' prints one to begin with)", err,
			      CONFIG_MESSAGE);
	char *text = fd < 0 ? NULL : malloc(CONFIG_FILE_MAX + 2);
	ssize_t got = text ? read_up_to(fd, text, CONFIG_FILE_MAX + 1) : -1;

	if (fd >= 0 && got < 0)
		snprintf(err, CONFIG_MESSAGE, "cannot be read: %m");
	if (got > CONFIG_FILE_MAX)
		snprintf(err, CONFIG_MESSAGE, "larger than 1 MiB: this is no configuration");
	if (fd >= 0)
		close(fd);
	if (got < 0 || got > CONFIG_FILE_MAX) {
		free(text);
		return NULL;
	}
	text[got] = '\0';
	*n = (size_t)got;
	return text;
}

bool config_read_password(const char *file, char *out, size_t cap, size_t *n, char *err)
{
	char line[PASSWORD_MAX + 3], what[200] = "";	/* + 3: "\r\n" and one octet too many */
	int fd = open_checked(file, 077, "600", " (its first line shall be the account's password)",
			      what, sizeof what);
	ssize_t got = -1;
	size_t len = 0;

	if (fd >= 0) {
		got = read_up_to(fd, line, sizeof line);
		if (got < 0)
			snprintf(what, sizeof what, "cannot be read: %m");
		close(fd);
	}
	if (got >= 0) {
		const char *end = memchr(line, '\n', (size_t)got);

		len = end ? (size_t)(end - line) : (size_t)got;
		if (end && len && line[len - 1] == '\r')
			len--;
		if (len == 0)
			snprintf(what, sizeof what, "empty: write the password into the first line");
		else if (len > MIN(cap, (size_t)PASSWORD_MAX))
			snprintf(what, sizeof what, "its first line is longer than %zu octets",
				 MIN(cap, (size_t)PASSWORD_MAX));
	}
	if (!*what) {
		memcpy(out, line, len);
		*n = len;
	} else {
		snprintf(err, 256, "password file %s: %s", file, what);
	}
	wipe(line, sizeof line);
	return !*what;
}

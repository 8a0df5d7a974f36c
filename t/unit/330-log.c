/* 330-log.c - one line for many like it; nothing from outside makes lines or fields. */
#include "net/io/log.h"
#define TAP_NO_LOG
#include "t/tap.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct log sink = { .level = LOG_INFO, .worker = -1 };
static int file, real_stderr;

void cy_log(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_say(&sink, level, fmt, ap);
	va_end(ap);
}

/* What was said since the last call. */
static const char *said(void)
{
	static char text[65536];
	ssize_t n = pread(file, text, sizeof text - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	if (ftruncate(file, 0) < 0)
		abort();
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void listen_in(void)
{
	FILE *f = tmpfile();

	file = dup(fileno(f));
	fcntl(file, F_SETFL, O_APPEND);
	real_stderr = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
	fclose(f);
}

static void many(unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		cy_log(LOG_WARN, "number %u", i);
}

static void test_repeats(struct board *board)
{
	const char *text;
	unsigned i;

	many(LOG_BURST);
	ok(lines(said()) == LOG_BURST, "so many lines of a kind are said");
	many(37);
	ok(lines(said()) == 0, "more are not");
	ok(board->unsaid == 37, "but counted");
	cy_log(LOG_WARN, "another");
	ok(lines(said()) == 1, "a line of another kind is said meanwhile");
	log_flush(&sink);
	text = said();
	ok(lines(text) == 1 && strstr(text, "warn toy.3: number 36 ... (37 more like this)\n"),
	   "one line stands for them all");
	sink.kind[0].since = sink.kind[1].since = 1;
	many(1);
	ok(strstr(said(), "number 0\n") != NULL, "when their time is over they are said again");
	for (i = 0; i < 3 * LOG_BURST; i++)
		cy_log(LOG_ERROR_, "%s", i % 2 ? "odd" : "even");
	ok(lines(said()) == 2 * LOG_BURST, "texts of others are kinds by themselves");
	log_flush(&sink);
	said();
	board->level = LOG_DEBUG;
	for (i = 0; i < 100; i++)
		cy_log(LOG_DEBUG, "detail");
	ok(lines(said()) == 100, "who asks for debug lines gets all");
	board->level = LOG_INFO;
}

static void test_level(struct board *board)
{
	cy_log(LOG_DEBUG, "quiet");
	ok(lines(said()) == 0, "below the board's level nothing is said");
	board->level = LOG_DEBUG;
	cy_log(LOG_DEBUG, "loud");
	ok(lines(said()) == 1, "the board's level counts at once");
	board->level = LOG_INFO;
}

static void test_forgery(struct board *board)
{
	const char *text;

	cy_log(LOG_INFO, "name %s", "a\nb\x7f\x1b[31m");
	text = said();
	ok(lines(text) == 1 && strstr(text, "name a?b??[31m\n"), "control characters end no line and colour none");
	sink.json = true;
	cy_log(LOG_INFO, "name %s", "\"}\n{\"x\\\xc3\xa4");
	text = said();
	ok(lines(text) == 1 && strstr(text, "\"role\":\"toy\",\"worker\":3,\"msg\":\"name \\\"}?{\\\"x\\\\??\"}\n"),
	   "a quote is quoted");
	log_name(&sink, "toy.3");
	many(LOG_BURST + 5);
	log_flush(&sink);
	ok(strstr(said(), "(5 more like this)\",\"more\":5}\n") != NULL, "the number left out is a field");
	sink.json = false;
	ok(strstr(board->line[(board->next - 1) % BOARD_LINES], "info toy.3") ||
	   strstr(board->line[(board->next - 1) % BOARD_LINES], "warn toy.3"), "the board keeps lines as text");
}

int main(void)
{
	struct board *board = board_new();

	listen_in();
	log_open(&sink, board, false);
	log_name(&sink, "toy.3");
	test_level(board);
	test_repeats(board);
	test_forgery(board);
	dup2(real_stderr, STDERR_FILENO);
	return done();
}

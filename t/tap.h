/*
 * tap.h - the tests' side of the Test Anything Protocol: ok() with a sentence, done() at the end.
 * Brings the log sink too: lines go to standard error when CY_TEST_LOG is set.
 */
#ifndef TAP_H
#define TAP_H

#include "cyphonic.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_run, tap_failed;

__attribute__((format(printf, 2, 3), unused))
static bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	if (!good)
		tap_failed++;
	return good;
}

/* A line for the reader of the log: figures, seeds. */
__attribute__((format(printf, 1, 2), unused))
static void diag(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

__attribute__((unused))
static int done(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed != 0;
}

/* SCALE=n in the environment multiplies counts; 1 in `make test`. */
__attribute__((unused))
static unsigned scale(void)
{
	const char *s = getenv("SCALE");

	return s && atoi(s) > 0 ? (unsigned)atoi(s) : 1;
}

#ifndef TAP_NO_LOG
void cy_log(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!getenv("CY_TEST_LOG"))
		return;
	fprintf(stderr, "# log %d: ", level);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}
#endif

#endif

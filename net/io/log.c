/*
 * log.c - makes a line of what was said, once: for the terminal or a file, the journal, or a
 * program that reads JSON.  Whoever makes the daemon say the same again and again gets one
 * line that counts them.
 */
#include "net/io/log.h"
#include "net/io/loop.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MSG 900			/* octets of what is said */
#define LINE 2400		/* of a line: each may need two in JSON */

/* Does standard error go to the journal?  systemd names the stream it gave us. */
static bool is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(struct log *l, struct board *board, bool json)
{
	l->board = board;
	l->json = json;
	l->journal = is_journal();
}

void log_name(struct log *l, const char *name)
{
	const char *dot = strrchr(name, '.');

	l->worker = dot ? atoi(dot + 1) : -1;
	memset(l->kind, 0, sizeof l->kind);	/* those were the parent's */
	snprintf(l->role, sizeof l->role, "%.*s", dot ? (int)(dot - name) : 50, name);
}

/* ---- the forms ---- */

static const char *stamp(char out[32])
{
	struct timespec t;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &t);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", gmtime_r(&t.tv_sec, &tm));
	snprintf(out + n, 32 - n, ".%03dZ", (int)(t.tv_nsec / 1000000));
	return out;
}

static size_t as_text(const struct log *l, char *line, const char *when, enum log_level level,
		      const char *msg)
{
	char worker[16] = "";

	if (!*l->role)
		return (size_t)snprintf(line, LINE, "cyphonic: %s", msg);
	if (l->worker >= 0)
		snprintf(worker, sizeof worker, ".%d", l->worker);
	return (size_t)snprintf(line, LINE, "%s%s%s %s%s: %s", when, *when ? " " : "",
				log_level_name(level), l->role, worker, msg);
}

/* msg holds printable ASCII only. */
static size_t as_json(const struct log *l, char *line, const char *when, enum log_level level,
		      const char *msg, unsigned more)
{
	char worker[16] = "null";
	size_t n;

	if (l->worker >= 0)
		snprintf(worker, sizeof worker, "%d", l->worker);
	n = (size_t)snprintf(line, LINE, "{\"time\":\"%s\",\"level\":\"%s\",\"role\":\"%s\","
			     "\"worker\":%s,\"msg\":\"", when, log_level_name(level), l->role,
			     worker);
	for (; *msg; msg++) {
		if (*msg == '"' || *msg == '\\')
			line[n++] = '\\';
		line[n++] = *msg;
	}
	n += (size_t)snprintf(line + n, LINE - n, more ? "\",\"more\":%u}" : "\"}", more);
	return n;
}

static void keep(struct board *b, const char *line, enum log_level level)
{
	unsigned at = atomic_fetch_add(&b->next, 1) % BOARD_LINES;

	snprintf(b->line[at], BOARD_LINE, "%.*s", BOARD_LINE - 1, line);
	atomic_fetch_add(&b->said[level], 1);
}

static void put(struct log *l, enum log_level level, const char *msg, unsigned more)
{
	static const char priority[] = { '3', '4', '6', '7' };
	char room[4 + LINE], when[32], *line = room + 3;
	size_t n;

	stamp(when);
	if (l->board) {
		as_text(l, line, when, level, msg);
		keep(l->board, line, level);
	}
	n = l->json ? as_json(l, line, when, level, msg, more)
		    : as_text(l, line, l->journal ? "" : when, level, msg);
	line[n++] = '\n';
	if (l->journal && l->board) {
		line -= 3;
		n += 3;
		line[0] = '<';
		line[1] = priority[level];
		line[2] = '>';
	}
	/* one write: lines of several processes do not mix */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

/* ---- one more like this ---- */

static void sum_up(struct log *l, struct log_kind *k)
{
	char msg[200];

	if (!k->more)
		return;
	snprintf(msg, sizeof msg, "%s ... (%u more like this)", k->last, k->more);
	put(l, k->level, msg, k->more);
	k->more = 0;
}

/* A kind is a call of cy_log(): its format; or, for texts of others, their own text. */
static uint64_t key_of(const char *fmt, const char *msg)
{
	const char *p = strcmp(fmt, "%s") == 0 ? msg : fmt;
	uint64_t h = 14695981039346656037u;

	for (; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211u;
	return h | 1;
}

/* Lines whose time is over are summed up by whatever is said next. */
static void sum_up_old(struct log *l, uint64_t now)
{
	unsigned i;

	for (i = 0; i < LOG_KINDS; i++)
		if (l->kind[i].key && now - l->kind[i].since >= LOG_PERIOD) {
			sum_up(l, &l->kind[i]);
			l->kind[i].key = 0;
		}
}

/* The kind's place; the oldest gives way. */
static struct log_kind *kind_of(struct log *l, uint64_t key, enum log_level level, uint64_t now)
{
	struct log_kind *k, *oldest = &l->kind[0];

	for (k = l->kind; k < l->kind + LOG_KINDS; k++) {
		if (k->key == key)
			return k;
		if (oldest->key && (!k->key || k->since < oldest->since))
			oldest = k;
	}
	sum_up(l, oldest);
	*oldest = (struct log_kind){ .key = key, .since = now, .level = level };
	return oldest;
}

static bool is_enough(struct log *l, enum log_level level, const char *fmt, const char *msg)
{
	uint64_t now;
	struct log_kind *k;

	if (!l->board || level == LOG_DEBUG)
		return false;
	now = clock_now().boot;
	sum_up_old(l, now);
	k = kind_of(l, key_of(fmt, msg), level, now);
	if (++k->said <= LOG_BURST)
		return false;
	k->more++;
	snprintf(k->last, sizeof k->last, "%.*s", (int)sizeof k->last - 1, msg);
	atomic_fetch_add(&l->board->unsaid, 1);
	return true;
}

void log_flush(struct log *l)
{
	struct log_kind *k;

	for (k = l->kind; k < l->kind + LOG_KINDS; k++)
		sum_up(l, k);
}

void log_say(struct log *l, enum log_level level, const char *fmt, va_list ap)
{
	enum log_level loudest = l->board ? (enum log_level)l->board->level : l->level;
	char msg[MSG];
	size_t i;

	if (level > loudest)
		return;
	vsnprintf(msg, sizeof msg, fmt, ap);
	/* a name from outside must neither make lines or fields of its own nor command a terminal */
	for (i = 0; msg[i]; i++)
		if ((uint8_t)msg[i] < ' ' || (uint8_t)msg[i] >= 0x7f)
			msg[i] = '?';
	if (!is_enough(l, level, fmt, msg))
		put(l, level, msg, 0);
}

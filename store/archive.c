/* archive.c - the few pages of POSIX tar that a backup needs. */
#include "crypto/digest.h"
#include "store/archive.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512

/* Of a header: name 100, mode 8, uid 8, gid 8, size 12, time 12, sum 8, type, link 100, magic. */
enum { AT_MODE = 100, AT_UID = 108, AT_GID = 116, AT_SIZE = 124, AT_TIME = 136, AT_SUM = 148,
       AT_TYPE = 156, AT_MAGIC = 257 };

__attribute__((format(printf, 2, 3)))
static bool bad(struct tar *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->err, 256, fmt, ap);
	va_end(ap);
	return false;
}

static bool put(struct tar *t, off_t at, const void *p, size_t n)
{
	size_t done = 0;
	ssize_t k;

	while (done < n) {
		k = pwrite(t->fd, (const uint8_t *)p + done, n - done, at + (off_t)done);
		if (k < 0 && errno != EINTR)
			return bad(t, "the backup cannot be written: %s", strerror(errno));
		done += k > 0 ? (size_t)k : 0;
	}
	return true;
}

static bool get(struct tar *t, off_t at, void *p, size_t n)
{
	size_t done = 0;
	ssize_t k = 1;

	while (done < n && k) {
		k = pread(t->fd, (uint8_t *)p + done, n - done, at + (off_t)done);
		if (k < 0 && errno != EINTR)
			return bad(t, "the backup cannot be read: %s", strerror(errno));
		done += k > 0 ? (size_t)k : 0;
	}
	return done == n || bad(t, "the backup is cut off");
}

static uint64_t whole_blocks(uint64_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* The sum counts its own eight octets as blanks. */
static unsigned header_sum(const uint8_t h[BLOCK])
{
	unsigned i, sum = 0;

	for (i = 0; i < BLOCK; i++)
		sum += i >= AT_SUM && i < AT_SUM + 8 ? ' ' : h[i];
	return sum;
}

static bool sum_of(struct tar *t, struct member *m)
{
	uint8_t p[65536];
	struct digest d;
	uint64_t at;
	size_t n;

	digest_start(&d);
	for (at = 0; at < m->n; at += n) {
		n = MIN(sizeof p, m->n - at);
		if (!get(t, m->at + (off_t)at, p, n))
			return false;
		digest_add(&d, p, n);
	}
	digest_end(&d, m->sha);
	return true;
}

/* ---- writing ---- */

void tar_open(struct tar *t)
{
	t->at += BLOCK;
}

bool tar_filled(struct tar *t, const char *name, uint64_t n)
{
	static const uint8_t none[BLOCK];
	struct member *m = &t->member[t->n];
	char h[BLOCK] = "";

	if (t->n == TAR_MEMBERS || strlen(name) >= TAR_NAME || n >= (uint64_t)1 << 33)
		return bad(t, "%.60s does not fit into a backup", name);
	strcpy(m->name, name);
	m->at = t->at;
	m->n = n;
	strcpy(h, name);
	strcpy(h + AT_MODE, "0000600");
	strcpy(h + AT_UID, "0000000");
	strcpy(h + AT_GID, "0000000");
	snprintf(h + AT_SIZE, 12, "%011llo", (unsigned long long)n);
	snprintf(h + AT_TIME, 12, "%011llo", (unsigned long long)(t->now_s & 077777777777));
	h[AT_TYPE] = '0';
	memcpy(h + AT_MAGIC, "ustar\0" "00", 8);
	snprintf(h + AT_SUM, 8, "%06o", header_sum((uint8_t *)h));
	h[AT_SUM + 7] = ' ';
	t->n++;
	t->at += (off_t)whole_blocks(n);
	return put(t, m->at - BLOCK, h, BLOCK) &&
	       put(t, m->at + (off_t)n, none, (size_t)(whole_blocks(n) - n)) && sum_of(t, m);
}

bool tar_add(struct tar *t, const char *name, const void *p, size_t n)
{
	tar_open(t);
	return put(t, t->at, p, n) && tar_filled(t, name, n);
}

static size_t sums_text(const struct tar *t, unsigned n, char *text)
{
	char hex[65];
	size_t len = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s  %s\n", hex_text(hex, t->member[i].sha, 32),
				       t->member[i].name);
	return len;
}

#define SUMS_MAX (TAR_MEMBERS * (64 + 2 + TAR_NAME + 1))

bool tar_finish(struct tar *t)
{
	static const uint8_t none[2 * BLOCK];
	char text[SUMS_MAX + 1];
	size_t n = sums_text(t, t->n, text);

	if (!tar_add(t, TAR_SUMS, text, n) || !put(t, t->at, none, sizeof none))
		return false;
	t->at += sizeof none;
	return fsync(t->fd) == 0 || bad(t, "the backup cannot be written: %s", strerror(errno));
}

/* ---- reading ---- */

static bool is_safe(const char *name)
{
	const char *rest = strncmp(name, "ca/", 3) == 0 ? name + 3 : name;

	if (strcmp(name, TAR_ACCOUNTS) == 0)
		return true;
	return *rest && *rest != '.' && strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
						    "0123456789._-") == strlen(rest);
}

static bool octal(const char *p, size_t n, uint64_t *v)
{
	size_t i;

	for (i = 0, *v = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*v = *v * 8 + (uint64_t)(p[i] - '0');
	return i > 0;
}

static bool member_read(struct tar *t, const uint8_t block[BLOCK], off_t size)
{
	struct member *m = &t->member[t->n];
	const char *h = (const char *)block;
	uint64_t sum;

	if (memcmp(h + AT_MAGIC, "ustar", 5) != 0 || !octal(h + AT_SUM, 8, &sum) ||
	    sum != header_sum(block) || !octal(h + AT_SIZE, 12, &m->n) || h[AT_TYPE] != '0')
		return bad(t, "this is no backup, or it is damaged at octet %lld", (long long)t->at);
	if (t->n == TAR_MEMBERS || strnlen(h, TAR_NAME) == TAR_NAME || !is_safe(h))
		return bad(t, "the backup holds a file that is none of ours");
	strcpy(m->name, h);
	m->at = t->at + BLOCK;
	if (m->n > (uint64_t)(size - m->at))
		return bad(t, "the backup is cut off in %s", m->name);
	if (tar_find(t, m->name))
		return bad(t, "the backup holds %s twice", m->name);
	t->n++;
	t->at = m->at + (off_t)whole_blocks(m->n);
	return sum_of(t, m);
}

const struct member *tar_find(const struct tar *t, const char *name)
{
	unsigned i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->member[i].name, name) == 0)
			return &t->member[i];
	return NULL;
}

long tar_take(struct tar *t, const struct member *m, void *p, size_t cap)
{
	if (m->n > cap) {
		bad(t, "%s in the backup is too large", m->name);
		return -1;
	}
	return get(t, m->at, p, (size_t)m->n) ? (long)m->n : -1;
}

static bool sums_agree(struct tar *t)
{
	const struct member *sums = tar_find(t, TAR_SUMS);
	char want[SUMS_MAX + 1], have[SUMS_MAX + 1];
	size_t n;

	if (!sums || sums != &t->member[t->n - 1])
		return bad(t, "the backup is cut off: it has no sums at its end");
	n = sums_text(t, t->n - 1, want);
	if (sums->n != n || tar_take(t, sums, have, n) < 0 || memcmp(have, want, n) != 0)
		return bad(t, "the backup is damaged: the sums of its files are not those it says");
	return true;
}

bool tar_read(struct tar *t)
{
	uint8_t block[BLOCK];
	struct stat st;

	if (fstat(t->fd, &st) != 0)
		return bad(t, "the backup cannot be read: %s", strerror(errno));
	for (t->at = 0, t->n = 0;;) {
		if (t->at > st.st_size - BLOCK)
			return bad(t, t->n ? "the backup is cut off" : "this is no backup");
		if (!get(t, t->at, block, BLOCK))
			return false;
		if (!block[0])
			break;
		if (!member_read(t, block, st.st_size))
			return false;
	}
	if (!t->n || strcmp(t->member[0].name, TAR_FIRST) != 0)
		return bad(t, "this is no backup of cyphonic");
	return sums_agree(t);
}

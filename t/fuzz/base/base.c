/* base.c - pieces of an input, a directory, an outbox that is looked at and emptied. */
#include "t/fuzz/base/base.h"
#include <ftw.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void fuzz_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* Formatted though nobody reads it: a message may be what is wrong. */
void cy_log(enum log_level level, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (getenv("CY_TEST_LOG"))
		fprintf(stderr, "# log %d: %s\n", level, text);
}

/* ---- pieces ---- */

uint8_t fuzz_octet(struct fuzz_in *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

struct fuzz_piece fuzz_framed(struct fuzz_in *in, size_t front, size_t behind)
{
	size_t n = fuzz_octet(in);
	struct fuzz_piece piece;

	n |= (size_t)fuzz_octet(in) << 8;
	n = MIN(n, in->n);
	piece.n = front + n + behind;
	piece.room = calloc(1, HEADROOM + piece.n + TAILROOM);
	if (!piece.room)
		abort();
	piece.p = piece.room + HEADROOM;
	if (n)
		memcpy(piece.p + front, in->p, n);
	in->p += n;
	in->n -= n;
	return piece;
}

struct fuzz_piece fuzz_exact(struct fuzz_in *in)
{
	struct fuzz_piece framed = fuzz_framed(in, 0, 0), piece = { .n = framed.n };

	piece.p = piece.room = malloc(MAX(piece.n, (size_t)1));
	if (!piece.p)
		abort();
	memcpy(piece.p, framed.p, piece.n);
	free(framed.room);
	return piece;
}

void fuzz_drop(struct fuzz_piece *piece)
{
	free(piece->room);
}

/* ---- files ---- */

static char scratch[64];

static int drop_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void drop_scratch(void)
{
	nftw(scratch, drop_file, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_dir(void)
{
	if (scratch[0])
		return scratch;
	strcpy(scratch, "/dev/shm/cyphonic-fuzz-XXXXXX");
	if (!mkdtemp(scratch))
		strcpy(scratch, "/tmp/cyphonic-fuzz-XXXXXX");
	if (strncmp(scratch, "/tmp", 4) == 0 && !mkdtemp(scratch))
		abort();
	atexit(drop_scratch);
	return scratch;
}

const char *fuzz_file(const void *p, size_t n)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		must(fd >= 0 && fchmod(fd, 0600) == 0);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	}
	must(ftruncate(fd, 0) == 0 && pwrite(fd, p, n, 0) == (ssize_t)n);
	return path;
}

/* ---- the outbox ---- */

static void check_item(const struct out_item *i)
{
	size_t k;

	must(i->kind <= OUT_MASTER && i->port < PORT_COUNT);
	if (i->kind == OUT_CONNECT || i->kind == OUT_CLOSE)
		return;
	must(i->len && i->buf);
	if (i->kind == OUT_DATAGRAM) {
		must(i->to.family == 4 || i->to.family == 6);
		must(i->len <= 65507);
	}
	/* every octet of it is there */
	for (k = 0; k < i->len; k++)
		(void)*(volatile const uint8_t *)(i->buf + k);
}

static void flush(struct outbox *out)
{
	struct fuzz_box *box = (struct fuzz_box *)out;
	unsigned i;

	for (i = 0; i < out->n; i++) {
		check_item(&out->item[i]);
		if (box->look)
			box->look(box->arg, &out->item[i]);
	}
	out->n = 0;
	out->used = 0;
}

struct fuzz_box *fuzz_outbox(void)
{
	static struct fuzz_box box;

	if (!box.out.scratch) {
		box.out.scratch = malloc(OUTBOX_SCRATCH);
		box.out.flush = flush;
	}
	if (!box.out.scratch)
		abort();
	return &box;
}

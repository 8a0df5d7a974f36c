/*
 * base.h - what the fuzz targets share.  An input is cut into pieces (length 16 bits, little
 * end first, then octets), each in memory of its own, so that a read behind its end is seen.
 * Chance comes from a seed that each input starts with anew; the clock is the target's.
 *
 * In accept.c, by the linker's --wrap: AEADs open whatever is long enough, and TLS
 * is a pass-through.  So an input reaches what stands behind the keys.
 */
#ifndef T_FUZZ_BASE_H
#define T_FUZZ_BASE_H

#include "net/proto/outbox.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define FUZZ_WALL ((uint64_t)1800000000)	/* s since 1970: when every input happens */

/* Ends the run as a finding unless it holds. */
#define must(holds) do { if (!(holds)) fuzz_broken(#holds, __FILE__, __LINE__); } while (0)
void fuzz_broken(const char *what, const char *file, int line) __attribute__((noreturn));

struct fuzz_in {
	const uint8_t *p;
	size_t n;
};

uint8_t fuzz_octet(struct fuzz_in *in);
/* HEADROOM before and TAILROOM behind may be written, as with a batch.  fuzz_drop() frees. */
struct fuzz_piece {
	uint8_t *p;
	size_t n;
	uint8_t *room;
};
/* The next piece, exactly in its memory (nothing around it). */
struct fuzz_piece fuzz_exact(struct fuzz_in *in);
/* The next piece with `front` octets of zero before it and `behind` after it, all counted in n. */
struct fuzz_piece fuzz_framed(struct fuzz_in *in, size_t front, size_t behind);
void fuzz_drop(struct fuzz_piece *piece);

/* A directory of this process, gone at its end; the file's path in it. */
const char *fuzz_dir(void);
/* A file in memory, mode 0600, that holds this now: its path. */
const char *fuzz_file(const void *p, size_t n);

/* Checks what every item must be, and forgets it after `look` saw it.  look may be NULL. */
struct fuzz_box {
	struct outbox out;
	void (*look)(void *arg, const struct out_item *item);
	void *arg;
};
struct fuzz_box *fuzz_outbox(void);

extern bool fuzz_accept;	/* false: keys and TLS are the real ones (TLS: since the context) */

#endif

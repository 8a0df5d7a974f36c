/* tar.h - writes a POSIX archive (ustar) of small files made here. */
#ifndef TAR_H
#define TAR_H

#include <stdint.h>
#include <stdio.h>

/* name: at most 99 octets; time: s since 1970; mode 0644. */
void tar_file(FILE *out, const char *name, uint64_t time, const char *text, size_t n);
void tar_end(FILE *out);

#endif

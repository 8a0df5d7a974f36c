/* tar.c - a header of 512 octets, the file, zeros up to the next multiple of 512. */
#include "net/io/tar.h"
#include <string.h>

#define BLOCK 512

void tar_file(FILE *out, const char *name, uint64_t time, const char *text, size_t n)
{
	static const char zero[BLOCK];
	char h[BLOCK] = "";
	unsigned sum = 0, i;

	snprintf(h, 100, "%s", name);
	strcpy(h + 100, "0000644");
	strcpy(h + 108, "0000000");
	strcpy(h + 116, "0000000");
	snprintf(h + 124, 12, "%011llo", (unsigned long long)n);
	snprintf(h + 136, 12, "%011llo", (unsigned long long)time);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	strcpy(h + 265, "root");
	strcpy(h + 297, "root");
	for (i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	h[155] = ' ';
	fwrite(h, 1, BLOCK, out);
	fwrite(text, 1, n, out);
	fwrite(zero, 1, (BLOCK - n % BLOCK) % BLOCK, out);
}

void tar_end(FILE *out)
{
	static const char zero[2 * BLOCK];

	fwrite(zero, 1, sizeof zero, out);
}

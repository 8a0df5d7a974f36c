/* replay.c - instead of libFuzzer: each file, and each file of each directory, through the target once. */
#include "t/fuzz/base/base.h"
#include <dirent.h>
#include <sys/stat.h>

static unsigned runs;

static void run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(1 << 20), *exact;
	size_t n;

	if (!f || !p) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	n = fread(p, 1, 1 << 20, f);
	fclose(f);
	exact = malloc(MAX(n, (size_t)1));
	if (!exact)
		abort();
	memcpy(exact, p, n);
	free(p);
	fprintf(stderr, "# %s\n", path);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	runs++;
}

static void run(const char *path)
{
	struct dirent *e;
	struct stat st;
	char inner[600];
	DIR *d;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(inner, sizeof inner, "%.300s/%.256s", path, e->d_name);
		if (e->d_name[0] != '.')
			run_file(inner);
	}
	if (d)
		closedir(d);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		run(argv[i]);
	printf("%u inputs\n", runs);
	return runs == 0;
}

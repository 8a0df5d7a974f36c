/* board.c - the shared page, and the levels' names. */
#include "net/io/board.h"
#include "net/io/loop.h"
#include <sys/mman.h>
#include <unistd.h>

static const char *const level_name[] = { "error", "warn", "info", "debug" };

struct board *board_new(void)
{
	struct board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	struct now now = clock_now();

	if (b == MAP_FAILED)
		return NULL;
	b->level = LOG_INFO;
	b->started = now.wall / SEC;
	b->booted = now.boot;
	b->master = (int)getpid();
	return b;
}

const char *log_level_name(enum log_level level)
{
	return level_name[MIN((unsigned)level, (unsigned)LOG_DEBUG)];
}

bool log_level_parse(enum log_level *level, const char *name)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(level_name); i++)
		if (strcmp(level_name[i], name) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

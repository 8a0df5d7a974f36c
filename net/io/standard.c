/*
 * standard.c - who starts a program with standard error closed must not find its lines in the
 * socket, or the database, that is opened next.
 */
#include "net/io/standard.h"
#include <fcntl.h>
#include <unistd.h>

bool standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd >= 0 && close(fd) == 0;
}

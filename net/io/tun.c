/* tun.c - one system call per packet still, so everything else here costs nothing. */
#include "net/io/tun.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOT (HEADROOM + TUN_PACKET_MAX + TAILROOM)

int tun_open(struct tun *t, int fd)
{
	memset(t, 0, sizeof *t);
	t->fd = fd;
	t->buffers = malloc((size_t)TUN_BATCH * SLOT);
	if (!t->buffers)
		return -1;
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void tun_close(struct tun *t)
{
	free(t->buffers);
	t->buffers = NULL;
}

int tun_read(struct tun *t)
{
	int n = 0;

	while (n < TUN_BATCH) {
		uint8_t *p = t->buffers + (size_t)n * SLOT + HEADROOM;
		ssize_t len = read(t->fd, p, TUN_PACKET_MAX);

		if (len > 0) {
			t->batch[n++] = (struct batch){
				.buf = p, .len = (uint32_t)len, .seg = (uint16_t)len,
			};
			continue;
		}
		if (len < 0 && (errno == EBADFD || errno == EBADF || errno == ENODEV) && !n)
			return -1;
		if (len == 0 || errno != EINTR)
			break;
	}
	return n;
}

void tun_write(struct tun *t, const uint8_t *buf, size_t len)
{
	if (write(t->fd, buf, len) < 0)
		t->lost++;
}

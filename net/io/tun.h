/* tun.h - virtual IP packets from and to a TUN device (IFF_TUN | IFF_NO_PI). */
#ifndef TUN_H
#define TUN_H

#include "net/proto/outbox.h"

#define TUN_BATCH 64		/* packets read in one go */
#define TUN_PACKET_MAX 2048	/* octets; the device's MTU is at most 1,404 */

struct tun {
	int fd;
	struct batch batch[TUN_BATCH];	/* filled by tun_read(), valid until the next */
	uint8_t *buffers;
	uint64_t lost;			/* packets that could not be written */
};

/* Takes the device (not owned) and makes it non-blocking.  0, or -1 with errno. */
int tun_open(struct tun *t, int fd);
void tun_close(struct tun *t);
/* What is waiting, up to TUN_BATCH packets, into batch[]; -1 with errno when the device is gone. */
int tun_read(struct tun *t);
/* One packet.  A device that is down or full loses it, counted. */
void tun_write(struct tun *t, const uint8_t *buf, size_t len);

#endif

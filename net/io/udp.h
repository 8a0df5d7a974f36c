/*
 * udp.h - datagrams in and out, many to a system call: recvmmsg with GRO, sendmmsg with GSO.
 *
 * Receiving fills batches, sending takes outbox items; neither allocates.  Batches know
 * the local address they hit and the ECN bits, items may ask for both.
 */
#ifndef UDP_H
#define UDP_H

#include "net/io/worker.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define UDP_BATCHES 32		/* datagrams, or runs of them, in one receive */
#define UDP_MESSAGES 64		/* messages in one send */
#define UDP_PIECES 256		/* buffers in one send */
#define UDP_SEGMENTS 64		/* datagrams in one GSO message */
#define UDP_RUN_MAX 65000	/* octets in one GSO message */
#define UDP_NARROW 8		/* destinations remembered as too narrow for GSO */

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Returns its length; 0 for an address without family. */
socklen_t sockaddr_make(union sockaddr_any *s, const struct addr *a);
/* Family 0 for anything but IPv4 and IPv6. */
struct addr sockaddr_addr(const union sockaddr_any *s);

/* One socket and what its kernel side was found to refuse. */
struct udp {
	int fd;
	enum port port;
	uint8_t role;
	struct addr local;		/* bound to; an address of zeros: any */
	bool no_gso;			/* for good: the device cannot */
	struct addr narrow[UDP_NARROW];	/* GSO was refused, single datagrams passed */
	unsigned narrows, tries;	/* tries: messages until narrow[] is forgotten */
	uint64_t lost;			/* datagrams the kernel did not take */
};

/*
 * Sets the options the functions below rely on: local address, ECN and (gro) runs of
 * datagrams.  By whoever makes the socket.  False with errno; a kernel without GRO is fine.
 */
bool udp_prepare(int fd, uint8_t family, bool gro);
/* Takes a bound, prepared socket (not owned).  0, or -1 with errno. */
int udp_open(struct udp *u, const struct door *door);

/* Receive buffers, one set for all sockets of a worker. */
struct udp_in {
	struct batch batch[UDP_BATCHES];	/* filled by udp_receive(), valid until the next */
	struct mmsghdr msg[UDP_BATCHES];
	struct iovec iov[UDP_BATCHES];
	union sockaddr_any name[UDP_BATCHES];
	_Alignas(8) uint8_t control[UDP_BATCHES][128];
	uint8_t *buffers;
};

/* NULL when there is no memory. */
struct udp_in *udp_in_new(void);
void udp_in_free(struct udp_in *in);
/* What is waiting at u, in one system call: number of batches. */
unsigned udp_receive(struct udp *u, struct udp_in *in);

/* A message being put together: datagrams of seg octets, the last may be shorter. */
struct udp_run {
	const struct out_item *first;	/* whose addresses and ECN it has */
	uint32_t seg;
	unsigned segments, most;
	bool full;
};

/* What waits for the next system call, one set for all sockets of a worker. */
struct udp_out {
	struct udp *socket;
	unsigned runs, pieces;
	struct udp_run run[UDP_MESSAGES];
	struct mmsghdr msg[UDP_MESSAGES];
	struct iovec iov[UDP_PIECES];
	union sockaddr_any name[UDP_MESSAGES];
	_Alignas(8) uint8_t control[UDP_MESSAGES][128];
};

/*
 * Adds an OUT_DATAGRAM.  Item and buffer stay untouched until udp_send().  Datagrams that
 * follow each other to one destination become one message where lengths allow.
 */
void udp_put(struct udp_out *out, struct udp *u, const struct out_item *item);
/* Sends all that was put.  What the kernel does not take at once is lost and counted. */
void udp_send(struct udp_out *out);

#endif

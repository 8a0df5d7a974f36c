/* loss.c - says what was lost, or nothing when nothing was. */
#include "net/io/loss.h"

void loss_say(unsigned worker, const uint64_t n[IO_LOSSES])
{
	if (n[LOST_DATAGRAM] || n[LOST_PACKET] || n[LOST_NOTE] || n[LOST_REQUEST])
		cy_log(LOG_INFO, "worker %u lost on the way out: %llu datagrams, %llu virtual "
		       "packets, %llu notes, %llu requests", worker,
		       (unsigned long long)n[LOST_DATAGRAM], (unsigned long long)n[LOST_PACKET],
		       (unsigned long long)n[LOST_NOTE], (unsigned long long)n[LOST_REQUEST]);
}

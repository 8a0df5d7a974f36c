/* loss.h - what a worker could not carry out, in the log at its end. */
#ifndef LOSS_H
#define LOSS_H

#include "net/role.h"

void loss_say(unsigned worker, const uint64_t lost[IO_LOSSES]);

#endif

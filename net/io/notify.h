/* notify.h - what the service manager is told about us, as sd_notify(3) has it. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "cyphonic.h"

/*
 * One message, such as "READY=1" or "STATUS=...", several of them joined by newlines; to
 * $NOTIFY_SOCKET, or nobody if that is not set.  A message that cannot be sent is lost.
 */
void notify_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Microseconds in which the manager wants to hear "WATCHDOG=1" of this process; 0: it does not. */
uint64_t notify_watchdog(void);

#endif

/* steer.h - the kernel program that gives each datagram to the worker that owns its ID. */
#ifndef STEER_H
#define STEER_H

#include "cyphonic.h"

/*
 * Attaches the program to the SO_REUSEPORT group fd is in (any member, once for all): a
 * datagram goes to the socket that was bound as number (last octet of the ID) modulo
 * workers, shorter ones to the first.  Sockets must have been bound in the order of the
 * workers and none may leave the group.  Batches made by GSO are steered by their first
 * segment: roles hand the others over.  False with errno.
 */
bool steer_attach(int fd, unsigned workers);

#endif

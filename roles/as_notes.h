/*
 * as_notes.h - what AS workers and the helper say to each other.
 *
 *   request: op (8) | handle (32) | run (64) | cloud time in ms (64) | body
 *   answer:  op (8) | handle (32) | run (64) | body
 * run is a random number of this life of the worker: a successor's handles are its
 * predecessor's, and nobody may be given the answer to another's login.
 * A login's bodies are the wire's login_request and login_response.  The body of the answer
 * to AS_CREDENTIALS is struct identity, then leaf, issuer and root, each behind its length (16).
 *
 * And what the helper leaves for a relay in the same process: in AS_LOCAL_FILE of the state
 * directory its password, then the root certificate's SHA-256 in hex, a line each.
 */
#ifndef AS_NOTES_H
#define AS_NOTES_H

#include "cyphonic.h"

#define AS_CREDENTIALS 1
#define AS_LOGIN 2
#define AS_REQUEST_HEAD 21
#define AS_ANSWER_HEAD 13

#define AS_LOCAL_FILE "trs-password"
#define AS_LOCAL_ACCOUNT "local-trs"
#define AS_LOCAL_DEVICE "trs"

struct config;
struct store;

/*
 * as_local.c: account and device of the relay in this process, if it has one that names no
 * account; what is there and good is kept.  What goes wrong is said, and the AS goes on.
 */
void as_local_relay(const struct config *c, struct store *s, struct bytes root, struct now now);

#endif

/*
 * resolv.h - a process that makes the system ask the node's resolver, and undoes it however
 * the master ends.  It keeps the master's rights, and hears from nobody but the master.
 */
#ifndef RESOLV_H
#define RESOLV_H

#include "net/priv.h"
#include <sys/types.h>

struct config;

/* What the master knows of it. */
struct resolv {
	int fd;				/* to the process; -1: there is none */
	uint64_t born;			/* boot clock */
	unsigned early;			/* deaths soon after birth, one after the other */
	bool stopping;
	bool successor;			/* of an upgrade: what there is was left for us */
	const struct config *conf;
	void (*call)(const char *name);	/* names the calling process in the log */
	bool heard;			/* somebody asked: */
	uint8_t worker, role;
	struct priv_request asked;	/* the last change asked for */
};

/* Takes out what a daemon with this configuration left that could not end in order; says what it did. */
bool resolv_repair(const struct config *conf);
/*
 * Starts the process, which first takes out what a daemon left that could not end in order;
 * (successor: one that was upgraded to us, which is no trouble), and waits for that.  now: boot
 * clock.  False when it cannot be started; then there is none.
 */
bool resolv_start(struct resolv *r, const struct config *conf, void (*call)(const char *name),
		  bool successor, uint64_t now);
/* Passes on a PRIV_DNS_* request, checked by priv_wrong(). */
void resolv_ask(struct resolv *r, unsigned worker, uint8_t role, const struct priv_request *q);
/*
 * r->fd is readable: an answer for r->role of worker r->worker, or false.  A process that died
 * is replaced.
 */
bool resolv_answer(struct resolv *r, struct priv_resolver *a, uint64_t now);
/* Tells it to undo all, or to leave it for a successor, and to end; may be repeated. */
void resolv_stop(struct resolv *r, bool keep);
/* Waits until it has, 5 s at most. */
void resolv_wait(struct resolv *r);

#endif

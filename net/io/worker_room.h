/* worker_room.h - a worker from inside.  For worker.c, its life, and worker_out.c, its hands. */
#ifndef WORKER_ROOM_H
#define WORKER_ROOM_H

#include "net/io/channel.h"
#include "net/io/loop.h"
#include "net/io/post.h"
#include "net/io/stream.h"
#include "net/io/tun.h"
#include "net/io/udp.h"
#include "net/io/worker.h"

/* A role's instance in this worker. */
struct seat {
	struct worker *worker;
	const struct role *role;
	void *self;
	struct alarm *alarm;	/* rings at its expiry() */
};

/* A datagram socket. */
struct inlet {
	struct worker *worker;
	struct udp udp;
	struct watch *watch;
};

/* Helper or master. */
struct office {
	struct worker *worker;
	enum note_from from;
	struct post post;
	struct watch *watch;
};

struct worker {
	struct loop *loop;
	const struct worker_setup *setup;
	struct store *store;
	struct seat seat[ROLES_MAX];
	struct seat *current;		/* whose call is under way */
	struct outbox out;
	struct inlet inlet[DOORS_MAX];
	unsigned inlets;
	struct udp_in *in;
	struct udp_out *sending;
	struct streams *streams;
	struct alarm *streams_alarm;
	struct tun tun;
	struct watch *tun_watch, *channel_watch, *ward_watch;
	struct channel_note *note;
	struct office helper, master;
	uint64_t wake;			/* workers that got notes in this call, by bit */
	uint64_t astray;		/* datagrams there is no socket for */
};

/* Carries out what the role that was called wants done, and empties the box. */
void worker_flush(struct outbox *out);

#endif

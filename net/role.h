/*
 * role.h - the contract between a role and whatever runs it (net/io/loop.c, or t/sim/world.c).
 *
 * A role is a machine without descriptors and clocks: something came, here is the time,
 * put what you want done into the outbox.  It stands beneath both sides, so that no
 * include points up.
 */
#ifndef ROLE_H
#define ROLE_H

#include "net/proto/outbox.h"
#include "net/proto/verdict.h"

struct config;
struct store;

/* What the loop could not carry out, by kind. */
enum io_loss { LOST_DATAGRAM, LOST_PACKET, LOST_NOTE, LOST_REQUEST, IO_LOSSES };

/* What a role instance (one per worker) is given for life. */
struct role_env {
	const struct config *conf;
	struct store *store;		/* NULL for a node */
	unsigned worker, workers;	/* this worker's index, and how many there are */
	bool restarted;			/* this worker replaces one that died */
	uint8_t boot_id[16];		/* names this boot of the machine */
	struct now start;		/* the time of open() */
	/* Counts so far, of the whole worker; NULL where nothing gets lost. */
	void (*losses)(const void *io, uint64_t lost[IO_LOSSES]);
	const void *io;
};

enum note_from { NOTE_WORKER, NOTE_HELPER, NOTE_MASTER };

/* A message from the same role in another worker, the helper, or the master. */
struct note {
	enum note_from from;
	unsigned worker;	/* NOTE_WORKER: who sent it */
	struct bytes data;
};

enum role_needs {
	NEEDS_STORE = 1,	/* the service's LMDB store */
	NEEDS_TUN = 2,		/* a TUN device */
	NEEDS_HELPER = 4,	/* the helper process */
};

/* What a user wants to know in a line: "laptop.cyphonic.internal ready, 2 peers". */
struct summary {
	char text[96];		/* "": another worker says it */
	char of[16];		/* what is counted, in the plural, "": nothing */
	uint32_t count;		/* of this worker: the master adds them up */
};

struct role {
	const char *name;
	const char *text;	/* one sentence, for -h and the manual */
	unsigned needs;

	/* Makes this worker's instance; NULL with a line in err (owned by the caller, 256). */
	void *(*open)(const struct role_env *env, char *err);
	void (*close)(void *self);
	/* The process ends in order: last words to others, before close().  May be NULL. */
	void (*leave)(void *self, struct now now, struct outbox *out);

	/* What env->conf points to has changed (only keys that apply at once).  May be NULL. */
	void (*reload)(void *self, struct now now, struct outbox *out);

	/* Datagrams came.  Counts exactly one verdict per segment. */
	void (*input)(void *self, struct now now, struct batch *in, struct outbox *out);
	/* Virtual IP packets came from the TUN device: one packet per batch for now. */
	void (*packets)(void *self, struct now now, struct batch *in, struct outbox *out);
	void (*flow)(void *self, struct now now, const struct flow_event *ev,
		     struct outbox *out);
	void (*note)(void *self, struct now now, const struct note *note, struct outbox *out);
	/* Called once after open(), then whenever expiry() has passed. */
	void (*tick)(void *self, struct now now, struct outbox *out);
	/* Boot-clock time of the next tick, or NEVER. */
	uint64_t (*expiry)(const void *self);

	const struct verdicts *(*verdicts)(const void *self);
	/* Fills s, which is zero.  NULL: "ready" says it all. */
	void (*summary)(const void *self, struct summary *s);
};

extern const struct role role_as, role_nms, role_trs, role_node;

/*
 * The helper process's side: slow work and the CA key, one request at a time.  The process
 * that runs it gathers what is waiting, calls store_begin(), serve() for each, store_end(),
 * and only then sends the answers (group commit, then acknowledge).
 */
struct helper {
	/* store: opened STORE_WRITE.  NULL with a line in err (256). */
	void *(*open)(const struct config *conf, struct store *store, struct now now, char *err);
	/* Writes the answer, returns its octets (0: none). */
	size_t (*serve)(void *self, struct now now, struct bytes request, uint8_t *answer, size_t cap);
	/*
	 * The commit failed: makes of an answer of n octets one that says so, with nothing in it
	 * that was not kept.  Returns its octets (0: none).
	 */
	size_t (*unkept)(void *self, struct now now, uint8_t *answer, size_t n, size_t cap);
	void (*close)(void *self);
};

#define HELPER_MESSAGE_MAX 8192		/* octets of a request or an answer */

extern const struct helper helper_as;

#endif

/*
 * nms.h - between the files of the node management service: nms.c (who may say what),
 * nms_register.c (who is where), nms_node.c (the nodes themselves), nms_select.c (which path,
 * decided by one worker a pair, by the rules of nms_way.h), nms_deliver.c (telling the nodes),
 * nms_relays.c (the TRS) and nms_vantage.c (how NAPTs behave).
 */
#ifndef NMS_H
#define NMS_H

#include "crypto/token.h"
#include "net/proto/cloud.h"
#include "net/proto/exchange.h"
#include "net/proto/register.h"
#include "net/proto/session.h"
#include "net/proto/table.h"
#include "net/proto/timers.h"
#include "net/role.h"
#include "roles/control.h"
#include "store/config.h"
#include "store/store.h"

#define SELECT_SWEEP (10 * SEC)

/* A node or TRS this worker owns. */
struct nms_node {
	struct link link;		/* by Node ID */
	struct timer timer;		/* registration ends, or a delivery is due */
	struct session session;
	struct common_key key;		/* what session was made of, to see a new login */
	uint64_t reread;		/* boot time of the newest look for a new key */
	uint64_t looked;		/* and at whether it may still talk */
	bool barred;			/* it may not */
	uint64_t floor;			/* cloud ms: an earlier session may have heard older stamps */
	uint8_t ip4[4], ip6[16];
	char fqdn[NAME_SIZE];
	uint8_t kind;			/* enum device_kind */
	bool registered;
	bool fresh;			/* it lost every path; the other ends are told when it is back */
	struct registration reg;
	uint64_t challenge[2];		/* by family: what the next Keep Alive must echo, 0: nothing */
	struct addr service[2];		/* by family: our address that it uses */
	uint64_t probed[2];		/* by family: boot time of the newest Probe Request about it */
	uint64_t heard;			/* boot time */
	uint8_t heard_by;		/* family index of the confirmed address it last used */
	struct delivery *deliveries;
	uint64_t save_at;		/* boot time to try again; NEVER: its registration is on record */
	struct nms_node *next_saving;	/* in this batch */
};

/* A Route Direction or Relay Request on its way to a node or TRS of ours. */
struct delivery {
	struct delivery *next;
	struct id pair;
	unsigned coordinator;		/* worker that decides about this pair */
	uint64_t give_up;		/* boot time; NEVER: when its tries are used up */
	struct exchange exchange;
	uint8_t by;			/* family index it was last sent by */
};

/* What every worker knows of a TRS. */
struct relay_facts {
	struct addr addr[2];		/* confirmed, by family; family 0: none */
	uint8_t draining;
	uint16_t load;			/* of 1,000 */
	uint16_t other_port;
	uint32_t paths;
	char region[17];
	char fqdn[NAME_SIZE];
};

struct nms_relay {
	struct link link;		/* by Node ID */
	struct relay_facts facts;
	uint64_t heard;			/* boot time its owner last spoke of it */
	bool silent;			/* a Relay Request got no answer since */
};

struct nms {
	struct role_env env;
	struct verdicts verdicts;
	struct control control;
	struct cloud cloud;
	uint64_t started;		/* cloud ms: nothing stamped before is accepted */
	struct tokens tokens;
	struct timers timers;
	struct timer lead, ready, sweep;
	bool listening;			/* SecretCommonValue is known */
	struct table nodes;		/* struct nms_node */
	struct table selections;	/* struct selection, by pair */
	struct table relays;		/* struct nms_relay: all of the domain */
	bool introduced;		/* the other workers were asked for theirs */
	struct answers *answers;
	bool writing;			/* a live transaction is open */
	struct nms_node *saving;	/* registrations that are in it */
	uint64_t paths, refusals, gave_up;
	uint64_t patterns[4];		/* paths by pattern */
};

/* What workers of one NMS tell each other; only the used part of body travels. */
enum nms_note_kind {
	NMS_HANDED,		/* a datagram steered wrongly, its token good: from, to, body */
	NMS_WANT,		/* to the coordinator: node a wants a path to node b; transaction */
	NMS_TELL,		/* to a's owner: deliver body as type to a, about pair */
	NMS_SAY,		/* to a's owner: send body as type to a, once */
	NMS_TOLD,		/* to the coordinator: a took it, or the reason why not */
	NMS_REFUSE,		/* to a's owner: its request `transaction` is refused for reason */
	NMS_FORGET,		/* to all: a lost every path; reason 0: and is back */
	NMS_RELAY,		/* to all: body is the facts of TRS a; empty: it is gone */
	NMS_RELAYS,		/* to all: worker `transaction` has just started: which TRS are yours? */
};

struct nms_note {
	uint32_t kind;
	struct id a, b, pair;
	uint32_t transaction;
	uint16_t reason;
	uint8_t type;
	uint8_t relay;			/* NMS_WANT: 1 a relayed one, 2 by another TRS than before */
	struct addr from, to;
	uint32_t len;
	uint8_t body[2048];
};

/* Sends to a worker; to oneself by a direct call of nms_on_note(). */
void nms_tell_worker(struct nms *nms, struct now now, unsigned worker,
		     const struct nms_note *note, struct outbox *out);
void nms_tell_all(struct nms *nms, struct now now, const struct nms_note *note,
		  struct outbox *out);
void nms_on_note(struct nms *nms, struct now now, const struct nms_note *note,
		 struct outbox *out);

/* nms_register.c */
enum verdict register_request(struct nms *nms, struct now now, struct nms_node *node,
			      const struct msg_header *h, struct bytes body,
			      const struct addr *from, const struct addr *to,
			      struct outbox *out);
enum verdict register_keep_alive(struct nms *nms, struct now now, struct nms_node *node,
				 const struct msg_header *h, struct bytes body,
				 const struct addr *from, const struct addr *to,
				 struct outbox *out);
/* A request came from an address that echoed its challenge.  False: it was refused. */
bool register_counts(struct nms *nms, struct now now, struct nms_node *node,
		     const struct msg_header *h, const struct addr *from,
		     const struct addr *to, struct outbox *out);
/* Keep Alive ACK: heard, and cloud time. */
void register_ack(struct nms *nms, struct now now, struct nms_node *node,
		  const struct msg_header *h, const struct addr *from, const struct addr *to,
		  struct outbox *out);

/* nms_node.c */
/* The node of this id if it may talk to us: from memory, else from the store. */
struct nms_node *nms_node_get(struct nms *nms, struct now now, const struct id *id);
void nms_node_free(struct nms *nms, struct nms_node *node);
/* Frees it if nothing authentic ever came from it: a forger knows its name. */
void nms_node_forget(struct nms *nms, struct nms_node *node);
/* A new login made a new Common Key: takes it.  False: it is the one we have. */
bool nms_node_rekeyed(struct nms *nms, struct now now, struct nms_node *node);
/* When this node must be looked at again. */
void nms_node_rearm(struct nms *nms, struct nms_node *node);
/* Its registration as it is now, on record at the end of this batch. */
void nms_node_store(struct nms *nms, struct nms_node *node);
/* us from the last sign of life to offline. */
uint64_t nms_registration_life(const struct nms *nms);
/* Opens the live transaction of this batch if it is not open yet. */
void nms_write(struct nms *nms);
/* To a node at its confirmed address of family f (0, 1), or the one it last used (f = 2). */
void nms_send(struct nms *nms, struct now now, struct nms_node *node, unsigned f,
	      uint32_t transaction, uint8_t type, const void *body, size_t n,
	      struct outbox *out);
void nms_refuse(struct nms *nms, struct now now, struct nms_node *node, unsigned f,
		uint32_t transaction, uint8_t type, uint16_t reason, struct outbox *out);
/* Answers to request h go where it came from, registered or not. */
void nms_answer(struct nms *nms, struct now now, struct nms_node *node,
		const struct msg_header *h, const struct addr *from, const struct addr *to,
		uint8_t type, const void *body, size_t n, struct outbox *out);
void nms_answer_refusal(struct nms *nms, struct now now, struct nms_node *node,
			const struct msg_header *h, const struct addr *from,
			const struct addr *to, uint16_t reason, struct outbox *out);

/* nms_select.c */
void select_want(struct nms *nms, struct now now, const struct nms_note *want,
		 struct outbox *out);
void select_told(struct nms *nms, struct now now, const struct nms_note *told,
		 struct outbox *out);
void select_forget(struct nms *nms, struct now now, const struct id *node, bool is_back,
		   struct outbox *out);
/* Forgets those that are over.  To be called every SELECT_SWEEP. */
void select_sweep(struct nms *nms, struct now now);
void select_close(struct nms *nms);
/* Names the pair whichever asks. */
void pair_id(struct id *pair, const struct id *a, const struct id *b);
unsigned pair_owner(const struct id *a, const struct id *b, unsigned workers);

/* nms_deliver.c */
void deliver_start(struct nms *nms, struct now now, const struct nms_note *tell,
		   struct outbox *out);
/* Route Confirmation or Relay Response. */
enum verdict deliver_confirmed(struct nms *nms, struct now now, struct nms_node *node,
			       const struct msg_header *h, struct bytes body,
			       struct outbox *out);
void deliver_tick(struct nms *nms, struct now now, struct nms_node *node, struct outbox *out);
uint64_t deliver_expiry(const struct nms_node *node);
/* The node is gone: those who wait for its confirmation are told. */
void deliver_offline(struct nms *nms, struct now now, struct nms_node *node, struct outbox *out);
void deliver_close(struct nms_node *node);

/* nms_relays.c */
enum verdict relays_report(struct nms *nms, struct now now, struct nms_node *node,
			   const struct msg_header *h, struct bytes body,
			   const struct addr *from, const struct addr *to,
			   struct outbox *out);
/* Everybody is told what is known of this TRS of ours, if it has reported. */
void relays_announce(struct nms *nms, struct now now, const struct nms_node *node,
		     struct outbox *out);
void relays_gone(struct nms *nms, struct now now, const struct id *trs, struct outbox *out);
/* A worker's first words: its own TRS to everybody, and a question for theirs. */
void relays_introduce(struct nms *nms, struct now now, struct outbox *out);
void relays_on_note(struct nms *nms, struct now now, const struct nms_note *note,
		    struct outbox *out);
/* The best one for both ends that is not among the n tried; NULL: none.  Valid for the call. */
const struct nms_relay *relays_choose(const struct nms *nms, struct now now,
				      const struct registration *a,
				      const struct registration *b, const struct id *tried,
				      unsigned n);
/* It did not answer: the others go first until it is heard of again. */
void relays_silent(struct nms *nms, const struct id *trs);
/*
 * Those this node can look at its NAPT of family f from, best first: not at the NMS's own
 * address, then the nearest.  How many of at most 4.
 */
unsigned relays_points(const struct nms *nms, struct now now, const struct registration *reg,
		       unsigned f, const struct addr *service, const struct nms_relay *best[4]);
/* Forgets those nothing was heard of for long. */
void relays_sweep(struct nms *nms, struct now now);
/* Those of this worker, for status. */
json_t *relays_status(const struct nms *nms);
void relays_close(struct nms *nms);

/* nms_vantage.c */
enum verdict vantage_request(struct nms *nms, struct now now, struct nms_node *node,
			     const struct msg_header *h, struct bytes body,
			     const struct addr *from, const struct addr *to,
			     struct outbox *out);
enum verdict vantage_report(struct nms *nms, struct now now, struct nms_node *node,
			    const struct msg_header *h, struct bytes body,
			    const struct addr *from, const struct addr *to,
			    struct outbox *out);

#endif

/*
 * trs.h - between the files of the relay: trs.c (the front door), trs_agent.c (who we are, and
 * the NMS), trs_paths.c (binding and forwarding), trs_vantage.c (looks at a node's NAPT),
 * trs_status.c (what the operator asks).
 *
 * Worker 0 is the agent: it alone holds the Common Key, so whatever is sealed under it or made
 * of it is its work.  Every worker relays the paths whose Path ID it owns.
 */
#ifndef TRS_H
#define TRS_H

#include "net/proto/login.h"
#include "net/proto/register.h"
#include "net/proto/table.h"
#include "net/proto/timers.h"
#include "net/role.h"
#include "roles/control.h"

#define TRS_UNBOUND (30 * SEC)	/* a path nobody binds to ends */
#define TRS_SILENT (180 * SEC)	/* and one that neither end keeps alive */
#define TRS_OF_PAIR 4		/* paths of two nodes on one worker: then the oldest ends */
#define TRS_STAMP_AGE 5000	/* ms: who has the time right is nearer */
#define TRS_SEEN 2048
#define TRS_REQUEST (HEADER_SIZE + MSG_SIZE_tunnel_request + TAG_SIZE)

/* A node that has paths here; its quota is one for all of them. */
struct trs_member {
	struct link link;		/* by Node ID */
	unsigned paths;
	uint64_t bucket;
};

/* Two nodes that have paths here: more than one when they begin anew. */
struct trs_pair {
	struct link link;		/* by both Node IDs, XORed */
	struct trs_path *oldest;
	unsigned paths;
};

/* One of the two ends of a path. */
struct trs_end {
	struct trs_member *member;
	struct addr at;			/* bound; family 0: not yet */
	struct addr to;			/* the address of ours it uses */
	uint64_t stamp;			/* of the newest Hole Punching that counted */
	uint64_t sent;			/* number of our newest ACK */
	uint64_t heard;			/* boot time of the newest that counted */
	uint64_t bucket;		/* what it sends on this path */
};

struct trs_path {
	struct link link;		/* by Path ID */
	struct timer timer;
	struct relay_key key;		/* sessions are made of it when a Hole Punching comes */
	struct trs_end end[2];		/* initiator, responder */
	struct trs_pair *pair;
	struct trs_path *younger;	/* the next one of the pair */
	uint64_t opened, expiry;	/* boot times */
	uint8_t request[TRS_REQUEST];	/* of the initiator, for a responder who is not bound yet */
	bool waits;			/* there is one */
};

/* What one worker carries; the agent hears it of all. */
struct trs_load {
	uint64_t octets;
	uint32_t paths;
};

/* The agent's alone. */
struct trs_agent {
	char account[65], device[64];
	char password[257];
	bool prepared;			/* login knows account, password and AS */
	struct login login;
	struct registrar registrar;
	bool registering;		/* registrar is started */
	struct common_key key;		/* vantage keys are made of it */
	char fqdn[NAME_SIZE];
	uint8_t net4[4], net6[16], bits4, bits6;
	uint64_t key_expiry;		/* cloud ms */
	uint64_t relogin;		/* boot time, NEVER */
	unsigned lost;			/* logins in a row because the NMS was silent */
	uint64_t lost_again;		/* boot time from which the next such one may start */
	struct exchange report;
	uint64_t report_at;		/* boot time of the next Relay Report */
	int64_t told;			/* offset of cloud time that the other workers have */
	struct trs_load *load;		/* by worker */
	uint64_t octets, measured;	/* all that was relayed at that boot time */
	uint16_t busy;			/* of 1,000 */
	uint64_t sent;			/* number of the newest message under a vantage key */
	uint64_t looks, probes;
};

struct trs {
	struct role_env env;
	struct verdicts verdicts;
	struct control control;
	struct timers timers;
	struct timer tell;
	struct cloud cloud;
	bool known, greeted;		/* node_id, tokens and cloud time are there */
	bool draining;
	struct id node_id;
	struct tokens tokens;
	uint8_t challenge_key[16];	/* of this worker's challenges */
	struct table paths, members, pairs;
	unsigned bound;			/* paths with both ends */
	uint64_t seen[TRS_SEEN];	/* marks of Hole Punchings that were answered */
	struct trs_load did;		/* octets so far; paths now */
	uint64_t packets, opened, refused, ended;
	uint64_t stun_second, stun;	/* of boot time, and what was answered in it */
	struct trs_agent *agent;	/* NULL in other workers */
};

/* A datagram on its way through the front door. */
struct trs_packet {
	enum port port;
	uint8_t *p;
	size_t n;
	struct addr from, to;
	uint8_t ecn;
	struct msg_header h;
	struct exts x;
};

/* What workers of one TRS tell each other. */
enum trs_note_kind {
	TRS_HELLO,		/* to the agent: this worker is new */
	TRS_KNOW,		/* from the agent: who we are, SecretCommonValue, cloud time */
	TRS_HANDED,		/* a datagram for the owner of its ID */
	TRS_LOOK,		/* to the agent: a Hole Punching of no path here */
	TRS_OPEN,		/* to a path's owner: body is the Relay Request */
	TRS_OPENED,		/* to the agent: the answer to it */
	TRS_DID,		/* to the agent: how busy this worker is */
};

struct trs_note {
	uint32_t kind, transaction;
	struct id id;			/* TRS_KNOW: Node ID; TRS_OPENED: Path ID */
	struct secret_common_value scv;
	int64_t offset;			/* TRS_KNOW: of cloud time from the boot clock */
	struct trs_load load;
	struct addr from, to;
	uint16_t reason;
	uint8_t ecn;
	uint32_t len;
	const uint8_t *body;		/* between workers it follows the struct */
};

static inline bool is_agent(const struct trs *t)
{
	return t->agent != NULL;
}

/* trs.c: to oneself by a direct call. */
void trs_tell(struct trs *t, struct now now, unsigned worker, const struct trs_note *note,
	      struct outbox *out);

/* trs_agent.c */
/* False with a line in err (256): account, password or AS of the configuration are no good. */
bool agent_open(struct trs *t, char *err);
void agent_close(struct trs *t);
void agent_leave(struct trs *t, struct now now, struct outbox *out);
void agent_flow(struct trs *t, struct now now, const struct flow_event *ev, struct outbox *out);
/* A message of the NMS. */
enum verdict agent_input(struct trs *t, struct now now, struct trs_packet *k, struct outbox *out);
void agent_note(struct trs *t, struct now now, unsigned worker, const struct trs_note *note,
		struct outbox *out);
void agent_tick(struct trs *t, struct now now, struct outbox *out);
uint64_t agent_expiry(const struct trs *t);
/* What the configuration says now counts: at once if it is not logged in, else from the next login on. */
void agent_reload(struct trs *t, struct now now);
/* The NMS hears at once how things are. */
void agent_report_now(struct trs *t, struct now now);

/* trs_paths.c */
struct trs_path *relay_get(const struct trs *t, const struct id *id);
/* Takes or takes again what the NMS asks for: 0, or the reason why not. */
uint16_t relay_open(struct trs *t, struct now now, const struct msg_relay_request *m);
enum verdict relay_punch(struct trs *t, struct now now, struct trs_path *path,
			 struct trs_packet *k, struct outbox *out);
enum verdict relay_forward(struct trs *t, struct now now, struct trs_path *path,
			   const struct trs_packet *k, struct outbox *out);
void relay_alarm(struct trs *t, struct now now, struct trs_path *path);
void relay_close(struct trs *t);
/* True the first time: id, end or address, and stamp of a Hole Punching that opened. */
bool punch_is_new(struct trs *t, const void *what, size_t n);
/* An answer as long as what it answers; numbered above *sent, which follows. */
void punch_answer(struct trs *t, struct now now, struct session *s, uint64_t *sent,
		  const struct trs_packet *k, const struct msg_punch *m, enum port port,
		  struct outbox *out);

/* trs_vantage.c */
/* Any worker's: somebody asks by STUN at either port. */
enum verdict vantage_stun(struct trs *t, struct now now, const struct trs_packet *k,
			  struct outbox *out);
/* The agent's. */
enum verdict vantage_punch(struct trs *t, struct now now, struct trs_packet *k,
			   struct outbox *out);
enum verdict vantage_probe(struct trs *t, struct now now, struct bytes body, struct outbox *out);

/* trs_status.c */
void trs_control(struct trs *t, struct now now, const struct flow_event *ev, struct outbox *out);
void trs_summary(const void *self, struct summary *s);
/* Whether this worker's predecessor was draining. */
bool trs_was_draining(const struct trs *t);

#endif

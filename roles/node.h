/*
 * node.h - between the files of the node: node.c (the story), node_login.c (who we are),
 * node_peers.c (who is wanted), node_ask.c and node_route.c (what the NMS says), node_renew.c
 * (paths made anew), node_vantage.c (the NAPT in front of us), node_paths.c (tunnels),
 * node_dns.c (the system's resolver), node_status.c (what the user asks), node_why.c (why a path
 * goes the way it does).
 *
 * Worker 0 is the agent: it logs in, registers, answers DNS, reads the TUN device and knows the
 * peers.  Every worker carries the paths whose Path ID it owns.
 */
#ifndef NODE_H
#define NODE_H

#include "net/proto/dns.h"
#include "net/proto/login.h"
#include "net/proto/register.h"
#include "net/proto/table.h"
#include "net/proto/timers.h"
#include "net/proto/tunnel.h"
#include "net/proto/vantage.h"
#include "net/proto/why.h"
#include "net/priv.h"
#include "net/role.h"
#include "roles/control.h"

#define HOLD_PACKETS 64
#define HOLD_OCTETS (128 * 1024)
#define HOLD_TIME (3 * SEC)
#define ROUTE_TIMEOUT (9 * SEC)	/* the NMS's own tries at the other end take this long */
#define OPEN_TIMEOUT (35 * SEC)	/* every tunnel decides sooner: then its owner's word was lost */
#define LINGER (6 * SEC)		/* by then a path that came up one-sided is known as silent */
#define ASK_EVERY (1 * SEC)		/* at most one Direction Request for a peer in this time */
#define QUERIES_MAX 1024
#define PEERS_MAX 4096
#define PINGS_MAX 16
#define INQUIRIES_MAX 8
#define DNS_HANDLES 16u			/* flow handles of the resolver start here */

enum alarm_kind { ALARM_PEER, ALARM_QUERY, ALARM_PATH, ALARM_PING, ALARM_INQUIRY };

struct alarm {
	struct timer timer;
	enum alarm_kind kind;
};

/* The larger wish answers the smaller one. */
enum ask {
	ASK_NAME,		/* who has it */
	ASK_PATH,		/* and a path to it */
	ASK_RELAY,		/* and a relayed one: the direct way gave no answer */
	ASK_OTHER_RELAY,	/* the path before gave none, with or without a relay */
};

/* A question to the NMS: who has this name or address, and perhaps a path to it. */
struct query {
	struct query *next;
	struct alarm alarm;
	struct exchange exchange;
	char name[NAME_SIZE];		/* "": by address */
	uint8_t family;
	uint8_t ip[16];
	enum ask want;
};

struct held {
	struct held *next;
	uint32_t len;
	uint8_t room[];			/* HEADROOM, packet, TAILROOM */
};

enum peer_state {
	PEER_IDLE,		/* nothing wanted; reason says how it ended */
	PEER_ASKING,		/* a query is out, or its Route Direction is awaited */
	PEER_OPENING,		/* the path's owner is making the tunnel */
	PEER_UP,
};

/* Somebody we want to talk to, or who talks to us.  The agent's. */
struct peer {
	struct link by4, by6;		/* by virtual address; zero: not linked */
	struct alarm alarm;		/* held packets or the wait for a path end */
	enum peer_state state;
	char fqdn[NAME_SIZE];		/* "" while only an address is known */
	struct id node_id, path;
	struct id before;		/* path that this one replaces: it carries until then; or zero */
	uint8_t ip4[4], ip6[16];
	uint32_t transaction;		/* of the Direction Request under way */
	uint64_t asked;			/* boot time of the newest request, 0: none to wait for */
	uint64_t sought;		/* the same, never forgotten */
	uint64_t opened;		/* boot time of the newest Route Direction taken */
	uint16_t reason;		/* why the newest try failed, 0: it did not */
	bool failed;			/* the newest path gave no answer, or none any more */
	uint8_t route;			/* PEER_UP: enum route_kind of the way in use */
	struct addr relay[2];		/* IPv4, IPv6: of the path's TRS, family 0: none */
	struct held *held, **held_end;
	unsigned held_n;
	uint32_t held_octets;
};

/* A tunnel of this worker. */
struct path {
	struct link link;		/* by Path ID */
	struct alarm alarm;
	bool announced;			/* the agent was told that it is up */
	bool silent;			/* so was the agent told */
	bool gave_up;			/* the agent was told that a relay is needed */
	uint32_t changes;		/* of the way in use, as last told */
	struct tunnel tunnel;
};

/* What paths carried. */
struct carried {
	uint64_t packets_in, packets_out, octets_in, octets_out, rekeys;
};

struct ping {
	struct alarm alarm;
	uint32_t handle;		/* of the asking client, 0: free */
	bool sent;
	char fqdn[NAME_SIZE];
};

/* Somebody wants to know why. */
struct inquiry {
	struct alarm alarm;
	uint32_t handle;		/* of the asking client, 0: free */
	bool sent;			/* the path's owner was asked */
	char fqdn[NAME_SIZE];
};

struct node {
	struct role_env env;
	struct verdicts verdicts;
	struct control control;
	struct timers timers;
	struct cloud cloud;
	struct identity identity;
	char password[257];
	size_t password_len;

	/* from the Login Response, on every worker */
	bool known, greeted;
	struct id node_id;
	char fqdn[NAME_SIZE], domain[NAME_SIZE];
	uint8_t net4[4], net6[16], bits4, bits6;
	struct tunnel_end self;
	uint64_t key_expiry, cert_expiry, cert_renew;	/* cloud ms */
	struct tunnel_rules rules;
	struct tokens tokens;		/* for what goes to a TRS */
	struct table paths;
	struct carried gone;		/* of paths that ended */
	struct why_here here;		/* as the agent sees it */

	/* the agent's */
	struct login login;
	struct registrar registrar;
	bool registering;		/* registrar is started */
	struct vantage napt[2];		/* IPv4, IPv6: what is in front of us */
	uint64_t relays_seen;		/* boot time at which it heard which relays are in use */
	bool tun_up;
	char tun_trouble[200];
	bool looked;			/* asked how names are resolved before us */
	struct priv_resolver resolver;	/* how the system was made to ask us; way "": not heard yet */
	uint64_t relogin, tun_again;	/* boot times, NEVER */
	struct addr mapped[2];		/* where the NMS saw us last, IPv4 and IPv6 */
	uint64_t widened;		/* boot time to ask anew for what is relayed, NEVER */
	unsigned lost;			/* logins in a row because the NMS was silent */
	uint64_t lost_again;		/* boot time from which the next such one may start */
	struct msg_login_response said;	/* what the other workers were told, keys left out */
	uint8_t said_cert[700];
	struct trust *trust;
	struct dns *dns;
	struct query *queries;
	unsigned queries_n;
	struct table peers4, peers6;
	struct ping ping[PINGS_MAX];
	struct inquiry inquiry[INQUIRIES_MAX];
	uint64_t bad_peers;		/* certificates that were not accepted */
	uint64_t bad_places;		/* candidates where no other node can be */
};

static inline bool is_agent(const struct node *n)
{
	return n->env.worker == 0;
}

/* What workers of one node tell each other. */
enum node_note_kind {
	NODE_HELLO,		/* to the agent: this worker is new, tell it who we are */
	NODE_LOGIN,		/* from the agent: body is the Login Response */
	NODE_HANDED,		/* a datagram for the owner of its ID: from, to, body */
	NODE_OPEN,		/* to a path's owner: body is struct tunnel_setup */
	NODE_SEND,		/* to a path's owner: body is a virtual packet */
	NODE_PROBE,		/* to a path's owner */
	NODE_CLOSE,		/* to a path's owner: a newer path took its place */
	NODE_UP,		/* to the agent: path carries data */
	NODE_DEAD,		/* to the agent: path ended, reason says how */
	NODE_PROBED,		/* to the agent: the probe came back after rtt from `from` */
	NODE_ROUTED,		/* to the agent: another way is in use */
	NODE_SILENT,		/* to the agent: nothing comes, perhaps our NAPT is another */
	NODE_UNANSWERED,	/* to the agent: no direct way answers, a relay is needed */
	NODE_HERE,		/* from the agent: body is struct why_here */
	NODE_EXPLAIN,		/* to a path's owner */
	NODE_EXPLAINED,		/* to the agent: body is struct why_facts, the path's part filled in */
};

struct node_note {
	uint32_t kind;
	struct id path;
	struct addr from, to;
	uint64_t rtt;
	uint16_t reason;
	uint8_t ecn, route;	/* route: enum route_kind of the way in use */
	uint32_t len;
	uint8_t *body;		/* on the wire between workers it follows the struct */
};

void node_tell(struct node *n, struct now now, unsigned worker, const struct node_note *note,
	       struct outbox *out);
void node_alarm(struct node *n, struct alarm *a, enum alarm_kind kind, uint64_t at);

/* node_login.c */
/* The private keys: made once, kept in the state directory.  False with a line in err (256). */
bool login_identity(struct node *n, char *err);
uint64_t login_cloud_floor(const struct node *n);	/* ms since 1970, 0: never saved */
struct tunnel_rules login_rules(const struct config *c);
/* The agent logs in (again) at its next tick. */
void login_again(struct node *n, struct now now);
/*
 * The agent's share of a login: trust, time, registration, resolver, TUN.  False: the answer
 * is not usable, and what was before stays.
 */
bool login_taken(struct node *n, struct now now, const struct msg_login_response *r,
		 struct outbox *out);
/* Logs in when the NMS has been silent for long: our clock may be wrong, and the AS knows the time. */
void login_if_lost(struct node *n, struct now now, struct outbox *out);
/* Remembers the Login Response, less what is the agent's alone, for the other workers. */
void login_keep(struct node *n, const struct msg_login_response *r);
/* Another worker gets what was kept; it takes it by login_heard(). */
void login_tell(struct node *n, struct now now, unsigned worker, struct outbox *out);
void login_heard(struct node *n, struct now now, struct bytes body);
/* Something of the master's closed list, for who we are. */
void login_ask_master(struct node *n, enum priv_kind kind, struct outbox *out);

/* node_paths.c */
void paths_open(struct node *n, struct now now, const struct tunnel_setup *setup,
		struct outbox *out);
enum verdict paths_input(struct node *n, struct now now, uint8_t *p, size_t len,
			 const struct msg_header *h, const struct exts *x,
			 const struct addr *from, const struct addr *to, uint8_t ecn,
			 struct outbox *out);
enum verdict paths_send(struct node *n, struct now now, const struct id *path, uint8_t *packet,
			size_t len, struct outbox *out);
void paths_probe(struct node *n, struct now now, const struct id *path, struct outbox *out);
void paths_close(struct node *n, struct now now, const struct id *path, struct outbox *out);
void paths_alarm(struct node *n, struct now now, struct path *p, struct outbox *out);
/* Adds a path's to a struct carried; for table_each(). */
void carried_add(void *arg, struct link *link);
/* The standing tunnels take the rules for rekey and idling. */
void paths_reload(struct node *n, struct now now);
/* say: tell the other ends. */
void paths_close_all(struct node *n, struct now now, bool say, struct outbox *out);

/* node_peers.c: the agent's */
enum verdict peers_packet(struct node *n, struct now now, uint8_t *packet, size_t len,
			  struct outbox *out);
void peers_want_name(struct node *n, struct now now, const char *fqdn, struct outbox *out);
void peers_note(struct node *n, struct now now, unsigned worker, const struct node_note *note,
		struct outbox *out);
void peers_alarm(struct node *n, struct now now, struct peer *p, struct outbox *out);
/* The other end lost its path to us: makes a new one if ours is in use.  False: there is none. */
bool peers_lost(struct node *n, struct now now, const struct id *node_id, struct outbox *out);
void peers_close(struct node *n);
struct peer *peers_by_name(struct node *n, const char *fqdn);
struct peer *peer_by_ip(struct node *n, uint8_t family, const uint8_t *ip);
/* May forget an idle one instead.  NULL: too many. */
struct peer *peer_new(struct node *n);
/* It is found by these addresses from now on; NULL or zero: what it has stays. */
void peer_link(struct node *n, struct peer *p, const uint8_t *ip4, const uint8_t *ip6);
/* What was held goes by its path. */
void peer_flush(struct node *n, struct now now, struct peer *p, struct outbox *out);
struct peer *peer_by_path(struct node *n, const struct id *path);
/* One peer of two that turned out to be the same, the other is freed; either may be NULL. */
struct peer *peer_merge(struct node *n, struct peer *a, struct peer *b);
/* Nothing came of it: what was held is refused, and who waited is told.  May free a nameless one. */
void peer_fail(struct node *n, struct now now, struct peer *p, uint16_t reason,
	       struct outbox *out);
/* A path to it is wanted: asks the NMS unless that is under way or was just done. */
void peer_want(struct node *n, struct now now, struct peer *p, struct outbox *out);

/* node_renew.c: the agent's */
/* After the NMS was heard; families: by how many we were registered before that. */
void renew_look(struct node *n, struct now now, unsigned families);
/* There is more to reach us by than when the relayed paths were asked for: asks anew. */
void peers_widened(struct node *n, struct now now, struct outbox *out);
/* old goes on until the path that is being made stands. */
void peer_keep_before(struct node *n, struct now now, struct peer *p, const struct id *old,
		      struct outbox *out);
void peer_drop_before(struct node *n, struct now now, struct peer *p, struct outbox *out);
/* A path ended by itself that perhaps was such a one. */
void peers_before_died(struct node *n, const struct id *path);
/* The path is no more: true if the one before carries again. */
bool peer_goes_back(struct node *n, struct now now, struct peer *p, struct outbox *out);

/* node_ask.c */
/* family 0: by name.  False: too many questions are out, or no registration. */
bool nms_ask(struct node *n, struct now now, const char *name, uint8_t family,
	     const uint8_t *ip, enum ask want, struct outbox *out);
/* Is a question for a path to this name, or one of these addresses, out? */
bool nms_asked(const struct node *n, const char *fqdn, const uint8_t *ip4, const uint8_t *ip6);
void query_end(struct node *n, struct query *q);
/* The registration is there: what was asked before it is asked now. */
void nms_hurry(struct node *n, struct now now, struct outbox *out);
void peers_query_alarm(struct node *n, struct now now, struct query *q, struct outbox *out);
/* Messages of the NMS other than registration's. */
enum verdict peers_signal(struct node *n, struct now now, const struct msg_header *h,
			  struct bytes body, struct outbox *out);
extern const struct dns_ops node_dns_ops;

/* node_vantage.c: the agent's */
void napt_open(struct node *n);
void napt_close(struct node *n);
/* A TRS says it to this node without a path.  On every worker. */
bool napt_is_for(const struct node *n, const struct msg_header *h);
enum verdict napt_input(struct node *n, struct now now, const uint8_t *p, size_t len,
			const struct msg_header *h, const struct exts *x, const struct addr *from);
/* This path's relay is written to from now on. */
void napt_relayed(struct node *n, struct now now, struct peer *p, const struct tunnel_setup *s);
/* V_PASSED: an authentic message of the NMS that is about something else. */
enum verdict napt_signal(struct node *n, struct now now, const struct msg_header *h,
			 struct bytes body);
/* A way that should be there is not: looks again, unless that was just done. */
void napt_doubt(struct node *n, struct now now);
void napt_tick(struct node *n, struct now now, struct outbox *out);
uint64_t napt_expiry(const struct node *n);
/* Adds what was found to the status of this family's way. */
void napt_status(const struct node *n, struct now now, unsigned family, json_t *way);

/* node_dns.c */
/* Whom to ask for all other names: the configured ones, else those the system asked before us. */
void resolver_upstream(struct node *n);
void resolver_heard(struct node *n, const struct priv_resolver *r);
json_t *resolver_status(const struct node *n);

/* node_route.c */
void path_close(struct node *n, struct now now, const struct id *path, struct outbox *out);
enum verdict route_taken(struct node *n, struct now now, const struct msg_header *h,
			 struct bytes body, struct outbox *out);

/* node_status.c */
void status_summary(const void *self, struct summary *s);
void status_flow(struct node *n, struct now now, const struct flow_event *ev, struct outbox *out);
void status_peer_up(struct node *n, struct now now, const struct peer *p, struct outbox *out);
/* No path to this name: whoever pings it is told. */
void status_failed(struct node *n, const char *fqdn, uint16_t reason, struct outbox *out);
void status_probed(struct node *n, struct now now, const struct peer *p,
		   const struct node_note *note, struct outbox *out);
void status_alarm(struct node *n, struct now now, struct ping *ping, struct outbox *out);
const char *peer_state_name(enum peer_state s);
/* What ping and why say of a name that status_full_name() does not take. */
#define NO_NAME_OF_OURS "no name of this overlay ('cyphonic dns ADDRESS' says whose an address is)"
/* A name as the user types it, with the domain or without; false: no name of the overlay. */
bool status_full_name(const struct node *n, char out[NAME_SIZE], const char *name);

/* node_why.c */
/* {"cmd": "why", "name": NAME}: a path that is not there is asked for first. */
void why_asked(struct node *n, struct now now, uint32_t handle, json_t *request,
	       struct outbox *out);
/* The same moments as those of status_...(). */
void why_peer_up(struct node *n, struct now now, const struct peer *p, struct outbox *out);
void why_failed(struct node *n, const char *fqdn, uint16_t reason, struct outbox *out);
void why_explained(struct node *n, const struct peer *p, const struct node_note *note,
		   struct outbox *out);
void why_alarm(struct node *n, struct now now, struct inquiry *q, struct outbox *out);
/* At a path's owner. */
void why_explain(struct node *n, struct now now, const struct id *path, struct outbox *out);
/* Of one of this worker's paths, for status. */
struct why_answer why_of_path(const struct node *n, const struct tunnel *t);
/* The agent keeps all workers up to date about where this node is. */
void why_tick(struct node *n, struct now now, struct outbox *out);
void why_tell_here(struct node *n, struct now now, unsigned worker, struct outbox *out);

#endif

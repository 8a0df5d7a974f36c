/*
 * world.h - the simulator: whole roles under a virtual clock, where net/io/ stands otherwise.
 *
 *   world   the clock, the queue of events, the dice, the network
 *   lan     a network: addresses mean something on one alone; the public one is world->net
 *   box     a NAPT, firewall or router between two of them, see boxes.h
 *   host    addresses and a line to its network
 *   process a role on a host with its workers, its helper, its TUN device
 *   seat    one worker's instance
 *
 * Everything that happens is an event with a time and a number; the earliest is taken, of
 * those at one time the oldest.  Nothing else moves the clock.
 */
#ifndef T_SIM_WORLD_H
#define T_SIM_WORLD_H

#include "net/proto/table.h"
#include "net/priv.h"
#include "net/role.h"
#include "store/config.h"
#include "store/store.h"
#include "t/sim/random.h"

#define SEATS_MAX 3
#define TICKS_MAX 100		/* at one instant; beyond, the role spins */

struct process;
struct box;
struct host;
struct lan;
struct world;
struct event;

/*
 * The way of a host to its network, or of a box to the one outside.  A datagram passes the
 * sender's, that of each box on the way, and the receiver's; on one LAN only those of the two.
 */
struct line {
	uint64_t delay;			/* us */
	uint64_t jitter;		/* us more at most, so that datagrams overtake each other */
	unsigned loss, twice;		/* of 1,000 datagrams */
};

/* A datagram under way.  Streams show each piece as one of kind `stream`. */
struct datagram {
	bool stream;
	struct addr from, to;
	uint8_t ecn;
	const uint8_t *p;
	uint32_t len;
	struct process *sender;
	unsigned number;		/* in the order of sending, since the world began */
};

/* What a story does to one: PASS, lose it (a stream's connection breaks), double or delay it. */
enum fate { PASS, LOSE, DOUBLE, DELAY };
typedef enum fate spy_fn(void *arg, const struct datagram *d);
/* Who hears what arrives, as its receiver sees it. */
typedef void tap_fn(void *arg, struct process *at, const struct datagram *d);

#define DELAYED (50 * MS)		/* what DELAY adds: later datagrams overtake */

/* An address of a network and who has it. */
struct place {
	struct link link;		/* by address */
	struct host *host;
	struct box *box;		/* instead of host */
};

struct lan {
	struct lan *next;
	struct table places;
	struct box *gate[2];		/* where the rest goes, IPv4 and IPv6; NULL: nowhere */
};

struct host {
	struct host *next;
	struct addr ip4, ip6;		/* port 0; family 0: none */
	struct lan *lan;
	struct line line;
	int64_t boot_skew, wall_skew;	/* us its clocks are ahead of the world's */
	struct process *processes;
};

#define TRAIL_MAX 6

/* What the pieces of a stream pass, from its own end; end[1] is NULL: it got nowhere. */
struct trail {
	struct host *end[2];
	struct box *box[TRAIL_MAX];
	unsigned n;
};

/* A stream as one of its two ends knows it. */
struct flow {
	struct flow *next;		/* of the seat */
	struct seat *seat;
	struct flow *peer;		/* NULL: not yet, or no longer */
	uint64_t number;		/* events name flows by it: they may be gone */
	uint32_t handle;
	enum port port;
	enum flow_proto proto;
	struct addr to;			/* the other end's address */
	struct trail trail;
	uint64_t forgot;		/* of the boxes on it, when it was opened */
	uint64_t arrives;		/* nothing sent from here arrives before */
};

struct alarm_event {
	uint64_t at, number;
	uint32_t place;			/* in the heap + 1 */
	struct seat *seat;		/* NULL: part of a struct event */
};

struct seat {
	struct process *process;
	unsigned index;
	void *self;			/* NULL: down */
	struct alarm_event alarm;
	uint64_t ticked;		/* world time of the last tick, and how many at it */
	unsigned ticks;
	struct flow *flows;
	uint32_t accepted;
};

struct letter {				/* waits for the helper */
	struct letter *next;
	unsigned worker;
	size_t n;
	uint8_t data[];
};

struct process {
	struct process *next;
	struct world *world;
	struct host *host;
	const struct role *role;
	const struct helper *helper;
	struct config conf;
	struct store *store;
	uint16_t udp, udp2, tcp;	/* ports it has on its host, 0: none; udp2: PORT_STUN */
	unsigned workers;
	struct seat seat[SEATS_MAX];
	void *clerk;			/* the helper's instance */
	struct letter *letters, **letters_end;
	bool refuse_tun;		/* the master answers PRIV_TUN_UP with trouble */

	/* The computer around it: what comes out of the TUN device and the resolver. */
	void (*on_packet)(void *arg, const uint8_t *p, size_t n);
	void (*on_dns)(void *arg, const uint8_t *p, size_t n);
	void (*on_control)(void *arg, const uint8_t *p, size_t n);
	void (*on_tun)(void *arg, const struct priv_request *r);
	void *arg;
};

struct world {
	uint64_t time;			/* us since it began */
	uint64_t events;		/* numbers given to events */
	struct alarm_event **heap;
	uint32_t queued, room;
	struct dice dice;
	uint64_t hash;			/* over everything delivered: time, kind, octets */
	unsigned sent;			/* datagrams and stream pieces */
	uint64_t astray;		/* sent to nobody */
	uint64_t flows;			/* numbers given to flows */
	uint64_t helper_delay;
	struct line line;		/* of new hosts */
	uint8_t boot_id[16];
	struct host *hosts;
	struct box *boxes;
	struct lan net;			/* the public network; ->next: all others */
	struct outbox *out;
	struct seat *current;		/* whose call is under way */
	spy_fn *spy;
	void *spy_arg;
	tap_fn *tap;
	void *tap_arg;
};

struct world *world_new(uint64_t seed);
void world_free(struct world *w);
/* Takes every event of the next us microseconds. */
void world_run(struct world *w, uint64_t us);
/* The same, but ends as soon as holds() does; false: it never did. */
bool world_until(struct world *w, uint64_t us, bool (*holds)(void *arg), void *arg);
/* The time as that host sees it. */
struct now host_now(const struct world *w, const struct host *h);

/* Texts of addresses; NULL: none. */
struct host *host_new(struct world *w, const char *ip4, const char *ip6);
/* Takes the host's addresses from the network, and gives it others: it has moved. */
void host_move(struct world *w, struct host *h, const char *ip4, const char *ip6);
/* The same, and to another network. */
void host_enter(struct host *h, struct lan *lan, const char *ip4, const char *ip6);
/* Another network.  The world frees it. */
struct lan *lan_new(struct world *w);
/* What is sent to this address there goes to the host, or to the box; to nobody any more. */
void lan_place(struct lan *lan, const struct addr *ip, struct host *h, struct box *b);
void lan_leave(struct lan *lan, const struct addr *ip);
/* It got a gate that does not translate: its hosts' addresses are known there from now on. */
void lan_settle(struct world *w, struct lan *lan);

/* conf is copied.  Nothing runs yet. */
struct process *process_new(struct host *h, struct world *w, const struct role *role,
			    const struct config *conf, struct store *store, unsigned workers);
/* Opens every worker (helper first); a line in err (256) when one will not. */
bool process_start(struct process *p, char *err);
/* Closes every worker as after kill -9: nobody is told. */
void process_stop(struct process *p);
/* Ends in order: last words, then closed. */
void process_leave(struct process *p);
/* One worker dies and its successor opens at once. */
void worker_restart(struct process *p, unsigned index);

/* A virtual packet into the TUN device, a query to the resolver, a line to the control socket. */
void process_packet(struct process *p, const uint8_t *packet, size_t n);
void process_query(struct process *p, const uint8_t *query, size_t n);
void process_control(struct process *p, const char *line);
/* Hands a run of datagrams (seg 0: one) to a process now, past every line. */
void world_inject(struct process *p, const struct addr *from, const struct addr *to,
		  const uint8_t *buf, size_t n, size_t seg);
/* Calls a function of the story's at now + us. */
void world_call(struct world *w, uint64_t us, void (*call)(void *arg), void *arg);

/* Verdicts of all workers. */
uint64_t process_verdict(const struct process *p, enum verdict v);
/* "answered 3, drop_tag 1". */
const char *process_tell(const struct process *p, char *out, size_t cap);
/* Every packet that ended so far, and those dropped. */
uint64_t process_verdicts(const struct process *p);
uint64_t process_drops(const struct process *p);

/* ---- between the files of the simulator ---- */

enum event_kind {
	EV_DATAGRAM, EV_PACKET, EV_QUERY, EV_NOTE, EV_HELPER, EV_ACCEPT, EV_FLOW, EV_CALL
};

struct event {
	struct alarm_event when;
	enum event_kind kind;
	struct process *process;
	unsigned worker;		/* EV_NOTE: to whom */
	struct note note;		/* EV_NOTE without data */
	struct lan *lan;		/* EV_DATAGRAM: where it is */
	struct addr from, to;
	uint8_t ecn;
	uint64_t flow;			/* EV_ACCEPT, EV_FLOW */
	enum flow_what what;
	void (*call)(void *arg);
	void *arg;
	uint32_t len;
	uint8_t room[];			/* HEADROOM, len, TAILROOM */
};

struct event *event_new(enum event_kind kind, struct process *p, const void *data, size_t n);
/* Owns it from here. */
void event_at(struct world *w, struct event *e, uint64_t at);
static inline uint8_t *event_data(struct event *e)
{
	return e->room + HEADROOM;
}

/* queue.c */
void queue_set(struct world *w, struct alarm_event *a, uint64_t at);
void queue_clear(struct world *w, struct alarm_event *a);

/* flows.c */
void flow_connect(struct seat *s, const struct out_item *item);
void flow_send(struct seat *s, const struct out_item *item);
void flow_close(struct seat *s, uint32_t handle);
void flow_close_all(struct seat *s);
void flow_accept(struct world *w, struct event *e);
void flow_deliver(struct world *w, struct event *e);

/* processes.c */
struct seat *seat_enter(struct seat *s);
void seat_leave(struct seat *s);
void seat_tick(struct seat *s);
void process_event(struct event *e);
void process_carry(struct seat *s, const struct out_item *item);
void process_datagram(struct process *p, const struct addr *from, const struct addr *to,
		      uint8_t ecn, uint8_t *buf, size_t n, size_t seg);

/* lab.c: this worker calls next. */
void store_turn(struct store *s, unsigned worker);

/* network.c */
struct process *host_listener(const struct host *h, uint16_t port, bool tcp);
/* On the public network. */
struct process *world_listener(struct world *w, const struct addr *to, bool tcp);
enum fate world_fate(struct world *w, struct datagram *d);
void world_send(struct seat *s, const struct out_item *item);
void world_arrive(struct world *w, struct event *e);
uint64_t line_delay(struct world *w, const struct line *l);
/* Finds the way to d->to; d->from becomes what the listener sees. */
void world_trail(struct datagram *d, struct host *from, struct trail *trail);
/* What the boxes on it lost so far, in times. */
uint64_t trail_forgot(const struct trail *trail);
void network_free(struct world *w);

/* world.c */
/* Adds to the run's hash. */
void world_mark(struct world *w, uint8_t kind, const void *data, size_t n);

#endif

/*
 * lab.h - the cast of every story: one cloud host with AS and NMS, perhaps relays on hosts of
 * their own, and computers that run a node.  Programs on a computer ping, resolve names and see
 * what comes out of the TUN device.
 */
#ifndef T_SIM_LAB_H
#define T_SIM_LAB_H

#include "net/proto/wire.h"
#include "t/sim/boxes.h"

#define DATA_NUMBERS 65536	/* numbers below it are known again */

struct lab;

struct computer {
	struct lab *lab;
	struct host *host;
	struct process *node;
	char fqdn[NAME_SIZE];
	struct id node_id;
	uint8_t ip4[4], ip6[16];	/* virtual, as the AS will say */
	bool tun_up;
	/* what its programs saw */
	uint64_t echoes;		/* echo requests that came, each was answered */
	uint64_t replies;		/* and answers to its own */
	uint64_t unreachable;		/* ICMP */
	uint16_t last_reply;		/* sequence number of the newest reply */
	uint64_t data, data_octets;	/* UDP packets */
	uint32_t data_next;		/* the next number expected in them; see computer_data() */
	uint64_t data_missed, data_late, data_twice;
	uint8_t data_seen[DATA_NUMBERS / 8];
	uint8_t answer[1300];		/* DNS: the newest answer */
	size_t answer_len;
	char status[16384];		/* control socket: the newest line */
};

#define RELAYS_MAX 4

/* Where a TRS runs: 192.0.2.2 and 2001:db8::2, and so on. */
struct station {
	struct host *host;
	struct process *trs;
	char fqdn[NAME_SIZE];
	struct id node_id;
};

struct lab {
	struct world *world;
	char dir[64];
	struct config conf;		/* of the cloud; nodes' are made from it */
	struct store *store;
	struct host *cloud;
	struct process *as, *nms;
	struct station relay[RELAYS_MAX];
	unsigned relays;
	struct computer *computer;
	unsigned computers;
	uint16_t pings;
};

struct lab_wish {
	uint64_t seed;
	unsigned workers;		/* of AS and NMS, 0: 1 */
	unsigned node_workers;		/* 0: 1 */
	unsigned relays, relay_workers;	/* relay_workers 0: 1 */
	const struct role *trs;		/* what they run, NULL: role_trs */
	unsigned computers;
	struct line line;		/* of every host; delay 0: the world's own */
	void (*tune)(struct config *c);	/* settings other than the defaults, of all; or NULL */
};

/* Makes domain, accounts and devices, starts AS and NMS.  Gives up the test when it cannot. */
struct lab *lab_new(const struct lab_wish *wish);
void lab_free(struct lab *l);
/* The helper directory of every lab of this process, gone at exit. */
const char *lab_scratch(void);

void computer_start(struct computer *c);
/* As by power failure, and in order. */
void computer_stop(struct computer *c);
void computer_leave(struct computer *c);
/* Starts all relays, and waits until they are registered; false if it took longer than us. */
bool lab_start_relays(struct lab *l, uint64_t us);
/* Relays, then computers, and waits until they are online; false if it took longer than us. */
bool lab_start_all(struct lab *l, uint64_t us);
/* Registered, and the address is confirmed, by each family its host has. */
bool computer_online(const struct computer *c);
bool computer_wait_online(struct computer *c, uint64_t us);
/*
 * Boxes of the story, each proved by a probe before it is given back (some seconds pass); the
 * test is given up when one does not do what it is called.  A NAPT of that address, public or, by
 * before, behind another NAPT; and an IPv6 FIREWALL or ROUTER of that NAPT's site, NULL: of a new
 * one.
 */
struct box *lab_napt(struct lab *l, enum box_kind kind, const char *ip, struct box *before);
struct box *lab_wall(struct lab *l, enum box_kind kind, struct box *site);
/*
 * Puts the computer behind the box, with these addresses there (NULL: not that family): its line
 * is the LAN's from then on, the box has one to the outside.  NULL: back to the public network.
 */
void lab_behind(struct computer *c, struct box *b, const char *ip4, const char *ip6);
/* The AS's and NMS's hosts at once, as after a reboot of the daemon. */
void cloud_stop(struct lab *l);
void cloud_start(struct lab *l);

/* One echo request to that virtual address; true when its reply came within us. */
bool computer_ping(struct computer *from, struct computer *to, unsigned family, uint64_t us);
void computer_ping_send(struct computer *from, const uint8_t *ip, unsigned family, uint16_t seq);
/* A UDP packet of n octets of payload (at least 4) with that number. */
void computer_data(struct computer *from, struct computer *to, unsigned family, uint32_t number,
		   size_t n);
/* Asks the resolver; the response code, or -1: no answer within us.  ip: 4 or 16 octets of the
 * first A or AAAA record. */
int computer_resolve(struct computer *c, const char *name, uint16_t type, uint8_t *ip, uint64_t us);
void computer_query(struct computer *c, const char *name, uint16_t type);
/* Sets what the computer's programs see of its node; by lab_new(). */
void computer_watch(struct computer *c);
/* {"status": ...} as `cyphonic status` gets it. */
const char *computer_status(struct computer *c, const char *request);

#endif

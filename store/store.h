/*
 * store.h - what the services keep, in LMDB.  Two kinds of environment under one directory:
 *
 *   accounts/   durable (fsync before a commit returns): meta, accounts, devices, Common Keys.
 *               Read by all; written by the helper and by command-line verbs, group commit.
 *   live.<w>/   soft state of worker w (MDB_NOSYNC), written by it alone, readable by all:
 *               registrations.  Emptied at open when the boot ID changed.
 *
 * Every record carries a CRC32C of key and value; a record that fails it is reported as
 * STORE_DAMAGED and never returned.  Opened after fork, never MDB_WRITEMAP.  Knows no
 * protocol.  A read sees one snapshot and never outlives the call.
 */
#ifndef STORE_H
#define STORE_H

#include "crypto/keys.h"
#include "crypto/password.h"

enum store_result {
	STORE_OK,
	STORE_MISSING,		/* no such record */
	STORE_EXISTS,		/* would overwrite */
	STORE_DAMAGED,		/* checksum or layout is wrong */
	STORE_FULL,		/* disk or map is full; nothing was changed */
	STORE_FAILED,		/* anything else; store_error() says what */
};

struct store;

enum store_mode {
	STORE_READ,		/* services' workers: accounts read-only, own live environment read-write */
	STORE_WRITE,		/* helper and verbs: accounts read-write, no live environment of one's own */
	STORE_ALL,		/* worker and helper in one process (the simulator): both read-write */
};

/*
 * dir is made if missing (0700).  worker: index of this process's live environment with
 * STORE_READ and STORE_ALL, ignored otherwise; workers: how many there are (all live
 * environments are read), with STORE_WRITE 0 will do.  boot_id: 16 octets naming this boot of
 * the machine.  The process must run as the owner of dir, and may open it only once at a time
 * (LMDB's locks belong to the process).  NULL with a line in err (256).
 */
struct store *store_open(const char *dir, enum store_mode mode, unsigned worker,
			 unsigned workers, const uint8_t boot_id[16], char *err);
void store_close(struct store *s);
const char *store_error(const struct store *s);
/* "missing", "damaged", ... */
const char *store_result_text(enum store_result r);

/*
 * Several writes to accounts in one durable commit: begin, writes, end.  Without them each
 * write commits by itself.  A refused write (STORE_EXISTS, STORE_MISSING) leaves the group as
 * it was; after one that failed half way (STORE_FULL) store_end() gives that result and
 * nothing of the group is kept.
 */
enum store_result store_begin(struct store *s);
enum store_result store_end(struct store *s, bool commit);

/* ---- meta: small named values (domain, SecretCommonValue, cloud time floor, next address) ---- */

#define META_MAX 256

enum store_result meta_get(struct store *s, const char *name, void *value, size_t *n);	/* *n: room in, octets out */
enum store_result meta_put(struct store *s, const char *name, const void *value, size_t n);
/* First writer wins: writes value unless there is one already, and gives back the one that counts. */
enum store_result meta_first(struct store *s, const char *name, void *value, size_t n);

/* ---- accounts ---- */

#define ACCOUNT_SIZE 65

struct account {
	char id[ACCOUNT_SIZE];		/* 1..64 of letters, digits, . _ @ - */
	struct password_hash password;
	uint8_t disabled;
	uint64_t created;		/* s since 1970 */
};

enum store_result account_get(struct store *s, const char *id, struct account *a);
/* create: STORE_EXISTS if there is one; else STORE_MISSING if there is none. */
enum store_result account_put(struct store *s, const struct account *a, bool create);
/* Deletes the account and its devices. */
enum store_result account_delete(struct store *s, const char *id);
/*
 * Calls each for every account in order of id; stops when it returns false.  Damaged ones are
 * left out and make the result STORE_DAMAGED.  Here and below each() may read, not write.
 */
enum store_result account_each(struct store *s, bool (*each)(void *arg, const struct account *a), void *arg);

/* ---- devices, found by FQDN, Node ID and both virtual addresses ---- */

enum device_kind { DEVICE_NODE = 1, DEVICE_TRS, DEVICE_ADAPTER };

struct device {
	char fqdn[NAME_SIZE];		/* canonical: the primary key */
	char owner[ACCOUNT_SIZE];
	struct id node_id;
	uint8_t kind, disabled;
	uint8_t ip4[4], ip6[16];
	uint64_t created, last_login;	/* s since 1970 */
	uint16_t cert_len;
	uint8_t cert[700];
	/* the Common Key of the last login, cert and key written together */
	struct common_key common_key;
	uint64_t key_expiry;		/* cloud ms; 0: never logged in */
};

enum store_result device_by_fqdn(struct store *s, const char *fqdn, struct device *d);
enum store_result device_by_id(struct store *s, const struct id *node_id, struct device *d);
enum store_result device_by_ip(struct store *s, uint8_t family, const uint8_t *ip, struct device *d);
/*
 * Writes record and indexes.  STORE_EXISTS when Node ID or an address is another's, with
 * create also when the FQDN is taken; STORE_MISSING without create when it is not there.
 * An address of zeros is none: not unique, not found.
 */
enum store_result device_put(struct store *s, const struct device *d, bool create);
enum store_result device_delete(struct store *s, const char *fqdn);
enum store_result device_each(struct store *s, bool (*each)(void *arg, const struct device *d), void *arg);
/*
 * Next free virtual addresses: the host number is counted up from 2 in net4 (never network,
 * broadcast, or one given out before, also to a deleted device, until the range is used up);
 * the IPv6 address has the same number behind net6.  STORE_FULL when the range is full.
 */
enum store_result device_addresses(struct store *s, const uint8_t net4[4], uint8_t bits4,
				   const uint8_t net6[16], uint8_t ip4[4], uint8_t ip6[16]);

/* ---- registrations: live ---- */

#define REGISTRATION_RTTS 4

struct trs_rtt {
	struct id trs;			/* Node ID */
	uint32_t rtt;			/* us */
};

/* What a TRS said in its newest Relay Report, as far as it changes seldom. */
struct relay_report {
	uint8_t known;			/* 0: none came, the rest is zero */
	uint8_t draining;
	uint16_t other_port;
	uint8_t region[16];		/* zero octets behind */
};

struct registration {
	struct id node_id;
	uint64_t boot;			/* the node's random number of this run */
	uint64_t updated;		/* cloud ms */
	struct addr mapped[2];		/* as seen over IPv4 and IPv6, family 0: not */
	uint8_t confirmed[2];		/* the challenge was echoed from there */
	uint8_t napt[2];		/* mapped differs from every real one */
	uint8_t real_n;
	struct addr real[4];		/* the node's own view */
	uint8_t behaviour[2];		/* of its NAPT or firewall by family, octets of net/proto/napt.h */
	uint8_t rtt_n;
	struct trs_rtt rtt[REGISTRATION_RTTS];	/* how far each TRS is from it */
	struct relay_report relay;	/* of a TRS */
};

/* Own environment; one commit for all puts between live_begin() and live_end(), or none of them. */
enum store_result live_begin(struct store *s);
enum store_result live_end(struct store *s);
enum store_result registration_put(struct store *s, const struct registration *r);
enum store_result registration_delete(struct store *s, const struct id *node_id);
/* Looks in every worker's environment; the newest wins. */
enum store_result registration_get(struct store *s, const struct id *node_id, struct registration *r);
/* Both: own environment only. */
enum store_result registration_each(struct store *s, bool (*each)(void *arg, const struct registration *r), void *arg);
uint64_t registration_count(struct store *s);

#endif

/*
 * attacker.h - what an attacker has who owns every service and every wire: the captures, the
 * domain's store, the memory of the services, and this very program's own parsers and ciphers.
 */
#ifndef T_NET_BLIND_ATTACKER_H
#define T_NET_BLIND_ATTACKER_H

#include "net/proto/capsule.h"
#include "net/proto/ip.h"
#include "net/proto/session.h"
#include "store/store.h"
#include <stdio.h>

#define DEVICES 64
#define PATHS 256
#define STREAMS 1024
#define VALUES 64
#define PUBLICS 256

/* One UDP payload, or one segment of a run that was captured in one piece; or of TCP. */
struct message {
	const uint8_t *p;
	size_t n;
	uint64_t ms;			/* of its capture */
	bool parsed;			/* passed the gate: h and x are filled */
	struct msg_header h;
	struct exts x;
	bool opened;
	uint8_t *plain;			/* then; its own */
	size_t plain_n;
};

struct captures {
	uint8_t *file[16];
	unsigned files;
	struct message *m;
	size_t n, room;
	uint64_t octets;		/* of UDP payload */
};

/* A key, or anything else of 16 or 32 octets that was learnt and might be one. */
struct value {
	char what[32];
	uint8_t b[32];
	size_t n;
};

struct seen {
	uint64_t octets;		/* 0: free */
	const struct message *m;
	size_t at;
};

struct known_path {
	struct id id, relay;		/* relay: zero, none */
	struct tunnel_key tunnel;
	struct temporary_key temporary;
	struct end_key end;
	struct relay_key relay_key;
	bool has_tunnel, has_relay_key, has_end;
};

/* How a capsule is sealed: the product's way is the first of each. */
enum nonce_form { NONCE_COUNTER, NONCE_LITTLE, NONCE_HEADER, NONCE_FORMS };

struct fit {
	struct aead key;
	uint8_t iv[AEAD_NONCE];
	enum nonce_form form;
	bool bare;			/* without associated data */
};

/* Capsules of one path, direction and generation: one data key opens them all. */
struct stream {
	struct id path;
	uint8_t direction;
	uint8_t number;			/* of the generation, as the two ends count */
	const struct message *test;	/* the shortest: keys are tried on it */
	uint64_t capsules, octets;
	bool open;
	struct fit fit;			/* then */
	struct replay seen;		/* the same capsule is captured on several links */
	uint64_t seen_bits[REPLAY_DATA_WORDS];
};

/* A public key somebody has the private key of. */
struct public {
	char whose[96];
	uint8_t b[32];
	bool found;
};

struct attack {
	struct captures captures;
	struct device device[DEVICES];
	unsigned devices;
	struct value value[VALUES];
	unsigned values;
	struct known_path path[PATHS];
	unsigned paths;
	struct public public[PUBLICS];
	unsigned publics;
	struct stream *stream;
	unsigned streams;
	struct seen *seen;		/* octets of captured capsules: ciphertext, wherever it lies */
	size_t seen_size;
	uint64_t *tried_before;		/* hashes of secrets */

	/* what came of it */
	uint64_t opened, unopened, routes, relays, requests, responses, tunnel_keys, end_keys;
	uint64_t tried, privates, plain, recovered;
	const char *where;		/* what is being searched, for the report */
	FILE *out;			/* recovered octets */
};

/* ---- attacker.c ---- */

/* More than it was made for: says so and ends, as else it would be weaker than it seems. */
_Noreturn void too_many(const char *what);
/* Ends the program with a line if it cannot be read. */
uint8_t *read_file(const char *name, size_t *n);
/* Takes down a value; once. */
void learn(struct attack *a, const char *what, const void *b, size_t n);
void learn_public(struct attack *a, const char *whose, const uint8_t b[32]);
/* Application data, in the clear. */
void recover(struct attack *a, const uint8_t *p, size_t n);

/* ---- attack_wire.c ---- */

void captures_read(struct attack *a, const char *name);
/* What is sealed under keys that the services have. */
void signalling_open(struct attack *a);

/* ---- attack_data.c ---- */

void streams_find(struct attack *a);
/* All that follows from what is known. */
void try_known(struct attack *a);
/* On every stream that is not open yet: a data key, a traffic secret, Noise's last chaining key. */
void try_key(struct attack *a, enum aead_suite suite, const uint8_t *key, const uint8_t *iv,
	     const char *how);
void try_secret(struct attack *a, const uint8_t secret[32], const char *how);
void try_chain(struct attack *a, const uint8_t ck[32], const char *how);
/* All of the open streams. */
void streams_read(struct attack *a);

/* ---- attack_search.c ---- */

/* Everything of these octets, at every offset. */
void search(struct attack *a, const char *name, const uint8_t *p, size_t n);

#endif

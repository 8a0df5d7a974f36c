/* store.h - for the store's tests: a scratch directory, and records made from a number. */
#ifndef T_STORE_H
#define T_STORE_H

#include "store/db.h"
#include "t/tap.h"
#include <ftw.h>
#include <time.h>
#include <unistd.h>

static const uint8_t boot_one[16] = "boot one", boot_two[16] = "boot two";

static int scratch_drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void scratch_remove(const char *dir)
{
	nftw(dir, scratch_drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void scratch_make(char dir[64])
{
	strcpy(dir, "/tmp/cyphonic-store-XXXXXX");
	if (!mkdtemp(dir))
		exit(99);
}

__attribute__((unused))
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Opens or gives up: a test that cannot go on. */
__attribute__((unused))
static struct store *must_open(const char *dir, enum store_mode mode, unsigned worker,
			       unsigned workers, const uint8_t boot_id[16])
{
	char err[256];
	struct store *s = store_open(dir, mode, worker, workers, boot_id, err);

	if (!s) {
		printf("Bail out! %s\n", err);
		exit(99);
	}
	return s;
}

__attribute__((unused))
static struct account account_number(unsigned i)
{
	struct account a = { .disabled = i % 7 == 0, .created = 1700000000 + i };

	snprintf(a.id, sizeof a.id, "user%05u@example.org", i);
	a.password = (struct password_hash){ .log2_n = 15, .r = 8, .p = 1 };
	memset(a.password.salt, (int)(i % 251), sizeof a.password.salt);
	memset(a.password.hash, (int)(i % 241), sizeof a.password.hash);
	return a;
}

/* Every field set, every octet of the certificate too. */
__attribute__((unused))
static struct device device_number(unsigned i)
{
	struct device d = { .kind = DEVICE_NODE, .disabled = i % 5 == 0, .created = 1700000000 + i,
			    .last_login = 1800000000 + i, .key_expiry = 1900000000000 + i };
	unsigned k;

	snprintf(d.fqdn, sizeof d.fqdn, "n%05u.cyphonic.internal", i);
	snprintf(d.owner, sizeof d.owner, "user%05u@example.org", i / 10);
	put32(d.node_id.b, i * 2654435761u);
	put32(d.node_id.b + 12, i + 1);
	put32(d.ip4, 0xc6120000 + i + 2);
	memcpy(d.ip6, "\xfd\x12\x34\x56\x78\x9a", 6);
	put32(d.ip6 + 12, i + 2);
	d.cert_len = (uint16_t)(400 + i % 301);
	for (k = 0; k < d.cert_len; k++)
		d.cert[k] = (uint8_t)(i * 31 + k * 7);
	memset(d.common_key.b, (int)(i % 255), sizeof d.common_key.b);
	return d;
}

__attribute__((unused))
static struct registration registration_number(unsigned i, uint64_t updated)
{
	struct registration g = { .boot = 77 + i, .updated = updated, .real_n = 3 };
	unsigned k;

	put32(g.node_id.b, i * 2654435761u);
	put32(g.node_id.b + 12, i + 1);
	ip_parse(&g.mapped[0], "192.0.2.7", (uint16_t)(1024 + i % 60000));
	ip_parse(&g.mapped[1], "2001:db8::7", (uint16_t)(1025 + i % 60000));
	g.confirmed[1] = g.napt[0] = 1;
	for (k = 0; k < g.real_n; k++)
		ip_parse(&g.real[k], k == 1 ? "10.1.2.3" : "fe80::1", (uint16_t)(4503 + k));
	g.real[2].scope = 7;
	g.behaviour[0] = 0x23;
	g.behaviour[1] = 0x11;
	for (g.rtt_n = 0; g.rtt_n < i % 5; g.rtt_n++)
		g.rtt[g.rtt_n] = (struct trs_rtt){ { { (uint8_t)g.rtt_n } }, 20000 + i };
	if (i % 3 == 1)
		g.relay = (struct relay_report){ 1, i % 2, (uint16_t)(4503 + i), "east" };
	return g;
}

__attribute__((unused))
static bool same_device(const struct device *a, const struct device *b)
{
	return strcmp(a->fqdn, b->fqdn) == 0 && strcmp(a->owner, b->owner) == 0 &&
	       id_equal(&a->node_id, &b->node_id) && a->kind == b->kind &&
	       a->disabled == b->disabled && memcmp(a->ip4, b->ip4, 4) == 0 &&
	       memcmp(a->ip6, b->ip6, 16) == 0 && a->created == b->created &&
	       a->last_login == b->last_login && a->cert_len == b->cert_len &&
	       memcmp(a->cert, b->cert, a->cert_len) == 0 &&
	       memcmp(&a->common_key, &b->common_key, sizeof a->common_key) == 0 &&
	       a->key_expiry == b->key_expiry;
}

__attribute__((unused))
static bool same_account(const struct account *a, const struct account *b)
{
	return strcmp(a->id, b->id) == 0 && a->disabled == b->disabled &&
	       a->created == b->created &&
	       a->password.log2_n == b->password.log2_n && a->password.r == b->password.r &&
	       a->password.p == b->password.p &&
	       memcmp(a->password.salt, b->password.salt, sizeof a->password.salt) == 0 &&
	       memcmp(a->password.hash, b->password.hash, sizeof a->password.hash) == 0;
}

__attribute__((unused))
static bool same_registration(const struct registration *a, const struct registration *b)
{
	unsigned i;
	bool same = id_equal(&a->node_id, &b->node_id) && a->boot == b->boot &&
		    a->updated == b->updated && a->real_n == b->real_n;

	for (i = 0; i < 2; i++)
		same = same && addr_equal(&a->mapped[i], &b->mapped[i]) &&
		       a->confirmed[i] == b->confirmed[i] && a->napt[i] == b->napt[i];
	for (i = 0; same && i < a->real_n; i++)
		same = addr_equal(&a->real[i], &b->real[i]);
	for (i = 0; same && i < a->rtt_n; i++)
		same = id_equal(&a->rtt[i].trs, &b->rtt[i].trs) && a->rtt[i].rtt == b->rtt[i].rtt;
	return same && a->rtt_n == b->rtt_n && memcmp(a->behaviour, b->behaviour, 2) == 0 &&
	       memcmp(&a->relay, &b->relay, sizeof a->relay) == 0;
}

#endif

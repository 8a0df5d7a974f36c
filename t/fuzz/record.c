/*
 * record.c - libFuzzer entry: octets that stand in the store with a right checksum, under the
 * key of an account, a device, an index, a registration.  What is read is written again.
 */
#include "store/db.h"
#include "t/fuzz/base/base.h"

static const uint8_t boot_id[16] = { 1 };
static const struct id node = { { 7 } };

static struct store *open_once(void)
{
	static struct store *s;
	char err[256];

	if (!s)
		s = store_open(fuzz_dir(), STORE_ALL, 0, 1, boot_id, err);
	must(s);
	return s;
}

static void put(struct db *db, struct key *key, const uint8_t *p, size_t n)
{
	struct record r;

	record_new(&r);
	n = MIN(n, sizeof r.b - RECORD_CRC);
	if (n)
		memcpy(r.b, p, n);
	r.at = n;
	must(db_put(db, key, &r) == STORE_OK);
}

static void account(struct store *s, const uint8_t *p, size_t n)
{
	struct account a, b;
	struct key key;

	key_name(&key, KIND_ACCOUNT, "alice");
	put(&s->accounts, &key, p, n);
	if (account_get(s, "alice", &a) != STORE_OK)
		return;
	must(memchr(a.id, '\0', sizeof a.id));
	if (strcmp(a.id, "alice") == 0 && account_put(s, &a, false) == STORE_OK)
		must(account_get(s, "alice", &b) == STORE_OK && !memcmp(&a, &b, sizeof a));
}

static void device(struct store *s, const uint8_t *p, size_t n)
{
	struct device d, e;
	struct key key;

	key_name(&key, KIND_DEVICE, "dev.cyphonic.internal");
	put(&s->accounts, &key, p, n);
	if (device_by_fqdn(s, "dev.cyphonic.internal", &d) != STORE_OK)
		return;
	must(memchr(d.fqdn, '\0', sizeof d.fqdn) && memchr(d.owner, '\0', sizeof d.owner));
	must(d.cert_len <= sizeof d.cert);
	if (strcmp(d.fqdn, "dev.cyphonic.internal") == 0 && device_put(s, &d, false) == STORE_OK)
		must(device_by_fqdn(s, d.fqdn, &e) == STORE_OK && !memcmp(&d, &e, sizeof d));
}

static void by_index(struct store *s, const uint8_t *p, size_t n)
{
	struct device d;
	struct key key;

	key_octets(&key, KIND_DEVICE_ID, node.b, sizeof node.b);
	put(&s->accounts, &key, p, n);
	if (device_by_id(s, &node, &d) == STORE_OK)
		must(id_equal(&d.node_id, &node));
}

static void registration(struct store *s, const uint8_t *p, size_t n)
{
	struct registration r, q;
	struct key key;
	unsigned i;

	must(live_begin(s) == STORE_OK);
	key_octets(&key, KIND_REGISTRATION, node.b, sizeof node.b);
	put(&s->live[0], &key, p, n);
	if (registration_get(s, &node, &r) == STORE_OK) {
		must(r.real_n <= ARRAY_SIZE(r.real));
		for (i = 0; i < 2; i++)
			must(r.mapped[i].family == 0 || r.mapped[i].family == 4 ||
			     r.mapped[i].family == 6);
		if (id_equal(&r.node_id, &node)) {
			must(registration_put(s, &r) == STORE_OK);
			must(registration_get(s, &node, &q) == STORE_OK &&
			     !memcmp(&r, &q, sizeof r));
		}
	}
	db_end(&s->live[0], false);
}

static void meta(struct store *s, const uint8_t *p, size_t n)
{
	uint8_t value[META_MAX];
	size_t len = sizeof value;
	struct key key;

	key_name(&key, KIND_META, "value");
	put(&s->accounts, &key, p, n);
	if (meta_get(s, "value", value, &len) == STORE_OK)
		must(len <= sizeof value && len + 1 == n);
	/* where the next virtual address is counted */
	key_name(&key, KIND_META, "next-host");
	put(&s->accounts, &key, p, n);
	device_addresses(s, (uint8_t[4]){ 198, 18 }, 15, (uint8_t[16]){ 0xfd }, value, value + 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct store *s = open_once();

	if (!n)
		return 0;
	must(store_begin(s) == STORE_OK);
	switch (p[0] % 5) {
	case 0:
		account(s, p + 1, n - 1);
		break;
	case 1:
		device(s, p + 1, n - 1);
		break;
	case 2:
		by_index(s, p + 1, n - 1);
		break;
	case 3:
		registration(s, p + 1, n - 1);
		break;
	case 4:
		meta(s, p + 1, n - 1);
		break;
	}
	store_end(s, false);
	return 0;
}

/*
 * What the store keeps comes back as it was; names, ids and addresses are unique; a group is
 * whole or absent; registrations are seen by every worker and die with the boot.
 */
#include "t/unit/store.h"
#include <sys/wait.h>

static void meta(struct store *s)
{
	uint8_t v[META_MAX] = { 0 }, long_one[META_MAX + 1] = { 0 };
	char first[8] = "secret1", second[8] = "secret2";
	size_t n = sizeof v;

	ok(meta_get(s, "domain", v, &n) == STORE_MISSING, "a value never put is missing");
	ok(!meta_put(s, "domain", "cyphonic.internal", 17) && !meta_get(s, "domain", v, &n) &&
	   n == 17 && memcmp(v, "cyphonic.internal", 17) == 0,
	   "a value comes back with its length");
	n = sizeof v;
	ok(!meta_put(s, "empty", "", 0) && !meta_get(s, "empty", v, &n) && n == 0,
	   "a value may be empty");
	n = 16;
	ok(meta_get(s, "domain", v, &n) == STORE_FAILED && strstr(store_error(s), "domain"),
	   "a value longer than the room given is refused by name");
	ok(!meta_put(s, "long", long_one, META_MAX) &&
	   meta_put(s, "long", long_one, META_MAX + 1) == STORE_FAILED,
	   "256 octets fit a value, 257 do not");
	ok(meta_put(s, "", "x", 1) == STORE_FAILED, "a value needs a name");
	ok(!meta_first(s, "scv", first, 8) && !meta_first(s, "scv", second, 8) &&
	   strcmp(second, "secret1") == 0, "of two who settle a value the first wins");
	ok(meta_first(s, "scv", v, 4) == STORE_FAILED,
	   "a settled value of another length is not cut to fit");
}

struct seen {
	unsigned n, stop;
	bool ordered, same;
	char last[NAME_SIZE];
};

static bool see_account(void *arg, const struct account *a)
{
	struct seen *seen = arg;
	struct account want = account_number(seen->n);

	seen->ordered &= strcmp(a->id, seen->last) > 0;
	seen->same &= same_account(a, &want);
	strcpy(seen->last, a->id);
	return ++seen->n != seen->stop;
}

static void accounts(struct store *s)
{
	struct account a = account_number(3), b, odd = account_number(1);
	struct seen seen = { .ordered = true, .same = true };
	unsigned i;
	bool good = true;

	ok(account_get(s, a.id, &b) == STORE_MISSING, "an account never made is missing");
	ok(account_put(s, &a, false) == STORE_MISSING,
	   "an account that is not there is not updated");
	for (i = 0; i < 20; i++) {
		a = account_number(19 - i);
		good = good && !account_put(s, &a, true);
	}
	a = account_number(3);
	ok(good && !account_get(s, a.id, &b) && same_account(&a, &b),
	   "an account comes back whole");
	ok(account_put(s, &a, true) == STORE_EXISTS, "an account is not made twice");
	ok(!account_each(s, see_account, &seen) && seen.n == 20 && seen.ordered && seen.same,
	   "accounts are listed in order of their ids");
	seen = (struct seen){ .stop = 5, .ordered = true, .same = true };
	ok(!account_each(s, see_account, &seen) && seen.n == 5, "a listing stops when told to");
	a.disabled = 1;
	ok(!account_put(s, &a, false) && !account_get(s, a.id, &b) && b.disabled == 1,
	   "an account is updated");
	memset(odd.id, 'x', sizeof odd.id);
	ok(account_put(s, &odd, true) == STORE_FAILED, "an id without an end is refused");
	strcpy(odd.id, "a b");
	ok(account_put(s, &odd, true) == STORE_FAILED, "an id with a space is refused");
	strcpy(odd.id, "");
	ok(account_put(s, &odd, true) == STORE_FAILED && account_get(s, "", &b) == STORE_MISSING,
	   "an empty id is refused, and found nowhere");
	memset(odd.id, 'x', 64);
	odd.id[64] = '\0';
	ok(!account_put(s, &odd, true) && !account_get(s, odd.id, &b) && same_account(&odd, &b) &&
	   !account_delete(s, odd.id) && account_get(s, odd.id, &b) == STORE_MISSING,
	   "an id of 64 letters is kept, and deleted");
	ok(account_delete(s, odd.id) == STORE_MISSING, "what is not there cannot be deleted");
}

static bool finds(struct store *s, const struct device *d)
{
	struct device a, b, c, e;

	return !device_by_fqdn(s, d->fqdn, &a) && same_device(&a, d) &&
	       !device_by_id(s, &d->node_id, &b) && same_device(&b, d) &&
	       !device_by_ip(s, 4, d->ip4, &c) && same_device(&c, d) &&
	       !device_by_ip(s, 6, d->ip6, &e) && same_device(&e, d);
}

static bool see_device(void *arg, const struct device *d)
{
	struct seen *seen = arg;

	seen->ordered &= strcmp(d->fqdn, seen->last) > 0;
	strcpy(seen->last, d->fqdn);
	seen->n++;
	return true;
}

static unsigned count_devices(struct store *s)
{
	struct seen seen = { .ordered = true };

	return device_each(s, see_device, &seen) || !seen.ordered ? 9999 : seen.n;
}

static void devices_unique(struct store *s)
{
	struct device a = device_number(1), b;

	ok(device_put(s, &a, true) == STORE_EXISTS, "a name is not given twice");
	b = device_number(100);
	b.node_id = a.node_id;
	ok(device_put(s, &b, true) == STORE_EXISTS, "a Node ID is not given twice");
	b = device_number(100);
	memcpy(b.ip4, a.ip4, 4);
	ok(device_put(s, &b, true) == STORE_EXISTS, "an IPv4 address is not given twice");
	b = device_number(100);
	memcpy(b.ip6, a.ip6, 16);
	ok(device_put(s, &b, true) == STORE_EXISTS, "an IPv6 address is not given twice");
	b = device_number(2);
	memcpy(b.ip4, a.ip4, 4);
	ok(device_put(s, &b, false) == STORE_EXISTS, "nor by an update");
	b = device_number(2);
	ok(finds(s, &a) && finds(s, &b) && count_devices(s) == 20,
	   "and whoever was refused has changed nothing");
}

static void devices_change(struct store *s)
{
	struct device a = device_number(1), b, old = a, none = device_number(50);

	a.last_login++;
	a.common_key.b[3] ^= 1;
	ok(!device_put(s, &a, false) && finds(s, &a), "a login writes certificate and key");
	put32(a.ip4, 0xc6130001);
	put32(a.ip6 + 12, 0x10001);
	ok(!device_put(s, &a, false) && finds(s, &a), "a device moves to other addresses");
	ok(device_by_ip(s, 4, old.ip4, &b) == STORE_MISSING &&
	   device_by_ip(s, 6, old.ip6, &b) == STORE_MISSING, "its old addresses are free again");
	ok(!device_delete(s, a.fqdn) && device_by_fqdn(s, a.fqdn, &b) == STORE_MISSING &&
	   device_by_id(s, &a.node_id, &b) == STORE_MISSING &&
	   device_by_ip(s, 4, a.ip4, &b) == STORE_MISSING &&
	   device_by_ip(s, 6, a.ip6, &b) == STORE_MISSING, "a deleted device is found by nothing");
	ok(!device_put(s, &old, true) && finds(s, &old), "and can be made again");
	ok(device_put(s, &none, false) == STORE_MISSING &&
	   device_delete(s, none.fqdn) == STORE_MISSING,
	   "a device that is not there is neither updated nor deleted");
	strcpy(none.fqdn, "Upper.cyphonic.internal");
	ok(device_put(s, &none, true) == STORE_FAILED, "a name that is not canonical is refused");
	none = device_number(50);
	none.cert_len = 701;
	ok(device_put(s, &none, true) == STORE_FAILED && count_devices(s) == 20,
	   "a certificate of 701 octets is refused");
	memset(none.ip4, 0, 4);
	memset(none.ip6, 0, 16);
	none.cert_len = 0;
	b = none;
	strcpy(b.fqdn, "other.cyphonic.internal");
	b.node_id.b[0] ^= 1;
	ok(!device_put(s, &none, true) && !device_put(s, &b, true) &&
	   device_by_ip(s, 4, none.ip4, &a) == STORE_MISSING,
	   "two devices may have no address, and are not found by it");
	device_delete(s, none.fqdn);
	device_delete(s, b.fqdn);
}

static void devices(struct store *s)
{
	struct device d;
	unsigned i;
	bool good = true;

	for (i = 0; i < 20; i++) {
		d = device_number(19 - i);
		good = good && !device_put(s, &d, true);
	}
	ok(good && finds(s, &d), "a device is found by name, Node ID and both addresses");
	ok(count_devices(s) == 20, "devices are listed in order of their names");
	devices_unique(s);
	devices_change(s);
}

static void deletion(struct store *s)
{
	struct device d = device_number(3), other = device_number(13), e;
	struct account a = account_number(0);
	unsigned i;

	store_begin(s);
	for (i = 200; i < 400; i++) {
		d = device_number(i);
		strcpy(d.owner, a.id);
		device_put(s, &d, true);
	}
	store_end(s, true);
	ok(!account_delete(s, a.id) && account_get(s, a.id, &a) == STORE_MISSING &&
	   count_devices(s) == 10 && device_by_id(s, &d.node_id, &e) == STORE_MISSING &&
	   device_by_ip(s, 4, d.ip4, &e) == STORE_MISSING, "an account goes with its 210 devices");
	ok(finds(s, &other), "and nobody else's");
}

static void groups(struct store *s)
{
	struct account a = account_number(500), b;
	struct device d = device_number(500), clash = device_number(501);
	uint8_t v[4];
	size_t n = sizeof v;

	ok(!store_begin(s) && !account_put(s, &a, true) && !device_put(s, &d, true) &&
	   !meta_put(s, "grouped", "x", 1) && finds(s, &d), "a group sees its own writes");
	ok(!store_end(s, false) && account_get(s, a.id, &b) == STORE_MISSING &&
	   device_by_id(s, &d.node_id, &d) == STORE_MISSING &&
	   meta_get(s, "grouped", v, &n) == STORE_MISSING, "a group given up leaves nothing");
	memcpy(clash.ip4, d.ip4, 4);
	ok(!store_begin(s) && !account_put(s, &a, true) && !device_put(s, &d, true) &&
	   device_put(s, &clash, true) == STORE_EXISTS && !store_end(s, true) &&
	   !account_get(s, a.id, &b) && finds(s, &d),
	   "a refusal in a group does not hurt the rest");
	ok(!store_begin(s) && store_begin(s) == STORE_FAILED && !store_end(s, true),
	   "a group does not begin inside a group");
	ok(store_end(s, true) == STORE_FAILED && store_end(s, false) == STORE_FAILED,
	   "a group that did not begin does not end");
	ok(!device_delete(s, d.fqdn) && !account_delete(s, a.id), "single writes go on afterwards");
}

static const uint8_t net4[4] = { 10, 9, 8, 0 }, net6[16] = { 0xfd, 1, 2, 3, 4, 5 };

static bool gives(struct store *s, uint8_t bits, unsigned host)
{
	struct device d = device_number(host + 600);
	uint8_t ip6[16];

	memcpy(ip6, net6, 16);
	put32(ip6 + 12, host);
	return !device_addresses(s, net4, bits, net6, d.ip4, d.ip6) &&
	       get32(d.ip4) == (get32(net4) | host) && memcmp(d.ip6, ip6, 16) == 0 &&
	       !device_put(s, &d, true);
}

static void addresses(struct store *s)
{
	uint8_t ip4[4], ip6[16];
	struct device d;
	unsigned host;
	bool good = true;

	ok(gives(s, 28, 2) && gives(s, 28, 3),
	   "host numbers are counted up from 2 in both families");
	d = device_number(603);
	ok(!device_delete(s, d.fqdn) && gives(s, 28, 4),
	   "a deleted device's number is not reused yet");
	for (host = 5; host <= 14; host++)
		good = good && gives(s, 28, host);
	ok(good && gives(s, 28, 3), "at the end of the range the search turns to what became free");
	ok(device_addresses(s, net4, 28, net6, ip4, ip6) == STORE_FULL,
	   "a full range says so, broadcast is not given out");
	ok(device_addresses(s, net4, 31, net6, ip4, ip6) == STORE_FAILED &&
	   device_addresses(s, net4, 0, net6, ip4, ip6) == STORE_FAILED,
	   "a range without hosts is refused");
	ok(gives(s, 24, 15), "a range made wider gives again");
	for (host = 2; host <= 15; host++) {
		d = device_number(host + 600);
		device_delete(s, d.fqdn);
	}
}

static bool nested_each(void *arg, const struct device *d)
{
	struct { struct store *s; bool good; } *a = arg;

	a->good = a->good && finds(a->s, d);
	return true;
}

static void reopened(const char *dir)
{
	struct store *s = must_open(dir, STORE_READ, 0, 1, boot_one);
	struct device d = device_number(13);
	struct account a = account_number(3), b;
	struct { struct store *s; bool good; } walk = { s, true };

	ok(finds(s, &d) && !account_get(s, a.id, &b), "all is there after a new start, read-only");
	ok(!device_each(s, nested_each, &walk) && walk.good, "a listing may look things up");
	ok(device_put(s, &d, false) == STORE_FAILED && store_begin(s) == STORE_FAILED &&
	   strstr(store_error(s), "read"), "a reader cannot write");
	store_close(s);
}

/* ---- live ---- */

static bool see_registration(void *arg, const struct registration *g)
{
	++*(unsigned *)arg;
	return true;
}

/* A record as written by the version that knew of no TRS: it ended after the real addresses. */
static void of_before(struct store *s)
{
	struct registration g = registration_number(5, 1000), h;
	struct record record;
	struct key key;

	g.rtt_n = 0;
	memset(g.behaviour, 0, sizeof g.behaviour);
	memset(&g.relay, 0, sizeof g.relay);
	registration_put(s, &g);
	key_octets(&key, KIND_REGISTRATION, g.node_id.b, sizeof g.node_id.b);
	db_get(&s->live[0], &key, &record);
	record.at = record.n - 4;
	db_enter(&s->live[0]);
	db_leave(&s->live[0], db_put(&s->live[0], &key, &record));
	memset(&h, 0xff, sizeof h);
	ok(!registration_get(s, &g.node_id, &h) && same_registration(&g, &h),
	   "a registration that an earlier version wrote on this boot is read");
	record.at = record.n - 5;
	db_enter(&s->live[0]);
	db_leave(&s->live[0], db_put(&s->live[0], &key, &record));
	ok(registration_get(s, &g.node_id, &h) == STORE_DAMAGED, "an octet less is none");
	registration_delete(s, &g.node_id);
}

static void live(const char *dir)
{
	struct store *s = must_open(dir, STORE_READ, 0, 1, boot_one);
	struct registration g = registration_number(1, 1000), h;
	unsigned i, n = 0;

	ok(registration_get(s, &g.node_id, &h) == STORE_MISSING, "nobody is registered at first");
	ok(!registration_put(s, &g) && !registration_get(s, &g.node_id, &h) &&
	   same_registration(&g, &h), "a registration comes back whole");
	memset(&g.mapped[0], 0, sizeof g.mapped[0]);
	ok(!registration_put(s, &g) && !registration_get(s, &g.node_id, &h) &&
	   same_registration(&g, &h), "it may lack an address family, and is replaced");
	g.real_n = 5;
	ok(registration_put(s, &g) == STORE_FAILED, "five real addresses are refused");
	g = registration_number(4, 1000);
	ok(!registration_put(s, &g) && !registration_get(s, &g.node_id, &h) &&
	   same_registration(&g, &h), "it says how far four TRS are, and what a TRS reported");
	g.rtt_n = 5;
	ok(registration_put(s, &g) == STORE_FAILED, "five are refused");
	of_before(s);
	live_begin(s);
	for (i = 0; i < 64; i++) {
		g = registration_number(i, 2000);
		registration_put(s, &g);
	}
	ok(!registration_get(s, &g.node_id, &h) && !live_end(s) && registration_count(s) == 64,
	   "a batch is one commit, and sees itself before");
	ok(!registration_delete(s, &g.node_id) &&
	   registration_get(s, &g.node_id, &h) == STORE_MISSING &&
	   registration_delete(s, &g.node_id) == STORE_MISSING, "a registration is deleted once");
	ok(!registration_each(s, see_registration, &n) && n == 63,
	   "one's own registrations are listed");
	store_close(s);
	s = must_open(dir, STORE_READ, 0, 1, boot_one);
	ok(registration_count(s) == 63, "a worker's successor finds them on the same boot");
	store_close(s);
	s = must_open(dir, STORE_READ, 0, 1, boot_two);
	ok(registration_count(s) == 0, "on another boot they are gone");
	ok(!registration_put(s, &g), "and new ones are taken");
	store_close(s);
	s = must_open(dir, STORE_WRITE, 0, 1, boot_two);
	ok(!registration_get(s, &g.node_id, &h) && registration_put(s, &g) == STORE_FAILED &&
	   registration_count(s) == 0, "the helper reads them and has none of its own");
	store_close(s);
	s = must_open(dir, STORE_WRITE, 0, 1, boot_one);
	ok(registration_get(s, &g.node_id, &h) == STORE_MISSING,
	   "an environment of another boot is not believed");
	store_close(s);
}

/* Says a word, waits for the answer: how the two workers take turns. */
static void turn(int out, int in)
{
	char c = 'x';

	if (write(out, &c, 1) != 1 || read(in, &c, 1) != 1)
		_exit(98);
}

static void other_worker(const char *dir, int out, int in)
{
	struct registration g = registration_number(7, 500), h;
	struct store *s;
	char c;

	if (read(in, &c, 1) != 1)
		_exit(98);
	s = must_open(dir, STORE_READ, 1, 2, boot_one);
	turn(out, in);
	registration_put(s, &g);
	turn(out, in);
	g.updated = 900;
	registration_put(s, &g);
	turn(out, in);
	h = registration_number(7, 900);
	_exit(registration_get(s, &g.node_id, &h) || h.updated != 1500);
}

static void two_workers(const char *dir)
{
	struct registration g = registration_number(7, 700), h;
	int there[2], back[2], status;
	struct store *s;
	pid_t pid;

	if (pipe(there) || pipe(back))
		exit(99);
	pid = fork();
	if (pid == 0)
		other_worker(dir, back[1], there[0]);
	s = must_open(dir, STORE_READ, 0, 2, boot_one);
	ok(registration_get(s, &g.node_id, &h) == STORE_MISSING,
	   "a worker reads before the other has ever started");
	turn(there[1], back[0]);
	ok(registration_get(s, &g.node_id, &h) == STORE_MISSING, "and after it started");
	turn(there[1], back[0]);
	ok(!registration_get(s, &g.node_id, &h) && h.updated == 500,
	   "it sees what the other put after its own open");
	registration_put(s, &g);
	ok(!registration_get(s, &g.node_id, &h) && h.updated == 700, "its own, if newer, wins");
	turn(there[1], back[0]);
	ok(!registration_get(s, &g.node_id, &h) && h.updated == 900, "the other's, if newer, wins");
	ok(registration_count(s) == 1, "each counts its own");
	g.updated = 1500;
	registration_put(s, &g);
	if (write(there[1], "x", 1) != 1)
		exit(99);
	waitpid(pid, &status, 0);
	ok(status == 0, "the other sees this one's in turn");
	store_close(s);
}

int main(void)
{
	char dir[64], live_dir[64], pair_dir[64];
	struct store *s;

	scratch_make(dir);
	scratch_make(live_dir);
	scratch_make(pair_dir);
	s = must_open(dir, STORE_ALL, 0, 1, boot_one);
	meta(s);
	accounts(s);
	devices(s);
	groups(s);
	addresses(s);
	deletion(s);
	store_close(s);
	reopened(dir);
	live(live_dir);
	two_workers(pair_dir);
	scratch_remove(dir);
	scratch_remove(live_dir);
	scratch_remove(pair_dir);
	return done();
}

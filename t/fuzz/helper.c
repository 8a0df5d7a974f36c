/*
 * helper.c - libFuzzer entry: what AS workers ask their helper.  There is one account with one
 * device, and what a request changed is undone.
 */
#include "crypto/cert.h"
#include "net/proto/wire.h"
#include "net/role.h"
#include "roles/as_notes.h"
#include "store/config.h"
#include "store/store.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

static struct config conf;
static struct store *store;
static void *clerk;

static void add_account(void)
{
	struct account a = { .id = "user0", .created = FUZZ_WALL };
	struct device d = { .fqdn = "n0.cyphonic.internal", .owner = "user0", .kind = DEVICE_NODE,
			    .ip4 = { 198, 18, 0, 2 }, .ip6 = { 0xfd, [15] = 2 } };

	node_id_of(&d.node_id, d.fqdn);
	must(password_make(&a.password, "horse", 5, 4));
	must(account_put(store, &a, true) == STORE_OK && device_put(store, &d, true) == STORE_OK);
}

static void start(struct now now)
{
	static const uint8_t boot_id[16] = { 1 };
	char err[256] = "";

	config_defaults(&conf);
	snprintf(conf.state, sizeof conf.state, "%s", fuzz_dir());
	conf.scrypt_cost = 4;
	ip_parse(&conf.as_nms.a[0], "192.0.2.1", 4501);
	conf.as_nms.n = 1;
	random_seed(8);
	store = store_open(conf.state, STORE_WRITE, 0, 0, boot_id, err);
	must(store);
	add_account();
	clerk = helper_as.open(&conf, store, now, err);
	must(clerk);
}

static void check(const uint8_t *request, size_t n, const uint8_t *answer, size_t len)
{
	struct msg_login_response r;
	struct msg_login_request q;

	must(n >= AS_REQUEST_HEAD && len >= AS_ANSWER_HEAD && len <= HELPER_MESSAGE_MAX);
	must(!memcmp(answer, request, AS_ANSWER_HEAD));
	if (answer[0] != AS_LOGIN)
		return;
	must(msg_read_login_response(&r, answer + AS_ANSWER_HEAD, len - AS_ANSWER_HEAD) ==
	     (long)(len - AS_ANSWER_HEAD));
	if (r.result)
		return;
	must(msg_read_login_request(&q, request + AS_REQUEST_HEAD, n - AS_REQUEST_HEAD) >= 0);
	must(q.password.n == 5 && !memcmp(q.password.p, "horse", 5));
	must(q.account.n == 5 && !memcmp(q.account.p, "user0", 5));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct now now = { 1000 * SEC, FUZZ_WALL * SEC };
	uint8_t answer[HELPER_MESSAGE_MAX];
	size_t len;

	if (!clerk)
		start(now);
	random_seed(9);
	if (n > HELPER_MESSAGE_MAX)
		return 0;
	must(store_begin(store) == STORE_OK);
	len = helper_as.serve(clerk, now, (struct bytes){ p, n }, answer, sizeof answer);
	if (len)
		check(p, n, answer, len);
	store_end(store, false);
	return 0;
}

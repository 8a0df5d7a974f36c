/*
 * files.c - libFuzzer entry: small files somebody else wrote.  First octet: which one the rest
 * is: a password file, the node's key or cloud time in its state directory, the services' cloud
 * time.
 */
#include "net/role.h"
#include "roles/lead.h"
#include "store/config.h"
#include "store/state.h"
#include "t/fuzz/base/base.h"
#include "t/sim/random.h"

static const char *wrong_name;		/* the file that is the input */
static struct bytes content;
static struct config conf;

long __real_state_load(const char *dir, const char *name, void *out, size_t cap);
long __wrap_state_load(const char *dir, const char *name, void *out, size_t cap);

long __wrap_state_load(const char *dir, const char *name, void *out, size_t cap)
{
	size_t n = MIN(cap, content.n);

	if (!wrong_name || strcmp(name, wrong_name) != 0)
		return strcmp(name, "resolv.conf") ? __real_state_load(dir, name, out, cap) : -1;
	if (n)
		memcpy(out, content.p, n);
	return (long)n;
}

static void start(void)
{
	config_defaults(&conf);
	snprintf(conf.state, sizeof conf.state, "%s", fuzz_dir());
	snprintf(conf.node_password, sizeof conf.node_password, "%s", fuzz_file("horse\n", 6));
	strcpy(conf.node_account, "user0");
	strcpy(conf.node_device, "n0");
	memset(conf.node_root, 'a', 64);
	ip_parse(&conf.node_as.a[0], "192.0.2.1", 4501);
	conf.node_as.n = 1;
}

static void node(const char *name)
{
	struct role_env env = { .conf = &conf, .workers = 1,
				.start = { 1000 * SEC, FUZZ_WALL * SEC } };
	char err[256] = "";
	void *n;

	wrong_name = NULL;
	fuzz_file("horse\n", 6);
	wrong_name = name;
	n = role_node.open(&env, err);
	if (n)
		role_node.close(n);
	else
		must(strstr(err, conf.state));
}

static void password(const uint8_t *p, size_t n)
{
	char out[257], err[256] = "";
	const char *file = fuzz_file(p, n);
	size_t len = 0;

	if (!config_read_password(file, out, sizeof out, &len, err)) {
		must(strstr(err, file));
		return;
	}
	must(len >= 1 && len <= 256 && len <= n && !memcmp(out, p, len));
	must(!memchr(out, '\n', len));
}

static void lead(void)
{
	struct role_env env = { .conf = &conf, .workers = 1,
				.start = { 1000 * SEC, FUZZ_WALL * SEC } };
	struct cloud c;

	wrong_name = "cloud-time";
	lead_open(&c, &env);
	cloud_slew(&c, (struct now){ 2000 * SEC, (FUZZ_WALL + 1000) * SEC });
	/* it may be wrong, but it goes on */
	must(cloud_ms(&c, (struct now){ 2000 * SEC, 0 }) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!n)
		return 0;
	if (!conf.domain[0])
		start();
	random_seed(13);
	content = (struct bytes){ p + 1, n - 1 };
	switch (p[0] % 5) {
	case 0:			/* resolv.conf has a target of its own */
	case 1:
		password(p + 1, n - 1);
		break;
	case 2:
		node("node.key");
		break;
	case 3:
		node("cloud-time");
		break;
	case 4:
		lead();
		break;
	}
	return 0;
}

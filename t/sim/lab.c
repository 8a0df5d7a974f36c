/* lab.c - a domain with its cloud and its computers, in a scratch directory. */
#include "t/sim/lab.h"
#include "crypto/cert.h"
#include "store/db.h"
#include "t/sim/probe.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PER_ACCOUNT 100
#define PASSWORD "correct horse"
#define LAN_DELAY 200			/* us */

static char scratch[64];		/* of this process, "" until the first lab */
static unsigned made;			/* labs in it so far */

__attribute__((format(printf, 1, 2), noreturn))
static void give_up(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("Bail out! ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	exit(99);
}

/* ---- the directory ---- */

static int drop_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void scratch_remove(void)
{
	nftw(scratch, drop_file, 16, FTW_DEPTH | FTW_PHYS);
}

const char *lab_scratch(void)
{
	if (scratch[0])
		return scratch;
	strcpy(scratch, "/dev/shm/cyphonic-sim-XXXXXX");
	if (!mkdtemp(scratch))
		strcpy(scratch, "/tmp/cyphonic-sim-XXXXXX");
	if (strncmp(scratch, "/tmp", 4) == 0 && !mkdtemp(scratch))
		give_up("no directory for the stores: %s", strerror(errno));
	atexit(scratch_remove);
	signal(SIGPIPE, SIG_IGN);	/* `| head` must not leave it behind */
	return scratch;
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		give_up("%s: %s", path, strerror(errno));
}

static void write_password(const struct lab *l)
{
	char path[300];
	int fd;

	snprintf(path, sizeof path, "%s/password", l->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, PASSWORD "\n", sizeof PASSWORD) != (ssize_t)sizeof PASSWORD)
		give_up("%s: %s", path, strerror(errno));
	close(fd);
}

/* ---- the store ---- */

/* All workers share one open store, as LMDB wants it in one process: each in its turn. */
void store_turn(struct store *s, unsigned worker)
{
	s->worker = worker;
	if (!s->live[worker].env && live_open(s) != STORE_OK)
		give_up("live environment: %s", store_error(s));
}

static void open_store(struct lab *l, unsigned workers)
{
	char err[256];
	unsigned i;

	l->store = store_open(l->conf.state, STORE_ALL, 0, workers, l->world->boot_id, err);
	if (!l->store)
		give_up("%s", err);
	for (i = 0; i < workers; i++)
		store_turn(l->store, i);
}

static void add_account(struct lab *l, unsigned n)
{
	struct account a = { .created = 1800000000 };

	snprintf(a.id, sizeof a.id, "user%u", n);
	if (!password_make(&a.password, PASSWORD, sizeof PASSWORD - 1, 4) ||
	    account_put(l->store, &a, true) != STORE_OK)
		give_up("account %s: %s", a.id, store_error(l->store));
}

/* The device's name is its kind's letter and a number. */
static void add_device(struct lab *l, char letter, enum device_kind kind, unsigned n,
		       struct device *d)
{
	*d = (struct device){ .kind = (uint8_t)kind, .created = 1800000000 };
	snprintf(d->fqdn, sizeof d->fqdn, "%c%u.%.200s", letter, n, l->conf.domain);
	snprintf(d->owner, sizeof d->owner, "user%u", n / PER_ACCOUNT);
	node_id_of(&d->node_id, d->fqdn);
	if (device_addresses(l->store, l->conf.virtual4.ip, l->conf.virtual4.bits,
			     l->conf.virtual6.ip, d->ip4, d->ip6) != STORE_OK ||
	    device_put(l->store, d, true) != STORE_OK)
		give_up("device %s: %s", d->fqdn, store_error(l->store));
}

static void add_computer(struct lab *l, struct computer *c, unsigned n)
{
	struct device d;

	add_device(l, 'n', DEVICE_NODE, n, &d);
	strcpy(c->fqdn, d.fqdn);
	c->node_id = d.node_id;
	memcpy(c->ip4, d.ip4, 4);
	memcpy(c->ip6, d.ip6, 16);
}

static void add_relay(struct lab *l, struct station *s, unsigned n)
{
	struct device d;

	add_device(l, 't', DEVICE_TRS, n, &d);
	strcpy(s->fqdn, d.fqdn);
	s->node_id = d.node_id;
}

static void fill_store(struct lab *l)
{
	unsigned i;

	if (store_begin(l->store) != STORE_OK)
		give_up("store: %s", store_error(l->store));
	for (i = 0; i == 0 || i * PER_ACCOUNT < l->computers; i++)
		add_account(l, i);
	for (i = 0; i < l->computers; i++)
		add_computer(l, &l->computer[i], i);
	for (i = 0; i < l->relays; i++)
		add_relay(l, &l->relay[i], i);
	if (store_end(l->store, true) != STORE_OK)
		give_up("store: %s", store_error(l->store));
}

/* ---- the cloud ---- */

static void make_conf(struct lab *l, const struct lab_wish *wish)
{
	struct config *c = &l->conf;
	uint8_t hash[32];

	config_defaults(c);
	snprintf(c->state, sizeof c->state, "%s/cloud", l->dir);
	c->scrypt_cost = 4;
	sha256(hash, c->domain, strlen(c->domain));
	c->virtual6 = (struct prefix){ .family = 6, .bits = 64, .ip = { 0xfd } };
	memcpy(c->virtual6.ip + 1, hash, 5);
	ip_parse(&c->as_nms.a[0], "192.0.2.1", (uint16_t)c->nms_port);
	ip_parse(&c->as_nms.a[1], "2001:db8::1", (uint16_t)c->nms_port);
	c->as_nms.n = 2;
	if (wish->tune)
		wish->tune(c);
}

void cloud_start(struct lab *l)
{
	char err[256] = "";

	if (!process_start(l->as, err) || !process_start(l->nms, err))
		give_up("cloud: %s", err);
}

void cloud_stop(struct lab *l)
{
	process_stop(l->as);
	process_stop(l->nms);
}

static void make_cloud(struct lab *l, unsigned workers)
{
	l->cloud = host_new(l->world, "192.0.2.1", "2001:db8::1");
	l->as = process_new(l->cloud, l->world, &role_as, &l->conf, l->store, workers);
	l->as->helper = &helper_as;
	l->as->tcp = 4501;
	l->nms = process_new(l->cloud, l->world, &role_nms, &l->conf, l->store, workers);
	l->nms->udp = (uint16_t)l->conf.nms_port;
	cloud_start(l);
}

/* ---- computers and relays ---- */

static void device_conf(const struct lab *l, char letter, unsigned n, struct config *c)
{
	char path[300];
	uint8_t pin[32];
	char err[256];

	*c = l->conf;
	snprintf(path, sizeof path, "%s/ca", l->conf.state);
	if (!ca_fingerprint(path, pin, err))
		give_up("%s", err);
	hex_text(c->node_root, pin, sizeof pin);
	snprintf(c->state, sizeof c->state, "%s/%c%u", l->dir, letter, n);
	make_dir(c->state);
	snprintf(c->node_account, sizeof c->node_account, "user%u", n / PER_ACCOUNT);
	snprintf(c->node_device, sizeof c->node_device, "%c%u", letter, n);
	snprintf(c->node_password, sizeof c->node_password, "%s/password", l->dir);
	ip_parse(&c->node_as.a[0], "192.0.2.1", 4501);
	ip_parse(&c->node_as.a[1], "2001:db8::1", 4501);
	c->node_as.n = 2;
	ip_parse(&c->node_upstream.a[0], "192.0.2.53", 53);
	c->node_upstream.n = 1;
}

static void make_computer(struct lab *l, unsigned n, unsigned workers)
{
	struct computer *c = &l->computer[n];
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT];
	struct config *conf = malloc(sizeof *conf);

	if (!conf)
		abort();
	c->lab = l;
	device_conf(l, 'n', n, conf);
	snprintf(ip4, sizeof ip4, "10.%u.%u.%u", (n + 2) >> 16, ((n + 2) >> 8) & 255,
		 (n + 2) & 255);
	snprintf(ip6, sizeof ip6, "2001:db8:1::%x", n + 2);
	c->host = host_new(l->world, ip4, ip6);
	c->node = process_new(c->host, l->world, &role_node, conf, NULL, workers);
	c->node->udp = (uint16_t)conf->node_port;
	computer_watch(c);
	free(conf);
}

static void make_relay(struct lab *l, unsigned n, const struct role *role, unsigned workers)
{
	struct station *s = &l->relay[n];
	char ip4[ADDR_TEXT], ip6[ADDR_TEXT];
	struct config *conf = malloc(sizeof *conf);

	if (!conf)
		abort();
	device_conf(l, 't', n, conf);
	snprintf(ip4, sizeof ip4, "192.0.2.%u", n + 2);
	snprintf(ip6, sizeof ip6, "2001:db8::%x", n + 2);
	strcpy(conf->trs_root, conf->node_root);
	strcpy(conf->trs_account, conf->node_account);
	strcpy(conf->trs_device, conf->node_device);
	strcpy(conf->trs_password, conf->node_password);
	conf->trs_as = conf->node_as;
	s->host = host_new(l->world, ip4, ip6);
	s->trs = process_new(s->host, l->world, role, conf, NULL, workers);
	s->trs->udp = (uint16_t)conf->trs_port;
	s->trs->udp2 = (uint16_t)conf->trs_stun_port;
	free(conf);
}

void computer_start(struct computer *c)
{
	char err[256] = "";

	if (!process_start(c->node, err))
		give_up("%s: %s", c->fqdn, err);
}

void computer_leave(struct computer *c)
{
	process_leave(c->node);
	c->tun_up = false;
}

void computer_stop(struct computer *c)
{
	process_stop(c->node);
	c->tun_up = false;
}

struct lab *lab_new(const struct lab_wish *wish)
{
	struct lab *l = calloc(1, sizeof *l);
	unsigned i, workers = MAX(wish->workers, 1u);

	if (!l)
		abort();
	l->world = world_new(wish->seed);
	if (wish->line.delay)
		l->world->line = wish->line;
	snprintf(l->dir, sizeof l->dir, "%.40s/%u", lab_scratch(), ++made);
	make_dir(l->dir);
	make_conf(l, wish);
	write_password(l);
	open_store(l, workers);
	l->relays = MIN(wish->relays, (unsigned)RELAYS_MAX);
	l->computers = wish->computers;
	l->computer = calloc(l->computers + 1, sizeof *l->computer);
	if (!l->computer)
		abort();
	fill_store(l);
	make_cloud(l, workers);
	for (i = 0; i < l->relays; i++)
		make_relay(l, i, wish->trs ? wish->trs : &role_trs, MAX(wish->relay_workers, 1u));
	for (i = 0; i < l->computers; i++)
		make_computer(l, i, MAX(wish->node_workers, 1u));
	return l;
}

void lab_free(struct lab *l)
{
	world_free(l->world);
	store_close(l->store);
	nftw(l->dir, drop_file, 16, FTW_DEPTH | FTW_PHYS);
	free(l->computer);
	free(l);
}

/* ---- boxes ---- */

static struct box *proved(struct box *b)
{
	if (!probe_proves(b))
		give_up("a box is no %s", box_kind_name(b->kind));
	return b;
}

struct box *lab_napt(struct lab *l, enum box_kind kind, const char *ip, struct box *before)
{
	return proved(box_napt(l->world, kind, ip, before ? before->inside : NULL));
}

struct box *lab_wall(struct lab *l, enum box_kind kind, struct box *site)
{
	return proved(box_wall(l->world, kind, 6, site ? site->inside : NULL, NULL));
}

void lab_behind(struct computer *c, struct box *b, const char *ip4, const char *ip6)
{
	struct world *w = c->lab->world;

	c->host->line = b ? (struct line){ .delay = LAN_DELAY } : w->line;
	host_enter(c->host, b ? b->inside : &w->net, ip4, ip6);
}

/* ---- waiting ---- */

bool computer_online(const struct computer *c)
{
	struct registration r;

	if (registration_get(c->lab->store, &c->node_id, &r) != STORE_OK)
		return false;
	return c->tun_up && (r.confirmed[0] || !c->host->ip4.family) &&
	       (r.confirmed[1] || !c->host->ip6.family);
}

static bool online(void *arg)
{
	return computer_online(arg);
}

bool computer_wait_online(struct computer *c, uint64_t us)
{
	/* a look now and then is enough */
	uint64_t end = c->lab->world->time + us;

	while (!online(c) && c->lab->world->time < end)
		world_run(c->lab->world, 2 * MS);
	return online(c);
}

static bool relays_registered(const struct lab *l)
{
	struct registration r;
	unsigned i;

	for (i = 0; i < l->relays; i++)
		if (registration_get(l->store, &l->relay[i].node_id, &r) != STORE_OK ||
		    !r.confirmed[0] || !r.confirmed[1])
			return false;
	return true;
}

bool lab_start_relays(struct lab *l, uint64_t us)
{
	uint64_t end = l->world->time + us;
	char err[256] = "";
	unsigned i;

	for (i = 0; i < l->relays; i++)
		if (!process_start(l->relay[i].trs, err))
			give_up("%s: %s", l->relay[i].fqdn, err);
	while (!relays_registered(l) && l->world->time < end)
		world_run(l->world, 2 * MS);
	return relays_registered(l);
}

bool lab_start_all(struct lab *l, uint64_t us)
{
	uint64_t end = l->world->time + us;
	unsigned i;

	world_run(l->world, 100 * MS);		/* the AS gets its certificate */
	if (!lab_start_relays(l, us))
		return false;
	for (i = 0; i < l->computers; i++)
		computer_start(&l->computer[i]);
	for (i = 0; i < l->computers; i++)
		if (!computer_wait_online(&l->computer[i], end - MIN(end, l->world->time)))
			return false;
	return true;
}

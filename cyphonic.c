/*
 * cyphonic.c - the program: arguments, the verb table, the log.  And the tour of the house.
 *
 * CYPHONIC is an overlay network: devices of a domain find each other by name and talk
 * end-to-end encrypted, wherever they are.  One executable plays every part:
 *
 *	node	this computer on the overlay: TUN device, tunnels, resolver
 *	as	authentication service: who may take part, with which name, addresses, certificate
 *	nms	node management service: who is where, and how two nodes reach each other
 *	trs	relay: between two nodes that cannot reach each other directly
 *
 *	    node A ---- TLS: log in ----> AS	    master: rights, sockets, lock, restarts
 *	       |  \                        |	      |-- helper: CA key, password hashes, accounts
 *	       |   |                       |	      |-- reporter: metrics, level of the log
 *	       |   `--- UDP: register, --> NMS	      |-- resolver: whom this computer asks for names
 *	       |        ask for a path     |	      `-- worker 0..n: one loop, all roles each
 *	    node B <-----------------------'	    (one box per process, see net/io/master.c)
 *
 * The rooms, from the bottom; each may look down, never up:
 *
 *	cyphonic.h, text.c	the words everybody uses: bytes, ids, addresses, time, log
 *	crypto/			secrets: keys as types, certificates, passwords; knows no packets
 *	store/			what is kept: configuration, accounts, registrations; knows no protocol
 *	net/proto/		the protocol: octets and a time in, datagrams and a verdict out.
 *				wire.def is the whole wire on a page, verdict.def every packet's end
 *	roles/			who does what: as.c, nms.c, node.c, each a story from the top
 *	net/io/			descriptors, clocks, processes; knows no protocol
 *
 * roles/ and net/io/ meet in the headers of net/ and in net/proto/outbox.h alone, so t/sim/ can
 * put a simulated world where net/io/ stands.  A reader with five minutes: net/role.h, then
 * net/proto/wire.def, then roles/node.c.
 */
#include "net/io/args.h"
#include "net/io/ask.h"
#include "net/io/bundle.h"
#include "net/io/check.h"
#include "net/io/complete.h"
#include "net/io/figures.h"
#include "net/io/log.h"
#include "net/io/keep.h"
#include "net/io/master.h"
#include "net/io/metrics.h"
#include "net/io/owner.h"
#include "net/io/prompt.h"
#include "net/io/resolv.h"
#include "net/io/survey.h"
#include "net/io/usage.h"
#include "net/proto/why.h"
#include "net/proto/wire.h"
#include "net/io/standard.h"
#include "roles/admin.h"
#include "store/keep.h"
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define CONFIG_FILE "/etc/cyphonic/cyphonic.yaml"
#define ERR 256

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

/* ---- the log ---- */

/* The program's one mutable variable: every room says cy_log(), this is where it ends. */
static struct log sink = { .level = LOG_INFO, .worker = -1 };

static void call_me(const char *name)
{
	log_name(&sink, name);
	/* children are told apart by ps(1) too; the master keeps the program's name */
	if (strcmp(name, "master") != 0)
		prctl(PR_SET_NAME, name);
}

static void last_words(void)
{
	log_flush(&sink);
}

void cy_log(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_say(&sink, level, fmt, ap);
	va_end(ap);
}

/* ---- the cast ---- */

static const struct {
	const struct role *role;
	const struct helper *helper;
} cast[] = {
	{ &role_as, &helper_as },
	{ &role_nms, NULL },
	{ &role_trs, NULL },
	{ &role_node, NULL },
};

/* ---- options and verbs ---- */

enum {
	O_CONFIG, O_ROLE, O_TEST, O_HELP, O_VERSION, O_JSON, O_PASSWORD, O_KIND, O_COUNT, O_RATES, O_WATCH,
	O_WRITE, O_REDACT, O_FORCE, OPTIONS
};

static const struct option_row option[OPTIONS] = {
	[O_CONFIG] = { 'c', "config", "FILE", NULL, "configuration, default " CONFIG_FILE },
	[O_ROLE] = { 0, "role", "ROLES", NULL, "as, nms, trs, node, all, several joined by ','; overrides the file" },
	[O_TEST] = { 't', "test", NULL, NULL, "check the configuration and end" },
	[O_HELP] = { 'h', "help", NULL, NULL, "say this" },
	[O_VERSION] = { 'V', "version", NULL, NULL, "say the version" },
	[O_JSON] = { 0, "json", NULL, "account device ca backup restore status dns trs ping why netcheck log debug test",
		     "results as JSON" },
	[O_PASSWORD] = { 0, "password-file", "FILE", "account", "password from FILE; '-': standard input" },
	[O_KIND] = { 0, "kind", "KIND", "device", "of a new device: node (default) or trs" },
	[O_FORCE] = { 0, "force", NULL, "restore", "also over a state that is there, which is kept" },
	[O_COUNT] = { 'c', "count", "N", "ping", "ping so often, default 1" },
	[O_RATES] = { 0, "rates", "SECONDS", "status", "look twice, for what happens per second" },
	[O_WATCH] = { 0, "watch", "SECONDS", "status", "the same again and again" },
	[O_WRITE] = { 0, "write", "FILE", "metrics", "into FILE at once, for a textfile collector" },
	[O_REDACT] = { 0, "redact", "none|some|more", "debug", "how much is replaced, default some" },
};

struct call {
	struct args args;
	char *const *argv;		/* as it was given, for an upgrade */
	const char *role;		/* --role=, or the first word if it is one */
	const char *const *word;	/* the verb, then its arguments alone */
	unsigned words;
	const struct verb *verb;	/* NULL: run the daemon */
	struct config conf;
};

static int back_up(struct call *c);
static int restore(struct call *c);
static int ask_for_status(struct call *c);
static int repair_names(struct call *c);
static int ask_for_pong(struct call *c);
static int check_network(struct call *c);
static int ask_for_metrics(struct call *c);
static int tell_relay(struct call *c);
static int make_bundle(struct call *c);

/* NO_CONFIG: needs none if it has arguments; NODE: of all roles, that alone is asked */
enum { PASSWORD = 1, NO_STORE = 2, NO_CONFIG = 4, NODE = 8 };

static const struct verb {
	const char *name, *sub, *args;
	unsigned least, most;		/* arguments */
	unsigned flags;
	int (*admin)(const struct admin *a);
	int (*run)(struct call *c);
	int (*ask)(const struct ask *a, const char *word);	/* of the running daemon; word or NULL */
	void (*print)(FILE *out);
	void (*complete)(const struct usage *u, FILE *out);
	const char *text;
} verb[] = {
	{ "account", "add", "ID", 1, 1, PASSWORD, .admin = admin_account_add,
	  .text = "make an account; asks for its password" },
	{ "account", "list", "", 0, 0, 0, .admin = admin_account_list, .text = "all accounts" },
	{ "account", "password", "ID", 1, 1, PASSWORD, .admin = admin_account_password,
	  .text = "set a new password" },
	{ "account", "disable", "ID", 1, 1, 0, .admin = admin_account_disable,
	  .text = "none of its devices may log in" },
	{ "account", "enable", "ID", 1, 1, 0, .admin = admin_account_enable, .text = "they may again" },
	{ "account", "delete", "ID", 1, 1, 0, .admin = admin_account_delete,
	  .text = "delete it and its devices" },
	{ "device", "add", "ACCOUNT NAME", 2, 2, 0, .admin = admin_device_add,
	  .text = "make a device; gives it its virtual addresses" },
	{ "device", "list", "[ACCOUNT]", 0, 1, 0, .admin = admin_device_list,
	  .text = "all devices, or those of an account" },
	{ "device", "disable", "NAME", 1, 1, 0, .admin = admin_device_disable,
	  .text = "it may not log in" },
	{ "device", "enable", "NAME", 1, 1, 0, .admin = admin_device_enable, .text = "it may again" },
	{ "device", "delete", "NAME", 1, 1, 0, .admin = admin_device_delete, .text = "delete it" },
	{ "ca", "fingerprint", "", 0, 0, NO_STORE, .admin = admin_ca_fingerprint,
	  .text = "what nodes write as node.root" },
	{ "backup", NULL, "FILE", 1, 1, 0, .run = back_up,
	  .text = "accounts, CA and all else that is kept, into a file" },
	{ "restore", NULL, "FILE", 1, 1, 0, .run = restore, .text = "and back" },
	{ "status", NULL, "", 0, 0, 0, .run = ask_for_status, .text = "what the running daemon does" },
	{ "dns", NULL, "[NAME]", 0, 1, NODE, .ask = ask_dns,
	  .text = "how names are resolved here, and who answers for a name" },
	{ "repair", NULL, "", 0, 0, 0, .run = repair_names,
	  .text = "take out what a killed node left in the system's name resolution" },
	{ "trs", "drain", "", 0, 0, 0, .run = tell_relay,
	  .text = "the relay here takes no new paths and goes on with those it has" },
	{ "trs", "resume", "", 0, 0, 0, .run = tell_relay, .text = "it takes new ones again" },
	{ "ping", NULL, "NAME", 1, 1, NODE, .run = ask_for_pong,
	  .text = "ask another node over the overlay for a sign of life" },
	{ "why", NULL, "NAME", 1, 1, NODE, .ask = ask_why,
	  .text = "which way the path to a node goes, and why no better one" },
	{ "netcheck", NULL, "[SERVER ...]", 0, 6, NO_CONFIG, .run = check_network,
	  .text = "what this network allows, found out by STUN without login" },
	{ "metrics", NULL, "", 0, 0, 0, .run = ask_for_metrics, .text = "its figures, as Prometheus reads them" },
	{ "log", NULL, "[error|warn|info|debug]", 0, 1, 0, .ask = figures_log,
	  .text = "say or set the level of its log" },
	{ "debug", "bundle", "[FILE]", 0, 1, 0, .run = make_bundle,
	  .text = "one archive for whoever shall help; holds no secrets" },
	{ "completion", "bash", "", 0, 0, 0, .complete = complete_bash, .text = "completion for bash" },
	{ "completion", "zsh", "", 0, 0, 0, .complete = complete_zsh, .text = "completion for zsh" },
	{ "completion", "fish", "", 0, 0, 0, .complete = complete_fish, .text = "completion for fish" },
	{ "print", "config-example", "", 0, 0, 0, .print = config_print_example,
	  .text = "a configuration with every key" },
	{ "print", "config-manual", "", 0, 0, 0, .print = config_print_manual,
	  .text = "the keys' list in the manual" },
	{ "print", "metrics-manual", "", 0, 0, 0, .print = metrics_print_manual,
	  .text = "the metrics' list in the manual" },
	{ "print", "why-manual", "", 0, 0, 0, .print = why_print_manual,
	  .text = "the list of reasons in the manual" },
	{ "print", "wire-manual", "", 0, 0, 0, .print = wire_print_manual,
	  .text = "the protocol manual's tables" },
	{ "print", "wire-dictionary", "", 0, 0, 0, .print = wire_print_dictionary,
	  .text = "a dictionary for fuzzers" },
};

/* ---- the tables, for whoever shows them ---- */

static void with_tables(void (*show)(const struct usage *u, void *arg), void *arg)
{
	struct usage_role part[ARRAY_SIZE(cast)];
	struct usage_verb row[ARRAY_SIZE(verb)];
	struct usage u = { part, ARRAY_SIZE(cast), row, ARRAY_SIZE(verb), option, OPTIONS };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cast); i++)
		part[i] = (struct usage_role){ cast[i].role->name, cast[i].role->text };
	for (i = 0; i < ARRAY_SIZE(verb); i++)
		row[i] = (struct usage_verb){ verb[i].name, verb[i].sub, verb[i].args, verb[i].text };
	show(&u, arg);
}

static void show_help(const struct usage *u, void *arg)
{
	usage_print(u);
}

static void show_completion(const struct usage *u, void *arg)
{
	const struct verb *v = arg;

	v->complete(u, stdout);
}

static void show_unknown(const struct usage *u, void *arg)
{
	const struct call *c = arg;

	usage_unknown(u, c->word, c->words);
}

/* ---- which verb ---- */

/* Fills c->verb and leaves only its arguments in word[]. */
static int find_verb(struct call *c)
{
	unsigned i, skip;

	for (i = 0; i < ARRAY_SIZE(verb) && !c->verb; i++)
		if (strcmp(verb[i].name, c->word[0]) == 0 &&
		    (!verb[i].sub || (c->words > 1 && strcmp(verb[i].sub, c->word[1]) == 0)))
			c->verb = &verb[i];
	if (!c->verb) {
		with_tables(show_unknown, c);
		return EXIT_USAGE;
	}
	skip = c->verb->sub ? 2 : 1;
	c->word += skip;
	c->words -= skip;
	if (c->words >= c->verb->least && c->words <= c->verb->most)
		return EXIT_DONE;
	cy_log(LOG_ERROR_, "%s arguments; usage: cyphonic %s%s%s %s",
	       c->words < c->verb->least ? "missing" : "too many", c->verb->name,
	       c->verb->sub ? " " : "", c->verb->sub ? c->verb->sub : "", c->verb->args);
	return EXIT_USAGE;
}

/* Bits of "as,nms"; 0 when a word is no role. */
static uint32_t role_bits(const char *list)
{
	char text[64], *word, *rest = NULL;
	uint32_t bits = 0, bit;

	snprintf(text, sizeof text, "%s", list);
	for (word = strtok_r(text, ",+", &rest); word; word = strtok_r(NULL, ",+", &rest)) {
		bit = config_role(word);
		if (!bit)
			return 0;
		bits |= bit;
	}
	return bits;
}

static const char *config_file(const struct call *c)
{
	return c->args.value[O_CONFIG] ? c->args.value[O_CONFIG] : CONFIG_FILE;
}

static int load_config(struct call *c, uint32_t *bits, FILE *errors)
{
	if (c->verb && c->verb->flags & NO_CONFIG && c->words && !c->args.value[O_CONFIG] &&
	    access(CONFIG_FILE, R_OK) != 0) {
		config_defaults(&c->conf);
		return EXIT_DONE;
	}
	*bits = c->role ? role_bits(c->role) : 0;
	if (c->role && !*bits) {
		cy_log(LOG_ERROR_, "--role=%.60s: roles are as, nms, trs, node, all", c->role);
		return EXIT_USAGE;
	}
	if (config_load(&c->conf, config_file(c), *bits, errors) == 0)
		return EXIT_DONE;
	if (c->verb && c->verb->flags & NO_CONFIG && !c->words)
		cy_log(LOG_ERROR_, "'cyphonic netcheck SERVER', a STUN server or a relay, needs no "
		       "configuration");
	return EXIT_FAILED;
}

/* ---- doing it ---- */

static int administer(struct call *c)
{
	char password[PROMPT_MAX], err[ERR] = "";
	struct admin a = {
		.conf = &c->conf, .word = c->word, .words = c->words, .kind = c->args.value[O_KIND],
		.now = (uint64_t)time(NULL), .json = c->args.value[O_JSON] != NULL, .out = stdout,
		.password.p = (const uint8_t *)password,
	};
	int status = EXIT_FAILED;

	if (c->verb->flags & PASSWORD)
		a.password.n = prompt_password(c->args.value[O_PASSWORD], c->word[0], password, err);
	if (!*err && !(c->verb->flags & NO_STORE))
		a.store = keep_store(&c->conf, err);
	if (*err)
		cy_log(LOG_ERROR_, "%s", err);
	else
		status = c->verb->admin(&a);
	wipe(password, sizeof password);
	if (a.store)
		store_close(a.store);
	return status;
}

static struct ask ask_of(const struct call *c)
{
	struct ask a = { .run = c->conf.run, .json = c->args.value[O_JSON] != NULL, .out = stdout };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cast); i++)
		if (c->verb->flags & NODE ? cast[i].role == &role_node :
					    config_role(cast[i].role->name) & c->conf.roles)
			a.role[a.roles++] = cast[i].role->name;
	return a;
}

static int back_up(struct call *c)
{
	return keep_backup(&c->conf, c->word[0], c->args.value[O_JSON] != NULL, stdout);
}

static int restore(struct call *c)
{
	return keep_restore(&c->conf, c->word[0], c->args.value[O_FORCE] != NULL,
			    c->args.value[O_JSON] != NULL, stdout);
}

static int ask_for_status(struct call *c)
{
	struct ask a = ask_of(c);

	a.watch = c->args.value[O_WATCH] != NULL;
	if (!args_seconds(&c->args, O_RATES, &a.interval) || !args_seconds(&c->args, O_WATCH, &a.interval))
		return EXIT_USAGE;
	return ask_status(&a);
}

static int repair_names(struct call *c)
{
	/* the device lives as long as the node's master */
	if (if_nametoindex(c->conf.node_tun)) {
		cy_log(LOG_ERROR_, "a node is running here with the TUN device %s: stop that one, which "
		       "takes everything back", c->conf.node_tun);
		return EXIT_FAILED;
	}
	return resolv_repair(&c->conf) ? EXIT_DONE : EXIT_FAILED;
}

static int ask_for_metrics(struct call *c)
{
	struct ask a = ask_of(c);

	return figures_show(&a, c->args.value[O_WRITE]);
}

static int make_bundle(struct call *c)
{
	struct ask a = ask_of(c);
	enum redaction how = REDACT_SOME;
	const char *text = c->args.value[O_REDACT];

	if (text && !redaction_parse(&how, text)) {
		cy_log(LOG_ERROR_, "--redact=%.40s: none, some or more", text);
		return EXIT_USAGE;
	}
	return bundle_write(&a, &c->conf, c->words ? c->word[0] : NULL, how);
}

static int ask_for_pong(struct call *c)
{
	struct ask a = ask_of(c);
	const char *text = c->args.value[O_COUNT] ? c->args.value[O_COUNT] : "1";
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (*end || *text < '0' || *text > '9' || count < 1 || count > 1000000) {
		cy_log(LOG_ERROR_, "--count=%.40s: a number from 1 to 1000000", text);
		return EXIT_USAGE;
	}
	return ask_ping(&a, c->word[0], (unsigned)count);
}

static int tell_relay(struct call *c)
{
	struct ask a = ask_of(c);

	a.role[0] = role_trs.name;
	a.roles = 1;
	return ask_relay(&a, c->verb->sub);
}

static int check_network(struct call *c)
{
	struct survey s = { .conf = &c->conf, .word = c->word, .words = c->words,
			    .json = c->args.value[O_JSON] != NULL, .out = stdout };

	return survey_run(&netcheck_protocol, &s);
}

static int run_daemon(struct call *c, uint32_t bits)
{
	struct master_plan plan = { .conf = &c->conf, .role_bits = bits, .call = call_me,
				    .argv = c->argv };
	char names[64] = "", program[PATH_MAX] = "";
	size_t i, n = 0;

	for (i = 0; i < ARRAY_SIZE(cast); i++) {
		if (!(config_role(cast[i].role->name) & c->conf.roles))
			continue;
		plan.role[plan.roles] = cast[i].role;
		plan.helper[plan.roles++] = cast[i].helper;
		n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? "+" : "",
				      cast[i].role->name);
	}
	plan.names = names;
	/* now: when the file has been replaced, the link no longer says where it was */
	if (readlink("/proc/self/exe", program, sizeof program - 1) > 0)
		plan.program = program;
	else
		plan.program = c->argv[0];
	plan.board = board_new();
	if (!plan.board) {
		cy_log(LOG_ERROR_, "out of memory");
		return EXIT_FAILED;
	}
	plan.board->level = c->conf.log_level;
	log_open(&sink, plan.board, c->conf.log_format);
	call_me("master");
	atexit(last_words);
	return master_run(&plan);
}

static int test_config(struct call *c)
{
	char *lines = NULL, err[ERR];
	struct owner owner;
	size_t n = 0;
	FILE *errors = open_memstream(&lines, &n);
	uint32_t bits;
	int status = errors ? load_config(c, &bits, errors) : EXIT_FAILED;

	if (!status && !owner_find(&owner, c->conf.user, err)) {
		fprintf(errors, "%s: %s\n", c->conf.file, err);
		status = EXIT_FAILED;
	}
	if (errors && fclose(errors) == 0 && status != EXIT_USAGE)
		check_print(config_file(c), lines, c->args.value[O_JSON] != NULL);
	free(lines);
	return status;
}

static int perform(struct call *c)
{
	struct ask a;
	uint32_t bits;
	int status;

	if (c->verb && c->verb->print) {
		c->verb->print(stdout);
		return EXIT_DONE;
	}
	if (c->verb && c->verb->complete) {
		with_tables(show_completion, (void *)(uintptr_t)c->verb);
		return EXIT_DONE;
	}
	if (c->args.value[O_TEST])
		return test_config(c);
	status = load_config(c, &bits, stderr);
	if (status)
		return status;
	if (!c->verb)
		return run_daemon(c, bits);
	if (!c->verb->ask)
		return c->verb->admin ? administer(c) : c->verb->run(c);
	a = ask_of(c);
	return c->verb->ask(&a, c->words ? c->word[0] : NULL);
}

/* "trs drain" and "trs resume": a verb that begins like a role. */
static bool is_of_a_verb(const char *const *word, unsigned words)
{
	unsigned i;

	for (i = 0; words > 1 && i < ARRAY_SIZE(verb); i++)
		if (verb[i].sub && strcmp(verb[i].name, word[0]) == 0 &&
		    strcmp(verb[i].sub, word[1]) == 0)
			return true;
	return false;
}

/* "cyphonic node": the role first, then perhaps a verb. */
static void take_role(struct call *c)
{
	c->role = c->args.value[O_ROLE];
	c->word = c->args.word;
	c->words = c->args.words;
	if (!c->role && c->words && config_role(c->word[0]) && !is_of_a_verb(c->word, c->words)) {
		c->role = *c->word++;
		c->words--;
	}
}

static bool is_cast_twice(const struct call *c)
{
	bool twice = c->role && c->words && config_role(c->word[0]) &&
		     !is_of_a_verb(c->word, c->words);

	if (twice)
		cy_log(LOG_ERROR_, "two roles are given: '%.60s' and '%.60s'", c->role, c->word[0]);
	return twice;
}

static int obey(struct call *c)
{
	int status;

	if (c->args.value[O_HELP]) {
		with_tables(show_help, NULL);
		return EXIT_DONE;
	}
	if (c->args.value[O_VERSION]) {
		if (c->args.value[O_JSON])
			printf("{\"schema\": \"cyphonic.version.v1\", \"version\": \"%s\"}\n", CYPHONIC_VERSION);
		else
			printf("cyphonic %s\n", CYPHONIC_VERSION);
		return EXIT_DONE;
	}
	take_role(c);
	if (!standard_files() || is_cast_twice(c))
		return EXIT_USAGE;
	status = c->words ? find_verb(c) : EXIT_DONE;
	if (!status && !args_fit(&c->args, c->verb ? c->verb->name : c->args.value[O_TEST] ? "test" : ""))
		status = EXIT_USAGE;
	return status ? status : perform(c);
}

int main(int argc, char **argv)
{
	struct call call = { .args = { .option = option, .options = OPTIONS }, .argv = argv };
	int status = args_read(&call.args, argc, argv) ? obey(&call) : EXIT_USAGE;

	if (fflush(stdout) != 0 || ferror(stdout)) {
		cy_log(LOG_ERROR_, "cannot write the result");
		return EXIT_FAILED;
	}
	return status;
}

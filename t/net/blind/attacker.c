/*
 * attacker.c - who owns every service and every wire, and wants to read what two nodes say to each
 * other.  Prints what came of it, one line each; 'recovered' is the one that must be 0.
 *
 *	attacker STATE RECOVERED CAPTURE... [-- MEMORY...]
 *
 * STATE is a copy of the services' state directory, RECOVERED the file for application data,
 * MEMORY what a process had in it.
 */
#include "t/net/blind/attacker.h"
#include "crypto/cert.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

void cy_log(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

_Noreturn void too_many(const char *what)
{
	fprintf(stderr, "attacker: too many %s\n", what);
	exit(2);
}

uint8_t *read_file(const char *name, size_t *n)
{
	FILE *f = fopen(name, "re");
	uint8_t *p = NULL;
	long size = -1;

	if (f && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size >= 0) {
		rewind(f);
		p = malloc((size_t)size + 1);
	}
	if (!p || fread(p, 1, (size_t)size, f) != (size_t)size) {
		fprintf(stderr, "attacker: %s: %s\n", name, strerror(errno));
		exit(2);
	}
	fclose(f);
	*n = (size_t)size;
	return p;
}

void learn(struct attack *a, const char *what, const void *b, size_t n)
{
	struct value *v;
	unsigned i;

	for (i = 0; i < a->values; i++)
		if (a->value[i].n == n && memcmp(a->value[i].b, b, n) == 0)
			return;
	if (a->values == VALUES)
		too_many("keys");
	v = &a->value[a->values++];
	snprintf(v->what, sizeof v->what, "%s", what);
	memcpy(v->b, b, n);
	v->n = n;
}

void learn_public(struct attack *a, const char *whose, const uint8_t b[32])
{
	struct public *k;
	unsigned i;

	for (i = 0; i < a->publics; i++)
		if (memcmp(a->public[i].b, b, 32) == 0)
			return;
	if (a->publics == PUBLICS)
		too_many("public keys");
	k = &a->public[a->publics++];
	snprintf(k->whose, sizeof k->whose, "%s", whose);
	memcpy(k->b, b, 32);
}

void recover(struct attack *a, const uint8_t *p, size_t n)
{
	a->recovered += n;
	fwrite(p, 1, n, a->out);
}

/* ---- the store ---- */

static bool take_device(void *arg, const struct device *d)
{
	struct attack *a = arg;
	struct cert_info cert;
	char err[256];

	if (a->devices == DEVICES)
		too_many("devices");
	a->device[a->devices++] = *d;
	if (d->key_expiry)
		learn(a, "Common Key", d->common_key.b, sizeof d->common_key.b);
	if (d->cert_len && cert_read(&cert, d->cert, d->cert_len, err))
		learn_public(a, d->fqdn, cert.x25519);
	return true;
}

static void read_store(struct attack *a, const char *dir)
{
	static const uint8_t boot_id[16];
	struct secret_common_value scv;
	size_t n = sizeof scv.b;
	struct store *s;
	char err[256];

	s = store_open(dir, STORE_WRITE, 0, 0, boot_id, err);
	if (!s || device_each(s, take_device, a) != STORE_OK) {
		fprintf(stderr, "attacker: %s: %s\n", dir, s ? store_error(s) : err);
		exit(2);
	}
	printf("common keys: %u\n", a->values);
	if (meta_get(s, "secret-common-value", scv.b, &n) == STORE_OK)
		learn(a, "SecretCommonValue", scv.b, n);
	store_close(s);
}

/* ---- the report ---- */

static void say_signalling(const struct attack *a)
{
	printf("messages: %zu\n", a->captures.n);
	printf("signalling opened: %llu\n", (unsigned long long)a->opened);
	printf("signalling unopened: %llu\n", (unsigned long long)a->unopened);
	printf("route directions: %llu\n", (unsigned long long)a->routes);
	printf("relay requests: %llu\n", (unsigned long long)a->relays);
	printf("tunnel requests: %llu\n", (unsigned long long)a->requests);
	printf("tunnel responses: %llu\n", (unsigned long long)a->responses);
	printf("tunnel keys: %llu\n", (unsigned long long)a->tunnel_keys);
	printf("end keys: %llu\n", (unsigned long long)a->end_keys);
	printf("public keys: %u\n", a->publics);
}

static void say_streams(const struct attack *a)
{
	uint64_t capsules = 0, octets = 0;
	unsigned i, open = 0;

	for (i = 0; i < a->streams; i++) {
		capsules += a->stream[i].capsules;
		octets += a->stream[i].octets;
		open += a->stream[i].open;
	}
	printf("capsules: %llu\n", (unsigned long long)capsules);
	printf("capsule octets: %llu\n", (unsigned long long)octets);
	printf("streams: %u\n", a->streams);
	printf("streams opened: %u\n", open);
	printf("keys tried: %llu\n", (unsigned long long)a->tried);
	printf("private keys: %llu\n", (unsigned long long)a->privates);
	printf("plain octets: %llu\n", (unsigned long long)a->plain);
	printf("recovered: %llu\n", (unsigned long long)a->recovered);
}

/* ---- the story ---- */

/* What no key fitted, and what was inside where one did; of capsules the outside alone. */
static void search_messages(struct attack *a)
{
	const struct captures *c = &a->captures;
	char where[64];
	size_t i;

	for (i = 0; i < c->n; i++) {
		const struct message *m = &c->m[i];

		snprintf(where, sizeof where, "in a captured %s",
			 m->parsed ? type_name(m->h.type) : "datagram");
		if (m->opened)
			search(a, where, m->plain, m->plain_n);
		else if (!m->parsed || m->h.type != TYPE_CAPSULE)
			search(a, where, m->p, m->n);
	}
}

static void search_memory(struct attack *a, const char *name)
{
	uint64_t before = a->tried;
	size_t n;
	uint8_t *p = read_file(name, &n);

	search(a, name, p, n);
	printf("memory: %s: %zu octets, %llu keys tried\n", name, n,
	       (unsigned long long)(a->tried - before));
	free(p);
}

static int end(struct attack *a)
{
	int status = fclose(a->out) ? 2 : 0;
	size_t i;

	for (i = 0; i < a->captures.n; i++)
		free(a->captures.m[i].plain);
	for (i = 0; i < a->captures.files; i++)
		free(a->captures.file[i]);
	for (i = 0; i < a->streams; i++)
		aead_free(&a->stream[i].fit.key);
	free(a->captures.m);
	free(a->stream);
	free(a->seen);
	free(a->tried_before);
	free(a);
	return status;
}

int main(int argc, char **argv)
{
	struct attack *a = calloc(1, sizeof *a);
	int i;

	a->out = argc > 3 ? fopen(argv[2], "we") : NULL;
	if (!a->out) {
		fprintf(stderr, "usage: attacker STATE RECOVERED CAPTURE... [-- MEMORY...]%s%s\n",
			argc > 3 ? "\nRECOVERED: " : "", argc > 3 ? strerror(errno) : "");
		return 2;
	}
	setlinebuf(stdout);
	read_store(a, argv[1]);
	for (i = 3; i < argc && strcmp(argv[i], "--") != 0; i++)
		captures_read(a, argv[i]);
	signalling_open(a);
	say_signalling(a);
	streams_find(a);
	try_known(a);
	for (i++; i < argc; i++)
		search_memory(a, argv[i]);
	search_messages(a);
	streams_read(a);
	say_streams(a);
	return end(a);
}

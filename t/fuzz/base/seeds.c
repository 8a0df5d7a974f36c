/*
 * seeds.c - first inputs for the fuzz targets, from a real run of the simulator: what every
 * message, record, certificate and login was before it was sealed.  `make fuzz-seeds`.
 */
#include "crypto/tls.h"
#include "net/proto/wire.h"
#include "roles/as_notes.h"
#include "store/db.h"
#include "t/sim/lab.h"
#include <stdlib.h>
#include <sys/stat.h>

void cy_log(enum log_level level, const char *fmt, ...)
{
}

/* ---- writing ---- */

static const char *directory;

struct seed {
	size_t n;
	uint8_t p[16384];
};

static void add(struct seed *s, const void *p, size_t n)
{
	if (n > sizeof s->p - s->n)
		abort();
	memcpy(s->p + s->n, p, n);
	s->n += n;
}

static void add_octets(struct seed *s, unsigned count, const uint8_t *p)
{
	add(s, p, count);
}

#define OCTETS(s, ...) add_octets(s, sizeof(uint8_t[]){ __VA_ARGS__ }, (uint8_t[]){ __VA_ARGS__ })

static void add_piece(struct seed *s, const void *p, size_t n)
{
	OCTETS(s, (uint8_t)n, (uint8_t)(n >> 8));
	add(s, p, n);
}

/* One of each name is enough. */
static void save(const struct seed *s, const char *target, const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", directory, target);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
	f = fopen(path, "wbx");
	if (!f)
		return;
	if (fwrite(s->p, 1, s->n, f) != s->n || fclose(f) != 0)
		abort();
}

/* ---- messages ---- */

static void message(const struct msg_header *h, const uint8_t *header, const void *body, size_t n,
		    const char *name)
{
	static const uint8_t order[] = { TYPE_CAPSULE, TYPE_REGISTRATION_RESPONSE,
		TYPE_KEEP_ALIVE_ACK, TYPE_ROUTE_DIRECTION_R, TYPE_ROUTE_DIRECTION_I,
		TYPE_NODE_INFO_RESPONSE, TYPE_REFUSAL, TYPE_TUNNEL_REQUEST, TYPE_TUNNEL_RESPONSE };
	struct seed wire = { 0 }, body_only = { 0 }, nms = { 0 }, node = { 0 }, tunnel = { 0 };
	const uint8_t *at = memchr(order, h->type, sizeof order);
	uint8_t tag[TAG_SIZE] = { 0 };

	add(&wire, header, HEADER_SIZE);
	add(&wire, body, n);
	add(&wire, tag, sizeof tag);
	save(&wire, "wire", name);
	add(&body_only, body, n);
	save(&body_only, "wire", strcat(strcpy((char[80]){ 0 }, name), "-body"));
	if (type_key(h->type) == KEY_COMMON) {
		OCTETS(&nms, h->type == TYPE_REGISTRATION_REQUEST ? 0x32 : 0x30, h->type, 0, 1);
		add_piece(&nms, body, n);
		save(&nms, "nms", name);
	} else {
		OCTETS(&tunnel, h->type == TYPE_TUNNEL_REQUEST ? 0 :
				h->type == TYPE_TUNNEL_RESPONSE ? 3 : h->flags & FLAG_DIRECTION ? 4 : 2,
		       4, h->type == TYPE_CAPSULE ? h->count : h->type == TYPE_TUNNEL_REQUEST ? 129 : 128,
		       h->flags, 0, 0);
		add_piece(&tunnel, body, n);
		save(&tunnel, "tunnel", name);
	}
	if (at) {
		OCTETS(&node, h->type == TYPE_REGISTRATION_RESPONSE ? 1 :
			      type_key(h->type) == KEY_COMMON ? 2 : 3,
		       (uint8_t)((at - order) << 4 | 6), 0);
		add_piece(&node, body, n);
		save(&node, "node", name);
	}
}

void __real_aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);
void __wrap_aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len);

void __wrap_aead_seal(const struct aead *a, uint8_t *out, const uint8_t nonce[AEAD_NONCE],
		      const uint8_t *in, size_t n, const uint8_t *ad, size_t ad_len)
{
	struct msg_header h;
	char name[64];

	if (ad_len == HEADER_SIZE && msg_read_header(&h, ad, ad_len) >= 0 &&
	    h.version == PROTO_VERSION) {
		snprintf(name, sizeof name, "%s", type_name(h.type));
		if (h.type == TYPE_CAPSULE && n)
			snprintf(name, sizeof name, "capsule-%02x-%02x-%02x", h.flags, in[0], in[9 % n]);
		message(&h, ad, in, n, name);
	}
	__real_aead_seal(a, out, nonce, in, n, ad, ad_len);
}

/* ---- logins ---- */

bool __real_tls_write(struct tls *t, const uint8_t *in, size_t n);
bool __wrap_tls_write(struct tls *t, const uint8_t *in, size_t n);

bool __wrap_tls_write(struct tls *t, const uint8_t *in, size_t n)
{
	struct seed s = { 0 }, helper = { 0 }, wire = { 0 }, node = { 0 };
	bool request = in[6] == TYPE_LOGIN_REQUEST;
	uint8_t head[AS_REQUEST_HEAD] = { AS_LOGIN, 0x80 };

	OCTETS(&s, 0);
	add_piece(&s, in, n);
	save(&s, request ? "as" : "login", "login");
	add(&wire, in + HEADER_SIZE, n - HEADER_SIZE);
	save(&wire, "wire", request ? "login_request-body" : "login_response-body");
	if (request) {
		put64(head + sizeof head - 8, 1800000000000);
		add(&helper, head, sizeof head);
		add(&helper, in + HEADER_SIZE, n - HEADER_SIZE);
		save(&helper, "helper", "login");
	} else {
		OCTETS(&node, 0, 2);
		add_piece(&node, in, n);
		save(&node, "node", "login");
	}
	return __real_tls_write(t, in, n);
}

/* ---- records and certificates ---- */

enum store_result __real_db_put(struct db *db, const struct key *key, struct record *r);
enum store_result __wrap_db_put(struct db *db, const struct key *key, struct record *r);

enum store_result __wrap_db_put(struct db *db, const struct key *key, struct record *r)
{
	static const char kinds[] = "adirm";
	const char *at = strchr(kinds, key->b[0]);
	struct seed s = { 0 };

	if (at) {
		OCTETS(&s, (uint8_t)(at - kinds));
		add(&s, r->b, r->at);
		save(&s, "record", (char[2]){ *at, 0 });
	}
	return __real_db_put(db, key, r);
}

size_t __real_ca_issue(struct ca *ca, struct bytes csr, const char *fqdn, const uint8_t *ip4,
		       const uint8_t *ip6, bool server, uint64_t not_before, uint64_t not_after,
		       uint8_t out[CERT_MAX], char *err);
size_t __wrap_ca_issue(struct ca *ca, struct bytes csr, const char *fqdn, const uint8_t *ip4,
		       const uint8_t *ip6, bool server, uint64_t not_before, uint64_t not_after,
		       uint8_t out[CERT_MAX], char *err);

size_t __wrap_ca_issue(struct ca *ca, struct bytes csr, const char *fqdn, const uint8_t *ip4,
		       const uint8_t *ip6, bool server, uint64_t not_before, uint64_t not_after,
		       uint8_t out[CERT_MAX], char *err)
{
	size_t n = __real_ca_issue(ca, csr, fqdn, ip4, ip6, server, not_before, not_after, out, err);
	struct seed leaf = { 0 }, request = { 0 }, roots = { 0 };

	OCTETS(&leaf, 0);
	add(&leaf, out, n);
	save(&leaf, "cert", server ? "server" : "leaf");
	OCTETS(&request, 1);
	add(&request, csr.p, csr.n);
	save(&request, "cert", "request");
	OCTETS(&roots, 2);
	add(&roots, ca_root(ca).p, ca_root(ca).n);
	add(&roots, ca_issuer(ca).p, ca_issuer(ca).n);
	save(&roots, "cert", "roots");
	return n;
}

static void key_file(const char *state)
{
	struct seed key = { 0 }, file = { 0 };
	char path[512], text[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "%.400s/node.key", state);
	f = fopen(path, "r");
	if (!f)
		abort();
	n = fread(text, 1, sizeof text, f);
	fclose(f);
	OCTETS(&key, 3);
	add(&key, text, n);
	save(&key, "cert", "key");
	OCTETS(&file, 2);
	add(&file, text, n);
	save(&file, "files", "node-key");
}

static void soon(struct config *c)
{
	c->node_rekey_packets = 1024;
	c->node_idle = 30000;
}

int main(int argc, char **argv)
{
	struct lab *l;
	unsigned i;

	if (argc != 2)
		return 1;
	directory = argv[1];
	l = lab_new(&(struct lab_wish){ .seed = 1, .computers = 2, .tune = soon });
	if (!lab_start_all(l, 5 * SEC))
		return 1;
	for (i = 0; i < 10; i++) {
		computer_ping(&l->computer[0], &l->computer[1], 4, SEC);
		computer_ping(&l->computer[1], &l->computer[0], 6, SEC);
	}
	for (i = 0; i < 1200; i++)
		computer_data(&l->computer[0], &l->computer[1], 4, i, 40);
	world_run(l->world, 5 * SEC);
	cloud_stop(l);
	cloud_start(l);
	world_run(l->world, 60 * SEC);
	key_file(l->computer[0].node->conf.state);
	process_leave(l->computer[0].node);
	lab_free(l);
	return 0;
}

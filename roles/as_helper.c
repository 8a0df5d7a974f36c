/*
 * as_helper.c - the AS's slow half, in the helper process: it alone holds the CA key and reads
 * password hashes.  One Login Request in, one Login Response out; what it says is in the
 * store before it is said (the process around it commits first).
 */
#include "crypto/cert.h"
#include "net/proto/wire.h"
#include "net/role.h"
#include "roles/as_notes.h"
#include "store/config.h"
#include "store/store.h"
#include <stdio.h>
#include <stdlib.h>

#define BACKDATE 3600		/* s: a certificate holds a little before now, for clocks that lag */
#define AS_CERT_LIFE (365ull * 86400)

struct as_helper {
	const struct config *conf;
	struct store *store;
	struct ca *ca;
	struct secret_common_value scv;
	struct identity tls_key;		/* of the AS's own TLS certificate */
	uint8_t tls_cert[CERT_MAX];
	size_t tls_cert_len;
	struct password_hash nobody;		/* checked when there is no such account, to take as long */
};

static bool make_tls_cert(struct as_helper *h, uint64_t now_s, char *err)
{
	char name[NAME_SIZE];
	uint8_t csr[2048];
	size_t n;

	if (snprintf(name, sizeof name, "as.%s", h->conf->domain) >= (int)sizeof name) {
		snprintf(err, 256, "domain '%.200s' is too long for the name as.DOMAIN", h->conf->domain);
		return false;
	}
	identity_make(&h->tls_key);
	n = identity_csr(&h->tls_key, name, csr, sizeof csr);
	h->tls_cert_len = ca_issue(h->ca, (struct bytes){ csr, n }, name, NULL, NULL, true,
				   now_s - BACKDATE, now_s + AS_CERT_LIFE, h->tls_cert, err);
	return h->tls_cert_len > 0;
}

static void helper_close(void *self)
{
	struct as_helper *h = self;

	ca_free(h->ca);
	wipe(h, sizeof *h);
	free(h);
}

static void *helper_open(const struct config *conf, struct store *store, struct now now, char *err)
{
	struct as_helper *h = calloc(1, sizeof *h);
	char dir[300];

	if (!h)
		abort();
	h->conf = conf;
	h->store = store;
	snprintf(dir, sizeof dir, "%s/ca", conf->state);
	h->ca = ca_open(dir, conf->domain, now.wall / SEC, err);
	random_bytes(h->scv.b, sizeof h->scv.b);
	if (h->ca && meta_first(store, "secret-common-value", h->scv.b, sizeof h->scv.b) != STORE_OK) {
		snprintf(err, 256, "store in %.100s: %.100s", conf->state, store_error(store));
	} else if (h->ca && password_make(&h->nobody, "", 0, (uint8_t)conf->scrypt_cost) &&
		   make_tls_cert(h, now.wall / SEC, err)) {
		as_local_relay(conf, store, ca_root(h->ca), now);
		return h;
	}
	helper_close(h);
	return NULL;
}

static size_t put_der(uint8_t *p, const void *der, size_t n)
{
	put16(p, (uint16_t)n);
	memcpy(p + 2, der, n);
	return 2 + n;
}

static size_t credentials(const struct as_helper *h, uint8_t *p)
{
	struct bytes issuer = ca_issuer(h->ca), root = ca_root(h->ca);
	size_t n = sizeof h->tls_key;

	memcpy(p, &h->tls_key, n);
	n += put_der(p + n, h->tls_cert, h->tls_cert_len);
	n += put_der(p + n, issuer.p, issuer.n);
	n += put_der(p + n, root.p, root.n);
	return n;
}

static bool copy_text(char *out, size_t size, struct bytes in)
{
	if (in.n == 0 || in.n >= size || memchr(in.p, '\0', in.n))
		return false;
	memcpy(out, in.p, in.n);
	out[in.n] = '\0';
	return true;
}

/* Not the client's fault: it is told to come again, and the log says what to mend. */
static uint16_t unreadable(const struct as_helper *h)
{
	cy_log(LOG_ERROR_, "a login could not be looked up: %s", store_error(h->store));
	return REASON_INTERNAL;
}

static const char *kind_name(uint8_t kind)
{
	return kind == DEVICE_TRS ? "trs" : kind == DEVICE_NODE ? "node" : "device of another kind";
}

/* Who is it, and may it come in?  0 and the device, or the reason why not. */
static uint16_t authenticate(struct as_helper *h, const struct msg_login_request *m,
			     struct device *d)
{
	char id[ACCOUNT_SIZE], label[64], fqdn[64 + NAME_SIZE];
	enum store_result r = STORE_MISSING;
	struct account a;
	bool known, right;

	if (m->auth != 1 || (m->kind != DEVICE_NODE && m->kind != DEVICE_TRS))
		return REASON_UNSUPPORTED;
	if (copy_text(id, sizeof id, m->account))
		r = account_get(h->store, id, &a);
	known = r == STORE_OK;
	right = password_check(known ? &a.password : &h->nobody, m->password.p, m->password.n);
	wipe(&a.password, sizeof a.password);
	if (r != STORE_OK && r != STORE_MISSING)
		return unreadable(h);
	if (!known || !right || !copy_text(label, sizeof label, m->device))
		return REASON_BAD_LOGIN;
	snprintf(fqdn, sizeof fqdn, "%s.%s", label, h->conf->domain);
	r = name_canonical(fqdn, fqdn) ? device_by_fqdn(h->store, fqdn, d) : STORE_MISSING;
	if (r != STORE_OK && r != STORE_MISSING)
		return unreadable(h);
	if (r != STORE_OK || strcmp(d->owner, id) != 0)
		return REASON_BAD_LOGIN;
	if (a.disabled || d->disabled)
		return REASON_DISABLED;
	if (d->kind == m->kind)
		return 0;
	cy_log(LOG_WARN, "%s wants to log in as a %s and is a %s: delete the device and add it with "
	       "--kind=%s", d->fqdn, kind_name(m->kind), kind_name(d->kind), kind_name(m->kind));
	return REASON_UNSUPPORTED;
}

/* Certificate and Common Key of this login, written to the store. */
static uint16_t renew(struct as_helper *h, const struct msg_login_request *m, uint64_t cloud,
		      struct device *d)
{
	uint64_t s = cloud / 1000;
	char err[256];

	if (m->csr.n) {
		d->cert_len = (uint16_t)ca_issue(h->ca, m->csr, d->fqdn, d->ip4, d->ip6, false,
						 s - BACKDATE, s + h->conf->cert_lifetime / 1000,
						 d->cert, err);
		if (!d->cert_len)
			cy_log(LOG_WARN, "no certificate for %s: %s", d->fqdn, err);
	}
	/* a relay has nothing to prove to nodes */
	if (!d->cert_len && d->kind != DEVICE_TRS)
		return REASON_BAD_REQUEST;
	random_bytes(d->common_key.b, sizeof d->common_key.b);
	d->key_expiry = cloud + h->conf->key_lifetime;
	d->last_login = s;
	if (device_put(h->store, d, false) == STORE_OK)
		return 0;
	cy_log(LOG_ERROR_, "login of %s could not be stored: %s", d->fqdn, store_error(h->store));
	return REASON_INTERNAL;
}

static void fill_response(const struct as_helper *h, const struct device *d, uint64_t cloud,
			  struct msg_login_response *r)
{
	const struct config *conf = h->conf;
	const struct address_list *nms = &conf->as_nms;
	unsigned i;

	r->cipher = 1;
	r->cloud_time = cloud;
	r->expiry = d->key_expiry;
	r->node_id = d->node_id;
	memcpy(r->common_key, d->common_key.b, 16);
	memcpy(r->secret_common_value, h->scv.b, 16);
	memcpy(r->ip4, d->ip4, 4);
	memcpy(r->ip6, d->ip6, 16);
	memcpy(r->net4, conf->virtual4.ip, 4);
	r->bits4 = conf->virtual4.bits;
	memcpy(r->net6, conf->virtual6.ip, 16);
	r->bits6 = conf->virtual6.bits;
	r->keepalive = (uint32_t)conf->keepalive;
	strcpy(r->fqdn, d->fqdn);
	strcpy(r->domain, conf->domain);
	for (i = 0; i < nms->n; i++) {
		struct msg_address *a = &r->nms[r->nms_n++];

		a->kind = ADDRESS_SERVICE;
		a->family = nms->a[i].family;
		a->port = nms->a[i].port;
		memcpy(a->ip, nms->a[i].ip, 16);
	}
	r->certificate = (struct bytes){ d->cert, d->cert_len };
	r->issuer = ca_issuer(h->ca);
	r->root = ca_root(h->ca);
}

static size_t login(struct as_helper *h, uint64_t cloud, struct bytes request, uint8_t *out,
		    size_t cap)
{
	struct msg_login_response *r = calloc(1, sizeof *r);
	struct msg_login_request m;
	struct device d;
	size_t n;

	if (!r)
		abort();
	memset(&d, 0, sizeof d);
	if (msg_read_login_request(&m, request.p, request.n) != (long)request.n)
		r->result = REASON_BAD_REQUEST;
	else
		r->result = authenticate(h, &m, &d);
	if (!r->result)
		r->result = renew(h, &m, cloud, &d);
	if (!r->result)
		fill_response(h, &d, cloud, r);
	cy_log(LOG_INFO, "login of %s: %s", d.fqdn[0] ? d.fqdn : "a stranger",
	       reason_name(r->result));
	n = msg_write_login_response(out, cap, r);
	wipe(&d, sizeof d);
	wipe(r, sizeof *r);
	free(r);
	return n;
}

static size_t helper_serve(void *self, struct now now, struct bytes request, uint8_t *answer,
			   size_t cap)
{
	struct as_helper *h = self;
	struct bytes body;
	size_t n = 0;

	if (request.n < AS_REQUEST_HEAD || cap < HELPER_MESSAGE_MAX)
		return 0;
	body.p = request.p + AS_REQUEST_HEAD;
	body.n = request.n - AS_REQUEST_HEAD;
	memcpy(answer, request.p, AS_ANSWER_HEAD);
	if (request.p[0] == AS_CREDENTIALS)
		n = credentials(h, answer + AS_ANSWER_HEAD);
	else if (request.p[0] == AS_LOGIN)
		n = login(h, get64(request.p + AS_ANSWER_HEAD), body, answer + AS_ANSWER_HEAD, cap - AS_ANSWER_HEAD);
	return n ? AS_ANSWER_HEAD + n : 0;
}

/* The node may come again at once: nothing of its login is left. */
static size_t helper_unkept(void *self, struct now now, uint8_t *answer, size_t n, size_t cap)
{
	struct msg_login_response *r;
	size_t body;

	if (answer[0] != AS_LOGIN)
		return n;
	wipe(answer + AS_ANSWER_HEAD, n - AS_ANSWER_HEAD);
	r = calloc(1, sizeof *r);
	if (!r)
		abort();
	r->result = REASON_INTERNAL;
	body = msg_write_login_response(answer + AS_ANSWER_HEAD, cap - AS_ANSWER_HEAD, r);
	free(r);
	return body ? AS_ANSWER_HEAD + body : 0;
}

const struct helper helper_as = {
	.open = helper_open,
	.serve = helper_serve,
	.unkept = helper_unkept,
	.close = helper_close,
};

/*
 * load.c - many nodes at once, for `make bench`: registers at a running NMS as fast as that answers.
 *
 *	load prepare STATE COUNT	makes so many devices with Common Keys, as after their login
 *	load run STATE ADDRESS SECONDS	registers them again and again; prints registrations a second
 *
 * One registration is all that a node does before it can be reached: Registration Request and
 * Response, Keep Alive with the challenge and its answer.  Some are always under way at once; what
 * is not answered in time is sent again, and counted.
 */
#include "crypto/cert.h"
#include "crypto/token.h"
#include "net/proto/outbox.h"
#include "net/proto/register.h"
#include "net/proto/session.h"
#include "store/store.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 64u		/* registrations under way; at most 256 */
#define PATIENCE_MS 200
#define BUFFER (4 * 1024 * 1024)

struct client {
	struct session session;
	uint64_t boot, challenge;	/* challenge: 0 while registering */
	uint32_t transaction;		/* its low octet is the slot */
};

struct load {
	int fd;
	struct addr own;
	struct tokens tokens;
	struct client *client;
	unsigned clients, taken;
	unsigned at[SLOTS];		/* the client whose turn it is */
	uint32_t requests;
	uint64_t done, again, refused;
};

void cy_log(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static uint64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct store *open_store(const char *dir, enum store_mode mode)
{
	static const uint8_t boot_id[16];
	char err[256];
	struct store *s = store_open(dir, mode, 0, 0, boot_id, err);

	if (!s)
		fprintf(stderr, "%s\n", err);
	return s;
}

/* ---- prepare ---- */

static bool add_device(struct store *s, unsigned number)
{
	static const uint8_t net4[4] = { 198, 18 }, net6[16] = { 0xfd, 1 };
	struct device d = { .kind = DEVICE_NODE, .owner = "load" };

	snprintf(d.fqdn, sizeof d.fqdn, "load-%u.cyphonic.internal", number);
	node_id_of(&d.node_id, d.fqdn);
	random_bytes(d.common_key.b, sizeof d.common_key.b);
	d.key_expiry = clock_ms(CLOCK_REALTIME) + 86400000;
	return device_addresses(s, net4, 15, net6, d.ip4, d.ip6) == STORE_OK &&
	       device_put(s, &d, true) == STORE_OK;
}

static int prepare(const char *dir, unsigned count)
{
	struct store *s = open_store(dir, STORE_WRITE);
	unsigned i;
	bool good = s && store_begin(s) == STORE_OK;

	for (i = 0; good && i < count; i++)
		good = add_device(s, i);
	good = good && store_end(s, true) == STORE_OK;
	if (s && !good)
		fprintf(stderr, "device %u: %s\n", i, store_error(s));
	if (s)
		store_close(s);
	return !good;
}

/* ---- run ---- */

static bool count_device(void *arg, const struct device *d)
{
	struct load *l = arg;

	l->clients += strcmp(d->owner, "load") == 0;
	return true;
}

static bool take_device(void *arg, const struct device *d)
{
	struct load *l = arg;

	if (strcmp(d->owner, "load") == 0 && l->taken < l->clients)
		session_common(&l->client[l->taken++].session, &d->common_key, &d->node_id, false);
	return true;
}

static bool read_store(struct load *l, const char *dir)
{
	struct store *s = open_store(dir, STORE_WRITE);
	struct secret_common_value scv;
	size_t n = sizeof scv.b;
	bool good;

	if (!s)
		return false;
	good = meta_get(s, "secret-common-value", scv.b, &n) == STORE_OK &&
	       device_each(s, count_device, l) == STORE_OK && l->clients >= SLOTS;
	l->client = good ? calloc(l->clients, sizeof *l->client) : NULL;
	good = l->client && device_each(s, take_device, l) == STORE_OK && l->taken == l->clients;
	store_close(s);
	if (good)
		tokens_init(&l->tokens, &scv);
	else
		fprintf(stderr, "%s: not prepared\n", dir);
	return good;
}

static bool dial(struct load *l, const char *address)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(4501) };
	socklen_t n = sizeof at;
	int size = BUFFER;

	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
	    setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
	    connect(l->fd, (struct sockaddr *)&at, sizeof at) < 0 ||
	    getsockname(l->fd, (struct sockaddr *)&at, &n) < 0)
		return false;
	l->own.family = 4;
	l->own.port = ntohs(at.sin_port);
	memcpy(l->own.ip, &at.sin_addr, 4);
	return true;
}

static size_t request_body(const struct load *l, const struct client *c, uint8_t *body, size_t cap)
{
	struct msg_registration_request m = { .port = l->own.port, .boot = c->boot, .real_n = 1 };
	struct msg_keep_alive k = { .challenge = c->challenge };

	if (c->challenge)
		return msg_write_keep_alive(body, cap, &k);
	m.real[0] = address_part(1, &l->own);
	return msg_write_registration_request(body, cap, &m);
}

/* Sends what this slot's client has to say now. */
static void say(struct load *l, unsigned slot)
{
	struct client *c = &l->client[l->at[slot]];
	uint64_t ms = clock_ms(CLOCK_REALTIME);
	uint8_t body[MSG_MAX_registration_request], p[DATAGRAM_MAX];
	size_t n = request_body(l, c, body, sizeof body);

	n = session_seal(&c->session, ms, c->transaction,
			 c->challenge ? TYPE_KEEP_ALIVE : TYPE_REGISTRATION_REQUEST,
			 tokens_at(&l->tokens, ms), body, n, p);
	if (send(l->fd, p, n, 0) < 0)
		perror("send");
}

/* A new request. */
static void speak(struct load *l, unsigned slot)
{
	l->client[l->at[slot]].transaction = l->requests++ << 8 | slot;
	say(l, slot);
}

static void next_client(struct load *l, unsigned slot)
{
	struct client *c;

	l->at[slot] += SLOTS;
	if (l->at[slot] >= l->clients)
		l->at[slot] = slot;
	c = &l->client[l->at[slot]];
	c->boot = random_u64() | 1;
	c->challenge = 0;
	speak(l, slot);
}

static void hear(struct load *l, uint8_t *p, size_t n)
{
	struct msg_registration_response m;
	struct msg_header h;
	struct bytes body;
	struct client *c;
	struct exts x;
	uint64_t stamp;
	unsigned slot;

	if (gate_check(p, n, &h, &x) != V_PASSED || (h.transaction & 0xff) >= SLOTS)
		return;
	slot = h.transaction & 0xff;
	c = &l->client[l->at[slot]];
	if (h.transaction != c->transaction || !id_equal(&h.id, &c->session.id) ||
	    session_open(&c->session, clock_ms(CLOCK_REALTIME), p, n, &h, &x, &body, &stamp) != V_PASSED)
		return;
	if (h.type == TYPE_REGISTRATION_RESPONSE && !c->challenge &&
	    msg_read_registration_response(&m, body.p, body.n) > 0) {
		c->challenge = m.challenge;
		speak(l, slot);
	} else if (h.type == TYPE_KEEP_ALIVE_ACK) {
		l->done++;
		next_client(l, slot);
	} else if (h.type == TYPE_REFUSAL) {
		l->refused++;
		next_client(l, slot);
	}
}

static void register_until(struct load *l, uint64_t end)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	uint8_t buf[2048];
	unsigned slot;

	while (clock_ms(CLOCK_MONOTONIC) < end) {
		if (poll(&p, 1, PATIENCE_MS) == 1) {
			ssize_t n;

			while ((n = recv(l->fd, buf, sizeof buf, MSG_DONTWAIT)) > 0)
				hear(l, buf, (size_t)n);
			continue;
		}
		for (slot = 0; slot < SLOTS; slot++)
			say(l, slot);
		l->again += SLOTS;
	}
}

static int run(const char *dir, const char *address, unsigned seconds)
{
	struct load l = { .fd = -1 };
	uint64_t begin, idle;
	double took, busy;
	unsigned slot;

	if (!read_store(&l, dir) || !dial(&l, address))
		return 1;
	begin = clock_ms(CLOCK_MONOTONIC);
	idle = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	for (slot = 0; slot < SLOTS; slot++) {
		l.at[slot] = slot;
		l.client[slot].boot = random_u64() | 1;
		speak(&l, slot);
	}
	register_until(&l, begin + seconds * 1000);
	took = (double)(clock_ms(CLOCK_MONOTONIC) - begin);
	busy = (double)(clock_ms(CLOCK_PROCESS_CPUTIME_ID) - idle);
	printf("%.0f a second (%u nodes, %llu sent again, %llu refused; the load takes %.0f %% of a core)\n",
	       (double)l.done * 1000 / took, l.clients, (unsigned long long)l.again,
	       (unsigned long long)l.refused, busy * 100 / took);
	free(l.client);
	close(l.fd);
	return l.done == 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "prepare") == 0)
		return prepare(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 5 && strcmp(argv[1], "run") == 0)
		return run(argv[2], argv[3], (unsigned)atoi(argv[4]));
	fprintf(stderr, "usage: load prepare STATE COUNT | load run STATE ADDRESS SECONDS\n");
	return 2;
}

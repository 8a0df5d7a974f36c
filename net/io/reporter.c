/* reporter.c - few clients, one at a time, none for long. */
#include "net/io/reporter.h"
#include "net/io/door.h"
#include "net/io/http.h"
#include "net/io/loop.h"
#include "net/io/scrape.h"
#include "store/config.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#define CLIENTS 16
#define PATIENCE (5 * SEC)	/* with a client that says nothing, or does not read */
#define REQUEST 4096
#define LISTENERS 4		/* control, metrics, two of TCP */
#define ERR 256

struct client {
	int fd;			/* -1: free */
	bool http, tcp;
	uint64_t end;		/* boot clock */
	char in[REQUEST + 1];
	size_t n;
	char *out;
	size_t out_n, sent;
};

struct desk {
	const struct reporter_setup *setup;
	struct scraper scraper;
	struct client client[CLIENTS];
	int listener[LISTENERS];
	unsigned listeners;
};

/* ---- in the master ---- */

static const char *metrics_path(char out[DOOR_PATH], const struct config *conf)
{
	snprintf(out, DOOR_PATH, "%s/metrics.sock", conf->run);
	return out;
}

static int listen_tcp(const struct addr *a, char *err)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(a->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
	int fd = socket(a->family == 4 ? AF_INET : AF_INET6,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
	char at[ADDR_TEXT];

	memcpy(&in4.sin_addr, a->ip, 4);
	memcpy(&in6.sin6_addr, a->ip, 16);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
	    (a->family == 4 ? bind(fd, (struct sockaddr *)&in4, sizeof in4)
			    : bind(fd, (struct sockaddr *)&in6, sizeof in6)) == 0 &&
	    listen(fd, 64) == 0)
		return fd;
	snprintf(err, ERR, "cannot listen for metrics on %s (metrics.listen): %s", addr_text(at, a),
		 strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool reporter_open(struct reporter_setup *r, const struct owner *owner, char *err)
{
	const struct address_list *list = &r->conf->metrics_listen;
	char path[DOOR_PATH];

	r->control = door_unix(door_control_path(path, r->conf->run, "daemon", 0), owner->uid,
			       owner->gid, err);
	if (r->control < 0)
		return false;
	r->metrics = door_unix(metrics_path(path, r->conf), owner->uid, owner->gid, err);
	if (r->metrics < 0)
		return false;
	for (r->tcps = 0; r->tcps < MIN(list->n, (unsigned)ARRAY_SIZE(r->tcp)); r->tcps++) {
		r->tcp[r->tcps] = listen_tcp(&list->a[r->tcps], err);
		if (r->tcp[r->tcps] < 0)
			return false;
	}
	return true;
}

void reporter_close(const struct reporter_setup *r)
{
	unsigned i;

	close(r->control);
	close(r->metrics);
	for (i = 0; i < r->tcps; i++)
		close(r->tcp[i]);
}

void reporter_remove(const struct reporter_setup *r)
{
	char path[DOOR_PATH];

	unlink(door_control_path(path, r->conf->run, "daemon", 0));
	unlink(metrics_path(path, r->conf));
}

/* ---- questions about the daemon ---- */

static json_t *answer_status(const struct desk *d)
{
	const struct board *b = d->setup->board;
	uint64_t octets = 0, copied = 0;
	json_t *store = NULL;

	if (d->setup->has_store) {
		store_look(d->setup->conf->state, &octets, &copied);
		store = json_pack("{s:I, s:I}", "octets", (json_int_t)octets, "copied",
				  (json_int_t)copied);
	}
	return json_pack("{s:i, s:I, s:I, s:s, s:i, s:o*}", "pid", b->master,
			 "started", (json_int_t)b->started,
			 "uptime", (json_int_t)((clock_now().boot - b->booted) / SEC),
			 "log_level", log_level_name((enum log_level)b->level),
			 "deaths", (int)b->deaths, "store", store);
}

static json_t *answer_log(const struct desk *d, json_t *question)
{
	struct board *b = d->setup->board;
	const char *name = json_string_value(json_object_get(question, "level"));
	enum log_level was = (enum log_level)b->level, level = was;

	if (name && !log_level_parse(&level, name))
		return json_pack("{s:s}", "error", "levels are error, warn, info, debug");
	if (level != was) {
		b->level = (int)MAX(level, LOG_INFO);	/* this is said whatever was and will be */
		cy_log(LOG_INFO, "log level is now %s, was %s", log_level_name(level),
		       log_level_name(was));
		b->level = (int)level;
	}
	return json_pack("{s:s, s:s}", "level", log_level_name(level), "was", log_level_name(was));
}

static json_t *answer_lines(const struct desk *d)
{
	struct board *b = d->setup->board;
	unsigned next = b->next, i = next > BOARD_LINES ? next - BOARD_LINES : 0;
	json_t *lines = json_array();
	char line[BOARD_LINE];

	for (; i != next; i++) {
		memcpy(line, b->line[i % BOARD_LINES], sizeof line);
		line[BOARD_LINE - 1] = '\0';
		json_array_append_new(lines, json_string(line));
	}
	return json_pack("{s:o}", "lines", lines);
}

static json_t *answer(const struct desk *d, const char *line)
{
	json_t *question = json_loads(line, JSON_REJECT_DUPLICATES, NULL), *said;
	const char *cmd = json_string_value(json_object_get(question, "cmd"));

	if (!question)
		said = json_pack("{s:s}", "error", "request is not a JSON object");
	else if (cmd && strcmp(cmd, "status") == 0)
		said = answer_status(d);
	else if (cmd && strcmp(cmd, "log") == 0)
		said = answer_log(d, question);
	else if (cmd && strcmp(cmd, "lines") == 0)
		said = answer_lines(d);
	else
		said = json_pack("{s:s}", "error", "unknown cmd");
	json_decref(question);
	return said;
}

static void answer_control(const struct desk *d, struct client *c)
{
	char *end = memchr(c->in, '\n', c->n);
	json_t *said;

	if (!end && c->n < REQUEST)
		return;
	if (end)
		*end = '\0';
	said = end ? answer(d, c->in) : json_pack("{s:s}", "error", "request line too long");
	c->out = json_dumps(said, JSON_COMPACT);
	json_decref(said);
	c->out_n = c->out ? strlen(c->out) : 0;
	if (c->out)
		c->out[c->out_n++] = '\n';	/* over the NUL */
}

/* ---- figures ---- */

static void answer_http(struct desk *d, struct client *c)
{
	enum http_answer what = http_read(c->in, c->n, c->tcp);
	struct sheet sheet = { 0 };
	char *body = NULL;
	size_t n = 0;
	FILE *out;

	if (what == HTTP_MORE && c->n < REQUEST)
		return;
	out = open_memstream(&body, &n);
	if (out && (what == HTTP_GET || what == HTTP_HEAD)) {
		scrape(&d->scraper, &sheet);
		sheet_print(&sheet, out);
		sheet_clear(&sheet);
	}
	if (out && fclose(out) == 0)
		c->out = http_write(what, body, n, &c->out_n);
	free(body);
}

/* ---- clients ---- */

static void hang_up(struct client *c)
{
	close(c->fd);
	free(c->out);
	memset(c, 0, sizeof *c);
	c->fd = -1;
}

static void write_client(struct client *c)
{
	ssize_t n = send(c->fd, c->out + c->sent, c->out_n - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent == c->out_n || (n < 0 && errno != EAGAIN))
		hang_up(c);
}

static void read_client(struct desk *d, struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, REQUEST - c->n, MSG_DONTWAIT);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			hang_up(c);
		return;
	}
	c->n += (size_t)n;
	c->in[c->n] = '\0';
	if (c->http)
		answer_http(d, c);
	else
		answer_control(d, c);
	if (c->out)
		write_client(c);
}

static struct client *free_client(struct desk *d)
{
	struct client *c;

	for (c = d->client; c < d->client + CLIENTS; c++)
		if (c->fd < 0)
			return c;
	return NULL;
}

static void accept_client(struct desk *d, unsigned listener)
{
	struct client *c = free_client(d);
	int fd = accept4(d->listener[listener], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	c->fd = fd;
	c->http = listener > 0;
	c->tcp = listener > 1;
	c->end = clock_now().boot + PATIENCE;
}

/* ---- life ---- */

static int stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Until when to wait, in ms; whose time is over is gone. */
static int expire(struct desk *d)
{
	uint64_t now = clock_now().boot, next = NEVER;
	struct client *c;

	for (c = d->client; c < d->client + CLIENTS; c++) {
		if (c->fd >= 0 && c->end <= now)
			hang_up(c);
		if (c->fd >= 0)
			next = MIN(next, c->end);
	}
	return next == NEVER ? -1 : (int)((next - now) / MS + 1);
}

/* One wait and what it brought; false at the end. */
static bool turn(struct desk *d, int stop)
{
	struct pollfd p[CLIENTS + LISTENERS + 1];
	int wait = expire(d);
	bool room = free_client(d) != NULL;
	unsigned i;

	for (i = 0; i < CLIENTS; i++)
		p[i] = (struct pollfd){ .fd = d->client[i].fd,
					.events = d->client[i].out ? POLLOUT : POLLIN };
	for (i = 0; i < d->listeners; i++)
		p[CLIENTS + i] = (struct pollfd){ .fd = room ? d->listener[i] : -1, .events = POLLIN };
	p[CLIENTS + i] = (struct pollfd){ .fd = stop, .events = POLLIN };
	if (poll(p, CLIENTS + i + 1, wait) < 0)
		return errno == EINTR;
	if (p[CLIENTS + i].revents)
		return false;
	for (i = 0; i < CLIENTS; i++)
		if (p[i].fd >= 0 && p[i].revents && d->client[i].out)
			write_client(&d->client[i]);
		else if (p[i].fd >= 0 && p[i].revents)
			read_client(d, &d->client[i]);
	for (i = 0; i < d->listeners; i++)
		if (p[CLIENTS + i].revents && free_client(d))
			accept_client(d, i);
	return true;
}

int reporter_run(const struct reporter_setup *r)
{
	struct desk *d = calloc(1, sizeof *d);
	int stop = stop_signals();
	unsigned i;

	if (!d || stop < 0)
		return 1;
	d->setup = r;
	d->scraper.ask.run = r->conf->run;
	d->scraper.ask.roles = r->roles;
	memcpy(d->scraper.ask.role, r->role, sizeof d->scraper.ask.role);
	d->scraper.board = r->board;
	d->scraper.state = r->has_store ? r->conf->state : NULL;
	d->listener[d->listeners++] = r->control;
	d->listener[d->listeners++] = r->metrics;
	for (i = 0; i < r->tcps; i++)
		d->listener[d->listeners++] = r->tcp[i];
	for (i = 0; i < CLIENTS; i++)
		d->client[i].fd = -1;
	while (turn(d, stop))
		;
	for (i = 0; i < CLIENTS; i++)
		if (d->client[i].fd >= 0)
			hang_up(&d->client[i]);
	scraper_free(&d->scraper);
	free(d);
	return 0;
}

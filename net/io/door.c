/* door.c - makes the sockets: UDP and TCP groups in worker order, and the control sockets. */
#include "net/io/door.h"
#include "net/io/inherit.h"
#include "net/io/steer.h"
#include "net/io/udp.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ERR 256
#define RECEIVE_BUFFER (4 * 1024 * 1024)

/* An address to be reached at. */
struct want {
	const char *key;	/* of the configuration, for messages */
	struct addr at;
	enum port port;
	bool stream;
	bool steered;		/* datagrams go to the owner of their ID */
	bool gro;
	bool any;		/* nobody asked for this very address */
	uint8_t role;
};

static bool set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* A bound socket, or -1 with errno.  Alone: refuses an address others listen on. */
static int bound(const struct want *want, bool alone)
{
	int type = want->stream ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(want->at.family == 4 ? AF_INET : AF_INET6,
			type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union sockaddr_any s;
	socklen_t n = sockaddr_make(&s, &want->at);
	int e;

	if (fd < 0)
		return -1;
	if ((want->at.family == 6 && !set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) ||
	    (want->stream && !set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) ||
	    (!alone && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) || bind(fd, &s.sa, n) < 0) {
		e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

/*
 * Tries the address without SO_REUSEPORT: with it a second instance of the same user would
 * silently share the port.  Returns the port, 0 with errno.
 */
static uint16_t probe(const struct want *want)
{
	int fd = bound(want, true);
	union sockaddr_any s;
	socklen_t n = sizeof s;
	uint16_t port = 0;

	if (fd < 0)
		return 0;
	if (getsockname(fd, &s.sa, &n) == 0)
		port = sockaddr_addr(&s).port;
	close(fd);
	return port;
}

static bool refuse(char *err, const struct want *want)
{
	char at[ADDR_TEXT];
	int e = errno;

	addr_text(at, &want->at);
	if (e == EADDRINUSE)
		snprintf(err, ERR, "%s: %s %s is taken by another program: 'ss -%slnp' names it; stop it "
			 "or change '%s'", want->key, want->stream ? "TCP" : "UDP", at,
			 want->stream ? "t" : "u", want->key);
	else
		snprintf(err, ERR, "%s: cannot listen on %s %s: %s", want->key,
			 want->stream ? "TCP" : "UDP", at, strerror(e));
	return false;
}

static bool add_door(struct worker_setup *w, const struct door *door, char *err)
{
	if (w->doors == DOORS_MAX) {
		snprintf(err, ERR, "more than %d sockets for one worker: listen on fewer addresses",
			 DOORS_MAX);
		return false;
	}
	w->door[w->doors++] = *door;
	return true;
}

static bool prepare(int fd, const struct want *want)
{
	if (want->stream)
		return set(fd, IPPROTO_TCP, TCP_NODELAY, 1) && listen(fd, 1024) == 0;
	/* beyond net.core.rmem_max only for root; less is slower, not wrong */
	if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER))
		set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	return udp_prepare(fd, want->at.family, want->gro);
}

/* What an upgrade knows this socket by: "nms.port 0.0.0.0:4501 t 1/2" is worker 1's of 2. */
static void name_door(struct door *door, const struct want *want, unsigned i, unsigned n)
{
	char at[ADDR_TEXT];

	snprintf(door->name, sizeof door->name, "%s %.55s %c %u/%u", want->key,
		 addr_text(at, &want->at), want->stream ? 't' : 'u', i, n);
}

/* The whole group as it was before an upgrade; its order and its steering are still right. */
static bool take_group(struct worker_setup *w, const struct want *want, struct door door, unsigned n)
{
	int fd[WORKERS_MAX];
	unsigned i;

	for (i = 0; i < n; i++) {
		name_door(&door, want, i, n);
		fd[i] = inherit_take(door.name);
		if (fd[i] < 0)
			break;
	}
	for (n = i < n ? 0 : n, i = 0; i < n && w[i].doors < DOORS_MAX; i++) {
		name_door(&door, want, i, n);
		door.fd = fd[i];
		w[i].door[w[i].doors++] = door;
	}
	return n > 0;
}

/* One socket for each of the first n workers, in their order. */
static bool open_group(struct worker_setup *w, const struct want *want, unsigned n, char *err)
{
	struct door door = {
		.stream = want->stream, .port = want->port, .family = want->at.family,
		.role = want->role,
	};
	unsigned i;

	if (take_group(w, want, door, n))
		return true;
	if (!probe(want))
		return refuse(err, want);
	for (i = 0; i < n; i++) {
		name_door(&door, want, i, n);
		door.fd = bound(want, n == 1);
		if (door.fd < 0 || !prepare(door.fd, want))
			return refuse(err, want);
		if (!add_door(&w[i], &door, err))
			return false;
	}
	if (want->steered && n > 1 && !steer_attach(door.fd, n))
		return refuse(err, want);
	return true;
}

static bool host_lacks(int e)
{
	return e == EAFNOSUPPORT || e == EADDRNOTAVAIL;
}

static bool is_left(const struct want *want)
{
	char begin[96], at[ADDR_TEXT], rest[96];

	snprintf(begin, sizeof begin, "%s %.55s %c ", want->key, addr_text(at, &want->at),
		 want->stream ? 't' : 'u');
	return inherit_find(begin, rest, sizeof rest) != NULL;
}

/* Both families at every address, as far as the host has them. */
static bool open_any(struct worker_setup *w, struct want want, char *err)
{
	unsigned opened = 0;

	for (want.at.family = 4; want.at.family <= 6; want.at.family += 2) {
		if (!is_left(&want) && !probe(&want) && host_lacks(errno))
			continue;
		if (!open_group(w, &want, w->count, err))
			return false;
		opened++;
	}
	if (!opened)
		refuse(err, &want);
	return opened != 0;
}

static bool open_list(struct worker_setup *w, struct want want, const struct address_list *list,
		      unsigned n, char *err)
{
	unsigned i;

	for (i = 0; i < list->n; i++) {
		want.at = list->a[i];
		if (!open_group(w, &want, n, err))
			return false;
	}
	return true;
}

static bool open_as(struct worker_setup *w, struct config *conf, uint8_t role, char *err)
{
	struct want want = {
		.key = "as.listen", .port = PORT_AS, .stream = true, .role = role,
		.at.port = 4501,
	};

	if (conf->as_listen.n)
		return open_list(w, want, &conf->as_listen, w->count, err);
	return open_any(w, want, err);
}

static bool open_nms(struct worker_setup *w, struct config *conf, uint8_t role, char *err)
{
	/* no GRO: kernel filters see every datagram only without it */
	struct want want = {
		.key = "nms.port", .port = PORT_MAIN, .steered = true, .role = role,
		.at.port = (uint16_t)conf->nms_port,
	};

	return open_any(w, want, err);
}

/* A second port is a help: without it the relay still relays. */
static bool open_stun(struct worker_setup *w, struct config *conf, uint8_t role, char *err)
{
	struct want want = {
		.key = "trs.stun-port", .port = PORT_STUN, .steered = true, .role = role,
		.at.port = (uint16_t)conf->trs_stun_port,
	};

	if (!conf->trs_stun_port)
		return true;
	for (want.at.family = 4; want.at.family <= 6; want.at.family += 2)
		if (!is_left(&want) && !probe(&want) && !host_lacks(errno)) {
			refuse(err, &want);
			cy_log(LOG_WARN, "going on without a second port: %s", err);
			conf->trs_stun_port = 0;
			return true;
		}
	return open_any(w, want, err);
}

static bool open_trs(struct worker_setup *w, struct config *conf, uint8_t role, char *err)
{
	struct want want = {
		.key = "trs.port", .port = PORT_MAIN, .steered = true, .gro = true, .role = role,
		.at.port = (uint16_t)conf->trs_port,
	};

	return open_any(w, want, err) && open_stun(w, conf, role, err);
}

/* A port free in both families, as far as the host has them: the wish if possible. */
static uint16_t free_port(struct want want, uint16_t wish)
{
	unsigned try;
	uint16_t port;

	for (try = 0; try < 32; try++) {
		want.at.port = try ? 0 : wish;
		for (want.at.family = 4; want.at.family <= 6; want.at.family += 2) {
			port = probe(&want);
			if (port)
				want.at.port = port;
			else if (!host_lacks(errno))
				break;
		}
		if (want.at.family > 6 && want.at.port)
			return want.at.port;
	}
	return wish;
}

/* The node's port before an upgrade, 0: there was none. */
static uint16_t left_port(void)
{
	char rest[96];

	if (!inherit_find("node.port 0.0.0.0:", rest, sizeof rest) &&
	    !inherit_find("node.port [::]:", rest, sizeof rest))
		return 0;
	return (uint16_t)atoi(rest);
}

static bool open_node(struct worker_setup *w, struct config *conf, uint8_t role, char *err)
{
	struct want main_door = {
		.key = "node.port", .port = PORT_MAIN, .steered = true, .gro = true, .role = role,
	};
	struct want dns = { .key = "node.dns", .port = PORT_DNS, .role = role };
	struct address_list resolver = conf->node_dns;

	main_door.at.port = left_port();
	if (!main_door.at.port)
		main_door.at.port = free_port(main_door, (uint16_t)conf->node_port);
	if (conf->node_port && main_door.at.port != conf->node_port)
		cy_log(LOG_WARN, "UDP port %u (node.port) is taken; using %u", conf->node_port,
		       main_door.at.port);
	conf->node_port = main_door.at.port;
	if (!open_any(w, main_door, err))
		return false;
	if (!resolver.n)
		resolver.n = ip_parse(&resolver.a[0], "127.0.0.45", 53);
	if (!open_list(w, dns, &resolver, 1, err))
		return false;
	dns.stream = true;
	return open_list(w, dns, &resolver, 1, err);
}

bool doors_open(struct worker_setup *w, struct config *conf, char *err)
{
	static const struct {
		uint32_t role;
		bool (*open)(struct worker_setup *w, struct config *conf, uint8_t role, char *err);
	} house[] = {
		{ ROLE_AS, open_as },
		{ ROLE_NMS, open_nms },
		{ ROLE_TRS, open_trs },
		{ ROLE_NODE, open_node },
	};
	unsigned i, k;

	for (i = 0; i < w->roles; i++)
		for (k = 0; k < ARRAY_SIZE(house); k++)
			if (house[k].role == config_role(w->role[i]->name) &&
			    !house[k].open(w, conf, (uint8_t)i, err))
				return false;
	return true;
}

int door_tun(const char *name, char *err)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	const char *remedy = "";
	char left[64];
	int fd;

	snprintf(left, sizeof left, "tun %s", name);
	fd = inherit_take(left);
	if (fd >= 0)
		return fd;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0)
		return fd;
	if (errno == ENOENT)
		remedy = " (/dev/net/tun is missing: 'modprobe tun', or give the container the device)";
	else if (errno == EPERM || errno == EACCES)
		remedy = " (CAP_NET_ADMIN is needed: start as root)";
	else if (errno == EBUSY)
		remedy = " (it is in use: is another node running here? set 'node.tun')";
	snprintf(err, ERR, "cannot make the TUN device %s: %s%s", name, strerror(errno), remedy);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- control sockets ---- */

const char *door_control_path(char out[DOOR_PATH], const char *run, const char *role,
			      unsigned index)
{
	snprintf(out, DOOR_PATH, "%s/%s.%u.sock", run, role, index);
	return out;
}

static int unix_socket(const char *path, struct sockaddr_un *at)
{
	memset(at, 0, sizeof *at);
	at->sun_family = AF_UNIX;
	snprintf(at->sun_path, sizeof at->sun_path, "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool is_answering(const char *path)
{
	struct sockaddr_un at;
	int fd = unix_socket(path, &at);
	bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

static void remove_all(const char *run, const char *role)
{
	char path[DOOR_PATH];
	unsigned i;

	for (i = 0; i < WORKERS_MAX; i++)
		unlink(door_control_path(path, run, role, i));
}

void doors_control_remove(const struct worker_setup *w)
{
	unsigned r;

	for (r = 0; r < w->roles; r++)
		remove_all(w->conf->run, w->role[r]->name);
}

int door_unix(const char *path, uint32_t uid, uint32_t gid, char *err)
{
	struct sockaddr_un at;
	int fd = unix_socket(path, &at);
	mode_t mask = umask(0117);
	bool good = fd >= 0 && (unlink(path) == 0 || errno == ENOENT) && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
		    listen(fd, 64) == 0 && (geteuid() != 0 || chown(path, uid, gid) == 0);

	umask(mask);
	if (good)
		return fd;
	snprintf(err, ERR, "cannot make the control socket %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool control_role(struct worker_setup *w, uint8_t role, uint32_t uid, uint32_t gid,
			 char *err)
{
	const char *run = w->conf->run, *name = w->role[role]->name;
	struct door door = { .stream = true, .port = PORT_CTL, .role = role };
	char path[DOOR_PATH];
	unsigned i;

	if (is_answering(door_control_path(path, run, name, 0))) {
		snprintf(err, ERR, "another cyphonic with role %s answers at %s: give this one another 'run'",
			 name, path);
		return false;
	}
	remove_all(run, name);
	for (i = 0; i < w->count; i++) {
		door.fd = door_unix(door_control_path(path, run, name, i), uid, gid, err);
		if (door.fd < 0 || !add_door(&w[i], &door, err))
			return false;
	}
	return true;
}

bool doors_control_open(struct worker_setup *w, uint32_t uid, uint32_t gid, char *err)
{
	unsigned r;

	for (r = 0; r < w->roles; r++)
		if (!control_role(w, (uint8_t)r, uid, gid, err))
			return false;
	return true;
}

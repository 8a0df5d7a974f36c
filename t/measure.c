/*
 * measure.c - the stopwatch of `make bench`: a client without start-up of its own to count.
 *
 *	measure rtt ADDRESS COUNT		median and 99th percentile of so many pings, in us
 *	measure name RESOLVER NAME		us from a DNS query to its answer, and to the first reply
 *	measure start RESOLVER NAME COMMAND...	ms from starting a node to the first reply; ends it again
 */
#include "cyphonic.h"
#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACKET 1500

static double clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static bool readable(int fd, double us)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec t = { (time_t)(us / 1e6), (long)((uint64_t)(us * 1e3) % 1000000000u) };

	return us > 0 && ppoll(&p, 1, &t, NULL) == 1;
}

/* ---- ICMP ---- */

static uint16_t icmp_sum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static int icmp_socket(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd < 0)
		give_up("raw socket");
	return fd;
}

static void send_echo(int fd, struct in_addr to, uint16_t number)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = to };
	uint8_t p[64] = { ICMP_ECHO };

	put16(p + 4, (uint16_t)getpid());
	put16(p + 6, number);
	put16(p + 2, icmp_sum(p, sizeof p));
	/* no route yet while a node starts: as good as lost */
	if (sendto(fd, p, sizeof p, 0, (struct sockaddr *)&at, sizeof at) < 0)
		return;
}

/* Waits for the reply to this number. */
static bool echoed(int fd, uint16_t number, double us)
{
	double end = clock_us() + us;
	uint8_t p[PACKET];

	while (readable(fd, end - clock_us())) {
		ssize_t n = recv(fd, p, sizeof p, 0);
		size_t head = n > 0 ? (size_t)(p[0] & 15) * 4 : 0;

		if (n >= (ssize_t)head + 8 && p[head] == ICMP_ECHOREPLY &&
		    get16(p + head + 4) == (uint16_t)getpid() && get16(p + head + 6) == number)
			return true;
	}
	return false;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int rtt(const char *address, unsigned count)
{
	double *us = calloc(count, sizeof *us);
	int fd = icmp_socket();
	struct in_addr to;
	unsigned i, got = 0;

	if (!us || inet_pton(AF_INET, address, &to) != 1)
		return 2;
	for (i = 0; i < count; i++) {
		double begin = clock_us();

		send_echo(fd, to, (uint16_t)i);
		if (echoed(fd, (uint16_t)i, 1e6))
			us[got++] = clock_us() - begin;
	}
	qsort(us, got, sizeof *us, by_size);
	if (got)
		printf("%.1f %.1f\n", us[got / 2], us[got * 99 / 100]);
	free(us);
	return got != count;
}

/* ---- DNS ---- */

static int dns_socket(const char *resolver)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, resolver, &at.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		give_up("resolver");
	return fd;
}

/* A query for the address of a name; octets. */
static size_t make_query(uint8_t p[512], const char *name)
{
	static const uint8_t head[12] = { 0x12, 0x34, 0x01, 0x00, 0, 1 };
	size_t n = sizeof head;

	memcpy(p, head, n);
	while (*name) {
		size_t label = strcspn(name, ".");

		p[n++] = (uint8_t)label;
		memcpy(p + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	memcpy(p + n, "\0\0\1\0\1", 5);
	return n + 5;
}

/* The answer's only record must be an A: its address is at the end of it, before any OPT. */
static bool resolve(int fd, const char *name, double us, struct in_addr *ip)
{
	uint8_t q[512], a[PACKET];
	size_t len = make_query(q, name);
	ssize_t n;

	if (send(fd, q, len, 0) < 0 || !readable(fd, us))
		return false;
	n = recv(fd, a, sizeof a, 0);
	if (n < (ssize_t)len + 16 || (a[3] & 15) || get16(a + 6) != 1)
		return false;
	memcpy(ip, a + len + 12, 4);
	return true;
}

static int name_and_reply(const char *resolver, const char *name)
{
	int dns = dns_socket(resolver), icmp = icmp_socket();
	double begin = clock_us(), answered;
	struct in_addr ip;

	if (!resolve(dns, name, 5e6, &ip))
		return 1;
	answered = clock_us();
	send_echo(icmp, ip, 1);
	if (!echoed(icmp, 1, 5e6))
		return 1;
	printf("%.0f %.0f\n", answered - begin, clock_us() - begin);
	return 0;
}

/* ---- a node's start ---- */

static pid_t launch(char **command)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(command[0], command);
		_exit(127);
	}
	return pid;
}

static int start_to_reply(const char *resolver, const char *name, char **command)
{
	int dns = dns_socket(resolver), icmp = icmp_socket(), status;
	double begin = clock_us(), took = 0;
	pid_t pid = launch(command);
	uint16_t number = 0;
	struct in_addr ip;

	while (!took && clock_us() - begin < 10e6) {
		if (!resolve(dns, name, 20e3, &ip)) {
			usleep(500);
			continue;
		}
		send_echo(icmp, ip, ++number);
		if (echoed(icmp, number, 50e3))
			took = clock_us() - begin;
	}
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	if (took)
		printf("%.1f\n", took / 1e3);
	return !took;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "rtt") == 0)
		return rtt(argv[2], (unsigned)atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "name") == 0)
		return name_and_reply(argv[2], argv[3]);
	if (argc > 4 && strcmp(argv[1], "start") == 0)
		return start_to_reply(argv[2], argv[3], argv + 4);
	fprintf(stderr, "usage: measure rtt|name|start ...\n");
	return 2;
}

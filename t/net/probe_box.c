/*
 * probe_box.c - what a NAPT or firewall does, seen from both of its sides; RFC 5780's questions.
 *
 *	probe_box [-p PORT] [-s SECONDS] INSIDE OUTSIDE ADDRESS1 ADDRESS2 [MATE]
 *	mapping=endpoint-independent filtering=address-dependent meets=no mapped=10.0.0.11:31234
 *
 * INSIDE, OUTSIDE and MATE are network namespaces; the two addresses are OUTSIDE's.  MATE is a
 * second host behind the same box or behind another: do the two meet by the addresses they have
 * outside, without help?  "changed" is yes, but from another port than they were told of.  PORT
 * is the inner port whose mapping is told.  "kept" says whether a mapping outlives so many SECONDS
 * of silence.
 *
 * Nothing is concluded from a time without an answer: each datagram that a box may drop is
 * followed on the same way by one that it must not, and what did not come before that one does
 * not come.
 */
#include "t/net/probe.h"
#include <arpa/inet.h>

#define TRIES 5
#define WAIT 1000000000u	/* ns for what must arrive */

/* sin_port and sin6_port are at one place */
union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct place {
	int fd;
	union address at;
};

static bool same(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family || a->v4.sin_port != b->v4.sin_port)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

static socklen_t size_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

static union address address_of(const char *text)
{
	union address a = { .any.sa_family = strchr(text, ':') ? AF_INET6 : AF_INET };
	void *to = a.any.sa_family == AF_INET ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr;

	if (inet_pton(a.any.sa_family, text, to) != 1) {
		fprintf(stderr, "%s is no address\n", text);
		exit(2);
	}
	return a;
}

/* A socket at this address, with a port that the kernel picks. */
static struct place stand(union address at)
{
	socklen_t size = sizeof at;
	struct place p = { .fd = socket(at.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), .at = at };

	if (p.fd < 0 || bind(p.fd, &at.any, size_of(&at)) < 0 ||
	    getsockname(p.fd, &p.at.any, &size) < 0)
		give_up("socket");
	return p;
}

/* A socket in that host, at the address from which it reaches the other and this port. */
static struct place stand_in(const char *host, const union address *other, int port)
{
	union address own;
	socklen_t size = sizeof own;
	int fd;

	enter(host);
	fd = socket(other->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &other->any, size_of(other)) < 0 ||
	    getsockname(fd, &own.any, &size) < 0)
		give_up(host);
	close(fd);
	own.v4.sin_port = htons((uint16_t)port);
	return stand(own);
}

static void say(const struct place *from, const union address *to, uint32_t number)
{
	/* refused, as by an ICMP error that came for the one before: not said */
	if (sendto(from->fd, &number, sizeof number, 0, &to->any, size_of(to)) < 0)
		return;
}

/* The next number that comes before that time, and from where; 0 if none does. */
static uint32_t hear(const struct place *at, union address *from, uint64_t end)
{
	uint32_t number;
	socklen_t size = sizeof *from;

	while (readable_until(at->fd, end))
		if (recvfrom(at->fd, &number, sizeof number, 0, &from->any, &size) == sizeof number)
			return number;
	return 0;
}

/* As whom that place outside sees this socket. */
static union address seen(const struct place *outside, const struct place *s)
{
	union address from;
	int try;

	for (try = 0; try < TRIES; try++) {
		say(s, &outside->at, 1);
		if (hear(outside, &from, clock_ns() + WAIT))
			return from;
	}
	fprintf(stderr, "nothing passes from inside to outside\n");
	exit(2);
}

static const char *mapping(const struct place *s, const struct place *a1, const struct place *a2,
			   const struct place *b)
{
	union address m = seen(a1, s), m2 = seen(a2, s), m3 = seen(b, s);

	if (same(&m, &s->at))
		return "none";
	if (!same(&m, &m2))
		return "address-and-port-dependent";
	return same(&m, &m3) ? "endpoint-independent" : "address-dependent";
}

enum { FROM_B = 2, FROM_A2, FROM_A1, FROM_MATE, FROM_MATE_AS_SEEN };

/* What came to the socket before the mark that the first place sends to its mapping: bits. */
static unsigned heard(const struct place *s, const struct place *a1, const union address *mapped,
		      const union address *mate)
{
	unsigned got = 0;
	union address from;
	uint32_t number;
	int try;

	for (try = 0; try < TRIES; try++) {
		say(a1, mapped, FROM_A1);
		while ((number = hear(s, &from, clock_ns() + WAIT))) {
			got |= 1u << number;
			if (number == FROM_MATE && same(&from, mate))
				got |= 1u << FROM_MATE_AS_SEEN;
			if (number == FROM_A1)
				return got;
		}
	}
	fprintf(stderr, "no answer passes from outside to inside\n");
	exit(2);
}

/* The socket has written to nobody but to the first place. */
static const char *filtering(const struct place *s, const struct place *a1, const struct place *a2,
			     const struct place *b, union address *mapped)
{
	unsigned got;

	*mapped = seen(a1, s);
	say(b, mapped, FROM_B);
	say(a2, mapped, FROM_A2);
	got = heard(s, a1, mapped, NULL);
	if (got & 1u << FROM_B)
		return "endpoint-independent";
	return got & 1u << FROM_A2 ? "address-dependent" : "address-and-port-dependent";
}

/*
 * Two write to each other's outer addresses: the first one so that the second may, and once more
 * so that it answers.  By what the first place sees of each the boxes have had the time they need.
 * Bits of what the two heard.
 */
static unsigned meet(const struct place *s, const struct place *mate, const struct place *a1)
{
	union address mapped = seen(a1, s), mate_mapped = seen(a1, mate);
	unsigned got;

	say(s, &mate_mapped, FROM_MATE);
	seen(a1, s);
	say(mate, &mapped, FROM_MATE);
	seen(a1, mate);
	got = heard(s, a1, &mapped, &mate_mapped);
	say(s, &mate_mapped, FROM_MATE);
	seen(a1, s);
	return got | heard(mate, a1, &mate_mapped, &mapped);
}

/* Whether the first place still gets through after that silence. */
static bool keeps(const struct place *s, const struct place *a1, double silence)
{
	union address mapped = seen(a1, s);

	usleep((useconds_t)(silence * 1e6));
	say(a1, &mapped, FROM_A2);
	mapped = seen(a1, s);
	return heard(s, a1, &mapped, NULL) & 1u << FROM_A2;
}

static void print(const union address *a)
{
	bool v4 = a->any.sa_family == AF_INET;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(a->any.sa_family, v4 ? (void *)&a->v4.sin_addr : (void *)&a->v6.sin6_addr, text,
		  sizeof text);
	printf(v4 ? "%s:%u" : "[%s]:%u", text, ntohs(a->v4.sin_port));
}

static void look(const char *inside, const char *mate, int port, double silence,
		 const struct place outside[3])
{
	const struct place *a1 = &outside[0], *a2 = &outside[1], *b = &outside[2];
	struct place at[4];
	union address mapped;
	unsigned met;
	int i;

	for (i = 0; i < 4; i++)
		at[i] = stand_in(i < 3 ? inside : mate, &a1->at, i == 1 ? port : 0);
	printf("mapping=%s ", mapping(&at[0], a1, a2, b));
	printf("filtering=%s ", filtering(&at[1], a1, a2, b, &mapped));
	met = meet(&at[2], &at[3], a1);
	printf("meets=%s ", met & 1u << FROM_MATE_AS_SEEN ? "yes" :
	       met & 1u << FROM_MATE ? "changed" : "no");
	if (silence > 0)
		printf("kept=%s ", keeps(&at[0], a1, silence) ? "yes" : "no");
	printf("mapped=");
	print(&mapped);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct place outside[3];
	double silence = 0;
	int port = 0, option;

	while ((option = getopt(argc, argv, "p:s:")) != -1 && option != '?') {
		if (option == 'p')
			port = atoi(optarg);
		else
			silence = atof(optarg);
	}
	argv += optind;
	argc -= optind;
	if (option != -1 || argc < 4 || argc > 5) {
		fprintf(stderr, "usage: probe_box [-p PORT] [-s SECONDS] INSIDE OUTSIDE "
			"ADDRESS1 ADDRESS2 [MATE]\n");
		return 2;
	}
	enter(argv[1]);
	outside[0] = stand(address_of(argv[2]));
	outside[1] = stand(address_of(argv[2]));
	outside[2] = stand(address_of(argv[3]));
	look(argv[0], argc == 5 ? argv[4] : argv[0], port, silence, outside);
	return 0;
}

/*
 * link.c - a line between two network interfaces, as long, slow and bad as its options say.
 *
 *	link FIRST SECOND [--delay 20 --loss 5 --down --rate 10 ...]
 *	link FIRST SECOND --from FILE
 *
 * Every frame that comes in at one goes out at the other, untouched.  What is due later waits in
 * a heap.  HUP reads FILE again, USR1 prints what happened so far, TERM does so and ends.
 *
 * Interfaces between hosts of one kernel pass frames with unfinished checksums and segments of up
 * to 64 KB; a virtio header in front of each carries that from one to the other.  So a line
 * without rules is fast.  Where each packet must have its own fate, the hosts' ends are told to
 * segment before (gso_max_segs).
 */
#include "t/net/way.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define WORDS 64
#define FRAME_MAX (sizeof(struct virtio_net_hdr) + ETHER_HDR_LEN + 65536)
#define WAITING_MAX 200000
#define SOCKET_ROOM (32 << 20)

enum count { SEEN, PASSED, LOST_, TWICE, LATE, LONG, FULL, REFUSED, COUNTS };
static const char *const count_names[COUNTS] = {
	"seen", "passed", "lost", "twice", "late", "long", "full", "refused",
};

struct frame {
	uint64_t due, order;
	size_t size;
	uint8_t data[];
};

struct batch {
	unsigned n;
	struct mmsghdr message[BATCH];
	struct iovec at[BATCH];
};

struct direction {
	int number, in, out;
	struct way way;
	uint64_t frames;	/* that were not the probe's */
	uint64_t last_due;	/* of those that keep their order */
	uint64_t idle;		/* when all that came is sent, at its rate */
	uint64_t order;
	struct frame **heap;	/* next due first */
	size_t waiting;
	uint64_t count[COUNTS];
};

struct line {
	struct direction direction[2];
	const char *from;
	struct batch in, out;
	uint8_t (*room)[FRAME_MAX];
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t ns(double ms)
{
	return (uint64_t)(ms * 1e6);
}

/* ---- the heap ---- */

static bool before(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void heap_put(struct direction *d, struct frame *f)
{
	size_t i = d->waiting++, up;

	for (; i && before(f, d->heap[up = (i - 1) / 2]); i = up)
		d->heap[i] = d->heap[up];
	d->heap[i] = f;
}

static struct frame *heap_take(struct direction *d)
{
	struct frame *first = d->heap[0], *last = d->heap[--d->waiting];
	size_t i = 0, down;

	while ((down = 2 * i + 1) < d->waiting) {
		if (down + 1 < d->waiting && before(d->heap[down + 1], d->heap[down]))
			down++;
		if (before(last, d->heap[down]))
			break;
		d->heap[i] = d->heap[down];
		i = down;
	}
	d->heap[i] = last;
	return first;
}

static bool is_due(const struct direction *d, uint64_t now)
{
	return d->waiting && d->heap[0]->due <= now;
}

/* ---- out ---- */

static void batch_add(struct batch *b, void *data, size_t size)
{
	b->at[b->n] = (struct iovec){ data, size };
	b->message[b->n].msg_hdr = (struct msghdr){ .msg_iov = &b->at[b->n], .msg_iovlen = 1 };
	b->n++;
}

static void batch_send(struct batch *b, struct direction *d)
{
	unsigned i = 0;

	while (i < b->n) {
		int n = sendmmsg(d->out, b->message + i, b->n - i, 0);

		if (n > 0) {
			d->count[PASSED] += (unsigned)n;
			i += (unsigned)n;
		} else if (errno != EINTR) {
			d->count[REFUSED]++;	/* the interface is down, or its queue full */
			i++;
		}
	}
	b->n = 0;
}

static void release_due(struct line *l, struct direction *d, uint64_t now)
{
	struct frame *sent[BATCH];
	unsigned i, n;

	while (is_due(d, now)) {
		for (n = 0; n < BATCH && is_due(d, now); n++) {
			sent[n] = heap_take(d);
			batch_add(&l->out, sent[n]->data, sent[n]->size);
		}
		batch_send(&l->out, d);
		for (i = 0; i < n; i++)
			free(sent[i]);
	}
}

static void hold(struct direction *d, uint64_t due, const uint8_t *data, size_t size)
{
	struct frame *f = d->waiting < WAITING_MAX ? malloc(sizeof *f + size) : NULL;

	if (!f) {
		d->count[FULL]++;
		return;
	}
	*f = (struct frame){ .due = due, .order = d->order++, .size = size };
	memcpy(f->data, data, size);
	heap_put(d, f);
}

/* ---- in ---- */

/* Its number among the probe's frames or among the others. */
static uint64_t number_of(struct direction *d, const uint8_t *data, size_t size)
{
	const struct ether_header *h = (const void *)(data + sizeof(struct virtio_net_hdr));
	uint64_t number;

	if (size < sizeof(struct virtio_net_hdr) + sizeof *h + sizeof number ||
	    h->ether_type != htons(PROBE_TYPE))
		return OTHERS | d->frames++;
	memcpy(&number, h + 1, sizeof number);
	return number;
}

/* When it has passed the narrow place; false if too much is waiting there. */
static bool passes_rate(struct direction *d, size_t size, uint64_t now, uint64_t *at)
{
	double ns_per_octet = 8e3 / d->way.of[RATE];

	*at = now;
	if (d->way.of[RATE] <= 0)
		return true;
	if (d->idle < now)
		d->idle = now;
	if ((double)(d->idle - now) > d->way.of[QUEUE] * 1024 * ns_per_octet)
		return false;
	*at = d->idle += (uint64_t)((double)size * ns_per_octet);
	return true;
}

/* What happens to a frame; when it is due, or 0 if it goes no further. */
static uint64_t judge(struct direction *d, size_t length, const struct fate *fate, uint64_t now)
{
	uint64_t due;

	d->count[SEEN]++;
	if (length > (size_t)d->way.of[MTU] + ETHER_HDR_LEN)
		return d->count[LONG]++, 0;
	if (!passes_rate(d, length, now, &due))
		return d->count[FULL]++, 0;
	if (fate->lost)
		return d->count[LOST_]++, 0;
	due += ns(d->way.of[DELAY]) + fate->jitter;
	if (due < d->last_due)
		due = d->last_due;
	d->last_due = due;
	d->count[TWICE] += fate->twice;
	d->count[LATE] += fate->late;
	return fate->late ? due + ns(d->way.of[HOLD]) : due;
}

static void pass(struct line *l, struct direction *d, uint8_t *data, size_t size, uint64_t now)
{
	struct fate fate = fate_of(&d->way, d->number, number_of(d, data, size));
	uint64_t due = judge(d, size - sizeof(struct virtio_net_hdr), &fate, now);
	int copies;

	if (!due)
		return;
	for (copies = 1 + fate.twice; copies; copies--) {
		if (due > now || is_due(d, due)) {
			hold(d, due, data, size);
			continue;
		}
		if (l->out.n == BATCH)
			batch_send(&l->out, d);
		batch_add(&l->out, data, size);
	}
}

static void take_in(struct line *l, struct direction *d)
{
	uint64_t now;
	int i, n;

	for (i = 0, l->in.n = 0; i < BATCH; i++)
		batch_add(&l->in, l->room[i], FRAME_MAX);
	n = recvmmsg(d->in, l->in.message, BATCH, MSG_DONTWAIT, NULL);
	now = clock_ns();
	for (i = 0; i < n; i++)
		if (l->in.message[i].msg_len >= sizeof(struct virtio_net_hdr))
			pass(l, d, l->room[i], l->in.message[i].msg_len, now);
	batch_send(&l->out, d);
}

/* ---- the line ---- */

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value);
}

static int open_end(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq all = { .mr_type = PACKET_MR_PROMISC };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	at.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(name);
	if (!at.sll_ifindex) {
		fprintf(stderr, "link: there is no interface %s here\n", name);
		exit(1);
	}
	if (fd < 0 || set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) < 0 ||
	    set(fd, SOL_PACKET, PACKET_VNET_HDR, 1) < 0 ||
	    set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_ROOM) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		fprintf(stderr, "link: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static bool line_set(struct line *l, char **words)
{
	struct way ways[2];
	const char *wrong;

	ways_usual(ways);
	wrong = ways_read(ways, words);
	if (wrong) {
		fprintf(stderr, "link: \"%s\" is no option or lacks its number; "
			"'link' alone lists them\n", wrong);
		return false;
	}
	l->direction[0].way = ways[0];
	l->direction[1].way = ways[1];
	return true;
}

static bool line_set_from(struct line *l)
{
	char text[1024] = "", *words[WORDS + 1], *word, *rest = text;
	FILE *f = fopen(l->from, "r");
	int n = 0;

	if (!f) {
		fprintf(stderr, "link: %s: %s\n", l->from, strerror(errno));
		return false;
	}
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	while (n < WORDS && (word = strsep(&rest, " \t\n")))
		if (*word)
			words[n++] = word;
	words[n] = NULL;
	return line_set(l, words);
}

static void line_print(const struct line *l)
{
	int i, c;

	for (i = 0; i < 2; i++) {
		printf("%s", i ? "down" : "up");
		for (c = 0; c < COUNTS; c++)
			printf(" %s %llu", count_names[c], (unsigned long long)l->direction[i].count[c]);
		printf(" waiting %zu\n", l->direction[i].waiting);
	}
	fflush(stdout);
}

/* False when told to end. */
static bool line_told(struct line *l, int signals)
{
	struct signalfd_siginfo s;

	if (read(signals, &s, sizeof s) != sizeof s)
		return true;
	if (s.ssi_signo != SIGHUP)
		line_print(l);
	else if (l->from && line_set_from(l))
		printf("set\n");
	fflush(stdout);
	return s.ssi_signo == SIGHUP || s.ssi_signo == SIGUSR1;
}

static void line_wait(const struct line *l, struct pollfd *p, unsigned n)
{
	uint64_t now = clock_ns(), next = UINT64_MAX;
	struct timespec t;
	int i;

	for (i = 0; i < 2; i++)
		if (l->direction[i].waiting && l->direction[i].heap[0]->due < next)
			next = l->direction[i].heap[0]->due;
	next = next > now ? next - now : 0;
	t = (struct timespec){ (time_t)(next / 1000000000u), (long)(next % 1000000000u) };
	if (ppoll(p, n, next > ns(3.6e6) ? NULL : &t, NULL) < 0)
		p[0].revents = p[1].revents = p[2].revents = 0;
}

static void line_run(struct line *l, int signals)
{
	struct pollfd p[3] = { { l->direction[0].in, POLLIN, 0 }, { l->direction[1].in, POLLIN, 0 },
			       { signals, POLLIN, 0 } };
	int i;

	do {
		line_wait(l, p, 3);
		for (i = 0; i < 2; i++) {
			release_due(l, &l->direction[i], clock_ns());
			if (p[i].revents)	/* an error too is taken by reading */
				take_in(l, &l->direction[i]);
		}
	} while (!p[2].revents || line_told(l, signals));
}

static int signals_open(void)
{
	sigset_t set_of;

	sigemptyset(&set_of);
	sigaddset(&set_of, SIGHUP);
	sigaddset(&set_of, SIGUSR1);
	sigaddset(&set_of, SIGTERM);
	sigaddset(&set_of, SIGINT);
	sigprocmask(SIG_BLOCK, &set_of, NULL);
	return signalfd(-1, &set_of, SFD_CLOEXEC);
}

static void line_make(struct line *l, char **ends)
{
	int i, fd[2] = { open_end(ends[0]), open_end(ends[1]) };

	l->room = calloc(BATCH, sizeof *l->room);
	for (i = 0; i < 2; i++) {
		struct direction *d = &l->direction[i];

		d->number = i;
		d->in = fd[i];
		d->out = fd[!i];
		d->heap = calloc(WAITING_MAX, sizeof(struct frame *));
		if (!d->heap || !l->room) {
			fprintf(stderr, "link: no memory\n");
			exit(1);
		}
	}
}

static void line_free(struct line *l)
{
	int i;

	for (i = 0; i < 2; i++) {
		while (l->direction[i].waiting)
			free(heap_take(&l->direction[i]));
		free(l->direction[i].heap);
	}
	free(l->room);
}

int main(int argc, char **argv)
{
	 
	struct line l = { 0 };

	if (argc < 3) {
		fprintf(stderr, "usage: link FIRST SECOND [OPTION NUMBER]... | --from FILE\n");
		ways_usage(stderr);
		return 2;
	}
	if (argc == 5 && strcmp(argv[3], "--from") == 0)
		l.from = argv[4];
	if (!(l.from ? line_set_from(&l) : line_set(&l, argv + 3)))
		return 2;
	line_make(&l, argv + 1);
	/* to the microsecond, and before those whose packets it carries */
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, -10);
	printf("ready\n");
	fflush(stdout);
	line_run(&l, signals_open());
	line_free(&l);
	return 0;
}

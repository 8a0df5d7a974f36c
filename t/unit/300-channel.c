/* 300-channel.c - notes between workers, whoever is killed in between. */
#include "net/io/channel.h"
#include "t/tap.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A note of n octets that tells its number and whether it is whole. */
static size_t note_make(uint8_t *buf, uint32_t number, size_t n)
{
	size_t i;

	put32(buf, number);
	for (i = 4; i < n; i++)
		buf[i] = (uint8_t)(number + i);
	return n;
}

static bool note_is_whole(const uint8_t *buf, size_t n)
{
	uint32_t number = get32(buf);
	size_t i;

	for (i = 4; i < n; i++)
		if (buf[i] != (uint8_t)(number + i))
			return false;
	return n >= 4;
}

static size_t note_length(uint32_t number)
{
	return 4 + (number * 7919u) % (NOTE_MAX - 3);
}

static bool is_awake(const struct channel *c, unsigned worker)
{
	struct pollfd p = { .fd = channel_fd(c, worker), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void basics(void)
{
	static struct channel_note note;
	static uint8_t buf[NOTE_MAX + 1];
	struct channel *c = channel_new(3);

	ok(c != NULL, "rings for three workers can be made");
	ok(!channel_receive(c, 0, 1, &note), "a new ring is empty");
	ok(channel_send(c, 0, 1, 2, "hello", 5) && channel_send(c, 0, 1, 3, "", 0),
	   "notes are taken, an empty one too");
	ok(!channel_receive(c, 1, 0, &note) && !channel_receive(c, 2, 1, &note),
	   "no other pair sees them");
	ok(channel_receive(c, 0, 1, &note) && note.role == 2 && note.n == 5 &&
	   !memcmp(note.data, "hello", 5), "a note arrives with its role and octets");
	ok(channel_receive(c, 0, 1, &note) && note.role == 3 && note.n == 0, "then the next one");
	ok(channel_send(c, 1, 1, 0, "me", 2) && channel_receive(c, 1, 1, &note) && note.n == 2,
	   "a worker may send to itself");
	ok(!is_awake(c, 1), "sending alone wakes nobody");
	channel_wake(c, 1);
	channel_wake(c, 1);
	ok(is_awake(c, 1) && !is_awake(c, 0), "waking wakes the one");
	channel_hush(c, 1);
	ok(!is_awake(c, 1), "and once is enough to be quiet again");
	ok(!channel_send(c, 0, 1, 0, buf, NOTE_MAX + 1) && channel_lost(c, 0, 1) == 1,
	   "a note over 64 KiB is refused and counted");
	ok(!channel_send(c, 0, 3, 0, buf, 1), "so is one to a worker that is not there");
	channel_free(c);
}

static void full_and_round(void)
{
	static struct channel_note note;
	static uint8_t buf[NOTE_MAX];
	struct channel *c = channel_new(2);
	uint32_t sent = 0, got = 0, i;
	bool whole = true;

	while (channel_send(c, 0, 1, 0, buf, note_make(buf, sent, NOTE_MAX)))
		sent++;
	ok(sent == 3, "three of the largest notes fit (%u)", sent);
	ok(channel_lost(c, 0, 1) == 1, "what does not fit is counted");
	ok(channel_receive(c, 0, 1, &note) && get32(note.data) == 0, "the oldest leaves first");
	ok(channel_send(c, 0, 1, 0, buf, note_make(buf, 3, NOTE_MAX)), "and makes room");
	while (channel_receive(c, 0, 1, &note))
		whole = whole && note.n == NOTE_MAX && get32(note.data) == ++got &&
			note_is_whole(note.data, note.n);
	ok(whole && got == 3, "the others follow in order, whole across the ring's end");
	for (i = 0, whole = true; i < 2000 * scale(); i++) {
		whole = whole && channel_send(c, 0, 1, 0, buf, note_make(buf, i, note_length(i)));
		whole = whole && channel_receive(c, 0, 1, &note) && get32(note.data) == i &&
			note.n == note_length(i) && note_is_whole(note.data, note.n);
	}
	ok(whole, "notes of every length go round and round");
	channel_free(c);
}

static pid_t flood(struct channel *c)
{
	static uint8_t buf[NOTE_MAX];
	pid_t pid = fork();
	uint32_t i;

	if (pid)
		return pid;
	for (i = 0;; i++)
		channel_send(c, 0, 1, 0, buf, note_make(buf, i, note_length(i) / 16 + 4));
}

static void killed_writers(void)
{
	static struct channel_note note;
	struct channel *c = channel_new(2);
	unsigned life, got = 0, broken = 0, lives = 10 * scale();

	for (life = 0; life < lives; life++) {
		pid_t pid = flood(c);
		unsigned n = 0;

		while (n < 200)
			if (channel_receive(c, 0, 1, &note)) {
				n++;
				broken += !note_is_whole(note.data, note.n);
			}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		got += n;
	}
	ok(got >= lives * 200 && !broken,
	   "%u writers killed in the midst of it never leave half a note", lives);
	channel_free(c);
}

static void killed_reader(void)
{
	static struct channel_note note;
	static uint8_t buf[64];
	struct channel *c = channel_new(2);
	uint32_t next, i;
	int status;
	pid_t pid;

	for (i = 0; i < 100; i++)
		channel_send(c, 0, 1, 0, buf, note_make(buf, i, sizeof buf));
	pid = fork();
	if (!pid) {
		for (i = 0; i < 40; i++)
			channel_receive(c, 0, 1, &note);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	for (next = 40; channel_receive(c, 0, 1, &note); next++)
		if (get32(note.data) != next)
			break;
	ok(next == 100, "a reader's successor goes on where it stopped (%u)", next);
	channel_free(c);
}

int main(void)
{
	basics();
	full_and_round();
	killed_writers();
	killed_reader();
	return done();
}

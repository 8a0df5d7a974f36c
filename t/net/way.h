/*
 * way.h - what a line does to the frames that go one way, and the dice.
 *
 * The emulator and its probe share this.  What befalls a frame is a function of the seed, the
 * direction and the frame's number alone: a run can be repeated, and the probe, whose frames
 * carry their numbers, knows beforehand what must become of each.
 */
#ifndef T_WAY_H
#define T_WAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum setting { DELAY, JITTER, RATE, QUEUE, MTU, LOSS, DUPLICATE, REORDER, HOLD, SEED, SETTINGS };

struct way {
	double of[SETTINGS];
};

struct fate {
	bool lost, twice, late;
	uint64_t jitter;	/* ns */
};

static const struct {
	const char *name;
	double usual;
	const char *what;
} settings[SETTINGS] = {
	[DELAY] = { "delay", 0, "ms that every frame takes" },
	[JITTER] = { "jitter", 0, "ms at most that it takes longer; order is kept" },
	[RATE] = { "rate", 0, "Mbit/s" },
	[QUEUE] = { "queue", 256, "KB that may wait for the rate" },
	[MTU] = { "mtu", 65535, "octets of the longest packet that passes" },
	[LOSS] = { "loss", 0, "of 1000 frames are lost" },
	[DUPLICATE] = { "duplicate", 0, "of 1000 frames come twice" },
	[REORDER] = { "reorder", 0, "of 1000 frames are held back, others overtake them" },
	[HOLD] = { "hold", 2, "ms that a frame is held back" },
	[SEED] = { "seed", 1, "of the dice" },
};

/* Frames of the probe: of the Ethernet type for local experiments, their number behind the header. */
#define PROBE_TYPE 0x88b5

/* The numbers of all others, which a probe cannot know. */
#define OTHERS ((uint64_t)1 << 40)

static inline void ways_usual(struct way ways[2])
{
	int i;

	for (i = 0; i < SETTINGS; i++)
		ways[0].of[i] = ways[1].of[i] = settings[i].usual;
}

/* The setting of --NAME; SETTINGS if there is none. */
static inline enum setting setting_named(const char *word)
{
	int i;

	for (i = 0; i < SETTINGS; i++)
		if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, settings[i].name) == 0)
			break;
	return (enum setting)i;
}

/*
 * Reads --NAME NUMBER..., where --up and --down say which direction the words behind them are for;
 * before either, for both.  NULL, or the word that is wrong.
 */
static inline const char *ways_read(struct way ways[2], char **words)
{
	bool is_for[2] = { true, true };

	for (; *words; words++) {
		enum setting s = setting_named(*words);
		bool up = strcmp(*words, "--up") == 0;
		char *end;
		double value;

		if (up || strcmp(*words, "--down") == 0) {
			is_for[0] = up;
			is_for[1] = !up;
			continue;
		}
		if (s == SETTINGS || !words[1])
			return *words;
		value = strtod(*++words, &end);
		if (end == *words || *end || !(value >= 0 && value <= 1e9))
			return *words;
		if (is_for[0])
			ways[0].of[s] = value;
		if (is_for[1])
			ways[1].of[s] = value;
	}
	return NULL;
}

static inline void ways_usage(FILE *f)
{
	int i;

	for (i = 0; i < SETTINGS; i++)
		fprintf(f, "  --%-10s %s (%g)\n", settings[i].name, settings[i].what, settings[i].usual);
	fprintf(f, "  --up --down   what follows is for frames from the first to the second, or back\n");
}

/* A number from 0 to below 1; each question about a frame has its own die. */
static inline double die(const struct way *w, int direction, uint64_t number, enum setting question)
{
	uint64_t x = number * SETTINGS + question;

	x = x * 2 + (uint64_t)direction + (uint64_t)w->of[SEED] * 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	x ^= x >> 31;
	return (double)(x >> 11) / 9007199254740992.0;
}

static inline bool befalls(const struct way *w, int direction, uint64_t number, enum setting s)
{
	return die(w, direction, number, s) * 1000 < w->of[s];
}

static inline struct fate fate_of(const struct way *w, int direction, uint64_t number)
{
	return (struct fate){
		.lost = befalls(w, direction, number, LOSS),
		.twice = befalls(w, direction, number, DUPLICATE),
		.late = befalls(w, direction, number, REORDER),
		.jitter = (uint64_t)(die(w, direction, number, JITTER) * w->of[JITTER] * 1e6),
	};
}

#endif

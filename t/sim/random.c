/*
 * random.c - no chance in the simulator: BoringSSL's RAND_bytes(), for ours and for its own
 * libraries (the program's symbol goes before theirs), from a seed.  Same seed, same run.
 *
 * xoshiro256** by Blackman and Vigna, seeded by splitmix64; good dice, no secrets.
 */
#include "t/sim/random.h"
#include <openssl/rand.h>

static struct dice everybody;		/* the one generator behind RAND_bytes() */

static uint64_t rotate(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void dice_seed(struct dice *d, uint64_t seed)
{
	unsigned i;

	for (i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		d->s[i] = z ^ z >> 31;
	}
}

uint64_t dice_roll(struct dice *d)
{
	uint64_t result = rotate(d->s[1] * 5, 7) * 9, t = d->s[1] << 17;

	d->s[2] ^= d->s[0];
	d->s[3] ^= d->s[1];
	d->s[1] ^= d->s[2];
	d->s[0] ^= d->s[3];
	d->s[2] ^= t;
	d->s[3] = rotate(d->s[3], 45);
	return result;
}

uint64_t dice_below(struct dice *d, uint64_t n)
{
	return n ? dice_roll(d) % n : 0;
}

void random_seed(uint64_t seed)
{
	dice_seed(&everybody, seed);
}

int RAND_bytes(uint8_t *out, size_t n)
{
	while (n) {
		uint64_t r = dice_roll(&everybody);
		size_t k = MIN(n, sizeof r);

		memcpy(out, &r, k);
		out += k;
		n -= k;
	}
	return 1;
}

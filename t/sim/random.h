/* random.h - seeded dice: one set for every key made in this process, others for the links. */
#ifndef T_SIM_RANDOM_H
#define T_SIM_RANDOM_H

#include "cyphonic.h"

struct dice {
	uint64_t s[4];
};

void dice_seed(struct dice *d, uint64_t seed);
uint64_t dice_roll(struct dice *d);
/* 0 to n - 1; 0 when n is 0. */
uint64_t dice_below(struct dice *d, uint64_t n);

/* What RAND_bytes(), and so random_bytes(), TLS and everything else, gives from now on. */
void random_seed(uint64_t seed);

#endif

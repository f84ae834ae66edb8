/* SPDX-License-Identifier: Apache-2.0
 *
 * Seeded numbers (SplitMix64), the same on every machine: for sampled checks and made-up inputs, never for secrets. */
#ifndef OG_BASE_RANDOM_H
#define OG_BASE_RANDOM_H

#include <stdint.h>

typedef struct og_random {
	uint64_t state;
} og_random;

static inline uint64_t og_random_next(og_random *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}
static inline uint64_t og_random_below(og_random *r, uint64_t n) /* 0 … n-1; n ≥ 1 */
{
	return (uint64_t)(((unsigned __int128)og_random_next(r) * n) >> 64);
}
static inline double og_random_unit(og_random *r) /* [0, 1) */
{
	return (double)(og_random_next(r) >> 11) * 0x1p-53;
}

#endif

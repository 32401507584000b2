/* SPDX-License-Identifier: Apache-2.0
 * xoshiro256** (Blackman and Vigna, public domain algorithm), seeded through splitmix64. */
#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

icseg_rng icseg_rng_open(uint64_t seed, icseg_rng_purpose purpose, uint64_t index) {
    icseg_rng rng;
    uint64_t x = seed;
    x = splitmix(&x) ^ (uint64_t)purpose;
    x = splitmix(&x) ^ index;
    for (int i = 0; i < 4; i++) rng.state[i] = splitmix(&x);
    return rng;
}

static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

uint64_t icseg_rng_u64(icseg_rng *rng) {
    uint64_t *s = rng->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

float icseg_rng_uniform(icseg_rng *rng) { return (float)(icseg_rng_u64(rng) >> 40) * 0x1p-24f; }

float icseg_rng_range(icseg_rng *rng, float low, float high) { return low + (high - low) * icseg_rng_uniform(rng); }

float icseg_rng_normal(icseg_rng *rng) {
    double u = ((double)(icseg_rng_u64(rng) >> 11) + 0.5) * 0x1p-53, v = (double)(icseg_rng_u64(rng) >> 11) * 0x1p-53;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint64_t icseg_rng_below(icseg_rng *rng, uint64_t bound) {
    uint64_t reject = (0 - bound) % bound; /* the lowest 2^64 mod bound values would be drawn once too often */
    for (;;) {
        uint64_t x = icseg_rng_u64(rng);
        if (x >= reject) return x % bound;
    }
}

void icseg_rng_shuffle(icseg_rng *rng, uint32_t *array, uint32_t count) {
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = (uint32_t)icseg_rng_below(rng, i), swapped = array[i - 1];
        array[i - 1] = array[j];
        array[j] = swapped;
    }
}

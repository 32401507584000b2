/* SPDX-License-Identifier: Apache-2.0
 * Random numbers. A stream is a pure function of (seed, purpose, index): only the step counter must be stored to resume
 * a run, and results do not depend on which thread draws. */
#ifndef ICSEG_BASE_RNG_H
#define ICSEG_BASE_RNG_H

#include <stdint.h>

typedef struct icseg_rng {
    uint64_t state[4]; /* xoshiro256** */
} icseg_rng;

/* The purpose of a stream. The numbers decide results: append only. */
typedef enum icseg_rng_purpose {
    ICSEG_RNG_INIT = 1,    /* initial weights; index = position of the parameter */
    ICSEG_RNG_SHUFFLE = 2, /* order of the samples; index = epoch */
    ICSEG_RNG_AUGMENT = 3, /* augmentation; index = sample number since the start of training */
    ICSEG_RNG_DROPOUT = 4, /* dropout masks; index = step, then node, then block */
    ICSEG_RNG_SYNTH = 5,   /* generated scenes; index = image */
    ICSEG_RNG_TEST = 6,
    ICSEG_RNG_CAPTION = 7,  /* cut-outs and captions of generated scenes; index = image */
    ICSEG_RNG_CONTRAST = 8, /* positives and negatives; index = step, then image and class, then candidate */
    ICSEG_RNG_RARE = 9,     /* rare class that a sample is chosen for, and its image; index = sample number */
    ICSEG_RNG_PASTE =
        10, /* rare class whose pixels are pasted, from where, their augmentation; index = sample number */
    ICSEG_RNG_RESAMPLE = 11 /* images of a comparison that are drawn again; index = resample */
} icseg_rng_purpose;

icseg_rng icseg_rng_open(uint64_t seed, icseg_rng_purpose purpose, uint64_t index);
uint64_t icseg_rng_u64(icseg_rng *rng);
float icseg_rng_uniform(icseg_rng *rng);                      /* [0, 1), 24 bits */
float icseg_rng_range(icseg_rng *rng, float low, float high); /* [low, high) */
float icseg_rng_normal(icseg_rng *rng);                       /* mean 0, variance 1 */
uint64_t icseg_rng_below(icseg_rng *rng, uint64_t bound);     /* [0, bound), unbiased; bound >= 1 */
void icseg_rng_shuffle(icseg_rng *rng, uint32_t *array, uint32_t count);

#endif

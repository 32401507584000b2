/* SPDX-License-Identifier: Apache-2.0
 * The range of a tensor that suits its quantisation to bytes. */
#ifndef ICSEG_GRAPH_BEST_RANGE_H
#define ICSEG_GRAPH_BEST_RANGE_H

#include <stdint.h>

/* CLIP was trained and published in f16, whose magnitudes are 6e-8 to 65,504: a range outside these limits was not
 * measured on such a network. */
#define ICSEG_MIN_RANGE 1e-8f
#define ICSEG_MAX_RANGE 1e6f

typedef struct icseg_activation_range {
    float low, high; /* low <= 0 <= high; both 0: always (almost) zero */
} icseg_activation_range;

typedef enum icseg_range_kind {
    ICSEG_RANGE_MSE,       /* minimises the mean square error of clamping and rounding */
    ICSEG_RANGE_MAX,       /* all values */
    ICSEG_RANGE_PERCENTILE /* all but the largest and the smallest: (100 - percentile) % of the values on each side */
} icseg_range_kind;

typedef struct icseg_range_rule {
    icseg_range_kind kind;
    double percentile; /* above 50, at most 100 */
} icseg_range_rule;

/* The range that covers both. */
icseg_activation_range icseg_join_ranges(icseg_activation_range a, icseg_activation_range b);
float icseg_range_magnitude(icseg_activation_range range);

/* values: finite. The range contains 0, and is empty if all magnitudes are below ICSEG_MIN_RANGE. */
icseg_activation_range icseg_best_range(const float *values, int64_t count, icseg_range_rule rule);

#endif

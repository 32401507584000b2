/* SPDX-License-Identifier: Apache-2.0
 * Stratified division: groups of images are assigned to parts so that each part gets about its share of every class
 * (Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, 2011). */
#ifndef ICSEG_DATASET_STRATIFY_H
#define ICSEG_DATASET_STRATIFY_H

#include <stdint.h>

#include "base/error.h"

enum { ICSEG_STRATA_PARTS = 3, ICSEG_STRATA_ONE = 1 << 20 /* the whole, in the units of shares */ };

/* How much of a class a group contains. */
typedef struct icseg_stratum {
    int32_t row;    /* of the class */
    int32_t amount; /* of the row's total, in 1 / ICSEG_STRATA_ONE */
} icseg_stratum;

typedef struct icseg_strata {
    int32_t parts;                     /* 2..ICSEG_STRATA_PARTS */
    int64_t share[ICSEG_STRATA_PARTS]; /* (parts) in 1 / ICSEG_STRATA_ONE; their sum is ICSEG_STRATA_ONE */
    int32_t rows;
    int64_t groups;              /* >= parts */
    const int64_t *start;        /* (groups + 1): the entries of each group */
    const icseg_stratum *strata; /* (start[groups]); each row at most once for each group */
    const uint64_t *key;         /* (groups): random numbers, which decide the order of the work */
} icseg_strata;

/* Writes the part of each group to part: (groups). No part is empty. All arithmetic is that of integers, so that the
 * result is the same on every machine. Fails only for lack of memory. */
icseg_status icseg_stratify(const icseg_strata *strata, uint8_t *part, icseg_error *error);

#endif

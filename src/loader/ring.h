/* SPDX-License-Identifier: Apache-2.0
 * A ring of batches: threads make samples ahead of the caller, who takes the batches in order. Sample n of the run is
 * made from an item, which the epoch's shuffle selects; n and the item depend on the seed and n alone. Rings in several
 * processes can share the samples of each batch. */
#ifndef ICSEG_LOADER_RING_H
#define ICSEG_LOADER_RING_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { ICSEG_RING_PARTS = 2 };

/* Writes the parts of sample n. Several threads call it at the same time. */
typedef icseg_status (*icseg_ring_make)(const void *user, uint64_t n, int64_t item, void *const part[ICSEG_RING_PARTS],
                                        icseg_error *error);

/* The item that sample n is made from, or -1: that of the shuffle. Called with the ring's mutex. */
typedef int64_t (*icseg_ring_pick)(const void *user, uint64_t n);

typedef struct icseg_ring_options {
    int64_t items;                  /* 1..2^32 - 1: an epoch uses each of them once */
    size_t bytes[ICSEG_RING_PARTS]; /* of the parts of a sample */
    int32_t batch;                  /* samples, 1..65536 */
    int32_t threads;                /* 1..256 */
    int32_t ahead;                  /* batches made in advance, 1..64 */
    uint64_t seed;
    int64_t first_step;    /* the first batch to return */
    int32_t share, shares; /* this ring makes part `share` of `shares`, of `batch` samples, of each batch; 0: one */
    icseg_ring_make make;
    icseg_ring_pick pick; /* NULL: the shuffle decides */
    const void *user;     /* of make and pick */
} icseg_ring_options;

typedef struct icseg_ring_batch {
    int64_t step;
    const void *part[ICSEG_RING_PARTS]; /* (batch) each */
    const int64_t *item;                /* (batch) */
} icseg_ring_batch;

typedef struct icseg_ring icseg_ring;

/* Starts the threads. */
icseg_status icseg_ring_open(icseg_ring **out, const icseg_ring_options *options, icseg_error *error);
/* Returns the next batch and waits for it if necessary; it is valid until the next call. If a sample of the batch could
 * not be made, the error is that of the first one, and the next call returns the following batch. One thread at a time.
 */
icseg_status icseg_ring_next(icseg_ring *ring, icseg_ring_batch *out, icseg_error *error);
/* Stops the threads; each finishes its current sample first. */
void icseg_ring_close(icseg_ring **ring);

#endif

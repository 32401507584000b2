/* SPDX-License-Identifier: Apache-2.0
 * Shared by the losses on bilinearly upsampled logits: they interpolate one output row at a time, so that the upsampled
 * map never exists.
 *
 * Output rows are grouped by the source row above them. A band is the output rows between source rows r and r + 1. Its
 * task adds the gradient of row r to one buffer and that of row r + 1 to another; a last pass adds the two. Results
 * therefore do not depend on the number of threads. */
#ifndef ICSEG_GRAPH_OPS_UPSAMPLED_H
#define ICSEG_GRAPH_OPS_UPSAMPLED_H

#include "base/sampling.h"
#include "base/vmath.h"
#include "graph/node.h"

#define ICSEG_NO_CLASS -1e30f /* logit of the padding */
#define ICSEG_TINY     -60.0f /* e^x of less is 0: it changes no sum, and denormal products are a hundred times slower */

/* Logits (batch, h, w, classes), read at the pixels of labels (batch, height, width). */
typedef struct icseg_upsampling {
    int64_t batch, h, w, classes, height, width;
    int64_t padded; /* P: classes, padded to a multiple of ICSEG_LANES, so that loops over them have no remainder */
    int threads;
    icseg_interpolation *x, *y; /* (width), (height) */
    int64_t *first;             /* (h + 1): output rows [first[r], first[r + 1]) are below source row r */
} icseg_upsampling;

/* Buffers of one thread. */
typedef struct icseg_upsampled_buffers {
    float *row;      /* (w, P) logits of one output row, before horizontal interpolation */
    float *row_grad; /* (w, P) */
    float *pixel;    /* (P) */
} icseg_upsampled_buffers;

/* A part of scratch memory of *size bytes so far, which grow; NULL without memory: only the size is wanted. */
static inline void *icseg_scratch_part(unsigned char *scratch, size_t *size, int64_t bytes) {
    size_t start = *size;
    *size += ((size_t)bytes + 63) / 64 * 64;
    return scratch ? scratch + start : NULL;
}

/* Whether labels (B, H, W) fit logits (B, h, w, K). If not, the graph fails. */
bool icseg_upsampled_check(icseg_graph *g, const char *op, icseg_value logits, icseg_value labels);
icseg_status icseg_upsampling_open(icseg_upsampling *u, const icseg_shape *logits, const icseg_shape *labels,
                                   icseg_error *error);
void icseg_upsampling_close(icseg_upsampling *u);
/* Bytes of the buffers of all threads. */
size_t icseg_upsampled_buffer_size(const icseg_upsampling *u);
/* Those of the calling thread. */
icseg_upsampled_buffers icseg_upsampled_buffers_of(const icseg_upsampling *u, float *buffer);

/* The number of labelled pixels. A label that is not a class is an error. */
icseg_status icseg_upsampled_count(const icseg_upsampling *u, const int16_t *labels, int64_t *out, icseg_error *error);

/* (w, K) above and below an output row -> (w, P), times factor */
void icseg_upsampled_interpolate(const icseg_upsampling *u, float *out, const float *a, const float *b, float weight,
                                 float factor);
/* y (w, K) += factor * x (w, P) */
void icseg_upsampled_add_row(const icseg_upsampling *u, float *y, const float *x, float factor);
/* gradient (B, h, w, K) = factor * (that of the row's own band + `below` of the band above it) */
void icseg_upsampled_finish(const icseg_upsampling *u, float *gradient, const float *below, float factor);

/* Reads one output row; row counts those of all images. With gradients, it adds its own to b->row_grad, which is 0. */
typedef void (*icseg_upsampled_reader)(const icseg_upsampling *u, const icseg_upsampled_buffers *b, int64_t band,
                                       int64_t row, void *user);
/* Calls `read` for all rows; those of a band one after the other. above, below (bands, w, K): gradients, which grow; or
 * NULL. */
void icseg_upsampled_read(const icseg_upsampling *u, const float *logits, float *above, float *below, float *buffer,
                          icseg_upsampled_reader read, void *user);

/* v (n) = the logits between low and high. Returns the sum of v = e^(v - largest). */
ICSEG_INLINE float icseg_upsampled_exponentials(float *v, const float *low, const float *high, float weight, int64_t n,
                                                float *largest) {
    float lane[ICSEG_LANES];
    for (int j = 0; j < ICSEG_LANES; j++) lane[j] = ICSEG_NO_CLASS;
    for (int64_t k = 0; k < n; k += ICSEG_LANES)
#pragma omp simd
        for (int j = 0; j < ICSEG_LANES; j++) {
            float logit = (1 - weight) * low[k + j] + weight * high[k + j];
            v[k + j] = logit;
            lane[j] = lane[j] > logit ? lane[j] : logit; /* a NaN shows in the sum */
        }
    float top = *largest = icseg_lanes_max(lane);
    for (int j = 0; j < ICSEG_LANES; j++) lane[j] = 0;
    for (int64_t k = 0; k < n; k += ICSEG_LANES)
#pragma omp simd
        for (int j = 0; j < ICSEG_LANES; j++) {
            float below = v[k + j] - top, e = icseg_exp_below(below);
            e = below < ICSEG_TINY ? 0 : e;
            v[k + j] = e;
            lane[j] += e;
        }
    return icseg_lanes_sum(lane);
}

#endif

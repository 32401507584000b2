/* SPDX-License-Identifier: Apache-2.0
 * The entropy of each pixel's probabilities, row by row. */
#include "explain/entropy.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "base/sampling.h"
#include "base/threads.h"
#include "base/vmath.h"

typedef struct entropy_job {
    const float *logits; /* (h, w, K) */
    int64_t h, w, classes;
    int32_t height, width;
    float *out;     /* (height, width) */
    float *scratch; /* (threads, w * K + K) */
    int threads;
} entropy_job;

/* The entropy of softmax(logits) divided by log K. */
ICSEG_INLINE float entropy_of(const float *logits, int64_t classes) {
    float largest = logits[0], sum = 0, weighted = 0;
    for (int64_t k = 1; k < classes; k++) largest = fmaxf(largest, logits[k]);
    for (int64_t k = 0; k < classes; k++) {
        float below = logits[k] - largest, e = icseg_exp_below(below);
        sum += e;
        weighted += e * fmaxf(below, -100); /* smaller terms are zero in f32 */
    }
    /* cppcheck-suppress invalidFunctionArg ; the largest logit adds 1 to the sum */
    float entropy = (logf(sum) - weighted / sum) / logf((float)classes);
    return fminf(fmaxf(entropy, 0), 1);
}

ICSEG_KERNEL static void entropy_row(const entropy_job *j, int32_t y, float *line) {
    int64_t run = j->w * j->classes;
    float *pixel = line + run;
    icseg_interpolation v = icseg_interpolation_at(y, j->h, j->height);
    icseg_lerp(line, j->logits + v.low * run, j->logits + v.high * run, v.weight, 1, run);
    for (int32_t x = 0; x < j->width; x++) {
        icseg_interpolation u = icseg_interpolation_at(x, j->w, j->width);
        icseg_lerp(pixel, line + u.low * j->classes, line + u.high * j->classes, u.weight, 1, j->classes);
        j->out[(size_t)y * (size_t)j->width + (size_t)x] = entropy_of(pixel, j->classes);
    }
}

static icseg_status run_entropy(void *user) {
    const entropy_job *j = user;
    size_t floats = (size_t)((j->w + 1) * j->classes);
#pragma omp parallel for schedule(static) num_threads(j->threads)
    for (int32_t y = 0; y < j->height; y++) entropy_row(j, y, j->scratch + (size_t)omp_get_thread_num() * floats);
    return ICSEG_OK;
}

icseg_status icseg_explain_entropy(float *out, const icseg_tensor *logits, int32_t width, int32_t height, int threads,
                                   icseg_error *error) {
    entropy_job j = {.logits = logits->data,
                     .h = logits->shape[1],
                     .w = logits->shape[2],
                     .classes = logits->shape[3],
                     .width = width,
                     .height = height,
                     .out = out,
                     .threads = threads};
    if (j.classes == 1) {
        memset(out, 0, (size_t)width * (size_t)height * sizeof *out);
        return ICSEG_OK;
    }
    size_t floats = (size_t)threads * (size_t)((j.w + 1) * j.classes);
    j.scratch = icseg_alloc_array(floats, sizeof *j.scratch);
    if (!j.scratch) return icseg_fail_memory(error, floats * sizeof *j.scratch, "rows of logits");
    icseg_status status = icseg_threads_run(threads, run_entropy, &j, error);
    icseg_free(j.scratch);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * For tests/cli/cases/mpi.sh: exits with 0 if two checkpoints have the same tensors and the weights differ by at most
 * LIMIT times their length, as vectors. With MOMENTS, each of AdamW's first moments also differs by at most MOMENTS
 * times its length; a moment that is short beside all others together may consist of rounding errors.
 * Usage: compare_weights A B LIMIT [MOMENTS] */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/memory.h"
#include "icseg/tensor_file.h"

static const double negligible = 1e-3; /* length of a moment beside all of them */

static _Noreturn void fail(const icseg_error *error) {
    fprintf(stderr, "%s\n", error->message);
    exit(2);
}

/* Squares of lengths. */
typedef struct comparison {
    double difference, length;
} comparison;

static comparison compare(const char *first, const char *second, const char *name) {
    comparison out = {0};
    icseg_tensor a, b;
    icseg_error error;
    if (icseg_tensor_read(&a, first, name, &error) != ICSEG_OK) fail(&error);
    if (icseg_tensor_read(&b, second, name, &error) != ICSEG_OK) fail(&error);
    int64_t count = 1;
    for (int32_t axis = 0; axis < a.rank; axis++) count *= a.shape[axis];
    for (int64_t j = 0; j < count; j++) {
        double x = (double)((const float *)a.data)[j], y = (double)((const float *)b.data)[j];
        out.difference += (x - y) * (x - y);
        out.length += x * x;
    }
    icseg_buffer_free(a.data);
    icseg_buffer_free(b.data);
    return out;
}

/* The sum over the tensors whose names begin with `prefix`, or do not begin with "adamw." if it is NULL. */
static comparison compare_all(const icseg_tensor_file *file, char *const *paths, const char *prefix) {
    comparison sum = {0};
    for (size_t i = 0; i < icseg_tensor_file_count(file); i++) {
        const char *name = icseg_tensor_file_name(file, i);
        if (prefix ? strncmp(name, prefix, strlen(prefix)) != 0 : !strncmp(name, "adamw.", 6)) continue;
        comparison one = compare(paths[0], paths[1], name);
        sum.difference += one.difference;
        sum.length += one.length;
    }
    return sum;
}

static bool moments_agree(const icseg_tensor_file *file, char *const *paths, double limit) {
    static const char prefix[] = "adamw.first.";
    const comparison all = compare_all(file, paths, prefix);
    const char *worst = "";
    double largest = 0;
    for (size_t i = 0; i < icseg_tensor_file_count(file); i++) {
        const char *name = icseg_tensor_file_name(file, i);
        if (strncmp(name, prefix, strlen(prefix)) != 0) continue;
        comparison one = compare(paths[0], paths[1], name);
        double relative = sqrt(one.difference / fmax(one.length, negligible * negligible * all.length));
        if (!(relative <= largest)) {
            largest = relative;
            worst = name;
        }
    }
    printf("largest relative difference of a moment %.3g: %s\n", largest, worst);
    return largest <= limit;
}

int main(int argc, char **argv) {
    icseg_tensor_file *file;
    icseg_error error;
    if (argc < 4) return 2;
    if (icseg_tensor_file_open(&file, argv[1], &error) != ICSEG_OK) fail(&error);
    const comparison weights = compare_all(file, argv + 1, NULL);
    double relative = sqrt(weights.difference / weights.length);
    printf("relative difference %.3g\n", relative);
    bool agree =
        relative <= strtod(argv[3], NULL) && (argc < 5 || moments_agree(file, argv + 1, strtod(argv[4], NULL)));
    icseg_tensor_file_close(&file);
    return agree ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0
 * f32 in GCC's vectors of 128 bits: NEON on ARM. */
#include "compute/dense/kernel.h"

#include "base/system.h"

enum { LANES = 4, ROWS = ICSEG_DENSE_ROWS, COLUMNS = ICSEG_DENSE_COLUMNS };
typedef float lanes __attribute__((vector_size(16)));
typedef float in_memory __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(16)));

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(x, y, a, b, c, d) __builtin_shufflevector(x, y, a, b, c, d)
#else
#define SHUFFLE(x, y, a, b, c, d) __builtin_shuffle(x, y, (mask){a, b, c, d})
#endif

ICSEG_INLINE lanes load(const float *x) { return *(const in_memory *)x; }
ICSEG_INLINE void store(float *to, lanes x) { *(in_memory *)to = x; }

static bool always(void) { return true; }

static void multiply(const void *panel_a, const void *panel_b, int64_t n, bool add, float *tile) {
    const float *a = panel_a, *b = panel_b;
    lanes left[ROWS], right[ROWS];
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; r++) left[r] = right[r] = (lanes){0};
    for (int64_t i = 0; i < n; i++, a += ROWS, b += COLUMNS) {
        lanes x = load(b), y = load(b + LANES), row[] = {load(a), load(a + LANES), load(a + 2 * LANES)};
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            left[r] += row[r / LANES][r % LANES] * x;
            right[r] += row[r / LANES][r % LANES] * y;
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; r++, tile += COLUMNS) {
        store(tile, add ? load(tile) + left[r] : left[r]);
        store(tile + LANES, add ? load(tile + LANES) + right[r] : right[r]);
    }
}

const icseg_dense_kernel icseg_dense_kernel_f32 = {
    .name = "neon_f32", .group = 1, .supported = always, .multiply = multiply};

void icseg_dense_transpose(const float *a, const float *b, const float *c, const float *d, float *to, int64_t pitch) {
    lanes w = load(a), x = load(b), y = load(c), z = load(d);
    lanes even_wx = SHUFFLE(w, x, 0, 4, 2, 6), odd_wx = SHUFFLE(w, x, 1, 5, 3, 7);
    lanes even_yz = SHUFFLE(y, z, 0, 4, 2, 6), odd_yz = SHUFFLE(y, z, 1, 5, 3, 7);
    store(to, SHUFFLE(even_wx, even_yz, 0, 1, 4, 5));
    store(to + pitch, SHUFFLE(odd_wx, odd_yz, 0, 1, 4, 5));
    store(to + 2 * pitch, SHUFFLE(even_wx, even_yz, 2, 3, 6, 7));
    store(to + 3 * pitch, SHUFFLE(odd_wx, odd_yz, 2, 3, 6, 7));
}

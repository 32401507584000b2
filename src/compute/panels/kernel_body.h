/* SPDX-License-Identifier: Apache-2.0
 * The body of kernel.c, which includes it once for each instruction set. LANES: numbers in a vector. ROWS: 6 or 12
 * rows, whose sums, two vectors each, stay in registers. NAMED: makes the names of this copy. */

#define PANEL (2 * LANES)
#define lanes NAMED(lanes)
#define mask  NAMED(mask)
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

ICSEG_INLINE lanes NAMED(positive)(lanes x) { return (lanes)((mask)x & ~(x < (lanes){0})); } /* NaN stays NaN */

ICSEG_INLINE void NAMED(multiply_rows)(const int rows, const icseg_panels_block *block) {
    lanes left[ROWS], right[ROWS], zero = {0};
    const float *a[ROWS / 2], *b = block->b; /* a: of two rows each */
    const char *later = block->later[0].from, *last = block->later[1].from;
    float *out = block->out;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++, out += block->out_pitch) {
        left[r] = block->bias ? *(const lanes *)block->bias : zero;
        right[r] = block->bias ? *(const lanes *)(block->bias + LANES) : zero;
        __builtin_prefetch(out, 1);
        __builtin_prefetch(out + LANES, 1);
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r += 2) a[r / 2] = block->a + r * block->inner;
    for (int64_t i = 0; i < block->inner; i++, b += PANEL) {
        lanes x = *(const lanes *)b, y = *(const lanes *)(b + LANES);
        __builtin_prefetch(later);
        __builtin_prefetch(last);
        later += block->later[0].step;
        last += block->later[1].step;
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            float value = a[r / 2][r % 2 * block->inner];
            left[r] += value * x;
            right[r] += value * y;
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r += 2) a[r / 2]++;
    }
    out = block->out;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++, out += block->out_pitch) {
        if (block->accumulate) left[r] += *(const lanes *)out, right[r] += *(const lanes *)(out + LANES);
        *(lanes *)out = block->relu ? NAMED(positive)(left[r]) : left[r];
        *(lanes *)(out + LANES) = block->relu ? NAMED(positive)(right[r]) : right[r];
    }
}

static void NAMED(multiply)(const icseg_panels_block *block, int64_t rows) {
    switch (rows) {
#define CASE(n)                                                                                                        \
    case n: NAMED(multiply_rows)(n, block); break
        CASE(1);
        CASE(2);
        CASE(3);
        CASE(4);
        CASE(5);
#if ROWS == 12
        CASE(6);
        CASE(7);
        CASE(8);
        CASE(9);
        CASE(10);
        CASE(11);
#endif
    default: NAMED(multiply_rows)(ROWS, block);
    }
#undef CASE
}

_Static_assert(ROWS <= ICSEG_PANELS_ROWS && PANEL <= ICSEG_PANELS_COLUMNS, "callers have memory for such a block");
static const icseg_panels_kernel NAMED(kernel) = {
    .name = NAME, .supported = NAMED(supported), .rows = ROWS, .columns = PANEL, .multiply = NAMED(multiply)};

#undef mask
#undef lanes
#undef PANEL
#undef LANES
#undef ROWS
#undef NAME
#undef NAMED

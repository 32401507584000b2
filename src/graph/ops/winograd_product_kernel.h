/* SPDX-License-Identifier: Apache-2.0
 * The body of winograd_product.c, which includes it once for each instruction set. LANES: numbers in a vector. ROWS:
 * rows of a block, a multiple of 6; their sums, two vectors each, stay in registers. NAMED: makes the names of this
 * copy. */

#define PANEL (2 * LANES)
#define lanes NAMED(lanes)
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

ICSEG_INLINE void NAMED(multiply_rows)(const int rows, const icseg_winograd_block *block) {
    lanes left[ROWS], right[ROWS];
    const float *a[ROWS / 2], *b = block->b; /* a: of two rows each */
    const char *later = block->later[0].from, *last = block->later[1].from;
    float *out = block->out;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++, out += block->out_pitch) {
        left[r] = right[r] = (lanes){0};
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
        *(lanes *)out = left[r];
        *(lanes *)(out + LANES) = right[r];
    }
}

static void NAMED(multiply)(const icseg_winograd_block *block, int64_t rows) {
    if (rows > 2 * ROWS / 3)
        NAMED(multiply_rows)(ROWS, block);
    else if (rows > ROWS / 3)
        NAMED(multiply_rows)(2 * ROWS / 3, block);
    else
        NAMED(multiply_rows)(ROWS / 3, block);
}

_Static_assert(PANEL <= ICSEG_WINOGRAD_COLUMNS, "the transform of the weights has room for such a panel");
static const icseg_winograd_kernel NAMED(kernel) = {
    .name = NAME, .supported = NAMED(supported), .rows = ROWS, .columns = PANEL, .multiply = NAMED(multiply)};

#undef lanes
#undef PANEL
#undef LANES
#undef ROWS
#undef NAME
#undef NAMED

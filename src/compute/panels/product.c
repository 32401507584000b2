/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/panels/product.h"

#include <stddef.h>
#include <string.h>

#include "base/system.h"
#include "base/vmath.h"

enum { LINE = 64, CHUNK_BYTES = 4 << 20 }; /* of rows that stay in the third-level cache */

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t quotient(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t icseg_panels_count(const icseg_panels_product *p) { return quotient(p->columns, p->kernel->columns); }

ICSEG_INLINE float quick_gelu(float x) {
    float power = -1.702f * 1.44269504f * x;
    return x / (1 + icseg_exp2_below(power > 127 ? 127 : power));
}

/* `columns` is a constant, because loops over so few columns are only fast when they are unrolled. */
ICSEG_INLINE void activate_rows(icseg_activation activation, float *out, int64_t rows, const int64_t columns,
                                int64_t pitch) {
    for (int64_t r = 0; r < rows; r++, out += pitch) {
        /* NOLINTNEXTLINE(bugprone-branch-clone): the check does not compare the loops below the pragmas */
        if (activation == ICSEG_ACTIVATION_QUICK_GELU) {
#pragma omp simd
            for (int64_t i = 0; i < columns; i++) out[i] = quick_gelu(out[i]);
        } else {
#pragma omp simd
            for (int64_t i = 0; i < columns; i++) out[i] = icseg_exact_gelu(out[i]);
        }
    }
}

ICSEG_KERNEL static void activate(icseg_activation activation, float *out, int64_t rows, int64_t columns,
                                  int64_t pitch) {
    enum { AVX512 = 32, AVX2 = 16 };
    if (columns == AVX512)
        activate_rows(activation, out, rows, AVX512, pitch);
    else if (columns == AVX2)
        activate_rows(activation, out, rows, AVX2, pitch);
    else
        activate_rows(activation, out, rows, columns, pitch);
}

static void multiply(const icseg_panels_product *p, const icseg_panels_block *block, int64_t rows, int64_t columns) {
    p->kernel->multiply(block, rows);
    if (p->activation > ICSEG_ACTIVATION_RELU) activate(p->activation, block->out, rows, columns, block->out_pitch);
}

static void copy_rows(float *to, int64_t to_pitch, const float *from, int64_t from_pitch, int64_t rows,
                      int64_t columns) {
    for (int64_t r = 0; r < rows; r++) memcpy(to + r * to_pitch, from + r * from_pitch, (size_t)columns * sizeof *to);
}

/* The last panel, with fewer columns: the kernel writes whole panels. */
static void multiply_partial(const icseg_panels_product *p, icseg_panels_block block, int64_t rows, int64_t columns) {
    float tile[ICSEG_PANELS_ROWS * ICSEG_PANELS_COLUMNS] = {0}, bias[ICSEG_PANELS_COLUMNS] = {0}, *out = block.out;
    int64_t pitch = block.out_pitch;
    if (block.bias) block.bias = memcpy(bias, block.bias, (size_t)columns * sizeof *bias);
    block.out = tile;
    block.out_pitch = p->kernel->columns;
    if (p->accumulate) copy_rows(tile, block.out_pitch, out, pitch, rows, columns);
    multiply(p, &block, rows, columns);
    copy_rows(out, pitch, tile, block.out_pitch, rows, columns);
}

/* Some rows of a part. A panel is multiplied by all of them before the next one, which is prefetched meanwhile; so are
 * the next rows. next_a: what is multiplied afterwards. */
static void multiply_chunk(const icseg_panels_product *p, const icseg_panels_part *part, const icseg_panels_operands *o,
                           const float *next_a) {
    int64_t rows = part->end_row - part->first_row, blocks = quotient(rows, p->kernel->rows);
    int64_t panel = p->inner * p->kernel->columns, row_bytes = p->inner * (int64_t)sizeof(float);
    int64_t slice = quotient(panel * (int64_t)sizeof(float), blocks * LINE) * LINE; /* of the next panel */
    const float *first_a = o->a + part->first_row * p->inner;
    for (int64_t i = part->first_panel; i < part->end_panel; i++) {
        int64_t column = i * p->kernel->columns, columns = smaller(p->columns - column, p->kernel->columns);
        icseg_panels_block block = {.b = o->b + i * panel,
                                    .bias = o->bias ? o->bias + column : NULL,
                                    .inner = p->inner,
                                    .out_pitch = p->out_pitch,
                                    .accumulate = p->accumulate,
                                    .relu = p->activation == ICSEG_ACTIVATION_RELU};
        for (int64_t j = 0; j < blocks; j++) {
            int64_t first = j * rows / blocks, end = (j + 1) * rows / blocks;
            const float *after = i + 1 < part->end_panel ? first_a : next_a;
            const float *soon = j + 1 < blocks ? first_a + end * p->inner : after;
            block.a = first_a + first * p->inner;
            block.out = o->out + (part->first_row + first) * p->out_pitch + column;
            block.later[0].from = (const char *)(block.b + panel) + j * slice;
            block.later[0].step = quotient(slice, p->inner);
            block.later[1].from = (const char *)soon;
            block.later[1].step = quotient((end - first) * row_bytes, p->inner);
            if (columns == p->kernel->columns)
                multiply(p, &block, end - first, columns);
            else
                multiply_partial(p, block, end - first, columns);
        }
    }
}

/* Either all rows are read again for each panel, or all panels for each chunk of rows: whatever reads less. */
static int64_t count_chunks(const icseg_panels_product *p, int64_t rows) {
    int64_t chunks = quotient(rows * p->inner * (int64_t)sizeof(float), CHUNK_BYTES);
    return p->kernel->columns * chunks < rows ? chunks : 1;
}

void icseg_panels_multiply(const icseg_panels_product *p, const icseg_panels_part *part,
                           const icseg_panels_operands *operands) {
    int64_t rows = part->end_row - part->first_row, chunks = count_chunks(p, rows);
    for (int64_t i = 0; i < chunks; i++) {
        icseg_panels_part chunk = *part;
        chunk.first_row = part->first_row + i * rows / chunks;
        chunk.end_row = part->first_row + (i + 1) * rows / chunks;
        const float *next_a =
            i + 1 < chunks || !operands->next_a ? operands->a + chunk.end_row * p->inner : operands->next_a;
        multiply_chunk(p, &chunk, operands, next_a);
    }
}

/* The division whose largest part is smallest; among equals, the one with which threads read the fewest bytes: each
 * part of the panels reads all rows, and each part of the rows all panels. */
icseg_panels_split icseg_panels_divide(const icseg_panels_product *p, int64_t rows, int threads) {
    int64_t panels = icseg_panels_count(p), blocks = quotient(rows, p->kernel->rows);
    int64_t least_work = INT64_MAX, least_read = INT64_MAX;
    icseg_panels_split best = {1, 1};
    for (int64_t i = 1; i <= smaller(threads, panels); i++) {
        icseg_panels_split split = {.rows = smaller(threads / i, blocks), .panels = i};
        int64_t work = quotient(panels, split.panels) * quotient(blocks, split.rows);
        int64_t read = split.panels * rows + split.rows * p->columns;
        if (work > least_work || (work == least_work && read >= least_read)) continue;
        least_work = work;
        least_read = read;
        best = split;
    }
    return best;
}

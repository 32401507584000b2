/* SPDX-License-Identifier: Apache-2.0
 * Winograd's convolution around batched matrix products: our own (compute/panels/), and for the weights' gradient
 * that of the backend. The tiles of all images are numbered consecutively and processed in groups, so that a group's
 * transformed tiles stay in the caches. */
#include "graph/ops/winograd.h"

#include <omp.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/system.h"
#include "compute/panels/product.h"
#include "graph/ops/winograd_transform.h"

enum { OUT = ICSEG_WINOGRAD_OUT, LARGE_OUT = ICSEG_WINOGRAD_LARGE_OUT, TAPS = 9 };
enum { MATRICES = ICSEG_WINOGRAD_MATRICES, LARGE_MATRICES = ICSEG_WINOGRAD_LARGE_MATRICES };
enum { ALIGNMENT = 64, GROUP_BYTES = 8 << 20, WEIGHT_BYTES = 4 << 20 };

/* The maps of the forward direction and of the input's gradient, for one size of tiles. */
typedef struct tile_maps {
    int out, in, matrices; /* out x out outputs, in x in inputs */
    void (*input)(const float *const *from, float *const *to, int64_t c);
    void (*output)(const float *const *from, float *const *to, int64_t c, const float *bias, bool relu);
    void (*weights)(const float *const *from, float *const *to, int64_t c);
} tile_maps;
static const tile_maps small_tiles = {
    OUT, ICSEG_WINOGRAD_IN, MATRICES, icseg_winograd_input, icseg_winograd_output, icseg_winograd_weights};
static const tile_maps large_tiles = {LARGE_OUT,
                                      ICSEG_WINOGRAD_LARGE_IN,
                                      LARGE_MATRICES,
                                      icseg_winograd_large_input,
                                      icseg_winograd_large_output,
                                      icseg_winograd_large_weights};

/* One side's images (batch, height, width, channels) and its transformed tiles (matrices, group, pitch). */
typedef struct side {
    int64_t channels, pitch;
    size_t tiles; /* offset in scratch */
} side;

struct icseg_winograd {
    icseg_primitive_kind direction;
    const tile_maps *tile;
    bool relu;
    int64_t batch, height, width, rows, columns; /* rows, columns: tiles of an image */
    int64_t count, group;                        /* tiles in all, tiles at a time */
    side a, b;                                   /* forward: x, y; backward data: dy, dx; backward weights: x, dy */
    int64_t in, out;
    const icseg_panels_kernel *kernel; /* of the forward direction and of the input's gradient */
    icseg_primitive *gradient;         /* of the weights, for the first group */
    icseg_primitive *accumulating;     /* for later groups, which add to that of the first one */
    int64_t block;                     /* channels of b whose weights are transformed at a time; whole panels */
    /* Offsets; weights: transformed (matrices, panels, channels of a, columns of a panel) of a block, or their gradient
     * (matrices, out, in). */
    size_t zeros, weights, own, scratch;
};

static int64_t count_tiles(const icseg_conv_shape *s, int size) {
    return s->batch * ((s->height + size - 1) / size) * ((s->width + size - 1) / size);
}

/* With fewer channels the 36 products are inefficient; with fewer tiles transforming the weights costs too much. */
bool icseg_winograd_is_faster(const icseg_conv_shape *s) {
    enum { MIN_CHANNELS = 32, MIN_CHANNELS_SUM = 96, MIN_TILES = 32 };
    if (s->kernel_height != 3 || s->kernel_width != 3 || s->stride != 1 || s->padding != 1) return false;
    if (s->in < MIN_CHANNELS || s->out < MIN_CHANNELS || s->in + s->out < MIN_CHANNELS_SUM) return false;
    int64_t tiles = count_tiles(s, OUT);
    bool wasteful =
        3 * tiles * OUT * OUT > 4 * s->batch * s->height * s->width; /* much of the tiles is outside the image */
    return tiles >= MIN_TILES && !wasteful;
}

/* With fewer tiles or more weights, transforming the weights costs more than the products save. */
bool icseg_winograd_large_is_faster(const icseg_conv_shape *s) {
    enum { MIN_TILES = 100, MAX_WEIGHTS = 1 << 16 };
    int64_t tiles = count_tiles(s, LARGE_OUT);
    bool fewer_products = 10 * LARGE_MATRICES * tiles <= 9 * MATRICES * count_tiles(s, OUT);
    return tiles >= MIN_TILES && s->in * s->out <= MAX_WEIGHTS && fewer_products;
}

static size_t reserve(icseg_winograd *w, int64_t floats) {
    size_t offset = w->scratch;
    w->scratch += ((size_t)floats * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
}

static icseg_status open_gradient(icseg_winograd *w, icseg_error *error) {
    icseg_primitive_options options = {0};
    int64_t a = w->in, b = w->out, group = w->group;
    icseg_matmul_shape s = {.batch = {1, w->tile->matrices},
                            .rows = b,
                            .inner = group,
                            .columns = a,
                            .a_stride = {0, group * b, 1, b},
                            .b_stride = {0, group * a, a, 1},
                            .out_stride = {0, b * a, a, 1}};
    ICSEG_TRY(icseg_matmul_open(&w->gradient, &s, options, error));
    options.accumulate = true;
    if (w->group < w->count) ICSEG_TRY(icseg_matmul_open(&w->accumulating, &s, options, error));
    size_t first = icseg_primitive_scratch(w->gradient);
    size_t later = w->accumulating ? icseg_primitive_scratch(w->accumulating) : 0;
    w->own = w->scratch;
    w->scratch += first > later ? first : later;
    return ICSEG_OK;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t quotient(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t round_up(int64_t n, int64_t step) { return quotient(n, step) * step; }

/* Chooses how many tiles and weights are transformed at a time. Each run transforms the weights: reading plain weights,
 * a quarter of the bytes, and transforming them takes about as long as reading transformed ones. If all tiles are one
 * group, the weights are processed in blocks, each for all tiles, so that they stay in the cache. */
static void choose_parts(icseg_winograd *w) {
    enum { MIN_GROUP = 128 }; /* large tiles: with fewer rows, products wait for the weights */
    bool large = w->tile == &large_tiles, of_weights = w->direction == ICSEG_CONV_BACKWARD_WEIGHTS;
    int64_t matrix_bytes = w->tile->matrices * (int64_t)sizeof(float);
    int64_t limit = GROUP_BYTES / (matrix_bytes * (w->in + w->out)), weights = matrix_bytes * w->in * w->out;
    if (large && limit < MIN_GROUP) limit = MIN_GROUP;
    int64_t groups = limit < 1 ? w->count : quotient(w->count, limit), blocks = 1;
    if (!of_weights && groups <= (large ? 1 : 2) && weights > WEIGHT_BYTES) {
        groups = 1;
        blocks = quotient(weights, WEIGHT_BYTES);
    }
    w->group = quotient(w->count, groups);
    w->block = round_up(quotient(w->b.channels, blocks), w->kernel->columns);
}

icseg_status icseg_winograd_open(icseg_winograd **out, const icseg_conv_shape *s, icseg_primitive_kind direction,
                                 bool large, icseg_error *error) {
    ICSEG_CHECK(!large || direction == ICSEG_CONV_FORWARD);
    icseg_winograd *w = *out = icseg_calloc_array(1, sizeof *w);
    if (!w) return icseg_fail_memory(error, 0, "a convolution");
    bool backward_data = direction == ICSEG_CONV_BACKWARD_DATA;
    const tile_maps *tile = large ? &large_tiles : &small_tiles;
    *w = (icseg_winograd){.direction = direction,
                          .tile = tile,
                          .batch = s->batch,
                          .height = s->height,
                          .width = s->width,
                          .rows = (s->height + tile->out - 1) / tile->out,
                          .columns = (s->width + tile->out - 1) / tile->out,
                          .a.channels = backward_data ? s->out : s->in,
                          .b.channels = backward_data ? s->in : s->out,
                          .in = s->in,
                          .out = s->out,
                          .kernel = icseg_panels_kernel_find()};
    w->count = w->batch * w->rows * w->columns;
    choose_parts(w);
    bool of_weights = direction == ICSEG_CONV_BACKWARD_WEIGHTS;
    w->a.pitch = w->a.channels;
    w->b.pitch = of_weights ? w->b.channels : round_up(w->b.channels, w->kernel->columns);
    w->a.tiles = reserve(w, tile->matrices * w->group * w->a.pitch);
    w->b.tiles = reserve(w, tile->matrices * w->group * w->b.pitch);
    w->zeros = reserve(w, s->in > s->out ? s->in : s->out);
    w->weights = reserve(w, tile->matrices * w->a.channels * (of_weights ? w->b.channels : w->block));
    icseg_status status = of_weights ? open_gradient(w, error) : ICSEG_OK;
    if (status != ICSEG_OK) icseg_winograd_close(out);
    return status;
}

void icseg_winograd_close(icseg_winograd **winograd) {
    if (!winograd || !*winograd) return;
    icseg_primitive_close(&(*winograd)->gradient);
    icseg_primitive_close(&(*winograd)->accumulating);
    icseg_free(*winograd);
    *winograd = NULL;
}

void icseg_winograd_set_relu(icseg_winograd *w) { w->relu = true; }
size_t icseg_winograd_scratch(const icseg_winograd *w) { return w->scratch; }

/* -- weights */

enum { DEPTH = 16 }; /* channels of a whose weights are transformed at a time */

/* Some weights of one panel: the inputs of the transform for several channels of a, one after the other. */
typedef float panel_part[TAPS][DEPTH * ICSEG_PANELS_COLUMNS];

/* Weights (out, 9, in) of up to `columns` output channels and `depth` input channels from `weights` on. */
static void gather_forward(const icseg_winograd *w, const float *weights, int64_t columns, int64_t depth,
                           panel_part part) {
    enum { AHEAD = 8 }; /* the rows are too far apart for the hardware prefetcher */
    int64_t panel = w->kernel->columns;
    for (int64_t o = 0; o < columns; o++)
        for (int i = 0; i < TAPS; i++, weights += w->in) {
            __builtin_prefetch(weights + AHEAD * TAPS * w->in);
            for (int64_t c = 0; c < depth; c++) part[i][c * panel + o] = weights[c];
        }
}

/* The same of `depth` output channels and up to `columns` input channels. The gradient of the input is the convolution
 * of dy with the kernel rotated by 180 degrees. */
static void gather_backward(const icseg_winograd *w, const float *weights, int64_t columns, int64_t depth,
                            panel_part part) {
    int64_t panel = w->kernel->columns;
    for (int64_t o = 0; o < depth; o++)
        for (int i = TAPS - 1; i >= 0; i--, weights += w->in)
            memcpy(part[i] + o * panel, weights, (size_t)columns * sizeof *weights);
}

/* Of up to DEPTH channels of a from `at` on, and a panel of channels of b from `column` on. to: of each matrix. */
static void transform_panel(const icseg_winograd *w, const float *weights, int64_t column, int64_t at, float **to) {
    panel_part part;
    const float *from[TAPS];
    int64_t panel = w->kernel->columns, depth = smaller(w->a.channels - at, DEPTH);
    int64_t columns = smaller(w->b.channels - column, panel);
    if (columns < panel) memset(part, 0, sizeof part);
    if (w->direction == ICSEG_CONV_FORWARD)
        gather_forward(w, weights + column * TAPS * w->in + at, columns, depth, part);
    else
        gather_backward(w, weights + at * TAPS * w->in + column, columns, depth, part);
    for (int i = 0; i < TAPS; i++) from[i] = part[i];
    w->tile->weights(from, to, depth * panel);
}

/* Transforms the weights of `panels` panels of channels of b from `first` on. */
static void transform_weights(const icseg_winograd *w, const float *weights, int64_t first, int64_t panels,
                              float *transformed) {
    int64_t columns = w->kernel->columns, panel = w->a.channels * columns;
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t p = 0; p < panels; p++)
        for (int64_t at = 0; at < w->a.channels; at += DEPTH) {
            float *to[LARGE_MATRICES];
            for (int i = 0; i < w->tile->matrices; i++) to[i] = transformed + (i * panels + p) * panel + at * columns;
            transform_panel(w, weights, first + p * columns, at, to);
        }
}

/* -- tiles */

/* Pointers to size x size elements from (row, column) of an image on; `outside` for those outside it. */
static void gather(const icseg_winograd *w, float *image, int64_t channels, int64_t row, int64_t column, int size,
                   float *outside, float **out) {
    for (int64_t y = row; y < row + size; y++)
        for (int64_t x = column; x < column + size; x++) {
            bool inside = y >= 0 && y < w->height && x >= 0 && x < w->width;
            *out++ = inside ? image + (y * w->width + x) * channels : outside;
        }
}

/* The tile's elements in its image: its inputs, which begin one row and column earlier, or its outputs. */
static void gather_tile(const icseg_winograd *w, const float *images, int64_t channels, int64_t tile, int size,
                        float *outside, float **out) {
    int64_t of_image = w->rows * w->columns, image = tile / of_image, at = tile % of_image;
    int64_t row = at / w->columns * w->tile->out, column = at % w->columns * w->tile->out;
    int64_t halo = size == w->tile->in ? 1 : 0;
    gather(w, (float *)images + image * w->height * w->width * channels, channels, row - halo, column - halo, size,
           outside, out);
}

static void tile_matrices(const icseg_winograd *w, side s, char *scratch, int64_t in_group, float **out) {
    float *tiles = (float *)(scratch + s.tiles);
    for (int i = 0; i < w->tile->matrices; i++) out[i] = tiles + (i * w->group + in_group) * s.pitch;
}

/* Transforms the group of tiles that begins at `first`; those past the end are zero. size: of the inputs or of the
 * outputs. */
static void transform_group(const icseg_winograd *w, side s, const float *images, int64_t first, int size,
                            char *scratch) {
    float *zeros = (float *)(scratch + w->zeros);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w->group; i++) {
        float *from[LARGE_MATRICES], *to[LARGE_MATRICES];
        tile_matrices(w, s, scratch, i, to);
        if (first + i >= w->count) {
            for (int m = 0; m < w->tile->matrices; m++) memset(to[m], 0, (size_t)s.channels * sizeof(float));
            continue;
        }
        gather_tile(w, images, s.channels, first + i, size, zeros, from);
        if (size == w->tile->in)
            w->tile->input((const float *const *)from, to, s.channels);
        else
            icseg_winograd_output_gradient((const float *const *)from, to, s.channels);
    }
}

static void write_group(const icseg_winograd *w, side s, float *images, const float *bias, int64_t first,
                        char *scratch) {
    int64_t count = smaller(w->count - first, w->group);
    if (!bias && w->relu) bias = (const float *)(scratch + w->zeros);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++) {
        float *from[LARGE_MATRICES], *to[LARGE_OUT * LARGE_OUT];
        tile_matrices(w, s, scratch, i, from);
        /* elements outside the image overwrite the first matrix, which has already been read */
        gather_tile(w, images, s.channels, first + i, w->tile->out, from[0], to);
        w->tile->output((const float *const *)from, to, s.channels, bias, w->relu);
    }
}

static void write_weight_gradient(const icseg_winograd *w, const float *gradient, float *out) {
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < w->out; o++) {
        const float *from[MATRICES];
        float *to[TAPS];
        for (int i = 0; i < MATRICES; i++) from[i] = gradient + (i * w->out + o) * w->in;
        for (int i = 0; i < TAPS; i++) to[i] = out + (o * TAPS + i) * w->in;
        icseg_winograd_weight_gradient(from, to, w->in);
    }
}

/* Into how many parts the rows of each matrix are divided, so that all threads end at about the same time. */
static int64_t count_parts(int64_t matrices, int64_t rows) {
    enum { TASKS = 8 }; /* of each thread */
    return smaller(quotient((int64_t)TASKS * omp_get_max_threads(), matrices), rows);
}

/* The products of all matrices: `rows` tiles, and the panels of channels of b from `first` on. */
static void multiply_matrices(const icseg_winograd *w, int64_t rows, int64_t first, int64_t panels, char *base) {
    const float *a = (const float *)(base + w->a.tiles), *b = (const float *)(base + w->weights);
    float *out = (float *)(base + w->b.tiles) + first;
    icseg_panels_product product = {
        .kernel = w->kernel, .inner = w->a.channels, .columns = panels * w->kernel->columns, .out_pitch = w->b.pitch};
    int64_t parts = count_parts(w->tile->matrices, rows);
#pragma omp parallel for schedule(static) collapse(2)
    for (int64_t m = 0; m < w->tile->matrices; m++)
        for (int64_t i = 0; i < parts; i++) {
            icseg_panels_part part = {
                .first_row = i * rows / parts, .end_row = (i + 1) * rows / parts, .end_panel = panels};
            icseg_panels_operands operands = {.a = a + m * w->group * w->a.pitch,
                                              .b = b + m * product.columns * product.inner,
                                              .out = out + m * w->group * w->b.pitch,
                                              .next_a = a + (m + 1) * w->group * w->a.pitch};
            icseg_panels_multiply(&product, &part, &operands);
        }
}

/* The tiles of b of the group that begins at `first`. */
static void multiply_group(const icseg_winograd *w, const float *weights, int64_t first, char *base) {
    int64_t rows = smaller(w->count - first, w->group);
    for (int64_t at = 0; at < w->b.channels; at += w->block) {
        int64_t panels = quotient(smaller(w->b.channels - at, w->block), w->kernel->columns);
        if (first == 0) transform_weights(w, weights, at, panels, (float *)(base + w->weights));
        multiply_matrices(w, rows, at, panels, base);
    }
}

static icseg_status add_gradient(const icseg_winograd *w, int64_t first, char *base, icseg_error *error) {
    icseg_operands product = {.a = base + w->b.tiles, .b = base + w->a.tiles, .out = base + w->weights};
    return icseg_primitive_run(first ? w->accumulating : w->gradient, product, base + w->own, error);
}

icseg_status icseg_winograd_run(icseg_winograd *w, icseg_operands operands, void *scratch, icseg_error *error) {
    char *base = scratch;
    bool of_weights = w->direction == ICSEG_CONV_BACKWARD_WEIGHTS;
    int64_t channels = w->in > w->out ? w->in : w->out;
    memset(base + w->zeros, 0, (size_t)channels * sizeof(float));
    for (int64_t first = 0; first < w->count; first += w->group) {
        transform_group(w, w->a, operands.a, first, w->tile->in, base);
        if (of_weights) {
            transform_group(w, w->b, operands.b, first, OUT, base);
            ICSEG_TRY(add_gradient(w, first, base, error));
        } else {
            multiply_group(w, operands.b, first, base);
            write_group(w, w->b, operands.out, operands.bias, first, base);
        }
    }
    if (of_weights) write_weight_gradient(w, (const float *)(base + w->weights), operands.out);
    return ICSEG_OK;
}

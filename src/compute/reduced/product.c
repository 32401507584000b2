/* SPDX-License-Identifier: Apache-2.0
 * Products in reduced precision. Positions of x are processed in blocks that fit the second-level cache. A block is
 * split or quantised into panels (one for each 32 or 64 input channels and each part; a position is a row of 64 bytes)
 * and then multiplied with the weights of 32 output channels at a time. A 3x3 convolution is nine products whose panels
 * begin at different positions: a block has a border of zeros, and results at border positions are computed and
 * dropped. */
#include "compute/reduced/product.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/memory.h"
#include "compute/reduced/finish.h"

enum {
    BLOCK = ICSEG_BLOCK,
    STRIP = 8,             /* positions of a linear layer */
    BLOCK_BYTES = 1 << 20, /* of a block's panels */
    GROUP_BYTES = 1 << 18, /* weights that a thread applies to all positions of a block */
    MAX_GROUP = 8          /* panels */
};

/* A tensor with some of x's channels. Its panels, at each position of the kernel, follow those of the one before. */
typedef struct source {
    int64_t first, channels;
    int64_t panel, panels;
    int64_t steps; /* with two sources the kernel is 1: the steps of each are together */
    icseg_dtype type;
    icseg_quantization bytes;
} source;

struct icseg_reduced_product {
    icseg_reduced_shape shape;
    source source[ICSEG_SOURCES];
    int sources;
    int64_t input_panels; /* of all sources */
    const icseg_multiplier *multiplier;
    int64_t step_bytes;          /* packed weights of a step */
    int64_t lines;               /* of an image; a linear layer has lines of one position */
    int64_t padded;              /* positions of a line with its border */
    int64_t border;              /* positions on each side */
    int64_t blocks, block_lines; /* blocks of an image; lines of a block */
    int64_t panels;              /* of 32 output channels */
    int64_t steps;               /* kernel positions times panels of the input */
    int64_t positions;           /* capacity of a panel */
    size_t rows_stride;          /* bytes from 32 positions of a panel to the next 32 */
    size_t panel_stride;         /* bytes from one panel to the next */
    size_t low;                  /* bytes from the high parts to the low parts */
    size_t *from;                /* (steps): offsets of the rows of each step, see icseg_multiplier.multiply */
    int64_t group;               /* panels of output channels at a time */
    int threads;
    bool apart; /* each thread has its own blocks; otherwise all threads share each block */
    size_t block_bytes;
};

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static bool is_int8(const icseg_reduced_weights *w) { return w->multiplier->precision == ICSEG_PRODUCT_INT8; }

bool icseg_reduced_is_faster(const icseg_reduced_shape *s) {
    enum { MIN_POSITIONS = 16, MIN_IN = 32, MIN_OUT = 32, MAX_TERMS = INT32_MAX / (255 * 128) };
    const icseg_reduced_weights *w = &s->weights;
    if (!w->multiplier) return false;
    if (w->kernel > 1 && !w->multiplier->convolutions) return false;
    if (w->second && s->options.second.bytes.scale <= 0) return false;
    if (is_int8(w) && (s->options.in_bytes.scale <= 0 || w->in * w->kernel * w->kernel > MAX_TERMS)) return false;
    return s->images * s->height * s->width >= MIN_POSITIONS && w->in >= MIN_IN && w->out >= MIN_OUT;
}

/* -- opening */

static void find_sources(icseg_reduced_product *p) {
    const icseg_reduced_weights *w = &p->shape.weights;
    const icseg_primitive_options *o = &p->shape.options;
    p->source[0] = (source){.channels = w->in - w->second, .type = o->in, .bytes = o->in_bytes};
    p->source[1] =
        (source){.first = w->in - w->second, .channels = w->second, .type = o->second.type, .bytes = o->second.bytes};
    p->sources = w->second ? 2 : 1;
    for (int i = 0; i < p->sources; i++) {
        source *s = &p->source[i];
        s->panel = p->input_panels;
        s->panels = (s->channels + p->multiplier->inner - 1) / p->multiplier->inner;
        s->steps = w->kernel * w->kernel * s->panels;
        p->input_panels += s->panels;
    }
    p->steps = w->kernel * w->kernel * p->input_panels;
}

static void choose_blocks(icseg_reduced_product *p) {
    const icseg_reduced_shape *s = &p->shape;
    int64_t bytes = p->input_panels * p->multiplier->parts * ICSEG_ROW_BYTES; /* of one position */
    int64_t lines = BLOCK_BYTES / bytes / p->padded - 2 * p->border;
    int64_t step = p->border ? 1 : BLOCK;
    lines = lines < step ? step : lines / step * step;
    p->blocks = (p->lines + lines - 1) / lines;
    p->apart = s->images * p->blocks >= p->threads;
    if (p->apart && s->images == 1) p->blocks = smaller(round_up(p->blocks, p->threads), p->lines);
    p->block_lines = round_up((p->lines + p->blocks - 1) / p->blocks, step);
    p->blocks = (p->lines + p->block_lines - 1) / p->block_lines;
    p->positions = round_up(p->block_lines * p->padded, BLOCK) + 2 * p->border * (p->padded + 1);
    p->block_bytes = (size_t)(bytes * p->positions);
    /* A linear layer reads all panels of 32 positions before the next 32; a convolution's kernel position may begin at
     * any position of a panel. */
    p->rows_stride = p->border ? BLOCK * ICSEG_ROW_BYTES : (size_t)(bytes * BLOCK);
    p->low = (size_t)(p->border ? p->positions : BLOCK) * ICSEG_ROW_BYTES;
    p->panel_stride = (size_t)p->multiplier->parts * p->low;
}

icseg_status icseg_reduced_product_open(icseg_reduced_product **out, const icseg_reduced_shape *s, icseg_error *error) {
    const icseg_reduced_weights *w = &s->weights;
    *out = NULL;
    if (!w->multiplier || !w->multiplier->supported())
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "this processor does not support the reduced precision");
    icseg_reduced_product *p = *out = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, 0, "a product in reduced precision");
    bool linear = w->kernel == 1;
    *p = (icseg_reduced_product){.shape = *s,
                                 .multiplier = w->multiplier,
                                 .step_bytes = 2 * w->multiplier->parts * ICSEG_TILE_BYTES,
                                 .lines = linear ? s->images * s->height * s->width : s->height,
                                 .padded = linear ? 1 : s->width + 2,
                                 .border = linear ? 0 : 1,
                                 .panels = round_up(w->out, BLOCK) / BLOCK,
                                 .threads = omp_get_max_threads()};
    if (linear) p->shape.images = p->shape.width = 1;
    find_sources(p);
    choose_blocks(p);
    p->group = GROUP_BYTES / (p->steps * p->step_bytes);
    p->group = p->group < 1 ? 1 : smaller(p->group, MAX_GROUP);
    p->from = icseg_alloc_array((size_t)p->steps, sizeof *p->from);
    if (!p->from) {
        icseg_status status =
            icseg_fail_memory(error, (size_t)p->steps * sizeof *p->from, "a product in reduced precision");
        icseg_reduced_product_close(out);
        return status;
    }
    for (int64_t i = 0; i < p->steps; i++) {
        int64_t position = i / p->input_panels, panel = i % p->input_panels; /* of the kernel; of the input */
        int64_t shift = position / w->kernel * p->padded + position % w->kernel;
        p->from[i] = (size_t)panel * p->panel_stride + (size_t)shift * ICSEG_ROW_BYTES;
    }
    return ICSEG_OK;
}

void icseg_reduced_product_close(icseg_reduced_product **product) {
    if (!product || !*product) return;
    icseg_free((*product)->from);
    icseg_free(*product);
    *product = NULL;
}

size_t icseg_reduced_product_scratch(const icseg_reduced_product *p) {
    return (size_t)(p->apart ? p->threads : 1) * p->block_bytes;
}

/* -- weights */

/* Bytes of the tiles. In INT8, numbers for each output channel follow them. For each source: first all scales, then the
 * sums of its integers, from which follows what the zero point of x adds. Then: what is added to the bias. */
static size_t tile_bytes(const icseg_reduced_product *p) { return (size_t)(p->panels * p->steps * p->step_bytes); }

size_t icseg_reduced_product_packed_size(const icseg_reduced_product *p) {
    size_t channels = is_int8(&p->shape.weights) ? (size_t)(p->panels * BLOCK) : 0;
    return tile_bytes(p) + channels * (2 * (size_t)p->sources + 1) * sizeof(float);
}

/* The numbers of all output channels, in 32 bits, with this index. */
static void *numbers_of(const icseg_reduced_product *p, const void *packed, int index) {
    return (char *)packed + tile_bytes(p) + (size_t)(index * p->panels * BLOCK) * sizeof(float);
}

/* Of the source with this index. */
static float *scales_of(const icseg_reduced_product *p, const void *packed, int i) {
    return numbers_of(p, packed, 2 * i);
}

static int32_t *sums_of(const icseg_reduced_product *p, const void *packed, int i) {
    return numbers_of(p, packed, 2 * i + 1);
}

static float *corrections_of(const icseg_reduced_product *p, const void *packed) {
    return numbers_of(p, packed, 2 * p->sources);
}

icseg_reduced_weights icseg_reduced_layout(const icseg_reduced_product *p) { return p->shape.weights; }

bool icseg_reduced_same_weights(icseg_reduced_weights a, icseg_reduced_weights b) {
    return a.multiplier == b.multiplier && a.in == b.in && a.out == b.out && a.kernel == b.kernel &&
           a.out_stride == b.out_stride && a.in_stride == b.in_stride && a.second == b.second &&
           !a.means.values == !b.means.values && a.means.hash == b.means.hash;
}

/* 1/127 of the largest magnitude of the weights of output channel o; 1 if all weights are 0. NaN if a weight is not
 * finite, and then so are the channel's results. */
static float scale_of(const icseg_reduced_weights *w, const source *s, const float *weights, int64_t o) {
    float largest = 0, zero = 0; /* NaN and infinity times 0 are NaN */
    for (int64_t position = 0; position < w->kernel * w->kernel; position++)
        for (int64_t i = s->first; i < s->first + s->channels; i++) {
            float weight = weights[o * w->out_stride + position * w->in + i * w->in_stride];
            largest = fabsf(weight) > largest ? fabsf(weight) : largest;
            zero += weight * 0;
        }
    return (largest > 0 ? largest / 127 : 1) + zero;
}

/* The mean of output channel o with the source's weights as they are, minus that with the rounded ones. Borders of
 * zeros are ignored. */
static double correction_of(const icseg_reduced_weights *w, const source *s, const float *weights, float scale,
                            int64_t o) {
    enum { ZERO_POINT = 128 };
    double sum = 0;
    for (int64_t position = 0; w->means.values && position < w->kernel * w->kernel; position++)
        for (int64_t i = s->first; i < s->first + s->channels; i++) {
            float weight = weights[o * w->out_stride + position * w->in + i * w->in_stride];
            float rounded = scale * (float)icseg_centred_byte(weight, 1 / scale, ZERO_POINT);
            sum += (double)w->means.values[i] * (double)(weight - rounded);
        }
    return sum;
}

static void make_corrections(const icseg_reduced_product *p, const float *weights, void *packed) {
    const icseg_reduced_weights *w = &p->shape.weights;
    float *corrections = corrections_of(p, packed);
#pragma omp parallel for schedule(static)
    for (int64_t o = 0; o < p->panels * BLOCK; o++) {
        double sum = 0;
        for (int s = 0; s < p->sources && o < w->out; s++)
            sum += correction_of(w, &p->source[s], weights, scales_of(p, packed, s)[o], o);
        corrections[o] = (float)sum;
    }
}

/* The index of group `i` of column `column` in a tile, in groups. */
static int64_t place_in_tile(const icseg_multiplier *m, int64_t i, int64_t column) {
    return m->paired ? (i / 2 * ICSEG_TILE_ROWS + column) * 2 + i % 2 : i * ICSEG_TILE_ROWS + column;
}

/* Packs the weights of `columns` <= 32 output channels and one step of `inner` values as tiles: a row holds groups of 4
 * bytes of inner values for 16 channels. scale: of each channel, or NULL. */
static void pack_step(const icseg_reduced_product *p, const float *weights, int64_t columns, int64_t inner,
                      const float *scale, uint32_t *to) {
    enum { TILE = ICSEG_TILE_BYTES / 4, COLUMNS = ICSEG_TILE_ROWS, GROUPS = ICSEG_ROW_BYTES / 4, MAX_INNER = 64 };
    enum { ZERO_POINT = 128 };
    const bool unsigned_bytes = scale && !p->multiplier->centred && !p->multiplier->from_128;
    const uint32_t sign = unsigned_bytes ? 0x80808080u : 0; /* removes the zero point from bytes */
    const icseg_reduced_weights *w = &p->shape.weights;
    _Alignas(64) uint32_t row[2][GROUPS]; /* of the one or two parts */
    for (int64_t o = 0; o < BLOCK; o++) {
        float values[MAX_INNER];
        for (int64_t i = 0; o < columns && i < inner; i++) values[i] = weights[o * w->out_stride + i * w->in_stride];
        const float *from = o < columns ? values : NULL;
        icseg_quantization q = {from && scale ? scale[o] : 1, ZERO_POINT};
        p->multiplier->convert(from, 1, inner, q, (char *)row, sizeof row[0], 0);
        for (int64_t part = 0; part < p->multiplier->parts; part++)
            for (int64_t i = 0; i < GROUPS; i++)
                to[(2 * part + o / COLUMNS) * TILE + place_in_tile(p->multiplier, i, o % COLUMNS)] =
                    row[part][i] ^ sign;
    }
}

/* The sum of an output channel's integers for a source. */
static int32_t sum_at(const icseg_reduced_product *p, const source *s, const char *tiles, int64_t o) {
    enum { GROUPS = ICSEG_ROW_BYTES / 4 };
    const char *tile =
        tiles + (o / BLOCK * p->steps + s->panel) * p->step_bytes + o % BLOCK / ICSEG_TILE_ROWS * ICSEG_TILE_BYTES;
    int32_t sum = 0;
    for (int64_t step = 0; step < s->steps; step++, tile += p->step_bytes)
        for (int64_t i = 0; i < GROUPS; i++) {
            const char *group = tile + 4 * place_in_tile(p->multiplier, i, o % ICSEG_TILE_ROWS);
            for (int64_t j = 0; j < 4; j++) sum += (signed char)group[j];
        }
    return sum;
}

static void pack_steps(const icseg_reduced_product *p, const float *weights, void *packed) {
    const icseg_reduced_weights w = p->shape.weights;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < p->panels * p->steps; i++) {
        int64_t o = i / p->steps * BLOCK, step = i % p->steps;
        int64_t position = step / p->input_panels, panel = step % p->input_panels;
        int index = p->sources > 1 && panel >= p->source[1].panel;
        const source *s = &p->source[index];
        int64_t in = (panel - s->panel) * p->multiplier->inner; /* of the source */
        pack_step(p, weights + o * w.out_stride + position * w.in + (s->first + in) * w.in_stride,
                  smaller(w.out - o, BLOCK), smaller(s->channels - in, p->multiplier->inner),
                  is_int8(&w) ? scales_of(p, packed, index) + o : NULL,
                  (uint32_t *)(void *)((char *)packed + i * p->step_bytes));
    }
}

bool icseg_reduced_product_pack(const icseg_reduced_product *p, const float *weights, void *packed) {
    const icseg_reduced_weights *w = &p->shape.weights;
    const int sources = is_int8(w) ? p->sources : 0; /* with scales */
    bool finite = true;
    for (int s = 0; s < sources; s++)
        for (int64_t o = 0; o < p->panels * BLOCK; o++) {
            float scale = o < w->out ? scale_of(w, &p->source[s], weights, o) : 1;
            scales_of(p, packed, s)[o] = scale;
            finite &= isfinite(scale) != 0;
        }
    pack_steps(p, weights, packed);
    for (int s = 0; s < sources; s++)
        for (int64_t o = 0; o < p->panels * BLOCK; o++)
            sums_of(p, packed, s)[o] = p->multiplier->centred ? 0 : sum_at(p, &p->source[s], packed, o);
    if (sources) make_corrections(p, weights, packed);
    return finite;
}

/* -- running */

/* A block of positions: its image and its lines. */
typedef struct block {
    int64_t image, first, lines;
} block;

static block block_of(const icseg_reduced_product *p, int64_t i) {
    int64_t first = i % p->blocks * p->block_lines;
    return (block){i / p->blocks, first, smaller(p->block_lines, p->lines - first)};
}

/* Writes `count` rows of x, from row `first` on, to panels at `to`; first < 0: zeros. */
static void make_panels(const icseg_reduced_product *p, const icseg_operands *x, int64_t first, int64_t count,
                        char *to) {
    for (int i = 0; i < p->sources; i++) {
        const source *s = &p->source[i];
        const void *data = i ? x->second : x->a;
        int64_t at = first * s->channels;
        char *panels = to + (size_t)s->panel * p->panel_stride;
        if (s->type == ICSEG_U8 && first >= 0)
            p->multiplier->copy((const uint8_t *)data + at, count, s->channels, s->bytes, panels, p->panel_stride);
        else
            p->multiplier->convert(first < 0 ? NULL : (const float *)data + at, count, s->channels, s->bytes, panels,
                                   p->low, p->panel_stride);
    }
}

/* A block is converted in strips: a line with its border, or some positions of a linear layer. */
static int64_t strips_of(const icseg_reduced_product *p, block b) {
    return p->border ? b.lines + 2 * p->border : round_up(b.lines, STRIP) / STRIP;
}

static void make_strip(const icseg_reduced_product *p, const icseg_operands *x, block b, int64_t strip, char *panels) {
    if (!p->border) {
        int64_t first = strip * STRIP;
        char *to = panels + (size_t)(first / BLOCK) * p->rows_stride + first % BLOCK * ICSEG_ROW_BYTES;
        make_panels(p, x, b.first + first, smaller(STRIP, b.lines - first), to);
        return;
    }
    int64_t width = p->shape.width, y = b.first + strip - p->border;
    bool outside = y < 0 || y >= p->lines;
    char *to = panels + strip * p->padded * ICSEG_ROW_BYTES, *last = to + (width + 1) * ICSEG_ROW_BYTES;
    make_panels(p, x, -1, 1, to);
    make_panels(p, x, outside ? -1 : (b.image * p->lines + y) * width, width, to + ICSEG_ROW_BYTES);
    make_panels(p, x, -1, 1, last);
}

/* What follows the sums of a panel of output channels. */
static icseg_finish finish_of(const icseg_reduced_product *p, int64_t panel, const void *packed, const float *bias) {
    const icseg_primitive_options *o = &p->shape.options;
    const bool int8 = is_int8(&p->shape.weights);
    icseg_finish f = {.integers = int8 && p->sources == 1, .options = o};
    int64_t columns = smaller(p->shape.weights.out - panel * BLOCK, BLOCK);
    if (bias) memcpy(f.bias, bias + panel * BLOCK, (size_t)columns * sizeof *bias);
    const int32_t subtracted = p->multiplier->from_128 ? 128 : 0; /* from x already */
    for (int s = 0; int8 && s < p->sources; s++) {
        const float *scales = scales_of(p, packed, s) + panel * BLOCK;
        const int32_t *sums = sums_of(p, packed, s) + panel * BLOCK, zero = p->source[s].bytes.zero_point - subtracted;
        for (int i = 0; i < BLOCK; i++) f.scale[s][i] = scales[i] * p->source[s].bytes.scale;
        for (int i = 0; i < BLOCK; i++) f.excess[s][i] = sums[i] * zero;
    }
    for (int i = 0; int8 && i < BLOCK; i++) f.bias[i] += corrections_of(p, packed)[panel * BLOCK + i];
    return f;
}

static const void *element(const void *data, icseg_dtype dtype, int64_t at) {
    return (const char *)data + (size_t)at * icseg_dtype_size(dtype);
}

/* Writes the sums of positions [begin, end) of a block, except those of its border, to out. */
static void finish(const icseg_reduced_product *p, const icseg_finish *f, block b, int64_t begin, int64_t end,
                   int64_t panel, const float *sums, const icseg_operands *operands) {
    const icseg_reduced_shape *s = &p->shape;
    const icseg_primitive_options *o = &s->options;
    int64_t stride = s->weights.out, columns = smaller(stride - panel * BLOCK, BLOCK), width = s->width;
    int64_t first = (b.image * p->lines + b.first) * width * stride + panel * BLOCK; /* element of out */
    end = smaller(end, b.lines * p->padded);
    for (int64_t at = begin; at < end;) {
        int64_t line = at / p->padded, x = at % p->padded,
                run = p->border ? smaller(end - at, p->padded - x) : end - at;
        int64_t rows = p->border ? smaller(run, width - x) : run, to = first + (line * width + x) * stride;
        if (rows > 0)
            icseg_finish_rows(f, sums + (at - begin) * BLOCK, rows, columns,
                              o->residual ? element(operands->residual, o->residual_type, to) : NULL,
                              (void *)element(operands->out, o->out, to), stride);
        at += run;
    }
}

/* A block of sums of both sources, in f32. */
static void multiply_sources(const icseg_reduced_product *p, const char *a, const char *columns, const icseg_finish *f,
                             float *sums) {
    _Alignas(64) int32_t integers[ICSEG_SOURCES][BLOCK * BLOCK];
    for (int i = 0; i < p->sources; i++) {
        const source *s = &p->source[i];
        p->multiplier->multiply(a, p->low, p->from + s->panel, columns + s->panel * p->step_bytes, s->steps,
                                integers[i]);
    }
    icseg_finish_join(f, integers[0], integers[1], sums);
}

/* Computes `group` panels of output channels, from `panel` on, at positions [begin, end) of a block, which are
 * multiples of 32. */
static void multiply(const icseg_reduced_product *p, block b, int64_t begin, int64_t end, int64_t panel,
                     const char *panels, const icseg_operands *operands) {
    const char *weights = operands->b;
    int64_t count = smaller(p->group, p->panels - panel);
    icseg_finish after[MAX_GROUP];
    for (int64_t i = 0; i < count; i++) after[i] = finish_of(p, panel + i, weights, operands->bias);
    for (int64_t row = begin; row < end; row += BLOCK)
        for (int64_t i = 0; i < count; i++) {
            _Alignas(64) float sums[BLOCK * BLOCK];
            const char *a = panels + (size_t)(row / BLOCK) * p->rows_stride,
                       *columns = weights + (panel + i) * p->steps * p->step_bytes;
            if (p->sources > 1)
                multiply_sources(p, a, columns, &after[i], sums);
            else
                p->multiplier->multiply(a, p->low, p->from, columns, p->steps, sums);
            finish(p, &after[i], b, row, row + BLOCK, panel + i, sums, operands);
        }
}

static void run_apart(const icseg_reduced_product *p, const icseg_operands *operands, char *scratch) {
#pragma omp parallel num_threads(p->threads)
    {
        char *panels = scratch + (size_t)omp_get_thread_num() * p->block_bytes;
        if (p->multiplier->begin) p->multiplier->begin();
#pragma omp for schedule(static)
        for (int64_t i = 0; i < p->shape.images * p->blocks; i++) {
            block b = block_of(p, i);
            for (int64_t strip = 0; strip < strips_of(p, b); strip++) make_strip(p, operands, b, strip, panels);
            for (int64_t panel = 0; panel < p->panels; panel += p->group)
                multiply(p, b, 0, round_up(b.lines * p->padded, BLOCK), panel, panels, operands);
        }
        if (p->multiplier->end) p->multiplier->end();
    }
}

static void run_together(const icseg_reduced_product *p, const icseg_operands *operands, char *panels) {
    int64_t groups = (p->panels + p->group - 1) / p->group;
#pragma omp parallel num_threads(p->threads)
    {
        if (p->multiplier->begin) p->multiplier->begin();
        for (int64_t i = 0; i < p->shape.images * p->blocks; i++) {
            block b = block_of(p, i);
            int64_t rows = round_up(b.lines * p->padded, BLOCK), parts = (2 * p->threads + groups - 1) / groups;
            int64_t part = round_up((rows + parts - 1) / parts, BLOCK);
            parts = (rows + part - 1) / part;
#pragma omp for schedule(static)
            for (int64_t strip = 0; strip < strips_of(p, b); strip++) make_strip(p, operands, b, strip, panels);
#pragma omp for schedule(static)
            for (int64_t task = 0; task < groups * parts; task++) {
                int64_t begin = task % parts * part;
                multiply(p, b, begin, smaller(begin + part, rows), task / parts * p->group, panels, operands);
            }
        }
        if (p->multiplier->end) p->multiplier->end();
    }
}

void icseg_reduced_product_run(const icseg_reduced_product *p, icseg_operands operands, void *scratch) {
    (p->apart ? run_apart : run_together)(p, &operands, scratch);
}

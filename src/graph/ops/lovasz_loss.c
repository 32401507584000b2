/* SPDX-License-Identifier: Apache-2.0
 * lovasz_loss: the Lovasz-softmax loss of bilinearly upsampled logits (docs/method.md).
 *
 * A class's loss needs the errors of all pixels in descending order. The classes that are present take turns, so that
 * memory holds a few numbers per pixel, and not one per pixel and class. A first pass over the rows finds the
 * normaliser of each pixel's softmax, with which a class's probability takes one exponential. The gradient of the
 * logits of class j is p_j dL/dp_j - p_j S, where S is the sum of p_c dL/dp_c over all classes c: the first part
 * belongs to a class's turn, in which S grows, and a last pass over the rows adds the second. */
#include <math.h>
#include <string.h>

#include "graph/ops.h"
#include "graph/ops/loss.h"
#include "graph/ops/upsampled.h"

enum { LOGITS, LABELS };
enum { CHUNK = 1 << 16 }; /* pixels, when a pass does not go by rows */
enum { DIGIT_BITS = 10, DIGITS = 1 << DIGIT_BITS, PASSES = 3 };
static const uint32_t ONE = 0x3f800000; /* the bits of 1.0f: errors have the order of their bits */

typedef struct state {
    icseg_upsampling map;
    int64_t pixels, chunks;
    float weight;
    bool needs_gradient;
} state;

/* One run. An entry of `order` is ONE - the bits of the error, then 31 bits of the pixel, then whether it is of the
 * class: in ascending order, errors descend, and equal ones follow the pixels. */
typedef struct lovasz {
    const float *logits;
    const int16_t *labels;
    double *partial;     /* (chunks): the loss */
    int64_t *before;     /* (chunks): pixels of the class in the chunks before */
    int64_t *class_size; /* (K): pixels */
    uint64_t *order;     /* (pixels) */
    uint64_t *other;     /* (pixels): sorting goes back and forth */
    int64_t *count;      /* (chunks, DIGITS) */
    float *normaliser;   /* (pixels): log of the sum of e^logit */
    float *pull;         /* (pixels): p_c dL/dp_c of the class whose turn it is */
    float *pull_sum;     /* (pixels): S */
    float *below;        /* (bands, w, K) */
    float *buffer;       /* of the threads */
    size_t size;         /* of all, in bytes */
} lovasz;

/* scratch NULL: only the size */
static lovasz lay_out(const state *s, unsigned char *scratch) {
    const icseg_upsampling *u = &s->map;
    int64_t f32 = (int64_t)sizeof(float), i64 = (int64_t)sizeof(int64_t), logits = u->batch * u->h * u->w * u->classes;
    lovasz l = {.size = 0};
    l.partial = icseg_scratch_part(scratch, &l.size, s->chunks * (int64_t)sizeof(double));
    l.before = icseg_scratch_part(scratch, &l.size, s->chunks * i64);
    l.class_size = icseg_scratch_part(scratch, &l.size, u->classes * i64);
    l.order = icseg_scratch_part(scratch, &l.size, s->pixels * i64);
    l.other = icseg_scratch_part(scratch, &l.size, s->pixels * i64);
    l.count = icseg_scratch_part(scratch, &l.size, s->chunks * DIGITS * i64);
    l.normaliser = icseg_scratch_part(scratch, &l.size, s->pixels * f32);
    l.pull = icseg_scratch_part(scratch, &l.size, s->pixels * f32);
    l.pull_sum = icseg_scratch_part(scratch, &l.size, s->pixels * f32);
    l.below = icseg_scratch_part(scratch, &l.size, s->needs_gradient ? logits * f32 : 0);
    l.buffer = icseg_scratch_part(scratch, &l.size, (int64_t)icseg_upsampled_buffer_size(u));
    return l;
}

static int64_t chunk_end(const state *s, int64_t chunk) {
    return chunk + 1 < s->chunks ? (chunk + 1) * CHUNK : s->pixels;
}

/* -- passes over rows with all classes */

ICSEG_KERNEL static void normalise_row(const icseg_upsampling *u, const icseg_upsampled_buffers *b,
                                       const int16_t *labels, float *normaliser) {
    int64_t n = u->padded;
    for (int64_t x = 0; x < u->width; x++) {
        if (labels[x] < 0) continue;
        icseg_interpolation at = u->x[x];
        float largest, sum = icseg_upsampled_exponentials(b->pixel, b->row + at.low * n, b->row + at.high * n,
                                                          at.weight, n, &largest);
        normaliser[x] = largest + logf(sum);
    }
}

static void read_normalisers(const icseg_upsampling *u, const icseg_upsampled_buffers *b, int64_t band, int64_t row,
                             void *user) {
    (void)band;
    const lovasz *l = user;
    normalise_row(u, b, l->labels + row * u->width, l->normaliser + row * u->width);
}

ICSEG_KERNEL static void subtract_row(const icseg_upsampling *u, const icseg_upsampled_buffers *b,
                                      const int16_t *labels, const float *pull_sum) {
    int64_t n = u->padded;
    for (int64_t x = 0; x < u->width; x++) {
        if (labels[x] < 0) continue;
        icseg_interpolation at = u->x[x];
        float *low = b->row_grad + at.low * n, *high = b->row_grad + at.high * n, largest;
        float each = pull_sum[x] / icseg_upsampled_exponentials(b->pixel, b->row + at.low * n, b->row + at.high * n,
                                                                at.weight, n, &largest);
#pragma omp simd
        for (int64_t k = 0; k < n; k++) low[k] -= (1 - at.weight) * each * b->pixel[k];
#pragma omp simd
        for (int64_t k = 0; k < n; k++) high[k] -= at.weight * each * b->pixel[k];
    }
}

static void read_rest(const icseg_upsampling *u, const icseg_upsampled_buffers *b, int64_t band, int64_t row,
                      void *user) {
    (void)band;
    const lovasz *l = user;
    subtract_row(u, b, l->labels + row * u->width, l->pull_sum + row * u->width);
}

/* -- the turn of a class */

static uint64_t entry_of(float error, int64_t pixel, bool own) {
    uint32_t bits;
    memcpy(&bits, &error, sizeof bits);
    return (uint64_t)(ONE - bits) << 32 | (uint64_t)pixel << 1 | own;
}

static float error_of(uint64_t entry) {
    uint32_t bits = ONE - (uint32_t)(entry >> 32);
    float error;
    memcpy(&error, &bits, sizeof error);
    return error;
}

/* Errors of class c; that of a pixel without a label is 0, and has no effect. */
static void find_errors(const state *s, const lovasz *l, int64_t c) {
    const icseg_upsampling *u = &s->map;
    int64_t line = u->w * u->classes;
#pragma omp parallel for schedule(static) num_threads(u->threads)
    for (int64_t row = 0; row < u->batch * u->height; row++) {
        float *logit = icseg_upsampled_buffers_of(u, l->buffer).row; /* (w): of the class */
        icseg_interpolation y = u->y[row % u->height];
        const float *map = l->logits + row / u->height * u->h * line + c;
        for (int64_t x = 0; x < u->w; x++)
            logit[x] =
                (1 - y.weight) * map[y.low * line + x * u->classes] + y.weight * map[y.high * line + x * u->classes];
        for (int64_t x = 0, i = row * u->width; x < u->width; x++, i++) {
            icseg_interpolation at = u->x[x];
            float p = 0;
            if (l->labels[i] >= 0)
                p = expf((1 - at.weight) * logit[at.low] + at.weight * logit[at.high] - l->normaliser[i]);
            p = p < 1 ? p : 1; /* rounding */
            bool own = l->labels[i] == c;
            l->order[i] = entry_of(own ? 1 - p : p, i, own);
        }
    }
}

static int64_t digit_of(uint64_t entry, int pass) { return (int64_t)(entry >> (32 + pass * DIGIT_BITS)) % DIGITS; }

/* Sorts `order`; each pass by one digit, the lowest first, and leaves entries with the same digit in their order. */
static void sort_errors(const state *s, lovasz *l) {
    for (int pass = 0; pass < PASSES; pass++) {
#pragma omp parallel for schedule(static) num_threads(s->map.threads)
        for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
            int64_t *count = l->count + chunk * DIGITS;
            memset(count, 0, DIGITS * sizeof *count);
            for (int64_t i = chunk * CHUNK; i < chunk_end(s, chunk); i++) count[digit_of(l->order[i], pass)]++;
        }
        int64_t first = 0;
        for (int64_t digit = 0; digit < DIGITS; digit++)
            for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
                int64_t *count = l->count + chunk * DIGITS + digit, n = *count;
                *count = first;
                first += n;
            }
#pragma omp parallel for schedule(static) num_threads(s->map.threads)
        for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
            int64_t *next = l->count + chunk * DIGITS;
            for (int64_t i = chunk * CHUNK; i < chunk_end(s, chunk); i++)
                l->other[next[digit_of(l->order[i], pass)]++] = l->order[i];
        }
        uint64_t *sorted = l->other;
        l->other = l->order;
        l->order = sorted;
    }
}

/* Walks through the errors in descending order and weighs each by how much the pixel changes the Jaccard index of the
 * class (`size` pixels) when it becomes wrong, too. Returns the sum; fills `pull`, times factor. */
static double weigh_errors(const state *s, const lovasz *l, double size, float factor) {
    double sum = 0;
#pragma omp parallel for schedule(static) num_threads(s->map.threads)
    for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
        l->before[chunk] = 0;
        for (int64_t i = chunk * CHUNK; i < chunk_end(s, chunk); i++) l->before[chunk] += (int64_t)(l->order[i] & 1);
    }
    for (int64_t chunk = 0, before = 0; chunk < s->chunks; chunk++) {
        int64_t own = l->before[chunk];
        l->before[chunk] = before;
        before += own;
    }
#pragma omp parallel for schedule(static) num_threads(s->map.threads)
    for (int64_t chunk = 0; chunk < s->chunks; chunk++) {
        int64_t missed = l->before[chunk];
        l->partial[chunk] = 0;
        for (int64_t i = chunk * CHUNK; i < chunk_end(s, chunk); i++) {
            bool own = l->order[i] & 1;
            float error = error_of(l->order[i]);
            double whole = size + (double)(i - missed); /* the union */
            double step = own ? 1 / whole : (size - (double)missed) / (whole * (whole + 1));
            l->partial[chunk] += step * (double)error;
            l->pull[(uint32_t)l->order[i] >> 1] = factor * (float)step * (own ? error - 1 : error);
            missed += own;
        }
    }
    for (int64_t chunk = 0; chunk < s->chunks; chunk++) sum += l->partial[chunk];
    return sum;
}

/* Adds `pull` to `pull_sum`, and to the gradients of class c. */
static void add_pull(const state *s, const lovasz *l, int64_t c, float *above) {
    const icseg_upsampling *u = &s->map;
    int64_t line = u->w * u->classes;
#pragma omp parallel for schedule(static) num_threads(u->threads)
    for (int64_t band = 0; band < u->batch * u->h; band++) {
        float *grad = icseg_upsampled_buffers_of(u, l->buffer).row; /* (w): of the class */
        float *up = above + band * line + c, *down = l->below + band * line + c;
        for (int64_t y = u->first[band % u->h]; y < u->first[band % u->h + 1]; y++) {
            float weight = u->y[y].weight;
            memset(grad, 0, (size_t)u->w * sizeof *grad);
            for (int64_t x = 0, i = (band / u->h * u->height + y) * u->width; x < u->width; x++, i++) {
                icseg_interpolation at = u->x[x];
                grad[at.low] += (1 - at.weight) * l->pull[i];
                grad[at.high] += at.weight * l->pull[i];
                l->pull_sum[i] += l->pull[i];
            }
            for (int64_t x = 0; x < u->w; x++) {
                up[x * u->classes] += (1 - weight) * grad[x];
                down[x * u->classes] += weight * grad[x];
            }
        }
    }
}

static double all_classes(const state *s, lovasz *l, float *above) {
    int64_t present = 0;
    double sum = 0;
    memset(l->class_size, 0, (size_t)s->map.classes * sizeof *l->class_size);
    for (int64_t i = 0; i < s->pixels; i++)
        if (l->labels[i] >= 0) l->class_size[l->labels[i]]++;
    for (int64_t c = 0; c < s->map.classes; c++) present += l->class_size[c] > 0;
    float factor = present ? s->weight / (float)present : 0;
    for (int64_t c = 0; c < s->map.classes; c++) {
        if (l->class_size[c] == 0) continue;
        find_errors(s, l, c);
        sort_errors(s, l);
        sum += weigh_errors(s, l, (double)l->class_size[c], factor);
        if (above) add_pull(s, l, c, above);
    }
    return (double)factor * sum;
}

static icseg_status lovasz_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const state *s = k->state;
    const icseg_upsampling *u = &s->map;
    lovasz l = lay_out(s, run->scratch);
    int64_t labelled;
    size_t gradients = (size_t)(u->batch * u->h * u->w * u->classes) * sizeof(float);
    float *above = s->needs_gradient ? k->out[1] : NULL;
    if (icseg_group_size(run->group) > 1)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "model.lovasz_weight: the Lovasz loss sorts all pixels of a batch, which one process must "
                          "have; train with one process, or set it to 0");
    l.logits = k->in[LOGITS];
    l.labels = k->in[LABELS];
    ICSEG_TRY(icseg_upsampled_count(u, l.labels, &labelled, error));
    icseg_upsampled_read(u, l.logits, NULL, NULL, l.buffer, read_normalisers, &l);
    if (above) {
        memset(above, 0, gradients);
        memset(l.below, 0, gradients);
        memset(l.pull_sum, 0, (size_t)s->pixels * sizeof *l.pull_sum);
    }
    *(float *)k->out[0] = (float)all_classes(s, &l, above);
    if (!above) return ICSEG_OK;
    icseg_upsampled_read(u, l.logits, above, l.below, l.buffer, read_rest, &l);
    icseg_upsampled_finish(u, above, l.below, 1);
    return ICSEG_OK;
}

static icseg_status lovasz_prepare(icseg_kernel *k, icseg_error *error) {
    state *s = k->state = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, 0, "tables");
    s->weight = *(const float *)k->node->attributes;
    s->needs_gradient = k->node->output_count > 1;
    s->pixels = icseg_kernel_in(k, LABELS)->count;
    s->chunks = (s->pixels + CHUNK - 1) / CHUNK;
    ICSEG_TRY(
        icseg_upsampling_open(&s->map, &icseg_kernel_in(k, LOGITS)->shape, &icseg_kernel_in(k, LABELS)->shape, error));
    k->scratch_size = lay_out(s, NULL).size;
    return ICSEG_OK;
}

static void lovasz_release(icseg_kernel *k) {
    state *s = k->state;
    if (!s) return;
    icseg_upsampling_close(&s->map);
    icseg_free(s);
}

/* About 20 operations per class and labelled pixel, gradient included; sorting is not counted. */
static double lovasz_flops(const icseg_graph *g, const icseg_node *node) {
    return 20.0 * (double)icseg_graph_value(g, node->input[LABELS])->count *
           (double)icseg_graph_dim(g, node->input[LOGITS], 3);
}

static void gradient(icseg_graph *g, const icseg_node *node, const icseg_value *grad_out, icseg_value *grad_in) {
    grad_in[LOGITS] = icseg_loss_gradient(g, node->output[1], grad_out[0]);
}

const icseg_op icseg_op_lovasz_loss = {.name = "lovasz_loss",
                                       .gradient = gradient,
                                       .never_recompute = true,
                                       .prepare = lovasz_prepare,
                                       .run = lovasz_run,
                                       .release = lovasz_release,
                                       .flops = lovasz_flops};

icseg_value icseg_lovasz_loss(icseg_graph *g, icseg_value logits, icseg_value labels, float weight) {
    icseg_value in[] = {logits, labels};
    icseg_node *node = icseg_node_append(g, &icseg_op_lovasz_loss, &weight, sizeof weight, in, 2, 0);
    if (!node || !icseg_upsampled_check(g, "lovasz_loss", logits, labels)) return ICSEG_NONE;
    int64_t pixels = icseg_graph_value(g, labels)->count;
    if (pixels > INT32_MAX)
        return icseg_graph_fail(g, "lovasz_loss", ICSEG_ERROR_SHAPE, "%lld pixels; at most %lld are possible",
                                (long long)pixels, (long long)INT32_MAX);
    icseg_value loss = icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(1));
    const icseg_value_info *x = icseg_graph_value(g, logits);
    if (x->needs_grad) icseg_node_output(g, node, ICSEG_F32, x->shape);
    return loss;
}

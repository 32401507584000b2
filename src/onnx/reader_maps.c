/* SPDX-License-Identifier: Apache-2.0
 * Matrix products, convolutions, pooling and resizing. Four rows or output channels at a time share what they read. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/system.h"
#include "onnx/reader.h"

enum { TOGETHER = 4, COLUMNS = 256, ROWS = 8 };

/* -- matrix products */

/* out (rows, width) = a (rows, inner) times b (inner, columns), of which `width` columns; rows <= TOGETHER */
ICSEG_KERNEL static void product_tile(const float *a, const float *b, int64_t rows, int64_t inner, int64_t columns,
                                      int64_t width, float *out) {
    float sum[TOGETHER][COLUMNS] = {{0}};
    for (int64_t k = 0; k < inner; k++) {
        const float *from = b + k * columns;
        float w[TOGETHER] = {0};
        for (int64_t r = 0; r < rows; r++) w[r] = a[r * inner + k];
#pragma omp simd
        for (int64_t j = 0; j < width; j++) {
            sum[0][j] += w[0] * from[j];
            sum[1][j] += w[1] * from[j];
            sum[2][j] += w[2] * from[j];
            sum[3][j] += w[3] * from[j];
        }
    }
    for (int64_t r = 0; r < rows; r++) memcpy(out + r * columns, sum[r], (size_t)width * sizeof(float));
}

static void product(const float *a, const float *b, int64_t rows, int64_t inner, int64_t columns, float *out) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t c = 0; c < columns; c += COLUMNS)
        for (int64_t r = 0; r < rows; r += TOGETHER) {
            int64_t width = columns - c < COLUMNS ? columns - c : COLUMNS;
            product_tile(a + r * inner, b + c, rows - r < TOGETHER ? rows - r : TOGETHER, inner, columns, width,
                         out + r * columns + c);
        }
}

static icseg_status matmul(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT) && icseg_onnx_is(s, 1, ICSEG_ONNX_FLOAT));
    icseg_shape a = s->in[0]->shape, b = s->in[1]->shape, out = a.rank > b.rank ? a : b;
    ICSEG_ONNX_EXPECT(s, a.rank >= 2 && b.rank >= 2 && a.dim[a.rank - 1] == b.dim[b.rank - 2]);
    int64_t rows = a.dim[a.rank - 2], inner = a.dim[a.rank - 1], columns = b.dim[b.rank - 1], stride[2] = {0};
    for (int i = 0; i < out.rank - 2; i++) { /* the batch axes are equal, 1 or missing */
        int64_t x = i < out.rank - a.rank ? 1 : a.dim[i - (out.rank - a.rank)];
        int64_t y = i < out.rank - b.rank ? 1 : b.dim[i - (out.rank - b.rank)];
        ICSEG_ONNX_EXPECT(s, x == y || x == 1 || y == 1);
        out.dim[i] = x == 1 ? y : x;
    }
    out.dim[out.rank - 2] = rows;
    out.dim[out.rank - 1] = columns;
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, out));
    int64_t batch = icseg_onnx_product(out, 0, out.rank - 2);
    for (int64_t n = 0; n < batch; n++) {
        int64_t rest = n, scale[2] = {1, 1};
        memset(stride, 0, sizeof stride);
        for (int i = out.rank - 3; i >= 0; rest /= out.dim[i--]) {
            int64_t x = i < out.rank - a.rank ? 1 : a.dim[i - (out.rank - a.rank)];
            int64_t y = i < out.rank - b.rank ? 1 : b.dim[i - (out.rank - b.rank)];
            stride[0] += x == 1 ? 0 : rest % out.dim[i] * scale[0];
            stride[1] += y == 1 ? 0 : rest % out.dim[i] * scale[1];
            scale[0] *= x;
            scale[1] *= y;
        }
        product((const float *)s->in[0]->data + stride[0] * rows * inner,
                (const float *)s->in[1]->data + stride[1] * inner * columns, rows, inner, columns,
                (float *)s->out[0].data + n * rows * columns);
    }
    return ICSEG_OK;
}

/* -- convolutions */

typedef struct conv {
    const float *x, *weight, *bias; /* of one image; (O, I, kh, kw); (O) or NULL */
    int64_t in, height, width, out, kernel_height, kernel_width, out_height, out_width, stride, padding;
} conv;

/* Adds the row of x that starts at `from`, times w, to rows of TOGETHER outputs, `plane` apart. */
ICSEG_KERNEL static void add_row(const float *from, int64_t step, const float w[TOGETHER], int64_t count, float *to,
                                 int64_t plane) {
    float *a = to, *b = to + plane, *c = to + 2 * plane, *d = to + 3 * plane;
    if (step == 1) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++) {
            a[i] += w[0] * from[i];
            b[i] += w[1] * from[i];
            c[i] += w[2] * from[i];
            d[i] += w[3] * from[i];
        }
        return;
    }
    for (int64_t i = 0; i < count; i++, from += step) {
        a[i] += w[0] * *from;
        b[i] += w[1] * *from;
        c[i] += w[2] * *from;
        d[i] += w[3] * *from;
    }
}

/* Output columns [*begin, *end) whose tap k lies inside the row. */
static void inside(const conv *c, int64_t k, int64_t *begin, int64_t *end) {
    int64_t first = c->padding - k, last = c->width - 1 + c->padding - k;
    *begin = first <= 0 ? 0 : (first + c->stride - 1) / c->stride;
    *end = last < 0 ? 0 : last / c->stride + 1;
    if (*end > c->out_width) *end = c->out_width;
}

/* Rows [y, y + rows) of outputs [o, o + TOGETHER) into tile (TOGETHER, rows * out_width). */
static void conv_tile(const conv *c, int64_t o, int64_t y, int64_t rows, float *tile) {
    int64_t plane = rows * c->out_width, taps = c->kernel_height * c->kernel_width;
    for (int64_t t = 0; t < TOGETHER; t++)
        for (int64_t i = 0; i < plane; i++) tile[t * plane + i] = c->bias && o + t < c->out ? c->bias[o + t] : 0;
    for (int64_t i = 0; i < c->in; i++)
        for (int64_t k = 0; k < taps; k++) {
            float w[TOGETHER] = {0};
            int64_t begin, end;
            for (int64_t t = 0; t < TOGETHER && o + t < c->out; t++) w[t] = c->weight[((o + t) * c->in + i) * taps + k];
            inside(c, k % c->kernel_width, &begin, &end);
            for (int64_t r = 0; r < rows && begin < end; r++) {
                int64_t row = (y + r) * c->stride + k / c->kernel_width - c->padding;
                if (row < 0 || row >= c->height) continue;
                const float *from =
                    c->x + (i * c->height + row) * c->width + begin * c->stride + k % c->kernel_width - c->padding;
                add_row(from, c->stride, w, end - begin, tile + r * c->out_width + begin, plane);
            }
        }
}

static bool conv_image(const conv *c, float *out) {
    int64_t tiles = (c->out_height + ROWS - 1) / ROWS, groups = (c->out + TOGETHER - 1) / TOGETHER;
    bool complete = true;
#pragma omp parallel for collapse(2) schedule(static) reduction(&& : complete)
    for (int64_t g = 0; g < groups; g++)
        for (int64_t i = 0; i < tiles; i++) {
            int64_t y = i * ROWS, rows = c->out_height - y < ROWS ? c->out_height - y : ROWS;
            float *tile = icseg_alloc_array((size_t)(TOGETHER * rows * c->out_width), sizeof *tile);
            complete = complete && tile;
            if (!tile) continue;
            conv_tile(c, g * TOGETHER, y, rows, tile);
            for (int64_t t = 0; t < TOGETHER && g * TOGETHER + t < c->out; t++)
                memcpy(out + ((g * TOGETHER + t) * c->out_height + y) * c->out_width, tile + t * rows * c->out_width,
                       (size_t)(rows * c->out_width) * sizeof *tile);
            icseg_free(tile);
        }
    return complete;
}

static icseg_status convolution(icseg_onnx_step *s) {
    for (int i = 0; i < s->inputs; i++) ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, i, ICSEG_ONNX_FLOAT));
    icseg_shape x = s->in[0]->shape, w = s->in[1]->shape;
    ICSEG_ONNX_EXPECT(s, x.rank == 4 && w.rank == 4 && x.dim[1] == w.dim[1]);
    ICSEG_ONNX_EXPECT(s, s->inputs == 2 || s->in[2]->count == w.dim[0]);
    conv c = {.weight = s->in[1]->data,
              .bias = s->inputs > 2 ? s->in[2]->data : NULL,
              .in = x.dim[1],
              .height = x.dim[2],
              .width = x.dim[3],
              .out = w.dim[0],
              .kernel_height = w.dim[2],
              .kernel_width = w.dim[3],
              .stride = icseg_onnx_list_attribute(s, "strides", 0, 1),
              .padding = icseg_onnx_list_attribute(s, "pads", 0, 0)};
    for (int i = 1; i < 4; i++) ICSEG_ONNX_EXPECT(s, icseg_onnx_list_attribute(s, "pads", i, 0) == c.padding);
    ICSEG_ONNX_EXPECT(s, icseg_onnx_list_attribute(s, "strides", 1, 1) == c.stride && c.stride > 0);
    ICSEG_ONNX_EXPECT(s, icseg_onnx_list_attribute(s, "kernel_shape", 0, 0) == w.dim[2]);
    c.out_height = (c.height + 2 * c.padding - c.kernel_height) / c.stride + 1;
    c.out_width = (c.width + 2 * c.padding - c.kernel_width) / c.stride + 1;
    ICSEG_TRY(
        icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, ICSEG_SHAPE(x.dim[0], c.out, c.out_height, c.out_width)));
    for (int64_t n = 0; n < x.dim[0]; n++) {
        c.x = (const float *)s->in[0]->data + n * c.in * c.height * c.width;
        if (!conv_image(&c, (float *)s->out[0].data + n * c.out * c.out_height * c.out_width))
            return icseg_fail_memory(s->error, 0, "a convolution");
    }
    return ICSEG_OK;
}

/* Kernel 2, stride 2: each input makes a block of 2 x 2 outputs. weight (I, O, 2, 2) */
static icseg_status transposed_convolution(icseg_onnx_step *s) {
    for (int i = 0; i < 3; i++) ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, i, ICSEG_ONNX_FLOAT));
    icseg_shape x = s->in[0]->shape, w = s->in[1]->shape;
    ICSEG_ONNX_EXPECT(s, x.rank == 4 && w.rank == 4 && x.dim[1] == w.dim[0] && w.dim[2] == 2 && w.dim[3] == 2);
    ICSEG_ONNX_EXPECT(s, s->in[2]->count == w.dim[1] && icseg_onnx_list_attribute(s, "strides", 0, 1) == 2);
    int64_t in = w.dim[0], out = w.dim[1], height = x.dim[2], width = x.dim[3];
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, ICSEG_SHAPE(x.dim[0], out, 2 * height, 2 * width)));
    const float *weight = s->in[1]->data, *bias = s->in[2]->data;
#pragma omp parallel for schedule(static)
    for (int64_t plane = 0; plane < x.dim[0] * out; plane++) {
        int64_t n = plane / out, o = plane % out;
        float *y = (float *)s->out[0].data + plane * 4 * height * width;
        for (int64_t i = 0; i < 4 * height * width; i++) y[i] = bias[o];
        for (int64_t i = 0; i < in; i++) {
            const float *from = (const float *)s->in[0]->data + (n * in + i) * height * width;
            const float *k = weight + (i * out + o) * 4;
            for (int64_t at = 0; at < height * width; at++) {
                float *to = y + at / width * 4 * width + at % width * 2;
                to[0] += from[at] * k[0];
                to[1] += from[at] * k[1];
                to[2 * width] += from[at] * k[2];
                to[2 * width + 1] += from[at] * k[3];
            }
        }
    }
    return ICSEG_OK;
}

/* -- pooling and resizing */

static icseg_status pool(icseg_onnx_step *s, bool average) {
    icseg_shape x = s->in[0]->shape;
    int64_t size = icseg_onnx_list_attribute(s, "kernel_shape", 0, 0);
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT) && x.rank == 4 && size > 0);
    for (int i = 0; i < 2; i++) ICSEG_ONNX_EXPECT(s, icseg_onnx_list_attribute(s, "strides", i, 1) == size);
    icseg_shape out = ICSEG_SHAPE(x.dim[0], x.dim[1], x.dim[2] / size, x.dim[3] / size);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, out));
    int64_t places = out.dim[2] * out.dim[3];
    float *y = s->out[0].data;
    for (int64_t i = 0; i < s->out[0].count; i++) {
        int64_t row = i % places / out.dim[3] * size, column = i % out.dim[3] * size;
        const float *from = (const float *)s->in[0]->data + (i / places * x.dim[2] + row) * x.dim[3] + column;
        float sum = 0, top = *from;
        for (int64_t k = 0; k < size * size; k++) {
            float v = from[k / size * x.dim[3] + k % size];
            sum += v;
            top = v > top ? v : top;
        }
        y[i] = average ? sum / (float)(size * size) : top;
    }
    return ICSEG_OK;
}

static icseg_status average_pool(icseg_onnx_step *s) { return pool(s, true); }
static icseg_status max_pool(icseg_onnx_step *s) { return pool(s, false); }

/* The specification: a position in the input is clamped to it. */
typedef struct sample {
    int64_t low, high;
    float weight; /* of `high` */
} sample;

static sample sample_at(int64_t i, int64_t in, int64_t out, bool linear) {
    double scale = (double)out / (double)in;
    double at = linear ? ((double)i + 0.5) / scale - 0.5 : floor((double)i / scale);
    if (at < 0) at = 0;
    if (at > (double)(in - 1)) at = (double)(in - 1);
    int64_t low = (int64_t)at;
    return (sample){low, low + (low < in - 1), (float)(at - (double)low)};
}

static icseg_status output_of_resize(icseg_onnx_step *s, icseg_shape *out) {
    icseg_shape x = s->in[0]->shape;
    *out = x;
    if (s->inputs == 3) {
        ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 2, ICSEG_ONNX_FLOAT) && s->in[2]->count == x.rank);
        for (int i = 0; i < x.rank; i++)
            out->dim[i] = (int64_t)floor((double)x.dim[i] * ((const float *)s->in[2]->data)[i]);
    } else {
        ICSEG_ONNX_EXPECT(s, s->inputs == 4 && icseg_onnx_is(s, 3, ICSEG_ONNX_INT64) && s->in[3]->count == x.rank);
        for (int i = 0; i < x.rank; i++) out->dim[i] = ((const int64_t *)s->in[3]->data)[i];
    }
    return ICSEG_OK;
}

static icseg_status resize(icseg_onnx_step *s) {
    bool linear = icseg_onnx_attribute_is(s, "mode", "linear");
    icseg_shape x = s->in[0]->shape, out;
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT) && x.rank == 4);
    ICSEG_ONNX_EXPECT(s, linear || icseg_onnx_attribute_is(s, "mode", "nearest"));
    ICSEG_ONNX_EXPECT(s, linear || icseg_onnx_attribute_is(s, "nearest_mode", "floor"));
    ICSEG_ONNX_EXPECT(
        s, icseg_onnx_attribute_is(s, "coordinate_transformation_mode", linear ? "half_pixel" : "asymmetric"));
    ICSEG_TRY(output_of_resize(s, &out));
    ICSEG_ONNX_EXPECT(s, out.dim[0] == x.dim[0] && out.dim[1] == x.dim[1]);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, out));
    int64_t rows = out.dim[0] * out.dim[1] * out.dim[2];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        sample v = sample_at(r % out.dim[2], x.dim[2], out.dim[2], linear);
        const float *plane = (const float *)s->in[0]->data + r / out.dim[2] * x.dim[2] * x.dim[3];
        const float *a = plane + v.low * x.dim[3], *b = plane + v.high * x.dim[3];
        float *y = (float *)s->out[0].data + r * out.dim[3];
        for (int64_t i = 0; i < out.dim[3]; i++) {
            sample h = sample_at(i, x.dim[3], out.dim[3], linear);
            float above = a[h.low] + h.weight * (a[h.high] - a[h.low]);
            float below = b[h.low] + h.weight * (b[h.high] - b[h.low]);
            y[i] = above + v.weight * (below - above);
        }
    }
    return ICSEG_OK;
}

icseg_onnx_operator *icseg_onnx_find_map(const char *type) {
    static const struct {
        const char *type;
        icseg_onnx_operator *run;
    } all[] = {{"AveragePool", average_pool},
               {"Conv", convolution},
               {"ConvTranspose", transposed_convolution},
               {"MatMul", matmul},
               {"MaxPool", max_pool},
               {"Resize", resize}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].type, type)) return all[i].run;
    return NULL;
}

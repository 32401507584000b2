/* SPDX-License-Identifier: Apache-2.0
 * Operators on single elements, with broadcasting, and along one axis. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "onnx/reader.h"

/* -- broadcasting */

/* How an operand is read for an output: 0 where it is repeated. */
typedef struct strides {
    int64_t of[ICSEG_MAX_RANK];
} strides;

/* Extends `out` by the operand's shape; false if they do not fit. */
static bool broadcast(icseg_shape *out, icseg_shape in) {
    icseg_shape wide = out->rank >= in.rank ? *out : in, narrow = out->rank >= in.rank ? in : *out;
    int offset = wide.rank - narrow.rank;
    for (int i = 0; i < narrow.rank; i++) {
        int64_t a = wide.dim[offset + i], b = narrow.dim[i];
        if (a != b && a != 1 && b != 1) return false;
        wide.dim[offset + i] = a == 1 ? b : a;
    }
    *out = wide;
    return true;
}

static strides strides_of(icseg_shape in, icseg_shape out) {
    strides s = {{0}};
    for (int i = 0; i < in.rank; i++)
        if (in.dim[i] != 1) s.of[out.rank - in.rank + i] = icseg_onnx_product(in, i + 1, in.rank);
    return s;
}

/* The offset of the first element of a row of the last axis. */
static int64_t offset_of(const strides *s, icseg_shape out, int64_t row) {
    int64_t at = 0;
    for (int i = out.rank - 2; i >= 0; row /= out.dim[i--]) at += row % out.dim[i] * s->of[i];
    return at;
}

typedef enum kind { ADD, MUL, DIV } kind;

static icseg_status arithmetic(icseg_onnx_step *s, kind what) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 2);
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT) && icseg_onnx_is(s, 1, ICSEG_ONNX_FLOAT));
    icseg_shape out = s->in[0]->shape;
    ICSEG_ONNX_EXPECT(s, broadcast(&out, s->in[1]->shape));
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, out));
    strides a = strides_of(s->in[0]->shape, out), b = strides_of(s->in[1]->shape, out);
    int64_t last = out.rank ? out.dim[out.rank - 1] : 1, rows = last ? s->out[0].count / last : 0;
    int64_t x_step = out.rank ? a.of[out.rank - 1] : 0, y_step = out.rank ? b.of[out.rank - 1] : 0;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const float *x = (const float *)s->in[0]->data + offset_of(&a, out, r);
        const float *y = (const float *)s->in[1]->data + offset_of(&b, out, r);
        float *to = (float *)s->out[0].data + r * last;
        for (int64_t i = 0; i < last; i++, x += x_step, y += y_step)
            to[i] = what == ADD ? *x + *y : what == MUL ? *x * *y : *x / *y;
    }
    return ICSEG_OK;
}

static icseg_status add(icseg_onnx_step *s) { return arithmetic(s, ADD); }
static icseg_status mul(icseg_onnx_step *s) { return arithmetic(s, MUL); }
static icseg_status divide(icseg_onnx_step *s) { return arithmetic(s, DIV); }

/* A matrix of conditions for the last two axes, and one number where they do not hold. */
static icseg_status where(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_BOOL) && icseg_onnx_is(s, 1, ICSEG_ONNX_FLOAT));
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 2, ICSEG_ONNX_FLOAT) && s->in[2]->count == 1);
    icseg_shape mask = s->in[0]->shape, x = s->in[1]->shape;
    ICSEG_ONNX_EXPECT(s, mask.rank == 2 && x.rank >= 2);
    ICSEG_ONNX_EXPECT(s, x.dim[x.rank - 2] == mask.dim[0] && x.dim[x.rank - 1] == mask.dim[1]);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, x));
    const uint8_t *holds = s->in[0]->data;
    const float *from = s->in[1]->data, *other = s->in[2]->data;
    float *to = s->out[0].data;
    for (int64_t i = 0; i < s->in[1]->count; i++) to[i] = holds[i % s->in[0]->count] ? from[i] : *other;
    return ICSEG_OK;
}

/* -- functions of one number */

static icseg_status function(icseg_onnx_step *s, float (*f)(float x)) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 1 && icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT));
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, s->in[0]->shape));
    const float *x = s->in[0]->data;
    float *y = s->out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->in[0]->count; i++) y[i] = f(x[i]);
    return ICSEG_OK;
}

static float relu_of(float x) { return x > 0 ? x : 0; }
static float sigmoid_of(float x) { return 1 / (1 + expf(-x)); }
static icseg_status relu(icseg_onnx_step *s) { return function(s, relu_of); }
static icseg_status sigmoid(icseg_onnx_step *s) { return function(s, sigmoid_of); }
static icseg_status erf_of(icseg_onnx_step *s) { return function(s, erff); }

static icseg_status clip(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 2 && icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT));
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 1, ICSEG_ONNX_FLOAT) && s->in[1]->shape.rank == 0);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, s->in[0]->shape));
    const float *x = s->in[0]->data, least = *(const float *)s->in[1]->data;
    float *y = s->out[0].data;
    for (int64_t i = 0; i < s->in[0]->count; i++) y[i] = x[i] < least ? least : x[i];
    return ICSEG_OK;
}

/* -- along an axis */

typedef enum reduction { MEAN, L2, LARGEST } reduction;

/* Along one axis, which stays with a size of 1, or is gone without `keepdims`. */
static icseg_status reduce(icseg_onnx_step *s, reduction what) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 1 && icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT));
    icseg_shape in = s->in[0]->shape, out = in;
    int64_t axis = icseg_onnx_list_attribute(s, "axes", 0, 0);
    if (axis < 0) axis += in.rank;
    ICSEG_ONNX_EXPECT(s, axis >= 0 && axis < in.rank && in.dim[axis] > 0);
    out.dim[axis] = 1;
    if (!icseg_onnx_attribute(s, "keepdims", 1)) {
        out.rank--;
        for (int i = (int)axis; i < out.rank; i++) out.dim[i] = in.dim[i + 1];
    }
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, out));
    int64_t size = in.dim[axis], inner = icseg_onnx_product(in, (int)axis + 1, in.rank);
    for (int64_t i = 0; i < s->out[0].count; i++) {
        const float *x = (const float *)s->in[0]->data + i / inner * size * inner + i % inner;
        double sum = 0, top = *x;
        for (int64_t k = 0; k < size; k++, x += inner) {
            sum += what == L2 ? (double)*x * *x : *x;
            top = *x > top ? *x : top;
        }
        ((float *)s->out[0].data)[i] = (float)(what == MEAN ? sum / (double)size : what == L2 ? sqrt(sum) : top);
    }
    return ICSEG_OK;
}

static icseg_status reduce_mean(icseg_onnx_step *s) { return reduce(s, MEAN); }
static icseg_status reduce_l2(icseg_onnx_step *s) { return reduce(s, L2); }
static icseg_status reduce_max(icseg_onnx_step *s) { return reduce(s, LARGEST); }

static void softmax_row(const float *x, int64_t size, float *y) {
    float top = x[0];
    double sum = 0;
    for (int64_t i = 1; i < size; i++) top = x[i] > top ? x[i] : top;
    for (int64_t i = 0; i < size; i++) sum += y[i] = expf(x[i] - top);
    for (int64_t i = 0; i < size; i++) y[i] = (float)(y[i] / sum);
}

static icseg_status softmax(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT) && icseg_onnx_attribute(s, "axis", -1) == -1);
    icseg_shape shape = s->in[0]->shape;
    ICSEG_ONNX_EXPECT(s, shape.rank > 0 && shape.dim[shape.rank - 1] > 0);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, shape));
    int64_t size = shape.dim[shape.rank - 1];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < s->in[0]->count / size; r++)
        softmax_row((const float *)s->in[0]->data + r * size, size, (float *)s->out[0].data + r * size);
    return ICSEG_OK;
}

/* y = (x - mean) / sqrt(variance + eps), times weight plus bias: those of each element, or one for the row */
static void normalise_row(const float *x, int64_t size, float eps, const float *weight, const float *bias, int step,
                          float *y) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < size; i++) sum += x[i];
    double mean = sum / (double)size;
    for (int64_t i = 0; i < size; i++) squares += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / sqrt(squares / (double)size + eps);
    for (int64_t i = 0; i < size; i++) y[i] = (float)((x[i] - mean) * scale * weight[i * step] + bias[i * step]);
}

static icseg_status normalise(icseg_onnx_step *s, int64_t size, int64_t parameters) {
    float eps = icseg_onnx_float_attribute(s, "epsilon", 1e-5f);
    for (int i = 0; i < 3; i++) ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, i, ICSEG_ONNX_FLOAT));
    ICSEG_ONNX_EXPECT(s, size > 0 && s->in[1]->count == parameters && s->in[2]->count == parameters);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, s->in[0]->shape));
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < s->in[0]->count / size; r++)
        normalise_row((const float *)s->in[0]->data + r * size, size, eps, s->in[1]->data, s->in[2]->data,
                      parameters > 1, (float *)s->out[0].data + r * size);
    return ICSEG_OK;
}

static icseg_status layer_normalization(icseg_onnx_step *s) {
    icseg_shape in = s->in[0]->shape;
    ICSEG_ONNX_EXPECT(s, s->inputs == 3 && in.rank > 0 && icseg_onnx_attribute(s, "axis", -1) == -1);
    return normalise(s, in.dim[in.rank - 1], in.dim[in.rank - 1]);
}

/* Of one channel. */
static icseg_status instance_normalization(icseg_onnx_step *s) {
    icseg_shape in = s->in[0]->shape;
    ICSEG_ONNX_EXPECT(s, s->inputs == 3 && in.rank == 3 && in.dim[1] == 1);
    return normalise(s, in.dim[2], 1);
}

/* The index of the largest of the second axis, the lowest of equals. */
static icseg_status argmax(icseg_onnx_step *s) {
    icseg_shape in = s->in[0]->shape;
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT) && in.rank == 4);
    ICSEG_ONNX_EXPECT(s, icseg_onnx_attribute(s, "axis", 0) == 1 && icseg_onnx_attribute(s, "keepdims", 1) == 0);
    int64_t classes = in.dim[1], places = in.dim[2] * in.dim[3];
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_INT64, ICSEG_SHAPE(in.dim[0], in.dim[2], in.dim[3])));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->out[0].count; i++) {
        const float *x = (const float *)s->in[0]->data + i / places * classes * places + i % places;
        int64_t best = 0;
        for (int64_t k = 1; k < classes; k++) best = x[k * places] > x[best * places] ? k : best;
        ((int64_t *)s->out[0].data)[i] = best;
    }
    return ICSEG_OK;
}

icseg_onnx_operator *icseg_onnx_find_pointwise(const char *type) {
    static const struct {
        const char *type;
        icseg_onnx_operator *run;
    } all[] = {{"Add", add},
               {"ArgMax", argmax},
               {"Clip", clip},
               {"Div", divide},
               {"Erf", erf_of},
               {"InstanceNormalization", instance_normalization},
               {"LayerNormalization", layer_normalization},
               {"Mul", mul},
               {"ReduceL2", reduce_l2},
               {"ReduceMax", reduce_max},
               {"ReduceMean", reduce_mean},
               {"Relu", relu},
               {"Sigmoid", sigmoid},
               {"Softmax", softmax},
               {"Where", where}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].type, type)) return all[i].run;
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Operators that move elements and compute shapes. */
#include <string.h>

#include "onnx/reader.h"

static const int64_t *ints(const icseg_onnx_step *s, int i) { return s->in[i]->data; }

static int axis_of(const icseg_onnx_step *s, int64_t axis) {
    int rank = s->in[0]->shape.rank;
    return axis < 0 ? (int)axis + rank : (int)axis;
}

static icseg_status copy_as(icseg_onnx_step *s, icseg_shape shape) {
    const icseg_onnx_tensor *x = s->in[0];
    ICSEG_ONNX_EXPECT(s, icseg_shape_count(shape) == x->count);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, x->type, shape));
    memcpy(s->out[0].data, x->data, (size_t)x->count * icseg_onnx_element_size(x->type));
    return ICSEG_OK;
}

static icseg_status identity(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 1);
    return copy_as(s, s->in[0]->shape);
}

static icseg_status cast(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 0, ICSEG_ONNX_UINT8));
    ICSEG_ONNX_EXPECT(s, icseg_onnx_attribute(s, "to", 0) == ICSEG_ONNX_FLOAT);
    const icseg_onnx_tensor *x = s->in[0];
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, x->shape));
    for (int64_t i = 0; i < x->count; i++) ((float *)s->out[0].data)[i] = ((const uint8_t *)x->data)[i];
    return ICSEG_OK;
}

static icseg_status shape(icseg_onnx_step *s) {
    icseg_shape of = s->in[0]->shape;
    int64_t start = icseg_onnx_attribute(s, "start", 0), end = icseg_onnx_attribute(s, "end", of.rank);
    ICSEG_ONNX_EXPECT(s, start >= 0 && start <= end && end <= of.rank);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_INT64, ICSEG_SHAPE(end - start)));
    memcpy(s->out[0].data, of.dim + start, (size_t)(end - start) * sizeof(int64_t));
    return ICSEG_OK;
}

static icseg_status reshape(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 2 && icseg_onnx_is(s, 1, ICSEG_ONNX_INT64));
    ICSEG_ONNX_EXPECT(s, s->in[1]->shape.rank == 1 && s->in[1]->count <= ICSEG_MAX_RANK);
    icseg_shape to = {.rank = (int32_t)s->in[1]->count};
    int unknown = -1;
    int64_t known = 1;
    for (int i = 0; i < to.rank; i++) {
        to.dim[i] = ints(s, 1)[i];
        if (to.dim[i] == 0) {
            ICSEG_ONNX_EXPECT(s, i < s->in[0]->shape.rank);
            to.dim[i] = s->in[0]->shape.dim[i];
        }
        if (to.dim[i] != -1) known *= to.dim[i];
        ICSEG_ONNX_EXPECT(s, to.dim[i] != -1 || unknown < 0);
        if (to.dim[i] == -1) unknown = i;
    }
    ICSEG_ONNX_EXPECT(s, known > 0);
    if (unknown >= 0) to.dim[unknown] = s->in[0]->count / known;
    return copy_as(s, to);
}

/* Copies, element by element, from the input's element at `offset` + the sum of index * stride. */
static void gather_strided(icseg_onnx_step *s, int64_t offset, const int64_t *stride) {
    icseg_onnx_tensor *y = &s->out[0];
    size_t size = icseg_onnx_element_size(y->type);
    const char *from = s->in[0]->data;
    int rank = y->shape.rank;
    int64_t last = rank ? y->shape.dim[rank - 1] : 1, step = rank ? stride[rank - 1] : 0;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < (y->count ? y->count / last : 0); row++) {
        int64_t at = offset, rest = row;
        for (int i = rank - 2; i >= 0; rest /= y->shape.dim[i--]) at += rest % y->shape.dim[i] * stride[i];
        char *to = (char *)y->data + (size_t)(row * last) * size;
        for (int64_t i = 0; i < last; i++, at += step, to += size) memcpy(to, from + (size_t)at * size, size);
    }
}

static icseg_status transpose(icseg_onnx_step *s) {
    icseg_shape in = s->in[0]->shape, out = in;
    int64_t stride[ICSEG_MAX_RANK];
    unsigned seen = 0;
    for (int i = 0; i < in.rank; i++) {
        int64_t axis = icseg_onnx_list_attribute(s, "perm", i, -1);
        ICSEG_ONNX_EXPECT(s, axis >= 0 && axis < in.rank);
        seen |= 1u << axis;
        out.dim[i] = in.dim[axis];
        stride[i] = icseg_onnx_product(in, (int)axis + 1, in.rank);
    }
    ICSEG_ONNX_EXPECT(s, seen == (1u << in.rank) - 1);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, s->in[0]->type, out));
    gather_strided(s, 0, stride);
    return ICSEG_OK;
}

static icseg_status expand(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 1, ICSEG_ONNX_INT64) && s->in[1]->count == s->in[0]->shape.rank);
    icseg_shape in = s->in[0]->shape, out = in;
    int64_t stride[ICSEG_MAX_RANK];
    for (int i = 0; i < in.rank; i++) {
        int64_t asked = ints(s, 1)[i];
        ICSEG_ONNX_EXPECT(s, in.dim[i] == 1 || asked == 1 || asked == in.dim[i]);
        out.dim[i] = in.dim[i] == 1 ? asked : in.dim[i];
        stride[i] = in.dim[i] == 1 ? 0 : icseg_onnx_product(in, i + 1, in.rank);
    }
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, s->in[0]->type, out));
    gather_strided(s, 0, stride);
    return ICSEG_OK;
}

/* `length` entries of an axis, from `begin`, into output i. */
static icseg_status take(icseg_onnx_step *s, int i, int axis, int64_t begin, int64_t length) {
    icseg_shape in = s->in[0]->shape, out = in;
    out.dim[axis] = length;
    ICSEG_TRY(icseg_onnx_output_tensor(s, i, s->in[0]->type, out));
    size_t row = (size_t)icseg_onnx_product(in, axis + 1, in.rank) * icseg_onnx_element_size(s->in[0]->type);
    int64_t rows = icseg_onnx_product(in, 0, axis);
    const char *from = (const char *)s->in[0]->data + (size_t)begin * row;
    for (int64_t r = 0; r < rows; r++)
        memcpy((char *)s->out[i].data + (size_t)(r * length) * row, from + (size_t)(r * in.dim[axis]) * row,
               (size_t)length * row);
    return ICSEG_OK;
}

static icseg_status slice(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 4);
    for (int i = 1; i < 4; i++) ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, i, ICSEG_ONNX_INT64) && s->in[i]->count == 1);
    int axis = axis_of(s, ints(s, 3)[0]);
    ICSEG_ONNX_EXPECT(s, axis >= 0 && axis < s->in[0]->shape.rank);
    int64_t size = s->in[0]->shape.dim[axis], begin = ints(s, 1)[0], end = ints(s, 2)[0];
    if (end > size) end = size;
    ICSEG_ONNX_EXPECT(s, begin >= 0 && begin <= end);
    return take(s, 0, axis, begin, end - begin);
}

static icseg_status split(icseg_onnx_step *s) {
    int axis = axis_of(s, icseg_onnx_attribute(s, "axis", 0));
    int64_t begin = 0;
    ICSEG_ONNX_EXPECT(s, axis >= 0 && axis < s->in[0]->shape.rank && icseg_onnx_is(s, 1, ICSEG_ONNX_INT64));
    ICSEG_ONNX_EXPECT(s, s->in[1]->count == (int64_t)s->node->n_output);
    for (int i = 0; i < s->in[1]->count; i++) {
        int64_t length = ints(s, 1)[i];
        ICSEG_ONNX_EXPECT(s, length >= 0 && begin + length <= s->in[0]->shape.dim[axis]);
        ICSEG_TRY(take(s, i, axis, begin, length));
        begin += length;
    }
    ICSEG_ONNX_EXPECT(s, begin == s->in[0]->shape.dim[axis]);
    return ICSEG_OK;
}

static icseg_status gather(icseg_onnx_step *s) {
    const icseg_onnx_tensor *x = s->in[0], *rows = s->in[1];
    int axis = axis_of(s, icseg_onnx_attribute(s, "axis", 0)), added = rows->shape.rank - 1;
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 1, ICSEG_ONNX_INT64) && axis >= 0 && axis < x->shape.rank);
    icseg_shape out = {.rank = x->shape.rank + added};
    ICSEG_ONNX_EXPECT(s, added >= 0 && out.rank <= ICSEG_MAX_RANK);
    for (int i = 0; i < axis; i++) out.dim[i] = x->shape.dim[i];
    for (int i = 0; i < rows->shape.rank; i++) out.dim[axis + i] = rows->shape.dim[i];
    for (int i = axis + 1; i < x->shape.rank; i++) out.dim[i + added] = x->shape.dim[i];
    size_t row = (size_t)icseg_onnx_product(x->shape, axis + 1, x->shape.rank) * icseg_onnx_element_size(x->type);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, x->type, out));
    for (int64_t b = 0; b < icseg_onnx_product(x->shape, 0, axis); b++)
        for (int64_t r = 0; r < rows->count; r++) {
            int64_t from = ints(s, 1)[r];
            ICSEG_ONNX_EXPECT(s, from >= 0 && from < x->shape.dim[axis]);
            memcpy((char *)s->out[0].data + (size_t)(b * rows->count + r) * row,
                   (const char *)x->data + (size_t)(b * x->shape.dim[axis] + from) * row, row);
        }
    return ICSEG_OK;
}

static icseg_status concat(icseg_onnx_step *s) {
    icseg_shape out = s->in[0]->shape;
    int axis = axis_of(s, icseg_onnx_attribute(s, "axis", 0));
    ICSEG_ONNX_EXPECT(s, axis >= 0 && axis < out.rank);
    for (int i = 1; i < s->inputs; i++) {
        icseg_shape other = s->in[i]->shape;
        ICSEG_ONNX_EXPECT(s, other.rank == out.rank && s->in[i]->type == s->in[0]->type);
        for (int d = 0; d < out.rank; d++) ICSEG_ONNX_EXPECT(s, d == axis || other.dim[d] == out.dim[d]);
        out.dim[axis] += other.dim[axis];
    }
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, s->in[0]->type, out));
    size_t element = (size_t)icseg_onnx_product(out, axis + 1, out.rank) * icseg_onnx_element_size(s->in[0]->type);
    char *to = s->out[0].data;
    for (int64_t r = 0; r < icseg_onnx_product(out, 0, axis); r++)
        for (int i = 0; i < s->inputs; i++) {
            size_t part = (size_t)s->in[i]->shape.dim[axis] * element;
            memcpy(to, (const char *)s->in[i]->data + (size_t)r * part, part);
            to += part;
        }
    return ICSEG_OK;
}

icseg_onnx_operator *icseg_onnx_find_shaping(const char *type) {
    static const struct {
        const char *type;
        icseg_onnx_operator *run;
    } all[] = {{"Cast", cast},         {"Concat", concat},      {"Expand", expand}, {"Gather", gather},
               {"Identity", identity}, {"Reshape", reshape},    {"Shape", shape},   {"Slice", slice},
               {"Split", split},       {"Transpose", transpose}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].type, type)) return all[i].run;
    return NULL;
}

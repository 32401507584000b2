/* SPDX-License-Identifier: Apache-2.0
 * Quantisation. */
#include <math.h>
#include <string.h>

#include "onnx/reader.h"

/* x and a scalar scale and zero point -> bytes. */
static icseg_status quantize(icseg_onnx_step *s) {
    ICSEG_ONNX_EXPECT(s, s->inputs == 3 && icseg_onnx_is(s, 0, ICSEG_ONNX_FLOAT));
    ICSEG_ONNX_EXPECT(s, icseg_onnx_is(s, 1, ICSEG_ONNX_FLOAT) && icseg_onnx_is(s, 2, ICSEG_ONNX_UINT8));
    ICSEG_ONNX_EXPECT(s, s->in[1]->count == 1 && s->in[2]->count == 1);
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_UINT8, s->in[0]->shape));
    const float *x = s->in[0]->data;
    float scale = *(const float *)s->in[1]->data;
    int zero = *(const uint8_t *)s->in[2]->data;
    uint8_t *y = s->out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->out[0].count; i++) {
        float at = nearbyintf(x[i] / scale) + (float)zero;
        y[i] = (uint8_t)(at < 0 ? 0 : at > 255 ? 255 : at);
    }
    return ICSEG_OK;
}

static int64_t element(const icseg_onnx_tensor *t, int64_t i) {
    return t->type == ICSEG_ONNX_UINT8  ? ((const uint8_t *)t->data)[i]
           : t->type == ICSEG_ONNX_INT8 ? ((const int8_t *)t->data)[i]
                                        : ((const int32_t *)t->data)[i];
}

/* Integers, and a scale, or one for each index of an axis; the zero point is 0 if it is left out. */
static icseg_status dequantize(icseg_onnx_step *s) {
    bool types = icseg_onnx_is(s, 0, ICSEG_ONNX_UINT8) || icseg_onnx_is(s, 0, ICSEG_ONNX_INT8) ||
                 icseg_onnx_is(s, 0, ICSEG_ONNX_INT32);
    ICSEG_ONNX_EXPECT(s, s->inputs >= 2 && types && icseg_onnx_is(s, 1, ICSEG_ONNX_FLOAT));
    ICSEG_ONNX_EXPECT(s, s->inputs == 2 || (s->in[2]->count == 1 && s->in[2]->type == s->in[0]->type));
    icseg_shape shape = s->in[0]->shape;
    int64_t axis = icseg_onnx_attribute(s, "axis", 1), scales = s->in[1]->count;
    ICSEG_ONNX_EXPECT(s, scales == 1 || (axis >= 0 && axis < shape.rank && shape.dim[axis] == scales));
    ICSEG_TRY(icseg_onnx_output_tensor(s, 0, ICSEG_ONNX_FLOAT, shape));
    int64_t run = scales == 1 ? s->out[0].count + 1 : icseg_onnx_product(shape, (int)axis + 1, shape.rank);
    int64_t zero = s->inputs == 3 ? element(s->in[2], 0) : 0;
    const float *scale = s->in[1]->data;
    float *y = s->out[0].data;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->out[0].count; i++) y[i] = (float)(element(s->in[0], i) - zero) * scale[i / run % scales];
    return ICSEG_OK;
}

icseg_onnx_operator *icseg_onnx_find_quantized(const char *type) {
    return !strcmp(type, "QuantizeLinear") ? quantize : !strcmp(type, "DequantizeLinear") ? dequantize : NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Tensors, and the result of a run. */
#include "inference/result.h"

#include "base/argument.h"
#include "base/memory.h"

/* Sets the strides of a dense tensor, whose sizes are at least 1. False if the number of bytes overflows. */
static bool set_dense(icseg_tensor *t, size_t *bytes) {
    int64_t stride = (int64_t)icseg_tensor_type_size(t->type);
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        t->strides[i] = stride;
        if (t->shape[i] > INT64_MAX / stride) return false;
        stride *= t->shape[i];
    }
    *bytes = (size_t)stride;
    return (uint64_t)stride <= SIZE_MAX;
}

icseg_status icseg_tensor_dense(icseg_tensor *out, icseg_tensor_type type, int32_t rank, const int64_t *shape,
                                void *data, icseg_error *error) {
    size_t bytes;
    ICSEG_NEED(out);
    *out = (icseg_tensor){.type = type};
    ICSEG_NEED(shape);
    if (!icseg_tensor_type_size(type))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "type", ICSEG_REMEDY_SET_FIELD,
                                "icseg_tensor_dense: type is %d: not a value of icseg_tensor_type", (int)type);
    if (rank < 1 || rank > ICSEG_TENSOR_MAX_RANK)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "rank", ICSEG_REMEDY_SET_FIELD,
                                "icseg_tensor_dense: rank is %d: expected 1..%d", rank, ICSEG_TENSOR_MAX_RANK);
    icseg_tensor t = {.type = type, .rank = rank, .data = data};
    for (int32_t i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
        if (shape[i] < 1)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "shape", ICSEG_REMEDY_SET_FIELD,
                                    "icseg_tensor_dense: shape[%d] is %lld: expected at least 1", i,
                                    (long long)shape[i]);
    }
    if (!set_dense(&t, &bytes))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "shape", ICSEG_REMEDY_SET_FIELD,
                                "icseg_tensor_dense: a tensor of this shape exceeds the address space");
    *out = t;
    return ICSEG_OK;
}

/* -- results */

/* The bit number of an output; -1: not one valid bit. */
static int number_of(icseg_output output) {
    for (int i = 0; i < ICSEG_OUTPUTS; i++)
        if (output == (icseg_output)(1u << i)) return i;
    return -1;
}

icseg_status icseg_result_open(icseg_result **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, sizeof **out, "a result");
}

void icseg_result_close(icseg_result **result) {
    if (!result || !*result) return;
    for (int i = 0; i < ICSEG_OUTPUTS; i++) icseg_free((*result)->tensor[i].data);
    icseg_free(*result);
    *result = NULL;
}

icseg_status icseg_result_allocate(icseg_result *result, icseg_output output, icseg_tensor_type type, int32_t rank,
                                   const int64_t *shape, icseg_error *error) {
    icseg_tensor t = {.type = type, .rank = rank, .owner = result};
    size_t bytes;
    for (int32_t i = 0; i < rank; i++) t.shape[i] = shape[i];
    if (!set_dense(&t, &bytes)) return icseg_fail_memory(error, 0, "a result that exceeds the address space");
    t.data = icseg_alloc(bytes);
    if (!t.data) return icseg_fail_memory(error, bytes, "a result");
    result->tensor[number_of(output)] = t;
    result->outputs |= output;
    return ICSEG_OK;
}

void *icseg_result_data(const icseg_result *result, icseg_output output) {
    return result->tensor[number_of(output)].data;
}

void *icseg_result_take(icseg_result *result, icseg_output output) {
    icseg_tensor *t = &result->tensor[number_of(output)];
    void *data = t->data;
    *t = (icseg_tensor){0};
    result->outputs &= ~(uint32_t)output;
    return data;
}

uint32_t icseg_result_outputs(const icseg_result *result) { return result ? result->outputs : 0; }

icseg_status icseg_result_tensor(const icseg_result *result, icseg_output output, icseg_tensor *out,
                                 icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_tensor){0};
    ICSEG_NEED(result);
    int number = number_of(output);
    if (number < 0)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "output", ICSEG_REMEDY_SET_FIELD,
                                "icseg_result_tensor: output is 0x%x: expected one bit of icseg_output",
                                (unsigned)output);
    if (!result->tensor[number].data)
        return icseg_fail_field(
            error, ICSEG_ERROR_ARGUMENT, "output", ICSEG_REMEDY_SET_FIELD,
            "icseg_result_tensor: the run did not compute 0x%x; add it to icseg_run_options.outputs", (unsigned)output);
    *out = result->tensor[number];
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The mean inputs of layers in checkpoints: one tensor for all layers. */
#include <math.h>

#include "base/memory.h"
#include "model/model.h"

/* Of all layers. */
static int64_t count_inputs(const icseg_model *m) {
    int64_t count = 0;
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        count += p->is_layer ? p->inputs : 0;
    }
    return count;
}

static bool has_all(const icseg_model *m) {
    bool all = icseg_model_is_calibrated(m);
    for (int64_t i = 0; i < icseg_params_count(m->params) && all; i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        all = !p->is_layer || icseg_activation_ranges_means(m->ranges, p).count == p->inputs;
    }
    return all;
}

static icseg_status set_all(icseg_model *m, const char *path, const float *means, int64_t count, icseg_error *error) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(means[i]) <= ICSEG_MAX_RANGE))
            return icseg_fail(error, ICSEG_ERROR_FORMAT,
                              "%s: %s[%lld] is %g; a magnitude of at most %g is plausible. Calibrate the model again",
                              path, ICSEG_MEANS_TENSOR, (long long)i, (double)means[i], (double)ICSEG_MAX_RANGE);
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        if (!p->is_layer) continue;
        ICSEG_TRY(icseg_activation_ranges_set_means(m->ranges, p, means, p->inputs, error));
        means += p->inputs;
    }
    return ICSEG_OK;
}

icseg_status icseg_model_read_means(icseg_model *m, const icseg_safetensors *file, icseg_error *error) {
    const char *path = icseg_safetensors_path(file);
    int64_t count = count_inputs(m);
    if (!icseg_model_is_calibrated(m) || !icseg_safetensors_find(file, ICSEG_MEANS_TENSOR)) return ICSEG_OK;
    float *means = icseg_alloc_array((size_t)count, sizeof *means);
    if (!means) return icseg_fail_memory_in(error, (size_t)count * sizeof *means, path);
    icseg_status status = icseg_safetensors_read_f32(file, ICSEG_MEANS_TENSOR, ICSEG_SHAPE(count), means, error);
    if (status == ICSEG_OK) status = set_all(m, path, means, count, error);
    icseg_free(means);
    return status;
}

icseg_status icseg_model_declare_means(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    if (!has_all(m)) return ICSEG_OK;
    return icseg_safetensors_writer_declare(writer, ICSEG_MEANS_TENSOR, ICSEG_F32, ICSEG_SHAPE(count_inputs(m)), error);
}

icseg_status icseg_model_append_means(const icseg_model *m, icseg_safetensors_writer *writer, icseg_error *error) {
    size_t count = (size_t)count_inputs(m), at = 0;
    if (!has_all(m)) return ICSEG_OK;
    float *means = icseg_alloc_array(count, sizeof *means);
    if (!means) return icseg_fail_memory(error, count * sizeof *means, "the means of inputs");
    for (int64_t i = 0; i < icseg_params_count(m->params); i++) {
        const icseg_param *p = icseg_params_at(m->params, i);
        const float *from = icseg_activation_ranges_means(m->ranges, p).values;
        for (int64_t c = 0; p->is_layer && c < p->inputs; c++) means[at++] = from[c];
    }
    icseg_status status =
        icseg_safetensors_writer_append(writer, ICSEG_MEANS_TENSOR, means, count * sizeof *means, error);
    icseg_free(means);
    return status;
}

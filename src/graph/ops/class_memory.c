/* SPDX-License-Identifier: Apache-2.0
 * class_memory: a list of embeddings for each class, one for each of the last images that showed it (reference:
 * ICPC.remember). Its output is a copy, so that the gradient of what reads it does not depend on the update. Every
 * process of a group remembers the images of all, in the order of the group's batch. */
#include <math.h>
#include <string.h>

#include "graph/node.h"
#include "graph/ops.h"
#include "graph/ops/loss.h"

enum { V, LABELS, MEMORY, INPUTS };
static const double SMALLEST_NORM = 1e-12; /* as that of PyTorch's F.normalize */

/* The mean of v (h * w, c) over the positions of one class, at unit length. False if the image lacks the class. */
static bool class_mean(const float *v, const int16_t *label, int64_t positions, int64_t c, int64_t k, float *mean) {
    int64_t count = 0;
    double norm = 0;
    memset(mean, 0, (size_t)c * sizeof *mean);
    for (int64_t i = 0; i < positions; i++) {
        if (label[i] != k) continue;
        count++;
        for (int64_t j = 0; j < c; j++) mean[j] += v[i * c + j];
    }
    if (!count) return false;
    for (int64_t j = 0; j < c; j++) {
        mean[j] /= (float)count;
        norm += (double)mean[j] * mean[j];
    }
    norm = fmax(sqrt(norm), SMALLEST_NORM);
    for (int64_t j = 0; j < c; j++) mean[j] = (float)(mean[j] / norm);
    return true;
}

static size_t label_bytes(const icseg_shape *v) {
    size_t bytes = (size_t)(v->dim[0] * v->dim[1] * v->dim[2]) * sizeof(int16_t);
    return (bytes + 63) / 64 * 64;
}

static icseg_status memory_prepare(icseg_kernel *k, icseg_error *error) {
    (void)error;
    const icseg_shape *v = &icseg_kernel_in(k, V)->shape, *memory = &icseg_kernel_in(k, MEMORY)->shape;
    if (icseg_graph_training(k->graph))
        k->scratch_size = label_bytes(v) + (size_t)(memory->dim[0] * (memory->dim[2] + 1)) * sizeof(float);
    return ICSEG_OK;
}

static void read_labels(const icseg_kernel *k, int16_t *out) {
    const icseg_shape *v = &icseg_kernel_in(k, V)->shape, *l = &icseg_kernel_in(k, LABELS)->shape;
    const int16_t *labels = k->in[LABELS];
    for (int64_t b = 0; b < v->dim[0]; b++)
        for (int64_t y = 0; y < v->dim[1]; y++)
            for (int64_t x = 0; x < v->dim[2]; x++)
                *out++ = icseg_label_at(labels + b * l->dim[1] * l->dim[2], l->dim[1], l->dim[2], y, x, v->dim[1],
                                        v->dim[2]);
}

/* Puts the mean of each class of one image in front of the class's list. found (K, c + 1): 1 and the mean, or zeros */
static void remember(float *memory, const icseg_shape *shape, const float *found) {
    int64_t kept = shape->dim[1], c = shape->dim[2];
    for (int64_t i = 0; i < shape->dim[0]; i++, found += c + 1) {
        float *list = memory + i * kept * c;
        if (found[0] == 0) continue;
        memmove(list + c, list, (size_t)((kept - 1) * c) * sizeof *list);
        memcpy(list, found + 1, (size_t)c * sizeof *list);
    }
}

static icseg_status memory_run(const icseg_kernel *k, const icseg_run *run, icseg_error *error) {
    const icseg_shape *v = &icseg_kernel_in(k, V)->shape, *shape = &icseg_kernel_in(k, MEMORY)->shape;
    int64_t classes = shape->dim[0], kept = shape->dim[1], c = shape->dim[2], positions = v->dim[1] * v->dim[2];
    int64_t batch = v->dim[0], first = batch * icseg_group_rank(run->group);
    float *memory = k->in[MEMORY];
    memcpy(k->out[0], memory, (size_t)(classes * kept * c) * sizeof *memory);
    if (!icseg_graph_training(k->graph)) return ICSEG_OK;
    int16_t *label = run->scratch;
    float *found = (float *)((unsigned char *)run->scratch + label_bytes(v)); /* (K, c + 1) */
    read_labels(k, label);
    for (int64_t all = 0; all < batch * icseg_group_size(run->group); all++) {
        int64_t b = all - first;
        memset(found, 0, (size_t)(classes * (c + 1)) * sizeof *found);
#pragma omp parallel for schedule(dynamic)
        for (int64_t i = 0; i < (b >= 0 && b < batch ? classes : 0); i++) {
            float *mean = found + i * (c + 1) + 1;
            const float *image = (const float *)k->in[V] + b * positions * c;
            mean[-1] = class_mean(image, label + b * positions, positions, c, i, mean);
        }
        ICSEG_TRY(icseg_group_reduce(run->group, ICSEG_SUM_F32, found, classes * (c + 1), error));
        remember(memory, shape, found);
    }
    return ICSEG_OK;
}

const icseg_op icseg_op_class_memory = {
    .name = "class_memory", .never_recompute = true, .prepare = memory_prepare, .run = memory_run};

icseg_value icseg_class_memory(icseg_graph *g, icseg_value v, icseg_value labels, icseg_value memory) {
    icseg_value in[INPUTS] = {v, labels, memory};
    icseg_node *node = icseg_node_append(g, &icseg_op_class_memory, NULL, 0, in, INPUTS, 0);
    if (!node) return ICSEG_NONE;
    const icseg_value_info *x = icseg_graph_value(g, v), *y = icseg_graph_value(g, labels);
    const icseg_value_info *m = icseg_graph_value(g, memory);
    if (x->shape.rank != 4 || y->shape.rank != 3 || y->dtype != ICSEG_I16 || y->shape.dim[0] != x->shape.dim[0] ||
        m->shape.rank != 3 || m->shape.dim[2] != x->shape.dim[3]) {
        char s[ICSEG_SHAPE_TEXT], t[ICSEG_SHAPE_TEXT], u[ICSEG_SHAPE_TEXT];
        return icseg_graph_fail(g, "class_memory", ICSEG_ERROR_SHAPE,
                                "v %s, labels %s (I16 expected) and memory %s do not fit",
                                icseg_shape_text(x->shape, s, sizeof s), icseg_shape_text(y->shape, t, sizeof t),
                                icseg_shape_text(m->shape, u, sizeof u));
    }
    if (m->kind != ICSEG_VALUE_PARAM)
        return icseg_graph_fail(g, "class_memory", ICSEG_ERROR_INTERNAL,
                                "the memory is not a parameter and cannot be updated");
    return icseg_node_output(g, node, ICSEG_F32, ICSEG_SHAPE(m->shape.dim[0] * m->shape.dim[1], m->shape.dim[2]));
}

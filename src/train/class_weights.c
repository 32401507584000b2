/* SPDX-License-Identifier: Apache-2.0
 * The weights of the classes in the decode loss, from how often they occur in the training split (docs/method.md). */
#include <math.h>
#include <string.h>

#include "model/config.h"
#include "train/trainer.h"

static const double BETA = 0.999; /* of the effective number of images */

/* Before scaling: the weight of a class that occurs. */
static double raw_weight(icseg_class_weights kind, const icseg_dataset_summary *s, int32_t k) {
    if (kind == ICSEG_CLASS_WEIGHTS_INVERSE) return 1 / (double)s->class_pixels[k];
    return (1 - BETA) / (1 - pow(BETA, (double)s->class_images[k]));
}

static void say_weights(const icseg_trainer *t, const icseg_dataset_summary *s) {
    const char *const *names = icseg_dataset_class_names(t->train);
    int32_t least = -1, most = -1;
    for (int32_t k = 0; k < s->classes; k++) {
        float weight = t->class_weight[k];
        if (!(weight > 0)) continue;
        if (least < 0 || weight < t->class_weight[least]) least = k;
        if (most < 0 || weight > t->class_weight[most]) most = k;
    }
    if (least >= 0)
        icseg_trainer_say(t, "class weights: from %.3g (%s) to %.3g (%s)", (double)t->class_weight[least], names[least],
                          (double)t->class_weight[most], names[most]);
}

icseg_status icseg_trainer_find_class_weights(icseg_trainer *t, const icseg_dataset_summary *s, icseg_error *error) {
    icseg_class_weights kind = t->recipe->model.class_weights;
    double sum = 0, present = 0;
    if (kind == ICSEG_CLASS_WEIGHTS_NONE) return ICSEG_OK;
    t->class_weight = icseg_arena_array(t->arena, (size_t)s->classes, sizeof *t->class_weight);
    if (!t->class_weight) return icseg_fail_memory(error, 0, "the weights of the classes");
    for (int32_t k = 0; k < s->classes; k++) {
        if (s->class_pixels[k] == 0) continue;
        sum += raw_weight(kind, s, k);
        present++;
    }
    for (int32_t k = 0; k < s->classes; k++)
        t->class_weight[k] = s->class_pixels[k] ? (float)(raw_weight(kind, s, k) * present / sum) : 0;
    say_weights(t, s);
    return ICSEG_OK;
}

icseg_status icseg_trainer_set_class_weights(icseg_trainer *t, icseg_error *error) {
    icseg_param *p = icseg_params_find(t->model->params, "loss.class_weight");
    if (!p || !t->class_weight) return ICSEG_OK;
    ICSEG_TRY(icseg_params_load(t->model->params, error));
    memcpy(p->data, t->class_weight, (size_t)p->count * sizeof *t->class_weight);
    p->version++;
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The weights of the classes in the decode loss, from how often they occur in the training split, or from a file
 * (docs/method.md). */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/text_lines.h"
#include "model/config.h"
#include "train/trainer.h"

enum { FILE_LIMIT = 16 << 20 }; /* bytes */
static const double MOST = 1e30;
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

/* The class of this name, or -1. */
static int32_t find_class(const icseg_dataset *d, const char *name) {
    for (int32_t k = 0; k < icseg_dataset_classes(d); k++)
        if (!strcmp(icseg_dataset_class_names(d)[k], name)) return k;
    return -1;
}

/* One line: weight, tab, class name. */
static icseg_status read_line(icseg_trainer *t, char *line, size_t number, bool *seen, icseg_error *error) {
    const char *path = t->recipe->data.class_weights;
    char *tab = strchr(line, '\t');
    double weight;
    if (!tab)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s:%zu: expected a weight, a tab and the name of a class", path,
                          number);
    *tab = '\0';
    if (!icseg_parse_f64(line, &weight) || weight < 0 || weight > MOST)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s:%zu: the weight \"%.40s\" is not a number from 0 to 1e+30", path,
                          number, line);
    int32_t k = find_class(t->train, tab + 1);
    if (k < 0)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s:%zu: the data set has no class \"%.100s\"", path, number,
                          tab + 1);
    if (seen[k])
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s:%zu: the class \"%.100s\" has a weight already", path, number,
                          tab + 1);
    seen[k] = true;
    t->class_weight[k] = (float)weight;
    return ICSEG_OK;
}

/* Reads t->class_weight from the recipe's file. */
static icseg_status read_weights(icseg_trainer *t, const icseg_dataset_summary *s, icseg_error *error) {
    const char *path = t->recipe->data.class_weights;
    unsigned char *text;
    size_t size;
    double most = 0;
    bool *seen = icseg_arena_array(t->arena, (size_t)s->classes, sizeof *seen);
    if (!seen) return icseg_fail_memory(error, 0, "the weights of the classes");
    memset(seen, 0, (size_t)s->classes * sizeof *seen);
    for (int32_t k = 0; k < s->classes; k++) t->class_weight[k] = 1;
    ICSEG_TRY(icseg_file_read_text(path, FILE_LIMIT, &text, &size, error));
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    icseg_status status = ICSEG_OK;
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));)
        if (line[0] && line[0] != '#') status = read_line(t, line, lines.number, seen, error);
    icseg_free(text);
    ICSEG_TRY(status);
    for (int32_t k = 0; k < s->classes; k++)
        if (s->class_pixels[k]) most = fmax(most, (double)t->class_weight[k]);
    if (!(most > 0))
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s:%zu: all classes that occur in the training split have the weight 0", path, lines.number);
    return ICSEG_OK;
}

icseg_status icseg_trainer_find_class_weights(icseg_trainer *t, const icseg_dataset_summary *s, icseg_error *error) {
    icseg_class_weights kind = t->recipe->model.class_weights;
    double sum = 0, present = 0;
    if (kind == ICSEG_CLASS_WEIGHTS_NONE) return ICSEG_OK;
    t->class_weight = icseg_arena_array(t->arena, (size_t)s->classes, sizeof *t->class_weight);
    if (!t->class_weight) return icseg_fail_memory(error, 0, "the weights of the classes");
    if (kind == ICSEG_CLASS_WEIGHTS_GIVEN) {
        ICSEG_TRY(read_weights(t, s, error));
        say_weights(t, s);
        return ICSEG_OK;
    }
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

icseg_status icseg_trainer_check_class_weights(const icseg_trainer *t, icseg_error *error) {
    const icseg_param *p = icseg_params_find(t->model->params, "loss.class_weight");
    if (!p || t->recipe->model.class_weights != ICSEG_CLASS_WEIGHTS_GIVEN) return ICSEG_OK;
    ICSEG_TRY(icseg_params_load(t->model->params, error));
    for (int64_t k = 0; k < p->count; k++)
        if (p->data[k] != t->class_weight[k])
            return icseg_fail_field(
                error, ICSEG_ERROR_ARGUMENT, "data.class_weights", ICSEG_REMEDY_SET_FIELD,
                "%s: the class \"%.100s\" has the weight %.9g, but the run in %s began with %.9g; set "
                "it back, or train in another directory",
                t->recipe->data.class_weights, icseg_dataset_class_names(t->train)[k], (double)t->class_weight[k],
                t->folder.path, (double)p->data[k]);
    return ICSEG_OK;
}

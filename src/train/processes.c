/* SPDX-License-Identifier: Apache-2.0
 * What the processes of a run have in common. Rank 0 has the run directory; the others get from it what they need. */
#include "train/processes.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "icseg/version.h"

/* -- before anything is computed: do all processes have the same? */

enum { MACHINE = 256, VALUE = 200 };

static void name_machine(char out[MACHINE]) {
    snprintf(out, MACHINE, "?");
    gethostname(out, MACHINE - 1);
    out[MACHINE - 1] = '\0';
}

/* Rank 0's text, for all; the caller frees it. */
static icseg_status share_text(icseg_group *group, const char *mine, char **out, icseg_error *error) {
    uint64_t size = strlen(mine) + 1;
    ICSEG_TRY(icseg_group_broadcast(group, &size, sizeof size, error));
    *out = icseg_alloc_array((size_t)size, 1);
    ICSEG_TRY(icseg_group_agree(group, *out ? ICSEG_OK : icseg_fail_memory(error, (size_t)size, "a text"), error));
    if (icseg_group_rank(group) == 0) memcpy(*out, mine, (size_t)size);
    return icseg_group_broadcast(group, *out, (size_t)size, error);
}

static bool must_agree(const char *key) {
    static const char *const places[] = {"data.folder", "data.classes", "data.class_weights", "model.init",
                                         "model.merges"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!strcmp(key, places[i])) return false;
    return strncmp(key, "pretrain.", 9) != 0;
}

static icseg_status compare_settings(const icseg_trainer *t, const char *first, icseg_error *error) {
    icseg_recipe *other;
    icseg_string here = {0}, there = {0};
    char machine[MACHINE];
    ICSEG_TRY(icseg_recipe_open_text(&other, "the recipe of process 0", first, strlen(first), error));
    const char *key = icseg_recipe_compare(t->recipe, &other->settings, must_agree, &here, &there);
    icseg_status status = ICSEG_OK;
    name_machine(machine);
    if (key)
        status = icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, key, ICSEG_REMEDY_SET_FIELD,
                                  "on %s the recipe has %s = %s, but process 0 has %s; start all processes with the "
                                  "same recipe",
                                  machine, key, here.failed ? "?" : here.data, there.failed ? "?" : there.data);
    icseg_string_close(&here);
    icseg_string_close(&there);
    icseg_recipe_close(&other);
    return status;
}

static icseg_status compare_recipes(const icseg_trainer *t, icseg_error *error) {
    icseg_string own = {0};
    char *first = NULL;
    icseg_status status =
        icseg_group_agree(t->group, icseg_recipe_format(t->recipe, ICSEG_RECIPE_TRAIN, &own, error), error);
    if (status == ICSEG_OK) status = share_text(t->group, own.data, &first, error);
    if (status == ICSEG_OK) status = icseg_group_agree(t->group, compare_settings(t, first, error), error);
    icseg_string_close(&own);
    icseg_free(first);
    return status;
}

/* What must be the same, besides the recipe. */
typedef struct trait {
    const char *what;
    char value[VALUE];
} trait;
enum { TRAITS = 5 };

static void describe_processor(char out[VALUE]) {
    icseg_build b = {ICSEG_BUILD_INIT};
    icseg_build_info(&b, NULL);
    snprintf(out, VALUE, "%s%s%s%s%s%s%s", b.neon || b.avx2 || b.avx512 ? "" : "baseline", b.avx2 ? " AVX2" : "",
             b.avx512 ? " AVX-512" : "", b.avx512_bf16 ? " AVX512_BF16" : "", b.amx ? " AMX" : "",
             b.neon ? " NEON" : "", b.arm_bf16 ? " bf16" : "");
}

static void describe_images(const icseg_dataset *dataset, char out[VALUE]) {
    char names[ICSEG_FINGERPRINT];
    icseg_trainer_fingerprint(dataset, names);
    snprintf(out, VALUE, "%lld (names: %s)", (long long)icseg_dataset_count(dataset), names);
}

static void describe_classes(const icseg_dataset *dataset, char out[VALUE]) {
    icseg_hash hash = {0};
    char text[ICSEG_HASH_TEXT];
    for (int32_t k = 0; k < icseg_dataset_classes(dataset); k++) {
        const char *name = icseg_dataset_class_names(dataset)[k];
        icseg_hash_add(&hash, name, strlen(name));
    }
    icseg_hash_text(&hash, text);
    snprintf(out, VALUE, "%d (names: %.16s)", icseg_dataset_classes(dataset), text);
}

static icseg_status compare_traits(const trait *mine, const char *first, icseg_error *error) {
    char machine[MACHINE];
    name_machine(machine);
    for (int i = 0; i < TRAITS; i++)
        if (strcmp(mine[i].value, first + (size_t)i * VALUE) != 0)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                              "on %s the %s: %s, but process 0 has %s; all processes need the same", machine,
                              mine[i].what, mine[i].value, first + (size_t)i * VALUE);
    return ICSEG_OK;
}

icseg_status icseg_trainer_compare_processes(const icseg_trainer *t, icseg_error *error) {
    trait mine[TRAITS] = {{.what = "version of icseg is"},
                          {.what = "processor's instructions are"},
                          {.what = "number of classes is"},
                          {.what = "number of training images is"},
                          {.what = "number of validation images is"}};
    char first[TRAITS][VALUE] = {{0}};
    if (!t->group) return ICSEG_OK;
    snprintf(mine[0].value, VALUE, "%s", icseg_version());
    describe_processor(mine[1].value);
    describe_classes(t->train, mine[2].value);
    describe_images(t->train, mine[3].value);
    describe_images(t->val, mine[4].value);
    for (int i = 0; i < TRAITS; i++) memcpy(first[i], mine[i].value, VALUE);
    ICSEG_TRY(icseg_group_broadcast(t->group, first, sizeof first, error));
    ICSEG_TRY(icseg_group_agree(t->group, compare_traits(mine, first[0], error), error));
    return compare_recipes(t, error);
}

icseg_status icseg_trainer_check_group(const icseg_trainer *t, icseg_error *error) {
    int32_t batch = t->recipe->train.batch, size = icseg_group_size(t->group);
    if (size > 1 && t->recipe->model.lovasz_weight > 0)
        return icseg_fail_field(
            error, ICSEG_ERROR_UNSUPPORTED, "model.lovasz_weight", ICSEG_REMEDY_SET_FIELD,
            "model.lovasz_weight: the Lovasz loss sorts the pixels of the whole batch, which several "
            "processes cannot do together; train with one process");
    if (batch % size == 0) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "train.batch", ICSEG_REMEDY_SET_FIELD,
                            "train.batch is %d, which %d processes cannot share evenly; it is the batch of all of them "
                            "together: use a multiple of %d",
                            batch, size, size);
}

/* -- what rank 0 has found out or loaded */

icseg_status icseg_trainer_share_data(icseg_trainer *t, icseg_error *error) {
    ICSEG_TRY(icseg_group_broadcast(t->group, &t->short_side, sizeof t->short_side, error));
    if (!t->group || t->recipe->model.class_weights == ICSEG_CLASS_WEIGHTS_NONE) return ICSEG_OK;
    size_t bytes = (size_t)icseg_dataset_classes(t->train) * sizeof *t->class_weight;
    if (!t->class_weight) t->class_weight = icseg_arena_alloc(t->arena, bytes);
    icseg_status status = t->class_weight ? ICSEG_OK : icseg_fail_memory(error, bytes, "the weights of the classes");
    ICSEG_TRY(icseg_group_agree(t->group, status, error));
    return icseg_group_broadcast(t->group, t->class_weight, bytes, error);
}

icseg_status icseg_trainer_share_steps(icseg_trainer *t, icseg_error *error) {
    icseg_recipe_settings *s = &t->recipe_copy->settings;
    double numbers[] = {s->train.steps, s->train.eval_every, s->train.minutes, s->train.eval_minutes};
    if (!t->group) return ICSEG_OK;
    ICSEG_TRY(icseg_group_broadcast(t->group, numbers, sizeof numbers, error));
    s->train.steps = (int32_t)numbers[0];
    s->train.eval_every = (int32_t)numbers[1];
    s->train.minutes = numbers[2];
    s->train.eval_minutes = numbers[3];
    return ICSEG_OK;
}

/* The moments and the average of a parameter. */
static icseg_status share_copies(icseg_trainer *t, int64_t i, icseg_error *error) {
    float *copies[] = {icseg_adamw_first_moment(t->adamw, i), icseg_adamw_second_moment(t->adamw, i),
                       icseg_ema_other(t->ema, i)};
    size_t bytes = (size_t)icseg_params_at(t->model->params, i)->count * sizeof **copies;
    for (size_t c = 0; c < sizeof copies / sizeof *copies; c++)
        if (copies[c]) ICSEG_TRY(icseg_group_broadcast(t->group, copies[c], bytes, error));
    return ICSEG_OK;
}

icseg_status icseg_trainer_share_weights(icseg_trainer *t, icseg_error *error) {
    int64_t updates = icseg_adamw_updates(t->adamw);
    if (!t->group) return ICSEG_OK;
    ICSEG_TRY(icseg_group_broadcast(t->group, &t->state, sizeof t->state, error));
    ICSEG_TRY(icseg_group_broadcast(t->group, &updates, sizeof updates, error));
    icseg_adamw_set_updates(t->adamw, updates);
    for (int64_t i = 0; i < icseg_params_count(t->model->params); i++) {
        icseg_param *p = icseg_params_at(t->model->params, i);
        ICSEG_TRY(icseg_group_broadcast(t->group, p->data, (size_t)p->count * sizeof(float), error));
        p->version++;
        if (updates > 0) ICSEG_TRY(share_copies(t, i, error));
    }
    return ICSEG_OK;
}

icseg_status icseg_trainer_share_statistics(icseg_trainer *t, icseg_error *error) {
    for (int64_t i = 0; t->group && i < icseg_params_count(t->model->params); i++) {
        icseg_param *p = icseg_params_at(t->model->params, i);
        if (!p->options.buffer) continue;
        ICSEG_TRY(icseg_group_broadcast(t->group, p->data, (size_t)p->count * sizeof(float), error));
        p->version++;
    }
    return ICSEG_OK;
}

icseg_status icseg_trainer_check_equal(const icseg_trainer *t, icseg_error *error) {
    icseg_hash own = {0}, first;
    for (int64_t i = 0; t->group && i < icseg_params_count(t->model->params); i++) {
        const icseg_param *p = icseg_params_at(t->model->params, i);
        if (!p->options.buffer) icseg_hash_add(&own, p->data, (size_t)p->count * sizeof(float));
    }
    first = own;
    ICSEG_TRY(icseg_group_broadcast(t->group, &first, sizeof first, error));
    icseg_status status = ICSEG_OK;
    if (first.a != own.a || first.b != own.b)
        status = icseg_fail(error, ICSEG_ERROR_INTERNAL,
                            "after step %lld the weights differ from those of process 0; the sums of gradients are not "
                            "the same in all processes: this MPI cannot be used",
                            (long long)t->state.step);
    return icseg_group_agree(t->group, status, error);
}

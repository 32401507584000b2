/* SPDX-License-Identifier: Apache-2.0
 * report.html of a run, from what is in memory. */
#include <string.h>

#include "icseg/report.h"
#include "train/trainer.h"

enum { MAX_SAMPLES = ICSEG_EVEN_SAMPLES + ICSEG_WORST_IMAGES };

typedef struct sample {
    icseg_image image;
    icseg_labels truth, prediction;
} sample;

/* The worst images of the evaluation, and others that are spread over the split. */
typedef struct sample_list {
    sample samples[MAX_SAMPLES];
    icseg_report_sample shown[MAX_SAMPLES];
    int64_t count, worst;
} sample_list;

static void close_samples(sample_list *list) {
    for (int64_t i = 0; i < MAX_SAMPLES; i++) {
        icseg_image_close(&list->samples[i].image);
        icseg_labels_close(&list->samples[i].truth);
        icseg_labels_close(&list->samples[i].prediction);
    }
}

static icseg_status add_sample(icseg_trainer *t, sample_list *list, int64_t index, icseg_error *error) {
    sample *s = &list->samples[list->count];
    ICSEG_TRY(icseg_dataset_read(t->val, index, &s->image, &s->truth, error));
    ICSEG_TRY(icseg_session_predict(t->session, &s->image, &t->eval, &s->prediction, NULL, error));
    list->shown[list->count++] = (icseg_report_sample){.name = icseg_path_name(icseg_dataset_image_path(t->val, index)),
                                                       .image = &s->image,
                                                       .truth = &s->truth,
                                                       .prediction = &s->prediction};
    return ICSEG_OK;
}

static int64_t find_image(const icseg_dataset *dataset, const char *name) {
    for (int64_t i = 0; i < icseg_dataset_count(dataset); i++)
        if (!strcmp(icseg_path_name(icseg_dataset_image_path(dataset, i)), name)) return i;
    return -1;
}

static icseg_status make_samples(icseg_trainer *t, const icseg_evaluation *e, sample_list *list, icseg_error *error) {
    int64_t images = icseg_dataset_count(t->val), even = images < ICSEG_EVEN_SAMPLES ? images : ICSEG_EVEN_SAMPLES;
    for (int32_t i = 0; i < e->worst_count; i++) {
        int64_t index = find_image(t->val, e->worst[i].name);
        if (index >= 0) ICSEG_TRY(add_sample(t, list, index, error));
    }
    list->worst = list->count;
    for (int64_t i = 0; i < even; i++) ICSEG_TRY(add_sample(t, list, i * images / even, error));
    return ICSEG_OK;
}

/* `e` is NULL before the first evaluation. */
static icseg_status write_page(icseg_trainer *t, const icseg_evaluation *e, const icseg_metrics *metrics,
                               const sample_list *samples, icseg_error *error) {
    icseg_palette palette = {0};
    icseg_string recipe = {0};
    icseg_status status;
    const char *log = icseg_run_path(&t->folder, "log.jsonl"), *path = icseg_run_path(&t->folder, "report.html");
    if (!log || !path) return icseg_fail_memory_in(error, 0, t->folder.path);
    icseg_report_input input = {ICSEG_REPORT_INPUT_INIT, .log_path = log};
    ICSEG_TRY_GOTO(icseg_recipe_format(t->recipe, ICSEG_RECIPE_TRAIN, &recipe, error));
    input.recipe = recipe.data;
    if (e) {
        ICSEG_TRY_GOTO(icseg_palette_create_for(&palette, e->class_names, e->classes, error));
        input.metrics = metrics;
        input.confusion = &e->confusion;
        input.classes = e->classes;
        input.class_names = e->class_names;
        input.palette = &palette;
        input.samples = samples->shown;
        input.sample_count = samples->count;
        input.worst_count = samples->worst;
    }
    status = icseg_report_write(path, &input, error);
fail:
    icseg_palette_close(&palette);
    icseg_string_close(&recipe);
    return status;
}

icseg_status icseg_trainer_write_report(icseg_trainer *t, const icseg_evaluation *e, const icseg_metrics *metrics,
                                        bool samples, icseg_error *error) {
    sample_list list = {0};
    icseg_status status = ICSEG_OK;
    if (e && samples) status = make_samples(t, e, &list, error);
    if (status == ICSEG_OK) status = write_page(t, e, metrics, &list, error);
    close_samples(&list);
    return status;
}

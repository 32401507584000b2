/* SPDX-License-Identifier: Apache-2.0
 * The times of a run: a few steps as training does them, on images of the data set or on noise, whose update changes
 * nothing; predictions; a small file. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compare.h"
#include "base/rng.h"
#include "base/system.h"
#include "planner/planner.h"

enum { BATCHES_MOST = 200, IMAGES_MOST = 8, PREDICTIONS_MOST = 4, FILE_BLOCK = 1 << 20, FILE_BLOCKS = 16 };

typedef struct measuring {
    icseg_planning *p;
    icseg_session *session;
    icseg_adamw *adamw;
    icseg_ema *ema;       /* NULL: no averages */
    icseg_loader *loader; /* NULL: noise */
    float *image;
    int16_t *labels;
    icseg_stage stage;
    int64_t batches;
} measuring;

static const icseg_recipe_settings *settings_of(const measuring *m) { return &m->p->recipe->settings; }

/* -- images */

static icseg_status read_image(const icseg_planning *p, int64_t index, float *out_image, int16_t *out_labels,
                               icseg_error *error) {
    const icseg_recipe_settings *r = &p->recipe->settings;
    icseg_rng rng = icseg_rng_open((uint64_t)r->train.seed, ICSEG_RNG_AUGMENT, (uint64_t)index);
    icseg_image image = {0};
    icseg_labels labels = {0};
    ICSEG_TRY(icseg_dataset_read(p->train, index, &image, &labels, error));
    icseg_augment_source source = {&image, &labels, -1};
    icseg_status status = icseg_augment(&r->augment, &rng, &source, out_image, out_labels, error);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    return status;
}

/* The first image is not counted: its file and the code may not be in memory. */
static icseg_status measure_images(measuring *m, double seconds, icseg_error *error) {
    icseg_planning *p = m->p;
    int64_t images = icseg_dataset_count(p->train), counted = 0;
    double start = icseg_clock(), first = 0;
    for (int64_t i = 0; i <= IMAGES_MOST && (i < 2 || icseg_clock() - start < seconds); i++) {
        ICSEG_TRY(read_image(p, i * images / (IMAGES_MOST + 1), m->image, m->labels, error));
        if (i == 0)
            first = icseg_clock();
        else
            counted++;
    }
    p->plan->figures.image_seconds = (icseg_clock() - first) / (double)counted;
    return ICSEG_OK;
}

/* -- steps */

static icseg_status watch(void *user, const icseg_node *node, icseg_error *error) {
    const measuring *m = user;
    (void)node;
    return icseg_stage_report(&m->stage, m->batches, "", error);
}

static icseg_status run_batch(measuring *m, icseg_error *error) {
    const icseg_recipe_settings *r = settings_of(m);
    const icseg_network_options options = icseg_recipe_network_options(r, NULL);
    icseg_prepared_network *network;
    icseg_loader_batch batch = {.image = m->image, .labels = m->labels};
    if (m->loader) ICSEG_TRY(icseg_loader_next(m->loader, &batch, error));
    ICSEG_TRY(icseg_session_network(m->session, &options, &network, error));
    icseg_executor_bind(network->executor, network->network.image, batch.image);
    icseg_executor_bind(network->executor, network->network.labels, batch.labels);
    icseg_executor_watch(network->executor, watch, m);
    icseg_status status = icseg_executor_run(network->executor, (uint64_t)r->train.seed, m->batches, error);
    icseg_executor_watch(network->executor, NULL, NULL);
    m->batches++;
    return status;
}

/* The first batch prepares the network and is not counted. */
static icseg_status measure_steps(measuring *m, double seconds, icseg_error *error) {
    const icseg_recipe_settings *r = settings_of(m);
    icseg_plan_figures *f = &m->p->plan->figures;
    double time[BATCHES_MOST], begun = icseg_clock(), optimiser = 0;
    size_t count = 0;
    icseg_params_zero_gradients(m->p->model->params);
    ICSEG_TRY(run_batch(m, error));
    do {
        double start = icseg_clock();
        ICSEG_TRY(run_batch(m, error));
        time[count++] = icseg_clock() - start;
    } while (count < BATCHES_MOST && icseg_clock() - begun < seconds);
    for (int i = 0; i < 2; i++) { /* the second counts: the first touches the moments */
        double start = icseg_clock();
        icseg_adamw_gradient_norm(m->adamw);
        icseg_adamw_rehearse(m->adamw);
        icseg_ema_rehearse(m->ema);
        optimiser = icseg_clock() - start;
    }
    qsort(time, count, sizeof *time, icseg_compare_doubles);
    const icseg_loader_options loader = icseg_recipe_loader_options(r, NULL);
    double loading = f->image_seconds * r->train.batch / loader.threads;
    f->step_seconds = r->train.accumulate * fmax(time[count / 2], loading) + optimiser;
    return ICSEG_OK;
}

/* -- evaluations, the disk */

static icseg_status predict(measuring *m, int64_t index, double *reading, double *predicting, icseg_error *error) {
    const icseg_eval_options o = icseg_recipe_eval_options(settings_of(m));
    icseg_image image = {0};
    icseg_labels truth = {0}, predicted = {0};
    double start = icseg_clock();
    icseg_status status = icseg_dataset_read(m->p->val, index, &image, &truth, error);
    double read = icseg_clock();
    if (status == ICSEG_OK) status = icseg_session_predict(m->session, &image, &o, &predicted, NULL, error);
    *reading += read - start;
    *predicting += icseg_clock() - read;
    icseg_image_close(&image);
    icseg_labels_close(&truth);
    icseg_labels_close(&predicted);
    return status;
}

/* A thread reads images while the model runs; those of the report are read in between. */
static icseg_status measure_evaluation(measuring *m, double seconds, icseg_error *error) {
    int64_t images = m->p->val_sizes.images;
    double reading = 0, predicting = 0, start = icseg_clock(), count = 0;
    for (int64_t i = 0; i <= PREDICTIONS_MOST && (i < 2 || icseg_clock() - start < seconds); i++) {
        if (i == 1) reading = predicting = 0; /* the first prepared the network */
        ICSEG_TRY(predict(m, i * images / (PREDICTIONS_MOST + 1), &reading, &predicting, error));
        count = (double)i;
        ICSEG_TRY(icseg_stage_report(&m->stage, m->batches, "", error));
    }
    double samples = fmin((double)images, ICSEG_EVEN_SAMPLES) + fmin((double)images, ICSEG_WORST_IMAGES);
    m->p->plan->figures.evaluation_seconds =
        (fmax(reading, predicting) * (double)images + (reading + predicting) * samples) / count;
    return ICSEG_OK;
}

/* Writes a temporary file without a name. *seconds: the time for one byte; 0 if the file cannot be written, for which
 * the plan does not fail. */
static icseg_status measure_disk(const icseg_planning *p, double *seconds, icseg_error *error) {
    const char *folder;
    ICSEG_TRY(icseg_planning_find_folder(p, &folder, error));
    char *block = icseg_calloc_array(FILE_BLOCK, 1);
    if (!block) return icseg_fail_memory(error, FILE_BLOCK, "a block of a file");
    int file = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    double start = icseg_clock();
    bool written = file >= 0;
    for (int i = 0; i < FILE_BLOCKS && written; i++) {
        memset(block, i + 1, FILE_BLOCK);
        written = write(file, block, FILE_BLOCK) == FILE_BLOCK;
    }
    written = written && fsync(file) == 0;
    *seconds = written ? (icseg_clock() - start) / ((double)FILE_BLOCKS * FILE_BLOCK) : 0;
    if (file >= 0) (void)close(file);
    icseg_free(block);
    return ICSEG_OK;
}

/* -- all of it */

/* A batch of noise, which is also where single images are augmented to. */
static icseg_status make_noise(measuring *m, icseg_error *error) {
    const icseg_recipe_settings *r = settings_of(m);
    size_t pixels = (size_t)r->train.batch * (size_t)r->augment.crop_height * (size_t)r->augment.crop_width;
    uint64_t classes = (uint64_t)icseg_model_config(m->p->model)->num_classes;
    m->image = icseg_alloc_array(pixels, 3 * sizeof *m->image);
    m->labels = icseg_alloc_array(pixels, sizeof *m->labels);
    if (!m->image || !m->labels) return icseg_fail_memory(error, pixels * 3 * sizeof *m->image, "a batch of noise");
    icseg_rng rng = icseg_rng_open((uint64_t)r->train.seed, ICSEG_RNG_TEST, 0);
    for (size_t i = 0; i < 3 * pixels; i++) m->image[i] = icseg_rng_range(&rng, -1.7f, 1.7f);
    for (size_t i = 0; i < pixels; i++) m->labels[i] = (int16_t)icseg_rng_below(&rng, classes);
    return ICSEG_OK;
}

/* Rare classes are left out: finding them reads all labels. */
static icseg_status open_loader(measuring *m, icseg_error *error) {
    icseg_loader_options options = icseg_recipe_loader_options(settings_of(m), NULL);
    options.augment.rare_samples = options.augment.copy_paste = 0;
    return icseg_loader_open(&m->loader, m->p->train, &options, error);
}

static icseg_status measure(measuring *m, icseg_error *error) {
    icseg_planning *p = m->p;
    const icseg_recipe_settings *r = settings_of(m);
    double seconds = p->options.seconds, byte = 0;
    icseg_session_options options = {ICSEG_SESSION_OPTIONS_INIT, .threads = p->threads,
                                     .precision = icseg_precision_here(r->eval.precision)};
    ICSEG_TRY(make_noise(m, error));
    ICSEG_TRY(icseg_session_open(&m->session, p->model, &options, error));
    ICSEG_TRY(icseg_params_load(p->model->params, error));
    ICSEG_TRY(icseg_recipe_open_adamw(&m->adamw, r, p->model->params, error));
    if (r->train.ema_decay > 0) ICSEG_TRY(icseg_ema_open(&m->ema, p->model->params, r->train.ema_decay, error));
    if (p->train) {
        ICSEG_TRY(measure_images(m, seconds / 5, error));
        ICSEG_TRY(open_loader(m, error));
    }
    ICSEG_TRY(measure_steps(m, seconds, error));
    icseg_loader_close(&m->loader);
    if (p->val) ICSEG_TRY(measure_evaluation(m, seconds / 5, error));
    ICSEG_TRY(measure_disk(p, &byte, error));
    p->plan->figures.save_seconds = byte * (double)p->plan->figures.checkpoint;
    p->plan->figures.measured = true;
    return ICSEG_OK;
}

icseg_status icseg_planning_measure(icseg_planning *p, icseg_error *error) {
    measuring m = {.p = p, .stage = icseg_stage_begin(p->progress, "measure", 0, "batches")};
    icseg_status status = measure(&m, error);
    icseg_loader_close(&m.loader);
    icseg_adamw_close(&m.adamw);
    icseg_ema_close(&m.ema);
    icseg_session_close(&m.session);
    icseg_free(m.image);
    icseg_free(m.labels);
    return status;
}

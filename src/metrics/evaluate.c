/* SPDX-License-Identifier: Apache-2.0
 * Runs a model on a whole data set. A second thread decodes the next image while the model runs. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/signals.h"
#include "inference/session.h"
#include "metrics/evaluate.h"
#include "metrics/image_counts.h"

/* A buffer for one image, which the reading thread fills and the model's thread empties. */
typedef struct reader {
    const icseg_dataset *dataset;
    int64_t first, count; /* the images that it reads */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool full, stop;
    icseg_status status;
    icseg_error error;
    icseg_image image;
    icseg_labels labels;
} reader;

static void *read_images(void *user) {
    reader *r = user;
    bool stop = false;
    for (int64_t i = r->first; i < r->first + r->count && !stop; i++) {
        icseg_image image = {0};
        icseg_labels labels = {0};
        icseg_error error = {0};
        icseg_status status = icseg_dataset_read(r->dataset, i, &image, &labels, &error);
        pthread_mutex_lock(&r->mutex);
        while (r->full && !r->stop) pthread_cond_wait(&r->changed, &r->mutex);
        stop = r->stop;
        if (!stop) {
            r->image = image;
            r->labels = labels;
            r->status = status;
            r->error = error;
            r->full = true;
            pthread_cond_signal(&r->changed);
        }
        pthread_mutex_unlock(&r->mutex);
        if (stop) {
            icseg_image_close(&image);
            icseg_labels_close(&labels);
        }
    }
    return NULL;
}

static icseg_status reader_open(reader *r, const icseg_dataset *dataset, int64_t first, int64_t count,
                                icseg_error *error) {
    *r = (reader){.dataset = dataset, .first = first, .count = count};
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    if (icseg_signals_start_thread(&r->thread, read_images, r) == 0) return ICSEG_OK;
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    return icseg_fail(error, ICSEG_ERROR_MEMORY, "evaluation: cannot start the thread that reads images");
}

/* Passes the next image and its labels to the caller, who owns them. */
static icseg_status reader_next(reader *r, icseg_image *image, icseg_labels *labels, icseg_error *error) {
    pthread_mutex_lock(&r->mutex);
    while (!r->full) pthread_cond_wait(&r->changed, &r->mutex);
    *image = r->image;
    *labels = r->labels;
    r->image = (icseg_image){0};
    r->labels = (icseg_labels){0};
    r->full = false;
    icseg_status status = r->status;
    if (status != ICSEG_OK && error) *error = r->error;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

static void reader_close(reader *r) {
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    icseg_image_close(&r->image);
    icseg_labels_close(&r->labels);
}

static icseg_status check_dataset(const icseg_model *model, const icseg_dataset *dataset, icseg_error *error) {
    int32_t classes = icseg_model_config(model)->num_classes, labelled = icseg_dataset_classes(dataset);
    if (classes != labelled)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "the model has %d %s (first \"%.80s\"), but the data set has %d; evaluate on a data set with "
                          "the classes that the model was trained on",
                          classes, icseg_plural(classes, "class", "classes"), icseg_model_class_names(model)[0],
                          labelled);
    if (icseg_dataset_count(dataset) > 0 && !icseg_dataset_label_path(dataset, 0))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "the data set was opened without labels; open it with images_only = false");
    return ICSEG_OK;
}

static icseg_status add_image(icseg_session *session, const icseg_image *image, const icseg_labels *labels,
                              const icseg_eval_options *options, icseg_confusion *confusion, icseg_image_counts *counts,
                              int64_t index, icseg_error *error) {
    icseg_labels predicted;
    ICSEG_TRY(icseg_session_predict(session, image, options, &predicted, NULL, error));
    icseg_status status = icseg_confusion_add(confusion, labels, &predicted, error);
    if (status == ICSEG_OK) status = icseg_image_counts_add(counts, index, labels, &predicted, error);
    icseg_labels_close(&predicted);
    return status;
}

/* Reports the metrics so far after each image. */
static icseg_status report(const icseg_stage *stage, int64_t done, const icseg_confusion *confusion,
                           icseg_error *error) {
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    char detail[96];
    if (!icseg_stage_is_watched(stage)) return ICSEG_OK;
    ICSEG_TRY(icseg_metrics_compute(&metrics, confusion, error));
    snprintf(detail, sizeof detail, "mIoU %.2f, aAcc %.2f", 100 * metrics.miou, 100 * metrics.aacc);
    icseg_metrics_close(&metrics);
    return icseg_stage_report(stage, done, detail, error);
}

/* Runs this process's share of the images, [first, first + count). */
static icseg_status run_share(icseg_session *session, const icseg_dataset *dataset, const icseg_eval_options *eval,
                              const icseg_progress *progress, int64_t first, int64_t count, icseg_confusion *out,
                              icseg_image_counts *counts, icseg_error *error) {
    reader r;
    ICSEG_TRY(reader_open(&r, dataset, first, count, error));
    icseg_status status = ICSEG_OK;
    icseg_stage stage = icseg_stage_begin(progress, "evaluate", count, "images");
    for (int64_t i = 0; i < count && status == ICSEG_OK; i++) {
        icseg_image image;
        icseg_labels labels;
        status = reader_next(&r, &image, &labels, error);
        if (status == ICSEG_OK) {
            status = add_image(session, &image, &labels, eval, out, counts, first + i, error);
            if (status != ICSEG_OK) icseg_fail_prefix(error, "%s", icseg_dataset_image_path(dataset, first + i));
        }
        icseg_image_close(&image);
        icseg_labels_close(&labels);
        if (status == ICSEG_OK) status = report(&stage, i + 1, out, error);
    }
    reader_close(&r);
    return status;
}

static icseg_status evaluate(icseg_session *session, const icseg_dataset *dataset, const icseg_eval_options *eval,
                             icseg_group *group, const icseg_progress *progress, icseg_confusion *out,
                             icseg_image_counts *counts, icseg_error *error) {
    int64_t first, share = icseg_group_share(group, icseg_dataset_count(dataset), &first);
    icseg_status status = run_share(session, dataset, eval, progress, first, share, out, counts, error);
    ICSEG_TRY(icseg_group_agree(group, status, error));
    ICSEG_TRY(icseg_group_reduce(group, ICSEG_SUM_I64, out->count, (int64_t)out->classes * out->classes, error));
    return icseg_image_counts_share(counts, group, first, error);
}

/* The length of the folders that the paths of all images begin with. Without them, a path is the image's name, which
 * does not depend on the place of the data set. */
static size_t root_length(const icseg_dataset *dataset) {
    const char *path = icseg_dataset_image_path(dataset, 0);
    size_t same = path ? (size_t)(icseg_path_name(path) - path) : 0;
    for (int64_t i = 1; i < icseg_dataset_count(dataset); i++) {
        const char *other = icseg_dataset_image_path(dataset, i);
        while (same && strncmp(path, other, same) != 0) {
            same--;
            while (same && path[same - 1] != '/') same--;
        }
    }
    return same;
}

static void pass_images(const icseg_dataset *dataset, const icseg_image_counts *counts, icseg_evaluated_image each,
                        void *user) {
    const icseg_class_pixels *pixels = counts->list;
    size_t root = root_length(dataset);
    for (int64_t i = 0; i < counts->images; i++) {
        icseg_image_result result = {icseg_dataset_image_path(dataset, i) + root, pixels, (int32_t)counts->entries[i]};
        each(user, i, &result);
        pixels += counts->entries[i];
    }
}

icseg_status icseg_evaluate_each(icseg_session *session, const icseg_dataset *dataset,
                                 const icseg_eval_options *options, icseg_group *group, const icseg_progress *progress,
                                 icseg_evaluated_image each, void *user, icseg_confusion *out, icseg_error *error) {
    icseg_progress copy;
    icseg_eval_options eval;
    icseg_image_counts counts;
    int32_t classes = session->model->config.num_classes;
    ICSEG_TRY(icseg_progress_read(&copy, progress, error));
    ICSEG_TRY(icseg_eval_options_read(&eval, options, &session->model->eval, error));
    ICSEG_TRY(check_dataset(session->model, dataset, error));
    ICSEG_TRY(icseg_confusion_create(out, classes, error));
    icseg_status status = icseg_image_counts_open(&counts, classes, icseg_dataset_count(dataset), error);
    status = icseg_group_agree(group, status, error);
    if (status == ICSEG_OK) status = evaluate(session, dataset, &eval, group, &copy, out, &counts, error);
    if (status == ICSEG_OK && each) pass_images(dataset, &counts, each, user);
    icseg_image_counts_close(&counts);
    if (status != ICSEG_OK) icseg_confusion_close(out);
    return status;
}

icseg_status icseg_evaluate_group(icseg_session *session, const icseg_dataset *dataset,
                                  const icseg_eval_options *options, icseg_group *group, const icseg_progress *progress,
                                  icseg_confusion *out, icseg_error *error) {
    ICSEG_NEED(out);
    *out = (icseg_confusion){0};
    ICSEG_NEED(session);
    ICSEG_NEED(dataset);
    return icseg_evaluate_each(session, dataset, options, group, progress, NULL, NULL, out, error);
}

icseg_status icseg_evaluate(icseg_session *session, const icseg_dataset *dataset, const icseg_eval_options *options,
                            const icseg_progress *progress, icseg_confusion *out, icseg_error *error) {
    return icseg_evaluate_group(session, dataset, options, NULL, progress, out, error);
}

/* -- with a file of the results */

static void put_image(void *user, int64_t index, const icseg_image_result *result) {
    (void)index;
    icseg_image_results_add(user, result);
}

icseg_status icseg_evaluate_images(icseg_session *session, const icseg_dataset *dataset,
                                   const icseg_eval_options *options, icseg_group *group,
                                   const icseg_progress *progress, const char *images, icseg_confusion *out,
                                   icseg_error *error) {
    icseg_string text = {0};
    ICSEG_NEED(out);
    *out = (icseg_confusion){0};
    ICSEG_NEED(session);
    ICSEG_NEED(dataset);
    ICSEG_NEED(images);
    icseg_image_results_begin(&text, -1, icseg_dataset_count(dataset), icseg_model_class_names(session->model),
                              session->model->config.num_classes);
    icseg_status status = icseg_evaluate_each(session, dataset, options, group, progress, put_image, &text, out, error);
    if (status == ICSEG_OK && text.failed) status = icseg_fail_memory_in(error, text.size, images);
    if (status == ICSEG_OK && icseg_group_rank(group) == 0)
        status = icseg_file_write(images, text.data, text.size, error);
    icseg_string_close(&text);
    status = icseg_group_agree(group, status, error);
    if (status != ICSEG_OK) icseg_confusion_close(out);
    return status;
}

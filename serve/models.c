/* SPDX-License-Identifier: Apache-2.0
 * Models are counted by reference: the table holds one, and each request that uses a model another. */
#include "models.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "icseg/classes.h"

/* Sessions of one model that nobody uses at the moment, and that keep the networks that they have built. */
typedef struct serve_session_list {
    icseg_session **item;
    size_t count;
} serve_session_list;

struct serve_models {
    const serve_options *options;
    icseg_session_options session;
    pthread_mutex_t mutex;   /* guards `model`, references and lists of sessions */
    pthread_mutex_t loading; /* one at a time */
    serve_model **model;
};

static icseg_status out_of_memory(icseg_error *error) {
    return icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory");
}

static void close_model(serve_model *m) {
    if (!m) return;
    for (size_t i = 0; m->sessions && i < m->sessions->count; i++) icseg_session_close(&m->sessions->item[i]);
    if (m->sessions) free(m->sessions->item);
    free(m->sessions);
    icseg_palette_close(&m->palette);
    icseg_model_close(&m->model);
    free(m);
}

/* Empty if the time is not known. */
static void read_time(const char *path, char out[24]) {
    struct stat info;
    struct tm time;
    if (stat(path, &info) != 0 || !gmtime_r(&info.st_mtime, &time) || !strftime(out, 24, "%Y-%m-%d %H:%M:%S", &time))
        *out = '\0';
}

/* progress: NULL for a model that is loaded again, which other threads do */
static icseg_status read_model(const serve_options *options, const char *path, const icseg_progress *progress,
                               icseg_model **out, icseg_error *error) {
    if (!options->open_vocabulary) return icseg_model_open(out, path, error);
    icseg_open_vocabulary_options open = *options->open_vocabulary;
    open.weights = path;
    return icseg_model_open_vocabulary(out, &open, progress, error);
}

/* The list has space for all sessions that can exist at a time. */
static icseg_status fill_model(const serve_models *models, serve_model *m, const char *path, icseg_error *error) {
    const serve_options *options = models->options;
    bool first = m->version == 1;
    icseg_status status = read_model(options, path, first ? options->progress : NULL, &m->model, error);
    if (status != ICSEG_OK) return status;
    if (first && options->opened) options->opened(options->user, m->model);
    m->classes = icseg_model_class_names(m->model);
    m->class_count = icseg_model_config(m->model)->num_classes;
    m->values = (icseg_image_values){ICSEG_IMAGE_VALUES_INIT};
    status = icseg_model_image_values(m->model, &m->values, error);
    if (status == ICSEG_OK) status = icseg_palette_create_for(&m->palette, m->classes, m->class_count, error);
    if (status != ICSEG_OK) return status;
    m->sessions = calloc(1, sizeof *m->sessions);
    if (m->sessions) m->sessions->item = calloc((size_t)models->options->sessions, sizeof *m->sessions->item);
    if (!m->sessions || !m->sessions->item) return out_of_memory(error);
    status = icseg_session_open(&m->sessions->item[0], m->model, &models->session, error);
    if (status == ICSEG_OK) m->sessions->count = 1;
    return status;
}

static icseg_status open_model(const serve_models *models, const serve_source *source, int64_t version,
                               serve_model **out, icseg_error *error) {
    serve_model *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m) return out_of_memory(error);
    m->name = source->name;
    m->version = version;
    m->references = 1;
    read_time(source->path, m->modified);
    icseg_status status = fill_model(models, m, source->path, error);
    if (status == ICSEG_OK)
        *out = m;
    else
        close_model(m);
    return status;
}

icseg_status serve_models_open(serve_models **out, const serve_options *options, icseg_error *error) {
    serve_models *models = calloc(1, sizeof *models);
    *out = NULL;
    if (!models) return out_of_memory(error);
    models->options = options;
    models->session = (icseg_session_options){ICSEG_SESSION_OPTIONS_INIT, .threads = options->threads,
                                              .precision = options->precision};
    pthread_mutex_init(&models->mutex, NULL);
    pthread_mutex_init(&models->loading, NULL);
    models->model = calloc(options->source_count, sizeof *models->model);
    icseg_status status = models->model ? ICSEG_OK : out_of_memory(error);
    for (size_t i = 0; i < options->source_count && status == ICSEG_OK; i++)
        status = open_model(models, &options->sources[i], 1, &models->model[i], error);
    *out = models;
    if (status != ICSEG_OK) serve_models_close(out);
    return status;
}

void serve_models_close(serve_models **models) {
    serve_models *m = *models;
    if (!m) return;
    for (size_t i = 0; m->model && i < m->options->source_count; i++) close_model(m->model[i]);
    free(m->model);
    pthread_mutex_destroy(&m->mutex);
    pthread_mutex_destroy(&m->loading);
    free(m);
    *models = NULL;
}

size_t serve_models_count(const serve_models *models) { return models->options->source_count; }
const char *serve_models_name(const serve_models *models, size_t index) { return models->options->sources[index].name; }

/* The index of a model, or `source_count`. */
static size_t find(const serve_models *models, const char *name) {
    size_t i = 0, count = models->options->source_count;
    if (!name || !*name) return 0;
    while (i < count && strcmp(models->options->sources[i].name, name) != 0) i++;
    return i;
}

serve_model *serve_models_acquire(serve_models *models, const char *name) {
    size_t i = find(models, name);
    if (i == models->options->source_count) return NULL;
    pthread_mutex_lock(&models->mutex);
    serve_model *m = models->model[i];
    m->references++;
    pthread_mutex_unlock(&models->mutex);
    return m;
}

void serve_models_release(serve_models *models, serve_model *m) {
    if (!m) return;
    pthread_mutex_lock(&models->mutex);
    bool last = --m->references == 0;
    pthread_mutex_unlock(&models->mutex);
    if (last) close_model(m);
}

icseg_status serve_models_load(serve_models *models, const char *name, icseg_error *error) {
    size_t i = find(models, name);
    if (i == models->options->source_count)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%.80s: not a model of this server", name);
    serve_model *new, *old;
    pthread_mutex_lock(&models->loading);
    icseg_status status = open_model(models, &models->options->sources[i], models->model[i]->version + 1, &new, error);
    if (status == ICSEG_OK) {
        pthread_mutex_lock(&models->mutex);
        old = models->model[i];
        models->model[i] = new;
        pthread_mutex_unlock(&models->mutex);
        serve_models_release(models, old);
    }
    pthread_mutex_unlock(&models->loading);
    return status;
}

icseg_session *serve_models_take_session(serve_models *models, serve_model *m, icseg_error *error) {
    icseg_session *session = NULL;
    pthread_mutex_lock(&models->mutex);
    if (m->sessions->count) session = m->sessions->item[--m->sessions->count];
    pthread_mutex_unlock(&models->mutex);
    if (!session) icseg_session_open(&session, m->model, &models->session, error);
    return session;
}

void serve_models_return_session(serve_models *models, serve_model *m, icseg_session *session) {
    pthread_mutex_lock(&models->mutex);
    m->sessions->item[m->sessions->count++] = session;
    pthread_mutex_unlock(&models->mutex);
}

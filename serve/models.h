/* SPDX-License-Identifier: Apache-2.0
 * The models that are served, by name. A model can be loaded again while requests use the old one. Thread-safe. */
#ifndef SERVE_MODELS_H
#define SERVE_MODELS_H

#include "icseg/image.h"
#include "icseg/model.h"
#include "icseg/session.h"
#include "serve.h"

/* A checkpoint that was loaded, with what its results need. It does not change; whoever acquired it releases it. */
typedef struct serve_model {
    const char *name;
    int64_t version;   /* 1, and one more each time that it was loaded again */
    char modified[24]; /* when its checkpoint was written: "2026-11-30 01:02:03" in UTC */
    icseg_model *model;
    icseg_palette palette;
    icseg_image_values values;
    const char *const *classes; /* (class_count) names */
    int32_t class_count;
    struct serve_session_list *sessions;
    int references;
} serve_model;

typedef struct serve_models serve_models;

/* Opens all models, each with a session, so that a checkpoint that cannot be used is an error now. */
icseg_status serve_models_open(serve_models **out, const serve_options *options, icseg_error *error);
void serve_models_close(serve_models **models);

size_t serve_models_count(const serve_models *models);
const char *serve_models_name(const serve_models *models, size_t index);

/* NULL for a name that is not served. `name` NULL or "": the first model. */
serve_model *serve_models_acquire(serve_models *models, const char *name);
void serve_models_release(serve_models *models, serve_model *model);

/* Loads a model's checkpoint again. Requests use the old one until the new one is ready, and if it cannot be opened.
 * ICSEG_ERROR_ARGUMENT for a name that is not served. */
icseg_status serve_models_load(serve_models *models, const char *name, icseg_error *error);

/* A session of the model for one thread at a time. NULL with an error if one cannot be opened. */
icseg_session *serve_models_take_session(serve_models *models, serve_model *model, icseg_error *error);
void serve_models_return_session(serve_models *models, serve_model *model, icseg_session *session);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The session inside the library: a cache of networks, by shape and purpose, and the memory they share.
 *
 * Building a network (slow, once per shape) and running it (fast, for every image) are two steps: icseg_session_network
 * returns a network that is ready to run, and its executor runs it. Both need the same number of OpenMP threads: public
 * functions ensure this with icseg_threads_run, code inside the library with icseg_threads_enter. */
#ifndef ICSEG_INFERENCE_SESSION_H
#define ICSEG_INFERENCE_SESSION_H

#include "graph/run/executor.h"
#include "icseg/session.h"
#include "model/model.h"

/* A network ready to run. */
typedef struct icseg_prepared_network {
    icseg_network_options options;
    icseg_network network;
    icseg_graph *graph;
    icseg_executor *executor; /* NULL: this entry is empty */
    uint64_t last_use;
} icseg_prepared_network;

/* Class embeddings that are the same for all images, computed once. */
typedef struct icseg_cached_text {
    icseg_graph *graph;
    icseg_executor *executor;
    icseg_value value;
    uint64_t version; /* sum of the versions of the parameters they depend on; 0: not computed yet */
    float *data;      /* (1, K, C) */
} icseg_cached_text;

struct icseg_session {
    icseg_model *model; /* retained */
    int threads;
    icseg_precision precision;       /* of forward networks; a training network's is an option */
    icseg_activation_ranges *ranges; /* borrowed: the model's, or those that a calibration records */
    icseg_workspace *workspace;
    float *input; /* (input_floats): normalised images; grows */
    size_t input_floats;
    icseg_prepared_network *networks; /* (network_count); the least recently used is replaced */
    int32_t network_count;
    icseg_cached_text text;
    uint64_t uses;
};

/* Opens a session that runs the int8 network in f32 and records `ranges`, which must outlive it. */
icseg_status icseg_session_open_recording(icseg_session **out, icseg_model *model, int32_t threads,
                                          icseg_activation_ranges *ranges, icseg_error *error);

/* Returns the network for these options, and builds it if necessary. It is valid until the next call. Call again after
 * parameters have changed: class embeddings that do not depend on the image are recomputed here if they are stale. */
icseg_status icseg_session_network(icseg_session *session, const icseg_network_options *options,
                                   icseg_prepared_network **out, icseg_error *error);

/* Adds an executor's numbers of layers to `sum`. */
void icseg_session_add_layers(icseg_session_layers *sum, const icseg_executor *executor);

/* The class embeddings (1, K, C) of a model whose text does not depend on the image; valid until the next call. */
icseg_status icseg_session_text(icseg_session *session, const float **out, icseg_error *error);
void icseg_cached_text_close(icseg_cached_text *text);

#endif

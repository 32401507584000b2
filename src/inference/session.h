/* SPDX-License-Identifier: Apache-2.0
 * The session inside the library: a cache of networks, by shape and purpose, and the memory they share.
 *
 * Building a network (slow, once per shape and model) and running it (fast, for every image) are two steps:
 * icseg_session_network returns a network that is ready to run, and its executor runs it. Both need the same number of
 * OpenMP threads: public functions ensure this with icseg_threads_run, code inside the library with
 * icseg_threads_enter. */
#ifndef ICSEG_INFERENCE_SESSION_H
#define ICSEG_INFERENCE_SESSION_H

#include "graph/run/executor.h"
#include "icseg/session.h"
#include "model/model.h"

/* A network that is built, for all sessions of a model with the same precision and number of threads. It does not
 * change, except for the class embeddings. */
typedef struct icseg_built_network {
    icseg_network_options options;
    int threads;
    const icseg_activation_ranges *ranges;
    icseg_network network;
    icseg_graph *graph;
    icseg_program *program;
    float *text;           /* of the network of the text alone: (1, K, C), its results */
    uint64_t text_version; /* sum of the versions of the parameters they depend on; 0: not computed yet */
    int sessions;          /* that use it */
    struct icseg_built_network *next;
} icseg_built_network;

/* Returns the model's network for these options, and builds it if necessary. Thread-safe. */
icseg_status icseg_built_network_get(icseg_built_network **out, const icseg_session *session,
                                     const icseg_network_options *options, icseg_error *error);
/* The last session that releases it frees it. */
void icseg_built_network_release(icseg_built_network **network, icseg_model *model);

/* A network ready to run in a session. */
typedef struct icseg_prepared_network {
    icseg_network_options options;
    icseg_built_network *built;
    icseg_network network;    /* of `built` */
    const icseg_graph *graph; /* of `built` */
    icseg_executor *executor; /* NULL: this entry is empty */
    uint64_t last_use;
} icseg_prepared_network;

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
    icseg_built_network *text; /* of the text alone; NULL: not needed yet */
    uint64_t uses;
};

/* Opens a session that runs the int8 network in f32 and records `ranges`, which must outlive it. */
icseg_status icseg_session_open_recording(icseg_session **out, icseg_model *model, int32_t threads,
                                          icseg_activation_ranges *ranges, icseg_error *error);

/* Returns the network for these options, and builds it if necessary. It is valid until the next call. Call again after
 * parameters have changed: class embeddings that do not depend on the image are recomputed here if they are stale. */
icseg_status icseg_session_network(icseg_session *session, const icseg_network_options *options,
                                   icseg_prepared_network **out, icseg_error *error);

/* Adds a program's numbers of layers to `sum`. */
void icseg_session_add_layers(icseg_session_layers *sum, const icseg_program *program);

/* The class embeddings (1, K, C) of a model whose text does not depend on the image, or those of the words of an open
 * vocabulary; valid until the next call. */
icseg_status icseg_session_text(icseg_session *session, const float **out, icseg_error *error);

#endif

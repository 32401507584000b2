/* SPDX-License-Identifier: Apache-2.0
 * A pass: the model runs over one view of the images (one scale, mirrored or not) in one or more windows, whose logits
 * stay at the network's stride. Passes are blended into label maps row by row. A full-size map of K channels exists
 * only if the caller asks for one. */
#ifndef ICSEG_INFERENCE_PASS_H
#define ICSEG_INFERENCE_PASS_H

#include "base/progress.h"
#include "base/sampling.h"
#include "inference/images.h"
#include "inference/session.h"
#include "inference/sliding.h"

/* The source of one row or column of the label map: a window, and two of its logits with their weights. */
typedef struct icseg_cell {
    int32_t window;
    icseg_interpolation at;
} icseg_cell;

/* One axis of the label map: position i is the mean over cell[begin[i]] .. cell[begin[i + 1] - 1], one for each window
 * that covers it. */
typedef struct icseg_axis_map {
    int64_t *begin; /* (length + 1) */
    icseg_cell *cell;
} icseg_axis_map;

/* How many windows of all passes have run. */
typedef struct icseg_pass_progress {
    icseg_stage stage;
    int64_t done;
} icseg_pass_progress;

/* Adds `windows` and reports it; ICSEG_ERROR_CANCELLED if the caller cancels. */
icseg_status icseg_pass_report(icseg_pass_progress *progress, int64_t windows, icseg_error *error);

typedef struct icseg_pass {
    const icseg_images *view;      /* at the network's scale; not owned */
    bool mirrored;                 /* the windows are in the mirrored view; the maps mirror them back */
    uint32_t keep;                 /* ICSEG_KEEP_* besides the logits */
    bool keep_rows;                /* all rows of windows stay in memory */
    icseg_pass_progress *progress; /* shared by all passes */
    icseg_sliding windows;
    int64_t h, w, classes; /* of one window's logits; classes: K, or the K' words of an open vocabulary */
    icseg_axis_map x, y;
    float **row;  /* (windows.y.count): logits (windows.x.count, N, h, w, K) of a row of windows; NULL: not in memory */
    int32_t next; /* the row of windows that runs next */
    const icseg_prepared_network *network; /* of the last run */
} icseg_pass;

/* Sets up windows and maps for label maps of `width` x `height`; view, mirrored, keep and progress must be set. Close
 * the pass even on failure. */
icseg_status icseg_pass_open(icseg_pass *pass, icseg_session *session, const icseg_eval_options *options, int32_t width,
                             int32_t height, icseg_error *error);
void icseg_pass_close(icseg_pass *pass);

/* Runs the rows of windows that row y of the label map needs, and frees those that end above it, unless
 * pass->keep_rows. y must not decrease. */
icseg_status icseg_pass_advance(icseg_pass *pass, icseg_session *session, int32_t y, icseg_error *error);
/* The end of the rows y .. end - 1 of the label map that can be blended without another run. */
int32_t icseg_pass_ready(const icseg_pass *pass, int32_t y, int32_t height);

/* Runs the network of `options` on a window of each image. ICSEG_ERROR_NUMERIC, with the operator's name, if logits are
 * not finite. */
icseg_status icseg_pass_run(icseg_session *session, const icseg_network_options *options, const icseg_images *images,
                            icseg_window window, bool mirrored, const icseg_prepared_network **out, icseg_error *error);

/* The passes to blend and the outputs to write, each NULL if it is not requested. Several passes are blended as the
 * mean of their class probabilities. */
typedef struct icseg_blend {
    const icseg_pass *pass;
    int32_t count;                 /* passes */
    int32_t images, width, height; /* N, W, H */
    int32_t classes;               /* K */
    int32_t top_k;
    const icseg_open_vocabulary *open; /* NULL: the logits are those of classes */
    int16_t *labels;                   /* (N, H, W) */
    float *confidence;                 /* (N, H, W): probability of the label */
    int16_t *top_classes;              /* (N, H, W, top_k) */
    float *top_probabilities;          /* (N, H, W, top_k) */
    float *probabilities;              /* (N, H, W, K) */
    float *scratch;                    /* icseg_blend_floats() for each of `threads` */
    int threads;
} icseg_blend;

/* Number of floats of scratch memory for one thread. */
size_t icseg_blend_floats(const icseg_blend *blend);
/* Blends rows first .. end - 1 of every image. The result does not depend on the number of threads. */
void icseg_blend_rows(const icseg_blend *blend, int32_t first, int32_t end);

/* The logits of `count` channels from `first` on, of each pixel of image n, blended over the windows of the one pass,
 * all of which are in memory: planes (count, H, W). */
void icseg_blend_planes(const icseg_blend *blend, int64_t n, int64_t first, int64_t count, float *planes);

/* Writes the outputs of a pixel, `at` its index in them, from its class logits (K), which become probabilities. best,
 * best_class: scratch memory (top_k) each. */
void icseg_blend_store(const icseg_blend *blend, size_t at, float *logits, float *best, int16_t *best_class);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The state of an explainer. */
#ifndef ICSEG_EXPLAIN_EXPLAINER_H
#define ICSEG_EXPLAIN_EXPLAINER_H

#include "base/memory.h"
#include "base/text.h"
#include "icseg/explain.h"

enum { ICSEG_EXPLAIN_MODELS = 2 };

/* One image and what was computed of it. */
typedef struct icseg_explained {
    icseg_arena *arena; /* owns everything but the results and the summaries */
    const char *name;   /* the image's */
    const char *stem;   /* the same as the beginning of files' names */
    icseg_image image;  /* a copy of the caller's, in the arena */
    icseg_explain_map *maps;
    icseg_explanation found;                    /* what the caller sees */
    icseg_result *result[ICSEG_EXPLAIN_MODELS]; /* labels, confidences, scores and attention point into them */
} icseg_explained;

struct icseg_explainer {
    icseg_arena *arena;
    int32_t models;
    icseg_session *session[ICSEG_EXPLAIN_MODELS];
    icseg_eval_options eval[ICSEG_EXPLAIN_MODELS];
    const char *name[ICSEG_EXPLAIN_MODELS];
    const char *title;
    const char *const *class_names; /* (classes), the first model's */
    int32_t classes;                /* K */
    int32_t *chosen;                /* (chosen_count) classes whose score maps are shown; NULL: chosen for each image */
    int32_t chosen_count, top;
    icseg_palette palette;
    icseg_explained last; /* arena NULL: no image yet */
    icseg_string page;    /* of the images so far */
};

/* Runs the models and fills in x, which has a name and an image; close it even on failure. */
icseg_status icseg_explained_compute(icseg_explained *x, const icseg_explainer *e, icseg_error *error);
void icseg_explained_close(icseg_explained *x);

/* A map as a picture of the image's size. Scores and attention are drawn over the image in grey. Not for LABELS. */
icseg_status icseg_explain_draw(icseg_image *out, const icseg_image *image, const icseg_explain_map *map,
                                icseg_error *error);
/* Appends a bar with the colours, and the values at its ends. */
void icseg_explain_put_scale(icseg_string *out, double low, double high);

/* Appends an image's part of the page. */
icseg_status icseg_explain_put_image(icseg_string *out, const icseg_explainer *e, const icseg_explained *x,
                                     icseg_error *error);
/* Appends what is above the images. */
void icseg_explain_put_header(icseg_string *out, const icseg_explainer *e);

#endif

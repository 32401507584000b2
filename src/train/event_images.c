/* SPDX-License-Identifier: Apache-2.0
 * Images of the validation split for TensorBoard: the photograph, its labels, the prediction, and the score maps of the
 * classes that cover most of it. */
#include "explain/explainer.h"
#include "html/picture.h"
#include "train/trainer.h"

enum { WIDTH = 640, SHOWN_CLASSES = 3 };

/* What all images share, and one of them. */
typedef struct pictures {
    icseg_trainer *t;
    icseg_explainer *explainer;
    const char *name; /* the image's */
    icseg_image image;
    icseg_labels truth;
    int32_t factor; /* by which it is reduced */
} pictures;

static icseg_status write_picture(const pictures *p, const char *what, const icseg_image *picture, icseg_error *error) {
    icseg_string tag = {0};
    icseg_string_printf(&tag, "images/%s/%s", p->name, what);
    icseg_status status = tag.failed ? icseg_fail_memory(error, 0, "an image")
                                     : icseg_event_file_image(p->t->events, p->t->state.step, tag.data, picture, error);
    icseg_string_close(&tag);
    return status;
}

static icseg_status write_reduced(const pictures *p, const char *what, const icseg_image *picture, icseg_error *error) {
    icseg_image reduced;
    ICSEG_TRY(icseg_html_reduce(&reduced, picture, p->factor, error));
    icseg_status status = write_picture(p, what, &reduced, error);
    icseg_image_close(&reduced);
    return status;
}

static icseg_status write_labels(const pictures *p, const char *what, const icseg_labels *labels, icseg_error *error) {
    icseg_image painted;
    ICSEG_TRY(icseg_html_paint_labels(&painted, labels, &p->explainer->palette, p->factor, error));
    icseg_status status = write_picture(p, what, &painted, error);
    icseg_image_close(&painted);
    return status;
}

static icseg_status write_prediction(const pictures *p, icseg_error *error) {
    icseg_labels labels;
    ICSEG_TRY(icseg_session_predict(p->t->session, &p->image, &p->t->eval, &labels, NULL, error));
    icseg_status status = write_labels(p, "prediction", &labels, error);
    icseg_labels_close(&labels);
    return status;
}

/* The classes with the most labelled pixels, so that each evaluation shows the same. chosen: (SHOWN_CLASSES). */
static icseg_status choose_classes(const pictures *p, int32_t *chosen, int32_t *count, icseg_error *error) {
    int32_t classes = p->explainer->classes;
    int64_t *pixels = icseg_calloc_array((size_t)classes, sizeof *pixels);
    if (!pixels) return icseg_fail_memory(error, 0, "the choice of classes");
    for (size_t i = 0; i < (size_t)p->truth.width * (size_t)p->truth.height; i++)
        if (p->truth.data[i] != ICSEG_LABEL_IGNORE) pixels[p->truth.data[i]]++;
    for (*count = 0; *count < SHOWN_CLASSES; (*count)++) {
        int32_t best = 0;
        for (int32_t k = 1; k < classes; k++)
            if (pixels[k] > pixels[best]) best = k;
        if (!pixels[best]) break;
        chosen[*count] = best;
        pixels[best] = 0;
    }
    icseg_free(pixels);
    return ICSEG_OK;
}

static icseg_status write_score(const pictures *p, const icseg_explain_map *map, icseg_error *error) {
    icseg_image drawn;
    icseg_string what = {0};
    ICSEG_TRY(icseg_explain_draw(&drawn, &p->image, map, error));
    icseg_string_printf(&what, "score/%d/%s", (int)map->stride, p->explainer->class_names[map->index]);
    icseg_status status =
        what.failed ? icseg_fail_memory(error, 0, "an image") : write_reduced(p, what.data, &drawn, error);
    icseg_string_close(&what);
    icseg_image_close(&drawn);
    return status;
}

static icseg_status write_scores(pictures *p, icseg_error *error) {
    int32_t chosen[SHOWN_CLASSES];
    icseg_explained x = {.name = p->name, .stem = p->name, .image = p->image};
    icseg_explainer *e = p->explainer;
    ICSEG_TRY(choose_classes(p, chosen, &e->chosen_count, error));
    e->chosen = chosen;
    icseg_status status = icseg_arena_open(&x.arena, error);
    if (status == ICSEG_OK) status = icseg_explained_compute(&x, e, error);
    for (int32_t i = 0; status == ICSEG_OK && i < x.found.map_count; i++)
        if (x.found.maps[i].kind == ICSEG_EXPLAIN_SCORE) status = write_score(p, &x.found.maps[i], error);
    icseg_explained_close(&x);
    e->chosen = NULL;
    return status;
}

static icseg_status write_image(pictures *p, int64_t index, icseg_error *error) {
    ICSEG_TRY(icseg_dataset_read(p->t->val, index, &p->image, &p->truth, error));
    p->name = icseg_path_name(icseg_dataset_image_path(p->t->val, index));
    p->factor = icseg_html_factor(p->image.width, WIDTH);
    icseg_status status = write_reduced(p, "photograph", &p->image, error);
    if (status == ICSEG_OK) status = write_labels(p, "labels", &p->truth, error);
    if (status == ICSEG_OK) status = write_prediction(p, error);
    if (status == ICSEG_OK) status = write_scores(p, error);
    icseg_image_close(&p->image);
    icseg_labels_close(&p->truth);
    return status;
}

icseg_status icseg_trainer_write_images(icseg_trainer *t, icseg_error *error) {
    icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .session = t->session, .eval = &t->eval};
    pictures p = {.t = t};
    int64_t images = icseg_dataset_count(t->val), wanted = t->recipe->train.events.images;
    if (!t->events || !wanted) return ICSEG_OK;
    if (wanted > images) wanted = images;
    ICSEG_TRY(icseg_explainer_open(&p.explainer, &options, error));
    icseg_status status = ICSEG_OK;
    for (int64_t i = 0; i < wanted && status == ICSEG_OK; i++) status = write_image(&p, i * images / wanted, error);
    icseg_explainer_close(&p.explainer);
    return status;
}

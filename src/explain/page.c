/* SPDX-License-Identifier: Apache-2.0
 * An image's part of the page: the image and the maps of pixels, the legend, score maps, prompt tokens. */
#include <stdio.h>

#include "explain/explainer.h"
#include "html/html.h"
#include "html/picture.h"
#include "model/config.h"

enum { WIDTH = 320, CAPTION_BYTES = 256 };

/* One image's part. */
typedef struct part {
    icseg_string *out;
    const icseg_explainer *e;
    const icseg_explained *x;
    int32_t factor; /* by which pictures are reduced */
} part;

static bool two(const part *p) { return p->x->found.models > 1; }

/* -- figures */

static icseg_status put_reduced(const part *p, const icseg_image *image, const char *caption, icseg_error *error) {
    icseg_image reduced = {0};
    icseg_status status = icseg_html_reduce(&reduced, image, p->factor, error);
    if (status == ICSEG_OK) status = icseg_html_picture(p->out, &reduced, true, caption, error);
    icseg_image_close(&reduced);
    return status;
}

/* The caption is completed with the model's name if there are two. */
static icseg_status put_map(const part *p, const icseg_explain_map *map, const char *caption, icseg_error *error) {
    char text[CAPTION_BYTES];
    icseg_image drawn = {0};
    icseg_text_printf(text, sizeof text, "%s%s%s", two(p) ? p->e->name[map->model] : "", two(p) ? ": " : "", caption);
    if (map->kind == ICSEG_EXPLAIN_LABELS) {
        const icseg_labels *labels = &p->x->found.model[map->model].labels;
        ICSEG_TRY(icseg_html_paint_labels(&drawn, labels, &p->e->palette, p->factor, error));
        icseg_status status = icseg_html_picture(p->out, &drawn, false, text, error);
        icseg_image_close(&drawn);
        return status;
    }
    ICSEG_TRY(icseg_explain_draw(&drawn, &p->x->image, map, error));
    icseg_status status = put_reduced(p, &drawn, text, error);
    icseg_image_close(&drawn);
    return status;
}

/* -- the maps of pixels */

static icseg_status put_pixel_map(const part *p, const icseg_explain_map *map, icseg_error *error) {
    char caption[CAPTION_BYTES];
    if (map->kind == ICSEG_EXPLAIN_LABELS) return put_map(p, map, "labels", error);
    icseg_text_printf(caption, sizeof caption, "%s, mean %.3f",
                      map->kind == ICSEG_EXPLAIN_CONFIDENCE ? "confidence" : "entropy", map->mean);
    return put_map(p, map, caption, error);
}

static icseg_status put_pixel_maps(const part *p, icseg_error *error) {
    icseg_string_printf(p->out, "<div class=\"maps\">\n");
    ICSEG_TRY(put_reduced(p, &p->x->image, "image", error));
    for (int32_t i = 0; i < p->x->found.map_count; i++) {
        const icseg_explain_map *map = &p->x->maps[i];
        if (map->kind > ICSEG_EXPLAIN_ENTROPY) continue;
        if (map->kind == ICSEG_EXPLAIN_LABELS && map->model) icseg_string_printf(p->out, "<figure></figure>\n");
        ICSEG_TRY(put_pixel_map(p, map, error));
    }
    icseg_string_printf(p->out, "</div>\n<p class=\"scale\">Confidence and entropy ");
    icseg_explain_put_scale(p->out, 0, 1);
    icseg_string_printf(p->out, "</p>\n");
    return ICSEG_OK;
}

/* The classes of the label map by area. */
static void put_legend(const part *p, int32_t model) {
    const icseg_labels_summary *classes = &p->x->found.model[model].classes;
    icseg_string_printf(p->out, "<ul class=\"legend\">\n");
    if (two(p)) {
        icseg_string_printf(p->out, "<li><b>");
        icseg_html_text(p->out, p->e->name[model]);
        icseg_string_printf(p->out, "</b></li>\n");
    }
    for (int32_t i = 0; i < classes->count; i++) {
        const icseg_class_share *c = &classes->classes[i];
        icseg_string_printf(p->out, "<li>");
        icseg_html_swatch(p->out, &p->e->palette, c->index);
        icseg_html_text(p->out, p->e->class_names[c->index]);
        icseg_string_printf(p->out, " <span class=\"muted\">%.1f %%</span></li>\n", 100 * c->share);
    }
    icseg_string_printf(p->out, "</ul>\n");
}

/* -- score maps */

/* Says of each model without a score map that it has none. */
static void put_absent_scores(const part *p) {
    for (int32_t m = 0; m < p->x->found.models; m++) {
        bool any = false;
        for (int i = 0; i < ICSEG_LEVELS; i++) any |= p->x->found.model[m].score_mean[i] != NULL;
        if (any) continue;
        icseg_string_printf(p->out, "<p class=\"lead\">");
        icseg_html_text(p->out, p->e->name[m]);
        icseg_string_printf(p->out, " does not have score maps: its align_strides are empty.</p>\n");
    }
}

static icseg_status put_score(const part *p, const icseg_explain_map *map, icseg_error *error) {
    char caption[CAPTION_BYTES];
    icseg_text_printf(caption, sizeof caption, "%.120s, mean %.3f, largest %.3f", p->e->class_names[map->index],
                      map->mean, map->largest);
    return put_map(p, map, caption, error);
}

/* The maps first .. end - 1, of one stride. */
static icseg_status put_stride(const part *p, int32_t first, int32_t end, icseg_error *error) {
    const icseg_explain_map *maps = p->x->maps;
    icseg_string_printf(p->out, "<p class=\"scale\"><b>Stride %d</b> cosine ", (int)maps[first].stride);
    icseg_explain_put_scale(p->out, maps[first].low, maps[first].high);
    if (two(p) && maps[first].model == maps[end - 1].model) {
        icseg_string_printf(p->out, "<span class=\"muted\">");
        icseg_html_text(p->out, p->e->name[1 - maps[first].model]);
        icseg_string_printf(p->out, " does not have a score map at this stride</span>");
    }
    icseg_string_printf(p->out, "</p>\n<div class=\"maps\">\n");
    for (int32_t i = first; i < end; i++) ICSEG_TRY(put_score(p, &maps[i], error));
    icseg_string_printf(p->out, "</div>\n");
    return ICSEG_OK;
}

static icseg_status put_scores(const part *p, icseg_error *error) {
    const icseg_explanation *found = &p->x->found;
    icseg_string_printf(p->out, "<h3>Score maps</h3>\n");
    put_absent_scores(p);
    for (int32_t first = 0, end; first < found->map_count; first = end) {
        end = first + 1;
        if (found->maps[first].kind != ICSEG_EXPLAIN_SCORE) continue;
        while (end < found->map_count && found->maps[end].stride == found->maps[first].stride) end++;
        ICSEG_TRY(put_stride(p, first, end, error));
    }
    return ICSEG_OK;
}

/* -- prompt tokens */

static const char *why_no_attention(const icseg_config *c) {
    return c->prompt == ICSEG_PROMPT_TEMPLATE ? "its prompts are a template"
           : c->prompt == ICSEG_PROMPT_STATIC ? "its prompts are the same for all images"
                                              : "its prompts read the global token only";
}

static icseg_status put_attention(const part *p, int32_t model, icseg_error *error) {
    const icseg_explanation *found = &p->x->found;
    int32_t first = 0;
    while (first < found->map_count &&
           (found->maps[first].kind != ICSEG_EXPLAIN_ATTENTION || found->maps[first].model != model))
        first++;
    icseg_string_printf(p->out, "<p class=\"scale\">");
    icseg_html_text(p->out, p->e->name[model]);
    if (first == found->map_count) {
        const icseg_config *c = icseg_model_config(icseg_session_model(p->e->session[model]));
        icseg_string_printf(p->out, ": nothing to show, because %s</p>\n", why_no_attention(c));
        return ICSEG_OK;
    }
    icseg_string_printf(p->out, ": weight of a position ");
    icseg_explain_put_scale(p->out, 0, found->maps[first].high);
    icseg_string_printf(p->out, "</p>\n<div class=\"maps\">\n");
    for (int32_t i = first; i < found->map_count && found->maps[i].model == model; i++) {
        char caption[CAPTION_BYTES];
        icseg_text_printf(caption, sizeof caption, "token %d, %.1f %% on the global token",
                          (int)found->maps[i].index + 1, 100 * found->maps[i].global_share);
        ICSEG_TRY(put_map(p, &found->maps[i], caption, error));
    }
    icseg_string_printf(p->out, "</div>\n");
    return ICSEG_OK;
}

/* -- all */

icseg_status icseg_explain_put_image(icseg_string *out, const icseg_explainer *e, const icseg_explained *x,
                                     icseg_error *error) {
    part p = {.out = out, .e = e, .x = x, .factor = icseg_html_factor(x->image.width, WIDTH)};
    icseg_string_printf(out, "<section>\n<h2>");
    icseg_html_text(out, x->name);
    icseg_string_printf(out, "</h2>\n<p class=\"lead\">%d x %d pixels</p>\n", (int)x->image.width,
                        (int)x->image.height);
    ICSEG_TRY(put_pixel_maps(&p, error));
    for (int32_t m = 0; m < x->found.models; m++) put_legend(&p, m);
    ICSEG_TRY(put_scores(&p, error));
    icseg_string_printf(out, "<h3>Where the prompt tokens look</h3>\n");
    for (int32_t m = 0; m < x->found.models; m++) ICSEG_TRY(put_attention(&p, m, error));
    icseg_string_printf(out, "</section>\n");
    return ICSEG_OK;
}

void icseg_explain_put_header(icseg_string *out, const icseg_explainer *e) {
    icseg_string_printf(out, "<header>\n<p class=\"eyebrow\">icseg &#183; explanations</p>\n<h1>");
    icseg_html_text(out, e->title);
    icseg_string_printf(out, "</h1>\n<p class=\"lead\">");
    for (int32_t m = 0; m < e->models; m++) {
        if (m) icseg_string_printf(out, " and ");
        icseg_html_text(out, e->name[m]);
    }
    icseg_string_printf(
        out,
        "</p>\n</header>\n<p class=\"lead\">Confidence is the probability of a pixel's class. Entropy is that of the "
        "probabilities of all classes, divided by its largest possible value. A score map is the cosine between "
        "each position and a class; all maps of one stride of an image have the same scale. A prompt token's "
        "weights say how much it takes from each position.</p>\n");
}

/* SPDX-License-Identifier: Apache-2.0
 * Opening an explainer, adding images, writing maps and the page. */
#include "icseg/explain.h"

#include <string.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/struct_size.h"
#include "base/words.h"
#include "explain/explainer.h"
#include "html/html.h"
#include "icseg/classes.h"
#include "icseg/memory.h"
#include "icseg/version.h"
#include "inference/images.h"
#include "model/model.h"

enum { DEFAULT_TOP = 6, MOST_TOP = 1000 };

/* -- opening */

static icseg_status check_against(const icseg_explain_options *o, icseg_error *error) {
    const icseg_model *a = icseg_session_model(o->session), *b = icseg_session_model(o->against);
    int32_t classes = a->config.num_classes, others = b->config.num_classes;
    const char *const *names = icseg_model_class_names(a), *const *other_names = icseg_model_class_names(b);
    if (classes != others)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "against", ICSEG_REMEDY_SET_FIELD,
                                "against: the second model has %d %s, but the first has %d; use a model with the same "
                                "classes",
                                others, icseg_plural(others, "class", "classes"), classes);
    for (int32_t k = 0; k < classes; k++)
        if (strcmp(names[k], other_names[k]) != 0)
            return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "against", ICSEG_REMEDY_SET_FIELD,
                                    "against: class %d of the second model is \"%.60s\", but that of the first is "
                                    "\"%.60s\"; use a model with the same classes in the same order",
                                    k, other_names[k], names[k]);
    return ICSEG_OK;
}

static icseg_status choose_named(icseg_explainer *e, const icseg_explain_options *o, icseg_error *error) {
    e->chosen = icseg_arena_array(e->arena, (size_t)o->class_count, sizeof *e->chosen);
    if (!e->chosen) return icseg_fail_memory(error, 0, "the chosen classes");
    for (int32_t i = 0; i < o->class_count; i++) {
        int32_t k = 0;
        if (!o->classes[i]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "classes[%d] is NULL", i);
        while (k < e->classes && strcmp(e->class_names[k], o->classes[i]) != 0) k++;
        if (k == e->classes)
            return icseg_fail_word(error, "classes", o->classes[i], "a class of the model", e->class_names,
                                   (size_t)e->classes);
        for (int32_t j = 0; j < i; j++)
            if (e->chosen[j] == k)
                return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "classes", ICSEG_REMEDY_SET_FIELD,
                                        "classes: \"%.60s\" is given twice", o->classes[i]);
        e->chosen[i] = k;
    }
    e->chosen_count = o->class_count;
    return ICSEG_OK;
}

static icseg_status check_options(const icseg_explain_options *o, icseg_error *error) {
    if (!o->session) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "icseg_explainer_open: session is NULL");
    if (o->top < 0 || o->top > MOST_TOP)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "top", ICSEG_REMEDY_SET_FIELD,
                                "top is %d: expected 0 to %d", o->top, MOST_TOP);
    if (o->class_count < 0 || (o->class_count && !o->classes))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "class_count", ICSEG_REMEDY_SET_FIELD,
                                "class_count is %d%s", o->class_count,
                                o->class_count < 0 ? "" : ", but classes is NULL");
    return o->against ? check_against(o, error) : ICSEG_OK;
}

/* The whole image as one view. */
static icseg_status read_eval(icseg_eval_options *out, const icseg_session *session, const icseg_eval_options *eval,
                              icseg_error *error) {
    icseg_eval_options o;
    ICSEG_TRY(icseg_eval_options_read(&o, eval, &icseg_session_model(session)->eval, error));
    *out = (icseg_eval_options){ICSEG_EVAL_OPTIONS_INIT, .resize_short = o.resize_short, .resize_long = o.resize_long};
    return ICSEG_OK;
}

static icseg_status fill(icseg_explainer *e, const icseg_explain_options *o, icseg_error *error) {
    static const char *const names[] = {"model", "second model"};
    const char *given[] = {o->name, o->against_name};
    const icseg_model *model = icseg_session_model(o->session);
    e->session[0] = o->session;
    e->session[1] = o->against;
    e->models = o->against ? 2 : 1;
    e->classes = model->config.num_classes;
    e->class_names = icseg_model_class_names(model);
    e->top = o->top ? o->top : DEFAULT_TOP;
    e->title = icseg_arena_strdup(e->arena, o->title ? o->title : "Explanations");
    for (int32_t m = 0; m < e->models; m++) {
        e->name[m] = icseg_arena_strdup(e->arena, given[m] ? given[m] : names[m]);
        if (!e->name[m]) return icseg_fail_memory(error, 0, "an explainer");
        ICSEG_TRY(read_eval(&e->eval[m], e->session[m], o->eval, error));
    }
    if (!e->title) return icseg_fail_memory(error, 0, "an explainer");
    if (o->class_count) ICSEG_TRY(choose_named(e, o, error));
    return icseg_palette_create_for(&e->palette, e->class_names, e->classes, error);
}

icseg_status icseg_explainer_open(icseg_explainer **out, const icseg_explain_options *options, icseg_error *error) {
    enum { FIRST_SIZE = sizeof(icseg_explain_options) };
    icseg_explain_options o;
    icseg_explainer *e;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_SIZE, "icseg_explain_options", error));
    ICSEG_TRY(check_options(&o, error));
    e = icseg_calloc_array(1, sizeof *e);
    if (!e) return icseg_fail_memory(error, sizeof *e, "an explainer");
    icseg_status status = icseg_arena_open(&e->arena, error);
    if (status == ICSEG_OK) status = fill(e, &o, error);
    if (status != ICSEG_OK) icseg_explainer_close(&e);
    *out = e;
    return status;
}

void icseg_explainer_close(icseg_explainer **explainer) {
    if (!explainer || !*explainer) return;
    icseg_explainer *e = *explainer;
    icseg_explained_close(&e->last);
    icseg_palette_close(&e->palette);
    icseg_string_close(&e->page);
    icseg_arena_close(&e->arena);
    icseg_free(e);
    *explainer = NULL;
}

/* -- adding images */

/* Copies name and pixels. */
static icseg_status take_image(icseg_explained *x, const char *name, const icseg_image *image, icseg_error *error) {
    size_t bytes = 3 * (size_t)image->width * (size_t)image->height;
    ICSEG_TRY(icseg_arena_open(&x->arena, error));
    char *stem = icseg_arena_strdup(x->arena, name);
    x->stem = stem;
    x->name = icseg_arena_strdup(x->arena, name);
    x->image = (icseg_image){image->width, image->height, icseg_arena_copy(x->arena, image->data, bytes)};
    if (!x->stem || !x->name || !x->image.data) return icseg_fail_memory(error, bytes, "an image");
    for (; *stem; stem++)
        if (*stem == '/' || (unsigned char)*stem < 0x20 || *stem == 0x7f) *stem = '_';
    return ICSEG_OK;
}

/* Appends the image's part to the page, or nothing. */
static icseg_status append(icseg_explainer *e, const icseg_explained *x, icseg_error *error) {
    icseg_string text = {0};
    icseg_status status = icseg_explain_put_image(&text, e, x, error);
    if (status == ICSEG_OK && !text.failed) icseg_string_append(&e->page, text.data, text.size);
    if (status == ICSEG_OK && (text.failed || e->page.failed))
        status = icseg_fail_memory(error, text.size, "a page of explanations");
    e->page.failed = false;
    icseg_string_close(&text);
    return status;
}

icseg_status icseg_explainer_add(icseg_explainer *explainer, const char *name, const icseg_image *image,
                                 const icseg_explanation **out, icseg_error *error) {
    icseg_explained x = {0};
    if (out) *out = NULL;
    ICSEG_NEED(explainer);
    ICSEG_NEED(name);
    ICSEG_NEED(image);
    icseg_explained_close(&explainer->last);
    if (!*name) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: name is empty", __func__);
    if (!image->data)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "image", ICSEG_REMEDY_SET_FIELD, "%s: the image is empty",
                                __func__);
    ICSEG_TRY(icseg_images_check_size("image", "image", image->width, image->height, error));
    icseg_status status = take_image(&x, name, image, error);
    if (status == ICSEG_OK) status = icseg_explained_compute(&x, explainer, error);
    if (status == ICSEG_OK) status = append(explainer, &x, error);
    if (status != ICSEG_OK) {
        icseg_explained_close(&x);
        return status;
    }
    explainer->last = x;
    if (out) *out = &explainer->last.found;
    return ICSEG_OK;
}

/* -- files */

static icseg_status write_map(const icseg_explainer *e, const icseg_explain_map *map, const char *path,
                              icseg_error *error) {
    const icseg_explained *x = &e->last;
    icseg_image drawn;
    if (map->kind == ICSEG_EXPLAIN_LABELS)
        return icseg_labels_write_png(&x->found.model[map->model].labels, &e->palette, path, error);
    ICSEG_TRY(icseg_explain_draw(&drawn, &x->image, map, error));
    icseg_status status = icseg_image_write_png(&drawn, path, error);
    icseg_image_close(&drawn);
    return status;
}

icseg_status icseg_explainer_write_maps(const icseg_explainer *explainer, const char *folder, icseg_error *error) {
    icseg_string path = {0};
    icseg_status status = ICSEG_OK;
    ICSEG_NEED(explainer);
    ICSEG_NEED(folder);
    const icseg_explanation *found = &explainer->last.found;
    if (!explainer->last.arena)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "%s: the explainer does not have an image; call "
                          "icseg_explainer_add first",
                          __func__);
    for (int32_t i = 0; i < found->map_count && status == ICSEG_OK; i++) {
        path.size = 0;
        icseg_string_printf(&path, "%s/%s", folder, found->maps[i].file);
        status = path.failed ? icseg_fail_memory_in(error, 0, folder)
                             : write_map(explainer, &found->maps[i], path.data, error);
    }
    icseg_string_close(&path);
    return status;
}

icseg_status icseg_explainer_write_page(const icseg_explainer *explainer, const char *path, icseg_error *error) {
    icseg_string out = {0};
    ICSEG_NEED(explainer);
    ICSEG_NEED(path);
    icseg_html_begin(&out, explainer->title);
    icseg_explain_put_header(&out, explainer);
    icseg_string_append(&out, explainer->page.data ? explainer->page.data : "", explainer->page.size);
    icseg_string_printf(&out, "<footer>Written by icseg %s.</footer>\n", icseg_version());
    icseg_html_end(&out);
    icseg_status status =
        out.failed ? icseg_fail_memory_in(error, out.size, path) : icseg_file_write(path, out.data, out.size, error);
    icseg_string_close(&out);
    return status;
}

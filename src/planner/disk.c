/* SPDX-License-Identifier: Apache-2.0
 * The files of a run directory: tensors by their sizes, texts by the lengths of their lines, pictures of the report as
 * they are for a few images. */
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "html/html.h"
#include "html/picture.h"
#include "planner/planner.h"

enum {
    TENSOR_ENTRY = 84,      /* characters of a tensor in the header of a file, besides its name */
    MOMENT_NAME = 13,       /* "adamw.second." */
    RAW_NAME = 10,          /* "adamw.raw." */
    STEP_LINE = 145,        /* characters of a step in the log, besides the losses */
    LOSS_TEXT = 24,         /* of one loss */
    EVALUATION_LINE = 110,  /* of an evaluation, besides the classes */
    CLASS_SCORE = 13,       /* of one class */
    CLASS_PIXELS = 22,      /* of a class in a line of images.jsonl */
    IMAGE_LINE = 40,        /* of the line besides */
    CONFUSION_CELL = 4,     /* of evaluation.json */
    PAGE = 48 << 10,        /* the report without pictures and classes */
    PAGE_CLASS = 1500,      /* of one class on it */
    PICTURES = 3,           /* validation images that are encoded as pictures of the report */
    UNKNOWN_PICTURE = 60000 /* bytes of one sample without a data set */
};

static size_t text_size(const icseg_planning *p) {
    size_t size = 0;
    const char *const *names = icseg_model_class_names(p->model);
    for (int32_t k = 0; k < icseg_model_config(p->model)->num_classes; k++) size += strlen(names[k]) + 4;
    return size;
}

/* Data and header of the tensors. */
static void count_tensors(icseg_planning *p) {
    icseg_plan_figures *f = &p->plan->figures;
    const icseg_params *params = p->model->params;
    bool averaged = p->recipe->settings.train.ema_decay > 0;
    size_t best = 0, moments = 0;
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *param = icseg_params_at(params, i);
        size_t header = strlen(param->name) + TENSOR_ENTRY, data = (size_t)param->count * sizeof(float);
        best += header + data;
        if (param->options.trainable) moments += 2 * (header + MOMENT_NAME + data);
        if (averaged && icseg_ema_averages(param)) moments += header + RAW_NAME + data;
    }
    f->best = best + text_size(p);
    f->checkpoint = f->best + moments;
}

static icseg_status recipe_size(const icseg_planning *p, size_t *out, icseg_error *error) {
    icseg_string text = {0};
    icseg_status status = icseg_recipe_format(&p->recipe->settings, ICSEG_RECIPE_TRAIN, &text, error);
    *out = text.size;
    icseg_string_close(&text);
    return status;
}

/* -- pictures of the report, and the classes of an image */

typedef struct picture_sizes {
    size_t sample;    /* mean bytes of a sample: an image and two label maps */
    double classes;   /* mean number of classes of an image */
    size_t name_size; /* mean */
} picture_sizes;

static icseg_status measure_sample(const icseg_image *image, const icseg_labels *labels, const icseg_palette *palette,
                                   icseg_string *html, icseg_error *error) {
    icseg_image reduced = {0}, painted = {0};
    int32_t factor = icseg_html_factor(image->width, 640);
    icseg_status status = icseg_html_reduce(&reduced, image, factor, error);
    if (status == ICSEG_OK) status = icseg_html_picture(html, &reduced, true, "image", error);
    if (status == ICSEG_OK) status = icseg_html_paint_labels(&painted, labels, palette, factor, error);
    for (int i = 0; i < 2 && status == ICSEG_OK; i++)
        status = icseg_html_picture(html, &painted, false, "truth", error);
    icseg_image_close(&reduced);
    icseg_image_close(&painted);
    return status;
}

static icseg_status count_classes(const icseg_labels *labels, int32_t classes, int32_t *out, icseg_error *error) {
    uint8_t *present = icseg_calloc_array((size_t)classes, 1);
    if (!present) return icseg_fail_memory(error, (size_t)classes, "the classes of an image");
    *out = 0;
    for (int64_t i = 0; i < (int64_t)labels->width * labels->height; i++) {
        if (labels->data[i] < 0 || labels->data[i] >= classes || present[labels->data[i]]) continue;
        present[labels->data[i]] = 1;
        ++*out;
    }
    icseg_free(present);
    return ICSEG_OK;
}

static icseg_status look_at_image(const icseg_planning *p, int64_t index, const icseg_palette *palette,
                                  icseg_string *html, int32_t *classes, icseg_error *error) {
    icseg_image image = {0};
    icseg_labels labels = {0};
    ICSEG_TRY(icseg_dataset_read(p->val, index, &image, &labels, error));
    icseg_status status = measure_sample(&image, &labels, palette, html, error);
    if (status == ICSEG_OK) status = count_classes(&labels, icseg_dataset_classes(p->val), classes, error);
    icseg_image_close(&image);
    icseg_labels_close(&labels);
    return status;
}

static icseg_status look_at_images(const icseg_planning *p, picture_sizes *out, icseg_error *error) {
    int64_t images = p->val_sizes.images, count = images < PICTURES ? images : PICTURES;
    icseg_palette palette = {0};
    icseg_string html = {0};
    ICSEG_TRY(
        icseg_palette_create_for(&palette, icseg_dataset_class_names(p->val), icseg_dataset_classes(p->val), error));
    icseg_status status = ICSEG_OK;
    *out = (picture_sizes){0};
    for (int64_t i = 0; i < count && status == ICSEG_OK; i++) {
        int32_t classes = 0;
        int64_t index = i * images / count;
        status = look_at_image(p, index, &palette, &html, &classes, error);
        out->classes += (double)classes / (double)count;
        out->name_size += strlen(icseg_path_name(icseg_dataset_image_path(p->val, index))) / (size_t)count;
    }
    out->sample = count ? html.size / (size_t)count : 0;
    if (html.failed && status == ICSEG_OK) status = icseg_fail_memory(error, 0, "pictures of the report");
    icseg_string_close(&html);
    icseg_palette_close(&palette);
    return status;
}

static icseg_status count_report(icseg_planning *p, icseg_error *error) {
    icseg_plan_figures *f = &p->plan->figures;
    size_t classes = (size_t)icseg_model_config(p->model)->num_classes;
    int64_t images = p->val_sizes.images;
    picture_sizes sizes = {.sample = UNKNOWN_PICTURE};
    if (p->val)
        ICSEG_TRY(look_at_images(p, &sizes, error));
    else
        images = ICSEG_EVEN_SAMPLES;
    int64_t samples = (images < ICSEG_EVEN_SAMPLES ? images : ICSEG_EVEN_SAMPLES) +
                      (images < ICSEG_WORST_IMAGES ? images : ICSEG_WORST_IMAGES);
    size_t page = PAGE + classes * PAGE_CLASS + (size_t)samples * sizes.sample;
    size_t evaluation = classes * classes * CONFUSION_CELL + 2 * text_size(p);
    double line = IMAGE_LINE + (double)sizes.name_size + sizes.classes * CLASS_PIXELS;
    f->report = page + evaluation + (size_t)(line * (double)p->val_sizes.images);
    return ICSEG_OK;
}

/* -- the folder */

icseg_status icseg_planning_find_folder(const icseg_planning *p, const char **folder, icseg_error *error) {
    const char *out = p->options.out && p->options.out[0] ? p->options.out : ".";
    char *path = icseg_arena_strdup(p->plan->arena, out);
    if (!path) return icseg_fail_memory_in(error, 0, out);
    while (!icseg_folder_exists(path)) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            *folder = slash ? "/" : ".";
            return ICSEG_OK;
        }
        *slash = '\0';
    }
    *folder = path;
    return ICSEG_OK;
}

icseg_status icseg_planning_disk(icseg_planning *p, icseg_error *error) {
    icseg_plan_figures *f = &p->plan->figures;
    size_t classes = (size_t)icseg_model_config(p->model)->num_classes, recipe;
    int32_t every = p->recipe->settings.train.log_every;
    const char *folder;
    struct statvfs disk;
    ICSEG_TRY(recipe_size(p, &recipe, error));
    count_tensors(p);
    f->checkpoint += recipe;
    ICSEG_TRY(count_report(p, error));
    int64_t lines = every > 0 ? f->steps / every : 1;
    f->log = recipe + (size_t)lines * (STEP_LINE + (size_t)p->losses * LOSS_TEXT) +
             (size_t)f->evaluations * (EVALUATION_LINE + classes * CLASS_SCORE);
    f->disk = f->checkpoint + f->best + f->log + f->report;
    f->disk_peak = f->disk + f->checkpoint;
    ICSEG_TRY(icseg_planning_find_folder(p, &folder, error));
    f->disk_available = statvfs(folder, &disk) == 0 ? (size_t)disk.f_bavail * (size_t)disk.f_frsize : SIZE_MAX;
    f->disk_fits = f->disk_peak <= f->disk_available;
    return ICSEG_OK;
}

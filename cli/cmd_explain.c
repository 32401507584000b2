/* SPDX-License-Identifier: Apache-2.0
 * icseg explain: what one or two models see in images, as a page, as maps and as numbers. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "class_names.h"
#include "cli.h"
#include "icseg/explain.h"
#include "icseg/file.h"
#include "icseg/model.h"
#include "images.h"
#include "inference.h"
#include "inputs.h"
#include "json.h"
#include "results.h"
#include "support.h"

enum { MODELS = 2, MOST_TOP = 1000 };

struct options {
    const char *checkpoint, *against, *out, *names, *classes, *json;
    icseg_strings images;
    int32_t top, resize_short, resize_long, precision;
    bool recursive, force;
    image_options values;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
     .positional = true, .required = true},
    {"IMAGE", ICSEG_FIELD_STRINGS(struct options, images), "image files, folders or quoted patterns such as 'a/*.jpg'",
     .positional = true, .required = true},
    {"out", ICSEG_FIELD_STRING(struct options, out), "folder for the page and the maps, created if it does not exist",
     .metavar = "DIR", .required = true},
    {"against", ICSEG_FIELD_STRING(struct options, against),
     "checkpoint of a second model with the same classes, whose maps are shown beside those of the first",
     .metavar = "CHECKPOINT"},
    {"names", ICSEG_FIELD_STRING(struct options, names), "names of the models on the page, separated by commas",
     .metavar = "NAMES", .shown = "the paths of the checkpoints"},
    {"classes", ICSEG_FIELD_STRING(struct options, classes),
     "show the score maps of these classes, separated by commas", .metavar = "NAMES", .shown = "as --top says"},
    {"top", ICSEG_FIELD_INT(struct options, top),
     "show the score maps of N classes: half of them those with the largest areas, the others those with the highest "
     "scores",
     .metavar = "N", ICSEG_BETWEEN(1, MOST_TOP)},
    {"json", ICSEG_FIELD_STRING(struct options, json),
     "write the numbers: area, confidence, entropy, and the mean and largest score of each class and stride",
     .metavar = "FILE"},
    {"recursive", ICSEG_FIELD_BOOL(struct options, recursive), "read folders with their subfolders"},
    {"force", ICSEG_FIELD_BOOL(struct options, force), "replace files of DIR that are not results of this command"},
    {"resize-short", ICSEG_FIELD_INT(struct options, resize_short),
     "resize images for the model so that the short side is N pixels; 0: do not resize", .metavar = "N",
     .shown = "as in training, else 0", ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_SIDE)},
    {"resize-long", ICSEG_FIELD_INT(struct options, resize_long),
     "with --resize-short: limit the long side to N pixels", .metavar = "N", .shown = "no limit",
     ICSEG_BETWEEN(0, ICSEG_IMAGE_MAX_SIDE)},
    PRECISION_ROW(struct options, precision),
    IMAGE_ROWS(struct options, values, "as in training, else as the file says"),
};

static void defaults(void *values) {
    struct options *o = values;
    o->top = 6;
    o->resize_short = -1;
    image_defaults(&o->values);
}

/* One run. */
typedef struct job {
    const struct options *options;
    const icseg_command_context *context;
    input_list inputs;
    image_reader *reader;
    icseg_model *model[MODELS];
    icseg_session *session[MODELS];
    const char *name[MODELS];
    icseg_explainer *explainer;
    const char *page, *maps; /* the page's file, the folder of maps */
    json_t *numbers;         /* of the images so far; NULL without --json */
    bool *failed;            /* out of memory while numbers are added */
    size_t *done;            /* images whose maps are written */
    bool own_size;           /* images are not resized */
} job;

/* -- numbers */

static json_t *classes_json(const job *j, const icseg_explained_model *model, bool *failed) {
    json_t *list = json_array();
    for (int32_t i = 0; i < model->classes.count; i++) {
        const icseg_class_share *c = &model->classes.classes[i];
        json_add(list,
                 json_pack("{s:i, s:s, s:I, s:f, s:f}", "index", (int)c->index, "name",
                           icseg_model_class_names(j->model[0])[c->index], "pixels", (json_int_t)c->pixels, "share",
                           c->share, "confidence", c->confidence),
                 failed);
    }
    return list;
}

/* All classes of each stride that has a score map. */
static json_t *scores_json(const job *j, const icseg_explained_model *model, bool *failed) {
    json_t *list = json_array();
    int32_t classes = icseg_model_config(j->model[0])->num_classes;
    for (int level = 0; level < ICSEG_LEVELS; level++)
        for (int32_t k = 0; k < classes && model->score_mean[level]; k++)
            json_add(list,
                     json_pack("{s:i, s:i, s:s, s:f, s:f}", "stride", 4 << level, "index", (int)k, "name",
                               icseg_model_class_names(j->model[0])[k], "mean", model->score_mean[level][k], "largest",
                               model->score_largest[level][k]),
                     failed);
    return list;
}

static json_t *tokens_json(const icseg_explanation *found, int32_t model, bool *failed) {
    json_t *list = json_array();
    for (int32_t i = 0; i < found->map_count; i++) {
        const icseg_explain_map *map = &found->maps[i];
        if (map->kind != ICSEG_EXPLAIN_ATTENTION || map->model != model) continue;
        json_add(list,
                 json_pack("{s:i, s:f, s:f}", "token", (int)map->index + 1, "global", map->global_share, "largest",
                           map->largest),
                 failed);
    }
    return list;
}

static void add_numbers(const job *j, const input_file *file, const icseg_image *image,
                        const icseg_explanation *found) {
    json_t *models = json_array();
    bool *failed = j->failed;
    for (int32_t m = 0; m < found->models; m++) {
        const icseg_explained_model *model = &found->model[m];
        json_add(models,
                 json_pack("{s:o, s:f, s:f, s:o, s:o, s:o}", "model", json_text(j->name[m]), "confidence",
                           model->classes.confidence, "entropy", model->entropy, "classes",
                           classes_json(j, model, failed), "scores", scores_json(j, model, failed), "tokens",
                           tokens_json(found, m, failed)),
                 failed);
    }
    json_add(j->numbers,
             json_pack("{s:o, s:i, s:i, s:o}", "image", json_text(file->path), "width", (int)image->width, "height",
                       (int)image->height, "models", models),
             failed);
}

static icseg_status write_numbers(job *j, icseg_error *error) {
    icseg_string text = {0};
    json_t *numbers = j->numbers;
    j->numbers = NULL;
    TRY(json_finish(numbers, *j->failed, JSON_INDENT(2) | JSON_REAL_PRECISION(6), &text, error));
    icseg_status status = icseg_file_write(j->options->json, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

/* -- one image */

static icseg_status note_maps(const job *j, const icseg_explanation *found, size_t index, icseg_error *error) {
    icseg_arena *arena = j->context->arena;
    input_output *outputs = icseg_arena_array(arena, (size_t)found->map_count, sizeof *outputs);
    if (!outputs) return out_of_memory(error);
    for (int32_t i = 0; i < found->map_count; i++) {
        outputs[i] = (input_output){icseg_arena_printf(arena, "%s/%s", j->maps, found->maps[i].file), index};
        if (!outputs[i].path) return out_of_memory(error);
    }
    if (!j->options->force) TRY(results_check(j->options->out, outputs, (size_t)found->map_count, arena, error));
    return results_note(j->options->out, outputs, (size_t)found->map_count, arena, error);
}

static icseg_status explain_image(const job *j, size_t index, const icseg_image *image, bool *bad, icseg_error *error) {
    const input_file *file = &j->inputs.files[index];
    const icseg_explanation *found;
    if (j->own_size && !j->reader->noted_size)
        j->reader->noted_size =
            image_check_size(j->context->printer, j->model[0], image->width, image->height, file->path);
    icseg_status status = icseg_explainer_add(j->explainer, file->stem, image, &found, error);
    *bad = status == ICSEG_ERROR_MEMORY; /* a smaller image may fit */
    if (status != ICSEG_OK) return error_prefix(error, "%s", file->path);
    TRY(note_maps(j, found, index, error));
    TRY(icseg_explainer_write_maps(j->explainer, j->maps, error));
    ++*j->done;
    if (j->numbers) add_numbers(j, file, image, found);
    return ICSEG_OK;
}

static icseg_status explain_one(const void *user, size_t index, bool *bad, icseg_error *error) {
    const job *j = user;
    icseg_image image;
    icseg_status status = image_read(j->reader, j->inputs.files[index].path, &image, error);
    *bad = status != ICSEG_OK;
    if (status != ICSEG_OK) return status;
    status = explain_image(j, index, &image, bad, error);
    icseg_image_close(&image);
    return status;
}

/* -- preparing */

/* The beginning of the names of an image's files, as icseg_explainer_add makes it; NULL when out of memory. */
static const char *file_stem(const char *stem, icseg_arena *arena) {
    char *copy = icseg_arena_strdup(arena, stem);
    for (char *c = copy; c && *c; c++)
        if (*c == '/') *c = '_';
    return copy;
}

/* The names of the files that every image has. */
static icseg_status check_outputs(const job *j, icseg_error *error) {
    static const char *const suffixes[] = {"labels", "confidence", "entropy"};
    enum { SUFFIXES = sizeof suffixes / sizeof *suffixes };
    icseg_arena *arena = j->context->arena;
    int models = j->options->against ? MODELS : 1;
    size_t count = 0;
    input_output *outputs = icseg_arena_array(arena, j->inputs.count * SUFFIXES * MODELS + 1, sizeof *outputs);
    if (!outputs) return out_of_memory(error);
    for (size_t i = 0; i < j->inputs.count; i++) {
        const char *stem = file_stem(j->inputs.files[i].stem, arena);
        if (!stem) return out_of_memory(error);
        for (int k = 0; k < models * SUFFIXES; k++) {
            const char *path = icseg_arena_printf(arena, "%s/%s%s_%s.png", j->maps, stem,
                                                  k < SUFFIXES ? "" : "_against", suffixes[k % SUFFIXES]);
            if (!path) return out_of_memory(error);
            outputs[count++] = (input_output){path, i};
        }
    }
    outputs[count++] = (input_output){j->page, 0};
    TRY(inputs_check_outputs(&j->inputs, outputs, count, arena, error));
    return j->options->force ? ICSEG_OK : results_check(j->options->out, outputs, count, arena, error);
}

static icseg_status check_json(const job *j, icseg_error *error) {
    const struct options *o = j->options;
    if (!o->json) return ICSEG_OK;
    if (!strcmp(o->json, j->page))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--json: %s is the page; choose another file", o->json);
    TRY(file_check_not_input(o->json, o->checkpoint, error));
    if (o->against) TRY(file_check_not_input(o->json, o->against, error));
    for (size_t i = 0; i < j->inputs.count; i++) TRY(file_check_not_input(o->json, j->inputs.files[i].path, error));
    return icseg_file_check_writable(o->json, error);
}

static icseg_status name_models(job *j, icseg_error *error) {
    const struct options *o = j->options;
    size_t count = 0, models = o->against ? MODELS : 1;
    const char **names = NULL;
    j->name[0] = o->checkpoint;
    j->name[1] = o->against;
    if (!o->names) return ICSEG_OK;
    icseg_status status = class_names_split(j->context->arena, o->names, ',', &names, &count, error);
    if (status != ICSEG_OK) return error_prefix(error, "--names");
    if (count != models)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--names: %zu %s for %zu %s; give a name for each", count,
                               icseg_plural((int64_t)count, "name", "names"), models,
                               icseg_plural((int64_t)models, "model", "models"));
    for (size_t m = 0; m < models; m++) j->name[m] = names[m];
    return ICSEG_OK;
}

static icseg_status prepare(job *j, icseg_error *error) {
    const struct options *o = j->options;
    TRY(inference_check_resize(o->resize_short, o->resize_long, error));
    TRY(name_models(j, error));
    j->page = icseg_arena_printf(j->context->arena, "%s/index.html", o->out);
    j->maps = icseg_arena_printf(j->context->arena, "%s/maps", o->out);
    if (!j->page || !j->maps) return out_of_memory(error);
    const input_options how = {.recursive = o->recursive};
    TRY(inputs_expand(&j->inputs, &o->images, &how, j->context->arena, error));
    TRY(check_outputs(j, error));
    return check_json(j, error);
}

static icseg_status open_models(job *j, icseg_error *error) {
    const struct options *o = j->options;
    const char *paths[MODELS] = {o->checkpoint, o->against};
    icseg_eval_options eval = {ICSEG_EVAL_OPTIONS_INIT, .resize_short = o->resize_short, .resize_long = o->resize_long};
    icseg_explain_options options = {ICSEG_EXPLAIN_OPTIONS_INIT, .top = o->top, .name = j->name[0],
                                     .against_name = j->name[1]};
    size_t count = 0;
    for (int m = 0; m < MODELS && paths[m]; m++) {
        TRY(icseg_model_open(&j->model[m], paths[m], error));
        TRY(inference_open(&j->session[m], o->precision, j->model[m], paths[m], j->context->printer, error));
    }
    options.session = j->session[0];
    options.against = j->session[1];
    if (o->resize_short >= 0) options.eval = &eval;
    const char **names = NULL;
    if (o->classes) TRY(class_names_split(j->context->arena, o->classes, ',', &names, &count, error));
    options.classes = names;
    options.class_count = (int32_t)count;
    TRY(icseg_explainer_open(&j->explainer, &options, error));
    if (o->resize_short < 0) TRY(icseg_model_eval_options(j->model[0], &eval, error));
    j->own_size = !eval.resize_short;
    return ICSEG_OK;
}

static icseg_status open_folder(const job *j, icseg_error *error) {
    input_output page = {j->page, 0};
    TRY(folder_create(j->maps, error));
    return results_note(j->options->out, &page, 1, j->context->arena, error);
}

/* The page and the numbers are written also after a failure, with the images so far. */
static icseg_status explain_all(job *j, icseg_error *error) {
    icseg_error failure = {0};
    icseg_status status = inputs_for_each(&j->inputs, j->context, "explain", explain_one, j, error);
    icseg_error *later = status == ICSEG_OK ? error : &failure;
    if (!*j->done) return status;
    icseg_status finished = icseg_explainer_write_page(j->explainer, j->page, later);
    if (finished == ICSEG_OK) printf("%s\n", j->page);
    if (finished == ICSEG_OK && j->numbers) finished = write_numbers(j, later);
    return status == ICSEG_OK ? finished : status;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    image_reader reader;
    bool failed = false;
    size_t done = 0;
    job j = {.options = values, .context = context, .reader = &reader, .failed = &failed, .done = &done};
    icseg_status status;
    TRY_GOTO(prepare(&j, error));
    TRY_GOTO(open_models(&j, error));
    TRY_GOTO(image_reader_open(&reader, &j.options->values, j.model[0], context, error));
    TRY_GOTO(open_folder(&j, error));
    if (j.options->json && !(j.numbers = json_array())) TRY_GOTO(out_of_memory(error));
    TRY_GOTO(explain_all(&j, error));
done:
    json_decref(j.numbers);
    icseg_explainer_close(&j.explainer);
    for (int m = 0; m < MODELS; m++) {
        icseg_session_close(&j.session[m]);
        icseg_model_close(&j.model[m]);
    }
    return status;
}

const icseg_command icseg_command_explain = {
    .name = "explain",
    .summary = "Shows what a model, or two, see in images",
    .description = "Writes DIR/index.html, one page without other files, and DIR/maps with each map\n"
                   "as a PNG file of the size of the image. For each image there are the label map,\n"
                   "the confidence, the entropy of the probabilities, the score maps of some classes\n"
                   "at each stride, and where each prompt token of instance-conditioned prompts\n"
                   "looks. docs/explain.md says what they mean.\n"
                   "\n"
                   "With --against, the maps of a second model with the same classes are beside\n"
                   "those of the first, and have the same colour scales. Their files have\n"
                   "\"_against\" in their names.\n"
                   "\n"
                   "The network sees the whole image at once, resized as in the evaluations during\n"
                   "training. Results of earlier calls are replaced. Other files are not, unless\n"
                   "--force is given: DIR/.icseg-results lists the results. If an image cannot be\n"
                   "read, the command reports it, continues with the others and exits with status 1.\n",
    .examples = "icseg explain checkpoint.safetensors street.jpg --out explained\n"
                "icseg explain checkpoint.safetensors photos/ --out explained --top 10\n"
                "icseg explain checkpoint.safetensors a.jpg --out explained --classes \"car,bus\"\n"
                "icseg explain denseclip.safetensors a.jpg --against icpc.safetensors \\\n"
                "    --names DenseCLIP,ICPC --out explained --json explained.json\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

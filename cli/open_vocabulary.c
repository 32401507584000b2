/* SPDX-License-Identifier: Apache-2.0
 * The options of commands that make an open-vocabulary model of CLIP's weights. */
#include "open_vocabulary.h"

#include <string.h>

#include "class_names.h"
#include "support.h"

const char *const open_methods[] = {"auto",   "clip",           "maskclip",   "sclip", "clearclip",
                                    "naclip", "naclip_vanilla", "kk_reduced", NULL};

void open_defaults(open_options *o) {
    o->templates = "imagenet";
    o->activation = -1;
    o->logit_scale = 40;
}

bool open_given(const open_options *o) { return o->classes || o->classes_file; }

/* The first option that is given; NULL: none. */
static const char *first_given(const open_options *o) {
    open_options usual = {0};
    open_defaults(&usual);
    const struct {
        bool given;
        const char *name;
    } all[] = {{o->method != usual.method, "--method"},
               {o->templates != usual.templates, "--templates"},
               {o->background, "--background"},
               {o->threshold > 0, "--threshold"},
               {o->logit_scale != usual.logit_scale, "--logit-scale"},
               {o->vocab, "--vocab"},
               {o->activation != usual.activation, "--activation"},
               {o->state_dict, "--weights"},
               {o->cache, "--cache"},
               {o->no_cache, "--no-cache"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].given) return all[i].name;
    return NULL;
}

icseg_status open_check(const open_options *o, bool used, const char *needed, int32_t precision, icseg_error *error) {
    const char *given = used ? NULL : first_given(o);
    if (given)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s is for CLIP's weights with any classes, which need %s; add it, or leave %s out",
                               given, needed, given);
    if (used && precision == ICSEG_PRECISION_INT8)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--precision int8: CLIP's weights with any classes cannot be calibrated, which int8 "
                               "needs; use bf16 or bf16x2");
    return ICSEG_OK;
}

static icseg_status read_classes(icseg_open_vocabulary_options *out, const open_options *o, icseg_class_list **list,
                                 icseg_arena *arena, icseg_error *error) {
    const char **names;
    if (o->classes && o->classes_file)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "the classes are given twice; use --classes or --classes-file");
    if (o->classes) {
        TRY(class_names_split(arena, o->classes, ';', &names, &out->class_count, error));
        out->class_names = names;
        if (out->class_count == 1 && !o->background)
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                   "--classes: \"%.80s\" is one class, so that every pixel would get it; separate "
                                   "classes with semicolons, or add --background \"wall, floor\"",
                                   names[0]);
    } else if (o->classes_file) {
        TRY(icseg_class_list_open(list, o->classes_file, error));
        out->class_names = icseg_class_list_synonyms(*list);
        out->class_count = (size_t)icseg_class_list_count(*list);
    }
    return ICSEG_OK;
}

icseg_status open_library_options(icseg_open_vocabulary_options *out, const open_options *o, icseg_class_list **list,
                                  icseg_templates **templates, icseg_arena *arena, icseg_error *error) {
    *out =
        (icseg_open_vocabulary_options){ICSEG_OPEN_VOCABULARY_OPTIONS_INIT, .vocabulary = o->vocab,
                                        .state_dict = o->state_dict,        .method = (icseg_open_method)o->method,
                                        .background = o->background,        .threshold = o->threshold,
                                        .logit_scale = o->logit_scale,      .config = activation_config(o->activation),
                                        .threads = thread_count()};
    TRY(cache_choose(&out->cache, o->cache, o->no_cache, arena, error));
    TRY(read_classes(out, o, list, arena, error));
    TRY(icseg_templates_open(templates, o->templates, error));
    out->templates = icseg_templates_list(*templates);
    out->template_count = icseg_templates_count(*templates);
    return ICSEG_OK;
}

void open_describe(const icseg_model *model, icseg_printer *printer) {
    const icseg_open_vocabulary_info *info = icseg_model_open_vocabulary_info(model);
    for (const char *line = info ? info->summary : ""; *line; line += strcspn(line, "\n") + 1)
        icseg_printer_note(printer, "%.*s", (int)strcspn(line, "\n"), line);
}

icseg_status open_model(icseg_model **out, const open_options *o, const char *weights, const char *const *names,
                        size_t count, const icseg_command_context *context, icseg_error *error) {
    icseg_open_vocabulary_options options;
    icseg_class_list *list = NULL;
    icseg_templates *templates = NULL;
    icseg_status status;
    TRY_GOTO(open_library_options(&options, o, &list, &templates, context->arena, error));
    options.weights = weights;
    if (names) {
        options.class_names = names;
        options.class_count = count;
    }
    TRY_GOTO(icseg_model_open_vocabulary(out, &options, &context->progress, error));
    open_describe(*out, context->printer);
done:
    icseg_class_list_close(&list);
    icseg_templates_close(&templates);
    return status;
}

icseg_status open_either(icseg_model **out, const open_options *o, const char *path,
                         const icseg_command_context *context, icseg_error *error) {
    return open_given(o) ? open_model(out, o, path, NULL, 0, context, error) : icseg_model_open(out, path, error);
}

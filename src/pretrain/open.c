/* SPDX-License-Identifier: Apache-2.0
 * Opens what a run of pretraining consists of. */
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "base/system.h"
#include "model/model.h"
#include "pretrain/run.h"
#include "train/initial.h"

enum { LOADER_AHEAD = 2, MANY_CORES = 8 };

/* Opens the pairs that a path names, and says how many there are and what was left out. */
static icseg_status open_source(const icseg_pretraining *r, const char *path, const char *kind, icseg_pair_source **out,
                                icseg_error *error) {
    icseg_string left = {0};
    ICSEG_TRY(icseg_pair_source_open(out, path, error));
    icseg_progress_say(&r->progress, ICSEG_MESSAGE_INFO, "%s: %lld %s%s", path, (long long)(*out)->count, kind,
                       icseg_plural((*out)->count, "pair", "pairs"));
    icseg_pair_left_out_print(&(*out)->left_out, &left);
    if (left.size && !left.failed)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_WARNING, "%s: left out: %s", path, left.data);
    icseg_string_close(&left);
    return ICSEG_OK;
}

/* A step selects pairs by their position, so that the names of all of them matter. */
static icseg_status hash_names(const icseg_pair_source *source, char out[24], icseg_error *error) {
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    icseg_string name = {0};
    for (int64_t i = 0; i < source->count && !name.failed; i++) {
        name.size = 0;
        source->describe(source, i, &name);
        const char *base = name.failed ? "" : icseg_path_name(name.data);
        do hash = (hash ^ (unsigned char)*base) * 1099511628211u;
        while (*base++);
    }
    bool failed = name.failed;
    icseg_string_close(&name);
    snprintf(out, 24, "%016" PRIx64, hash);
    return failed ? icseg_fail_memory(error, 0, "the names of the pairs") : ICSEG_OK;
}

static icseg_status open_pairs(icseg_pretraining *r, icseg_error *error) {
    const char *val = r->recipe->pretrain.val_pairs;
    ICSEG_TRY(open_source(r, r->recipe->pretrain.pairs, "", &r->train, error));
    ICSEG_TRY(hash_names(r->train, r->pairs, error));
    if (val[0]) return open_source(r, val, "held-out ", &r->val, error);
    icseg_progress_say(&r->progress, ICSEG_MESSAGE_WARNING,
                       "pretrain.val_pairs is not set: the encoders are not evaluated");
    return ICSEG_OK;
}

static icseg_status open_towers(icseg_pretraining *r, icseg_error *error) {
    const icseg_recipe_settings *s = r->recipe;
    icseg_config config = s->model;
    icseg_towers_options options = {.batch = s->pretrain.batch,
                                    .chunk = s->pretrain.chunk ? s->pretrain.chunk : s->pretrain.batch,
                                    .precision = icseg_precision_here(s->pretrain.precision),
                                    .memory = s->pretrain.memory,
                                    .freeze_image = s->pretrain.freeze_image,
                                    .freeze_text = s->pretrain.freeze_text};
    icseg_adamw_options adamw = {.weight_decay = s->pretrain.weight_decay,
                                 .beta1 = s->pretrain.betas[0],
                                 .beta2 = s->pretrain.betas[1],
                                 .eps = s->pretrain.eps,
                                 .backbone_lr_mult = 1};
    if (s->pretrain.precision == ICSEG_PRECISION_BF16 && options.precision == ICSEG_PRECISION_F32)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_WARNING,
                           "bf16: this processor has none of AVX512_BF16, AMX_BF16 and the bf16 of ARM; f32 is used");
    ICSEG_TRY(icseg_tokenizer_open_sized(&r->tokenizer, s->tokenizer, s->merges[0] ? s->merges : NULL,
                                         config.vocab_size, error));
    ICSEG_TRY(icseg_towers_open(&r->towers, &config, &options, error));
    icseg_params_initialise(icseg_towers_params(r->towers), (uint64_t)s->pretrain.seed);
    return icseg_adamw_open(&r->adamw, icseg_towers_params(r->towers), &adamw, error);
}

static icseg_status load_initial(icseg_pretraining *r, icseg_error *error) {
    const char *path = r->recipe->init, *set = r->recipe->init_weights;
    icseg_weights_report report = {0};
    icseg_status status =
        icseg_weights_init_clip(icseg_towers_clip(r->towers), path, set[0] ? set : NULL, &report, error);
    if (status == ICSEG_OK)
        icseg_initial_say(&r->progress, path, icseg_params_count(icseg_towers_params(r->towers)), &report);
    else
        icseg_initial_name_key(error);
    icseg_weights_report_close(&report);
    return status;
}

static icseg_status load_weights(icseg_pretraining *r, bool resume, icseg_error *error) {
    icseg_params *params = icseg_towers_params(r->towers);
    bool found = false;
    if (resume) ICSEG_TRY(icseg_pretraining_load(r, &found, error));
    r->saved = found;
    if (found)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_INFO, "%s: resumes after step %lld of %d", r->folder.path,
                           (long long)r->step, (int)r->recipe->pretrain.steps);
    else if (resume)
        icseg_progress_say(&r->progress, ICSEG_MESSAGE_INFO,
                           "%s: does not contain a run to resume; training starts at the first step", r->folder.path);
    if (!found && r->recipe->init[0]) {
        ICSEG_TRY(icseg_recipe_check_init(r->recipe_copy, error));
        ICSEG_TRY(load_initial(r, error));
    }
    ICSEG_TRY(icseg_params_load(params, error));
    return icseg_params_allocate_gradients(params, error);
}

static int64_t count_trained(const icseg_params *params) {
    int64_t count = 0;
    for (int64_t i = 0; i < icseg_params_count(params); i++) {
        const icseg_param *p = icseg_params_at(params, i);
        if (p->options.trainable) count += p->count;
    }
    return count;
}

static icseg_status open_log(icseg_pretraining *r, icseg_error *error) {
    const icseg_recipe_settings *s = r->recipe;
    const char *path = icseg_run_path(&r->folder, "log.jsonl");
    if (!path) return icseg_fail_memory_in(error, 0, r->folder.path);
    ICSEG_TRY(icseg_log_writer_open(&r->log, path, r->step + 1, error));
    if (icseg_log_writer_started(r->log)) return ICSEG_OK;
    icseg_log_start start = {.data = s->pretrain.pairs,
                             .recipe = r->recipe_copy->name,
                             .parameters = count_trained(icseg_towers_params(r->towers)),
                             .steps = s->pretrain.steps,
                             .threads = r->threads,
                             .batch = s->pretrain.batch};
    return icseg_run_log_start(r->log, start, error);
}

/* The run can then be resumed from any folder. */
static icseg_status make_places_absolute(icseg_pretraining *r, icseg_error *error) {
    icseg_recipe_settings *absolute = icseg_arena_copy(r->arena, r->recipe, sizeof *r->recipe);
    if (!absolute) return icseg_fail_memory(error, sizeof *absolute, "the recipe");
    const char **const places[] = {&absolute->pretrain.pairs, &absolute->pretrain.val_pairs, &absolute->merges};
    ICSEG_TRY(icseg_run_make_absolute(&r->folder, places, sizeof places / sizeof *places, error));
    r->recipe = absolute;
    return ICSEG_OK;
}

icseg_status icseg_pretraining_open_loader(icseg_pretraining *r, icseg_error *error) {
    const icseg_recipe_settings *s = r->recipe;
    int32_t threads = s->pretrain.loader_threads;
    if (threads == 0) threads = icseg_cores() < MANY_CORES ? 1 : 2;
    icseg_pair_loader_options options = {.crop = {.scale_min = s->pretrain.crop_scale[0],
                                                  .scale_max = s->pretrain.crop_scale[1],
                                                  .flip = s->pretrain.flip,
                                                  .side = (int32_t)icseg_clip_side(&s->model)},
                                         .tokenizer = r->tokenizer,
                                         .context_length = s->model.context_length,
                                         .batch = s->pretrain.batch,
                                         .threads = threads,
                                         .ahead = LOADER_AHEAD,
                                         .broken = s->pretrain.broken,
                                         .seed = (uint64_t)s->pretrain.seed,
                                         .first_step = r->step};
    return icseg_pair_loader_open(&r->loader, r->train, &options, error);
}

icseg_status icseg_pretraining_open(icseg_pretraining *r, bool resume, icseg_error *error) {
    if (!resume) ICSEG_TRY(icseg_recipe_check_init(r->recipe_copy, error)); /* before anything is written */
    ICSEG_TRY(icseg_run_folder_open(&r->folder, resume, error));
    ICSEG_TRY(open_pairs(r, error));
    ICSEG_TRY(open_towers(r, error));
    ICSEG_TRY(load_weights(r, resume, error));
    ICSEG_TRY(icseg_pretraining_open_loader(r, error));
    ICSEG_TRY(make_places_absolute(r, error));
    ICSEG_TRY(icseg_run_write_recipe(&r->folder, r->recipe, ICSEG_RECIPE_PRETRAIN, error));
    ICSEG_TRY(open_log(r, error));
    return icseg_run_open_events(&r->folder, &r->recipe->pretrain.events, r->step + 1, &r->events, error);
}

void icseg_pretraining_close(icseg_pretraining *r) {
    icseg_pair_loader_close(&r->loader);
    icseg_log_writer_close(&r->log);
    icseg_event_file_close(&r->events);
    icseg_adamw_close(&r->adamw);
    icseg_towers_close(&r->towers);
    icseg_tokenizer_close(&r->tokenizer);
    icseg_pair_source_close(&r->train);
    icseg_pair_source_close(&r->val);
    icseg_run_folder_close(&r->folder);
    icseg_recipe_close(&r->recipe_copy);
    icseg_arena_close(&r->arena);
}

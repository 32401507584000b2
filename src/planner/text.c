/* SPDX-License-Identifier: Apache-2.0
 * A plan as a table and as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "planner/planner.h"

enum { SIZE_TEXT = 32 };

static const char *size_text(char out[SIZE_TEXT], size_t bytes) {
    double mib = (double)bytes / (1 << 20);
    if (bytes == SIZE_MAX)
        snprintf(out, SIZE_TEXT, "unknown");
    else if (mib < 10240)
        snprintf(out, SIZE_TEXT, "%.1f MiB", mib);
    else
        snprintf(out, SIZE_TEXT, "%.1f GiB", mib / 1024);
    return out;
}

static const char *time_text(char out[SIZE_TEXT], double seconds) {
    if (seconds < 120)
        snprintf(out, SIZE_TEXT, "%.3g s", seconds);
    else if (seconds < 2 * 3600)
        snprintf(out, SIZE_TEXT, "%.0f min", seconds / 60);
    else
        snprintf(out, SIZE_TEXT, "%.1f h", seconds / 3600);
    return out;
}

static void put_size(icseg_string *s, const char *name, size_t bytes, const char *note) {
    char text[SIZE_TEXT];
    icseg_string_printf(s, "  %-28s %12s%s%s\n", name, size_text(text, bytes), note[0] ? "  " : "", note);
}

static void put_fit(icseg_string *s, size_t available, bool fits) {
    put_size(s, "available here", available, fits ? "fits" : "DOES NOT FIT");
}

static void put_memory(icseg_string *s, const icseg_plan_figures *f) {
    icseg_string_printf(s, "Memory\n");
    put_size(s, "weights", f->weights, "");
    put_size(s, "gradients", f->gradients, "");
    put_size(s, "optimiser", f->optimiser, "");
    put_size(s, "copies of weights", f->copies, "");
    put_size(s, "activations", f->activations, "");
    put_size(s, "loader", f->loader, "");
    put_size(s, "evaluation and report", f->evaluation, "");
    put_size(s, "program and libraries", f->rest, "");
    put_size(s, "together", f->memory, "");
    put_fit(s, f->memory_available, f->memory_fits);
}

static void put_disk(icseg_string *s, const icseg_plan_figures *f) {
    icseg_string_printf(s, "\nDisk space\n");
    put_size(s, "checkpoint.safetensors", f->checkpoint, "");
    put_size(s, "best.safetensors", f->best, "");
    put_size(s, "log and recipe", f->log, "");
    put_size(s, "report and evaluation", f->report, "");
    put_size(s, "together", f->disk, "");
    put_size(s, "while a checkpoint is written", f->disk_peak, "");
    put_fit(s, f->disk_available, f->disk_fits);
}

static void put_time(icseg_string *s, const char *name, int64_t count, double seconds, const char *note) {
    char each[SIZE_TEXT], all[SIZE_TEXT];
    if (count)
        icseg_string_printf(s, "  %-28s %12s  x %lld = %s%s\n", name, time_text(each, seconds), (long long)count,
                            time_text(all, seconds * (double)count), note);
    else
        icseg_string_printf(s, "  %-28s %12s%s\n", name, time_text(each, seconds), note);
}

static void put_times(icseg_string *s, const icseg_plan_figures *f) {
    icseg_string_printf(s, "\nTime, with %d %s\n", (int)f->threads, f->threads == 1 ? "thread" : "threads");
    if (!f->measured) {
        icseg_string_printf(s, "  not measured%s\n", f->memory_fits ? "" : ", because the memory does not suffice");
        return;
    }
    put_time(s, "step", f->steps, f->step_seconds, "");
    if (f->image_seconds > 0) put_time(s, "of that, reading an image", 0, f->image_seconds, "  (in another thread)");
    if (f->evaluation_seconds > 0) put_time(s, "evaluation", f->evaluations, f->evaluation_seconds, "");
    put_time(s, "checkpoint", f->saves, f->save_seconds, "");
    put_time(s, "together", 0, f->total_seconds, f->evaluation_seconds > 0 ? "" : ", and evaluations more");
}

static void put_advice(icseg_string *s, const icseg_run_plan *plan) {
    char text[SIZE_TEXT];
    const icseg_plan_figures *f = &plan->figures;
    if (!f->memory_fits)
        icseg_string_printf(s, f->advice_count ? "\nTo make it fit into memory\n"
                                               : "\nNo change of the recipe that was tried saves memory.\n");
    for (int32_t i = 0; i < f->advice_count; i++) {
        const icseg_plan_advice *a = &plan->advice[i];
        icseg_string_printf(s, "  %s\n      %s%s; %s\n", a->change, size_text(text, a->memory),
                            a->fits ? ", which fits" : ", which is still too much", a->effect);
    }
    if (!f->disk_fits)
        icseg_string_printf(s, "\nFree %s on the disk, or put the run on another one.\n",
                            size_text(text, f->disk_peak - f->disk_available));
}

/* -- JSON */

static json_t *size_value(size_t bytes) { return bytes > INT64_MAX ? json_null() : json_integer((json_int_t)bytes); }

static json_t *advice_value(const icseg_run_plan *plan) {
    json_t *list = json_array();
    for (int32_t i = 0; i < plan->figures.advice_count; i++) {
        const icseg_plan_advice *a = &plan->advice[i];
        json_t *entry = json_pack("{s:s, s:s, s:I, s:b}", "change", a->change, "effect", a->effect, "memory",
                                  (json_int_t)a->memory, "fits", (int)a->fits);
        if (!entry || !list || json_array_append_new(list, entry) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool put_numbers(json_t *root, const icseg_plan_figures *f) {
    const struct {
        const char *name;
        size_t bytes;
    } sizes[] = {{"memory", f->memory},
                 {"weights", f->weights},
                 {"gradients", f->gradients},
                 {"optimiser", f->optimiser},
                 {"copies", f->copies},
                 {"activations", f->activations},
                 {"loader", f->loader},
                 {"evaluation", f->evaluation},
                 {"rest", f->rest},
                 {"disk", f->disk},
                 {"checkpoint", f->checkpoint},
                 {"best", f->best},
                 {"log", f->log},
                 {"report", f->report},
                 {"disk_peak", f->disk_peak},
                 {"memory_available", f->memory_available},
                 {"disk_available", f->disk_available}};
    const struct {
        const char *name;
        double seconds;
    } times[] = {{"step_seconds", f->step_seconds},
                 {"image_seconds", f->image_seconds},
                 {"evaluation_seconds", f->evaluation_seconds},
                 {"save_seconds", f->save_seconds},
                 {"total_seconds", f->total_seconds},
                 {"flops", f->flops}};
    const struct {
        const char *name;
        int64_t count;
    } counts[] = {{"steps", f->steps}, {"evaluations", f->evaluations}, {"saves", f->saves}, {"threads", f->threads}};
    bool complete = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        complete &= json_object_set_new(root, sizes[i].name, size_value(sizes[i].bytes)) == 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        complete &= json_object_set_new(root, times[i].name,
                                        f->measured || !strcmp(times[i].name, "flops") ? json_real(times[i].seconds)
                                                                                       : json_null()) == 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        complete &= json_object_set_new(root, counts[i].name, json_integer((json_int_t)counts[i].count)) == 0;
    complete &= json_object_set_new(root, "memory_fits", json_boolean(f->memory_fits)) == 0;
    complete &= json_object_set_new(root, "disk_fits", json_boolean(f->disk_fits)) == 0;
    return complete & (json_object_set_new(root, "measured", json_boolean(f->measured)) == 0);
}

static void put_json(icseg_string *s, const icseg_run_plan *plan) {
    json_t *root = json_object();
    bool complete =
        root && put_numbers(root, &plan->figures) && json_object_set_new(root, "advice", advice_value(plan)) == 0;
    if (complete)
        icseg_json_append(s, root, JSON_COMPACT);
    else
        s->failed = true;
    json_decref(root);
}

icseg_status icseg_run_plan_text(const icseg_run_plan *plan, icseg_plan_form form, char **out, icseg_error *error) {
    icseg_string s = {0};
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(plan);
    if ((int)form < 0 || form >= ICSEG_PLAN_FORMS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "form", ICSEG_REMEDY_SET_FIELD,
                                "form is %d: not a value of icseg_plan_form", (int)form);
    if (form == ICSEG_PLAN_TABLE) {
        put_memory(&s, &plan->figures);
        put_disk(&s, &plan->figures);
        put_times(&s, &plan->figures);
        put_advice(&s, plan);
    } else {
        put_json(&s, plan);
        icseg_string_printf(&s, "\n");
    }
    if (s.failed) {
        icseg_string_close(&s);
        return icseg_fail_memory(error, 0, "the plan");
    }
    *out = s.data;
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * Reads the results of runs and writes the table of a sweep. */
#include "sweep_table.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "icseg/file.h"
#include "icseg/tensor_file.h"
#include "json.h"
#include "support.h"

static const char *const states[] = {"waiting", "unfinished", "running", "done", "failed", "stopped"};

/* ---- reading ---- */

static double number_in(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static int64_t step_in(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : 0;
}

static void take_line(sweep_result *out, const json_t *line) {
    const char *type = json_string_value(json_object_get(line, "type"));
    if (!type) return;
    if (!strcmp(type, "start")) out->steps = step_in(line, "steps");
    if (!strcmp(type, "step")) {
        out->step = step_in(line, "step");
        out->seconds = number_in(line, "seconds");
        out->peak_mib = number_in(line, "peak_mib");
    }
    if (!strcmp(type, "eval")) {
        out->miou = number_in(line, "miou");
        out->macc = number_in(line, "macc");
        out->aacc = number_in(line, "aacc");
        if (isnan(out->best_miou) || out->miou > out->best_miou) {
            out->best_miou = out->miou;
            out->best_step = step_in(line, "step");
        }
    }
}

/* A line that a killed process has cut is left out. */
static void read_log(sweep_result *out, const char *folder) {
    char path[PATH_MAX + 32], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/log.jsonl", folder);
    FILE *file = fopen(path, "re");
    if (!file) return;
    while (getline(&text, &size, file) > 0) {
        json_t *line = json_loads(text, 0, NULL);
        take_line(out, line);
        json_decref(line);
    }
    free(text);
    (void)fclose(file);
}

/* The checkpoint tells whether the run is done: its last evaluation is logged before it is saved. */
static bool is_done(const char *path, int64_t steps) {
    icseg_tensor_file *file;
    icseg_tensor_metadata texts = {ICSEG_TENSOR_METADATA_INIT};
    bool done = false;
    if (icseg_tensor_file_open(&file, path, NULL) != ICSEG_OK) return false;
    if (icseg_tensor_file_metadata(file, &texts, NULL) != ICSEG_OK) texts.count = 0;
    for (size_t i = 0; i < texts.count; i++) {
        if (strcmp(texts.keys[i], "icseg.state") != 0) continue;
        json_t *state = json_loads(texts.values[i], 0, NULL);
        bool ended = step_in(state, "step") == steps || json_is_true(json_object_get(state, "stopped_early"));
        done = steps > 0 && ended && json_is_false(json_object_get(state, "eval_pending"));
        json_decref(state);
    }
    icseg_tensor_file_close(&file);
    return done;
}

void sweep_result_read(sweep_result *out, const char *folder) {
    char path[PATH_MAX + 32];
    *out = (sweep_result){.miou = NAN, .macc = NAN, .aacc = NAN, .best_miou = NAN, .seconds = NAN, .peak_mib = NAN};
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder);
    read_log(out, folder);
    if (file_exists(path)) out->state = is_done(path, out->steps) ? SWEEP_DONE : SWEEP_UNFINISHED;
}

/* ---- CSV ---- */

static void append_field(icseg_string *out, const char *text) {
    if (out->size && out->data[out->size - 1] != '\n') icseg_string_append(out, ",", 1);
    if (!text[strcspn(text, ",\"\n\r")]) {
        icseg_string_printf(out, "%s", text);
        return;
    }
    icseg_string_append(out, "\"", 1);
    for (const char *c = text; *c; c++) icseg_string_printf(out, *c == '"' ? "\"\"" : "%c", *c);
    icseg_string_append(out, "\"", 1);
}

static void append_number(icseg_string *out, double value) {
    char text[ICSEG_NUMBER_SIZE] = "";
    if (!isnan(value)) icseg_text_shortest(text, value);
    append_field(out, text);
}

static void append_run(icseg_string *out, const sweep_plan *plan, const sweep_run *run, const sweep_result *result) {
    append_field(out, run->name);
    for (size_t k = 0; k < plan->key_count; k++) append_field(out, run->values[k]);
    append_field(out, states[result->state]);
    append_number(out, result->step ? (double)result->step : NAN);
    append_number(out, result->miou);
    append_number(out, result->best_miou);
    append_number(out, result->best_step ? (double)result->best_step : NAN);
    append_number(out, result->macc);
    append_number(out, result->aacc);
    append_number(out, result->seconds);
    append_number(out, result->peak_mib);
    append_field(out, result->message ? result->message : "");
    icseg_string_append(out, "\n", 1);
}

icseg_status sweep_table_write(const sweep_plan *plan, const sweep_result *results, const char *path,
                               icseg_error *error) {
    static const char *const columns[] = {"status", "steps", "miou",    "best_miou", "best_step",
                                          "macc",   "aacc",  "seconds", "peak_mib",  "message"};
    icseg_string text = {0};
    append_field(&text, "name");
    for (size_t k = 0; k < plan->key_count; k++) append_field(&text, plan->keys[k]);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) append_field(&text, columns[i]);
    icseg_string_append(&text, "\n", 1);
    for (size_t i = 0; i < plan->count; i++) append_run(&text, plan, &plan->runs[i], &results[i]);
    icseg_status status = text.failed ? out_of_memory(error) : icseg_file_write(path, text.data, text.size, error);
    icseg_string_close(&text);
    return status;
}

/* ---- means of the seeds ---- */

enum { MEANS = 4 };
static const char *const mean_names[MEANS] = {"miou", "best_miou", "macc", "aacc"};

typedef struct group_means {
    int32_t count;                        /* runs that are done */
    double mean[MEANS], deviation[MEANS]; /* deviation of a sample; NaN of one run */
} group_means;

/* Of the runs that are done among the seeds that begin at `first`. */
static group_means means_of(const sweep_plan *plan, const sweep_result *results, size_t first) {
    group_means m = {0};
    double sum[MEANS] = {0}, squares[MEANS] = {0};
    for (int pass = 0; pass < 2; pass++) {
        m.count = 0;
        for (size_t i = first; i < first + plan->seeds; i++) {
            const sweep_result *r = &results[i];
            const double value[MEANS] = {r->miou, r->best_miou, r->macc, r->aacc};
            if (r->state != SWEEP_DONE) continue;
            m.count++;
            for (int k = 0; k < MEANS && pass == 0; k++) sum[k] += value[k];
            for (int k = 0; k < MEANS && pass == 1; k++) squares[k] += (value[k] - m.mean[k]) * (value[k] - m.mean[k]);
        }
        for (int k = 0; k < MEANS; k++) m.mean[k] = sum[k] / m.count;
    }
    for (int k = 0; k < MEANS; k++) m.deviation[k] = m.count > 1 ? sqrt(squares[k] / (m.count - 1)) : NAN;
    return m;
}

static const char *group_name(const sweep_run *run) { return *run->group ? run->group : "all"; }

/* ---- text ---- */

static void print_share(double value) {
    if (isnan(value))
        printf("  %6s", "-");
    else
        printf("  %6.2f", 100 * value);
}

static void print_result(const sweep_result *r, const char *name, int width) {
    char time[32] = "-", memory[32] = "-";
    long s = isnan(r->seconds) ? 0 : lround(r->seconds);
    if (!isnan(r->seconds)) snprintf(time, sizeof time, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    if (!isnan(r->peak_mib)) snprintf(memory, sizeof memory, "%.0f", r->peak_mib);
    printf("%-*s  %8lld", width, name, (long long)r->step);
    print_share(r->miou);
    print_share(r->best_miou);
    print_share(r->macc);
    print_share(r->aacc);
    printf("  %9s  %6s  %s\n", time, memory, states[r->state]);
}

static void print_mean(double mean, double deviation) {
    char text[48] = "-";
    if (!isnan(deviation))
        snprintf(text, sizeof text, "%.2f +- %.2f", 100 * mean, 100 * deviation);
    else if (!isnan(mean))
        snprintf(text, sizeof text, "%.2f", 100 * mean);
    printf("  %15s", text);
}

static void print_means(const sweep_plan *plan, const sweep_result *results, int width) {
    printf("\n%-*s  %5s  %15s  %15s  %15s  %15s\n", width, "Mean +- standard deviation", "Seeds", "mIoU", "Best mIoU",
           "mAcc", "aAcc");
    for (size_t i = 0; i < plan->count; i += plan->seeds) {
        group_means m = means_of(plan, results, i);
        printf("%-*s  %5d", width, group_name(&plan->runs[i]), (int)m.count);
        for (int k = 0; k < MEANS; k++) print_mean(m.mean[k], m.deviation[k]);
        putchar('\n');
    }
}

static int name_width(const sweep_plan *plan, size_t least) {
    size_t width = least;
    for (size_t i = 0; i < plan->count; i++)
        if (strlen(plan->runs[i].name) > width) width = strlen(plan->runs[i].name);
    return (int)width;
}

void sweep_table_print(const sweep_plan *plan, const sweep_result *results) {
    int width = name_width(plan, plan->seeds > 1 ? strlen("Mean +- standard deviation") : 4);
    printf("%-*s  %8s  %6s  %6s  %6s  %6s  %9s  %6s  %s\n", width, "Run", "Steps", "mIoU", "Best", "mAcc", "aAcc",
           "Time", "MiB", "Status");
    for (size_t i = 0; i < plan->count; i++) print_result(&results[i], plan->runs[i].name, width);
    if (plan->seeds > 1) print_means(plan, results, width);
}

/* Values come from files; control characters must not reach the terminal. */
static void print_setting(const char *key, const char *value) {
    printf("  %s=", key);
    for (const char *c = value; *c; c++) putchar((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c);
}

void sweep_plan_print(const sweep_plan *plan, const sweep_result *results) {
    int width = name_width(plan, 4);
    for (size_t i = 0; i < plan->count; i++) {
        const sweep_run *run = &plan->runs[i];
        printf("%-*s  %-10s", width, run->name, states[results[i].state]);
        for (size_t k = 0; k < plan->key_count; k++) print_setting(plan->keys[k], run->values[k]);
        putchar('\n');
    }
}

/* ---- JSON ---- */

static json_t *json_number(double value) { return isnan(value) ? json_null() : json_real(value); }
static json_t *json_step(int64_t step) { return step ? json_integer((json_int_t)step) : json_null(); }

static json_t *json_run(const sweep_plan *plan, const sweep_run *run, const sweep_result *r, bool *failed) {
    json_t *settings = json_object();
    for (size_t k = 0; k < plan->key_count; k++)
        *failed |= json_object_set_new(settings, plan->keys[k], json_text(run->values[k])) != 0;
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", run->name, "settings",
                     settings, "status", states[r->state], "steps", json_step(r->step), "miou", json_number(r->miou),
                     "best_miou", json_number(r->best_miou), "best_step", json_step(r->best_step), "macc",
                     json_number(r->macc), "aacc", json_number(r->aacc), "seconds", json_number(r->seconds), "peak_mib",
                     json_number(r->peak_mib), "message", r->message ? json_text(r->message) : json_null());
}

static json_t *json_means(const sweep_plan *plan, const sweep_result *results, size_t first, bool *failed) {
    group_means m = means_of(plan, results, first);
    json_t *out = json_pack("{s:s, s:i}", "name", group_name(&plan->runs[first]), "seeds", (int)m.count);
    for (int k = 0; k < MEANS; k++)
        *failed |= json_object_set_new(out, mean_names[k],
                                       json_pack("{s:o, s:o}", "mean", json_number(m.mean[k]), "deviation",
                                                 json_number(m.deviation[k]))) != 0;
    return out;
}

icseg_status sweep_table_print_json(const sweep_plan *plan, const sweep_result *results, icseg_error *error) {
    icseg_string text = {0};
    bool failed = false;
    json_t *runs = json_array(), *means = json_array();
    for (size_t i = 0; i < plan->count; i++)
        json_add(runs, json_run(plan, &plan->runs[i], &results[i], &failed), &failed);
    for (size_t i = 0; i < plan->count && plan->seeds > 1; i += plan->seeds)
        json_add(means, json_means(plan, results, i, &failed), &failed);
    json_t *root = json_pack("{s:o, s:o, s:o}", "out", json_text(plan->out), "runs", runs, "means", means);
    TRY(json_finish(root, failed, JSON_COMPACT | JSON_REAL_PRECISION(9), &text, error));
    puts(text.data);
    icseg_string_close(&text);
    return ICSEG_OK;
}

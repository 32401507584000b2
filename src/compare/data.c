/* SPDX-License-Identifier: Apache-2.0
 * A comparison as data: JSON and CSV. Numbers are fractions. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "compare/comparison.h"
#include "text/utf8.h"

/* -- JSON */

/* A path that is not UTF-8 becomes null. */
static json_t *json_name(const char *text) {
    return icseg_utf8_check(text, strlen(text)) == strlen(text) ? json_string(text) : json_null();
}

/* Adds a value to a list or, with a key, to an object, and takes ownership of it. */
static void add(json_t *to, const char *key, json_t *value, bool *failed) {
    *failed |= (key ? json_object_set_new(to, key, value) : json_array_append_new(to, value)) != 0;
}

static json_t *json_run(const icseg_run_comparison *c, const icseg_compared_run *run, bool *failed) {
    json_t *out = json_object(), *iou = json_array();
    add(out, "path", json_name(run->path), failed);
    add(out, "seed", json_name(run->seed), failed);
    add(out, "step", run->results.step < 0 ? json_null() : json_integer(run->results.step), failed);
    for (int s = 0; s < ICSEG_SCORE_MEANS; s++)
        add(out, icseg_score_keys[s], icseg_json_number(run->scores[s]), failed);
    for (int32_t k = 0; k < c->classes; k++)
        add(iou, NULL, icseg_json_number(run->scores[ICSEG_SCORE_MEANS + k]), failed);
    add(out, "iou", iou, failed);
    return out;
}

static json_t *json_range(double value, const icseg_score_range *range, bool difference, bool *failed) {
    json_t *out = json_object();
    add(out, difference ? "value" : "mean", icseg_json_number(value), failed);
    add(out, "low", icseg_json_number(range->low), failed);
    add(out, "high", icseg_json_number(range->high), failed);
    if (difference) add(out, "above", icseg_json_number(range->above), failed);
    return out;
}

static json_t *json_scores(const icseg_run_comparison *c, const icseg_compared_group *group, bool difference,
                           bool *failed) {
    json_t *out = json_object(), *iou = json_array();
    const icseg_score_range *range = difference ? group->difference : group->range;
    const double *deviation = difference ? group->paired_deviation : group->deviation;
    for (size_t s = 0; s < icseg_score_count(c->classes); s++) {
        double value = difference ? group->mean[s] - c->groups[0].mean[s] : group->mean[s];
        json_t *score = json_range(value, &range[s], difference, failed);
        if (s >= ICSEG_SCORE_MEANS) {
            add(iou, NULL, score, failed);
            continue;
        }
        bool known = !difference || group->paired > 1;
        add(score, "deviation", icseg_json_number(known ? deviation[s] : (double)NAN), failed);
        add(out, icseg_score_keys[s], score, failed);
    }
    add(out, "iou", iou, failed);
    return out;
}

static json_t *json_images(const icseg_compared_group *group, bool *failed) {
    json_t *out = json_array();
    for (int32_t i = 0; i < group->image_count; i++) {
        const icseg_compared_image *image = &group->images[i];
        json_t *entry = json_object();
        add(entry, "image", json_name(image->name), failed);
        add(entry, "baseline", icseg_json_number(image->baseline), failed);
        add(entry, "value", icseg_json_number(image->value), failed);
        add(entry, "difference", icseg_json_number(image->difference), failed);
        add(out, NULL, entry, failed);
    }
    return out;
}

static json_t *json_group(const icseg_run_comparison *c, int32_t g, bool *failed) {
    const icseg_compared_group *group = &c->groups[g];
    json_t *out = json_object(), *runs = json_array(), *settings = json_object();
    char letter[] = {icseg_compare_letter(g), '\0'};
    for (int32_t i = 0; i < group->count; i++) add(runs, NULL, json_run(c, group->run[i], failed), failed);
    for (size_t k = 0; k < c->key_count; k++)
        add(settings, c->keys[k], json_name(icseg_compare_setting(c, g, k)), failed);
    add(out, "letter", json_string(letter), failed);
    add(out, "name", json_name(group->name), failed);
    add(out, "settings", settings, failed);
    add(out, "runs", runs, failed);
    add(out, "scores", json_scores(c, group, false, failed), failed);
    add(out, "difference", group->difference ? json_scores(c, group, true, failed) : json_null(), failed);
    add(out, "paired_seeds", json_integer(group->paired), failed);
    add(out, "images", json_images(group, failed), failed);
    return out;
}

icseg_status icseg_compare_json(icseg_string *out, const icseg_run_comparison *c, icseg_error *error) {
    bool failed = false;
    json_t *root = json_object(), *classes = json_array(), *groups = json_array();
    for (int32_t k = 0; k < c->classes; k++) add(classes, NULL, json_name(c->class_names[k]), &failed);
    for (int32_t g = 0; g < c->group_count; g++) add(groups, NULL, json_group(c, g, &failed), &failed);
    add(root, "images", json_integer(c->images), &failed);
    add(root, "resamples", json_integer(c->resamples), &failed);
    add(root, "seed", json_integer(c->seed), &failed);
    add(root, "classes", classes, &failed);
    add(root, "groups", groups, &failed);
    if (!failed) icseg_json_append(out, root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    icseg_string_append(out, "\n", 1);
    json_decref(root);
    return failed ? icseg_fail_memory(error, 0, "the comparison") : ICSEG_OK;
}

/* -- CSV */

static void put_field(icseg_string *out, const char *text) {
    if (out->size && out->data[out->size - 1] != '\n') icseg_string_append(out, ",", 1);
    if (!text[strcspn(text, ",\"\n\r")]) {
        icseg_string_append(out, text, strlen(text));
        return;
    }
    icseg_string_append(out, "\"", 1);
    for (const char *c = text; *c; c++) icseg_string_append(out, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    icseg_string_append(out, "\"", 1);
}

/* Nothing where a number is undefined. */
static void put_number(icseg_string *out, double value) {
    char text[ICSEG_NUMBER_SIZE] = "";
    if (!isnan(value)) icseg_text_printf(text, sizeof text, "%.9g", value);
    put_field(out, text);
}

static void put_row(icseg_string *out, const icseg_run_comparison *c, int32_t g, size_t s) {
    const icseg_compared_group *group = &c->groups[g];
    const icseg_score_range unknown = {(double)NAN, (double)NAN, (double)NAN};
    const icseg_score_range *difference = group->difference ? &group->difference[s] : &unknown;
    bool mean = s < ICSEG_SCORE_MEANS;
    char letter[] = {icseg_compare_letter(g), '\0'};
    put_field(out, letter);
    put_field(out, group->name);
    put_number(out, group->count);
    put_field(out, mean ? icseg_score_keys[s] : "iou");
    put_field(out, mean ? "" : c->class_names[s - ICSEG_SCORE_MEANS]);
    put_number(out, group->mean[s]);
    put_number(out, mean ? group->deviation[s] : (double)NAN);
    put_number(out, group->range[s].low);
    put_number(out, group->range[s].high);
    put_number(out, group->difference ? group->mean[s] - c->groups[0].mean[s] : (double)NAN);
    put_number(out, mean && group->paired > 1 ? group->paired_deviation[s] : (double)NAN);
    put_number(out, difference->low);
    put_number(out, difference->high);
    put_number(out, difference->above);
    icseg_string_append(out, "\n", 1);
}

void icseg_compare_csv(icseg_string *out, const icseg_run_comparison *c) {
    icseg_string_printf(out, "group,name,runs,score,class,mean,deviation,low,high,difference,difference_deviation,"
                             "difference_low,difference_high,above\n");
    for (int32_t g = 0; g < c->group_count; g++)
        for (size_t s = 0; s < icseg_score_count(c->classes); s++) put_row(out, c, g, s);
}

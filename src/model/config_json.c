/* SPDX-License-Identifier: Apache-2.0
 * A model's configuration as JSON, in the form of the reference's json.dumps(asdict(config)). */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/argument.h"
#include "base/json.h"
#include "base/text.h"
#include "model/config.h"

static const char *json_kind(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a floating-point number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    default: return "null";
    }
}

static icseg_status wrong_kind(icseg_error *error, const char *key, const json_t *value, const char *expected) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "config: \"%s\" is %s; expected %s", key, json_kind(value), expected);
}

static icseg_status read_integer(const char *key, const json_t *value, int32_t *out, icseg_error *error) {
    if (!json_is_integer(value)) return wrong_kind(error, key, value, "an integer");
    json_int_t number = json_integer_value(value);
    if (number < INT32_MIN || number > INT32_MAX)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" = %lld does not fit into 32 bits", key,
                          (long long)number);
    *out = (int32_t)number;
    return ICSEG_OK;
}

static icseg_status read_list(const icseg_option *f, const json_t *value, int32_t *out, icseg_error *error) {
    if (!json_is_array(value)) return wrong_kind(error, f->key, value, "a list of integers");
    if (json_array_size(value) != (size_t)f->capacity)
        return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" has %zu values; expected %d", f->key,
                          json_array_size(value), (int)f->capacity);
    for (size_t i = 0; i < (size_t)f->capacity; i++)
        ICSEG_TRY(read_integer(f->key, json_array_get(value, i), &out[i], error));
    return ICSEG_OK;
}

static icseg_status read_word(const icseg_option *f, const json_t *value, int32_t *out, icseg_error *error) {
    char accepted[256];
    if (!json_is_string(value)) return wrong_kind(error, f->key, value, "a string");
    for (int32_t i = 0; f->words[i]; i++)
        if (!strcmp(json_string_value(value), f->words[i])) {
            *out = i;
            return ICSEG_OK;
        }
    icseg_option_describe(f, accepted, sizeof accepted);
    return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" = \"%.60s\" is not accepted; expected %s", f->key,
                      json_string_value(value), accepted);
}

static icseg_status read_strides(const icseg_option *f, const json_t *value, bool *out, icseg_error *error) {
    if (!json_is_array(value)) return wrong_kind(error, f->key, value, "a list of strides");
    bool found[ICSEG_LEVELS] = {false};
    for (size_t i = 0; i < json_array_size(value); i++) {
        int32_t stride = 0, level = 0;
        ICSEG_TRY(read_integer(f->key, json_array_get(value, i), &stride, error));
        while (level < ICSEG_LEVELS && icseg_strides[level] != stride) level++;
        if (level == ICSEG_LEVELS)
            return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" contains %d; the strides are 4, 8, 16 and 32",
                              f->key, stride);
        if (found[level])
            return icseg_fail(error, ICSEG_ERROR_CONFIG, "config: \"%s\" contains %d twice", f->key, stride);
        found[level] = true;
    }
    memcpy(out, found, sizeof found);
    return ICSEG_OK;
}

static icseg_status read_weights(const icseg_option *f, const json_t *value, double *out, icseg_error *error) {
    if (!json_is_object(value)) return wrong_kind(error, f->key, value, "an object of strides and weights");
    for (int level = 0; level < ICSEG_LEVELS; level++) {
        char stride[16];
        snprintf(stride, sizeof stride, "%d", icseg_strides[level]);
        const json_t *weight = json_object_get(value, stride);
        if (weight && !json_is_number(weight)) return wrong_kind(error, f->key, weight, "a number for each stride");
        out[level] = weight ? json_number_value(weight) : NAN;
    }
    return ICSEG_OK;
}

static icseg_status read_field(const icseg_option *f, const json_t *value, icseg_config *c, icseg_error *error) {
    void *at = (char *)c + f->offset;
    switch (f->type) {
    case ICSEG_OPTION_INT: return read_integer(f->key, value, at, error);
    case ICSEG_OPTION_INT_LIST: return read_list(f, value, at, error);
    case ICSEG_OPTION_WORD: return read_word(f, value, at, error);
    case ICSEG_OPTION_SET: return read_strides(f, value, at, error);
    case ICSEG_OPTION_KEYED: return read_weights(f, value, at, error);
    case ICSEG_OPTION_FLOAT:
        if (!json_is_number(value)) return wrong_kind(error, f->key, value, "a number");
        *(double *)at = json_number_value(value);
        return ICSEG_OK;
    default:
        if (!json_is_boolean(value)) return wrong_kind(error, f->key, value, "true or false");
        *(bool *)at = json_is_true(value);
        return ICSEG_OK;
    }
}

static icseg_status update(icseg_config *config, const char *json, icseg_error *error) {
    json_error_t problem;
    icseg_option_table table = icseg_config_table();
    json_t *root;
    ICSEG_TRY(icseg_json_parse(&root, json, strlen(json), JSON_REJECT_DUPLICATES, &problem, error));
    if (!root)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "config: not JSON: %s at byte %d", problem.text, problem.position);
    icseg_status status = ICSEG_OK;
    if (!json_is_object(root))
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "config: is %s; expected an object", json_kind(root));
    for (size_t i = 0; i < table.count && status == ICSEG_OK; i++) {
        const json_t *value = json_object_get(root, table.rows[i].key);
        if (value) status = read_field(&table.rows[i], value, config, error);
    }
    json_decref(root);
    return status == ICSEG_OK ? icseg_config_check(config, error) : status;
}

icseg_status icseg_config_update_json(icseg_config *config, const char *json, icseg_error *error) {
    icseg_config updated;
    ICSEG_NEED(config);
    ICSEG_NEED(json);
    ICSEG_TRY(icseg_config_read(&updated, config, error));
    ICSEG_TRY(update(&updated, json, error));
    return icseg_config_fill(config, &updated, error);
}

icseg_status icseg_config_read_json(icseg_config *out, const char *json, icseg_error *error) {
    icseg_config config = icseg_config_default();
    ICSEG_NEED(out);
    ICSEG_NEED(json);
    ICSEG_TRY(update(&config, json, error));
    return icseg_config_fill(out, &config, error);
}

/* ---- writing ---- */

/* A number that is not an integer has a point or an exponent, as the writers of JSON mark it. */
static void write_real(icseg_string *s, double value) {
    char text[ICSEG_NUMBER_SIZE];
    icseg_text_shortest(text, value);
    icseg_string_printf(s, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void write_field(icseg_string *s, const icseg_option *f, const icseg_config *c) {
    const void *at = (const char *)c + f->offset;
    const int32_t *integers = at;
    const char *comma = "";
    switch (f->type) {
    case ICSEG_OPTION_INT: icseg_string_printf(s, "%d", integers[0]); break;
    case ICSEG_OPTION_FLOAT: write_real(s, *(const double *)at); break;
    case ICSEG_OPTION_BOOL: icseg_string_printf(s, "%s", *(const bool *)at ? "true" : "false"); break;
    case ICSEG_OPTION_WORD: icseg_string_printf(s, "\"%s\"", f->words[integers[0]]); break;
    case ICSEG_OPTION_INT_LIST:
        for (int32_t i = 0; i < f->capacity; i++) icseg_string_printf(s, "%s%d", i ? ", " : "[", integers[i]);
        icseg_string_printf(s, "]");
        break;
    case ICSEG_OPTION_SET:
        icseg_string_printf(s, "[");
        for (int i = 0; i < ICSEG_LEVELS; i++)
            if (((const bool *)at)[i]) icseg_string_printf(s, "%s%d", comma, icseg_strides[i]), comma = ", ";
        icseg_string_printf(s, "]");
        break;
    default:
        icseg_string_printf(s, "{");
        for (int i = 0; i < ICSEG_LEVELS; i++)
            if (isfinite(((const double *)at)[i])) {
                icseg_string_printf(s, "%s\"%d\": ", comma, icseg_strides[i]);
                write_real(s, ((const double *)at)[i]);
                comma = ", ";
            }
        icseg_string_printf(s, "}");
        break;
    }
}

icseg_status icseg_config_write_json(const icseg_config *config, char **out, icseg_error *error) {
    icseg_config own;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(config);
    ICSEG_TRY(icseg_config_read(&own, config, error));
    ICSEG_TRY(icseg_config_check(&own, error));
    icseg_string s = {0};
    icseg_option_table table = icseg_config_table();
    for (size_t i = 0; i < table.count; i++) {
        icseg_string_printf(&s, "%s\"%s\": ", i ? ", " : "{", table.rows[i].key);
        write_field(&s, &table.rows[i], &own);
    }
    icseg_string_printf(&s, "}");
    if (s.failed) {
        icseg_string_close(&s);
        return icseg_fail_memory(error, 0, "the configuration's JSON");
    }
    *out = s.data;
    return ICSEG_OK;
}

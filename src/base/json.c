/* SPDX-License-Identifier: Apache-2.0
 * Reading and writing JSON. */
#include "base/json.h"

#include <errno.h>
#include <math.h>

icseg_status icseg_json_parse(json_t **out, const char *text, size_t size, size_t flags, json_error_t *problem,
                              icseg_error *error) {
    int before = errno;
    errno = 0;
    *out = json_loadb(text, size, flags, problem);
    bool memory = errno == ENOMEM;
    errno = before;
    if (!memory) return ICSEG_OK;
    json_decref(*out);
    *out = NULL;
    return icseg_fail_memory(error, 0, "the values of a JSON text");
}

/* Every value but the first follows one of these characters. */
bool icseg_json_exceeds(const char *text, size_t size, size_t values) {
    static const bool precedes[256] = {[','] = true, ['['] = true, ['{'] = true, [':'] = true};
    size_t count = 0;
    for (size_t i = 0; i < size; i++) count += precedes[(unsigned char)text[i]];
    return count > values;
}

static int append(const char *bytes, size_t size, void *user) {
    icseg_string *s = user;
    icseg_string_append(s, bytes, size);
    return s->failed ? -1 : 0;
}

void icseg_json_append(icseg_string *out, const json_t *value, size_t flags) {
    if (!value || json_dump_callback(value, append, out, flags) != 0) out->failed = true;
}

char *icseg_json_text(json_t *value, size_t flags) {
    icseg_string text = {0};
    icseg_json_append(&text, value, flags);
    json_decref(value);
    if (text.failed) icseg_string_close(&text);
    return text.data;
}

json_t *icseg_json_number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

int32_t icseg_json_int32(json_int_t value) {
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

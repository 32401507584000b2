/* SPDX-License-Identifier: Apache-2.0
 * Writing JSON. */
#include "base/json.h"

#include <math.h>

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

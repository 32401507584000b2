/* SPDX-License-Identifier: Apache-2.0
 * JSON that the program writes. */
#include "json.h"

#include "support.h"

/* jansson does not say whether a text is not UTF-8 or memory ran out. Setting a key that exists needs no memory, so it
 * fails only if the text is not UTF-8. */
json_t *json_text(const char *text) {
    json_t *probe = json_object(), *value = NULL;
    if (json_object_set_new_nocheck(probe, text, json_null()) == 0)
        value = json_object_set_new(probe, text, json_null()) == 0 ? json_string(text) : json_null();
    json_decref(probe);
    return value;
}

void json_add(json_t *list, json_t *value, bool *failed) { *failed |= json_array_append_new(list, value) != 0; }

static int append(const char *bytes, size_t size, void *user) {
    icseg_string *s = user;
    icseg_string_append(s, bytes, size);
    return s->failed ? -1 : 0;
}

/* json_dumps can succeed without a key when its buffer could not grow. */
icseg_status json_finish(json_t *root, bool failed, size_t flags, icseg_string *out, icseg_error *error) {
    if (!root || failed || json_dump_callback(root, append, out, flags) != 0) out->failed = true;
    json_decref(root);
    if (!out->failed) return ICSEG_OK;
    icseg_string_close(out);
    return out_of_memory(error);
}

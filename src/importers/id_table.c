/* SPDX-License-Identifier: Apache-2.0
 * Integers, and texts that become integers. */
#include "importers/id_table.h"

#include "base/text.h"

#define FIRST_TEXT    INT64_MIN
#define FIRST_INTEGER (-((int64_t)1 << 62))

icseg_status icseg_id_table_find(icseg_text_table *table, icseg_arena *arena, const json_t *value, int64_t *out,
                                 bool *valid, icseg_error *error) {
    const char *text = json_string_value(value);
    size_t index;
    *out = json_integer_value(value);
    bool integer = json_is_integer(value) || (text && icseg_parse_i64(text, out));
    *valid = integer && *out >= FIRST_INTEGER;
    if (!*valid) *out = 0;
    if (integer || !text || !*text) return ICSEG_OK;
    ICSEG_TRY(icseg_text_table_add(table, arena, text, "ids", &index, error));
    *out = FIRST_TEXT + (int64_t)index;
    *valid = true;
    return ICSEG_OK;
}

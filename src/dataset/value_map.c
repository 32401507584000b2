/* SPDX-License-Identifier: Apache-2.0
 * Reads maps of label values. */
#include "dataset/value_map.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Reads one pair and moves *map behind it and its comma. */
static bool read_pair(const char **map, int32_t pair[2]) {
    char text[2][8] = {"", ""};
    int end = 0;
    const char *p = *map;
    if (sscanf(p, " %7[0-9] = %7[0-9] %n", text[0], text[1], &end) != 2 || !end) return false;
    for (int i = 0; i < 2; i++) {
        int64_t value;
        if (!icseg_parse_between(text[i], 0, ICSEG_LABEL_VALUES - 1, &value)) return false;
        pair[i] = (int32_t)value;
    }
    if (p[end] == ',' && p[end + 1])
        end++;
    else if (p[end])
        return false;
    *map = p + end;
    return true;
}

void icseg_value_map_fill(int16_t rule[ICSEG_LABEL_VALUES], int16_t label) {
    rule[0] = label;
    for (size_t filled = 1; filled < ICSEG_LABEL_VALUES; filled *= 2)
        memcpy(rule + filled, rule, filled * sizeof *rule);
}

icseg_status icseg_value_map_apply(const char *map, int16_t rule[ICSEG_LABEL_VALUES], icseg_error *error) {
    icseg_status status = ICSEG_OK;
    int32_t pair[2];
    int16_t *old = icseg_alloc_array(ICSEG_LABEL_VALUES, sizeof *old);
    bool *mapped = icseg_calloc_array(ICSEG_LABEL_VALUES, sizeof *mapped);
    if (!old || !mapped) {
        icseg_free(old);
        icseg_free(mapped);
        return icseg_fail_memory(error, ICSEG_LABEL_VALUES * sizeof *old, "label values");
    }
    memcpy(old, rule, ICSEG_LABEL_VALUES * sizeof *old);
    for (const char *p = map; status == ICSEG_OK && *p;) {
        bool pairs = read_pair(&p, pair);
        if (pairs && !mapped[pair[0]]) {
            rule[pair[0]] = old[pair[1]];
            mapped[pair[0]] = true;
        } else if (pairs)
            status = icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "map", ICSEG_REMEDY_SET_FIELD,
                                      "map: \"%.80s\": the value %d is mapped twice", map, (int)pair[0]);
        else
            status =
                icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "map", ICSEG_REMEDY_SET_FIELD,
                                 "map: \"%.80s\": expected pairs of values from 0 to 65535, such as 255=1,128=2", map);
    }
    icseg_free(old);
    icseg_free(mapped);
    return status;
}

bool icseg_value_map_has(const char *map, int32_t value) {
    int32_t pair[2];
    for (const char *p = map; *p && read_pair(&p, pair);)
        if (pair[0] == value) return true;
    return false;
}

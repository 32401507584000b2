/* SPDX-License-Identifier: Apache-2.0
 * Words that are not in a list. */
#include "base/words.h"

#include <stdio.h>

#include "base/text.h"

icseg_status icseg_fail_word(icseg_error *error, const char *field, const char *word, const char *what,
                             const char *const *words, size_t count) {
    char all[512] = "";
    size_t length = 0;
    const char *near = icseg_text_nearest(word, words, count);
    if (near)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                                "%s: \"%.40s\" is not %s; did you mean %s?", field, word, what, near);
    for (size_t i = 0; i < count && length < sizeof all; i++)
        length += (size_t)snprintf(all + length, sizeof all - length, "%s%s", i ? ", " : "", words[i]);
    return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, field, ICSEG_REMEDY_SET_FIELD,
                            "%s: \"%.40s\" is not %s; expected one of %s", field, word, what, all);
}

/* SPDX-License-Identifier: Apache-2.0
 * Text that was encoded as UTF-8 and decoded as Windows-1252 or Latin-1, such as "cafÃ©" for "café". */
#ifndef ICSEG_TEXT_MISENCODED_H
#define ICSEG_TEXT_MISENCODED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "icseg/progress.h"

/* The character that Windows-1252 has where Latin-1 has the control character `c` (U+0080..U+009F); any other character
 * is returned unchanged. */
int32_t icseg_windows_1252(int32_t c);

/* Whether `text` (UTF-8), written in Windows-1252, would be UTF-8 with at least one character that is not ASCII. If so,
 * appends that text to `meant` (NULL: do not). */
bool icseg_text_is_misencoded(const char *text, icseg_string *meant);

/* Reports the first of (count) class names that is misencoded, and how many there are, in one warning. `progress` may
 * be NULL. */
void icseg_warn_misencoded(const char *const *names, int32_t count, const icseg_progress *progress);

#endif

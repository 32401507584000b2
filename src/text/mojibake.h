/* SPDX-License-Identifier: Apache-2.0
 * Repair of text that was written in UTF-8 and read in another encoding ("cafÃ©"), by the rules of ftfy 6.3. */
#ifndef ICSEG_TEXT_MOJIBAKE_H
#define ICSEG_TEXT_MOJIBAKE_H

#include "text/code_points.h"

/* ftfy.fix_encoding, in place. */
void icseg_mojibake_fix(icseg_points *text);

/* The character that a C1 control (U+0080..U+009F) is in Windows-1252. */
uint32_t icseg_mojibake_c1(uint32_t code_point);

#endif

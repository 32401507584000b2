/* SPDX-License-Identifier: Apache-2.0
 * Tables made by scripts/make_unicode_tables.py and scripts/make_mojibake_tables.py. */
#ifndef ICSEG_TEXT_TABLES_H
#define ICSEG_TEXT_TABLES_H

#include <stddef.h>
#include <stdint.h>

extern const uint32_t icseg_unicode_flags[]; /* ranges: start << 8 | icseg_unicode_flag */
extern const size_t icseg_unicode_flags_count;
extern const uint32_t icseg_unicode_combining[]; /* ranges: start << 8 | combining class */
extern const size_t icseg_unicode_combining_count;
extern const int32_t icseg_unicode_lower[][4]; /* first, last, step, shift */
extern const size_t icseg_unicode_lower_count;
extern const uint32_t icseg_unicode_parts[][3]; /* code point, first part, second part or 0 */
extern const size_t icseg_unicode_parts_count;
extern const uint16_t icseg_unicode_composed[]; /* rows of icseg_unicode_parts, ordered by their parts */
extern const size_t icseg_unicode_composed_count;
extern const uint16_t icseg_unicode_width[]; /* U+FF01.. in their usual width, 0 = no other */
extern const size_t icseg_unicode_width_count;

extern const char icseg_html_names[];       /* "name\0characters\0" */
extern const uint32_t icseg_html_offsets[]; /* offsets of names, sorted bytewise; top bit: in capitals, for ftfy only */
extern const size_t icseg_html_offsets_count;
extern const uint16_t icseg_html_replaced[][2]; /* code points that HTML5 reads as others */
extern const size_t icseg_html_replaced_count;
extern const uint32_t icseg_html_dropped[]; /* code points that are left out, sorted */
extern const size_t icseg_html_dropped_count;

enum { ICSEG_MOJIBAKE_LONGEST = 7, ICSEG_ENCODINGS = 10 };
extern const uint32_t icseg_mojibake_characters[]; /* code point << 8 | row of masks */
extern const size_t icseg_mojibake_characters_count;
extern const uint64_t icseg_mojibake_masks[][2];
extern const uint8_t icseg_mojibake_patterns[][ICSEG_MOJIBAKE_LONGEST + 1];
extern const size_t icseg_mojibake_patterns_count;
extern const uint16_t icseg_mojibake_encodings[ICSEG_ENCODINGS][129]; /* of bytes 0x1a, 0x80..0xff */

#endif

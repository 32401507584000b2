/* SPDX-License-Identifier: Apache-2.0
 * Pieces of HTML: escaped text, inline images, and the head and tail of a page that needs nothing but itself. What is
 * written is well-formed XML as well. */
#ifndef ICSEG_REPORT_HTML_H
#define ICSEG_REPORT_HTML_H

#include <stddef.h>

#include "base/text.h"

/* Text for elements and quoted attributes. Control characters and bytes that are not UTF-8 become U+FFFD. */
void icseg_html_text(icseg_string *out, const char *text);

void icseg_html_base64(icseg_string *out, const void *data, size_t size);

/* Everything up to and including <main>, with the style sheet; and everything from </main> on, with the script. Colours
 * of series are the custom properties --s0 .. --s7. */
void icseg_html_begin(icseg_string *out, const char *title);
void icseg_html_end(icseg_string *out);

#endif

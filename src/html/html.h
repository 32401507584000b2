/* SPDX-License-Identifier: Apache-2.0
 * Pieces of HTML: escaped text, inline images, and the head and tail of a self-contained page. The output is also
 * well-formed XML. */
#ifndef ICSEG_HTML_HTML_H
#define ICSEG_HTML_HTML_H

#include <stddef.h>

#include "base/text.h"

/* Appends text, escaped for elements and quoted attributes. Control characters and bytes that are not UTF-8 become
 * U+FFFD. */
void icseg_html_text(icseg_string *out, const char *text);

/* Appends the bytes in base64. */
void icseg_html_base64(icseg_string *out, const void *data, size_t size);

/* Appends everything up to and including <main>, with the style sheet; everything from </main> on, with the script. The
 * colours of series are the custom properties --s0 to --s7. */
void icseg_html_begin(icseg_string *out, const char *title);
void icseg_html_end(icseg_string *out);

#endif

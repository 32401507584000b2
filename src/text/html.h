/* SPDX-License-Identifier: Apache-2.0
 * HTML character references ("&amp;", "&#228;") to characters, in the two readings that CLIP's tokenizer uses. */
#ifndef ICSEG_TEXT_HTML_H
#define ICSEG_TEXT_HTML_H

#include "text/code_points.h"

/* Python's html.unescape: also names without a semicolon. Appends. */
void icseg_html_unescape(const icseg_points *in, icseg_points *out);

/* ftfy's: names and numbers with a semicolon only, names in capitals too ("&EACUTE;"). Appends. */
void icseg_html_unescape_strict(const icseg_points *in, icseg_points *out);

#endif

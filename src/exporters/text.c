/* SPDX-License-Identifier: Apache-2.0
 * Texts and numbers as exporters write them. */
#include <string.h>

#include "exporters/internal.h"

void icseg_export_json(icseg_string *out, const char *text) {
    icseg_string_append(out, "\"", 1);
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\') plain++;
        icseg_string_append(out, text, plain);
        text += plain;
        if (*text) icseg_string_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "\\u%04x", (unsigned char)*text);
        text += *text != '\0';
    }
    icseg_string_append(out, "\"", 1);
}

void icseg_export_xml(icseg_string *out, const char *text) {
    for (; *text; text++) {
        if (strchr("&<>\"'\t\n\r", *text))
            icseg_string_printf(out, "&#%d;", *text);
        else
            icseg_string_append(out, text, 1);
    }
}

void icseg_export_number(icseg_string *out, double value, int places) {
    char text[ICSEG_NUMBER_SIZE];
    int size = icseg_text_printf(text, sizeof text, "%.*f", places, value);
    while (size && memchr(text, '.', (size_t)size) && (text[size - 1] == '0' || text[size - 1] == '.')) size--;
    icseg_string_append(out, text, (size_t)size);
}

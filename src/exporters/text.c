/* SPDX-License-Identifier: Apache-2.0
 * Texts and numbers as exporters write them. */
#include <math.h>
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

void icseg_export_number(icseg_string *out, double value) {
    char text[ICSEG_NUMBER_SIZE];
    double rounded = round(value * 1000) / 1000;
    if (rounded == (double)(int64_t)rounded)
        icseg_string_printf(out, "%lld", (long long)rounded);
    else {
        icseg_text_printf(text, sizeof text, "%.3f", rounded);
        size_t size = strlen(text);
        while (text[size - 1] == '0') size--;
        icseg_string_append(out, text, size);
    }
}

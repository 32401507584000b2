/* SPDX-License-Identifier: Apache-2.0
 * Option tables as text: one value, --help, usage, Markdown, YAML. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "options/options.h"

enum { HELP_WIDTH = 80, HELP_INDENT = 26 };

static void format_float(double value, icseg_string *out) {
    char text[ICSEG_NUMBER_SIZE];
    icseg_text_shortest(text, value);
    icseg_string_printf(out, "%s", text);
}

/* Whether YAML reads the text as this string without quotes. */
static bool is_plain(const char *text) {
    double number;
    bool truth;
    if (!text[0] || text[0] == '-' || icseg_parse_f64(text, &number) || icseg_parse_bool(text, &truth)) return false;
    if (!strcmp(text, "null") || !strcmp(text, "Null") || !strcmp(text, "NULL")) return false;
    for (const char *c = text; *c; c++)
        if (!(isalnum((unsigned char)*c) && (unsigned char)*c < 0x80) && !strchr("_./-+", *c)) return false;
    return true;
}

/* Characters beyond ASCII that YAML refuses or takes for the end of a line: their UTF-8, and how they are written. */
static const char *escape_of(const char *c, size_t *size) {
    static const struct {
        const char *utf8, *escape;
    } known[] = {{"\xe2\x80\xa8", "\\u2028"},
                 {"\xe2\x80\xa9", "\\u2029"},
                 {"\xef\xbb\xbf", "\\ufeff"},
                 {"\xef\xbf\xbe", "\\ufffe"},
                 {"\xef\xbf\xbf", "\\uffff"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *size = strlen(known[i].utf8);
        if (!strncmp(c, known[i].utf8, *size)) return known[i].escape;
    }
    return NULL;
}

/* U+0080 to U+009F, also in UTF-8. */
static bool is_control(const char *c) {
    return (unsigned char)c[0] == 0xc2 && (unsigned char)c[1] >= 0x80 && (unsigned char)c[1] < 0xa0;
}

static void format_string(const char *text, bool yaml, icseg_string *out) {
    if (!text) text = "";
    if (!yaml || is_plain(text)) {
        icseg_string_printf(out, "%s", text);
        return;
    }
    icseg_string_append(out, "\"", 1);
    for (const char *c = text; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        size_t size;
        const char *escape = byte < 0x80 ? NULL : escape_of(c, &size);
        if (escape) {
            icseg_string_printf(out, "%s", escape);
            c += size - 1;
        } else if (is_control(c))
            icseg_string_printf(out, "\\x%02x", (unsigned char)*++c);
        else if (byte == '"' || byte == '\\')
            icseg_string_printf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            icseg_string_printf(out, "\\x%02x", byte);
        else
            icseg_string_append(out, c, 1);
    }
    icseg_string_append(out, "\"", 1);
}

static void format_list(const icseg_option *o, const void *target, icseg_string *out) {
    const char *field = (const char *)target + o->offset;
    bool counted =
        (o->type == ICSEG_OPTION_INT_LIST || o->type == ICSEG_OPTION_FLOAT_LIST) && o->min_count < o->capacity;
    int32_t count = counted ? *(const int32_t *)((const char *)target + o->count_offset) : o->capacity;
    const char *separator = "";
    icseg_string_printf(out, o->type == ICSEG_OPTION_KEYED ? "{" : "[");
    for (int32_t i = 0; i < count; i++) {
        if (o->type == ICSEG_OPTION_SET && !((const bool *)field)[i]) continue;
        if (o->type == ICSEG_OPTION_KEYED && isnan(((const double *)field)[i])) continue;
        icseg_string_printf(out, "%s", separator);
        separator = ", ";
        if (o->type == ICSEG_OPTION_INT_LIST) icseg_string_printf(out, "%d", (int)((const int32_t *)field)[i]);
        if (o->type == ICSEG_OPTION_SET) icseg_string_printf(out, "%d", (int)o->members[i]);
        if (o->type == ICSEG_OPTION_KEYED) icseg_string_printf(out, "%d: ", (int)o->members[i]);
        if (o->type == ICSEG_OPTION_KEYED || o->type == ICSEG_OPTION_FLOAT_LIST)
            format_float(((const double *)field)[i], out);
    }
    icseg_string_printf(out, o->type == ICSEG_OPTION_KEYED ? "}" : "]");
}

void icseg_option_format(const icseg_option *o, const void *target, bool yaml, icseg_string *out) {
    const char *field = (const char *)target + o->offset;
    int32_t word;
    switch (o->type) {
    case ICSEG_OPTION_BOOL: icseg_string_printf(out, *(const bool *)field ? "true" : "false"); break;
    case ICSEG_OPTION_INT: icseg_string_printf(out, "%d", (int)*(const int32_t *)field); break;
    case ICSEG_OPTION_INT64: icseg_string_printf(out, "%lld", (long long)*(const int64_t *)field); break;
    case ICSEG_OPTION_FLOAT: format_float(*(const double *)field, out); break;
    case ICSEG_OPTION_STRING: format_string(*(const char *const *)field, yaml, out); break;
    case ICSEG_OPTION_WORD:
        memcpy(&word, field, sizeof word);
        icseg_string_printf(out, "%s", o->words[word]);
        break;
    case ICSEG_OPTION_STRINGS: {
        const icseg_strings *strings = (const icseg_strings *)(const void *)field;
        icseg_string_append(out, "[", 1);
        for (size_t i = 0; i < strings->count; i++) {
            if (i) icseg_string_append(out, ", ", 2);
            format_string(strings->items[i], yaml, out);
        }
        icseg_string_append(out, "]", 1);
        break;
    }
    default: format_list(o, target, out);
    }
}

bool icseg_option_default(const icseg_option *o, const void *defaults, icseg_string *out) {
    size_t before = out->size;
    if (o->required || o->positional || !defaults || o->type == ICSEG_OPTION_STRINGS) return false;
    if (o->shown)
        icseg_string_printf(out, "%s", o->shown);
    else if (o->type != ICSEG_OPTION_BOOL)
        icseg_option_format(o, defaults, false, out);
    else if (*(const bool *)((const char *)defaults + o->offset))
        icseg_string_printf(out, "on");
    if (!out->failed && !o->shown && out->size == before + 2 && !strcmp(out->data + before, "[]")) {
        out->size = before;
        icseg_string_printf(out, "none");
    }
    return out->size > before;
}

const char *icseg_option_metavar(const icseg_option *o) {
    if (o->metavar) return o->metavar;
    switch (o->type) {
    case ICSEG_OPTION_BOOL: return "";
    case ICSEG_OPTION_INT:
    case ICSEG_OPTION_INT64: return "N";
    case ICSEG_OPTION_FLOAT: return "X";
    case ICSEG_OPTION_STRING:
    case ICSEG_OPTION_STRINGS: return "TEXT";
    case ICSEG_OPTION_WORD: return "WORD";
    default: return "LIST";
    }
}

void icseg_option_name(const icseg_option *o, icseg_string *out) {
    icseg_string_printf(out, "%s%s", o->positional ? "" : "--", o->key);
    if (o->positional) {
        if (o->type == ICSEG_OPTION_STRINGS) icseg_string_printf(out, "...");
        return;
    }
    if (o->type == ICSEG_OPTION_WORD && !o->metavar)
        for (int i = 0; o->words[i]; i++) icseg_string_printf(out, "%c%s", i ? '|' : ' ', o->words[i]);
    else if (*icseg_option_metavar(o))
        icseg_string_printf(out, " %s", icseg_option_metavar(o));
}

/* Appends text broken between words, starting at `column`. */
static void wrap(const char *text, size_t column, icseg_string *out) {
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > HELP_INDENT && column + 1 + word > HELP_WIDTH) {
            icseg_string_printf(out, "\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else if (column > HELP_INDENT) {
            icseg_string_append(out, " ", 1);
            column++;
        }
        icseg_string_append(out, text, word);
        column += word;
        text += word + strspn(text + word, " ");
    }
}

void icseg_option_help(const icseg_option *o, icseg_string *out) {
    icseg_string_printf(out, "%s", o->help);
    if (o->append_help) o->append_help(out);
}

void icseg_options_help(const icseg_option_table *table, const void *defaults, icseg_string *out) {
    for (size_t i = 0; i < table->count; i++) {
        const icseg_option *o = &table->rows[i];
        icseg_string name = {0}, text = {0};
        icseg_option_name(o, &name);
        icseg_option_help(o, &text);
        size_t help_end = text.size;
        icseg_string_printf(&text, " (default: ");
        if (icseg_option_default(o, defaults, &text))
            icseg_string_printf(&text, ")");
        else if (!text.failed)
            text.data[help_end] = '\0';
        if (name.failed || text.failed)
            out->failed = true;
        else {
            icseg_string_printf(out, "  %s", name.data);
            if (name.size + 4 > HELP_INDENT)
                icseg_string_printf(out, "\n%*s", HELP_INDENT, "");
            else
                icseg_string_printf(out, "%*s", (int)(HELP_INDENT - 2 - name.size), "");
            wrap(text.data, HELP_INDENT, out);
            icseg_string_append(out, "\n", 1);
        }
        icseg_string_close(&name);
        icseg_string_close(&text);
    }
}

void icseg_options_usage(const icseg_option_table *table, size_t indent, icseg_string *out) {
    size_t column = indent;
    for (int pass = 0; pass < 2; pass++) /* positional arguments first */
        for (size_t i = 0; i < table->count; i++) {
            const icseg_option *o = &table->rows[i];
            if (o->positional != (pass == 0)) continue;
            icseg_string piece = {0};
            icseg_string_printf(&piece, o->required ? "" : "[");
            icseg_option_name(o, &piece);
            icseg_string_printf(&piece, "%s%s", o->required ? "" : "]",
                                o->type == ICSEG_OPTION_STRINGS && !o->positional ? "..." : "");
            if (column > indent && column + 1 + piece.size > HELP_WIDTH) {
                icseg_string_printf(out, "\n%*s", (int)indent, "");
                column = indent;
            } else if (column > indent) {
                icseg_string_append(out, " ", 1);
                column++;
            }
            if (piece.failed)
                out->failed = true;
            else
                icseg_string_append(out, piece.data, piece.size);
            column += piece.size;
            icseg_string_close(&piece);
        }
}

/* Appends a cell of a Markdown table, in which '|' must be escaped. */
static void append_cell(const char *text, icseg_string *out) {
    for (; *text; text++) icseg_string_printf(out, *text == '|' ? "\\|" : "%c", *text);
}

/* Length of "train" in "train.lr"; 0 without a dot. */
static size_t section_length(const char *key) {
    const char *dot = strchr(key, '.');
    return dot ? (size_t)(dot - key) : 0;
}

static bool new_section(const icseg_option_table *table, size_t i) {
    const char *key = table->rows[i].key;
    size_t length = section_length(key);
    return length && (i == 0 || strncmp(table->rows[i - 1].key, key, length + 1) != 0);
}

void icseg_options_markdown(const icseg_option_table *table, const void *defaults, icseg_string *out) {
    for (size_t i = 0; i < table->count; i++) {
        const icseg_option *o = &table->rows[i];
        size_t section = section_length(o->key);
        char accepted[512];
        icseg_string cell = {0};
        if (new_section(table, i)) icseg_string_printf(out, "%s## `%.*s`\n\n", i ? "\n" : "", (int)section, o->key);
        if (i == 0 || new_section(table, i))
            icseg_string_printf(out, "| %s | accepts | default | meaning |\n|---|---|---|---|\n",
                                section ? "key" : "option");
        if (section)
            icseg_string_printf(&cell, "%s", o->key + section + 1);
        else
            icseg_option_name(o, &cell);
        icseg_string_printf(out, "| `");
        append_cell(cell.data ? cell.data : "", out);
        icseg_option_describe(o, accepted, sizeof accepted);
        icseg_string_printf(out, "` | %s | ", accepted);
        bool failed = cell.failed;
        icseg_string_close(&cell);
        if (o->required)
            icseg_string_printf(out, "required");
        else if (o->type == ICSEG_OPTION_BOOL && section)
            icseg_option_format(o, defaults, false, out);
        else
            icseg_option_default(o, defaults, out);
        icseg_string_printf(out, " | ");
        append_cell(o->help, out);
        icseg_string_printf(out, " |\n");
        if (failed) out->failed = true;
    }
}

void icseg_options_yaml(const icseg_option_table *table, const void *target, icseg_string *out) {
    for (size_t i = 0; i < table->count; i++) {
        const icseg_option *o = &table->rows[i];
        size_t section = section_length(o->key);
        if (new_section(table, i)) icseg_string_printf(out, "%s%.*s:\n", i ? "\n" : "", (int)section, o->key);
        icseg_string_printf(out, "%s%s: ", section ? "  " : "", o->key + (section ? section + 1 : 0));
        icseg_option_format(o, target, true, out);
        icseg_string_append(out, "\n", 1);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 * Option tables: looking up a row, parsing text into a field, parsing the command line. Errors name the accepted
 * values. */
#include "options/options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_KEYS = 256, MAX_TEXT = 512 };

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        icseg_status try_status_ = (call);                                                                             \
        if (try_status_ != ICSEG_OK) return try_status_;                                                               \
    } while (0)

static icseg_status no_memory(icseg_error *error) {
    return icseg_error_set(error, ICSEG_ERROR_MEMORY, "out of memory while reading options");
}

static bool is_list(const icseg_option *option) {
    return option->type == ICSEG_OPTION_INT_LIST || option->type == ICSEG_OPTION_FLOAT_LIST ||
           option->type == ICSEG_OPTION_SET || option->type == ICSEG_OPTION_KEYED;
}

const icseg_option *icseg_option_find(const icseg_option_table *table, const char *key) {
    for (size_t i = 0; i < table->count; i++)
        if (!strcmp(table->rows[i].key, key)) return &table->rows[i];
    return NULL;
}

static const char *leaf_of(const char *key) {
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

/* The key that was probably meant: "lr" and "model.lr" mean "train.lr", "train.stpes" means "train.steps". */
static const char *nearest_key(const icseg_option_table *table, const char *key, bool positional) {
    const char *leaves[MAX_KEYS], *leaf = leaf_of(key), *found = NULL;
    for (size_t i = 0; i < table->count; i++)
        if (!table->rows[i].positional && !strcmp(leaf_of(table->rows[i].key), leaf)) return table->rows[i].key;
    for (int pass = 0; pass < 2 && !found; pass++) { /* first inside the section, then anywhere */
        size_t count = 0, section = pass == 0 ? (size_t)(leaf - key) : 0;
        for (size_t i = 0; i < table->count && count < MAX_KEYS; i++)
            if ((positional || !table->rows[i].positional) && !strncmp(table->rows[i].key, key, section))
                leaves[count++] = leaf_of(table->rows[i].key);
        found = icseg_text_nearest(leaf, leaves, count);
    }
    for (size_t i = 0; found && i < table->count; i++)
        if (leaf_of(table->rows[i].key) == found) return table->rows[i].key;
    return NULL;
}

icseg_status icseg_option_unknown(const icseg_option_table *table, const char *key, const char *origin,
                                  icseg_error *error) {
    const char *nearest = nearest_key(table, key, true);
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s%s%.80s: unknown key%s%s%s", origin ? origin : "",
                           origin ? ": " : "", key, nearest ? "; did you mean " : "", nearest ? nearest : "",
                           nearest ? "?" : "");
}

/* ---- describing the accepted values ---- */

static void describe_range(const icseg_option *o, char *out, size_t size) {
    out[0] = '\0';
    if (!o->bounded) return;
    if (isinf(o->maximum))
        snprintf(out, size, o->open_low ? " above %.12g" : " of at least %.12g", o->minimum);
    else
        snprintf(out, size, " from %.12g%s to %.12g%s", o->minimum, o->open_low ? " (excluded)" : "", o->maximum,
                 o->open_high ? " (excluded)" : "");
}

static size_t append(char *out, size_t size, size_t used, const char *text) {
    if (used < size) snprintf(out + used, size - used, "%s", text);
    return used + strlen(text);
}

static void describe_choices(const icseg_option *o, char *out, size_t size, const char *start) {
    size_t used = append(out, size, 0, start);
    char number[16];
    for (int32_t i = 0; o->words ? o->words[i] != NULL : i < o->capacity; i++) {
        if (!o->words) snprintf(number, sizeof number, "%d", (int)o->members[i]);
        if (i) used = append(out, size, used, ", ");
        used = append(out, size, used, o->words ? o->words[i] : number);
    }
}

void icseg_option_describe(const icseg_option *o, char *out, size_t size) {
    char range[96], choices[256];
    describe_range(o, range, sizeof range);
    switch (o->type) {
    case ICSEG_OPTION_BOOL: snprintf(out, size, "true or false"); break;
    case ICSEG_OPTION_INT:
    case ICSEG_OPTION_INT64: snprintf(out, size, "a whole number%s", range); break;
    case ICSEG_OPTION_FLOAT: snprintf(out, size, "a number%s", range); break;
    case ICSEG_OPTION_STRING:
    case ICSEG_OPTION_STRINGS: snprintf(out, size, "text"); break;
    case ICSEG_OPTION_WORD: describe_choices(o, out, size, "one of "); break;
    case ICSEG_OPTION_INT_LIST:
    case ICSEG_OPTION_FLOAT_LIST:
        snprintf(out, size, "a list of %s%d%s %snumbers%s%s", o->min_count < o->capacity ? "at most " : "",
                 (int)o->capacity, o->min_count > 0 && o->min_count < o->capacity ? " (not empty)" : "",
                 o->type == ICSEG_OPTION_INT_LIST ? "whole " : "", o->bounded ? ", each" : "", range);
        break;
    case ICSEG_OPTION_SET: describe_choices(o, out, size, "a list of any of "); break;
    case ICSEG_OPTION_KEYED:
        describe_choices(o, choices, sizeof choices, "");
        snprintf(out, size, "a mapping of %s to a number%s, such as {%d: 0.1}", choices, range, (int)o->members[0]);
        break;
    }
}

/* ---- text to value ---- */

/* The option that a value is for and the origin of the value, for error messages. */
typedef struct context {
    const icseg_option *option;
    const char *name, *origin;
    icseg_error *error;
} context;

static icseg_status refuse(const context *c, const char *text) {
    char accepted[MAX_TEXT];
    icseg_option_describe(c->option, accepted, sizeof accepted);
    const char *nearest = NULL;
    if (c->option->words) {
        size_t count = 0;
        while (c->option->words[count]) count++;
        nearest = icseg_text_nearest(text, c->option->words, count);
    }
    return icseg_error_set(c->error, ICSEG_ERROR_ARGUMENT, "%s%s%s: \"%.80s\" is not accepted; expected %s%s%s%s",
                           c->origin ? c->origin : "", c->origin ? ": " : "", c->name, text, accepted,
                           nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

bool icseg_option_accepts(const icseg_option *o, double value) {
    if (!o->bounded) return true;
    return (o->open_low ? value > o->minimum : value >= o->minimum) &&
           (o->open_high ? value < o->maximum : value <= o->maximum);
}

static bool parse_int(const icseg_option *o, const char *text, int64_t *out) {
    return icseg_parse_i64(text, out) && icseg_option_accepts(o, (double)*out) &&
           (o->type == ICSEG_OPTION_INT64 || (*out >= INT32_MIN && *out <= INT32_MAX));
}

static bool parse_float(const icseg_option *o, const char *text, double *out) {
    return icseg_parse_f64(text, out) && icseg_option_accepts(o, *out);
}

static icseg_status append_string(icseg_strings *strings, icseg_arena *arena, const char *text, icseg_error *error) {
    size_t n = strings->count;
    if ((n & (n - 1)) == 0) { /* full at powers of two; the old block stays in the arena */
        const char **grown = icseg_arena_array(arena, n ? n * 2 : 1, sizeof *grown);
        if (!grown) return no_memory(error);
        if (n) memcpy(grown, strings->items, n * sizeof *grown);
        strings->items = grown;
    }
    strings->items[n] = icseg_arena_strdup(arena, text);
    if (!strings->items[n]) return no_memory(error);
    strings->count++;
    return ICSEG_OK;
}

static icseg_status set_scalar(const context *c, void *field, icseg_arena *arena, const char *text) {
    const icseg_option *o = c->option;
    int64_t integer;
    char *copy;
    switch (o->type) {
    case ICSEG_OPTION_BOOL: return icseg_parse_bool(text, field) ? ICSEG_OK : refuse(c, text);
    case ICSEG_OPTION_INT:
        if (!parse_int(o, text, &integer)) return refuse(c, text);
        *(int32_t *)field = (int32_t)integer;
        return ICSEG_OK;
    case ICSEG_OPTION_INT64:
        if (!parse_int(o, text, &integer)) return refuse(c, text);
        *(int64_t *)field = integer;
        return ICSEG_OK;
    case ICSEG_OPTION_FLOAT: {
        double number;
        if (!parse_float(o, text, &number)) return refuse(c, text);
        *(double *)field = number;
        return ICSEG_OK;
    }
    case ICSEG_OPTION_WORD:
        for (int32_t i = 0; o->words[i]; i++)
            if (!strcmp(o->words[i], text)) {
                memcpy(field, &i, sizeof i);
                return ICSEG_OK;
            }
        return refuse(c, text);
    case ICSEG_OPTION_STRINGS: return append_string(field, arena, text, c->error);
    default:
        copy = icseg_arena_strdup(arena, text);
        if (!copy) return no_memory(c->error);
        *(const char **)field = copy;
        return ICSEG_OK;
    }
}

/* The index of a member written as text, or -1. */
static int32_t find_member(const icseg_option *o, const char *text) {
    int64_t value;
    if (!icseg_parse_i64(text, &value)) return -1;
    for (int32_t i = 0; i < o->capacity; i++)
        if (o->members[i] == value) return i;
    return -1;
}

static icseg_status set_numbers(const context *c, void *target, const char *const *items, size_t count) {
    const icseg_option *o = c->option;
    int32_t integers[ICSEG_OPTION_MAX_LIST];
    double floats[ICSEG_OPTION_MAX_LIST];
    bool whole = o->type == ICSEG_OPTION_INT_LIST;
    if (count > (size_t)o->capacity || count < (size_t)o->min_count) {
        char accepted[MAX_TEXT];
        icseg_option_describe(o, accepted, sizeof accepted);
        return icseg_error_set(c->error, ICSEG_ERROR_ARGUMENT, "%s%s%s: %zu value%s given; expected %s",
                               c->origin ? c->origin : "", c->origin ? ": " : "", c->name, count,
                               count == 1 ? " is" : "s are", accepted);
    }
    for (size_t i = 0; i < count; i++) {
        int64_t integer = 0;
        if (whole ? !parse_int(o, items[i], &integer) : !parse_float(o, items[i], &floats[i]))
            return refuse(c, items[i]);
        integers[i] = (int32_t)integer;
    }
    char *field = (char *)target + o->offset;
    if (count)
        memcpy(field, whole ? (void *)integers : (void *)floats, count * (whole ? sizeof *integers : sizeof *floats));
    if (o->min_count < o->capacity) *(int32_t *)((char *)target + o->count_offset) = (int32_t)count;
    return ICSEG_OK;
}

static icseg_status set_members(const context *c, void *target, const char *const *items, size_t count) {
    const icseg_option *o = c->option;
    bool chosen[ICSEG_OPTION_MAX_LIST] = {false};
    double values[ICSEG_OPTION_MAX_LIST];
    for (int32_t i = 0; i < o->capacity; i++) values[i] = NAN;
    for (size_t i = 0; i < count; i++) {
        char member[32];
        const char *number = NULL, *colon = strchr(items[i], ':');
        size_t length = colon ? (size_t)(colon - items[i]) : strlen(items[i]);
        if ((o->type == ICSEG_OPTION_KEYED) != (colon != NULL) || length >= sizeof member) return refuse(c, items[i]);
        memcpy(member, items[i], length);
        while (length && isspace((unsigned char)member[length - 1])) length--;
        member[length] = '\0';
        int32_t index = find_member(o, member);
        if (colon) number = colon + 1 + strspn(colon + 1, " \t");
        if (index < 0 || chosen[index] || (number && !parse_float(o, number, &values[index])))
            return refuse(c, items[i]);
        chosen[index] = true;
    }
    char *field = (char *)target + o->offset;
    if (o->type == ICSEG_OPTION_SET)
        memcpy(field, chosen, (size_t)o->capacity * sizeof *chosen);
    else
        memcpy(field, values, (size_t)o->capacity * sizeof *values);
    return ICSEG_OK;
}

/* Splits "[a, b]" in place into at most limit + 1 items: the one too many makes the caller refuse the list. */
static size_t split(const icseg_option *o, char *text, const char **items, size_t limit) {
    size_t length = strlen(text), count = 0;
    if (length >= 2 && ((text[0] == '[' && text[length - 1] == ']') || (text[0] == '{' && text[length - 1] == '}'))) {
        text[length - 1] = '\0';
        text++;
    }
    if (!text[strspn(text, " \t")]) return 0;
    const char *separators = o->type == ICSEG_OPTION_INT_LIST ? ",x" : ",";
    for (char *start = text; start && count <= limit; count++) {
        char *end = strpbrk(start, separators), *next = end ? end + 1 : NULL;
        if (!end) end = start + strlen(start);
        *end = '\0';
        while (isspace((unsigned char)*start)) start++;
        while (end > start && isspace((unsigned char)end[-1])) *--end = '\0';
        items[count] = start;
        start = next;
    }
    return count;
}

static icseg_status set_list(const context *c, void *target, icseg_arena *arena, const char *const *items,
                             size_t count) {
    if (c->option->capacity > ICSEG_OPTION_MAX_LIST) /* a mistake in the table */
        return icseg_error_set(c->error, ICSEG_ERROR_INTERNAL, "%s: the table allows lists of more than %d", c->name,
                               ICSEG_OPTION_MAX_LIST);
    switch (c->option->type) {
    case ICSEG_OPTION_INT_LIST:
    case ICSEG_OPTION_FLOAT_LIST: return set_numbers(c, target, items, count);
    case ICSEG_OPTION_SET:
    case ICSEG_OPTION_KEYED: return set_members(c, target, items, count);
    case ICSEG_OPTION_STRINGS:
        for (size_t i = 0; i < count; i++)
            TRY(append_string((void *)((char *)target + c->option->offset), arena, items[i], c->error));
        return ICSEG_OK;
    default: return refuse(c, "(a list)");
    }
}

static icseg_status set_text(const context *c, void *target, icseg_arena *arena, const char *text) {
    if (!is_list(c->option)) return set_scalar(c, (char *)target + c->option->offset, arena, text);
    char buffer[MAX_TEXT];
    const char *items[ICSEG_OPTION_MAX_LIST + 1];
    if (strlen(text) >= sizeof buffer) return refuse(c, text);
    memcpy(buffer, text, strlen(text) + 1);
    size_t count = split(c->option, buffer, items, ICSEG_OPTION_MAX_LIST);
    return set_list(c, target, arena, items, count);
}

icseg_status icseg_option_set(const icseg_option_table *table, void *target, icseg_arena *arena, const char *key,
                              const char *text, const char *origin, icseg_error *error) {
    const icseg_option *option = icseg_option_find(table, key);
    if (!option) return icseg_option_unknown(table, key, origin, error);
    return set_text(&(context){option, key, origin, error}, target, arena, text);
}

icseg_status icseg_option_set_list(const icseg_option_table *table, void *target, icseg_arena *arena, const char *key,
                                   const char *const *items, size_t count, const char *origin, icseg_error *error) {
    const icseg_option *option = icseg_option_find(table, key);
    if (!option) return icseg_option_unknown(table, key, origin, error);
    return set_list(&(context){option, key, origin, error}, target, arena, items, count);
}

/* ---- the command line ---- */

typedef struct command_line {
    const icseg_option_table *table;
    void *target;
    icseg_arena *arena;
    icseg_error *error;
    bool *given; /* (table->count) */
} command_line;

static icseg_status assign(command_line *line, const icseg_option *row, const char *text) {
    char name[80];
    snprintf(name, sizeof name, "%s%s", row->positional ? "" : "--", row->key);
    line->given[row - line->table->rows] = true;
    return set_text(&(context){row, name, NULL, line->error}, line->target, line->arena, text);
}

static icseg_status unknown_option(const command_line *line, const char *argument) {
    const char *nearest = nearest_key(line->table, argument + strspn(argument, "-"), false);
    return icseg_error_set(line->error, ICSEG_ERROR_ARGUMENT, "%.80s: unknown option%s%s%s", argument,
                           nearest ? "; did you mean --" : "", nearest ? nearest : "", nearest ? "?" : "; see --help");
}

/* Parses one "--..." argument. Advances *index if the value is the next argument. */
static icseg_status parse_named(command_line *line, int *index, int argc, char *const *argv) {
    const char *argument = argv[*index], *equals = strchr(argument, '=');
    char key[80];
    size_t length = equals ? (size_t)(equals - argument) : strlen(argument);
    if (argument[1] != '-' || length - 2 >= sizeof key) return unknown_option(line, argument);
    memcpy(key, argument + 2, length - 2);
    key[length - 2] = '\0';
    const icseg_option *row = icseg_option_find(line->table, key);
    if (!row && !strncmp(key, "no-", 3) && !equals) {
        row = icseg_option_find(line->table, key + 3);
        if (row && row->type == ICSEG_OPTION_BOOL) return assign(line, row, "false");
        row = NULL;
    }
    if (!row || row->positional) {
        char name[sizeof key + 2];
        snprintf(name, sizeof name, "--%s", key);
        return unknown_option(line, name);
    }
    if (equals) return assign(line, row, equals + 1);
    if (row->type == ICSEG_OPTION_BOOL) return assign(line, row, "true");
    if (*index + 1 == argc || !strncmp(argv[*index + 1], "--", 2)) {
        char accepted[MAX_TEXT];
        icseg_option_describe(row, accepted, sizeof accepted);
        return icseg_error_set(line->error, ICSEG_ERROR_ARGUMENT, "--%s: the value is missing; expected %s", key,
                               accepted);
    }
    return assign(line, row, argv[++*index]);
}

static const icseg_option *next_positional(const command_line *line) {
    for (size_t i = 0; i < line->table->count; i++) {
        const icseg_option *row = &line->table->rows[i];
        if (row->positional && (row->type == ICSEG_OPTION_STRINGS || !line->given[i])) return row;
    }
    return NULL;
}

icseg_status icseg_options_parse(const icseg_option_table *table, void *target, icseg_arena *arena, int argc,
                                 char *const *argv, icseg_error *error) {
    command_line line = {table, target, arena, error, icseg_arena_array(arena, table->count, sizeof(bool))};
    if (!line.given) return no_memory(error);
    bool options_ended = false;
    for (int i = 0; i < argc; i++) {
        if (!options_ended && !strcmp(argv[i], "--")) {
            options_ended = true;
            continue;
        }
        if (!options_ended && argv[i][0] == '-' && argv[i][1]) { /* a lone "-" is an argument */
            TRY(parse_named(&line, &i, argc, argv));
            continue;
        }
        const icseg_option *row = next_positional(&line);
        if (!row) return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%.200s: unexpected argument", argv[i]);
        TRY(assign(&line, row, argv[i]));
    }
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].required && !line.given[i])
            return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "%s%s is missing: %s",
                                   table->rows[i].positional ? "" : "--", table->rows[i].key, table->rows[i].help);
    return ICSEG_OK;
}

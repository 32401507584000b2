/* SPDX-License-Identifier: Apache-2.0
 * Option tables. One table of rows (name, type, field, accepted values, help) feeds the command line, --help, the
 * recipe file, the resolved recipe, the documentation, man pages and shell completions, so that they always agree.
 *
 * options/ is a separate library and the lowest layer: it uses the C library and icseg_error_set. libicseg parses
 * recipes with it and the program parses its command line; each links a hidden copy. It also contains the memory,
 * arenas and growing strings that all of libicseg uses, and the reader of YAML, which uses libyaml. */
#ifndef ICSEG_OPTIONS_OPTIONS_H
#define ICSEG_OPTIONS_OPTIONS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"

#include "options/arena.h"
#include "options/string.h"

/* The type of an option's value, and the C type of its field. */
typedef enum icseg_option_type {
    ICSEG_OPTION_BOOL,       /* bool */
    ICSEG_OPTION_INT,        /* int32_t */
    ICSEG_OPTION_INT64,      /* int64_t */
    ICSEG_OPTION_FLOAT,      /* double */
    ICSEG_OPTION_STRING,     /* const char *, in the arena */
    ICSEG_OPTION_WORD,       /* an enum counting from 0 in the order of `words` */
    ICSEG_OPTION_INT_LIST,   /* int32_t[capacity] */
    ICSEG_OPTION_FLOAT_LIST, /* double[capacity] */
    ICSEG_OPTION_SET,        /* bool[capacity]: a list of some `members`; the others become false */
    ICSEG_OPTION_KEYED,      /* double[capacity]: {member: number}; the others become NaN, "not given" */
    ICSEG_OPTION_STRINGS     /* icseg_strings: each use appends one (IMAGE..., --set KEY=VALUE) */
} icseg_option_type;

enum { ICSEG_OPTION_MAX_LIST = 16 }; /* largest `capacity` */

typedef struct icseg_strings {
    const char **items;
    size_t count;
} icseg_strings;

typedef struct icseg_option {
    const char *key; /* "train.lr" in a recipe, "out" for --out, "IMAGE" for a positional argument */
    icseg_option_type type;
    size_t offset; /* of the field in the target struct */
    const char *help;
    void (*append_help)(icseg_string *out); /* appends what is known only at run time to the help; NULL: nothing */
    const char *metavar;                    /* "DIR"; NULL: by type */
    const char *shown;        /* default as text where the value is not clear ("all cores"); NULL: the value */
    const char *const *words; /* WORD: NULL-terminated */
    const int32_t *members;   /* SET, KEYED: (capacity) */
    int32_t capacity;         /* lists: largest number of elements */
    int32_t min_count;        /* lists: smallest number of elements */
    size_t count_offset;      /* lists: an int32_t for the number of elements, if min_count < capacity */
    bool bounded;             /* numbers, also those of lists: `minimum` and `maximum` apply */
    bool open_low, open_high; /* the minimum, the maximum is itself excluded */
    double minimum, maximum;
    bool positional; /* a positional argument; a STRINGS row takes all that remain */
    bool required;   /* the command line must contain it */
} icseg_option;

typedef struct icseg_option_table {
    const icseg_option *rows;
    size_t count;
} icseg_option_table;

/* A row is {"train.lr", ICSEG_FIELD_FLOAT(struct s, train.lr), "learning rate", ICSEG_ABOVE(0)}. A field of another
 * type does not compile. */
#define ICSEG_FIELD_OFFSET(S, field, T) (offsetof(S, field) + 0 * sizeof(_Generic(&((S *)0)->field, T * : 0)))
#define ICSEG_FIELD_BOOL(S, field)      .type = ICSEG_OPTION_BOOL, .offset = ICSEG_FIELD_OFFSET(S, field, bool)
#define ICSEG_FIELD_INT(S, field)       .type = ICSEG_OPTION_INT, .offset = ICSEG_FIELD_OFFSET(S, field, int32_t)
#define ICSEG_FIELD_INT64(S, field)     .type = ICSEG_OPTION_INT64, .offset = ICSEG_FIELD_OFFSET(S, field, int64_t)
#define ICSEG_FIELD_FLOAT(S, field)     .type = ICSEG_OPTION_FLOAT, .offset = ICSEG_FIELD_OFFSET(S, field, double)
#define ICSEG_FIELD_STRING(S, field)    .type = ICSEG_OPTION_STRING, .offset = ICSEG_FIELD_OFFSET(S, field, const char *)
#define ICSEG_FIELD_WORD(S, field)                                                                                     \
    .type = ICSEG_OPTION_WORD,                                                                                         \
    .offset = (offsetof(S, field) + 0 * sizeof(char[sizeof(((S *)0)->field) == sizeof(int32_t) ? 1 : -1]))
#define ICSEG_FIELD_STRINGS(S, field)                                                                                  \
    .type = ICSEG_OPTION_STRINGS, .offset = ICSEG_FIELD_OFFSET(S, field, icseg_strings)
/* Lists name their first element: field[0], or the first of `capacity` neighbouring fields of the same type. */
#define ICSEG_FIELD_INTS(S, first)   .type = ICSEG_OPTION_INT_LIST, .offset = ICSEG_FIELD_OFFSET(S, first, int32_t)
#define ICSEG_FIELD_FLOATS(S, first) .type = ICSEG_OPTION_FLOAT_LIST, .offset = ICSEG_FIELD_OFFSET(S, first, double)
#define ICSEG_FIELD_SET(S, first)    .type = ICSEG_OPTION_SET, .offset = ICSEG_FIELD_OFFSET(S, first, bool)
#define ICSEG_FIELD_KEYED(S, first)  .type = ICSEG_OPTION_KEYED, .offset = ICSEG_FIELD_OFFSET(S, first, double)

#define ICSEG_EXACTLY(n)         .capacity = (n), .min_count = (n)
#define ICSEG_BETWEEN(low, high) .bounded = true, .minimum = (low), .maximum = (high)
#define ICSEG_AT_LEAST(low)      .bounded = true, .minimum = (low), .maximum = HUGE_VAL
#define ICSEG_ABOVE(low)         ICSEG_AT_LEAST(low), .open_low = true
#define ICSEG_TABLE(rows_)                                                                                             \
    { (rows_), sizeof(rows_) / sizeof *(rows_) }

/* The row of `key`, or NULL. */
const icseg_option *icseg_option_find(const icseg_option_table *table, const char *key);

/* ICSEG_ERROR_ARGUMENT "ORIGIN: KEY: unknown key; did you mean ...?". `origin` may be NULL everywhere. */
icseg_status icseg_option_unknown(const icseg_option_table *table, const char *key, const char *origin,
                                  icseg_error *error);

/* Parses `text` into the field of `key`. Lists are "[1, 2]" or "1,2" (ints also "1x2"), KEYED is "{8: 0.1}". `origin`
 * ("recipes/a.yaml:12", "--set") starts the error message. On failure the field is unchanged. Strings go to `arena`. */
icseg_status icseg_option_set(const icseg_option_table *table, void *target, icseg_arena *arena, const char *key,
                              const char *text, const char *origin, icseg_error *error);
/* The same for a list that is already split into `count` elements; an element of a KEYED is "8: 0.1". */
icseg_status icseg_option_set_list(const icseg_option_table *table, void *target, icseg_arena *arena, const char *key,
                                   const char *const *items, size_t count, const char *origin, icseg_error *error);

/* Describes the accepted values: "a number above 0", "one of whole, slide". */
void icseg_option_describe(const icseg_option *option, char *out, size_t size);

/* Whether a number is within the option's limits. */
bool icseg_option_accepts(const icseg_option *option, double value);

/* How --help names an option: "--split NAME", "IMAGE...", "--mode whole|slide". */
void icseg_option_name(const icseg_option *option, icseg_string *out);
/* The value's placeholder: "NAME"; "" of a BOOL. */
const char *icseg_option_metavar(const icseg_option *option);
/* Appends the help of an option, without its default. */
void icseg_option_help(const icseg_option *option, icseg_string *out);
/* Appends the default as --help shows it. Returns false and appends nothing if --help does not show a default. */
bool icseg_option_default(const icseg_option *option, const void *defaults, icseg_string *out);

/* The field's value as icseg_option_set reads it. `yaml` quotes strings where YAML needs it. */
void icseg_option_format(const icseg_option *option, const void *target, bool yaml, icseg_string *out);

/* Fills the target from command-line arguments, which do not include the names of the program and the command: --key
 * VALUE, --key=VALUE, --flag, --no-flag, --, and positional arguments. Strings live in the arena. */
icseg_status icseg_options_parse(const icseg_option_table *table, void *target, icseg_arena *arena, int argc,
                                 char *const *argv, icseg_error *error);

/* Texts made from the table; defaults are read from `defaults`. Help: "  --key VALUE   text (default: x)", 80 columns.
 * Usage: "CHECKPOINT --data DIR [--split NAME]", starting in column `indent`, where later lines start too. Markdown:
 * one table, or one for each section of dotted keys. YAML: every value of the target under its section. */
void icseg_options_help(const icseg_option_table *table, const void *defaults, icseg_string *out);
void icseg_options_usage(const icseg_option_table *table, size_t indent, icseg_string *out);
void icseg_options_markdown(const icseg_option_table *table, const void *defaults, icseg_string *out);
void icseg_options_yaml(const icseg_option_table *table, const void *target, icseg_string *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * base/options: parsing of text, refusals, the command line, texts generated from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "options/memory.h"
#include "options/options.h"

typedef enum mode { MODE_WHOLE, MODE_SLIDE } mode;

struct sample {
    bool flag, on;
    int32_t count;
    int64_t seed;
    double rate, decay;
    const char *out, *source;
    mode mode;
    int32_t size[2];
    int32_t ignore_count, ignore[4];
    double width, height; /* adjacent, set as one list */
    bool strides[3];
    double weights[3];
    icseg_strings images;
};

static const char *const mode_words[] = {"whole", "slide", NULL};
static const int32_t stride_members[] = {8, 16, 32};

static const icseg_option rows[] = {
    {"SOURCE", ICSEG_FIELD_STRING(struct sample, source), "where it comes from", .positional = true, .required = true},
    {"IMAGE", ICSEG_FIELD_STRINGS(struct sample, images), "pictures", .positional = true},
    {"flag", ICSEG_FIELD_BOOL(struct sample, flag), "a switch"},
    {"on", ICSEG_FIELD_BOOL(struct sample, on), "a switch that is on"},
    {"count", ICSEG_FIELD_INT(struct sample, count), "how many (images)", ICSEG_BETWEEN(1, 100)},
    {"seed", ICSEG_FIELD_INT64(struct sample, seed), "random seed", ICSEG_AT_LEAST(0)},
    {"rate", ICSEG_FIELD_FLOAT(struct sample, rate), "learning rate", ICSEG_ABOVE(0)},
    {"decay", ICSEG_FIELD_FLOAT(struct sample, decay), "decay", ICSEG_BETWEEN(0, 1), .open_high = true},
    {"out", ICSEG_FIELD_STRING(struct sample, out), "where to write", .metavar = "DIR", .shown = "beside the input"},
    {"mode", ICSEG_FIELD_WORD(struct sample, mode), "how", .words = mode_words},
    {"size", ICSEG_FIELD_INTS(struct sample, size[0]), "size (pixels)", ICSEG_EXACTLY(2), ICSEG_AT_LEAST(1),
     .metavar = "WxH"},
    {"ignore", ICSEG_FIELD_INTS(struct sample, ignore[0]), "values", .capacity = 4,
     .count_offset = offsetof(struct sample, ignore_count)},
    {"extent", ICSEG_FIELD_FLOATS(struct sample, width), "width and height", ICSEG_EXACTLY(2)},
    {"strides", ICSEG_FIELD_SET(struct sample, strides[0]), "which strides", .members = stride_members, .capacity = 3},
    {"weights", ICSEG_FIELD_KEYED(struct sample, weights[0]), "weight of each", .members = stride_members,
     .capacity = 3, ICSEG_AT_LEAST(0)},
};
static const icseg_option_table table = ICSEG_TABLE(rows);

static struct sample sample_default(void) {
    return (struct sample){
        .on = true, .count = 4, .rate = 1e-4, .out = "", .size = {640, 480}, .strides = {true, true}};
}

static int open_arena(void **state) { return icseg_arena_open((icseg_arena **)state, NULL) != ICSEG_OK; }
static int close_arena(void **state) {
    icseg_arena_close((icseg_arena **)state);
    return 0;
}

static void accept(struct sample *s, icseg_arena *arena, const char *key, const char *text) {
    icseg_error error = {0};
    if (icseg_option_set(&table, s, arena, key, text, NULL, &error) != ICSEG_OK)
        fail_msg("%s=%s: %s", key, text, error.message);
}

/* The text is refused with exactly this message, and the struct stays as it was. */
static void refuse(icseg_arena *arena, const char *key, const char *text, const char *message) {
    struct sample s = sample_default(), before;
    memcpy(&before, &s, sizeof s);
    icseg_error error = {0};
    assert_int_equal(icseg_option_set(&table, &s, arena, key, text, "a.yaml:3", &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, message);
    assert_memory_equal(&before, &s, sizeof s);
}

static void values_of_every_type_are_set(void **state) {
    icseg_arena *arena = *state;
    struct sample s = sample_default();
    accept(&s, arena, "flag", "yes");
    accept(&s, arena, "on", "false");
    accept(&s, arena, "count", "100");
    accept(&s, arena, "seed", "9007199254740993");
    accept(&s, arena, "rate", "1e-3");
    accept(&s, arena, "decay", "0");
    accept(&s, arena, "out", "a, b");
    accept(&s, arena, "mode", "slide");
    assert_true(s.flag && !s.on && s.count == 100 && s.seed == 9007199254740993 && s.rate == 1e-3 && s.decay == 0);
    assert_string_equal(s.out, "a, b");
    assert_int_equal(s.mode, MODE_SLIDE);
}

static void lists_are_set_in_all_spellings(void **state) {
    icseg_arena *arena = *state;
    struct sample s = sample_default();
    accept(&s, arena, "size", "320x240");
    assert_true(s.size[0] == 320 && s.size[1] == 240);
    accept(&s, arena, "size", "[256 , 512]");
    assert_true(s.size[0] == 256 && s.size[1] == 512);
    accept(&s, arena, "ignore", "0,254");
    assert_true(s.ignore_count == 2 && s.ignore[0] == 0 && s.ignore[1] == 254);
    accept(&s, arena, "ignore", "[]");
    assert_int_equal(s.ignore_count, 0);
    accept(&s, arena, "extent", "0.5,2");
    assert_true(s.width == 0.5 && s.height == 2);
    accept(&s, arena, "strides", "32");
    assert_true(!s.strides[0] && !s.strides[1] && s.strides[2]);
    accept(&s, arena, "weights", "{8: 0.25, 32: 4}");
    assert_true(s.weights[0] == 0.25 && isnan(s.weights[1]) && s.weights[2] == 4);
    const char *const items[] = {"16"};
    assert_int_equal(icseg_option_set_list(&table, &s, arena, "strides", items, 1, NULL, NULL), ICSEG_OK);
    assert_true(!s.strides[0] && s.strides[1] && !s.strides[2]);
}

static void refusals_name_key_value_and_what_is_accepted(void **state) {
    icseg_arena *arena = *state;
    refuse(arena, "cuont", "1", "a.yaml:3: cuont: unknown key; did you mean count?");
    refuse(arena, "zzzzzz", "1", "a.yaml:3: zzzzzz: unknown key");
    refuse(arena, "flag", "maybe", "a.yaml:3: flag: \"maybe\" is not accepted; expected true or false");
    refuse(arena, "count", "12x", "a.yaml:3: count: \"12x\" is not accepted; expected a whole number from 1 to 100");
    refuse(arena, "count", "0", "a.yaml:3: count: \"0\" is not accepted; expected a whole number from 1 to 100");
    refuse(arena, "count", "1.5", "a.yaml:3: count: \"1.5\" is not accepted; expected a whole number from 1 to 100");
    refuse(arena, "seed", "-1", "a.yaml:3: seed: \"-1\" is not accepted; expected a whole number of at least 0");
    refuse(arena, "rate", "0", "a.yaml:3: rate: \"0\" is not accepted; expected a number above 0");
    refuse(arena, "rate", "nan", "a.yaml:3: rate: \"nan\" is not accepted; expected a number above 0");
    refuse(arena, "rate", "", "a.yaml:3: rate: \"\" is not accepted; expected a number above 0");
    refuse(arena, "decay", "1", "a.yaml:3: decay: \"1\" is not accepted; expected a number from 0 to 1 (excluded)");
    refuse(arena, "mode", "silde",
           "a.yaml:3: mode: \"silde\" is not accepted; expected one of whole, slide; did you mean slide?");
    refuse(arena, "size", "1",
           "a.yaml:3: size: 1 value is given; expected a list of 2 whole numbers, each of at least 1");
    refuse(arena, "size", "1,2,3",
           "a.yaml:3: size: 3 values are given; expected a list of 2 whole numbers, each of at least 1");
    refuse(arena, "size", "1,,2",
           "a.yaml:3: size: 3 values are given; expected a list of 2 whole numbers, each of at least 1");
    refuse(arena, "size", "5,0",
           "a.yaml:3: size: \"0\" is not accepted; expected a list of 2 whole numbers, each of at least 1");
    refuse(arena, "ignore", "1,2,3,4,5",
           "a.yaml:3: ignore: 5 values are given; expected a list of at most 4 whole numbers");
    refuse(arena, "strides", "8,9", "a.yaml:3: strides: \"9\" is not accepted; expected a list of any of 8, 16, 32");
    refuse(arena, "strides", "8,8", "a.yaml:3: strides: \"8\" is not accepted; expected a list of any of 8, 16, 32");
    refuse(arena, "weights", "0.5",
           "a.yaml:3: weights: \"0.5\" is not accepted; expected a mapping of 8, 16, 32 to a number of at least 0, "
           "such as {8: 0.1}");
    refuse(arena, "weights", "{8: -1}",
           "a.yaml:3: weights: \"8: -1\" is not accepted; expected a mapping of 8, 16, 32 to a number of at least 0, "
           "such as {8: 0.1}");
}

static void hostile_text_is_refused_without_damage(void **state) {
    icseg_arena *arena = *state;
    struct sample s = sample_default();
    char *text = malloc(100001);
    for (size_t length = 1; length <= 100000; length *= 10)
        for (const char *letter = "[,x{:\"1 \n"; *letter; letter++) {
            memset(text, *letter, length);
            text[length] = '\0';
            icseg_error error = {0};
            for (size_t i = 0; i < table.count; i++) {
                icseg_status status = icseg_option_set(&table, &s, arena, rows[i].key, text, text, &error);
                assert_true(status == ICSEG_OK || status == ICSEG_ERROR_ARGUMENT);
                assert_null(strchr(error.message, '\n'));
            }
            assert_int_equal(icseg_option_set(&table, &s, arena, text, "1", NULL, &error), ICSEG_ERROR_ARGUMENT);
        }
    free(text);
}

static icseg_status parse(struct sample *s, icseg_arena *arena, icseg_error *error, const char *line) {
    char *words = icseg_arena_strdup(arena, line), *argv[32];
    int argc = 0;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    return icseg_options_parse(&table, s, arena, argc, argv, error);
}

static void a_command_line_is_parsed(void **state) {
    icseg_arena *arena = *state;
    struct sample s = sample_default();
    assert_int_equal(parse(&s, arena, NULL, "src --flag a.png --count=7 --rate 0.5 - --no-on b.png -- --c.png -d"),
                     ICSEG_OK);
    assert_string_equal(s.source, "src");
    assert_true(s.flag && !s.on && s.count == 7 && s.rate == 0.5);
    assert_int_equal(s.images.count, 5);
    const char *expected[] = {"a.png", "-", "b.png", "--c.png", "-d"};
    for (int i = 0; i < 5; i++) assert_string_equal(s.images.items[i], expected[i]);
}

static void a_wrong_command_line_is_refused(void **state) {
    static const char *const cases[][2] = {
        {"", "SOURCE is missing: where it comes from"},
        {"src --cuont 3", "--cuont: unknown option; did you mean --count?"},
        {"src --cuont=3", "--cuont: unknown option; did you mean --count?"},
        {"src --IMAGE x", "--IMAGE: unknown option; see --help"},
        {"src -c 3", "-c: unknown option; see --help"},
        {"src --count", "--count: the value is missing; expected a whole number from 1 to 100"},
        {"src --count --flag", "--count: the value is missing; expected a whole number from 1 to 100"},
        {"src --count x", "--count: \"x\" is not accepted; expected a whole number from 1 to 100"},
        {"src --flag=perhaps", "--flag: \"perhaps\" is not accepted; expected true or false"},
        {"src --no-count", "--no-count: unknown option; did you mean --count?"},
    };
    icseg_arena *arena = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample s = sample_default();
        icseg_error error = {0};
        assert_int_equal(parse(&s, arena, &error, cases[i][0]), ICSEG_ERROR_ARGUMENT);
        assert_string_equal(error.message, cases[i][1]);
    }
    static const icseg_option one[] = {
        {"SOURCE", ICSEG_FIELD_STRING(struct sample, source), "where it comes from", .positional = true}};
    static const icseg_option_table small = ICSEG_TABLE(one);
    struct sample s = sample_default();
    char first[] = "a", second[] = "b", *argv[] = {first, second};
    icseg_error error = {0};
    assert_int_equal(icseg_options_parse(&small, &s, arena, 2, argv, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "b: unexpected argument");
}

static void help_usage_and_markdown_show_the_table(void **state) {
    (void)state;
    struct sample defaults = sample_default();
    icseg_string text = {0};
    icseg_options_help(&table, &defaults, &text);
    assert_non_null(strstr(text.data, "  --count N               how many (images) (default: 4)\n"));
    assert_non_null(strstr(text.data, "  --mode whole|slide      how (default: whole)\n"));
    assert_non_null(strstr(text.data, "  --out DIR               where to write (default: beside the input)\n"));
    assert_non_null(strstr(text.data, "  --flag                  a switch\n"));
    assert_non_null(strstr(text.data, "  --ignore LIST           values (default: none)\n"));
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n")) assert_in_range(strlen(line), 1, 80);
    icseg_string_close(&text);
    icseg_options_usage(&table, 10, &text);
    assert_memory_equal(text.data, "SOURCE [IMAGE...] [--flag] [--on] [--count N] [--seed N] [--rate X]\n          [--",
                        81);
    icseg_string_close(&text);
    icseg_options_markdown(&table, &defaults, &text);
    assert_non_null(strstr(text.data, "| `--mode whole\\|slide` | one of whole, slide | whole | how |\n"));
    icseg_string_close(&text);
}

struct nested {
    int32_t a;
    const char *b, *c;
    double d;
};
static const icseg_option nested_rows[] = {
    {"x.a", ICSEG_FIELD_INT(struct nested, a), "a"},
    {"x.b", ICSEG_FIELD_STRING(struct nested, b), "b"},
    {"y.c", ICSEG_FIELD_STRING(struct nested, c), "c"},
    {"y.d", ICSEG_FIELD_FLOAT(struct nested, d), "d"},
};

static void yaml_has_sections_and_quotes_what_needs_it(void **state) {
    (void)state;
    static const icseg_option_table nested = ICSEG_TABLE(nested_rows);
    struct nested s = {-3, "../a/b-c.txt", "say \"\\\": #1\n", 0.1};
    icseg_string text = {0};
    icseg_options_yaml(&nested, &s, &text);
    assert_string_equal(text.data,
                        "x:\n  a: -3\n  b: ../a/b-c.txt\n\ny:\n  c: \"say \\\"\\\\\\\": #1\\x0a\"\n  d: 0.1\n");
    icseg_string_close(&text);
    s = (struct nested){0, "", "yes", 1.0 / 3};
    icseg_options_yaml(&nested, &s, &text);
    assert_string_equal(text.data, "x:\n  a: 0\n  b: \"\"\n\ny:\n  c: \"yes\"\n  d: 0.3333333333333333\n");
    icseg_string_close(&text);
    icseg_error error = {0};
    assert_int_equal(icseg_option_unknown(&nested, "d", "--set", &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "--set: d: unknown key; did you mean y.d?");
}

static void a_lack_of_memory_is_reported(void **state) {
    (void)state;
    struct sample defaults = sample_default();
    for (int64_t n = 0; n < 40; n++) {
        icseg_arena *arena = NULL;
        icseg_string text = {0};
        icseg_memory_fail_after(n);
        icseg_status status = icseg_arena_open(&arena, NULL);
        if (status == ICSEG_OK) {
            struct sample s = defaults;
            char first[] = "a", second[] = "b", *argv[] = {first, second};
            status = icseg_options_parse(&table, &s, arena, 2, argv, NULL);
            icseg_options_help(&table, &defaults, &text);
            icseg_options_markdown(&table, &defaults, &text);
        }
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
        assert_true(n >= 1 || status == ICSEG_ERROR_MEMORY);
        icseg_string_close(&text);
        icseg_arena_close(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_every_type_are_set),
        cmocka_unit_test(lists_are_set_in_all_spellings),
        cmocka_unit_test(refusals_name_key_value_and_what_is_accepted),
        cmocka_unit_test(hostile_text_is_refused_without_damage),
        cmocka_unit_test(a_command_line_is_parsed),
        cmocka_unit_test(a_wrong_command_line_is_refused),
        cmocka_unit_test(help_usage_and_markdown_show_the_table),
        cmocka_unit_test(yaml_has_sections_and_quotes_what_needs_it),
        cmocka_unit_test(a_lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("options", tests, open_arena, close_arena);
}

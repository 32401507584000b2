/* SPDX-License-Identifier: Apache-2.0
 * Every operator of graph/ops/list.h has a case in some tests/unit/test_ops_*.c, and one of random size. */
#include <ctype.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "graph/ops/operators.h"

static const struct {
    const char *name;
    const icseg_op *op;
} listed[] = {
#define ICSEG_OP(NAME) {#NAME, &icseg_op_##NAME},
#include "graph/ops/list.h"
#undef ICSEG_OP
};
enum { LISTED = sizeof listed / sizeof *listed };

static char *read_text(const char *path) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    char *text = icseg_calloc_array((size_t)size + 1, 1);
    rewind(file);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

/* Whether `word` is in the text, not preceded by a letter, digit or underscore. */
static bool has_word(const char *text, const char *word) {
    for (const char *at = text; (at = strstr(at, word)); at++)
        if (at > text && at[-1] != '_' && !isalnum((unsigned char)at[-1])) return true;
    return false;
}

/* A case gives the name as a string, or as the first argument of a macro, or it is a macro of that name: "name",
 * CASE(name, ... NAME(... */
static bool has_case(const char *text, const char *name) {
    char quoted[80], argument[80], macro[80];
    snprintf(quoted, sizeof quoted, "\"%s\",", name);
    snprintf(argument, sizeof argument, "(%s,", name);
    snprintf(macro, sizeof macro, "%s(", name);
    for (char *c = macro; *c; c++) *c = (char)toupper((unsigned char)*c);
    if (strstr(text, quoted) || has_word(text, macro)) return true;
    for (const char *at = text; (at = strstr(at, argument)); at++)
        if (at > text && isupper((unsigned char)at[-1])) return true;
    return false;
}

/* What remains of a test's text is the body of random_sizes_agree, or nothing. */
static char *random_cases(char *text) {
    char *body = strstr(text, "random_sizes_agree(void **state) {"), *end = body ? strstr(body, "\n}\n") : NULL;
    if (!end) return text + strlen(text);
    *end = '\0';
    return body;
}

static void every_operator_has_a_case_and_one_of_random_size(void **state) {
    (void)state;
    glob_t found;
    bool seen[LISTED] = {false}, drawn[LISTED] = {false};
    assert_int_equal(glob(ICSEG_SOURCE_DIR "/tests/unit/test_ops_*.c", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (strstr(found.gl_pathv[i], "test_ops_list.c")) continue;
        char *text = read_text(found.gl_pathv[i]);
        for (int j = 0; j < LISTED; j++) seen[j] |= has_case(text, listed[j].name);
        const char *body = random_cases(text);
        for (int j = 0; j < LISTED; j++) drawn[j] |= has_case(body, listed[j].name);
        icseg_free(text);
    }
    globfree(&found);
    for (int j = 0; j < LISTED; j++) {
        if (!seen[j]) fail_msg("no case for %s in tests/unit/test_ops_*.c", listed[j].name);
        if (!drawn[j]) fail_msg("no case for %s in a random_sizes_agree of tests/unit/test_ops_*.c", listed[j].name);
    }
}

static void names_are_those_of_the_list_and_unique(void **state) {
    (void)state;
    for (int j = 0; j < LISTED; j++) {
        assert_string_equal(listed[j].op->name, listed[j].name);
        for (int i = 0; i < j; i++) assert_string_not_equal(listed[i].name, listed[j].name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_has_a_case_and_one_of_random_size),
        cmocka_unit_test(names_are_those_of_the_list_and_unique),
    };
    return cmocka_run_group_tests_name("the list of operators", tests, NULL, NULL);
}

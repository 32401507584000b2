/* SPDX-License-Identifier: Apache-2.0
 * text/: UTF-8 validation, the byte tokenizer, the public functions, and the detection of wrongly decoded text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "text/misencoded.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

static void bytes_are_their_own_ids(void **state) {
    (void)state;
    icseg_tokenizer *tokenizer;
    icseg_arena *arena;
    icseg_tokens tokens;
    assert_int_equal(icseg_tokenizer_open_bytes(&tokenizer, NULL), ICSEG_OK);
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    assert_int_equal(tokenizer->vocab_size, 258);
    assert_string_equal(tokenizer->name, "bytes");
    assert_int_equal(icseg_tokenize(tokenizer, "a \xc3\xa9", arena, &tokens, NULL), ICSEG_OK);
    assert_int_equal(tokens.count, 4);
    assert_memory_equal(tokens.ids, ((int32_t[]){97, 32, 0xc3, 0xa9}), 16);
    icseg_tokenizer_close(&tokenizer);
    assert_null(tokenizer);
    icseg_tokenizer_close(&tokenizer);
    icseg_arena_close(&arena);
}

static void empty_and_broken_text_is_refused(void **state) {
    (void)state;
    icseg_tokenizer *tokenizer;
    icseg_arena *arena;
    icseg_tokens tokens;
    icseg_error error;
    assert_int_equal(icseg_tokenizer_open_bytes(&tokenizer, NULL), ICSEG_OK);
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    assert_int_equal(icseg_tokenize(tokenizer, "", arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "empty"));
    assert_int_equal(icseg_tokenize(tokenizer, "caf\xe9", arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "0xe9 at offset 3"));
    assert_null(tokens.ids);
    char *huge = icseg_alloc((size_t)2 << 20);
    memset(huge, 'a', (size_t)2 << 20);
    huge[((size_t)2 << 20) - 1] = '\0';
    assert_int_equal(icseg_tokenize(tokenizer, huge, arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    icseg_free(huge);
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_tokenize(tokenizer, "sky", arena, &tokens, &error), ICSEG_ERROR_MEMORY);
    icseg_tokenizer *other;
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_tokenizer_open_bytes(&other, &error), ICSEG_ERROR_MEMORY);
    assert_null(other);
    icseg_memory_fail_after(-1);
    icseg_tokenizer_close(&tokenizer);
    icseg_arena_close(&arena);
}

static void every_code_point_is_valid_and_surrogates_are_not(void **state) {
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        unsigned char s[4];
        size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (size == 1)
            s[0] = (unsigned char)c;
        else
            s[0] = (unsigned char)((0xf00u >> size & 0xff) | c >> 6 * (size - 1));
        for (size_t i = 1; i < size; i++) s[i] = (unsigned char)(0x80 | (c >> 6 * (size - 1 - i) & 0x3f));
        size_t expected = (c >= 0xd800 && c < 0xe000) || c > 0x10ffff ? 0 : size;
        if (icseg_utf8_check((const char *)s, size) != expected) fail_msg("code point %x", (unsigned)c);
        if (size > 1 && icseg_utf8_check((const char *)s, size - 1) != 0) fail_msg("cut code point %x", (unsigned)c);
    }
}

static void malformed_sequences_are_found(void **state) {
    (void)state;
    static const char *const bad[] = {"\x80",         "\xbf",         "\xc0\xaf",         "\xc1\xbf",
                                      "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80",
                                      "\xff",         "\xc3(",        "\xe2\x82(",        "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[16] = "ok ";
        memcpy(text + 3, bad[i], strlen(bad[i]) + 1);
        assert_int_equal(icseg_utf8_check(text, strlen(text)), 3);
    }
    assert_int_equal(icseg_utf8_check("", 0), 0);
}

static void wrongly_decoded_text_is_recognised(void **state) {
    (void)state;
    static const struct {
        const char *text, *meant;
    } cases[] = {
        {"caf\xc3\x83\xc2\xa9", "caf\xc3\xa9"}, /* e with acute, as Latin-1 */
        {"d\xc3\xa2\xe2\x82\xac\xe2\x84\xa2"
         "eau",
         "d\xe2\x80\x99"
         "eau"},                                    /* U+2019, as Windows-1252 */
        {"\xc3\x83\xc2\x85", "\xc3\x85"},           /* 0x85, as Latin-1 */
        {"caf\xc3\xa9", NULL},                      /* correct text */
        {"cafe", NULL},                             /* ASCII */
        {"\xe6\x9d\xb1\xe4\xba\xac", NULL},         /* not in Windows-1252 */
        {"caf\xc3\x83\xc2\xa9 \xe6\x9d\xb1", NULL}, /* one character is not in Windows-1252 */
        {"\xc3\x83", NULL},                         /* half a character */
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_string meant = {0};
        bool found = icseg_text_is_misencoded(cases[i].text, &meant);
        if (found != (cases[i].meant != NULL)) fail_msg("\"%s\": %s", cases[i].text, found ? "found" : "not found");
        if (found) assert_string_equal(meant.data, cases[i].meant);
        assert_int_equal(icseg_text_is_misencoded(cases[i].text, NULL), found);
        icseg_string_close(&meant);
    }
}

static void keep_message(void *user, icseg_message_level level, const char *text) {
    assert_int_equal(level, ICSEG_MESSAGE_WARNING);
    icseg_string_printf(user, "%s\n", text);
}

static void misencoded_class_names_are_reported_once(void **state) {
    (void)state;
    static const char *const names[] = {"wall", "caf\xc3\x83\xc2\xa9", "caf\xc3\xa9", "\xc3\x83\xc2\xbc"};
    icseg_string reported = {0};
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .message = keep_message, .user = &reported};
    icseg_warn_misencoded(names, 1, &progress);
    assert_null(reported.data);
    icseg_warn_misencoded(names, 4, NULL);
    icseg_warn_misencoded(names, 4, &progress);
    assert_non_null(strstr(reported.data, "\"caf\xc3\x83\xc2\xa9\""));
    assert_non_null(strstr(reported.data, "(\"caf\xc3\xa9\"?)"));
    assert_non_null(strstr(reported.data, "2 of 4 names"));
    assert_ptr_equal(strchr(reported.data, '\n'), reported.data + reported.size - 1); /* one message, one line */
    icseg_string_close(&reported);
}

/* --- the public functions ----------------------------------------------------------------------------------------- */

#define SMALL ICSEG_SOURCE_DIR "/tests/unit/data/clip_merges.txt"
enum { SMALL_SIZE = 914 };

static void texts_are_encoded_with_and_without_special_tokens(void **state) {
    (void)state;
    icseg_tokenizer *t;
    int32_t *ids, count;
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, SMALL, NULL), ICSEG_OK);
    assert_int_equal(icseg_tokenizer_vocabulary_size(t), SMALL_SIZE);
    assert_int_equal(icseg_tokenizer_sos(t), SMALL_SIZE - 2);
    assert_int_equal(icseg_tokenizer_eos(t), SMALL_SIZE - 1);
    assert_int_equal(icseg_tokenizer_encode(t, "wall", false, &ids, &count, NULL), ICSEG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], 658);
    icseg_buffer_free(ids);
    assert_int_equal(icseg_tokenizer_encode(t, " Wall ", true, &ids, &count, NULL), ICSEG_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(ids, ((int32_t[]){SMALL_SIZE - 2, 658, SMALL_SIZE - 1}), 12);
    icseg_buffer_free(ids);
    icseg_tokenizer_close(&t);
    assert_null(t);
}

static void a_context_is_filled_with_zeros_and_never_cut(void **state) {
    (void)state;
    icseg_tokenizer *t;
    int32_t ids[6] = {7, 7, 7, 7, 7, 7}, eos = -1;
    icseg_error error;
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_BYTES, NULL, NULL), ICSEG_OK);
    assert_int_equal(icseg_tokenizer_encode_context(t, "abcd", ids, 5, &eos, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "6 tokens"));
    assert_int_equal(ids[0], 7);
    assert_int_equal(icseg_tokenizer_encode_context(t, "ab", ids, 5, &eos, NULL), ICSEG_OK);
    assert_memory_equal(ids, ((int32_t[]){256, 97, 98, 257, 0, 7}), sizeof ids);
    assert_int_equal(eos, 3);
    assert_int_equal(icseg_tokenizer_encode_context(t, "abc", ids, 5, NULL, NULL), ICSEG_OK);
    assert_int_equal(ids[4], 257);
    for (int32_t length = -1; length < 3; length++)
        assert_int_equal(icseg_tokenizer_encode_context(t, "a", ids, length, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_encode_context(t, "a", ids, INT32_MAX, NULL, NULL), ICSEG_ERROR_ARGUMENT);
    icseg_tokenizer_close(&t);
}

static void decodes(const icseg_tokenizer *t, const char *text, const char *expected) {
    int32_t *ids, count;
    char *out;
    assert_int_equal(icseg_tokenizer_encode(t, text, true, &ids, &count, NULL), ICSEG_OK);
    assert_int_equal(icseg_tokenizer_decode(t, ids, count, &out, NULL), ICSEG_OK);
    assert_string_equal(out, expected);
    icseg_buffer_free(ids);
    icseg_buffer_free(out);
}

static void ids_are_decoded_to_clean_text(void **state) {
    (void)state;
    icseg_tokenizer *t;
    icseg_error error;
    char *out;
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, SMALL, NULL), ICSEG_OK);
    decodes(t, "wall", "wall");
    decodes(t, "  Building,\tedifice 12 ", "building , edifice 1 2");
    decodes(t, "CAF\xc3\x89 \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x98\x80!",
            "caf\xc3\xa9 \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x98\x80!");
    assert_int_equal(icseg_tokenizer_decode(t, NULL, 0, &out, NULL), ICSEG_OK);
    assert_string_equal(out, "");
    icseg_buffer_free(out);
    int32_t ids[] = {658, SMALL_SIZE - 1, 658};
    assert_int_equal(icseg_tokenizer_decode(t, ids, 3, &out, NULL), ICSEG_OK); /* what follows EOS is left out */
    assert_string_equal(out, "wall");
    icseg_buffer_free(out);
    static const int32_t bad[] = {-1, SMALL_SIZE, INT32_MAX};
    for (int i = 0; i < 3; i++) {
        ids[1] = bad[i];
        assert_int_equal(icseg_tokenizer_decode(t, ids, 3, &out, &error), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "token 1"));
        assert_null(out);
    }
    assert_int_equal(icseg_tokenizer_decode(t, ids, -1, &out, NULL), ICSEG_ERROR_ARGUMENT);
    icseg_tokenizer_close(&t);
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_BYTES, NULL, NULL), ICSEG_OK);
    decodes(t, " caf\xc3\xa9 ", " caf\xc3\xa9 ");
    assert_int_equal(icseg_tokenizer_decode(t, (int32_t[]){97, 0xc3}, 2, &out, NULL), ICSEG_OK);
    assert_string_equal(out, "a\xef\xbf\xbd"); /* half a character */
    icseg_buffer_free(out);
    icseg_tokenizer_close(&t);
}

static void null_and_bad_arguments_are_refused(void **state) {
    (void)state;
    icseg_tokenizer *t;
    icseg_error error;
    int32_t *ids, count, one = 1;
    char *out;
    assert_int_equal(icseg_tokenizer_open(NULL, ICSEG_TOKENIZER_BYTES, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_tokenizer_open: out is NULL");
    assert_int_equal(icseg_tokenizer_open(&t, (icseg_tokenizer_kind)9, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(t);
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "vocabulary");
    assert_int_equal(error.remedy, ICSEG_REMEDY_SET_FIELD);
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, "/nowhere", &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_BYTES, NULL, &error), ICSEG_OK);
    assert_int_equal(icseg_tokenizer_encode(NULL, "a", false, &ids, &count, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_encode(t, NULL, false, &ids, &count, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_encode(t, "a", false, NULL, &count, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_encode(t, "a", false, &ids, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_encode(t, "", false, &ids, &count, &error), ICSEG_ERROR_ARGUMENT);
    assert_null(ids);
    assert_int_equal(icseg_tokenizer_encode_context(t, "a", NULL, 77, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_decode(NULL, &one, 1, &out, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_decode(t, NULL, 1, &out, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_decode(t, &one, 1, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_tokenizer_vocabulary_size(NULL), 0);
    assert_int_equal(icseg_tokenizer_sos(NULL), 0);
    assert_int_equal(icseg_tokenizer_eos(NULL), 0);
    icseg_tokenizer_close(&t);
    icseg_tokenizer_close(NULL);
}

static void threads_share_a_tokenizer(void **state) {
    (void)state;
    icseg_tokenizer *t;
    int32_t *first, count;
    static const char text[] = "a caf\xc3\xa9 &amp; \xce\xa3\xce\x91\xce\xa3 wall, building";
    int wrong = 0;
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, SMALL, NULL), ICSEG_OK);
    assert_int_equal(icseg_tokenizer_encode(t, text, true, &first, &count, NULL), ICSEG_OK);
#pragma omp parallel for num_threads(4) reduction(+ : wrong)
    for (int i = 0; i < 64; i++) {
        int32_t *ids, n;
        char *out = NULL;
        wrong += icseg_tokenizer_encode(t, text, true, &ids, &n, NULL) != ICSEG_OK || n != count ||
                 memcmp(ids, first, (size_t)n * sizeof *ids) != 0 ||
                 icseg_tokenizer_decode(t, ids, n, &out, NULL) != ICSEG_OK || !strstr(out, "wall , building");
        icseg_buffer_free(ids);
        icseg_buffer_free(out);
    }
    assert_int_equal(wrong, 0);
    icseg_buffer_free(first);
    icseg_tokenizer_close(&t);
}

static void failing_allocations_leave_nothing_behind(void **state) {
    (void)state;
    icseg_tokenizer *t;
    assert_int_equal(icseg_tokenizer_open(&t, ICSEG_TOKENIZER_CLIP, SMALL, NULL), ICSEG_OK);
    icseg_status status = ICSEG_ERROR_MEMORY;
    int n = 0;
    for (; status != ICSEG_OK; n++) {
        int32_t *ids, count;
        char *out = NULL;
        icseg_memory_fail_after(n);
        status = icseg_tokenizer_encode(t, "a caf\xc3\xa9 &amp; wall", true, &ids, &count, NULL);
        if (status == ICSEG_OK) status = icseg_tokenizer_decode(t, ids, count, &out, NULL);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) {
            assert_int_equal(status, ICSEG_ERROR_MEMORY);
            assert_null(out);
        }
        icseg_buffer_free(ids);
        icseg_buffer_free(out);
        assert_true(n < 100);
    }
    assert_true(n > 3); /* some allocations failed */
    icseg_tokenizer_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_their_own_ids),
        cmocka_unit_test(empty_and_broken_text_is_refused),
        cmocka_unit_test(every_code_point_is_valid_and_surrogates_are_not),
        cmocka_unit_test(malformed_sequences_are_found),
        cmocka_unit_test(wrongly_decoded_text_is_recognised),
        cmocka_unit_test(misencoded_class_names_are_reported_once),
        cmocka_unit_test(texts_are_encoded_with_and_without_special_tokens),
        cmocka_unit_test(a_context_is_filled_with_zeros_and_never_cut),
        cmocka_unit_test(ids_are_decoded_to_clean_text),
        cmocka_unit_test(null_and_bad_arguments_are_refused),
        cmocka_unit_test(threads_share_a_tokenizer),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * text/: UTF-8 validation and the byte tokenizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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
    assert_int_equal(icseg_tokenizer_encode(tokenizer, "a \xc3\xa9", arena, &tokens, NULL), ICSEG_OK);
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
    assert_int_equal(icseg_tokenizer_encode(tokenizer, "", arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "empty"));
    assert_int_equal(icseg_tokenizer_encode(tokenizer, "caf\xe9", arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "0xe9 at offset 3"));
    assert_null(tokens.ids);
    char *huge = icseg_alloc((size_t)2 << 20);
    memset(huge, 'a', (size_t)2 << 20);
    huge[((size_t)2 << 20) - 1] = '\0';
    assert_int_equal(icseg_tokenizer_encode(tokenizer, huge, arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    icseg_free(huge);
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_tokenizer_encode(tokenizer, "sky", arena, &tokens, &error), ICSEG_ERROR_MEMORY);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_their_own_ids),
        cmocka_unit_test(empty_and_broken_text_is_refused),
        cmocka_unit_test(every_code_point_is_valid_and_surrogates_are_not),
        cmocka_unit_test(malformed_sequences_are_found),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * The emulated instructions against values computed by hand from Intel's manual: other tests depend on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "emulation/amx.h"

static uint32_t pair(float first, float second) {
    return icseg_float_bits(first) >> 16 | (icseg_float_bits(second) & 0xffff0000u);
}

/* The element (0, 0) of c + a b, where row 0 of a is `a` and column 0 of b is `b`. */
static float product(float c, const uint32_t a[16], const uint32_t b[16]) {
    static uint32_t rows[3][16][16];
    memset(rows, 0, sizeof rows);
    memcpy(rows[0][0], &c, sizeof c);
    memcpy(rows[1][0], a, sizeof rows[1][0]);
    for (int k = 0; k < 16; k++) rows[2][k][0] = b[k];
    _tile_loadconfig(rows);
    for (int i = 0; i < 3; i++) _tile_loadd(i, rows[i], 64);
    _tile_dpbf16ps(0, 1, 2);
    _tile_stored(0, rows[0], 64);
    _tile_release();
    memcpy(&c, rows[0][0], sizeof c);
    return c;
}

static void pairs_are_summed_separately_and_then_added(void **state) {
    (void)state;
    const uint32_t ones[16] = {[0] = pair(1, 1), [1] = pair(1, 1), [2] = pair(1, 1)};
    /* first values: 2^24 + 1 - 2^24 = 0, as 2^24 + 1 is rounded to 2^24; second values: 1 + 2 = 3 */
    const uint32_t a[16] = {[0] = pair(0x1p24f, 1), [1] = pair(1, 2), [2] = pair(-0x1p24f, 0)};
    assert_true(product(0, a, ones) == 3);
    /* the destination comes last: 2^24 + (1 + 1); one after the other they would be lost */
    const uint32_t two[16] = {[0] = pair(1, 1)};
    assert_true(product(0x1p24f, two, ones) == 0x1p24f + 2);
}

static void denormals_are_zero(void **state) {
    (void)state;
    const uint32_t tiny[16] = {[0] = pair(0x1p-127f, 0)}, large[16] = {[0] = pair(0x1p100f, 0)};
    const uint32_t small[16] = {[0] = pair(0x1p-100f, 0)}, less[16] = {[0] = pair(0x1p-27f, 0)};
    assert_true(product(0, tiny, large) == 0);        /* an operand */
    assert_true(product(0, small, less) == 0);        /* a result */
    assert_true(product(0x1p-127f, tiny, less) == 0); /* the destination */
    const uint32_t least[16] = {[0] = pair(0x1p-26f, 0)};
    assert_true(product(0, small, least) == 0x1p-126f);
}

static void int8_sums_are_exact(void **state) {
    (void)state;
    static uint8_t a[16][64];
    static int8_t b[16][64];
    static int32_t c[16][16];
    memset(a, 255, sizeof a);
    memset(b, -128, sizeof b);
    for (int j = 0; j < 64; j++) a[3][j] = 127;
    b[5][4 * 7 + 2] = 1; /* inner value 22 of column 7 */
    c[3][7] = 9;
    _tile_loadconfig(c);
    _tile_loadd(0, c, 64);
    _tile_loadd(1, a, 64);
    _tile_loadd(2, b, 64);
    _tile_dpbusd(0, 1, 2);
    _tile_stored(0, c, 64);
    _tile_release();
    assert_int_equal(c[0][0], -64 * 255 * 128);
    assert_int_equal(c[3][0], -64 * 127 * 128);
    assert_int_equal(c[3][7], 9 - 63 * 127 * 128 + 127);
}

static void signed_bytes_may_come_first(void **state) {
    (void)state;
    static int8_t a[16][64];
    static uint8_t b[16][64];
    static int32_t c[16][16];
    memset(a, -128, sizeof a);
    memset(b, 255, sizeof b);
    a[3][22] = 1;
    b[5][4 * 7 + 2] = 200; /* inner value 22 of column 7 */
    c[3][7] = 9;
    _tile_loadconfig(c);
    _tile_loadd(0, c, 64);
    _tile_loadd(1, a, 64);
    _tile_loadd(2, b, 64);
    _tile_dpbsud(0, 1, 2);
    _tile_stored(0, c, 64);
    _tile_release();
    assert_int_equal(c[0][0], -64 * 128 * 255);
    assert_int_equal(c[3][0], -63 * 128 * 255 + 255);
    assert_int_equal(c[3][7], 9 - 63 * 128 * 255 + 200);
}

static void numbers_are_rounded_to_bf16_to_nearest_even(void **state) {
    (void)state;
    assert_int_equal(emulated_bf16(1), 0x3f80);
    assert_int_equal(emulated_bf16(1 + 0x1p-8f), 0x3f80);            /* a tie, down to even */
    assert_int_equal(emulated_bf16(1 + 0x3p-8f), 0x3f82);            /* a tie, up to even */
    assert_int_equal(emulated_bf16(1 + 0x1p-8f + 0x1p-20f), 0x3f81); /* above a tie */
    assert_int_equal(emulated_bf16(-0x1p-127f), 0x8000);             /* a denormal */
    assert_int_equal(emulated_bf16(FLT_MAX), 0x7f80);
    assert_int_equal(emulated_bf16(icseg_float_of_bits(0xff800001u)), 0xffc0); /* NaN becomes quiet */
    __m512 lower = _mm512_set1_ps(1), upper = _mm512_set1_ps(-2);
    __m512i words = _mm512_cvtne2ps_pbh(upper, lower);
    assert_int_equal(words[0], 0x3f803f80);
    assert_int_equal((uint32_t)words[15], 0xc000c000u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_summed_separately_and_then_added),
        cmocka_unit_test(denormals_are_zero),
        cmocka_unit_test(int8_sums_are_exact),
        cmocka_unit_test(signed_bytes_may_come_first),
        cmocka_unit_test(numbers_are_rounded_to_bf16_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

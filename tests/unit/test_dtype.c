/* SPDX-License-Identifier: Apache-2.0
 * tensor/: element types, their conversions over every 16-bit value, shapes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

enum { ALL = 65536 };

/* Widening by the definition of the format: 1 sign, `e` exponent and `m` mantissa bits. */
static double value_of(uint32_t bits, int e, int m) {
    int bias = (1 << (e - 1)) - 1, exponent = (int)(bits >> m & ((1u << e) - 1));
    double fraction = (double)(bits & ((1u << m) - 1)) / (1 << m), sign = bits >> (e + m) & 1 ? -1.0 : 1.0;
    if (exponent == (1 << e) - 1) return fraction > 0 ? NAN : sign * HUGE_VAL;
    return sign * (exponent ? ldexp(1.0 + fraction, exponent - bias) : ldexp(fraction, 1 - bias));
}

static void widens_every_16_bit_value(icseg_dtype dtype, int e, int m) {
    static uint16_t in[ALL], back[ALL];
    static float out[ALL];
    for (int i = 0; i < ALL; i++) in[i] = (uint16_t)i;
    icseg_f32_from(out, in, dtype, ALL);
    for (int i = 0; i < ALL; i++) {
        double expected = value_of((uint32_t)i, e, m);
        if (isnan(expected))
            assert_true(isnan(out[i]));
        else
            assert_true((double)out[i] == expected && !signbit(out[i]) == !signbit(expected));
    }
    if (dtype == ICSEG_F16)
        icseg_f16_from_f32(back, out, ALL);
    else
        icseg_bf16_from_f32(back, out, ALL);
    assert_memory_equal(back, in, sizeof in); /* NaN bits included */
}

static void every_f16_widens_exactly_and_returns(void **state) {
    (void)state;
    widens_every_16_bit_value(ICSEG_F16, 5, 10);
}

static void every_bf16_widens_exactly_and_returns(void **state) {
    (void)state;
    widens_every_16_bit_value(ICSEG_BF16, 8, 7);
}

/* Between two neighbours the midpoint rounds to the even one, any other value to the nearer one. */
static void narrowing_rounds_to_nearest_even(int e, int m, void (*narrow)(uint16_t *, const float *, size_t)) {
    uint16_t largest = (uint16_t)(((1u << e) - 1) << m); /* infinity: the last finite value rounds up to it */
    for (uint32_t i = 0; i < largest; i++) {
        double low = value_of(i, e, m),
               step = i + 1 == largest ? low - value_of(i - 1, e, m) : value_of(i + 1, e, m) - low;
        float middle = (float)(low + step / 2);
        float in[6] = {middle, nextafterf(middle, 0), nextafterf(middle, HUGE_VALF), -middle, (float)low, -(float)low};
        uint16_t out[6], even = (uint16_t)(i + (i & 1)), sign = 0x8000;
        narrow(out, in, 6);
        assert_int_equal(out[0], even);
        assert_int_equal(out[1], i);
        assert_int_equal(out[2], i + 1);
        assert_int_equal(out[3], even | sign);
        assert_int_equal(out[4], i);
        assert_int_equal(out[5], i | sign);
    }
}

static void f16_rounds_to_nearest_even(void **state) {
    (void)state;
    narrowing_rounds_to_nearest_even(5, 10, icseg_f16_from_f32);
}

static void bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    narrowing_rounds_to_nearest_even(8, 7, icseg_bf16_from_f32);
}

static void special_values_keep_their_kind(void **state) {
    (void)state;
    uint32_t low_nan = 0x7f800001u; /* its payload has only bits that 16 bits cannot hold */
    float in[7] = {HUGE_VALF, -HUGE_VALF, 0, -0.0f, 3e38f, 1e-45f, -1e-45f}, nan;
    memcpy(&nan, &low_nan, sizeof nan);
    uint16_t half[7], brain[7], one;
    icseg_f16_from_f32(half, in, 7);
    icseg_bf16_from_f32(brain, in, 7);
    assert_memory_equal(half, ((uint16_t[]){0x7c00, 0xfc00, 0, 0x8000, 0x7c00, 0, 0x8000}), sizeof half);
    assert_memory_equal(brain, ((uint16_t[]){0x7f80, 0xff80, 0, 0x8000, 0x7f62, 0, 0x8000}), sizeof brain);
    icseg_f16_from_f32(&one, &nan, 1);
    assert_true((one & 0x7fff) > 0x7c00);
    icseg_bf16_from_f32(&one, &nan, 1);
    assert_true((one & 0x7fff) > 0x7f80);
}

static void vector_and_single_conversions_agree(void **state) {
    (void)state;
    enum { N = 1003 };
    static float in[N], out[N], one;
    static uint16_t many[N], single;
    icseg_rng rng = icseg_rng_open(3, ICSEG_RNG_TEST, 0);
    for (int i = 0; i < N; i++) in[i] = icseg_rng_normal(&rng) * exp2f(icseg_rng_range(&rng, -40, 30));
    icseg_f16_from_f32(many, in, N);
    for (int i = 0; i < N; i++) {
        icseg_f16_from_f32(&single, &in[i], 1);
        assert_int_equal(single, many[i]);
    }
    static unsigned char shifted[2 * N + 1]; /* tensors in files may be unaligned */
    memcpy(shifted + 1, many, sizeof many);
    icseg_f32_from(out, shifted + 1, ICSEG_F16, N);
    for (int i = 0; i < N; i++) {
        icseg_f32_from(&one, &many[i], ICSEG_F16, 1);
        assert_true(one == out[i]);
    }
}

static void every_dtype_widens_from_unaligned_bytes(void **state) {
    (void)state;
    unsigned char bytes[32];
    float out[2];
#define WIDENS(TYPE, DTYPE, A, B)                                                                                      \
    do {                                                                                                               \
        TYPE values[2] = {A, B};                                                                                       \
        memcpy(bytes + 1, values, sizeof values);                                                                      \
        icseg_f32_from(out, bytes + 1, DTYPE, 2);                                                                      \
        assert_true(out[0] == (float)(A) && out[1] == (float)(B));                                                     \
        assert_int_equal(icseg_dtype_size(DTYPE), sizeof(TYPE));                                                       \
    } while (0)
    WIDENS(float, ICSEG_F32, 1.5f, -3e30f);
    WIDENS(double, ICSEG_F64, 0.1, -1e-300);
    WIDENS(int64_t, ICSEG_I64, INT64_MAX, -7);
    WIDENS(int32_t, ICSEG_I32, INT32_MIN, 7);
    WIDENS(int16_t, ICSEG_I16, -32768, 32767);
    WIDENS(int8_t, ICSEG_I8, -128, 127);
    WIDENS(uint8_t, ICSEG_U8, 255, 0);
    WIDENS(uint16_t, ICSEG_U16, 65535, 1);
    WIDENS(uint8_t, ICSEG_BOOL, 1, 0);
    icseg_f32_from(NULL, NULL, ICSEG_F32, 0); /* empty tensors have no data */
}

static void dtype_names_round_trip(void **state) {
    (void)state;
    for (int i = 0; i < ICSEG_DTYPES; i++) {
        icseg_dtype parsed;
        assert_true(icseg_dtype_parse(icseg_dtype_name((icseg_dtype)i), &parsed));
        assert_int_equal(parsed, i);
        assert_int_equal(icseg_dtype_is_float((icseg_dtype)i), i <= ICSEG_F64);
    }
    icseg_dtype parsed;
    assert_false(icseg_dtype_parse("f32", &parsed) || icseg_dtype_parse("F8_E4M3", &parsed) ||
                 icseg_dtype_parse("", &parsed));
}

static void shapes_count_compare_and_print(void **state) {
    (void)state;
    char text[ICSEG_SHAPE_TEXT];
    icseg_shape scalar = {0}, six = ICSEG_SHAPE(INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN);
    assert_int_equal(icseg_shape_count(ICSEG_SHAPE(2, 3, 4)), 24);
    assert_int_equal(icseg_shape_count(scalar), 1);
    assert_int_equal(icseg_shape_bytes(ICSEG_SHAPE(2, 3), ICSEG_F64), 48);
    assert_string_equal(icseg_shape_text(ICSEG_SHAPE(2, 3, 4), text, sizeof text), "(2, 3, 4)");
    assert_string_equal(icseg_shape_text(scalar, text, sizeof text), "()");
    assert_int_equal(strlen(icseg_shape_text(six, text, sizeof text)), 6 * 20 + 5 * 2 + 2);
    char small[6];
    assert_string_equal(icseg_shape_text(ICSEG_SHAPE(2, 3, 4), small, sizeof small), "(2, 3");
    assert_true(icseg_shape_equal(ICSEG_SHAPE(2, 3), ICSEG_SHAPE(2, 3)));
    assert_false(icseg_shape_equal(ICSEG_SHAPE(2, 3), ICSEG_SHAPE(2, 3, 1)));
    assert_false(icseg_shape_equal(ICSEG_SHAPE(2, 3), ICSEG_SHAPE(3, 2)));
    assert_true(icseg_shape_equal((icseg_shape){1, {2, 9}}, ICSEG_SHAPE(2))); /* dimensions past the rank are ignored */
}

static void shapes_that_overflow_have_no_count(void **state) {
    (void)state;
    int64_t big = (int64_t)1 << 32;
    assert_int_equal(icseg_shape_count(ICSEG_SHAPE(big, big)), -1);
    assert_int_equal(icseg_shape_count(ICSEG_SHAPE(0, big, big)), -1); /* a zero hides no overflow */
    assert_int_equal(icseg_shape_count(ICSEG_SHAPE(big, big, 0)), -1);
    assert_int_equal(icseg_shape_count(ICSEG_SHAPE(0, big)), 0);
    assert_int_equal(icseg_shape_count(ICSEG_SHAPE(2, -1)), -1);
    assert_int_equal(icseg_shape_count((icseg_shape){.rank = ICSEG_MAX_RANK + 1}), -1);
    assert_int_equal(icseg_shape_count((icseg_shape){.rank = -1}), -1);
    assert_int_equal(icseg_shape_bytes(ICSEG_SHAPE(INT64_MAX), ICSEG_F16), -1);
    assert_true(icseg_shape_bytes(ICSEG_SHAPE(INT64_MAX), ICSEG_U8) == INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_widens_exactly_and_returns),
        cmocka_unit_test(every_bf16_widens_exactly_and_returns),
        cmocka_unit_test(f16_rounds_to_nearest_even),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(special_values_keep_their_kind),
        cmocka_unit_test(vector_and_single_conversions_agree),
        cmocka_unit_test(every_dtype_widens_from_unaligned_bytes),
        cmocka_unit_test(dtype_names_round_trip),
        cmocka_unit_test(shapes_count_compare_and_print),
        cmocka_unit_test(shapes_that_overflow_have_no_count),
    };
    return cmocka_run_group_tests_name("dtype", tests, NULL, NULL);
}

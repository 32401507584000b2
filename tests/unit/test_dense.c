/* SPDX-License-Identifier: Apache-2.0
 * The dense backend, which 64-bit ARM uses and every processor can run, against sums in double precision: matrix
 * products and convolutions of shapes that fill no tile, all directions, strides, post-operations, bf16; equal bits for
 * any number of threads; writes out of bounds. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "compute/dense/dense.h"
#include "compute/dense/kernel.h"
#include "tensor/bf16.h"

enum { GUARD = 64, MARK = 0x5a };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

/* -- operands: f32 numbers, and the same in the type in which they are given */

typedef struct operand {
    float *value;
    void *given;
    int64_t count;
    bool bf16;
} operand;

static operand open_operand(int64_t count, bool bf16, uint64_t stream) {
    operand o = {icseg_alloc_array((size_t)count, sizeof(float)), NULL, count, bf16};
    icseg_rng rng = icseg_rng_open(7, ICSEG_RNG_TEST, stream);
    char *block = icseg_alloc((size_t)count * sizeof(float) + 2 * GUARD);
    assert_non_null(block);
    memset(block, MARK, (size_t)count * sizeof(float) + 2 * GUARD);
    o.given = block + GUARD;
    for (int64_t i = 0; i < count; i++) {
        icseg_set_element(o.given, bf16, i, icseg_rng_normal(&rng));
        o.value[i] = icseg_element(o.given, bf16, i);
    }
    return o;
}

static void close_operand(operand *o) {
    const char *block = (const char *)o->given - GUARD;
    size_t bytes = (size_t)o->count * (o->bf16 ? 2 : 4);
    for (size_t i = 0; i < GUARD; i++) assert_true(block[i] == MARK && block[GUARD + bytes + i] == MARK);
    icseg_free((char *)o->given - GUARD);
    icseg_free(o->value);
}

/* Runs a primitive of the backend. What is packed is given in f32. */
static void run(const icseg_primitive_spec *spec, const operand *a, const operand *b, const float *bias, operand *out) {
    icseg_primitive *p;
    ok(icseg_dense_backend.open(&p, spec, &error));
    operand scratch = open_operand((int64_t)p->scratch / 4, false, 8);
    void *aligned = icseg_alloc(p->scratch), *packed = p->packed_size ? icseg_alloc(p->packed_size) : NULL;
    if (packed) ok(icseg_dense_backend.pack(p, b->given, packed, &error));
    icseg_operands operands = {.a = a->given, .b = packed ? packed : b->given, .bias = bias, .out = out->given};
    ok(icseg_dense_backend.run(p, operands, aligned, &error));
    icseg_free(aligned);
    icseg_free(packed);
    close_operand(&scratch);
    icseg_dense_backend.close(p);
}

static double activated(icseg_activation activation, double x) {
    if (activation == ICSEG_ACTIVATION_RELU) return x < 0 ? 0 : x;
    if (activation == ICSEG_ACTIVATION_GELU) return x / 2 * (1 + erf(x / sqrt(2)));
    return activation == ICSEG_ACTIVATION_QUICK_GELU ? x / (1 + exp(-1.702 * x)) : x;
}

/* Compares sums of products, whose squares add up to `squares`. bfmmla rounds sums in another way than fmla. */
static void compare(const icseg_primitive_spec *spec, const operand *out, int64_t i, double expected, double squares) {
    bool rounded = out->bf16, bf16 = spec->options.in == ICSEG_BF16;
    double got = icseg_element(out->given, out->bf16, i);
    double tolerance = (bf16 ? 1e-5 : 5e-6) * (sqrt(squares) + 1) + (rounded ? fabs(expected) / 256 : 0);
    if (!(fabs(got - expected) <= tolerance)) fail_msg("element %lld: %g, not %g", (long long)i, got, expected);
}

/* -- matrix products */

static int64_t extent(const int64_t batch[2], int64_t rows, int64_t columns, const int64_t stride[4]) {
    return (batch[0] - 1) * stride[0] + (batch[1] - 1) * stride[1] + (rows - 1) * stride[2] +
           (columns - 1) * stride[3] + 1;
}

static int64_t at(const int64_t stride[4], int64_t o, int64_t i, int64_t r, int64_t c) {
    return o * stride[0] + i * stride[1] + r * stride[2] + c * stride[3];
}

static void check_matmul(const icseg_matmul_shape *s, icseg_primitive_options options) {
    icseg_primitive_spec spec = {.kind = ICSEG_MATMUL, .matmul = *s, .options = options};
    bool bf16 = options.in == ICSEG_BF16;
    operand a = open_operand(extent(s->batch, s->rows, s->inner, s->a_stride), bf16, 1);
    operand b = open_operand(extent(s->batch, s->inner, s->columns, s->b_stride), bf16 && !options.pack, 2);
    operand bias = open_operand(s->columns, false, 3);
    operand out = open_operand(extent(s->batch, s->rows, s->columns, s->out_stride), options.out == ICSEG_BF16, 4);
    run(&spec, &a, &b, options.bias ? bias.given : NULL, &out);
    char *written = icseg_calloc_array((size_t)out.count, 1);
    bool narrow = bf16 && icseg_dense_kernel_bf16.supported(); /* what is packed is rounded */
    for (int64_t o = 0; o < s->batch[0]; o++)
        for (int64_t i = 0; i < s->batch[1]; i++)
            for (int64_t r = 0; r < s->rows; r++)
                for (int64_t c = 0; c < s->columns; c++) {
                    int64_t to = at(s->out_stride, o, i, r, c);
                    double sum = options.bias ? bias.value[c] : 0, squares = 0;
                    if (options.accumulate) sum += out.value[to];
                    for (int64_t k = 0; k < s->inner; k++) {
                        float y = b.value[at(s->b_stride, o, i, k, c)];
                        if (narrow) y = icseg_float_of_bits((uint32_t)icseg_narrow_bf16(y) << 16);
                        double product = (double)a.value[at(s->a_stride, o, i, r, k)] * y;
                        sum += product;
                        squares += product * product;
                    }
                    compare(&spec, &out, to, activated(options.activation, sum), squares);
                    written[to] = 1;
                }
    for (int64_t i = 0; i < out.count; i++) /* gaps between rows stay */
        if (!written[i]) assert_true(icseg_element(out.given, out.bf16, i) == out.value[i]);
    icseg_free(written);
    close_operand(&a);
    close_operand(&b);
    close_operand(&bias);
    close_operand(&out);
}

static void products_of_any_strides_and_options(void **state) {
    (void)state;
    const icseg_matmul_shape shapes[] = {
        {{1, 1}, 1, 1, 1, {0, 0, 1, 1}, {0, 0, 1, 1}, {0, 0, 1, 1}},
        {{1, 1}, 12, 256, 8, {0, 0, 256, 1}, {0, 0, 1, 256}, {0, 0, 8, 1}},
        {{1, 1}, 5, 7, 3, {0, 0, 1, 5}, {0, 0, 1, 7}, {0, 0, 6, 1}},
        {{1, 1}, 31, 600, 29, {0, 0, 600, 1}, {0, 0, 29, 1}, {0, 0, 29, 1}},
        {{1, 1}, 131, 9, 300, {0, 0, 9, 1}, {0, 0, 1, 9}, {0, 0, 300, 1}},
        {{1, 4}, 25, 18, 33, {0, 18, 96, 1}, {0, 18, 1, 96}, {0, 25 * 33, 33, 1}},
        {{2, 3}, 9, 8, 8, {24 * 30, 8, 24, 1}, {24 * 30, 8, 24, 1}, {24 * 30, 8, 24, 1}},
        {{1, 1}, 14, 50, 20, {0, 0, 100, 2}, {0, 0, 40, 2}, {0, 0, 20, 1}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int mask = 0; mask < 32; mask++)
            for (int type = 0; type < 3; type++)
                check_matmul(&shapes[i], (icseg_primitive_options){.bias = mask & 1,
                                                                   .accumulate = mask & 2,
                                                                   .activation = (icseg_activation)(mask >> 3),
                                                                   .pack = mask & 4,
                                                                   .in = type ? ICSEG_BF16 : ICSEG_F32,
                                                                   .out = type == 2 ? ICSEG_BF16 : ICSEG_F32});
}

/* -- convolutions */

static icseg_conv_shape conv_of(int64_t batch, int64_t height, int64_t width, int64_t in, int64_t out, int64_t kernel,
                                int64_t stride, int64_t padding) {
    return (icseg_conv_shape){batch,
                              height,
                              width,
                              in,
                              out,
                              kernel,
                              kernel,
                              stride,
                              padding,
                              (height + 2 * padding - kernel) / stride + 1,
                              (width + 2 * padding - kernel) / stride + 1};
}

/* Adds every product of a convolution x * weights = y to the sum of the result that it belongs to. */
static void add_products(const icseg_conv_shape *s, icseg_primitive_kind kind, const float *x, const float *w,
                         const float *y, double *sum, double *squares) {
    for (int64_t b = 0; b < s->batch; b++)
        for (int64_t oy = 0; oy < s->out_height; oy++)
            for (int64_t ox = 0; ox < s->out_width; ox++)
                for (int64_t ky = 0; ky < s->kernel_height; ky++)
                    for (int64_t kx = 0; kx < s->kernel_width; kx++) {
                        int64_t iy = oy * s->stride + ky - s->padding, ix = ox * s->stride + kx - s->padding;
                        if (iy < 0 || ix < 0 || iy >= s->height || ix >= s->width) continue;
                        for (int64_t o = 0; o < s->out; o++)
                            for (int64_t c = 0; c < s->in; c++) {
                                int64_t at_x = ((b * s->height + iy) * s->width + ix) * s->in + c;
                                int64_t at_w = ((o * s->kernel_height + ky) * s->kernel_width + kx) * s->in + c;
                                int64_t at_y = ((b * s->out_height + oy) * s->out_width + ox) * s->out + o;
                                bool forward = kind == ICSEG_CONV_FORWARD, data = kind == ICSEG_CONV_BACKWARD_DATA;
                                double product = (forward || !data ? x[at_x] : y[at_y]) *
                                                 (double)(forward || data ? w[at_w] : y[at_y]);
                                int64_t to = forward ? at_y : data ? at_x : at_w;
                                sum[to] += product;
                                squares[to] += product * product;
                            }
                    }
}

static void check_conv(const icseg_conv_shape *s, icseg_primitive_kind kind, bool bf16) {
    bool forward = kind == ICSEG_CONV_FORWARD, data = kind == ICSEG_CONV_BACKWARD_DATA;
    icseg_primitive_options options = {.bias = forward, .in = bf16 ? ICSEG_BF16 : ICSEG_F32};
    options.out = bf16 && data ? ICSEG_BF16 : ICSEG_F32;
    icseg_primitive_spec spec = {.kind = kind, .conv = *s, .options = options};
    operand x = open_operand(s->batch * s->height * s->width * s->in, forward ? bf16 : bf16 && !data, 1);
    operand w = open_operand(s->out * s->kernel_height * s->kernel_width * s->in, false, 2);
    operand y = open_operand(s->batch * s->out_height * s->out_width * s->out, bf16 && !forward, 3);
    operand bias = open_operand(s->out, false, 4);
    operand *out = forward ? &y : data ? &x : &w;
    double *sum = icseg_calloc_array((size_t)out->count, sizeof *sum),
           *squares = icseg_calloc_array((size_t)out->count, sizeof *squares);
    for (int64_t i = 0; bf16 && icseg_dense_kernel_bf16.supported() && i < w.count; i++)
        w.value[i] = icseg_float_of_bits((uint32_t)icseg_narrow_bf16(w.value[i]) << 16);
    add_products(s, kind, x.value, w.value, y.value, sum, squares);
    if (data) { /* dx, of another type than x */
        close_operand(&x);
        x = open_operand(s->batch * s->height * s->width * s->in, bf16, 5);
    }
    run(&spec, data ? &y : &x, forward || data ? &w : &y, forward ? bias.given : NULL, out);
    for (int64_t i = 0; i < out->count; i++)
        compare(&spec, out, i, sum[i] + (forward ? bias.value[i % s->out] : 0), squares[i]);
    icseg_free(sum);
    icseg_free(squares);
    close_operand(&x);
    close_operand(&w);
    close_operand(&y);
    close_operand(&bias);
}

static void convolutions_in_all_directions(void **state) {
    (void)state;
    const icseg_conv_shape shapes[] = {conv_of(1, 1, 1, 1, 1, 1, 1, 0),    conv_of(2, 9, 7, 16, 24, 1, 1, 0),
                                       conv_of(2, 9, 7, 5, 3, 1, 2, 0),    conv_of(1, 12, 11, 3, 32, 3, 2, 1),
                                       conv_of(2, 10, 13, 16, 9, 3, 1, 1), conv_of(1, 8, 9, 33, 20, 3, 2, 1),
                                       conv_of(1, 14, 14, 4, 6, 7, 3, 2),  conv_of(1, 20, 21, 8, 8, 5, 4, 0)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            check_conv(&shapes[i], ICSEG_CONV_FORWARD, bf16);
            check_conv(&shapes[i], ICSEG_CONV_BACKWARD_DATA, bf16);
            check_conv(&shapes[i], ICSEG_CONV_BACKWARD_WEIGHTS, bf16);
        }
}

/* -- threads, failures */

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    const icseg_primitive_spec specs[] = {
        {.kind = ICSEG_MATMUL,
         .matmul = {{1, 3}, 70, 700, 90, {0, 49000, 700, 1}, {0, 63000, 90, 1}, {0, 6300, 90, 1}}},
        {.kind = ICSEG_CONV_FORWARD, .conv = conv_of(1, 20, 20, 32, 40, 3, 2, 1)},
        {.kind = ICSEG_CONV_BACKWARD_WEIGHTS, .conv = conv_of(2, 20, 20, 16, 24, 3, 1, 1)}};
    int before = omp_get_max_threads();
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        operand a = open_operand(200000, false, 1), b = open_operand(200000, false, 2), out[3];
        for (int n = 0; n < 3; n++) {
            omp_set_num_threads(n == 2 ? 7 : n + 1);
            out[n] = open_operand(20000, false, 3);
            run(&specs[i], &a, &b, NULL, &out[n]);
        }
        for (int n = 1; n < 3; n++) assert_memory_equal(out[0].given, out[n].given, 20000 * sizeof(float));
        for (int n = 0; n < 3; n++) close_operand(&out[n]);
        close_operand(&a);
        close_operand(&b);
    }
    omp_set_num_threads(before);
}

static void a_failing_allocation_is_an_error(void **state) {
    (void)state;
    const icseg_primitive_spec spec = {.kind = ICSEG_CONV_FORWARD, .conv = conv_of(1, 8, 8, 4, 4, 3, 1, 1)};
    for (int n = 0; n < 2; n++) {
        icseg_primitive *p;
        icseg_memory_fail_after(n);
        assert_int_equal(icseg_dense_backend.open(&p, &spec, &error), ICSEG_ERROR_MEMORY);
        icseg_memory_fail_after(-1);
        assert_null(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_any_strides_and_options),
        cmocka_unit_test(convolutions_in_all_directions),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(a_failing_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

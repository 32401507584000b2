/* SPDX-License-Identifier: Apache-2.0
 * Products in reduced precision, on each kind of processor that this one can be, against sums in double precision:
 * shapes that fill no tile, several blocks, borders, weights stored either way, post-operations; equal bits for any
 * number of threads; writes out of bounds; infinities; which primitives are such products. With AMX's tiles emulated;
 * test_reduced_native uses the processor's. */
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "compute/primitive.h"
#include "compute/reduced/multiplier.h"
#include "compute/reduced/product.h"

enum { GUARD = 64, MARK = 0x5a };

static icseg_error error;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

/* Calls the test with each multiplier that this processor supports. */
static void for_each(void (*test)(const icseg_multiplier *m)) {
    int tested = 0;
    for (const icseg_multiplier *const *m = icseg_multipliers; *m; m++) {
        if (!(*m)->supported()) {
            print_message("skipped: this processor does not support %s\n", (*m)->name);
            continue;
        }
        test(*m);
        tested++;
    }
    if (!tested) skip();
}

static bool is_int8(const icseg_multiplier *m) { return m->precision == ICSEG_PRODUCT_INT8; }

static float *numbers(int64_t count, uint64_t stream) {
    float *x = icseg_alloc_array((size_t)count, sizeof *x);
    assert_non_null(x);
    icseg_rng rng = icseg_rng_open(5, ICSEG_RNG_TEST, stream);
    for (int64_t i = 0; i < count; i++) x[i] = icseg_rng_normal(&rng);
    return x;
}

/* A block with guard values on both sides, and whether they are intact. */
static void *guarded(size_t bytes) {
    char *block = icseg_alloc(bytes + 2 * GUARD);
    assert_non_null(block);
    memset(block, MARK, bytes + 2 * GUARD);
    return block + GUARD;
}

static void release_guarded(void *data, size_t bytes) {
    char *block = (char *)data - GUARD;
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(block[i], MARK);
        assert_int_equal(block[bytes + GUARD + i], MARK);
    }
    icseg_free(block);
}

typedef struct tensors {
    float *x, *weights, *bias, *before; /* before: the initial content of out */
    int64_t positions, outputs;
} tensors;

static tensors open_tensors(const icseg_reduced_shape *s) {
    const icseg_reduced_weights *w = &s->weights;
    int64_t positions = s->images * s->height * s->width;
    return (tensors){.x = numbers(positions * w->in, 1),
                     .weights = numbers(w->kernel * w->kernel * w->in * w->out, 2),
                     .bias = numbers(w->out, 3),
                     .before = numbers(positions * w->out, 4),
                     .positions = positions,
                     .outputs = positions * w->out};
}

static void close_tensors(tensors *t) {
    icseg_free(t->x);
    icseg_free(t->weights);
    icseg_free(t->bias);
    icseg_free(t->before);
}

/* Returns the result in new memory. */
static float *run(const icseg_reduced_shape *s, const tensors *t, bool bias) {
    icseg_reduced_product *p;
    ok(icseg_reduced_product_open(&p, s, &error));
    size_t scratch_size = icseg_reduced_product_scratch(p), packed_size = icseg_reduced_product_packed_size(p);
    size_t out_size = (size_t)t->outputs * sizeof(float);
    void *scratch = guarded(scratch_size), *packed = guarded(packed_size);
    float *out = guarded(out_size), *result = icseg_alloc(out_size);
    memcpy(out, t->before, out_size);
    icseg_reduced_product_pack(p, t->weights, packed);
    icseg_operands operands = {.a = t->x, .b = packed, .bias = bias ? t->bias : NULL, .out = out};
    icseg_reduced_product_run(p, operands, scratch);
    memcpy(result, out, out_size);
    release_guarded(scratch, scratch_size);
    release_guarded(packed, packed_size);
    release_guarded(out, out_size);
    icseg_reduced_product_close(&p);
    return result;
}

/* The sum at position i for output channel o, and the sum of the squares of its terms. */
static double sum_at(const icseg_reduced_shape *s, const tensors *t, int64_t i, int64_t o, double *squares) {
    const icseg_reduced_weights *w = &s->weights;
    int64_t image = i / (s->height * s->width), y = i / s->width % s->height, x = i % s->width, half = w->kernel / 2;
    double sum = 0;
    *squares = 0;
    for (int64_t dy = -half; dy <= half; dy++)
        for (int64_t dx = -half; dx <= half; dx++) {
            if (y + dy < 0 || y + dy >= s->height || x + dx < 0 || x + dx >= s->width) continue;
            const float *from = t->x + ((image * s->height + y + dy) * s->width + x + dx) * w->in;
            const float *weights = t->weights + o * w->out_stride + ((dy + half) * w->kernel + dx + half) * w->in;
            for (int64_t c = 0; c < w->in; c++) {
                double product = (double)from[c] * (double)weights[c * w->in_stride];
                sum += product;
                *squares += product * product;
            }
        }
    return sum;
}

static double activated(icseg_activation activation, double x) {
    if (activation == ICSEG_ACTIVATION_RELU) return x < 0 ? 0 : x;
    if (activation == ICSEG_ACTIVATION_GELU) return x / 2 * (1 + erf(x / sqrt(2)));
    return activation == ICSEG_ACTIVATION_QUICK_GELU ? x / (1 + exp(-1.702 * x)) : x;
}

/* Tolerances relative to the root of the sum of squares: of each result, and of all together. */
typedef struct tolerance {
    double each, all;
} tolerance;

static void compare(const icseg_reduced_shape *s, const tensors *t, const float *out, bool bias, tolerance most) {
    double errors = 0, norm = 0;
    for (int64_t i = 0; i < t->positions; i++)
        for (int64_t o = 0; o < s->weights.out; o++) {
            double squares, sum = sum_at(s, t, i, o, &squares);
            if (bias) sum += t->bias[o];
            if (s->options.accumulate) sum += t->before[i * s->weights.out + o];
            double d = out[i * s->weights.out + o] - activated(s->options.activation, sum);
            if (!(fabs(d) <= most.each * (sqrt(squares) + 1)))
                fail_msg("position %lld, channel %lld: %g is off by %g", (long long)i, (long long)o, sum, d);
            errors += d * d;
            norm += squares + 1;
        }
    if (!(errors <= most.all * most.all * norm)) fail_msg("off by %g on the whole", sqrt(errors / norm));
}

static uint8_t byte_of(float x, icseg_quantization q) {
    float n = nearbyintf(x * (1 / q.scale)) + (float)q.zero_point;
    return (uint8_t)(n < 0 ? 0 : n > 255 ? 255 : n);
}

static float value_of(uint8_t byte, icseg_quantization q) { return (float)(byte - q.zero_point) * q.scale; }

/* Rounds values as int8 does. */
static void quantise(float *values, int64_t count, int64_t step, icseg_quantization q) {
    for (int64_t i = 0; i < count; i++) values[i * step] = value_of(byte_of(values[i * step], q), q);
}

static void quantise_tensors(const icseg_reduced_shape *s, tensors *t) {
    const icseg_reduced_weights *w = &s->weights;
    int64_t taps = w->kernel * w->kernel;
    quantise(t->x, t->positions * w->in, 1, s->options.in_bytes);
    for (int64_t o = 0; o < w->out; o++) {
        float most = 0, *channel = t->weights + o * w->out_stride;
        for (int64_t i = 0; i < taps * w->in; i++) most = fmaxf(most, fabsf(channel[i * w->in_stride]));
        quantise(channel, taps * w->in, w->in_stride, (icseg_quantization){most / 127, 128});
    }
}

/* bf16x2 against the exact numbers, int8 against the quantised ones, with values beyond the range. */
static void check(const icseg_multiplier *m, const icseg_reduced_shape *shape, bool bias) {
    icseg_reduced_shape s = *shape;
    s.weights.multiplier = m;
    tensors t = open_tensors(&s);
    float *out = run(&s, &t, bias);
    if (is_int8(m)) quantise_tensors(&s, &t);
    compare(&s, &t, out, bias, is_int8(m) ? (tolerance){3e-6, 1e-6} : (tolerance){4e-5, 6e-6});
    icseg_free(out);
    close_tensors(&t);
}

static icseg_reduced_shape shape_of(int64_t images, int64_t height, int64_t width, int64_t in, int64_t out,
                                    int64_t kernel) {
    return (icseg_reduced_shape){.images = images,
                                 .height = height,
                                 .width = width,
                                 .options.in_bytes = {0.02f, 100},
                                 .weights = {NULL, in, out, kernel, kernel * kernel * in, 1}};
}

/* 40 rows of 64 inputs and 32 outputs. */
static icseg_reduced_shape small_shape(const icseg_multiplier *m) {
    icseg_reduced_shape s = shape_of(1, 40, 1, 64, 32, 1);
    s.weights.multiplier = m;
    return s;
}

static void check_sizes(const icseg_multiplier *m) {
    const icseg_reduced_shape shapes[] = {
        shape_of(1, 1, 1, 1, 1, 1),     shape_of(1, 16, 1, 32, 32, 1),   shape_of(1, 33, 1, 33, 31, 1),
        shape_of(3, 7, 5, 70, 65, 1),   shape_of(1, 700, 1, 520, 40, 1), shape_of(1, 90, 1, 64, 300, 1),
        shape_of(1, 1, 1, 3, 2, 3),     shape_of(1, 4, 40, 32, 32, 3),   shape_of(2, 9, 13, 40, 50, 3),
        shape_of(1, 33, 31, 65, 33, 3), shape_of(3, 1, 37, 31, 64, 3),   shape_of(1, 40, 64, 130, 34, 3),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check(m, &shapes[i], i % 2);
}

static void maps_and_convolutions_of_any_size(void **state) {
    (void)state;
    for_each(check_sizes);
}

static void check_stored_by_input(const icseg_multiplier *m) {
    icseg_reduced_shape s = shape_of(1, 50, 1, 45, 70, 1);
    s.weights.out_stride = 1;
    s.weights.in_stride = s.weights.out;
    check(m, &s, false);
}

static void weights_may_be_stored_by_input_channel(void **state) {
    (void)state;
    for_each(check_stored_by_input);
}

static void check_post_operations(const icseg_multiplier *m) {
    const icseg_activation after[] = {ICSEG_ACTIVATION_NONE, ICSEG_ACTIVATION_RELU, ICSEG_ACTIVATION_QUICK_GELU,
                                      ICSEG_ACTIVATION_GELU};
    for (int mask = 0; mask < 16; mask++)
        for (int kernel = 1; kernel <= 3; kernel += 2) {
            icseg_reduced_shape s = shape_of(1, 6, 11, 40, 50, kernel);
            s.options.accumulate = mask & 1;
            s.options.activation = after[mask >> 2];
            check(m, &s, mask & 2);
        }
}

static void post_operations_follow_the_sums(void **state) {
    (void)state;
    for_each(check_post_operations);
}

static void check_threads(const icseg_multiplier *m) {
    const icseg_reduced_shape shapes[] = {shape_of(1, 600, 1, 520, 160, 1), shape_of(1, 100, 1, 64, 96, 1),
                                          shape_of(3, 20, 40, 96, 64, 3), shape_of(1, 12, 20, 64, 64, 3)};
    int before = omp_get_max_threads();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        icseg_reduced_shape s = shapes[i];
        s.weights.multiplier = m;
        tensors t = open_tensors(&s);
        float *result[3];
        for (int n = 0; n < 3; n++) {
            omp_set_num_threads(n == 2 ? 7 : n + 1);
            result[n] = run(&s, &t, true);
        }
        for (int n = 1; n < 3; n++) assert_memory_equal(result[0], result[n], (size_t)t.outputs * sizeof(float));
        for (int n = 0; n < 3; n++) icseg_free(result[n]);
        close_tensors(&t);
    }
    omp_set_num_threads(before);
}

static void threads_do_not_change_a_bit(void **state) {
    (void)state;
    for_each(check_threads);
}

/* int8 instead clamps them. */
static void check_infinities(const icseg_multiplier *m) {
    if (is_int8(m)) return;
    icseg_reduced_shape s = small_shape(m);
    tensors t = open_tensors(&s);
    t.x[3 * 64 + 5] = INFINITY;
    t.x[7 * 64 + 9] = NAN;
    float *out = run(&s, &t, false);
    for (int64_t i = 0; i < t.positions; i++)
        for (int64_t o = 0; o < 32; o++) assert_int_equal(!isfinite(out[i * 32 + o]), i == 3 || i == 7);
    icseg_free(out);
    close_tensors(&t);
}

static void values_that_are_not_finite_stay_so(void **state) {
    (void)state;
    for_each(check_infinities);
}

static void check_clamping(const icseg_multiplier *m) {
    const float beyond[][2] = {{100, INFINITY}, {100, 1e30f}, {100, NAN}, {-100, -INFINITY}, {-100, -1e30f}};
    if (!is_int8(m)) return;
    icseg_reduced_shape s = small_shape(m);
    tensors t = open_tensors(&s);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        float *out[2];
        for (int j = 0; j < 2; j++) {
            t.x[3 * 64 + 5] = beyond[i][j];
            out[j] = run(&s, &t, false);
        }
        assert_memory_equal(out[0], out[1], (size_t)t.outputs * sizeof(float));
        for (int j = 0; j < 2; j++) icseg_free(out[j]);
    }
    close_tensors(&t);
}

static void int8_clamps_values_beyond_the_range(void **state) {
    (void)state;
    for_each(check_clamping);
}

static void check_weights_that_are_not_finite(const icseg_multiplier *m) {
    icseg_reduced_shape s = small_shape(m);
    tensors t = open_tensors(&s);
    t.weights[3 * 64 + 5] = NAN;
    t.weights[9 * 64 + 63] = INFINITY;
    icseg_reduced_product *p;
    ok(icseg_reduced_product_open(&p, &s, &error));
    void *packed = icseg_alloc(icseg_reduced_product_packed_size(p));
    assert_int_equal(icseg_reduced_product_pack(p, t.weights, packed), !is_int8(m));
    icseg_free(packed);
    icseg_reduced_product_close(&p);
    float *out = run(&s, &t, false);
    for (int64_t i = 0; i < t.positions; i++)
        for (int64_t o = 0; o < 32; o++) assert_int_equal(!isfinite(out[i * 32 + o]), o == 3 || o == 9);
    icseg_free(out);
    close_tensors(&t);
}

static void weights_that_are_not_finite_show(void **state) {
    (void)state;
    for_each(check_weights_that_are_not_finite);
}

/* All kinds of processors give the same bits: integers are exact, and so is the order of the operations after them. */
static void int8_is_the_same_on_all_processors(void **state) {
    (void)state;
    const icseg_reduced_shape shapes[] = {shape_of(1, 70, 1, 300, 65, 1), shape_of(2, 9, 13, 40, 50, 3)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        icseg_reduced_shape s = shapes[i];
        tensors t = open_tensors(&s);
        float *first = NULL;
        for (const icseg_multiplier *const *m = icseg_multipliers; *m; m++) {
            if (!is_int8(*m) || !(*m)->supported()) continue;
            s.weights.multiplier = *m;
            float *out = run(&s, &t, true);
            if (first) assert_memory_equal(first, out, (size_t)t.outputs * sizeof(float));
            if (first)
                icseg_free(out);
            else
                first = out;
        }
        icseg_free(first);
        close_tensors(&t);
    }
}

/* -- tensors of bytes */

static uint8_t *bytes_of(const float *x, int64_t count, icseg_quantization q) {
    uint8_t *bytes = icseg_alloc_array((size_t)count, sizeof *bytes);
    assert_non_null(bytes);
    for (int64_t i = 0; i < count; i++) bytes[i] = byte_of(x[i], q);
    return bytes;
}

/* Packs the weights and returns the result: f32 or bytes. */
static void *run_operands(const icseg_reduced_shape *s, const float *weights, icseg_operands operands) {
    icseg_reduced_product *p;
    ok(icseg_reduced_product_open(&p, s, &error));
    size_t size = (size_t)(s->images * s->height * s->width * s->weights.out) * icseg_dtype_size(s->options.out);
    void *packed = icseg_alloc(icseg_reduced_product_packed_size(p)), *out = guarded(size), *result = icseg_alloc(size),
         *scratch = icseg_alloc(icseg_reduced_product_scratch(p));
    icseg_reduced_product_pack(p, weights, packed);
    operands.b = packed;
    operands.out = out;
    icseg_reduced_product_run(p, operands, scratch);
    memcpy(result, out, size);
    release_guarded(out, size);
    icseg_free(packed);
    icseg_free(scratch);
    icseg_reduced_product_close(&p);
    return result;
}

/* x, a residual and the result as bytes give the same as if they were quantised in f32. */
static void check_bytes(const icseg_multiplier *m) {
    static const icseg_activation after[] = {ICSEG_ACTIVATION_NONE, ICSEG_ACTIVATION_RELU, ICSEG_ACTIVATION_QUICK_GELU,
                                             ICSEG_ACTIVATION_GELU};
    const icseg_reduced_shape shapes[] = {shape_of(1, 70, 1, 300, 65, 1), shape_of(2, 9, 13, 40, 50, 3),
                                          shape_of(1, 40, 1, 64, 64, 1), shape_of(1, 11, 9, 64, 96, 3)};
    if (!is_int8(m)) return;
    for (int i = 0; i < 16; i++) {
        icseg_reduced_shape s = shapes[i % 4];
        s.weights.multiplier = m;
        s.options.activation = after[i / 4];
        s.options.residual = true;
        s.options.residual_bytes = (icseg_quantization){0.03f, 7};
        s.options.out_bytes = (icseg_quantization){0.21f, 100};
        tensors t = open_tensors(&s);
        uint8_t *x = bytes_of(t.x, t.positions * s.weights.in, s.options.in_bytes),
                *residual = bytes_of(t.before, t.outputs, s.options.residual_bytes);
        quantise(t.before, t.outputs, 1, s.options.residual_bytes);
        float *expected = run_operands(&s, t.weights, (icseg_operands){.a = t.x, .bias = t.bias, .residual = t.before});
        s.options.in = s.options.residual_type = ICSEG_U8;
        float *read = run_operands(&s, t.weights, (icseg_operands){.a = x, .bias = t.bias, .residual = residual});
        s.options.out = ICSEG_U8;
        uint8_t *bytes = run_operands(&s, t.weights, (icseg_operands){.a = x, .bias = t.bias, .residual = residual}),
                *rounded = bytes_of(expected, t.outputs, s.options.out_bytes);
        int distinct[256] = {0}, values = 0;
        for (int64_t j = 0; j < t.outputs; j++) {
            if (!(fabsf(read[j] - expected[j]) <= 1e-5f * (1 + fabsf(expected[j]))))
                fail_msg("%g, %g", (double)read[j], (double)expected[j]);
            if (abs(bytes[j] - rounded[j]) > (read[j] != expected[j]))
                fail_msg("%g: byte %d in place of %d", (double)expected[j], bytes[j], rounded[j]);
            values += !distinct[bytes[j]]++;
        }
        assert_true(values > 50);
        icseg_free(x);
        icseg_free(residual);
        icseg_free(expected);
        icseg_free(read);
        icseg_free(bytes);
        icseg_free(rounded);
        close_tensors(&t);
    }
}

static void tensors_may_be_bytes(void **state) {
    (void)state;
    for_each(check_bytes);
}

/* -- x in two tensors */

/* The channels [first, first + count) of rows of `all`. */
static float *channels_of(const float *x, int64_t rows, int64_t all, int64_t first, int64_t count) {
    float *part = icseg_alloc_array((size_t)(rows * count), sizeof *part);
    assert_non_null(part);
    for (int64_t r = 0; r < rows; r++) memcpy(part + r * count, x + r * all + first, (size_t)count * sizeof *part);
    return part;
}

/* Each part rounded with its own scales. */
static double sum_of_part(const float *x, icseg_quantization q, const float *weights, int64_t count) {
    float most = 0;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) most = fmaxf(most, fabsf(weights[i]));
    const icseg_quantization w = {most / 127, 128};
    for (int64_t i = 0; i < count; i++)
        sum += (double)value_of(byte_of(x[i], q), q) * (double)value_of(byte_of(weights[i], w), w);
    return sum;
}

/* The second part is ten times as large. */
static void check_two_tensors(const icseg_multiplier *m) {
    const int64_t second[] = {11, 64, 100, 1}, first[] = {64, 33, 128, 32}, out[] = {32, 70, 64, 45};
    const icseg_quantization q[] = {{0.02f, 100}, {0.2f, 140}};
    if (!is_int8(m)) return;
    for (int i = 0; i < 8; i++) {
        const int64_t a = first[i % 4], b = second[i % 4], outputs = out[i % 4];
        icseg_reduced_shape s = shape_of(2, 9, 5 + 8 * (i % 4), a + b, outputs, 1);
        s.weights.multiplier = m;
        s.weights.second = b;
        s.options.in_bytes = q[0];
        s.options.second = (icseg_second_input){.channels = b, .type = i < 4 ? ICSEG_F32 : ICSEG_U8, .bytes = q[1]};
        s.options.activation = i % 2 ? ICSEG_ACTIVATION_RELU : ICSEG_ACTIVATION_NONE;
        s.options.out_bytes = (icseg_quantization){1.1f, 110};
        tensors t = open_tensors(&s);
        float *x = channels_of(t.x, t.positions, a + b, 0, a), *y = channels_of(t.x, t.positions, a + b, a, b);
        for (int64_t j = 0; j < t.positions * b; j++) y[j] *= 10;
        uint8_t *bytes = bytes_of(y, t.positions * b, q[1]);
        const icseg_operands operands = {.a = x, .second = i < 4 ? (const void *)y : bytes, .bias = t.bias};
        float *result = run_operands(&s, t.weights, operands);
        for (int64_t j = 0; j < t.outputs; j++) {
            const float *w = t.weights + j % outputs * (a + b);
            double sum = sum_of_part(x + j / outputs * a, q[0], w, a) +
                         sum_of_part(y + j / outputs * b, q[1], w + a, b) + (double)t.bias[j % outputs];
            double expected = activated(s.options.activation, sum);
            if (!(fabs(result[j] - expected) <= 1e-4 * (1 + fabs(expected))))
                fail_msg("%g in place of %g", (double)result[j], expected);
        }
        s.options.out = ICSEG_U8;
        uint8_t *rounded = run_operands(&s, t.weights, operands);
        for (int64_t j = 0; j < t.outputs; j++) assert_int_equal(rounded[j], byte_of(result[j], s.options.out_bytes));
        icseg_free(x);
        icseg_free(y);
        icseg_free(bytes);
        icseg_free(result);
        icseg_free(rounded);
        close_tensors(&t);
    }
}

static void x_may_be_in_two_tensors_with_scales_of_their_own(void **state) {
    (void)state;
    for_each(check_two_tensors);
}

static void check_failing_allocations(const icseg_multiplier *m) {
    icseg_reduced_shape s = small_shape(m);
    for (int n = 0; n < 2; n++) {
        icseg_reduced_product *p;
        icseg_memory_fail_after(n);
        assert_int_equal(icseg_reduced_product_open(&p, &s, &error), ICSEG_ERROR_MEMORY);
        assert_null(p);
    }
    icseg_memory_fail_after(-1);
}

static void a_failing_allocation_is_an_error(void **state) {
    (void)state;
    for_each(check_failing_allocations);
}

/* -- as a primitive */

static void need(icseg_product_precision precision) {
    if (icseg_multiplier_find(precision)) return;
    print_message("skipped: this processor does not support the precision\n");
    skip();
}

static void primitives_are_reduced_only_on_request(void **state) {
    (void)state;
    need(ICSEG_PRODUCT_BF16X2);
    const icseg_conv_shape conv = {1, 20, 20, 64, 64, 3, 3, 1, 1, 20, 20},
                           strided = {1, 20, 20, 64, 64, 3, 3, 2, 1, 10, 10};
    icseg_primitive_options plain = {0}, split = {.precision = ICSEG_PRODUCT_BF16X2};
    assert_true(icseg_conv_reduces_precision(&conv, split));
    assert_false(icseg_conv_reduces_precision(&conv, plain));
    assert_false(icseg_conv_reduces_precision(&strided, split));
    split.in = ICSEG_BF16;
    assert_false(icseg_conv_reduces_precision(&conv, split));
    icseg_primitive_options whole = {.precision = ICSEG_PRODUCT_INT8, .in_bytes.scale = 1},
                            without = {.precision = ICSEG_PRODUCT_INT8};
    assert_true(icseg_conv_reduces_precision(&conv, whole));
    icseg_primitive_options parts = whole;
    parts.second = (icseg_second_input){.channels = 32, .bytes.scale = 1};
    assert_false(icseg_conv_reduces_precision(&conv, parts)); /* 3x3 */
    assert_false(icseg_conv_reduces_precision(&conv, without));
}

static void packed_copies_are_shared_and_distinguished(void **state) {
    (void)state;
    need(ICSEG_PRODUCT_BF16X2);
    const icseg_matmul_shape s = {{1, 1}, 40, 64, 96, {0, 0, 64, 1}, {0, 0, 1, 64}, {0, 0, 96, 1}};
    icseg_matmul_shape more = s;
    more.rows = 80;
    icseg_primitive_options split = {.precision = ICSEG_PRODUCT_BF16X2, .pack = true}, plain = {.pack = true};
    icseg_primitive_options whole = {.precision = ICSEG_PRODUCT_INT8, .in_bytes.scale = 1, .pack = true};
    enum { COUNT = 4 };
    icseg_primitive *p[COUNT];
    ok(icseg_matmul_open(&p[0], &s, split, &error));
    ok(icseg_matmul_open(&p[1], &more, split, &error));
    ok(icseg_matmul_open(&p[2], &s, plain, &error));
    ok(icseg_matmul_open(&p[3], &s, whole, &error));
    assert_string_equal(icseg_primitive_implementation(p[0]), "amx");
    assert_string_not_equal(icseg_primitive_implementation(p[2]), "amx");
    float *weights = numbers(64 * 96, 1);
    icseg_packed *_Atomic list = NULL;
    const void *packed[COUNT];
    for (int i = 0; i < COUNT; i++) ok(icseg_packed_get(&list, p[i], weights, 1, &packed[i], &error));
    assert_ptr_equal(packed[0], packed[1]);
    assert_int_equal(icseg_packed_count(list).layouts, icseg_primitive_packed_size(p[2]) ? 3 : 2);
    assert_ptr_not_equal(packed[0], packed[3]);
    assert_ptr_equal(icseg_packed_find(list, p[0], ICSEG_PACKED_READY, 1), packed[0]);
    assert_null(icseg_packed_find(list, p[0], ICSEG_PACKED_READY, 2));
    icseg_packed_free(list);
    icseg_free(weights);
    for (int i = 0; i < COUNT; i++) icseg_primitive_close(&p[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_and_convolutions_of_any_size),
        cmocka_unit_test(weights_may_be_stored_by_input_channel),
        cmocka_unit_test(post_operations_follow_the_sums),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(values_that_are_not_finite_stay_so),
        cmocka_unit_test(int8_clamps_values_beyond_the_range),
        cmocka_unit_test(weights_that_are_not_finite_show),
        cmocka_unit_test(int8_is_the_same_on_all_processors),
        cmocka_unit_test(tensors_may_be_bytes),
        cmocka_unit_test(x_may_be_in_two_tensors_with_scales_of_their_own),
        cmocka_unit_test(a_failing_allocation_is_an_error),
        cmocka_unit_test(primitives_are_reduced_only_on_request),
        cmocka_unit_test(packed_copies_are_shared_and_distinguished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Products with panels of columns, for each instruction set, against sums in double precision: shapes with partial
 * blocks and panels, bias, accumulation, activations; parts; the primitives of the backend. */
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
#include "compute/panels/panels.h"
#include "compute/panels/product.h"
#include "compute/primitive.h"

/* What lies between the rows of the result and beyond them: it must not change. */
static const float UNUSED = 1e30F;

typedef struct tensors {
    int64_t rows, inner, columns, pitch;
    float *a, *weights, *panels, *bias, *before; /* weights (columns, inner); before: what accumulation adds to */
} tensors;

static float *values(int64_t count, uint64_t seed) {
    float *v = icseg_alloc_array((size_t)count, sizeof *v);
    assert_non_null(v);
    icseg_rng rng = icseg_rng_open(seed, ICSEG_RNG_TEST, 0);
    for (int64_t i = 0; i < count; i++) v[i] = icseg_rng_range(&rng, -1, 1);
    return v;
}

static tensors tensors_open(const icseg_panels_kernel *kernel, int64_t rows, int64_t inner, int64_t columns) {
    int64_t lanes = kernel->columns, panels = (columns + lanes - 1) / lanes;
    tensors t = {.rows = rows,
                 .inner = inner,
                 .columns = columns,
                 .pitch = columns + 3,
                 .a = values(rows * inner, 1),
                 .weights = values(columns * inner, 2),
                 .panels = values(panels * inner * lanes, 3),
                 .bias = values(columns, 4),
                 .before = values(rows * (columns + 3), 5)};
    for (int64_t p = 0; p < panels; p++)
        for (int64_t i = 0; i < inner; i++)
            for (int64_t c = 0; c < lanes && p * lanes + c < columns; c++)
                t.panels[(p * inner + i) * lanes + c] = t.weights[(p * lanes + c) * inner + i];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = columns; c < t.pitch; c++) t.before[i * t.pitch + c] = UNUSED;
    return t;
}

static void tensors_close(tensors *t) {
    icseg_free(t->a);
    icseg_free(t->weights);
    icseg_free(t->panels);
    icseg_free(t->bias);
    icseg_free(t->before);
}

typedef struct how {
    bool bias, accumulate;
    icseg_activation activation;
} how;

static double activated(icseg_activation activation, double x) {
    switch (activation) {
    case ICSEG_ACTIVATION_RELU: return x > 0 ? x : 0;
    case ICSEG_ACTIVATION_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case ICSEG_ACTIVATION_GELU: return x / 2 * (1 + erf(x / sqrt(2)));
    default: return x;
    }
}

/* out: with `pitch` numbers a row */
static void check(const char *name, const tensors *t, how h, const float *out, int64_t pitch) {
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < pitch; c++) {
            double wanted = (h.bias && c < t->columns ? (double)t->bias[c] : 0) +
                            (h.accumulate && c < t->columns ? (double)t->before[r * t->pitch + c] : 0);
            for (int64_t i = 0; i < t->inner && c < t->columns; i++)
                wanted += (double)t->a[r * t->inner + i] * (double)t->weights[c * t->inner + i];
            wanted = c < t->columns ? activated(h.activation, wanted) : (double)UNUSED;
            if (!(fabs((double)out[r * pitch + c] - wanted) <= 1e-6 * (double)(t->inner + 4)))
                fail_msg("%s, %lld x %lld x %lld, activation %d, row %lld, column %lld: %g instead of %g", name,
                         (long long)t->rows, (long long)t->inner, (long long)t->columns, (int)h.activation,
                         (long long)r, (long long)c, (double)out[r * pitch + c], wanted);
        }
}

static float *copy_of(const float *from, int64_t count) {
    float *to = icseg_alloc_array((size_t)count, sizeof *to);
    assert_non_null(to);
    return memcpy(to, from, (size_t)count * sizeof *to);
}

static icseg_panels_product product_of(const icseg_panels_kernel *kernel, const tensors *t, how h) {
    return (icseg_panels_product){.kernel = kernel,
                                  .inner = t->inner,
                                  .columns = t->columns,
                                  .out_pitch = t->pitch,
                                  .accumulate = h.accumulate,
                                  .activation = h.activation};
}

static void check_kernel(const icseg_panels_kernel *kernel, const tensors *t, how h) {
    icseg_panels_product p = product_of(kernel, t, h);
    float *out = copy_of(t->before, t->rows * t->pitch);
    icseg_panels_part all = {.end_row = t->rows, .end_panel = icseg_panels_count(&p)};
    icseg_panels_operands o = {.a = t->a, .b = t->panels, .bias = h.bias ? t->bias : NULL, .out = out};
    icseg_panels_multiply(&p, &all, &o);
    check(kernel->name, t, h, out, t->pitch);
    icseg_free(out);
}

static const how hows[] = {{false, false, ICSEG_ACTIVATION_NONE},      {true, false, ICSEG_ACTIVATION_NONE},
                           {false, true, ICSEG_ACTIVATION_NONE},       {true, true, ICSEG_ACTIVATION_RELU},
                           {true, false, ICSEG_ACTIVATION_QUICK_GELU}, {true, true, ICSEG_ACTIVATION_GELU}};
enum { HOWS = sizeof hows / sizeof *hows };

static void each_instruction_set_is_right_for_all_numbers_of_rows(void **state) {
    (void)state;
    for (const icseg_panels_kernel *const *kernel = icseg_panels_kernels; *kernel; kernel++) {
        if (!(*kernel)->supported()) {
            print_message("skipped: this processor does not support %s\n", (*kernel)->name);
            continue;
        }
        for (int64_t rows = 1; rows < 40; rows++) {
            tensors t = tensors_open(*kernel, rows, 1 + rows % 7, 10 + 7 * rows % 90);
            for (int i = 0; i < HOWS; i++) check_kernel(*kernel, &t, hows[i]);
            tensors_close(&t);
        }
    }
}

static void many_rows_are_multiplied_in_chunks(void **state) {
    (void)state;
    const icseg_panels_kernel *kernel = icseg_panels_kernel_find();
    tensors t = tensors_open(kernel, 4400, 300, kernel->columns + 1); /* 5 MB of a */
    check_kernel(kernel, &t, hows[3]);
    tensors_close(&t);
}

static void a_part_writes_nothing_else_and_has_the_same_bits(void **state) {
    (void)state;
    const icseg_panels_kernel *kernel = icseg_panels_kernel_find();
    int64_t lanes = kernel->columns;
    tensors t = tensors_open(kernel, 50, 20, 3 * lanes);
    icseg_panels_product p = product_of(kernel, &t, hows[0]);
    float *whole = copy_of(t.before, t.rows * t.pitch), *out = copy_of(t.before, t.rows * t.pitch);
    icseg_panels_operands o = {.a = t.a, .b = t.panels, .out = whole};
    icseg_panels_multiply(&p, &(icseg_panels_part){0, t.rows, 0, 3}, &o);
    o.out = out;
    icseg_panels_multiply(&p, &(icseg_panels_part){7, 31, 1, 2}, &o);
    for (int64_t i = 0; i < t.rows * t.pitch; i++) {
        int64_t row = i / t.pitch, column = i % t.pitch;
        bool inside = row >= 7 && row < 31 && column >= lanes && column < 2 * lanes;
        assert_memory_equal(out + i, (inside ? whole : t.before) + i, sizeof *out);
    }
    icseg_free(whole);
    icseg_free(out);
    tensors_close(&t);
}

static void relu_keeps_nan(void **state) {
    (void)state;
    const icseg_panels_kernel *kernel = icseg_panels_kernel_find();
    tensors t = tensors_open(kernel, 2, 1, kernel->columns);
    t.a[1] = NAN;
    icseg_panels_product p = product_of(kernel, &t, (how){.activation = ICSEG_ACTIVATION_RELU});
    float *out = copy_of(t.before, t.rows * t.pitch);
    icseg_panels_operands o = {.a = t.a, .b = t.panels, .out = out};
    icseg_panels_multiply(&p, &(icseg_panels_part){0, 2, 0, 1}, &o);
    for (int64_t c = 0; c < t.columns; c++) assert_true(out[c] >= 0 && isnan(out[t.pitch + c]));
    icseg_free(out);
    tensors_close(&t);
}

static void threads_share_the_work_evenly(void **state) {
    (void)state;
    icseg_panels_kernel kernel = {.rows = 12, .columns = 32};
    icseg_panels_product p = {.kernel = &kernel, .inner = 64, .columns = 2048};
    icseg_panels_split split = icseg_panels_divide(&p, 257, 2); /* weights are read once rather than twice */
    assert_true(split.rows == 1 && split.panels == 2);
    p.columns = 150; /* five panels cannot be shared by two threads */
    split = icseg_panels_divide(&p, 16384, 2);
    assert_true(split.rows == 2 && split.panels == 1);
    p.columns = 64;
    split = icseg_panels_divide(&p, 4096, 8);
    assert_true(split.rows * split.panels == 8);
    split = icseg_panels_divide(&p, 1, 8);
    assert_true(split.rows == 1 && split.panels == 2);
}

/* -- primitives: a linear layer, and the 1x1 convolution with the same weights */

static icseg_primitive *primitive_open(const tensors *t, how h, bool conv) {
    icseg_primitive_options options = {
        .bias = h.bias, .accumulate = h.accumulate, .activation = h.activation, .pack = true};
    icseg_conv_shape c = {.batch = 1,
                          .height = t->rows,
                          .width = 1,
                          .in = t->inner,
                          .out = t->columns,
                          .kernel_height = 1,
                          .kernel_width = 1,
                          .stride = 1,
                          .out_height = t->rows,
                          .out_width = 1};
    icseg_matmul_shape m = {.batch = {1, 1},
                            .rows = t->rows,
                            .inner = t->inner,
                            .columns = t->columns,
                            .a_stride = {0, 0, t->inner, 1},
                            .b_stride = {0, 0, 1, t->inner},
                            .out_stride = {0, 0, t->columns, 1}};
    icseg_primitive *p;
    icseg_error error = {0};
    assert_int_equal(
        conv ? icseg_conv_forward_open(&p, &c, options, &error) : icseg_matmul_open(&p, &m, options, &error), ICSEG_OK);
    return p;
}

static float *primitive_result(icseg_primitive *p, const tensors *t, how h) {
    icseg_error error = {0};
    void *packed = icseg_alloc(icseg_primitive_packed_size(p)), *scratch = icseg_alloc(icseg_primitive_scratch(p) + 1);
    float *out = icseg_alloc_array((size_t)(t->rows * t->columns), sizeof *out);
    for (int64_t i = 0; i < t->rows * t->columns; i++) out[i] = t->before[i / t->columns * t->pitch + i % t->columns];
    assert_int_equal(icseg_primitive_pack(p, t->weights, packed, &error), ICSEG_OK);
    icseg_operands o = {.a = t->a, .b = packed, .bias = h.bias ? t->bias : NULL, .out = out};
    assert_int_equal(icseg_primitive_run(p, o, scratch, &error), ICSEG_OK);
    icseg_free(packed);
    icseg_free(scratch);
    return out;
}

static void primitives_are_right_with_any_number_of_threads(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{1, 5, 3}, {70, 33, 150}, {257, 64, 64}, {30, 300, 100}};
    int most = omp_get_max_threads();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int j = 0; j < 2 * HOWS; j++) {
            how h = hows[j / 2];
            tensors t = tensors_open(icseg_panels_kernel_find(), sizes[i][0], sizes[i][1], sizes[i][2]);
            float *first = NULL;
            for (int threads = 1; threads <= 5; threads++) {
                omp_set_num_threads(threads);
                icseg_primitive *p = primitive_open(&t, h, j % 2);
                float *out = primitive_result(p, &t, h);
                check(icseg_primitive_implementation(p), &t, h, out, t.columns);
                bool ours = strncmp(icseg_primitive_implementation(p), "panels:", 7) == 0;
                if (first && ours) assert_memory_equal(out, first, (size_t)(t.rows * t.columns) * sizeof *out);
                if (threads == 1)
                    first = out;
                else
                    icseg_free(out);
                icseg_primitive_close(&p);
            }
            icseg_free(first);
            tensors_close(&t);
        }
    omp_set_num_threads(most);
}

static void other_products_are_left_to_other_backends(void **state) {
    (void)state;
    icseg_primitive_spec conv = {.kind = ICSEG_CONV_FORWARD, .conv = {1, 8, 8, 16, 16, 1, 1, 1, 0, 8, 8}};
    bool wide = icseg_panels_kernel_find()->columns >= 16;
    assert_int_equal(icseg_panels_backend.supports(&conv), wide);
    icseg_primitive_spec other[] = {conv, conv, conv, conv, conv, conv};
    other[0].conv.stride = 2;
    other[1].conv.kernel_width = 3;
    other[2].options.residual = true;
    other[3].options.in = ICSEG_BF16;
    other[4].options.precision = ICSEG_PRODUCT_INT8;
    other[5].kind = ICSEG_CONV_BACKWARD_DATA;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) assert_false(icseg_panels_backend.supports(&other[i]));
}

static void a_failing_allocation_is_reported(void **state) {
    (void)state;
    icseg_primitive_spec conv = {.kind = ICSEG_CONV_FORWARD, .conv = {1, 8, 8, 16, 16, 1, 1, 1, 0, 8, 8}};
    icseg_error error = {0};
    icseg_primitive *p = NULL;
    icseg_memory_fail_after(0);
    icseg_status status = icseg_panels_backend.open(&p, &conv, &error);
    icseg_memory_fail_after(-1);
    assert_int_equal(status, ICSEG_ERROR_MEMORY);
    assert_null(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_instruction_set_is_right_for_all_numbers_of_rows),
        cmocka_unit_test(many_rows_are_multiplied_in_chunks),
        cmocka_unit_test(a_part_writes_nothing_else_and_has_the_same_bits),
        cmocka_unit_test(relu_keeps_nan),
        cmocka_unit_test(threads_share_the_work_evenly),
        cmocka_unit_test(primitives_are_right_with_any_number_of_threads),
        cmocka_unit_test(other_products_are_left_to_other_backends),
        cmocka_unit_test(a_failing_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

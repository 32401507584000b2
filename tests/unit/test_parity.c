/* SPDX-License-Identifier: Apache-2.0
 * The committed fixtures agree with the PyTorch reference in every respect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "compute/primitive.h"
#include "diagnostics/parity.h"

static void agrees_in(const char *name, icseg_precision precision) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/parity/%s.safetensors", ICSEG_SOURCE_DIR, name);
    icseg_parity_result result[ICSEG_PARITY_GROUPS];
    icseg_error error = {0};
    if (icseg_parity_run(path, precision, result, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int i = 0; i < ICSEG_PARITY_GROUPS; i++) {
        if (result[i].failed)
            fail_msg("%s, %s: %d of %d disagree, worst %s by %.3g (bound %g)", name, result[i].title, result[i].failed,
                     result[i].tensors, result[i].worst_name, result[i].worst, result[i].bound);
        assert_true(result[i].tensors > 0);
    }
}

static void agrees(const char *name) { agrees_in(name, ICSEG_PRECISION_F32); }

static void a_trained_resnet(void **state) { (void)state, agrees("resnet_trained"); }

static void a_trained_resnet_in_bf16(void **state) {
    (void)state;
    if (icseg_compute_bf16() < ICSEG_BF16_FAST) {
        print_message("this processor has no instructions for bf16: not tested\n");
        skip();
    }
    agrees_in("resnet_trained", ICSEG_PRECISION_BF16);
}

static void resnet_with_instance_prompts(void **state) { (void)state, agrees("resnet_instance"); }
static void resnet_at_an_odd_size(void **state) { (void)state, agrees("resnet_odd_size"); }
static void resnet_as_denseclip(void **state) { (void)state, agrees("resnet_denseclip"); }
static void resnet_with_a_template(void **state) { (void)state, agrees("resnet_template"); }
static void resnet_with_the_mean_of_synonyms(void **state) { (void)state, agrees("resnet_synonyms"); }
static void resnet_with_300_classes(void **state) { (void)state, agrees("resnet_many_classes"); }
static void vit_with_instance_prompts(void **state) { (void)state, agrees("vit_instance"); }
static void vit_as_denseclip(void **state) { (void)state, agrees("vit_denseclip"); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet_with_instance_prompts), cmocka_unit_test(resnet_at_an_odd_size),
        cmocka_unit_test(resnet_as_denseclip),          cmocka_unit_test(resnet_with_a_template),
        cmocka_unit_test(vit_with_instance_prompts),    cmocka_unit_test(a_trained_resnet),
        cmocka_unit_test(a_trained_resnet_in_bf16),     cmocka_unit_test(resnet_with_the_mean_of_synonyms),
        cmocka_unit_test(resnet_with_300_classes),      cmocka_unit_test(vit_as_denseclip),
    };
    return cmocka_run_group_tests_name("parity", tests, NULL, NULL);
}

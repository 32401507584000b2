/* SPDX-License-Identifier: Apache-2.0
 * The model agrees with the fixtures of the PyTorch reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "compute/primitive.h"
#include "icseg/memory.h"
#include "icseg/parity.h"

/* A fixture has either a model that is trained, or segmentation without training. */
static bool has_group(bool open, int group) { return open == (group >= ICSEG_PARITY_OPEN_SCORES); }

static void agrees_in(const char *name, icseg_precision precision) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/parity/%s.safetensors", ICSEG_SOURCE_DIR, name);
    icseg_parity_report report = {ICSEG_PARITY_REPORT_INIT};
    icseg_parity_options options = {ICSEG_PARITY_OPTIONS_INIT, .precision = precision, .threads = 2};
    icseg_error error = {0};
    int32_t compared = 0;
    if (icseg_parity_run(&report, path, &options, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int i = 0; i < ICSEG_PARITY_GROUPS; i++) {
        const icseg_parity_result *r = &report.group[i];
        if (r->failed)
            fail_msg("%s, %s: %d of %d disagree, worst %s by %.3g (bound %g)", name, r->title, r->failed, r->compared,
                     r->worst_name, r->worst, r->bound);
        assert_int_equal(r->compared > 0, has_group(!strncmp(name, "open_", 5), i));
        assert_true(r->worst <= r->bound);
        compared += r->compared;
    }
    assert_int_equal(report.compared, compared);
    assert_int_equal(report.failed, 0);
}

static void agrees(const char *name) { agrees_in(name, ICSEG_PRECISION_F32); }

static void a_trained_resnet(void **state) { (void)state, agrees("resnet_trained"); }

static void agrees_in_bf16(const char *name) {
    if (icseg_compute_bf16() < ICSEG_BF16_FAST) {
        print_message("this processor has no instructions for bf16: not tested\n");
        skip();
    }
    agrees_in(name, ICSEG_PRECISION_BF16);
}

static void a_trained_resnet_in_bf16(void **state) { (void)state, agrees_in_bf16("resnet_trained"); }
static void segmentation_without_training_in_bf16(void **state) { (void)state, agrees_in_bf16("open_patch16"); }

static void resnet_with_instance_prompts(void **state) { (void)state, agrees("resnet_instance"); }
static void resnet_at_an_odd_size(void **state) { (void)state, agrees("resnet_odd_size"); }
static void resnet_as_denseclip(void **state) { (void)state, agrees("resnet_denseclip"); }
static void resnet_without_text(void **state) { (void)state, agrees("resnet_fpn"); }
static void resnet_with_a_template(void **state) { (void)state, agrees("resnet_template"); }
static void resnet_with_the_mean_of_synonyms(void **state) { (void)state, agrees("resnet_synonyms"); }
static void resnet_with_300_classes(void **state) { (void)state, agrees("resnet_many_classes"); }
static void vit_with_instance_prompts(void **state) { (void)state, agrees("vit_instance"); }
static void vit_as_denseclip(void **state) { (void)state, agrees("vit_denseclip"); }
static void vit_with_gelu(void **state) { (void)state, agrees("vit_gelu"); }
static void vit_with_patch_14_and_another_mlp(void **state) { (void)state, agrees("vit_patch14"); }
static void resnet_with_a_meta_net(void **state) { (void)state, agrees("resnet_meta"); }
static void resnet_with_regions_and_random_contrast(void **state) { (void)state, agrees("resnet_regions"); }
static void smoothing_weights_and_mining(void **state) { (void)state, agrees("resnet_smooth"); }
static void a_dice_loss(void **state) { (void)state, agrees("resnet_dice"); }
static void a_lovasz_loss(void **state) { (void)state, agrees("resnet_lovasz"); }
static void a_focal_loss_with_class_weights(void **state) { (void)state, agrees("resnet_focal"); }
static void resnet_with_values_and_scores_in_the_logits(void **state) { (void)state, agrees("resnet_values"); }
static void resnet_with_refined_embeddings(void **state) { (void)state, agrees("resnet_refined"); }
static void vit_with_refined_embeddings(void **state) { (void)state, agrees("vit_refined"); }
static void vit_with_values_and_scores_in_the_logits(void **state) { (void)state, agrees("vit_values"); }
static void vit_with_a_memory(void **state) { (void)state, agrees("vit_memory"); }
static void vit_with_patch_32(void **state) { (void)state, agrees("vit_patch32"); }

static void segmentation_without_training(void **state) { (void)state, agrees("open_patch16"); }
static void segmentation_without_training_with_patches_of_14(void **state) { (void)state, agrees("open_patch14"); }

static bool stop_at_once(void *user, const icseg_progress_event *event) {
    assert_string_equal(event->stage, "compare");
    ++*(int *)user;
    return false;
}

static void bad_input_and_cancellation_are_errors(void **state) {
    (void)state;
    static const char fixture[] = ICSEG_SOURCE_DIR "/tests/parity/resnet_template.safetensors";
    icseg_parity_report report = {0};
    icseg_parity_options options = {ICSEG_PARITY_OPTIONS_INIT, .threads = 1};
    icseg_error error;
    char *text;
    int calls = 0;
    icseg_progress progress = {ICSEG_PROGRESS_INIT, .report = stop_at_once, .user = &calls};
    assert_int_equal(icseg_parity_run(&report, fixture, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT); /* no size */
    report.struct_size = sizeof report;
    assert_int_equal(icseg_parity_run(NULL, fixture, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.message, "icseg_parity_run: out is NULL");
    assert_int_equal(icseg_parity_run(&report, NULL, NULL, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_parity_run(&report, "/nowhere", NULL, NULL, &error), ICSEG_ERROR_IO);
    assert_int_equal(icseg_parity_run(&report, fixture, &options, &progress, &error), ICSEG_ERROR_CANCELLED);
    assert_int_equal(calls, 1);
    assert_int_equal(report.compared, 0);
    assert_int_equal(icseg_parity_text(NULL, &text, &error), ICSEG_ERROR_ARGUMENT);
    report.group[ICSEG_PARITY_LOSS] =
        (icseg_parity_result){.title = "losses", .compared = 5, .failed = 1, .worst = 0.25, .bound = 1e-5};
    snprintf(report.group[ICSEG_PARITY_LOSS].worst_name, 16, "align.8");
    for (int i = 0; i < ICSEG_PARITY_GROUPS; i++)
        if (!report.group[i].title) report.group[i].title = "?";
    assert_int_equal(icseg_parity_text(&report, &text, &error), ICSEG_OK);
    assert_non_null(strstr(text,
                           "  losses                  5 compared   worst  2.50e-01   bound   1e-05   FAILED worst: "
                           "align.8\n"));
    icseg_buffer_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_input_and_cancellation_are_errors),
        cmocka_unit_test(resnet_with_instance_prompts),
        cmocka_unit_test(resnet_at_an_odd_size),
        cmocka_unit_test(resnet_as_denseclip),
        cmocka_unit_test(resnet_without_text),
        cmocka_unit_test(resnet_with_a_template),
        cmocka_unit_test(vit_with_instance_prompts),
        cmocka_unit_test(a_trained_resnet),
        cmocka_unit_test(a_trained_resnet_in_bf16),
        cmocka_unit_test(resnet_with_the_mean_of_synonyms),
        cmocka_unit_test(resnet_with_300_classes),
        cmocka_unit_test(vit_as_denseclip),
        cmocka_unit_test(vit_with_gelu),
        cmocka_unit_test(segmentation_without_training),
        cmocka_unit_test(segmentation_without_training_in_bf16),
        cmocka_unit_test(segmentation_without_training_with_patches_of_14),
        cmocka_unit_test(vit_with_patch_14_and_another_mlp),
        cmocka_unit_test(resnet_with_a_meta_net),
        cmocka_unit_test(resnet_with_regions_and_random_contrast),
        cmocka_unit_test(vit_with_a_memory),
        cmocka_unit_test(resnet_with_values_and_scores_in_the_logits),
        cmocka_unit_test(vit_with_values_and_scores_in_the_logits),
        cmocka_unit_test(resnet_with_refined_embeddings),
        cmocka_unit_test(vit_with_refined_embeddings),
        cmocka_unit_test(smoothing_weights_and_mining),
        cmocka_unit_test(a_focal_loss_with_class_weights),
        cmocka_unit_test(a_dice_loss),
        cmocka_unit_test(a_lovasz_loss),
        cmocka_unit_test(vit_with_patch_32),
    };
    return cmocka_run_group_tests_name("parity", tests, NULL, NULL);
}

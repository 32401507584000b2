/* SPDX-License-Identifier: Apache-2.0
 * icseg parity: agreement with the PyTorch reference, as a table. */
#include <stdio.h>

#include "cli.h"
#include "icseg/parity.h"
#include "support.h"

struct options {
    icseg_strings fixtures;
    int32_t precision;
};

static const char *const precisions[] = {"f32", "bf16", "auto", "bf16x2", NULL};

static const icseg_option rows[] = {
    {"FIXTURE", ICSEG_FIELD_STRINGS(struct options, fixtures), "file written by reference/make_fixtures.py",
     .positional = true, .required = true},
    {"precision", ICSEG_FIELD_WORD(struct options, precision),
     "number format of convolutions and linear layers; tolerances are wider in bf16", .words = precisions},
};

static icseg_status print_report(const char *fixture, const icseg_parity_report *report, icseg_error *error) {
    char *text;
    TRY(icseg_parity_text(report, &text, error));
    printf("%s\n%s", fixture, text);
    icseg_buffer_free(text);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    int failed = 0, compared = 0;
    icseg_parity_options options = {ICSEG_PARITY_OPTIONS_INIT, .precision = (icseg_precision)o->precision,
                                    .threads = thread_count()};
    (void)context;
    for (size_t i = 0; i < o->fixtures.count; i++) {
        icseg_parity_report report = {ICSEG_PARITY_REPORT_INIT};
        TRY(icseg_parity_run(&report, o->fixtures.items[i], &options, NULL, error));
        TRY(print_report(o->fixtures.items[i], &report, error));
        failed += report.failed;
        compared += report.compared;
    }
    printf("%d compared, %d disagree\n", compared, failed);
    if (!failed) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_NUMERIC, "%d of %d tensors %s with the reference", failed, compared,
                           icseg_plural(failed, "disagrees", "disagree"));
}

const icseg_command icseg_command_parity = {
    .name = "parity",
    .summary = "Compares this program with the PyTorch reference",
    .description = "Each fixture contains a small model with its inputs, outputs, losses, gradients\n"
                   "and the loss at each of ten AdamW steps, computed by PyTorch in double\n"
                   "precision. The exit status is 1 if any of them disagree.\n",
    .examples = "icseg parity tests/parity/*.safetensors\n"
                "python3 reference/make_fixtures.py /tmp/fixtures 7\n"
                "icseg parity /tmp/fixtures/*.safetensors\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};

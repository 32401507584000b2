/* SPDX-License-Identifier: Apache-2.0
 * icseg parity: agreement with the PyTorch reference, as a table. */
#include <stdio.h>

#include "cli.h"
#include "diagnostics/parity.h"
#include "support.h"

struct options {
    icseg_strings fixtures;
    int32_t precision;
};

static const char *const precisions[] = {"f32", "bf16", "auto", "bf16x2", NULL};

static const icseg_option rows[] = {
    {"FIXTURE", ICSEG_FIELD_STRINGS(struct options, fixtures), "file that python/make_fixtures.py wrote",
     .positional = true, .required = true},
    {"precision", ICSEG_FIELD_WORD(struct options, precision),
     "number format of convolutions and linear maps; the bounds are wider in bf16", .words = precisions},
};

static void print_result(const icseg_parity_result *r) {
    printf("  %-20s %4d compared   worst %9.2e   bound %7.0e   %s%s%s\n", r->title, r->tensors, r->worst, r->bound,
           r->failed ? "FAILED " : "ok     ", r->failed ? "worst: " : "", r->failed ? r->worst_name : "");
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    (void)context;
    const struct options *o = values;
    int failed = 0, compared = 0;
    for (size_t i = 0; i < o->fixtures.count; i++) {
        icseg_parity_result results[ICSEG_PARITY_GROUPS];
        TRY(icseg_parity_run(o->fixtures.items[i], (icseg_precision)o->precision, results, error));
        printf("%s\n", o->fixtures.items[i]);
        for (int g = 0; g < ICSEG_PARITY_GROUPS; g++) {
            print_result(&results[g]);
            failed += results[g].failed;
            compared += results[g].tensors;
        }
    }
    printf("%d compared, %d disagree\n", compared, failed);
    if (!failed) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_NUMERIC, "%d of %d tensors disagree with the reference", failed,
                           compared);
}

const icseg_command icseg_command_parity = {
    .name = "parity",
    .summary = "Compares this program with the PyTorch reference",
    .description = "Each fixture holds a small model with its inputs, outputs, losses, gradients and\n"
                   "the loss at each of ten AdamW steps, computed in double precision by PyTorch.\n"
                   "Exit status 1 when any of them disagrees.\n",
    .examples = "icseg parity tests/parity/*.safetensors\n"
                "python3 python/make_fixtures.py /tmp/fixtures 7 && icseg parity /tmp/fixtures/*.safetensors\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .run = run,
};

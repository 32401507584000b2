/* SPDX-License-Identifier: Apache-2.0
 * Calls of pretrain.h. */
#include "allocation/allocation.h"

icseg_status call_icseg_pretrain(icseg_error *error) {
    icseg_pretrain_options options = {ICSEG_PRETRAIN_OPTIONS_INIT, .out = alloc_path("other"), .threads = 1};
    icseg_pretrain_result out = {ICSEG_PRETRAIN_RESULT_INIT};
    icseg_status status = icseg_pretrain(shared.recipe, &options, NULL, &out, error);
    alloc_shell("rm -rf", "other");
    return status;
}

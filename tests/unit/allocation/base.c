/* SPDX-License-Identifier: Apache-2.0
 * Calls of error.h, file.h, memory.h, version.h and weights.h. */
#include "allocation/allocation.h"

QUIET(icseg_status_name, ICSEG_OK)
QUIET(icseg_error_set, error, ICSEG_OK, "%s", "")
CLOSES(icseg_buffer_free)
QUIET(icseg_version, )
icseg_status call_icseg_build_info(icseg_error *error) {
    icseg_build build = {ICSEG_BUILD_INIT};
    return icseg_build_info(&build, error);
}

icseg_status call_icseg_weights_convert(icseg_error *error) {
    icseg_weights_convert_options options = {ICSEG_WEIGHTS_CONVERT_OPTIONS_INIT, .type = ICSEG_WEIGHTS_F16};
    char *summary = BAD;
    icseg_status status = icseg_weights_convert(ICSEG_SOURCE_DIR "/tests/weights/openai_resnet.pt",
                                                alloc_path("weights.safetensors"), &options, &summary, error);
    assert_true((summary != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(summary);
    return status;
}
DOES(icseg_file_write, alloc_path("file"), "text", 4)
DOES(icseg_file_check_writable, alloc_path("file"))

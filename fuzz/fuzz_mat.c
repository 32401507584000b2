/* SPDX-License-Identifier: Apache-2.0
 * MATLAB label maps, of version 5 and 7.3 (HDF5). */
#include "fuzz.h"
#include "matlab/mat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_mask mask;
    icseg_error error;
    int64_t names;
    icseg_status status = icseg_mat_read(&mask, &names, fuzz_put("a.mat", data, size), &error);
    if (fuzz_succeeded(status, &error))
        free(fuzz_copy(mask.data, (size_t)mask.width * (size_t)mask.height * sizeof *mask.data)); /* reads every byte */
    else
        FUZZ_REQUIRE(!mask.data);
    FUZZ_REQUIRE(names >= 0);
    icseg_mask_close(&mask);
    return 0;
}

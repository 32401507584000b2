/* SPDX-License-Identifier: Apache-2.0
 * The version of oneDNN. */
#include "compute/onednn/internal.h"

void icseg_onednn_version(int32_t out[3]) {
    const dnnl_version_t *version = dnnl_version();
    out[0] = version->major;
    out[1] = version->minor;
    out[2] = version->patch;
}

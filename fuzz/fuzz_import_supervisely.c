/* SPDX-License-Identifier: Apache-2.0
 * The importer of Supervisely. Parts: the annotations of an image, meta.json, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[3];
    fuzz_split(data, size, parts, 3);
    if (!made) {
        fuzz_folder("supervisely/train/img");
        fuzz_folder("supervisely/train/ann");
        fuzz_put_image("supervisely/train/img/a.png");
    }
    made = true;
    fuzz_put_part("supervisely/train/ann/a.png.json", parts[0]);
    fuzz_put_part("supervisely/meta.json", parts[1]);
    fuzz_import(ICSEG_IMPORT_SUPERVISELY, fuzz_path("supervisely"), parts[2]);
    return 0;
}

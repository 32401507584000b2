/* SPDX-License-Identifier: Apache-2.0
 * The importer of Label Studio's JSON. Parts: the export, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[2];
    fuzz_split(data, size, parts, 2);
    if (!made) {
        fuzz_folder("studio/images");
        fuzz_put_image("studio/images/a.png");
        fuzz_put_image("studio/images/b.png");
    }
    made = true;
    fuzz_put_part("studio/export.json", parts[0]);
    fuzz_import(ICSEG_IMPORT_LABEL_STUDIO, fuzz_path("studio"), parts[1]);
    return 0;
}

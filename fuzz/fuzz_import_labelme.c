/* SPDX-License-Identifier: Apache-2.0
 * The importer of LabelMe. Parts: the JSON files of two images, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[3];
    fuzz_split(data, size, parts, 3);
    if (!made) {
        fuzz_folder("labelme");
        fuzz_put_image("labelme/a.png");
    }
    made = true;
    fuzz_put_part("labelme/a.json", parts[0]);
    fuzz_put_part("labelme/b.json", parts[1]);
    fuzz_import(ICSEG_IMPORT_LABELME, fuzz_path("labelme"), parts[2]);
    return 0;
}

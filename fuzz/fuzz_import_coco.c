/* SPDX-License-Identifier: Apache-2.0
 * The importer of COCO. Parts: one JSON file, another one or nothing, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[3];
    fuzz_split(data, size, parts, 3);
    if (!made) {
        fuzz_folder("coco/annotations");
        fuzz_put_image("coco/a.png");
        fuzz_put_image("coco/b.png");
    }
    made = true;
    fuzz_put_part("coco/annotations/instances_train.json", parts[0]);
    fuzz_put_part("coco/annotations/instances_val.json", parts[1]);
    fuzz_import(ICSEG_IMPORT_COCO, fuzz_path("coco"), parts[2]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * The importer of YOLO. Parts: the labels of an image, data.yaml or nothing, classes.txt or nothing, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[4];
    fuzz_split(data, size, parts, 4);
    if (!made) {
        fuzz_folder("yolo/images");
        fuzz_folder("yolo/labels");
        fuzz_put_image("yolo/images/a.png");
        fuzz_put_image("yolo/images/b.png");
    }
    made = true;
    fuzz_put_part("yolo/labels/a.txt", parts[0]);
    fuzz_put_part("yolo/data.yaml", parts[1]);
    fuzz_put_part("yolo/classes.txt", parts[2]);
    fuzz_import(ICSEG_IMPORT_YOLO, fuzz_path("yolo"), parts[3]);
    return 0;
}

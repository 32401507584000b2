/* SPDX-License-Identifier: Apache-2.0
 * The importer of CVAT's masks. Parts: labelmap.txt, a mask or nothing, a list of images or nothing, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[4];
    fuzz_split(data, size, parts, 4);
    if (!made) {
        fuzz_folder("cvat/JPEGImages");
        fuzz_folder("cvat/SegmentationClass");
        fuzz_folder("cvat/ImageSets/Segmentation");
        fuzz_put_image("cvat/JPEGImages/a.png");
    }
    made = true;
    fuzz_put_part("cvat/labelmap.txt", parts[0]);
    fuzz_put_part("cvat/SegmentationClass/a.png", parts[1]);
    fuzz_put_part("cvat/ImageSets/Segmentation/train.txt", fuzz_image_list(data, size, parts[2]));
    fuzz_import(ICSEG_IMPORT_CVAT, fuzz_path("cvat"), parts[3]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * The importer of Pascal VOC. Parts: class_names.txt or nothing, a mask or nothing, a list of images or nothing,
 * options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[4];
    fuzz_split(data, size, parts, 4);
    if (!made) {
        fuzz_folder("voc/JPEGImages");
        fuzz_folder("voc/SegmentationClass");
        fuzz_folder("voc/ImageSets/Segmentation");
        fuzz_put_image("voc/JPEGImages/a.png");
    }
    made = true;
    fuzz_put_part("voc/class_names.txt", parts[0]);
    fuzz_put_part("voc/SegmentationClass/a.png", parts[1]);
    fuzz_put_part("voc/ImageSets/Segmentation/train.txt", fuzz_image_list(data, size, parts[2]));
    fuzz_import(ICSEG_IMPORT_VOC, fuzz_path("voc"), parts[3]);
    return 0;
}

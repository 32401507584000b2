/* SPDX-License-Identifier: Apache-2.0
 * The importers of masks of class numbers. Parts: a mask, its class names (_classes.csv of Roboflow, classes.txt, or
 * config.json of Mapillary), options. The third byte of the options chooses the format. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const icseg_import_format formats[] = {ICSEG_IMPORT_ROBOFLOW, ICSEG_IMPORT_MASKS, ICSEG_IMPORT_MMSEG,
                                                  ICSEG_IMPORT_MAPILLARY, ICSEG_IMPORT_CITYSCAPES};
    static const struct {
        const char *folder, *masks, *image, *mask, *names;
    } files[] = {{"roboflow/train", "roboflow/train", "roboflow/train/a.png", "roboflow/train/a_mask.png",
                  "roboflow/train/_classes.csv"},
                 {"plain/images", "plain/masks", "plain/images/a.png", "plain/masks/a.png", "plain/classes.txt"},
                 {"mmseg/img_dir/train", "mmseg/ann_dir/train", "mmseg/img_dir/train/a.png",
                  "mmseg/ann_dir/train/a.png", "mmseg/classes.txt"},
                 {"vistas/training/images", "vistas/training/labels", "vistas/training/images/a.png",
                  "vistas/training/labels/a.png", "vistas/config.json"},
                 {"cityscapes/leftImg8bit/train/x", "cityscapes/gtFine/train/x",
                  "cityscapes/leftImg8bit/train/x/a_leftImg8bit.png", "cityscapes/gtFine/train/x/a_gtFine_labelIds.png",
                  "cityscapes/README"}};
    static const char *const sources[] = {"roboflow", "plain", "mmseg", "vistas", "cityscapes"};
    static bool made;
    fuzz_part parts[3];
    fuzz_split(data, size, parts, 3);
    for (size_t i = 0; i < 5 && !made; i++) {
        fuzz_folder(files[i].folder);
        fuzz_folder(files[i].masks);
        fuzz_put_image(files[i].image);
    }
    made = true;
    unsigned kind = fuzz_choice(parts[2], 2) % 5;
    fuzz_put_part(files[kind].mask, parts[0]);
    fuzz_put_part(files[kind].names, parts[1]);
    fuzz_import(formats[kind], fuzz_path(sources[kind]), parts[2]);
    return 0;
}

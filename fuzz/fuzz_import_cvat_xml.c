/* SPDX-License-Identifier: Apache-2.0
 * The importer of CVAT's XML. Parts: annotations.xml, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[2];
    fuzz_split(data, size, parts, 2);
    if (!made) {
        fuzz_folder("xml/images");
        fuzz_put_image("xml/images/a.png");
        fuzz_put_image("xml/images/b.png");
    }
    made = true;
    fuzz_put_part("xml/annotations.xml", parts[0]);
    fuzz_import(ICSEG_IMPORT_CVAT_XML, fuzz_path("xml"), parts[1]);
    return 0;
}

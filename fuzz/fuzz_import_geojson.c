/* SPDX-License-Identifier: Apache-2.0
 * The importer of GeoJSON. Parts: the file of one image, options. */
#include "importer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool made;
    fuzz_part parts[2];
    fuzz_split(data, size, parts, 2);
    if (!made) {
        fuzz_folder("geojson/images");
        fuzz_put_image("geojson/images/a.png");
    }
    made = true;
    fuzz_put_part("geojson/a.geojson", parts[0]);
    fuzz_import(ICSEG_IMPORT_GEOJSON, fuzz_path("geojson"), parts[1]);
    return 0;
}

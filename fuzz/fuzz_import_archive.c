/* SPDX-License-Identifier: Apache-2.0
 * The importers' zip archives. An input of one part is the archive itself. Otherwise the parts are names and contents
 * of its entries in turn, and the options last; an entry .png without content is an image. */
#include <string.h>

#include "importer.h"
#include "zip.h"

enum { MOST_ENTRIES = 8, PARTS = 2 * MOST_ENTRIES + 1, LARGEST = 4096 };

static bool is_image(fuzz_part name) { return name.size > 4 && !memcmp(name.data + name.size - 4, ".png", 4); }

static void put_archive(const fuzz_part *parts, size_t entries) {
    static fuzz_part image;
    fuzz_part names[MOST_ENTRIES], contents[MOST_ENTRIES];
    if (!image.data) image = fuzz_image();
    for (size_t i = 0; i < entries; i++) {
        names[i] = parts[2 * i];
        contents[i] = !parts[2 * i + 1].size && is_image(names[i]) ? image : parts[2 * i + 1];
    }
    icseg_string zip = fuzz_zip(names, contents, entries);
    fuzz_put("export.zip", zip.data, zip.size);
    icseg_string_close(&zip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_part parts[PARTS];
    size_t count = fuzz_split(data, size, parts, PARTS);
    if (size > LARGEST) return 0; /* unpacked, it may have a thousand times that size */
    if (count > 2)
        put_archive(parts, (count - 1) / 2);
    else
        fuzz_put("export.zip", data, size);
    fuzz_import(ICSEG_IMPORT_AUTO, fuzz_path("export.zip"), count > 2 ? parts[(count - 1) / 2 * 2] : parts[1]);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Shared by the targets of the importers. */
#ifndef FUZZ_IMPORTER_H
#define FUZZ_IMPORTER_H

#include "fuzz.h"
#include "icseg/import.h"

enum { FUZZ_IMAGE_WIDTH = 12, FUZZ_IMAGE_HEIGHT = 10 };

/* An image of that size as the bytes of a PNG file, which the caller frees with icseg_buffer_free. */
fuzz_part fuzz_image(void);
/* The same as a file. */
void fuzz_put_image(const char *name);

/* A list of images for one input: the first lines, all of them in one input of 16. Each image is looked for under many
 * names, which takes longer than the rest of an import. */
fuzz_part fuzz_image_list(const uint8_t *data, size_t size, fuzz_part list);

/* Imports a folder or an archive. Two bytes of `choices` select the options. If the import fails, nothing is left of
 * the new data set; otherwise it can be opened, and all of it read. */
void fuzz_import(icseg_import_format format, const char *source, fuzz_part choices);

#endif

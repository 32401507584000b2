/* SPDX-License-Identifier: Apache-2.0
 * libpng's memory, from where all of ours comes: tests can make it fail, and a failure is told from a damaged file. */
#ifndef ICSEG_IMAGE_PNG_MEMORY_H
#define ICSEG_IMAGE_PNG_MEMORY_H

#include <png.h>

/* For png_create_*_struct_2, whose mem_ptr is a size_t *: the size of the last allocation that failed is put there. */
png_voidp icseg_png_alloc(png_structp png, png_alloc_size_t size);
void icseg_png_free(png_structp png, png_voidp block);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * libpng's memory, from base/memory.h: tests can make an allocation fail, and such a failure is not reported as a
 * damaged file. */
#ifndef ICSEG_IMAGE_PNG_MEMORY_H
#define ICSEG_IMAGE_PNG_MEMORY_H

#include <png.h>

/* For png_create_*_struct_2, whose mem_ptr is a size_t *: it receives the size of the last allocation that failed. */
png_voidp icseg_png_alloc(png_structp png, png_alloc_size_t size);
void icseg_png_free(png_structp png, png_voidp block);

#endif

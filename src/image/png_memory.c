/* SPDX-License-Identifier: Apache-2.0
 * Allocation for libpng. */
#include "image/png_memory.h"

#include "base/memory.h"

png_voidp icseg_png_alloc(png_structp png, png_alloc_size_t size) {
    void *block = icseg_alloc(size);
    if (!block) *(size_t *)png_get_mem_ptr(png) = size;
    return block;
}

void icseg_png_free(png_structp png, png_voidp block) {
    (void)png;
    icseg_free(block);
}

/* SPDX-License-Identifier: Apache-2.0
 * The files of serve/page/, which CMake turns into C (serve/embed.cmake). */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include <stddef.h>

typedef struct page_file {
    const char *name, *type;
    const unsigned char *data;
    size_t size;
} page_file;
extern const page_file page_files[];

/* Only the page's own files, images that it makes, and the camera; it cannot be framed. */
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "    \
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

#endif

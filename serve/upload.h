/* SPDX-License-Identifier: Apache-2.0
 * The file in a request: its whole body, or a part of a form. */
#ifndef SERVE_UPLOAD_H
#define SERVE_UPLOAD_H

#include "exchange.h"

typedef struct serve_upload {
    const void *data;
    size_t size;
    char name[256];    /* of the file, "image" if the client did not say it */
    serve_buffer part; /* owns the data of a form */
} serve_upload;

/* Finds the file. Returns false after a failure. Close it in any case. */
bool upload_open(serve_upload *out, serve_exchange *exchange);
void upload_close(serve_upload *upload);

#endif

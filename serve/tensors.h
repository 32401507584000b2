/* SPDX-License-Identifier: Apache-2.0
 * Requests of the Open Inference Protocol as tensors: JSON, and the binary tensor extension, in which the bytes of
 * tensors follow the JSON. It reads memory only, so that a fuzz target can call it. */
#ifndef SERVE_TENSORS_H
#define SERVE_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum { TENSOR_RANK_MOST = 4, TENSOR_OUTPUTS_MOST = 16, TENSOR_JSON_MOST = 16 << 20, TENSOR_IMAGES_MOST = 64 };

typedef enum tensor_datatype { DATATYPE_FP32, DATATYPE_UINT8, DATATYPE_BYTES } tensor_datatype;

/* An inference request. Its one input has checked shape and size. */
typedef struct tensor_request {
    char id[65]; /* of the client; "" without one */
    tensor_datatype datatype;
    int32_t images, height, width; /* FP32: (images, 3, height, width), UINT8: (images, height, width, 3) */
    /* FP32, UINT8: the elements. BYTES: the images' bytes, one behind the other. Aligned as malloc does. */
    serve_buffer data;
    size_t bytes[TENSOR_IMAGES_MOST]; /* BYTES: size of each */
    int outputs;
    struct {
        uint32_t output; /* an icseg_output */
        bool binary;
    } output[TENSOR_OUTPUTS_MOST];
} tensor_request;

/* An output of the protocol and of the library. */
typedef struct tensor_output {
    const char *name;
    uint32_t output; /* icseg_output */
    const char *datatype;
    int rank;
} tensor_output;
extern const tensor_output tensor_outputs[]; /* ends with a NULL name */

/* json_size: of the JSON at the beginning of the body; all of it without binary data. max_pixels: of an image. Returns
 * false with a sentence in `problem`. Close the request in any case. */
bool tensor_request_read(tensor_request *out, const char *body, size_t size, size_t json_size, int64_t max_pixels,
                         char problem[256]);
void tensor_request_close(tensor_request *request);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Requests of `icseg serve` (serve/tensors.h). The first two bytes are the size of the JSON. A request that is accepted
 * has the elements that its shape says, and its text survives base64. */
#include <string.h>

#include "fuzz.h"
#include "serve/tensors.h"

static void check_request(const tensor_request *t) {
    size_t bytes = 0;
    FUZZ_REQUIRE(t->images >= 1 && t->images <= TENSOR_IMAGES_MOST);
    FUZZ_REQUIRE(t->outputs >= 1 && t->outputs <= TENSOR_OUTPUTS_MOST && !t->data.failed);
    for (int32_t i = 0; i < t->images && t->datatype == DATATYPE_BYTES; i++) bytes += t->bytes[i];
    if (t->datatype != DATATYPE_BYTES) {
        FUZZ_REQUIRE(t->width >= 1 && t->height >= 1);
        bytes = (size_t)t->images * (size_t)t->width * (size_t)t->height * 3;
        if (t->datatype == DATATYPE_FP32) bytes *= sizeof(float);
    }
    FUZZ_REQUIRE(bytes == t->data.size);
}

static void check_base64(const void *data, size_t size) {
    serve_buffer text = {0}, back = {0};
    serve_buffer_base64(&text, data, size);
    FUZZ_REQUIRE(serve_buffer_decode_base64(&back, text.data ? text.data : "", text.size));
    FUZZ_REQUIRE(back.size == size && (!size || !memcmp(back.data, data, size)));
    serve_buffer_close(&text);
    serve_buffer_close(&back);
    (void)serve_buffer_decode_base64(&back, data, size); /* any text is decoded or refused */
    serve_buffer_close(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tensor_request request;
    char problem[256];
    if (size < 2) return 0;
    size_t json = data[0] | (size_t)data[1] << 8;
    const char *body = (const char *)data + 2;
    if (tensor_request_read(&request, body, size - 2, json, 1 << 16, problem))
        check_request(&request);
    else
        FUZZ_REQUIRE(*problem && strlen(problem) < sizeof problem);
    tensor_request_close(&request);
    check_base64(body, size - 2);
    return 0;
}

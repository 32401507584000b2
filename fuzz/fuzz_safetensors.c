/* SPDX-License-Identifier: Apache-2.0
 * safetensors files. From a file that opens, every tensor can be read completely. */
#include <string.h>

#include "fuzz.h"
#include "icseg/memory.h"
#include "icseg/tensor_file.h"
#include "tensor/safetensors.h"

static void read_entry(const icseg_safetensors *st, const icseg_safetensors_entry *entry) {
    icseg_error error;
    int64_t count = icseg_shape_count(entry->shape);
    FUZZ_REQUIRE(icseg_safetensors_find(st, entry->name) == entry);
    FUZZ_REQUIRE(fuzz_is_utf8(entry->name));
    FUZZ_REQUIRE(count >= 0 && (size_t)count * icseg_dtype_size(entry->dtype) == entry->bytes);
    float *values = malloc((size_t)count * sizeof *values + 1);
    icseg_status status = icseg_safetensors_read(st, entry, 0, (size_t)count, values, &error);
    FUZZ_REQUIRE(fuzz_succeeded(status, &error));
    free(values);
}

/* The same through the public interface. */
static void read_tensors(const char *path) {
    icseg_tensor_file *file;
    icseg_tensor tensor;
    icseg_error error;
    FUZZ_REQUIRE(icseg_tensor_file_open(&file, path, &error) == ICSEG_OK);
    for (size_t i = 0; i < icseg_tensor_file_count(file); i++) {
        icseg_status status = icseg_tensor_file_read(file, icseg_tensor_file_name(file, i), &tensor, &error);
        FUZZ_REQUIRE(fuzz_succeeded(status, &error) == (tensor.data != NULL));
        icseg_buffer_free(tensor.data);
    }
    icseg_tensor_file_close(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_safetensors *st;
    icseg_error error;
    const char *path = fuzz_put("a.safetensors", data, size);
    icseg_status status = icseg_safetensors_open(&st, path, &error);
    if (!fuzz_succeeded(status, &error)) {
        FUZZ_REQUIRE(!st);
        return 0;
    }
    for (size_t i = 0; i < icseg_safetensors_count(st); i++) read_entry(st, icseg_safetensors_at(st, i));
    for (size_t i = 0; i < icseg_safetensors_metadata_count(st); i++) {
        icseg_safetensors_pair pair = icseg_safetensors_metadata_at(st, i);
        FUZZ_REQUIRE(icseg_safetensors_metadata(st, pair.key) && fuzz_is_utf8(pair.value));
    }
    icseg_safetensors_close(&st);
    read_tensors(path);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Calls of tensor.h and tensor_file.h. */
#include "allocation/allocation.h"

QUIET(icseg_tensor_type_size, ICSEG_TENSOR_F32)
icseg_status call_icseg_tensor_dense(icseg_error *error) {
    static float data[6];
    const int64_t shape[] = {2, 3};
    icseg_tensor out;
    return icseg_tensor_dense(&out, ICSEG_TENSOR_F32, 2, shape, data, error);
}
icseg_status call_icseg_tensor_read(icseg_error *error) {
    icseg_tensor out = {.data = BAD};
    icseg_status status = icseg_tensor_read(&out, alloc_path("tensors.safetensors"), "a", error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK) icseg_buffer_free(out.data);
    return status;
}
icseg_status call_icseg_tensors_write(icseg_error *error) {
    static float data[6];
    const int64_t shape[] = {2, 3};
    const char *const tensor_names[] = {"a"};
    icseg_tensor tensor;
    ICSEG_TRY(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 2, shape, data, error));
    return icseg_tensors_write(alloc_path("tensors.safetensors"), tensor_names, &tensor, 1, error);
}
icseg_status call_icseg_tensor_file_write(icseg_error *error) {
    static float data[6];
    const int64_t shape[] = {2, 3};
    const char *const tensor_names[] = {"a"}, *const keys[] = {"key"};
    const icseg_tensor_metadata metadata = {ICSEG_TENSOR_METADATA_INIT, .count = 1, .keys = keys, .values = keys};
    icseg_tensor tensor;
    ICSEG_TRY(icseg_tensor_dense(&tensor, ICSEG_TENSOR_F32, 2, shape, data, error));
    return icseg_tensor_file_write(alloc_path("tensors.safetensors"), tensor_names, &tensor, 1, &metadata, error);
}
OPENS(icseg_tensor_file_open, icseg_tensor_file *, icseg_tensor_file_close, alloc_path("tensors.safetensors"))
CLOSES(icseg_tensor_file_close)
QUIET(icseg_tensor_file_count, shared.tensor_file)
QUIET(icseg_tensor_file_name, shared.tensor_file, 0)
icseg_status call_icseg_tensor_file_read(icseg_error *error) {
    icseg_tensor out = {.data = BAD};
    icseg_status status = icseg_tensor_file_read(shared.tensor_file, "a", &out, error);
    assert_true((out.data != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK) icseg_buffer_free(out.data);
    return status;
}
icseg_status call_icseg_tensor_file_metadata(icseg_error *error) {
    icseg_tensor_metadata out = {ICSEG_TENSOR_METADATA_INIT};
    return icseg_tensor_file_metadata(shared.tensor_file, &out, error);
}

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tensors in safetensors files (https://huggingface.co/docs/safetensors), to exchange them with NumPy and PyTorch. */
#ifndef ICSEG_TENSOR_FILE_H
#define ICSEG_TENSOR_FILE_H

#include <stddef.h>

#include "icseg/error.h"
#include "icseg/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Reads a tensor of any floating-point type as #ICSEG_TENSOR_F32, dense and row-major. Thread-safe.
 *
 * @param out   receives the tensor, zero on failure; free `out->data` with icseg_buffer_free()
 * @param path  a safetensors file
 * @param name  the tensor's name in the file
 * @param error receives the message on failure; may be NULL
 * @return #ICSEG_ERROR_IO if the file cannot be read; #ICSEG_ERROR_FORMAT if it is damaged, or has no tensor of this
 * name or one that is not floating-point */
ICSEG_API icseg_status icseg_tensor_read(icseg_tensor *out, const char *path, const char *name, icseg_error *error);

/** Writes tensors to a safetensors file, which is replaced atomically. Equal calls write equal bytes. Thread-safe for
 * different files.
 *
 * @param path    the file
 * @param names   (count) different names, UTF-8
 * @param tensors (count) tensors with any strides, 0 included, which repeats elements; written row-major
 * @param count   number of tensors, at least 1
 * @param error   receives the message on failure; may be NULL
 * @return #ICSEG_ERROR_ARGUMENT for a type that does not exist, a rank outside 1..6, a size below 1 or a repeated name;
 * #ICSEG_ERROR_IO if the file cannot be written */
ICSEG_API icseg_status icseg_tensors_write(const char *path, const char *const *names, const icseg_tensor *tensors,
                                           size_t count, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

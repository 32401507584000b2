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
 * @param tensors (count) tensors with any strides, 0 included, which repeats elements; written row-major. A tensor of
 * rank 0 has one element; an axis may have no elements
 * @param count   number of tensors, at least 1
 * @param error   receives the message on failure; may be NULL
 * @return #ICSEG_ERROR_ARGUMENT for a type that does not exist, a rank outside 0..6, a negative size or a repeated
 * name; #ICSEG_ERROR_IO if the file cannot be written */
ICSEG_API icseg_status icseg_tensors_write(const char *path, const char *const *names, const icseg_tensor *tensors,
                                           size_t count, icseg_error *error);

/** Texts that a file of tensors holds beside them. */
typedef struct icseg_tensor_metadata {
    size_t struct_size;        /**< ICSEG_TENSOR_METADATA_INIT */
    size_t count;              /**< number of texts; 0: none */
    const char *const *keys;   /**< (count) different keys, UTF-8 */
    const char *const *values; /**< (count) texts, UTF-8 */
} icseg_tensor_metadata;

/** Initialises an icseg_tensor_metadata. */
#define ICSEG_TENSOR_METADATA_INIT ICSEG_INIT(icseg_tensor_metadata)

/** Writes tensors as icseg_tensors_write(), and texts.
 *
 * @param path     the file
 * @param names    (count) different names, UTF-8
 * @param tensors  (count) tensors, as for icseg_tensors_write()
 * @param count    number of tensors, at least 1
 * @param metadata NULL: none
 * @param error    receives the message on failure; may be NULL
 * @return as icseg_tensors_write(), and #ICSEG_ERROR_ARGUMENT for a repeated key */
ICSEG_API icseg_status icseg_tensor_file_write(const char *path, const char *const *names, const icseg_tensor *tensors,
                                               size_t count, const icseg_tensor_metadata *metadata, icseg_error *error);

/** An open file of tensors. Any number of threads may read from it. It must not change meanwhile. */
typedef struct icseg_tensor_file icseg_tensor_file;

/** Opens a safetensors file and checks its header; reads no tensor.
 *
 * @param out   the file; close it with icseg_tensor_file_close(); NULL on failure
 * @param path  the file
 * @param error receives the message on failure; may be NULL
 * @return #ICSEG_ERROR_IO if it cannot be read; #ICSEG_ERROR_FORMAT if it is damaged or not such a file;
 * #ICSEG_ERROR_UNSUPPORTED for a tensor of another type than those of icseg_tensor_type and BF16, or of more than 6
 * axes */
ICSEG_API icseg_status icseg_tensor_file_open(icseg_tensor_file **out, const char *path, icseg_error *error);

/** Closes the file and sets the pointer to NULL. Tensors that were read stay. Accepts NULL. */
ICSEG_API void icseg_tensor_file_close(icseg_tensor_file **file);

/** The number of tensors; 0 for NULL. */
ICSEG_API size_t icseg_tensor_file_count(const icseg_tensor_file *file);

/** The name of a tensor, in the order of the file's header; owned by the file. NULL when `index` is out of range. */
ICSEG_API const char *icseg_tensor_file_name(const icseg_tensor_file *file, size_t index);

/** Reads a tensor in its own type, dense and row-major. BF16 becomes F32, without loss.
 *
 * @param file  the file
 * @param name  the tensor's name
 * @param out   receives the tensor, zero on failure; free `out->data`, which is never NULL, with icseg_buffer_free()
 * @param error receives the message on failure; may be NULL
 * @return #ICSEG_ERROR_ARGUMENT if the file does not have this tensor; #ICSEG_ERROR_IO if it cannot be read */
ICSEG_API icseg_status icseg_tensor_file_read(const icseg_tensor_file *file, const char *name, icseg_tensor *out,
                                              icseg_error *error);

/** The texts beside the tensors; owned by the file.
 *
 * @param file  the file
 * @param out   receives them; its struct_size must be set; count 0 on failure
 * @param error receives the message on failure; may be NULL
 * @return #ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_tensor_file_metadata(const icseg_tensor_file *file, icseg_tensor_metadata *out,
                                                  icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Arrays of numbers in memory, for inputs and outputs that are not images or label maps. */
#ifndef ICSEG_TENSOR_H
#define ICSEG_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Limits. */
enum {
    ICSEG_TENSOR_MAX_RANK = 8 /**< the largest number of axes */
};

/** Element type of a tensor, in the machine's byte order. */
typedef enum icseg_tensor_type {
    ICSEG_TENSOR_F32, /**< float; NumPy float32 */
    ICSEG_TENSOR_I16, /**< int16_t; NumPy int16 */
    ICSEG_TENSOR_U8,  /**< uint8_t; NumPy uint8 */
    ICSEG_TENSOR_F64, /**< double; NumPy float64; like all that follow, in tensor files only */
    ICSEG_TENSOR_F16, /**< two bytes, IEEE 754's binary16; NumPy float16 */
    ICSEG_TENSOR_I64, /**< int64_t; NumPy int64 */
    ICSEG_TENSOR_I32, /**< int32_t; NumPy int32 */
    ICSEG_TENSOR_I8,  /**< int8_t; NumPy int8 */
    ICSEG_TENSOR_U16, /**< uint16_t; NumPy uint16 */
    ICSEG_TENSOR_BOOL /**< one byte, 0 or 1; NumPy bool */
} icseg_tensor_type;

/** A strided array in memory that it does not own. Its fields are those of Python's buffer protocol and of DLPack, so
 * it can become a NumPy array or a PyTorch tensor without a copy.
 *
 * A tensor that the library returns is dense and row-major, and its memory belongs to `owner`. A tensor that the caller
 * passes may have any strides, negative ones and 0 included. Element (i, j, ..) is at
 * `(char *)data + i * strides[0] + j * strides[1] + ..`. */
typedef struct icseg_tensor {
    icseg_tensor_type type;                 /**< of the elements */
    int32_t rank;                           /**< number of axes, 0..ICSEG_TENSOR_MAX_RANK */
    int64_t shape[ICSEG_TENSOR_MAX_RANK];   /**< (rank) elements along each axis */
    int64_t strides[ICSEG_TENSOR_MAX_RANK]; /**< (rank) bytes from one element to the next along each axis */
    void *data;                             /**< the first element */
    void *owner;                            /**< the object that owns `data` (an icseg_result); NULL: the caller */
} icseg_tensor;

/** Bytes of one element; 0 for a type that does not exist. */
ICSEG_API size_t icseg_tensor_type_size(icseg_tensor_type type);

/** Describes dense, row-major memory of the caller.
 *
 * @param out receives the description; `owner` is NULL
 * @param type type of the elements
 * @param rank number of axes, 1..ICSEG_TENSOR_MAX_RANK
 * @param shape (rank) elements along each axis, each at least 1
 * @param data the first element
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the rank or a size is out of range, or if the bytes overflow */
ICSEG_API icseg_status icseg_tensor_dense(icseg_tensor *out, icseg_tensor_type type, int32_t rank, const int64_t *shape,
                                          void *data, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

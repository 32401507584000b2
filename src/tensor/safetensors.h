/* SPDX-License-Identifier: Apache-2.0
 * safetensors files (an 8-byte header length, a JSON header, raw tensors): a fully validated reader and a
 * streaming, atomic writer. Format: https://huggingface.co/docs/safetensors */
#ifndef ICSEG_TENSOR_SAFETENSORS_H
#define ICSEG_TENSOR_SAFETENSORS_H

#include <stddef.h>

#include "base/error.h"
#include "base/file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

typedef struct icseg_safetensors_entry {
    const char *name;
    icseg_dtype dtype;
    icseg_shape shape;
    const void *data; /* for writing: row-major, little-endian, of any alignment; NULL in an entry that was read */
    size_t bytes;
} icseg_safetensors_entry;

typedef struct icseg_safetensors_pair {
    const char *key, *value; /* UTF-8 */
} icseg_safetensors_pair;

/* An open file. Results of the functions below are valid until close; all of them may be called from several
 * threads. */
typedef struct icseg_safetensors icseg_safetensors;

/* Reads and checks the whole header, so that nothing in it can be out of range later. Values are not checked (NaN is
 * not an error here). ICSEG_ERROR_IO: it cannot be opened; _FORMAT: it is damaged or not a safetensors file;
 * _UNSUPPORTED: an element type or rank that icseg does not support. */
icseg_status icseg_safetensors_open(icseg_safetensors **out, const char *path, icseg_error *error);
void icseg_safetensors_close(icseg_safetensors **st);

const char *icseg_safetensors_path(const icseg_safetensors *st);
size_t icseg_safetensors_count(const icseg_safetensors *st);
const icseg_safetensors_entry *icseg_safetensors_at(const icseg_safetensors *st, size_t index); /* in header order */
const icseg_safetensors_entry *icseg_safetensors_find(const icseg_safetensors *st, const char *name); /* or NULL */
/* The same; a missing tensor is ICSEG_ERROR_FORMAT, and the message names file and tensor. */
icseg_status icseg_safetensors_get(const icseg_safetensors *st, const char *name, const icseg_safetensors_entry **out,
                                   icseg_error *error);

const char *icseg_safetensors_metadata(const icseg_safetensors *st, const char *key); /* or NULL */
size_t icseg_safetensors_metadata_count(const icseg_safetensors *st);
icseg_safetensors_pair icseg_safetensors_metadata_at(const icseg_safetensors *st, size_t index);

/* Elements first .. first + count - 1 of a tensor of any floating-point type, converted to f32. ICSEG_ERROR_IO if the
 * file has changed since it was opened. */
icseg_status icseg_safetensors_read(const icseg_safetensors *st, const icseg_safetensors_entry *entry, size_t first,
                                    size_t count, float *out, icseg_error *error);
/* The open file, and the offset of the entry's data in it, for callers that read it themselves. */
const icseg_file_reader *icseg_safetensors_locate(const icseg_safetensors *st, const icseg_safetensors_entry *entry,
                                                  size_t *offset);
/* The entry of a floating-point tensor of this shape. ICSEG_ERROR_FORMAT: it is missing or not of a floating-point
 * type; ICSEG_ERROR_SHAPE: its shape is different. The message names the file, the tensor and both shapes. */
icseg_status icseg_safetensors_get_f32(const icseg_safetensors *st, const char *name, icseg_shape shape,
                                       const icseg_safetensors_entry **out, icseg_error *error);
/* Converts such a tensor into `out`, (shape). */
icseg_status icseg_safetensors_read_f32(const icseg_safetensors *st, const char *name, icseg_shape shape, float *out,
                                        icseg_error *error);

/* Writing: open; declare every tensor and set metadata, in any order; begin; append every tensor in the order of
 * declaration; commit; close. Equal calls write equal bytes. The old file stays until commit has succeeded. After any
 * failed call, commit fails too. */
typedef struct icseg_safetensors_writer icseg_safetensors_writer;
icseg_status icseg_safetensors_writer_open(icseg_safetensors_writer **out, const char *path, icseg_error *error);
icseg_status icseg_safetensors_writer_declare(icseg_safetensors_writer *writer, const char *name, icseg_dtype dtype,
                                              icseg_shape shape, icseg_error *error);
icseg_status icseg_safetensors_writer_metadata(icseg_safetensors_writer *writer, const char *key, const char *value,
                                               icseg_error *error);
icseg_status icseg_safetensors_writer_begin(icseg_safetensors_writer *writer, icseg_error *error);
/* Writes a whole tensor; `name` must be the next one declared and `bytes` its size. */
icseg_status icseg_safetensors_writer_append(icseg_safetensors_writer *writer, const char *name, const void *data,
                                             size_t bytes, icseg_error *error);
icseg_status icseg_safetensors_writer_commit(icseg_safetensors_writer *writer, icseg_error *error);
void icseg_safetensors_writer_close(icseg_safetensors_writer **writer);

/* All of these calls in one, for tensors in memory. */
icseg_status icseg_safetensors_write(const char *path, const icseg_safetensors_entry *entries, size_t count,
                                     const icseg_safetensors_pair *metadata, size_t pairs, icseg_error *error);

#endif

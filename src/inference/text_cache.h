/* SPDX-License-Identifier: Apache-2.0
 * Embeddings of texts, kept in files: one safetensors file for each combination of text encoder and texts, found by
 * their content. Any number of processes may use a folder at the same time. */
#ifndef ICSEG_INFERENCE_TEXT_CACHE_H
#define ICSEG_INFERENCE_TEXT_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hash.h"
#include "icseg/progress.h"
#include "weights/weights.h"

/* The limits of a folder: the oldest files are removed beyond them. */
enum { ICSEG_TEXT_CACHE_FILES = 256, ICSEG_TEXT_CACHE_BYTES = 256 << 20 };

/* What embeddings (count, width) are computed from. */
typedef struct icseg_text_key {
    char description[256]; /* hashes of the text encoder and of the texts, and their numbers; one line */
    int32_t count, width;
} icseg_text_key;

/* Hashes all values of the text encoder, which are read one tensor at a time. */
icseg_status icseg_text_cache_hash_weights(icseg_hash *out, const icseg_weights *weights, icseg_error *error);

/* Reads embeddings into `out`. *found is false if the folder does not have them or the file cannot be read, so that
 * it has to be written again. The status is ICSEG_OK or ICSEG_ERROR_MEMORY. */
icseg_status icseg_text_cache_read(const char *folder, const icseg_text_key *key, float *out, bool *found,
                                   icseg_error *error);

/* Writes embeddings and removes the oldest files. A failure is a warning, except ICSEG_ERROR_MEMORY. */
icseg_status icseg_text_cache_write(const char *folder, const icseg_text_key *key, const float *embeddings,
                                    const icseg_progress *progress, icseg_error *error);

/* Removes the oldest files of the cache until at most `files` of at most `bytes` are left; other files stay. */
icseg_status icseg_text_cache_trim(const char *folder, size_t files, uint64_t bytes, icseg_error *error);

#endif

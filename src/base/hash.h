/* SPDX-License-Identifier: Apache-2.0
 * A hash of 128 bits, to recognise equal contents. It does not withstand forgery. */
#ifndef ICSEG_BASE_HASH_H
#define ICSEG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. */
typedef struct icseg_hash {
    uint64_t a, b;
} icseg_hash;

/* Adds a record. Its size counts too: "ab", "c" and "a", "bc" differ. */
void icseg_hash_add(icseg_hash *hash, const void *data, size_t size);

/* 32 hexadecimal digits and NUL. */
enum { ICSEG_HASH_TEXT = 33 };
void icseg_hash_text(const icseg_hash *hash, char out[ICSEG_HASH_TEXT]);

#endif

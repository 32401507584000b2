/* SPDX-License-Identifier: Apache-2.0
 * MurmurHash3 (x64, 128 bits; Austin Appleby, public domain) of each record, continued from the hash before it. */
#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t c1 = 0x87c37b91114253d5U, c2 = 0x4cf5ad432745937fU;

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static uint64_t finish(uint64_t x) {
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdU;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53U;
    return x ^ x >> 33;
}

void icseg_hash_add(icseg_hash *hash, const void *data, size_t size) {
    const unsigned char *at = data;
    uint64_t a = hash->a, b = hash->b;
    for (size_t left = size; left; at += 16) {
        uint64_t block[2] = {0};
        size_t take = left < sizeof block ? left : sizeof block;
        memcpy(block, at, take);
        left -= take;
        a ^= rotate(block[0] * c1, 31) * c2;
        a = (rotate(a, 27) + b) * 5 + 0x52dce729;
        b ^= rotate(block[1] * c2, 33) * c1;
        b = (rotate(b, 31) + a) * 5 + 0x38495ab5;
    }
    a ^= (uint64_t)size + 1; /* an empty record counts, too */
    b ^= (uint64_t)size + 1;
    a += b;
    b += a;
    a = finish(a);
    b = finish(b);
    hash->a = a + b;
    hash->b = b + hash->a;
}

void icseg_hash_text(const icseg_hash *hash, char out[ICSEG_HASH_TEXT]) {
    snprintf(out, ICSEG_HASH_TEXT, "%016" PRIx64 "%016" PRIx64, hash->a, hash->b);
}

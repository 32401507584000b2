/* SPDX-License-Identifier: Apache-2.0
 * Products of signed with unsigned bytes in AMX's tiles. */
#include "compute/reduced/byte_tiles.h"

#include "base/check.h"
#include "compute/reduced/multiplier.h"

#if defined(ICSEG_AMX_EMULATION) /* for tests: a header that defines the intrinsics in plain C */
#define ICSEG_AMX_BUILT
#include ICSEG_AMX_EMULATION
#define TILES

#elif defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define ICSEG_AMX_BUILT
#include <immintrin.h>
#define TILES __attribute__((target("amx-tile,amx-int8")))
#endif

#ifdef ICSEG_AMX_BUILT

enum { STRIDE = ICSEG_BYTE_COLUMNS * 4 }; /* bytes, of b and of sums */

/* Tiles 0 to 2 hold the sums, 3 rows of a, 4 to 6 columns of b. The instructions contain the numbers of tiles. */
#define MULTIPLY(SUM, COLUMNS)                                                                                         \
    if (tiles > SUM) {                                                                                                 \
        _tile_loadd(COLUMNS, b + SUM * ICSEG_ROW_BYTES, STRIDE);                                                       \
        _tile_dpbsud(SUM, 3, COLUMNS);                                                                                 \
    }
#define STORE(SUM)                                                                                                     \
    if (tiles > SUM) _tile_stored(SUM, (char *)sums + SUM * ICSEG_ROW_BYTES, STRIDE)

TILES void icseg_byte_tiles_multiply(const char *a, const char *b, int64_t steps, int tiles, int32_t *sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    for (int64_t i = 0; i < steps; i++, a += ICSEG_TILE_BYTES, b += ICSEG_TILE_ROWS * STRIDE) {
        _tile_loadd(3, a, ICSEG_ROW_BYTES);
        MULTIPLY(0, 4)
        MULTIPLY(1, 5)
        MULTIPLY(2, 6)
    }
    STORE(0);
    STORE(1);
    STORE(2);
}

#else

void icseg_byte_tiles_multiply(const char *a, const char *b, int64_t steps, int tiles, int32_t *sums) {
    (void)a, (void)b, (void)steps, (void)tiles, (void)sums;
    ICSEG_CHECK(!"AMX is supported");
}

#endif

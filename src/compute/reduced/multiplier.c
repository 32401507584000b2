/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/reduced/multiplier.h"

const icseg_multiplier *const icseg_multipliers[] = {
    &icseg_multiplier_amx_bf16x2,   &icseg_multiplier_amx_int8, &icseg_multiplier_avx512_vnni,
    &icseg_multiplier_avx_vnni,     &icseg_multiplier_avx2,     &icseg_multiplier_neon_i8mm,
    &icseg_multiplier_neon_dotprod, &icseg_multiplier_neon,     0};

const icseg_multiplier *icseg_multiplier_find(icseg_product_precision precision) {
    for (const icseg_multiplier *const *b = icseg_multipliers; *b; b++)
        if ((*b)->precision == precision && (*b)->supported()) return *b;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Instructions of 64-bit ARM processors that not all of them have. On other processors all of these are false. */
#ifndef ICSEG_BASE_PROCESSOR_H
#define ICSEG_BASE_PROCESSOR_H

#include <stdbool.h>

bool icseg_processor_is_arm64(void);    /* and so has NEON */
bool icseg_processor_has_dotprod(void); /* sdot: sums of four products of bytes */
bool icseg_processor_has_i8mm(void);    /* smmla: 2 x 2 sums of eight products of bytes */
bool icseg_processor_has_bf16(void);    /* bfmmla: 2 x 2 sums of four products of bf16 */

#endif

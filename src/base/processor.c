/* SPDX-License-Identifier: Apache-2.0 */
#include "base/processor.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

/* Linux's numbers: the headers of older systems do not have all of them. */
enum { DOTPROD = 1 << 20, I8MM = 1 << 13, BF16 = 1 << 14 };

bool icseg_processor_is_arm64(void) { return true; }
bool icseg_processor_has_dotprod(void) { return getauxval(AT_HWCAP) & DOTPROD; }
bool icseg_processor_has_i8mm(void) { return getauxval(AT_HWCAP2) & I8MM; }
bool icseg_processor_has_bf16(void) { return getauxval(AT_HWCAP2) & BF16; }

#else

bool icseg_processor_is_arm64(void) { return false; }
bool icseg_processor_has_dotprod(void) { return false; }
bool icseg_processor_has_i8mm(void) { return false; }
bool icseg_processor_has_bf16(void) { return false; }

#endif

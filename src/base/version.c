/* SPDX-License-Identifier: Apache-2.0
 * The library's version, set by the build. */
#include "icseg/version.h"

const char *icseg_version(void) { return ICSEG_VERSION; }

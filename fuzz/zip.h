/* SPDX-License-Identifier: Apache-2.0
 * Well-formed zip archives around the parts of an input, so that what reads their entries is reached. */
#ifndef FUZZ_ZIP_H
#define FUZZ_ZIP_H

#include "base/text.h"
#include "fuzz.h"

/* Stores each content under its name, with its checksum. The caller closes the string. */
icseg_string fuzz_zip(const fuzz_part *names, const fuzz_part *contents, size_t count);

#endif

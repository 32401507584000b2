/* SPDX-License-Identifier: Apache-2.0
 * Sources of which no format was recognised: they may be damaged, packed, or of a kind that cannot be imported. */
#ifndef ICSEG_IMPORTERS_GUESS_H
#define ICSEG_IMPORTERS_GUESS_H

#include "base/memory.h"
#include "icseg/import.h"

/* Fails with a message about the file that is at fault, unless an importer will say what is wrong: *out is its format.
 */
icseg_status icseg_import_guess(icseg_arena *arena, const char *source, icseg_import_format *out, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * The names of the formats that the library knows. */
#include "formats.h"

#include "icseg/dataset.h"
#include "icseg/import.h"

void dataset_format_names(icseg_string *out) {
    for (int32_t i = 0; i < icseg_dataset_format_count(); i++)
        icseg_string_printf(out, "%s%s", i ? ", " : "", icseg_dataset_format_name((icseg_dataset_format)i));
}

void import_format_names(icseg_string *out) {
    for (int32_t i = 0; i < icseg_import_format_count(); i++)
        icseg_string_printf(out, "%s%s", i ? ", " : "", icseg_import_format_name((icseg_import_format)i));
}

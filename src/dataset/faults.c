/* SPDX-License-Identifier: Apache-2.0
 * Collecting faults. */
#include "dataset/faults.h"

#include <stdio.h>

void icseg_faults_add(icseg_faults *faults, const char *line) {
    if (faults->count++ == 0) snprintf(faults->first, sizeof faults->first, "%s", line);
    if (faults->on_fault) faults->on_fault(faults->user, line);
}

icseg_status icseg_faults_fail(const icseg_faults *faults, icseg_error *error) {
    long long more = (long long)faults->count - 1;
    if (!more) return icseg_fail(error, ICSEG_ERROR_DATA, "%s", faults->first);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s (and %lld more fault%s)", faults->first, more, more == 1 ? "" : "s");
}

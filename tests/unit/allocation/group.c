/* SPDX-License-Identifier: Apache-2.0
 * Calls of group.h. This process works alone. */
#include "allocation/allocation.h"

icseg_status call_icseg_group_open(icseg_error *error) {
    icseg_group *out = BAD;
    icseg_status status = icseg_group_open(&out, error);
    assert_null(out);
    return status;
}
CLOSES(icseg_group_close)
QUIET(icseg_group_abort, NULL)
QUIET(icseg_group_failed_together, NULL)
QUIET(icseg_group_rank, NULL)
QUIET(icseg_group_size, NULL)
DOES(icseg_group_agree, NULL, ICSEG_OK)
icseg_status call_icseg_group_share(icseg_error *error) {
    int64_t first;
    (void)error;
    assert_int_equal(icseg_group_share(NULL, 7, &first), 7);
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The result of a run: one block of memory for each want. */
#ifndef ICSEG_INFERENCE_RESULT_H
#define ICSEG_INFERENCE_RESULT_H

#include "icseg/session.h"

enum { ICSEG_WANTS = 12 };

struct icseg_result {
    uint32_t wants;
    icseg_tensor tensor[ICSEG_WANTS]; /* by the number of the bit; data NULL: not there */
};

icseg_status icseg_result_open(icseg_result **out, icseg_error *error);
/* Allocates the tensor of one want; sizes that overflow are ICSEG_ERROR_MEMORY. */
icseg_status icseg_result_allocate(icseg_result *result, icseg_want want, icseg_tensor_type type, int32_t rank,
                                   const int64_t *shape, icseg_error *error);
/* The data of one want; NULL: not there. */
void *icseg_result_data(const icseg_result *result, icseg_want want);
/* Hands the data of one want to the caller, who frees it with icseg_free. */
void *icseg_result_take(icseg_result *result, icseg_want want);

#endif

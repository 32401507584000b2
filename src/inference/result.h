/* SPDX-License-Identifier: Apache-2.0
 * The result of a run: one block of memory for each output. */
#ifndef ICSEG_INFERENCE_RESULT_H
#define ICSEG_INFERENCE_RESULT_H

#include "icseg/session.h"

enum { ICSEG_OUTPUTS = 13 };

struct icseg_result {
    uint32_t outputs;
    icseg_tensor tensor[ICSEG_OUTPUTS]; /* indexed by bit number; data NULL: absent */
};

icseg_status icseg_result_open(icseg_result **out, icseg_error *error);
/* Allocates the tensor of one output; sizes that overflow are ICSEG_ERROR_MEMORY. */
icseg_status icseg_result_allocate(icseg_result *result, icseg_output output, icseg_tensor_type type, int32_t rank,
                                   const int64_t *shape, icseg_error *error);
/* The data of one output; NULL: absent. */
void *icseg_result_data(const icseg_result *result, icseg_output output);
/* Removes an output's data from the result; the caller frees it with icseg_free. */
void *icseg_result_take(icseg_result *result, icseg_output output);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Small runs of one operator for tests that op_check does not cover: bits for several thread counts, and the
 * messages of builders that refuse their arguments. */
#ifndef ICSEG_TESTS_OP_BITS_H
#define ICSEG_TESTS_OP_BITS_H

#include "support/op_check.h"

/* Output and gradients of the case are the same bits with 1, 2 and 3 threads. Inputs are random parameters. */
void op_same_bits(const op_case *c);

/* Building the case fails with ICSEG_ERROR_SHAPE, and the message contains each of the `count` texts. */
void op_refuses(const op_case *c, int count, const char *const *texts);

#endif

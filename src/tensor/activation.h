/* SPDX-License-Identifier: Apache-2.0
 * Activations that a convolution or product can apply to its result in the same pass. */
#ifndef ICSEG_TENSOR_ACTIVATION_H
#define ICSEG_TENSOR_ACTIVATION_H

/* The formulas are in graph/ops.h. */
typedef enum icseg_activation {
    ICSEG_ACTIVATION_NONE,
    ICSEG_ACTIVATION_RELU,
    ICSEG_ACTIVATION_QUICK_GELU,
    ICSEG_ACTIVATION_GELU
} icseg_activation;

#endif

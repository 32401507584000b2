/* SPDX-License-Identifier: Apache-2.0
 * The state of AdamW in a file of weights: tensors "adamw.first.NAME" and "adamw.second.NAME", in memory layout; and
 * "adamw.raw.NAME", the raw values where the file's NAME is an average. */
#ifndef ICSEG_TRAIN_MOMENTS_H
#define ICSEG_TRAIN_MOMENTS_H

#include "train/adamw.h"
#include "tensor/safetensors.h"
#include "train/ema.h"

/* What a run trains. */
typedef struct icseg_trained {
    const icseg_params *params;
    icseg_adamw *adamw;
    icseg_ema *ema; /* NULL: no averages. The model has them while files are written and read */
} icseg_trained;

icseg_status icseg_moments_declare(const icseg_trained *t, icseg_safetensors_writer *writer, icseg_error *error);
icseg_status icseg_moments_append(const icseg_trained *t, icseg_safetensors_writer *writer, icseg_error *error);

/* Reads the moments, and sets the number of updates. */
icseg_status icseg_moments_read(const icseg_trained *t, const icseg_safetensors *file, int64_t updates,
                                icseg_error *error);

/* Before they are written: ICSEG_ERROR_NUMERIC if a weight or moment is not finite. `section` of the recipe has the
 * keys that could help: "train" or "pretrain". */
icseg_status icseg_trained_check(const icseg_trained *t, int64_t step, const char *section, icseg_error *error);
/* After they were read from `path`: ICSEG_ERROR_FORMAT if a value is impossible. */
icseg_status icseg_trained_check_read(const icseg_trained *t, const char *path, icseg_error *error);

#endif

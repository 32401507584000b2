/* SPDX-License-Identifier: Apache-2.0
 * Dividing one split into two. */
#ifndef ICSEG_DATASET_HOLD_OUT_H
#define ICSEG_DATASET_HOLD_OUT_H

#include "icseg/dataset.h"

/* A number that depends on the name and the seed only: the same on every machine. */
uint64_t icseg_dataset_hash_name(const char *name, uint64_t seed);

/* Keeps only the images that are held out, or only the others: the options' val_share and held_out. An image's name
 * alone decides, so that images which are added later change nothing for the others. Returns ICSEG_ERROR_DATA if there
 * are fewer than two images. */
icseg_status icseg_dataset_hold_out(icseg_dataset *dataset, const icseg_dataset_options *options, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * icseg dataset split: the division of a data set and its table. */
#ifndef ICSEG_CLI_DATASET_SPLIT_H
#define ICSEG_CLI_DATASET_SPLIT_H

#include "cli.h"
#include "icseg/split.h"

/* Divides the data set and prints the table. `dry_run` writes nothing. */
icseg_status dataset_split(const icseg_command_context *context, const icseg_dataset_options *data,
                           const icseg_split_options *options, bool dry_run, icseg_error *error);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * What the runs of a sweep have reached, and the table of it. */
#ifndef ICSEG_CLI_SWEEP_TABLE_H
#define ICSEG_CLI_SWEEP_TABLE_H

#include "sweep_plan.h"

typedef enum sweep_state {
    SWEEP_WAITING,    /* not begun */
    SWEEP_UNFINISHED, /* begun, and can be continued */
    SWEEP_RUNNING,
    SWEEP_DONE,
    SWEEP_FAILED,
    SWEEP_STOPPED /* its process was stopped by a signal */
} sweep_state;

/* Shares are 0..1; a number that is not known is NaN, a step that is not known 0. */
typedef struct sweep_result {
    sweep_state state;
    int64_t step, steps;     /* the last step in the log, and those of the whole run */
    double miou, macc, aacc; /* of the last evaluation */
    double best_miou;
    int64_t best_step;
    double seconds, peak_mib;
    const char *message; /* of a run that failed; NULL: none */
} sweep_result;

/* Reads the log and the checkpoint of a run directory. The state is SWEEP_WAITING, SWEEP_UNFINISHED or SWEEP_DONE; what
 * cannot be read counts as missing, and the training that continues the run reports it. */
void sweep_result_read(sweep_result *out, const char *folder);

/* Writes the table as CSV; shares 0..1. The file is replaced atomically. `results` has an element for each run. */
icseg_status sweep_table_write(const sweep_plan *plan, const sweep_result *results, const char *path,
                               icseg_error *error);
/* Prints the table, in percent, and means and standard deviations of the seeds. */
void sweep_table_print(const sweep_plan *plan, const sweep_result *results);
/* Prints one line of JSON; shares 0..1. */
icseg_status sweep_table_print_json(const sweep_plan *plan, const sweep_result *results, icseg_error *error);
/* Prints the name, state and settings of each run. */
void sweep_plan_print(const sweep_plan *plan, const sweep_result *results);

#endif

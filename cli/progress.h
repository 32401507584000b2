/* SPDX-License-Identifier: Apache-2.0
 * Progress on standard error: one rewritten line on a terminal, otherwise one line per event; and Ctrl-C as a cancel.
 */
#ifndef ICSEG_CLI_PROGRESS_H
#define ICSEG_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "icseg/progress.h"

typedef struct icseg_printer {
    FILE *stream;
    bool terminal;
    bool open_line;                   /* the cursor is at the end of a line that will be rewritten */
    char stage[64];                   /* of the last event */
    double first_done, first_seconds; /* of the stage: a resumed run does not start at 0 */
    double printed_seconds;           /* stage time of the last line */
    bool catches_signals;
    bool quiet; /* prints problems only */
} icseg_printer;

/* From the first report on, SIGINT, SIGTERM or SIGHUP asks the library to stop; a second signal ends the program at
 * once. Work that reports no progress ends at the first signal. */
icseg_printer icseg_printer_open(FILE *stream);
icseg_progress icseg_printer_progress(icseg_printer *printer);
/* Print a separate line; `format` does not end with a newline. Problems, warnings and errors, are printed even if the
 * printer is quiet. */
void icseg_printer_problem(icseg_printer *printer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void icseg_printer_note(icseg_printer *printer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the line that is being rewritten. */
void icseg_printer_close(icseg_printer *printer);

#endif

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
    bool open_line;                   /* the cursor stands behind a line that will be rewritten */
    char stage[64];                   /* of the last event */
    double first_done, first_seconds; /* of the stage: a resumed run does not start at 0 */
    double printed_seconds;           /* stage time of the last line */
    bool catches_signals;
} icseg_printer;

/* From the first report on SIGINT and SIGTERM ask the library to stop; a second one ends the program at once. Work that
 * reports nothing ends at the first. */
icseg_printer icseg_printer_open(FILE *stream);
icseg_progress icseg_printer_progress(icseg_printer *printer);
/* A line of its own between those of the progress, without its newline. */
void icseg_printer_note(icseg_printer *printer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the line that is being rewritten. */
void icseg_printer_close(icseg_printer *printer);

#endif

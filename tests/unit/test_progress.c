/* SPDX-License-Identifier: Apache-2.0
 * cli/progress: lines in a log, the rewritten line of a terminal, signals as a cancel. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/progress.c" /* the program is not a library */

/* Feeds events to a printer over a memory stream; *text is freed by the caller. */
static icseg_printer open_printer(char **text, size_t *size, bool terminal) {
    FILE *stream = open_memstream(text, size);
    assert_non_null(stream);
    icseg_printer printer = icseg_printer_open(stream);
    assert_false(printer.terminal);
    printer.terminal = terminal;
    return printer;
}

static bool send(icseg_printer *printer, const char *stage, double done, double total, double seconds,
                 const char *detail) {
    icseg_progress progress = icseg_printer_progress(printer);
    icseg_progress_event event = {stage, done, total, seconds, detail};
    return progress.report(progress.user, &event);
}

static void close_printer(icseg_printer *printer) {
    icseg_printer_close(printer);
    fclose(printer->stream);
}

static void a_log_gets_first_last_and_some_lines(void **state) {
    (void)state;
    char *text;
    size_t size;
    icseg_printer printer = open_printer(&text, &size, false);
    for (int i = 0; i <= 100; i++) assert_true(send(&printer, "train", i, 100, i * 0.5, i == 100 ? "loss 1.5" : ""));
    assert_true(send(&printer, "evaluate", 3, 0, 1, "b.png"));
    close_printer(&printer);
    assert_string_equal(text, "train   0%  0/100\n"
                              "train  20%  20/100  2/s  ETA 0:40\n"
                              "train  40%  40/100  2/s  ETA 0:30\n"
                              "train  60%  60/100  2/s  ETA 0:20\n"
                              "train  80%  80/100  2/s  ETA 0:10\n"
                              "train 100%  100/100  2/s  in 0:50  loss 1.5\n"
                              "evaluate  3  b.png\n");
    free(text);
}

static void the_rate_of_a_resumed_run_counts_only_its_own_steps(void **state) {
    (void)state;
    char *text;
    size_t size;
    icseg_printer printer = open_printer(&text, &size, false);
    send(&printer, "train", 900, 1000, 0, "");
    send(&printer, "train", 950, 1000, 7250, "");
    close_printer(&printer);
    assert_non_null(strstr(text, "train  95%  950/1000  0.0069/s  ETA 2:00:50\n"));
    free(text);
}

static void a_terminal_gets_one_rewritten_line_that_fits(void **state) {
    (void)state;
    char *text;
    size_t size;
    icseg_printer printer = open_printer(&text, &size, true);
    for (int i = 0; i < 60; i++) /* too soon after one another to be drawn, but for the first */
        send(&printer, "train", i, 100, i * 1e-3,
             "\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
             "\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
             "\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
             "\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244"
             "\303\244\303\244\303\244\303\244\303\244\303\244\303\244\303\244");
    send(&printer, "train", 50, 100, 5, "loss 2");
    send(&printer, "train", 100, 100, 10, "loss 1");
    close_printer(&printer);
    char *first_end = strstr(text, "\033[K");
    assert_non_null(first_end);
    size_t columns = 0;
    for (char *c = text + 1; c < first_end; c++) columns += ((unsigned char)*c & 0xc0) != 0x80;
    assert_int_equal(columns, 79); /* the stream has no window: 80 columns are taken */
    assert_string_equal(first_end, "\033[K\rtrain [##########..........]  50%  50/100  10/s  ETA 0:05  loss 2\033[K"
                                   "\rtrain [####################] 100%  100/100  10/s  in 0:10  loss 1\033[K\n");
    free(text);
}

static void strange_events_are_drawn_without_harm(void **state) {
    (void)state;
    char *text, stage[2000];
    size_t size;
    memset(stage, 's', sizeof stage - 1);
    stage[sizeof stage - 1] = '\0';
    for (int terminal = 0; terminal < 2; terminal++) {
        icseg_printer printer = open_printer(&text, &size, terminal);
        send(&printer, stage, 1, 10, 0, stage);
        send(&printer, stage, 5, 10, 100, NULL);
        send(&printer, "b", 20, 10, -1, "");
        send(&printer, "c", -5, 10, 1e300, "");
        send(&printer, "c", NAN, 1e300, 0, "");
        close_printer(&printer);
        free(text);
    }
}

static void a_signal_becomes_a_cancel(void **state) {
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        char *text;
        size_t size;
        icseg_printer printer = open_printer(&text, &size, false);
        assert_true(send(&printer, "train", 1, 10, 1, ""));
        raise(signals[i]);
        assert_false(send(&printer, "train", 2, 10, 2, ""));
        struct sigaction now; /* a second one ends the program */
        sigaction(signals[i], NULL, &now);
        assert_true(now.sa_handler == SIG_DFL);
        close_printer(&printer);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_gets_first_last_and_some_lines),
        cmocka_unit_test(the_rate_of_a_resumed_run_counts_only_its_own_steps),
        cmocka_unit_test(a_terminal_gets_one_rewritten_line_that_fits),
        cmocka_unit_test(strange_events_are_drawn_without_harm),
        cmocka_unit_test(a_signal_becomes_a_cancel),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}

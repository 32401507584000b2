/* SPDX-License-Identifier: Apache-2.0
 * The progress printer and the signals it turns into a cancel. */
#include "progress.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_WIDTH = 20, LINE_MOST = 512 };

/* Stage seconds between two lines, on a terminal and in a log. */
static const double redraw_interval = 0.1, log_interval = 10;

/* The only state that the signal handler changes. */
static volatile sig_atomic_t stop_requested;

static void on_signal(int number) {
    (void)number;
    stop_requested = 1;
}

/* SA_RESETHAND: a second signal ends the program. */
static void catch_signals(icseg_printer *p) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    if (p->catches_signals) return;
    p->catches_signals = true;
    stop_requested = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) /* nohup ignores it */
        sigaction(SIGHUP, &action, NULL);
}

icseg_printer icseg_printer_open(FILE *stream) {
    return (icseg_printer){.stream = stream, .terminal = isatty(fileno(stream)) != 0};
}

static size_t terminal_width(FILE *stream) {
    struct winsize size;
    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void format_time(double seconds, char *out, size_t size) {
    long s = seconds < 0 ? 0 : seconds > 3.6e6 ? 3600000 : (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

static void format_event(const icseg_printer *p, const icseg_progress_event *event, char *out, size_t size) {
    char bar[64] = "", rate[32] = "", eta[64] = "", time[40];
    double share = event->total > 0 ? event->done / event->total : 0;
    if (!(share >= 0)) share = 0;
    if (share > 1) share = 1;
    if (p->terminal) {
        int filled = (int)(share * BAR_WIDTH);
        snprintf(bar, sizeof bar, "[%.*s%.*s] ", filled, "####################", BAR_WIDTH - filled,
                 "....................");
    }
    double seconds = event->seconds - p->first_seconds, done = event->done - p->first_done;
    if (seconds > 0 && done > 0) {
        snprintf(rate, sizeof rate, "  %.3g/s", done / seconds);
        format_time(share < 1 ? (event->total - event->done) * seconds / done : event->seconds, time, sizeof time);
        if (event->total > 0) snprintf(eta, sizeof eta, share < 1 ? "  ETA %s" : "  in %s", time);
    }
    if (event->total > 0)
        snprintf(out, size, "%s %s%3.0f%%  %.0f/%.0f%s%s  %s", event->stage, bar, 100 * share, event->done,
                 event->total, rate, eta, event->detail ? event->detail : "");
    else
        snprintf(out, size, "%s  %.0f%s  %s", event->stage, event->done, rate, event->detail ? event->detail : "");
}

/* Cuts to `width` columns, never inside a UTF-8 character. */
static void cut(char *line, size_t width) {
    size_t columns = 0;
    for (char *c = line; *c; c++)
        if (((unsigned char)*c & 0xc0) != 0x80 && columns++ == width) {
            *c = '\0';
            return;
        }
}

static bool report(void *user, const icseg_progress_event *event) {
    icseg_printer *p = user;
    bool first = strncmp(p->stage, event->stage, sizeof p->stage - 1) != 0;
    bool last = event->total > 0 && event->done >= event->total;
    catch_signals(p);
    if (p->quiet) return !stop_requested;
    if (first) {
        icseg_printer_close(p);
        snprintf(p->stage, sizeof p->stage, "%s", event->stage);
        p->first_done = event->done;
        p->first_seconds = event->seconds;
    }
    double since = event->seconds - p->printed_seconds;
    if (first || last || since < 0 || since >= (p->terminal ? redraw_interval : log_interval)) {
        char line[LINE_MOST];
        format_event(p, event, line, sizeof line);
        if (p->terminal) cut(line, terminal_width(p->stream) - 1);
        for (size_t end = strlen(line); end && line[end - 1] == ' ';) line[--end] = '\0';
        fprintf(p->stream, p->terminal ? "\r%s\033[K" : "%s\n", line);
        (void)fflush(p->stream); /* progress that nobody can read does not stop the work */
        p->open_line = p->terminal;
        p->printed_seconds = event->seconds;
    }
    if (last) {
        icseg_printer_close(p);
        p->stage[0] = '\0'; /* the next event may begin the same stage again */
    }
    return !stop_requested;
}

/* Texts contain names from files, whose control characters must not reach the terminal. The next event draws the
 * progress line again. */
static void print_text(icseg_printer *p, const char *prefix, const char *text) {
    fprintf(p->stream, p->open_line ? "\r\033[K%s" : "%s", prefix);
    for (const char *c = text; *c; c++)
        fputc(((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f ? '?' : *c, p->stream);
    fputc('\n', p->stream);
    p->open_line = false;
}

static void message(void *user, icseg_message_level level, const char *text) {
    const icseg_printer *p = user;
    if (p->quiet && level != ICSEG_MESSAGE_WARNING) return;
    print_text(user, level == ICSEG_MESSAGE_WARNING ? "warning: " : "", text);
}

icseg_progress icseg_printer_progress(icseg_printer *printer) {
    return (icseg_progress){ICSEG_PROGRESS_INIT, .report = report, .message = message, .user = printer};
}

static void print_line(icseg_printer *p, const char *format, va_list args) {
    char line[1280];
    vsnprintf(line, sizeof line, format, args);
    for (char *c = line; *c; c++)
        if (*c == '\n') *c = '?';
    print_text(p, "", line);
}

void icseg_printer_note(icseg_printer *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (!p->quiet) print_line(p, format, args);
    va_end(args);
}

void icseg_printer_problem(icseg_printer *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line(p, format, args);
    va_end(args);
}

void icseg_printer_close(icseg_printer *p) {
    if (p->open_line) fputc('\n', p->stream);
    p->open_line = false;
}

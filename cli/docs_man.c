/* SPDX-License-Identifier: Apache-2.0
 * Manual pages from the option tables. */
#include <ctype.h>
#include <string.h>

#include "docs.h"
#include "icseg/version.h"
#include "support.h"

/* The date in the footer of the pages. Change it together with the version in CMakeLists.txt. */
static const char page_date[] = "2026-11-29";

/* Plain text: requests and escapes of troff are quoted. */
static void append_text(icseg_string *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        bool starts_line = i == 0 || text[i - 1] == '\n';
        if (text[i] == '\\')
            icseg_string_printf(out, "\\e");
        else if (text[i] == '-')
            icseg_string_printf(out, "\\-");
        else if (starts_line && (text[i] == '.' || text[i] == '\''))
            icseg_string_printf(out, "\\&%c", text[i]);
        else
            icseg_string_append(out, text + i, 1);
    }
}

static void append(icseg_string *out, const char *text) { append_text(out, text, strlen(text)); }

static void heading(icseg_string *out, const char *text) { icseg_string_printf(out, ".SH %s\n", text); }

/* The title line of a page: "icseg" or "icseg-NAME" in capitals, the section, the date, the source, the manual. */
static void title(icseg_string *out, const char *command) {
    icseg_string_printf(out, ".TH ICSEG%s", command ? "\\-" : "");
    for (; command && *command; command++) icseg_string_printf(out, "%c", toupper((unsigned char)*command));
    icseg_string_printf(out, " 1 \"%s\" \"icseg %s\" \"User Commands\"\n", page_date, icseg_version());
}

/* The arguments of a command. Lines are not broken inside brackets. */
static void append_synopsis(icseg_string *out, const icseg_command *command) {
    icseg_string usage = {0};
    icseg_options_usage(&command->options, 0, &usage);
    icseg_string_printf(out, ".SY \"icseg %s\"\n", command->name);
    int depth = 0;
    for (const char *c = usage.data; c && *c; c++) {
        depth += *c == '[' ? 1 : *c == ']' ? -1 : 0;
        if (*c == '\n' || *c == ' ')
            icseg_string_printf(out, depth ? "\\ " : "\n");
        else
            append_text(out, c, 1);
    }
    icseg_string_printf(out, "\n.YS\n");
    if (usage.failed) out->failed = true;
    icseg_string_close(&usage);
}

/* Lines are kept. */
static void append_lines(icseg_string *out, const char *text) {
    icseg_string_printf(out, ".nf\n");
    append(out, text);
    icseg_string_printf(out, ".fi\n");
}

/* Paragraphs are filled. An empty line separates two of them. Lines that start with a blank are kept. */
static void append_paragraphs(icseg_string *out, const char *text) {
    bool verbatim = false;
    for (const char *line = text, *end; *line; line = end + (*end != '\0')) {
        end = line + strcspn(line, "\n");
        if ((line[0] == ' ') != verbatim) {
            verbatim = !verbatim;
            icseg_string_printf(out, verbatim ? ".PP\n.nf\n" : ".fi\n");
        }
        if (end == line)
            icseg_string_printf(out, ".PP");
        else
            append_text(out, line, (size_t)(end - line));
        icseg_string_append(out, "\n", 1);
    }
    if (verbatim) icseg_string_printf(out, ".fi\n");
}

static void append_options(icseg_string *out, const icseg_option_table *table, const void *defaults) {
    for (size_t i = 0; i < table->count; i++) {
        const icseg_option *o = &table->rows[i];
        icseg_string name = {0}, help = {0}, value = {0};
        icseg_option_name(o, &name);
        icseg_string_printf(out, ".TP\n.B ");
        append(out, name.data ? name.data : "");
        icseg_string_append(out, "\n", 1);
        icseg_option_help(o, &help);
        append(out, help.data ? help.data : "");
        if (icseg_option_default(o, defaults, &value) && value.data) {
            icseg_string_printf(out, " (default: ");
            append(out, value.data);
            icseg_string_append(out, ")", 1);
        }
        icseg_string_append(out, "\n", 1);
        if (name.failed || help.failed || value.failed) out->failed = true;
        icseg_string_close(&name);
        icseg_string_close(&help);
        icseg_string_close(&value);
    }
    icseg_string_printf(out, ".TP\n.B \\-\\-quiet\nprint warnings and errors only, and results\n");
}

static void exit_status(icseg_string *out) {
    heading(out, "EXIT STATUS");
    icseg_string_printf(out, ".TP\n.B 0\nsuccess\n.TP\n.B 1\nfailure\n.TP\n.B 2\nwrong command line\n"
                             ".TP\n.B 3\nstopped in order by SIGINT (Ctrl-C), SIGTERM or SIGHUP\n");
}

static void page_of_program(icseg_string *out) {
    title(out, NULL);
    heading(out, "NAME");
    icseg_string_printf(out, "icseg \\- train, evaluate and run CLIP models for semantic segmentation on CPUs\n");
    heading(out, "SYNOPSIS");
    icseg_string_printf(out, ".B icseg\n.I COMMAND\n[\\fIARGUMENTS\\fR]\n.br\n.B icseg\n.I COMMAND\n.B \\-\\-help\n"
                             ".br\n.B icseg \\-\\-version\n");
    heading(out, "DESCRIPTION");
    icseg_string_printf(out, "icseg turns a CLIP model into a semantic segmentation model, trains it, evaluates it and "
                             "runs it on CPUs.\nEach command has a page of its own.\n");
    heading(out, "COMMANDS");
    for (int i = 0; icseg_commands[i]; i++) {
        const icseg_command *command = icseg_commands[i];
        if (command->hidden) continue;
        icseg_string_printf(out, ".TP\n.BR icseg\\-%s (1)\n", command->name);
        append(out, command->summary);
        icseg_string_printf(out, ".\n");
    }
    heading(out, "ENVIRONMENT");
    icseg_string_printf(out, ".TP\n.B OMP_NUM_THREADS\nThe number of threads (default: one for each core that the "
                             "process may use).\n.TP\n.B NO_COLOR\nHas no effect: icseg prints no colours.\n");
    exit_status(out);
}

icseg_status docs_man(const icseg_command *command, icseg_arena *arena, icseg_string *out, icseg_error *error) {
    if (!command) {
        page_of_program(out);
        return ICSEG_OK;
    }
    void *defaults = icseg_command_defaults(command, arena);
    if (!defaults) return out_of_memory(error);
    title(out, command->name);
    heading(out, "NAME");
    icseg_string_printf(out, "icseg\\-%s \\- %c", command->name, tolower((unsigned char)command->summary[0]));
    append(out, command->summary + 1);
    icseg_string_append(out, "\n", 1);
    heading(out, "SYNOPSIS");
    append_synopsis(out, command);
    if (command->description) {
        heading(out, "DESCRIPTION");
        append_paragraphs(out, command->description);
    }
    heading(out, "OPTIONS");
    append_options(out, &command->options, defaults);
    if (command->examples) {
        heading(out, "EXAMPLES");
        append_lines(out, command->examples);
    }
    exit_status(out);
    heading(out, "SEE ALSO");
    icseg_string_printf(out, ".BR icseg (1)\n");
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The icseg program: finds the command, parses its options, runs it and reports its error. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli.h"
#include "config.h"
#include "icseg/version.h"
#include "remedy.h"
#include "support.h"

/* To add a command:
 *   1. Write cli/cmd_NAME.c: an options struct, a static icseg_option table over it (options/options.h says how a row
 *      looks), a run function, and
 *          const icseg_command icseg_command_NAME = {.name = "NAME", .summary = "...", .options = ICSEG_TABLE(rows),
 *                                                    .size = sizeof(struct options), .run = run};
 *   2. Add its two lines below, in the order in which --help lists the commands.
 *   3. Run `make docs` (docs/commands.md comes from the table) and add cases in tests/cli/cases/NAME.sh. */
extern const icseg_command icseg_command_calibrate;
extern const icseg_command icseg_command_classify;
extern const icseg_command icseg_command_convert;
extern const icseg_command icseg_command_docs;
extern const icseg_command icseg_command_explain;
extern const icseg_command icseg_command_export;
extern const icseg_command icseg_command_forward;
extern const icseg_command icseg_command_info;
extern const icseg_command icseg_command_predict;
extern const icseg_command icseg_command_pretrain;
extern const icseg_command icseg_command_segment;
extern const icseg_command icseg_command_video;
#ifdef ICSEG_HAS_SERVE
extern const icseg_command icseg_command_serve;
#endif
extern const icseg_command icseg_command_tokenize;

/* Commands that need ICSEG_TRAIN. A build without it leaves out their files (CMakeLists.txt). */
#ifndef ICSEG_NO_TRAIN
extern const icseg_command icseg_command_bench;
extern const icseg_command icseg_command_compare;
extern const icseg_command icseg_command_dataset;
extern const icseg_command icseg_command_eval;
extern const icseg_command icseg_command_lr;
extern const icseg_command icseg_command_parity;
extern const icseg_command icseg_command_plan;
extern const icseg_command icseg_command_recipe;
extern const icseg_command icseg_command_report;
extern const icseg_command icseg_command_sweep;
extern const icseg_command icseg_command_synth;
extern const icseg_command icseg_command_train;
#define WITH_TRAIN(...) __VA_ARGS__
#else
#define WITH_TRAIN(...)
#endif
#ifdef ICSEG_HAS_SERVE
enum { HAS_SERVE = 1 };
#else
enum { HAS_SERVE = 0 };
#endif
static const char *const training_commands[] = {"bench",    "compare", "dataset", "eval",  "lr",    "parity", "plan",
                                                "pretrain", "recipe",  "report",  "sweep", "synth", "train"};

const icseg_command *const icseg_commands[] = {
    /* clang-format off */
    WITH_TRAIN(&icseg_command_synth,)
    WITH_TRAIN(&icseg_command_recipe,)
    WITH_TRAIN(&icseg_command_plan,)
    WITH_TRAIN(&icseg_command_lr,)
    WITH_TRAIN(&icseg_command_train,)
    WITH_TRAIN(&icseg_command_pretrain,)
    WITH_TRAIN(&icseg_command_sweep,)
    WITH_TRAIN(&icseg_command_report,)
    WITH_TRAIN(&icseg_command_compare,)
    WITH_TRAIN(&icseg_command_eval,)
    &icseg_command_predict,
    &icseg_command_segment,
    &icseg_command_video,
#ifdef ICSEG_HAS_SERVE
    &icseg_command_serve,
#endif
    &icseg_command_explain,
    &icseg_command_calibrate,
    &icseg_command_export,
    &icseg_command_info,
    WITH_TRAIN(&icseg_command_dataset,)
    &icseg_command_forward,
    WITH_TRAIN(&icseg_command_parity,)
    WITH_TRAIN(&icseg_command_bench,)
    &icseg_command_convert,
    &icseg_command_classify,
    &icseg_command_docs,
    &icseg_command_tokenize,
    NULL,
    /* clang-format on */
};

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_WRONG_CALL = 2, EXIT_STOPPED = 3, COMMANDS_MOST = 64 };

static const icseg_command *find_command(const char *name) {
    for (int i = 0; icseg_commands[i]; i++)
        if (!strcmp(icseg_commands[i]->name, name)) return icseg_commands[i];
    return NULL;
}

static void print_overview(FILE *stream) {
    fputs("icseg " WITH_TRAIN("trains, evaluates and ") "runs CLIP models for semantic segmentation.\n\n"
                                                        "Usage: icseg COMMAND [ARGUMENTS]\n       icseg COMMAND "
                                                        "--help\n       icseg --version\n\nCommands:\n",
          stream);
    for (int i = 0; icseg_commands[i]; i++)
        if (!icseg_commands[i]->hidden)
            fprintf(stream, "  %-10s %s\n", icseg_commands[i]->name, icseg_commands[i]->summary);
    fputs("\nExit status: 0 success, 1 failure, 2 wrong command line, 3 stopped by a signal.\n", stream);
}

static int wrong_call(const char *word) {
    for (size_t i = 0; i < sizeof training_commands / sizeof *training_commands; i++)
        if (!strcmp(word, training_commands[i])) { /* not found, so the build leaves it out */
            fprintf(stderr, "icseg: error: %s: this build has no training; build icseg with ICSEG_TRAIN=ON\n", word);
            return EXIT_WRONG_CALL;
        }
    if (!HAS_SERVE && !strcmp(word, "serve")) {
        fprintf(stderr, "icseg: error: serve: this build has no server; build icseg with ICSEG_SERVE=ON\n");
        return EXIT_WRONG_CALL;
    }
    const char *names[COMMANDS_MOST] = {"--help", "--version"};
    bool option = word[0] == '-';
    size_t count = option ? 2 : 0;
    for (int i = 0; icseg_commands[i] && !option && count < COMMANDS_MOST; i++)
        if (!icseg_commands[i]->hidden) names[count++] = icseg_commands[i]->name;
    const char *nearest = icseg_text_nearest(word, names, count);
    fprintf(stderr, "icseg: error: %.80s%sunknown %s; %s%s%s\n", word, *word ? ": " : "", option ? "option" : "command",
            nearest ? "did you mean " : "see icseg --help", nearest ? nearest : "", nearest ? "?" : "");
    return EXIT_WRONG_CALL;
}

void *icseg_command_defaults(const icseg_command *command, icseg_arena *arena) {
    void *options = icseg_arena_alloc(arena, command->size);
    if (options && command->defaults) command->defaults(options);
    return options;
}

void icseg_command_help(const icseg_command *command, const void *defaults, icseg_string *out) {
    size_t before = out->size;
    icseg_string_printf(out, "Usage: icseg %s ", command->name);
    icseg_options_usage(&command->options, out->size - before, out);
    icseg_string_printf(out, "\n\n%s.\n", command->summary);
    if (command->description) icseg_string_printf(out, "\n%s", command->description);
    icseg_string_printf(out, "\nOptions:\n");
    icseg_options_help(&command->options, defaults, out);
    icseg_string_printf(out, "  --quiet                 print warnings and errors only, and results\n"
                             "  --help                  show this text\n");
    if (!command->examples) return;
    icseg_string_printf(out, "\nExamples:\n");
    for (const char *line = command->examples, *end; *line; line = end + (*end != '\0')) {
        end = line + strcspn(line, "\n");
        icseg_string_printf(out, "  %.*s\n", (int)(end - line), line);
    }
}

/* --help may be anywhere before a "--". */
static bool wants_help(int argc, char *const *argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

/* Removes --quiet, which may be anywhere before a "--". */
static bool take_quiet(int *argc, char **argv) {
    int kept = 0, i = 0;
    for (; i < *argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--quiet") != 0) argv[kept++] = argv[i];
    bool quiet = kept < i;
    for (; i < *argc; i++) argv[kept++] = argv[i];
    *argc = kept;
    return quiet;
}

static icseg_status print_help(const icseg_command *command, const void *defaults, icseg_error *error) {
    icseg_string text = {0};
    icseg_command_help(command, defaults, &text);
    icseg_status status = text.failed ? out_of_memory(error) : ICSEG_OK;
    if (status == ICSEG_OK) fputs(text.data, stdout);
    icseg_string_close(&text);
    return status;
}

/* With a smaller stack oneDNN dies of a segmentation fault (measured: below 80 KiB). */
static icseg_status check_stack(icseg_error *error) {
    enum { LEAST_KIB = 256 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= (rlim_t)LEAST_KIB << 10) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_MEMORY,
                           "the limit on the stack is %llu KiB, and icseg needs %d KiB; raise it (ulimit -s %d)",
                           (unsigned long long)limit.rlim_cur >> 10, LEAST_KIB, LEAST_KIB);
}

icseg_status join_group(const icseg_command_context *context, icseg_error *error) {
    TRY(icseg_group_open(context->group, error));
    if (icseg_group_rank(*context->group) > 0) context->printer->quiet = true;
    return ICSEG_OK;
}

bool prints_results(const icseg_command_context *context) { return icseg_group_rank(*context->group) == 0; }

static icseg_status run_command(const icseg_command *command, icseg_arena *arena, icseg_printer *printer,
                                icseg_group **group, int argc, char *const *argv, icseg_error *error) {
    void *options = icseg_command_defaults(command, arena);
    if (!options) return out_of_memory(error);
    if (wants_help(argc, argv)) return print_help(command, options, error);
    if (command->has_config) TRY(config_read(command, options, arena, argc, argv, error));
    TRY(icseg_options_parse(&command->options, options, arena, argc, argv, error));
    TRY(check_stack(error));
    icseg_command_context context = {.arena = arena,
                                     .progress = icseg_printer_progress(printer),
                                     .printer = printer,
                                     .group = group,
                                     .command = command};
    TRY(command->run(&context, options, error));
    return ICSEG_OK;
}

/* Of several processes that fail together, the first reports the error. One that fails alone ends the others. */
static void report_error(const icseg_command *command, icseg_group *group, const icseg_error *error) {
    char remedy[REMEDY_SIZE] = "", process[32] = "";
    if (icseg_group_failed_together(group) && icseg_group_rank(group) > 0) return;
    if (icseg_group_size(group) > 1 && !icseg_group_failed_together(group))
        snprintf(process, sizeof process, "process %d: ", (int)icseg_group_rank(group));
    if (command) remedy_describe(command, error, remedy);
    fprintf(stderr, "icseg%s%s: %s%s%s%s\n", command ? " " : "", command ? command->name : "",
            error->status == ICSEG_ERROR_CANCELLED ? "" : "error: ", process, error->message, remedy);
    if (icseg_group_size(group) > 1 && !icseg_group_failed_together(group)) icseg_group_abort(group);
}

/* The first line is the version alone, for scripts. */
static icseg_status print_version(icseg_error *error) {
    icseg_build build = {ICSEG_BUILD_INIT};
    TRY(icseg_build_info(&build, error));
    printf("icseg %s\n\noneDNN %d.%d.%d, built with %s%s\n", build.version, (int)build.onednn[0], (int)build.onednn[1],
           (int)build.onednn[2], build.compiler, build.sanitizers ? ", with sanitizers" : "");
    printf("kernels   %s%s%s\n", build.neon ? "NEON" : "baseline", build.kernels_avx2 ? ", AVX2" : "",
           build.kernels_avx512 ? ", AVX-512" : "");
    printf("processor%s%s%s%s%s%s%s%s%s%s\n", build.avx2 ? " AVX2" : "", build.avx512 ? " AVX-512" : "",
           build.vnni ? " VNNI" : "", build.avx512_bf16 ? " AVX512_BF16" : "", build.amx ? " AMX" : "",
           build.neon ? " NEON" : "", build.dotprod ? " dotprod" : "", build.i8mm ? " i8mm" : "",
           build.arm_bf16 ? " bf16" : "", build.avx2 || build.avx512 || build.neon ? "" : " baseline");
    bool none = !build.train && !build.tiff && !build.webp && !build.gif && !build.heif && !build.matlab &&
                !build.video && !build.onnx && !HAS_SERVE;
    printf("parts    %s%s%s%s%s%s%s%s%s%s\n", none ? " none" : "", build.train ? " train" : "",
           build.tiff ? " tiff" : "", build.webp ? " webp" : "", build.gif ? " gif" : "", build.heif ? " heif" : "",
           build.matlab ? " matlab" : "", build.video ? " video" : "", build.onnx ? " onnx" : "",
           HAS_SERVE ? " serve" : "");
    return ICSEG_OK;
}

int main(int argc, char **argv) {
    (void)signal(SIGXFSZ, SIG_IGN); /* exceeding a limit on file size is then an error of the write */
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_WRONG_CALL;
    }
    char *help[] = {argv[0], argv[2], "--help", NULL}; /* `icseg help NAME` is `icseg NAME --help` */
    if (argc > 2 && !strcmp(argv[1], "help")) {
        argv = help;
        argc = 3;
    }
    const icseg_command *command = find_command(argv[1]);
    icseg_error error = {0};
    icseg_arena *arena = NULL;
    icseg_group *group = NULL;
    icseg_status status = ICSEG_OK;
    if (command) {
        icseg_printer printer = icseg_printer_open(stderr);
        status = icseg_arena_open(&arena, &error);
        int count = argc - 2;
        printer.quiet = take_quiet(&count, argv + 2);
        if (status == ICSEG_OK) status = run_command(command, arena, &printer, &group, count, argv + 2, &error);
        icseg_printer_close(&printer);
    } else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
        print_overview(stdout);
    else if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
        status = print_version(&error);
    else
        return wrong_call(argv[1]);
    /* Results that did not reach their file are a failure, even if no write reported it. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == ICSEG_OK)
        status = icseg_error_set(&error, ICSEG_ERROR_IO, "cannot write the results to standard output");
    if (status != ICSEG_OK) report_error(command, group, &error);
    icseg_group_close(&group);
    icseg_arena_close(&arena);
    switch (status) {
    case ICSEG_OK: return EXIT_DONE;
    case ICSEG_ERROR_ARGUMENT: return EXIT_WRONG_CALL;
    case ICSEG_ERROR_CANCELLED: return EXIT_STOPPED;
    default: return EXIT_FAILED;
    }
}

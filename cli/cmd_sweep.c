/* SPDX-License-Identifier: Apache-2.0
 * icseg sweep: trains the runs of a sweep file, each in a process of its own, and writes a table of them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "icseg/file.h"
#include "icseg/memory.h"
#include "support.h"
#include "sweep_plan.h"
#include "sweep_table.h"

enum { JOBS_MOST = 64, MESSAGE_MOST = 400, LOG_TAIL = 8192 };

/* Seconds between two looks at the processes, and at their logs. */
static const double poll_interval = 0.05, log_interval = 10;

struct options {
    sweep_place place;
    int32_t jobs;
    bool dry_run, json;
};

static const icseg_option rows[] = {
    {"FILE", ICSEG_FIELD_STRING(struct options, place.file), "YAML file that docs/sweep.md describes",
     .positional = true, .required = true},
    {"out", ICSEG_FIELD_STRING(struct options, place.out), "directory of the runs and of sweep.csv", .metavar = "DIR",
     .shown = "the file's out, else runs/FILE, without .yaml"},
    {"data", ICSEG_FIELD_STRING(struct options, place.data), "folder of the data set", .metavar = "DIR",
     .shown = "the file's data, else the recipe's data.folder"},
    {"set", ICSEG_FIELD_STRINGS(struct options, place.set),
     "change one value of the recipe in all runs; may be repeated", .metavar = "KEY=VALUE"},
    {"jobs", ICSEG_FIELD_INT(struct options, jobs),
     "runs at a time; unless train.threads is set, they share the cores equally", ICSEG_BETWEEN(1, JOBS_MOST)},
    {"dry-run", ICSEG_FIELD_BOOL(struct options, dry_run), "check everything and list the runs; train nothing"},
    {"json", ICSEG_FIELD_BOOL(struct options, json), "print one line of JSON instead of the table"},
};

static void defaults(void *values) { ((struct options *)values)->jobs = 1; }

/* A process that trains. */
typedef struct worker {
    size_t run;     /* index in the plan */
    off_t log_size; /* of output.txt before it */
    pid_t pid;      /* 0: none */
} worker;

typedef struct sweep {
    const icseg_command_context *context;
    const struct options *options;
    sweep_plan plan;
    sweep_result *results; /* (plan.count) */
    worker workers[JOBS_MOST];
    int lock;              /* descriptor of the locked directory */
    size_t todo, ended;    /* runs that this call has to train, and that have ended */
    double began, read_at; /* clock; read_at: when the logs were read */
    double part_done;      /* sum of the shares of the running runs that are done */
    bool stopping;
} sweep;

/* ---- runs that exist ---- */

/* Keys that change neither the weights nor the evaluations. */
static bool is_free(const char *key) {
    static const char *const keys[] = {"train.threads",
                                       "train.memory",
                                       "train.log_every",
                                       "train.checkpoint_every",
                                       "train.checkpoint_minutes",
                                       "data.loader_threads",
                                       "train.tensorboard",
                                       "train.tensorboard_histograms",
                                       "train.tensorboard_images"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i])) return true;
    return !strncmp(key, "pretrain.", 9);
}

static icseg_status compare_key(const icseg_recipe *wanted, const icseg_recipe *began, const char *key,
                                const char *folder, icseg_error *error) {
    char *now, *before = NULL;
    TRY(icseg_recipe_get(wanted, key, &now, error));
    icseg_status status = icseg_recipe_get(began, key, &before, error);
    if (status == ICSEG_OK && strcmp(now, before) != 0)
        status =
            icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                            "%s: the run began with %s = %.200s, but the sweep now has %.200s; set it back, choose "
                            "another directory with --out, or remove the directory of the run to train it again",
                            folder, key, before, now);
    icseg_buffer_free(now);
    icseg_buffer_free(before);
    return status;
}

/* A run that has a checkpoint is only continued or skipped if it began with the settings that the sweep has now. */
static icseg_status compare_run(const sweep *s, size_t run, icseg_error *error) {
    icseg_recipe *wanted = NULL, *began = NULL;
    icseg_recipe_key key = {ICSEG_RECIPE_KEY_INIT};
    const char *folder = s->plan.runs[run].folder, *path = s->plan.runs[run].recipe;
    if (!file_exists(path))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s: contains a run that no sweep began (%s is missing); choose another directory with "
                               "--out",
                               folder, path_name(path));
    icseg_status status = icseg_recipe_open(&began, path, error);
    if (status == ICSEG_OK) status = sweep_plan_recipe(&s->plan, &s->plan.runs[run], &wanted, error);
    for (int32_t i = 0; i < icseg_recipe_key_count() && status == ICSEG_OK; i++) {
        status = icseg_recipe_key_at(&key, i, error);
        if (status == ICSEG_OK && !is_free(key.name)) status = compare_key(wanted, began, key.name, folder, error);
    }
    icseg_recipe_close(&began);
    icseg_recipe_close(&wanted);
    return status;
}

/* A run that has begun no longer reads its model.init. */
static icseg_status check_init(const sweep *s, size_t run, icseg_error *error) {
    icseg_recipe *recipe;
    char *init = NULL;
    TRY(sweep_plan_recipe(&s->plan, &s->plan.runs[run], &recipe, error));
    icseg_status status = icseg_recipe_get(recipe, "model.init", &init, error);
    if (status == ICSEG_OK && *init && access(init, F_OK) != 0)
        status = icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                 "%s: run %s: model.init: the file or folder \"%s\" does not exist", s->plan.file,
                                 s->plan.runs[run].name, init);
    icseg_buffer_free(init);
    icseg_recipe_close(&recipe);
    return status;
}

static icseg_status read_states(sweep *s, icseg_error *error) {
    s->todo = 0;
    for (size_t i = 0; i < s->plan.count; i++) {
        sweep_result_read(&s->results[i], s->plan.runs[i].folder);
        TRY(s->results[i].state == SWEEP_WAITING ? check_init(s, i, error) : compare_run(s, i, error));
        s->todo += s->results[i].state != SWEEP_DONE;
    }
    return ICSEG_OK;
}

/* ---- processes ---- */

/* The threads of a run, for OMP_NUM_THREADS; 0: as icseg train chooses. */
static int threads_of_run(const struct options *o) {
    cpu_set_t cores;
    int32_t threads = thread_count();
    if (o->jobs == 1) return 0;
    if (!threads && sched_getaffinity(0, sizeof cores, &cores) == 0) threads = CPU_COUNT(&cores);
    return threads > o->jobs ? threads / o->jobs : 1;
}

/* In the new process: becomes `icseg train`. The signals of a terminal do not reach it, because it has a process group
 * of its own: the sweep passes a stop on, once. If the sweep dies, it is told to stop, too. Until it has, it holds the
 * lock of the sweep's directory. */
static void become_train(const sweep *s, pid_t parent, int output, const sweep_run *run) {
    char threads[16];
    char *arguments[] = {"icseg", "train", (char *)run->recipe, "--out", (char *)run->folder, "--resume", NULL};
    const int signals[] = {SIGINT, SIGTERM};
    sigset_t none;
    for (size_t i = 0; i < 2; i++) (void)signal(signals[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    fcntl(s->lock, F_SETFD, 0);
    snprintf(threads, sizeof threads, "%d", threads_of_run(s->options));
    if (threads_of_run(s->options)) setenv("OMP_NUM_THREADS", threads, 1);
    execv("/proc/self/exe", arguments);
    fprintf(stderr, "cannot start icseg train: %s\n", strerror(errno));
    _exit(1);
}

/* Signals wait while the process is created, so that none is lost before icseg train catches them. */
static pid_t create_process(const sweep *s, int output, const sweep_run *run) {
    sigset_t all, before;
    pid_t parent = getpid();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) become_train(s, parent, output, run);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* The caller closes *out. */
static icseg_status open_output(const sweep_run *run, int *out, off_t *size, icseg_error *error) {
    char path[PATH_MAX + 32];
    struct stat info;
    snprintf(path, sizeof path, "%s/output.txt", run->folder);
    *out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (*out < 0 || fstat(*out, &info) != 0)
        return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    *size = info.st_size;
    return ICSEG_OK;
}

static icseg_status write_recipe(const sweep *s, const sweep_run *run, icseg_error *error) {
    icseg_recipe *recipe;
    TRY(folder_create(run->folder, error));
    TRY(sweep_plan_recipe(&s->plan, run, &recipe, error));
    icseg_status status = icseg_recipe_write(recipe, run->recipe, error);
    icseg_recipe_close(&recipe);
    return status;
}

static icseg_status start_run(sweep *s, worker *w, size_t index, icseg_error *error) {
    const sweep_run *run = &s->plan.runs[index];
    int output;
    TRY(write_recipe(s, run, error));
    icseg_status status = open_output(run, &output, &w->log_size, error);
    pid_t pid = status == ICSEG_OK ? create_process(s, output, run) : 0;
    if (pid < 0)
        status = icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot start a process: %s", run->folder, strerror(errno));
    if (output >= 0) close(output);
    TRY(status);
    w->run = index;
    w->pid = pid;
    s->results[index].state = SWEEP_RUNNING;
    return ICSEG_OK;
}

/* The last line that the process has printed, without the name of the command; NULL when there is none. */
static const char *last_message(const sweep *s, const worker *w) {
    char text[LOG_TAIL + 1], path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/output.txt", s->plan.runs[w->run].folder);
    FILE *file = fopen(path, "re");
    if (!file) return NULL;
    off_t from = fseeko(file, 0, SEEK_END) == 0 ? ftello(file) - LOG_TAIL : 0;
    if (from < w->log_size) from = w->log_size;
    size_t size = fseeko(file, from, SEEK_SET) == 0 ? fread(text, 1, LOG_TAIL, file) : 0;
    (void)fclose(file);
    while (size && strchr("\n\r ", text[size - 1])) size--;
    text[size] = '\0';
    const char *line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
    static const char *const prefixes[] = {"icseg train: ", "error: "};
    for (size_t i = 0; i < 2; i++)
        if (!strncmp(line, prefixes[i], strlen(prefixes[i]))) line += strlen(prefixes[i]);
    return *line ? icseg_arena_printf(s->context->arena, "%.*s", (int)MESSAGE_MOST, line) : NULL;
}

/* ---- the ends of runs ---- */

static void tell_end(const sweep *s, size_t run) {
    const sweep_result *r = &s->results[run];
    const char *name = s->plan.runs[run].name;
    if (r->state == SWEEP_DONE)
        icseg_printer_note(s->context->printer, "%s: mIoU %.2f, best %.2f after step %lld (%zu of %zu runs)", name,
                           100 * r->miou, 100 * r->best_miou, (long long)r->best_step, s->ended, s->todo);
    else if (r->state == SWEEP_FAILED || !s->stopping)
        icseg_printer_problem(s->context->printer, "%s: %s: %s", name,
                              r->state == SWEEP_FAILED ? "failed" : "was stopped", r->message);
}

static icseg_status write_table(const sweep *s, icseg_error *error) {
    const char *path = icseg_arena_printf(s->context->arena, "%s/sweep.csv", s->plan.out);
    return path ? sweep_table_write(&s->plan, s->results, path, error) : out_of_memory(error);
}

/* Why the process ended; NULL: the run is done. */
static const char *describe_end(const sweep *s, const worker *w, int how, bool done) {
    icseg_arena *arena = s->context->arena;
    if (WIFSIGNALED(how))
        return icseg_arena_printf(arena, "ended by signal %d (%s)%s", WTERMSIG(how), strsignal(WTERMSIG(how)),
                                  WTERMSIG(how) == SIGKILL ? "; is there enough memory?" : "");
    if (WEXITSTATUS(how) == 0)
        return done ? NULL : "ended without an error, but its checkpoint is not of the last step";
    const char *message = last_message(s, w);
    return message ? message : "ended with an error and without a message";
}

static icseg_status end_run(sweep *s, const worker *w, int how, icseg_error *error) {
    enum { STOPPED = 3 }; /* exit status of icseg train that a signal has stopped */
    sweep_result *r = &s->results[w->run];
    sweep_result_read(r, s->plan.runs[w->run].folder);
    r->message = describe_end(s, w, how, r->state == SWEEP_DONE);
    bool stopped = WIFSIGNALED(how) ? WTERMSIG(how) == SIGTERM : WEXITSTATUS(how) == STOPPED;
    if (r->message) r->state = stopped ? SWEEP_STOPPED : SWEEP_FAILED;
    s->ended++;
    s->read_at = 0; /* the share of this run no longer counts */
    tell_end(s, w->run);
    return write_table(s, error);
}

/* ---- the loop ---- */

static void stop_all(sweep *s) {
    s->stopping = true;
    icseg_printer_note(s->context->printer, "stopping; the runs save their state");
    for (int i = 0; i < s->options->jobs; i++)
        if (s->workers[i].pid) kill(s->workers[i].pid, SIGTERM);
}

static bool is_due(const sweep_result *r) { return r->state == SWEEP_WAITING || r->state == SWEEP_UNFINISHED; }

static icseg_status start_runs(sweep *s, icseg_error *error) {
    size_t next = 0;
    for (int i = 0; i < s->options->jobs && !s->stopping; i++) {
        if (s->workers[i].pid) continue;
        while (next < s->plan.count && !is_due(&s->results[next])) next++;
        if (next == s->plan.count) return ICSEG_OK;
        TRY(start_run(s, &s->workers[i], next, error));
    }
    return ICSEG_OK;
}

/* Records which processes have ended. *running: the number of processes that are still running. */
static icseg_status end_runs(sweep *s, int *running, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    *running = 0;
    for (int i = 0; i < s->options->jobs; i++) {
        worker *w = &s->workers[i];
        int how = 0;
        pid_t ended = w->pid ? waitpid(w->pid, &how, WNOHANG) : 0;
        *running += w->pid && !ended;
        if (w->pid && ended && status == ICSEG_OK) status = end_run(s, w, how, error);
        if (ended) w->pid = 0;
    }
    return status;
}

/* How much of the running runs is done, for the estimate of the time that remains. */
static void read_logs(sweep *s) {
    if (clock_seconds() - s->read_at < log_interval) return;
    s->read_at = clock_seconds();
    s->part_done = 0;
    for (int i = 0; i < s->options->jobs; i++) {
        const worker *w = &s->workers[i];
        sweep_result *r = &s->results[w->run];
        if (!w->pid) continue;
        sweep_result_read(r, s->plan.runs[w->run].folder);
        r->state = SWEEP_RUNNING;
        if (r->steps > 0) s->part_done += fmin((double)r->step / (double)r->steps, 0.99);
    }
}

/* "lr=0.1_seed=0: step 40 of 100"; false: a signal asks to stop. */
static bool report(const sweep *s) {
    char detail[600] = "";
    size_t used = 0;
    for (int i = 0; i < s->options->jobs && used + 300 < sizeof detail; i++) {
        if (!s->workers[i].pid) continue;
        const sweep_result *r = &s->results[s->workers[i].run];
        used += (size_t)snprintf(detail + used, sizeof detail - used, "%s%s", used ? ", " : "",
                                 s->plan.runs[s->workers[i].run].name);
        if (r->steps > 0)
            used += (size_t)snprintf(detail + used, sizeof detail - used, " step %lld of %lld", (long long)r->step,
                                     (long long)r->steps);
    }
    icseg_progress_event event = {.stage = "sweep",
                                  .done = (double)s->ended + s->part_done,
                                  .total = (double)s->todo,
                                  .seconds = clock_seconds() - s->began,
                                  .detail = detail};
    return s->context->progress.report(s->context->progress.user, &event);
}

/* Trains until all runs have ended. After a signal or an error it waits for the processes that have begun, which save
 * their state. */
static icseg_status train_all(sweep *s, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    int running;
    s->began = clock_seconds();
    if (!report(s)) s->stopping = true; /* from here on, signals are caught */
    do {
        icseg_error later;
        if (status == ICSEG_OK) status = start_runs(s, error);
        icseg_status ended = end_runs(s, &running, status == ICSEG_OK ? error : &later);
        if (status == ICSEG_OK) status = ended;
        read_logs(s);
        if (!s->stopping && (status != ICSEG_OK || !report(s))) stop_all(s);
        usleep((useconds_t)(1e6 * poll_interval));
    } while (running || (status == ICSEG_OK && !s->stopping && s->ended < s->todo));
    return status;
}

/* ---- the command ---- */

static icseg_status lock_folder(sweep *s, icseg_error *error) {
    const char *out = s->plan.out;
    TRY(folder_create(out, error));
    s->lock = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock < 0) return icseg_error_set(error, ICSEG_ERROR_IO, "%s: cannot open: %s", out, strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return ICSEG_OK;
    return icseg_error_set(
        error, ICSEG_ERROR_IO,
        "%s: another sweep, or a run that it began, still works in this directory; wait until it has ended", out);
}

static icseg_status sum_up(const sweep *s, icseg_error *error) {
    size_t done = 0, bad = 0;
    for (size_t i = 0; i < s->plan.count; i++) {
        done += s->results[i].state == SWEEP_DONE;
        bad += s->results[i].state == SWEEP_FAILED || s->results[i].state == SWEEP_STOPPED;
    }
    if (s->stopping && done < s->plan.count)
        return icseg_error_set(error, ICSEG_ERROR_CANCELLED,
                               "stopped; %zu of %zu runs are done; the same command continues the sweep", done,
                               s->plan.count);
    if (s->options->json)
        TRY(sweep_table_print_json(&s->plan, s->results, error));
    else
        sweep_table_print(&s->plan, s->results);
    if (!bad) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_DATA,
                           "%zu of %zu runs failed; output.txt in the directory of each says why, and the same command "
                           "tries them again",
                           bad, s->plan.count);
}

static icseg_status run_sweep(sweep *s, icseg_error *error) {
    TRY(lock_folder(s, error));
    TRY(read_states(s, error)); /* again: another sweep may have worked in the directory until now */
    TRY(write_table(s, error));
    if (s->todo < s->plan.count)
        icseg_printer_note(s->context->printer, "%s: %zu of %zu runs are done already", s->plan.out,
                           s->plan.count - s->todo, s->plan.count);
    if (s->todo) TRY(train_all(s, error));
    return sum_up(s, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    sweep s = {.context = context, .options = o, .lock = -1};
    TRY(sweep_plan_open(&s.plan, &o->place, context->arena, error));
    s.results = icseg_arena_array(context->arena, s.plan.count, sizeof *s.results);
    if (!s.results) return out_of_memory(error);
    TRY(read_states(&s, error));
    if (o->dry_run) {
        sweep_plan_print(&s.plan, s.results);
        return ICSEG_OK;
    }
    icseg_status status = run_sweep(&s, error);
    if (s.lock >= 0) close(s.lock);
    return status;
}

const icseg_command icseg_command_sweep = {
    .name = "sweep",
    .summary = "Trains many variants of a recipe and writes one table",
    .description = "FILE names a recipe and lists values of its keys, and seeds. Each combination\n"
                   "is a run of icseg train in a directory of its own below DIR, in which\n"
                   "output.txt has what it printed. DIR/sweep.csv is the table, written after each\n"
                   "run. All recipes are checked before the first run begins. A run that fails\n"
                   "does not stop the others, and makes the exit status 1. Ctrl-C, SIGTERM and\n"
                   "SIGHUP save all runs and stop, with exit status 3. The same command continues a\n"
                   "sweep that was stopped or killed. It skips the runs that are done, and refuses\n"
                   "to continue if the settings of a run have changed.\n",
    .examples = "icseg sweep sweep.yaml --dry-run\n"
                "icseg sweep sweep.yaml --out runs/lr --jobs 2\n"
                "icseg sweep sweep.yaml --data photos --set train.steps=2000\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0
 * Writer and reader of log.jsonl. */
#include "report/jsonl.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "text/utf8.h"

#define LOG_SIZE_LIMIT ((size_t)1 << 30) /* bytes: millions of steps */

/* The next line of a log, without its newline. */
typedef struct line {
    const char *text;
    size_t size;
    int64_t number;
    bool truncated; /* without a newline: its writer was killed */
} line;

static bool next_line(const icseg_bytes *log, size_t *at, line *out) {
    if (*at >= log->size) return false;
    const char *start = (const char *)log->data + *at;
    const char *end = memchr(start, '\n', log->size - *at);
    out->text = start;
    out->size = end ? (size_t)(end - start) : log->size - *at;
    out->number++;
    *at += out->size + 1;
    out->truncated = !end;
    return true;
}

/* The caller owns *out (json_decref); it is NULL for a truncated last line. */
static icseg_status parse_line(const line *l, const char *path, json_t **out, icseg_error *error) {
    *out = NULL;
    if (l->size > ICSEG_LOG_MAX_LINE)
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %lld has %zu bytes; expected at most %d", path,
                          (long long)l->number, l->size, (int)ICSEG_LOG_MAX_LINE);
    json_error_t syntax = {.text = ""};
    json_t *value;
    ICSEG_TRY(icseg_json_parse(&value, l->text, l->size, 0, &syntax, error));
    if (json_is_object(value)) {
        *out = value;
        return ICSEG_OK;
    }
    json_decref(value);
    if (l->truncated) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: line %lld is not a JSON object: %s", path, (long long)l->number,
                      *syntax.text ? syntax.text : "it is another type of value");
}

static const char *type_of(const json_t *object) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "";
}

/* NaN if the value is not a number, or is so large that sums would overflow. */
static double number_in(const json_t *value) {
    double number = json_is_number(value) ? json_number_value(value) : (double)NAN;
    return fabs(number) <= 1e30 ? number : (double)NAN;
}

static double number_of(const json_t *object, const char *key) { return number_in(json_object_get(object, key)); }

static int64_t integer_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

struct icseg_log_writer {
    icseg_file_appender *file;
    bool started;
    double seconds_before; /* training time of the entries that a resumed log keeps */
    char *path;
};

/* Rewrites the log, atomically, with the entries that a run resumed at first_step keeps. */
static icseg_status keep_entries(icseg_log_writer *w, int64_t first_step, icseg_error *error) {
    unsigned char *data;
    icseg_bytes log;
    icseg_file_writer *file = NULL;
    ICSEG_TRY(icseg_file_read(w->path, LOG_SIZE_LIMIT, &data, &log.size, error));
    log.data = data;
    icseg_status status = icseg_file_writer_open(&file, w->path, error);
    line l = {0};
    for (size_t at = 0; status == ICSEG_OK && next_line(&log, &at, &l);) {
        json_t *entry;
        status = parse_line(&l, w->path, &entry, error);
        if (status != ICSEG_OK || !entry) break;
        const char *type = type_of(entry);
        bool timed = !strcmp(type, "step") || !strcmp(type, "eval") || !strcmp(type, "scores");
        bool ended = !strcmp(type, "end");
        if (!ended && (!timed || integer_of(entry, "step") < first_step)) {
            double seconds = number_of(entry, "seconds");
            if (seconds > w->seconds_before) w->seconds_before = seconds;
            w->started |= !strcmp(type, "start");
            status = icseg_file_writer_write(file, l.text, l.size, error);
            if (status == ICSEG_OK) status = icseg_file_writer_write(file, "\n", 1, error);
        }
        json_decref(entry);
    }
    if (status == ICSEG_OK) status = icseg_file_writer_commit(file, error);
    icseg_file_writer_close(&file);
    icseg_free(data);
    return status;
}

icseg_status icseg_log_writer_open(icseg_log_writer **out, const char *path, int64_t first_step, icseg_error *error) {
    *out = NULL;
    icseg_log_writer *w = icseg_calloc_array(1, sizeof *w);
    if (!w) return icseg_fail_memory_in(error, sizeof *w, path);
    icseg_status status = ICSEG_OK;
    w->path = icseg_strdup(path);
    if (!w->path) status = icseg_fail_memory_in(error, 0, path);
    bool resumed = first_step > 1, found = false;
    if (status == ICSEG_OK && resumed) status = icseg_path_find(path, S_IFREG, &found, error);
    if (status == ICSEG_OK && found) status = keep_entries(w, first_step, error);
    if (status == ICSEG_OK) status = icseg_file_appender_open(&w->file, path, !resumed, error);
    if (status != ICSEG_OK) icseg_log_writer_close(&w);
    *out = w;
    return status;
}

bool icseg_log_writer_started(const icseg_log_writer *writer) { return writer->started; }

/* JSON must be UTF-8. In text that is not, such as some paths, every byte outside ASCII becomes '?'. */
static json_t *text_of(const char *text) {
    if (!text) text = "";
    size_t size = strlen(text);
    if (icseg_utf8_check(text, size) == size) return json_string(text);
    char *ascii = icseg_strdup(text);
    for (char *p = ascii; p && *p; p++)
        if ((unsigned char)*p >= 0x80) *p = '?';
    json_t *value = json_string(ascii);
    icseg_free(ascii);
    return value;
}

/* Takes ownership of `entry`, which is NULL if it could not be built. */
static icseg_status write_entry(icseg_log_writer *w, json_t *entry, icseg_error *error) {
    icseg_string s = {0};
    icseg_json_append(&s, entry, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(entry);
    icseg_string_append(&s, "\n", 1);
    icseg_status status = ICSEG_OK;
    if (s.failed)
        status = icseg_fail_memory_in(error, 0, w->path);
    else if (s.size > ICSEG_LOG_MAX_LINE)
        status = icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: an entry has %zu bytes; expected at most %d", w->path,
                            s.size, (int)ICSEG_LOG_MAX_LINE);
    else
        status = icseg_file_appender_write(w->file, s.data, s.size, error);
    icseg_string_close(&s);
    return status;
}

icseg_status icseg_log_writer_start(icseg_log_writer *w, const icseg_log_start *start, icseg_error *error) {
    w->started = true;
    return write_entry(w,
                       json_pack("{s:s, s:o, s:o, s:I, s:I, s:i, s:i, s:o, s:o, s:o}", "type", "start", "recipe",
                                 text_of(start->recipe), "version", text_of(start->version), "parameters",
                                 (json_int_t)start->parameters, "steps", (json_int_t)start->steps, "batch",
                                 (int)start->batch, "threads", (int)start->threads, "date", text_of(start->date),
                                 "machine", text_of(start->machine), "data", text_of(start->data)),
                       error);
}

/* An object of named numbers; `what` names them in messages. */
static icseg_status pack_numbers(const icseg_log_writer *w, const char *const *names, const double *values,
                                 int32_t count, const char *what, json_t **out, icseg_error *error) {
    *out = NULL;
    if (count < 0 || count > ICSEG_LOG_PARTS)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: an entry has %d %ss; expected at most %d", w->path,
                          (int)count, what, (int)ICSEG_LOG_PARTS);
    *out = json_object();
    for (int32_t i = 0; i < count; i++)
        if (json_object_set_new(*out, names[i], icseg_json_number(values[i])) != 0) {
            size_t size = strlen(names[i]);
            json_decref(*out);
            if (icseg_utf8_check(names[i], size) == size) return icseg_fail_memory_in(error, 0, w->path);
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: the name of %s %d is not UTF-8", w->path, what, (int)i);
        }
    return ICSEG_OK;
}

icseg_status icseg_log_writer_step(icseg_log_writer *w, const icseg_log_step *step, const char *const *names,
                                   int32_t parts, icseg_error *error) {
    json_t *loss;
    ICSEG_TRY(pack_numbers(w, names, step->loss, parts, "loss", &loss, error));
    return write_entry(
        w,
        json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "type", "step", "step", (json_int_t)step->step, "seconds",
                  icseg_json_number(w->seconds_before + step->seconds), "lr", icseg_json_number(step->lr), "loss", loss,
                  "grad_norm", icseg_json_number(step->grad_norm), "images_per_s",
                  icseg_json_number(step->images_per_s), "peak_mib", icseg_json_number(step->peak_mib)),
        error);
}

icseg_status icseg_log_writer_scores(icseg_log_writer *w, const icseg_log_scores *scores, const char *const *names,
                                     int32_t count, icseg_error *error) {
    json_t *values;
    ICSEG_TRY(pack_numbers(w, names, scores->value, count, "score", &values, error));
    return write_entry(
        w, json_pack("{s:s, s:I, s:o}", "type", "scores", "step", (json_int_t)scores->step, "scores", values), error);
}

icseg_status icseg_log_writer_eval(icseg_log_writer *w, const icseg_log_eval *eval, icseg_error *error) {
    json_t *iou = json_array();
    bool complete = iou != NULL;
    for (int32_t c = 0; c < eval->classes && complete; c++)
        complete = json_array_append_new(iou, icseg_json_number(eval->iou[c])) == 0;
    if (!complete) {
        json_decref(iou);
        return icseg_fail_memory_in(error, 0, w->path);
    }
    return write_entry(w,
                       json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "type", "eval", "step", (json_int_t)eval->step,
                                 "miou", icseg_json_number(eval->miou), "macc", icseg_json_number(eval->macc), "aacc",
                                 icseg_json_number(eval->aacc), "iou", iou),
                       error);
}

icseg_status icseg_log_writer_end(icseg_log_writer *w, const icseg_log_end *end, icseg_error *error) {
    return write_entry(w,
                       json_pack("{s:s, s:I, s:I, s:s, s:i}", "type", "end", "step", (json_int_t)end->step, "steps",
                                 (json_int_t)end->steps, "reason", "patience", "evaluations", (int)end->evaluations),
                       error);
}

icseg_status icseg_log_writer_finish(icseg_log_writer **writer, icseg_error *error) {
    icseg_log_writer *w = *writer;
    if (!w) return ICSEG_OK;
    icseg_status status = icseg_file_appender_finish(&w->file, error);
    icseg_log_writer_close(writer);
    return status;
}

void icseg_log_writer_close(icseg_log_writer **writer) {
    if (!writer || !*writer) return;
    icseg_log_writer *w = *writer;
    (void)icseg_file_appender_finish(&w->file, NULL);
    icseg_free(w->path);
    icseg_free(w);
    *writer = NULL;
}

/* Finds or adds the column of a name; *out is -1 if the table of names is full. false: out of memory. */
static bool find_column(icseg_arena *arena, const char **names, int32_t *count, const char *name, int32_t *out) {
    *out = -1;
    for (int32_t i = 0; i < *count && *out < 0; i++)
        if (!strcmp(names[i], name)) *out = i;
    if (*out >= 0 || *count == ICSEG_LOG_PARTS) return true;
    char *copy = icseg_arena_strdup(arena, name);
    if (!copy) return false;
    names[*count] = copy;
    *out = (*count)++;
    return true;
}

/* values (ICSEG_LOG_PARTS): NaN where the object has no number. */
static bool read_numbers(icseg_arena *arena, const json_t *object, const char **names, int32_t *count, double *values) {
    const char *name;
    json_t *value;
    for (int i = 0; i < ICSEG_LOG_PARTS; i++) values[i] = (double)NAN;
    json_object_foreach((json_t *)object, name, value) {
        int32_t column;
        if (!find_column(arena, names, count, name, &column)) return false;
        if (column >= 0) values[column] = number_in(value);
    }
    return true;
}

static bool read_step(icseg_log *log, const json_t *entry) {
    icseg_log_step *step = &log->step[log->steps++];
    *step = (icseg_log_step){.step = integer_of(entry, "step"),
                             .seconds = number_of(entry, "seconds"),
                             .lr = number_of(entry, "lr"),
                             .grad_norm = number_of(entry, "grad_norm"),
                             .images_per_s = number_of(entry, "images_per_s"),
                             .peak_mib = number_of(entry, "peak_mib")};
    return read_numbers(log->arena, json_object_get(entry, "loss"), log->part, &log->parts, step->loss);
}

static bool read_scores(icseg_log *log, const json_t *entry) {
    icseg_log_scores *scores = &log->scores[log->score_count++];
    scores->step = integer_of(entry, "step");
    return read_numbers(log->arena, json_object_get(entry, "scores"), log->score_name, &log->score_names,
                        scores->value);
}

static bool read_eval(icseg_log *log, const json_t *entry) {
    icseg_log_eval *eval = &log->eval[log->evals++];
    const json_t *list = json_object_get(entry, "iou");
    size_t classes = json_array_size(list); /* bounded by the line */
    double *iou = icseg_arena_array(log->arena, classes, sizeof *iou);
    *eval = (icseg_log_eval){.step = integer_of(entry, "step"),
                             .miou = number_of(entry, "miou"),
                             .macc = number_of(entry, "macc"),
                             .aacc = number_of(entry, "aacc"),
                             .classes = iou ? (int32_t)classes : 0,
                             .iou = iou};
    for (size_t c = 0; iou && c < classes; c++) iou[c] = number_in(json_array_get(list, c));
    return iou != NULL;
}

/* "" if the value is missing or not a text; NULL when out of memory. */
static const char *copy_text(const icseg_log *log, const json_t *entry, const char *key) {
    const char *text = json_string_value(json_object_get(entry, key));
    return icseg_arena_strdup(log->arena, text ? text : "");
}

static bool read_start(icseg_log *log, const json_t *entry) {
    log->has_start = true;
    log->start = (icseg_log_start){.recipe = copy_text(log, entry, "recipe"),
                                   .version = copy_text(log, entry, "version"),
                                   .date = copy_text(log, entry, "date"),
                                   .machine = copy_text(log, entry, "machine"),
                                   .data = copy_text(log, entry, "data"),
                                   .parameters = integer_of(entry, "parameters"),
                                   .steps = integer_of(entry, "steps"),
                                   .threads = (int32_t)integer_of(entry, "threads"),
                                   .batch = (int32_t)integer_of(entry, "batch")};
    const icseg_log_start *s = &log->start;
    return s->recipe && s->version && s->date && s->machine && s->data;
}

static bool read_end(icseg_log *log, const json_t *entry) {
    log->has_end = true;
    log->end = (icseg_log_end){.step = integer_of(entry, "step"),
                               .steps = integer_of(entry, "steps"),
                               .evaluations = (int32_t)integer_of(entry, "evaluations")};
    return true;
}

static icseg_status read_entries(icseg_log *log, const icseg_bytes *bytes, const char *path, icseg_error *error) {
    line l = {0};
    size_t lines = 0;
    for (size_t at = 0; next_line(bytes, &at, &l);) lines += l.size >= strlen("{\"type\":\"step\"}");
    log->step = icseg_arena_array(log->arena, lines, sizeof *log->step);
    log->eval = icseg_arena_array(log->arena, lines, sizeof *log->eval);
    log->scores = icseg_arena_array(log->arena, lines, sizeof *log->scores);
    if (!log->step || !log->eval || !log->scores) return icseg_fail_memory_in(error, 0, path);
    l = (line){0};
    for (size_t at = 0; next_line(bytes, &at, &l);) {
        json_t *entry;
        ICSEG_TRY(parse_line(&l, path, &entry, error));
        if (!entry) {
            log->truncated = l.size > 0;
            continue;
        }
        const char *type = type_of(entry);
        bool done = true;
        if (!strcmp(type, "step"))
            done = read_step(log, entry);
        else if (!strcmp(type, "eval"))
            done = read_eval(log, entry);
        else if (!strcmp(type, "scores"))
            done = read_scores(log, entry);
        else if (!strcmp(type, "start"))
            done = read_start(log, entry);
        else if (!strcmp(type, "end"))
            done = read_end(log, entry);
        json_decref(entry);
        if (!done) return icseg_fail_memory_in(error, 0, path);
    }
    return ICSEG_OK;
}

icseg_status icseg_log_read(icseg_log *out, const char *path, icseg_error *error) {
    *out = (icseg_log){0};
    unsigned char *data;
    icseg_bytes bytes;
    ICSEG_TRY(icseg_file_read(path, LOG_SIZE_LIMIT, &data, &bytes.size, error));
    bytes.data = data;
    icseg_status status = icseg_arena_open(&out->arena, error);
    if (status == ICSEG_OK) status = read_entries(out, &bytes, path, error);
    icseg_free(data);
    if (status != ICSEG_OK) icseg_log_close(out);
    return status;
}

void icseg_log_close(icseg_log *log) {
    if (!log) return;
    icseg_arena_close(&log->arena);
    *log = (icseg_log){0};
}

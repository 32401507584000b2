/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorboard/event_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <events.pb-c.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "icseg/memory.h"
#include "tensorboard/record.h"
#include "text/utf8.h"

enum { HOST = 64, TIME_DIGITS = 10, RGB = 3 };

#define PREFIX   "events.out.tfevents."
#define MAX_TIME 9999999999 /* seconds of ten digits */

struct icseg_event_file {
    icseg_file_appender *file;
    char *path;
};

icseg_status icseg_event_file_check_support(icseg_error *error) {
    (void)error;
    return ICSEG_OK;
}

/* -- names */

/* The time in the name of an event file, or -1. */
static int64_t time_of(const char *name) {
    size_t prefix = strlen(PREFIX);
    char digits[TIME_DIGITS + 1] = "";
    int64_t time;
    if (strncmp(name, PREFIX, prefix) != 0 || strcspn(name + prefix, ".") != TIME_DIGITS) return -1;
    memcpy(digits, name + prefix, TIME_DIGITS);
    return icseg_parse_between(digits, 0, MAX_TIME, &time) ? time : -1;
}

static icseg_status find_time(const char *folder, int64_t *out, icseg_error *error) {
    char **names;
    size_t count;
    *out = (int64_t)time(NULL);
    ICSEG_TRY(icseg_folder_list(folder, &names, &count, error));
    for (size_t i = 0; i < count; i++)
        if (time_of(names[i]) >= *out) *out = time_of(names[i]) + 1;
    icseg_free(names);
    if (*out >= 0 && *out <= MAX_TIME) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_IO,
                      "%s: no later name than those of its event files is left; remove the file " PREFIX "%lld.*",
                      folder, (long long)MAX_TIME);
}

static void name_host(char out[HOST]) {
    if (gethostname(out, HOST - 1) != 0) out[0] = '\0';
    out[HOST - 1] = '\0';
    for (char *p = out; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!plain && *p != '-' && *p != '.') *p = '_';
    }
    if (!*out) snprintf(out, HOST, "localhost");
}

/* -- events */

/* Adds the current time and writes the event. */
static icseg_status write_event(icseg_event_file *f, Icseg__Tensorboard__Event *event, icseg_error *error) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    size_t size = icseg__tensorboard__event__get_packed_size(event);
    size_t bytes = ICSEG_RECORD_HEADER + size + ICSEG_RECORD_FOOTER;
    uint8_t *record = icseg_alloc(bytes);
    if (!record) return icseg_fail_memory_in(error, bytes, f->path);
    icseg__tensorboard__event__pack(event, record + ICSEG_RECORD_HEADER);
    icseg_record_frame(record, size);
    icseg_status status = icseg_file_appender_write(f->file, record, bytes, error);
    icseg_free(record);
    return status;
}

static icseg_status write_summary(icseg_event_file *f, int64_t step, Icseg__Tensorboard__Summary__Value **values,
                                  size_t count, icseg_error *error) {
    Icseg__Tensorboard__Event event = ICSEG__TENSORBOARD__EVENT__INIT;
    Icseg__Tensorboard__Summary summary = ICSEG__TENSORBOARD__SUMMARY__INIT;
    summary.value = values;
    summary.n_value = count;
    event.step = step;
    event.what_case = ICSEG__TENSORBOARD__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    return write_event(f, &event, error);
}

/* A value without content, in the arena; NULL when out of memory. */
static Icseg__Tensorboard__Summary__Value *make_value(icseg_arena *arena, const char *tag) {
    Icseg__Tensorboard__Summary__Value *value = icseg_arena_alloc(arena, sizeof *value);
    char *copy = icseg_arena_strdup(arena, tag);
    if (!value || !copy) return NULL;
    for (size_t size = strlen(copy), at = icseg_utf8_check(copy, size); at < size; at = icseg_utf8_check(copy, size))
        copy[at] = '?';
    icseg__tensorboard__summary__value__init(value);
    value->tag = copy;
    return value;
}

static icseg_status write_scalars(icseg_event_file *f, icseg_arena *arena, int64_t step,
                                  const icseg_event_scalar *scalars, size_t count, icseg_error *error) {
    size_t used = 0;
    Icseg__Tensorboard__Summary__Value **values = icseg_arena_array(arena, count, sizeof *values);
    if (!values) return icseg_fail_memory_in(error, count * sizeof *values, f->path);
    for (size_t i = 0; i < count; i++) {
        float number = (float)scalars[i].value;
        if (!isfinite(number)) continue;
        values[used] = make_value(arena, scalars[i].tag);
        if (!values[used]) return icseg_fail_memory_in(error, 0, f->path);
        values[used]->value_case = ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
        values[used++]->simple_value = number;
    }
    return used ? write_summary(f, step, values, used, error) : ICSEG_OK;
}

icseg_status icseg_event_file_scalars(icseg_event_file *f, int64_t step, const icseg_event_scalar *scalars,
                                      size_t count, icseg_error *error) {
    icseg_arena *arena;
    if (!f) return ICSEG_OK;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = write_scalars(f, arena, step, scalars, count, error);
    icseg_arena_close(&arena);
    return status;
}

static icseg_status write_histogram(icseg_event_file *f, icseg_arena *arena, int64_t step, const char *tag,
                                    const icseg_histogram *h, icseg_error *error) {
    Icseg__Tensorboard__HistogramProto histogram = ICSEG__TENSORBOARD__HISTOGRAM_PROTO__INIT;
    Icseg__Tensorboard__Summary__Value *value = make_value(arena, tag);
    histogram.bucket_limit = icseg_arena_array(arena, ICSEG_HISTOGRAM_CELLS, sizeof(double));
    histogram.bucket = icseg_arena_array(arena, ICSEG_HISTOGRAM_CELLS, sizeof(double));
    if (!value || !histogram.bucket_limit || !histogram.bucket) return icseg_fail_memory_in(error, 0, f->path);
    histogram.n_bucket = icseg_histogram_buckets(h, histogram.bucket_limit, histogram.bucket);
    histogram.n_bucket_limit = histogram.n_bucket;
    histogram.num = (double)h->count;
    histogram.min = h->min;
    histogram.max = h->max;
    histogram.sum = h->sum;
    histogram.sum_squares = h->square_sum;
    value->value_case = ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_HISTO;
    value->histo = &histogram;
    return write_summary(f, step, &value, 1, error);
}

icseg_status icseg_event_file_histogram(icseg_event_file *f, int64_t step, const char *tag, const icseg_histogram *h,
                                        icseg_error *error) {
    icseg_arena *arena;
    if (!f) return ICSEG_OK;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = write_histogram(f, arena, step, tag, h, error);
    icseg_arena_close(&arena);
    return status;
}

static icseg_status write_image(icseg_event_file *f, icseg_arena *arena, int64_t step, const char *tag,
                                const icseg_image *image, icseg_error *error) {
    Icseg__Tensorboard__Summary__Image picture = ICSEG__TENSORBOARD__SUMMARY__IMAGE__INIT;
    Icseg__Tensorboard__Summary__Value *value = make_value(arena, tag);
    void *png;
    if (!value) return icseg_fail_memory_in(error, 0, f->path);
    ICSEG_TRY(icseg_image_encode_png(image, &png, &picture.encoded_image_string.len, error));
    picture.encoded_image_string.data = png;
    picture.width = image->width;
    picture.height = image->height;
    picture.colorspace = RGB;
    value->value_case = ICSEG__TENSORBOARD__SUMMARY__VALUE__VALUE_IMAGE;
    value->image = &picture;
    icseg_status status = write_summary(f, step, &value, 1, error);
    icseg_buffer_free(png);
    return status;
}

icseg_status icseg_event_file_image(icseg_event_file *f, int64_t step, const char *tag, const icseg_image *image,
                                    icseg_error *error) {
    icseg_arena *arena;
    if (!f) return ICSEG_OK;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = write_image(f, arena, step, tag, image, error);
    icseg_arena_close(&arena);
    return status;
}

/* -- opening and closing */

/* The format, and from which step on earlier files are void. */
static icseg_status write_start(icseg_event_file *f, int64_t first_step, icseg_error *error) {
    Icseg__Tensorboard__Event format = ICSEG__TENSORBOARD__EVENT__INIT, start = ICSEG__TENSORBOARD__EVENT__INIT;
    Icseg__Tensorboard__SessionLog session = ICSEG__TENSORBOARD__SESSION_LOG__INIT;
    format.what_case = ICSEG__TENSORBOARD__EVENT__WHAT_FILE_VERSION;
    format.file_version = (char *)"brain.Event:2";
    ICSEG_TRY(write_event(f, &format, error));
    session.status = ICSEG__TENSORBOARD__SESSION_LOG__SESSION_STATUS__START;
    start.step = first_step;
    start.what_case = ICSEG__TENSORBOARD__EVENT__WHAT_SESSION_LOG;
    start.session_log = &session;
    return write_event(f, &start, error);
}

static icseg_status create(icseg_event_file *f, const char *folder, int64_t first_step, icseg_error *error) {
    char host[HOST];
    int64_t seconds;
    ICSEG_TRY(icseg_folder_create(folder, error));
    ICSEG_TRY(find_time(folder, &seconds, error));
    name_host(host);
    size_t size = strlen(folder) + sizeof "/" PREFIX + TIME_DIGITS + 1 + HOST;
    f->path = icseg_alloc(size);
    if (!f->path) return icseg_fail_memory_in(error, size, folder);
    snprintf(f->path, size, "%s/" PREFIX "%0*lld.%s", folder, (int)TIME_DIGITS, (long long)seconds, host);
    ICSEG_TRY(icseg_file_appender_open(&f->file, f->path, true, error));
    return write_start(f, first_step, error);
}

icseg_status icseg_event_file_open(icseg_event_file **out, const char *folder, int64_t first_step, icseg_error *error) {
    *out = NULL;
    icseg_event_file *f = icseg_calloc_array(1, sizeof *f);
    if (!f) return icseg_fail_memory_in(error, sizeof *f, folder);
    icseg_status status = create(f, folder, first_step, error);
    if (status != ICSEG_OK) icseg_event_file_close(&f);
    *out = f;
    return status;
}

icseg_status icseg_event_file_finish(icseg_event_file **file, icseg_error *error) {
    if (!*file) return ICSEG_OK;
    icseg_status status = icseg_file_appender_finish(&(*file)->file, error);
    icseg_event_file_close(file);
    return status;
}

void icseg_event_file_close(icseg_event_file **file) {
    if (!file || !*file) return;
    icseg_event_file *f = *file;
    (void)icseg_file_appender_finish(&f->file, NULL);
    icseg_free(f->path);
    icseg_free(f);
    *file = NULL;
}

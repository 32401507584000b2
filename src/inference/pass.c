/* SPDX-License-Identifier: Apache-2.0
 * Passes: the windows of a view, the windows that cover a row of the label map, running windows and freeing their
 * logits.
 *
 * mmsegmentation upsamples each window's logits to the window's size, averages where windows overlap, and resizes the
 * result to the image. Here each pixel of the label map is mapped to a point of the view (half-pixel centres), and the
 * logits of the windows that cover this point are interpolated there and averaged. The numbers are the same if the view
 * has the image's size; otherwise there is one interpolation instead of two. */
#include "inference/pass.h"

#include <math.h>
#include <string.h>

#include "base/finite.h"
#include "base/memory.h"
#include "base/system.h"

/* Returns the number of windows of an axis that cover point e (0 <= e < length); *first is the first of them. */
static int32_t covering(const icseg_sliding_axis *axis, double e, int32_t *first) {
    double skip = floor((e - axis->window) / axis->stride); /* windows before this one end before e */
    int32_t at = skip > 0 ? (int32_t)skip : 0, count = 0;
    while (at < axis->count - 1 && icseg_sliding_start(axis, at) + axis->window <= e) at++;
    *first = at;
    while (at + count < axis->count && icseg_sliding_start(axis, at + count) <= e) count++;
    return count;
}

/* Centre of pixel i of `length` pixels, on the axis of the view. */
static double centre(const icseg_sliding_axis *axis, int64_t i, int32_t length) {
    return ((double)i + 0.5) * axis->length / length;
}

/* cells: number of logits of a window along this axis. */
static icseg_status open_map(icseg_axis_map *map, const icseg_sliding_axis *axis, int64_t cells, int32_t length,
                             bool mirrored, icseg_error *error) {
    float scale = (float)cells / (float)axis->window;
    int32_t first;
    map->begin = icseg_alloc_array((size_t)length + 1, sizeof *map->begin);
    if (!map->begin) return icseg_fail_memory(error, ((size_t)length + 1) * sizeof *map->begin, "sliding windows");
    map->begin[0] = 0;
    for (int64_t i = 0; i < length; i++)
        map->begin[i + 1] = map->begin[i] + covering(axis, centre(axis, mirrored ? length - 1 - i : i, length), &first);
    size_t total = (size_t)map->begin[length];
    map->cell = icseg_alloc_array(total, sizeof *map->cell);
    if (!map->cell) return icseg_fail_memory(error, total * sizeof *map->cell, "sliding windows");
    for (int64_t i = 0; i < length; i++) {
        double e = centre(axis, mirrored ? length - 1 - i : i, length);
        int32_t count = covering(axis, e, &first);
        for (int32_t k = 0; k < count; k++) {
            float inside = (float)(e - icseg_sliding_start(axis, first + k));
            map->cell[map->begin[i] + k] =
                (icseg_cell){.window = first + k, .at = icseg_interpolation_near(inside * scale - 0.5f, cells)};
        }
    }
    return ICSEG_OK;
}

static icseg_network_options window_options(const icseg_pass *p) {
    icseg_network_options options;
    memset(&options, 0, sizeof options); /* compared bytewise */
    options.batch = p->view->count;
    options.height = p->windows.y.window;
    options.width = p->windows.x.window;
    options.keep = ICSEG_KEEP_LOGITS | p->keep;
    return options;
}

icseg_status icseg_pass_open(icseg_pass *p, icseg_session *session, const icseg_eval_options *o, int32_t width,
                             int32_t height, icseg_error *error) {
    int32_t view_width = p->view->width, view_height = p->view->height;
    icseg_sliding_options windows = {view_width, view_height, view_width, view_height};
    icseg_prepared_network *n;
    if (o->mode == ICSEG_EVAL_SLIDE)
        windows = (icseg_sliding_options){o->crop_width, o->crop_height, o->stride_width, o->stride_height};
    ICSEG_TRY(icseg_sliding_open(&p->windows, &windows, view_width, view_height, error));
    icseg_network_options options = window_options(p);
    ICSEG_TRY(icseg_session_network(session, &options, &n, error));
    p->h = icseg_graph_dim(n->graph, n->network.logits, 1);
    p->w = icseg_graph_dim(n->graph, n->network.logits, 2);
    p->classes = icseg_graph_dim(n->graph, n->network.logits, 3);
    ICSEG_TRY(open_map(&p->x, &p->windows.x, p->w, width, p->mirrored, error));
    ICSEG_TRY(open_map(&p->y, &p->windows.y, p->h, height, false, error));
    p->row = icseg_calloc_array((size_t)p->windows.y.count, sizeof *p->row);
    if (!p->row) return icseg_fail_memory(error, (size_t)p->windows.y.count * sizeof *p->row, "sliding windows");
    return ICSEG_OK;
}

void icseg_pass_close(icseg_pass *p) {
    for (int32_t i = 0; p->row && i < p->windows.y.count; i++) icseg_free(p->row[i]);
    icseg_free(p->row);
    icseg_free(p->x.begin);
    icseg_free(p->x.cell);
    icseg_free(p->y.begin);
    icseg_free(p->y.cell);
    *p = (icseg_pass){0};
}

/* Makes the session's buffer for the network's input at least `floats` large. */
static icseg_status get_input(icseg_session *s, size_t floats, icseg_error *error) {
    if (floats > s->input_floats) {
        icseg_free(s->input);
        s->input_floats = 0;
        s->input = icseg_alloc_array(floats, sizeof *s->input);
        if (!s->input) return icseg_fail_memory(error, floats * sizeof *s->input, "the network's input");
        s->input_floats = floats;
    }
    ICSEG_POISON(s->input, s->input_floats * sizeof *s->input);
    ICSEG_UNPOISON(s->input, floats * sizeof *s->input);
    return ICSEG_OK;
}

icseg_status icseg_pass_run(icseg_session *session, const icseg_network_options *options, const icseg_images *images,
                            icseg_window window, bool mirrored, const icseg_prepared_network **out,
                            icseg_error *error) {
    icseg_prepared_network *n;
    ICSEG_TRY(icseg_session_network(session, options, &n, error));
    size_t floats = (size_t)window.width * (size_t)window.height * 3;
    ICSEG_TRY(get_input(session, (size_t)images->count * floats, error));
    for (int32_t i = 0; i < images->count; i++)
        icseg_images_read(images, i, window, mirrored, session->input + (size_t)i * floats);
    icseg_executor_bind(n->executor, n->network.image, session->input);
    icseg_status status = icseg_executor_run(n->executor, 0, 0, error);
    if (status == ICSEG_OK) {
        int64_t count = icseg_graph_value(n->graph, n->network.logits)->count;
        if (!icseg_all_finite(icseg_executor_data(n->executor, n->network.logits), count)) {
            status = icseg_executor_run_checked(n->executor, 0, 0, error);
            if (status == ICSEG_OK) status = icseg_fail(error, ICSEG_ERROR_NUMERIC, "logits are not finite");
        }
    }
    icseg_executor_bind(n->executor, n->network.image, NULL);
    *out = n;
    return status;
}

icseg_status icseg_pass_report(icseg_pass_progress *progress, int64_t windows, icseg_error *error) {
    progress->done += windows;
    return icseg_stage_report(&progress->stage, progress->done, "", error);
}

/* Runs the windows of row `next` and keeps their logits. */
static icseg_status run_row(icseg_pass *p, icseg_session *session, icseg_error *error) {
    icseg_network_options options = window_options(p);
    size_t columns = (size_t)p->windows.x.count, size = (size_t)(p->view->count * p->h * p->w * p->classes);
    float *row = icseg_alloc_array(columns, size * sizeof *row);
    if (!row) return icseg_fail_memory(error, columns * size * sizeof *row, "the logits of a row of windows");
    p->row[p->next] = row;
    for (size_t i = 0; i < columns; i++) {
        icseg_window at = icseg_sliding_window(&p->windows, (int64_t)p->next * p->windows.x.count + (int64_t)i);
        ICSEG_TRY(icseg_pass_run(session, &options, p->view, at, p->mirrored, &p->network, error));
        memcpy(row + i * size, icseg_executor_data(p->network->executor, p->network->network.logits),
               size * sizeof *row);
        ICSEG_TRY(icseg_pass_report(p->progress, 1, error));
    }
    p->next++;
    return ICSEG_OK;
}

/* The first and last window that row y of the label map reads. */
static const icseg_cell *first_cell(const icseg_pass *p, int32_t y) { return &p->y.cell[p->y.begin[y]]; }
static const icseg_cell *last_cell(const icseg_pass *p, int32_t y) { return &p->y.cell[p->y.begin[y + 1] - 1]; }

icseg_status icseg_pass_advance(icseg_pass *p, icseg_session *session, int32_t y, icseg_error *error) {
    int32_t keep = first_cell(p, y)->window;
    for (int32_t i = 0; i < keep && !p->keep_rows; i++) {
        icseg_free(p->row[i]);
        p->row[i] = NULL;
    }
    if (p->next < keep && !p->keep_rows) { /* an image much smaller than the view may skip rows of windows */
        ICSEG_TRY(icseg_pass_report(p->progress, (int64_t)(keep - p->next) * p->windows.x.count, error));
        p->next = keep;
    }
    while (p->next <= last_cell(p, y)->window) ICSEG_TRY(run_row(p, session, error));
    return ICSEG_OK;
}

int32_t icseg_pass_ready(const icseg_pass *p, int32_t y, int32_t height) {
    while (y < height && last_cell(p, y)->window < p->next) y++;
    return y;
}

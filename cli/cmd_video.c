/* SPDX-License-Identifier: Apache-2.0
 * icseg video: labels the frames of a video or a camera. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "icseg/classes.h"
#include "icseg/video.h"
#include "inference.h"
#include "inputs.h"
#include "open_vocabulary.h"
#include "results.h"
#include "support.h"

struct options {
    const char *model, *input, *overlay, *labels;
    open_options open;
    inference_options inference;
    double opacity, camera_rate;
    int64_t frames, every;
    int32_t camera_size[2]; /* width, height */
    bool force;
};

static const icseg_option rows[] = {
    {"MODEL", ICSEG_FIELD_STRING(struct options, model),
     "checkpoint of the model, a .safetensors file; with --classes CLIP's weights, the file or folder as published",
     .positional = true, .required = true},
    {"VIDEO", ICSEG_FIELD_STRING(struct options, input), "video file, or camera such as /dev/video0",
     .positional = true, .required = true},
    {"overlay", ICSEG_FIELD_STRING(struct options, overlay),
     "video to write: class colours over the frames; the extension chooses the format (.mp4, .mkv, ...)",
     .metavar = "FILE"},
    {"labels", ICSEG_FIELD_STRING(struct options, labels),
     "folder for the label maps, one PNG for each frame: frame_000000.png", .metavar = "DIR"},
    {"frames", ICSEG_FIELD_INT64(struct options, frames), "stop after N labelled frames", .shown = "all; Ctrl-C stops",
     ICSEG_BETWEEN(0, ICSEG_VIDEO_MAX_FRAMES)},
    {"every", ICSEG_FIELD_INT64(struct options, every), "label every Nth frame; the overlay video is as much shorter",
     ICSEG_BETWEEN(1, ICSEG_VIDEO_MAX_FRAMES)},
    {"camera-size", ICSEG_FIELD_INTS(struct options, camera_size[0]),
     "width and height of a camera's frames in pixels; it takes the nearest that it has", .metavar = "WxH",
     .shown = "as it is set", ICSEG_EXACTLY(2), ICSEG_BETWEEN(16, ICSEG_VIDEO_MAX_SIDE)},
    {"camera-rate", ICSEG_FIELD_FLOAT(struct options, camera_rate),
     "frames a second of a camera; it takes the nearest that it has", .shown = "as it is set",
     ICSEG_BETWEEN(0.01, 1000)},
    {"opacity", ICSEG_FIELD_FLOAT(struct options, opacity), "opacity of the overlay's colours", ICSEG_BETWEEN(0, 1)},
    {"force", ICSEG_FIELD_BOOL(struct options, force),
     "replace label maps in DIR that are not results of this command"},
    OPEN_CLASS_ROWS(struct options, open),
    OPEN_ROWS(struct options, open, "MODEL"),
    INFERENCE_ROWS(struct options, inference),
};

static void defaults(void *values) {
    struct options *o = values;
    o->opacity = 0.55;
    o->every = 1;
    open_defaults(&o->open);
    inference_defaults(&o->inference);
}

/* One run of the command. */
typedef struct job {
    const struct options *options;
    const icseg_command_context *context;
    icseg_model *model;
    icseg_session *session;
    icseg_eval_options eval;
    icseg_palette palette;
    icseg_video *video;
    icseg_video_info info;
    icseg_camera_counts counts;
    icseg_video_writer *writer; /* NULL without --overlay */
    int64_t labelled;
    double start;
} job;

static icseg_status write_labels(const job *j, const icseg_video_frame *frame, const icseg_labels *labels,
                                 icseg_error *error) {
    icseg_string path = {0};
    icseg_string_printf(&path, "%s/frame_%06lld.png", j->options->labels, (long long)frame->index);
    icseg_status status =
        path.failed ? out_of_memory(error) : icseg_labels_write_png(labels, &j->palette, path.data, error);
    icseg_string_close(&path);
    return status;
}

/* Before the work, so that a wrong name is found at once. */
static icseg_status open_writer(job *j, icseg_error *error) {
    double rate = (j->info.rate > 0 ? j->info.rate : 25) / (double)j->options->every;
    icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = j->options->overlay,
                                    .width = j->info.width, .height = j->info.height,
                                    .rate = rate < 0.01   ? 0.01
                                            : rate > 1000 ? 1000
                                                          : rate};
    return icseg_video_writer_open(&j->writer, &o, error);
}

static icseg_status label(job *j, const icseg_video_frame *frame, icseg_error *error) {
    const struct options *o = j->options;
    icseg_labels labels = {0};
    icseg_image drawn = {0};
    icseg_overlay_options style = {ICSEG_OVERLAY_OPTIONS_INIT, .palette = &j->palette,
                                   .opacity = o->opacity > 0 ? o->opacity : ICSEG_OPACITY_NONE};
    icseg_status status = icseg_session_predict(j->session, &frame->image, &j->eval, &labels, NULL, error);
    if (status == ICSEG_OK && o->labels) status = write_labels(j, frame, &labels, error);
    if (status == ICSEG_OK && o->overlay) status = icseg_overlay_draw(&drawn, &frame->image, &labels, &style, error);
    if (status == ICSEG_OK && o->overlay)
        status = j->counts.is_camera ? icseg_video_writer_add_at(j->writer, &drawn, frame->seconds, error)
                                     : icseg_video_writer_add(j->writer, &drawn, error);
    icseg_image_close(&drawn);
    icseg_labels_close(&labels);
    return status;
}

/* False: the user stops. */
static bool report(const job *j) {
    const icseg_progress *p = &j->context->progress;
    int64_t total = j->info.frames / j->options->every;
    if (j->options->frames && (!total || j->options->frames < total)) total = j->options->frames;
    icseg_progress_event event = {.stage = "video",
                                  .done = (double)j->labelled,
                                  .total = (double)total,
                                  .seconds = clock_seconds() - j->start,
                                  .detail = "frames"};
    return !p->report || p->report(p->user, &event);
}

/* Labels frames to the end. *stopped: the user stopped it before. *read_failed: the error is that of reading a frame.
 */
static icseg_status label_frames(job *j, bool *stopped, bool *read_failed, icseg_error *error) {
    const struct options *o = j->options;
    icseg_video_frame frame = {ICSEG_VIDEO_FRAME_INIT};
    icseg_status status = ICSEG_OK;
    int64_t wanted = 0; /* number of the next frame to label; a camera may have lost it */
    j->start = clock_seconds();
    *stopped = !report(j);
    *read_failed = false;
    while (!*stopped && status == ICSEG_OK && (!o->frames || j->labelled < o->frames)) {
        status = icseg_video_next(j->video, &frame, error);
        *read_failed = status != ICSEG_OK;
        if (*read_failed || frame.end) break;
        if (frame.index < wanted) continue;
        wanted = frame.index + o->every;
        status = label(j, &frame, error);
        if (status == ICSEG_OK) j->labelled++;
        if (status == ICSEG_OK) *stopped = !report(j);
    }
    icseg_video_frame_close(&frame);
    return status;
}

static void print_counts(job *j) {
    double seconds = clock_seconds() - j->start;
    printf("%lld frame%s of %dx%d pixels in %.1f s: %.2f frames a second", (long long)j->labelled,
           j->labelled == 1 ? "" : "s", (int)j->info.width, (int)j->info.height, seconds,
           seconds > 0 ? (double)j->labelled / seconds : 0.0);
    if (j->counts.is_camera && icseg_camera_counts_of(j->video, &j->counts, NULL) == ICSEG_OK)
        printf("; %lld dropped, %lld damaged", (long long)j->counts.dropped, (long long)j->counts.damaged);
    printf("\n");
}

/* What was labelled before the end, a stop or a frame that cannot be read is kept. */
static icseg_status label_all(job *j, icseg_error *error) {
    bool stopped, read_failed;
    icseg_error failure = {0};
    icseg_status status = label_frames(j, &stopped, &read_failed, &failure);
    if (status == ICSEG_OK && !j->labelled && !stopped)
        return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: contains no frames", j->options->input);
    stopped |= status == ICSEG_ERROR_CANCELLED;
    bool keep = j->labelled && (status == ICSEG_OK || read_failed);
    if (keep && j->writer) TRY(icseg_video_writer_finish(j->writer, error));
    if (keep) print_counts(j);
    if (stopped)
        return icseg_error_set(error, ICSEG_ERROR_CANCELLED, "stopped after %lld %s", (long long)j->labelled,
                               icseg_plural(j->labelled, "frame", "frames"));
    if (keep && read_failed)
        return icseg_error_set(error, status, "%s; what was labelled before is written", failure.message);
    if (status != ICSEG_OK) *error = failure;
    return status;
}

static bool cancelled(void *user) { return !report(user); }

/* What may be meant by something that is not a video. */
static const char *suggest(const char *input, icseg_status status) {
    if (status == ICSEG_ERROR_FORMAT && input_is_image_name(input)) return "; `icseg predict` labels images";
    if (status != ICSEG_ERROR_IO) return "";
    if (folder_exists(input)) return "; `icseg predict` labels the images of a folder";
    if (access(input, F_OK) == 0) return "";
    if (!input[strspn(input, "0123456789")]) return "; a camera is a device such as /dev/video0";
    if (strstr(input, "://")) return "; addresses are not read, only files and cameras of this machine";
    if (!strncmp(input, "/dev/video", 10)) return "; is the camera connected? ls /dev/video* lists cameras";
    return "";
}

static icseg_status open_video(job *j, icseg_error *error) {
    const struct options *o = j->options;
    const icseg_camera_options camera = {ICSEG_CAMERA_OPTIONS_INIT,   .width = o->camera_size[0],
                                         .height = o->camera_size[1], .rate = o->camera_rate,
                                         .cancelled = cancelled,      .user = j};
    struct stat info;
    bool is_camera = stat(o->input, &info) == 0 && S_ISCHR(info.st_mode);
    icseg_status status;
    if (!is_camera && (o->camera_size[0] || o->camera_rate > 0))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--camera-%s: %s is not a camera",
                               o->camera_size[0] ? "size" : "rate", o->input);
    status = is_camera ? icseg_camera_open(&j->video, o->input, &camera, error)
                       : icseg_video_open(&j->video, o->input, 0, error);
    const char *suggestion = suggest(o->input, status);
    icseg_error before = *error;
    return *suggestion ? icseg_error_set(error, status, "%s%s", before.message, suggestion) : status;
}

/* A camera takes the nearest size and rate that it has. */
static void note_settings(const job *j) {
    const struct options *o = j->options;
    const icseg_video_info *info = &j->info;
    if (o->camera_size[0] && (info->width != o->camera_size[0] || info->height != o->camera_size[1]))
        icseg_printer_note(j->context->printer, "note: --camera-size %dx%d: the camera delivers %dx%d pixels",
                           o->camera_size[0], o->camera_size[1], info->width, info->height);
    if (o->camera_rate > 0 && info->rate > 0 && fabs(info->rate / o->camera_rate - 1) > 0.005)
        icseg_printer_note(j->context->printer, "note: --camera-rate %g: the camera delivers %g frames a second",
                           o->camera_rate, info->rate);
}

/* "frame_000000.png" */
static bool is_label_map(const char *name) {
    size_t digits = !strncmp(name, "frame_", 6) ? strspn(name + 6, "0123456789") : 0;
    return digits >= 6 && !strcmp(name + 6 + digits, ".png");
}

/* The names of the frames are not known before, so one entry of the folder's list of results stands for all of them. */
static icseg_status open_labels(const job *j, icseg_error *error) {
    static const char entry[] = "frame_*.png";
    const char *folder = j->options->labels, *first = NULL;
    icseg_arena *arena = j->context->arena;
    char **names;
    size_t count;
    bool known;
    TRY(folder_create(folder, error));
    TRY(results_find(folder, entry, &known, arena, error));
    if (known) return ICSEG_OK;
    TRY(folder_list(folder, arena, &names, &count, error));
    for (size_t i = 0; i < count && !first; i++)
        if (is_label_map(names[i])) first = names[i];
    if (first && !j->options->force)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "%s/%s exists and is not a result of this command; choose another --labels, or replace "
                               "it with --force",
                               folder, first);
    const input_output output = {.path = icseg_arena_printf(arena, "%s/%s", folder, entry)};
    return output.path ? results_note(folder, &output, 1, arena, error) : out_of_memory(error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    job j = {.options = o, .context = context, .info = {ICSEG_VIDEO_INFO_INIT}, .counts = {ICSEG_CAMERA_COUNTS_INIT}};
    icseg_status status;
    if (!o->overlay && !o->labels)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "nothing to write; name a video with --overlay or a folder with --labels");
    TRY_GOTO(inference_check(&o->inference, error));
    TRY_GOTO(open_check(&o->open, open_given(&o->open), "--classes", o->inference.precision, error));
    if (o->overlay) TRY_GOTO(file_check_not_input(o->overlay, o->input, error));
    TRY_GOTO(open_video(&j, error));
    TRY_GOTO(icseg_video_info_of(j.video, &j.info, error));
    TRY_GOTO(icseg_camera_counts_of(j.video, &j.counts, error));
    note_settings(&j);
    if (o->overlay) TRY_GOTO(open_writer(&j, error));
    TRY_GOTO(open_either(&j.model, &o->open, o->model, context, error));
    TRY_GOTO(inference_resolve(&o->inference, j.model, &j.eval, error));
    TRY_GOTO(inference_open(&j.session, o->inference.precision, j.model, o->model, context->printer, error));
    TRY_GOTO(icseg_palette_create_for(&j.palette, icseg_model_class_names(j.model),
                                      icseg_model_config(j.model)->num_classes, error));
    if (o->labels) TRY_GOTO(open_labels(&j, error));
    TRY_GOTO(label_all(&j, error));
done:
    icseg_video_writer_close(&j.writer);
    icseg_palette_close(&j.palette);
    icseg_session_close(&j.session);
    icseg_model_close(&j.model);
    icseg_video_close(&j.video);
    return status;
}

const icseg_command icseg_command_video = {
    .name = "video",
    .summary = "Labels the frames of a video or a camera",
    .description = "Writes an overlay video, label maps, or both, and prints the number of frames\n"
                   "per second. Videos of a phone are turned as they are shown. Only local files\n"
                   "are read. Of a video that is cut short, the complete frames are labelled.\n"
                   "Ctrl-C stops; what was labelled so far is written.\n"
                   "\n"
                   "With --classes, CLIP's weights label any classes without training, as\n"
                   "`icseg segment` does, by default in windows of 224 pixels. --mode whole is about\n"
                   "twice as fast.\n"
                   "\n"
                   "Of a camera, the newest frame is labelled. Frames that arrive meanwhile are\n"
                   "dropped and counted, so that the labels do not fall behind. The overlay video\n"
                   "then shows each labelled frame until the next one, at the camera's pace. The\n"
                   "numbers of label maps are those of the camera's frames.\n"
                   "\n"
                   "icseg reads and writes videos through FFmpeg's libraries, which it loads when\n"
                   "it needs them (Debian: libavformat, libavcodec, libswscale, libavdevice).\n",
    .examples = "icseg video model.safetensors street.mp4 --overlay labelled.mp4\n"
                "icseg video model.safetensors street.mp4 --labels labels --every 10\n"
                "icseg video ViT-B-16.pt street.mp4 --overlay labelled.mp4 \\\n"
                "    --classes \"road; car, bus; tree; sky\" --mode whole\n"
                "icseg video model.safetensors /dev/video0 --overlay camera.mkv --frames 300\n"
                "icseg video model.safetensors /dev/video0 --labels live --camera-size 640x480\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

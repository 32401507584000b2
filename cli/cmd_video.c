/* SPDX-License-Identifier: Apache-2.0
 * icseg video: labels the frames of a video or a camera. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "icseg/classes.h"
#include "icseg/video.h"
#include "inference.h"
#include "inputs.h"
#include "support.h"

struct options {
    const char *checkpoint, *input, *overlay, *labels;
    inference_options inference;
    double opacity;
    int64_t frames, every;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
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
    {"opacity", ICSEG_FIELD_FLOAT(struct options, opacity), "opacity of the overlay's colours", ICSEG_BETWEEN(0, 1)},
    INFERENCE_ROWS(struct options),
};

static void defaults(void *values) {
    struct options *o = values;
    o->opacity = 0.55;
    o->every = 1;
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
    if (status == ICSEG_OK && o->overlay) status = icseg_video_writer_add(j->writer, &drawn, error);
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

static icseg_status label_all(job *j, icseg_error *error) {
    const struct options *o = j->options;
    icseg_video_frame frame = {ICSEG_VIDEO_FRAME_INIT};
    icseg_status status;
    j->start = clock_seconds();
    while ((status = icseg_video_next(j->video, &frame, error)) == ICSEG_OK && !frame.end) {
        if (frame.index % o->every) continue;
        if ((status = label(j, &frame, error)) != ICSEG_OK) break;
        j->labelled++;
        if (!report(j) || j->labelled == o->frames) break; /* what was labelled so far is kept */
    }
    icseg_video_frame_close(&frame);
    TRY(status);
    if (!j->labelled) return icseg_error_set(error, ICSEG_ERROR_DATA, "%s: contains no frames", o->input);
    if (j->writer) TRY(icseg_video_writer_finish(j->writer, error));
    double seconds = clock_seconds() - j->start;
    printf("%lld frame%s of %dx%d pixels in %.1f s: %.2f frames a second\n", (long long)j->labelled,
           j->labelled == 1 ? "" : "s", (int)j->info.width, (int)j->info.height, seconds,
           seconds > 0 ? (double)j->labelled / seconds : 0.0);
    return ICSEG_OK;
}

/* An image is not a video, but another command reads it. */
static icseg_status open_video(job *j, icseg_error *error) {
    const char *path = j->options->input;
    icseg_status status = icseg_video_open(&j->video, path, 0, error);
    icseg_error before = error ? *error : (icseg_error){0};
    if (status == ICSEG_ERROR_FORMAT && input_is_image_name(path))
        icseg_error_set(error, status, "%s; `icseg predict` labels images", before.message);
    return status;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    job j = {.options = o, .context = context, .info = {ICSEG_VIDEO_INFO_INIT}};
    icseg_status status;
    if (!o->overlay && !o->labels)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "nothing to write; name a video with --overlay or a folder with --labels");
    TRY_GOTO(inference_check_resize(o->inference.resize_short, o->inference.resize_long, error));
    if (o->overlay) TRY_GOTO(file_check_not_input(o->overlay, o->input, error));
    TRY_GOTO(open_video(&j, error));
    TRY_GOTO(icseg_video_info_of(j.video, &j.info, error));
    if (o->overlay) TRY_GOTO(open_writer(&j, error));
    TRY_GOTO(icseg_model_open(&j.model, o->checkpoint, error));
    TRY_GOTO(inference_resolve(&o->inference, j.model, &j.eval, error));
    TRY_GOTO(inference_open(&j.session, o->inference.precision, j.model, o->checkpoint, context->printer, error));
    TRY_GOTO(icseg_palette_create_for(&j.palette, icseg_model_class_names(j.model),
                                      icseg_model_config(j.model)->num_classes, error));
    if (o->labels) TRY_GOTO(folder_create(o->labels, error));
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
                   "icseg reads and writes videos through FFmpeg's libraries, which it loads when\n"
                   "it needs them (Debian: libavformat, libavcodec, libswscale, libavdevice).\n",
    .examples = "icseg video model.safetensors street.mp4 --overlay labelled.mp4\n"
                "icseg video model.safetensors street.mp4 --labels labels --every 10\n"
                "icseg video model.safetensors /dev/video0 --overlay camera.mkv --frames 300\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0
 * Reading a video file or a camera frame by frame. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/system.h"
#include "base/text.h"
#include "base/threads.h"
#include "icseg/video.h"
#include "video/av.h"
#include "video/camera.h"

enum {
    FIRST_INFO_SIZE = sizeof(icseg_video_info), /* in the first release, as below */
    FIRST_FRAME_SIZE = sizeof(icseg_video_frame),
    FIRST_CAMERA_SIZE = sizeof(icseg_camera_options),
    FIRST_COUNTS_SIZE = sizeof(icseg_camera_counts),
    MOST_DAMAGED = 100 /* frames of a camera in succession that cannot be decoded */
};

/* Containers and bare streams. None of them names other files. */
static const char formats[] = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flv,asf,ivf,nut,mjpeg,h264,"
                              "hevc,m4v,mpegvideo,yuv4mpegpipe,gif";

struct icseg_video {
    const icseg_av *av;
    char *path; /* copy */
    AVFormatContext *file;
    bool is_device;       /* a camera */
    icseg_camera *camera; /* NULL for a file */
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *scaler;
    int stream;
    int32_t width, height;     /* of decoded frames, before the rotation */
    int turns;                 /* quarter turns clockwise */
    bool drained, begun;       /* the decoder was asked for its last frames; a frame was returned */
    int64_t index, first_time; /* of the next frame; time stamp of the first */
};

/* ---- opening ---- */

static icseg_status open_file(icseg_video *v, icseg_error *error) {
    AVDictionary *options = NULL;
    icseg_string url = {0};
    icseg_string_printf(&url, "file:%s", v->path); /* never an address */
    int code = url.failed ? AVERROR(ENOMEM) : 0;
    if (code >= 0) code = v->av->av_dict_set(&options, "protocol_whitelist", "file", 0);
    if (code >= 0) code = v->av->av_dict_set(&options, "format_whitelist", formats, 0);
    if (code >= 0) code = v->av->avformat_open_input(&v->file, url.data, NULL, &options);
    v->av->av_dict_free(&options);
    icseg_string_close(&url);
    if (code < 0) return icseg_av_fail(v->av, ICSEG_ERROR_FORMAT, v->path, "cannot be read as a video", code, error);
    code = v->av->avformat_find_stream_info(v->file, NULL);
    if (code < 0) return icseg_av_fail(v->av, ICSEG_ERROR_FORMAT, v->path, "damaged video", code, error);
    return ICSEG_OK;
}

/* A file, or a camera. camera NULL: either of them, and a camera as it is set. */
static icseg_status open_source(icseg_video *v, const icseg_camera_options *camera, icseg_error *error) {
    static const icseg_camera_options as_set = {ICSEG_CAMERA_OPTIONS_INIT};
    struct stat info;
    if (stat(v->path, &info) != 0)
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot open: %s", v->path, strerror(errno));
    v->is_device = S_ISCHR(info.st_mode);
    if (v->is_device) return icseg_camera_open_device(&v->file, v->av, v->path, camera ? camera : &as_set, error);
    if (camera)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: not a camera, whose size and rate can be chosen", v->path);
    if (!S_ISREG(info.st_mode)) return icseg_fail(error, ICSEG_ERROR_IO, "%s: neither a file nor a camera", v->path);
    return open_file(v, error);
}

static icseg_status check_size(const icseg_video *v, int width, int height, icseg_error *error) {
    if (width > 0 && height > 0 && width <= ICSEG_VIDEO_MAX_SIDE && height <= ICSEG_VIDEO_MAX_SIDE &&
        (int64_t)width * height <= ICSEG_VIDEO_MAX_PIXELS)
        return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_FORMAT,
                      "%s: frames of %dx%d pixels; the limits are %d for each side and %d in "
                      "total",
                      v->path, width, height, ICSEG_VIDEO_MAX_SIDE, ICSEG_VIDEO_MAX_PIXELS);
}

/* The rotation by which phones mark videos that were taken upright. */
static int quarter_turns(const icseg_video *v) {
    const AVStream *stream = v->file->streams[v->stream];
    const int32_t *matrix = NULL;
#if LIBAVFORMAT_VERSION_MAJOR < 61
    for (int i = 0; i < stream->nb_side_data; i++)
        if (stream->side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX && stream->side_data[i].size >= 36)
            matrix = (const int32_t *)(const void *)stream->side_data[i].data;
#else
    for (int i = 0; i < stream->codecpar->nb_coded_side_data; i++)
        if (stream->codecpar->coded_side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX &&
            stream->codecpar->coded_side_data[i].size >= 36)
            matrix = (const int32_t *)(const void *)stream->codecpar->coded_side_data[i].data;
#endif
    double angle = matrix ? v->av->av_display_rotation_get(matrix) : 0; /* counterclockwise */
    return isfinite(angle) ? (int)lround(-angle / 90) & 3 : 0;
}

static icseg_status open_codec(icseg_video *v, int threads, icseg_error *error) {
    v->stream = v->av->av_find_best_stream(v->file, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (v->stream < 0) return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: does not contain a video stream", v->path);
    const AVCodecParameters *parameters = v->file->streams[v->stream]->codecpar;
    ICSEG_TRY(check_size(v, parameters->width, parameters->height, error));
    const AVCodec *decoder = v->av->avcodec_find_decoder(parameters->codec_id);
    if (!decoder)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: the installed FFmpeg does not decode %s", v->path,
                          v->av->avcodec_get_name(parameters->codec_id));
    v->codec = v->av->avcodec_alloc_context3(decoder);
    if (!v->codec) return icseg_fail_memory_in(error, 0, v->path);
    int code = v->av->avcodec_parameters_to_context(v->codec, parameters);
    v->codec->thread_count = threads;
    v->codec->max_pixels = ICSEG_VIDEO_MAX_PIXELS;
    if (code >= 0) code = v->av->avcodec_open2(v->codec, decoder, NULL);
    if (code < 0) return icseg_av_fail(v->av, ICSEG_ERROR_FORMAT, v->path, "cannot be decoded", code, error);
    v->width = parameters->width;
    v->height = parameters->height;
    v->turns = quarter_turns(v);
    return ICSEG_OK;
}

static icseg_status open_video(icseg_video *v, const char *path, int threads, const icseg_camera_options *camera,
                               icseg_error *error) {
    ICSEG_TRY(icseg_av_load(&v->av, error));
    icseg_string copy = {0};
    icseg_string_printf(&copy, "%s", path);
    if (copy.failed) return icseg_fail_memory_in(error, 0, path);
    v->path = copy.data;
    v->packet = v->av->av_packet_alloc();
    v->frame = v->av->av_frame_alloc();
    if (!v->packet || !v->frame) return icseg_fail_memory_in(error, 0, path);
    ICSEG_TRY(open_source(v, camera, error));
    ICSEG_TRY(open_codec(v, v->is_device ? 1 : threads, error)); /* each further thread would delay the frames by one */
    if (!v->is_device) return ICSEG_OK;
    const icseg_camera_source source = {v->av, v->file, v->path, camera ? camera->cancelled : NULL,
                                        camera ? camera->user : NULL};
    return icseg_camera_start(&v->camera, source, v->codec->codec_id, error);
}

static icseg_status open_either(icseg_video **out, const char *path, int threads, const icseg_camera_options *camera,
                                icseg_error *error) {
    icseg_video *v = icseg_calloc_array(1, sizeof *v);
    if (!v) return icseg_fail_memory_in(error, sizeof *v, path);
    icseg_status status = open_video(v, path, threads, camera, error);
    if (status == ICSEG_OK)
        *out = v;
    else
        icseg_video_close(&v);
    return status;
}

icseg_status icseg_video_open(icseg_video **out, const char *path, int32_t threads, icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_threads_check(threads, error));
    return open_either(out, path, threads ? threads : icseg_cores(), NULL, error);
}

icseg_status icseg_camera_open(icseg_video **out, const char *path, const icseg_camera_options *options,
                               icseg_error *error) {
    icseg_camera_options o;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_CAMERA_SIZE, "icseg_camera_options", error));
    if (o.width < 0 || o.height < 0 || !o.width != !o.height || o.width > ICSEG_VIDEO_MAX_SIDE ||
        o.height > ICSEG_VIDEO_MAX_SIDE)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "width", ICSEG_REMEDY_SET_FIELD,
                                "width, height: %dx%d; expected sides of 1..%d pixels, or 0 for both", o.width,
                                o.height, ICSEG_VIDEO_MAX_SIDE);
    if (!(o.rate >= 0 && o.rate <= 1000))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "rate", ICSEG_REMEDY_SET_FIELD,
                                "rate: must be between 0 and 1000 frames a second");
    return open_either(out, path, 1, &o, error);
}

void icseg_video_close(icseg_video **video) {
    if (!video || !*video) return;
    icseg_video *v = *video;
    icseg_camera_stop(&v->camera);
    if (v->packet || v->frame) {
        v->av->av_packet_free(&v->packet);
        v->av->av_frame_free(&v->frame);
        v->av->avcodec_free_context(&v->codec);
        v->av->avformat_close_input(&v->file);
        v->av->sws_freeContext(v->scaler);
    }
    icseg_free(v->path);
    icseg_free(v);
    *video = NULL;
}

icseg_status icseg_video_info_of(const icseg_video *v, icseg_video_info *out, icseg_error *error) {
    const icseg_video *video = v;
    ICSEG_NEED(video);
    ICSEG_NEED(out);
    const AVStream *stream = v->file->streams[v->stream];
    AVRational rate = stream->avg_frame_rate.num > 0 ? stream->avg_frame_rate : stream->r_frame_rate;
    icseg_video_info info = {.width = v->turns % 2 ? v->height : v->width,
                             .height = v->turns % 2 ? v->width : v->height,
                             .frames = stream->nb_frames > 0 ? stream->nb_frames : 0};
    if (rate.num > 0 && rate.den > 0) info.rate = (double)rate.num / rate.den;
    snprintf(info.codec, sizeof info.codec, "%s", v->av->avcodec_get_name(v->codec->codec_id));
    return icseg_struct_write(out, &info, sizeof info, FIRST_INFO_SIZE, "icseg_video_info", error);
}

icseg_status icseg_camera_counts_of(const icseg_video *video, icseg_camera_counts *out, icseg_error *error) {
    icseg_camera_counts counts = {0};
    ICSEG_NEED(video);
    ICSEG_NEED(out);
    counts.is_camera = video->camera != NULL;
    if (video->camera) icseg_camera_count(video->camera, &counts.dropped, &counts.damaged);
    return icseg_struct_write(out, &counts, sizeof counts, FIRST_COUNTS_SIZE, "icseg_camera_counts", error);
}

/* ---- frames ---- */

/* The next decoded frame in v->frame; *end: there is none. Packets of other streams are skipped. */
static icseg_status decode(icseg_video *v, bool *end, icseg_error *error) {
    int code;
    *end = false;
    while ((code = v->av->avcodec_receive_frame(v->codec, v->frame)) == AVERROR(EAGAIN)) {
        v->av->av_packet_unref(v->packet);
        code = v->av->av_read_frame(v->file, v->packet);
        if (code == AVERROR_EOF && !v->drained) { /* ask for the frames that the decoder still has */
            v->drained = true;
            code = v->av->avcodec_send_packet(v->codec, NULL);
        } else if (code >= 0 && v->packet->stream_index == v->stream)
            code = v->av->avcodec_send_packet(v->codec, v->packet);
        if (code < 0 && code != AVERROR_EOF) break;
    }
    *end = code == AVERROR_EOF;
    if (code >= 0 || *end) return ICSEG_OK;
    return icseg_av_fail(v->av, ICSEG_ERROR_FORMAT, v->path, "damaged video", code, error);
}

/* The newest frame of a camera in v->frame. Damaged ones are skipped. */
static icseg_status decode_newest(icseg_video *v, icseg_error *error) {
    for (int failed = 0; failed < MOST_DAMAGED; failed++) {
        v->av->av_packet_unref(v->packet);
        ICSEG_TRY(icseg_camera_take(v->camera, v->packet, &v->index, error));
        int code = v->av->avcodec_send_packet(v->codec, v->packet);
        if (code >= 0) code = v->av->avcodec_receive_frame(v->codec, v->frame);
        if (code >= 0) return ICSEG_OK;
        if (code == AVERROR(ENOMEM)) return icseg_fail_memory_in(error, 0, v->path);
        icseg_camera_take_failed(v->camera);
    }
    return icseg_fail(error, ICSEG_ERROR_IO, "%s: the last %d frames of the camera are damaged", v->path, MOST_DAMAGED);
}

/* High definition uses the colours of BT.709 unless the file says otherwise. */
static void set_colours(icseg_video *v) {
    int space = (int)v->frame->colorspace;
    if (space == AVCOL_SPC_UNSPECIFIED) space = v->frame->height >= 720 ? SWS_CS_ITU709 : SWS_CS_DEFAULT;
    const int *from = v->av->sws_getCoefficients(space), *to = v->av->sws_getCoefficients(SWS_CS_DEFAULT);
    (void)v->av->sws_setColorspaceDetails(v->scaler, from, v->frame->color_range == AVCOL_RANGE_JPEG, to, 1, 0, 1 << 16,
                                          1 << 16);
}

static icseg_status to_rgb(icseg_video *v, icseg_image *out, icseg_error *error) {
    const AVFrame *f = v->frame;
    ICSEG_TRY(check_size(v, f->width, f->height, error));
    v->scaler =
        v->av->sws_getCachedContext(v->scaler, f->width, f->height, (enum AVPixelFormat)f->format, v->width, v->height,
                                    AV_PIX_FMT_RGB24, SWS_BICUBIC | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!v->scaler)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: a pixel format that is not supported", v->path);
    set_colours(v);
    /* The scaler may write some bytes beyond the end of a row. */
    icseg_image padded;
    ICSEG_TRY(icseg_image_create(&padded, v->width, v->height + 1 + 64 / v->width, error));
    uint8_t *planes[4] = {padded.data};
    int strides[4] = {3 * v->width};
    int code = v->av->sws_scale(v->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides);
    padded.height = v->height;
    *out = padded;
    if (code >= 0) return ICSEG_OK;
    icseg_image_close(out);
    return icseg_av_fail(v->av, ICSEG_ERROR_FORMAT, v->path, "a frame cannot be converted", code, error);
}

/* Turns the image clockwise. */
static icseg_status turn(icseg_image *image, int turns, icseg_error *error) {
    icseg_image out;
    int32_t width = image->width, height = image->height;
    if (!turns) return ICSEG_OK;
    ICSEG_TRY(icseg_image_create(&out, turns % 2 ? height : width, turns % 2 ? width : height, error));
    for (int32_t y = 0; y < out.height; y++)
        for (int32_t x = 0; x < out.width; x++) {
            int32_t from_x = turns == 1 ? y : turns == 2 ? width - 1 - x : width - 1 - y;
            int32_t from_y = turns == 1 ? height - 1 - x : turns == 2 ? height - 1 - y : x;
            memcpy(out.data + 3 * ((size_t)y * (size_t)out.width + (size_t)x),
                   image->data + 3 * ((size_t)from_y * (size_t)width + (size_t)from_x), 3);
        }
    icseg_image_close(image);
    *image = out;
    return ICSEG_OK;
}

static double time_of(icseg_video *v) {
    const AVStream *stream = v->file->streams[v->stream];
    int64_t time = v->frame->best_effort_timestamp;
    if (!v->begun) v->first_time = time;
    v->begun = true;
    double rate = stream->avg_frame_rate.num > 0 && stream->avg_frame_rate.den > 0
                      ? (double)stream->avg_frame_rate.num / stream->avg_frame_rate.den
                      : 25;
    if (time == AV_NOPTS_VALUE || v->first_time == AV_NOPTS_VALUE || stream->time_base.den <= 0)
        return (double)v->index / rate;
    return ((double)time - (double)v->first_time) * stream->time_base.num / stream->time_base.den;
}

static icseg_status next(icseg_video *v, icseg_video_frame *frame, icseg_error *error) {
    ICSEG_TRY(v->camera ? decode_newest(v, error) : decode(v, &frame->end, error));
    frame->end |= v->index >= ICSEG_VIDEO_MAX_FRAMES;
    if (frame->end) return ICSEG_OK;
    frame->seconds = time_of(v);
    frame->index = v->index++;
    icseg_status status = to_rgb(v, &frame->image, error);
    v->av->av_frame_unref(v->frame);
    ICSEG_TRY(status);
    return turn(&frame->image, v->turns, error);
}

icseg_status icseg_video_next(icseg_video *video, icseg_video_frame *frame, icseg_error *error) {
    ICSEG_NEED(video);
    ICSEG_NEED(frame);
    icseg_video_frame own = {0};
    if (frame->struct_size >= FIRST_FRAME_SIZE) icseg_image_close(&frame->image);
    ICSEG_TRY(icseg_struct_write(frame, &own, sizeof *frame, FIRST_FRAME_SIZE, "icseg_video_frame", error));
    icseg_status status = next(video, &own, error);
    if (status != ICSEG_OK) {
        icseg_image_close(&own.image);
        return status;
    }
    return icseg_struct_write(frame, &own, sizeof *frame, FIRST_FRAME_SIZE, "icseg_video_frame", error);
}

void icseg_video_frame_close(icseg_video_frame *frame) {
    if (!frame || frame->struct_size < FIRST_FRAME_SIZE) return;
    icseg_image_close(&frame->image);
    icseg_struct_write(frame, &(icseg_video_frame){0}, sizeof *frame, FIRST_FRAME_SIZE, "icseg_video_frame", NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Writing a video file: H.264 if FFmpeg has an encoder for it and the format allows it, otherwise the format's own. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/argument.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/struct_size.h"
#include "base/text.h"
#include "icseg/video.h"
#include "video/av.h"

enum { FIRST_OPTIONS_SIZE = sizeof(icseg_video_writer_options), LEAST_SIDE = 16 };

enum { PADDING = 64 }; /* bytes */

struct icseg_video_writer {
    const icseg_av *av;
    char *path, *temporary; /* copies */
    AVFormatContext *file;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame;
    struct SwsContext *scaler;
    uint8_t *pixels;       /* a copy of the image with padding: swscale reads beyond the last pixel */
    int32_t width, height; /* of the images */
    double rate;           /* frames a second */
    int64_t next_time;     /* of the next frame at the earliest, in frames */
    bool begun, finished;
};

static icseg_status fail_code(const icseg_video_writer *w, const char *what, int code, icseg_error *error) {
    return icseg_av_fail(w->av, ICSEG_ERROR_IO, w->path, what, code, error);
}

/* ---- opening ---- */

static icseg_status check_options(const icseg_video_writer_options *o, icseg_error *error) {
    if (!o->path || !o->path[0])
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "path", ICSEG_REMEDY_SET_FIELD, "path: is not set");
    if (o->width < LEAST_SIDE || o->height < LEAST_SIDE || o->width > ICSEG_VIDEO_MAX_SIDE ||
        o->height > ICSEG_VIDEO_MAX_SIDE || (int64_t)o->width * o->height > ICSEG_VIDEO_MAX_PIXELS)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "width", ICSEG_REMEDY_SET_FIELD,
                                "%s: a video of %dx%d pixels; expected sides of %d..%d and at most %d pixels", o->path,
                                o->width, o->height, LEAST_SIDE, ICSEG_VIDEO_MAX_SIDE, ICSEG_VIDEO_MAX_PIXELS);
    if (!(o->rate >= 0.01 && o->rate <= 1000))
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "rate", ICSEG_REMEDY_SET_FIELD,
                                "rate: must be between 0.01 and 1000 frames a second");
    return icseg_file_check_writable(o->path, error);
}

static icseg_status open_codec(icseg_video_writer *w, const icseg_video_writer_options *o, icseg_error *error) {
    const AVCodec *encoder = w->av->avcodec_find_encoder(w->file->oformat->video_codec);
    if (!encoder) encoder = w->av->avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    if (!encoder) return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: FFmpeg has no encoder for it", w->path);
    w->codec = w->av->avcodec_alloc_context3(encoder);
    w->stream = w->av->avformat_new_stream(w->file, NULL);
    if (!w->codec || !w->stream) return icseg_fail_memory_in(error, 0, w->path);
    AVRational rate = w->av->av_d2q(o->rate, 65535); /* the largest denominator of MPEG-4 */
    w->rate = (double)rate.num / rate.den;
    w->codec->width = o->width & ~1;
    w->codec->height = o->height & ~1;
    w->codec->framerate = rate;
    w->codec->time_base = w->stream->time_base = (AVRational){rate.den, rate.num};
    w->codec->pix_fmt = encoder->id == AV_CODEC_ID_MJPEG ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    w->codec->bit_rate = (int64_t)o->width * o->height * 4; /* of encoders without a constant quality */
    if (w->file->oformat->flags & AVFMT_GLOBALHEADER) w->codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int code = w->av->avcodec_open2(w->codec, encoder, NULL);
    if (code >= 0) code = w->av->avcodec_parameters_from_context(w->stream->codecpar, w->codec);
    return code < 0 ? fail_code(w, "cannot be encoded", code, error) : ICSEG_OK;
}

static icseg_status open_frame(icseg_video_writer *w, icseg_error *error) {
    w->packet = w->av->av_packet_alloc();
    w->frame = w->av->av_frame_alloc();
    if (!w->packet || !w->frame) return icseg_fail_memory_in(error, 0, w->path);
    w->frame->format = w->codec->pix_fmt;
    w->frame->width = w->codec->width;
    w->frame->height = w->codec->height;
    w->scaler = w->av->sws_getCachedContext(NULL, w->codec->width, w->codec->height, AV_PIX_FMT_RGB24, w->codec->width,
                                            w->codec->height, w->codec->pix_fmt, SWS_BICUBIC, NULL, NULL, NULL);
    w->pixels = icseg_alloc((size_t)w->width * (size_t)w->height * 3 + PADDING);
    if (!w->scaler || !w->pixels || w->av->av_frame_get_buffer(w->frame, 0) < 0)
        return icseg_fail_memory_in(error, 0, w->path);
    return ICSEG_OK;
}

static icseg_status open_writer(icseg_video_writer *w, const icseg_video_writer_options *o, icseg_error *error) {
    icseg_string path = {0}, temporary = {0};
    ICSEG_TRY(icseg_av_load(&w->av, error));
    icseg_string_printf(&path, "%s", o->path);
    icseg_string_printf(&temporary, "%s.tmp.%ld", o->path, (long)getpid());
    w->path = path.data;
    w->temporary = temporary.data;
    if (path.failed || temporary.failed) return icseg_fail_memory_in(error, 0, o->path);
    const AVOutputFormat *format = w->av->av_guess_format(NULL, icseg_path_name(w->path), NULL);
    if (!format || format->video_codec == AV_CODEC_ID_NONE || (format->flags & AVFMT_NOFILE))
        return icseg_fail_field(error, ICSEG_ERROR_UNSUPPORTED, "path", ICSEG_REMEDY_SET_FIELD,
                                "%s: the extension is not that of a video format; use .mp4 or .mkv", w->path);
    int code = w->av->avformat_alloc_output_context2(&w->file, (AVOutputFormat *)(uintptr_t)format, NULL, w->temporary);
    if (code < 0) return fail_code(w, "cannot be written", code, error);
    w->width = o->width;
    w->height = o->height;
    ICSEG_TRY(open_codec(w, o, error));
    ICSEG_TRY(open_frame(w, error));
    icseg_string url = {0};
    icseg_string_printf(&url, "file:%s", w->temporary);
    code = url.failed ? AVERROR(ENOMEM) : w->av->avio_open(&w->file->pb, url.data, AVIO_FLAG_WRITE);
    icseg_string_close(&url);
    if (code >= 0) code = w->av->avformat_write_header(w->file, NULL);
    w->begun = code >= 0;
    return code < 0 ? fail_code(w, "cannot be written", code, error) : ICSEG_OK;
}

icseg_status icseg_video_writer_open(icseg_video_writer **out, const icseg_video_writer_options *options,
                                     icseg_error *error) {
    icseg_video_writer_options o;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    ICSEG_TRY(icseg_struct_read(&o, sizeof o, options, FIRST_OPTIONS_SIZE, "icseg_video_writer_options", error));
    ICSEG_TRY(check_options(&o, error));
    icseg_video_writer *w = icseg_calloc_array(1, sizeof *w);
    if (!w) return icseg_fail_memory_in(error, sizeof *w, o.path);
    icseg_status status = open_writer(w, &o, error);
    if (status == ICSEG_OK)
        *out = w;
    else
        icseg_video_writer_close(&w);
    return status;
}

/* ---- frames ---- */

/* NULL: the frames that the encoder still has. */
static icseg_status encode(icseg_video_writer *w, const AVFrame *frame, icseg_error *error) {
    int code = w->av->avcodec_send_frame(w->codec, frame);
    while (code >= 0 && (code = w->av->avcodec_receive_packet(w->codec, w->packet)) >= 0) {
        w->packet->duration = 1; /* otherwise the last frame of MP4 has none, and the rate seems higher */
        w->av->av_packet_rescale_ts(w->packet, w->codec->time_base, w->stream->time_base);
        w->packet->stream_index = w->stream->index;
        code = w->av->av_interleaved_write_frame(w->file, w->packet);
    }
    return code >= 0 || code == AVERROR(EAGAIN) || code == AVERROR_EOF ? ICSEG_OK
                                                                       : fail_code(w, "cannot write", code, error);
}

static icseg_status add(icseg_video_writer *w, const icseg_image *image, int64_t time, icseg_error *error) {
    if (!image->data || image->width != w->width || image->height != w->height)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: a frame of %dx%d pixels; the video has %dx%d", w->path,
                          image->width, image->height, w->width, w->height);
    if (w->finished) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: is already finished", w->path);
    if (w->av->av_frame_make_writable(w->frame) < 0) return icseg_fail_memory_in(error, 0, w->path);
    const uint8_t *planes[4] = {w->pixels};
    memcpy(w->pixels, image->data, (size_t)image->width * (size_t)image->height * 3);
    int strides[4] = {3 * image->width};
    w->av->sws_scale(w->scaler, planes, strides, 0, w->codec->height, w->frame->data, w->frame->linesize);
    w->frame->pts = time > w->next_time ? time : w->next_time;
    w->next_time = w->frame->pts + 1;
    return encode(w, w->frame, error);
}

icseg_status icseg_video_writer_add(icseg_video_writer *writer, const icseg_image *image, icseg_error *error) {
    ICSEG_NEED(writer);
    ICSEG_NEED(image);
    return add(writer, image, 0, error);
}

icseg_status icseg_video_writer_add_at(icseg_video_writer *writer, const icseg_image *image, double seconds,
                                       icseg_error *error) {
    enum { MOST_SECONDS = 1000000 };
    ICSEG_NEED(writer);
    ICSEG_NEED(image);
    if (!(seconds >= 0 && seconds <= MOST_SECONDS))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: a frame at %g seconds; expected 0..%d", writer->path,
                          seconds, MOST_SECONDS);
    return add(writer, image, llround(seconds * writer->rate), error);
}

icseg_status icseg_video_writer_finish(icseg_video_writer *writer, icseg_error *error) {
    ICSEG_NEED(writer);
    icseg_video_writer *w = writer;
    if (w->finished) return ICSEG_OK;
    if (!w->next_time) return icseg_fail(error, ICSEG_ERROR_DATA, "%s: a video without frames is not written", w->path);
    ICSEG_TRY(encode(w, NULL, error));
    int code = w->av->av_write_trailer(w->file);
    if (code >= 0) code = w->av->avio_closep(&w->file->pb);
    if (code < 0) return fail_code(w, "cannot write", code, error);
    if (rename(w->temporary, w->path) != 0)
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: cannot write: %s", w->path, strerror(errno));
    w->finished = true;
    return ICSEG_OK;
}

void icseg_video_writer_close(icseg_video_writer **writer) {
    if (!writer || !*writer) return;
    icseg_video_writer *w = *writer;
    if (w->file) {
        if (w->file->pb) w->av->avio_closep(&w->file->pb);
        w->av->avcodec_free_context(&w->codec);
        w->av->avformat_free_context(w->file);
        w->av->av_packet_free(&w->packet);
        w->av->av_frame_free(&w->frame);
        w->av->sws_freeContext(w->scaler);
        if (!w->finished) (void)unlink(w->temporary);
    }
    icseg_free(w->pixels);
    icseg_free(w->path);
    icseg_free(w->temporary);
    icseg_free(w);
    *writer = NULL;
}

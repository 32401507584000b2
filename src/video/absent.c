/* SPDX-License-Identifier: Apache-2.0
 * The functions of videos in a build without them (ICSEG_VIDEO=OFF). */
#include "base/argument.h"
#include "icseg/video.h"

static icseg_status absent(icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "this build of icseg does not read or write videos; build it with ICSEG_VIDEO=ON");
}

icseg_status icseg_video_open(icseg_video **out, const char *path, int32_t threads, icseg_error *error) {
    (void)threads;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    return absent(error);
}

icseg_status icseg_camera_open(icseg_video **out, const char *path, const icseg_camera_options *options,
                               icseg_error *error) {
    (void)options;
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(path);
    return absent(error);
}

icseg_status icseg_camera_counts_of(const icseg_video *video, icseg_camera_counts *out, icseg_error *error) {
    ICSEG_NEED(video);
    ICSEG_NEED(out);
    return absent(error);
}

void icseg_video_close(icseg_video **video) {
    if (video) *video = NULL;
}

icseg_status icseg_video_info_of(const icseg_video *video, icseg_video_info *out, icseg_error *error) {
    ICSEG_NEED(video);
    ICSEG_NEED(out);
    return absent(error);
}

icseg_status icseg_video_next(icseg_video *video, icseg_video_frame *frame, icseg_error *error) {
    ICSEG_NEED(video);
    ICSEG_NEED(frame);
    return absent(error);
}

void icseg_video_frame_close(icseg_video_frame *frame) { (void)frame; }

icseg_status icseg_video_writer_open(icseg_video_writer **out, const icseg_video_writer_options *options,
                                     icseg_error *error) {
    ICSEG_NEED(out);
    *out = NULL;
    ICSEG_NEED(options);
    return absent(error);
}

icseg_status icseg_video_writer_add(icseg_video_writer *writer, const icseg_image *image, icseg_error *error) {
    ICSEG_NEED(writer);
    ICSEG_NEED(image);
    return absent(error);
}

icseg_status icseg_video_writer_add_at(icseg_video_writer *writer, const icseg_image *image, double seconds,
                                       icseg_error *error) {
    (void)seconds;
    return icseg_video_writer_add(writer, image, error);
}

icseg_status icseg_video_writer_finish(icseg_video_writer *writer, icseg_error *error) {
    ICSEG_NEED(writer);
    return absent(error);
}

void icseg_video_writer_close(icseg_video_writer **writer) {
    if (writer) *writer = NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Calls of video.h. FFmpeg's own allocations do not fail here. */
#include "allocation/allocation.h"

icseg_status call_icseg_video_open(icseg_error *error) {
    icseg_video *out = BAD;
    icseg_status status = icseg_video_open(&out, alloc_path("none.mp4"), 1, error);
    assert_null(out);
    return status == ICSEG_ERROR_IO || status == ICSEG_ERROR_UNSUPPORTED ? ICSEG_OK : status;
}
icseg_status call_icseg_camera_open(icseg_error *error) {
    icseg_video *out = BAD;
    icseg_status status = icseg_camera_open(&out, alloc_path("none"), NULL, error);
    assert_null(out);
    return status == ICSEG_ERROR_IO || status == ICSEG_ERROR_UNSUPPORTED ? ICSEG_OK : status;
}
icseg_status call_icseg_camera_counts_of(icseg_error *error) {
    icseg_camera_counts out = {ICSEG_CAMERA_COUNTS_INIT};
    (void)icseg_camera_counts_of(NULL, &out, error);
    return ICSEG_OK;
}
CLOSES(icseg_video_close)
icseg_status call_icseg_video_info_of(icseg_error *error) {
    icseg_video_info out = {ICSEG_VIDEO_INFO_INIT};
    (void)icseg_video_info_of(NULL, &out, error);
    return ICSEG_OK;
}
icseg_status call_icseg_video_next(icseg_error *error) {
    icseg_video_frame out = {ICSEG_VIDEO_FRAME_INIT};
    (void)icseg_video_next(NULL, &out, error);
    return ICSEG_OK;
}
CLOSES(icseg_video_frame_close)
icseg_status call_icseg_video_writer_open(icseg_error *error) {
    icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = alloc_path("video.avi"), .width = 16,
                                    .height = 16, .rate = 1};
    icseg_video_writer *out = BAD;
    icseg_status status = icseg_video_writer_open(&out, &o, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_video_writer_close(&out);
    return status == ICSEG_ERROR_UNSUPPORTED ? ICSEG_OK : status;
}
icseg_status call_icseg_video_writer_add(icseg_error *error) {
    (void)icseg_video_writer_add(NULL, NULL, error);
    return ICSEG_OK;
}
icseg_status call_icseg_video_writer_add_at(icseg_error *error) {
    (void)icseg_video_writer_add_at(NULL, NULL, 0, error);
    return ICSEG_OK;
}
icseg_status call_icseg_video_writer_finish(icseg_error *error) {
    (void)icseg_video_writer_finish(NULL, error);
    return ICSEG_OK;
}
CLOSES(icseg_video_writer_close)

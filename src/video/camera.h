/* SPDX-License-Identifier: Apache-2.0
 * Cameras. They deliver frames at their own pace, and their driver keeps the oldest when nobody takes them. So a thread
 * takes each frame as it arrives and keeps the newest, which is what a slow caller wants. */
#ifndef ICSEG_VIDEO_CAMERA_H
#define ICSEG_VIDEO_CAMERA_H

#include "icseg/video.h"
#include "video/av.h"

typedef struct icseg_camera icseg_camera;

/* Opens the device: *file, which the caller closes after the camera. */
icseg_status icseg_camera_open_device(AVFormatContext **file, const icseg_av *av, const char *path,
                                      const icseg_camera_options *options, icseg_error *error);

/* What the thread uses; all of it must stay valid. */
typedef struct icseg_camera_source {
    const icseg_av *av;
    AVFormatContext *file;
    const char *path;
    bool (*cancelled)(void *user); /* as in icseg_camera_options */
    void *user;
} icseg_camera_source;

/* Starts the thread. ICSEG_ERROR_UNSUPPORTED if frames of `codec` depend on earlier ones. */
icseg_status icseg_camera_start(icseg_camera **out, icseg_camera_source source, enum AVCodecID codec,
                                icseg_error *error);
/* Ends the thread. Accepts NULL. */
void icseg_camera_stop(icseg_camera **camera);

/* Waits for a frame that was not taken yet and moves the newest to *packet. *index counts the frames that arrived since
 * the first one that was taken. ICSEG_ERROR_IO when the camera is disconnected or delivers nothing for some
 * seconds, ICSEG_ERROR_CANCELLED. */
icseg_status icseg_camera_take(icseg_camera *camera, AVPacket *packet, int64_t *index, icseg_error *error);

/* The packet that was taken last cannot be decoded: counts it as damaged. */
void icseg_camera_take_failed(icseg_camera *camera);

/* Since the first frame that was taken. */
void icseg_camera_count(icseg_camera *camera, int64_t *dropped, int64_t *damaged);

#endif

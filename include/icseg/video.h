/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Videos and cameras as sequences of images, and writing a video, through FFmpeg's libraries.
 *
 * A build with ICSEG_VIDEO=OFF has these functions, which then return ICSEG_ERROR_UNSUPPORTED. The libraries are loaded
 * when the first video is opened, and their messages are switched off for the whole process. Each object must be used
 * by one thread at a time. */
#ifndef ICSEG_VIDEO_H
#define ICSEG_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Limits. */
enum {
    ICSEG_VIDEO_MAX_SIDE = 16384,      /**< the largest width and height, in pixels */
    ICSEG_VIDEO_MAX_PIXELS = 1 << 26,  /**< the largest number of pixels of a frame */
    ICSEG_VIDEO_MAX_FRAMES = 100000000 /**< the largest number of frames that one reader returns */
};

/** A video file or a camera that is open for reading. */
typedef struct icseg_video icseg_video;

/** Facts of a video. */
typedef struct icseg_video_info {
    size_t struct_size; /**< ICSEG_VIDEO_INFO_INIT */
    int32_t width;      /**< of all frames, in pixels, upright */
    int32_t height;     /**< in pixels, upright */
    double rate;        /**< frames a second, on average; 0: unknown */
    int64_t frames;     /**< the number of frames according to the file, which may be wrong; 0: unknown */
    char codec[32];     /**< the name of the codec: "h264" */
} icseg_video_info;

/** Initialises an icseg_video_info. */
#define ICSEG_VIDEO_INFO_INIT ICSEG_INIT(icseg_video_info)

/** One frame, as icseg_video_next() fills it. */
typedef struct icseg_video_frame {
    size_t struct_size; /**< ICSEG_VIDEO_FRAME_INIT */
    bool end;           /**< the video has ended, and `image` is empty */
    int64_t index;      /**< of this frame, from 0; the numbers of frames that a camera lost are missing */
    double seconds;     /**< time since the first frame according to the file; that of the frame rate if it has none */
    icseg_image image;  /**< owned by the frame; valid until the next call */
} icseg_video_frame;

/** Initialises an icseg_video_frame. */
#define ICSEG_VIDEO_FRAME_INIT ICSEG_INIT(icseg_video_frame)

/** Opens the first video stream of a file, or a camera (a device such as /dev/video0). Only local files are read: no
 * addresses, and no formats that name other files, such as playlists.
 *
 * @param out     close it with icseg_video_close(); NULL on failure
 * @param path    a video file or a device
 * @param threads of the decoder; 0: one for each core
 * @param error   may be NULL; names the file
 * @return ICSEG_ERROR_IO, ICSEG_ERROR_FORMAT for a file that is damaged, too large or not a video,
 *         ICSEG_ERROR_UNSUPPORTED for an unknown codec and in a build without videos, ICSEG_ERROR_MEMORY */
ICSEG_API icseg_status icseg_video_open(icseg_video **out, const char *path, int32_t threads, icseg_error *error);

/** How a camera is opened. */
typedef struct icseg_camera_options {
    size_t struct_size; /**< ICSEG_CAMERA_OPTIONS_INIT */
    int32_t width;  /**< of frames, in pixels; a camera that does not have this size takes another. 0: as it is set */
    int32_t height; /**< in pixels; 0 if width is 0 */
    double rate;    /**< frames a second, at most 1000; the camera takes the nearest that it has. 0: as it is set */
    bool (*cancelled)(void *user); /**< icseg_video_next() asks this several times a second while no frame arrives; true
                                        ends it with ICSEG_ERROR_CANCELLED. NULL: never */
    void *user;                    /**< passed to cancelled() */
} icseg_camera_options;

/** Initialises an icseg_camera_options. */
#define ICSEG_CAMERA_OPTIONS_INIT ICSEG_INIT(icseg_camera_options)

/** Opens a camera with a size and a rate. icseg_video_info_of() has those that it took.
 *
 * @param out     close it with icseg_video_close(); NULL on failure
 * @param path    a device, such as /dev/video0
 * @param options may be NULL: as the camera is set, as icseg_video_open() does
 * @param error   may be NULL; names the device
 * @return ICSEG_ERROR_ARGUMENT for wrong options and for a file, ICSEG_ERROR_IO for a camera that another program uses
 *         or that this user may not read, ICSEG_ERROR_FORMAT for a device that is not a camera,
 *         ICSEG_ERROR_UNSUPPORTED, ICSEG_ERROR_MEMORY */
ICSEG_API icseg_status icseg_camera_open(icseg_video **out, const char *path, const icseg_camera_options *options,
                                         icseg_error *error);

/** Frames of a camera that icseg_video_next() did not return, since the first one that it returned. */
typedef struct icseg_camera_counts {
    size_t struct_size; /**< ICSEG_CAMERA_COUNTS_INIT */
    bool is_camera;     /**< false for a file, which loses no frames */
    int64_t dropped;    /**< a newer one arrived before the caller asked for it */
    int64_t damaged;    /**< cannot be decoded */
} icseg_camera_counts;

/** Initialises an icseg_camera_counts. */
#define ICSEG_CAMERA_COUNTS_INIT ICSEG_INIT(icseg_camera_counts)

/** Fills *out.
 * @param video an open video
 * @param out   its struct_size must be set
 * @param error may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_camera_counts_of(const icseg_video *video, icseg_camera_counts *out, icseg_error *error);

/** Closes the video and sets the pointer to NULL. Accepts NULL. */
ICSEG_API void icseg_video_close(icseg_video **video);

/** Fills *out.
 * @param video an open video
 * @param out   its struct_size must be set
 * @param error may be NULL
 * @return ICSEG_ERROR_ARGUMENT for NULL or a wrong struct_size */
ICSEG_API icseg_status icseg_video_info_of(const icseg_video *video, icseg_video_info *out, icseg_error *error);

/** Decodes the next frame. Frames of another size are scaled to that of the first, and the rotation that the file asks
 * for is applied. Of a file that is cut short, the complete frames are returned.
 *
 * Of a camera, this is the newest frame that was not returned yet; the call waits for one. A thread of the library
 * takes the frames of the camera as they arrive, and drops those that the caller is too slow for: what the caller works
 * on is never older than its last call. Damaged frames are left out. icseg_camera_counts_of() counts both.
 *
 * @param video an open video
 * @param frame receives the frame; its struct_size must be set. Free it with icseg_video_frame_close()
 * @param error may be NULL
 * @return ICSEG_ERROR_FORMAT for damaged data, ICSEG_ERROR_IO, also when a camera is disconnected or delivers no frame
 * for ten seconds, ICSEG_ERROR_CANCELLED, ICSEG_ERROR_MEMORY; the frame is then empty */
ICSEG_API icseg_status icseg_video_next(icseg_video *video, icseg_video_frame *frame, icseg_error *error);

/** Frees the image and clears all fields but struct_size. Accepts NULL. */
ICSEG_API void icseg_video_frame_close(icseg_video_frame *frame);

/** A video file that is being written. */
typedef struct icseg_video_writer icseg_video_writer;

/** The video to write. All fields are required. */
typedef struct icseg_video_writer_options {
    size_t struct_size; /**< ICSEG_VIDEO_WRITER_OPTIONS_INIT */
    const char *path;   /**< the extension chooses the format: .mp4, .mkv, .avi, .mov and others */
    int32_t width;      /**< of all frames, in pixels, at least 16; an odd width or height loses its last column or
                             row, which most codecs cannot store */
    int32_t height;     /**< in pixels, at least 16 */
    double rate;        /**< frames a second, 0.01..1000 */
} icseg_video_writer_options;

/** Initialises an icseg_video_writer_options. */
#define ICSEG_VIDEO_WRITER_OPTIONS_INIT ICSEG_INIT(icseg_video_writer_options)

/** Begins a video file. It is written under another name and renamed when it is complete.
 * @param out     close it with icseg_video_writer_close(); NULL on failure
 * @param options required
 * @param error   may be NULL
 * @return ICSEG_ERROR_ARGUMENT, ICSEG_ERROR_IO, ICSEG_ERROR_UNSUPPORTED for an unknown extension and in a build without
 *         videos, ICSEG_ERROR_MEMORY */
ICSEG_API icseg_status icseg_video_writer_open(icseg_video_writer **out, const icseg_video_writer_options *options,
                                               icseg_error *error);

/** Appends a frame.
 * @param writer an open writer
 * @param image  of the size of the video
 * @param error  may be NULL
 * @return ICSEG_ERROR_ARGUMENT for another size, ICSEG_ERROR_IO, ICSEG_ERROR_MEMORY */
ICSEG_API icseg_status icseg_video_writer_add(icseg_video_writer *writer, const icseg_image *image, icseg_error *error);

/** Appends a frame that is shown from a certain time on, for instance that of a camera which loses frames. The frame
 * before it is shown until then. The time is rounded to a multiple of 1 / rate, and is at least that of the frame
 * before plus 1 / rate.
 * @param writer  an open writer
 * @param image   of the size of the video
 * @param seconds since the start of the video, 0..1e6
 * @param error   may be NULL
 * @return ICSEG_ERROR_ARGUMENT for another size or a wrong time, ICSEG_ERROR_IO, ICSEG_ERROR_MEMORY */
ICSEG_API icseg_status icseg_video_writer_add_at(icseg_video_writer *writer, const icseg_image *image, double seconds,
                                                 icseg_error *error);

/** Completes the file: an existing file is replaced. The writer must still be closed.
 * @param writer an open writer
 * @param error  may be NULL
 * @return ICSEG_ERROR_DATA if no frame was added, ICSEG_ERROR_IO, ICSEG_ERROR_MEMORY */
ICSEG_API icseg_status icseg_video_writer_finish(icseg_video_writer *writer, icseg_error *error);

/** Closes the writer, removes the file unless it was finished, and sets the pointer to NULL. Accepts NULL. */
ICSEG_API void icseg_video_writer_close(icseg_video_writer **writer);

#ifdef __cplusplus
}
#endif
#endif

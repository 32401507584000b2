/* SPDX-License-Identifier: Apache-2.0
 * A library for LD_PRELOAD that emulates a camera with the V4L2 interface, /dev/video99. For tests/cli/cases/video.sh:
 * a test machine has no camera.
 *
 *   CAMERA_FRAMES=N   the camera is unplugged after N frames (ENODEV); without it, it never is
 *   CAMERA_STEP=DIR   frame k arrives when DIR has a label map of frame k - 1, DIR/frame_00000k-1.png
 *   CAMERA_BURST=N    with CAMERA_STEP: the frames from number N on all arrive with frame N
 *   CAMERA_DAMAGED=K  frame K is marked as damaged (V4L2_BUF_FLAG_ERROR)
 *   CAMERA_BUSY=1     another program uses the camera (EBUSY)
 *   CAMERA_KIND=KIND  jpeg: it offers MJPEG only, and CAMERA_JPEG=FILE is each frame; h264: it offers H.264 only;
 *                     odd: a format that FFmpeg does not read;
 *                     metadata: the second device of many cameras, which captures no images; closed: may not be opened
 *
 * Frames have 64x48 pixels, or 128x96 if that is asked for, and 30 a second, or 15. Frame k is white in its first
 * 4 (k + 1) columns and black elsewhere; from frame 3 on, U is 128 + 8 (k - 2) and V is 128 - 8 (k - 2). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))
enum { BUFFERS = 4, BUFFER_SIZE = 1 << 16, FIRST_SECOND = 1000 };
static const char device[] = "/dev/video99";

/* The open camera. One thread reads it, and others give buffers back. */
static int camera = -1;
static uint8_t *memory;
static bool waits;
static atomic_bool queued[BUFFERS];
static int width = 64, height = 48, rate = 30, next_frame, next_buffer;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static bool is_kind(const char *kind) { return !strcmp(setting("CAMERA_KIND"), kind); }

static uint32_t pixel_format(void) {
    return is_kind("jpeg")   ? V4L2_PIX_FMT_MJPEG
           : is_kind("h264") ? V4L2_PIX_FMT_H264
           : is_kind("odd")  ? V4L2_PIX_FMT_PAC207
                             : V4L2_PIX_FMT_YUYV;
}

/* ---- opening ---- */

static int open_camera(int flags) {
    if (is_kind("closed")) {
        errno = EACCES;
        return -1;
    }
    camera = (int)syscall(SYS_memfd_create, "camera", 0);
    if (camera < 0 || ftruncate(camera, BUFFERS * BUFFER_SIZE) != 0) return -1;
    memory = mmap(NULL, BUFFERS * BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, camera, 0);
    waits = !(flags & O_NONBLOCK);
    return camera;
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return !strcmp(path, device) ? open_camera(flags) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open(path, flags, mode);
}

/* glibc declares these only with optimisation. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __open_2(const char *path, int flags) { return open(path, flags); }
int __open64_2(const char *path, int flags) { return open(path, flags); }

int close(int fd) {
    if (fd >= 0 && fd == camera) {
        camera = -1;
        munmap(memory, BUFFERS * BUFFER_SIZE);
    }
    return (int)syscall(SYS_close, fd);
}

/* It exists, as a device. */
int stat(const char *restrict path, struct stat *restrict out) {
    return NEXT(stat)(!strcmp(path, device) ? "/dev/null" : path, out);
}

int access(const char *path, int mode) { return NEXT(access)(!strcmp(path, device) ? "/dev/null" : path, mode); }

/* ---- frames ---- */

static size_t write_yuyv(uint8_t *out, int frame) {
    int shift = frame > 2 ? 8 * (frame - 2) : 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *at = out + 2 * (y * width + x);
            at[0] = x < 4 * (frame + 1) ? 235 : 16;
            at[1] = (uint8_t)(x % 2 ? 128 - shift : 128 + shift);
        }
    return (size_t)(2 * width * height);
}

static size_t write_jpeg(uint8_t *out) {
    FILE *file = fopen(setting("CAMERA_JPEG"), "rb");
    size_t size = file ? fread(out, 1, BUFFER_SIZE, file) : 0;
    if (file) (void)fclose(file);
    return size;
}

static bool has_arrived(int frame) {
    const char *folder = setting("CAMERA_STEP"), *burst = setting("CAMERA_BURST");
    char path[4096];
    if (*burst && frame > atoi(burst)) return true;
    snprintf(path, sizeof path, "%s/frame_%06d.png", folder, frame - 1);
    return !*folder || frame == 0 || NEXT(access)(path, F_OK) == 0;
}

static int take_buffer(struct v4l2_buffer *buffer) {
    const char *frames = setting("CAMERA_FRAMES"), *damaged = setting("CAMERA_DAMAGED");
    if (*frames && next_frame >= atoi(frames)) {
        errno = ENODEV;
        return -1;
    }
    while (!has_arrived(next_frame)) {
        if (!waits) {
            errno = EAGAIN;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    for (int i = 0; i < BUFFERS; i++, next_buffer = (next_buffer + 1) % BUFFERS)
        if (queued[next_buffer]) break;
    if (!queued[next_buffer]) {
        errno = EAGAIN;
        return -1;
    }
    uint8_t *out = memory + (ptrdiff_t)next_buffer * BUFFER_SIZE;
    queued[next_buffer] = false;
    buffer->index = (uint32_t)next_buffer;
    buffer->bytesused = (uint32_t)(is_kind("jpeg") ? write_jpeg(out) : write_yuyv(out, next_frame));
    buffer->flags = *damaged && atoi(damaged) == next_frame ? V4L2_BUF_FLAG_ERROR : 0;
    buffer->sequence = (uint32_t)next_frame;
    int64_t microseconds = (int64_t)next_frame * 1000000 / rate;
    buffer->timestamp.tv_sec = FIRST_SECOND + microseconds / 1000000;
    buffer->timestamp.tv_usec = microseconds % 1000000;
    next_frame++;
    return 0;
}

/* ---- the calls of V4L2 ---- */

static int fail(int code) {
    errno = code;
    return -1;
}

static int describe(struct v4l2_capability *out) {
    uint32_t kind = is_kind("metadata") ? V4L2_CAP_META_CAPTURE : V4L2_CAP_VIDEO_CAPTURE;
    *out = (struct v4l2_capability){.driver = "emulated", .card = "Emulated camera", .bus_info = "test"};
    out->capabilities = out->device_caps = kind | V4L2_CAP_STREAMING;
    return 0;
}

/* A driver changes what it does not support to what is nearest. */
static int set_format(struct v4l2_pix_format *pixels) {
    width = pixels->width > 64 ? 128 : 64;
    height = width / 4 * 3;
    return 0;
}

static int get_format(struct v4l2_format *format) {
    format->fmt.pix.width = (uint32_t)width;
    format->fmt.pix.height = (uint32_t)height;
    format->fmt.pix.pixelformat = pixel_format();
    format->fmt.pix.field = V4L2_FIELD_NONE;
    format->fmt.pix.bytesperline = (uint32_t)(2 * width);
    format->fmt.pix.sizeimage = (uint32_t)(2 * width * height);
    return 0;
}

static int get_rate(struct v4l2_streamparm *parameters) {
    parameters->parm.capture = (struct v4l2_captureparm){
        .capability = V4L2_CAP_TIMEPERFRAME, .timeperframe = {.numerator = 1, .denominator = (uint32_t)rate}};
    return 0;
}

static int set_rate(struct v4l2_streamparm *parameters) {
    const struct v4l2_fract *time = &parameters->parm.capture.timeperframe;
    rate = time->numerator && time->denominator / time->numerator <= 15 ? 15 : 30;
    return get_rate(parameters);
}

static int query_buffer(struct v4l2_buffer *buffer) {
    if (buffer->index >= BUFFERS) return fail(EINVAL);
    buffer->length = BUFFER_SIZE;
    buffer->m.offset = buffer->index * BUFFER_SIZE;
    return 0;
}

static int queue_buffer(const struct v4l2_buffer *buffer) {
    if (buffer->index >= BUFFERS) return fail(EINVAL);
    queued[buffer->index] = true;
    return 0;
}

static int control(unsigned long request, void *argument) {
    struct v4l2_format *format = argument;
    switch (request) {
    case VIDIOC_QUERYCAP: return describe(argument);
    case VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
    case VIDIOC_S_INPUT: return *(int *)argument ? fail(EINVAL) : 0;
    case VIDIOC_ENUMINPUT: return ((struct v4l2_input *)argument)->index ? fail(EINVAL) : 0;
    case VIDIOC_G_FMT: return get_format(format);
    case VIDIOC_S_FMT:
        if (*setting("CAMERA_BUSY")) return fail(EBUSY);
        set_format(&format->fmt.pix);
        return get_format(format);
    case VIDIOC_G_PARM: return get_rate(argument);
    case VIDIOC_S_PARM: return set_rate(argument);
    case VIDIOC_REQBUFS: ((struct v4l2_requestbuffers *)argument)->count = BUFFERS; return 0;
    case VIDIOC_QUERYBUF: return query_buffer(argument);
    case VIDIOC_QBUF: return queue_buffer(argument);
    case VIDIOC_DQBUF: return take_buffer(argument);
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF: return 0;
    default: return fail(ENOTTY); /* as a driver says of calls that it does not know */
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list args;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (fd >= 0 && fd == camera) return control((unsigned int)request, argument);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

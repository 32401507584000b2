/* SPDX-License-Identifier: Apache-2.0
 * Cameras of the V4L2 interface, through libavdevice. */
#include "video/camera.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "base/signals.h"

enum {
    WAIT_SECONDS = 10,
    WAITS_A_SECOND = 20,      /* without a frame */
    PAUSE_MICROSECONDS = 2000 /* between two looks for a frame; a camera needs several times as long for one */
};

struct icseg_camera {
    icseg_camera_source source; /* its file is used by the thread alone */
    AVPacket *incoming;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    AVPacket *newest;
    bool full;                         /* `newest` was not taken yet */
    bool taken;                        /* a frame was taken before */
    int code;                          /* of the error that ended the thread; 0: none */
    int64_t number, first;             /* of the newest frame, and of the first that was taken, among `arrived` */
    int64_t arrived, dropped, damaged; /* frames */
};

/* ---- opening ---- */

static icseg_status fail_to_open(const icseg_av *av, const char *path, const icseg_camera_options *o, int code,
                                 icseg_error *error) {
    switch (code) {
    case AVERROR(EBUSY):
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: another program uses the camera; close that program", path);
    case AVERROR(EACCES):
        return icseg_fail(error, ICSEG_ERROR_IO,
                          "%s: may not be read by this user; on most systems the group \"video\" may", path);
    case AVERROR(ENODEV):
        return icseg_fail(
            error, ICSEG_ERROR_FORMAT,
            "%s: this device does not capture video; many cameras have a second device for other data, so "
            "try the one before it",
            path);
    case AVERROR(ENOTTY):
    case AVERROR(ENXIO):
        return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a camera; expected a device of V4L2, such as /dev/video0",
                          path);
    case AVERROR(EINVAL):
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: FFmpeg reads none of the pixel formats that the camera offers%s", path,
                          o->rate > 0 ? ", or the camera refuses the rate" : "");
    default: return icseg_av_fail(av, ICSEG_ERROR_IO, path, "cannot be opened as a camera", code, error);
    }
}

static int set_options(const icseg_av *av, const icseg_camera_options *o, AVDictionary **out) {
    char size[32], rate[32];
    int code = av->av_dict_set(out, "format_whitelist", "video4linux2,v4l2", 0);
    snprintf(size, sizeof size, "%dx%d", o->width, o->height);
    snprintf(rate, sizeof rate, "%.6f", o->rate);
    if (code >= 0 && o->width) code = av->av_dict_set(out, "video_size", size, 0);
    if (code >= 0 && o->rate > 0) code = av->av_dict_set(out, "framerate", rate, 0);
    return code;
}

icseg_status icseg_camera_open_device(AVFormatContext **file, const icseg_av *av, const char *path,
                                      const icseg_camera_options *options, icseg_error *error) {
    ICSEG_TRY(icseg_av_load_devices(error));
    const AVInputFormat *format = av->av_find_input_format("video4linux2");
    if (!format)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: the installed libavdevice does not read cameras", path);
    AVDictionary *set = NULL;
    *file = av->avformat_alloc_context();
    int code = *file ? set_options(av, options, &set) : AVERROR(ENOMEM);
    if (code >= 0) {
        (*file)->flags |= AVFMT_FLAG_NONBLOCK; /* so that the thread can end while no frame arrives */
        code = av->avformat_open_input(file, path, (AVInputFormat *)(uintptr_t)format, &set); /* frees it on failure */
    }
    av->av_dict_free(&set);
    return code < 0 ? fail_to_open(av, path, options, code, error) : ICSEG_OK;
}

/* ---- the thread ---- */

static void pause_shortly(void) { nanosleep(&(struct timespec){.tv_nsec = PAUSE_MICROSECONDS * 1000L}, NULL); }

/* An empty packet is a frame that the driver marked as damaged. */
static void keep(icseg_camera *c, AVPacket *packet) {
    c->arrived++;
    if (packet->size <= 0) {
        c->damaged++;
        return;
    }
    if (c->full) c->dropped++;
    c->source.av->av_packet_unref(c->newest);
    c->source.av->av_packet_move_ref(c->newest, packet);
    c->number = c->arrived - 1;
    c->full = true;
}

static void *receive(void *user) {
    icseg_camera *c = user;
    while (!atomic_load(&c->stop) && !c->code) {
        int code = c->source.av->av_read_frame(c->source.file, c->incoming);
        if (code == AVERROR(EAGAIN)) {
            pause_shortly();
            continue;
        }
        pthread_mutex_lock(&c->lock);
        if (code < 0)
            c->code = code;
        else
            keep(c, c->incoming);
        pthread_cond_signal(&c->changed);
        pthread_mutex_unlock(&c->lock);
        c->source.av->av_packet_unref(c->incoming);
    }
    return NULL;
}

static bool init_lock(icseg_camera *c) {
    pthread_condattr_t clock;
    if (pthread_mutex_init(&c->lock, NULL) != 0) return false;
    bool done = pthread_condattr_init(&clock) == 0;
    if (done) {
        done = pthread_condattr_setclock(&clock, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&c->changed, &clock) == 0;
        pthread_condattr_destroy(&clock);
    }
    if (!done) pthread_mutex_destroy(&c->lock);
    return done;
}

static void free_camera(icseg_camera *c) {
    c->source.av->av_packet_free(&c->incoming);
    c->source.av->av_packet_free(&c->newest);
    icseg_free(c);
}

icseg_status icseg_camera_start(icseg_camera **out, icseg_camera_source source, enum AVCodecID codec,
                                icseg_error *error) {
    const AVCodecDescriptor *kind = source.av->avcodec_descriptor_get(codec);
    if (!kind || !(kind->props & AV_CODEC_PROP_INTRA_ONLY))
        return icseg_fail(
            error, ICSEG_ERROR_UNSUPPORTED,
            "%s: the camera only delivers %s, whose frames depend on each other; record a file with another "
            "program and label that",
            source.path, source.av->avcodec_get_name(codec));
    icseg_camera *c = icseg_calloc_array(1, sizeof *c);
    if (!c) return icseg_fail_memory_in(error, sizeof *c, source.path);
    c->source = source;
    c->incoming = source.av->av_packet_alloc();
    c->newest = source.av->av_packet_alloc();
    bool locks = c->incoming && c->newest && init_lock(c);
    if (!locks || icseg_signals_start_thread(&c->thread, receive, c) != 0) {
        if (locks) {
            pthread_cond_destroy(&c->changed);
            pthread_mutex_destroy(&c->lock);
        }
        free_camera(c);
        return icseg_fail_memory_in(error, 0, source.path);
    }
    *out = c;
    return ICSEG_OK;
}

void icseg_camera_stop(icseg_camera **camera) {
    icseg_camera *c = *camera;
    if (!c) return;
    atomic_store(&c->stop, true);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free_camera(c);
    *camera = NULL;
}

/* ---- the caller ---- */

static icseg_status fail_to_read(const icseg_camera *c, int code, icseg_error *error) {
    if (!code)
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: the camera has delivered no intact frame for %d seconds",
                          c->source.path, WAIT_SECONDS);
    if (code == AVERROR(ENODEV) || code == AVERROR(EIO))
        return icseg_fail(error, ICSEG_ERROR_IO, "%s: the camera was disconnected", c->source.path);
    return icseg_av_fail(c->source.av, ICSEG_ERROR_IO, c->source.path, "the camera cannot be read", code, error);
}

/* Waits, with the lock, until there is a frame or an error, or for WAIT_SECONDS. True: the caller cancels. */
static bool wait_for_frame(icseg_camera *c) {
    struct timespec end;
    bool cancelled = false;
    clock_gettime(CLOCK_MONOTONIC, &end);
    for (int i = 0; i < WAIT_SECONDS * WAITS_A_SECOND && !c->full && !c->code && !cancelled; i++) {
        end.tv_nsec += 1000000000 / WAITS_A_SECOND;
        end.tv_sec += end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
        int waited = 0;
        while (!c->full && !c->code && !waited) waited = pthread_cond_timedwait(&c->changed, &c->lock, &end);
        cancelled = waited && c->source.cancelled && c->source.cancelled(c->source.user);
    }
    return cancelled;
}

icseg_status icseg_camera_take(icseg_camera *c, AVPacket *packet, int64_t *index, icseg_error *error) {
    pthread_mutex_lock(&c->lock);
    bool cancelled = wait_for_frame(c);
    bool full = c->full;
    int code = c->code;
    if (full) {
        if (!c->taken) { /* what arrived while the caller did not want frames yet does not count */
            c->first = c->number;
            c->dropped = 0;
            c->damaged = c->arrived - 1 - c->number;
        }
        c->taken = true;
        c->full = false;
        c->source.av->av_packet_move_ref(packet, c->newest);
        *index = c->number - c->first;
    }
    pthread_mutex_unlock(&c->lock);
    if (cancelled && !full) return icseg_fail(error, ICSEG_ERROR_CANCELLED, "%s: cancelled", c->source.path);
    return full ? ICSEG_OK : fail_to_read(c, code, error);
}

void icseg_camera_take_failed(icseg_camera *c) {
    pthread_mutex_lock(&c->lock);
    c->damaged++;
    pthread_mutex_unlock(&c->lock);
}

void icseg_camera_count(icseg_camera *c, int64_t *dropped, int64_t *damaged) {
    pthread_mutex_lock(&c->lock);
    *dropped = c->taken ? c->dropped : 0;
    *damaged = c->taken ? c->damaged : 0;
    pthread_mutex_unlock(&c->lock);
}

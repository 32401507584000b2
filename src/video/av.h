/* SPDX-License-Identifier: Apache-2.0
 * The functions of FFmpeg's libraries that are used, called as av.NAME. They are loaded when they are first needed,
 * because linking them would make every program that uses libicseg load a hundred further libraries at its start. */
#ifndef ICSEG_VIDEO_AV_H
#define ICSEG_VIDEO_AV_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "base/error.h"

/* clang-format off */
#define ICSEG_AV_FUNCTIONS(UTIL, CODEC, FORMAT, SCALE) \
    UTIL(av_dict_set) UTIL(av_dict_free) UTIL(av_frame_alloc) UTIL(av_frame_free) UTIL(av_frame_unref) \
    UTIL(av_frame_get_buffer) UTIL(av_frame_make_writable) UTIL(av_log_set_level) UTIL(av_strerror) \
    UTIL(av_display_rotation_get) UTIL(av_d2q) CODEC(av_packet_alloc) CODEC(av_packet_free) CODEC(av_packet_unref) \
    CODEC(av_packet_move_ref) CODEC(avcodec_descriptor_get) CODEC(av_packet_rescale_ts) \
    CODEC(avcodec_find_decoder) CODEC(avcodec_find_encoder) CODEC(avcodec_alloc_context3) \
    CODEC(avcodec_free_context) CODEC(avcodec_parameters_to_context) CODEC(avcodec_parameters_from_context) \
    CODEC(avcodec_open2) CODEC(avcodec_send_packet) CODEC(avcodec_receive_frame) CODEC(avcodec_send_frame) \
    CODEC(avcodec_receive_packet) CODEC(avcodec_get_name) FORMAT(avformat_alloc_context) \
    FORMAT(avformat_open_input) FORMAT(avformat_close_input) FORMAT(avformat_find_stream_info) \
    FORMAT(av_find_best_stream) FORMAT(av_read_frame) FORMAT(av_find_input_format) \
    FORMAT(avformat_alloc_output_context2) FORMAT(avformat_free_context) FORMAT(avformat_new_stream) \
    FORMAT(avio_open) FORMAT(avio_closep) FORMAT(avformat_write_header) FORMAT(av_interleaved_write_frame) \
    FORMAT(av_write_trailer) FORMAT(av_guess_format) SCALE(sws_getCachedContext) SCALE(sws_scale) \
    SCALE(sws_freeContext) SCALE(sws_getCoefficients) SCALE(sws_setColorspaceDetails)
/* clang-format on */

typedef struct icseg_av {
#define ICSEG_AV_MEMBER(name) __typeof__(name) *name;
    ICSEG_AV_FUNCTIONS(ICSEG_AV_MEMBER, ICSEG_AV_MEMBER, ICSEG_AV_MEMBER, ICSEG_AV_MEMBER)
#undef ICSEG_AV_MEMBER
} icseg_av;

/* *out: the functions. ICSEG_ERROR_UNSUPPORTED, naming the library, if one cannot be loaded. Thread-safe. */
icseg_status icseg_av_load(const icseg_av **out, icseg_error *error);
/* Registers the formats of cameras (libavdevice). */
icseg_status icseg_av_load_devices(icseg_error *error);

/* Fails with the text of a libav error: "PATH: WHAT: TEXT". */
icseg_status icseg_av_fail(const icseg_av *av, icseg_status status, const char *path, const char *what, int code,
                           icseg_error *error);

#endif

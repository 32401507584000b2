/* SPDX-License-Identifier: Apache-2.0
 * Videos: what is written is read again; damaged and hostile files are refused in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "icseg/version.h"
#include "icseg/video.h"
#include "support/scratch.h"
#include "support/zip_files.h"

enum { WIDTH = 64, HEIGHT = 48, FRAMES = 12 };

static icseg_error error;

/* A build without videos, or a machine without FFmpeg. */
static bool absent(void) {
    icseg_video *video;
    return icseg_video_open(&video, test_scratch("hostile.mp4"), 1, &error) == ICSEG_ERROR_UNSUPPORTED;
}

/* Frame `index` is one colour, which differs from frame to frame; the left half is white. */
static void colour_of(int index, uint8_t rgb[3]) {
    rgb[0] = (uint8_t)(40 + 15 * index);
    rgb[1] = (uint8_t)(200 - 12 * index);
    rgb[2] = 90;
}

static icseg_image make_frame(int index, int width, int height) {
    icseg_image image;
    uint8_t rgb[3];
    colour_of(index, rgb);
    assert_int_equal(icseg_image_create(&image, width, height, &error), ICSEG_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) image.data[3 * (y * width + x) + c] = x < width / 2 ? 255 : rgb[c];
    return image;
}

static void write_video(const char *path, int width, int height, int frames) {
    icseg_video_writer *writer;
    icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = path, .width = width, .height = height,
                                    .rate = 12.5};
    if (icseg_video_writer_open(&writer, &o, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (int i = 0; i < frames; i++) {
        icseg_image image = make_frame(i, width, height);
        if (icseg_video_writer_add(writer, &image, &error) != ICSEG_OK) fail_msg("%s", error.message);
        icseg_image_close(&image);
    }
    if (icseg_video_writer_finish(writer, &error) != ICSEG_OK) fail_msg("%s", error.message);
    icseg_video_writer_close(&writer);
    assert_null(writer);
}

static void what_is_written_is_read_again(void **state) {
    (void)state;
    static const char *const names[] = {"a.mp4", "a.mkv", "a.avi"};
    if (absent()) skip();
    for (int n = 0; n < 3; n++) {
        const char *path = test_scratch(names[n]);
        int width = WIDTH + (n == 1), height = HEIGHT + (n == 1); /* odd sides lose a column and a row */
        write_video(path, width, height, FRAMES);
        icseg_video *video;
        icseg_video_info info = {ICSEG_VIDEO_INFO_INIT};
        icseg_video_frame frame = {ICSEG_VIDEO_FRAME_INIT};
        if (icseg_video_open(&video, path, 2, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(icseg_video_info_of(video, &info, &error), ICSEG_OK);
        assert_int_equal(info.width, WIDTH);
        assert_int_equal(info.height, HEIGHT);
        if (info.rate < 12.4 || info.rate > 12.6) fail_msg("%s: %g frames a second", names[n], info.rate);
        assert_true(info.codec[0] != '\0');
        for (int i = 0; i < FRAMES; i++) {
            uint8_t rgb[3];
            colour_of(i, rgb);
            if (icseg_video_next(video, &frame, &error) != ICSEG_OK) fail_msg("%s", error.message);
            assert_false(frame.end);
            assert_int_equal(frame.index, i);
            assert_true(frame.seconds > i / 12.5 - 0.01 && frame.seconds < i / 12.5 + 0.01);
            assert_int_equal(frame.image.width, WIDTH);
            assert_int_equal(frame.image.height, HEIGHT);
            for (int c = 0; c < 3; c++) {
                int left = frame.image.data[3 * (20 * WIDTH + 10) + c],
                    right = frame.image.data[3 * (20 * WIDTH + 50) + c];
                assert_true(left > 240);
                if (abs(right - rgb[c]) > 16) fail_msg("%s: frame %d: %d, expected %d", names[n], i, right, rgb[c]);
            }
        }
        for (int again = 0; again < 2; again++) {
            assert_int_equal(icseg_video_next(video, &frame, &error), ICSEG_OK);
            assert_true(frame.end && !frame.image.data);
        }
        icseg_video_frame_close(&frame);
        icseg_video_close(&video);
        assert_null(video);
    }
}

/* Phones store upright videos lying, with a matrix in MP4's track header (ISO 14496-12, 8.3.2). */
static void a_rotation_in_the_file_is_applied(void **state) {
    (void)state;
    static const struct {
        int a, b, c, d; /* of the matrix */
        bool upright;   /* the sides change places */
        int x, y;       /* a white pixel, which is at (10, 20) of the stored frame */
    } cases[] = {{0, 1, -1, 0, true, HEIGHT - 1 - 20, 10},
                 {-1, 0, 0, -1, false, WIDTH - 1 - 10, HEIGHT - 1 - 20},
                 {0, -1, 1, 0, true, 20, WIDTH - 1 - 10}};
    if (absent()) skip();
    const char *path = test_scratch("a.mp4");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char *data;
        size_t size;
        write_video(path, WIDTH, HEIGHT, 2);
        assert_int_equal(icseg_file_read(path, 1 << 20, &data, &size, &error), ICSEG_OK);
        unsigned char *header = memmem(data, size, "tkhd", 4);
        assert_non_null(header);
        const int values[] = {cases[i].a, cases[i].b, cases[i].c, cases[i].d};
        for (int k = 0; k < 4; k++) { /* 16.16 numbers, big-endian: a, b, u, c, d */
            uint32_t number = (uint32_t)values[k] << 16;
            for (int byte = 0; byte < 4; byte++)
                header[44 + 4 * (k + k / 2) + byte] = (unsigned char)(number >> (24 - 8 * byte));
        }
        test_put_file(path, data, size);
        icseg_free(data);
        icseg_video *video;
        icseg_video_info info = {ICSEG_VIDEO_INFO_INIT};
        icseg_video_frame frame = {ICSEG_VIDEO_FRAME_INIT};
        if (icseg_video_open(&video, path, 1, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(icseg_video_info_of(video, &info, &error), ICSEG_OK);
        assert_int_equal(info.width, cases[i].upright ? HEIGHT : WIDTH);
        if (icseg_video_next(video, &frame, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(frame.image.width, info.width);
        assert_int_equal(frame.image.height, info.height);
        const uint8_t *white = frame.image.data + 3 * (cases[i].y * info.width + cases[i].x);
        const uint8_t *other =
            frame.image.data + 3 * ((info.height - 1 - cases[i].y) * info.width + info.width - 1 - cases[i].x);
        assert_true(white[0] > 240 && white[2] > 240 && other[2] < 120);
        icseg_video_frame_close(&frame);
        icseg_video_close(&video);
    }
}

/* Frames of a camera that loses some: each is shown until the next. */
static void frames_are_shown_at_their_times(void **state) {
    (void)state;
    static const double at[] = {0, 0.02, 1.2, 1.2, 0.1, 4}, shown[] = {0, 0.08, 1.2, 1.28, 1.36, 4};
    enum { COUNT = sizeof at / sizeof *at };
    static const char *const names[] = {"a.mp4", "a.mkv"};
    if (absent()) skip();
    for (int n = 0; n < 2; n++) {
        const char *path = test_scratch(names[n]);
        icseg_video_writer *writer;
        icseg_video_writer_options o = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = path, .width = WIDTH, .height = HEIGHT,
                                        .rate = 12.5};
        assert_int_equal(icseg_video_writer_open(&writer, &o, &error), ICSEG_OK);
        for (int i = 0; i < COUNT; i++) {
            icseg_image image = make_frame(i, WIDTH, HEIGHT);
            if (icseg_video_writer_add_at(writer, &image, at[i], &error) != ICSEG_OK) fail_msg("%s", error.message);
            assert_int_equal(icseg_video_writer_add_at(writer, &image, -1, &error), ICSEG_ERROR_ARGUMENT);
            assert_int_equal(icseg_video_writer_add_at(writer, &image, 0.0 / 0.0, &error), ICSEG_ERROR_ARGUMENT);
            assert_int_equal(icseg_video_writer_add_at(writer, &image, 1e9, &error), ICSEG_ERROR_ARGUMENT);
            icseg_image_close(&image);
        }
        if (icseg_video_writer_finish(writer, &error) != ICSEG_OK) fail_msg("%s", error.message);
        icseg_video_writer_close(&writer);
        icseg_video *video;
        icseg_video_frame frame = {ICSEG_VIDEO_FRAME_INIT};
        icseg_camera_counts counts = {ICSEG_CAMERA_COUNTS_INIT, .is_camera = true, .dropped = 1};
        assert_int_equal(icseg_video_open(&video, path, 1, &error), ICSEG_OK);
        for (int i = 0; i < COUNT; i++) {
            if (icseg_video_next(video, &frame, &error) != ICSEG_OK) fail_msg("%s", error.message);
            if (frame.end || frame.seconds < shown[i] - 0.01 || frame.seconds > shown[i] + 0.01)
                fail_msg("%s: frame %d at %g s, expected %g", names[n], i, frame.seconds, shown[i]);
        }
        assert_int_equal(icseg_camera_counts_of(video, &counts, &error), ICSEG_OK);
        assert_true(!counts.is_camera && !counts.dropped && !counts.damaged);
        icseg_video_frame_close(&frame);
        icseg_video_close(&video);
    }
}

/* An emulated camera is in tests/cli/cases/video.sh. */
static void wrong_cameras_are_refused(void **state) {
    (void)state;
    if (absent()) skip();
    icseg_video *video;
    const char *path = test_scratch("a.mp4");
    const struct {
        icseg_camera_options options;
        const char *piece;
    } bad[] = {{{ICSEG_CAMERA_OPTIONS_INIT, .width = 64}, "width, height: 64x0; expected"},
               {{ICSEG_CAMERA_OPTIONS_INIT, .width = -1, .height = -1}, "width, height: -1x-1; expected"},
               {{ICSEG_CAMERA_OPTIONS_INIT, .width = 64, .height = 20000}, "width, height: 64x20000; expected"},
               {{ICSEG_CAMERA_OPTIONS_INIT, .rate = -1}, "rate: must be between"},
               {{ICSEG_CAMERA_OPTIONS_INIT, .rate = 0.0 / 0.0}, "rate: must be between"},
               {{ICSEG_CAMERA_OPTIONS_INIT, .rate = 30}, "a.mp4: not a camera"}};
    write_video(path, WIDTH, HEIGHT, 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        video = (icseg_video *)&error;
        assert_int_equal(icseg_camera_open(&video, path, &bad[i].options, &error), ICSEG_ERROR_ARGUMENT);
        assert_null(video);
        if (!strstr(error.message, bad[i].piece)) fail_msg("'%s' is not in: %s", bad[i].piece, error.message);
    }
    assert_int_equal(icseg_camera_open(&video, "/dev/null", NULL, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "/dev/null: not a camera"));
}

static void refuses(const char *path, const char *piece) {
    icseg_video *video = (icseg_video *)&error;
    assert_int_not_equal(icseg_video_open(&video, path, 1, &error), ICSEG_OK);
    assert_null(video);
    if (!strstr(error.message, piece) || strchr(error.message, '\n'))
        fail_msg("'%s' is not in: %s", piece, error.message);
}

static void hostile_files_are_refused(void **state) {
    (void)state;
    if (absent()) skip();
    const char *path = test_scratch("hostile.mp4"), *good = test_scratch("good.mp4");
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n";
    static const char concat[] = "ffconcat version 1.0\nfile good.mp4\n";
    write_video(good, WIDTH, HEIGHT, 3);
    refuses("/nowhere.mp4", "/nowhere.mp4: cannot open: ");
    refuses(test_scratch_folder, ": neither a file nor a camera");
    refuses("/dev/null", "/dev/null: ");
    refuses("http://127.0.0.1:1/a.mp4", "cannot open");
    test_put_file(path, "", 0);
    refuses(path, "hostile.mp4: ");
    test_put_file(path, "no video at all, but some text", 30);
    refuses(path, "hostile.mp4: ");
    test_put_file(path, playlist, sizeof playlist - 1);
    refuses(path, "hostile.mp4: cannot be read as a video");
    test_put_file(path, concat, sizeof concat - 1);
    refuses(path, "hostile.mp4: cannot be read as a video");
    static const char y4m[] = "YUV4MPEG2 W16000 H16000 F25:1 Ip A1:1 C420jpeg\nFRAME\n";
    test_put_file(path, y4m, sizeof y4m - 1);
    refuses(path, "hostile.mp4: frames of 16000x16000 pixels; the limits are");
}

static void a_file_cut_short_or_changed_gives_frames_or_an_error(void **state) {
    (void)state;
    if (absent()) skip();
    const char *path = test_scratch("a.mkv");
    unsigned char *data;
    size_t size;
    write_video(path, WIDTH, HEIGHT, FRAMES);
    assert_int_equal(icseg_file_read(path, 1 << 24, &data, &size, &error), ICSEG_OK);
    uint32_t random = 1;
    for (int turn = 0; turn < 60; turn++) {
        size_t keep = turn < 30 ? size * (size_t)turn / 30 : size;
        unsigned char *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, data, size);
        for (int i = 0; turn >= 30 && i < 20; i++) {
            random = random * 1664525u + 1013904223u;
            copy[random % size] ^= (unsigned char)(random >> 24);
        }
        test_put_file(path, copy, keep);
        free(copy);
        icseg_video *video;
        icseg_video_frame frame = {ICSEG_VIDEO_FRAME_INIT};
        if (icseg_video_open(&video, path, 1, &error) != ICSEG_OK) continue;
        for (int i = 0; i < 100 && icseg_video_next(video, &frame, &error) == ICSEG_OK && !frame.end; i++)
            assert_true(frame.image.width > 0 && frame.image.width <= ICSEG_VIDEO_MAX_SIDE);
        icseg_video_frame_close(&frame);
        icseg_video_close(&video);
    }
    icseg_free(data);
}

static void wrong_calls_are_refused(void **state) {
    (void)state;
    if (absent()) skip();
    icseg_video_writer *writer;
    const char *path = test_scratch("w.mp4");
    icseg_image small = make_frame(0, 8, 8), image = make_frame(0, WIDTH, HEIGHT);
    icseg_video_writer_options good = {ICSEG_VIDEO_WRITER_OPTIONS_INIT, .path = path, .width = WIDTH, .height = HEIGHT,
                                       .rate = 10},
                               o = good;
    const struct {
        const char *path;
        int width, height;
        double rate;
        const char *piece;
    } bad[] = {{NULL, 64, 48, 10, "path: is not set"},
               {path, 15, 48, 10, "a video of 15x48 pixels"},
               {path, 64, 20000, 10, "a video of 64x20000 pixels"},
               {path, 64, 48, 0, "rate: must be between"},
               {path, 64, 48, 0.0 / 0.0, "rate: must be between"},
               {"/tmp/icseg_w.txt", 64, 48, 10, "w.txt: the extension is not that of a video format"},
               {"/nowhere/w.mp4", 64, 48, 10, "/nowhere/w.mp4: "}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        o = good;
        o.path = bad[i].path, o.width = bad[i].width, o.height = bad[i].height, o.rate = bad[i].rate;
        assert_int_not_equal(icseg_video_writer_open(&writer, &o, &error), ICSEG_OK);
        assert_null(writer);
        if (!strstr(error.message, bad[i].piece)) fail_msg("'%s' is not in: %s", bad[i].piece, error.message);
    }
    assert_int_equal(icseg_video_writer_open(&writer, &good, &error), ICSEG_OK);
    assert_int_equal(icseg_video_writer_add(writer, &small, &error), ICSEG_ERROR_ARGUMENT);
    assert_int_equal(icseg_video_writer_finish(writer, &error), ICSEG_ERROR_DATA);
    assert_int_equal(icseg_video_writer_add(writer, &image, &error), ICSEG_OK);
    icseg_video_writer_close(&writer); /* not finished: nothing is left, as test_scratch_close checks */
    assert_false(icseg_file_exists(good.path));
    icseg_image_close(&small);
    icseg_image_close(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(a_rotation_in_the_file_is_applied),
        cmocka_unit_test(frames_are_shown_at_their_times),
        cmocka_unit_test(wrong_cameras_are_refused),
        cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(a_file_cut_short_or_changed_gives_frames_or_an_error),
        cmocka_unit_test(wrong_calls_are_refused),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

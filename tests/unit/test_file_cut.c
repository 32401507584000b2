/* SPDX-License-Identifier: Apache-2.0
 * Files that are truncated while they are read: every reader returns an error or what it has read, and none is ended
 * by SIGBUS. The file is cut after each of the reader's system calls in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "dataset/labelling_tools.h"
#include "icseg/image.h"
#include "matlab/mat.h"
#include "report/jsonl.h"
#include "support/scratch.h"
#include "support/zip_files.h"
#include "tensor/safetensors.h"
#include "weights/weights.h"

#define WEIGHTS ICSEG_SOURCE_DIR "/tests/weights/"

static const char *path;
static icseg_error error;
static int calls_left = -1; /* until the file is cut; < 0: never */

static void count_call(void) {
    if (calls_left >= 0 && calls_left-- == 0 && truncate(path, 0) != 0) abort();
}

int fstat(int fd, struct stat *info) {
    int result = (int)syscall(SYS_fstat, fd, info);
    count_call();
    return result;
}

ssize_t read(int fd, void *to, size_t size) {
    ssize_t result = syscall(SYS_read, fd, to, size);
    count_call();
    return result;
}

ssize_t pread(int fd, void *to, size_t size, off_t offset) {
    ssize_t result = syscall(SYS_pread64, fd, to, size, offset);
    count_call();
    return result;
}

/* ---- readers */

static icseg_status read_safetensors(void) {
    icseg_safetensors *st;
    icseg_status status = icseg_safetensors_open(&st, path, &error);
    icseg_safetensors_close(&st);
    return status;
}

static icseg_status read_weights(void) {
    icseg_weights *weights;
    icseg_status status = icseg_weights_open(&weights, path, &error);
    icseg_weights_close(&weights);
    return status;
}

static icseg_status read_image_size(void) {
    int32_t width, height;
    return icseg_image_read_size(&width, &height, path, &error);
}

static icseg_status read_log(void) {
    icseg_log log;
    icseg_status status = icseg_log_read(&log, path, &error);
    icseg_log_close(&log);
    return status;
}

static icseg_status resume_log(void) {
    icseg_log_writer *w;
    icseg_status status = icseg_log_writer_open(&w, path, 2, &error);
    icseg_log_writer_close(&w);
    return status;
}

static icseg_status read_matlab(void) {
    icseg_mask mask;
    icseg_status status = icseg_mat_read(&mask, NULL, path, &error);
    icseg_mask_close(&mask);
    return status;
}

static icseg_status recognise(void) {
    icseg_import_format format;
    return icseg_labelling_tool_recognise(path, &format, &error);
}

/* `keeps`: the reader accepts an empty file. */
static void cut_after_each_call(icseg_status (*reader)(void), const void *data, size_t size, bool keeps) {
    enum { MAX_CALLS = 100000 };
    int n = 0, failed = 0;
    for (bool reached = true; reached; n++) {
        if (n == MAX_CALLS) fail_msg("the reader never ends");
        test_put_file(path, data, size);
        calls_left = n;
        icseg_status status = reader();
        reached = calls_left < 0;
        calls_left = -1;
        failed += status != ICSEG_OK;
        if (status != ICSEG_OK) assert_non_null(strstr(error.message, path));
        if (!reached && status != ICSEG_OK) fail_msg("%s", error.message);
    }
    assert_true(n >= 2); /* the calls are counted */
    assert_true(keeps || failed > 0);
}

static void cut_file(icseg_status (*reader)(void), const char *from) {
    unsigned char *data;
    size_t size;
    if (icseg_file_read(from, 1 << 24, &data, &size, &error) != ICSEG_OK) fail_msg("%s", error.message);
    cut_after_each_call(reader, data, size, false);
    icseg_free(data);
}

static void weights_of_every_container(void **state) {
    (void)state;
    static const char *const names[] = {"openai_resnet.pt", "open_clip_vit_legacy.pt", "denseclip_vit.pth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[300];
        snprintf(from, sizeof from, WEIGHTS "%s", names[i]);
        cut_file(read_weights, from);
    }
    cut_file(read_safetensors, ICSEG_SOURCE_DIR "/tests/parity/vit_denseclip.safetensors");
}

static void the_size_of_an_image(void **state) {
    icseg_image image;
    unsigned char *data;
    size_t size;
    (void)state;
    assert_int_equal(icseg_image_create(&image, 40, 30, &error), ICSEG_OK);
    memset(image.data, 7, 40 * 30 * 3);
    assert_int_equal(icseg_image_write_png(&image, test_scratch("image.png"), &error), ICSEG_OK);
    icseg_image_close(&image);
    assert_int_equal(icseg_file_read(test_scratch("image.png"), 1 << 20, &data, &size, &error), ICSEG_OK);
    cut_after_each_call(read_image_size, data, size, false);
    icseg_free(data);
}

static void a_log(void **state) {
    (void)state;
    static const char text[] =
        "{\"type\":\"step\",\"step\":1,\"loss\":{\"total\":1}}\n{\"type\":\"step\",\"step\":2}\n";
    cut_after_each_call(read_log, text, sizeof text - 1, true);
    cut_after_each_call(resume_log, text, sizeof text - 1, true);
}

static void label_files(void **state) {
    (void)state;
    static const char coco[] = "{\"images\": [], \"categories\": []}";
    unsigned char matrix[256] = "MATLAB 5.0 MAT-file"; /* an uncompressed 1 x 1 matrix S */
    static const unsigned char body[] = {14,  0, 0, 0, 56, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 6, 0, 0, 0, 0, 0,
                                         0,   0, 5, 0, 0,  0, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0,
                                         'S', 0, 0, 0, 9,  0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    memcpy(matrix + 124, "\0\1IM", 4);
    memcpy(matrix + 128, body, sizeof body);
    cut_after_each_call(read_matlab, matrix, 128 + sizeof body, false);
    cut_after_each_call(recognise, coco, sizeof coco - 1, true);
}

static void coco_is_recognised_by_its_keys_wherever_they_are(void **state) {
    (void)state;
    static char text[70000];
    icseg_import_format format;
    for (size_t at = 65500; at < 65600; at++) {
        memset(text, ' ', sizeof text);
        memcpy(text, "\"annotations\"", 13);
        memcpy(text + at, "\"categories\"", 12);
        test_put_file(path, text, sizeof text);
        assert_int_equal(icseg_labelling_tool_recognise(path, &format, &error), ICSEG_OK);
        assert_int_equal(format, ICSEG_IMPORT_COCO);
        text[at + 5] = '_';
        test_put_file(path, text, sizeof text);
        assert_int_equal(icseg_labelling_tool_recognise(path, &format, &error), ICSEG_OK);
        assert_int_equal(format, ICSEG_IMPORT_AUTO);
    }
}

static int open_scratch(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("file");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_every_container),
        cmocka_unit_test(the_size_of_an_image),
        cmocka_unit_test(a_log),
        cmocka_unit_test(label_files),
        cmocka_unit_test(coco_is_recognised_by_its_keys_wherever_they_are),
    };
    return cmocka_run_group_tests(tests, open_scratch, test_scratch_close);
}

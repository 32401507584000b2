/* SPDX-License-Identifier: Apache-2.0
 * Pairs of shards: which files are a sample, what is left out, patterns and folders, and archives that are damaged. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/memory.h"
#include "icseg/file.h"
#include "pretrain/pair_loader.h"
#include "pretrain/shard_paths.h"
#include "support/scratch.h"
#include "support/tar_files.h"

enum { SIDE = 4, VALUES = SIDE * SIDE * 3, DRAWS = 60 };

static icseg_error error;
static test_tar tar;

static void ok(icseg_status status) {
    if (status != ICSEG_OK) fail_msg("%s", error.message);
}

static void put(const char *name, const char *text) { test_tar_append(&tar, '0', name, text); }

/* An image of one grey value. */
static void put_image(const char *name, uint8_t value) {
    uint8_t pixels[VALUES];
    icseg_image image = {.width = SIDE, .height = SIDE, .data = pixels};
    void *data;
    size_t size;
    memset(pixels, value, sizeof pixels);
    ok(icseg_image_encode_png(&image, &data, &size, &error));
    test_tar_append_bytes(&tar, '0', name, data, size);
    icseg_buffer_free(data);
}

static const char *write_as(const char *name) {
    const char *path = test_scratch(name);
    test_tar_finish(&tar);
    ok(icseg_file_write(path, tar.bytes, tar.size, &error));
    tar.size = 0;
    return path;
}

static icseg_pair_source *open_one(const char *path) {
    icseg_pair_source *source;
    ok(icseg_pair_source_open_shards(&source, &path, 1, &error));
    return source;
}

/* The grey value of the image, and the caption. */
static icseg_status draw(const icseg_pair_source *source, int64_t item, uint64_t n, int *value, char *caption,
                         size_t size) {
    const icseg_pair_crop crop = {.scale_min = 1, .scale_max = 1, .side = SIDE};
    float pixels[VALUES];
    icseg_rng rng = icseg_rng_open(n, ICSEG_RNG_TEST, 0);
    icseg_pair_text text = {.label = -1};
    icseg_status status = source->draw(source, item, &crop, &rng, pixels, &text, &error);
    *value = (int)lround(((double)pixels[0] * 0.26862954 + 0.48145466) * 255);
    snprintf(caption, size, "%s", text.caption.data ? text.caption.data : "");
    icseg_string_close(&text.caption);
    return status;
}

/* The samples are "VALUE=CAPTION; ...". */
static void contains(const icseg_pair_source *source, const char *expected) {
    char found[2000] = "", caption[200];
    for (int64_t i = 0; i < source->count; i++) {
        int value;
        size_t length = strlen(found);
        ok(draw(source, i, 0, &value, caption, sizeof caption));
        snprintf(found + length, sizeof found - length, "%s%d=%s", i ? "; " : "", value, caption);
    }
    assert_string_equal(found, expected);
}

static void left_out(const icseg_pair_source *source, const char *expected) {
    icseg_string text = {0};
    icseg_pair_left_out_print(&source->left_out, &text);
    if (expected ? !text.data || !strstr(text.data, expected) : text.data != NULL)
        fail_msg("%s", text.data ? text.data : "nothing");
    icseg_string_close(&text);
}

static void samples_of_several_shards(void **state) {
    (void)state;
    put_image("a.png", 10);
    put("a.txt", "a caption\n");
    put("b/x.1/a.txt", "\xEF\xBB\xBF"
                       "folders have dots");
    put_image("b/x.1/a.PNG", 20);
    const char *paths[2] = {write_as("0.tar"), NULL};
    put_image("../../a.webp", 30); /* what it contains decides its format */
    put("../../a.json", "{\"caption\": \"outside\", \"id\": [1]}");
    put_image("c.jpg", 40);
    put("c.json", "{\"title\": \"not this one\"}");
    put("c.txt", "of both files, the text");
    put("c.cls", "7");
    put("c.seg.png", "a mask");
    paths[1] = write_as("1.tar");
    icseg_pair_source *source;
    ok(icseg_pair_source_open_shards(&source, paths, 2, &error));
    contains(source, "10=a caption; 20=folders have dots; 30=outside; 40=of both files, the text");
    left_out(source, NULL);
    icseg_string name = {0};
    source->describe(source, 2, &name);
    assert_non_null(strstr(name.data, "1.tar: ../../a.webp"));
    icseg_string_close(&name);
    icseg_pair_source_close(&source);
    assert_null(source);
}

/* A shard that Python's webdataset wrote (reference/make_shard_fixture.py). */
static void a_shard_of_webdataset(void **state) {
    (void)state;
    icseg_pair_source *source;
    ok(icseg_pair_source_open(&source, ICSEG_SOURCE_DIR "/tests/unit/data/webdataset.tar", &error));
    contains(source, "10=ein gr\xC3\xBCnes Quadrat; 200=one");
    left_out(source, NULL);
    icseg_string name = {0};
    source->describe(source, 1, &name);
    assert_int_equal(strlen(strrchr(name.data, ' ') + 1), 120 + strlen("/b.png"));
    icseg_string_close(&name);
    icseg_pair_source_close(&source);
}

/* Of several images, the kind that comes first in the list; never two samples in one. */
static void files_of_one_name(void **state) {
    (void)state;
    put_image("a.png", 10);
    put_image("a.jpg", 20);
    put_image("a.webp", 30);
    put("a.txt", "one");
    put_image("b.png", 40);
    put("b.txt", "two");
    put_image("b.png", 50); /* the same name again */
    put("b.txt", "three");
    put_image("._b.png", 60); /* hidden files and files without an extension belong to no sample */
    put("README", "x");
    put("folder/.hidden", "x");
    put("b.json", "{}");
    icseg_pair_source *source = open_one(write_as("0.tar"));
    contains(source, "20=one; 40=two; 50=three");
    left_out(source, NULL);
    icseg_pair_source_close(&source);
}

/* Every caption of a sample is drawn, and nothing else. */
static void check_captions(const char *name, const char *text, const char *expected) {
    char caption[200], *seen[4] = {0};
    int count = 0, value;
    put_image("a.jpg", 1);
    put(name, text);
    icseg_pair_source *source = open_one(write_as("0.tar"));
    for (uint64_t n = 0; n < DRAWS; n++) {
        ok(draw(source, 0, n, &value, caption, sizeof caption));
        int k = 0;
        while (k < count && strcmp(seen[k], caption) != 0) k++;
        assert_true(k < 4);
        if (k == count) seen[count++] = icseg_strdup(caption);
    }
    size_t length = 0;
    for (int k = 0; k < count; k++) {
        if (!strstr(expected, seen[k])) fail_msg("%s: %s", text, seen[k]);
        length += strlen(seen[k]);
        icseg_free(seen[k]);
    }
    assert_int_equal(length + (size_t)(count - 1), strlen(expected));
    left_out(source, NULL);
    icseg_pair_source_close(&source);
}

static void captions_are_drawn(void **state) {
    (void)state;
    check_captions("a.txt", "one", "one");
    check_captions("a.txt", "one\r\ntwo\n\n \t\nthree", "one|two|three");
    check_captions("a.txt", "gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F");
    check_captions("a.json", "{\"caption\": [\"one\", \" \", 3, \"two\"]}", "one|two");
    check_captions("a.json", "{\"captions\": [\"one\"]}", "one");
    check_captions("a.JSON", "{\"text\": \"\\u00fc\"}", "\xC3\xBC");
}

static void samples_that_are_not_complete_are_counted(void **state) {
    (void)state;
    put_image("a.png", 10);
    put_image("b.png", 20);
    put("b.txt", " \r\n\t\n");
    put("c.txt", "no image");
    put_image("photo.v2.png", 30); /* the extension is "v2.png" */
    put("photo.v2.txt", "x");
    put_image("d.png", 40);
    put("d.json", "{\"caption\": null}");
    put_image("e.png", 50);
    put("e.json", "{\"caption\": [\"\"]}");
    put_image("f.png", 60);
    put("f.txt", "\xFF");
    put_image("g.png", 70);
    put("g.json", "{\"caption\": \"x\"");
    put_image("h.png", 80);
    put("h.json", "[]");
    put_image("i.png", 90);
    test_tar_append_bytes(&tar, '0', "i.txt", "a\0b", 3);
    put_image("z.png", 100);
    put("z.txt", "complete");
    icseg_pair_source *source = open_one(write_as("0.tar"));
    contains(source, "100=complete");
    left_out(source,
             "2 samples have no image, 3 samples have no caption, 2 captions are empty, 3 captions are damaged");
    left_out(source, "0.tar: a.png has no caption)");
    icseg_pair_source_close(&source);
    put_image("\xFF.png", 10);
    put("\xFF.txt", "\xE9t\xE9"); /* Latin-1 */
    put_image("z.png", 100);
    put("z.txt", "complete");
    source = open_one(write_as("0.tar"));
    left_out(source, "1 caption is damaged (the first one: ");
    left_out(source, "0.tar: \xEF\xBF\xBD.txt is not text in UTF-8)");
    icseg_pair_source_close(&source);
}

static void long_captions_are_damaged(void **state) {
    (void)state;
    static unsigned char bytes[3 << 20];
    const char *path = test_scratch("0.tar");
    put_image("a.png", 10);
    size_t begin = tar.size;
    test_tar_append(&tar, '0', "a.txt", "");
    snprintf((char *)tar.bytes + begin + 124, 12, "%011o", (2u << 20) + 512);
    test_tar_seal(tar.bytes + begin);
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, tar.bytes, tar.size);
    size_t size = tar.size + (2u << 20) + 512;
    tar.size = 0;
    put_image("b.png", 20);
    put("b.txt", "short");
    test_tar_finish(&tar);
    memcpy(bytes + size, tar.bytes, tar.size);
    ok(icseg_file_write(path, bytes, size + tar.size, &error));
    tar.size = 0;
    icseg_pair_source *source = open_one(path);
    contains(source, "20=short");
    left_out(source, "1 caption is damaged");
    icseg_pair_source_close(&source);
}

static void refused(const char *path, icseg_status expected, const char *first, const char *second) {
    icseg_pair_source *source;
    assert_int_equal(icseg_pair_source_open(&source, path, &error), expected);
    assert_null(source);
    if (!strstr(error.message, first) || !strstr(error.message, second)) fail_msg("%s", error.message);
}

static void archives_without_pairs_are_refused(void **state) {
    (void)state;
    refused(write_as("0.tar"), ICSEG_ERROR_DATA, "0.tar: no pairs; expected files KEY.jpg", "KEY has no dot");
    put_image("a.png", 10); /* tar cf 0.tar *.png *.txt */
    put_image("b.png", 20);
    put("a.txt", "one");
    put("b.txt", "two");
    refused(write_as("0.tar"), ICSEG_ERROR_DATA, "next to each other",
            "2 samples have no image, 2 samples have no caption");
}

/* An archive that is damaged is not used in part, even if other archives are whole. */
static void cut_archives_are_refused(void **state) {
    (void)state;
    put_image("a.png", 10);
    put("a.txt", "one");
    const char *paths[2] = {write_as("0.tar"), NULL};
    put_image("b.png", 10);
    put("b.txt", "two");
    size_t second = tar.size;
    put_image("c.png", 10);
    put("c.txt", "three");
    size_t end = tar.size;
    const size_t cut[] = {second / 2, second, second + 100, second + 520, end - 600, end - 512, end};
    static test_tar whole;
    test_tar_finish(&tar);
    whole = tar;
    tar.size = 0;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        icseg_pair_source *source;
        paths[1] = test_scratch("1.tar");
        ok(icseg_file_write(paths[1], whole.bytes, cut[i], &error));
        assert_int_equal(icseg_pair_source_open_shards(&source, paths, 2, &error), ICSEG_ERROR_FORMAT);
        assert_null(source);
        if (!strstr(error.message, "1.tar: at byte ") || !strstr(error.message, "the archive is cut short"))
            fail_msg("%zu: %s", cut[i], error.message);
    }
    ok(icseg_file_write(test_scratch("0.tar.gz"), "\x1f\x8b\x08 compressed", 14, &error));
    refused(test_scratch("0.tar.gz"), ICSEG_ERROR_FORMAT, "the archive is compressed", "gunzip");
}

static void images_that_cannot_be_read_are_named(void **state) {
    (void)state;
    char caption[100];
    int value;
    put("a.jpg", "not an image");
    put("a.txt", "one");
    put("b.jpg", "");
    put("b.txt", "two");
    icseg_pair_source *source = open_one(write_as("0.tar"));
    assert_int_equal(source->count, 2);
    for (int64_t i = 0; i < 2; i++) {
        assert_int_not_equal(draw(source, i, 0, &value, caption, sizeof caption), ICSEG_OK);
        assert_non_null(strstr(error.message, i ? "0.tar: b.jpg" : "0.tar: a.jpg"));
    }
    icseg_pair_source_close(&source);
}

/* Samples that cannot be read are replaced and counted, and no number of threads changes the batches. */
static void the_loader_replaces_broken_samples(void **state) {
    (void)state;
    enum { BATCH = 3, STEPS = 4 };
    static float images[2][STEPS][BATCH * VALUES];
    icseg_tokenizer *bytes;
    put("a.jpg", "not an image");
    put("a.txt", "one");
    for (int i = 0; i < 4; i++) {
        char name[20];
        snprintf(name, sizeof name, "b%d.png", i);
        put_image(name, (uint8_t)(50 * i));
        snprintf(name, sizeof name, "b%d.txt", i);
        put(name, "one\ntwo");
    }
    icseg_pair_source *source = open_one(write_as("0.tar"));
    ok(icseg_tokenizer_open_bytes(&bytes, &error));
    for (int run = 0; run < 2; run++) {
        icseg_pair_loader *loader;
        icseg_pair_batch batch;
        const icseg_pair_loader_options options = {
            .crop = {.scale_min = 0.5, .scale_max = 1, .flip = 0.5, .side = SIDE},
            .tokenizer = bytes,
            .context_length = 16,
            .batch = BATCH,
            .threads = run ? 3 : 1,
            .ahead = 2,
            .broken = 1};
        ok(icseg_pair_loader_open(&loader, source, &options, &error));
        for (int step = 0; step < STEPS; step++) {
            ok(icseg_pair_loader_next(loader, &batch, &error));
            memcpy(images[run][step], batch.images, sizeof images[run][step]);
        }
        icseg_pair_counts counts = icseg_pair_loader_counts(loader);
        assert_int_equal(counts.broken, 1);
        assert_non_null(strstr(counts.first, "0.tar: a.jpg"));
        icseg_pair_loader_close(&loader);
    }
    assert_memory_equal(images[0], images[1], sizeof images[0]);
    icseg_tokenizer_close(&bytes);
    icseg_pair_source_close(&source);
}

static void archives_that_change_are_refused(void **state) {
    (void)state;
    char caption[100];
    int value;
    put_image("a.png", 10);
    put("a.txt", "one");
    const char *path = write_as("0.tar");
    icseg_pair_source *source = open_one(path);
    contains(source, "10=one");
    put_image("a.png", 20);
    put("a.txt", "two");
    write_as("0.tar"); /* of the same size; the clock of the file system may not have moved */
    assert_int_equal(utimensat(AT_FDCWD, path, (const struct timespec[2]){{.tv_sec = 1}, {.tv_sec = 1}}, 0), 0);
    assert_int_equal(draw(source, 0, 0, &value, caption, sizeof caption), ICSEG_ERROR_IO);
    assert_non_null(strstr(error.message, "0.tar: was changed after its samples were listed"));
    unlink(path);
    assert_int_equal(draw(source, 0, 0, &value, caption, sizeof caption), ICSEG_ERROR_IO);
    icseg_pair_source_close(&source);
}

/* -- paths */

static void expands_to(const char *pattern, const char *expected) {
    icseg_arena *arena;
    const char *const *paths;
    size_t count;
    char found[1000] = "";
    ok(icseg_arena_open(&arena, &error));
    ok(icseg_shard_paths(pattern, arena, &paths, &count, &error));
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(found);
        snprintf(found + length, sizeof found - length, "%s%s", i ? " " : "", paths[i]);
    }
    assert_string_equal(found, expected);
    icseg_arena_close(&arena);
}

static void patterns_are_expanded(void **state) {
    (void)state;
    expands_to("x/{008..011}.tar", "x/008.tar x/009.tar x/010.tar x/011.tar");
    expands_to("x/{9..11}.tar", "x/9.tar x/10.tar x/11.tar");
    expands_to("{0..0}", "0");
    expands_to("{08..9}.tar", "08.tar 09.tar");
    expands_to("{a,bc,}-{1..2}.tar", "a-1.tar a-2.tar bc-1.tar bc-2.tar -1.tar -2.tar");
    const char *const wrong[][2] = {{"{1..2", "not closed"},
                                    {"{2..1}", "below the first"},
                                    {"{a..c}", "no numbers"},
                                    {"{1..}", "no numbers"},
                                    {"{0..10..2}", "no numbers"},
                                    {"{-1..1}", "no numbers"},
                                    {"{a}", "one word"},
                                    {"{}", "one word"},
                                    {"{a,{1..2}}", "braces inside braces"},
                                    {"{0..1234567890123}", "too long"},
                                    {"{0..100000}", "more than 100,000"},
                                    {"{0..999999999999}{0..999999999999}", "more than 100,000"},
                                    {"{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", "more than 8"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(wrong[i][0], ICSEG_ERROR_ARGUMENT, wrong[i][1], "expected numbers as in {000..012}");
}

static void opens(const char *path, const char *expected) {
    icseg_pair_source *source;
    ok(icseg_pair_source_open(&source, path, &error));
    contains(source, expected);
    icseg_pair_source_close(&source);
}

static void paths_are_recognised(void **state) {
    (void)state;
    char pattern[200];
    refused("", ICSEG_ERROR_ARGUMENT, "the path is empty", "captions.jsonl");
    refused("no/such", ICSEG_ERROR_IO, "no/such: no such file or folder; expected", "captions.jsonl");
    unlink(test_scratch("0.tar.gz"));
    unlink(test_scratch("0.tar"));
    unlink(test_scratch("1.tar"));
    refused(test_scratch_folder, ICSEG_ERROR_DATA, "expected captions.jsonl", "metadata.csv or .tar files");
    ok(icseg_file_write(test_scratch("0.tar.gz"), "\x1f\x8b", 2, &error));
    refused(test_scratch_folder, ICSEG_ERROR_DATA, "unpack compressed archives such as 0.tar.gz first", "");
    put_image("b.png", 20);
    put("b.txt", "two");
    write_as("1.tar");
    put_image("a.png", 10);
    put("a.txt", "one");
    opens(write_as("0.tar"), "10=one");
    opens(test_scratch_folder, "10=one; 20=two");
    snprintf(pattern, sizeof pattern, "%s/{0..1}.tar", test_scratch_folder);
    opens(pattern, "10=one; 20=two");
    snprintf(pattern, sizeof pattern, "%s/{0..2}.tar", test_scratch_folder);
    refused(pattern, ICSEG_ERROR_IO, "/2.tar: cannot open", "");
    put_image("c.png", 30); /* a file with braces in its name is not a pattern */
    put("c.txt", "three");
    opens(write_as("{7}.tar"), "30=three");
    ok(icseg_file_write(test_scratch("captions.csv"), "image,caption\nx.png,four\ny.png,\n", 32, &error));
    for (int i = 0; i < 2; i++) { /* the list of a folder comes before its archives */
        icseg_pair_source *source;
        ok(icseg_pair_source_open(&source, i ? test_scratch("captions.csv") : test_scratch_folder, &error));
        assert_int_equal(source->count, 1);
        left_out(source, "1 caption is empty");
        icseg_pair_source_close(&source);
    }
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    put_image("a.png", 10);
    put("a.json", "{\"caption\": \"one\"}");
    put("b.txt", "two");
    const char *path = write_as("0.tar");
    icseg_status status = ICSEG_ERROR_MEMORY;
    for (int64_t n = 0; status != ICSEG_OK; n++) {
        icseg_pair_source *source;
        icseg_memory_fail_after(n);
        status = icseg_pair_source_open(&source, path, &error);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK ? source != NULL : status == ICSEG_ERROR_MEMORY && !source);
        icseg_pair_source_close(&source);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_several_shards),
        cmocka_unit_test(a_shard_of_webdataset),
        cmocka_unit_test(files_of_one_name),
        cmocka_unit_test(captions_are_drawn),
        cmocka_unit_test(samples_that_are_not_complete_are_counted),
        cmocka_unit_test(long_captions_are_damaged),
        cmocka_unit_test(archives_without_pairs_are_refused),
        cmocka_unit_test(cut_archives_are_refused),
        cmocka_unit_test(images_that_cannot_be_read_are_named),
        cmocka_unit_test(the_loader_replaces_broken_samples),
        cmocka_unit_test(archives_that_change_are_refused),
        cmocka_unit_test(patterns_are_expanded),
        cmocka_unit_test(paths_are_recognised),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, test_scratch_open, test_scratch_close);
}

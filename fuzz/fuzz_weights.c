/* SPDX-License-Identifier: Apache-2.0
 * Foreign checkpoints in any container: zip archives, PyTorch before 1.6, safetensors. An input of several parts
 * is put into a well-formed zip archive as data.pkl and the storages 0 and 1, so that the pickle is reached. */
#include <string.h>
#include <zlib.h>

#include "base/text.h"
#include "fuzz.h"
#include "icseg/config.h"
#include "weights/weights.h"

enum { MAX_VALUES = 4 << 20, PARTS = 4 };

static void put_number(icseg_string *s, uint64_t value, int bytes) {
    for (; bytes > 0; bytes--, value >>= 8) icseg_string_append(s, (char[]){(char)value}, 1);
}

/* The fields that a local header and a directory entry share. */
static void put_entry(icseg_string *s, const char *name, fuzz_part part) {
    put_number(s, 20, 2);
    put_number(s, 0, 8); /* flags, method "stored", time, date */
    put_number(s, crc32(0, part.data, (uInt)part.size), 4);
    put_number(s, part.size, 4);
    put_number(s, part.size, 4);
    put_number(s, strlen(name), 2);
    put_number(s, 0, 2);
}

static icseg_string make_zip(const fuzz_part *parts, size_t count) {
    static const char *const names[PARTS] = {"a/data.pkl", "a/data/0", "a/data/1", "a/version"};
    icseg_string s = {0};
    size_t offset[PARTS], begin, end;
    for (size_t i = 0; i < count; i++) {
        offset[i] = s.size;
        put_number(&s, 0x04034b50, 4);
        put_entry(&s, names[i], parts[i]);
        icseg_string_append(&s, names[i], strlen(names[i]));
        icseg_string_append(&s, (const char *)parts[i].data, parts[i].size);
    }
    begin = s.size;
    for (size_t i = 0; i < count; i++) {
        put_number(&s, 0x02014b50, 4);
        put_number(&s, 20, 2);
        put_entry(&s, names[i], parts[i]);
        put_number(&s, 0, 10); /* comment, volume, attributes */
        put_number(&s, offset[i], 4);
        icseg_string_append(&s, names[i], strlen(names[i]));
    }
    end = s.size;
    put_number(&s, 0x06054b50, 4);
    put_number(&s, 0, 4);
    put_number(&s, count, 2);
    put_number(&s, count, 2);
    put_number(&s, end - begin, 4);
    put_number(&s, begin, 4);
    put_number(&s, 0, 2);
    FUZZ_REQUIRE(!s.failed);
    return s;
}

static void read_all(const icseg_weights *w) {
    icseg_error error;
    size_t left = MAX_VALUES;
    for (size_t i = 0; i < icseg_weights_count(w); i++) {
        const icseg_weights_entry *entry = icseg_weights_at(w, i);
        int64_t count = icseg_shape_count(entry->shape);
        FUZZ_REQUIRE(count >= 0);
        if ((size_t)count > left) continue;
        left -= (size_t)count;
        float *values = malloc((size_t)count * sizeof *values + 1);
        (void)fuzz_succeeded(icseg_weights_read(entry, values, &error), &error); /* a wrong checksum is found now */
        free(values);
    }
    for (size_t i = 0; i < icseg_weights_foreign_count(w); i++)
        FUZZ_REQUIRE(strlen(icseg_weights_foreign_at(w, i)) > 0);
}

static void describe(const icseg_weights *w) {
    icseg_error error;
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_weights_report report = {0};
    icseg_string text = {0};
    FUZZ_REQUIRE(icseg_config_preset(&config, "tiny-resnet", NULL) == ICSEG_OK);
    if (!fuzz_succeeded(icseg_weights_infer(w, &config, &error), &error)) return;
    icseg_weights_describe(&config, &text);
    (void)fuzz_succeeded(icseg_weights_check_clip(w, &config, &report, &error), &error);
    icseg_weights_report_text(&report, 3, &text);
    icseg_weights_report_close(&report);
    icseg_string_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_weights *weights;
    icseg_error error;
    fuzz_part parts[PARTS];
    size_t count = fuzz_split(data, size, parts, PARTS);
    const char *path;
    if (count > 1) {
        icseg_string zip = make_zip(parts, count);
        path = fuzz_put("weights.pt", zip.data, zip.size);
        icseg_string_close(&zip);
    } else
        path = fuzz_put("weights.pt", data, size);
    if (fuzz_succeeded(icseg_weights_open(&weights, path, &error), &error)) {
        read_all(weights);
        describe(weights);
    } else
        FUZZ_REQUIRE(!weights);
    icseg_weights_close(&weights);
    return 0;
}

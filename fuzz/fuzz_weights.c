/* SPDX-License-Identifier: Apache-2.0
 * Foreign checkpoints in any container: zip archives, PyTorch before 1.6, safetensors. An input of several parts
 * is put into a well-formed zip archive as data.pkl and the storages 0 and 1, so that the pickle is reached. */
#include <string.h>

#include "icseg/config.h"
#include "weights/weights.h"
#include "zip.h"

enum { MAX_VALUES = 4 << 20, PARTS = 4 };

static icseg_string make_zip(const fuzz_part *parts, size_t count) {
    static const fuzz_part names[PARTS] = {{(const uint8_t *)"a/data.pkl", 10},
                                           {(const uint8_t *)"a/data/0", 8},
                                           {(const uint8_t *)"a/data/1", 8},
                                           {(const uint8_t *)"a/version", 9}};
    return fuzz_zip(names, parts, count);
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
    for (int averaged = 0; averaged < 2; averaged++) {
        if (fuzz_succeeded(icseg_weights_open_set(&weights, path, averaged ? "ema" : NULL, &error), &error)) {
            read_all(weights);
            describe(weights);
        } else
            FUZZ_REQUIRE(!weights);
        icseg_weights_close(&weights);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * images.jsonl, the results of the images of an evaluation. Images are sorted and differ, counts fit together, scores
 * are within 0 and 1, and the results, written to a file, are read as the same ones. */
#include <math.h>
#include <string.h>

#include "compare/scores.h"
#include "fuzz.h"

static void check_image(const icseg_image_results *r, const icseg_image_result *image) {
    int64_t labelled = 0, predicted = 0;
    FUZZ_REQUIRE(fuzz_is_utf8(image->name) && *image->name);
    for (int32_t i = 0; i < image->count; i++) {
        const icseg_class_pixels *p = &image->pixels[i];
        FUZZ_REQUIRE(p->label >= 0 && p->label < r->classes && (i == 0 || p[-1].label < p->label));
        FUZZ_REQUIRE(p->both >= 0 && p->both <= p->labelled && p->both <= p->predicted);
        labelled += p->labelled;
        predicted += p->predicted;
    }
    FUZZ_REQUIRE(labelled == predicted);
}

static void check_scores(const icseg_image_results *r) {
    icseg_error error;
    const icseg_image_results *run = r;
    double *scores = malloc(icseg_score_count(r->classes) * sizeof *scores);
    FUZZ_REQUIRE(scores != NULL);
    if (fuzz_succeeded(icseg_scores_of_runs(&(icseg_run_list){&run, 1}, scores, &error), &error))
        for (size_t s = 0; s < icseg_score_count(r->classes); s++)
            FUZZ_REQUIRE(isnan(scores[s]) || (scores[s] >= 0 && scores[s] <= 1));
    free(scores);
}

static void write_and_read(const icseg_image_results *r) {
    icseg_error error;
    icseg_image_results copy;
    icseg_string text = {0};
    icseg_image_results_begin(&text, r->step, r->count, r->class_names, r->classes);
    for (int64_t i = 0; i < r->count; i++) icseg_image_results_add(&text, &r->images[i]);
    const char *path = fuzz_put("copy.jsonl", text.data, text.size);
    FUZZ_REQUIRE(!text.failed && fuzz_succeeded(icseg_image_results_read(&copy, path, &error), &error));
    FUZZ_REQUIRE(copy.count == r->count && copy.classes == r->classes && copy.step == r->step);
    for (int64_t i = 0; i < r->count; i++) {
        const icseg_image_result *a = &r->images[i], *b = &copy.images[i];
        FUZZ_REQUIRE(!strcmp(a->name, b->name) && a->count == b->count);
        FUZZ_REQUIRE(!memcmp(a->pixels, b->pixels, (size_t)a->count * sizeof *a->pixels));
    }
    icseg_image_results_close(&copy);
    icseg_string_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_image_results r;
    if (fuzz_succeeded(icseg_image_results_read(&r, fuzz_put("images.jsonl", data, size), &error), &error)) {
        for (int64_t i = 0; i < r.count; i++) {
            FUZZ_REQUIRE(i == 0 || strcmp(r.images[i - 1].name, r.images[i].name) < 0);
            check_image(&r, &r.images[i]);
        }
        check_scores(&r);
        write_and_read(&r);
    }
    icseg_image_results_close(&r);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * The classes that occur in a label map, with their pixels, shares and mean confidences. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/struct_size.h"
#include "image/check.h"

enum { FIRST_SIZE = offsetof(icseg_labels_summary, classes) + sizeof(icseg_class_share *) };

static int compare_shares(const void *a, const void *b) {
    const icseg_class_share *x = a, *y = b;
    if (x->pixels != y->pixels) return x->pixels > y->pixels ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Pixels and sums of confidences; `shares` has an entry for every class. */
static icseg_status add_pixels(icseg_class_share *shares, const icseg_labels *labels, const float *confidence,
                               int32_t classes, icseg_error *error) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height;
    for (size_t i = 0; i < pixels; i++) {
        int16_t label = labels->data[i];
        if (label < ICSEG_LABEL_IGNORE || label >= classes)
            return icseg_fail(error, ICSEG_ERROR_DATA, "label %d at x %zu, y %zu is not one of %d classes", label,
                              i % (size_t)labels->width, i / (size_t)labels->width, classes);
        if (label < 0) continue;
        shares[label].pixels++;
        if (confidence) shares[label].confidence += confidence[i];
    }
    return ICSEG_OK;
}

/* Sorts the classes and turns sums into means and shares. `s->classes` has an entry for every class. */
static void finish(icseg_labels_summary *s, const icseg_labels *labels, int32_t classes) {
    double pixels = (double)labels->width * (double)labels->height;
    qsort(s->classes, (size_t)classes, sizeof *s->classes, compare_shares);
    for (; s->count < classes && s->classes[s->count].pixels; s->count++) {
        icseg_class_share *c = &s->classes[s->count];
        double own = (double)c->pixels;
        c->share = own / pixels;
        c->confidence /= own;
        s->confidence += c->confidence * own;
        s->labelled += c->pixels;
    }
    if (s->labelled) s->confidence /= (double)s->labelled;
}

icseg_status icseg_labels_summarise(icseg_labels_summary *out, const icseg_labels *labels, const float *confidence,
                                    int32_t classes, icseg_error *error) {
    ICSEG_NEED(out);
    icseg_labels_summary s = {.struct_size = sizeof s};
    ICSEG_TRY(icseg_struct_write(out, &s, sizeof s, FIRST_SIZE, "icseg_labels_summary", error));
    ICSEG_NEED_LABELS(labels);
    if (classes < 1 || classes > ICSEG_PALETTE_MAX_SIZE)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: %d classes; expected 1 to %d", __func__, classes,
                          ICSEG_PALETTE_MAX_SIZE);
    s.classes = icseg_calloc_array((size_t)classes, sizeof *s.classes);
    if (!s.classes) return icseg_fail_memory(error, (size_t)classes * sizeof *s.classes, "the shares of the classes");
    for (int32_t k = 0; k < classes; k++) s.classes[k].index = k;
    icseg_status status = add_pixels(s.classes, labels, confidence, classes, error);
    if (status == ICSEG_OK) finish(&s, labels, classes);
    if (!s.count) {
        icseg_free(s.classes);
        s.classes = NULL;
    }
    return status == ICSEG_OK ? icseg_struct_write(out, &s, sizeof s, FIRST_SIZE, "icseg_labels_summary", error)
                              : status;
}

void icseg_labels_summary_close(icseg_labels_summary *summary) {
    if (!summary) return;
    icseg_free(summary->classes);
    *summary = (icseg_labels_summary){.struct_size = summary->struct_size};
}

/* SPDX-License-Identifier: Apache-2.0
 * Scenes of the large vocabulary: names that share words, few classes in each scene, a long tail of frequencies, not
 * separable by colour; and captions that are true. */
#include <math.h>
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
#include "icseg/dataset.h"
#include "icseg/metrics.h"
#include "icseg/synth.h"
#include "pretrain/caption_list.h"
#include "support/dataset_files.h"
#include "synth/caption.h"

enum { MOST = 128 };
static int32_t classes; /* of the large vocabulary */
static const char *const *names;

typedef struct scene {
    icseg_image image;
    icseg_labels labels;
} scene;

static scene make(uint64_t seed, uint64_t index, int width, int height) {
    scene s;
    icseg_error error = {0};
    icseg_synth_scene_options options = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, seed, index, width, height, ICSEG_SYNTH_LARGE};
    if (icseg_synth_scene(&options, &s.image, &s.labels, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return s;
}

static void drop(scene *s) {
    icseg_image_close(&s->image);
    icseg_labels_close(&s->labels);
}

static void assert_same(const scene *a, const scene *b, bool same) {
    size_t pixels = (size_t)a->image.width * (size_t)a->image.height;
    assert_int_equal(!memcmp(a->image.data, b->image.data, pixels * 3), same);
    assert_int_equal(!memcmp(a->labels.data, b->labels.data, pixels * sizeof *a->labels.data), same);
}

static void the_same_seed_and_index_give_the_same_bytes(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        scene a = make(5, i, 96, 72), same = make(5, i, 96, 72), seed = make(6, i, 96, 72),
              next = make(5, i + 1, 96, 72);
        assert_same(&a, &same, true);
        assert_same(&a, &seed, false);
        assert_same(&a, &next, false);
        drop(&a);
        drop(&same);
        drop(&seed);
        drop(&next);
    }
}

/* Splits a name: every word but the last one is a material or a pattern. */
static void count_word(char words[][32], int *partners, int *count, const char *word, size_t size) {
    int at = 0;
    while (at < *count && (strlen(words[at]) != size || memcmp(words[at], word, size) != 0)) at++;
    if (at == *count) {
        assert_in_range(size, 1, 31);
        memcpy(words[at], word, size);
        words[at][size] = 0;
        partners[(*count)++] = 0;
    }
    partners[at]++;
}

static void names_are_unique_and_composed_of_shared_words(void **state) {
    (void)state;
    char objects[MOST][32], looks[MOST][32];
    int object_names[MOST], look_names[MOST], object_count = 0, look_count = 0, object_shared = 0, look_shared = 0;
    assert_true(classes >= 60 && classes <= MOST);
    for (int i = 0; i < classes; i++) {
        const char *word = names[i], *space;
        for (const char *p = word; *p; p++) assert_true((*p >= 'a' && *p <= 'z') || *p == ' ');
        for (int j = 0; j < i; j++) assert_string_not_equal(names[i], names[j]);
        for (; (space = strchr(word, ' ')); word = space + 1)
            count_word(looks, look_names, &look_count, word, (size_t)(space - word));
        assert_ptr_not_equal(word, names[i]); /* two words at least */
        count_word(objects, object_names, &object_count, word, strlen(word));
    }
    for (int i = 0; i < object_count; i++) object_shared += object_names[i] >= 3;
    for (int i = 0; i < look_count; i++) look_shared += look_names[i] >= 3;
    assert_true(object_shared >= 8 && look_shared >= 8);
}

static void both_vocabularies_have_names_and_others_have_none(void **state) {
    (void)state;
    int32_t count = -1;
    assert_ptr_equal(icseg_synth_vocabulary_names(ICSEG_SYNTH_SMALL, &count), icseg_synth_class_names());
    assert_int_equal(count, ICSEG_SYNTH_CLASSES);
    assert_ptr_equal(icseg_synth_vocabulary_names(ICSEG_SYNTH_LARGE, NULL), names);
    assert_null(icseg_synth_vocabulary_names(ICSEG_SYNTH_VOCABULARIES, &count));
    assert_int_equal(count, 0);
    assert_null(icseg_synth_vocabulary_names((icseg_synth_vocabulary)-1, NULL));
}

/* How many classes the scene has; counts its images in `images`. */
static int count_classes(const icseg_labels *labels, int64_t *images) {
    bool here[MOST] = {false};
    int different = 0;
    for (int p = 0; p < labels->width * labels->height; p++) {
        assert_in_range(labels->data[p], 0, classes - 1);
        here[labels->data[p]] = true;
    }
    for (int k = 0; k < classes; k++) {
        different += here[k];
        if (images) images[k] += here[k];
    }
    return different;
}

static int falling(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Zipf's law: the logarithm of the frequency falls with that of the rank, with a slope near -1. */
static void every_class_occurs_two_to_eight_in_a_scene_with_a_long_tail(void **state) {
    (void)state;
    enum { SCENES = 3000 };
    int64_t images[MOST] = {0};
    int scenes_with[9] = {0};
    for (int i = 0; i < SCENES; i++) {
        scene s = make(1, (uint64_t)i, 64, 64);
        int different = count_classes(&s.labels, images);
        if (different < 2 || different > 8) fail_msg("scene %d has %d classes", i, different);
        scenes_with[different]++;
        drop(&s);
    }
    for (int n = 2; n <= 8; n++) assert_true(scenes_with[n] > SCENES / 50);
    for (int k = 0; k < classes; k++)
        if (images[k] == 0) fail_msg("no scene has a %s", names[k]);
    qsort(images, (size_t)classes, sizeof *images, falling);
    double x = 0, y = 0, xx = 0, xy = 0;
    for (int k = 0; k < classes; k++) {
        double rank = log(k + 1.0), frequency = log((double)images[k]);
        x += rank;
        y += frequency;
        xx += rank * rank;
        xy += rank * frequency;
    }
    double slope = (classes * xy - x * y) / (classes * xx - x * x);
    if (slope > -0.7 || slope < -1.5) fail_msg("the slope is %.2f", slope);
    assert_true(images[0] > 10 * images[classes / 2]); /* the head */
    assert_true(images[0] < SCENES / 2);               /* nothing is everywhere */
    assert_true(images[classes / 2] < SCENES / 25);    /* most classes are rare */
    assert_true(images[classes / 4] > 2 * images[classes * 3 / 4]);
}

static void any_size_has_two_to_eight_classes(void **state) {
    (void)state;
    static const int sizes[][2] = {{65, 97}, {640, 480}, {97, 65}, {1200, 64}, {64, 700}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint64_t n = 0; n < 8; n++) {
            scene s = make(2, n, sizes[i][0], sizes[i][1]);
            assert_in_range(count_classes(&s.labels, NULL), 2, 8);
            drop(&s);
        }
}

static int nearest(double mean[MOST][3], const int64_t *count, const uint8_t *pixel) {
    int best = 0;
    double least = 1e30;
    for (int k = 0; k < classes; k++) {
        double d = 0;
        for (int c = 0; c < 3; c++) d += (pixel[c] - mean[k][c]) * (pixel[c] - mean[k][c]);
        if (count[k] == 0 || d >= least) continue;
        least = d;
        best = k;
    }
    return best;
}

static void the_nearest_mean_class_color_stays_below_a_tenth(void **state) {
    (void)state;
    enum { TRAIN = 1500, HELD_OUT = 600, WIDTH = 80, HEIGHT = 64 };
    double mean[MOST][3] = {{0}};
    int64_t count[MOST] = {0};
    for (int i = 0; i < TRAIN; i++) {
        scene s = make(3, (uint64_t)i, WIDTH, HEIGHT);
        for (int p = 0; p < WIDTH * HEIGHT; p++) {
            for (int c = 0; c < 3; c++) mean[s.labels.data[p]][c] += s.image.data[p * 3 + c];
            count[s.labels.data[p]]++;
        }
        drop(&s);
    }
    for (int k = 0; k < classes; k++)
        for (int c = 0; c < 3 && count[k]; c++) mean[k][c] /= (double)count[k];
    icseg_confusion confusion;
    icseg_metrics metrics = {ICSEG_METRICS_INIT};
    assert_int_equal(icseg_confusion_create(&confusion, classes, NULL), ICSEG_OK);
    for (int i = 0; i < HELD_OUT; i++) {
        scene s = make(3, 100000 + (uint64_t)i, WIDTH, HEIGHT);
        icseg_labels predicted;
        assert_int_equal(icseg_labels_create(&predicted, WIDTH, HEIGHT, NULL), ICSEG_OK);
        for (int p = 0; p < WIDTH * HEIGHT; p++)
            predicted.data[p] = (int16_t)nearest(mean, count, s.image.data + (size_t)p * 3);
        assert_int_equal(icseg_confusion_add(&confusion, &s.labels, &predicted, NULL), ICSEG_OK);
        icseg_labels_close(&predicted);
        drop(&s);
    }
    assert_int_equal(icseg_metrics_compute(&metrics, &confusion, NULL), ICSEG_OK);
    assert_int_equal(metrics.counted, classes);
    if (metrics.miou <= 0 || metrics.miou >= 0.10) fail_msg("mIoU %.3f", metrics.miou);
    icseg_metrics_close(&metrics);
    icseg_confusion_close(&confusion);
}

/* A caption, taken apart: the names in it, what is said about their places, and the relation to the next name. */
typedef struct phrase {
    char words[64];
    const char *place, *relation; /* NULL: none */
} phrase;

static const char *const starts[] = {"a photo of ", "a picture of ", "an image of ", "a view of ", "a scene with "};
static const char *const places[] = {" on the left",   " on the right",  " in the background",
                                     " at the bottom", " in the middle", " at the top"};
static const char *const relations[] = {
    " in front of ", " under ", " to the left of ", " to the right of ", " next to ", " above ", " on "};
static const char *const joints[] = {", ", " and "};
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The first of the texts in `at`, the longest one at its position; NULL: none. */
static const char *first_of(const char *at, const char *const *texts, size_t count, const char **which) {
    const char *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *found = strstr(at, texts[i]);
        if (!found || (best && found >= best)) continue;
        best = found;
        *which = texts[i];
    }
    return best;
}

static int take_apart(const char *caption, phrase *parts) {
    const char *rest = caption, *start, *relation = NULL, *joint = NULL;
    int count = 0;
    for (size_t i = 0; i < COUNT(starts); i++)
        if (!strncmp(caption, starts[i], strlen(starts[i]))) rest = caption + strlen(starts[i]);
    for (;; count++) {
        phrase *p = &parts[count];
        assert_in_range(count, 0, 2);
        *p = (phrase){0};
        char piece[128];
        const char *place = NULL, *end, *other;
        /* what ends the name: a place first, because " on the left" begins like the relation " on " */
        char masked[512];
        snprintf(masked, sizeof masked, "%s", rest);
        for (size_t i = 0; i < COUNT(places); i++)
            for (char *found; (found = strstr(masked, places[i]));) memset(found, '#', strlen(places[i]));
        end = first_of(masked, relations, COUNT(relations), &relation);
        other = first_of(masked, joints, COUNT(joints), &joint);
        bool related = end && (!other || end < other);
        size_t size = related ? (size_t)(end - masked) : other ? (size_t)(other - masked) : strlen(masked);
        assert_true(size < sizeof piece);
        memcpy(piece, rest, size);
        piece[size] = 0;
        start = first_of(piece, places, COUNT(places), &place);
        if (start) {
            assert_int_equal(strlen(start), strlen(place)); /* nothing follows it */
            piece[start - piece] = 0;
            p->place = place;
        }
        assert_true(strlen(piece) < sizeof p->words);
        snprintf(p->words, sizeof p->words, "%.63s", piece);
        p->relation = related ? relation : NULL;
        if (!related && !other) return count + 1;
        rest += size + strlen(related ? relation : joint);
    }
}

/* Without its article, which has to be right. */
static const char *bare(const char *words) {
    bool vowel;
    if (!strncmp(words, "the ", 4)) {
        assert_string_equal(words, "the sky");
        return words + 4;
    }
    if (strstr(words, "water")) {
        assert_true(strncmp(words, "a ", 2) && strncmp(words, "an ", 3));
        return words;
    }
    assert_true(!strncmp(words, "a ", 2) || !strncmp(words, "an ", 3));
    words = strchr(words, ' ') + 1;
    vowel = strchr("aeiou", *words) != NULL;
    assert_int_equal(vowel, words[-2] == 'n');
    return words;
}

/* Where each class is in a picture, in shares of its sides. */
typedef struct layout {
    double share[MOST], x[MOST], y[MOST];
    int low[MOST], high[MOST]; /* first and last row */
    const icseg_labels *labels;
} layout;

static void lay_out(layout *l, const icseg_labels *labels) {
    int w = labels->width, h = labels->height;
    *l = (layout){.labels = labels};
    for (int k = 0; k < MOST; k++) l->low[k] = h;
    for (int p = 0; p < w * h; p++) {
        int k = labels->data[p], row = p / w;
        l->share[k] += 1;
        l->x[k] += (p % w + 0.5) / w;
        l->y[k] += (row + 0.5) / h;
        if (row < l->low[k]) l->low[k] = row;
        if (row > l->high[k]) l->high[k] = row;
    }
    for (int k = 0; k < MOST; k++) {
        if (l->share[k] == 0) continue;
        l->x[k] /= l->share[k];
        l->y[k] /= l->share[k];
        l->share[k] /= w * h;
    }
}

static bool ends_with(const char *name, const char *words) {
    size_t a = strlen(name), b = strlen(words);
    return a >= b && !strcmp(name + a - b, words) && (a == b || name[a - b - 1] == ' ');
}

static bool is(int k, const char *noun) { return ends_with(names[k], noun); }
static bool is_ground(int k) { return is(k, "field") || is(k, "road") || is(k, "water"); }
static bool is_far(int k) { return is(k, "sky") || is(k, "mountain"); }

static bool place_is_true(const layout *l, int k, const char *place) {
    if (!place) return true;
    if (strstr(place, "left")) return l->x[k] < 0.4;
    if (strstr(place, "right")) return l->x[k] > 0.6;
    if (strstr(place, "top")) return l->y[k] < 0.35;
    if (strstr(place, "bottom")) return l->y[k] > 0.65;
    if (strstr(place, "middle")) return fabs(l->x[k] - 0.5) < 0.15 && fabs(l->y[k] - 0.5) < 0.15;
    return is_far(k);
}

static bool touches_below(const layout *l, int a, int b) {
    int w = l->labels->width, h = l->labels->height;
    for (int p = 0; p < w * (h - 1); p++)
        if (l->labels->data[p] == a && l->labels->data[p + w] == b && p >= (int)(l->y[a] * h) * w) return true;
    return false;
}

static bool relation_is_true(const layout *l, int a, int b, const char *relation) {
    bool beside = l->low[a] <= l->high[b] && l->low[b] <= l->high[a] && fabs(l->x[a] - l->x[b]) > 0.15;
    if (strstr(relation, "left")) return beside && l->x[a] < l->x[b];
    if (strstr(relation, "right")) return beside && l->x[a] > l->x[b];
    if (strstr(relation, "next")) return beside && !is_ground(a) && !is_ground(b) && !is_far(a) && !is_far(b);
    if (strstr(relation, "above")) return l->y[a] < l->y[b] - 0.1;
    if (strstr(relation, "under")) return is(b, "sky") && l->y[a] > l->y[b];
    if (strstr(relation, "front")) return is(b, "mountain") && !is_ground(a) && !is_far(a);
    return is_ground(b) && touches_below(l, a, b);
}

/* Whether the parts from `first` on can be the names of classes that are visible and where the caption says. */
static bool is_true(const layout *l, const phrase *parts, int first, int count, int previous, uint64_t used) {
    if (first == count) return true;
    for (int k = 0; k < classes; k++) {
        if (l->share[k] < 0.04 || !ends_with(names[k], bare(parts[first].words))) continue;
        if (used >> (k % 64) & 1 && previous == k) continue;
        if (!place_is_true(l, k, parts[first].place)) continue;
        if (first && parts[first - 1].relation && !relation_is_true(l, previous, k, parts[first - 1].relation))
            continue;
        if (is_true(l, parts, first + 1, count, k, used | (uint64_t)1 << (k % 64))) return true;
    }
    return false;
}

static void captions_name_visible_classes_and_true_positions(void **state) {
    (void)state;
    enum { PAIRS = 1500 };
    int named[4] = {0}, shorter = 0, omitted = 0, with_place[COUNT(places)] = {0},
        with_relation[COUNT(relations)] = {0};
    int small = 0, large = 0;
    icseg_string caption = {0};
    for (int i = 0; i < PAIRS; i++) {
        icseg_synth_scene_options o = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, 4, (uint64_t)i, 128, 96, ICSEG_SYNTH_LARGE};
        scene s;
        icseg_error error = {0};
        int32_t label;
        layout l;
        phrase parts[3];
        int visible = 0;
        if (icseg_synth_pair(&o, NULL, &s.image, &caption, &label, &s.labels, &error) != ICSEG_OK)
            fail_msg("%s", error.message);
        assert_int_equal(s.image.width, s.image.height);
        assert_int_equal(s.image.width, s.labels.width);
        small += s.image.width < 40;
        large += s.image.width > 80;
        lay_out(&l, &s.labels);
        for (int k = 0; k < classes; k++) {
            assert_true(l.share[k] <= l.share[label]);
            visible += l.share[k] >= 0.04;
        }
        int count = take_apart(caption.data, parts);
        if (!is_true(&l, parts, 0, count, -1, 0)) fail_msg("pair %d: \"%s\" is not true", i, caption.data);
        named[count]++;
        omitted += visible > count;
        for (int n = 0; n < count; n++) {
            bool whole = false;
            for (int k = 0; k < classes; k++) whole = whole || !strcmp(names[k], bare(parts[n].words));
            shorter += !whole;
            for (size_t p = 0; p < COUNT(places); p++) with_place[p] += parts[n].place == places[p];
            for (size_t p = 0; p < COUNT(relations); p++) with_relation[p] += parts[n].relation == relations[p];
        }
        drop(&s);
    }
    icseg_string_close(&caption);
    for (int n = 1; n <= 3; n++) assert_true(named[n] > PAIRS / 20);
    for (size_t p = 0; p < COUNT(places); p++) assert_true(with_place[p] > 0);
    for (size_t p = 0; p < COUNT(relations); p++) assert_true(with_relation[p] > 0);
    assert_true(shorter > PAIRS / 10 && omitted > PAIRS / 5);
    assert_true(small > PAIRS / 20 && large > PAIRS / 20); /* cut-outs at many scales */
}

static void a_pair_is_a_function_of_seed_and_index(void **state) {
    (void)state;
    icseg_string caption[2] = {{0}, {0}};
    int same_captions = 0;
    for (uint64_t i = 0; i < 30; i++) {
        icseg_image image[2];
        int32_t label[2];
        icseg_synth_scene_options o = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, 8, i, 96, 72, ICSEG_SYNTH_LARGE};
        for (int n = 0; n < 2; n++)
            assert_int_equal(icseg_synth_pair(&o, NULL, &image[n], &caption[n], &label[n], NULL, NULL), ICSEG_OK);
        assert_int_equal(image[0].width, image[1].width);
        assert_memory_equal(image[0].data, image[1].data, (size_t)image[0].width * (size_t)image[0].width * 3);
        assert_string_equal(caption[0].data, caption[1].data);
        assert_int_equal(label[0], label[1]);
        icseg_image_close(&image[1]);
        o.seed = 9;
        assert_int_equal(icseg_synth_pair(&o, NULL, &image[1], &caption[1], &label[1], NULL, NULL), ICSEG_OK);
        same_captions += !strcmp(caption[0].data, caption[1].data);
        icseg_image_close(&image[0]);
        icseg_image_close(&image[1]);
    }
    assert_true(same_captions < 6);
    for (int n = 0; n < 2; n++) icseg_string_close(&caption[n]);
}

static bool is_at(const scene *part, const scene *whole, int x, int y) {
    for (int row = 0; row < part->image.height; row++) {
        size_t from = (size_t)(y + row) * (size_t)whole->image.width + (size_t)x, side = (size_t)part->image.width;
        if (memcmp(part->image.data + (size_t)row * side * 3, whole->image.data + from * 3, side * 3) != 0)
            return false;
        if (memcmp(part->labels.data + (size_t)row * side, whole->labels.data + from, side * sizeof(int16_t)) != 0)
            return false;
    }
    return true;
}

/* Only the pixels of a cut-out are painted. */
static void a_cut_out_is_a_part_of_the_scene(void **state) {
    (void)state;
    icseg_string caption = {0};
    icseg_synth_scene_options o = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .seed = 3, .width = 96, .height = 72};
    for (o.index = 0; o.index < 60; o.index++) {
        scene part, whole;
        int32_t label;
        bool found = false;
        o.vocabulary = o.index % 3 ? ICSEG_SYNTH_LARGE : ICSEG_SYNTH_SMALL;
        assert_int_equal(icseg_synth_pair(&o, NULL, &part.image, &caption, &label, &part.labels, NULL), ICSEG_OK);
        assert_int_equal(icseg_synth_scene(&o, &whole.image, &whole.labels, NULL), ICSEG_OK);
        for (int y = 0; y + part.image.height <= 72 && !found; y++)
            for (int x = 0; x + part.image.width <= 96 && !found; x++) found = is_at(&part, &whole, x, y);
        assert_true(found);
        drop(&part);
        drop(&whole);
    }
    icseg_string_close(&caption);
}

static void cut_outs_have_the_shares_that_were_asked_for(void **state) {
    (void)state;
    static const icseg_synth_pair_options good[] = {{1, 1}, {0.25, 0.25}, {0.5, 0.9}, {0.001, 0.001}};
    static const int sides[][2] = {{96, 96}, {48, 48}, {67, 92}, {16, 16}};
    static const icseg_synth_pair_options bad[] = {{0, 1}, {0.5, 0.4}, {0.5, 1.1}, {-1, -1}, {NAN, 1}, {0.1, NAN}};
    icseg_string caption = {0};
    icseg_image image;
    int32_t label;
    icseg_synth_scene_options o = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .width = 128, .height = 96};
    for (size_t i = 0; i < COUNT(good); i++)
        for (o.index = 0; o.index < 10; o.index++) {
            assert_int_equal(icseg_synth_pair(&o, &good[i], &image, &caption, &label, NULL, NULL), ICSEG_OK);
            assert_in_range(image.width, sides[i][0], sides[i][1]);
            assert_in_range(label, 0, ICSEG_SYNTH_CLASSES - 1); /* the small vocabulary has captions, too */
            assert_true(caption.size > 2);
            icseg_image_close(&image);
        }
    for (size_t i = 0; i < COUNT(bad); i++) {
        icseg_error error = {0};
        assert_int_equal(icseg_synth_pair(&o, &bad[i], &image, &caption, &label, NULL, &error), ICSEG_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "expected shares above 0, up to 1"));
        assert_null(image.data);
    }
    icseg_string_close(&caption);
}

static void an_unknown_vocabulary_is_refused(void **state) {
    (void)state;
    scene s;
    icseg_error error = {0};
    icseg_synth_scene_options o = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, .vocabulary = ICSEG_SYNTH_VOCABULARIES};
    assert_int_equal(icseg_synth_scene(&o, &s.image, &s.labels, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "vocabulary");
    assert_non_null(strstr(error.message, "is 2; expected ICSEG_SYNTH_SMALL (0) or ICSEG_SYNTH_LARGE (1)"));
    test_folder f = test_dataset_open("");
    char folder[128];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options set = {ICSEG_SYNTH_OPTIONS_INIT, .folder = folder, .vocabulary = (icseg_synth_vocabulary)7};
    assert_int_equal(icseg_synth_write(&set, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_string_equal(error.field, "vocabulary");
    assert_false(icseg_folder_exists(folder));
    test_dataset_close(&f);
}

/* Programs that were built before there was a vocabulary pass smaller structs: what follows them is not read. */
static void the_old_sizes_of_the_options_mean_the_small_vocabulary(void **state) {
    (void)state;
    scene old, now;
    icseg_synth_scene_options o = {offsetof(icseg_synth_scene_options, vocabulary), 5, 7, 96, 72, ICSEG_SYNTH_LARGE};
    assert_int_equal(icseg_synth_scene(&o, &old.image, &old.labels, NULL), ICSEG_OK);
    o.struct_size = sizeof o;
    o.vocabulary = ICSEG_SYNTH_SMALL;
    assert_int_equal(icseg_synth_scene(&o, &now.image, &now.labels, NULL), ICSEG_OK);
    assert_same(&old, &now, true);
    drop(&old);
    drop(&now);
    test_folder f = test_dataset_open("");
    char folder[128], path[192];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options set = {
        offsetof(icseg_synth_options, vocabulary), .folder = folder, .train = 1, .val = 1, .width = 64, .height = 64,
        .vocabulary = ICSEG_SYNTH_LARGE,           .captions = true};
    unsigned char *text;
    size_t size;
    assert_int_equal(icseg_synth_write(&set, NULL, NULL), ICSEG_OK);
    snprintf(path, sizeof path, "%s/classes.txt", folder);
    assert_int_equal(icseg_file_read(path, 1 << 16, &text, &size, NULL), ICSEG_OK);
    assert_memory_equal(text, "sky\ndistant mountain\n", 21);
    icseg_free(text);
    snprintf(path, sizeof path, "%s/captions.jsonl", folder);
    assert_false(icseg_file_exists(path));
    test_dataset_close(&f);
}

static icseg_synth_options large_set(const char *folder) {
    return (icseg_synth_options){
        ICSEG_SYNTH_OPTIONS_INIT,        .folder = folder, .train = 5, .val = 2, .width = 80, .height = 64, .seed = 9,
        .vocabulary = ICSEG_SYNTH_LARGE, .captions = true};
}

static void the_written_files_do_not_depend_on_threads_and_open_as_a_data_set(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char one[128], three[128], path[192];
    icseg_error error = {0};
    snprintf(one, sizeof one, "%s/one", f.path);
    snprintf(three, sizeof three, "%s/three", f.path);
    icseg_synth_options o = large_set(one);
    o.threads = 1;
    if (icseg_synth_write(&o, NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
    o.folder = three;
    o.threads = 3;
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_OK);
    char command[512];
    snprintf(command, sizeof command, "diff -r '%s' '%s'", one, three);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a folder that the test made */
    icseg_dataset_options in = {ICSEG_DATASET_OPTIONS_INIT, .folder = one, .split = "val"};
    icseg_dataset *d;
    if (icseg_dataset_open(&d, &in, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_int_equal(icseg_dataset_classes(d), classes);
    scene read, made = make(9, ((uint64_t)1 << 40) + 1, 80, 64);
    assert_int_equal(icseg_dataset_read(d, 1, &read.image, &read.labels, &error), ICSEG_OK);
    assert_memory_equal(read.labels.data, made.labels.data, 80 * 64 * sizeof *made.labels.data);
    drop(&read);
    drop(&made);
    icseg_dataset_close(&d);
    for (int val = 0; val < 2; val++) { /* as training on pairs reads them */
        icseg_caption_list list;
        const char *base;
        snprintf(path, sizeof path, "%s/%s", one, val ? "captions_val.jsonl" : "captions.jsonl");
        if (icseg_caption_list_read(&list, path, &base, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(list.count, val ? 2 : 5);
        assert_string_equal(list.images[1].image, val ? "images/val/000001.jpg" : "images/train/000001.jpg");
        for (int64_t i = 0; i < list.count; i++) {
            scene s = make(9, (val ? (uint64_t)1 << 40 : 0) + (uint64_t)i, 80, 64);
            layout l;
            lay_out(&l, &s.labels);
            assert_int_equal(list.images[i].count, 2);
            for (int c = 0; c < 2; c++) {
                phrase parts[3];
                int count = take_apart(list.images[i].captions[c], parts);
                assert_true(is_true(&l, parts, 0, count, -1, 0));
            }
            drop(&s);
        }
        icseg_caption_list_close(&list);
    }
    test_dataset_close(&f);
}

static void captions_are_removed_with_the_scenes_of_an_earlier_run_and_only_then(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128], path[192];
    icseg_error error = {0};
    snprintf(folder, sizeof folder, "%s/out", f.path);
    snprintf(path, sizeof path, "%s/captions.jsonl", folder);
    icseg_synth_options o = large_set(folder);
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    assert_true(icseg_file_exists(path));
    o.force = true;
    o.captions = false;
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    assert_false(icseg_file_exists(path)); /* they described other scenes */
    test_write_text(&f, "out/captions.jsonl", "mine");
    assert_int_equal(icseg_synth_write(&o, NULL, NULL), ICSEG_OK);
    assert_true(icseg_file_exists(path));
    test_dataset_close(&f);
    f = test_dataset_open("");
    test_write_text(&f, "captions.jsonl", "mine"); /* beside what another program wrote */
    snprintf(path, sizeof path, "%s/none", f.path);
    snprintf(folder, sizeof folder, "%s/own", f.path);
    assert_int_equal(icseg_folder_create(folder, NULL), ICSEG_OK);
    test_write_text(&f, "own/captions.jsonl", "mine");
    o = large_set(folder);
    o.force = true;
    assert_int_equal(icseg_synth_write(&o, NULL, &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "own/captions.jsonl: exists"));
    test_dataset_close(&f);
}

static void a_failed_allocation_is_an_error_without_leftovers(void **state) {
    (void)state;
    test_folder f = test_dataset_open("");
    char folder[128];
    snprintf(folder, sizeof folder, "%s/out", f.path);
    icseg_synth_options set = large_set(folder);
    set.train = set.val = set.threads = 1;
    set.force = true;
    icseg_synth_scene_options one = {ICSEG_SYNTH_SCENE_OPTIONS_INIT, 0, 0, 64, 64, ICSEG_SYNTH_LARGE};
    for (int what = 0; what < 2; what++) {
        bool done = false;
        int64_t n = 0;
        for (; !done; n++) {
            icseg_error error = {0};
            icseg_string caption = {0};
            scene s = {.image = {.data = NULL}};
            int32_t label;
            assert_true(n < 1000);
            icseg_memory_fail_after(n);
            icseg_status status = what ? icseg_synth_write(&set, NULL, &error)
                                       : icseg_synth_pair(&one, NULL, &s.image, &caption, &label, &s.labels, &error);
            icseg_memory_fail_after(-1);
            done = status == ICSEG_OK;
            if (done && !what) assert_true(caption.size > 2 && !caption.failed);
            if (!done) {
                assert_true(error.status == status && error.message[0]);
                assert_null(s.image.data);
                assert_null(s.labels.data);
            }
            icseg_string_close(&caption);
            drop(&s);
        }
        assert_true(n > 5);
    }
    test_dataset_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_and_index_give_the_same_bytes),
        cmocka_unit_test(names_are_unique_and_composed_of_shared_words),
        cmocka_unit_test(both_vocabularies_have_names_and_others_have_none),
        cmocka_unit_test(every_class_occurs_two_to_eight_in_a_scene_with_a_long_tail),
        cmocka_unit_test(any_size_has_two_to_eight_classes),
        cmocka_unit_test(the_nearest_mean_class_color_stays_below_a_tenth),
        cmocka_unit_test(captions_name_visible_classes_and_true_positions),
        cmocka_unit_test(a_pair_is_a_function_of_seed_and_index),
        cmocka_unit_test(a_cut_out_is_a_part_of_the_scene),
        cmocka_unit_test(cut_outs_have_the_shares_that_were_asked_for),
        cmocka_unit_test(an_unknown_vocabulary_is_refused),
        cmocka_unit_test(the_old_sizes_of_the_options_mean_the_small_vocabulary),
        cmocka_unit_test(the_written_files_do_not_depend_on_threads_and_open_as_a_data_set),
        cmocka_unit_test(captions_are_removed_with_the_scenes_of_an_earlier_run_and_only_then),
        cmocka_unit_test(a_failed_allocation_is_an_error_without_leftovers),
    };
    names = icseg_synth_vocabulary_names(ICSEG_SYNTH_LARGE, &classes);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

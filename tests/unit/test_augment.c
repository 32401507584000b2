/* SPDX-License-Identifier: Apache-2.0
 * Augmentation: the crop is that of the resized image, labels follow the pixels, probabilities and ranges are as
 * documented. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "image/normalize.h"
#include "loader/loader.h"

typedef struct sample {
    int32_t height, width;
    float *image;
    int16_t *labels;
} sample;

static void open_pair(icseg_image *image, icseg_labels *labels, int32_t width, int32_t height) {
    icseg_rng rng = icseg_rng_open(7, ICSEG_RNG_TEST, (uint64_t)(width * 1000 + height));
    assert_int_equal(icseg_image_create(image, width, height, NULL), ICSEG_OK);
    assert_int_equal(icseg_labels_create(labels, width, height, NULL), ICSEG_OK);
    for (int32_t i = 0; i < width * height; i++) {
        for (int c = 0; c < 3; c++) image->data[3 * i + c] = (uint8_t)icseg_rng_below(&rng, 256);
        labels->data[i] = (int16_t)((int64_t)icseg_rng_below(&rng, 5) - 1);
    }
}

static void close_pair(icseg_image *image, icseg_labels *labels) {
    icseg_image_close(image);
    icseg_labels_close(labels);
}

/* The image's own size, without scaling, flip, distortion or limits of the crop. */
static icseg_augment_options plain(int32_t height, int32_t width) {
    icseg_augment_options o = icseg_augment_options_default();
    o.crop_height = height, o.crop_width = width;
    o.resize_short = o.resize_long = 0;
    o.scale_min = o.scale_max = 1;
    o.crop_max_share = 1;
    o.flip = 0;
    o.photometric = false;
    return o;
}

static sample augment_for(int32_t wanted, const icseg_augment_options *o, uint64_t stream, const icseg_image *image,
                          const icseg_labels *labels) {
    sample s = {o->crop_height, o->crop_width, NULL, NULL};
    size_t n = (size_t)s.height * (size_t)s.width;
    s.image = malloc(n * 3 * sizeof *s.image);
    s.labels = malloc(n * sizeof *s.labels);
    memset(s.image, 0xff, n * 3 * sizeof *s.image); /* NaN: values that are not written are found */
    memset(s.labels, 0x55, n * sizeof *s.labels);
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, stream);
    icseg_error error = {0};
    icseg_augment_source source = {image, labels, wanted};
    if (icseg_augment(o, &rng, &source, s.image, s.labels, &error) != ICSEG_OK) fail_msg("%s", error.message);
    for (size_t i = 0; i < n * 3; i++) assert_true(isfinite(s.image[i]));
    return s;
}

static sample augment(const icseg_augment_options *o, uint64_t stream, const icseg_image *image,
                      const icseg_labels *labels) {
    return augment_for(-1, o, stream, image, labels);
}

static void sample_close(sample *s) {
    free(s->image);
    free(s->labels);
}

/* The 8-bit value of a normalised one. */
static int stored(float value, int channel) {
    static const float mean[3] = ICSEG_MEAN, std[3] = ICSEG_STD;
    return (int)lrintf((value * std[channel] + mean[channel]) * 255);
}

/* Whether the sample's first columns x rows are the window at (x, y) of the image. */
static bool is_window(const sample *s, const float *image, const icseg_labels *labels, int32_t x, int32_t y,
                      int32_t columns, int32_t rows) {
    for (int32_t r = 0; r < rows; r++) {
        size_t at = (size_t)(y + r) * (size_t)labels->width + (size_t)x, to = (size_t)r * (size_t)s->width;
        if (memcmp(s->image + 3 * to, image + 3 * at, (size_t)columns * 3 * sizeof *image) ||
            memcmp(s->labels + to, labels->data + at, (size_t)columns * sizeof *s->labels))
            return false;
    }
    return true;
}

static void cropping_first_equals_resizing_first(void **state) {
    (void)state;
    const int32_t sizes[][2] = {{37, 23}, {8, 61}, {64, 64}, {1, 5}, {3, 1}};
    const double scales[] = {0.3, 0.5, 0.77, 1, 1.4, 2, 3.3};
    bool corners[2] = {false, false};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (size_t j = 0; j < sizeof scales / sizeof *scales; j++) {
            icseg_image image, whole;
            icseg_labels labels, whole_labels;
            open_pair(&image, &labels, sizes[k][0], sizes[k][1]);
            int32_t width = (int32_t)(sizes[k][0] * scales[j] + 0.5), height = (int32_t)(sizes[k][1] * scales[j] + 0.5);
            if (width < 1) width = 1;
            if (height < 1) height = 1;
            assert_int_equal(icseg_image_resize(&whole, &image, width, height, NULL), ICSEG_OK);
            assert_int_equal(icseg_labels_resize(&whole_labels, &labels, width, height, NULL), ICSEG_OK);
            float *normal = malloc((size_t)width * (size_t)height * 3 * sizeof *normal);
            icseg_image_normalize(&whole, normal);
            icseg_augment_options o = plain(16, 20);
            o.scale_min = o.scale_max = scales[j];
            for (uint64_t stream = 0; stream < 6; stream++) {
                sample s = augment(&o, stream, &image, &labels);
                int32_t columns = width < 20 ? width : 20, rows = height < 16 ? height : 16, found = 0;
                for (int32_t y = 0; y + rows <= height; y++)
                    for (int32_t x = 0; x + columns <= width; x++)
                        if (is_window(&s, normal, &whole_labels, x, y, columns, rows)) {
                            found++;
                            corners[0] |= x == 0 && columns < width;
                            corners[1] |= y + rows == height && rows < height;
                        }
                assert_true(found >= 1);
                for (int32_t i = 0; i < 16 * 20; i++) { /* pixels outside the image are padding */
                    if (i / 20 < rows && i % 20 < columns) continue;
                    assert_true(s.image[3 * i] == 0 && s.image[3 * i + 1] == 0 && s.image[3 * i + 2] == 0);
                    assert_int_equal(s.labels[i], ICSEG_LABEL_IGNORE);
                }
                sample_close(&s);
            }
            free(normal);
            close_pair(&image, &labels);
            close_pair(&whole, &whole_labels);
        }
    assert_true(corners[0] && corners[1]); /* crops reach the borders */
}

/* Width and height without padding. */
static void extent(const sample *s, int32_t *width, int32_t *height) {
    *width = *height = 0;
    for (int32_t i = 0; i < s->height * s->width; i++)
        if (s->labels[i] >= 0) {
            if (i % s->width >= *width) *width = i % s->width + 1;
            if (i / s->width >= *height) *height = i / s->width + 1;
        }
}

static void sides_follow_short_and_long_limit(void **state) {
    (void)state;
    const struct {
        int32_t width, height, resize_short, resize_long;
        double r;
        int32_t expected_width, expected_height;
    } cases[] = {{60, 40, 20, 80, 1, 30, 20},    {40, 60, 20, 80, 1.5, 30, 45}, {100, 10, 20, 80, 1, 80, 8},
                 {100, 10, 20, 0, 1, 200, 20},   {60, 40, 0, 0, 0.5, 30, 20},   {60, 40, 21, 80, 0.5, 15, 10},
                 {30, 30, 16, 16, 0.01562, 1, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        icseg_image image;
        icseg_labels labels;
        open_pair(&image, &labels, cases[k].width, cases[k].height);
        for (int32_t i = 0; i < labels.width * labels.height; i++) labels.data[i] = 3;
        icseg_augment_options o = plain(210, 210);
        o.resize_short = cases[k].resize_short, o.resize_long = cases[k].resize_long;
        o.scale_min = o.scale_max = k == 6 ? 1.0 / 64 : cases[k].r;
        sample s = augment(&o, 0, &image, &labels);
        int32_t width, height;
        extent(&s, &width, &height);
        assert_int_equal(width, k == 6 ? 1 : cases[k].expected_width);
        assert_int_equal(height, k == 6 ? 1 : cases[k].expected_height);
        sample_close(&s);
        close_pair(&image, &labels);
    }
}

static void scales_are_uniform_between_the_bounds(void **state) {
    (void)state;
    icseg_image image;
    icseg_labels labels;
    open_pair(&image, &labels, 40, 2);
    for (int32_t i = 0; i < 80; i++) labels.data[i] = 0;
    icseg_augment_options o = plain(4, 81);
    o.scale_min = 0.5, o.scale_max = 2;
    int counts[3] = {0};
    for (uint64_t stream = 0; stream < 600; stream++) {
        sample s = augment(&o, stream, &image, &labels);
        int32_t width, height;
        extent(&s, &width, &height);
        assert_in_range(width, 20, 80);
        counts[width < 40 ? 0 : width < 60 ? 1 : 2]++;
        sample_close(&s);
    }
    for (int i = 0; i < 3; i++) assert_in_range(counts[i], 150, 250);
    close_pair(&image, &labels);
}

static void flipping_mirrors_image_and_labels(void **state) {
    (void)state;
    icseg_image image;
    icseg_labels labels;
    open_pair(&image, &labels, 30, 20);
    for (int padded = 0; padded < 2; padded++) {
        icseg_augment_options o = plain(12, padded ? 70 : 16), mirrored;
        o.scale_min = o.scale_max = 1.3;
        mirrored = o;
        mirrored.flip = 1;
        int32_t columns = padded ? 39 : 16;
        for (uint64_t stream = 0; stream < 4; stream++) {
            sample a = augment(&o, stream, &image, &labels), b = augment(&mirrored, stream, &image, &labels);
            for (int32_t y = 0; y < 12; y++)
                for (int32_t x = 0; x < columns; x++) {
                    int32_t i = y * o.crop_width + x, j = y * o.crop_width + columns - 1 - x;
                    assert_int_equal(a.labels[i], b.labels[j]);
                    assert_memory_equal(a.image + 3 * i, b.image + 3 * j, 3 * sizeof(float));
                }
            sample_close(&a);
            sample_close(&b);
        }
    }
    icseg_augment_options o = plain(20, 30), never = o;
    o.flip = 0.3;
    int flipped = 0;
    for (uint64_t stream = 0; stream < 1000; stream++) {
        sample a = augment(&o, stream, &image, &labels), b = augment(&never, stream, &image, &labels);
        flipped += memcmp(a.labels, b.labels, 600 * sizeof *a.labels) != 0;
        sample_close(&a);
        sample_close(&b);
    }
    assert_in_range(flipped, 240, 360);
    close_pair(&image, &labels);
}

static void labels_stay_with_their_pixels(void **state) {
    (void)state;
    icseg_image image;
    icseg_labels labels;
    open_pair(&image, &labels, 24, 24);
    for (int32_t i = 0; i < 24 * 24; i++) { /* an edge at (8, 16): the label is the side of the pixel */
        labels.data[i] = (int16_t)((i % 24 >= 8) + 2 * (i / 24 >= 16));
        image.data[3 * i] = i % 24 >= 8 ? 200 : 0;
        image.data[3 * i + 1] = i / 24 >= 16 ? 200 : 0;
    }
    const double scales[] = {0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 4};
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        icseg_augment_options o = plain(96, 96);
        o.scale_min = o.scale_max = scales[k];
        sample s = augment(&o, 0, &image, &labels);
        for (int32_t i = 0; i < 96 * 96; i++) {
            if (s.labels[i] < 0) continue;
            int across = stored(s.image[3 * i], 0), down = stored(s.image[3 * i + 1], 1);
            if (across != 100) assert_int_equal(s.labels[i] & 1, across > 100);
            if (down != 100) assert_int_equal(s.labels[i] >> 1, down > 100);
        }
        sample_close(&s);
    }
    close_pair(&image, &labels);
}

/* The number of crops, of 200, of which one class covers more than 3/4. */
static int count_dull(const icseg_augment_options *o, const icseg_image *image, const icseg_labels *labels) {
    int dull = 0;
    for (uint64_t stream = 0; stream < 200; stream++) {
        sample s = augment(o, stream, image, labels);
        int counts[4] = {0}, sum = 0;
        for (int32_t i = 0; i < o->crop_height * o->crop_width; i++)
            if (s.labels[i] >= 0) counts[s.labels[i]]++, sum++;
        for (int k = 0; k < 4; k++)
            if (counts[k] * 4 > sum * 3) {
                dull++;
                break;
            }
        sample_close(&s);
    }
    return dull;
}

static void crops_of_mostly_one_class_are_replaced(void **state) {
    (void)state;
    icseg_image image;
    icseg_labels labels;
    open_pair(&image, &labels, 64, 16);
    for (int32_t i = 0; i < 64 * 16; i++) { /* left half: class 0 and ignored pixels; right half: two classes in turn */
        int32_t x = i % 64;
        labels.data[i] = (int16_t)(x < 32 ? (x % 3 ? 0 : -1) : 1 + x % 2);
    }
    icseg_augment_options o = plain(16, 16);
    assert_in_range(count_dull(&o, &image, &labels), 50, 150);
    o.crop_max_share = 0.75;
    assert_in_range(count_dull(&o, &image, &labels), 0, 2);
    for (int32_t i = 0; i < 64 * 16; i++) labels.data[i] = 2; /* no crop is better: the search must end */
    assert_int_equal(count_dull(&o, &image, &labels), 200);
    for (int32_t i = 0; i < 64 * 16; i++) labels.data[i] = -1;
    assert_int_equal(count_dull(&o, &image, &labels), 0);
    close_pair(&image, &labels);
}

static int count_of(const sample *s, int16_t class, int *last) {
    int count = 0;
    for (int i = 0; i < s->height * s->width; i++)
        if (s->labels[i] == class) count++, *last = i;
    return count;
}

static void crops_show_a_wanted_class(void **state) {
    (void)state;
    enum { WIDTH = 61, HEIGHT = 47, SIDE = 8 };
    const int32_t at[] = {0, WIDTH - 1, 20 * WIDTH + 30, HEIGHT * WIDTH - 1}; /* three corners, and the middle */
    for (int k = 0; k < 4; k++) {
        icseg_image image;
        icseg_labels labels;
        bool seen[SIDE * SIDE] = {false};
        int places = 0, last = 0;
        open_pair(&image, &labels, WIDTH, HEIGHT);
        memset(labels.data, 0, WIDTH * HEIGHT * sizeof *labels.data);
        labels.data[at[k]] = 3;
        icseg_augment_options o = plain(SIDE, SIDE);
        o.flip = 0.5;
        for (uint64_t stream = 0; stream < 400; stream++) {
            sample s = augment_for(3, &o, stream, &image, &labels);
            assert_int_equal(count_of(&s, 3, &last), 1);
            if (!seen[last]) places++;
            seen[last] = true;
            sample_close(&s);
        }
        assert_in_range(places, k == 2 ? 50 : 2, k == 2 ? 64 : 2); /* a corner has one place, or its mirror image */
        o.scale_min = 1, o.scale_max = 3;                          /* every source pixel is in the resized image */
        for (uint64_t stream = 0; stream < 200; stream++) {
            sample s = augment_for(3, &o, stream, &image, &labels);
            assert_true(count_of(&s, 3, &last) > 0);
            sample_close(&s);
            s = augment_for(2, &o, stream, &image, &labels); /* which the image does not contain */
            sample other = augment(&o, stream, &image, &labels);
            assert_memory_equal(s.labels, other.labels, SIDE * SIDE * sizeof *s.labels);
            sample_close(&s);
            sample_close(&other);
        }
        close_pair(&image, &labels);
    }
}

static void crops_show_enough_of_a_wanted_class(void **state) {
    (void)state;
    icseg_image image;
    icseg_labels labels;
    int last, poor = 0;
    open_pair(&image, &labels, 200, 100);
    for (int32_t i = 0; i < 200 * 100; i++) { /* left: 16 pixels, far from each other; right: a block of 36 */
        int32_t x = i % 200, y = i / 200;
        labels.data[i] = x < 100 ? x % 25 == 12 && y % 25 == 12 : x >= 150 && x < 156 && y >= 50 && y < 56;
    }
    icseg_augment_options o = plain(20, 20);
    for (uint64_t stream = 0; stream < 200; stream++) {
        sample s = augment_for(1, &o, stream, &image, &labels);
        poor += count_of(&s, 1, &last) < 4; /* a hundredth */
        sample_close(&s);
    }
    assert_int_equal(poor, 0);
    close_pair(&image, &labels);
}

static void photometric_distortion_keeps_its_ranges(void **state) {
    (void)state;
    icseg_image image;
    icseg_labels labels;
    open_pair(&image, &labels, 2, 1);
    labels.data[0] = 0, labels.data[1] = 1;
    const uint8_t pixels[6] = {100, 100, 100, 160, 80, 80}; /* grey; red at half saturation */
    memcpy(image.data, pixels, 6);
    icseg_augment_options o = plain(1, 2);
    o.photometric = true;
    int low = 255, high = 0, same = 0, grey_same = 0, max_green = 0, max_blue = 0;
    double max_saturation = 0, min_saturation = 1;
    for (uint64_t stream = 0; stream < 3000; stream++) {
        sample s = augment(&o, stream, &image, &labels);
        int v[6];
        for (int i = 0; i < 6; i++) v[i] = stored(s.image[i], i % 3);
        assert_true(v[0] == v[1] && v[1] == v[2]); /* grey stays grey */
        low = v[0] < low ? v[0] : low;
        high = v[0] > high ? v[0] : high;
        grey_same += v[0] == 100;
        same += v[0] == 100 && v[3] == 160 && v[4] == 80 && v[5] == 80;
        assert_true(v[3] >= v[4] &&
                    v[3] >= v[5]); /* the hue changes by less than a sixth of a turn: red remains the largest */
        int least = v[4] < v[5] ? v[4] : v[5];
        if (v[0] == 100 &&
            v[3] == 160) { /* neither brightness nor contrast: V is kept, S times 0.5..1.5, hue within 36 degrees */
            double saturation = 1 - least / 160.0, turn = (v[4] > v[5] ? v[4] - v[5] : v[5] - v[4]) / (160.0 - least);
            assert_true(saturation > 0.245 && saturation < 0.755 && turn <= 0.62);
            if (saturation > max_saturation) max_saturation = saturation;
            if (saturation < min_saturation) min_saturation = saturation;
            if (v[4] - v[5] > max_green) max_green = v[4] - v[5];
            if (v[5] - v[4] > max_blue) max_blue = v[5] - v[4];
        }
        sample_close(&s);
    }
    assert_in_range(low, 34, 40);         /* (100 - 32) / 2 */
    assert_in_range(high, 186, 198);      /* (100 + 32) * 1.5 */
    assert_in_range(grey_same, 680, 850); /* 1/4 and those that round to no change */
    assert_in_range(same, 140, 250);      /* 1/16 */
    assert_true(max_saturation > 0.7 && min_saturation < 0.3 && max_green > 45 && max_blue > 45);
    close_pair(&image, &labels);
}

static void distortion_that_changes_nothing_preserves_colours(void **state) {
    (void)state; /* some streams change nothing: converting saturation and hue and back must not either */
    icseg_image image;
    icseg_labels labels;
    open_pair(&image, &labels, 64, 64);
    icseg_augment_options o = plain(64, 64), off = o;
    o.photometric = true;
    sample plain_sample = augment(&off, 0, &image, &labels);
    int whole = 0;
    for (uint64_t stream = 0; stream < 64; stream++) {
        sample s = augment(&o, stream, &image, &labels);
        whole += !memcmp(s.image, plain_sample.image, 64 * 64 * 3 * sizeof *s.image);
        assert_memory_equal(s.labels, plain_sample.labels, 64 * 64 * sizeof *s.labels);
        sample_close(&s);
    }
    assert_in_range(whole, 1, 12);
    sample_close(&plain_sample);
    close_pair(&image, &labels);
}

static void normalised_values_equal_those_of_clip(void **state) {
    (void)state;
    uint8_t pixels[6] = {0, 128, 255, 255, 0, 7};
    icseg_image image = {2, 1, pixels};
    float out[6];
    icseg_image_normalize(&image, out);
    assert_true(fabsf(out[0] + 1.7922626f) < 1e-5f && fabsf(out[1] - 0.1688970f) < 1e-5f);
    assert_true(fabsf(out[2] - 2.1458969f) < 1e-5f && fabsf(out[3] - 1.9303361f) < 1e-5f);
}

static void options_and_sizes_that_cannot_work_are_refused(void **state) {
    (void)state;
    icseg_error error;
    icseg_augment_options good = plain(4, 4), o;
    assert_int_equal(icseg_augment_check(&good, NULL), ICSEG_OK);
    o = icseg_augment_options_default();
    assert_int_equal(icseg_augment_check(&o, NULL), ICSEG_OK);
#define assert_refused(field, value, text)                                                                             \
    do {                                                                                                               \
        o = good;                                                                                                      \
        o.field = value;                                                                                               \
        assert_int_equal(icseg_augment_check(&o, &error), ICSEG_ERROR_ARGUMENT);                                       \
        assert_non_null(strstr(error.message, text));                                                                  \
    } while (0)
    assert_refused(crop_height, 0, "crop: 0x4");
    assert_refused(crop_width, 1 << 20, "crop: 4x1048576");
    assert_refused(resize_short, -1, "resize: -1");
    assert_refused(scale_min, 0, "scale: 0 to 1");
    assert_refused(scale_min, NAN, "scale: nan");
    assert_refused(scale_max, 0.5, "scale: 1 to 0.5");
    assert_refused(scale_max, 1e9, "scale: 1 to 1e+09");
    assert_refused(crop_max_share, 0, "crop_max_share: 0");
    assert_refused(flip, 1.5, "flip: 1.5");
    o = good;
    o.resize_short = 20, o.resize_long = 10;
    assert_int_equal(icseg_augment_check(&o, &error), ICSEG_ERROR_ARGUMENT);
    icseg_image image;
    icseg_labels labels, other;
    float out[48];
    int16_t out_labels[16];
    open_pair(&image, &labels, 5, 6);
    assert_int_equal(icseg_labels_create(&other, 6, 5, NULL), ICSEG_OK);
    icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, 0);
    assert_int_equal(icseg_augment(&good, &rng, &(icseg_augment_source){&image, &other, -1}, out, out_labels, &error),
                     ICSEG_ERROR_SHAPE);
    int n = 0;
    for (icseg_status status = ICSEG_ERROR_MEMORY; status != ICSEG_OK; n++) {
        icseg_memory_fail_after(n);
        status = icseg_augment(&good, &rng, &(icseg_augment_source){&image, &labels, -1}, out, out_labels, &error);
        icseg_memory_fail_after(-1);
        assert_true(status == ICSEG_OK || status == ICSEG_ERROR_MEMORY);
    }
    assert_in_range(n, 3, 20);
    icseg_labels_close(&other);
    close_pair(&image, &labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cropping_first_equals_resizing_first),
        cmocka_unit_test(sides_follow_short_and_long_limit),
        cmocka_unit_test(scales_are_uniform_between_the_bounds),
        cmocka_unit_test(flipping_mirrors_image_and_labels),
        cmocka_unit_test(labels_stay_with_their_pixels),
        cmocka_unit_test(crops_of_mostly_one_class_are_replaced),
        cmocka_unit_test(crops_show_a_wanted_class),
        cmocka_unit_test(crops_show_enough_of_a_wanted_class),
        cmocka_unit_test(photometric_distortion_keeps_its_ranges),
        cmocka_unit_test(distortion_that_changes_nothing_preserves_colours),
        cmocka_unit_test(normalised_values_equal_those_of_clip),
        cmocka_unit_test(options_and_sizes_that_cannot_work_are_refused),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * Components by union-find: until the end, `of` contains for each pixel an earlier pixel of its component, or itself.
 */
#include "exporters/components.h"

#include "base/memory.h"

static uint32_t root_of(uint32_t *parent, uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

/* The first pixel of the joined component becomes its root. */
static void join(uint32_t *parent, uint32_t a, uint32_t b) {
    a = root_of(parent, a), b = root_of(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

static void join_all(uint32_t *parent, const icseg_labels *labels) {
    uint32_t i = 0, width = (uint32_t)labels->width;
    for (int32_t y = 0; y < labels->height; y++)
        for (uint32_t x = 0; x < width; x++, i++) {
            parent[i] = i;
            if (x && labels->data[i - 1] == labels->data[i]) join(parent, i - 1, i);
            if (y && labels->data[i - width] == labels->data[i]) join(parent, i - width, i);
        }
}

static void note_pixel(icseg_component *c, int32_t x, int32_t y) {
    c->pixels++;
    if (x < c->left) c->left = x;
    if (x >= c->right) c->right = x + 1;
    c->bottom = y + 1;
}

/* Replaces parents by component numbers. Parents precede their pixels, so that theirs are known. */
static void number_all(icseg_components *out, const icseg_labels *labels) {
    uint32_t i = 0;
    size_t count = 0;
    for (int32_t y = 0; y < out->height; y++)
        for (int32_t x = 0; x < out->width; x++, i++) {
            if (out->of[i] == i) {
                out->list[count] = (icseg_component){.left = x, .top = y, .label = labels->data[i]};
                out->of[i] = (uint32_t)count++;
            } else
                out->of[i] = out->of[out->of[i]];
            note_pixel(&out->list[out->of[i]], x, y);
        }
}

icseg_status icseg_components_find(icseg_components *out, const icseg_labels *labels, icseg_error *error) {
    size_t pixels = (size_t)labels->width * (size_t)labels->height;
    *out = (icseg_components){.width = labels->width, .height = labels->height};
    out->of = icseg_alloc_array(pixels, sizeof *out->of);
    if (!out->of) return icseg_fail_memory(error, 0, "connected regions");
    join_all(out->of, labels);
    for (size_t i = 0; i < pixels; i++) out->count += out->of[i] == i;
    out->list = icseg_alloc_array(out->count, sizeof *out->list);
    if (!out->list) {
        icseg_components_close(out);
        return icseg_fail_memory(error, 0, "connected regions");
    }
    number_all(out, labels);
    return ICSEG_OK;
}

void icseg_components_close(icseg_components *components) {
    icseg_free(components->of);
    icseg_free(components->list);
    *components = (icseg_components){0};
}

/* ---- small components ---- */

static bool is_larger(const icseg_components *c, uint32_t a, uint32_t b) {
    int64_t x = c->list[a].pixels, y = c->list[b].pixels;
    return x != y ? x > y : a < b;
}

/* target[b] is the largest neighbour that was found for b so far, or b itself. */
static void offer(const icseg_components *c, uint32_t *target, int64_t min_area, uint32_t a, uint32_t b) {
    if (a != b && c->list[b].pixels < min_area && is_larger(c, a, target[b])) target[b] = a;
}

static void find_targets(const icseg_components *c, uint32_t *target, int64_t min_area) {
    size_t i = 0, width = (size_t)c->width;
    for (uint32_t k = 0; k < c->count; k++) target[k] = k;
    for (int32_t y = 0; y < c->height; y++)
        for (size_t x = 0; x < width; x++, i++) {
            if (x) {
                offer(c, target, min_area, c->of[i - 1], c->of[i]);
                offer(c, target, min_area, c->of[i], c->of[i - 1]);
            }
            if (y) {
                offer(c, target, min_area, c->of[i - width], c->of[i]);
                offer(c, target, min_area, c->of[i], c->of[i - width]);
            }
        }
}

/* Targets are larger than what becomes part of them, so that a chain of them ends. *small: a component is below
 * min_area. */
static icseg_status sieve_once(icseg_labels *labels, int64_t min_area, bool *small, icseg_error *error) {
    icseg_components c;
    ICSEG_TRY(icseg_components_find(&c, labels, error));
    *small = false;
    for (size_t k = 0; k < c.count && c.count > 1; k++) *small |= c.list[k].pixels < min_area;
    uint32_t *target = *small ? icseg_alloc_array(c.count, sizeof *target) : NULL;
    if (target) {
        find_targets(&c, target, min_area);
        for (size_t i = 0, pixels = (size_t)c.width * (size_t)c.height; i < pixels; i++)
            labels->data[i] = c.list[root_of(target, c.of[i])].label;
    }
    icseg_status status = *small && !target ? icseg_fail_memory(error, 0, "connected regions") : ICSEG_OK;
    icseg_free(target);
    icseg_components_close(&c);
    return status;
}

icseg_status icseg_labels_sieve(icseg_labels *labels, int64_t min_area, icseg_error *error) {
    bool small = min_area > 1;
    while (small) ICSEG_TRY(sieve_once(labels, min_area, &small, error));
    return ICSEG_OK;
}

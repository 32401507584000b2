/* SPDX-License-Identifier: Apache-2.0
 * Packed copies of one tensor, in the layouts that primitives prefer. */
#include "base/memory.h"
#include "compute/backend/backend.h"
#include "compute/primitive.h"

struct icseg_packed {
    icseg_packed *next;
    const icseg_backend *backend;
    icseg_packed_form form;
    void *layout; /* the backend's */
    uint64_t version;
    int64_t packings;
    size_t bytes;
    void *data;
};

static icseg_packed *find(icseg_packed *list, const icseg_primitive *p, icseg_packed_form form) {
    while (list && !(list->backend == p->backend && list->form == form && p->backend->layout_fits(list->layout, p)))
        list = list->next;
    return list;
}

static void free_entry(icseg_packed *entry) {
    if (entry->layout) entry->backend->layout_close(entry->layout);
    icseg_free(entry->data);
    icseg_free(entry);
}

/* Creates an entry that is neither packed nor in the list. */
static icseg_packed *open_entry(const icseg_primitive *p, icseg_packed_form form) {
    icseg_packed *entry = icseg_calloc_array(1, sizeof *entry);
    if (!entry) return NULL;
    entry->backend = p->backend;
    entry->form = form;
    entry->bytes = form == ICSEG_PACKED_F16 ? p->packed_size / sizeof(float) * sizeof(uint16_t) : p->packed_size;
    entry->data = icseg_alloc(entry->bytes);
    entry->layout = p->backend->layout_open(p);
    if (entry->data && entry->layout) return entry;
    free_entry(entry);
    return NULL;
}

static bool is_stale(const icseg_packed *entry, uint64_t version) {
    return !entry->packings || entry->version != version;
}

enum { CHUNK = 1 << 14 }; /* numbers at a time */

static icseg_status pack_f16(const icseg_packed *entry, const icseg_primitive *p, const float *plain, float *numbers,
                             icseg_error *error) {
    int64_t count = (int64_t)(p->packed_size / sizeof(float));
    uint16_t *to = entry->data;
    ICSEG_TRY(icseg_primitive_pack(p, plain, numbers, error));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i += CHUNK)
        icseg_f16_from_f32(to + i, numbers + i, (size_t)(count - i < CHUNK ? count - i : CHUNK));
    return ICSEG_OK;
}

void icseg_packed_expand(const icseg_primitive *p, const void *packed, void *out) {
    int64_t count = (int64_t)(p->packed_size / sizeof(float));
    const uint16_t *from = packed;
    float *to = out;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i += CHUNK)
        icseg_f32_from(to + i, from + i, ICSEG_F16, (size_t)(count - i < CHUNK ? count - i : CHUNK));
}

/* work: packed_size bytes, for f16. */
static icseg_status get(icseg_packed *_Atomic *list, const icseg_primitive *p, icseg_packed_form form,
                        const float *plain, uint64_t version, void *work, const void **packed, icseg_error *error) {
    icseg_packed *known = find(*list, p, form), *entry = known ? known : open_entry(p, form);
    if (!entry) return icseg_fail_memory(error, p->packed_size, "packed weights");
    if (is_stale(entry, version)) {
        icseg_status status = form == ICSEG_PACKED_F16 ? pack_f16(entry, p, plain, work, error)
                                                       : icseg_primitive_pack(p, plain, entry->data, error);
        if (status != ICSEG_OK) {
            if (!known) free_entry(entry);
            return status;
        }
        entry->version = version;
        entry->packings++;
    }
    if (!known) { /* published only when it is complete */
        entry->next = *list;
        *list = entry;
    }
    *packed = entry->data;
    return ICSEG_OK;
}

icseg_status icseg_packed_get(icseg_packed *_Atomic *list, const icseg_primitive *p, const float *plain,
                              uint64_t version, const void **packed, icseg_error *error) {
    return get(list, p, ICSEG_PACKED_READY, plain, version, NULL, packed, error);
}

icseg_status icseg_packed_get_f16(icseg_packed *_Atomic *list, const icseg_primitive *p, const float *plain,
                                  uint64_t version, void *work, const void **packed, icseg_error *error) {
    return get(list, p, ICSEG_PACKED_F16, plain, version, work, packed, error);
}

const void *icseg_packed_find(const icseg_packed *list, const icseg_primitive *p, icseg_packed_form form,
                              uint64_t version) {
    const icseg_packed *entry = find((icseg_packed *)list, p, form);
    return entry && !is_stale(entry, version) ? entry->data : NULL;
}

void icseg_packed_free(icseg_packed *list) {
    while (list) {
        icseg_packed *next = list->next;
        free_entry(list);
        list = next;
    }
}

icseg_packed_summary icseg_packed_count(const icseg_packed *list) {
    icseg_packed_summary sum = {0};
    for (; list; list = list->next) {
        sum.layouts++;
        sum.packings += list->packings;
        sum.bytes += list->bytes;
    }
    return sum;
}

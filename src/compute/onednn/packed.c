/* SPDX-License-Identifier: Apache-2.0
 * Weights in the layouts primitives prefer: packing, and the list of packed copies of one tensor. */
#include <omp.h>

#include "base/memory.h"
#include "compute/onednn/internal.h"

struct icseg_packed {
    icseg_packed *next;
    bool tiles;
    icseg_amx_weights weights; /* of a product on tiles; else: */
    icseg_layout plain, layout;
    uint64_t version;
    int64_t packings;
    size_t bytes;
    void *data;
};

icseg_status icseg_primitive_pack(const icseg_primitive *p, const float *plain, void *packed, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    const char *what = "packing weights";
    dnnl_engine_t engine;
    icseg_layout scratchpad = {0};
    icseg_layout_view plain_b = icseg_layout_of(&p->plain_b), packed_b = icseg_layout_of(&p->packed_b);
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t memory[3] = {NULL, NULL, NULL};
    void *scratch = NULL;
    if (omp_in_parallel())
        return icseg_fail(error, ICSEG_ERROR_INTERNAL, "oneDNN must not run inside a parallel region");
    if (p->tiles) {
        icseg_amx_product_pack(p->tiles, plain, packed);
        return ICSEG_OK;
    }
    ICSEG_TRY(icseg_dnnl_engine(&engine, error));
    ICSEG_TRY_GOTO(icseg_dnnl_reorder(&reorder, plain_b, packed_b, &scratchpad, error));
    size_t bytes = dnnl_memory_desc_get_size(icseg_layout_of(&scratchpad));
    scratch = icseg_alloc(bytes);
    if (!scratch) {
        status = icseg_fail_memory(error, bytes, what);
        goto fail;
    }
    ICSEG_DNNL_TRY_GOTO(dnnl_memory_create(&memory[0], plain_b, engine, (void *)plain), what);
    ICSEG_DNNL_TRY_GOTO(dnnl_memory_create(&memory[1], packed_b, engine, packed), what);
    ICSEG_DNNL_TRY_GOTO(dnnl_memory_create(&memory[2], icseg_layout_of(&scratchpad), engine, scratch), what);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, memory[0]}, {DNNL_ARG_TO, memory[1]}, {DNNL_ARG_SCRATCHPAD, memory[2]}};
    ICSEG_DNNL_TRY_GOTO(dnnl_primitive_execute(reorder, p->stream, 3, args), what);
    ICSEG_DNNL_TRY_GOTO(dnnl_stream_wait(p->stream), what);
fail:
    for (int i = 0; i < 3; i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
    if (reorder) dnnl_primitive_destroy(reorder);
    icseg_layout_close(&scratchpad);
    icseg_free(scratch);
    return status;
}

static bool same(const icseg_layout *a, const icseg_layout *b) {
    return dnnl_memory_desc_equal(icseg_layout_of(a), icseg_layout_of(b));
}

static bool suits(const icseg_packed *entry, const icseg_primitive *p) {
    if (entry->tiles || p->tiles)
        return entry->tiles && p->tiles && icseg_amx_same_weights(entry->weights, icseg_amx_layout(p->tiles));
    return same(&entry->layout, &p->packed_b) && same(&entry->plain, &p->plain_b);
}

static icseg_packed *find(icseg_packed *list, const icseg_primitive *p) {
    while (list && !suits(list, p)) list = list->next;
    return list;
}

static void free_entry(icseg_packed *entry) {
    icseg_layout_close(&entry->plain);
    icseg_layout_close(&entry->layout);
    icseg_free(entry->data);
    icseg_free(entry);
}

/* What is packed in which way; a product on tiles has no layouts of oneDNN's. */
static bool describe(icseg_packed *entry, const icseg_primitive *p) {
    entry->tiles = p->tiles != NULL;
    if (p->tiles) {
        entry->weights = icseg_amx_layout(p->tiles);
        return true;
    }
    return icseg_layout_copy(&entry->plain, icseg_layout_of(&p->plain_b)) == dnnl_success &&
           icseg_layout_copy(&entry->layout, icseg_layout_of(&p->packed_b)) == dnnl_success;
}

/* Not in the list yet, nor packed. */
static icseg_packed *open_entry(const icseg_primitive *p) {
    icseg_packed *entry = icseg_calloc_array(1, sizeof *entry);
    if (!entry) return NULL;
    entry->bytes = icseg_primitive_packed_size(p);
    entry->data = icseg_alloc(entry->bytes);
    if (!entry->data || !describe(entry, p)) {
        free_entry(entry);
        return NULL;
    }
    return entry;
}

static bool is_stale(const icseg_packed *entry, uint64_t version) {
    return !entry->packings || entry->version != version;
}

static void now_holds(icseg_packed *entry, uint64_t version) {
    entry->version = version;
    entry->packings++;
}

icseg_status icseg_packed_get(icseg_packed *_Atomic *list, const icseg_primitive *p, const float *plain,
                              uint64_t version, const void **packed, icseg_error *error) {
    icseg_packed *known = find(*list, p), *entry = known ? known : open_entry(p);
    if (!entry) return icseg_fail_memory(error, icseg_primitive_packed_size(p), "packed weights");
    if (is_stale(entry, version)) {
        icseg_status status = icseg_primitive_pack(p, plain, entry->data, error);
        if (status != ICSEG_OK) {
            if (!known) free_entry(entry);
            return status;
        }
        now_holds(entry, version);
    }
    if (!known) { /* published when it is complete */
        entry->next = *list;
        *list = entry;
    }
    *packed = entry->data;
    return ICSEG_OK;
}

const void *icseg_packed_find(const icseg_packed *list, const icseg_primitive *p, uint64_t version) {
    const icseg_packed *entry = find((icseg_packed *)list, p);
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

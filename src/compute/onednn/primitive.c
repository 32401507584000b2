/* SPDX-License-Identifier: Apache-2.0
 * A oneDNN primitive with its memory objects: opening, running, packing its weights, closing. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "compute/onednn/internal.h"

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static dnnl_status_t empty_memory(dnnl_memory_t *out, icseg_onednn_layout_view layout, dnnl_engine_t engine) {
    return dnnl_memory_create(out, layout, engine, DNNL_MEMORY_NONE);
}

/* A result in oneDNN's own layout is computed in scratch memory and then copied to `out`. */
static icseg_status open_staging(icseg_onednn_primitive *p, icseg_onednn_layout_view own,
                                 icseg_onednn_layout_view plain, dnnl_engine_t engine, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    icseg_onednn_layout scratchpad = {0};
    ICSEG_TRY_GOTO(icseg_onednn_reorder(&p->unstage, own, plain, &scratchpad, error));
    p->stages = true;
    p->staged_offset = p->base.scratch;
    p->unstage_offset = p->staged_offset + aligned(dnnl_memory_desc_get_size(own));
    p->base.scratch = p->unstage_offset + aligned(dnnl_memory_desc_get_size(icseg_onednn_layout_of(&scratchpad)));
    ICSEG_ONEDNN_TRY_GOTO(empty_memory(&p->staged, own, engine), "describing a tensor");
    ICSEG_ONEDNN_TRY_GOTO(empty_memory(&p->unstage_scratchpad, icseg_onednn_layout_of(&scratchpad), engine),
                          "describing a tensor");
fail:
    icseg_onednn_layout_close(&scratchpad);
    return status;
}

static icseg_status open_operand(icseg_onednn_primitive *p, int i, dnnl_primitive_desc_t descriptor,
                                 icseg_onednn_operand spec, dnnl_engine_t engine, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    icseg_onednn_layout_view own = dnnl_primitive_desc_query_md(descriptor, spec.query, spec.index);
    bool differs = spec.plain && !dnnl_memory_desc_equal(own, spec.plain);
    p->arg[i] = spec.arg;
    if (differs && i == OPERAND_B) {
        p->base.packed_size = dnnl_memory_desc_get_size(own);
        ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_copy(&p->plain_b, spec.plain), "describing a tensor");
        ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_copy(&p->packed_b, own), "describing a tensor");
    }
    if (differs && i == OPERAND_OUT) {
        ICSEG_TRY(open_staging(p, own, spec.plain, engine, error));
        own = spec.plain;
    }
    ICSEG_ONEDNN_TRY_GOTO(empty_memory(&p->memory[i], own, engine), "describing a tensor");
fail:
    return status;
}

void icseg_onednn_close(icseg_primitive *primitive) {
    icseg_onednn_primitive *p = (icseg_onednn_primitive *)primitive;
    dnnl_memory_t memory[] = {p->memory[0], p->memory[1],  p->memory[2],         p->memory[3],
                              p->staged,    p->scratchpad, p->unstage_scratchpad};
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->unstage) dnnl_primitive_destroy(p->unstage);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
    if (p->stream) dnnl_stream_destroy(p->stream);
    icseg_onednn_layout_close(&p->plain_b);
    icseg_onednn_layout_close(&p->packed_b);
    icseg_free(p);
}

icseg_status icseg_onednn_primitive_open(icseg_primitive **out, dnnl_primitive_desc_t descriptor,
                                         const icseg_onednn_operand operands[OPERANDS], icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_engine_t engine;
    const char *name = "";
    icseg_onednn_primitive *p = icseg_calloc_array(1, sizeof *p);
    *out = NULL;
    if (!p) {
        status = icseg_fail_memory(error, 0, "a primitive");
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_onednn_engine(&engine, error));
    icseg_onednn_layout_view scratchpad = dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0);
    p->base.scratch = aligned(dnnl_memory_desc_get_size(scratchpad));
    for (int i = 0; i < OPERANDS; i++)
        if (operands[i].arg) ICSEG_TRY_GOTO(open_operand(p, i, descriptor, operands[i], engine, error));
    dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, (void *)&name);
    snprintf(p->base.implementation, sizeof p->base.implementation, "%s", name);
    ICSEG_ONEDNN_TRY_GOTO(empty_memory(&p->scratchpad, scratchpad, engine), "describing a tensor");
    ICSEG_ONEDNN_TRY_GOTO(dnnl_stream_create(&p->stream, engine, dnnl_stream_default_flags), "opening a stream");
    ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_create(&p->primitive, descriptor), "creating a primitive");
fail:
    dnnl_primitive_desc_destroy(descriptor);
    if (status == ICSEG_OK)
        *out = &p->base;
    else if (p)
        icseg_onednn_close(&p->base);
    return status;
}

icseg_status icseg_onednn_run(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error) {
    icseg_onednn_primitive *p = (icseg_onednn_primitive *)primitive;
    icseg_status status = ICSEG_OK;
    const char *what = "running a primitive";
    char *memory = scratch;
    void *data[OPERANDS] = {(void *)operands.a, (void *)operands.b, (void *)operands.bias, operands.out};
    dnnl_exec_arg_t args[OPERANDS + 1] = {{DNNL_ARG_SCRATCHPAD, p->scratchpad}};
    int count = 1;
    ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_set_data_handle(p->scratchpad, memory), what);
    for (int i = 0; i < OPERANDS; i++) {
        if (!p->arg[i]) continue;
        ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_set_data_handle(p->memory[i], data[i]), what);
        bool staged = p->stages && i == OPERAND_OUT;
        if (staged) ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_set_data_handle(p->staged, memory + p->staged_offset), what);
        args[count++] = (dnnl_exec_arg_t){p->arg[i], staged ? p->staged : p->memory[i]};
    }
    ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_execute(p->primitive, p->stream, count, args), what);
    if (p->stages) {
        dnnl_exec_arg_t copy[] = {{DNNL_ARG_FROM, p->staged},
                                  {DNNL_ARG_TO, p->memory[OPERAND_OUT]},
                                  {DNNL_ARG_SCRATCHPAD, p->unstage_scratchpad}};
        ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_set_data_handle(p->unstage_scratchpad, memory + p->unstage_offset), what);
        ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_execute(p->unstage, p->stream, 3, copy), what);
    }
    ICSEG_ONEDNN_TRY_GOTO(dnnl_stream_wait(p->stream), what);
fail:
    return status;
}

/* -- packing */

icseg_status icseg_onednn_pack(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error) {
    const icseg_onednn_primitive *p = (const icseg_onednn_primitive *)primitive;
    icseg_status status = ICSEG_OK;
    const char *what = "packing weights";
    dnnl_engine_t engine;
    icseg_onednn_layout scratchpad = {0};
    icseg_onednn_layout_view plain_b = icseg_onednn_layout_of(&p->plain_b),
                             packed_b = icseg_onednn_layout_of(&p->packed_b);
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t memory[3] = {NULL, NULL, NULL};
    void *scratch = NULL;
    ICSEG_TRY(icseg_onednn_engine(&engine, error));
    ICSEG_TRY_GOTO(icseg_onednn_reorder(&reorder, plain_b, packed_b, &scratchpad, error));
    size_t bytes = dnnl_memory_desc_get_size(icseg_onednn_layout_of(&scratchpad));
    scratch = icseg_alloc(bytes);
    if (!scratch) {
        status = icseg_fail_memory(error, bytes, what);
        goto fail;
    }
    ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_create(&memory[0], plain_b, engine, (void *)plain), what);
    ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_create(&memory[1], packed_b, engine, packed), what);
    ICSEG_ONEDNN_TRY_GOTO(dnnl_memory_create(&memory[2], icseg_onednn_layout_of(&scratchpad), engine, scratch), what);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, memory[0]}, {DNNL_ARG_TO, memory[1]}, {DNNL_ARG_SCRATCHPAD, memory[2]}};
    ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_execute(reorder, p->stream, 3, args), what);
    ICSEG_ONEDNN_TRY_GOTO(dnnl_stream_wait(p->stream), what);
fail:
    for (int i = 0; i < 3; i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
    if (reorder) dnnl_primitive_destroy(reorder);
    icseg_onednn_layout_close(&scratchpad);
    icseg_free(scratch);
    return status;
}

/* -- layouts of packed weights */

typedef struct packed_layout {
    icseg_onednn_layout plain, packed;
} packed_layout;

void icseg_onednn_packed_layout_close(void *layout) {
    packed_layout *l = layout;
    icseg_onednn_layout_close(&l->plain);
    icseg_onednn_layout_close(&l->packed);
    icseg_free(l);
}

void *icseg_onednn_packed_layout_open(const icseg_primitive *primitive) {
    const icseg_onednn_primitive *p = (const icseg_onednn_primitive *)primitive;
    packed_layout *l = icseg_calloc_array(1, sizeof *l);
    if (!l) return NULL;
    if (icseg_onednn_layout_copy(&l->plain, icseg_onednn_layout_of(&p->plain_b)) == dnnl_success &&
        icseg_onednn_layout_copy(&l->packed, icseg_onednn_layout_of(&p->packed_b)) == dnnl_success)
        return l;
    icseg_onednn_packed_layout_close(l);
    return NULL;
}

static bool same(const icseg_onednn_layout *a, const icseg_onednn_layout *b) {
    return dnnl_memory_desc_equal(icseg_onednn_layout_of(a), icseg_onednn_layout_of(b));
}

bool icseg_onednn_packed_layout_fits(const void *layout, const icseg_primitive *primitive) {
    const packed_layout *l = layout;
    const icseg_onednn_primitive *p = (const icseg_onednn_primitive *)primitive;
    return same(&l->packed, &p->packed_b) && same(&l->plain, &p->plain_b);
}

/* SPDX-License-Identifier: Apache-2.0
 * A primitive with its memory objects: opening, running, closing. */
#include "compute/primitive.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "compute/onednn/internal.h"

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

static dnnl_status_t empty_memory(dnnl_memory_t *out, icseg_layout_view layout, dnnl_engine_t engine) {
    return dnnl_memory_create(out, layout, engine, DNNL_MEMORY_NONE);
}

/* out in oneDNN's layout is computed in scratch memory first. */
static icseg_status open_staging(icseg_primitive *p, icseg_layout_view own, icseg_layout_view plain,
                                 dnnl_engine_t engine, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    icseg_layout scratchpad = {0};
    ICSEG_TRY_GOTO(icseg_dnnl_reorder(&p->unstage, own, plain, &scratchpad, error));
    p->stages = true;
    p->staged_offset = p->scratch;
    p->unstage_offset = p->staged_offset + aligned(dnnl_memory_desc_get_size(own));
    p->scratch = p->unstage_offset + aligned(dnnl_memory_desc_get_size(icseg_layout_of(&scratchpad)));
    ICSEG_DNNL_TRY_GOTO(empty_memory(&p->staged, own, engine), "describing a tensor");
    ICSEG_DNNL_TRY_GOTO(empty_memory(&p->unstage_scratchpad, icseg_layout_of(&scratchpad), engine),
                        "describing a tensor");
fail:
    icseg_layout_close(&scratchpad);
    return status;
}

static icseg_status open_operand(icseg_primitive *p, int i, dnnl_primitive_desc_t descriptor, icseg_operand_spec spec,
                                 dnnl_engine_t engine, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    icseg_layout_view own = dnnl_primitive_desc_query_md(descriptor, spec.query, spec.index);
    bool differs = spec.plain && !dnnl_memory_desc_equal(own, spec.plain);
    p->arg[i] = spec.arg;
    if (differs && i == OPERAND_B) {
        p->packs = true;
        ICSEG_DNNL_TRY_GOTO(icseg_layout_copy(&p->plain_b, spec.plain), "describing a tensor");
        ICSEG_DNNL_TRY_GOTO(icseg_layout_copy(&p->packed_b, own), "describing a tensor");
    }
    if (differs && i == OPERAND_OUT) {
        ICSEG_TRY(open_staging(p, own, spec.plain, engine, error));
        own = spec.plain;
    }
    ICSEG_DNNL_TRY_GOTO(empty_memory(&p->memory[i], own, engine), "describing a tensor");
fail:
    return status;
}

icseg_status icseg_dnnl_primitive_open(icseg_primitive **out, dnnl_primitive_desc_t descriptor,
                                       const icseg_operand_spec operands[OPERANDS], icseg_error *error) {
    icseg_status status = ICSEG_OK;
    dnnl_engine_t engine;
    const char *name = "";
    icseg_primitive *p = *out = icseg_calloc_array(1, sizeof *p);
    if (!p) {
        status = icseg_fail_memory(error, sizeof *p, "a primitive");
        goto fail;
    }
    ICSEG_TRY_GOTO(icseg_dnnl_engine(&engine, error));
    icseg_layout_view scratchpad = dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0);
    p->scratch = aligned(dnnl_memory_desc_get_size(scratchpad));
    for (int i = 0; i < OPERANDS; i++)
        if (operands[i].arg) ICSEG_TRY_GOTO(open_operand(p, i, descriptor, operands[i], engine, error));
    dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, (void *)&name);
    snprintf(p->implementation, sizeof p->implementation, "%s", name);
    ICSEG_DNNL_TRY_GOTO(empty_memory(&p->scratchpad, scratchpad, engine), "describing a tensor");
    ICSEG_DNNL_TRY_GOTO(dnnl_stream_create(&p->stream, engine, dnnl_stream_default_flags), "opening a stream");
    ICSEG_DNNL_TRY_GOTO(dnnl_primitive_create(&p->primitive, descriptor), "creating a primitive");
fail:
    dnnl_primitive_desc_destroy(descriptor);
    if (status != ICSEG_OK) icseg_primitive_close(out);
    return status;
}

icseg_status icseg_tiles_primitive_open(icseg_primitive **out, const icseg_amx_shape *shape, icseg_error *error) {
    icseg_primitive *p = *out = icseg_calloc_array(1, sizeof *p);
    if (!p) return icseg_fail_memory(error, sizeof *p, "a primitive");
    icseg_status status = icseg_amx_product_open(&p->tiles, shape, error);
    if (status != ICSEG_OK) {
        icseg_primitive_close(out);
        return status;
    }
    p->scratch = icseg_amx_product_scratch(p->tiles);
    snprintf(p->implementation, sizeof p->implementation, "tiles");
    return ICSEG_OK;
}

void icseg_primitive_close(icseg_primitive **primitive) {
    if (!primitive || !*primitive) return;
    icseg_primitive *p = *primitive;
    dnnl_memory_t memory[] = {p->memory[0], p->memory[1],  p->memory[2],         p->memory[3],
                              p->staged,    p->scratchpad, p->unstage_scratchpad};
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->unstage) dnnl_primitive_destroy(p->unstage);
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i]) dnnl_memory_destroy(memory[i]);
    if (p->stream) dnnl_stream_destroy(p->stream);
    icseg_amx_product_close(&p->tiles);
    icseg_layout_close(&p->plain_b);
    icseg_layout_close(&p->packed_b);
    icseg_free(p);
    *primitive = NULL;
}

const char *icseg_primitive_implementation(const icseg_primitive *p) { return p->implementation; }
size_t icseg_primitive_scratch(const icseg_primitive *p) { return p->scratch; }

size_t icseg_primitive_packed_size(const icseg_primitive *p) {
    if (p->tiles) return icseg_amx_product_packed_size(p->tiles);
    return p->packs ? dnnl_memory_desc_get_size(icseg_layout_of(&p->packed_b)) : 0;
}

icseg_status icseg_primitive_run(icseg_primitive *p, icseg_operands operands, void *scratch, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    const char *what = "running a primitive";
    if (omp_in_parallel())
        return icseg_fail(error, ICSEG_ERROR_INTERNAL, "oneDNN must not run inside a parallel region");
    if (p->tiles) {
        icseg_amx_product_run(p->tiles, operands.a, operands.b, operands.bias, operands.out, scratch);
        return ICSEG_OK;
    }
    char *lent = scratch;
    void *data[OPERANDS] = {(void *)operands.a, (void *)operands.b, (void *)operands.bias, operands.out};
    dnnl_exec_arg_t args[OPERANDS + 1] = {{DNNL_ARG_SCRATCHPAD, p->scratchpad}};
    int count = 1;
    ICSEG_DNNL_TRY_GOTO(dnnl_memory_set_data_handle(p->scratchpad, lent), what);
    for (int i = 0; i < OPERANDS; i++) {
        if (!p->arg[i]) continue;
        ICSEG_DNNL_TRY_GOTO(dnnl_memory_set_data_handle(p->memory[i], data[i]), what);
        bool staged = p->stages && i == OPERAND_OUT;
        if (staged) ICSEG_DNNL_TRY_GOTO(dnnl_memory_set_data_handle(p->staged, lent + p->staged_offset), what);
        args[count++] = (dnnl_exec_arg_t){p->arg[i], staged ? p->staged : p->memory[i]};
    }
    ICSEG_DNNL_TRY_GOTO(dnnl_primitive_execute(p->primitive, p->stream, count, args), what);
    if (p->stages) {
        dnnl_exec_arg_t copy[] = {{DNNL_ARG_FROM, p->staged},
                                  {DNNL_ARG_TO, p->memory[OPERAND_OUT]},
                                  {DNNL_ARG_SCRATCHPAD, p->unstage_scratchpad}};
        ICSEG_DNNL_TRY_GOTO(dnnl_memory_set_data_handle(p->unstage_scratchpad, lent + p->unstage_offset), what);
        ICSEG_DNNL_TRY_GOTO(dnnl_primitive_execute(p->unstage, p->stream, 3, copy), what);
    }
    ICSEG_DNNL_TRY_GOTO(dnnl_stream_wait(p->stream), what);
fail:
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * A oneDNN primitive: opening, running, packing its weights, closing. oneDNN's memory objects, a tensor's layout with a
 * pointer, are made for each run: they cost less than a microsecond, and a kilobyte each if they were kept. */
#include <stdio.h>

#include "base/memory.h"
#include "compute/onednn/internal.h"

enum { ALIGNMENT = 64 };

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* Layouts are valid as long as the primitive. */
static icseg_onednn_layout_view layout_of(dnnl_primitive_t primitive, dnnl_query_t query, int index) {
    const_dnnl_primitive_desc_t descriptor = NULL;
    dnnl_primitive_get_primitive_desc(primitive, &descriptor);
    return dnnl_primitive_desc_query_md(descriptor, query, index);
}

static icseg_onednn_layout_view scratchpad_of(dnnl_primitive_t primitive) {
    return layout_of(primitive, dnnl_query_scratchpad_md, 0);
}

static icseg_onednn_layout_view operand_layout(const icseg_onednn_primitive *p, int i) {
    return layout_of(p->primitive, p->operand[i].query, p->operand[i].index);
}

/* -- opening */

/* A result in oneDNN's own layout is computed in scratch memory and then copied to `out`. */
static icseg_status open_staging(icseg_onednn_primitive *p, icseg_onednn_layout_view own, icseg_error *error) {
    ICSEG_TRY(icseg_onednn_reorder(&p->unstage, own, icseg_onednn_layout_of(&p->plain), error));
    p->staged_offset = p->base.scratch;
    p->unstage_offset = p->staged_offset + aligned(dnnl_memory_desc_get_size(own));
    p->base.scratch = p->unstage_offset + aligned(dnnl_memory_desc_get_size(scratchpad_of(p->unstage)));
    return ICSEG_OK;
}

static icseg_status open_operand(icseg_onednn_primitive *p, int i, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    icseg_onednn_layout_view own = operand_layout(p, i), plain = p->operand[i].plain;
    p->operand[i].plain = NULL;
    if (!plain || dnnl_memory_desc_equal(own, plain)) return ICSEG_OK;
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_layout_copy(&p->plain, plain), "describing a tensor");
    if (i == OPERAND_OUT) return open_staging(p, own, error);
    p->base.packed_size = dnnl_memory_desc_get_size(own);
fail:
    return status;
}

void icseg_onednn_close(icseg_primitive *primitive) {
    icseg_onednn_primitive *p = (icseg_onednn_primitive *)primitive;
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->unstage) dnnl_primitive_destroy(p->unstage);
    if (p->stream) dnnl_stream_destroy(p->stream);
    icseg_onednn_layout_close(&p->plain);
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
    ICSEG_ONEDNN_TRY_GOTO(dnnl_stream_create(&p->stream, engine, dnnl_stream_default_flags), "opening a stream");
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_create(&p->primitive, descriptor), "creating a primitive");
    dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, (void *)&name);
    snprintf(p->base.implementation, sizeof p->base.implementation, "%s", name);
    p->base.scratch = aligned(dnnl_memory_desc_get_size(scratchpad_of(p->primitive)));
    for (int i = 0; i < OPERANDS; i++) {
        p->operand[i] = operands[i];
        if (operands[i].arg) ICSEG_TRY_GOTO(open_operand(p, i, error));
    }
fail:
    dnnl_primitive_desc_destroy(descriptor);
    if (status == ICSEG_OK)
        *out = &p->base;
    else if (p)
        icseg_onednn_close(&p->base);
    return status;
}

/* -- running */

/* The tensors of one call of oneDNN. */
typedef struct tensor_list {
    dnnl_exec_arg_t arg[OPERANDS + 1];
    int count;
} tensor_list;

static void close_tensors(tensor_list *list) {
    for (int i = 0; i < list->count; i++) dnnl_memory_destroy(list->arg[i].memory);
    list->count = 0;
}

static dnnl_status_t add_tensor(tensor_list *list, int arg, icseg_onednn_layout_view layout, void *data) {
    dnnl_engine_t engine;
    if (icseg_onednn_engine(&engine, NULL) != ICSEG_OK) return dnnl_runtime_error;
    list->arg[list->count].arg = arg;
    dnnl_status_t status = dnnl_memory_create(&list->arg[list->count].memory, layout, engine, data);
    if (status == dnnl_success) list->count++;
    return status;
}

static dnnl_status_t execute(dnnl_primitive_t primitive, dnnl_stream_t stream, const tensor_list *list) {
    dnnl_status_t status = dnnl_primitive_execute(primitive, stream, list->count, list->arg);
    return status == dnnl_success ? dnnl_stream_wait(stream) : status;
}

/* Copies a tensor from one layout to another. */
static icseg_status reorder(dnnl_primitive_t primitive, dnnl_stream_t stream, const void *from, void *to, void *scratch,
                            const char *what, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    tensor_list list = {.count = 0};
    icseg_onednn_layout_view source = layout_of(primitive, dnnl_query_src_md, 0),
                             target = layout_of(primitive, dnnl_query_dst_md, 0);
    ICSEG_ONEDNN_TRY_GOTO(add_tensor(&list, DNNL_ARG_FROM, source, (void *)from), what);
    ICSEG_ONEDNN_TRY_GOTO(add_tensor(&list, DNNL_ARG_TO, target, to), what);
    ICSEG_ONEDNN_TRY_GOTO(add_tensor(&list, DNNL_ARG_SCRATCHPAD, scratchpad_of(primitive), scratch), what);
    ICSEG_ONEDNN_TRY_GOTO(execute(primitive, stream, &list), what);
fail:
    close_tensors(&list);
    return status;
}

icseg_status icseg_onednn_run(icseg_primitive *primitive, icseg_operands operands, void *scratch, icseg_error *error) {
    const icseg_onednn_primitive *p = (const icseg_onednn_primitive *)primitive;
    icseg_status status = ICSEG_OK;
    const char *what = "running a primitive";
    char *memory = scratch;
    void *result = p->unstage ? memory + p->staged_offset : operands.out;
    void *data[OPERANDS] = {(void *)operands.a, (void *)operands.b, (void *)operands.bias, result};
    tensor_list list = {.count = 0};
    ICSEG_ONEDNN_TRY_GOTO(add_tensor(&list, DNNL_ARG_SCRATCHPAD, scratchpad_of(p->primitive), memory), what);
    for (int i = 0; i < OPERANDS; i++)
        if (p->operand[i].arg)
            ICSEG_ONEDNN_TRY_GOTO(add_tensor(&list, p->operand[i].arg, operand_layout(p, i), data[i]), what);
    ICSEG_ONEDNN_TRY_GOTO(execute(p->primitive, p->stream, &list), what);
    if (p->unstage)
        status = reorder(p->unstage, p->stream, result, operands.out, memory + p->unstage_offset, what, error);
fail:
    close_tensors(&list);
    return status;
}

/* -- packing */

icseg_status icseg_onednn_pack(const icseg_primitive *primitive, const float *plain, void *packed, icseg_error *error) {
    const icseg_onednn_primitive *p = (const icseg_onednn_primitive *)primitive;
    icseg_status status = ICSEG_OK;
    const char *what = "packing weights";
    dnnl_primitive_t pack = NULL;
    void *scratch = NULL;
    ICSEG_TRY(icseg_onednn_reorder(&pack, icseg_onednn_layout_of(&p->plain), operand_layout(p, OPERAND_B), error));
    size_t bytes = dnnl_memory_desc_get_size(scratchpad_of(pack));
    scratch = icseg_alloc(bytes);
    status =
        scratch ? reorder(pack, p->stream, plain, packed, scratch, what, error) : icseg_fail_memory(error, bytes, what);
    icseg_free(scratch);
    dnnl_primitive_destroy(pack);
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
    if (icseg_onednn_layout_copy(&l->plain, icseg_onednn_layout_of(&p->plain)) == dnnl_success &&
        icseg_onednn_layout_copy(&l->packed, operand_layout(p, OPERAND_B)) == dnnl_success)
        return l;
    icseg_onednn_packed_layout_close(l);
    return NULL;
}

bool icseg_onednn_packed_layout_fits(const void *layout, const icseg_primitive *primitive) {
    const packed_layout *l = layout;
    const icseg_onednn_primitive *p = (const icseg_onednn_primitive *)primitive;
    return dnnl_memory_desc_equal(icseg_onednn_layout_of(&l->packed), operand_layout(p, OPERAND_B)) &&
           dnnl_memory_desc_equal(icseg_onednn_layout_of(&l->plain), icseg_onednn_layout_of(&p->plain));
}

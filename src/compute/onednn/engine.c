/* SPDX-License-Identifier: Apache-2.0
 * The process-wide oneDNN engine, attributes, error text. */
#include <pthread.h>
#include <sys/mman.h>

#include "compute/onednn/internal.h"

enum { CODE_SPACE = 32 << 20 };

/* Written once, under pthread_once. The engine is a handle of the CPU: it holds no tensors and lives as long as the
 * process. */
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
static dnnl_status_t engine_status;

static void open_engine(void) { engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0); }

icseg_status icseg_onednn_engine(dnnl_engine_t *out, icseg_error *error) {
    pthread_once(&engine_once, open_engine);
    *out = engine;
    return engine_status == dnnl_success ? ICSEG_OK : icseg_onednn_fail(error, engine_status, "opening the CPU engine");
}

icseg_bf16_support icseg_onednn_bf16(void) {
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa(); /* bits; an instruction set includes those of smaller ones */
    const unsigned amx = dnnl_cpu_isa_avx512_core_amx, bf16 = dnnl_cpu_isa_avx512_core_bf16,
                   avx512 = dnnl_cpu_isa_avx512_core;
    return (isa & amx) == amx         ? ICSEG_BF16_AMX
           : (isa & bf16) == bf16     ? ICSEG_BF16_FAST
           : (isa & avx512) == avx512 ? ICSEG_BF16_EMULATED
                                      : ICSEG_BF16_NONE;
}

dnnl_data_type_t icseg_onednn_type(icseg_dtype dtype) { return dtype == ICSEG_BF16 ? dnnl_bf16 : dnnl_f32; }

icseg_status icseg_onednn_fail(icseg_error *error, dnnl_status_t status, const char *what) {
    switch (status) {
    case dnnl_out_of_memory: return icseg_fail(error, ICSEG_ERROR_MEMORY, "oneDNN: out of memory while %s", what);
    case dnnl_unimplemented: return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "oneDNN does not support %s", what);
    default: return icseg_fail(error, ICSEG_ERROR_INTERNAL, "oneDNN status %d while %s", (int)status, what);
    }
}

/* oneDNN does not check whether it got the memory for its generated code (seen with 2.6). So as much is taken and
 * returned first; the system does not touch it. */
dnnl_status_t icseg_onednn_create(dnnl_primitive_t *out, dnnl_primitive_desc_t descriptor) {
    void *space = mmap(NULL, CODE_SPACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED) return dnnl_out_of_memory;
    munmap(space, CODE_SPACE);
    return dnnl_primitive_create(out, descriptor);
}

icseg_status icseg_onednn_attributes(dnnl_primitive_attr_t *out, icseg_primitive_options options, icseg_error *error) {
    icseg_status status = ICSEG_OK;
    const char *what = "setting attributes";
    dnnl_post_ops_t post = NULL;
    *out = NULL;
    ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_attr_create(out), what);
    ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user), what);
    ICSEG_ONEDNN_TRY_GOTO(dnnl_post_ops_create(&post), what);
    if (options.accumulate) ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_append_sum(post), what);
    if (options.activation != ICSEG_ACTIVATION_NONE) {
        static const dnnl_alg_kind_t kind[] = {[ICSEG_ACTIVATION_RELU] = dnnl_eltwise_relu,
                                               [ICSEG_ACTIVATION_QUICK_GELU] = dnnl_eltwise_swish,
                                               [ICSEG_ACTIVATION_GELU] = dnnl_eltwise_gelu_erf};
        float alpha = options.activation == ICSEG_ACTIVATION_QUICK_GELU ? 1.702f : 0;
        ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_append_eltwise(post, kind[options.activation], alpha), what);
    }
    ICSEG_ONEDNN_TRY_GOTO(dnnl_primitive_attr_set_post_ops(*out, post), what);
    dnnl_post_ops_destroy(post);
    return ICSEG_OK;
fail:
    if (post) dnnl_post_ops_destroy(post);
    if (*out) dnnl_primitive_attr_destroy(*out);
    *out = NULL;
    return status;
}

icseg_status icseg_onednn_reorder(dnnl_primitive_t *out, icseg_onednn_layout_view from, icseg_onednn_layout_view to,
                                  icseg_error *error) {
    icseg_status status = ICSEG_OK;
    const char *what = "preparing a change of layout";
    dnnl_engine_t cpu;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t descriptor = NULL;
    *out = NULL;
    ICSEG_TRY(icseg_onednn_engine(&cpu, error));
    ICSEG_TRY(icseg_onednn_attributes(&attributes, (icseg_primitive_options){0}, error));
    ICSEG_ONEDNN_TRY_GOTO(dnnl_reorder_primitive_desc_create(&descriptor, from, cpu, to, cpu, attributes), what);
    ICSEG_ONEDNN_TRY_GOTO(icseg_onednn_create(out, descriptor), what);
fail:
    if (descriptor) dnnl_primitive_desc_destroy(descriptor);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * Running a program on a workspace: its kernels are called in order. */
#include "graph/run/executor.h"

#include <math.h>

#include "base/finite.h"
#include "base/signals.h"
#include "base/system.h"
#include "base/waiting.h"
#include "graph/activation_ranges.h"
#include "tensor/bf16.h"

struct icseg_workspace {
    unsigned char *data; /* activations, with scratch memory between and after them */
    size_t size;
};

struct icseg_executor {
    const icseg_program *program;
    icseg_program *own; /* the program, if this executor closes it */
    icseg_workspace *workspace;
    const void **bound; /* (values): pointers of inputs */
    double *seconds;    /* (nodes) */
    bool profiling;
    icseg_group *group;
    icseg_node_done *done;
    void *user; /* of done */
};

/* -- the workspace */

icseg_status icseg_workspace_open(icseg_workspace **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, 0, "a workspace");
}

void icseg_workspace_close(icseg_workspace **workspace) {
    if (!workspace || !*workspace) return;
    icseg_free((*workspace)->data);
    icseg_free(*workspace);
    *workspace = NULL;
}

static icseg_status reserve(icseg_workspace *w, size_t bytes, icseg_error *error) {
    if (bytes <= w->size) return ICSEG_OK;
    icseg_free(w->data);
    w->size = 0;
    w->data = icseg_alloc(bytes);
    if (!w->data) return icseg_fail_memory(error, bytes, "activations");
    w->size = bytes;
    return ICSEG_OK;
}

/* -- opening */

icseg_status icseg_executor_open_shared(icseg_executor **out, const icseg_program *program, icseg_workspace *workspace,
                                        icseg_error *error) {
    *out = NULL;
    icseg_executor *x = icseg_calloc_array(1, sizeof *x);
    if (!x) return icseg_fail_memory(error, 0, "an executor");
    x->program = program;
    x->workspace = workspace;
    x->bound = icseg_calloc_array((size_t)icseg_graph_value_count(program->graph) + 1, sizeof *x->bound);
    x->seconds = icseg_calloc_array((size_t)icseg_graph_node_count(program->graph) + 1, sizeof *x->seconds);
    icseg_status status = x->bound && x->seconds ? ICSEG_OK : icseg_fail_memory(error, 0, "an executor");
    if (status == ICSEG_OK) status = reserve(workspace, program->summary.workspace, error);
    if (status == ICSEG_OK)
        *out = x;
    else
        icseg_executor_close(&x);
    return status;
}

icseg_status icseg_executor_open(icseg_executor **out, const icseg_graph *graph, icseg_workspace *workspace,
                                 icseg_error *error) {
    icseg_program *program;
    *out = NULL;
    ICSEG_TRY(icseg_program_open(&program, graph, error));
    icseg_status status = icseg_executor_open_shared(out, program, workspace, error);
    if (status == ICSEG_OK)
        (*out)->own = program;
    else
        icseg_program_close(&program);
    return status;
}

void icseg_executor_close(icseg_executor **executor) {
    if (!executor || !*executor) return;
    icseg_executor *x = *executor;
    icseg_program_close(&x->own);
    icseg_free(x->bound);
    icseg_free(x->seconds);
    icseg_free(x);
    *executor = NULL;
}

const icseg_plan *icseg_executor_plan(const icseg_executor *x) { return &x->program->plan; }
icseg_plan_summary icseg_executor_summary(const icseg_executor *x) { return x->program->summary; }
const icseg_program *icseg_executor_program(const icseg_executor *x) { return x->program; }
void icseg_executor_set_group(icseg_executor *x, icseg_group *group) { x->group = group; }
void icseg_executor_watch(icseg_executor *x, icseg_node_done *done, void *user) {
    x->done = done;
    x->user = user;
}
void icseg_executor_profile(icseg_executor *x, bool on) { x->profiling = on; }
const double *icseg_executor_seconds(const icseg_executor *x) { return x->seconds; }

/* -- running */

static void *data_of(const icseg_executor *x, icseg_value value) {
    if (value == ICSEG_NONE) return NULL;
    icseg_value root = icseg_plan_root(&x->program->plan, value);
    const icseg_value_info *info = icseg_graph_value(x->program->graph, root);
    switch (info->kind) {
    case ICSEG_VALUE_INPUT: return (void *)x->bound[root];
    case ICSEG_VALUE_PARAM: return info->param->data;
    case ICSEG_VALUE_CONSTANT: return (void *)info->constant;
    case ICSEG_VALUE_COMPUTED: break;
    }
    return info->param ? (void *)info->param->grad : x->workspace->data + x->program->plan.storage[root].offset;
}

void icseg_executor_bind(icseg_executor *x, icseg_value input, const void *data) { x->bound[input] = data; }
const void *icseg_executor_data(const icseg_executor *x, icseg_value value) { return data_of(x, value); }

/* Loads the values of a parameter when the first node reads them unpacked. */
static icseg_status get_inputs(const icseg_executor *x, icseg_kernel *k, icseg_error *error) {
    for (int i = 0; i < k->node->input_count; i++) {
        icseg_value input = k->node->input[i];
        k->in[i] = data_of(x, input);
        if (k->in[i] || input == ICSEG_NONE) continue;
        icseg_param *param = icseg_graph_param_of(x->program->graph, input);
        if (param && k->node->op->lazy_inputs >> i & 1) continue;
        if (!param)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: input %s is not bound", k->node->name,
                              icseg_graph_value(x->program->graph, input)->name);
        ICSEG_TRY(icseg_param_load(param, error));
        k->in[i] = param->data;
    }
    return ICSEG_OK;
}

static icseg_status get_outputs(const icseg_executor *x, icseg_kernel *k, icseg_error *error) {
    for (int i = 0; i < k->node->output_count; i++) {
        k->out[i] = data_of(x, k->node->output[i]);
        if (!k->out[i])
            return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%s: no gradient buffer was allocated", k->node->name);
    }
    return ICSEG_OK;
}

/* -- poisoning, under the address sanitizer: only the parts of the workspace that the plan uses can be accessed */

static void *storage_data(const icseg_executor *x, icseg_value root) {
    return x->workspace->data + x->program->plan.storage[root].offset;
}

/* Before a node runs: the storages whose life begins with it, at their exact size, and its scratch memory. */
static void unpoison_storages(const icseg_executor *x, const icseg_kernel *k) {
    for (int o = 0; o < k->node->output_count; o++) {
        icseg_value root = icseg_plan_root(&x->program->plan, k->node->output[o]);
        const icseg_plan_storage *s = &x->program->plan.storage[root];
        const icseg_value_info *info = icseg_graph_value(x->program->graph, root);
        if (s->planned && s->first == k->node->index)
            ICSEG_UNPOISON(storage_data(x, root), (size_t)info->count * icseg_dtype_size(info->dtype));
    }
    if (k->scratch_size) ICSEG_UNPOISON(x->workspace->data + k->scratch_offset, k->scratch_size);
}

static void poison_storage(const icseg_executor *x, icseg_value value, int32_t node) {
    if (value == ICSEG_NONE) return;
    icseg_value root = icseg_plan_root(&x->program->plan, value);
    const icseg_plan_storage *s = &x->program->plan.storage[root];
    if (s->planned && s->last == node) ICSEG_POISON(storage_data(x, root), s->bytes);
}

/* After it: the storages of which it was the last reader, and its scratch memory. */
static void poison_storages(const icseg_executor *x, const icseg_kernel *k) {
    for (int i = 0; i < k->node->input_count; i++) poison_storage(x, k->node->input[i], k->node->index);
    for (int o = 0; o < k->node->output_count; o++) poison_storage(x, k->node->output[o], k->node->index);
    if (k->scratch_size) ICSEG_POISON(x->workspace->data + k->scratch_offset, k->scratch_size);
}

/* The index of the first element that is not finite, or `count`. */
static int64_t first_not_finite(const void *data, icseg_dtype dtype, int64_t count) {
    if (dtype == ICSEG_F32) return icseg_first_not_finite(data, count);
    int64_t i = dtype == ICSEG_BF16 ? 0 : count;
    while (i < count && isfinite(icseg_element(data, true, i))) i++;
    return i;
}

static icseg_status check_finite(const icseg_kernel *k, icseg_error *error) {
    for (int o = 0; o < k->node->output_count; o++) {
        const icseg_value_info *info = icseg_kernel_out(k, o);
        int64_t bad = first_not_finite(k->out[o], info->dtype, info->count);
        char text[ICSEG_SHAPE_TEXT];
        if (bad < info->count)
            return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s%s returned %f at element %lld of its output %s",
                              k->node->backward ? "the gradient of " : "", k->node->name,
                              (double)icseg_element(k->out[o], info->dtype == ICSEG_BF16, bad), (long long)bad,
                              icseg_shape_text(info->shape, text, sizeof text));
    }
    return ICSEG_OK;
}

static icseg_status run_node(icseg_executor *x, icseg_kernel *k, icseg_run *run, bool checked, icseg_error *error) {
    icseg_activation_ranges *ranges = icseg_graph_activation_ranges(x->program->graph);
    ICSEG_TRY(get_inputs(x, k, error));
    ICSEG_TRY(get_outputs(x, k, error));
    if (ranges) ICSEG_TRY(icseg_activation_ranges_observe(ranges, k, ICSEG_LAYER_IN, error));
    run->scratch = x->workspace->data + k->scratch_offset;
    double start = x->profiling ? icseg_clock() : 0;
    icseg_status status = k->node->op->run(k, run, error);
    if (status == ICSEG_OK && ranges) status = icseg_activation_ranges_observe(ranges, k, ICSEG_LAYER_OUT, error);
    if (status == ICSEG_OK && checked)
        status = check_finite(k, error);
    else if (status != ICSEG_OK)
        icseg_fail_prefix(error, "%s", k->node->name);
    if (x->profiling) x->seconds[k->node->index] += icseg_clock() - start;
    return status;
}

static icseg_status run_all(icseg_executor *x, icseg_run *run, bool checked, icseg_error *error) {
    ICSEG_POISON(x->workspace->data, x->workspace->size);
    for (int32_t n = 0; n < icseg_graph_node_count(x->program->graph); n++) {
        icseg_kernel kernel = x->program->kernels[n]; /* a copy, which points to this executor's data */
        if (!kernel.node) continue;
        icseg_waiting_adapt();
        icseg_signals_deliver();
        unpoison_storages(x, &kernel);
        if (kernel.node->op->run) ICSEG_TRY(run_node(x, &kernel, run, checked, error));
        if (x->done) ICSEG_TRY(x->done(x->user, kernel.node, error));
        poison_storages(x, &kernel);
    }
    return ICSEG_OK;
}

static icseg_status run(icseg_executor *x, uint64_t seed, int64_t step, bool checked, icseg_error *error) {
    ICSEG_TRY(reserve(x->workspace, x->program->summary.workspace,
                      error)); /* in case it failed to grow for another executor */
    icseg_run run = {.seed = seed, .step = step, .group = x->group};
    icseg_float_mode mode = icseg_denormals_off();
    icseg_status status = run_all(x, &run, checked, error);
    icseg_denormals_restore(mode);
    return status;
}

icseg_status icseg_executor_run(icseg_executor *x, uint64_t seed, int64_t step, icseg_error *error) {
    return run(x, seed, step, false, error);
}

icseg_status icseg_executor_run_checked(icseg_executor *x, uint64_t seed, int64_t step, icseg_error *error) {
    return run(x, seed, step, true, error);
}

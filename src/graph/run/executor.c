/* SPDX-License-Identifier: Apache-2.0
 * The memory plan and the executor. Every computed value gets an offset in one arena; two values share bytes when
 * their lifetimes do not meet. Values are placed largest first, each at the lowest offset that is free (greedy by size,
 * within a few per cent of the lower bound on these graphs). */
#include "graph/run/executor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "graph/internal.h"
#include "tensor/bf16.h"

enum { ALIGNMENT = 64 };

struct icseg_workspace {
    unsigned char *data, *scratch;
    size_t size, scratch_size;
};

/* One value's storage; views and in-place results point to the storage they share through `root`. */
typedef struct storage {
    icseg_value root;    /* or, once storages are shared in place, the next on the way to it: root_of */
    int32_t first, last; /* node indices; last = node count for kept values */
    size_t bytes, offset;
    bool planned; /* placed in the arena: computed, live, not a parameter's gradient */
} storage;

struct icseg_executor {
    const icseg_graph *graph;
    icseg_workspace *workspace;
    storage *storage;      /* (values) */
    const void **bound;    /* (values): pointers of inputs */
    icseg_kernel *kernels; /* (nodes); kernels[i].node NULL: nobody needs it */
    double *seconds;       /* (nodes) */
    bool profiling;
    icseg_plan_summary summary;
};

icseg_status icseg_workspace_open(icseg_workspace **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory(error, sizeof **out, "a workspace");
}

void icseg_workspace_close(icseg_workspace **workspace) {
    if (!workspace || !*workspace) return;
    icseg_free((*workspace)->data);
    icseg_free((*workspace)->scratch);
    icseg_free(*workspace);
    *workspace = NULL;
}

static icseg_status ensure(unsigned char **block, size_t *size, size_t wanted, const char *what, icseg_error *error) {
    if (wanted <= *size) return ICSEG_OK;
    icseg_free(*block);
    *size = 0;
    *block = icseg_alloc(wanted);
    if (!*block) return icseg_fail_memory(error, wanted, what);
    *size = wanted;
    return ICSEG_OK;
}

/* -- planning */

static icseg_value root_of(const storage *s, icseg_value v) {
    while (s[v].root != v) v = s[v].root;
    return v;
}

/* Lifetimes of the storages behind views. */
static void find_lifetimes(const icseg_graph *g, const bool *live, storage *s) {
    int32_t nodes = icseg_graph_node_count(g), values = icseg_graph_value_count(g);
    for (icseg_value v = 0; v < values; v++) {
        const icseg_value_info *info = icseg_graph_value(g, v);
        size_t bytes = (size_t)info->count * icseg_dtype_size(info->dtype);
        s[v] = (storage){.root = info->view_of == ICSEG_NONE ? v : root_of(s, info->view_of),
                         .first = info->producer,
                         .last = info->producer,
                         .bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
        s[v].planned = s[v].root == v && info->kind == ICSEG_VALUE_COMPUTED && !info->param && live[info->producer];
        if (info->keep) s[s[v].root].last = nodes;
    }
    for (int32_t n = 0; n < nodes; n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        for (int i = 0; live[n] && i < node->input_count; i++) {
            if (node->input[i] == ICSEG_NONE) continue;
            storage *root = &s[s[node->input[i]].root];
            if (root->last < n) root->last = n;
        }
    }
}

static bool same_size(const icseg_graph *g, icseg_value value, const icseg_node *node) {
    const icseg_value_info *a = icseg_graph_value(g, value), *b = icseg_graph_value(g, node->output[0]);
    return a->dtype == b->dtype && a->count == b->count;
}

/* Lets results take the storage of inputs that die at their node, where the operator allows it. */
static void share_in_place(const icseg_graph *g, const bool *live, storage *s) {
    for (int32_t n = 0; n < icseg_graph_node_count(g); n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        if (!live[n] || !node->op->in_place || !s[node->output[0]].planned) continue;
        storage *out = &s[node->output[0]];
        for (int i = 0; i < node->input_count; i++) {
            if (!(node->op->in_place >> i & 1) || node->input[i] == ICSEG_NONE) continue;
            icseg_value r = root_of(s, node->input[i]);
            bool free_to_take = s[r].planned && s[r].last == n && same_size(g, r, node);
            for (int j = 0; j < node->input_count && free_to_take; j++) /* read under another, not in-place, role */
                if (!(node->op->in_place >> j & 1) && node->input[j] != ICSEG_NONE && root_of(s, node->input[j]) == r)
                    free_to_take = false;
            if (!free_to_take) continue;
            s[r].last = out->last;
            out->root = r;
            out->planned = false;
            break;
        }
    }
}

typedef struct placement {
    icseg_value value;
    size_t bytes;
} placement;

static int larger_first(const void *a, const void *b) {
    const placement *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->value < y->value ? -1 : 1;
}

/* Offsets for all planned storages. `order` has room for every value, `taken` too. */
static size_t place(storage *s, int32_t values, placement *order, icseg_value *placed) {
    int32_t count = 0, done = 0;
    size_t peak = 0;
    for (icseg_value v = 0; v < values; v++)
        if (s[v].planned) order[count++] = (placement){v, s[v].bytes};
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int32_t i = 0; i < count; i++) {
        storage *now = &s[order[i].value];
        size_t offset = 0;
        for (int32_t j = 0; j < done; j++) { /* `placed` is kept in order of offset */
            const storage *other = &s[placed[j]];
            if (other->last < now->first || other->first > now->last) continue;
            if (other->offset >= offset + now->bytes) break;
            if (other->offset + other->bytes > offset) offset = other->offset + other->bytes;
        }
        now->offset = offset;
        int32_t at = done++;
        for (; at > 0 && s[placed[at - 1]].offset > offset; at--) placed[at] = placed[at - 1];
        placed[at] = order[i].value;
        if (offset + now->bytes > peak) peak = offset + now->bytes;
    }
    return peak;
}

static icseg_status plan(icseg_executor *x, bool *live, icseg_error *error) {
    const icseg_graph *g = x->graph;
    int32_t values = icseg_graph_value_count(g);
    icseg_graph_find_live(g, live);
    find_lifetimes(g, live, x->storage);
    for (icseg_value v = 0; v < values; v++)
        if (x->storage[v].planned) x->summary.unplanned += x->storage[v].bytes;
    share_in_place(g, live, x->storage);
    placement *order = icseg_alloc_array((size_t)values + 1, sizeof *order);
    icseg_value *placed = icseg_alloc_array((size_t)values + 1, sizeof *placed);
    if (order && placed) x->summary.activations = place(x->storage, values, order, placed);
    icseg_status status =
        order && placed ? ICSEG_OK : icseg_fail_memory(error, (size_t)values * sizeof *order, "the memory plan");
    icseg_free(order);
    icseg_free(placed);
    return status;
}

int32_t icseg_executor_fullest(const icseg_executor *x, size_t *bytes) {
    int32_t values = icseg_graph_value_count(x->graph), fullest = 0;
    size_t most = 0;
    for (int32_t n = 0; n < icseg_graph_node_count(x->graph); n++) {
        size_t sum = 0;
        for (icseg_value v = 0; v < values; v++)
            if (x->storage[v].planned && x->storage[v].first <= n && x->storage[v].last >= n)
                sum += x->storage[v].bytes;
        if (sum <= most) continue;
        most = sum;
        fullest = n;
    }
    for (icseg_value v = 0; v < values; v++) {
        const storage *s = &x->storage[v];
        bytes[v] = s->planned && s->first <= fullest && s->last >= fullest ? s->bytes : 0;
    }
    return fullest;
}

/* -- kernels */

static void count_work(icseg_executor *x, const icseg_node *node) {
    if (!node->op->run) return;
    if (node->op->flops) x->summary.flops += node->op->flops(x->graph, node);
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < (side ? node->output_count : node->input_count); i++) {
            icseg_value v = side ? node->output[i] : node->input[i];
            if (v == ICSEG_NONE) continue;
            const icseg_value_info *info = icseg_graph_value(x->graph, v);
            x->summary.bytes += (double)info->count * (double)icseg_dtype_size(info->dtype);
        }
}

static icseg_status prepare(icseg_executor *x, const bool *live, icseg_error *error) {
    for (int32_t n = 0; n < icseg_graph_node_count(x->graph); n++) {
        if (!live[n]) continue;
        icseg_kernel *k = &x->kernels[n];
        k->graph = x->graph;
        k->node = icseg_graph_node(x->graph, n);
        if (k->node->op->prepare) {
            icseg_status status = k->node->op->prepare(k, error);
            if (status != ICSEG_OK) {
                icseg_fail_prefix(error, "%s", k->node->name);
                return status;
            }
        }
        if (k->scratch_size > x->summary.scratch) x->summary.scratch = k->scratch_size;
        count_work(x, k->node);
    }
    return ICSEG_OK;
}

icseg_status icseg_executor_open(icseg_executor **out, const icseg_graph *graph, icseg_workspace *workspace,
                                 icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(icseg_graph_status(graph, error));
    size_t values = (size_t)icseg_graph_value_count(graph), nodes = (size_t)icseg_graph_node_count(graph);
    icseg_executor *x = icseg_calloc_array(1, sizeof *x);
    bool *live = icseg_calloc_array(nodes + 1, sizeof *live);
    icseg_status status = ICSEG_OK;
    if (x) {
        x->graph = graph;
        x->workspace = workspace;
        x->storage = icseg_calloc_array(values + 1, sizeof *x->storage);
        x->bound = icseg_calloc_array(values + 1, sizeof *x->bound);
        x->kernels = icseg_calloc_array(nodes + 1, sizeof *x->kernels);
        x->seconds = icseg_calloc_array(nodes + 1, sizeof *x->seconds);
    }
    if (!x || !live || !x->storage || !x->bound || !x->kernels || !x->seconds)
        status = icseg_fail_memory(error, values * sizeof(storage), "an executor");
    if (status == ICSEG_OK) status = plan(x, live, error);
    if (status == ICSEG_OK) status = prepare(x, live, error);
    icseg_free(live);
    if (status == ICSEG_OK)
        *out = x;
    else
        icseg_executor_close(&x);
    return status;
}

void icseg_executor_close(icseg_executor **executor) {
    if (!executor || !*executor) return;
    icseg_executor *x = *executor;
    for (int32_t n = 0; x->kernels && n < icseg_graph_node_count(x->graph); n++)
        if (x->kernels[n].node && x->kernels[n].node->op->release) x->kernels[n].node->op->release(&x->kernels[n]);
    icseg_free(x->storage);
    icseg_free(x->bound);
    icseg_free(x->kernels);
    icseg_free(x->seconds);
    icseg_free(x);
    *executor = NULL;
}

/* -- running */

static void *data_of(const icseg_executor *x, icseg_value value) {
    if (value == ICSEG_NONE) return NULL;
    const icseg_value_info *info = icseg_graph_value(x->graph, value);
    icseg_value root = root_of(x->storage, value);
    if (root != value) info = icseg_graph_value(x->graph, root);
    switch (info->kind) {
    case ICSEG_VALUE_INPUT: return (void *)x->bound[root];
    case ICSEG_VALUE_PARAM: return info->param->data;
    case ICSEG_VALUE_CONSTANT: return (void *)info->constant;
    case ICSEG_VALUE_COMPUTED: break;
    }
    return info->param ? (void *)info->param->grad : x->workspace->data + x->storage[root].offset;
}

void icseg_executor_bind(icseg_executor *x, icseg_value input, const void *data) { x->bound[input] = data; }
const void *icseg_executor_data(const icseg_executor *x, icseg_value value) { return data_of(x, value); }
icseg_plan_summary icseg_executor_summary(const icseg_executor *x) { return x->summary; }
void icseg_executor_profile(icseg_executor *x, bool on) { x->profiling = on; }
const double *icseg_executor_seconds(const icseg_executor *x) { return x->seconds; }

static icseg_param *param_behind(const icseg_executor *x, icseg_value value) {
    const icseg_value_info *info = icseg_graph_value(x->graph, root_of(x->storage, value));
    return info->kind == ICSEG_VALUE_PARAM ? info->param : NULL;
}

/* Data of the inputs. Values of parameters are loaded when they are first read as they are. */
static icseg_status get_inputs(const icseg_executor *x, icseg_kernel *k, icseg_error *error) {
    for (int i = 0; i < k->node->input_count; i++) {
        k->in[i] = data_of(x, k->node->input[i]);
        if (k->in[i] || k->node->input[i] == ICSEG_NONE) continue;
        icseg_param *param = param_behind(x, k->node->input[i]);
        if (param && k->node->op->lazy_inputs >> i & 1) continue;
        if (!param)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "%s: input %s is not bound", k->node->name,
                              icseg_graph_value(x->graph, k->node->input[i])->name);
        ICSEG_TRY(icseg_param_load(param, error));
        k->in[i] = param->data;
    }
    return ICSEG_OK;
}

static icseg_status check_outputs(const icseg_kernel *k, icseg_error *error) {
    for (int i = 0; i < k->node->output_count; i++)
        if (!k->out[i])
            return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%s: no gradient buffer was allocated", k->node->name);
    return ICSEG_OK;
}

static icseg_status check_finite(const icseg_kernel *k, icseg_error *error) {
    for (int o = 0; o < k->node->output_count; o++) {
        const icseg_value_info *info = icseg_kernel_out(k, o);
        bool bf16 = info->dtype == ICSEG_BF16;
        for (int64_t i = 0; (bf16 || info->dtype == ICSEG_F32) && i < info->count; i++) {
            double value = (double)icseg_element(k->out[o], bf16, i);
            if (isfinite(value)) continue;
            char text[ICSEG_SHAPE_TEXT];
            return icseg_fail(error, ICSEG_ERROR_NUMERIC, "%s%s gave %f at element %lld of its output %s",
                              k->node->backward ? "the gradient of " : "", k->node->name, value, (long long)i,
                              icseg_shape_text(info->shape, text, sizeof text));
        }
    }
    return ICSEG_OK;
}

static icseg_status run_all(icseg_executor *x, uint64_t seed, int64_t step, bool checked, icseg_error *error) {
    icseg_workspace *w = x->workspace;
    ICSEG_TRY(ensure(&w->data, &w->size, x->summary.activations, "activations", error));
    ICSEG_TRY(ensure(&w->scratch, &w->scratch_size, x->summary.scratch, "scratch memory", error));
    icseg_run run = {.seed = seed, .step = step, .scratch = w->scratch};
    for (int32_t n = 0; n < icseg_graph_node_count(x->graph); n++) {
        icseg_kernel *k = &x->kernels[n];
        if (!k->node || !k->node->op->run) continue;
        ICSEG_TRY(get_inputs(x, k, error));
        for (int i = 0; i < k->node->output_count; i++) k->out[i] = data_of(x, k->node->output[i]);
        ICSEG_TRY(check_outputs(k, error));
        if (x->graph->ranges) ICSEG_TRY(icseg_activation_ranges_observe(x->graph->ranges, k, error));
        double start = x->profiling ? icseg_clock() : 0;
        icseg_status status = k->node->op->run(k, &run, error);
        if (status == ICSEG_OK && checked)
            status = check_finite(k, error);
        else if (status != ICSEG_OK)
            icseg_fail_prefix(error, "%s", k->node->name);
        if (x->profiling) x->seconds[n] += icseg_clock() - start;
        ICSEG_TRY(status);
    }
    return ICSEG_OK;
}

static icseg_status run(icseg_executor *x, uint64_t seed, int64_t step, bool checked, icseg_error *error) {
    icseg_float_mode mode = icseg_denormals_off();
    icseg_status status = run_all(x, seed, step, checked, error);
    icseg_denormals_restore(mode);
    return status;
}

icseg_status icseg_executor_run(icseg_executor *x, uint64_t seed, int64_t step, icseg_error *error) {
    return run(x, seed, step, false, error);
}

icseg_status icseg_executor_run_checked(icseg_executor *x, uint64_t seed, int64_t step, icseg_error *error) {
    return run(x, seed, step, true, error);
}

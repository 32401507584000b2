/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/translate.h"

#include <string.h>

#include "onnx/operators.h"

static bool is_resize(const icseg_node *node) { return !strncmp(node->op->name, "resize_", 7); }

static bool varies(const icseg_onnx_translation *t, const icseg_node *node) {
    for (int i = 0; i < node->input_count; i++)
        if (node->input[i] != ICSEG_NONE && t->value[node->input[i]].varies) return true;
    return t->dynamic && is_resize(node); /* of position embeddings: its size is that of the image's map */
}

static void mark_live(icseg_onnx_translation *t, int count, const icseg_value *outputs) {
    const icseg_graph *g = t->graph;
    for (int i = 0; i < count; i++) t->live[icseg_graph_value(g, outputs[i])->producer] = true;
    for (int32_t n = icseg_graph_node_count(g) - 1; n >= 0; n--) {
        const icseg_node *node = icseg_graph_node(g, n);
        for (int i = 0; t->live[n] && i < node->input_count; i++) {
            int32_t producer = node->input[i] == ICSEG_NONE ? -1 : icseg_graph_value(g, node->input[i])->producer;
            if (producer >= 0) t->live[producer] = true;
        }
    }
}

icseg_status icseg_onnx_analyse(icseg_onnx_translation *t, int count, const icseg_value *outputs, icseg_error *error) {
    icseg_graph *g = t->graph;
    icseg_arena *arena = t->writer->arena;
    int32_t nodes = icseg_graph_node_count(g), values = icseg_graph_value_count(g);
    t->value = icseg_arena_array(arena, (size_t)values, sizeof *t->value);
    t->live = icseg_arena_array(arena, (size_t)nodes, sizeof *t->live);
    if (!t->value || !t->live) return icseg_fail_memory(error, 0, "an ONNX model");
    t->latest_map = ICSEG_NONE;
    for (int32_t v = 0; v < values; v++) t->value[v].grid = ICSEG_NONE;
    t->value[t->image].varies = true;
    t->value[t->image].grid = t->image;
    mark_live(t, count, outputs);
    for (int32_t n = 0; n < nodes; n++) {
        const icseg_node *node = icseg_graph_node(g, n);
        if (!t->live[n]) continue;
        bool changes = varies(t, node);
        for (int i = 0; i < node->output_count; i++) t->value[node->output[i]].varies = changes;
        for (int i = 0; i < node->input_count; i++) {
            icseg_value v = node->input[i];
            if (v == ICSEG_NONE) continue;
            t->value[v].readers++;
            t->value[v].reader = n;
            bool constant = icseg_graph_value(g, v)->kind == ICSEG_VALUE_COMPUTED && !t->value[v].varies;
            if (changes && constant) icseg_graph_keep(g, v, node->name);
        }
    }
    return icseg_graph_status(g, error);
}

/* -- nodes */

static icseg_onnx_emit *find_operator(const char *name) {
    static const struct {
        const char *name;
        icseg_onnx_emit *emit;
    } all[] = {
#define ENTRY(operator) {#operator, icseg_onnx_##operator},
        ICSEG_ONNX_OPERATORS(ENTRY)
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name, name)) return all[i].emit;
    return NULL;
}

static icseg_value grid_of(const icseg_onnx_translation *t, const icseg_node *node) {
    if (icseg_graph_value(t->graph, node->output[0])->shape.rank == 4) return node->output[0];
    for (int i = 0; i < node->input_count; i++)
        if (node->input[i] != ICSEG_NONE && t->value[node->input[i]].grid != ICSEG_NONE)
            return t->value[node->input[i]].grid;
    return ICSEG_NONE;
}

icseg_status icseg_onnx_translate(icseg_onnx_translation *t, icseg_error *error) {
    for (int32_t n = 0; n < icseg_graph_node_count(t->graph); n++) {
        const icseg_node *node = icseg_graph_node(t->graph, n);
        icseg_value out = node->output[0];
        if (!t->live[n] || !t->value[out].varies) continue;
        icseg_onnx_emit *emit = find_operator(node->op->name);
        if (!emit)
            return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED, "%s: the operator %s cannot be written as ONNX",
                              node->name, node->op->name);
        t->value[out].grid = grid_of(t, node);
        t->value[out].name = emit(t, node);
        if (t->value[out].name && icseg_graph_value(t->graph, out)->shape.rank == 4) t->latest_map = out;
        ICSEG_TRY(icseg_onnx_status(t->writer, error));
    }
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The sums of gradients over the processes of a group. */
#include "train/gradients.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/bf16.h"

enum { BUCKET = 1 << 20 }; /* elements: 4 MiB of f32; a larger gradient is a bucket of its own */

typedef struct part {
    icseg_param *param;
    int32_t node; /* the last one that writes its gradient */
    int64_t at;   /* of its first element in the buffer */
} part;

typedef struct bucket {
    int64_t first, parts, at, count; /* parts [first, first + parts), elements [at, at + count) of the buffer */
    int32_t node;                    /* after it, the bucket is complete */
} bucket;

struct icseg_gradient_sums {
    icseg_group *group;
    const icseg_graph *graph;
    bool bf16;
    part *parts;
    bucket *buckets;
    int64_t part_count, bucket_count, next; /* next: the next bucket to send */
    void *buffer;                           /* f32 or bf16 */
};

/* -- dividing gradients into buckets */

static int by_node(const void *a, const void *b) {
    const part *x = a, *y = b;
    if (x->node != y->node) return x->node > y->node ? 1 : -1;
    return (x->at > y->at) - (x->at < y->at);
}

static int64_t index_of(const icseg_params *params, const icseg_param *param) {
    int64_t i = 0;
    while (icseg_params_at(params, i) != param) i++;
    return i;
}

/* Notes for each parameter the last node that writes its gradient: last (params), -1: none. */
static void find_writers(const icseg_executor *x, const icseg_params *params, int32_t *last) {
    const icseg_graph *graph = icseg_executor_program(x)->graph;
    for (int64_t i = 0; i < icseg_params_count(params); i++) last[i] = -1;
    for (int32_t n = 0; n < icseg_graph_node_count(graph); n++) {
        const icseg_node *node = icseg_executor_program(x)->kernels[n].node;
        for (int o = 0; node && o < node->output_count; o++) {
            icseg_value root = icseg_plan_root(icseg_executor_plan(x), node->output[o]);
            const icseg_value_info *info = icseg_graph_value(graph, root);
            if (info->kind == ICSEG_VALUE_COMPUTED && info->param) last[index_of(params, info->param)] = n;
        }
    }
}

static icseg_status list_parts(icseg_gradient_sums *s, const icseg_executor *x, icseg_params *params,
                               icseg_error *error) {
    size_t count = (size_t)icseg_params_count(params);
    int32_t *last = icseg_alloc_array(count + 1, sizeof *last);
    s->parts = icseg_calloc_array(count + 1, sizeof *s->parts);
    s->buckets = icseg_calloc_array(count + 1, sizeof *s->buckets);
    if (!last || !s->parts || !s->buckets) {
        icseg_free(last);
        return icseg_fail_memory(error, 0, "the sums of gradients");
    }
    find_writers(x, params, last);
    for (size_t i = 0; i < count; i++) {
        icseg_param *p = icseg_params_at(params, (int64_t)i);
        if (last[i] >= 0 && p->grad) s->parts[s->part_count++] = (part){.param = p, .node = last[i], .at = (int64_t)i};
    }
    icseg_free(last);
    qsort(s->parts, (size_t)s->part_count, sizeof *s->parts, by_node);
    return ICSEG_OK;
}

/* Returns the number of elements of all buckets. */
static int64_t fill_buckets(icseg_gradient_sums *s) {
    int64_t at = 0;
    for (int64_t i = 0; i < s->part_count; i++) {
        part *p = &s->parts[i];
        bucket *b = s->bucket_count ? &s->buckets[s->bucket_count - 1] : NULL;
        if (!b || b->count + p->param->count > BUCKET) {
            b = &s->buckets[s->bucket_count++];
            *b = (bucket){.first = i, .at = at};
        }
        p->at = at;
        at += p->param->count;
        b->parts++;
        b->count += p->param->count;
        b->node = p->node;
    }
    return at;
}

icseg_status icseg_gradient_sums_open(icseg_gradient_sums **out, icseg_group *group, icseg_params *params,
                                      const icseg_executor *executor, bool bf16, icseg_error *error) {
    icseg_gradient_sums *s = *out = icseg_calloc_array(1, sizeof *s);
    if (!s) return icseg_fail_memory(error, sizeof *s, "the sums of gradients");
    *s = (icseg_gradient_sums){.group = group, .graph = icseg_executor_program(executor)->graph, .bf16 = bf16};
    icseg_status status = list_parts(s, executor, params, error);
    if (status == ICSEG_OK) {
        size_t bytes = (size_t)fill_buckets(s) * (bf16 ? sizeof(uint16_t) : sizeof(float));
        s->buffer = icseg_alloc_array(bytes + 1, 1);
        if (!s->buffer) status = icseg_fail_memory(error, bytes, "the sums of gradients");
    }
    if (status != ICSEG_OK) icseg_gradient_sums_close(out);
    return status;
}

void icseg_gradient_sums_close(icseg_gradient_sums **sums) {
    if (!sums || !*sums) return;
    icseg_free((*sums)->parts);
    icseg_free((*sums)->buckets);
    icseg_free((*sums)->buffer);
    icseg_free(*sums);
    *sums = NULL;
}

bool icseg_gradient_sums_fit(const icseg_gradient_sums *sums, const icseg_executor *executor) {
    return sums && sums->graph == icseg_executor_program(executor)->graph;
}

/* -- sending */

static icseg_status start(icseg_gradient_sums *s, const bucket *b, icseg_error *error) {
    const size_t size = s->bf16 ? sizeof(uint16_t) : sizeof(float);
    for (int64_t i = b->first; i < b->first + b->parts; i++) {
        const part *p = &s->parts[i];
        void *to = (char *)s->buffer + (size_t)p->at * size;
        if (s->bf16)
            for (int64_t j = 0; j < p->param->count; j++) icseg_set_element(to, true, j, p->param->grad[j]);
        else
            memcpy(to, p->param->grad, (size_t)p->param->count * size);
    }
    return icseg_group_start_sum(s->group, s->bf16 ? ICSEG_SUM_BF16 : ICSEG_SUM_F32,
                                 (char *)s->buffer + (size_t)b->at * size, b->count, error);
}

static icseg_status node_done(void *user, const icseg_node *node, icseg_error *error) {
    icseg_gradient_sums *s = user;
    for (; s->next < s->bucket_count && s->buckets[s->next].node <= node->index; s->next++)
        ICSEG_TRY(start(s, &s->buckets[s->next], error));
    return icseg_group_progress(s->group, error);
}

void icseg_gradient_sums_begin(icseg_gradient_sums *sums, icseg_executor *executor) {
    sums->next = 0;
    icseg_executor_watch(executor, node_done, sums);
}

icseg_status icseg_gradient_sums_finish(icseg_gradient_sums *s, icseg_executor *executor, icseg_error *error) {
    icseg_executor_watch(executor, NULL, NULL);
    ICSEG_TRY(icseg_group_finish(s->group, error));
    for (int64_t i = 0; i < s->part_count; i++) {
        const part *p = &s->parts[i];
        if (s->bf16)
            for (int64_t j = 0; j < p->param->count; j++)
                p->param->grad[j] = icseg_element((const uint16_t *)s->buffer + p->at, true, j);
        else
            memcpy(p->param->grad, (const float *)s->buffer + p->at, (size_t)p->param->count * sizeof(float));
    }
    return ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * The parameter store. */
#include "graph/params.h"

#include <string.h>

#include "base/memory.h"
#include "compute/primitive.h"

/* What sources of parameters refer to. */
typedef struct icseg_source_owner {
    void *owner;
    void (*close)(void *owner);
} icseg_source_owner;

struct icseg_params {
    icseg_param **list; /* in order of declaration */
    int64_t count, capacity;
    icseg_source_owner *owners; /* (owner_count) */
    int64_t owner_count;
    int32_t *table; /* open-addressing hash of names -> index + 1 */
    int64_t table_size;
    pthread_mutex_t lock; /* held while copies are made on first use */
};

icseg_status icseg_params_open(icseg_params **out, icseg_error *error) {
    *out = icseg_calloc_array(1, sizeof **out);
    if (!*out) return icseg_fail_memory(error, 0, "parameters");
    pthread_mutex_init(&(*out)->lock, NULL);
    return ICSEG_OK;
}

static void free_param(icseg_param *p) {
    if (!p) return;
    if (p->packed) p->free_packed(p->packed);
    if (p->folded) p->free_folded(p->folded);
    if (p->composed) p->free_composed(p->composed);
    icseg_free(p->name);
    icseg_free(p->data);
    icseg_free(p->grad);
    icseg_free(p);
}

static void close_owners(icseg_params *params) {
    for (int64_t i = 0; i < params->owner_count; i++) params->owners[i].close(params->owners[i].owner);
    icseg_free(params->owners);
    params->owners = NULL;
    params->owner_count = 0;
}

void icseg_params_close(icseg_params **params) {
    if (!params || !*params) return;
    for (int64_t i = 0; i < (*params)->count; i++) free_param((*params)->list[i]);
    close_owners(*params);
    icseg_free((*params)->list);
    icseg_free((*params)->table);
    pthread_mutex_destroy(&(*params)->lock);
    icseg_free(*params);
    *params = NULL;
}

static uint64_t hash(const char *name) { /* FNV-1a */
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

static int32_t *slot(const icseg_params *params, const char *name) {
    int64_t i = (int64_t)(hash(name) % (uint64_t)params->table_size);
    while (params->table[i] && strcmp(params->list[params->table[i] - 1]->name, name)) i = (i + 1) % params->table_size;
    return &params->table[i];
}

static icseg_status reserve(icseg_params *params, icseg_error *error) {
    if (params->count < params->capacity) return ICSEG_OK;
    int64_t capacity = params->capacity ? params->capacity * 2 : 256;
    icseg_param **list = icseg_realloc_array(params->list, (size_t)params->count, (size_t)capacity, sizeof *list);
    if (list) params->list = list;
    int32_t *table = list ? icseg_calloc_array((size_t)capacity * 2, sizeof *table) : NULL;
    if (!table) return icseg_fail_memory(error, (size_t)capacity * sizeof *list, "the parameter list");
    icseg_free(params->table);
    params->table = table;
    params->table_size = capacity * 2;
    params->capacity = capacity;
    for (int64_t i = 0; i < params->count; i++) *slot(params, params->list[i]->name) = (int32_t)i + 1;
    return ICSEG_OK;
}

static icseg_shape memory_shape(icseg_shape file, icseg_layout layout) {
    const int64_t *d = file.dim;
    switch (layout) {
    case ICSEG_LAYOUT_OIHW: return ICSEG_SHAPE(d[0], d[2], d[3], d[1]);
    case ICSEG_LAYOUT_IOHW: return ICSEG_SHAPE(d[2], d[3], d[1], d[0]);
    case ICSEG_LAYOUT_PLAIN: break;
    }
    return file;
}

icseg_param *icseg_params_declare(icseg_params *params, const char *name, icseg_shape file_shape,
                                  icseg_param_options options, icseg_error *error) {
    if (reserve(params, error) != ICSEG_OK) return NULL;
    if (*slot(params, name)) {
        icseg_fail(error, ICSEG_ERROR_INTERNAL, "parameter %s is declared twice", name);
        return NULL;
    }
    int64_t count = icseg_shape_count(file_shape);
    char text[ICSEG_SHAPE_TEXT];
    if (count < 1 || count > INT64_MAX / 8) {
        icseg_fail(error, ICSEG_ERROR_CONFIG, "parameter %s: shape %s has no elements or too many", name,
                   icseg_shape_text(file_shape, text, sizeof text));
        return NULL;
    }
    icseg_param *p = icseg_calloc_array(1, sizeof *p);
    if (p) p->name = icseg_strdup(name);
    if (!p || !p->name) {
        free_param(p);
        icseg_fail_memory_in(error, 0, name);
        return NULL;
    }
    p->shape = memory_shape(file_shape, options.layout);
    p->file_shape = file_shape;
    p->options = options;
    p->count = count;
    p->index = params->count;
    p->version = 1;
    p->lock = &params->lock;
    *slot(params, name) = (int32_t)params->count + 1;
    params->list[params->count++] = p;
    return p;
}

int64_t icseg_params_count(const icseg_params *params) { return params->count; }
icseg_param *icseg_params_at(const icseg_params *params, int64_t index) { return params->list[index]; }

icseg_param *icseg_params_find(const icseg_params *params, const char *name) {
    int32_t found = params->count ? *slot(params, name) : 0;
    return found ? params->list[found - 1] : NULL;
}

icseg_status icseg_params_allocate_gradients(icseg_params *params, icseg_error *error) {
    for (int64_t i = 0; i < params->count; i++) {
        icseg_param *p = params->list[i];
        if (!p->options.trainable || p->grad) continue;
        p->grad = icseg_calloc_array((size_t)p->count, sizeof(float));
        if (!p->grad) return icseg_fail_memory_in(error, (size_t)p->count * sizeof(float), p->name);
    }
    return ICSEG_OK;
}

void icseg_params_zero_gradients(icseg_params *params) {
    for (int64_t i = 0; i < params->count; i++)
        if (params->list[i]->grad) memset(params->list[i]->grad, 0, (size_t)params->list[i]->count * sizeof(float));
}

icseg_params_memory icseg_params_count_memory(icseg_params *params) {
    icseg_params_memory sum = {0};
    pthread_mutex_lock(&params->lock);
    for (int64_t i = 0; i < params->count; i++) {
        const icseg_param *p = params->list[i];
        if (p->data) sum.plain += (size_t)p->count * sizeof(float);
        if (p->grad) sum.gradients += (size_t)p->count * sizeof(float);
        if (p->packed) sum.packed += icseg_packed_count(p->packed).bytes;
        if (p->folded) sum.packed += p->folded_bytes(p->folded);
        if (p->composed) sum.packed += p->composed_bytes(p->composed);
    }
    pthread_mutex_unlock(&params->lock);
    return sum;
}

icseg_status icseg_params_own(icseg_params *params, void *owner, void (*close)(void *owner), icseg_error *error) {
    size_t count = (size_t)params->owner_count;
    icseg_source_owner *owners = icseg_realloc_array(params->owners, count, count + 1, sizeof *owners);
    if (!owners) return icseg_fail_memory(error, (count + 1) * sizeof *owners, "the list of files");
    owners[count] = (icseg_source_owner){owner, close};
    params->owners = owners;
    params->owner_count++;
    return ICSEG_OK;
}

void icseg_params_initialise(icseg_params *params, uint64_t seed) {
    for (int64_t i = 0; i < params->count; i++)
        icseg_param_set_source(params->list[i],
                               (icseg_param_source){.kind = ICSEG_SOURCE_INIT, .seed = seed, .index = (uint64_t)i});
    close_owners(params);
}

icseg_status icseg_params_load(icseg_params *params, icseg_error *error) {
    for (int64_t i = 0; i < params->count; i++) ICSEG_TRY(icseg_param_load(params->list[i], error));
    close_owners(params);
    return ICSEG_OK;
}

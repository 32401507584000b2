/* SPDX-License-Identifier: Apache-2.0
 * The values of parameters: reading them from their source in the memory layout, and keeping them in memory. */
#include <string.h>

#include "base/memory.h"
#include "graph/params.h"

void icseg_param_set_source(icseg_param *p, icseg_param_source source) {
    icseg_free(p->data);
    p->data = NULL;
    p->source = source;
    p->source_version = ++p->version;
}

icseg_status icseg_param_from_file(icseg_param *p, const icseg_safetensors *file, const char *name,
                                   icseg_error *error) {
    const icseg_safetensors_entry *entry;
    ICSEG_TRY(icseg_safetensors_get_f32(file, name, p->file_shape, &entry, error));
    icseg_dtype dtype = entry->dtype == ICSEG_F16 ? ICSEG_F16 : ICSEG_F32;
    icseg_param_set_source(
        p, (icseg_param_source){.kind = ICSEG_SOURCE_FILE, .dtype = dtype, .file = file, .entry = entry});
    return ICSEG_OK;
}

bool icseg_param_is_f16(const icseg_param *p) {
    return p->source.dtype == ICSEG_F16 && p->version == p->source_version;
}

/* -- layouts */

/* from (rows, columns) -> to (columns, rows) */
static void transpose(const float *from, int64_t rows, int64_t columns, float *to) {
    enum { BLOCK = 16 }; /* one cache line of either side at a time */
    for (int64_t r = 0; r < rows; r += BLOCK)
        for (int64_t c = 0; c < columns; c++)
            for (int64_t i = r; i < rows && i < r + BLOCK; i++) to[c * rows + i] = from[i * columns + c];
}

static void permute(const icseg_param *p, const float *from, float *to, bool importing) {
    const int64_t *d = p->file_shape.dim;
    int64_t area, kernel;
    switch (p->options.layout) {
    case ICSEG_LAYOUT_PLAIN: memcpy(to, from, (size_t)p->count * sizeof *to); return;
    case ICSEG_LAYOUT_OIHW: /* (I, y x) <-> (y x, I) for each O */ area = d[2] * d[3]; kernel = d[1] * area;
#pragma omp parallel for schedule(static)
        for (int64_t o = 0; o < d[0]; o++)
            transpose(from + o * kernel, importing ? d[1] : area, importing ? area : d[1], to + o * kernel);
        return;
    case ICSEG_LAYOUT_IOHW: /* (I, O, y x) <-> (y x, O, I): small */
        area = d[2] * d[3];
        for (int64_t i = 0; i < d[0]; i++)
            for (int64_t o = 0; o < d[1]; o++)
                for (int64_t yx = 0; yx < area; yx++) {
                    int64_t file = (i * d[1] + o) * area + yx, memory = (yx * d[1] + o) * d[0] + i;
                    to[importing ? memory : file] = from[importing ? file : memory];
                }
    }
}

void icseg_param_import(const icseg_param *p, const float *file, float *to) { permute(p, file, to, true); }
void icseg_param_export(const icseg_param *p, const float *memory, float *to) { permute(p, memory, to, false); }

/* Whether the file has the values in the order of memory, as also for 1 x 1 convolutions. */
static bool is_plain(const icseg_param *p) {
    const int64_t *d = p->file_shape.dim;
    return p->options.layout == ICSEG_LAYOUT_PLAIN ||
           (p->options.layout == ICSEG_LAYOUT_OIHW && (d[1] == 1 || d[2] * d[3] == 1));
}

/* -- sources */

/* Draws `count` initial values. */
static void draw(const icseg_param *p, icseg_rng *rng, int64_t count, float *to) {
    float scale = p->options.scale;
    for (int64_t i = 0; i < count; i++) switch (p->options.init) {
        case ICSEG_INIT_ZERO: to[i] = 0; break;
        case ICSEG_INIT_CONSTANT: to[i] = scale; break;
        case ICSEG_INIT_NORMAL: to[i] = scale * icseg_rng_normal(rng); break;
        case ICSEG_INIT_UNIFORM: to[i] = icseg_rng_range(rng, -scale, scale); break;
        }
}

/* Several threads read parts of a large tensor: copying them from the system's cache takes longer than packing. */
static icseg_status read_parts(const icseg_param *p, float *to, icseg_error *error) {
    enum { PART = 1 << 18 };
    icseg_status status = ICSEG_OK;
#pragma omp parallel for schedule(static) if (p->count > PART)
    for (int64_t first = 0; first < p->count; first += PART) {
        int64_t count = p->count - first < PART ? p->count - first : PART;
        icseg_error own = {0};
        icseg_status read =
            icseg_safetensors_read(p->source.file, p->source.entry, (size_t)first, (size_t)count, to + first, &own);
        if (read == ICSEG_OK) continue;
#pragma omp critical
        {
            status = read;
            if (error) *error = own;
        }
    }
    return status;
}

/* In the file's layout. */
static icseg_status read_stored(const icseg_param *p, float *to, icseg_error *error) {
    const icseg_param_source *s = &p->source;
    if (s->kind == ICSEG_SOURCE_CALL) return s->read(s->from, to, error);
    return read_parts(p, to, error);
}

static icseg_status read_file(const icseg_param *p, float *to, icseg_error *error) {
    if (is_plain(p)) return read_stored(p, to, error);
    float *file = icseg_alloc_array((size_t)p->count, sizeof *file);
    if (!file) return icseg_fail_memory_in(error, (size_t)p->count * sizeof *file, p->name);
    icseg_status status = read_stored(p, file, error);
    if (status == ICSEG_OK) icseg_param_import(p, file, to);
    icseg_free(file);
    return status;
}

static icseg_status read_source(const icseg_param *p, float *to, icseg_error *error) {
    icseg_rng rng = icseg_rng_open(p->source.seed, ICSEG_RNG_INIT, p->source.index);
    switch (p->source.kind) {
    case ICSEG_SOURCE_ZERO: memset(to, 0, (size_t)p->count * sizeof *to); break;
    case ICSEG_SOURCE_INIT: draw(p, &rng, p->count, to); break;
    case ICSEG_SOURCE_FILE:
    case ICSEG_SOURCE_CALL: return read_file(p, to, error);
    }
    return ICSEG_OK;
}

icseg_status icseg_param_read(const icseg_param *p, float *to, icseg_error *error) {
    if (!p->data) return read_source(p, to, error);
    memcpy(to, p->data, (size_t)p->count * sizeof *to);
    return ICSEG_OK;
}

/* All values are read where only all can be. */
static icseg_status read_all_rows(const icseg_param *p, int64_t count, const int32_t *rows, int64_t width, float *to,
                                  icseg_error *error) {
    float *all = icseg_alloc_array((size_t)p->count, sizeof *all);
    if (!all) return icseg_fail_memory_in(error, (size_t)p->count * sizeof *all, p->name);
    icseg_status status = read_source(p, all, error);
    for (int64_t i = 0; i < count && status == ICSEG_OK; i++)
        memcpy(to + i * width, all + rows[i] * width, (size_t)width * sizeof *to);
    icseg_free(all);
    return status;
}

/* Initial values can only be drawn in sequence. */
static void draw_rows(const icseg_param *p, int64_t count, const int32_t *rows, int64_t width, float *row, float *to) {
    icseg_rng rng = icseg_rng_open(p->source.seed, ICSEG_RNG_INIT, p->source.index);
    for (int64_t r = 0; r < p->file_shape.dim[0]; r++) {
        draw(p, &rng, width, row);
        for (int64_t i = 0; i < count; i++)
            if (rows[i] == r) memcpy(to + i * width, row, (size_t)width * sizeof *to);
    }
}

icseg_status icseg_param_read_rows(const icseg_param *p, int64_t count, const int32_t *rows, float *to,
                                   icseg_error *error) {
    int64_t width = p->count / p->file_shape.dim[0];
    size_t bytes = (size_t)width * sizeof *to;
    if (!p->data && p->source.kind == ICSEG_SOURCE_INIT) {
        float *row = icseg_alloc(bytes);
        if (!row) return icseg_fail_memory_in(error, bytes, p->name);
        draw_rows(p, count, rows, width, row, to);
        icseg_free(row);
        return ICSEG_OK;
    }
    if (!p->data && p->source.kind == ICSEG_SOURCE_CALL) return read_all_rows(p, count, rows, width, to, error);
    for (int64_t i = 0; i < count; i++) {
        float *row = to + i * width;
        if (p->data)
            memcpy(row, p->data + rows[i] * width, bytes);
        else if (p->source.kind == ICSEG_SOURCE_ZERO)
            memset(row, 0, bytes);
        else
            ICSEG_TRY(icseg_safetensors_read(p->source.file, p->source.entry, (size_t)(rows[i] * width), (size_t)width,
                                             row, error));
    }
    return ICSEG_OK;
}

/* -- in memory */

static icseg_status allocate(float **out, const icseg_param *p, icseg_error *error) {
    *out = icseg_alloc_array((size_t)p->count, sizeof **out);
    return *out ? ICSEG_OK : icseg_fail_memory_in(error, (size_t)p->count * sizeof **out, p->name);
}

static icseg_status read_copy(const icseg_param *p, float **copy, icseg_error *error) {
    ICSEG_TRY(allocate(copy, p, error));
    icseg_status status = read_source(p, *copy, error);
    if (status == ICSEG_OK) return ICSEG_OK;
    icseg_free(*copy);
    *copy = NULL;
    return status;
}

icseg_status icseg_param_load(icseg_param *p, icseg_error *error) {
    float *data = NULL;
    icseg_status status = ICSEG_OK;
    if (p->data) return ICSEG_OK;
    pthread_mutex_lock(p->lock);
    if (!p->data) {
        status = read_copy(p, &data, error);
        if (status == ICSEG_OK) p->data = data;
    }
    pthread_mutex_unlock(p->lock);
    return status;
}

icseg_status icseg_param_replace(icseg_param *p, icseg_error *error) {
    float *data;
    if (!p->data) {
        ICSEG_TRY(allocate(&data, p, error));
        p->data = data;
    }
    p->version++;
    return ICSEG_OK;
}

icseg_status icseg_param_borrow(const icseg_param *p, const float **values, float **copy, icseg_error *error) {
    *copy = NULL;
    *values = p->data;
    if (*values) return ICSEG_OK;
    ICSEG_TRY(read_copy(p, copy, error));
    *values = *copy;
    return ICSEG_OK;
}

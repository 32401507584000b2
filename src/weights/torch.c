/* SPDX-License-Identifier: Apache-2.0
 * PyTorch's containers: zip archives of torch.save and torch.jit.save (data.pkl beside data/KEY), and the container
 * from before version 1.6 (pickles, then the storages one after another). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/internal.h"
#include "weights/pickle.h"
#include "weights/sets.h"
#include "base/zip.h"

enum {
    MAX_PICKLE = 64 << 20,
    MAX_SOURCE = 32 << 20,
    MAX_MODULE_DEPTH = 64,
    MAX_VISITS = 1 << 20,
    MAX_ITEMS = 1 << 22, /* looked at in search of state dicts */
    MAX_STATE_DEPTH = 8,
    LEGACY_PROTOCOL = 1001
};

/* A storage of the old container, which does not store their names beside the data. */
typedef struct located_storage {
    const char *key;
    size_t offset; /* in the file */
    uint64_t bytes;
} located_storage;

typedef struct reader {
    icseg_weights *weights;
    const icseg_file_reader *file;
    const char *path, *where;
    icseg_arena *scratch; /* values of the pickle */
    icseg_error *error;
    const icseg_zip *zip;          /* NULL in the old container */
    icseg_weights_packed **packed; /* of zip's entries, NULL until first used */
    char folder[ICSEG_WEIGHTS_NAME];
    const located_storage *storages; /* sorted by key */
    size_t storage_count;
    char name[ICSEG_WEIGHTS_NAME]; /* of the value being visited */
    int visits;
    icseg_weights_sets sets;
} reader;

static int compare_storages(const void *a, const void *b) {
    return strcmp(((const located_storage *)a)->key, ((const located_storage *)b)->key);
}

/* ------------------------------------------------------------------------------------------------------ storages */

static icseg_status find_stored(reader *r, const icseg_pickle_storage *storage, size_t *offset) {
    const located_storage key = {.key = storage->key};
    const located_storage *found = bsearch(&key, r->storages, r->storage_count, sizeof key, compare_storages);
    if (!found)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: storage %.60s is missing", r->path, storage->key);
    if (found->bytes / icseg_dtype_size(storage->dtype) < (uint64_t)storage->count)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: damaged: storage %.60s has %llu bytes; expected %lld elements of %s", r->path,
                          storage->key, (unsigned long long)found->bytes, (long long)storage->count,
                          icseg_dtype_name(storage->dtype));
    *offset = found->offset;
    return ICSEG_OK;
}

/* A deflated storage is shared by all its tensors. */
static icseg_status find_packed(reader *r, const icseg_zip_entry *entry, icseg_weights_packed **out) {
    icseg_weights *w = r->weights;
    icseg_weights_packed **known = &r->packed[entry - r->zip->entries];
    if (!*known) {
        icseg_weights_packed *packed = icseg_arena_alloc(w->arena, sizeof *packed);
        char *path = icseg_arena_strdup(w->arena, r->path), *name = icseg_arena_strdup(w->arena, entry->name);
        if (!packed || !path || !name) return icseg_fail_memory_in(r->error, 0, r->path);
        *packed = (icseg_weights_packed){.entry = *entry, .path = path, .cursor = &w->cursor};
        packed->entry.name = name;
        *known = packed;
    }
    *out = *known;
    return ICSEG_OK;
}

/* Finds the tensor's storage. */
static icseg_status find_storage(reader *r, const icseg_pickle_storage *storage, icseg_weights_tensor *out) {
    char name[2 * ICSEG_WEIGHTS_NAME + 16];
    out->file = r->file;
    if (!r->zip) return find_stored(r, storage, &out->offset);
    snprintf(name, sizeof name, "%sdata/%s", r->folder, storage->key);
    const icseg_zip_entry *entry = icseg_zip_find(r->zip, name);
    if (!entry)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: the archive does not contain %.200s", r->path,
                          name);
    if (entry->size / icseg_dtype_size(storage->dtype) < (uint64_t)storage->count)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: damaged: %.200s has %zu bytes; expected %lld elements of %s", r->path, name, entry->size,
                          (long long)storage->count, icseg_dtype_name(storage->dtype));
    if (entry->deflated) return find_packed(r, entry, &out->packed);
    out->offset = entry->offset;
    return ICSEG_OK;
}

static icseg_status add_tensor(reader *r, const icseg_pickle_tensor *t, size_t name_size) {
    icseg_weights_tensor tensor = {.dtype = t->storage->dtype, .shape = t->shape};
    memcpy(tensor.stride, t->stride, sizeof tensor.stride);
    if (icseg_shape_count(t->shape) > 0) { /* an empty tensor may point anywhere */
        ICSEG_TRY(find_storage(r, t->storage, &tensor));
        tensor.offset += (size_t)t->offset * icseg_dtype_size(tensor.dtype);
    }
    return icseg_weights_add(r->weights, r->name, name_size, tensor, r->error);
}

/* ------------------------------------------------------------------------------------------------ state and modules */

/* Collects the values of a state dict, or the tensors of a TorchScript module and its submodules, by dotted names. */
static icseg_status visit(reader *r, const icseg_pickle_value *v, size_t name_size, int depth) {
    if (v->kind == ICSEG_PICKLE_TENSOR) return add_tensor(r, v->tensor, name_size);
    if (v->kind != ICSEG_PICKLE_OBJECT && (v->kind != ICSEG_PICKLE_DICT || depth > 0)) return ICSEG_OK;
    if (depth > MAX_MODULE_DEPTH || (r->visits += 1 + (int)(v->list.count / 2)) > MAX_VISITS)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: refused: modules are nested too deeply", r->where);
    for (size_t i = 0; i + 1 < v->list.count; i += 2) {
        const icseg_pickle_value *key = v->list.items[i], *item = v->list.items[i + 1];
        if (item->kind != ICSEG_PICKLE_TENSOR && item->kind != ICSEG_PICKLE_OBJECT) continue;
        if (key->kind != ICSEG_PICKLE_TEXT || name_size + key->text.size + 2 > sizeof r->name)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s: damaged: a tensor whose name is not text or is too long", r->where);
        size_t at = name_size;
        if (at) r->name[at++] = '.';
        if (key->text.size) memcpy(r->name + at, key->text.data, key->text.size);
        ICSEG_TRY(visit(r, item, at + key->text.size, depth + 1));
    }
    return ICSEG_OK;
}

/* mmsegmentation's meta: {"CLASSES": ("wall", ...), ...} */
static icseg_status read_classes(reader *r, const icseg_pickle_value *top) {
    const icseg_pickle_value *meta = icseg_pickle_get(top, "meta");
    const icseg_pickle_value *list = meta ? icseg_pickle_get(meta, "CLASSES") : NULL;
    if (!list || (list->kind != ICSEG_PICKLE_TUPLE && list->kind != ICSEG_PICKLE_LIST)) return ICSEG_OK;
    icseg_weights *w = r->weights;
    const char **names = icseg_arena_array(w->arena, list->list.count, sizeof *names);
    if (!names) return icseg_fail_memory_in(r->error, list->list.count * sizeof *names, r->path);
    for (size_t i = 0; i < list->list.count; i++) {
        const icseg_pickle_value *name = list->list.items[i];
        if (name->kind != ICSEG_PICKLE_TEXT || memchr(name->text.data, '\0', name->text.size)) return ICSEG_OK;
        char *copy = icseg_arena_alloc(w->arena, name->text.size + 1);
        if (!copy) return icseg_fail_memory_in(r->error, 0, r->path);
        memcpy(copy, name->text.data, name->text.size);
        names[i] = copy;
    }
    w->classes = names;
    w->class_count = list->list.count;
    return ICSEG_OK;
}

/* Appends a key to the path of a state dict; control characters must not reach a terminal. The length of the new path,
 * or 0 if it is too long. */
static size_t append_key(reader *r, size_t size, const icseg_pickle_value *key, size_t index) {
    char number[30];
    int digits = snprintf(number, sizeof number, "%zu", index);
    const char *text = key ? key->text.data : number;
    size_t length = key ? key->text.size : (size_t)digits;
    if (!length || length > sizeof r->name / 4 || size + length + 2 > sizeof r->name) return 0;
    if (size) r->name[size++] = '.';
    memcpy(r->name + size, text, length);
    for (size_t i = size; i < size + length; i++)
        if ((unsigned char)r->name[i] < 0x20 || r->name[i] == 0x7f) r->name[i] = '?';
    r->name[size + length] = '\0';
    return size + length;
}

/* Adds the sets of weights of a state dict, if it is one. */
static icseg_status add_sets(reader *r, const icseg_pickle_value *dict, bool averaged) {
    icseg_weights_set set = {.path = r->name, .prefix = "", .state = dict, .averaged = averaged};
    bool found = dict->kind == ICSEG_PICKLE_OBJECT, prefixed = false;
    set.clip = found;
    for (size_t i = 0; i + 1 < dict->list.count && dict->kind == ICSEG_PICKLE_DICT; i += 2) {
        const icseg_pickle_value *key = dict->list.items[i];
        if (dict->list.items[i + 1]->kind != ICSEG_PICKLE_TENSOR) continue;
        found = true;
        if (key->kind != ICSEG_PICKLE_TEXT || key->text.size >= ICSEG_WEIGHTS_NAME) continue;
        size_t size = icseg_weights_prefix(key->text.data, key->text.size);
        set.clip = set.clip || icseg_weights_looks_like_clip(key->text.data, key->text.size);
        if (size == SIZE_MAX) continue;
        icseg_weights_set named = set;
        named.prefix = key->text.data;
        ICSEG_TRY(icseg_weights_sets_add(&r->sets, named, size, r->error));
        prefixed = true;
    }
    return found && !prefixed ? icseg_weights_sets_add(&r->sets, set, 0, r->error) : ICSEG_OK;
}

static bool is_dict(const icseg_pickle_value *v) { return v && v->kind == ICSEG_PICKLE_DICT; }

/* Whether a trainer stores the average under "state_dict", where others have raw weights: Lightning's WeightAveraging,
 * MMEngine's EMAHook, whose "ema_state_dict" then has the raw ones. */
static bool has_average_first(const icseg_pickle_value *dict) {
    if (!is_dict(icseg_pickle_get(dict, "state_dict"))) return false;
    return is_dict(icseg_pickle_get(dict, "current_model_state")) ||
           (is_dict(icseg_pickle_get(dict, "ema_state_dict")) && icseg_pickle_get(dict, "message_hub"));
}

/* Averages of an optimizer's parameters, in their order: icseg cannot know their names. */
static void note_nameless(reader *r, const icseg_pickle_value *list, bool averaged) {
    if (averaged && !r->sets.nameless[0] && list->list.count && list->list.items[0]->kind == ICSEG_PICKLE_TENSOR)
        snprintf(r->sets.nameless, sizeof r->sets.nameless, "%s", r->name);
}

/* Finds the state dicts in a value, whose path is r->name. Those of an optimizer are not weights. */
static icseg_status find_sets(reader *r, const icseg_pickle_value *v, size_t size, int depth, bool averaged) {
    bool dict = v->kind == ICSEG_PICKLE_DICT, list = v->kind == ICSEG_PICKLE_LIST || v->kind == ICSEG_PICKLE_TUPLE;
    bool optimizer = memmem(r->name, size, "optim", 5) != NULL, swapped = dict && has_average_first(v);
    if (list) note_nameless(r, v, averaged);
    if ((dict || v->kind == ICSEG_PICKLE_OBJECT) && !optimizer) ICSEG_TRY(add_sets(r, v, averaged));
    for (size_t i = 0; i < v->list.count && (dict || list) && depth < MAX_STATE_DEPTH; i += dict ? 2 : 1) {
        const icseg_pickle_value *key = dict ? v->list.items[i] : NULL, *item = v->list.items[dict ? i + 1 : i];
        if (++r->visits > MAX_ITEMS)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: refused: objects are nested too deeply", r->where);
        bool deeper = item->kind == ICSEG_PICKLE_DICT || item->kind == ICSEG_PICKLE_LIST ||
                      item->kind == ICSEG_PICKLE_TUPLE || item->kind == ICSEG_PICKLE_OBJECT;
        if (!deeper || (key && key->kind != ICSEG_PICKLE_TEXT)) continue;
        size_t path = append_key(r, size, key, i);
        bool says = path && icseg_weights_says_averaged(r->name + size, path - size);
        if (swapped && icseg_pickle_is_text(key, "state_dict")) says = true;
        if (swapped && icseg_pickle_is_text(key, "ema_state_dict")) says = false;
        if (path) ICSEG_TRY(find_sets(r, item, path, depth + 1, averaged || says));
        r->name[size] = '\0';
    }
    return ICSEG_OK;
}

/* Chooses the state dict; if it has several sets of weights, also the prefix. */
static icseg_status choose_state(reader *r, const icseg_pickle_value *top, const icseg_pickle_value **out) {
    icseg_weights *w = r->weights;
    const icseg_weights_set *chosen;
    char message[ICSEG_WEIGHTS_SETS];
    size_t of_same = 0;
    r->sets.arena = r->scratch;
    r->sets.file = r->path;
    r->name[0] = '\0';
    ICSEG_TRY(find_sets(r, top, 0, 0, false));
    r->visits = 0;
    ICSEG_TRY(icseg_weights_sets_choose(&r->sets, w->set, &chosen, message, sizeof message, r->error));
    if (!w->sets[0]) memcpy(w->sets, message, sizeof message); /* of the first of several files */
    *out = chosen ? chosen->state : NULL;
    if (!chosen) return ICSEG_OK;
    for (size_t i = 0; i < r->sets.count; i++) of_same += r->sets.list[i].state == chosen->state;
    if (of_same > 1) w->prefix = icseg_arena_strdup(w->arena, chosen->prefix);
    if (of_same > 1 && !w->prefix) return icseg_fail_memory_in(r->error, 0, r->path);
    w->set_found = true;
    return ICSEG_OK;
}

/* Beside a state dict there may be single tensors, such as states of random number generators. */
static icseg_status read_state(reader *r, const icseg_pickle_value *top) {
    const icseg_pickle_value *state = NULL;
    ICSEG_TRY(choose_state(r, top, &state));
    if (!state && top->kind == ICSEG_PICKLE_OPAQUE)
        return icseg_fail(r->error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: contains an object of the class %s, not tensors by name; save only the weights with "
                          "torch.save(model.state_dict(), ...) and use that file",
                          r->where, top->class_name);
    if (!state)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: neither the pickle nor a state dict in it contains tensors", r->where);
    ICSEG_TRY(read_classes(r, top));
    return visit(r, state, 0, 0);
}

/* ---------------------------------------------------------------------------------------------------- zip archives */

/* The one entry FOLDER/data.pkl. */
static const icseg_zip_entry *find_pickle(reader *r, const icseg_zip *zip) {
    for (size_t i = 0; i < zip->count; i++) {
        const char *name = zip->entries[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/data.pkl") || (size_t)(slash - name) + 2 > sizeof r->folder) continue;
        snprintf(r->folder, sizeof r->folder, "%.*s/", (int)(slash - name), name);
        return &zip->entries[i];
    }
    return NULL;
}

/* The content of an entry of at most MAX_PICKLE bytes, in the scratch arena. */
static icseg_status read_whole(reader *r, const icseg_zip_entry *entry, const unsigned char **out) {
    if (entry->size > MAX_PICKLE)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: %.200s has %zu bytes; the largest accepted size is %d",
                          r->path, entry->name, entry->size, MAX_PICKLE);
    unsigned char *content = icseg_arena_alloc(r->scratch, entry->size);
    if (!content) return icseg_fail_memory_in(r->error, entry->size, r->path);
    *out = content;
    if (!entry->deflated) return icseg_file_reader_read(r->file, entry->offset, content, entry->size, r->error);
    icseg_zip_stream *stream;
    ICSEG_TRY(icseg_zip_stream_open(&stream, entry, r->file, r->path, r->error));
    icseg_status status = icseg_zip_stream_read(stream, content, entry->size, r->error);
    icseg_zip_stream_close(&stream);
    return status;
}

static icseg_status check_byte_order(reader *r) {
    char name[ICSEG_WEIGHTS_NAME + 16];
    snprintf(name, sizeof name, "%sbyteorder", r->folder);
    const icseg_zip_entry *entry = icseg_zip_find(r->zip, name);
    const unsigned char *order;
    if (!entry) return ICSEG_OK;
    ICSEG_TRY(read_whole(r, entry, &order));
    if (entry->size >= 3 && !memcmp(order, "big", 3))
        return icseg_fail(r->error, ICSEG_ERROR_UNSUPPORTED, "%s: written on a big-endian machine", r->path);
    return ICSEG_OK;
}

/* A TorchScript archive contains the source of its functions. QuickGELU is arithmetic there, GELU a call. */
static icseg_status read_activation(reader *r) {
    static const char gelu[] = "torch.gelu(";
    icseg_weights_facts *facts = &r->weights->facts;
    char folder[ICSEG_WEIGHTS_NAME + 16];
    size_t left = MAX_SOURCE; /* bytes to read */
    int length = snprintf(folder, sizeof folder, "%scode/", r->folder);
    *facts = (icseg_weights_facts){.activation_known = true, .activation = ICSEG_CLIP_QUICK_GELU};
    for (size_t i = 0; i < r->zip->count && facts->activation == ICSEG_CLIP_QUICK_GELU; i++) {
        const icseg_zip_entry *entry = &r->zip->entries[i];
        const unsigned char *source;
        size_t name = strlen(entry->name);
        if (strncmp(entry->name, folder, (size_t)length) != 0 || name < 3 ||
            strcmp(entry->name + name - 3, ".py") != 0 || !entry->size || entry->size > left)
            continue;
        left -= entry->size;
        ICSEG_TRY(read_whole(r, entry, &source));
        if (memmem(source, entry->size, gelu, sizeof gelu - 1)) facts->activation = ICSEG_CLIP_GELU;
    }
    return ICSEG_OK;
}

static icseg_status read_zip(reader *r) {
    icseg_zip zip;
    icseg_pickle_value *top;
    const unsigned char *content;
    size_t used;
    ICSEG_TRY(icseg_zip_open(&zip, r->file, r->path, r->scratch, r->error));
    const icseg_zip_entry *pickle = find_pickle(r, &zip);
    if (!pickle)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: not a PyTorch archive: this zip archive does not contain data.pkl", r->path);
    r->zip = &zip; /* cppcheck-suppress autoVariables ; for the functions that this one calls */
    r->packed = icseg_arena_array(r->scratch, zip.count, sizeof *r->packed);
    if (!r->packed) return icseg_fail_memory_in(r->error, zip.count * sizeof *r->packed, r->path);
    ICSEG_TRY(check_byte_order(r));
    ICSEG_TRY(read_whole(r, pickle, &content));
    ICSEG_TRY(icseg_pickle_read(&top, &used, NULL, content, pickle->size, r->scratch, r->where, r->error));
    r->weights->container = top->kind == ICSEG_PICKLE_OBJECT ? "TorchScript archive" : "PyTorch archive";
    if (top->kind == ICSEG_PICKLE_OBJECT) ICSEG_TRY(read_activation(r));
    return read_state(r, top);
}

icseg_status icseg_torch_read_zip(icseg_weights *w, const icseg_file_reader *file, const char *path,
                                  icseg_error *error) {
    icseg_arena *scratch;
    ICSEG_TRY(icseg_arena_open(&scratch, error));
    char *where = icseg_arena_printf(scratch, "%s: data.pkl", path);
    reader r = {.weights = w, .file = file, .path = path, .where = where, .scratch = scratch, .error = error};
    icseg_status status = where ? read_zip(&r) : icseg_fail_memory_in(error, 0, path);
    icseg_arena_close(&scratch);
    return status;
}

/* ------------------------------------------------------------------------------------- the container before 1.6 */

/* The file begins with a pickle of the number 0x1950a86a20f9469cfc6c. */
static const unsigned char magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                      0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

bool icseg_torch_is_legacy(const unsigned char *start, size_t size) {
    return size >= sizeof magic && !memcmp(start, magic, sizeof magic);
}

/* The first bytes of the file, up to MAX_PICKLE, which include the pickles. */
typedef struct head {
    const unsigned char *data;
    size_t size;
} head;

static icseg_status read_head(reader *r, head *out) {
    size_t size = icseg_file_reader_size(r->file);
    if (size > MAX_PICKLE) size = MAX_PICKLE;
    unsigned char *data = icseg_arena_alloc(r->scratch, size);
    if (!data) return icseg_fail_memory_in(r->error, size, r->path);
    *out = (head){data, size};
    return icseg_file_reader_read(r->file, 0, data, size, r->error);
}

static icseg_status next_pickle(reader *r, const head *h, size_t *at, icseg_pickle_value *storages,
                                icseg_pickle_value **out) {
    size_t used;
    ICSEG_TRY(icseg_pickle_read(out, &used, storages, h->data + *at, h->size - *at, r->scratch, r->where, r->error));
    *at += used;
    return ICSEG_OK;
}

/* Element sizes of the storages in the pickle: the old container does not repeat them beside the data. */
typedef struct sizes {
    located_storage *list; /* sorted by key; `bytes` is the size of one element */
    size_t count;
} sizes;

static icseg_status sort_sizes(reader *r, const icseg_pickle_value *storages, sizes *out) {
    *out = (sizes){.count = storages->list.count};
    out->list = icseg_arena_array(r->scratch, out->count, sizeof *out->list);
    if (!out->list) return icseg_fail_memory_in(r->error, out->count * sizeof *out->list, r->path);
    for (size_t i = 0; i < out->count; i++) {
        const icseg_pickle_storage *storage = storages->list.items[i]->storage;
        out->list[i] = (located_storage){.key = storage->key, .bytes = storage->element_size};
    }
    if (out->count) qsort(out->list, out->count, sizeof *out->list, compare_storages);
    return ICSEG_OK;
}

/* The storages in the order of `keys`, each an i64 count of elements and its data. */
static icseg_status find_storages(reader *r, size_t at, const icseg_pickle_value *keys, const sizes *known) {
    size_t end = icseg_file_reader_size(r->file);
    if (keys->kind != ICSEG_PICKLE_LIST)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: the list of storages is missing", r->where);
    located_storage *storages = icseg_arena_array(r->scratch, keys->list.count, sizeof *storages);
    if (!storages) return icseg_fail_memory_in(r->error, keys->list.count * sizeof *storages, r->path);
    for (size_t i = 0; i < keys->list.count; i++) {
        const icseg_pickle_value *key = keys->list.items[i];
        if (key->kind != ICSEG_PICKLE_TEXT || key->text.size > ICSEG_WEIGHTS_NAME)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: a storage without a name", r->where);
        char *name = icseg_arena_alloc(r->scratch, key->text.size + 1);
        if (!name) return icseg_fail_memory_in(r->error, 0, r->path);
        memcpy(name, key->text.data, key->text.size);
        const located_storage target = {.key = name};
        const located_storage *size =
            known->count ? bsearch(&target, known->list, known->count, sizeof target, compare_storages) : NULL;
        if (!size)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: no tensor uses storage %.60s", r->where,
                              name);
        if (!size->bytes)
            return icseg_fail(r->error, ICSEG_ERROR_UNSUPPORTED,
                              "%s: storage %.60s is of an unknown type; save the file with PyTorch 1.6 or later",
                              r->path, name);
        int64_t count;
        if (end - at < sizeof count)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: cut short before storage %.60s", r->path, name);
        ICSEG_TRY(icseg_file_reader_read(r->file, at, &count, sizeof count, r->error));
        at += sizeof count;
        if (count < 0 || (uint64_t)count > (end - at) / size->bytes)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s: cut short or damaged: storage %.60s claims %lld elements", r->path, name,
                              (long long)count);
        storages[i] = (located_storage){name, at, (uint64_t)count * size->bytes};
        at += (size_t)storages[i].bytes;
    }
    if (at != end)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: damaged: %zu bytes follow the last storage", r->path,
                          end - at);
    r->storages = storages;
    r->storage_count = keys->list.count;
    if (r->storage_count) qsort(storages, r->storage_count, sizeof *storages, compare_storages);
    return ICSEG_OK;
}

static icseg_status read_legacy(reader *r) {
    icseg_pickle_value *protocol, *system, *top, *keys;
    size_t at = sizeof magic;
    icseg_pickle_value storages = {.kind = ICSEG_PICKLE_LIST};
    sizes known;
    head h = {0};
    ICSEG_TRY(read_head(r, &h));
    ICSEG_TRY(next_pickle(r, &h, &at, NULL, &protocol));
    ICSEG_TRY(next_pickle(r, &h, &at, NULL, &system));
    const icseg_pickle_value *little = icseg_pickle_get(system, "little_endian");
    if (protocol->kind != ICSEG_PICKLE_INT || protocol->integer != LEGACY_PROTOCOL ||
        (little && little->kind == ICSEG_PICKLE_BOOL && !little->integer))
        return icseg_fail(r->error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: not the protocol and byte order that PyTorch 0.1.10 to 1.5 wrote on x86", r->path);
    ICSEG_TRY(next_pickle(r, &h, &at, &storages, &top));
    ICSEG_TRY(next_pickle(r, &h, &at, NULL, &keys));
    ICSEG_TRY(sort_sizes(r, &storages, &known));
    ICSEG_TRY(find_storages(r, at, keys, &known));
    return read_state(r, top);
}

icseg_status icseg_torch_read_legacy(icseg_weights *w, const icseg_file_reader *file, const char *path,
                                     icseg_error *error) {
    icseg_arena *scratch;
    ICSEG_TRY(icseg_arena_open(&scratch, error));
    reader r = {.weights = w, .file = file, .path = path, .where = path, .scratch = scratch, .error = error};
    icseg_status status = read_legacy(&r);
    w->container = "PyTorch file (before 1.6)";
    icseg_arena_close(&scratch);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * The pickle machine: a stack, a memo and one case for each opcode that PyTorch's two picklers emit. */
#include "weights/pickle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OPCODES = 1 << 20, MAX_ITEMS = 4 * MAX_OPCODES, MAX_DEPTH = 100, MAX_MEMO = 1 << 20, MAX_NAME = 500 };

typedef enum opcode {
    OP_MARK = '(',
    OP_EMPTY_TUPLE = ')',
    OP_STOP = '.',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',
    OP_FLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_PERSISTENT_ID = 'Q',
    OP_REDUCE = 'R',
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_GET = 'h',
    OP_LONG_GET = 'j',
    OP_PUT = 'q',
    OP_LONG_PUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_PROTO = 0x80,
    OP_NEWOBJ = 0x81,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_TRUE = 0x88,
    OP_FALSE = 0x89,
    OP_LONG1 = 0x8a,
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINBYTES8 = 0x8e,
    OP_EMPTY_SET = 0x8f,
    OP_ADD_ITEMS = 0x90,
    OP_FROZEN_SET = 0x91,
    OP_NEWOBJ_EX = 0x92,
    OP_STACK_GLOBAL = 0x93,
    OP_MEMOIZE = 0x94,
    OP_FRAME = 0x95,
    OP_BYTE_ARRAY8 = 0x96
} opcode;

/* The meanings of the known globals; element types follow as STORAGE_TYPE + dtype. */
enum {
    ORDERED_DICT,
    EMPTY_DICT,
    REBUILD_TENSOR,
    REBUILD_PARAMETER,
    REBUILD_FROM_TYPE,
    TYPED_LIST,
    TYPE_TAG,
    CLASS,
    STORAGE_TYPE
};

static const struct {
    const char *module, *name;
    int64_t meaning;
} globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT},
    {"collections", "defaultdict", EMPTY_DICT},
    {"torch._utils", "_rebuild_tensor", REBUILD_TENSOR},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", REBUILD_PARAMETER},
    {"torch._tensor", "_rebuild_from_type_v2", REBUILD_FROM_TYPE},
    {"torch.jit._pickle", "build_intlist", TYPED_LIST},
    {"torch.jit._pickle", "build_doublelist", TYPED_LIST},
    {"torch.jit._pickle", "build_boollist", TYPED_LIST},
    {"torch.jit._pickle", "build_tensorlist", TYPED_LIST},
    {"torch.jit._pickle", "restore_type_tag", TYPE_TAG},
    {"torch", "FloatStorage", STORAGE_TYPE + ICSEG_F32},
    {"torch", "HalfStorage", STORAGE_TYPE + ICSEG_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE + ICSEG_BF16},
    {"torch", "DoubleStorage", STORAGE_TYPE + ICSEG_F64},
    {"torch", "LongStorage", STORAGE_TYPE + ICSEG_I64},
    {"torch", "IntStorage", STORAGE_TYPE + ICSEG_I32},
    {"torch", "ShortStorage", STORAGE_TYPE + ICSEG_I16},
    {"torch", "CharStorage", STORAGE_TYPE + ICSEG_I8},
    {"torch", "ByteStorage", STORAGE_TYPE + ICSEG_U8},
    {"torch", "BoolStorage", STORAGE_TYPE + ICSEG_BOOL},
};

typedef icseg_pickle_value value;

typedef struct machine {
    const unsigned char *begin, *at, *end;
    icseg_arena *arena;
    const char *where;
    icseg_error *error;
    value **stack, **memo;
    size_t height, stack_capacity, memo_count, memo_capacity;
    size_t items; /* put into containers: a single opcode can copy a whole container */
    int opcodes;
    value mark;
    value *storages; /* LIST of all, or NULL */
} machine;

static icseg_status damaged(machine *m, const char *what) {
    return icseg_fail(m->error, ICSEG_ERROR_FORMAT, "%s: damaged pickle: %s at byte %zu", m->where, what,
                      (size_t)(m->at - m->begin));
}

static icseg_status no_memory(machine *m, size_t bytes) { return icseg_fail_memory_in(m->error, bytes, m->where); }

/* ------------------------------------------------------------------------------------------ bytes, stack and memo */

static icseg_status take(machine *m, uint64_t size, const unsigned char **out) {
    if (size > (uint64_t)(m->end - m->at)) return damaged(m, "it is cut short");
    *out = m->at;
    m->at += size;
    return ICSEG_OK;
}

static icseg_status take_number(machine *m, int bytes, uint64_t *out) { /* little-endian */
    const unsigned char *p = NULL;
    ICSEG_TRY(take(m, (uint64_t)bytes, &p));
    *out = 0;
    for (int i = 0; i < bytes; i++) *out |= (uint64_t)p[i] << (8 * i);
    return ICSEG_OK;
}

static icseg_status take_line(machine *m, const char **out, size_t *size) {
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end) return damaged(m, "it is cut short");
    *out = (const char *)m->at;
    *size = (size_t)(end - m->at);
    m->at = end + 1;
    return ICSEG_OK;
}

static icseg_status grow(machine *m, value ***array, size_t count, size_t *capacity, size_t needed) {
    if (needed <= *capacity) return ICSEG_OK;
    size_t larger = needed * 2 + 64;
    value **grown = icseg_realloc_array(*array, count, larger, sizeof *grown);
    if (!grown) return no_memory(m, larger * sizeof *grown);
    *array = grown;
    *capacity = larger;
    return ICSEG_OK;
}

static icseg_status push(machine *m, value *v) {
    ICSEG_TRY(grow(m, &m->stack, m->height, &m->stack_capacity, m->height + 1));
    m->stack[m->height++] = v;
    return ICSEG_OK;
}

static icseg_status push_new(machine *m, value v) {
    value *copy = icseg_arena_copy(m->arena, &v, sizeof v);
    return copy ? push(m, copy) : no_memory(m, sizeof v);
}

static icseg_status pop(machine *m, value **out) {
    *out = NULL;
    if (!m->height || m->stack[m->height - 1]->kind == ICSEG_PICKLE_MARK) return damaged(m, "the stack is empty");
    *out = m->stack[--m->height];
    return ICSEG_OK;
}

/* Pops the values above the topmost mark, valid until the next push, and the mark. */
static icseg_status pop_marked(machine *m, value ***out, size_t *count) {
    size_t at = m->height;
    while (at && m->stack[at - 1]->kind != ICSEG_PICKLE_MARK) at--;
    if (!at) return damaged(m, "the mark is missing");
    *out = m->stack + at;
    *count = m->height - at;
    m->height = at - 1;
    return ICSEG_OK;
}

static icseg_status memo_put(machine *m, uint64_t index) {
    if (index >= MAX_MEMO) return damaged(m, "a memo index out of range");
    if (!m->height || m->stack[m->height - 1]->kind == ICSEG_PICKLE_MARK) return damaged(m, "the stack is empty");
    ICSEG_TRY(grow(m, &m->memo, m->memo_count, &m->memo_capacity, (size_t)index + 1));
    while (m->memo_count <= index) m->memo[m->memo_count++] = NULL;
    m->memo[index] = m->stack[m->height - 1];
    return ICSEG_OK;
}

static icseg_status memo_get(machine *m, uint64_t index) {
    if (index >= m->memo_count || !m->memo[index]) return damaged(m, "a memo entry that was never written");
    return push(m, m->memo[index]);
}

/* ---------------------------------------------------------------------------------------------------- containers */

static icseg_status append(machine *m, value *list, value **items, size_t count) {
    size_t needed = list->list.count + count;
    m->items += count;
    if (m->items > MAX_ITEMS)
        return icseg_fail(m->error, ICSEG_ERROR_FORMAT, "%s: refused: a pickle that puts more than %d items into lists",
                          m->where, MAX_ITEMS);
    if (needed > list->list.capacity) {
        size_t capacity = list->kind == ICSEG_PICKLE_TUPLE ? needed : needed * 2;
        value **grown = icseg_arena_array(m->arena, capacity, sizeof *grown);
        if (!grown) return no_memory(m, capacity * sizeof *grown);
        if (list->list.count) memcpy(grown, list->list.items, list->list.count * sizeof *grown);
        list->list.items = grown;
        list->list.capacity = capacity;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i]->depth >= MAX_DEPTH)
            return icseg_fail(m->error, ICSEG_ERROR_FORMAT, "%s: refused: more than %d levels of nesting", m->where,
                              MAX_DEPTH);
        if (items[i]->depth >= list->depth) list->depth = items[i]->depth + 1;
        list->list.items[list->list.count++] = items[i];
    }
    return ICSEG_OK;
}

static icseg_status push_tuple(machine *m, value **items, size_t count) {
    value tuple = {.kind = ICSEG_PICKLE_TUPLE};
    ICSEG_TRY(append(m, &tuple, items, count));
    return push_new(m, tuple);
}

static icseg_status push_short_tuple(machine *m, size_t count) {
    value *items[3] = {NULL};
    for (size_t i = count; i-- > 0;) ICSEG_TRY(pop(m, &items[i]));
    return push_tuple(m, items, count);
}

/* Adds the values above the list or dict (`kind`) on the stack to it: all since the mark, or one item or pair. */
static icseg_status add_items(machine *m, icseg_pickle_kind kind, bool marked) {
    value *pair[2] = {NULL}, **items = pair;
    size_t count = kind == ICSEG_PICKLE_DICT ? 2 : 1;
    if (marked)
        ICSEG_TRY(pop_marked(m, &items, &count));
    else
        for (size_t i = count; i-- > 0;) ICSEG_TRY(pop(m, &pair[i]));
    value *list = m->height ? m->stack[m->height - 1] : NULL;
    if (list && list->kind == ICSEG_PICKLE_OPAQUE) return ICSEG_OK;
    if (!list || list->kind != kind) return damaged(m, "items for a value that is not a container");
    if (kind == ICSEG_PICKLE_DICT && count % 2) return damaged(m, "a key without a value");
    return append(m, list, items, count);
}

/* ------------------------------------------------------------------------------------------------------- tensors */

static icseg_status push_opaque(machine *m, const char *class_name) {
    return push_new(m, (value){.kind = ICSEG_PICKLE_OPAQUE, .class_name = class_name});
}

static icseg_status push_global(machine *m, const char *module, size_t module_size, const char *name, size_t size) {
    value v = {.kind = ICSEG_PICKLE_GLOBAL, .integer = -1};
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (strlen(globals[i].module) == module_size && !memcmp(globals[i].module, module, module_size) &&
            strlen(globals[i].name) == size && !memcmp(globals[i].name, name, size))
            v.integer = globals[i].meaning;
    static const char script[] = "__torch__"; /* a module or class defined in a TorchScript archive */
    if (module_size >= sizeof script - 1 && !memcmp(module, script, sizeof script - 1)) v.integer = CLASS;
    if (v.integer >= 0) return push_new(m, v);
    char *text = icseg_arena_printf(m->arena, "%.*s.%.*s", (int)(module_size < 90 ? module_size : 90), module,
                                    (int)(size < 90 ? size : 90), name);
    if (!text) return no_memory(m, 0);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e) *p = '?';
    return push_opaque(m, text);
}

/* Bytes of an element of a storage whose numbers are not read; 0: not known. */
static size_t foreign_element_size(const char *class_name) {
    static const struct {
        const char *name;
        size_t size;
    } known[] = {
        {"torch.ComplexFloatStorage", 8}, {"torch.ComplexDoubleStorage", 16},  {"torch.QInt8Storage", 1},
        {"torch.QUInt8Storage", 1},       {"torch.QInt32Storage", 4},          {"torch.QUInt4x2Storage", 1},
        {"torch.QUInt2x4Storage", 1},     {"torch.storage.UntypedStorage", 1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(class_name, known[i].name)) return known[i].size;
    return 0;
}

static bool is_storage_id(const value *id) {
    value *const *item = id->list.items;
    if (id->kind != ICSEG_PICKLE_TUPLE || id->list.count < 5 || !icseg_pickle_is_text(item[0], "storage")) return false;
    bool type = item[1]->kind == ICSEG_PICKLE_OPAQUE ||
                (item[1]->kind == ICSEG_PICKLE_GLOBAL && item[1]->integer >= STORAGE_TYPE);
    return type && item[2]->kind == ICSEG_PICKLE_TEXT && item[4]->kind == ICSEG_PICKLE_INT && item[4]->integer >= 0;
}

/* A storage of numbers that are not read, such as complex ones, is opaque. */
static icseg_status push_storage(machine *m, const value *id) {
    value *const *item = id->list.items;
    if (!is_storage_id(id)) return damaged(m, "a persistent id that is not a storage");
    if (id->list.count > 5 && item[5]->kind != ICSEG_PICKLE_NONE) return damaged(m, "a view of a storage");
    bool foreign = item[1]->kind == ICSEG_PICKLE_OPAQUE;
    const char *key = item[2]->text.data;
    size_t size = item[2]->text.size;
    if (!size || size > MAX_NAME || memchr(key, '/', size) || memchr(key, '\0', size))
        return damaged(m, "a storage with an impossible name");
    value *made = icseg_arena_alloc(m->arena, sizeof *made);
    icseg_pickle_storage *storage = icseg_arena_alloc(m->arena, sizeof *storage);
    char *copy = icseg_arena_alloc(m->arena, size + 1);
    if (!made || !storage || !copy) return no_memory(m, sizeof *storage);
    memcpy(copy, key, size);
    *storage = (icseg_pickle_storage){.key = copy, .count = item[4]->integer};
    if (!foreign) storage->dtype = (icseg_dtype)(item[1]->integer - STORAGE_TYPE);
    storage->element_size = foreign ? foreign_element_size(item[1]->class_name) : icseg_dtype_size(storage->dtype);
    if (storage->count > INT64_MAX / 8) return damaged(m, "a storage of impossible size");
    *made = (value){.kind = ICSEG_PICKLE_STORAGE, .storage = storage};
    if (m->storages) ICSEG_TRY(append(m, m->storages, &made, 1));
    return foreign ? push_opaque(m, item[1]->class_name) : push(m, made);
}

/* Before PyTorch 1.6, a module's class is ("module", class, file, source). */
static icseg_status push_persistent(machine *m, const value *id) {
    value *const *item = id->list.items;
    bool module = id->kind == ICSEG_PICKLE_TUPLE && id->list.count == 4 && icseg_pickle_is_text(item[0], "module");
    if (module && item[1]->kind == ICSEG_PICKLE_OPAQUE) return push(m, item[1]);
    return push_storage(m, id);
}

static bool read_dims(const value *tuple, int64_t out[ICSEG_MAX_RANK]) {
    for (size_t i = 0; i < tuple->list.count; i++) {
        const value *item = tuple->list.items[i];
        if (item->kind != ICSEG_PICKLE_INT || item->integer < 0) return false;
        out[i] = item->integer;
    }
    return true;
}

/* The element furthest from the first is inside the storage. */
static bool is_inside(const icseg_pickle_tensor *t) {
    int64_t last = t->offset, count = icseg_shape_count(t->shape), step;
    if (count == 0) return true;
    if (count < 0) return false;
    for (int i = 0; i < t->shape.rank; i++)
        if (__builtin_mul_overflow(t->shape.dim[i] - 1, t->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    return last < t->storage->count;
}

/* (storage, offset, shape, strides, ...) */
static icseg_status push_tensor(machine *m, const value *arguments) {
    value *const *item = arguments->list.items;
    if (arguments->list.count && item[0]->kind == ICSEG_PICKLE_OPAQUE) return push_opaque(m, item[0]->class_name);
    if (arguments->list.count < 4 || item[0]->kind != ICSEG_PICKLE_STORAGE || item[1]->kind != ICSEG_PICKLE_INT ||
        item[1]->integer < 0 || item[2]->kind != ICSEG_PICKLE_TUPLE || item[3]->kind != ICSEG_PICKLE_TUPLE ||
        item[2]->list.count != item[3]->list.count)
        return damaged(m, "a tensor that lacks storage, shape or strides");
    if (item[2]->list.count > ICSEG_MAX_RANK) return push_opaque(m, "torch.Tensor"); /* no model has such a tensor */
    icseg_pickle_tensor *t = icseg_arena_alloc(m->arena, sizeof *t);
    if (!t) return no_memory(m, sizeof *t);
    t->storage = item[0]->storage;
    t->offset = item[1]->integer;
    t->shape.rank = (int32_t)item[2]->list.count;
    if (!read_dims(item[2], t->shape.dim) || !read_dims(item[3], t->stride))
        return damaged(m, "a tensor with an impossible shape");
    if (!is_inside(t)) {
        char text[ICSEG_SHAPE_TEXT];
        return icseg_fail(m->error, ICSEG_ERROR_FORMAT,
                          "%s: damaged: a tensor of shape %s does not fit into its storage %.60s of %" PRId64
                          " elements",
                          m->where, icseg_shape_text(t->shape, text, sizeof text), t->storage->key, t->storage->count);
    }
    /* expanded from fewer elements, without limit */
    if (icseg_shape_count(t->shape) > t->storage->count) return push_opaque(m, "torch.Tensor");
    return push_new(m, (value){.kind = ICSEG_PICKLE_TENSOR, .tensor = t});
}

/* OrderedDict() or OrderedDict([(key, value), ...]) */
static icseg_status push_ordered(machine *m, const value *arguments) {
    value dict = {.kind = ICSEG_PICKLE_DICT};
    const value *pairs = arguments->list.count ? arguments->list.items[0] : NULL;
    if (pairs && pairs->kind != ICSEG_PICKLE_LIST)
        return damaged(m, "an OrderedDict that is not made from a list of pairs");
    for (size_t i = 0; pairs && i < pairs->list.count; i++) {
        const value *pair = pairs->list.items[i];
        if ((pair->kind != ICSEG_PICKLE_TUPLE && pair->kind != ICSEG_PICKLE_LIST) || pair->list.count != 2)
            return damaged(m, "an OrderedDict that is not made from a list of pairs");
        ICSEG_TRY(append(m, &dict, pair->list.items, 2));
    }
    return push_new(m, dict);
}

static icseg_status call(machine *m, const value *function, const value *arguments);

/* (function, class, arguments, attributes): a tensor of another class, or one that has attributes */
static icseg_status rebuild_from_type(machine *m, const value *arguments) {
    value *const *item = arguments->list.items;
    if (arguments->list.count < 3) return damaged(m, "a call without arguments");
    if (item[0]->kind == ICSEG_PICKLE_GLOBAL && item[0]->integer == REBUILD_FROM_TYPE)
        return damaged(m, "a tensor that is made of itself");
    return call(m, item[0], item[2]);
}

static icseg_status reduce(machine *m) {
    value *arguments, *function;
    ICSEG_TRY(pop(m, &arguments));
    ICSEG_TRY(pop(m, &function));
    return call(m, function, arguments);
}

static icseg_status call(machine *m, const value *function, const value *arguments) {
    if (function->kind == ICSEG_PICKLE_OPAQUE) return push_opaque(m, function->class_name);
    if (function->kind != ICSEG_PICKLE_GLOBAL || arguments->kind != ICSEG_PICKLE_TUPLE)
        return damaged(m, "a call of a value that is not a function");
    value *first = arguments->list.count ? arguments->list.items[0] : NULL;
    switch (function->integer) {
    case ORDERED_DICT: return push_ordered(m, arguments);
    case EMPTY_DICT: return push_new(m, (value){.kind = ICSEG_PICKLE_DICT}); /* its items follow */
    case REBUILD_TENSOR: return push_tensor(m, arguments);
    case REBUILD_FROM_TYPE: return rebuild_from_type(m, arguments);
    case REBUILD_PARAMETER:
        if (first && first->kind == ICSEG_PICKLE_OPAQUE) return push(m, first);
        if (!first || first->kind != ICSEG_PICKLE_TENSOR) return damaged(m, "a parameter without a tensor");
        return push(m, first);
    case TYPED_LIST:
    case TYPE_TAG:
        if (!first) return damaged(m, "a call without arguments");
        return push(m, first);
    default: return damaged(m, "a call of a value that is not a function");
    }
}

/* Sets an object's attributes; an OrderedDict's `_metadata` is ignored. */
static icseg_status build(machine *m) {
    value *state;
    ICSEG_TRY(pop(m, &state));
    value *object = m->height ? m->stack[m->height - 1] : NULL;
    if (object && object->kind == ICSEG_PICKLE_OPAQUE) return ICSEG_OK;
    if (!object || (object->kind != ICSEG_PICKLE_OBJECT && object->kind != ICSEG_PICKLE_DICT))
        return damaged(m, "attributes for a value that cannot have any");
    if (object->kind == ICSEG_PICKLE_OBJECT && state->kind == ICSEG_PICKLE_DICT)
        return append(m, object, state->list.items, state->list.count);
    return ICSEG_OK;
}

static icseg_status new_object(machine *m, bool has_keywords) {
    value *arguments, *class;
    if (has_keywords) ICSEG_TRY(pop(m, &arguments));
    ICSEG_TRY(pop(m, &arguments));
    ICSEG_TRY(pop(m, &class));
    if (class->kind == ICSEG_PICKLE_OPAQUE) return push_opaque(m, class->class_name);
    if (class->kind != ICSEG_PICKLE_GLOBAL || class->integer != CLASS || arguments->kind != ICSEG_PICKLE_TUPLE)
        return damaged(m, "an object whose type is not a class");
    return push_new(m, (value){.kind = ICSEG_PICKLE_OBJECT});
}

/* ------------------------------------------------------------------------------------------------------- opcodes */

static icseg_status push_integer(machine *m, int64_t number) {
    return push_new(m, (value){.kind = ICSEG_PICKLE_INT, .integer = number});
}

static icseg_status push_number(machine *m, opcode op) {
    uint64_t number = 0, length = 0;
    switch (op) {
    case OP_BININT: ICSEG_TRY(take_number(m, 4, &number)); return push_integer(m, (int32_t)(uint32_t)number);
    case OP_BININT1: ICSEG_TRY(take_number(m, 1, &number)); return push_integer(m, (int64_t)number);
    case OP_BININT2: ICSEG_TRY(take_number(m, 2, &number)); return push_integer(m, (int64_t)number);
    case OP_LONG1:
        ICSEG_TRY(take_number(m, 1, &length));
        if (length > 8) { /* a state of a random number generator, which no tensor needs */
            const unsigned char *bytes;
            ICSEG_TRY(take(m, length, &bytes));
            return push_opaque(m, "int");
        }
        ICSEG_TRY(take_number(m, (int)length, &number));
        if (length && length < 8 && number >> (8 * length - 1)) number |= UINT64_MAX << (8 * length);
        return push_integer(m, (int64_t)number);
    default: break; /* OP_FLOAT: big-endian */
    }
    value v = {.kind = ICSEG_PICKLE_FLOAT};
    ICSEG_TRY(take_number(m, 8, &number));
    number = __builtin_bswap64(number);
    memcpy(&v.real, &number, sizeof v.real);
    return push_new(m, v);
}

static icseg_status push_text(machine *m, int length_bytes) {
    uint64_t size = 0;
    const unsigned char *data = NULL;
    ICSEG_TRY(take_number(m, length_bytes, &size));
    ICSEG_TRY(take(m, size, &data));
    return push_new(m, (value){.kind = ICSEG_PICKLE_TEXT, .text = {(const char *)data, (size_t)size}});
}

static icseg_status read_global(machine *m, bool from_stack) {
    value *module_value = NULL, *name_value = NULL;
    const char *module = NULL, *name = NULL;
    size_t module_size = 0, size = 0;
    if (!from_stack) {
        ICSEG_TRY(take_line(m, &module, &module_size));
        ICSEG_TRY(take_line(m, &name, &size));
        return push_global(m, module, module_size, name, size);
    }
    ICSEG_TRY(pop(m, &name_value));
    ICSEG_TRY(pop(m, &module_value));
    if (name_value->kind != ICSEG_PICKLE_TEXT || module_value->kind != ICSEG_PICKLE_TEXT)
        return damaged(m, "a name that is not text");
    return push_global(m, module_value->text.data, module_value->text.size, name_value->text.data,
                       name_value->text.size);
}

static icseg_status use_memo(machine *m, bool put, int bytes) {
    uint64_t index = 0;
    ICSEG_TRY(take_number(m, bytes, &index));
    return put ? memo_put(m, index) : memo_get(m, index);
}

static icseg_status run(machine *m, opcode op) {
    value *top = NULL, **items = NULL;
    size_t count = 0;
    uint64_t number = 0;
    switch (op) {
    case OP_PROTO:
        ICSEG_TRY(take_number(m, 1, &number));
        return number >= 2 && number <= 5 ? ICSEG_OK : damaged(m, "an unknown protocol");
    case OP_FRAME: return take_number(m, 8, &number); /* a hint for buffering */
    case OP_MARK: return push(m, &m->mark);
    case OP_POP: return pop(m, &top);
    case OP_POP_MARK: return pop_marked(m, &items, &count);
    case OP_NONE: return push_new(m, (value){.kind = ICSEG_PICKLE_NONE});
    case OP_TRUE:
    case OP_FALSE: return push_new(m, (value){.kind = ICSEG_PICKLE_BOOL, .integer = op == OP_TRUE});
    case OP_BININT:
    case OP_BININT1:
    case OP_BININT2:
    case OP_LONG1:
    case OP_FLOAT: return push_number(m, op);
    case OP_BINBYTES8:
    case OP_BYTE_ARRAY8:
    case OP_BINUNICODE8: return push_text(m, 8);
    case OP_BINUNICODE:
    case OP_BINSTRING:
    case OP_BINBYTES: return push_text(m, 4);
    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING:
    case OP_SHORT_BINBYTES: return push_text(m, 1);
    case OP_EMPTY_TUPLE: return push_tuple(m, NULL, 0);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3: return push_short_tuple(m, (size_t)(op - OP_TUPLE1) + 1);
    case OP_TUPLE: ICSEG_TRY(pop_marked(m, &items, &count)); return push_tuple(m, items, count);
    case OP_EMPTY_LIST: return push_new(m, (value){.kind = ICSEG_PICKLE_LIST});
    case OP_EMPTY_DICT: return push_new(m, (value){.kind = ICSEG_PICKLE_DICT});
    case OP_APPEND:
    case OP_APPENDS: return add_items(m, ICSEG_PICKLE_LIST, op == OP_APPENDS);
    case OP_SETITEM:
    case OP_SETITEMS: return add_items(m, ICSEG_PICKLE_DICT, op == OP_SETITEMS);
    case OP_PUT:
    case OP_LONG_PUT: return use_memo(m, true, op == OP_PUT ? 1 : 4);
    case OP_MEMOIZE: return memo_put(m, m->memo_count);
    case OP_GET:
    case OP_LONG_GET: return use_memo(m, false, op == OP_GET ? 1 : 4);
    case OP_GLOBAL:
    case OP_STACK_GLOBAL: return read_global(m, op == OP_STACK_GLOBAL);
    case OP_REDUCE: return reduce(m);
    case OP_BUILD: return build(m);
    case OP_NEWOBJ:
    case OP_NEWOBJ_EX: return new_object(m, op == OP_NEWOBJ_EX);
    case OP_EMPTY_SET: return push_opaque(m, "builtins.set");
    case OP_ADD_ITEMS: return add_items(m, ICSEG_PICKLE_LIST, true);
    case OP_FROZEN_SET: ICSEG_TRY(pop_marked(m, &items, &count)); return push_opaque(m, "builtins.frozenset");
    case OP_PERSISTENT_ID: ICSEG_TRY(pop(m, &top)); return push_persistent(m, top);
    default:
        return icseg_fail(m->error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: refused: pickle opcode 0x%02x at byte %zu, which tensors do not need", m->where,
                          (unsigned)op, (size_t)(m->at - m->begin - 1));
    }
}

static icseg_status run_all(machine *m, value **out) {
    for (;;) {
        const unsigned char *op = NULL;
        ICSEG_TRY(take(m, 1, &op));
        if (*op == OP_STOP) break;
        if (++m->opcodes > MAX_OPCODES)
            return icseg_fail(m->error, ICSEG_ERROR_FORMAT, "%s: refused: a pickle of more than %d opcodes", m->where,
                              MAX_OPCODES);
        ICSEG_TRY(run(m, (opcode)*op));
    }
    return pop(m, out);
}

icseg_status icseg_pickle_read(icseg_pickle_value **out, size_t *used, icseg_pickle_value *storages,
                               const unsigned char *data, size_t size, icseg_arena *arena, const char *where,
                               icseg_error *error) {
    machine m = {.begin = data, .at = data, .end = data + size, .arena = arena, .where = where, .error = error};
    m.storages = storages;
    *out = NULL;
    icseg_status status = run_all(&m, out);
    *used = (size_t)(m.at - m.begin);
    icseg_free(m.stack);
    icseg_free(m.memo);
    return status;
}

icseg_pickle_value *icseg_pickle_get(const icseg_pickle_value *dict, const char *key) {
    if (dict->kind != ICSEG_PICKLE_DICT && dict->kind != ICSEG_PICKLE_OBJECT) return NULL;
    for (size_t i = dict->list.count; i >= 2; i -= 2)
        if (icseg_pickle_is_text(dict->list.items[i - 2], key)) return dict->list.items[i - 1];
    return NULL;
}

bool icseg_pickle_is_text(const icseg_pickle_value *v, const char *text) {
    return v->kind == ICSEG_PICKLE_TEXT && v->text.size == strlen(text) && !memcmp(v->text.data, text, v->text.size);
}

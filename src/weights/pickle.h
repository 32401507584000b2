/* SPDX-License-Identifier: Apache-2.0
 * A reader of the pickles that PyTorch writes (protocols 2 to 4). It supports containers, numbers, text, tensors and
 * TorchScript module objects. Nothing is ever executed: any other class or function, such as that of a trainer's
 * options or os.system, is a name, and what it would make is an opaque value. Time and memory grow with the pickle's
 * size, up to a fixed limit. */
#ifndef ICSEG_WEIGHTS_PICKLE_H
#define ICSEG_WEIGHTS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "tensor/shape.h"

typedef enum icseg_pickle_kind {
    ICSEG_PICKLE_MARK, /* on the stack only */
    ICSEG_PICKLE_NONE,
    ICSEG_PICKLE_BOOL,
    ICSEG_PICKLE_INT,
    ICSEG_PICKLE_FLOAT,
    ICSEG_PICKLE_TEXT,
    ICSEG_PICKLE_TUPLE,
    ICSEG_PICKLE_LIST,
    ICSEG_PICKLE_DICT,   /* items: key, value, key, value, ... */
    ICSEG_PICKLE_OBJECT, /* the same: attributes of a TorchScript module */
    ICSEG_PICKLE_GLOBAL, /* on the stack only */
    ICSEG_PICKLE_OPAQUE, /* another class or function, or what it would make */
    ICSEG_PICKLE_STORAGE,
    ICSEG_PICKLE_TENSOR
} icseg_pickle_kind;

typedef struct icseg_pickle_value icseg_pickle_value;

/* A run of numbers in the archive. `key` is a name without '/'. */
typedef struct icseg_pickle_storage {
    const char *key;
    icseg_dtype dtype;   /* only of storages that tensors refer to */
    size_t element_size; /* bytes; 0: of a type that is not known */
    int64_t count;       /* elements */
} icseg_pickle_storage;

/* A view of a storage. Every element is inside the storage, and the view has at most as many elements. */
typedef struct icseg_pickle_tensor {
    const icseg_pickle_storage *storage;
    int64_t offset; /* elements */
    icseg_shape shape;
    int64_t stride[ICSEG_MAX_RANK]; /* elements, >= 0 */
} icseg_pickle_tensor;

struct icseg_pickle_value {
    icseg_pickle_kind kind;
    int32_t depth; /* of nesting */
    union {
        int64_t integer; /* INT, BOOL; the meaning of a GLOBAL */
        double real;
        const char *class_name; /* OPAQUE: of the class or function; printable */
        struct {
            const char *data; /* in the pickle, not NUL-terminated */
            size_t size;
        } text;
        struct {
            icseg_pickle_value **items;
            size_t count, capacity;
        } list; /* TUPLE, LIST, DICT, OBJECT */
        const icseg_pickle_storage *storage;
        const icseg_pickle_tensor *tensor;
    };
};

/* Reads one pickle at the start of `data`, which must outlive the result; *used is its length. Values live in the
 * arena. `where` ("RN50.pt: data.pkl") begins error messages. `storages` is NULL or an empty LIST, to which every
 * storage of the pickle is added, also those of objects that are read over. */
icseg_status icseg_pickle_read(icseg_pickle_value **out, size_t *used, icseg_pickle_value *storages,
                               const unsigned char *data, size_t size, icseg_arena *arena, const char *where,
                               icseg_error *error);

/* The value under a text key of a DICT or OBJECT; or NULL. If there are several, the last one counts. */
icseg_pickle_value *icseg_pickle_get(const icseg_pickle_value *dict, const char *key);
bool icseg_pickle_is_text(const icseg_pickle_value *value, const char *text);

#endif

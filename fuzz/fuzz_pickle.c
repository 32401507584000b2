/* SPDX-License-Identifier: Apache-2.0
 * Pickles. A pickle is read as a tree of values in which every tensor is inside its storage. */
#include <string.h>

#include "fuzz.h"
#include "weights/pickle.h"

enum { MAX_DEPTH = 200 };

static void check_tensor(const icseg_pickle_tensor *t) {
    int64_t last = t->offset, count = 1;
    for (int i = 0; i < t->shape.rank; i++) {
        FUZZ_REQUIRE(t->stride[i] >= 0);
        count *= t->shape.dim[i];
        last += (t->shape.dim[i] - 1) * t->stride[i];
    }
    FUZZ_REQUIRE(!strchr(t->storage->key, '/'));
    if (count > 0) FUZZ_REQUIRE(t->offset >= 0 && last < t->storage->count && count <= t->storage->count);
}

static void walk(const icseg_pickle_value *v, int depth, int *left) {
    if (!v || depth > MAX_DEPTH || --*left < 0) return;
    switch (v->kind) {
    case ICSEG_PICKLE_TEXT: free(fuzz_copy(v->text.data, v->text.size)); break;
    case ICSEG_PICKLE_DICT:
    case ICSEG_PICKLE_OBJECT:
        FUZZ_REQUIRE(v->list.count % 2 == 0);
        icseg_pickle_get(v, "state_dict");
        /* fall through */
    case ICSEG_PICKLE_TUPLE:
    case ICSEG_PICKLE_LIST:
        for (size_t i = 0; i < v->list.count; i++) walk(v->list.items[i], depth + 1, left);
        break;
    case ICSEG_PICKLE_STORAGE: FUZZ_REQUIRE(v->storage->count >= 0 && strlen(v->storage->key) < SIZE_MAX); break;
    case ICSEG_PICKLE_TENSOR: check_tensor(v->tensor); break;
    case ICSEG_PICKLE_MARK: FUZZ_REQUIRE(!"a mark in a value"); break;
    default: break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_arena *arena;
    icseg_error error;
    icseg_pickle_value *value;
    size_t used;
    int left = 100000;
    uint8_t *copy = fuzz_copy(data, size);
    FUZZ_REQUIRE(icseg_arena_open(&arena, NULL) == ICSEG_OK);
    icseg_status status = icseg_pickle_read(&value, &used, NULL, copy, size, arena, "input", &error);
    if (fuzz_succeeded(status, &error)) {
        FUZZ_REQUIRE(used <= size);
        walk(value, 0, &left);
    }
    icseg_arena_close(&arena);
    free(copy);
    return 0;
}

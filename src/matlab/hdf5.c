/* SPDX-License-Identifier: Apache-2.0
 * HDF5's structure (HDF5 File Format Specification 3.0): superblock, symbol tables, object headers and their messages.
 * Everything is read from the map, each piece checked against its end; all walks are bounded. */
#include "matlab/hdf5.h"

#include <string.h>

#include "matlab/hdf5_bytes.h"

enum { MAX_MESSAGES = 4096, MAX_BLOCKS = 64, MAX_ENTRIES = 1 << 20, MAX_DEPTH = 16 };
enum {
    MESSAGE_SPACE = 1,
    MESSAGE_TYPE = 3,
    MESSAGE_EXTERNAL = 7,
    MESSAGE_LAYOUT = 8,
    MESSAGE_FILTERS = 11,
    MESSAGE_CONTINUED = 16,
    MESSAGE_SYMBOLS = 17
};

icseg_status icseg_hdf5_fail(const icseg_hdf5 *h, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: damaged MATLAB 7.3 (HDF5) file; is it truncated?", h->path);
}

static icseg_status unsupported(const icseg_hdf5 *h, const char *what, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "%s: uses HDF5 with %s, which MATLAB does not write; save it with MATLAB's -v7 or -v7.3", h->path,
                      what);
}

const unsigned char *icseg_hdf5_at(const icseg_hdf5 *h, uint64_t address, uint64_t bytes) {
    return address <= h->size && bytes <= h->size - address ? h->data + address : NULL;
}

icseg_status icseg_hdf5_open(icseg_hdf5 *out, icseg_bytes content, const char *path, icseg_error *error) {
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    size_t at = 0;
    *out = (icseg_hdf5){.path = path};
    while (at < content.size && (content.size - at < 8 || memcmp(content.data + at, signature, 8) != 0))
        at = at ? 2 * at : 512;
    if (at >= content.size) return icseg_hdf5_fail(out, error);
    out->data = content.data + at;
    out->size = content.size - at;
    const unsigned char *block = icseg_hdf5_at(out, 0, 100);
    if (!block) return icseg_hdf5_fail(out, error);
    if (block[8] > 1) return unsupported(out, "a superblock of version 2 or later", error);
    if (block[13] != 8 || block[14] != 8) return unsupported(out, "addresses that are not 8 bytes long", error);
    out->root = icseg_hdf5_load(block + (block[8] ? 60 : 56) + 8, 8);
    return ICSEG_OK;
}

/* ------------------------------------------------------------------------------------------------ object headers */

typedef icseg_status (*message_fn)(const icseg_hdf5 *h, void *user, uint32_t type, const unsigned char *body,
                                   uint64_t bytes, icseg_error *error);

typedef struct block {
    uint64_t address, bytes;
} block;

/* Calls `each` for the messages of the header at `address` and of its continuations. */
static icseg_status walk_header(const icseg_hdf5 *h, uint64_t address, message_fn each, void *user,
                                icseg_error *error) {
    block blocks[MAX_BLOCKS];
    const unsigned char *head = icseg_hdf5_at(h, address, 16);
    int count = 1, messages = 0;
    if (!head) return icseg_hdf5_fail(h, error);
    if (!memcmp(head, "OHDR", 4)) return unsupported(h, "object headers of version 2", error);
    if (head[0] != 1) return icseg_hdf5_fail(h, error);
    blocks[0] = (block){address + 16, icseg_hdf5_load(head + 8, 4)};
    for (int b = 0; b < count; b++) {
        const unsigned char *data = icseg_hdf5_at(h, blocks[b].address, blocks[b].bytes);
        if (!data) return icseg_hdf5_fail(h, error);
        for (uint64_t at = 0; blocks[b].bytes - at >= 8;) {
            const unsigned char *message = data + at;
            uint64_t bytes = icseg_hdf5_load(message + 2, 2), type = icseg_hdf5_load(message, 2);
            if (bytes > blocks[b].bytes - at - 8 || ++messages > MAX_MESSAGES) return icseg_hdf5_fail(h, error);
            if (type == MESSAGE_CONTINUED) {
                if (bytes < 16 || count == MAX_BLOCKS) return icseg_hdf5_fail(h, error);
                blocks[count++] = (block){icseg_hdf5_load(message + 8, 8), icseg_hdf5_load(message + 16, 8)};
            } else if (!(message[4] & 2)) /* shared messages are not needed */
                ICSEG_TRY(each(h, user, (uint32_t)type, message + 8, bytes, error));
            at += 8 + bytes;
        }
    }
    return ICSEG_OK;
}

/* ------------------------------------------------------------------------------------------------ the group's table */

typedef struct symbols {
    const char *name; /* searched */
    bool has_table, found;
    uint64_t tree, heap;
    const unsigned char *names; /* the local heap's data */
    uint64_t names_size;
    uint64_t header;  /* found: of the object */
    uint64_t entries; /* visited so far, of the tree and its leaves; bounds the walk when nodes repeat */
} symbols;

static icseg_status note_table(const icseg_hdf5 *h, void *user, uint32_t type, const unsigned char *body,
                               uint64_t bytes, icseg_error *error) {
    symbols *s = user;
    if (type != MESSAGE_SYMBOLS) return ICSEG_OK;
    if (bytes < 16) return icseg_hdf5_fail(h, error);
    s->has_table = true;
    s->tree = icseg_hdf5_load(body, 8);
    s->heap = icseg_hdf5_load(body + 8, 8);
    return ICSEG_OK;
}

static icseg_status open_heap(const icseg_hdf5 *h, symbols *s, icseg_error *error) {
    const unsigned char *heap = icseg_hdf5_at(h, s->heap, 32);
    if (!heap || memcmp(heap, "HEAP", 4) != 0) return icseg_hdf5_fail(h, error);
    s->names_size = icseg_hdf5_load(heap + 8, 8);
    s->names = icseg_hdf5_at(h, icseg_hdf5_load(heap + 24, 8), s->names_size);
    return s->names ? ICSEG_OK : icseg_hdf5_fail(h, error);
}

static icseg_status search_leaf(const icseg_hdf5 *h, symbols *s, uint64_t address, icseg_error *error) {
    enum { ENTRY = 40, SOFT_LINK = 2 };
    const unsigned char *node = icseg_hdf5_at(h, address, 8);
    if (!node || memcmp(node, "SNOD", 4) != 0) return icseg_hdf5_fail(h, error);
    uint64_t count = icseg_hdf5_load(node + 6, 2);
    const unsigned char *entry = icseg_hdf5_at(h, address + 8, count * ENTRY);
    if (!entry || (s->entries += count) > MAX_ENTRIES) return icseg_hdf5_fail(h, error);
    size_t length = strlen(s->name) + 1; /* with the NUL */
    for (uint64_t i = 0; i < count && !s->found; i++, entry += ENTRY) {
        uint64_t at = icseg_hdf5_load(entry, 8);
        if (at >= s->names_size) return icseg_hdf5_fail(h, error);
        if (s->names_size - at < length || memcmp(s->names + at, s->name, length) != 0) continue;
        s->header = icseg_hdf5_load(entry + 8, 8);
        s->found = icseg_hdf5_load(entry + 16, 4) != SOFT_LINK;
    }
    return ICSEG_OK;
}

/* Searches the whole tree, because groups have few entries. level: according to the parent; -1: the root. */
static icseg_status search_tree(const icseg_hdf5 *h, symbols *s, uint64_t address, int level, icseg_error *error) {
    const unsigned char *node = icseg_hdf5_at(h, address, 24);
    if (!node || memcmp(node, "TREE", 4) != 0 || node[4] != 0 || node[5] > MAX_DEPTH ||
        (level >= 0 && node[5] != level))
        return icseg_hdf5_fail(h, error);
    uint64_t count = icseg_hdf5_load(node + 6, 2);
    const unsigned char *pair = icseg_hdf5_at(h, address + 24, count * 16); /* key, child */
    if (!pair || (s->entries += count) > MAX_ENTRIES) return icseg_hdf5_fail(h, error);
    for (uint64_t i = 0; i < count && !s->found; i++, pair += 16) {
        uint64_t child = icseg_hdf5_load(pair + 8, 8);
        ICSEG_TRY(node[5] ? search_tree(h, s, child, node[5] - 1, error) : search_leaf(h, s, child, error));
    }
    return ICSEG_OK;
}

/* -------------------------------------------------------------------------------------------- a data set's messages */

static bool read_space(icseg_hdf5_set *s, const unsigned char *body, uint64_t bytes) {
    uint64_t start = bytes && body[0] == 1 ? 8 : 4;
    if (bytes < 4 || body[0] < 1 || body[0] > 2 || body[1] > 32 || bytes < start + 8u * body[1]) return false;
    s->rank = body[1];
    s->elements = 1;
    for (int i = 0; i < s->rank; i++) {
        uint64_t extent = icseg_hdf5_load(body + start + 8 * i, 8);
        if (i < 2) s->extent[i] = extent;
        if (__builtin_mul_overflow(s->elements, extent, &s->elements)) return false;
    }
    return true;
}

/* Reads the type: integers that fill their bytes, IEEE single and double. Of several messages the last counts. */
static bool read_type(icseg_hdf5_set *s, const unsigned char *body, uint64_t bytes) {
    enum { FIXED = 0, FLOATING = 1 };
    if (bytes < 8) return false;
    uint32_t kind = body[0] & 15;
    uint64_t width = icseg_hdf5_load(body + 4, 4);
    s->width = (uint32_t)width;
    s->big_endian = body[1] & 1;
    s->is_number = s->is_float = s->is_signed = false;
    if (kind == FIXED && bytes >= 12) {
        s->is_signed = body[1] & 8;
        s->is_number = (width == 1 || width == 2 || width == 4 || width == 8) && !icseg_hdf5_load(body + 8, 2) &&
                       icseg_hdf5_load(body + 10, 2) == 8 * width;
    } else if (kind == FLOATING && bytes >= 20) {
        bool vax = body[1] & 0x40;
        s->is_float = true;
        s->is_number =
            !vax && !icseg_hdf5_load(body + 8, 2) && icseg_hdf5_load(body + 10, 2) == 8 * width &&
            ((width == 8 && body[13] == 11 && body[15] == 52) || (width == 4 && body[13] == 8 && body[15] == 23));
    }
    return true;
}

static bool read_layout(const icseg_hdf5 *h, icseg_hdf5_set *s, const unsigned char *body, uint64_t bytes) {
    enum { COMPACT, CONTIGUOUS, CHUNKED };
    if (bytes < 4) return false;
    if (body[1] == COMPACT) {
        s->storage = ICSEG_HDF5_HERE;
        s->address = (uint64_t)(body + 4 - h->data);
        s->bytes = icseg_hdf5_load(body + 2, 2);
        return s->bytes <= bytes - 4;
    }
    if (body[1] == CONTIGUOUS && bytes >= 18) {
        s->storage = ICSEG_HDF5_HERE;
        s->address = icseg_hdf5_load(body + 2, 8);
        s->bytes = icseg_hdf5_load(body + 10, 8);
        return true;
    }
    if (body[1] != CHUNKED || bytes < 11 + 4u * body[2]) return false;
    if (body[2] != 3) return true; /* not a matrix: stays NOWHERE */
    s->storage = ICSEG_HDF5_CHUNKS;
    s->tree = icseg_hdf5_load(body + 3, 8);
    for (int i = 0; i < 2; i++) s->chunk[i] = icseg_hdf5_load(body + 11 + 4 * i, 4);
    return true;
}

static bool read_filters(icseg_hdf5_set *s, const unsigned char *body, uint64_t bytes) {
    if (bytes < 2 || body[0] < 1 || body[0] > 2 || body[1] > ICSEG_HDF5_FILTERS) return false;
    uint64_t at = body[0] == 1 ? 8 : 2;
    for (s->filters = 0; s->filters < body[1]; s->filters++) {
        if (at > bytes || bytes - at < 8) return false;
        uint64_t id = icseg_hdf5_load(body + at, 2), named = body[0] == 1 || id >= 256;
        const unsigned char *rest = body + at + (named ? 4 : 2); /* flags, number of values */
        uint64_t name = named ? icseg_hdf5_load(body + at + 2, 2) : 0, values = icseg_hdf5_load(rest + 2, 2);
        if (body[0] == 1) name = (name + 7) / 8 * 8;
        s->filter[s->filters] = (uint16_t)id;
        at += (named ? 8 : 6) + name + 4 * (values + (body[0] == 1 && values % 2));
    }
    return true;
}

static icseg_status note_set(const icseg_hdf5 *h, void *user, uint32_t type, const unsigned char *body, uint64_t bytes,
                             icseg_error *error) {
    icseg_hdf5_set *s = user;
    bool fine = true;
    switch (type) {
    case MESSAGE_SPACE: fine = read_space(s, body, bytes); break;
    case MESSAGE_TYPE: fine = read_type(s, body, bytes); break;
    case MESSAGE_FILTERS: fine = read_filters(s, body, bytes); break;
    case MESSAGE_EXTERNAL:
        return icseg_fail(error, ICSEG_ERROR_FORMAT,
                          "%s: the values are stored in another file, which is not supported", h->path);
    case MESSAGE_LAYOUT:
        if (bytes && body[0] != 3) return unsupported(h, "a data layout that is not of version 3", error);
        fine = read_layout(h, s, body, bytes);
        break;
    default: break;
    }
    return fine ? ICSEG_OK : icseg_hdf5_fail(h, error);
}

icseg_status icseg_hdf5_find(const icseg_hdf5 *h, const char *name, icseg_hdf5_set *out, bool *found,
                             icseg_error *error) {
    symbols s = {.name = name};
    *out = (icseg_hdf5_set){.rank = -1};
    *found = false;
    ICSEG_TRY(walk_header(h, h->root, note_table, &s, error));
    if (!s.has_table) return unsupported(h, "groups in the format of HDF5 1.8", error);
    ICSEG_TRY(open_heap(h, &s, error));
    ICSEG_TRY(search_tree(h, &s, s.tree, -1, error));
    if (!s.found) return ICSEG_OK;
    ICSEG_TRY(walk_header(h, s.header, note_set, out, error));
    *found = out->rank >= 0 && out->width > 0; /* else a group */
    return ICSEG_OK;
}

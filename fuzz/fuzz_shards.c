/* SPDX-License-Identifier: Apache-2.0
 * Shards of pairs. An input of one part is an archive, to whose headers half of the inputs write right checksums, or a
 * pattern of paths. Otherwise the parts are names and contents of the members in turn; "x:NAME" is a member of type x,
 * and a .png without content is an image. Captions of samples are UTF-8 and not blank. */
#include <string.h>

#include "fuzz.h"
#include "importer.h"
#include "pretrain/pair_source.h"
#include "pretrain/shard_paths.h"

enum { BLOCK = 512, MOST_MEMBERS = 8, PARTS = 2 * MOST_MEMBERS, MOST_DRAWN = 4, SIDE = 8 };

static void seal(uint8_t *header) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++) sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static void append_member(icseg_string *out, fuzz_part name, fuzz_part content) {
    static const uint8_t zeros[BLOCK];
    uint8_t header[BLOCK] = {0};
    bool typed = name.size >= 2 && name.data[1] == ':';
    size_t skipped = typed ? 2 : 0, length = name.size - skipped;
    if (name.size) memcpy(header, name.data + skipped, length < 100 ? length : 100);
    snprintf((char *)header + 124, 12, "%011o", (unsigned)content.size);
    header[156] = typed ? name.data[0] : '0';
    memcpy(header + 257, "ustar\00000", 8);
    seal(header);
    icseg_string_append(out, (const char *)header, BLOCK);
    icseg_string_append(out, (const char *)content.data, content.size);
    icseg_string_append(out, (const char *)zeros, (BLOCK - content.size % BLOCK) % BLOCK);
}

static bool is_image(fuzz_part name) { return name.size > 4 && !memcmp(name.data + name.size - 4, ".png", 4); }

static const char *put_members(const fuzz_part *parts, size_t count) {
    static const uint8_t end[2 * BLOCK];
    static fuzz_part image;
    icseg_string tar = {0};
    if (!image.data) image = fuzz_image();
    for (size_t i = 0; i < count; i += 2) {
        fuzz_part content = i + 1 < count ? parts[i + 1] : (fuzz_part){(const uint8_t *)"", 0};
        append_member(&tar, parts[i], !content.size && is_image(parts[i]) ? image : content);
    }
    icseg_string_append(&tar, (const char *)end, sizeof end);
    FUZZ_REQUIRE(!tar.failed);
    const char *path = fuzz_put("a.tar", tar.data, tar.size);
    icseg_string_close(&tar);
    return path;
}

static const char *put_archive(const uint8_t *data, size_t size) {
    uint8_t *copy = fuzz_copy(data, size);
    for (size_t at = 0; at + BLOCK <= size && fuzz_select(data, size, 2); at += BLOCK)
        if (!memcmp(copy + at + 257, "ustar", 5)) seal(copy + at);
    const char *path = fuzz_put("a.tar", copy, size);
    free(copy);
    return path;
}

static void expand(fuzz_part pattern) {
    icseg_error error;
    icseg_arena *arena;
    const char *const *paths;
    size_t count;
    char *text = fuzz_text(pattern);
    FUZZ_REQUIRE(icseg_arena_open(&arena, NULL) == ICSEG_OK);
    if (fuzz_succeeded(icseg_shard_paths(text, arena, &paths, &count, &error), &error))
        FUZZ_REQUIRE(count >= 1 && paths[0] && paths[count - 1]);
    icseg_arena_close(&arena);
    free(text);
}

static void draw_samples(const icseg_pair_source *source) {
    const icseg_pair_crop crop = {.scale_min = 0.5, .scale_max = 1, .flip = 0.5, .side = SIDE};
    for (int64_t i = 0; i < source->count && i < MOST_DRAWN; i++) {
        icseg_error error;
        float pixels[SIDE * SIDE * 3];
        icseg_rng rng = icseg_rng_open(1, ICSEG_RNG_TEST, (uint64_t)i);
        icseg_pair_text text = {.label = -1};
        icseg_string *caption = &text.caption, name = {0};
        if (fuzz_succeeded(source->draw(source, i, &crop, &rng, pixels, &text, &error), &error))
            FUZZ_REQUIRE(caption->data && caption->data[strspn(caption->data, " \t\r\n")] &&
                         fuzz_is_utf8(caption->data));
        source->describe(source, i, &name);
        FUZZ_REQUIRE(name.data && !caption->failed);
        icseg_string_close(caption);
        icseg_string_close(&name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_pair_source *source;
    icseg_string left = {0};
    fuzz_part parts[PARTS];
    size_t count = fuzz_split(data, size, parts, PARTS);
    if (count == 1 && size < BLOCK) expand(parts[0]);
    const char *path = count > 1 ? put_members(parts, count) : put_archive(data, size);
    if (!fuzz_succeeded(icseg_pair_source_open_shards(&source, &path, 1, &error), &error)) {
        FUZZ_REQUIRE(!source);
        return 0;
    }
    FUZZ_REQUIRE(source->count >= 1);
    icseg_pair_left_out_print(&source->left_out, &left);
    FUZZ_REQUIRE(!left.failed && fuzz_is_utf8(left.data ? left.data : ""));
    icseg_string_close(&left);
    draw_samples(source);
    icseg_pair_source_close(&source);
    return 0;
}

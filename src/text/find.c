/* SPDX-License-Identifier: Apache-2.0
 * Finds a vocabulary file, and opens the tokenizer for it. */
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "text/tokenizer.h"

static const struct {
    const char *name, *needs;
} known[] = {
    {"tokenizer.json", NULL},
    {"vocab.json", "merges.txt"},
    {"bpe_simple_vocab_16e6.txt.gz", NULL},
    {"bpe_simple_vocab_16e6.txt", NULL},
    {"merges.txt", NULL},
};

/* `folder` ends in '/' or is empty. *out stays NULL when the folder has no vocabulary. */
static icseg_status look_in(const char *folder, int length, const char **out, icseg_arena *arena, icseg_error *error) {
    *out = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *path = icseg_arena_printf(arena, "%.*s%s", length, folder, known[i].name);
        const char *other = icseg_arena_printf(arena, "%.*s%s", length, folder, known[i].needs ? known[i].needs : "");
        if (!path || !other) return icseg_fail_memory(error, 0, "the vocabulary's path");
        bool found, complete = true;
        ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
        if (known[i].needs) ICSEG_TRY(icseg_path_find(other, S_IFREG, &complete, error));
        if (!found || !complete) continue;
        *out = path;
        break;
    }
    return ICSEG_OK;
}

icseg_status icseg_tokenizer_find(const char **out, const char *weights, const char *vocabulary, icseg_arena *arena,
                                  icseg_error *error) {
    *out = NULL;
    const char *given = vocabulary && *vocabulary ? vocabulary : weights;
    if (!given)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "vocabulary", ICSEG_REMEDY_SET_FIELD,
                                "CLIP's tokenizer needs a vocabulary file");
    if (given == vocabulary && !icseg_folder_exists(vocabulary)) {
        if (!icseg_file_exists(vocabulary))
            return icseg_fail_field(error, ICSEG_ERROR_IO, "vocabulary", ICSEG_REMEDY_GET_WEIGHTS,
                                    "%s: the vocabulary file does not exist", vocabulary);
        *out = icseg_arena_strdup(arena, vocabulary);
        return *out ? ICSEG_OK : icseg_fail_memory(error, 0, "the vocabulary's path");
    }
    int length = (int)(icseg_path_name(given) - given);
    const char *folder = given;
    if (icseg_folder_exists(given)) {
        folder = icseg_arena_printf(arena, "%s/", given);
        if (!folder) return icseg_fail_memory(error, 0, "the vocabulary's path");
        length = (int)strlen(folder);
    }
    ICSEG_TRY(look_in(folder, length, out, arena, error));
    if (*out) return ICSEG_OK;
    return icseg_fail_field(error, ICSEG_ERROR_IO, "vocabulary", ICSEG_REMEDY_GET_WEIGHTS,
                            "%.*s: the folder does not contain a vocabulary (tokenizer.json, vocab.json with "
                            "merges.txt, or bpe_simple_vocab_16e6.txt.gz); put one there%s",
                            length ? length : 1, length ? folder : ".",
                            given == vocabulary ? "" : ", beside the weights");
}

icseg_status icseg_tokenizer_open_sized(icseg_tokenizer **out, icseg_tokenizer_kind kind, const char *vocabulary,
                                        int32_t vocab_size, icseg_error *error) {
    *out = NULL;
    if (kind != ICSEG_TOKENIZER_BYTES && kind != ICSEG_TOKENIZER_CLIP)
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "tokenizer", ICSEG_REMEDY_SET_FIELD,
                                "tokenizer is %d: expected bytes (%d) or clip (%d)", (int)kind, ICSEG_TOKENIZER_BYTES,
                                ICSEG_TOKENIZER_CLIP);
    if (kind == ICSEG_TOKENIZER_BYTES) {
        if (vocab_size && vocab_size != ICSEG_BYTE_VOCAB)
            return icseg_fail(error, ICSEG_ERROR_CONFIG,
                              "vocab_size %d: the byte tokenizer needs %d; or use CLIP's tokenizer", vocab_size,
                              ICSEG_BYTE_VOCAB);
        return icseg_tokenizer_open_bytes(out, error);
    }
    icseg_arena *arena;
    const char *file;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = icseg_tokenizer_find(&file, NULL, vocabulary, arena, error);
    if (status == ICSEG_OK) status = icseg_tokenizer_open_clip(out, file, vocab_size, error);
    icseg_arena_close(&arena);
    return status;
}

icseg_status icseg_tokenizer_open_for(icseg_tokenizer **out, int32_t vocab_size, const char *weights,
                                      const char *vocabulary, icseg_arena *arena, icseg_error *error) {
    const char *file;
    *out = NULL;
    if (vocab_size == ICSEG_BYTE_VOCAB) {
        if (!vocabulary || !*vocabulary) return icseg_tokenizer_open_bytes(out, error);
        return icseg_fail_field(error, ICSEG_ERROR_ARGUMENT, "vocabulary", ICSEG_REMEDY_NONE,
                                "%s: the text encoder reads bytes and has no vocabulary; leave \"%s\" out", weights,
                                vocabulary);
    }
    ICSEG_TRY(icseg_tokenizer_find(&file, weights, vocabulary, arena, error));
    return icseg_tokenizer_open_clip(out, file, vocab_size, error);
}

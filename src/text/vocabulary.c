/* SPDX-License-Identifier: Apache-2.0
 * Vocabulary files: CLIP's merges (gzipped or not), Hugging Face's vocab.json + merges.txt and tokenizer.json. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "text/bpe.h"
#include "text/utf8.h"

enum {
    FILE_MAX = 16 << 20, /* bytes, compressed or not; CLIP's files have 1 to 4 MB */
    MERGES_MAX = 1 << 20,
    VALUES_MAX = 1 << 20 /* of a JSON file; CLIP's tokenizer.json has 250,000 */
};

typedef struct symbol {
    const char *text;
    int32_t id;
} symbol;

typedef struct merge {
    const char *left, *right;
    size_t line; /* of the file, or position in the list, from 1 */
} merge;

/* A vocabulary that is being read. */
typedef struct reader {
    const char *path; /* of the file with the merges */
    const char *unit; /* "line" or "merge": what merge.line counts */
    icseg_arena *arena;
    merge *merges;
    size_t merge_count;
    symbol *symbols; /* sorted by text */
    size_t symbol_count;
    bool clip; /* the first line says that the file is CLIP's own */
    icseg_error *error;
} reader;

static icseg_status out_of_memory(reader *r) { return icseg_fail_memory_in(r->error, 0, r->path); }

/* --- bytes of a file, decompressed -------------------------------------------------------------------------------- */

static icseg_status unzip(const char *path, unsigned char **data, size_t *size, icseg_error *error) {
    z_stream stream = {.next_in = *data, .avail_in = (uInt)*size};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return icseg_fail_memory_in(error, 1 << 15, path);
    unsigned char *text = NULL;
    size_t capacity = 0;
    int code = Z_OK;
    bool memory = true;
    while (code == Z_OK && stream.total_out < FILE_MAX) {
        size_t more = capacity ? capacity * 2 : (size_t)1 << 16;
        unsigned char *larger = icseg_realloc_array(text, capacity, more + 1, 1);
        memory = larger != NULL;
        if (!memory) break;
        text = larger;
        capacity = more;
        stream.next_out = text + stream.total_out;
        stream.avail_out = (uInt)(capacity - stream.total_out);
        code = inflate(&stream, Z_NO_FLUSH);
    }
    size_t total = stream.total_out;
    inflateEnd(&stream);
    icseg_status status = ICSEG_OK;
    if (!memory || code == Z_MEM_ERROR)
        status = icseg_fail_memory_in(error, capacity * 2, path);
    else if (code == Z_OK)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: more than %d MB when decompressed: not a vocabulary", path,
                            FILE_MAX >> 20);
    else if (code == Z_BUF_ERROR)
        status =
            icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the gzip data ends too early; download the file again", path);
    else if (code != Z_STREAM_END)
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the gzip data are damaged; download the file again", path);
    if (status != ICSEG_OK) {
        icseg_free(text);
        return status;
    }
    icseg_free(*data);
    text[total] = '\0';
    *data = text;
    *size = total;
    return ICSEG_OK;
}

/* The file's text, NUL-terminated, without NUL inside, valid UTF-8. Freed with icseg_free. */
static icseg_status read_text(const char *path, char **out, size_t *size, icseg_error *error) {
    unsigned char *data;
    *out = NULL;
    ICSEG_TRY(icseg_file_read(path, FILE_MAX, &data, size, error));
    icseg_status status = ICSEG_OK;
    if (*size > 2 && data[0] == 0x1f && data[1] == 0x8b) status = unzip(path, &data, size, error);
    if (status == ICSEG_OK && *size == 0) status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: the file is empty", path);
    if (status == ICSEG_OK) {
        size_t valid = icseg_utf8_check((const char *)data, *size);
        if (valid < *size || memchr(data, 0, *size))
            status =
                icseg_fail(error, ICSEG_ERROR_FORMAT,
                           "%s: not text in UTF-8; a merges file, vocab.json or tokenizer.json was expected", path);
    }
    if (status != ICSEG_OK) {
        icseg_free(data);
        return status;
    }
    *out = (char *)data;
    return ICSEG_OK;
}

/* --- merges as lines of text -------------------------------------------------------------------------------------- */

static icseg_status merge_line(reader *r, char *line, size_t number) {
    char *space = strchr(line, ' ');
    if (!space || space == line || !space[1] || strchr(space + 1, ' '))
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: %s %zu: expected two symbols separated by a space, got \"%.60s\"", r->path, r->unit,
                          number, line);
    *space = '\0';
    r->merges[r->merge_count++] = (merge){line, space + 1, number};
    return ICSEG_OK;
}

/* Splits the text into lines, in place. CLIP's file contains more merges than CLIP uses. */
static icseg_status read_merge_lines(reader *r, char *text) {
    char *line_end = strchr(text, '\n');
    size_t head = line_end ? (size_t)(line_end - text) : strlen(text);
    char *mark = strstr(text, "#version");
    if (!mark || mark >= text + head)
        return icseg_fail(
            r->error, ICSEG_ERROR_FORMAT,
            "%s: not a vocabulary: it is not JSON, and the first line does not contain the \"#version\" of a "
            "merges file",
            r->path);
    char *name = strstr(text, "bpe_simple_vocab_16e6");
    r->clip = name && name < text + head;
    r->unit = "line";
    size_t number = 1, most = 1;
    for (const char *p = line_end; p; p = strchr(p + 1, '\n')) most++;
    if (most > ICSEG_BPE_CLIP_MERGES) most = ICSEG_BPE_CLIP_MERGES;
    r->merges = icseg_arena_array(r->arena, most, sizeof *r->merges);
    if (!r->merges) return out_of_memory(r);
    for (char *line = line_end ? line_end + 1 : text + head; *line && r->merge_count < most;) {
        char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
        number++;
        *end = '\0';
        if (end > line && end[-1] == '\r') end[-1] = '\0';
        if (!*line && !*next) break; /* an empty line at the end */
        ICSEG_TRY(merge_line(r, line, number));
        line = next;
    }
    if (!r->merge_count)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: there are no merges after the first line", r->path);
    return ICSEG_OK;
}

/* --- symbols ------------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b) {
    return strcmp(((const symbol *)a)->text, ((const symbol *)b)->text);
}

static int32_t find_symbol(const reader *r, const char *text) {
    symbol key = {.text = text};
    const symbol *found = bsearch(&key, r->symbols, r->symbol_count, sizeof key, by_text);
    return found ? found->id : -1;
}

static const char *joined(reader *r, const char *left, const char *right) {
    size_t a = strlen(left), b = strlen(right);
    char *text = icseg_arena_alloc(r->arena, a + b + 1);
    if (!text) return NULL;
    memcpy(text, left, a); /* NOLINT(bugprone-not-null-terminated-result): ended below */
    memcpy(text + a, right, b);
    text[a + b] = '\0';
    return text;
}

static icseg_status check_length(reader *r, const merge *m) {
    if (strlen(m->left) + strlen(m->right) <= ICSEG_BPE_SYMBOL_MAX) return ICSEG_OK;
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: %s %zu: the merged symbol has more than %d bytes", r->path,
                      r->unit, m->line, ICSEG_BPE_SYMBOL_MAX);
}

/* CLIP's order: bytes, bytes at the end of a word, the result of each merge, SOS, EOS. */
static icseg_status symbols_in_order(reader *r) {
    size_t count = ICSEG_BPE_BYTES + r->merge_count;
    symbol *list = r->symbols = icseg_arena_array(r->arena, count, sizeof *list);
    char(*texts)[8] = icseg_arena_array(r->arena, ICSEG_BPE_BYTES, sizeof *texts);
    if (!list || !texts) return out_of_memory(r);
    for (int n = 0; n < 256; n++, texts += 2) {
        icseg_bpe_byte_symbol(icseg_bpe_byte_at(n), texts[0]);
        strcpy(stpcpy(texts[1], texts[0]), "</w>");
        list[n] = (symbol){texts[0], n};
        list[n + 256] = (symbol){texts[1], n + 256};
    }
    for (size_t i = 0; i < r->merge_count; i++) {
        ICSEG_TRY(check_length(r, &r->merges[i]));
        size_t id = ICSEG_BPE_BYTES + i;
        list[id] = (symbol){joined(r, r->merges[i].left, r->merges[i].right), (int32_t)id};
        if (!list[id].text) return out_of_memory(r);
    }
    qsort(list, count, sizeof *list, by_text);
    r->symbol_count = count;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(list[i - 1].text, list[i].text) != 0) continue;
        int32_t later = list[i].id > list[i - 1].id ? list[i].id : list[i - 1].id;
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: %s %zu: the merged symbol \"%.60s\" is already in the vocabulary", r->path, r->unit,
                          r->merges[later - ICSEG_BPE_BYTES].line, list[i].text);
    }
    return ICSEG_OK;
}

/* The object of a vocabulary: {token: id}. */
static icseg_status symbols_from_json(reader *r, const char *path, json_t *vocab) {
    size_t count = json_object_size(vocab), i = 0;
    const char *key;
    json_t *value;
    if (count < ICSEG_BPE_BYTES + 2 || count > MERGES_MAX)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: the vocabulary has %zu tokens; expected %d to %d", path,
                          count, ICSEG_BPE_BYTES + 2, MERGES_MAX);
    r->symbols = icseg_arena_array(r->arena, count, sizeof *r->symbols);
    const char **seen = icseg_arena_array(r->arena, count, sizeof *seen);
    if (!r->symbols || !seen) return out_of_memory(r);
    json_object_foreach(vocab, key, value) {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || (size_t)id >= count)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: token \"%.60s\": expected an id from 0 to %zu", path,
                              key, count - 1);
        if (seen[id])
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: tokens \"%.60s\" and \"%.60s\" have the same id %d",
                              path, seen[id], key, (int)id);
        seen[id] = key;
        r->symbols[i++] = (symbol){key, (int32_t)id};
    }
    if (strcmp(seen[count - 2], "<|startoftext|>") != 0 || strcmp(seen[count - 1], "<|endoftext|>") != 0)
        return icseg_fail(
            r->error, ICSEG_ERROR_FORMAT,
            "%s: not CLIP's vocabulary: the last two tokens are \"%.40s\" and \"%.40s\" instead of <|startoftext|> and "
            "<|endoftext|>",
            path, seen[count - 2], seen[count - 1]);
    qsort(r->symbols, count, sizeof *r->symbols, by_text);
    r->symbol_count = count;
    return ICSEG_OK;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static icseg_status find_bytes(reader *r, icseg_bpe *bpe) {
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        icseg_bpe_byte_symbol(byte, text);
        for (int last = 0; last < 2; last++) {
            if (last) strcat(text, "</w>");
            bpe->bytes[last][byte] = find_symbol(r, text);
            if (bpe->bytes[last][byte] < 0)
                return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                                  "%s: not CLIP's vocabulary: there is no token \"%s\" for byte %d", r->path, text,
                                  byte);
        }
    }
    return ICSEG_OK;
}

static int by_pair(const void *a, const void *b) {
    const icseg_bpe_pair *x = a, *y = b;
    if (x->left != y->left) return x->left < y->left ? -1 : 1;
    if (x->right != y->right) return x->right < y->right ? -1 : 1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* `ordered`: the order of the merges defines the ids, so both parts must come from earlier merges. */
static icseg_status build(reader *r, bool ordered, icseg_bpe *bpe) {
    if (ordered)
        for (int n = 0; n < ICSEG_BPE_BYTES; n++) bpe->bytes[n / 256][icseg_bpe_byte_at(n % 256)] = n;
    else
        ICSEG_TRY(find_bytes(r, bpe));
    icseg_bpe_pair *list = icseg_arena_array(r->arena, r->merge_count, sizeof *list);
    if (!list) return out_of_memory(r);
    for (size_t i = 0; i < r->merge_count; i++) {
        const merge *m = &r->merges[i];
        ICSEG_TRY(check_length(r, m));
        char whole[ICSEG_BPE_SYMBOL_MAX + 1];
        strcpy(stpcpy(whole, m->left), m->right);
        icseg_bpe_pair pair = {find_symbol(r, m->left), find_symbol(r, m->right), (int32_t)i, find_symbol(r, whole)};
        bool left = pair.left >= 0 && (!ordered || pair.left < pair.id),
             right = pair.right >= 0 && (!ordered || pair.right < pair.id);
        if (!left || !right)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s: %s %zu: \"%.60s\" is neither a byte nor the result of an earlier merge: merges are "
                              "missing or out of order",
                              r->path, r->unit, m->line, left ? m->right : m->left);
        if (pair.id < 0)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                              "%s: %s %zu: the merged symbol \"%.60s\" is not in the vocabulary", r->path, r->unit,
                              m->line, whole);
        list[i] = pair;
    }
    qsort(list, r->merge_count, sizeof *list, by_pair);
    ICSEG_TRY(icseg_bpe_reserve(bpe, r->merge_count, r->error));
    for (size_t i = 0; i < r->merge_count; i++) {
        if (i && list[i].left == list[i - 1].left && list[i].right == list[i - 1].right)
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: %s %zu: the same pair as %s %zu", r->path, r->unit,
                              r->merges[list[i].rank].line, r->unit, r->merges[list[i - 1].rank].line);
        icseg_bpe_add(bpe, list[i]);
    }
    return ICSEG_OK;
}

/* Appends the bytes that a symbol such as "cafÃ©</w>" consists of. */
static void append_bytes(icseg_string *out, const char *text) {
    size_t size = strlen(text);
    bool last = size >= 4 && !strcmp(text + size - 4, "</w>");
    for (size_t at = 0, length, end = last ? size - 4 : size; at < end; at += length) {
        int32_t character;
        length = icseg_utf8_get(text + at, end - at, &character);
        int byte = icseg_bpe_symbol_byte(character);
        icseg_string_append(out, byte < 0 ? text + at : &(char){(char)byte}, byte < 0 ? length : 1);
    }
    if (last) icseg_string_append(out, " ", 1);
}

/* The text of each token, for decoding. */
static icseg_status keep_texts(reader *r, icseg_bpe *bpe) {
    size_t count = (size_t)bpe->vocab_size - 2;
    const char **symbols = icseg_arena_array(r->arena, count, sizeof *symbols);
    icseg_string text = {0};
    bpe->offset = icseg_alloc_array(count + 1, sizeof *bpe->offset);
    if (!symbols || !bpe->offset) return out_of_memory(r);
    for (size_t i = 0; i < r->symbol_count; i++)
        if ((size_t)r->symbols[i].id < count) symbols[r->symbols[i].id] = r->symbols[i].text;
    for (size_t i = 0; i < count; i++) {
        bpe->offset[i] = (uint32_t)text.size;
        append_bytes(&text, symbols[i]);
    }
    bpe->offset[count] = (uint32_t)text.size;
    bpe->text = text.data;
    return text.failed ? out_of_memory(r) : ICSEG_OK;
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

/* Merges of tokenizer.json: "a b", or ["a", "b"] since tokenizers 0.20. */
static icseg_status merges_from_json(reader *r, json_t *list) {
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0 || count > MERGES_MAX)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: model.merges: expected a list of 1 to %d pairs", r->path,
                          MERGES_MAX);
    r->unit = "merge";
    r->merges = icseg_arena_array(r->arena, count, sizeof *r->merges);
    if (!r->merges) return out_of_memory(r);
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(list, i);
        const char *left = json_string_value(json_array_get(item, 0));
        const char *right = json_string_value(json_array_get(item, 1));
        if (json_array_size(item) == 2 && left && right) {
            r->merges[r->merge_count++] = (merge){left, right, i + 1};
            continue;
        }
        if (!json_is_string(item))
            return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: model.merges[%zu]: expected a pair of symbols",
                              r->path, i);
        char *line = icseg_arena_strdup(r->arena, json_string_value(item));
        if (!line) return out_of_memory(r);
        ICSEG_TRY(merge_line(r, line, i + 1));
    }
    return ICSEG_OK;
}

static icseg_status check_model(reader *r, json_t *model) {
    const char *type = json_string_value(json_object_get(model, "type"));
    const char *suffix = json_string_value(json_object_get(model, "end_of_word_suffix"));
    if (type && strcmp(type, "BPE") != 0)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: not CLIP's tokenizer: model.type is \"%.40s\" instead of \"BPE\"", r->path, type);
    if (!suffix || strcmp(suffix, "</w>") != 0)
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                          "%s: not CLIP's tokenizer: model.end_of_word_suffix is \"%.40s\" instead of \"</w>\"",
                          r->path, suffix ? suffix : "");
    if (!json_is_object(json_object_get(model, "vocab")))
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: model.vocab: expected an object of tokens and ids",
                          r->path);
    return ICSEG_OK;
}

/* FOLDER/name of a path, in the arena. */
static const char *beside(reader *r, const char *path, const char *name) {
    return icseg_arena_printf(r->arena, "%.*s%s", (int)(icseg_path_name(path) - path), path, name);
}

static icseg_status open_json(reader *r, const char *path, const char *text, size_t size, icseg_bpe *bpe) {
    json_error_t problem;
    json_t *root;
    if (icseg_json_exceeds(text, size, VALUES_MAX))
        return icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: more than %d values: not a vocabulary", path, VALUES_MAX);
    ICSEG_TRY(icseg_json_parse(&root, text, size, JSON_REJECT_DUPLICATES, &problem, r->error));
    json_t *model = json_object_get(root, "model");
    char *lines = NULL;
    size_t length;
    icseg_status status;
    if (!json_is_object(root)) {
        status = icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: line %d: not a valid JSON object: %.100s", path,
                            root ? 1 : problem.line, root ? "another value" : problem.text);
        goto fail;
    }
    if (json_is_object(model)) {
        ICSEG_TRY_GOTO(check_model(r, model));
        ICSEG_TRY_GOTO(merges_from_json(r, json_object_get(model, "merges")));
        ICSEG_TRY_GOTO(symbols_from_json(r, path, json_object_get(model, "vocab")));
    } else {
        ICSEG_TRY_GOTO(symbols_from_json(r, path, root));
        r->path = beside(r, path, "merges.txt");
        if (!r->path) {
            r->path = path;
            status = out_of_memory(r);
            goto fail;
        }
        if (!icseg_file_exists(r->path)) {
            status = icseg_fail(r->error, ICSEG_ERROR_IO,
                                "%s: the merges.txt that belongs to it is missing; put it into the same folder", path);
            goto fail;
        }
        ICSEG_TRY_GOTO(read_text(r->path, &lines, &length, r->error));
        ICSEG_TRY_GOTO(read_merge_lines(r, lines));
    }
    if (r->merge_count + ICSEG_BPE_BYTES + 2 != r->symbol_count) {
        status = icseg_fail(r->error, ICSEG_ERROR_FORMAT, "%s: %zu merges, but a vocabulary of %zu tokens needs %zu",
                            r->path, r->merge_count, r->symbol_count, r->symbol_count - ICSEG_BPE_BYTES - 2);
        goto fail;
    }
    ICSEG_TRY_GOTO(build(r, false, bpe));
    bpe->vocab_size = (int32_t)r->symbol_count;
    status = keep_texts(r, bpe);
fail:
    icseg_free(lines);
    json_decref(root);
    return status;
}

/* CLIP's own file is longer than the part that CLIP uses: a lost line changes the last merge of that part. */
static icseg_status check_clip(reader *r) {
    const merge *last = &r->merges[r->merge_count - 1];
    if (!r->clip ||
        (r->merge_count == ICSEG_BPE_CLIP_MERGES && !strcmp(last->left, "jeky") && !strcmp(last->right, "ll</w>")))
        return ICSEG_OK;
    return icseg_fail(r->error, ICSEG_ERROR_FORMAT,
                      "%s: line %d of CLIP's file is \"jeky ll</w>\", but here the last merge is \"%.40s %.40s\" in "
                      "line %zu: lines are "
                      "missing or added; download the file again",
                      r->path, ICSEG_BPE_CLIP_MERGES + 1, last->left, last->right, last->line);
}

static icseg_status open_merges(reader *r, char *text, icseg_bpe *bpe) {
    ICSEG_TRY(read_merge_lines(r, text));
    ICSEG_TRY(symbols_in_order(r));
    ICSEG_TRY(check_clip(r));
    ICSEG_TRY(build(r, true, bpe));
    bpe->vocab_size = (int32_t)(ICSEG_BPE_BYTES + r->merge_count + 2);
    return keep_texts(r, bpe);
}

icseg_status icseg_bpe_open(icseg_bpe *out, const char *path, icseg_error *error) {
    reader r = {.path = path, .error = error};
    char *text = NULL;
    size_t size;
    icseg_status status;
    *out = (icseg_bpe){0};
    ICSEG_TRY_GOTO(icseg_arena_open(&r.arena, error));
    ICSEG_TRY_GOTO(read_text(path, &text, &size, error));
    size_t first = strspn(text, " \t\r\n");
    if (text[first] == '{' || text[first] == '[')
        status = open_json(&r, path, text, size, out);
    else
        status = open_merges(&r, text, out);
fail:
    if (status != ICSEG_OK) icseg_bpe_close(out);
    icseg_free(text);
    icseg_arena_close(&r.arena);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * CLIP's tokenizer: ids of difficult texts (made by reference/make_tokenizer_fixture.py from an independent
 * tokenizer), every form of vocabulary file, damaged ones, finding them, synonyms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <utf8proc.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "classes/tables.h"
#include "icseg/model.h"
#include "text/bpe.h"
#include "text/clean.h"
#include "text/synonyms.h"
#include "text/tokenizer.h"

#define DATA ICSEG_SOURCE_DIR "/tests/unit/data/"

enum { SMALL_MERGES = 400, SMALL_VOCAB = 512 + SMALL_MERGES + 2 };

/* --- files in a temporary folder ---------------------------------------------------------------------------------- */

static char folder[64];

static int open_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/icseg_clip.XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int close_folder(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) != 0;
}

/* FOLDER/name; a static buffer, valid until the call after next. */
static const char *in_folder(const char *name) {
    static char path[2][160];
    static int turn;
    snprintf(path[turn ^= 1], sizeof path[0], "%s/%s", folder, name);
    return path[turn];
}

static const char *write_file(const char *name, const void *data, size_t size) {
    const char *path = in_folder(name);
    assert_int_equal(icseg_file_write(path, data, size, NULL), ICSEG_OK);
    return path;
}

static const char *write_text(const char *name, const char *text) { return write_file(name, text, strlen(text)); }

static const char *write_gzip(const char *name, const char *text, size_t size) {
    const char *path = in_folder(name);
    gzFile file = gzopen(path, "wb9");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, text, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static char *read_file(const char *path) {
    unsigned char *data;
    size_t size;
    icseg_error error;
    if (icseg_file_read(path, 1 << 24, &data, &size, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return (char *)data;
}

/* The small vocabulary's text; freed with icseg_free. */
static char *small_merges(void) { return read_file(DATA "clip_merges.txt"); }

/* --- ids ---------------------------------------------------------------------------------------------------------- */

static icseg_tokenizer *open_path(const char *path) {
    icseg_tokenizer *tokenizer;
    icseg_error error;
    if (icseg_tokenizer_open_clip(&tokenizer, path, 0, &error) != ICSEG_OK) fail_msg("%s", error.message);
    return tokenizer;
}

/* "12 7 300", or "refused". */
static void ids_text(const icseg_tokenizer *tokenizer, const char *text, icseg_string *out) {
    icseg_arena *arena;
    icseg_tokens tokens;
    out->size = 0;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    icseg_status status = icseg_tokenize(tokenizer, text, arena, &tokens, NULL);
    if (status != ICSEG_OK) {
        assert_int_equal(status, ICSEG_ERROR_ARGUMENT);
        assert_int_equal(tokens.count, 0);
        icseg_string_printf(out, "refused");
    }
    for (int32_t i = 0; i < tokens.count; i++) icseg_string_printf(out, "%s%d", i ? " " : "", tokens.ids[i]);
    icseg_arena_close(&arena);
}

static void assert_ids(const icseg_tokenizer *tokenizer, const char *text, const char *expected) {
    icseg_string got = {0};
    ids_text(tokenizer, text, &got);
    if (strcmp(got.data, expected) != 0) fail_msg("\"%s\": expected %s, got %s", text, expected, got.data);
    icseg_string_close(&got);
}

/* "\{E9}" to U+00E9, in place. */
static void unescape(char *text) {
    char *out = text;
    while (*text) {
        if (*text != '\\') {
            *out++ = *text++;
            continue;
        }
        char *end;
        utf8proc_uint8_t bytes[4];
        size_t size = (size_t)utf8proc_encode_char((utf8proc_int32_t)strtoul(text + 2, &end, 16), bytes);
        memcpy(out, bytes, size);
        out += size;
        text = end + 1;
    }
    *out = '\0';
}

/* Column 1: the small vocabulary, 2: CLIP's. Lines: text, ids, ids. */
static void check_fixture(const icseg_tokenizer *tokenizer, int column) {
    char *all = read_file(DATA "clip_tokens.txt"), *rest = all, *line;
    int count = 0;
    while ((line = strsep(&rest, "\n")) && *line) {
        char *text = strsep(&line, "\t"), *small = strsep(&line, "\t"), *big = line,
             *expected = column == 1 ? small : big;
        assert_non_null(big);
        unescape(text);
        assert_ids(tokenizer, text, *expected ? expected : "refused");
        count++;
    }
    assert_true(count > 900);
    icseg_free(all);
}

static void difficult_texts_have_the_ids_of_an_independent_tokenizer(void **state) {
    (void)state;
    icseg_tokenizer *tokenizer = open_path(DATA "clip_merges.txt");
    assert_int_equal(tokenizer->vocab_size, SMALL_VOCAB);
    assert_string_equal(tokenizer->name, "clip");
    check_fixture(tokenizer, 1);
    icseg_tokenizer_close(&tokenizer);
    assert_null(tokenizer);
    icseg_tokenizer_close(&tokenizer);
}

/* FNV-1a, over the ids of a published set's classes: of each whole line, then of each of its names. */
static uint64_t add_classes(uint64_t hash, const icseg_tokenizer *tokenizer, const icseg_class_entry *entries,
                            int32_t count) {
    icseg_arena *arena;
    icseg_string ids = {0};
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    for (int32_t i = 0; i < count; i++) {
        icseg_synonyms names;
        assert_int_equal(icseg_synonyms_split(&names, entries[i].synonyms, arena, NULL), ICSEG_OK);
        for (size_t n = 0; n <= names.count; n++) {
            ids_text(tokenizer, n ? names.names[n - 1] : entries[i].synonyms, &ids);
            icseg_string_append(&ids, "\n", 1);
            for (size_t b = 0; b < ids.size; b++) hash = (hash ^ (unsigned char)ids.data[b]) * 0x100000001b3u;
        }
    }
    icseg_string_close(&ids);
    icseg_arena_close(&arena);
    return hash;
}

static uint64_t published_classes(const icseg_tokenizer *tokenizer) {
    uint64_t hash = add_classes(0xcbf29ce484222325u, tokenizer, icseg_classes_ade20k, ICSEG_ADE20K_CLASSES);
    hash = add_classes(hash, tokenizer, icseg_classes_cocostuff10k, ICSEG_COCOSTUFF10K_CLASSES);
    return add_classes(hash, tokenizer, icseg_classes_ade20k_full, ICSEG_ADE20K_FULL_CLASSES);
}

/* Trained models depend on these ids. The hashes are those of icseg 0.1.0, whose ids were compared with CLIP's own. */
static void names_of_published_sets_keep_their_ids(void **state) {
    (void)state;
    icseg_tokenizer *tokenizer = open_path(DATA "clip_merges.txt");
    assert_true(published_classes(tokenizer) == 0x4b388860ea8e744au);
    icseg_tokenizer_close(&tokenizer);
}

static void clips_own_vocabulary_gives_clips_ids(void **state) {
    (void)state;
    static const char *const places[] = {"/../shared/data/clip/bpe_simple_vocab_16e6.txt.gz",
                                         "/../../shared/data/clip/bpe_simple_vocab_16e6.txt.gz"};
    const char *path = getenv("ICSEG_CLIP_VOCAB");
    char near[2][512];
    for (int i = 0; i < 2 && !path; i++) {
        snprintf(near[i], sizeof near[i], "%s%s", ICSEG_SOURCE_DIR, places[i]);
        if (icseg_file_exists(near[i])) path = near[i];
    }
    if (!path) {
        print_message("skipped: set ICSEG_CLIP_VOCAB to bpe_simple_vocab_16e6.txt.gz to check CLIP's own ids\n");
        skip();
    }
    icseg_tokenizer *tokenizer = open_path(path);
    assert_int_equal(tokenizer->vocab_size, 49408);
    assert_ids(tokenizer, "a photo of a cat", "320 1125 539 320 2368");
    check_fixture(tokenizer, 2);
    assert_true(published_classes(tokenizer) == 0xa89468ede2b50f22u);
    icseg_tokenizer_close(&tokenizer);
    icseg_error error;
    assert_int_equal(icseg_tokenizer_open_clip(&tokenizer, path, 1000, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "the model has 1000"));
    assert_null(tokenizer);
}

static void empty_long_and_broken_texts_are_refused(void **state) {
    (void)state;
    icseg_tokenizer *tokenizer = open_path(DATA "clip_merges.txt");
    icseg_arena *arena;
    icseg_tokens tokens;
    icseg_error error;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    static const struct {
        const char *text, *says;
    } cases[] = {{"", "empty"}, {" \t\n", "white space"}, {"\x01\x7f", "white space"}, {"caf\xe9", "not UTF-8"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(icseg_tokenize(tokenizer, cases[i].text, arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
        if (!strstr(error.message, cases[i].says)) fail_msg("%s", error.message);
    }
    char *text = icseg_alloc(ICSEG_TEXT_MAX_BYTES + 2);
    memset(text, 'w', ICSEG_TEXT_MAX_BYTES + 1);
    text[ICSEG_TEXT_MAX_BYTES + 1] = '\0';
    assert_int_equal(icseg_tokenize(tokenizer, text, arena, &tokens, &error), ICSEG_ERROR_ARGUMENT);
    text[ICSEG_TEXT_MAX_BYTES] = '\0';
    assert_int_equal(icseg_tokenize(tokenizer, text, arena, &tokens, &error), ICSEG_OK);
    for (int i = 0; i + 4 <= ICSEG_TEXT_MAX_BYTES; i += 4) memcpy(text + i, "amp;", 4);
    text[0] = '&'; /* two thousand layers of &amp; */
    text[ICSEG_TEXT_MAX_BYTES - 4] = '\0';
    assert_int_equal(icseg_tokenize(tokenizer, text, arena, &tokens, &error), ICSEG_OK);
    for (int i = 0; i + 4 <= ICSEG_TEXT_MAX_BYTES; i += 4)
        memcpy(text + i, i % 8 ? "\xcc\x81\xcc\xa7" : "\xcc\xa7\xcc\x88", 4);
    text[0] = 'e', text[1] = 'e';
    assert_int_equal(icseg_tokenize(tokenizer, text, arena, &tokens, &error), ICSEG_OK);
    icseg_free(text);
    icseg_arena_close(&arena);
    icseg_tokenizer_close(&tokenizer);
}

static void cleaning_does_what_python_does(void **state) {
    (void)state;
    static const struct {
        const char *text, *cleaned;
    } cases[] = {
        {"  A \t\r\n B\xc2\xa0\xe3\x80\x80"
         "C ",
         "a b c"},
        {"\xce\xa3\xce\x99\xce\xa3\xce\xa5\xce\xa6\xce\x9f\xce\xa3", /* final sigma */
         "\xcf\x83\xce\xb9\xcf\x83\xcf\x85\xcf\x86\xce\xbf\xcf\x82"},
        {"\xc4\xb0", "i\xcc\x87"},                                /* U+0130 */
        {"e\xcc\xa3\xcc\x82", "\xe1\xbb\x87"},                    /* two marks, one letter */
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"}, /* Hangul */
        {"\xef\xac\x81re \xef\xbc\xa1", "fire a"},                /* ligature, full width */
        {"\xe2\x80\x9cit\xe2\x80\x99s\xe2\x80\x9d", "\"it's\""},  /* curly quotes */
        {"\xef\xbd\xb6\xef\xbe\x9e\xc7\x84", "\xe3\x82\xac"
                                             "d\xc5\xbe"}, /* half width, a digraph */
        {"caf\xc3\x83\xc2\xa9", "caf\xc3\xa3\xc2\xa9"},    /* not repaired */
        {"&amp;lt;b&gt; &quot;&apos; &#xE9;&#233;", "<b> \"' \xc3\xa9\xc3\xa9"},
        {"&#x80;&#x201c;&#55296;&#1114112;&#0;", "\xe2\x82\xac\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"&eacute; &AMP; &amp &#65 &#; &#x; &#xg;", "&eacute; &amp; &amp &#65 &#; &#x; &#xg;"}, /* not XML's */
        {"a<b &amp;amp;amp;", "a<b &"},
        {"a\x1b[1;31mb\x1b[0m\xef\xbb\xbf"
         "c",
         "abc"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icseg_string out = {0};
        icseg_clip_clean(cases[i].text, strlen(cases[i].text), &out);
        assert_false(out.failed);
        if (strcmp(out.data, cases[i].cleaned) != 0) fail_msg("\"%s\": \"%s\"", cases[i].text, out.data);
        icseg_string_close(&out);
    }
}

/* --- other forms of vocabulary ------------------------------------------------------------------------------------ */

typedef struct json_form {
    bool tokenizer, pairs; /* tokenizer.json, with merges as pairs */
    int shift;             /* ids are rotated by this many positions, except the special ones */
    const char *drop;      /* a token left out, its id given to the token "unheard" */
} json_form;

static void json_string(icseg_string *out, const char *text) {
    icseg_string_append(out, "\"", 1);
    for (; *text; text++) icseg_string_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    icseg_string_append(out, "\"", 1);
}

static void json_token(icseg_string *out, const char *token, int id, const json_form *form) {
    if (form->drop && !strcmp(form->drop, token)) token = "unheard";
    json_string(out, token);
    icseg_string_printf(out, ": %d, ", id < SMALL_VOCAB - 2 ? (id + form->shift) % (SMALL_VOCAB - 2) : id);
}

/* The small vocabulary as Hugging Face writes it. */
static icseg_string as_json(const json_form *form) {
    icseg_string out = {0}, merges = {0};
    char *text = small_merges(), *rest = text, token[256];
    if (form->tokenizer)
        icseg_string_printf(&out,
                            "{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\", \"end_of_word_suffix\": \"</w>\", "
                            "\"vocab\": ");
    icseg_string_printf(&out, "{");
    for (int n = 0; n < 512; n++) {
        icseg_bpe_byte_symbol(icseg_bpe_byte_at(n & 255), token);
        if (n >= 256) strcat(token, "</w>");
        json_token(&out, token, n, form);
    }
    strsep(&rest, "\n");
    for (int n = 0; n < SMALL_MERGES; n++) {
        char *right = strsep(&rest, "\n"), *left = strsep(&right, " ");
        snprintf(token, sizeof token, "%s%s", left, right);
        json_token(&out, token, 512 + n, form);
        icseg_string_printf(&merges, n ? ", " : "");
        if (form->pairs) {
            icseg_string_printf(&merges, "[");
            json_string(&merges, left);
            icseg_string_printf(&merges, ", ");
            json_string(&merges, right);
            icseg_string_printf(&merges, "]");
        } else {
            snprintf(token, sizeof token, "%s %s", left, right);
            json_string(&merges, token);
        }
    }
    icseg_string_printf(&out, "\"<|startoftext|>\": %d, \"<|endoftext|>\": %d}", SMALL_VOCAB - 2, SMALL_VOCAB - 1);
    if (form->tokenizer) icseg_string_printf(&out, ", \"merges\": [%s]}}", merges.data);
    icseg_string_close(&merges);
    icseg_free(text);
    assert_false(out.failed);
    return out;
}

static void json_vocabularies_give_the_same_ids(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        icseg_string json = as_json(&(json_form){.tokenizer = i > 0, .pairs = i > 1});
        char *merges = small_merges();
        write_text("merges.txt", merges);
        const char *path = write_text(i ? "tokenizer.json" : "vocab.json", json.data);
        icseg_tokenizer *tokenizer = open_path(path);
        assert_int_equal(tokenizer->vocab_size, SMALL_VOCAB);
        check_fixture(tokenizer, 1);
        icseg_tokenizer_close(&tokenizer);
        icseg_string_close(&json);
        icseg_free(merges);
        unlink(path);
    }
    unlink(in_folder("merges.txt"));
}

static void ids_come_from_the_json_vocabulary(void **state) {
    (void)state;
    icseg_tokenizer *plain = open_path(DATA "clip_merges.txt");
    icseg_string json = as_json(&(json_form){.tokenizer = true, .shift = 100});
    icseg_tokenizer *turned = open_path(write_text("turned.json", json.data));
    icseg_arena *arena;
    icseg_tokens a, b;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    const char *text = "a building, a wall <|endoftext|>";
    assert_int_equal(icseg_tokenize(plain, text, arena, &a, NULL), ICSEG_OK);
    assert_int_equal(icseg_tokenize(turned, text, arena, &b, NULL), ICSEG_OK);
    assert_int_equal(a.count, b.count);
    assert_true(a.count > 4);
    for (int i = 0; i + 1 < a.count; i++) assert_int_equal((a.ids[i] + 100) % (SMALL_VOCAB - 2), b.ids[i]);
    assert_int_equal(a.ids[a.count - 1], SMALL_VOCAB - 1);
    assert_int_equal(b.ids[a.count - 1], SMALL_VOCAB - 1);
    icseg_arena_close(&arena);
    icseg_string_close(&json);
    icseg_tokenizer_close(&plain);
    icseg_tokenizer_close(&turned);
}

/* --- damaged vocabularies ----------------------------------------------------------------------------------------- */

static void refused(const char *path, icseg_status status, const char *says) {
    icseg_bpe bpe;
    icseg_error error = {0};
    icseg_status got = icseg_bpe_open(&bpe, path, &error);
    if (got != status || !strstr(error.message, says) || strchr(error.message, '\n'))
        fail_msg("wanted \"%s\", got %s: %s", says, icseg_status_name(got), error.message);
    assert_null(bpe.pairs);
    assert_non_null(strstr(error.message, folder));
}

static void refused_text(const char *text, const char *says) {
    refused(write_text("bad.txt", text), ICSEG_ERROR_FORMAT, says);
}

static void errors_in_merges_are_named(void **state) {
    (void)state;
    refused(in_folder("nothing.txt"), ICSEG_ERROR_IO, "cannot open");
    refused_text("", "empty");
    refused_text("wall\nbuilding\n", "#version");
    refused_text("#version: 1\n", "no merges");
    refused_text("#version: 1", "no merges");
    refused_text("#version: 1\na b\nab\n", "line 3: expected two symbols");
    refused_text("#version: 1\na b\n\nc d\n", "line 3: expected two symbols");
    refused_text("#version: 1\na b c\n", "line 2: expected two symbols");
    refused_text("#version: 1\na b\nab cd\n", "line 3: \"cd\" is neither");
    refused_text("#version: 1\nab c\na b\n", "line 2: \"ab\" is neither");
    refused_text("#version: 1\na b\na b\n", "line 3: the merged symbol \"ab\"");
    refused_text("#version: 1\na b\nab c\nb c\na bc\n", "line 5: the merged symbol \"abc\"");
    refused_text("#version: 1\na \xff\n", "UTF-8");
    refused_text("\"bpe_simple_vocab_16e6.txt#version: 0.2\na b\n", "jeky");
    refused(write_file("bad.txt", "#version: 1\na b\0c\n", 18), ICSEG_ERROR_FORMAT, "UTF-8");
    icseg_string doubling = {0}; /* symbols of 2, 4, 8, ... bytes */
    icseg_string_printf(&doubling, "#version: 1\n");
    char symbol[1 << 14] = "x";
    for (size_t size = 1; size < 5000; size *= 2) {
        icseg_string_printf(&doubling, "%s %s\n", symbol, symbol);
        memcpy(symbol + size, symbol, size);
        symbol[2 * size] = '\0';
    }
    refused_text(doubling.data, "line 14: the merged symbol has more");
    icseg_string_close(&doubling);
    icseg_tokenizer *tokenizer = open_path(write_text("crlf.txt", "#version: 1\r\na b\r\nab c</w>\r\n"));
    assert_ids(tokenizer, "abc ab", "513 64 321"); /* b at the end of a word is another symbol */
    icseg_tokenizer_close(&tokenizer);
}

static void every_missing_line_is_noticed(void **state) {
    (void)state;
    char *text = small_merges();
    size_t size = strlen(text);
    for (char *line = strchr(text, '\n') + 1; *line;) {
        char *next = strchr(line, '\n') + 1;
        icseg_string cut = {0};
        icseg_string_append(&cut, text, (size_t)(line - text));
        icseg_string_append(&cut, next, size - (size_t)(next - text));
        icseg_tokenizer *tokenizer;
        const char *path = write_text("cut.txt", cut.data);
        assert_int_equal(icseg_tokenizer_open_clip(&tokenizer, path, SMALL_VOCAB, NULL), ICSEG_ERROR_FORMAT);
        icseg_string_close(&cut);
        line = next;
    }
    icseg_free(text);
}

static void truncated_damaged_and_huge_gzip_is_refused(void **state) {
    (void)state;
    char *text = small_merges();
    icseg_tokenizer *tokenizer = open_path(write_gzip("merges.gz", text, strlen(text)));
    check_fixture(tokenizer, 1);
    icseg_tokenizer_close(&tokenizer);
    unsigned char *data;
    size_t size;
    assert_int_equal(icseg_file_read(in_folder("merges.gz"), 1 << 20, &data, &size, NULL), ICSEG_OK);
    for (size_t keep = 3; keep < size; keep += 7)
        refused(write_file("cut.gz", data, keep), ICSEG_ERROR_FORMAT, "ends too early");
    for (size_t at = 40; at < size; at += 11) {
        data[at] ^= 0x55;
        refused(write_file("wrong.gz", data, size), ICSEG_ERROR_FORMAT, "wrong.gz: ");
        data[at] ^= 0x55;
    }
    icseg_free(data);
    icseg_free(text);
    size_t bomb = (size_t)40 << 20;
    char *zeros = icseg_alloc(bomb);
    memset(zeros, 'a', bomb);
    refused(write_gzip("bomb.gz", zeros, bomb), ICSEG_ERROR_FORMAT, "more than 16 MB when decompressed");
    refused(write_file("large.txt", zeros, bomb), ICSEG_ERROR_FORMAT, "at most");
    memset(zeros, ',', (size_t)2 << 20); /* lists of 2 bytes take a hundred in memory */
    zeros[0] = '[';
    refused(write_gzip("values.gz", zeros, (size_t)2 << 20), ICSEG_ERROR_FORMAT,
            "more than 1048576 values: not a vocabulary");
    icseg_free(zeros);
    unlink(in_folder("large.txt"));
}

static void errors_in_json_are_named(void **state) {
    (void)state;
    refused_text("{", "JSON");
    refused_text("[1, 2]", "another value");
    refused_text("{\"a\": 0, \"a\": 1}", "JSON");
    refused_text("{\"a\": 0}", "has 1 tokens");
    refused_text("{\"model\": {\"type\": \"WordPiece\"}}", "model.type is \"WordPiece\"");
    refused_text("{\"model\": {\"type\": \"BPE\"}}", "end_of_word_suffix");
    refused_text("{\"model\": {\"type\": \"BPE\", \"end_of_word_suffix\": \"</w>\", \"vocab\": 3}}", "model.vocab");
#define HEAD "{\"model\": {\"type\": \"BPE\", \"end_of_word_suffix\": \"</w>\", \"vocab\": {}, "
    refused_text(HEAD "\"merges\": 3}}", "model.merges");
    refused_text(HEAD "\"merges\": [3]}}", "model.merges[0]");
    refused_text(HEAD "\"merges\": [[\"a\", 3]]}}", "model.merges[0]");
    refused_text(HEAD "\"merges\": [\"a\"]}}", "merge 1: expected two symbols");
    refused_text(HEAD "\"merges\": [\"a b\"]}}", "has 0 tokens");

    icseg_string json = as_json(&(json_form){.drop = "a"});
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_IO, "the merges.txt that belongs to it");
    char *merges = small_merges();
    write_text("merges.txt", merges);
    refused(in_folder("vocab.json"), ICSEG_ERROR_FORMAT, "no token \"a\"");
    icseg_string_close(&json);

    json = as_json(&(json_form){0});
    write_text("vocab.json", json.data);
    strrchr(merges, '\n')[0] = '\0';
    strrchr(merges, '\n')[1] = '\0';
    write_text("merges.txt", merges);
    refused(in_folder("vocab.json"), ICSEG_ERROR_FORMAT, "399 merges, but a vocabulary of 914 tokens needs 400");

    char *id = strstr(json.data, ": 7,");
    id[2] = '8';
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT, "have the same id 8");
    id[2] = '-';
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT, "JSON");
    memcpy(id, ":\"7\"", 4);
    memmove(id + 5, id + 4, 1);
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT, "vocab.json");
    icseg_string_close(&json);
    icseg_free(merges);
    unlink(in_folder("vocab.json"));
    unlink(in_folder("merges.txt"));
}

static void json_and_merges_must_belong_together(void **state) {
    (void)state;
    icseg_string json = as_json(&(json_form){0}), merges = {0};
    memcpy(strstr(json.data, ": 7, "), ": -7,", 5);
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT, ": expected an id from 0 to 913");
    icseg_string_close(&json);

    json = as_json(&(json_form){0});
    strstr(json.data, "endoftext")[0] = 'E';
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT,
            "not CLIP's vocabulary: the last two tokens are \"<|startoftext|>\" and \"<|Endoftext|>\"");
    icseg_string_close(&json);

    char *text = small_merges();
    json = as_json(&(json_form){.drop = "ot"});
    write_text("merges.txt", text);
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT,
            "line 2: the merged symbol \"ot\" is not in the vocabulary");
    icseg_string_close(&json);

    json = as_json(&(json_form){0}); /* the first merge, "o t", in place of the last one */
    size_t kept = strlen(text) - 1;
    while (text[kept - 1] != '\n') kept--;
    icseg_string_append(&merges, text, kept);
    icseg_string_append(&merges, "o t\n", 4);
    write_text("merges.txt", merges.data);
    refused(write_text("vocab.json", json.data), ICSEG_ERROR_FORMAT, " 401: the same pair as line 2");
    icseg_string_close(&json);
    icseg_string_close(&merges);
    icseg_free(text);
    unlink(in_folder("vocab.json"));
    unlink(in_folder("merges.txt"));
}

static void json_cut_anywhere_is_refused(void **state) {
    (void)state;
    icseg_string json = as_json(&(json_form){.tokenizer = true, .pairs = true});
    for (size_t keep = 1; keep < json.size; keep += 331)
        refused(write_file("cut.json", json.data, keep), ICSEG_ERROR_FORMAT, "cut.json");
    icseg_string_close(&json);
}

static void failing_allocations_leave_nothing_behind(void **state) {
    (void)state;
    icseg_string json = as_json(&(json_form){.tokenizer = true});
    write_text("memory.json", json.data);
    icseg_string_close(&json);
    char *text = small_merges();
    write_gzip("memory.gz", text, strlen(text));
    icseg_free(text);
    static const char *const names[] = {"memory.json", "memory.gz"};
    icseg_tokenizer *tokenizer = NULL;
    icseg_error error;
    for (int i = 0; i < 2; i++) {
        icseg_tokenizer_close(&tokenizer);
        const char *path = in_folder(names[i]);
        icseg_status status = ICSEG_ERROR_MEMORY;
        int n = 0;
        for (; status != ICSEG_OK; n++) {
            assert_true(n < 5000);
            icseg_memory_fail_after(n);
            status = icseg_tokenizer_open_sized(&tokenizer, ICSEG_TOKENIZER_CLIP, path, SMALL_VOCAB, &error);
            icseg_memory_fail_after(-1);
            if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        }
        assert_true(n > 10); /* some allocations failed */
    }
    icseg_status status = ICSEG_ERROR_MEMORY;
    int n = 0;
    for (; status != ICSEG_OK; n++) {
        icseg_arena *arena;
        icseg_tokens tokens;
        assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
        icseg_memory_fail_after(n);
        status = icseg_tokenize(tokenizer, "caf\xc3\x83\xc2\xa9 &amp;amp; \xc3\xa2\xe2\x82\xac\xe2\x84\xa2 \xd0\xb0",
                                arena, &tokens, &error);
        icseg_memory_fail_after(-1);
        if (status != ICSEG_OK) assert_int_equal(status, ICSEG_ERROR_MEMORY);
        icseg_arena_close(&arena);
    }
    assert_true(n > 1); /* some allocations failed */
    icseg_tokenizer_close(&tokenizer);
}

/* --- finding, opening, synonyms ----------------------------------------------------------------------------------- */

static void found(const char *weights, const char *vocab, const char *name) {
    icseg_arena *arena;
    icseg_error error = {0};
    const char *path;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    icseg_status status = icseg_tokenizer_find(&path, weights, vocab, arena, &error);
    if (!name) {
        assert_int_equal(status, ICSEG_ERROR_IO);
        assert_null(path);
    } else if (status != ICSEG_OK || strcmp(icseg_path_name(path), name) != 0 || !icseg_file_exists(path)) {
        fail_msg("wanted %s, got %s %s", name, path ? path : "nothing", error.message);
    }
    icseg_arena_close(&arena);
}

static void a_vocabulary_is_found_beside_the_weights(void **state) {
    (void)state;
    char here[96], weights[128];
    snprintf(here, sizeof here, "%s/find", folder);
    snprintf(weights, sizeof weights, "%s/RN50.pt", here);
    assert_int_equal(icseg_folder_create(here, NULL), ICSEG_OK);
    found(weights, NULL, NULL);
    write_text("find/vocab.json", "{}"); /* useless without merges.txt */
    found(weights, NULL, NULL);
    write_text("find/bpe_simple_vocab_16e6.txt.gz", "x");
    found(weights, "", "bpe_simple_vocab_16e6.txt.gz");
    write_text("find/merges.txt", "x");
    found(weights, NULL, "vocab.json");
    write_text("find/tokenizer.json", "{}");
    found(weights, NULL, "tokenizer.json");
    found(here, NULL, "tokenizer.json");
    found("/nowhere/RN50.pt", here, "tokenizer.json");
    found(weights, in_folder("find/merges.txt"), "merges.txt");
    found(weights, in_folder("find/nothing.txt"), NULL);
    found("/nowhere/RN50.pt", NULL, NULL);
    found("nowhere.pt", NULL, NULL);
    const char *path;
    assert_int_equal(icseg_tokenizer_find(&path, NULL, NULL, NULL, NULL), ICSEG_ERROR_ARGUMENT);
}

static void models_are_made_with_either_tokenizer(void **state) {
    (void)state;
    static const char *const names[] = {"wall", "building, edifice"};
    icseg_config config = {ICSEG_CONFIG_INIT};
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &config, .class_names = names,
                                   .tokenizer = ICSEG_TOKENIZER_CLIP, .vocabulary = DATA "clip_merges.txt"};
    icseg_model *model;
    icseg_error error;
    assert_int_equal(icseg_config_preset(&config, "tiny-resnet", NULL), ICSEG_OK);
    config.num_classes = 2;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_FORMAT); /* vocab_size is 258 */
    assert_non_null(strstr(error.message, "914"));
    config.vocab_size = SMALL_VOCAB;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_OK);
    icseg_model_close(&model);
    options.vocabulary = NULL;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_ARGUMENT);
    options.tokenizer = ICSEG_TOKENIZER_BYTES;
    assert_int_equal(icseg_model_create(&model, &options, &error), ICSEG_ERROR_CONFIG);
    assert_non_null(strstr(error.message, "258"));
}

static void split(const char *line, const char *expected) {
    icseg_arena *arena;
    icseg_synonyms names;
    icseg_string joined = {0};
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    icseg_status status = icseg_synonyms_split(&names, line, arena, NULL);
    assert_int_equal(status, *expected ? ICSEG_OK : ICSEG_ERROR_ARGUMENT);
    icseg_string_append(&joined, "", 0);
    for (size_t i = 0; i < names.count; i++) icseg_string_printf(&joined, "%s[%s]", "", names.names[i]);
    assert_string_equal(joined.data ? joined.data : "", expected);
    icseg_string_close(&joined);
    icseg_arena_close(&arena);
}

static void lines_split_into_synonyms(void **state) {
    (void)state;
    split("wall", "[wall]");
    split("building, edifice", "[building][edifice]");
    split(" person;individual ,\tsomeone ", "[person][individual][someone]");
    split("plant life, plant life, Plant life", "[plant life][Plant life]");
    split("sea,,ocean,", "[sea][ocean]");
    split("pot (plant, indoor), tub", "[pot (plant, indoor)][tub]");
    split("open (never, closed", "[open (never][closed]");
    split("a) b, c", "[a) b][c]");
    split("car, auto, ca", "[car][auto][ca]");
    split("\xe6\x9d\xb1\xe4\xba\xac, \xc3\xa9", "[\xe6\x9d\xb1\xe4\xba\xac][\xc3\xa9]");
    split("", "");
    split(" , ; ", "");
    icseg_arena *arena;
    icseg_synonyms names;
    assert_int_equal(icseg_arena_open(&arena, NULL), ICSEG_OK);
    icseg_memory_fail_after(0);
    assert_int_equal(icseg_synonyms_split(&names, "wall", arena, NULL), ICSEG_ERROR_MEMORY);
    icseg_memory_fail_after(-1);
    icseg_arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(difficult_texts_have_the_ids_of_an_independent_tokenizer),
        cmocka_unit_test(names_of_published_sets_keep_their_ids),
        cmocka_unit_test(clips_own_vocabulary_gives_clips_ids),
        cmocka_unit_test(empty_long_and_broken_texts_are_refused),
        cmocka_unit_test(cleaning_does_what_python_does),
        cmocka_unit_test(json_vocabularies_give_the_same_ids),
        cmocka_unit_test(ids_come_from_the_json_vocabulary),
        cmocka_unit_test(errors_in_merges_are_named),
        cmocka_unit_test(every_missing_line_is_noticed),
        cmocka_unit_test(truncated_damaged_and_huge_gzip_is_refused),
        cmocka_unit_test(errors_in_json_are_named),
        cmocka_unit_test(json_and_merges_must_belong_together),
        cmocka_unit_test(json_cut_anywhere_is_refused),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
        cmocka_unit_test(a_vocabulary_is_found_beside_the_weights),
        cmocka_unit_test(models_are_made_with_either_tokenizer),
        cmocka_unit_test(lines_split_into_synonyms),
    };
    return cmocka_run_group_tests_name("clip tokenizer", tests, open_folder, close_folder);
}

/* SPDX-License-Identifier: Apache-2.0
 * icseg tokenize: prints token ids of lines, for comparison with other tokenizers (reference/check_tokenizer.py). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "icseg/text.h"

struct options {
    icseg_tokenizer_kind tokenizer;
    const char *vocabulary;
    bool null;
};

static const char *const kinds[] = {"bytes", "clip", NULL};

static const icseg_option rows[] = {
    {"tokenizer", ICSEG_FIELD_WORD(struct options, tokenizer),
     "clip: the byte-pair encoding of CLIP; bytes: one token per byte", .words = kinds},
    {"vocab", ICSEG_FIELD_STRING(struct options, vocabulary), "clip: vocabulary file, or a folder that contains one",
     .metavar = "FILE", .shown = "none"},
    {"null", ICSEG_FIELD_BOOL(struct options, null), "texts end with a NUL byte instead of a newline"},
};

static void defaults(void *options) {
    *(struct options *)options = (struct options){.tokenizer = ICSEG_TOKENIZER_CLIP, .vocabulary = ""};
}

static icseg_status print_ids(const icseg_tokenizer *tokenizer, const char *text, icseg_error *error) {
    int32_t *ids, count;
    icseg_status status = icseg_tokenizer_encode(tokenizer, text, false, &ids, &count, error);
    if (status == ICSEG_ERROR_ARGUMENT) {
        printf("refused: %s\n", error->message);
        return ICSEG_OK;
    }
    if (status != ICSEG_OK) return status;
    for (int32_t i = 0; i < count; i++) printf("%s%d", i ? " " : "", ids[i]);
    putchar('\n');
    icseg_buffer_free(ids);
    return ICSEG_OK;
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *options = values;
    icseg_tokenizer *tokenizer;
    char *text = NULL;
    size_t capacity = 0;
    int end = options->null ? '\0' : '\n';
    if (options->tokenizer == ICSEG_TOKENIZER_BYTES && *options->vocabulary)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--vocab: the tokenizer bytes has no vocabulary");
    icseg_status status = icseg_tokenizer_open(&tokenizer, options->tokenizer, options->vocabulary, error);
    ssize_t size;
    while (status == ICSEG_OK && (size = getdelim(&text, &capacity, end, stdin)) > 0) {
        if (text[size - 1] == end) text[size - 1] = '\0';
        status = print_ids(tokenizer, text, error);
    }
    if (status == ICSEG_OK && ferror(stdin))
        status = icseg_error_set(error, ICSEG_ERROR_IO, "standard input: cannot read: %s", strerror(errno));
    free(text);
    icseg_tokenizer_close(&tokenizer);
    (void)context;
    return status;
}

const icseg_command icseg_command_tokenize = {
    .name = "tokenize",
    .summary = "Prints the token ids of each line of standard input",
    .description = "For a text that cannot be tokenized, prints \"refused: REASON\".\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
    .hidden = true,
};

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Tokenizers: text to token ids and back. docs/tokenizer.md describes how text is cleaned and which files hold a
 * vocabulary. Templates: the texts into which class names are put.
 *
 * A tokenizer does not change after it was opened: any number of threads may use one at the same time. */
#ifndef ICSEG_TEXT_H
#define ICSEG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How text becomes tokens. */
typedef enum icseg_tokenizer_kind {
    ICSEG_TOKENIZER_BYTES, /**< UTF-8 bytes: 258 tokens; for models trained from scratch */
    ICSEG_TOKENIZER_CLIP   /**< CLIP's byte-pair encoding, 49,408 tokens, from a vocabulary file */
} icseg_tokenizer_kind;

/** Limits. */
enum {
    ICSEG_TEXT_MAX_BYTES = 8192,     /**< CLIP's tokenizer refuses longer texts */
    ICSEG_TEMPLATES_MAX = 256,       /**< the largest number of templates in a list */
    ICSEG_CLIP_CONTEXT_LENGTH = 77,  /**< token ids of a text in the published CLIP models, with SOS and EOS */
    ICSEG_CONTEXT_MAX_LENGTH = 65536 /**< the longest context that icseg_tokenizer_encode_context writes */
};

/** A tokenizer; opaque. */
typedef struct icseg_tokenizer icseg_tokenizer;

/**
 * Opens a tokenizer.
 *
 * @param[out] out    the tokenizer; NULL on failure. Close it with icseg_tokenizer_close().
 * @param kind        the kind of tokenizer
 * @param vocabulary  for ICSEG_TOKENIZER_CLIP the vocabulary file, or a folder that contains one:
 *                    bpe_simple_vocab_16e6.txt(.gz), merges.txt, vocab.json with merges.txt, or tokenizer.json. Not
 *                    used for ICSEG_TOKENIZER_BYTES, and may be NULL then.
 * @param[out] error  may be NULL. Its field is "vocabulary" when a vocabulary is missing.
 * @return ICSEG_ERROR_ARGUMENT without a vocabulary, ICSEG_ERROR_IO when the file cannot be read, ICSEG_ERROR_FORMAT
 *         when it is not a vocabulary of CLIP's kind, ICSEG_ERROR_MEMORY.
 */
ICSEG_API icseg_status icseg_tokenizer_open(icseg_tokenizer **out, icseg_tokenizer_kind kind, const char *vocabulary,
                                            icseg_error *error);

/** Closes a tokenizer and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_tokenizer_close(icseg_tokenizer **tokenizer);

/** The number of tokens, with SOS and EOS: the rows of the model's token embedding. 0 for NULL. */
ICSEG_API int32_t icseg_tokenizer_vocabulary_size(const icseg_tokenizer *tokenizer);

/** The id of the start token (SOS, "<|startoftext|>"), the second to last of the vocabulary. 0 for NULL. */
ICSEG_API int32_t icseg_tokenizer_sos(const icseg_tokenizer *tokenizer);

/** The id of the end token (EOS, "<|endoftext|>"), the last of the vocabulary. 0 for NULL. */
ICSEG_API int32_t icseg_tokenizer_eos(const icseg_tokenizer *tokenizer);

/**
 * Encodes a text, as `SimpleTokenizer.encode` of https://github.com/openai/CLIP does (docs/tokenizer.md lists the
 * differences).
 *
 * @param tokenizer   an open tokenizer
 * @param text        UTF-8, terminated by NUL
 * @param special     whether SOS is put before the ids and EOS after them
 * @param[out] ids    *count ids; NULL on failure. The caller frees them with icseg_buffer_free().
 * @param[out] count  the number of ids, at least 1
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_ARGUMENT for text that is empty, is not UTF-8, is too long or contains nothing but white space
 *         and control characters; ICSEG_ERROR_MEMORY.
 */
ICSEG_API icseg_status icseg_tokenizer_encode(const icseg_tokenizer *tokenizer, const char *text, bool special,
                                              int32_t **ids, int32_t *count, icseg_error *error);

/**
 * Encodes a text for a context of fixed length: SOS, the ids, EOS, then zeros, as `clip.tokenize` does. A text that is
 * too long is refused and not cut.
 *
 * @param tokenizer   an open tokenizer
 * @param text        UTF-8, terminated by NUL
 * @param[out] ids    (length) ids, owned by the caller; unchanged on failure
 * @param length      the context length, 3..ICSEG_CONTEXT_MAX_LENGTH; ICSEG_CLIP_CONTEXT_LENGTH for published models
 * @param[out] eos    the position of EOS in `ids`, where CLIP reads the embedding; may be NULL
 * @param[out] error  may be NULL
 * @return as icseg_tokenizer_encode(), and ICSEG_ERROR_ARGUMENT for a text that does not fit.
 */
ICSEG_API icseg_status icseg_tokenizer_encode_context(const icseg_tokenizer *tokenizer, const char *text, int32_t *ids,
                                                      int32_t length, int32_t *eos, icseg_error *error);

/**
 * Decodes token ids. Words of CLIP's tokenizer are separated by single blanks. SOS is left out, and decoding ends at
 * the first EOS. Bytes that are not UTF-8, because a character's tokens are incomplete, become U+FFFD.
 *
 * @param tokenizer   an open tokenizer
 * @param ids         (count) ids; may be NULL when count is 0
 * @param count       the number of ids
 * @param[out] text   UTF-8, terminated by NUL; NULL on failure. The caller frees it with icseg_buffer_free().
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_ARGUMENT for a negative count or an id that the vocabulary does not contain, ICSEG_ERROR_MEMORY.
 */
ICSEG_API icseg_status icseg_tokenizer_decode(const icseg_tokenizer *tokenizer, const int32_t *ids, int32_t count,
                                              char **text, icseg_error *error);

/** A list of templates: texts in which a class name replaces "{}", as in "a photo of a {}." It does not change after it
 * was opened. */
typedef struct icseg_templates icseg_templates;

/**
 * Opens a list of templates.
 *
 * @param[out] out    the list; NULL on failure. Close it with icseg_templates_close().
 * @param name        "imagenet": the 80 templates of CLIP's notebook for ImageNet; "simple": the seven of them that its
 *                    authors selected; otherwise a file in UTF-8 with one template per line, at most
 *                    ICSEG_TEMPLATES_MAX. Empty lines and lines that begin with # are skipped. Write "./simple" for a
 *                    file with such a name.
 * @param[out] error  may be NULL
 * @return ICSEG_ERROR_ARGUMENT for a template in place of a name, ICSEG_ERROR_IO when the file cannot be read,
 *         ICSEG_ERROR_FORMAT when it contains a NUL byte or has more than 1 MiB, ICSEG_ERROR_DATA, naming the line,
 *         when a line has no {}, is not UTF-8 or is too long, or when the file has no template or too many,
 *         ICSEG_ERROR_MEMORY.
 */
ICSEG_API icseg_status icseg_templates_open(icseg_templates **out, const char *name, icseg_error *error);

/** Closes a list and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_templates_close(icseg_templates **templates);

/** The number of templates, at least 1. 0 for NULL. */
ICSEG_API size_t icseg_templates_count(const icseg_templates *templates);

/** The templates: (count), UTF-8, owned by the list. NULL for NULL. */
ICSEG_API const char *const *icseg_templates_list(const icseg_templates *templates);

#ifdef __cplusplus
}
#endif
#endif

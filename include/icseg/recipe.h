/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recipes: everything that decides a training run, as a list of keys with values ("train.lr" = 1e-4). docs/recipe.md
 * lists the keys.
 *
 * Keys that a recipe does not set have the published settings (docs/method.md) of the recipe's preset. "model.preset"
 * and "model.tokenizer" act before all other keys, whenever they are set.
 *
 * A recipe may be used by one thread at a time. Errors name the key in icseg_error.field. */
#ifndef ICSEG_RECIPE_H
#define ICSEG_RECIPE_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/memory.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A recipe. */
typedef struct icseg_recipe icseg_recipe;

/** Opens the published settings of a preset (icseg_preset_name; NULL: the first).
 *
 * @param out receives the recipe, NULL on failure; close it with icseg_recipe_close
 * @param preset the preset's name or NULL
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the preset is unknown */
ICSEG_API icseg_status icseg_recipe_open_preset(icseg_recipe **out, const char *preset, icseg_error *error);

/** Opens a YAML file: sections with indented "key: value" lines.
 *
 * @param out receives the recipe, NULL on failure; close it with icseg_recipe_close
 * @param path the file, at most 1 MiB
 * @param error receives the message on failure, "FILE:LINE: KEY: ..."; may be NULL
 * @return ICSEG_ERROR_FORMAT if the file is not YAML, not UTF-8, or contains anchors, aliases, tags, deeper nesting or
 * more than one document; ICSEG_ERROR_ARGUMENT for an unknown or duplicate key or a value out of range */
ICSEG_API icseg_status icseg_recipe_open(icseg_recipe **out, const char *path, icseg_error *error);

/** Opens YAML in memory.
 *
 * @param out receives the recipe, NULL on failure; close it with icseg_recipe_close
 * @param name name of the text in messages and in the run's log; NULL: "recipe"
 * @param text the text; need not be NUL-terminated
 * @param size its bytes, at most 1 MiB
 * @param error receives the message on failure; may be NULL
 * @return as icseg_recipe_open */
ICSEG_API icseg_status icseg_recipe_open_text(icseg_recipe **out, const char *name, const char *text, size_t size,
                                              icseg_error *error);

/** Opens the recipe of a training run, RUN/recipe.yaml, to resume the run.
 *
 * @param out receives the recipe, NULL on failure; close it with icseg_recipe_close
 * @param run the run directory
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the directory does not contain a run; otherwise as icseg_recipe_open */
ICSEG_API icseg_status icseg_recipe_open_run(icseg_recipe **out, const char *run, icseg_error *error);

/** Closes the recipe and sets the pointer to NULL. Accepts NULL. */
ICSEG_API void icseg_recipe_close(icseg_recipe **recipe);

/** Sets a key. Lists are "[256, 320]" or "256,320", mappings "{8: 0.1, 16: 0.2}". On failure the recipe is unchanged.
 *
 * @param recipe the recipe
 * @param key such as "train.lr"
 * @param value its value as text, UTF-8
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the key is unknown (the message names the nearest) or the value is not accepted */
ICSEG_API icseg_status icseg_recipe_set(icseg_recipe *recipe, const char *key, const char *value, icseg_error *error);

/** Sets a key from "KEY=VALUE", such as "train.lr=1e-3". Otherwise as icseg_recipe_set. */
ICSEG_API icseg_status icseg_recipe_assign(icseg_recipe *recipe, const char *assignment, icseg_error *error);

/** Returns the value of a key as text that icseg_recipe_set reads.
 *
 * @param recipe the recipe
 * @param key such as "train.lr"
 * @param out receives the text, NULL on failure; free it with icseg_buffer_free
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the key is unknown */
ICSEG_API icseg_status icseg_recipe_get(const icseg_recipe *recipe, const char *key, char **out, icseg_error *error);

/** Checks the recipe as a whole: keys that contradict each other, the model's configuration, folders and files that do
 * not exist. icseg_train and icseg_trainer_open check it too.
 *
 * @param recipe the recipe
 * @param error receives the first problem; may be NULL
 * @return ICSEG_ERROR_ARGUMENT, or ICSEG_ERROR_CONFIG for a model that cannot be built */
ICSEG_API icseg_status icseg_recipe_check(const icseg_recipe *recipe, icseg_error *error);

/** Writes every key and value as YAML, which icseg_recipe_open reads as the same recipe. The file is replaced
 * atomically. ICSEG_ERROR_IO if it cannot be written. */
ICSEG_API icseg_status icseg_recipe_write(const icseg_recipe *recipe, const char *path, icseg_error *error);

/** Returns the same YAML as NUL-terminated text in *out, NULL on failure; free it with icseg_buffer_free. */
ICSEG_API icseg_status icseg_recipe_text(const icseg_recipe *recipe, char **out, icseg_error *error);

/** Type of a key's value. */
typedef enum icseg_recipe_type {
    ICSEG_RECIPE_BOOL,         /**< true or false */
    ICSEG_RECIPE_INTEGER,      /**< a whole number */
    ICSEG_RECIPE_REAL,         /**< a number */
    ICSEG_RECIPE_TEXT,         /**< text, such as a path */
    ICSEG_RECIPE_WORD,         /**< one of icseg_recipe_key.words */
    ICSEG_RECIPE_INTEGER_LIST, /**< whole numbers: [256, 320] */
    ICSEG_RECIPE_REAL_LIST,    /**< numbers: [0.5, 2] */
    ICSEG_RECIPE_STRIDE_LIST,  /**< strides of the feature levels: [8, 16, 32] */
    ICSEG_RECIPE_STRIDE_MAP    /**< a number for each of some strides: {8: 0.1, 16: 0.2} */
} icseg_recipe_type;

/** Description of a key. The strings are constants. */
typedef struct icseg_recipe_key {
    size_t struct_size;       /**< ICSEG_RECIPE_KEY_INIT */
    const char *name;         /**< "train.lr": the section, a dot, and the name in it */
    icseg_recipe_type type;   /**< type of its value */
    const char *description;  /**< one human-readable line, with the unit */
    const char *const *words; /**< ICSEG_RECIPE_WORD: the accepted words, then NULL; else NULL */
    const char *default_note; /**< meaning of the default ("0: all cores"), or NULL if the value is clear */
    char default_value[160];  /**< value in the published settings of the first preset */
    char range[288];          /**< accepted values in words: "a number above 0" */
} icseg_recipe_key;

/** Initialises an icseg_recipe_key. */
#define ICSEG_RECIPE_KEY_INIT ICSEG_INIT(icseg_recipe_key)

/** Number of keys. */
ICSEG_API int32_t icseg_recipe_key_count(void);

/** Describes the key of an index, in the order of docs/recipe.md. Thread-safe.
 *
 * @param out receives the description
 * @param index 0 .. icseg_recipe_key_count() - 1
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if the index is out of range */
ICSEG_API icseg_status icseg_recipe_key_at(icseg_recipe_key *out, int32_t index, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

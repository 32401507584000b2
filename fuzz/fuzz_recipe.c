/* SPDX-License-Identifier: Apache-2.0
 * Recipes. Parts: YAML, and lines KEY=VALUE. The recipe as text is read as the same recipe, and so is each value; one
 * input in 32 checks each promise. */
#include <string.h>

#include "fuzz.h"
#include "icseg/memory.h"
#include "icseg/recipe.h"

static char *text_of(const icseg_recipe *recipe) {
    char *text;
    FUZZ_REQUIRE(icseg_recipe_text(recipe, &text, NULL) == ICSEG_OK && fuzz_is_utf8(text));
    return text;
}

static void set_again(icseg_recipe *recipe, const char *key) {
    icseg_error error;
    char *value;
    FUZZ_REQUIRE(icseg_recipe_get(recipe, key, &value, NULL) == ICSEG_OK && fuzz_is_utf8(value));
    FUZZ_REQUIRE(fuzz_succeeded(icseg_recipe_set(recipe, key, value, &error), &error));
    icseg_buffer_free(value);
}

/* The text is read as the same recipe. */
static void check_text(const icseg_recipe *recipe) {
    icseg_error error;
    icseg_recipe *copy;
    char *text = text_of(recipe), *again;
    FUZZ_REQUIRE(fuzz_succeeded(icseg_recipe_open_text(&copy, "again", text, strlen(text), &error), &error));
    again = text_of(copy);
    FUZZ_REQUIRE(!strcmp(text, again));
    icseg_buffer_free(again);
    icseg_buffer_free(text);
    icseg_recipe_close(&copy);
}

/* A key set to its value changes nothing. */
static void check_value(icseg_recipe *recipe, int32_t key) {
    char *text = text_of(recipe), *again;
    icseg_recipe_key description = {ICSEG_RECIPE_KEY_INIT};
    FUZZ_REQUIRE(icseg_recipe_key_at(&description, key, NULL) == ICSEG_OK);
    set_again(recipe, description.name);
    again = text_of(recipe);
    FUZZ_REQUIRE(!strcmp(text, again));
    icseg_buffer_free(again);
    icseg_buffer_free(text);
}

/* An assignment that fails leaves the recipe as it was, which is compared if `compared`. */
static void assign(icseg_recipe *recipe, fuzz_part lines, bool compared) {
    icseg_error error;
    char *all = fuzz_text(lines), *rest = all;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *before = compared ? text_of(recipe) : NULL;
        if (!fuzz_succeeded(icseg_recipe_assign(recipe, line, &error), &error) && compared) {
            char *after = text_of(recipe);
            FUZZ_REQUIRE(!strcmp(before, after));
            icseg_buffer_free(after);
        }
        icseg_buffer_free(before);
    }
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { CHECK_TEXT, CHECK_VALUE, CHECK_ASSIGNMENTS, CHOICES = 32 }; /* the text has all keys, so these take long */
    icseg_error error;
    icseg_recipe *recipe;
    fuzz_part parts[2];
    fuzz_split(data, size, parts, 2);
    unsigned choice = fuzz_select(data, size, CHOICES * (unsigned)icseg_recipe_key_count());
    uint8_t *yaml = fuzz_copy(parts[0].data, parts[0].size);
    icseg_status status = icseg_recipe_open_text(&recipe, "recipe", (const char *)yaml, parts[0].size, &error);
    free(yaml);
    if (!fuzz_succeeded(status, &error)) {
        FUZZ_REQUIRE(!recipe);
        return 0;
    }
    if (parts[1].size) assign(recipe, parts[1], choice % CHOICES == CHECK_ASSIGNMENTS);
    (void)fuzz_succeeded(icseg_recipe_check(recipe, &error), &error);
    if (choice % CHOICES == CHECK_TEXT) check_text(recipe);
    if (choice % CHOICES == CHECK_VALUE) check_value(recipe, (int32_t)(choice / CHOICES));
    icseg_recipe_close(&recipe);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Files of templates. All templates have a place for the name and are UTF-8, and, written to a file, they are read as
 * the same list. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"
#include "text/templates.h"

static void write_and_read(const icseg_templates *list) {
    icseg_error error;
    icseg_templates *copy;
    icseg_string text = {0};
    size_t count = icseg_templates_count(list);
    for (size_t i = 0; i < count; i++) icseg_string_printf(&text, "%s\n", icseg_templates_list(list)[i]);
    FUZZ_REQUIRE(
        fuzz_succeeded(icseg_templates_open(&copy, fuzz_put("copy.txt", text.data, text.size), &error), &error));
    FUZZ_REQUIRE(icseg_templates_count(copy) == count);
    for (size_t i = 0; i < count; i++)
        FUZZ_REQUIRE(!strcmp(icseg_templates_list(copy)[i], icseg_templates_list(list)[i]));
    icseg_templates_close(&copy);
    icseg_string_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_templates *list;
    icseg_arena *arena;
    if (!fuzz_succeeded(icseg_templates_open(&list, fuzz_put("templates.txt", data, size), &error), &error)) {
        FUZZ_REQUIRE(!list);
        return 0;
    }
    size_t count = icseg_templates_count(list);
    FUZZ_REQUIRE(count >= 1 && count <= ICSEG_TEMPLATES_MAX && icseg_arena_open(&arena, NULL) == ICSEG_OK);
    for (size_t i = 0; i < count; i++) {
        const char *template = icseg_templates_list(list)[i], *place = strstr(template, "{}");
        FUZZ_REQUIRE(place && fuzz_is_utf8(template));
        const char *text = icseg_template_fill(arena, template, "cat");
        FUZZ_REQUIRE(text && !strncmp(text + (place - template), "cat", 3));
    }
    if (fuzz_select(data, size, 4) == 0) write_and_read(list);
    icseg_arena_close(&arena);
    icseg_templates_close(&list);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Class lists. All names of a list differ and are UTF-8, and its lines, written to a file, are read as the same list.
 * A quarter of the inputs is written; a quarter is also tried as the name of a published list. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "fuzz.h"
#include "icseg/classes.h"
#include "text/synonyms.h"

static void check_names(const icseg_class_list *list) {
    icseg_error error;
    icseg_arena *arena;
    const char *const *names = icseg_class_list_names(list), *const *synonyms = icseg_class_list_synonyms(list);
    int32_t count = icseg_class_list_count(list);
    FUZZ_REQUIRE(count >= 1 && icseg_arena_open(&arena, NULL) == ICSEG_OK);
    for (int32_t k = 0; k < count; k++) {
        icseg_synonyms all;
        FUZZ_REQUIRE(*names[k] && fuzz_is_utf8(names[k]) && fuzz_is_utf8(synonyms[k]));
        for (int32_t other = 0; other < k && k < 300; other++) FUZZ_REQUIRE(strcmp(names[k], names[other]) != 0);
        FUZZ_REQUIRE(fuzz_succeeded(icseg_synonyms_split(&all, synonyms[k], arena, &error), &error));
        FUZZ_REQUIRE(all.count > 0 && !strncmp(names[k], synonyms[k], strlen(names[k])));
        const char *first = all.names[0];
        FUZZ_REQUIRE(fuzz_succeeded(icseg_synonyms_split(&all, names[k], arena, &error), &error));
        FUZZ_REQUIRE(!strcmp(all.names[0], first));
    }
    icseg_arena_close(&arena);
}

static void write_and_read(const icseg_class_list *list) {
    icseg_error error;
    icseg_class_list *copy;
    icseg_string text = {0};
    int32_t count = icseg_class_list_count(list);
    for (int32_t k = 0; k < count; k++) icseg_string_printf(&text, "%s\n", icseg_class_list_synonyms(list)[k]);
    const char *path = fuzz_put("copy.txt", text.data, text.size);
    FUZZ_REQUIRE(fuzz_succeeded(icseg_class_list_open(&copy, path, &error), &error));
    FUZZ_REQUIRE(icseg_class_list_count(copy) == count);
    for (int32_t k = 0; k < count; k++) {
        FUZZ_REQUIRE(!strcmp(icseg_class_list_names(copy)[k], icseg_class_list_names(list)[k]));
        FUZZ_REQUIRE(!strcmp(icseg_class_list_synonyms(copy)[k], icseg_class_list_synonyms(list)[k]));
    }
    icseg_class_list_close(&copy);
    icseg_string_close(&text);
}

static void open_published(fuzz_part text) {
    icseg_error error;
    icseg_class_list *list;
    char *name = fuzz_text(text);
    if (fuzz_succeeded(icseg_class_list_open_published(&list, name, &error), &error)) check_names(list);
    icseg_class_list_close(&list);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_class_list *list;
    if (fuzz_select(data, size, 4) == 1) open_published((fuzz_part){data, size});
    if (!fuzz_succeeded(icseg_class_list_open(&list, fuzz_put("classes.txt", data, size), &error), &error)) {
        FUZZ_REQUIRE(!list);
        return 0;
    }
    check_names(list);
    if (fuzz_select(data, size, 4) == 0) write_and_read(list);
    icseg_class_list_close(&list);
    return 0;
}

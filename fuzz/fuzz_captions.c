/* SPDX-License-Identifier: Apache-2.0
 * Lists of captions; an input is read as JSON lines and as separated values. Images are in order and differ, names and
 * captions are UTF-8 and not blank, and the list, written to a file, is read as the same list. */
#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "pretrain/caption_list.h"

static bool is_blank(const char *text) { return !text[strspn(text, " \t\r\n")]; }

static void check(const icseg_caption_list *list) {
    FUZZ_REQUIRE(list->count >= 1 && list->empty >= 0);
    for (int64_t i = 0; i < list->count; i++) {
        const icseg_captioned *c = &list->images[i];
        FUZZ_REQUIRE(c->count >= 1 && !is_blank(c->image) && fuzz_is_utf8(c->image));
        FUZZ_REQUIRE(i == 0 || strcmp(c[-1].image, c->image) < 0);
        for (int32_t k = 0; k < c->count; k++) FUZZ_REQUIRE(!is_blank(c->captions[k]) && fuzz_is_utf8(c->captions[k]));
    }
}

static void write_and_read(const icseg_caption_list *list) {
    icseg_error error;
    icseg_caption_list copy;
    icseg_string text = {0};
    const char *folder;
    for (int64_t i = 0; i < list->count; i++) {
        const icseg_captioned *c = &list->images[i];
        json_t *captions = json_array(), *object = json_pack("{s:s, s:o}", "image", c->image, "caption", captions);
        for (int32_t k = 0; k < c->count; k++) json_array_append_new(captions, json_string(c->captions[k]));
        icseg_json_append(&text, object, 0);
        icseg_string_append(&text, "\n", 1);
        json_decref(object);
    }
    const char *path = fuzz_put("copy.jsonl", text.data, text.size);
    FUZZ_REQUIRE(!text.failed && fuzz_succeeded(icseg_caption_list_read(&copy, path, &folder, &error), &error));
    FUZZ_REQUIRE(copy.count == list->count && copy.empty == 0);
    for (int64_t i = 0; i < list->count; i++) {
        const icseg_captioned *c = &list->images[i], *d = &copy.images[i];
        FUZZ_REQUIRE(!strcmp(c->image, d->image) && c->count == d->count);
        for (int32_t k = 0; k < c->count; k++) FUZZ_REQUIRE(!strcmp(c->captions[k], d->captions[k]));
    }
    icseg_caption_list_close(&copy);
    icseg_string_close(&text);
}

static void read_as(const char *name, const uint8_t *data, size_t size) {
    icseg_error error;
    icseg_caption_list list;
    const char *folder, *path = fuzz_put(name, data, size);
    if (fuzz_succeeded(icseg_caption_list_read(&list, path, &folder, &error), &error)) {
        check(&list);
        if (fuzz_select(data, size, 4) == 0) write_and_read(&list);
    }
    icseg_caption_list_close(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_as("captions.jsonl", data, size);
    read_as("captions.csv", data, size);
    return 0;
}

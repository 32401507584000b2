/* SPDX-License-Identifier: Apache-2.0
 * What a source of pairs left out, as text. */
#include "pretrain/pair_source.h"

static void print_part(icseg_string *out, int64_t count, const char *one, const char *many) {
    if (count) icseg_string_printf(out, "%s%lld %s", out->size ? ", " : "", (long long)count, count == 1 ? one : many);
}

void icseg_pair_left_out_print(const icseg_pair_left_out *left, icseg_string *out) {
    icseg_string text = {0};
    print_part(&text, left->no_image, "sample has no image", "samples have no image");
    print_part(&text, left->no_caption, "sample has no caption", "samples have no caption");
    print_part(&text, left->empty, "caption is empty", "captions are empty");
    print_part(&text, left->damaged, "caption is damaged", "captions are damaged");
    if (left->first[0]) icseg_string_printf(&text, " (the first one: %s)", left->first);
    if (text.data) icseg_string_printf(out, "%s", text.data);
    out->failed |= text.failed;
    icseg_string_close(&text);
}

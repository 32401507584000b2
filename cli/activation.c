/* SPDX-License-Identifier: Apache-2.0 */
#include "activation.h"

#include "support.h"

const char *const activation_words[] = {"quick_gelu", "gelu", NULL};

const char *activation_config(int32_t activation) {
    static const char *const json[] = {"{\"activation\": \"quick_gelu\"}", "{\"activation\": \"gelu\"}"};
    return activation < 0 ? NULL : json[activation];
}

icseg_status cache_choose(const char **out, const char *cache, bool no_cache, icseg_arena *arena, icseg_error *error) {
    if (no_cache && cache)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT, "--cache and --no-cache contradict each other");
    *out = no_cache ? NULL : cache ? cache : cache_folder(arena);
    return ICSEG_OK;
}

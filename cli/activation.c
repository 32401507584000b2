/* SPDX-License-Identifier: Apache-2.0 */
#include "activation.h"

const char *const activation_words[] = {"quick_gelu", "gelu", NULL};

const char *activation_config(int32_t activation) {
    static const char *const json[] = {"{\"activation\": \"quick_gelu\"}", "{\"activation\": \"gelu\"}"};
    return activation < 0 ? NULL : json[activation];
}

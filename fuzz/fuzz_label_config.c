/* SPDX-License-Identifier: Apache-2.0
 * Labelling interfaces of Label Studio (serve/label_config.h). One that is accepted has a control, an image, a key and
 * labels; one that is refused has a reason. */
#include <string.h>

#include "fuzz.h"
#include "serve/label_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    label_config config;
    char problem[LABEL_CONFIG_PROBLEM_SIZE];
    bool ok = label_config_read(&config, (const char *)data, size, problem);
    FUZZ_REQUIRE(strlen(problem) < sizeof problem && ok == !*problem);
    if (ok) {
        FUZZ_REQUIRE(config.control && config.image && config.key && config.label_count);
        for (size_t i = 0; i < config.label_count; i++) FUZZ_REQUIRE(config.labels[i]);
    }
    label_config_close(&config);
    FUZZ_REQUIRE(!config.control && !config.labels);
    return 0;
}

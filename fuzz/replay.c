/* SPDX-License-Identifier: Apache-2.0
 * Replaces libFuzzer in tests: calls the target with each file of a folder, and with an empty input. */
#include "base/file.h"
#include "base/memory.h"
#include "fuzz.h"

enum { LARGEST = 1 << 20 };

static bool run_file(const char *folder, const char *name) {
    char path[4096];
    unsigned char *data;
    size_t size;
    icseg_error error;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (icseg_file_read(path, LARGEST, &data, &size, &error) != ICSEG_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    fprintf(stderr, "%s\n", path); /* the last line before a report says which input it was */
    LLVMFuzzerTestOneInput(data, size);
    icseg_free(data);
    return true;
}

int main(int argc, char **argv) {
    char **names;
    size_t count;
    icseg_error error;
    if (argc != 2 || icseg_folder_list(argv[1], &names, &count, &error) != ICSEG_OK || count == 0) {
        fprintf(stderr, "usage: %s FOLDER, which contains inputs\n", argv[0]);
        return 2;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (size_t i = 0; i < count; i++)
        if (!run_file(argv[1], names[i])) return 1;
    icseg_free(names);
    printf("[  PASSED  ] 1 test (%zu inputs)\n", count); /* as cmocka does, for scripts/test.sh */
    return 0;
}

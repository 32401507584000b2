/* SPDX-License-Identifier: Apache-2.0
 * Byte order marks and the parts of paths. */
#include "base/text.h"

#include <string.h>

size_t icseg_bom_size(const void *text, size_t size) { return size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; }

const char *icseg_path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *icseg_path_extension(const char *path) {
    const char *name = icseg_path_name(path), *dot = strrchr(name, '.');
    return dot && dot != name ? dot + 1 : "";
}

size_t icseg_path_stem(const char *path, char *out, size_t size) {
    const char *name = icseg_path_name(path), *extension = icseg_path_extension(path);
    size_t length = *extension ? (size_t)(extension - 1 - name) : strlen(name);
    if (size) {
        size_t kept = length < size - 1 ? length : size - 1;
        memcpy(out, name, kept);
        out[kept] = '\0';
    }
    return length;
}

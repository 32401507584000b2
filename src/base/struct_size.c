/* SPDX-License-Identifier: Apache-2.0
 * Structs that begin with their size. */
#include "base/struct_size.h"

#include <string.h>

static size_t size_of(const void *object) {
    size_t size;
    memcpy(&size, object, sizeof size);
    return size;
}

enum { MAX_GROWTH = 65536 }; /* a larger size is an uninitialised field, not a newer header */

static icseg_status check_size(const char *what, size_t given, size_t size, size_t first_size, icseg_error *error) {
    if (given >= first_size && given <= size + MAX_GROWTH) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "%s: struct_size is %zu; expected %zu: initialise the struct with its _INIT macro", what, given,
                      size);
}

icseg_status icseg_struct_read(void *to, size_t size, const void *from, size_t first_size, const char *what,
                               icseg_error *error) {
    memset(to, 0, size);
    memcpy(to, &size, sizeof size);
    if (!from) return ICSEG_OK;
    size_t given = size_of(from);
    ICSEG_TRY(check_size(what, given, size, first_size, error));
    for (size_t i = size; i < given; i++)
        if (((const unsigned char *)from)[i])
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                              "%s: a field is set that this version of the library does not know; update the library",
                              what);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &size, sizeof size);
    return ICSEG_OK;
}

icseg_status icseg_struct_write(void *to, const void *from, size_t size, size_t first_size, const char *what,
                                icseg_error *error) {
    size_t given = size_of(to);
    ICSEG_TRY(check_size(what, given, size, first_size, error));
    if (given > size) memset((unsigned char *)to + size, 0, given - size);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &given, sizeof given);
    return ICSEG_OK;
}

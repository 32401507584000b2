/* SPDX-License-Identifier: Apache-2.0
 * Zip archives (APPNOTE.TXT 4.3) of stored entries. */
#include "zip.h"

#include <zlib.h>

enum { MAX_ENTRIES = 16 };

static void put_number(icseg_string *s, uint64_t value, int bytes) {
    for (; bytes > 0; bytes--, value >>= 8) icseg_string_append(s, (char[]){(char)value}, 1);
}

static void put_part(icseg_string *s, fuzz_part part) { icseg_string_append(s, (const char *)part.data, part.size); }

/* The fields that a local header and a directory entry share. */
static void put_entry(icseg_string *s, fuzz_part name, fuzz_part content) {
    put_number(s, 20, 2);
    put_number(s, 0, 8); /* flags, method "stored", time, date */
    put_number(s, crc32(0, content.data, (uInt)content.size), 4);
    put_number(s, content.size, 4);
    put_number(s, content.size, 4);
    put_number(s, name.size, 2);
    put_number(s, 0, 2);
}

icseg_string fuzz_zip(const fuzz_part *names, const fuzz_part *contents, size_t count) {
    icseg_string s = {0};
    size_t offset[MAX_ENTRIES], begin, end;
    FUZZ_REQUIRE(count <= MAX_ENTRIES);
    for (size_t i = 0; i < count; i++) {
        offset[i] = s.size;
        put_number(&s, 0x04034b50, 4);
        put_entry(&s, names[i], contents[i]);
        put_part(&s, names[i]);
        put_part(&s, contents[i]);
    }
    begin = s.size;
    for (size_t i = 0; i < count; i++) {
        put_number(&s, 0x02014b50, 4);
        put_number(&s, 20, 2);
        put_entry(&s, names[i], contents[i]);
        put_number(&s, 0, 10); /* comment, volume, attributes */
        put_number(&s, offset[i], 4);
        put_part(&s, names[i]);
    }
    end = s.size;
    put_number(&s, 0x06054b50, 4);
    put_number(&s, 0, 4);
    put_number(&s, count, 2);
    put_number(&s, count, 2);
    put_number(&s, end - begin, 4);
    put_number(&s, begin, 4);
    put_number(&s, 0, 2);
    FUZZ_REQUIRE(!s.failed);
    return s;
}

/* SPDX-License-Identifier: Apache-2.0
 * Writes zip archives (APPNOTE.TXT 4.3). A failure ends the test program. */
#include "support/zip_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/zip.h"

static void must(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "test support: %s\n", what);
    exit(99);
}

void test_put(icseg_string *s, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++, value >>= 8) icseg_string_append(s, &(char){(char)value}, 1);
}

void test_poke(icseg_string *s, size_t at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) s->data[at + (size_t)i] = (char)(value >> (8 * i));
}

static void add(test_zip *zip, const char *name, const void *data, size_t packed, size_t size, uint32_t crc,
                unsigned method) {
    size_t at = zip->bytes.size, length = strlen(name);
    test_put(&zip->bytes, 0x04034b50, 4);
    test_put(&zip->bytes, 20, 4); /* version, flags */
    test_put(&zip->bytes, method, 2);
    test_put(&zip->bytes, 0, 4); /* time */
    test_put(&zip->bytes, crc, 4);
    test_put(&zip->bytes, packed, 4);
    test_put(&zip->bytes, size, 4);
    test_put(&zip->bytes, length, 4);
    icseg_string_append(&zip->bytes, name, length);
    icseg_string_append(&zip->bytes, data, packed);
    zip->last_central = zip->directory.size;
    test_put(&zip->directory, 0x02014b50, 4);
    test_put(&zip->directory, 20, 2);
    test_put(&zip->directory, 20, 4);
    test_put(&zip->directory, method, 2);
    test_put(&zip->directory, 0, 4);
    test_put(&zip->directory, crc, 4);
    test_put(&zip->directory, packed, 4);
    test_put(&zip->directory, size, 4);
    test_put(&zip->directory, length, 2);
    test_put(&zip->directory, 0, 12); /* extra, comment, disk, attributes */
    test_put(&zip->directory, at, 4);
    icseg_string_append(&zip->directory, name, length);
    zip->count++;
}

void test_zip_add(test_zip *zip, const char *name, const void *data, size_t size, unsigned method) {
    add(zip, name, data, size, size, 0, method);
}

void test_zip_deflate(test_zip *zip, const char *name, const void *data, size_t size) {
    z_stream z = {0};
    must(deflateInit2(&z, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, "deflate");
    size_t bound = deflateBound(&z, size);
    unsigned char *packed = malloc(bound);
    must(packed != NULL, "memory");
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    must(deflate(&z, Z_FINISH) == Z_STREAM_END, "deflate");
    add(zip, name, packed, z.total_out, size, (uint32_t)crc32(0, data, (uInt)size), 8);
    deflateEnd(&z);
    free(packed);
}

void test_zip_repack(test_zip *zip, const char *archive) {
    icseg_zip from;
    icseg_file_reader *file;
    icseg_arena *arena;
    icseg_error error;
    must(icseg_arena_open(&arena, &error) == ICSEG_OK, "memory");
    must(icseg_file_reader_open(&file, archive, &error) == ICSEG_OK, archive);
    must(icseg_zip_open(&from, file, archive, arena, &error) == ICSEG_OK, "archive");
    for (size_t i = 0; i < from.count; i++) {
        const icseg_zip_entry *e = &from.entries[i];
        void *content = icseg_arena_alloc(arena, e->size);
        must(content && icseg_file_reader_read(file, e->offset, content, e->size, &error) == ICSEG_OK, e->name);
        test_zip_deflate(zip, e->name, content, e->size);
    }
    icseg_file_reader_close(&file);
    icseg_arena_close(&arena);
}

void test_put_file(const char *path, const void *data, size_t size) {
    unlink(path);
    FILE *file = fopen(path, "wb");
    must(file != NULL, path);
    must(fwrite(data, 1, size, file) == size, path);
    must(fclose(file) == 0, path);
}

void test_zip_write(test_zip *zip, const char *path) {
    size_t begin = zip->bytes.size;
    icseg_string_append(&zip->bytes, zip->directory.data, zip->directory.size);
    test_put(&zip->bytes, 0x06054b50, 4);
    test_put(&zip->bytes, 0, 4);
    test_put(&zip->bytes, zip->count, 2);
    test_put(&zip->bytes, zip->count, 2);
    test_put(&zip->bytes, zip->directory.size, 4);
    test_put(&zip->bytes, begin, 4);
    test_put(&zip->bytes, 0, 2);
    must(!zip->bytes.failed && !zip->directory.failed, "memory");
    test_put_file(path, zip->bytes.data, zip->bytes.size);
    icseg_string_close(&zip->bytes);
    icseg_string_close(&zip->directory);
    *zip = (test_zip){0};
}

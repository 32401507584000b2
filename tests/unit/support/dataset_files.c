/* SPDX-License-Identifier: Apache-2.0
 * Writes the small files of the data tests with the format libraries. A failure ends the test program. */
#include "dataset_files.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <jpeglib.h>

#include "base/file.h"

static void must(int condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "test support: %s\n", what);
    exit(99);
}

const char *test_path(const test_folder *folder, const char *name) {
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder->path, name);
    return paths[turn];
}

test_folder test_dataset_open(const char *classes) {
    test_folder folder = {"/tmp/icseg_data_XXXXXX"};
    must(mkdtemp(folder.path) != NULL, "mkdtemp");
    must(icseg_folder_create(test_path(&folder, "images/train"), NULL) == ICSEG_OK, "images/train");
    must(icseg_folder_create(test_path(&folder, "annotations/train"), NULL) == ICSEG_OK, "annotations/train");
    test_write_text(&folder, "classes.txt", classes);
    return folder;
}

void test_dataset_close(const test_folder *folder) {
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder->path);
    must(system(command) == 0, command);
}

void test_write_text(const test_folder *folder, const char *name, const char *text) {
    must(icseg_file_write(test_path(folder, name), text, strlen(text), NULL) == ICSEG_OK, name);
}

void test_write_png(const test_folder *folder, const char *name, test_png kind, int bits, int width, int height,
                    const uint16_t *values) {
    FILE *file = fopen(test_path(folder, name), "wb");
    must(file != NULL, name);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[256];
    int type = kind == TEST_PNG_GREY      ? PNG_COLOR_TYPE_GRAY
               : kind == TEST_PNG_PALETTE ? PNG_COLOR_TYPE_PALETTE
                                          : PNG_COLOR_TYPE_RGB;
    size_t samples = (size_t)width * (kind == TEST_PNG_RGB ? 3 : 1);
    unsigned char *row = malloc(samples * 2);
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, bits, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (int i = 0; i < 256; i++) palette[i] = (png_color){(png_byte)(255 - i), (png_byte)(i * 7), (png_byte)(i * 31)};
    if (kind == TEST_PNG_PALETTE) png_set_PLTE(png, info, palette, 1 << bits);
    png_write_info(png, info);
    png_set_packing(png);
    for (int y = 0; y < height; y++) {
        for (size_t i = 0; i < samples; i++) {
            uint16_t v = values[(size_t)y * samples + i];
            if (bits == 16)
                row[2 * i] = (unsigned char)(v >> 8), row[2 * i + 1] = (unsigned char)v;
            else
                row[i] = (unsigned char)v;
        }
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(row);
    must(fclose(file) == 0, name);
}

void test_write_tiff16(const test_folder *folder, const char *name, int width, int height, const uint16_t *values) {
    TIFF *tiff = TIFFOpen(test_path(folder, name), "w");
    must(tiff != NULL, name);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, height);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 16);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, height);
    for (int y = 0; y < height; y++)
        must(TIFFWriteScanline(tiff, (void *)(values + (size_t)y * (size_t)width), (uint32_t)y, 0) == 1, name);
    TIFFClose(tiff);
}

void test_write_jpeg(const test_folder *folder, const char *name, int width, int height, int orientation) {
    unsigned char exif[] = "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(test_path(folder, name), "wb");
    must(file != NULL, name);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    exif[25] = (unsigned char)orientation; /* the SHORT's low byte; its high byte is 24 */
    if (orientation) jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, 32);
    unsigned char *row = malloc((size_t)width);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) row[x] = (unsigned char)(x * 3 + y);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    must(fclose(file) == 0, name);
}

void test_write_pair(const test_folder *folder, const char *stem, int width, int height, int classes, int shift) {
    size_t n = (size_t)width * (size_t)height;
    uint16_t *values = calloc(n, 3 * sizeof *values);
    char name[128];
    for (size_t i = 0; i < n; i++) {
        size_t x = i % (size_t)width, y = i / (size_t)width;
        values[3 * i] = (uint16_t)((x * 37 + y * 11 + (size_t)shift * 5) & 255);
        values[3 * i + 1] = (uint16_t)((x * x + y * 3) & 255);
        values[3 * i + 2] = (uint16_t)((x * y + 128) & 255);
    }
    snprintf(name, sizeof name, "images/train/%s.png", stem);
    test_write_png(folder, name, TEST_PNG_RGB, 8, width, height, values);
    for (size_t i = 0; i < n; i++)
        values[i] = (uint16_t)((i % (size_t)width / 4 + i / (size_t)width / 4 + (size_t)shift) % (size_t)classes);
    snprintf(name, sizeof name, "annotations/train/%s.png", stem);
    test_write_png(folder, name, TEST_PNG_GREY, 8, width, height, values);
    free(values);
}

void test_truncate(const test_folder *folder, const char *name, long keep) {
    struct stat info;
    must(stat(test_path(folder, name), &info) == 0 && info.st_size > keep, name);
    must(truncate(test_path(folder, name), keep) == 0, name);
}

void test_remove(const test_folder *folder, const char *name) { must(unlink(test_path(folder, name)) == 0, name); }

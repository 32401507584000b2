/* SPDX-License-Identifier: Apache-2.0
 * Image files for tests. Encoder failures end the test program, which are not failures of the tested code. */
#include "support/image_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <tiffio.h>
#include <webp/encode.h>

static void require(bool condition, const char *what) {
    if (condition) return;
    fprintf(stderr, "test support: %s failed\n", what);
    abort();
}

enum { EXIF_SIZE = 26 };

static void make_exif(unsigned char out[EXIF_SIZE], int orientation, bool big) {
    static const unsigned char little_endian[EXIF_SIZE] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1};
    static const unsigned char big_endian[EXIF_SIZE] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    memcpy(out, big ? big_endian : little_endian, EXIF_SIZE);
    out[big ? 19 : 18] = (unsigned char)orientation;
}

static void append(test_bytes *bytes, const void *data, size_t size) {
    bytes->data = realloc(bytes->data, bytes->size + size + 1);
    require(bytes->data != NULL, "realloc");
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void on_png_write(png_structp png, png_bytep data, size_t size) { append(png_get_io_ptr(png), data, size); }

static void on_png_flush(png_structp png) { (void)png; }

test_bytes test_png(const test_pixels *p, const test_png_options *options) {
    test_bytes out = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    require(info != NULL && !setjmp(png_jmpbuf(png)), "libpng");
    png_set_write_fn(png, &out, on_png_write, on_png_flush);
    png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, p->bits, options->type,
                 options->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_color colors[256];
    for (int i = 0; i < options->palette_size; i++)
        colors[i] = (png_color){options->palette[i][0], options->palette[i][1], options->palette[i][2]};
    if (options->palette_size) png_set_PLTE(png, info, colors, options->palette_size);
    if (options->alpha_size) png_set_tRNS(png, info, options->alpha, options->alpha_size, NULL);
    if (options->key >= 0 && options->type == PNG_COLOR_TYPE_GRAY)
        png_set_tRNS(png, info, NULL, 0, &(png_color_16){.gray = (png_uint_16)options->key});
    unsigned char exif[EXIF_SIZE];
    make_exif(exif, p->orientation, true);
    if (p->orientation) png_set_eXIf_1(png, info, EXIF_SIZE, exif);
    png_write_info(png, info);
    size_t stride = ((size_t)p->width * (size_t)p->channels * (size_t)p->bits + 7) / 8;
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < p->height; y++) png_write_row(png, (png_const_bytep)p->rows + (size_t)y * stride);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return out;
}

test_bytes test_jpeg(const test_pixels *p, const test_jpeg_options *options) {
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr manager;
    unsigned char *data = NULL;
    unsigned long size = 0;
    codec.err = jpeg_std_error(&manager);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &data, &size);
    codec.image_width = (JDIMENSION)p->width;
    codec.image_height = (JDIMENSION)p->height;
    codec.input_components = p->channels;
    codec.in_color_space = p->channels == 1 ? JCS_GRAYSCALE : p->channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, options->quality, TRUE);
    if (options->ycck) jpeg_set_colorspace(&codec, JCS_YCCK);
    if (p->channels == 4) codec.write_Adobe_marker = options->adobe;
    for (int i = 0; i < codec.num_components; i++)
        codec.comp_info[i].h_samp_factor = codec.comp_info[i].v_samp_factor = 1;
    codec.restart_in_rows = options->restart_rows;
    if (options->progressive) jpeg_simple_progression(&codec);
    jpeg_start_compress(&codec, TRUE);
    if (p->orientation) {
        unsigned char marker[6 + EXIF_SIZE] = "Exif\0";
        make_exif(marker + 6, p->orientation, p->orientation % 2 == 0);
        jpeg_write_marker(&codec, JPEG_APP0 + 1, marker, sizeof marker);
    }
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)((const uint8_t *)p->rows +
                                             (size_t)codec.next_scanline * (size_t)p->width * (size_t)p->channels);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    test_bytes out = {0};
    append(&out, data, size);
    free(data);
    return out;
}

static void write_tiles(TIFF *tiff, const test_pixels *p) {
    enum { TILE = 16 };
    size_t pixel = (size_t)p->channels * (size_t)p->bits / 8;
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, TILE);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, TILE);
    unsigned char *tile = calloc(TILE * TILE, pixel);
    require(tile != NULL, "calloc");
    for (int y = 0; y < p->height; y += TILE)
        for (int x = 0; x < p->width; x += TILE) {
            int columns = p->width - x < TILE ? p->width - x : TILE;
            for (int i = 0; i < TILE && y + i < p->height; i++)
                memcpy(tile + (size_t)i * TILE * pixel,
                       (const char *)p->rows + ((size_t)(y + i) * (size_t)p->width + (size_t)x) * pixel,
                       (size_t)columns * pixel);
            require(TIFFWriteTile(tiff, tile, (uint32_t)x, (uint32_t)y, 0, 0) >= 0, "TIFFWriteTile");
        }
    free(tile);
}

test_bytes test_tiff(const test_pixels *p, const test_tiff_options *options) {
    char path[] = "/tmp/icseg_tiff_XXXXXX";
    int fd = mkstemp(path);
    require(fd >= 0, "mkstemp");
    close(fd);
    TIFF *tiff = TIFFOpen(path, "w");
    require(tiff != NULL, "TIFFOpen");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, p->width);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, p->height);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, p->channels);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, p->bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, options->floats ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, options->deflate ? COMPRESSION_ADOBE_DEFLATE : COMPRESSION_NONE);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC,
                 options->palette   ? PHOTOMETRIC_PALETTE
                 : p->channels >= 3 ? PHOTOMETRIC_RGB
                                    : PHOTOMETRIC_MINISBLACK);
    if (p->orientation) TIFFSetField(tiff, TIFFTAG_ORIENTATION, p->orientation);
    if (options->alpha) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &(uint16_t){EXTRASAMPLE_UNASSALPHA});
    uint16_t ramp[3][256];
    for (int i = 0; i < 256; i++) ramp[0][i] = (uint16_t)(i * 257), ramp[1][i] = 0, ramp[2][i] = 0xffff;
    if (options->palette) TIFFSetField(tiff, TIFFTAG_COLORMAP, ramp[0], ramp[1], ramp[2]);
    size_t stride = (size_t)p->width * (size_t)p->channels * (size_t)p->bits / 8;
    if (options->tiled)
        write_tiles(tiff, p);
    else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 3);
        for (int y = 0; y < p->height; y++)
            require(TIFFWriteScanline(tiff, (char *)(uintptr_t)p->rows + (size_t)y * stride, (uint32_t)y, 0) == 1,
                    "TIFFWriteScanline");
    }
    TIFFClose(tiff);
    test_bytes out = {0};
    FILE *file = fopen(path, "rb");
    require(file != NULL, "fopen");
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;) append(&out, block, got);
    fclose(file);
    unlink(path);
    return out;
}

static void append_chunk(test_bytes *out, const char *name, const void *data, size_t size) {
    unsigned char head[8];
    memcpy(head, name, 4);
    for (int i = 0; i < 4; i++) head[4 + i] = (unsigned char)(size >> 8 * i);
    append(out, head, 8);
    append(out, data, size);
    if (size % 2) append(out, "", 1);
}

test_bytes test_webp(const test_pixels *p) {
    uint8_t *data = NULL;
    int stride = p->width * p->channels;
    size_t size = p->channels == 4 ? WebPEncodeLosslessRGBA(p->rows, p->width, p->height, stride, &data)
                                   : WebPEncodeLosslessRGB(p->rows, p->width, p->height, stride, &data);
    require(size > 20, "libwebp");
    test_bytes out = {0};
    if (!p->orientation)
        append(&out, data, size);
    else { /* the same VP8L chunk in an extended container */
        unsigned char extended[10] = {0x08}, exif[EXIF_SIZE];
        make_exif(exif, p->orientation, false);
        extended[4] = (unsigned char)(p->width - 1);
        extended[7] = (unsigned char)(p->height - 1);
        append(&out, "RIFF\0\0\0\0WEBP", 12);
        append_chunk(&out, "VP8X", extended, sizeof extended);
        append(&out, data + 12, size - 12);
        append_chunk(&out, "EXIF", exif, sizeof exif);
        for (int i = 0; i < 4; i++) out.data[4 + i] = (unsigned char)((out.size - 8) >> 8 * i);
    }
    WebPFree(data);
    return out;
}

void test_write(const char *path, test_bytes bytes) {
    FILE *file = fopen(path, "wb");
    require(file != NULL, path);
    require(fwrite(bytes.data, 1, bytes.size, file) == bytes.size && fclose(file) == 0, path);
}

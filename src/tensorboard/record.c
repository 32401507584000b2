/* SPDX-License-Identifier: Apache-2.0 */
#include "tensorboard/record.h"

/* The checksums of the numbers 0 to 15, four bits at a time; reflected polynomial 0x82f63b78. */
static const uint32_t nibble[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                    0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

uint32_t icseg_crc32c(const void *data, size_t size) {
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return ~crc;
}

/* A checksum of data that contains checksums would be weak, so that TensorFlow stores them in this form. */
static uint32_t masked_crc(const uint8_t *data, size_t size) {
    uint32_t crc = icseg_crc32c(data, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void put_little_endian(uint8_t *out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> 8 * i);
}

void icseg_record_frame(uint8_t *record, size_t size) {
    put_little_endian(record, size, 8);
    put_little_endian(record + 8, masked_crc(record, 8), 4);
    put_little_endian(record + ICSEG_RECORD_HEADER + size, masked_crc(record + ICSEG_RECORD_HEADER, size), 4);
}

/* SPDX-License-Identifier: Apache-2.0
 * TFRecord, the framing of event files: each record has its length and two checksums. */
#ifndef ICSEG_TENSORBOARD_RECORD_H
#define ICSEG_TENSORBOARD_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum {
    ICSEG_RECORD_HEADER = 12, /* bytes before the data: length (8), checksum of the length (4) */
    ICSEG_RECORD_FOOTER = 4   /* after it: checksum of the data */
};

/* CRC-32C (Castagnoli): that of iSCSI, RFC 3720. */
uint32_t icseg_crc32c(const void *data, size_t size);

/* Writes header and footer around the `size` bytes of data that begin at record + ICSEG_RECORD_HEADER. */
void icseg_record_frame(uint8_t *record, size_t size);

#endif

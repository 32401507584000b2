/* SPDX-License-Identifier: Apache-2.0
 * Reads event files back: checks the framing and unpacks the events. */
#ifndef TESTS_SUPPORT_EVENT_FILES_H
#define TESTS_SUPPORT_EVENT_FILES_H

#include <string.h>

#include <events.pb-c.h>

#include "base/file.h"
#include "base/memory.h"

enum { TEST_MOST_EVENTS = 4000 };

typedef struct test_events {
    Icseg__Tensorboard__Event *event[TEST_MOST_EVENTS];
    int count;
} test_events;

/* CRC-32C bit by bit, in TFRecord's form. */
static inline uint32_t test_masked_crc(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < 8 * size; i++) {
        uint32_t bit = (crc ^ data[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

/* Appends the events of a file to `out`. */
static inline void test_read_events(test_events *out, const char *path) {
    unsigned char *data;
    size_t size;
    uint64_t length;
    uint32_t crc;
    assert_int_equal(icseg_file_read(path, 1 << 28, &data, &size, NULL), ICSEG_OK);
    for (size_t at = 0; at < size; at += 16 + length) {
        assert_true(size - at >= 16);
        memcpy(&length, data + at, sizeof length);
        memcpy(&crc, data + at + 8, sizeof crc);
        assert_int_equal(crc, test_masked_crc(data + at, 8));
        assert_true(length <= size - at - 16);
        memcpy(&crc, data + at + 12 + length, sizeof crc);
        assert_int_equal(crc, test_masked_crc(data + at + 12, length));
        assert_true(out->count < TEST_MOST_EVENTS);
        out->event[out->count] = icseg__tensorboard__event__unpack(NULL, length, data + at + 12);
        assert_non_null(out->event[out->count++]);
    }
    icseg_free(data);
}

static inline void test_close_events(test_events *events) {
    for (int i = 0; i < events->count; i++) icseg__tensorboard__event__free_unpacked(events->event[i], NULL);
    events->count = 0;
}

/* The value of an event of one value. */
static inline const Icseg__Tensorboard__Summary__Value *test_value(const test_events *events, int index) {
    const Icseg__Tensorboard__Event *e = events->event[index];
    assert_int_equal(e->what_case, ICSEG__TENSORBOARD__EVENT__WHAT_SUMMARY);
    assert_int_equal(e->summary->n_value, 1);
    return e->summary->value[0];
}

#endif

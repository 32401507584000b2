/* SPDX-License-Identifier: Apache-2.0
 * What a library that carries messages between processes provides (plugins/mpi.c). It is loaded with dlopen and does
 * not use libicseg. All calls come from one thread. A call that starts something returns at once; the data belong to
 * the transport until icseg_transport.test reports that it is done. Calls that can fail return NULL or a message, which
 * is valid until the next call. */
#ifndef ICSEG_GROUP_TRANSPORT_H
#define ICSEG_GROUP_TRANSPORT_H

#include <stdint.h>

enum { ICSEG_TRANSPORT_VERSION = 1 };

/* How values of all processes become one; of BF16, the upper halves of f32, the sums are rounded to nearest. */
typedef enum icseg_reduction {
    ICSEG_SUM_F32,
    ICSEG_SUM_F64,
    ICSEG_SUM_I32,
    ICSEG_SUM_I64,
    ICSEG_MAX_I64,
    ICSEG_SUM_BF16
} icseg_reduction;

/* Calls of one channel begin in the same order in all processes. */
typedef enum icseg_channel { ICSEG_CHANNEL_MAIN, ICSEG_CHANNEL_GRADIENTS, ICSEG_CHANNELS } icseg_channel;

typedef struct icseg_transport {
    int32_t rank, size;
    /* In place: data (count) become the sums or maxima over all processes, the same bits in each. */
    const char *(*reduce)(icseg_channel channel, icseg_reduction how, void *data, int32_t count, uint64_t *request);
    const char *(*broadcast)(void *data, int32_t bytes, uint64_t *request); /* rank 0's data, to all */
    /* all (size, bytes): the data of each process, in all of them */
    const char *(*gather)(const void *mine, int32_t bytes, void *all, uint64_t *request);
    const char *(*test)(uint64_t *request, int *done);
    void (*close)(void);
    void (*end_all)(int status); /* ends all processes */
} icseg_transport;

/* The library's only symbol: joins the other processes. Fails for a version that it does not know. */
#define ICSEG_TRANSPORT_OPEN "icseg_transport_open"
typedef const char *icseg_transport_open_function(icseg_transport *out, int32_t version);

#endif

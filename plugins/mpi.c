/* SPDX-License-Identifier: Apache-2.0
 * Messages between processes through MPI 3.1 (src/group/transport.h). Compiled once for each MPI, because their binary
 * interfaces differ. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "group/transport.h"

_Static_assert(sizeof(MPI_Request) <= sizeof(uint64_t), "a request fits");

static MPI_Comm channels[ICSEG_CHANNELS];
static MPI_Op sum_bf16;
static char message[MPI_MAX_ERROR_STRING + 64];

static const char *explain(const char *call, int code) {
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (code == MPI_SUCCESS) return NULL;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) snprintf(text, sizeof text, "error %d", code);
    snprintf(message, sizeof message, "%s: %s", call, text);
    return message;
}

static void keep(uint64_t *to, MPI_Request request) {
    *to = 0;
    memcpy(to, &request, sizeof request);
}

static float wide(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest, ties to even. A NaN stays one. */
static uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void add_bf16(void *in, void *inout, int *count, MPI_Datatype *type) {
    const uint16_t *a = in;
    uint16_t *b = inout;
    (void)type;
    for (int i = 0; i < *count; i++) b[i] = narrow(wide(a[i]) + wide(b[i]));
}

static const char *reduce(icseg_channel channel, icseg_reduction how, void *data, int32_t count, uint64_t *request) {
    const struct {
        MPI_Datatype type;
        MPI_Op op;
    } kinds[] = {[ICSEG_SUM_F32] = {MPI_FLOAT, MPI_SUM},   [ICSEG_SUM_F64] = {MPI_DOUBLE, MPI_SUM},
                 [ICSEG_SUM_I32] = {MPI_INT32_T, MPI_SUM}, [ICSEG_SUM_I64] = {MPI_INT64_T, MPI_SUM},
                 [ICSEG_MAX_I64] = {MPI_INT64_T, MPI_MAX}, [ICSEG_SUM_BF16] = {MPI_UINT16_T, sum_bf16}};
    MPI_Request started = MPI_REQUEST_NULL;
    int code = MPI_Iallreduce(MPI_IN_PLACE, data, count, kinds[how].type, kinds[how].op, channels[channel], &started);
    keep(request, started);
    return explain("MPI_Iallreduce", code);
}

static const char *broadcast(void *data, int32_t bytes, uint64_t *request) {
    MPI_Request started = MPI_REQUEST_NULL;
    int code = MPI_Ibcast(data, bytes, MPI_BYTE, 0, channels[ICSEG_CHANNEL_MAIN], &started);
    keep(request, started);
    return explain("MPI_Ibcast", code);
}

static const char *gather(const void *mine, int32_t bytes, void *all, uint64_t *request) {
    MPI_Request started = MPI_REQUEST_NULL;
    int code = MPI_Iallgather(mine, bytes, MPI_BYTE, all, bytes, MPI_BYTE, channels[ICSEG_CHANNEL_MAIN], &started);
    keep(request, started);
    return explain("MPI_Iallgather", code);
}

static const char *test(uint64_t *request, int *done) {
    MPI_Request r;
    memcpy(&r, request, sizeof r);
    int code = MPI_Test(&r, done, MPI_STATUS_IGNORE);
    keep(request, r);
    return explain("MPI_Test", code);
}

static void close_all(void) {
    for (int i = 0; i < ICSEG_CHANNELS; i++) MPI_Comm_free(&channels[i]);
    MPI_Op_free(&sum_bf16);
    MPI_Finalize();
}

static void end_all(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

__attribute__((visibility("default"))) icseg_transport_open_function icseg_transport_open;

const char *icseg_transport_open(icseg_transport *out, int32_t version) {
    int level, rank, size;
    if (version != ICSEG_TRANSPORT_VERSION) return "the library belongs to another version of icseg";
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    if (code != MPI_SUCCESS) return explain("MPI_Init_thread", code);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int i = 0; i < ICSEG_CHANNELS; i++) {
        code = MPI_Comm_dup(MPI_COMM_WORLD, &channels[i]);
        if (code != MPI_SUCCESS) return explain("MPI_Comm_dup", code);
        MPI_Comm_set_errhandler(channels[i], MPI_ERRORS_RETURN);
    }
    code = MPI_Op_create(add_bf16, 1, &sum_bf16);
    if (code != MPI_SUCCESS) return explain("MPI_Op_create", code);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    *out = (icseg_transport){rank, size, reduce, broadcast, gather, test, close_all, end_all};
    return NULL;
}

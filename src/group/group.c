/* SPDX-License-Identifier: Apache-2.0
 * Messages between the processes of a group, on a transport. Waiting never blocks in the transport: it polls, so that
 * all calls in flight make progress. */
#include "group/group.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/argument.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/text.h"
#include "group/launcher.h"

enum {
    PIECE = 1 << 24,  /* bytes of one message at most */
    PATIENCE = 2000,  /* polls without a pause; then the process lets others run */
    PAUSE = 50 * 1000 /* nanoseconds */
};

struct icseg_group {
    icseg_transport transport;
    uint64_t pending[ICSEG_GROUP_PENDING];
    int32_t pending_count;
    int32_t local_size; /* processes on this machine */
    bool failed_together;
    icseg_group_traffic traffic;
};

static icseg_status fail(const icseg_group *g, const char *why, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_IO, "process %d of %d cannot reach the others: %s", g->transport.rank,
                      g->transport.size, why);
}

static icseg_status count_neighbours(icseg_group *g, icseg_error *error) {
    char machine[256] = "", *all;
    size_t longest;
    gethostname(machine, sizeof machine - 1);
    ICSEG_TRY(icseg_group_gather_texts(g, machine, &all, &longest, error));
    for (int32_t i = 0; i < g->transport.size; i++) g->local_size += !strcmp(all + (size_t)i * longest, machine);
    icseg_free(all);
    return ICSEG_OK;
}

icseg_status icseg_group_open(icseg_group **out, icseg_error *error) {
    static bool opened;
    icseg_transport transport;
    bool alone;
    ICSEG_NEED(out);
    *out = NULL;
    icseg_launcher launcher;
    ICSEG_TRY(icseg_launcher_find(&launcher, &alone, error));
    if (alone) return ICSEG_OK;
    if (__atomic_exchange_n(&opened, true, __ATOMIC_SEQ_CST))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                          "this process has opened a group before; MPI can be started once");
    ICSEG_TRY(icseg_launcher_join(&launcher, &transport, error));
    icseg_group *g = icseg_calloc_array(1, sizeof *g);
    if (!g) {
        transport.close();
        return icseg_fail_memory(error, sizeof *g, "a group of processes");
    }
    g->transport = transport;
    icseg_status status = count_neighbours(g, error);
    if (status == ICSEG_OK)
        *out = g;
    else
        icseg_group_close(&g);
    return status;
}

void icseg_group_close(icseg_group **group) {
    if (!group || !*group) return;
    (*group)->transport.close();
    icseg_free(*group);
    *group = NULL;
}

void icseg_group_abort(icseg_group *group) {
    if (group) group->transport.end_all(1);
}

bool icseg_group_failed_together(const icseg_group *group) { return group && group->failed_together; }

int icseg_group_threads(const icseg_group *group) {
    int cores = icseg_cores();
    bool bound = cores < sysconf(_SC_NPROCESSORS_ONLN) && !icseg_cores_have_quota(); /* the launcher chose its cores */
    if (!group || bound) return cores;
    return cores > group->local_size ? cores / group->local_size : 1;
}

int32_t icseg_group_rank(const icseg_group *group) { return group ? group->transport.rank : 0; }
int32_t icseg_group_size(const icseg_group *group) { return group ? group->transport.size : 1; }

icseg_group_traffic icseg_group_traffic_of(const icseg_group *group) {
    return group ? group->traffic : (icseg_group_traffic){0};
}

void icseg_group_forget_traffic(icseg_group *group) {
    if (group) group->traffic = (icseg_group_traffic){0};
}

int64_t icseg_group_share(const icseg_group *group, int64_t count, int64_t *first) {
    int64_t rank = icseg_group_rank(group), size = icseg_group_size(group), each = count / size, rest = count % size;
    if (first) *first = rank * each + (rank < rest ? rank : rest);
    return each + (rank < rest);
}

/* -- sums in flight */

icseg_status icseg_group_progress(icseg_group *g, icseg_error *error) {
    int32_t left = 0;
    for (int32_t i = 0; g && i < g->pending_count; i++) {
        int done = 0;
        const char *why = g->transport.test(&g->pending[i], &done);
        if (why) return fail(g, why, error);
        if (!done) g->pending[left++] = g->pending[i];
    }
    if (g) g->pending_count = left;
    return ICSEG_OK;
}

static void pause_after(int polls) {
    const struct timespec pause = {0, PAUSE};
    if (polls < PATIENCE)
        sched_yield();
    else
        nanosleep(&pause, NULL);
}

icseg_status icseg_group_finish(icseg_group *g, icseg_error *error) {
    double start = icseg_clock();
    for (int polls = 0; g && g->pending_count > 0; polls++) {
        ICSEG_TRY(icseg_group_progress(g, error));
        if (g->pending_count > 0) pause_after(polls);
    }
    if (g) g->traffic.seconds += icseg_clock() - start;
    return ICSEG_OK;
}

static void count_bytes(icseg_group *g, size_t bytes) {
    g->traffic.messages++;
    g->traffic.bytes += (int64_t)bytes;
}

static size_t element_size(icseg_reduction how) {
    switch (how) {
    case ICSEG_SUM_BF16: return sizeof(uint16_t);
    case ICSEG_SUM_F32: return sizeof(float);
    case ICSEG_SUM_I32: return sizeof(int32_t);
    default: return sizeof(int64_t);
    }
}

icseg_status icseg_group_start_sum(icseg_group *g, icseg_reduction how, void *data, int64_t count, icseg_error *error) {
    const int64_t most = PIECE / (int64_t)element_size(how);
    for (int64_t at = 0; g && at < count; at += most) {
        int64_t size = count - at < most ? count - at : most;
        while (g->pending_count == ICSEG_GROUP_PENDING) {
            ICSEG_TRY(icseg_group_progress(g, error));
            sched_yield();
        }
        const char *why =
            g->transport.reduce(ICSEG_CHANNEL_GRADIENTS, how, (char *)data + (size_t)at * element_size(how),
                                (int32_t)size, &g->pending[g->pending_count]);
        if (why) return fail(g, why, error);
        g->pending_count++;
        count_bytes(g, (size_t)size * element_size(how));
    }
    return ICSEG_OK;
}

/* -- calls that wait */

static icseg_status wait_for(icseg_group *g, const char *why, uint64_t request, icseg_error *error) {
    double start = icseg_clock();
    for (int polls = 0; !why; polls++) {
        int done = 0;
        why = g->transport.test(&request, &done);
        if (done && !why) break;
        if (!why) ICSEG_TRY(icseg_group_progress(g, error));
        pause_after(polls);
    }
    g->traffic.seconds += icseg_clock() - start;
    return why ? fail(g, why, error) : ICSEG_OK;
}

icseg_status icseg_group_reduce(icseg_group *g, icseg_reduction how, void *data, int64_t count, icseg_error *error) {
    const int64_t most = PIECE / (int64_t)element_size(how);
    for (int64_t at = 0; g && at < count; at += most) {
        int64_t size = count - at < most ? count - at : most;
        uint64_t request = 0;
        const char *why = g->transport.reduce(ICSEG_CHANNEL_MAIN, how, (char *)data + (size_t)at * element_size(how),
                                              (int32_t)size, &request);
        ICSEG_TRY(wait_for(g, why, request, error));
        count_bytes(g, (size_t)size * element_size(how));
    }
    return ICSEG_OK;
}

icseg_status icseg_group_broadcast(icseg_group *g, void *data, size_t bytes, icseg_error *error) {
    for (size_t at = 0; g && at < bytes; at += PIECE) {
        size_t size = bytes - at < PIECE ? bytes - at : PIECE;
        uint64_t request = 0;
        const char *why = g->transport.broadcast((char *)data + at, (int32_t)size, &request);
        ICSEG_TRY(wait_for(g, why, request, error));
        count_bytes(g, size);
    }
    return ICSEG_OK;
}

icseg_status icseg_group_gather(icseg_group *g, const void *mine, size_t bytes, void *all, icseg_error *error) {
    if (!g) {
        memcpy(all, mine, bytes);
        return ICSEG_OK;
    }
    if (bytes > INT32_MAX / (size_t)g->transport.size)
        return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%zu bytes are too many to be gathered at once", bytes);
    uint64_t request = 0;
    const char *why = g->transport.gather(mine, (int32_t)bytes, all, &request);
    count_bytes(g, bytes);
    return wait_for(g, why, request, error);
}

icseg_status icseg_group_gather_texts(icseg_group *g, const char *mine, char **all, size_t *longest,
                                      icseg_error *error) {
    int64_t most = (int64_t)strlen(mine) + 1;
    *all = NULL;
    ICSEG_TRY(icseg_group_reduce(g, ICSEG_MAX_I64, &most, 1, error));
    *longest = (size_t)most;
    char *own = icseg_calloc_array((size_t)most, 1);
    *all = icseg_calloc_array((size_t)most, (size_t)icseg_group_size(g));
    icseg_status status = own && *all ? ICSEG_OK : icseg_fail_memory(error, (size_t)most, "the texts of all processes");
    if (status == ICSEG_OK) memcpy(own, mine, strlen(mine) + 1);
    if (status == ICSEG_OK) status = icseg_group_gather(g, own, (size_t)most, *all, error);
    icseg_free(own);
    if (status == ICSEG_OK) return ICSEG_OK;
    icseg_free(*all);
    *all = NULL;
    return status;
}

/* What a process tells the others. */
typedef struct vote {
    int32_t status;
    icseg_error error;
} vote;

/* The first process that fails decides, and one that fails for another reason than a wish to stop comes first. */
static const vote *first_failure(const vote *all, int32_t size) {
    const vote *found = NULL;
    for (int32_t i = 0; i < size; i++)
        if (all[i].status != ICSEG_OK &&
            (!found || (found->status == ICSEG_ERROR_CANCELLED && all[i].status != ICSEG_ERROR_CANCELLED)))
            found = &all[i];
    return found;
}

icseg_status icseg_group_agree(icseg_group *g, icseg_status status, icseg_error *error) {
    if (!g) return status;
    int64_t worst = status != ICSEG_OK;
    ICSEG_TRY(icseg_group_reduce(g, ICSEG_MAX_I64, &worst, 1, error));
    if (!worst) return ICSEG_OK;
    vote own = {.status = status};
    if (error && status != ICSEG_OK) own.error = *error;
    vote *all = icseg_calloc_array((size_t)g->transport.size, sizeof *all);
    if (!all) return icseg_fail_memory(error, 0, "the messages of all processes");
    icseg_status gathered = icseg_group_gather(g, &own, sizeof own, all, error);
    const vote *failed = gathered == ICSEG_OK ? first_failure(all, g->transport.size) : NULL;
    if (failed) {
        gathered = (icseg_status)failed->status;
        if (error) *error = failed->error;
        if (failed - all != g->transport.rank) icseg_fail_prefix(error, "process %d", (int)(failed - all));
    }
    icseg_free(all);
    g->failed_together = failed != NULL;
    return gathered;
}

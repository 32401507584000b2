/* SPDX-License-Identifier: Apache-2.0
 * Threads and the ring of batches. Threads claim samples in order and write them to the slot of their batch. A slot
 * becomes free when the caller asks for the next batch. One mutex guards everything except the samples' parts. */
#include "loader/ring.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "base/signals.h"

enum { MAX_BATCH = 65536, MAX_THREADS = 256, MAX_AHEAD = 64 };

typedef struct slot {
    char *part[ICSEG_RING_PARTS];
    int64_t *item;     /* (B) */
    int32_t finished;  /* samples made or failed */
    int32_t failed_at; /* lowest position that failed, or B */
    icseg_error error; /* of the sample at failed_at */
} slot;

struct icseg_ring {
    icseg_ring_options options;
    pthread_mutex_t lock;
    pthread_cond_t freed, finished; /* a slot became free; a batch became complete */
    bool lock_open, freed_open, finished_open, stop;
    pthread_t *threads; /* (started) */
    int32_t started, slot_count;
    slot *slots;      /* (slot_count): batch s is in slot s % slot_count */
    uint64_t claimed; /* next sample to be claimed */
    int64_t taken;    /* the step that the caller gets next; slots of steps below taken - 1 are free */
    bool holding;     /* the caller reads the batch of step taken - 1 */
    uint32_t *order;  /* (items): the permutation of `epoch` */
    uint64_t epoch;
    bool ordered;
};

/* The item of sample n. As claims ascend, each epoch is shuffled once. */
static int64_t item_of(icseg_ring *r, uint64_t n) {
    uint64_t count = (uint64_t)r->options.items, epoch = n / count;
    int64_t picked = r->options.pick ? r->options.pick(r->options.user, n) : -1;
    if (picked >= 0) return picked;
    if (!r->ordered || r->epoch != epoch) {
        for (uint32_t i = 0; i < count; i++) r->order[i] = i;
        icseg_rng rng = icseg_rng_open(r->options.seed, ICSEG_RNG_SHUFFLE, epoch);
        icseg_rng_shuffle(&rng, r->order, (uint32_t)count);
        r->epoch = epoch;
        r->ordered = true;
    }
    return r->order[n % count];
}

static void *work(void *user) {
    icseg_ring *r = user;
    const icseg_ring_options *o = &r->options;
    const int32_t batch = o->batch;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        int64_t oldest = r->holding ? r->taken - 1 : r->taken;
        if (r->stop) break;
        if ((int64_t)(r->claimed / (uint64_t)batch) >= oldest + r->slot_count) {
            pthread_cond_wait(&r->freed, &r->lock);
            continue;
        }
        uint64_t claimed = r->claimed++, step = claimed / (uint64_t)batch;
        slot *s = &r->slots[step % (uint64_t)r->slot_count];
        int32_t position = (int32_t)(claimed % (uint64_t)batch);
        uint64_t n = (step * (uint64_t)o->shares + (uint64_t)o->share) * (uint64_t)batch + (uint64_t)position;
        int64_t item = s->item[position] = item_of(r, n);
        pthread_mutex_unlock(&r->lock);

        icseg_error error;
        void *part[ICSEG_RING_PARTS];
        for (int i = 0; i < ICSEG_RING_PARTS; i++) part[i] = s->part[i] + (size_t)position * o->bytes[i];
        icseg_status status = o->make(o->user, n, item, part, &error);
        pthread_mutex_lock(&r->lock);
        if (status != ICSEG_OK && position < s->failed_at) {
            s->failed_at = position;
            s->error = error;
        }
        if (++s->finished == batch) pthread_cond_signal(&r->finished);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static icseg_status check_options(const icseg_ring_options *o, icseg_error *error) {
    const struct {
        const char *name;
        int32_t value, max;
    } ranges[] = {{"batch", o->batch, MAX_BATCH}, {"threads", o->threads, MAX_THREADS}, {"ahead", o->ahead, MAX_AHEAD}};
    for (int i = 0; i < 3; i++)
        if (ranges[i].value < 1 || ranges[i].value > ranges[i].max)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: %s is %d; expected 1 to %d", ranges[i].name,
                              ranges[i].value, ranges[i].max);
    if (o->first_step < 0 || o->first_step > INT64_MAX / 2 / o->batch / (o->shares > 1 ? o->shares : 1))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: first_step is %lld; expected 0 or more",
                          (long long)o->first_step);
    if (o->items < 1 || o->items > UINT32_MAX)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: there are %lld items; expected 1 to 2^32 - 1",
                          (long long)o->items);
    return ICSEG_OK;
}

static icseg_status open_slots(icseg_ring *r, icseg_error *error) {
    const icseg_ring_options *o = &r->options;
    size_t batch = (size_t)o->batch;
    r->slot_count = o->ahead + 1; /* and the one that the caller reads */
    r->slots = icseg_calloc_array((size_t)r->slot_count, sizeof *r->slots);
    if (!r->slots) return icseg_fail_memory(error, (size_t)r->slot_count * sizeof *r->slots, "the loader");
    for (int32_t i = 0; i < r->slot_count; i++) {
        slot *s = &r->slots[i];
        bool complete = (s->item = icseg_calloc_array(batch, sizeof *s->item)) != NULL;
        s->failed_at = o->batch;
        for (int p = 0; p < ICSEG_RING_PARTS; p++)
            complete &= (s->part[p] = icseg_alloc_array(batch, o->bytes[p])) != NULL;
        if (!complete)
            return icseg_fail_memory(error, batch * (o->bytes[0] + o->bytes[1]),
                                     "a batch; reduce the batch size or the crop");
    }
    return ICSEG_OK;
}

/* The loader's threads block all signals, which are for the program's own threads. */
static icseg_status start_threads(icseg_ring *r, icseg_error *error) {
    sigset_t all, before;
    int reason = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (r->started < r->options.threads && !(reason = icseg_signals_start_thread(&r->threads[r->started], work, r)))
        r->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason)
        return icseg_fail(error, ICSEG_ERROR_MEMORY, "loader: cannot start thread %d of %d: %s", r->started + 1,
                          r->options.threads, strerror(reason));
    return ICSEG_OK;
}

icseg_status icseg_ring_open(icseg_ring **out, const icseg_ring_options *options, icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(check_options(options, error));
    icseg_ring *r = icseg_calloc_array(1, sizeof *r);
    if (!r) return icseg_fail_memory(error, sizeof *r, "the loader");
    icseg_status status;
    r->options = *options;
    if (r->options.shares < 1) r->options.shares = 1;
    r->taken = options->first_step;
    r->claimed = (uint64_t)options->first_step * (uint64_t)options->batch;
    r->lock_open = !pthread_mutex_init(&r->lock, NULL);
    r->freed_open = !pthread_cond_init(&r->freed, NULL);
    r->finished_open = !pthread_cond_init(&r->finished, NULL);
    r->threads = icseg_calloc_array((size_t)options->threads, sizeof *r->threads);
    r->order = icseg_alloc_array((size_t)options->items, sizeof *r->order);
    if (!r->lock_open || !r->freed_open || !r->finished_open || !r->threads || !r->order) {
        status = icseg_fail_memory(error, (size_t)options->items * sizeof *r->order, "the loader");
        goto fail;
    }
    ICSEG_TRY_GOTO(open_slots(r, error));
    ICSEG_TRY_GOTO(start_threads(r, error));
    *out = r;
    return ICSEG_OK;
fail:
    icseg_ring_close(&r);
    return status;
}

icseg_status icseg_ring_next(icseg_ring *r, icseg_ring_batch *out, icseg_error *error) {
    *out = (icseg_ring_batch){0};
    icseg_status status = ICSEG_OK;
    pthread_mutex_lock(&r->lock);
    if (r->holding) {
        slot *last = &r->slots[(r->taken - 1) % r->slot_count];
        last->finished = 0;
        last->failed_at = r->options.batch;
        r->holding = false;
        pthread_cond_broadcast(&r->freed);
    }
    slot *s = &r->slots[r->taken % r->slot_count];
    while (s->finished < r->options.batch) pthread_cond_wait(&r->finished, &r->lock);
    if (s->failed_at < r->options.batch) {
        if (error) *error = s->error;
        status = s->error.status;
    } else
        *out = (icseg_ring_batch){.step = r->taken, .part = {s->part[0], s->part[1]}, .item = s->item};
    r->taken++;
    r->holding = true;
    pthread_mutex_unlock(&r->lock);
    return status;
}

void icseg_ring_close(icseg_ring **ring) {
    if (!ring || !*ring) return;
    icseg_ring *r = *ring;
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_broadcast(&r->freed);
        pthread_mutex_unlock(&r->lock);
        for (int32_t i = 0; i < r->started; i++) pthread_join(r->threads[i], NULL);
    }
    for (int32_t i = 0; r->slots && i < r->slot_count; i++) {
        for (int p = 0; p < ICSEG_RING_PARTS; p++) icseg_free(r->slots[i].part[p]);
        icseg_free(r->slots[i].item);
    }
    if (r->finished_open) pthread_cond_destroy(&r->finished);
    if (r->freed_open) pthread_cond_destroy(&r->freed);
    if (r->lock_open) pthread_mutex_destroy(&r->lock);
    icseg_free(r->slots);
    icseg_free(r->threads);
    icseg_free(r->order);
    icseg_free(r);
    *ring = NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * Loader threads and the ring of batches. Threads claim samples in order and write them to the slot of their batch. A
 * slot becomes free when the caller asks for the next batch. One mutex guards everything except the pixels. */
#include "loader/loader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/memory.h"
#include "base/signals.h"

enum { MAX_BATCH = 65536, MAX_THREADS = 256, MAX_AHEAD = 64 };

typedef struct slot {
    float *image;      /* (B, crop_h, crop_w, 3) */
    int16_t *labels;   /* (B, crop_h, crop_w) */
    int64_t *sample;   /* (B) */
    int32_t finished;  /* samples written or failed */
    int32_t failed_at; /* lowest position that failed, or B */
    icseg_error error; /* of the sample at failed_at */
} slot;

struct icseg_loader {
    const icseg_dataset *dataset;
    icseg_loader_options options;
    pthread_mutex_t lock;
    pthread_cond_t freed, finished; /* a slot became free; a batch became complete */
    bool lock_open, freed_open, finished_open, stop;
    pthread_t *threads; /* (started) */
    int32_t started, slot_count;
    slot *slots;      /* (slot_count): batch s is in slot s % slot_count */
    uint64_t claimed; /* next sample to be claimed */
    int64_t taken;    /* the step that the caller gets next; slots of steps below taken - 1 are free */
    bool holding;     /* the caller reads the batch of step taken - 1 */
    uint32_t *order;  /* (count): the permutation of `epoch` */
    uint64_t epoch;
    bool ordered;
};

/* The image of sample n. As claims ascend, each epoch is shuffled once. */
static int64_t image_of(icseg_loader *l, uint64_t n) {
    uint64_t count = (uint64_t)icseg_dataset_count(l->dataset), epoch = n / count;
    if (!l->ordered || l->epoch != epoch) {
        for (uint32_t i = 0; i < count; i++) l->order[i] = i;
        icseg_rng rng = icseg_rng_open(l->options.seed, ICSEG_RNG_SHUFFLE, epoch);
        icseg_rng_shuffle(&rng, l->order, (uint32_t)count);
        l->epoch = epoch;
        l->ordered = true;
    }
    return l->order[n % count];
}

static icseg_status make_sample(const icseg_loader *l, uint64_t n, int64_t index, float *image, int16_t *labels,
                                icseg_error *error) {
    icseg_image source;
    icseg_labels map;
    ICSEG_TRY(icseg_dataset_read(l->dataset, index, &source, &map, error));
    icseg_rng rng = icseg_rng_open(l->options.seed, ICSEG_RNG_AUGMENT, n);
    icseg_status status = icseg_augment(&l->options.augment, &rng, &source, &map, image, labels, error);
    icseg_image_close(&source);
    icseg_labels_close(&map);
    return status;
}

static void *work(void *user) {
    icseg_loader *l = user;
    const int32_t batch = l->options.batch;
    const size_t pixels = (size_t)l->options.augment.crop_height * (size_t)l->options.augment.crop_width;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        int64_t oldest = l->holding ? l->taken - 1 : l->taken;
        if (l->stop) break;
        if ((int64_t)(l->claimed / (uint64_t)batch) >= oldest + l->slot_count) {
            pthread_cond_wait(&l->freed, &l->lock);
            continue;
        }
        uint64_t n = l->claimed++;
        slot *s = &l->slots[n / (uint64_t)batch % (uint64_t)l->slot_count];
        int32_t position = (int32_t)(n % (uint64_t)batch);
        int64_t index = s->sample[position] = image_of(l, n);
        pthread_mutex_unlock(&l->lock);

        icseg_error error;
        icseg_status status = make_sample(l, n, index, s->image + (size_t)position * pixels * 3,
                                          s->labels + (size_t)position * pixels, &error);
        pthread_mutex_lock(&l->lock);
        if (status != ICSEG_OK && position < s->failed_at) {
            s->failed_at = position;
            s->error = error;
        }
        if (++s->finished == batch) pthread_cond_signal(&l->finished);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static icseg_status check_options(const icseg_dataset *dataset, const icseg_loader_options *o, icseg_error *error) {
    const struct {
        const char *name;
        int32_t value, max;
    } ranges[] = {{"batch", o->batch, MAX_BATCH}, {"threads", o->threads, MAX_THREADS}, {"ahead", o->ahead, MAX_AHEAD}};
    for (int i = 0; i < 3; i++)
        if (ranges[i].value < 1 || ranges[i].value > ranges[i].max)
            return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: %s is %d; expected 1 to %d", ranges[i].name,
                              ranges[i].value, ranges[i].max);
    if (o->first_step < 0 || o->first_step > INT64_MAX / 2 / o->batch)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: first_step is %lld; expected 0 or more",
                          (long long)o->first_step);
    if (!icseg_dataset_label_path(dataset, 0))
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "loader: the data set was opened without labels");
    return icseg_augment_check(&o->augment, error);
}

static icseg_status open_slots(icseg_loader *l, icseg_error *error) {
    const size_t batch = (size_t)l->options.batch;
    const size_t pixels = (size_t)l->options.augment.crop_height * (size_t)l->options.augment.crop_width * batch;
    l->slot_count = l->options.ahead + 1; /* and the one that the caller reads */
    l->slots = icseg_calloc_array((size_t)l->slot_count, sizeof *l->slots);
    if (!l->slots) return icseg_fail_memory(error, (size_t)l->slot_count * sizeof *l->slots, "the loader");
    for (int32_t i = 0; i < l->slot_count; i++) {
        slot *s = &l->slots[i];
        s->failed_at = l->options.batch;
        s->image = icseg_alloc_array(pixels, 3 * sizeof *s->image);
        s->labels = icseg_alloc_array(pixels, sizeof *s->labels);
        s->sample = icseg_calloc_array(batch, sizeof *s->sample);
        if (!s->image || !s->labels || !s->sample)
            return icseg_fail_memory(error, pixels * (3 * sizeof *s->image + sizeof *s->labels),
                                     "a batch; reduce the batch size or the crop");
    }
    return ICSEG_OK;
}

/* The loader's threads block all signals, which are for the program's own threads. */
static icseg_status start_threads(icseg_loader *l, icseg_error *error) {
    sigset_t all, before;
    int reason = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->started < l->options.threads && !(reason = icseg_signals_start_thread(&l->threads[l->started], work, l)))
        l->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason)
        return icseg_fail(error, ICSEG_ERROR_MEMORY, "loader: cannot start thread %d of %d: %s", l->started + 1,
                          l->options.threads, strerror(reason));
    return ICSEG_OK;
}

icseg_status icseg_loader_open(icseg_loader **out, const icseg_dataset *dataset, const icseg_loader_options *options,
                               icseg_error *error) {
    *out = NULL;
    ICSEG_TRY(check_options(dataset, options, error));
    icseg_loader *l = icseg_calloc_array(1, sizeof *l);
    if (!l) return icseg_fail_memory(error, sizeof *l, "the loader");
    icseg_status status;
    l->dataset = dataset;
    l->options = *options;
    l->taken = options->first_step;
    l->claimed = (uint64_t)options->first_step * (uint64_t)options->batch;
    l->lock_open = !pthread_mutex_init(&l->lock, NULL);
    l->freed_open = !pthread_cond_init(&l->freed, NULL);
    l->finished_open = !pthread_cond_init(&l->finished, NULL);
    l->threads = icseg_calloc_array((size_t)options->threads, sizeof *l->threads);
    l->order = icseg_alloc_array((size_t)icseg_dataset_count(dataset), sizeof *l->order);
    if (!l->lock_open || !l->freed_open || !l->finished_open || !l->threads || !l->order) {
        status = icseg_fail_memory(error, (size_t)icseg_dataset_count(dataset) * sizeof *l->order, "the loader");
        goto fail;
    }
    ICSEG_TRY_GOTO(open_slots(l, error));
    ICSEG_TRY_GOTO(start_threads(l, error));
    *out = l;
    return ICSEG_OK;
fail:
    icseg_loader_close(&l);
    return status;
}

icseg_status icseg_loader_next(icseg_loader *l, icseg_loader_batch *out, icseg_error *error) {
    *out = (icseg_loader_batch){0};
    icseg_status status = ICSEG_OK;
    pthread_mutex_lock(&l->lock);
    if (l->holding) {
        slot *last = &l->slots[(l->taken - 1) % l->slot_count];
        last->finished = 0;
        last->failed_at = l->options.batch;
        l->holding = false;
        pthread_cond_broadcast(&l->freed);
    }
    slot *s = &l->slots[l->taken % l->slot_count];
    while (s->finished < l->options.batch) pthread_cond_wait(&l->finished, &l->lock);
    if (s->failed_at < l->options.batch) {
        if (error) *error = s->error;
        status = s->error.status;
    } else
        *out = (icseg_loader_batch){
            .step = l->taken, .size = l->options.batch, .image = s->image, .labels = s->labels, .sample = s->sample};
    l->taken++;
    l->holding = true;
    pthread_mutex_unlock(&l->lock);
    return status;
}

void icseg_loader_close(icseg_loader **loader) {
    if (!loader || !*loader) return;
    icseg_loader *l = *loader;
    if (l->started) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_broadcast(&l->freed);
        pthread_mutex_unlock(&l->lock);
        for (int32_t i = 0; i < l->started; i++) pthread_join(l->threads[i], NULL);
    }
    for (int32_t i = 0; l->slots && i < l->slot_count; i++) {
        icseg_free(l->slots[i].image);
        icseg_free(l->slots[i].labels);
        icseg_free(l->slots[i].sample);
    }
    if (l->finished_open) pthread_cond_destroy(&l->finished);
    if (l->freed_open) pthread_cond_destroy(&l->freed);
    if (l->lock_open) pthread_mutex_destroy(&l->lock);
    icseg_free(l->slots);
    icseg_free(l->threads);
    icseg_free(l->order);
    icseg_free(l);
    *loader = NULL;
}

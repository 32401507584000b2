/* SPDX-License-Identifier: Apache-2.0
 * LLVM's OpenMP runtime has a function that sets how long teams spin. GCC's lets them spin for a moment only if there
 * are more OpenMP threads than cores (GOMP_SPINCOUNT in its manual): so that there are, the library keeps a second
 * team, which sleeps. */
#include "base/waiting.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/signals.h"
#include "base/system.h"

/* -- deciding */

/* The kernel counts the time of processes in ticks of up to 10 ms. */
static const double INTERVAL = 0.1; /* seconds between measurements */
static const double BUSY_WAIT = 0.1, BUSY_OTHERS = 0.3, QUIET_OTHERS = 0.2;
enum { QUIET_MEASUREMENTS = 10 };

/* A thread also waits for a core because of the program's other threads, which sleeping would not help. A team that
 * sleeps waits for its own wake-ups, so that only the other processes tell when the machine is quiet again. With a
 * quota, a waiting thread has been stopped by the kernel, because spinning uses up the quota. */
bool icseg_waiting_decide(bool sleeping, icseg_machine_load load, int *quiet) {
    *quiet = load.others < QUIET_OTHERS && !load.quota ? *quiet + 1 : 0;
    return sleeping ? *quiet < QUIET_MEASUREMENTS
                    : load.waited >= BUSY_WAIT && (load.quota || load.others >= BUSY_OTHERS);
}

/* -- LLVM's runtime */

void kmp_set_blocktime(int milliseconds) __attribute__((weak)); /* of the calling thread's teams */
enum { LLVM_DEFAULT = 200 };

/* -- GCC's runtime */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    pthread_t thread;
    bool open, stop;
    int team; /* threads */
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

/* Has a team, whose threads sleep after an empty region and end with this thread. */
static void *keep(void *user) {
    (void)user;
#pragma omp parallel num_threads(keeper.team)
    __asm__ volatile("");
    pthread_mutex_lock(&keeper.lock);
    while (!keeper.stop) pthread_cond_wait(&keeper.change, &keeper.lock);
    pthread_mutex_unlock(&keeper.lock);
    return NULL;
}

/* Called by one thread at a time. */
static void set_keeper(bool open) {
    if (open == keeper.open) return;
    if (open) {
        int spare = omp_get_num_procs() - omp_get_max_threads() + 1;
        keeper.team = spare > 2 ? spare : 2;
        keeper.stop = false;
        keeper.open = icseg_signals_start_thread(&keeper.thread, keep, NULL) == 0;
        return;
    }
    pthread_mutex_lock(&keeper.lock);
    keeper.stop = true;
    pthread_cond_signal(&keeper.change);
    pthread_mutex_unlock(&keeper.lock);
    pthread_join(keeper.thread, NULL);
    keeper.open = false;
}

/* The code of keep() must not disappear while a thread runs it. */
__attribute__((destructor)) static void close_keeper(void) { set_keeper(false); }

/* -- measuring */

/* All in seconds since some point in time. */
typedef struct measurement {
    double time;
    double ran, waited; /* of the calling thread: on a core, and for a core */
    double busy, own;   /* of all cores; of this process */
} measurement;

/* The numbers behind `word` in a file's first line; false if they are fewer than `count`. */
static bool read_numbers(const char *path, const char *word, int count, unsigned long long *out) {
    char line[512];
    FILE *file = fopen(path, "re");
    if (!file) return false;
    char *at = fgets(line, sizeof line, file), *end;
    (void)fclose(file);
    if (!at || strncmp(at, word, strlen(word)) != 0) return false;
    at += strlen(word);
    for (int i = 0; i < count; i++, at = end) {
        out[i] = strtoull(at, &end, 10);
        if (end == at) return false;
    }
    return true;
}

static bool read_thread(measurement *m) {
    unsigned long long time[2];
    if (!read_numbers("/proc/thread-self/schedstat", "", 2, time)) return false;
    m->ran = 1e-9 * (double)time[0];
    m->waited = 1e-9 * (double)time[1];
    return true;
}

/* Time that a hypervisor takes away (steal) is other processes' time too. */
static bool read_machine(measurement *m) {
    enum { USER, NICE, SYSTEM, IDLE, IO, IRQ, SOFT_IRQ, STEAL, COUNTS };
    unsigned long long ticks[COUNTS];
    struct timespec own;
    if (!read_numbers("/proc/stat", "cpu ", COUNTS, ticks) || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own) != 0)
        return false;
    m->busy = (double)(ticks[USER] + ticks[NICE] + ticks[SYSTEM] + ticks[IRQ] + ticks[SOFT_IRQ] + ticks[STEAL]) /
              (double)sysconf(_SC_CLK_TCK);
    m->own = (double)own.tv_sec + 1e-9 * (double)own.tv_nsec;
    return true;
}

/* The load since `before`. */
static icseg_machine_load load_between(const measurement *before, const measurement *now) {
    double ran = now->ran - before->ran, waited = now->waited - before->waited;
    double others = now->busy - before->busy - (now->own - before->own), time = now->time - before->time;
    return (icseg_machine_load){ran + waited > 0 ? waited / (ran + waited) : 0, time > 0 ? others / time : 0,
                                icseg_cores_have_quota()};
}

/* -- adapting */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool sleeping;

/* Called under the lock. */
static void set(bool sleep) {
    if (!kmp_set_blocktime) set_keeper(sleep);
    sleeping = sleep;
}

void icseg_waiting_set(bool sleep) {
    pthread_mutex_lock(&lock);
    set(sleep);
    pthread_mutex_unlock(&lock);
}

static bool user_has_decided(void) {
    return getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME");
}

void icseg_waiting_adapt(void) {
    static _Thread_local measurement before; /* of this thread */
    static int quiet;                        /* under the lock */
    measurement now = {.time = icseg_clock()};
    if (now.time - before.time < INTERVAL) return;
    bool first = before.time == 0, known = !user_has_decided() && read_thread(&now) && read_machine(&now);
    icseg_machine_load load = load_between(&before, &now);
    before = now;
    if (first || !known) return;
    pthread_mutex_lock(&lock);
    bool sleep = icseg_waiting_decide(sleeping, load, &quiet);
    if (sleep != sleeping) set(sleep);
    pthread_mutex_unlock(&lock);
    if (kmp_set_blocktime) kmp_set_blocktime(sleep ? 0 : LLVM_DEFAULT);
}

/* SPDX-License-Identifier: Apache-2.0
 * How the threads of an OpenMP team wait for each other. OpenMP's runtimes let them spin for milliseconds. That is the
 * fastest way on a machine that nothing else uses, and by far the slowest on a busy one: spinning threads take cores
 * from the threads that they wait for. The library lets them sleep while other processes use the machine. */
#ifndef ICSEG_BASE_WAITING_H
#define ICSEG_BASE_WAITING_H

#include <stdbool.h>

/* Measures from time to time how busy the machine is, and has teams sleep or spin accordingly. Call it often, between
 * parallel regions: usually it only reads the clock. It does nothing if the user has set OMP_WAIT_POLICY,
 * GOMP_SPINCOUNT or KMP_BLOCKTIME, or where the kernel does not count. Thread-safe. */
void icseg_waiting_adapt(void);

/* What icseg_waiting_adapt measures. */
typedef struct icseg_machine_load {
    double waited; /* share of the time in which the calling thread could run that it waited for a core */
    double others; /* cores that other processes use, on average */
    bool quota;    /* a control group grants fewer cores than the process may run on */
} icseg_machine_load;

/* Whether teams sleep from now on. quiet: successive measurements without other processes, counted here. */
bool icseg_waiting_decide(bool sleeping, icseg_machine_load load, int *quiet);

/* Has teams sleep (true) or spin, until icseg_waiting_adapt decides otherwise. */
void icseg_waiting_set(bool sleep);

#endif

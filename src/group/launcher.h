/* SPDX-License-Identifier: Apache-2.0
 * Which launcher started this process together with others, and the library with its MPI. */
#ifndef ICSEG_GROUP_LAUNCHER_H
#define ICSEG_GROUP_LAUNCHER_H

#include <stdbool.h>

#include "base/error.h"
#include "group/transport.h"

typedef struct icseg_launcher {
    const char *library; /* "openmpi", "mpich", or a path */
} icseg_launcher;

/* Reads the environment. *alone: this process was not started together with others. */
icseg_status icseg_launcher_find(icseg_launcher *out, bool *alone, icseg_error *error);

/* Loads the library and joins the other processes. */
icseg_status icseg_launcher_join(const icseg_launcher *launcher, icseg_transport *out, icseg_error *error);

#endif

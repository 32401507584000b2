/* SPDX-License-Identifier: Apache-2.0
 * Finds the launcher in the environment, and loads the library for its MPI from libicseg's directory. */
#include "group/launcher.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A launcher sets these variables. `with`: set as well; NULL: not needed. */
typedef struct trace {
    const char *size, *with, *library;
} trace;

static const trace traces[] = {
    {"OMPI_COMM_WORLD_SIZE", NULL, "openmpi"}, {"SLURM_NTASKS", "PMIX_RANK", "openmpi"}, {"PMI_SIZE", NULL, "mpich"}};

icseg_status icseg_launcher_find(icseg_launcher *out, bool *alone, icseg_error *error) {
    const char *chosen = getenv("ICSEG_MPI");
    *out = (icseg_launcher){0};
    *alone = true;
    if (chosen && !strcmp(chosen, "off")) return ICSEG_OK;
    for (size_t i = 0; i < sizeof traces / sizeof *traces && *alone; i++) {
        const char *size = getenv(traces[i].size);
        if (!size || (traces[i].with && !getenv(traces[i].with)) || strtol(size, NULL, 10) < 2) continue;
        *alone = false;
        out->library = traces[i].library;
    }
    if (*alone || !chosen || !chosen[0]) return ICSEG_OK;
    out->library = chosen;
    if (!strcmp(chosen, "openmpi") || !strcmp(chosen, "mpich") || strchr(chosen, '/')) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_ARGUMENT,
                      "the environment variable ICSEG_MPI is \"%s\"; expected openmpi, mpich, off, or the path of a "
                      "library",
                      chosen);
}

/* The directory of the file that contains this code, with "/" at the end; "" if it is not known. */
static void own_directory(char *out, size_t size) {
    Dl_info info;
    const char *slash = NULL;
    if (dladdr((void *)(uintptr_t)&icseg_launcher_join, &info) && info.dli_fname) slash = strrchr(info.dli_fname, '/');
    snprintf(out, size, "%.*s", slash ? (int)(slash + 1 - info.dli_fname) : 0, slash ? info.dli_fname : "");
}

static void *load(const char *library, char *path, size_t size) {
    char directory[PATH_MAX];
    if (strchr(library, '/')) {
        snprintf(path, size, "%s", library);
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    own_directory(directory, sizeof directory);
    snprintf(path, size, "%.3900slibicseg_mpi_%s.so", directory, library);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

icseg_status icseg_launcher_join(const icseg_launcher *launcher, icseg_transport *out, icseg_error *error) {
    char path[PATH_MAX];
    icseg_transport_open_function *open = NULL;
    void *library = load(launcher->library, path, sizeof path);
    if (library) *(void **)&open = dlsym(library, ICSEG_TRANSPORT_OPEN);
    if (!open) {
        const char *why = dlerror();
        if (library) dlclose(library);
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "this process was started by MPI, but the library for it cannot be loaded: %s; install it, "
                          "build icseg with ICSEG_MPI=ON, or set the environment variable ICSEG_MPI",
                          why ? why : path);
    }
    const char *why = open(out, ICSEG_TRANSPORT_VERSION); /* the library stays loaded: MPI needs it until the end */
    return why ? icseg_fail(error, ICSEG_ERROR_IO, "%s: %s", path, why) : ICSEG_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * Loads FFmpeg's libraries, in the versions whose headers the build used. */
#include "video/av.h"

#include <dlfcn.h>
#include <libavdevice/version_major.h>
#include <pthread.h>
#include <stdio.h>

#define TEXT_OF(number) #number
#define TEXT(number)    TEXT_OF(number)
#define UTIL_NAME       "libavutil.so." TEXT(LIBAVUTIL_VERSION_MAJOR)
#define CODEC_NAME      "libavcodec.so." TEXT(LIBAVCODEC_VERSION_MAJOR)
#define FORMAT_NAME     "libavformat.so." TEXT(LIBAVFORMAT_VERSION_MAJOR)
#define SCALE_NAME      "libswscale.so." TEXT(LIBSWSCALE_VERSION_MAJOR)
#define DEVICE_NAME     "libavdevice.so." TEXT(LIBAVDEVICE_VERSION_MAJOR)

/* Written once, under pthread_once. The libraries stay loaded until the process ends. */
static icseg_av functions;
static char problem[256], device_problem[256];
static pthread_once_t once = PTHREAD_ONCE_INIT, device_once = PTHREAD_ONCE_INIT;

static void *open_library(const char *name, char *text, size_t size) {
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) snprintf(text, size, "%s", dlerror());
    return library;
}

static void find(void *library, const char *name, void **to) {
    *to = library ? dlsym(library, name) : NULL;
    if (library && !*to) snprintf(problem, sizeof problem, "%s: %s", name, dlerror());
}

static void load(void) {
    void *util = open_library(UTIL_NAME, problem, sizeof problem);
    void *codec = util ? open_library(CODEC_NAME, problem, sizeof problem) : NULL;
    void *format = codec ? open_library(FORMAT_NAME, problem, sizeof problem) : NULL;
    void *scale = format ? open_library(SCALE_NAME, problem, sizeof problem) : NULL;
    if (!scale) return;
#define FROM_UTIL(name)   find(util, #name, (void **)&functions.name);
#define FROM_CODEC(name)  find(codec, #name, (void **)&functions.name);
#define FROM_FORMAT(name) find(format, #name, (void **)&functions.name);
#define FROM_SCALE(name)  find(scale, #name, (void **)&functions.name);
    ICSEG_AV_FUNCTIONS(FROM_UTIL, FROM_CODEC, FROM_FORMAT, FROM_SCALE)
    if (!problem[0]) functions.av_log_set_level(AV_LOG_QUIET);
}

static void load_devices(void) {
    void (*add)(void) = NULL;
    void *library = open_library(DEVICE_NAME, device_problem, sizeof device_problem);
    if (library && (*(void **)&add = dlsym(library, "avdevice_register_all"))) add();
}

icseg_status icseg_av_load(const icseg_av **out, icseg_error *error) {
    pthread_once(&once, load);
    *out = &functions;
    if (!problem[0]) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "videos need FFmpeg's libraries, which cannot be loaded; install them: %s", problem);
}

icseg_status icseg_av_load_devices(icseg_error *error) {
    pthread_once(&device_once, load_devices);
    if (!device_problem[0]) return ICSEG_OK;
    return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                      "cameras need FFmpeg's libavdevice, which cannot be loaded; install it: %s", device_problem);
}

icseg_status icseg_av_fail(const icseg_av *av, icseg_status status, const char *path, const char *what, int code,
                           icseg_error *error) {
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    if (code == AVERROR(ENOMEM)) return icseg_fail_memory_in(error, 0, path);
    av->av_strerror(code, text, sizeof text);
    return icseg_fail(error, status, "%s: %s: %s", path, what, text);
}

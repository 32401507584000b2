/* SPDX-License-Identifier: Apache-2.0
 * icseg serve: the command line of the HTTP server (serve/). */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "icseg/image.h"
#include "inference.h"
#include "open_vocabulary.h"
#include "serve/serve.h"
#include "support.h"

enum { TOKEN_LEAST = 8, TOKEN_MOST = 4096 };

struct options {
    icseg_strings models;
    open_options open;
    const char *listen, *token_file, *cors, *config, *label_studio, *label_studio_token_file;
    int32_t precision, sessions, threads, queue, batch, timeout, max_body;
    int64_t max_pixels;
    bool no_log;
};

static const icseg_option rows[] = {
    {"MODEL", ICSEG_FIELD_STRINGS(struct options, models),
     "checkpoint, or NAME=CHECKPOINT; without NAME, a model is called as its file is, and a run's as its folder; "
     "CLIP's weights with --classes",
     .positional = true},
    {"config", ICSEG_FIELD_STRING(struct options, config),
     "JSON file with these options, such as {\"MODEL\": {\"street\": \"a.safetensors\"}, \"sessions\": 2}; the command "
     "line takes precedence",
     .metavar = "FILE"},
    {"listen", ICSEG_FIELD_STRING(struct options, listen), "address and port; port 0: any that is free",
     .metavar = "ADDRESS:PORT"},
    {"sessions", ICSEG_FIELD_INT(struct options, sessions), "images that are labelled at the same time",
     ICSEG_BETWEEN(1, 256)},
    {"threads", ICSEG_FIELD_INT(struct options, threads), "threads for each image",
     .shown = "all cores, divided by --sessions", ICSEG_BETWEEN(0, 1024)},
    {"queue", ICSEG_FIELD_INT(struct options, queue), "requests that may wait; further ones are answered 503",
     ICSEG_BETWEEN(0, 100000)},
    {"batch", ICSEG_FIELD_INT(struct options, batch),
     "run up to N waiting images of one size together, when measured to be faster; results then differ by rounding "
     "from "
     "those of each image alone",
     ICSEG_BETWEEN(1, 64)},
    {"max-pixels", ICSEG_FIELD_INT64(struct options, max_pixels), "largest number of pixels of an image",
     ICSEG_BETWEEN(1, ICSEG_IMAGE_MAX_PIXELS)},
    {"max-body", ICSEG_FIELD_INT(struct options, max_body), "largest size of a request in MiB", .metavar = "MiB",
     ICSEG_BETWEEN(1, 4096)},
    {"timeout", ICSEG_FIELD_INT(struct options, timeout),
     "seconds in which a request must arrive, and in which it must be answered", ICSEG_BETWEEN(1, 86400)},
    {"token-file", ICSEG_FIELD_STRING(struct options, token_file),
     "file with a token that requests must show (Authorization: Bearer TOKEN)", .metavar = "FILE"},
    {"cors", ICSEG_FIELD_STRING(struct options, cors), "origin of web pages that may use the server; '*': all",
     .metavar = "ORIGIN"},
    {"label-studio", ICSEG_FIELD_STRING(struct options, label_studio),
     "address of the Label Studio whose images may be fetched, when this server is its machine learning backend",
     .metavar = "URL"},
    {"label-studio-token-file", ICSEG_FIELD_STRING(struct options, label_studio_token_file),
     "file with an access token of Label Studio", .metavar = "FILE"},
    {"no-log", ICSEG_FIELD_BOOL(struct options, no_log),
     "do not print a JSON object for each request on standard output"},
    PRECISION_ROW(struct options, precision),
    OPEN_CLASS_ROWS(struct options, open),
    OPEN_ROWS(struct options, open, "MODEL"),
};

static void defaults(void *values) {
    struct options *o = values;
    open_defaults(&o->open);
    o->listen = "127.0.0.1:8080";
    o->sessions = 1;
    o->queue = 64;
    o->batch = 1;
    o->max_pixels = 1 << 25;
    o->max_body = 64;
    o->timeout = 60;
}

/* -- models */

static bool is_name(const char *text, size_t length) {
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return length && length <= 100 && text[0] != '.' && strspn(text, characters) >= length;
}

/* "runs/street/best.safetensors" is called street, and "street.safetensors" too. */
static char *default_name(icseg_arena *arena, const char *path) {
    char *stem = path_stem(arena, path);
    const char *slash = strrchr(path, '/');
    if (!stem || !slash || (strcmp(stem, "best") != 0 && strcmp(stem, "checkpoint") != 0)) return stem;
    char *folder = icseg_arena_printf(arena, "%.*s", (int)(slash - path), path);
    if (!folder) return NULL;
    const char *name = path_name(folder);
    return is_name(name, strlen(name)) ? icseg_arena_strdup(arena, name) : stem;
}

static icseg_status read_model(const char *text, icseg_arena *arena, serve_source *out, icseg_error *error) {
    const char *equals = strchr(text, '=');
    if (equals && is_name(text, (size_t)(equals - text)) && !file_exists(text)) {
        out->name = icseg_arena_printf(arena, "%.*s", (int)(equals - text), text);
        out->path = equals + 1;
    } else {
        out->name = default_name(arena, text);
        out->path = text;
    }
    if (!out->name) return out_of_memory(error);
    if (is_name(out->name, strlen(out->name))) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "MODEL: \"%.100s\" cannot be a model's name, which has letters, digits, \".\", \"_\" and "
                           "\"-\"; write NAME=%.200s",
                           out->name, out->path);
}

static icseg_status read_models(const struct options *o, icseg_arena *arena, serve_source *out, icseg_error *error) {
    for (size_t i = 0; i < o->models.count; i++) {
        TRY(read_model(o->models.items[i], arena, &out[i], error));
        for (size_t k = 0; k < i; k++)
            if (!strcmp(out[k].name, out[i].name))
                return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                                       "MODEL: two models are called \"%s\"; give them names: NAME=CHECKPOINT",
                                       out[i].name);
    }
    return ICSEG_OK;
}

/* -- access */

/* `option`: for messages. */
static icseg_status read_token(const char *option, const char *path, icseg_arena *arena, const char **out,
                               icseg_error *error) {
    char *text;
    size_t size;
    if (!path) return ICSEG_OK;
    TRY(file_read(path, TOKEN_MOST, arena, &text, &size, error));
    text[strcspn(text, "\r\n")] = '\0';
    *out = text;
    if (strlen(text) >= TOKEN_LEAST && !strpbrk(text, " \t")) return ICSEG_OK;
    return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                           "%s: %s: expected one line with a token of at least %d characters, without blanks", option,
                           path, TOKEN_LEAST);
}

/* Without the slashes at the end. */
static icseg_status read_origin(const char *url, icseg_arena *arena, const char **out, icseg_error *error) {
    if (!url) return ICSEG_OK;
    size_t scheme = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0, length = strlen(url);
    while (length && url[length - 1] == '/') length--;
    if (!scheme || length <= scheme || strpbrk(url, "?#@ \t\r\n"))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "--label-studio: \"%.200s\": expected an address such as http://127.0.0.1:8080", url);
    *out = icseg_arena_printf(arena, "%.*s", (int)length, url);
    return *out ? ICSEG_OK : out_of_memory(error);
}

typedef struct start {
    const struct options *options;
    const icseg_command_context *context;
    bool token;
} start;

static void opened(void *user, const icseg_model *model) {
    const start *s = user;
    open_describe(model, s->context->printer);
}

static void started(void *user, const char *url) {
    const start *s = user;
    bool local = !strncmp(url, "http://127.", 11) || !strncmp(url, "http://[::1]", 12);
    icseg_printer_note(s->context->printer, "listening on %s", url);
    if (!local && !s->token)
        icseg_printer_note(s->context->printer,
                           "warning: everyone who can reach this address can use the server; set a token with "
                           "--token-file, or listen on 127.0.0.1 behind a proxy");
    if (!local)
        icseg_printer_note(s->context->printer,
                           "note: the server does not encrypt; put a proxy with TLS in front of it (docs/serve.md)");
}

/* 0, the library's choice, for one session. */
static int32_t share_of_cores(int32_t sessions) {
    cpu_set_t set;
    if (sessions == 1 || sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    return CPU_COUNT(&set) > sessions ? CPU_COUNT(&set) / sessions : 1;
}

/* open: NULL for checkpoints */
static icseg_status serve(const icseg_command_context *context, const struct options *o,
                          const icseg_open_vocabulary_options *open, icseg_error *error) {
    start s = {o, context, o->token_file != NULL};
    serve_source *sources = icseg_arena_array(context->arena, o->models.count, sizeof *sources);
    const char *token = NULL, *origin = NULL, *studio_token = NULL;
    if (!sources) return out_of_memory(error);
    if (!o->models.count)
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "MODEL is missing; name a checkpoint, or a file with --config");
    TRY(read_models(o, context->arena, sources, error));
    TRY(read_token("--token-file", o->token_file, context->arena, &token, error));
    TRY(read_origin(o->label_studio, context->arena, &origin, error));
    TRY(read_token("--label-studio-token-file", o->label_studio_token_file, context->arena, &studio_token, error));
    int32_t threads = o->threads ? o->threads : thread_count();
    serve_options options = {
        .sources = sources,
        .source_count = o->models.count,
        .open_vocabulary = open,
        .listen = o->listen,
        .precision = (icseg_precision)o->precision,
        .sessions = o->sessions,
        .threads = threads ? threads : share_of_cores(o->sessions),
        .queue = o->queue,
        .batch = o->batch,
        .max_pixels = o->max_pixels,
        .max_body = (int64_t)o->max_body << 20,
        .timeout = o->timeout,
        .token = token,
        .cors = o->cors,
        .label_studio = origin,
        .label_studio_token = studio_token,
        .log = o->no_log ? NULL : stdout,
        .progress = &context->progress,
        .opened = opened,
        .started = started,
        .user = &s,
    };
    return serve_run(&options, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    icseg_open_vocabulary_options open;
    icseg_class_list *list = NULL;
    icseg_templates *templates = NULL;
    bool any_classes = open_given(&o->open);
    TRY(open_check(&o->open, any_classes, "--classes", o->precision, error));
    if (!any_classes) return serve(context, o, NULL, error);
    icseg_status status = open_library_options(&open, &o->open, &list, &templates, context->arena, error);
    if (status == ICSEG_OK) status = serve(context, o, &open, error);
    icseg_class_list_close(&list);
    icseg_templates_close(&templates);
    return status;
}

const icseg_command icseg_command_serve = {
    .name = "serve",
    .summary = "Serves models over HTTP, with a web page",
    .description = "Answers requests with the labels of their images, until SIGTERM or Ctrl-C.\n"
                   "SIGHUP loads the checkpoints again. Open the address in a browser for a page on\n"
                   "which images can be tried. docs/serve.md describes all requests.\n",
    .examples = "icseg serve runs/street/best.safetensors\n"
                "curl --data-binary @photo.jpg \\\n"
                "    'http://127.0.0.1:8080/v1/segment?format=png' >labels.png\n"
                "icseg serve street=a.safetensors house=b.safetensors \\\n"
                "    --listen 0.0.0.0:80 --token-file token.txt\n"
                "icseg serve ViT-B-16.pt --classes \"sky; grass; person, man, woman\"\n"
                "icseg serve street=a.safetensors --listen 127.0.0.1:9090 \\\n"
                "    --label-studio http://127.0.0.1:8080 \\\n"
                "    --label-studio-token-file studio.txt\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .has_config = true,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "label_studio.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fetch.h"
#include "label_config.h"
#include "results.h"
#include "server.h"

enum {
    TASKS_MOST = 10000,
    VERSION_SIZE = 160,
    NAME_LENGTH = 100,        /* of an address, in messages */
    PIXELS_PER_REGION = 10000 /* a polygon of less than this part of the image becomes part of its neighbour */
};

/* What a request to predict is about. */
typedef struct studio {
    serve_exchange *exchange;
    serve_model *model;
    json_t *request;
    label_config config;
    const char **label; /* of each class of the model: the project's name for it, or the model's if it has none */
    bool *known;        /* of each class: whether the project has it */
    char version[VERSION_SIZE];
} studio;

/* The version of a model's predictions: its name, and the time of its checkpoint. */
static void describe_version(const serve_model *m, char out[VERSION_SIZE]) {
    snprintf(out, VERSION_SIZE, "%s, %s", m->name, m->modified);
}

/* -- the project's labels */

static bool any_class_is(const serve_model *m, const char *label) {
    for (int32_t k = 0; k < m->class_count; k++)
        if (!strcmp(m->classes[k], label)) return true;
    return false;
}

/* The class that a label means: of the same name, or else in other cases, if that class has no label of its own. */
static int32_t class_of(const serve_model *m, const label_config *c, const char *label) {
    bool exact = any_class_is(m, label);
    for (int32_t k = 0; k < m->class_count; k++) {
        if (exact ? strcmp(m->classes[k], label) != 0 : strcasecmp(m->classes[k], label) != 0) continue;
        bool own = false;
        for (size_t i = 0; i < c->label_count && !exact; i++) own |= !strcmp(c->labels[i], m->classes[k]);
        if (!own) return k;
    }
    return -1;
}

/* Returns the number of classes that the project has. */
static int32_t match_labels(studio *s) {
    int32_t matches = 0;
    for (int32_t k = 0; k < s->model->class_count; k++) s->label[k] = s->model->classes[k];
    for (size_t i = 0; i < s->config.label_count; i++) {
        int32_t k = class_of(s->model, &s->config, s->config.labels[i]);
        if (k < 0 || s->known[k]) continue;
        s->known[k] = true;
        s->label[k] = s->config.labels[i];
        matches++;
    }
    return matches;
}

/* "sky, building, ..." */
static void list_names(const char *const *names, size_t count, char *out, size_t size) {
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < count && used + 1 < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", names[i]);
    if (used >= size) memcpy(out + size - 4, "...", 4);
}

static bool read_config(studio *s, const char *field) {
    const json_t *xml = json_object_get(s->request, field);
    char problem[LABEL_CONFIG_PROBLEM_SIZE], labels[NAME_LENGTH], classes[NAME_LENGTH];
    if (!json_is_string(xml)) {
        exchange_fail(s->exchange, 400, "%s: expected the labelling interface of the project, which is XML", field);
        return false;
    }
    if (!label_config_read(&s->config, json_string_value(xml), json_string_length(xml), problem)) {
        exchange_fail(s->exchange, 400, "%s: %s", field, problem);
        return false;
    }
    s->label = calloc((size_t)s->model->class_count, sizeof *s->label);
    s->known = calloc((size_t)s->model->class_count, sizeof *s->known);
    if (!s->label || !s->known) {
        exchange_fail(s->exchange, 503, "out of memory");
        return false;
    }
    if (match_labels(s)) return true;
    list_names((const char *const *)s->config.labels, s->config.label_count, labels, sizeof labels);
    list_names(s->model->classes, (size_t)s->model->class_count, classes, sizeof classes);
    exchange_fail(s->exchange, 400,
                  "no label of the project is a class of the model %s; rename labels, or give them the alias of a "
                  "class. Labels: %s. Classes: %s",
                  s->model->name, labels, classes);
    return false;
}

/* -- requests */

/* Reads the request's JSON, and the labelling interface in its field. Returns false after a failure. */
static bool open_studio(studio *s, serve_exchange *x, const char *config_field) {
    json_error_t where;
    *s = (studio){.exchange = x, .model = exchange_acquire_model(x, x->parameter)};
    if (!s->model) return false;
    describe_version(s->model, s->version);
    s->request = json_loadb(x->body.size ? x->body.data : "", x->body.size, 0, &where);
    if (!json_is_object(s->request)) {
        exchange_fail(x, 400, "expected a JSON object%s%s", s->request ? "" : ": ", s->request ? "" : where.text);
        return false;
    }
    return read_config(s, config_field);
}

static void close_studio(studio *s) {
    free(s->label);
    free(s->known);
    label_config_close(&s->config);
    json_decref(s->request);
    exchange_release_model(s->exchange, s->model);
}

void label_studio_health(serve_exchange *x) {
    serve_model *model = exchange_acquire_model(x, x->parameter);
    if (model) exchange_reply_json(x, json_pack("{s:s, s:s}", "status", "UP", "model_class", "icseg"));
    exchange_release_model(x, model);
}

void label_studio_versions(serve_exchange *x) {
    serve_model *model = exchange_acquire_model(x, x->parameter);
    char version[VERSION_SIZE];
    if (model) {
        describe_version(model, version);
        exchange_reply_json(x, json_pack("{s:[s]}", "versions", version));
    }
    exchange_release_model(x, model);
}

void label_studio_webhook(serve_exchange *x) { exchange_reply_json(x, json_object()); }

void label_studio_setup(serve_exchange *x) {
    studio s;
    if (open_studio(&s, x, "schema")) exchange_reply_json(x, json_pack("{s:s}", "model_version", s.version));
    close_studio(&s);
}

/* -- images */

/* "data:image/png;base64,..." */
static bool decode_data_url(studio *s, const char *url, serve_buffer *out) {
    const char *comma = strchr(url, ',');
    bool base64 = comma && comma - url >= 7 && !strncmp(comma - 7, ";base64", 7);
    if (base64 && serve_buffer_decode_base64(out, comma + 1, strlen(comma + 1))) return true;
    exchange_fail(s->exchange, 400, "data.%s: expected \"data:...;base64,\" and base64", s->config.key);
    return false;
}

static const char *after_last_slash(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static bool fetch_image(studio *s, const char *url, serve_buffer *out) {
    const serve_options *o = s->exchange->server->options;
    fetch_source source = {.origin = o->label_studio,
                           .token = o->label_studio_token,
                           .size_most = (size_t)o->max_body,
                           .seconds_most = o->timeout,
                           .cancelled = &s->exchange->cancelled};
    char problem[FETCH_PROBLEM_SIZE];
    if (!o->label_studio) {
        exchange_fail(s->exchange, 400,
                      "%.*s: images are fetched only from the address that icseg serve was started with "
                      "(--label-studio http://...)",
                      NAME_LENGTH, url);
        return false;
    }
    if (fetch_file(&source, url, out, problem)) return true;
    exchange_fail(s->exchange, 502, "%.*s: cannot fetch the image from Label Studio: %s", NAME_LENGTH, url, problem);
    return false;
}

/* Storage in a cloud: Label Studio fetches the file and passes it on. */
static bool fetch_from_storage(studio *s, const json_t *task, const char *url, serve_buffer *out) {
    serve_buffer path = {0};
    serve_buffer_printf(&path,
                        "/tasks/%lld/resolve/?fileuri=", (long long)json_integer_value(json_object_get(task, "id")));
    serve_buffer_base64(&path, url, strlen(url));
    if (path.failed) exchange_fail(s->exchange, 503, "out of memory");
    bool ok = !path.failed && fetch_image(s, path.data, out);
    serve_buffer_close(&path);
    return ok;
}

static bool read_image(studio *s, const json_t *task, serve_buffer *out, const char **name) {
    const json_t *data = json_object_get(task, "data");
    const char *url = json_string_value(json_object_get(data, s->config.key));
    *name = "image";
    if (!url) {
        exchange_fail(s->exchange, 400, "data.%s: expected the address of an image", s->config.key);
        return false;
    }
    if (!strncmp(url, "data:", 5)) return decode_data_url(s, url, out);
    *name = after_last_slash(url);
    bool web = *url == '/' || !strncmp(url, "http://", 7) || !strncmp(url, "https://", 8);
    return web ? fetch_image(s, url, out) : fetch_from_storage(s, task, url, out);
}

/* -- regions */

/* The exporter's result for one image, with the names of this project's tags. NULL when out of memory. */
static json_t *rename_tags(const studio *s, const void *text, size_t size) {
    json_t *tasks = json_loadb(text, size, 0, NULL), *region;
    json_t *annotations = json_object_get(json_array_get(tasks, 0), "annotations");
    json_t *regions = json_incref(json_object_get(json_array_get(annotations, 0), "result"));
    size_t i;
    json_array_foreach(regions, i,
                       region) if (json_object_set_new(region, "from_name", json_string(s->config.control)) != 0 ||
                                   json_object_set_new(region, "to_name", json_string(s->config.image)) != 0) {
        json_decref(regions);
        regions = NULL;
        break;
    }
    json_decref(tasks);
    return regions;
}

/* NULL after a failure. */
static json_t *regions_json(const studio *s, serve_results *r) {
    int64_t pixels = (int64_t)r->labels.width * r->labels.height;
    icseg_export_options options = {ICSEG_EXPORT_OPTIONS_INIT,
                                    .format = ICSEG_EXPORT_LABEL_STUDIO,
                                    .names = s->label,
                                    .classes = s->model->class_count,
                                    .background = "",
                                    .runs = s->config.brush,
                                    .tolerance = s->config.brush ? 0 : 1,
                                    .min_area = s->config.brush ? 0 : pixels / PIXELS_PER_REGION};
    icseg_export_image image = {ICSEG_EXPORT_IMAGE_INIT, .name = "image", .labels = &r->labels,
                                .confidence = r->confidence};
    icseg_error error;
    void *text;
    size_t size;
    if (icseg_export_encode(&options, &image, &text, &size, &error) != ICSEG_OK) {
        exchange_fail_error(s->exchange, &error);
        return NULL;
    }
    json_t *regions = rename_tags(s, text, size);
    icseg_buffer_free(text);
    if (!regions) exchange_fail(s->exchange, 503, "out of memory");
    return regions;
}

/* The mean confidence of all pixels. */
static double mean_confidence(const serve_results *r) {
    size_t pixels = (size_t)r->labels.width * (size_t)r->labels.height;
    double sum = 0;
    for (size_t i = 0; i < pixels; i++) sum += r->confidence[i];
    return sum / (double)pixels;
}

/* NULL after a failure. */
static json_t *predict_task(studio *s, const json_t *task) {
    serve_buffer image = {0};
    serve_results results = {0};
    const char *name;
    json_t *regions = NULL;
    double score = 0;
    if (read_image(s, task, &image, &name) &&
        results_open(&results, s->exchange, s->model, image.data, image.size, name, true) &&
        results_keep(&results, s->known)) {
        score = mean_confidence(&results);
        regions = regions_json(s, &results);
    }
    results_close(&results);
    serve_buffer_close(&image);
    return regions ? json_pack("{s:o, s:f, s:s}", "result", regions, "score", score, "model_version", s->version)
                   : NULL;
}

/* The reply that a failure has made, as the result of a task: Label Studio writes it into its log and continues. */
static json_t *failed_task(serve_exchange *x) {
    json_t *reply = json_loadb(x->reply.body.data ? x->reply.body.data : "", x->reply.body.size, 0, NULL);
    json_object_del(reply, "request_id");
    return reply;
}

/* Replies with the failure of the last task if all fail. */
static void predict_tasks(studio *s, const json_t *tasks) {
    json_t *results = json_array();
    bool ok = results != NULL, any = json_array_size(tasks) == 0;
    for (size_t i = 0; i < json_array_size(tasks) && ok && !atomic_load(&s->exchange->cancelled); i++) {
        json_t *result = predict_task(s, json_array_get(tasks, i));
        any |= result != NULL;
        if (!result) result = failed_task(s->exchange);
        ok = json_array_append_new(results, result) == 0;
    }
    if (any || !ok) {
        json_t *reply = ok ? json_pack("{s:O, s:s}", "results", results, "model_version", s->version) : NULL;
        exchange_reply_json(s->exchange, reply);
    }
    json_decref(results);
}

void label_studio_predict(serve_exchange *x) {
    studio s;
    if (open_studio(&s, x, "label_config")) {
        const json_t *tasks = json_object_get(s.request, "tasks");
        if (json_is_array(tasks) && json_array_size(tasks) <= TASKS_MOST)
            predict_tasks(&s, tasks);
        else
            exchange_fail(x, 400, "tasks: expected a list of at most %d tasks", TASKS_MOST);
    }
    close_studio(&s);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "open_inference.h"

#include <stdlib.h>
#include <string.h>

#include "icseg/tensor.h"
#include "icseg/version.h"

#include "server.h"
#include "tensors.h"

static const char header_length[] = "Inference-Header-Content-Length";

void open_inference_server(serve_exchange *x) {
    exchange_reply_json(x, json_pack("{s:s, s:s, s:[s,s]}", "name", "icseg", "version", icseg_version(), "extensions",
                                     "binary_tensor_data", "model_repository"));
}

void open_inference_live(serve_exchange *x) { exchange_reply_json(x, json_pack("{s:b}", "live", 1)); }

void open_inference_ready(serve_exchange *x) {
    exchange_reply_json(x, json_pack("{s:b}", "ready", !x->server->stopping));
    if (x->server->stopping) x->reply.status = 503;
}

/* -- metadata */

static json_t *outputs_json(void) {
    json_t *list = json_array();
    for (const tensor_output *o = tensor_outputs; o->name; o++) {
        json_t *shape = json_array();
        for (int i = 0; i < o->rank; i++) json_array_append_new(shape, json_integer(-1));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o}", "name", o->name, "datatype", o->datatype, "shape", shape));
    }
    return list;
}

static json_t *classes_json(const serve_model *model) {
    json_t *list = json_array();
    for (int32_t k = 0; k < model->class_count; k++) {
        const uint8_t *c = model->palette.color[k];
        json_array_append_new(list,
                              json_pack("{s:s, s:[i,i,i]}", "name", model->classes[k], "color", c[0], c[1], c[2]));
    }
    return list;
}

void open_inference_model(serve_exchange *x) {
    serve_model *model = exchange_acquire_model(x, x->parameter);
    char version[24];
    if (!model) return;
    snprintf(version, sizeof version, "%lld", (long long)model->version);
    exchange_reply_json(x, json_pack("{s:s, s:[s], s:s, s:[{s:s, s:s, s:[i,i,i,i]}], s:o, s:{s:o}}", "name",
                                     model->name, "versions", version, "platform", "icseg", "inputs", "name", "image",
                                     "datatype", "UINT8", "shape", -1, -1, -1, 3, "outputs", outputs_json(),
                                     "parameters", "classes", classes_json(model)));
    exchange_release_model(x, model);
}

void open_inference_model_ready(serve_exchange *x) {
    serve_model *model = exchange_acquire_model(x, x->parameter);
    if (!model) return;
    exchange_reply_json(x, json_pack("{s:s, s:b}", "name", model->name, "ready", 1));
    exchange_release_model(x, model);
}

void open_inference_index(serve_exchange *x) {
    json_t *list = json_array();
    for (size_t i = 0; i < serve_models_count(x->server->models); i++) {
        serve_model *model = serve_models_acquire(x->server->models, serve_models_name(x->server->models, i));
        char version[24];
        snprintf(version, sizeof version, "%lld", (long long)model->version);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "name", model->name, "version", version, "state", "READY"));
        exchange_release_model(x, model);
    }
    exchange_reply_json(x, list);
}

void open_inference_load(serve_exchange *x) {
    icseg_error error;
    serve_model *model = exchange_acquire_model(x, x->parameter);
    if (!model) return;
    exchange_release_model(x, model);
    if (serve_models_load(x->server->models, x->parameter, &error) == ICSEG_OK)
        exchange_reply_json(x, json_object());
    else
        exchange_fail(x, 400, "%s", error.message);
}

/* -- inference */

/* The images of a request, as the library reads them. */
typedef struct batch_memory {
    icseg_batch batch;
    icseg_tensor tensor;
    icseg_frame frames[TENSOR_IMAGES_MOST];
    icseg_image images[TENSOR_IMAGES_MOST]; /* decoded */
} batch_memory;

static bool decode_images(serve_exchange *x, const serve_model *model, const tensor_request *t, batch_memory *m) {
    const char *bytes = t->data.data;
    for (int32_t i = 0; i < t->images; i++) {
        icseg_image *image = &m->images[i];
        char name[32];
        snprintf(name, sizeof name, "image %d", (int)i);
        if (!exchange_decode_image(x, model, bytes, t->bytes[i], name, image)) return false;
        if (image->width != m->images[0].width || image->height != m->images[0].height) {
            exchange_fail(x, 400, "image %d has %d x %d pixels and image 0 %d x %d; a batch needs images of one size",
                          (int)i, image->width, image->height, m->images[0].width, m->images[0].height);
            return false;
        }
        m->frames[i] = (icseg_frame){ICSEG_FRAME_RGB8, image->width, image->height, 0, image->data};
        bytes += t->bytes[i];
    }
    return true;
}

static bool open_batch(serve_exchange *x, const serve_model *model, const tensor_request *t, batch_memory *m) {
    m->batch = (icseg_batch){ICSEG_BATCH_INIT, .count = t->images, .frames = m->frames};
    if (t->datatype == DATATYPE_BYTES) return decode_images(x, model, t, m);
    x->width = t->width;
    x->height = t->height;
    if (t->datatype == DATATYPE_FP32) {
        const int64_t shape[] = {t->images, 3, t->height, t->width};
        icseg_tensor_dense(&m->tensor, ICSEG_TENSOR_F32, 4, shape, t->data.data, NULL);
        m->batch.frames = NULL;
        m->batch.tensor = &m->tensor;
        m->batch.layout = ICSEG_LAYOUT_NCHW;
        return true;
    }
    size_t bytes = (size_t)t->width * (size_t)t->height * 3;
    for (int32_t i = 0; i < t->images; i++)
        m->frames[i] = (icseg_frame){ICSEG_FRAME_RGB8, t->width, t->height, 0, t->data.data + (size_t)i * bytes};
    return true;
}

static int64_t element_count(const icseg_tensor *tensor) {
    int64_t count = 1;
    for (int i = 0; i < tensor->rank; i++) count *= tensor->shape[i];
    return count;
}

static void append_elements(serve_buffer *out, const icseg_tensor *tensor) {
    int64_t count = element_count(tensor);
    for (int64_t i = 0; i < count; i++)
        if (tensor->type == ICSEG_TENSOR_I16)
            serve_buffer_printf(out, i ? ",%d" : "%d", ((const int16_t *)tensor->data)[i]);
        else
            serve_buffer_printf(out, i ? ",%.9g" : "%.9g", (double)((const float *)tensor->data)[i]);
}

/* Appends an output's JSON, and to `binary` its bytes if it is to be binary. */
static bool append_output(serve_exchange *x, const serve_run_request *run, uint32_t output, serve_buffer *binary) {
    serve_buffer *out = &x->reply.body;
    const tensor_output *o = tensor_outputs;
    icseg_tensor tensor;
    icseg_error error;
    while (o->output != output) o++;
    if (serve_runner_tensor(run, (icseg_output)output, &tensor, &error) != ICSEG_OK) {
        exchange_fail_error(x, &error);
        return false;
    }
    serve_buffer_printf(out, "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[", o->name, o->datatype);
    for (int i = 0; i < tensor.rank; i++) serve_buffer_printf(out, i ? ",%lld" : "%lld", (long long)tensor.shape[i]);
    size_t bytes = (size_t)element_count(&tensor) * icseg_tensor_type_size(tensor.type);
    if (binary) {
        serve_buffer_printf(out, "],\"parameters\":{\"binary_data_size\":%zu}}", bytes);
        serve_buffer_append(binary, tensor.data, bytes);
    } else {
        serve_buffer_text(out, "],\"data\":[");
        append_elements(out, &tensor);
        serve_buffer_text(out, "]}");
    }
    return true;
}

static bool append_outputs(serve_exchange *x, const tensor_request *t, const serve_run_request *run,
                           serve_buffer *binary) {
    for (int i = 0; i < t->outputs; i++) {
        if (i) serve_buffer_text(&x->reply.body, ",");
        if (!append_output(x, run, t->output[i].output, t->output[i].binary ? binary : NULL)) return false;
    }
    return true;
}

static void reply(serve_exchange *x, const tensor_request *t, const serve_run_request *run) {
    serve_buffer *out = &x->reply.body, binary = {0};
    json_t *id = json_string(t->id);
    char *quoted = id ? json_dumps(id, JSON_ENCODE_ANY) : NULL;
    serve_buffer_printf(out, "{\"model_name\":\"%s\",\"model_version\":\"%lld\",\"id\":%s,\"outputs\":[",
                        run->model->name, (long long)run->model->version, quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(id);
    if (append_outputs(x, t, run, &binary)) {
        serve_buffer_text(out, "]}");
        x->reply.status = 200;
        x->reply.type = binary.size ? "application/octet-stream" : "application/json";
        if (binary.size) exchange_add_header(x, header_length, "%zu", out->size);
        serve_buffer_append(out, binary.data, binary.size);
        out->failed |= binary.failed;
    }
    serve_buffer_close(&binary);
}

static void infer(serve_exchange *x, serve_model *model, const tensor_request *t) {
    batch_memory *m = calloc(1, sizeof *m);
    serve_run_request run = {.model = model};
    for (int i = 0; i < t->outputs; i++) run.outputs |= t->output[i].output;
    if (!m)
        exchange_fail(x, 503, "out of memory");
    else if (open_batch(x, model, t, m)) {
        run.batch = &m->batch;
        if (exchange_run(x, &run)) reply(x, t, &run);
    }
    serve_runner_free(&run);
    for (int32_t i = 0; i < t->images && m; i++) icseg_image_close(&m->images[i]);
    free(m);
}

void open_inference_infer(serve_exchange *x) {
    serve_model *model = exchange_acquire_model(x, x->parameter);
    const char *length = exchange_header(x, header_length);
    char problem[256], *end = NULL;
    size_t json_size = x->body.size;
    tensor_request request = {.images = 0};
    if (!model) return;
    if (length) json_size = strtoull(length, &end, 10);
    if (length && (!*length || *end || *length == '-'))
        exchange_fail(x, 400, "%s: \"%.20s\" is not a number of bytes", header_length, length);
    else if (!tensor_request_read(&request, x->body.data, x->body.size, json_size, x->server->options->max_pixels,
                                  problem))
        exchange_fail(x, 400, "%s", problem);
    else
        infer(x, model, &request);
    tensor_request_close(&request);
    exchange_release_model(x, model);
}

/* SPDX-License-Identifier: Apache-2.0
 * What the shapes of CLIP's tensors do not tell: the activation of its transformers, and their heads. A checkpoint of
 * icseg and a TorchScript archive, which contains its source (torch.c), say it. Otherwise the configuration beside the
 * weights tells: open_clip_config.json of open_clip, config.json of Hugging Face. */
#include <jansson.h>
#include <string.h>

#include "base/json.h"
#include "model/config.h"
#include "weights/internal.h"

enum { MAX_CONFIG = 1 << 20, MAX_HEADS = 1 << 16 };

/* The JSON object in a file beside the weights; NULL if the file does not exist. Freed with json_decref. */
static icseg_status read_beside(icseg_weights *w, const char *name, json_t **out, icseg_error *error) {
    unsigned char *text;
    size_t size;
    json_error_t problem;
    const char *path = icseg_arena_printf(w->arena, "%.*s%s", (int)(icseg_path_name(w->path) - w->path), w->path, name);
    *out = NULL;
    if (!path) return icseg_fail_memory_in(error, 0, w->path);
    bool found;
    ICSEG_TRY(icseg_path_find(path, S_IFREG, &found, error));
    if (!found) return ICSEG_OK;
    ICSEG_TRY(icseg_file_read(path, MAX_CONFIG, &text, &size, error));
    icseg_status status = icseg_json_parse(out, (const char *)text, size, 0, &problem, error);
    icseg_free(text);
    if (status != ICSEG_OK || json_is_object(*out)) return status;
    status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: not a JSON object: %.100s", path,
                        *out ? "another type of value" : problem.text);
    json_decref(*out);
    *out = NULL;
    return status;
}

/* 0 if the number is missing or out of range. */
static int32_t read_heads(const json_t *object, const char *key) {
    json_int_t heads = json_integer_value(json_object_get(object, key));
    return heads > 0 && heads <= MAX_HEADS ? (int32_t)heads : 0;
}

static void know(icseg_weights_facts *f, icseg_clip_activation activation) {
    f->activation_known = true;
    f->activation = activation;
}

/* -- metadata of icseg's own files */

/* A word that this version does not know is an error. */
static icseg_status read_activation(icseg_weights *w, const char *key, const json_t *object, icseg_error *error) {
    const json_t *word = json_object_get(object, "activation");
    if (!word) return ICSEG_OK;
    for (int i = 0; icseg_activation_words[i]; i++)
        if (json_is_string(word) && !strcmp(json_string_value(word), icseg_activation_words[i])) {
            know(&w->facts, (icseg_clip_activation)i);
            return ICSEG_OK;
        }
    return icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata %s: \"activation\" must be \"quick_gelu\" or \"gelu\"",
                      w->path, key);
}

/* `key`: icseg.clip of converted CLIP weights, icpc.config of a checkpoint. */
static icseg_status read_metadata(icseg_weights *w, const char *key, icseg_error *error) {
    const char *text = icseg_weights_metadata(w, key);
    json_t *root;
    ICSEG_TRY(icseg_json_parse(&root, text, strlen(text), JSON_REJECT_DUPLICATES, NULL, error));
    icseg_status status = ICSEG_OK;
    if (json_is_object(root)) {
        w->facts.vit_heads = read_heads(root, "vit_heads");
        w->facts.text_heads = read_heads(root, "text_heads");
        status = read_activation(w, key, root, error);
    } else
        status = icseg_fail(error, ICSEG_ERROR_FORMAT, "%s: metadata %s is not a JSON object", w->path, key);
    json_decref(root);
    return status;
}

/* -- configurations beside the weights */

/* A tower whose configuration does not name the activation has transformers' default for CLIP. */
static icseg_status read_tower(icseg_weights *w, const json_t *tower, int32_t *heads, icseg_error *error) {
    const json_t *word = json_object_get(tower, "hidden_act");
    const char *name = word ? json_string_value(word) : "quick_gelu";
    bool gelu = name && !strcmp(name, "gelu"), quick = name && !strcmp(name, "quick_gelu");
    if (!gelu && !quick)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: config.json beside it says that the activation is %.40s; icseg has quick_gelu and gelu",
                          w->path, name ? name : "not a name");
    if (w->facts.activation_known && (w->facts.activation == ICSEG_CLIP_GELU) != gelu)
        return icseg_fail(error, ICSEG_ERROR_UNSUPPORTED,
                          "%s: config.json beside it says that the two encoders have different activations; icseg has "
                          "one for both",
                          w->path);
    know(&w->facts, gelu ? ICSEG_CLIP_GELU : ICSEG_CLIP_QUICK_GELU);
    *heads = read_heads(tower, "num_attention_heads");
    return ICSEG_OK;
}

static icseg_status read_hugging_face(icseg_weights *w, const json_t *root, icseg_error *error) {
    const json_t *text = json_object_get(root, "text_config"), *image = json_object_get(root, "vision_config");
    if (!json_is_object(text) || !json_is_object(image)) return ICSEG_OK;
    ICSEG_TRY(read_tower(w, text, &w->facts.text_heads, error));
    return read_tower(w, image, &w->facts.vit_heads, error);
}

static void read_open_clip(icseg_weights *w, const json_t *root) {
    const json_t *model = json_object_get(root, "model_cfg"), *image = json_object_get(model, "vision_cfg");
    if (!json_is_object(model)) return;
    know(&w->facts, json_is_true(json_object_get(model, "quick_gelu")) ? ICSEG_CLIP_QUICK_GELU : ICSEG_CLIP_GELU);
    int32_t width = read_heads(image, "width"), head = read_heads(image, "head_width");
    if (width && head && width % head == 0) w->facts.vit_heads = width / head;
    w->facts.text_heads = read_heads(json_object_get(model, "text_cfg"), "heads");
}

static icseg_status read_configuration(icseg_weights *w, icseg_error *error) {
    bool hugging_face = !strcmp(w->naming, "Hugging Face");
    json_t *root;
    ICSEG_TRY(read_beside(w, hugging_face ? "config.json" : "open_clip_config.json", &root, error));
    if (!root) return ICSEG_OK;
    icseg_status status = ICSEG_OK;
    if (hugging_face)
        status = read_hugging_face(w, root, error);
    else
        read_open_clip(w, root);
    json_decref(root);
    return status;
}

icseg_status icseg_weights_read_facts(icseg_weights *w, icseg_error *error) {
    bool checkpoint = icseg_weights_metadata(w, "icpc.config") != NULL; /* the first ones do not name it */
    if (checkpoint || !strcmp(w->naming, "DenseCLIP")) know(&w->facts, ICSEG_CLIP_QUICK_GELU);
    if (checkpoint) return read_metadata(w, "icpc.config", error);
    if (icseg_weights_metadata(w, "icseg.clip")) ICSEG_TRY(read_metadata(w, "icseg.clip", error));
    return w->facts.activation_known ? ICSEG_OK : read_configuration(w, error);
}

icseg_status icseg_weights_override(icseg_weights *w, icseg_config *config, const char *json, icseg_error *error) {
    icseg_config given = *config, other;
    if (!json) return ICSEG_OK;
    other = given;
    other.activation = given.activation == ICSEG_CLIP_GELU ? ICSEG_CLIP_QUICK_GELU : ICSEG_CLIP_GELU;
    ICSEG_TRY(icseg_config_update_json(&given, json, error));
    ICSEG_TRY(icseg_config_update_json(&other, json, error));
    if (given.activation == other.activation) know(&w->facts, given.activation); /* the JSON names it */
    *config = given;
    return ICSEG_OK;
}

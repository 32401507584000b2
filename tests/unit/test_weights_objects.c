/* SPDX-License-Identifier: Apache-2.0
 * weights: what trainers store beside the tensors, such as options, counters and functions, is read over, and wrappers
 * around the tensors' names are removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/config.h"
#include "support/scratch.h"
#include "support/zip_files.h"
#include "weights/internal.h"

static const char *path;
static icseg_error error;

static int open_folder(void **state) {
    if (test_scratch_open(state)) return -1;
    path = test_scratch("a.pt");
    return 0;
}

static void put_text(icseg_string *p, const char *text) {
    icseg_string_append(p, "X", 1);
    test_put(p, strlen(text), 4);
    icseg_string_append(p, text, strlen(text));
}

/* `name`, and a tensor of 16 numbers: a key and its value. */
static void put_tensor(icseg_string *p, const char *name) {
    static const char tensor[] = "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                 "X\1\0\0\0000X\3\0\0\0cpuK\x10tQK\0K\x10\x85K\1\x85\x89}tR";
    put_text(p, name);
    icseg_string_append(p, tensor, sizeof tensor - 1);
}

static void write_archive(icseg_string *p) {
    static const float numbers[16] = {0.5f, 1.5f};
    test_zip a = {0};
    icseg_string_append(p, ".", 1);
    test_zip_add(&a, "x/data.pkl", p->data, p->size, 0);
    test_zip_add(&a, "x/data/0", numbers, sizeof numbers, 0);
    test_zip_write(&a, path);
    icseg_string_close(p);
}

/* The file has this one tensor. */
static void expect(const char *name) {
    icseg_weights *w;
    float values[16];
    if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
    const icseg_weights_entry *entry = icseg_weights_find(w, name);
    assert_non_null(entry);
    assert_int_equal(icseg_shape_count(entry->shape), 16);
    assert_int_equal(icseg_weights_read(entry, values, &error), ICSEG_OK);
    assert_true(values[0] == 0.5f && values[1] == 1.5f && values[2] == 0);
    icseg_weights_close(&w);
}

static void refuses(const char *because) {
    icseg_weights *w;
    icseg_config config = icseg_config_default();
    icseg_status status = icseg_weights_open(&w, path, &error);
    if (status == ICSEG_OK) status = icseg_weights_infer(w, &config, &error);
    if (w) icseg_weights_close(&w);
    assert_int_not_equal(status, ICSEG_OK);
    if (!strstr(error.message, because)) fail_msg("\"%s\" lacks \"%s\"", error.message, because);
}

/* {"state_dict": defaultdict(int, {name: tensor})} */
static void a_defaultdict_is_a_state_dict(void **state) {
    static const char made[] = "ccollections\ndefaultdict\nc__builtin__\nint\n\x85R";
    icseg_string p = {0};
    (void)state;
    icseg_string_append(&p, "\x80\2}", 3);
    put_text(&p, "state_dict");
    icseg_string_append(&p, made, sizeof made - 1);
    put_tensor(&p, "visual.class_embedding");
    icseg_string_append(&p, "ss", 2);
    write_archive(&p);
    expect("visual.class_embedding");
}

/* {"args": object, "state_dict": {name: tensor}} */
static void objects_beside_the_tensors_are_read_over(void **state) {
    static const struct {
        const char *pickle;
        size_t size;
    } objects[] = {
#define OBJECT(TEXT) {TEXT, sizeof(TEXT) - 1}
        /* argparse.Namespace(lr=1), by BUILD */
        OBJECT("cargparse\nNamespace\n)\x81}X\2\0\0\0lrK\1sb"),
        /* numpy.float64(...): a scalar of a dtype, with text as bytes */
        OBJECT("cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(X\2\0\0\0f8\x89\x88tR(K\3X\1\0\0\0<NNNtb"
               "c_codecs\nencode\n(X\1\0\0\0aX\6\0\0\0latin1tRtR"),
        /* {1, 2} in protocol 2, and in protocol 4 with a frozenset */
        OBJECT("c__builtin__\nset\n]((K\1K\2e\x85R") /* an extra mark: see below */,
        OBJECT("c__builtin__\nset\n](K\1K\2e\x85R"),
        OBJECT("\x8f(K\1K\2\x90"),
        OBJECT("(K\1\x91"),
        /* defaultdict(int, {"a": 1}) with SETITEM; a list's subclass with APPENDS */
        OBJECT("ccollections\ndefaultdict\nc__builtin__\nint\n\x85RX\1\0\0\0aK\1s"),
        OBJECT("cfairseq.data\nWords\n)\x81(K\1K\2e"),
        /* an object with keyword arguments; a call of what a call returned; bytes of 8-byte length */
        OBJECT("comegaconf\nDictConfig\n)}\x92"),
        OBJECT("ca\nb\n)R)R"),
        OBJECT("\x8e\2\0\0\0\0\0\0\0ab"),
        /* functions: len; functools.partial(len, 1); getattr(torch, "relu"), of which nothing is called */
        OBJECT("c__builtin__\nlen\n"),
        OBJECT("cfunctools\npartial\nc__builtin__\nlen\n\x85R(c__builtin__\nlen\nK\1\x85}Ntb"),
        OBJECT("c__builtin__\ngetattr\nctorch\nnn\nX\4\0\0\0relu\x86R"),
        OBJECT("ctorch._utils\n_get_device_index\nK\0\x85R"),
        OBJECT("\x8c\x08operator\x8c\x0aitemgetter\x93K\1\x85R"),
        /* a module, whose class the container before 1.6 stores with its source */
        OBJECT("(X\6\0\0\0modulectorch.nn\nLinear\nX\1\0\0\0aX\1\0\0\0btQ)\x81}b"),
        /* the state of a random number generator, an integer of 128 bits */
        OBJECT("\x8a\x10"
               "abcdefghijklmnop"),
        /* tensors of kinds that are not supported: sparse, complex, of a type that torch.save writes untyped */
        OBJECT("ctorch._utils\n_rebuild_sparse_tensor\n(ctorch.serialization\n_get_layout\nX\1\0\0\0a\x85RN\x86tR"),
        OBJECT("ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nComplexFloatStorage\nX\1\0\0\0001"
               "X\3\0\0\0cpuK\2tQK\0K\2\x85K\1\x85\x89}tR"),
        OBJECT("ctorch._utils\n_rebuild_tensor_v3\n((X\7\0\0\0storagectorch.storage\nUntypedStorage\nX\1\0\0\0001"
               "X\3\0\0\0cpuK\2tQK\0K\2\x85K\1\x85\x89}ctorch\nuint16\ntR"),
        /* a tensor of 7 dimensions; one number expanded to 17 */
        OBJECT("ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
               "X\1\0\0\0000X\3\0\0\0cpuK\x10tQK\0(K\1K\1K\1K\1K\1K\1K\1t(K\1K\1K\1K\1K\1K\1K\1t\x89}tR"),
        OBJECT("ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
               "X\1\0\0\0000X\3\0\0\0cpuK\x10tQK\0K\x11\x85K\0\x85\x89}tR"),
#undef OBJECT
    };
    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        icseg_string p = {0};
        icseg_string_append(&p, "\x80\2}", 3);
        put_text(&p, "args");
        icseg_string_append(&p, objects[i].pickle, objects[i].size);
        icseg_string_append(&p, "s", 1);
        put_text(&p, "state_dict");
        icseg_string_append(&p, "}", 1);
        put_tensor(&p, "visual.class_embedding");
        icseg_string_append(&p, "ss", 2);
        write_archive(&p);
        if (i == 2) /* a mark that nothing takes: the stack is wrong from there on */
            refuses("damaged pickle");
        else
            expect("visual.class_embedding");
    }
}

static void wrappers_are_removed_from_names(void **state) {
    static const struct {
        const char *key, *names[2];
    } files[] = {
        {"state_dict", {"_orig_mod.visual.class_embedding", NULL}},
        {"model", {"module._orig_mod.visual.class_embedding", NULL}},
        {"module", {"visual.class_embedding", NULL}},                   /* DeepSpeed */
        {"ema", {"base_model.clip.visual.class_embedding", NULL}},      /* averaged weights alone */
        {"state_dict", {"module.visual.class_embedding", "n_averaged"}} /* averaged weights */
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        icseg_string p = {0};
        icseg_string_append(&p, "\x80\2}", 3);
        put_text(&p, files[i].key);
        icseg_string_append(&p, "}", 1);
        for (int n = 0; n < 2 && files[i].names[n]; n++) {
            put_tensor(&p, files[i].names[n]);
            icseg_string_append(&p, "s", 1);
        }
        icseg_string_append(&p, "s", 1);
        write_archive(&p);
        expect("visual.class_embedding");
    }
}

/* {"rng_state": tensor, "state_dict": {...}, "ema": {...}}: a tensor beside the state dict is not one of its own. */
static void the_weights_are_taken_before_their_average_and_single_tensors(void **state) {
    icseg_string p = {0};
    (void)state;
    icseg_string_append(&p, "\x80\2}", 3);
    put_tensor(&p, "torch_rng_state");
    icseg_string_append(&p, "s", 1);
    put_text(&p, "ema");
    icseg_string_append(&p, "}", 1);
    put_tensor(&p, "visual.proj");
    icseg_string_append(&p, "ss", 2);
    put_text(&p, "state_dict");
    icseg_string_append(&p, "}", 1);
    put_tensor(&p, "visual.class_embedding");
    icseg_string_append(&p, "ss", 2);
    write_archive(&p);
    expect("visual.class_embedding");
    icseg_weights *w;
    icseg_weights_report report = {0};
    icseg_config config = icseg_config_default();
    assert_int_equal(icseg_weights_open(&w, path, &error), ICSEG_OK);
    icseg_weights_report_activation(&report, w, &config);
    icseg_weights_close(&w);
    icseg_weights_report_text(&report, 0, &p);
    assert_non_null(strstr(p.data, "these are the weights \"state_dict\"; the file also contains \"ema\""));
    icseg_string_close(&p);
    assert_int_equal(icseg_weights_open_set(&w, path, "ema", &error), ICSEG_OK);
    assert_true(icseg_weights_count(w) == 1 && icseg_weights_find(w, "visual.proj"));
    icseg_weights_close(&w);
    assert_int_equal(icseg_weights_open_set(&w, path, "state_dict", &error), ICSEG_OK);
    assert_non_null(icseg_weights_find(w, "visual.class_embedding"));
    icseg_weights_close(&w);
    assert_int_equal(icseg_weights_open_set(&w, path, "model_ema", &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(
        strstr(error.message, "does not contain the weights \"model_ema\"; it contains \"ema\", \"state_dict\""));
    assert_string_equal(error.field, "state_dict");
    assert_null(w);
}

/* Lightning: the model, its average and the loss in one state dict, the average first. */
static void a_wrapper_that_only_the_model_has_is_removed(void **state) {
    icseg_string p = {0};
    icseg_weights *w;
    (void)state;
    icseg_string_append(&p, "\x80\2}", 3);
    static const char *const names[] = {"ema_model.module.visual.conv1.weight", "model.visual.conv1.weight",
                                        "model.visual.class_embedding", "loss.weight"};
    for (int i = 0; i < 4; i++) {
        put_tensor(&p, names[i]);
        icseg_string_append(&p, "s", 1);
    }
    write_archive(&p);
    expect("visual.class_embedding");
    assert_int_equal(icseg_weights_open(&w, path, &error), ICSEG_OK);
    assert_int_equal(icseg_weights_count(w), 2);
    assert_int_equal(icseg_weights_foreign_count(w), 2);
    assert_string_equal(w->sets, "these are the weights \"model\"; the file also contains \"ema_model.module\", which "
                                 "were not read");
    icseg_weights_close(&w);
}

/* -- several sets of weights */

enum { MOST = 6 };

/* `at` ("state_dict/model.visual.proj") -> the key before the slash, or the whole; and what follows the slash. */
static const char *split(const char *at, char key[100]) {
    size_t size = strcspn(at, "/");
    snprintf(key, 100, "%.*s", (int)size, at);
    return at[size] ? at + size + 1 : NULL;
}

/* A dict of the tensors at paths[first .. last), which have `depth` keys in common. The numbers of tensor i are i. A
 * tensor whose last key is "-" is in a list. */
static void put_dict(icseg_string *p, const char *const *paths, int first, int last) {
    icseg_string_append(p, "}", 1);
    for (int i = first, next; i < last; i = next) {
        char key[100], other[100];
        const char *rest = split(paths[i], key), *below[MOST] = {NULL};
        for (next = i; next < last; next++) {
            const char *follows = split(paths[next], other);
            if (strcmp(key, other) != 0) break;
            below[next] = follows;
        }
        put_text(p, key);
        bool list = rest && !strcmp(rest, "-");
        if (list) icseg_string_append(p, "(", 1);
        if (rest && !list)
            put_dict(p, below, i, next);
        else
            icseg_string_printf(p, "ctorch._utils\n_rebuild_tensor_v2\n(");
        if (!rest || list) {
            static const char storage[] = "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\x10tQK";
            icseg_string_append(p, storage, sizeof storage - 1);
            icseg_string_append(p, &(char){(char)(2 * i)}, 1);
            icseg_string_append(p, "K\2\x85K\1\x85\x89}tR", 10);
        }
        icseg_string_append(p, list ? "ts" : "s", list ? 2 : 1);
    }
}

static void write_tensors(const char *const *paths) {
    static const float numbers[16] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
    int count = 0;
    icseg_string p = {0};
    test_zip a = {0};
    while (count < MOST && paths[count]) count++;
    icseg_string_append(&p, "\x80\2", 2);
    put_dict(&p, paths, 0, count);
    icseg_string_append(&p, ".", 1);
    test_zip_add(&a, "x/data.pkl", p.data, p.size, 0);
    test_zip_add(&a, "x/data/0", numbers, sizeof numbers, 0);
    test_zip_write(&a, path);
    icseg_string_close(&p);
}

#define CONV "visual.conv1.weight"

static const struct {
    const char *paths[MOST], *wanted;
    int chosen; /* index of the path; -1: refused */
    const char *message;
} choices[] = {
    /* state dicts anywhere */
    {{"net/" CONV}, NULL, 0, NULL},
    {{"params_ema/" CONV, "params/" CONV},
     NULL,
     1,
     "these are the weights \"params\"; the file also contains \"params_ema\""},
    {{"params_ema/" CONV, "params/" CONV},
     "ema",
     0,
     "these are the weights \"params_ema\"; the file also contains \"params\""},
    {{"teacher/" CONV, "student/" CONV}, NULL, 1, "the file also contains \"teacher\""},
    {{"teacher/" CONV, "mine/" CONV}, NULL, 1, "these are the weights \"mine\""},
    {{"teacher/" CONV, "student/" CONV}, "teacher", 0, "these are the weights \"teacher\""},
    {{"teacher/" CONV, "student/" CONV}, "ema", -1, "it contains \"teacher\", \"student\""},
    {{"network/" CONV, "optimizer/state/" CONV}, NULL, 0, NULL},
    {{"model/state_dict/" CONV}, NULL, 0, NULL},
    {{"state_dict/model/module." CONV}, NULL, 0, NULL},
    {{"a/b/c/d/e/f/" CONV}, NULL, 0, NULL},
    {{"model/state_dict/" CONV, "model/ema/" CONV},
     NULL,
     0,
     "these are the weights \"model.state_dict\"; the file also contains \"model.ema\""},
    {{"model/state_dict/" CONV, "model/ema/" CONV}, "model.ema", 1, "these are the weights \"model.ema\""},
    {{"model/state_dict/" CONV, "model/ema/" CONV}, "model", 0, "these are the weights \"model.state_dict\""},
    {{"callbacks/swa/average_model_state/module." CONV, "state_dict/" CONV},
     NULL,
     1,
     "contains \"callbacks.swa.average_model_state\", which"},
    {{"callbacks/swa/average_model_state/module." CONV, "state_dict/" CONV}, "average_model_state", 0, "these are"},
    {{"model/other.weight", "clip/" CONV}, NULL, 1, NULL},
    {{"semantic/" CONV}, "ema", -1, "does not contain the weights \"ema\"; it contains \"semantic\""},
    {{"schema/" CONV, "emails/" CONV, "net/" CONV}, "ema", -1, "it contains \"schema\", \"emails\", \"net\""},
    {{"ema/" CONV, "mine/" CONV}, NULL, 1, "these are the weights \"mine\"; the file also contains \"ema\""},
    {{"model/b/" CONV, "b/model." CONV, "b/ema_model." CONV}, "b", 1, "these are the weights \"b.model\""},
    {{"optimizer/state/" CONV, "network/" CONV}, "state", -1, "it contains \"network\""},
    {{"state_dict/" CONV, "ema_state/shadow_params/-"}, NULL, 0, "without names (ema_state.shadow_params)"},
    {{"model_ema/state_dict/" CONV, "model/" CONV}, "ema", 0, "these are the weights \"model_ema.state_dict\""},
    {{CONV, "ema/" CONV}, NULL, 0, "these are the weights outside of its state dicts; the file also contains \"ema\""},
    {{CONV, "ema/" CONV}, "ema", 1, "these are the weights \"ema\"; the file also contains weights outside of its"},
    /* prefixes in one state dict */
    {{"ema_model.module." CONV, "model." CONV, "loss.weight"},
     "ema",
     0,
     "these are the weights \"ema_model.module\"; the file also contains \"model\""},
    {{"ema_model.module." CONV, "model." CONV, "loss.weight"},
     "ema_model",
     0,
     "these are the weights \"ema_model.module\""},
    {{"ema_model.module." CONV, "model." CONV, "loss.weight"}, "model", 1, "these are the weights \"model\""},
    {{"state_dict/model." CONV, "state_dict/model_ema." CONV},
     "model_ema",
     1,
     "these are the weights \"state_dict.model_ema\"; the file also contains \"state_dict.model\""},
    {{"state_dict/model." CONV, "state_dict/model_ema." CONV},
     "state_dict",
     0,
     "these are the weights \"state_dict.model\""},
    {{"state_dict/" CONV, "state_dict/ema." CONV},
     "ema",
     1,
     "these are the weights \"state_dict.ema\"; the file also contains \"state_dict\""},
    {{"model." CONV, "model.ema." CONV}, "ema", 1, "these are the weights \"model.ema\""},
    {{"model." CONV, "model.ema." CONV}, NULL, 0, "these are the weights \"model\""},
    /* trainers that store the average as the state dict: Lightning, MMEngine */
    {{"state_dict/" CONV, "current_model_state/" CONV},
     NULL,
     0,
     "these are the weights \"state_dict\" (averaged); the file also contains \"current_model_state\", which"},
    {{"state_dict/" CONV, "current_model_state/" CONV}, "ema", 0, "these are the weights \"state_dict\" (averaged)"},
    {{"state_dict/" CONV, "current_model_state/" CONV}, "current_model_state", 1, "contains \"state_dict\" (averaged)"},
    {{"state_dict/" CONV, "ema_state_dict/module." CONV, "message_hub/a"},
     "ema",
     0,
     "contains \"ema_state_dict\" (not averaged)"},
    {{"state_dict/" CONV, "ema_state_dict/module." CONV}, "ema", 1, "these are the weights \"ema_state_dict\""},
    /* averages without names */
    {{"state_dict/" CONV, "optimizer_states/ema/-"},
     NULL,
     0,
     "contains averaged weights without names (optimizer_states.ema), which were not read"},
    {{"state_dict/" CONV, "optimizer_states/ema/-"},
     "ema",
     -1,
     "it contains \"state_dict\"; averaged weights without names cannot be read: optimizer_states.ema"},
};

static void the_set_of_weights_is_chosen_by_key_prefix_or_kind(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        icseg_weights *w;
        float value[2];
        write_tensors(choices[i].paths);
        icseg_status status = icseg_weights_open_set(&w, path, choices[i].wanted, &error);
        const char *message = status == ICSEG_OK ? w->sets : error.message, *wanted = choices[i].message;
        if ((status == ICSEG_OK) != (choices[i].chosen >= 0) || (wanted ? !strstr(message, wanted) : message[0] != 0))
            fail_msg("choice %zu: \"%s\" lacks \"%s\"", i, message, wanted ? wanted : "nothing");
        if (status != ICSEG_OK) {
            assert_string_equal(error.field, "state_dict");
            continue;
        }
        const icseg_weights_entry *entry = icseg_weights_find(w, CONV);
        assert_non_null(entry);
        assert_int_equal(icseg_weights_read(entry, value, &error), ICSEG_OK);
        if (value[0] != (float)choices[i].chosen) fail_msg("choice %zu: set %g was read", i, (double)value[0]);
        icseg_weights_close(&w);
    }
}

/* {"net\n": {CONV: tensor}, "k0": {CONV: tensor}, ...}: `count` dicts in all; the key of the last one has 300 letters.
 */
static void write_many(int count) {
    icseg_string p = {0};
    icseg_string_append(&p, "\x80\2}", 3);
    for (int i = 0; i < count; i++) {
        char key[400];
        snprintf(key, sizeof key, i ? "k%d" : "net\n", i);
        if (i == count - 1) snprintf(key, sizeof key, "%0300d", i);
        put_text(&p, key);
        icseg_string_append(&p, "}", 1);
        put_tensor(&p, CONV);
        icseg_string_append(&p, "ss", 2);
    }
    write_archive(&p);
}

static void keys_and_their_number_are_bounded(void **state) {
    icseg_weights *w;
    (void)state;
    write_many(4);
    assert_int_equal(icseg_weights_open_set(&w, path, "x", &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "it contains \"net?\", \"k1\", \"k2\"")); /* not the long one */
    assert_int_equal(icseg_weights_open_set(&w, path, "net?", &error), ICSEG_OK);
    icseg_weights_close(&w);
    write_many(65);
    assert_int_equal(icseg_weights_open(&w, path, &error), ICSEG_OK);
    icseg_weights_close(&w);
    write_many(66);
    assert_int_equal(icseg_weights_open(&w, path, &error), ICSEG_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "refused: more than 64 state dicts of CLIP's tensors"));
}

/* Shards of which the second does not tell that there are several sets. */
static void sets_of_weights_may_be_in_shards(void **state) {
    static const char index[] = "{\"weight_map\": {\"model." CONV "\": \"1.bin\", \"model.visual.proj\": \"2.bin\"}}";
    const char *file = test_scratch("pytorch_model.bin.index.json");
    icseg_weights *w;
    (void)state;
    write_tensors((const char *const[MOST]){"model." CONV, "ema_model." CONV});
    assert_int_equal(rename(path, test_scratch("1.bin")), 0);
    write_tensors((const char *const[MOST]){"model.visual.proj"});
    assert_int_equal(rename(path, test_scratch("2.bin")), 0);
    test_put_file(file, index, sizeof index - 1);
    if (icseg_weights_open(&w, file, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_true(icseg_weights_find(w, CONV) && icseg_weights_find(w, "visual.proj"));
    assert_string_equal(w->sets,
                        "these are the weights \"model\"; the file also contains \"ema_model\", which were not read");
    icseg_weights_close(&w);
}

/* The moments of an optimiser, in a checkpoint of icseg or of another trainer, have the names of the weights. */
static void moments_are_not_weights(void **state) {
    static const float one[2] = {1, 1}, two[2] = {2, 2};
    const icseg_safetensors_entry entries[] = {{"adamw.first." CONV, ICSEG_F32, ICSEG_SHAPE(2), two, sizeof two},
                                               {"optimizer.exp_avg." CONV, ICSEG_F32, ICSEG_SHAPE(2), two, sizeof two},
                                               {CONV, ICSEG_F32, ICSEG_SHAPE(2), one, sizeof one}};
    const char *file = test_scratch("a.safetensors");
    icseg_weights *w;
    float value[2];
    (void)state;
    assert_int_equal(icseg_safetensors_write(file, entries, 3, NULL, 0, &error), ICSEG_OK);
    if (icseg_weights_open(&w, file, &error) != ICSEG_OK) fail_msg("%s", error.message);
    assert_string_equal(w->sets, "");
    assert_int_equal(icseg_weights_read(icseg_weights_find(w, CONV), value, &error), ICSEG_OK);
    assert_true(value[0] == 1);
    icseg_weights_close(&w);
}

/* A safetensors file has no keys, but its names have prefixes. */
static void a_prefix_in_a_safetensors_file_is_chosen(void **state) {
    static const float one[2] = {1, 1}, two[2] = {2, 2};
    const icseg_safetensors_entry entries[] = {{"ema_model." CONV, ICSEG_F32, ICSEG_SHAPE(2), two, sizeof two},
                                               {"model." CONV, ICSEG_F32, ICSEG_SHAPE(2), one, sizeof one}};
    const char *file = test_scratch("a.safetensors");
    icseg_weights *w;
    float value[2];
    (void)state;
    assert_int_equal(icseg_safetensors_write(file, entries, 2, NULL, 0, &error), ICSEG_OK);
    for (int ema = 0; ema < 2; ema++) {
        if (icseg_weights_open_set(&w, file, ema ? "ema" : NULL, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_int_equal(icseg_weights_read(icseg_weights_find(w, CONV), value, &error), ICSEG_OK);
        assert_true(value[0] == (float)(1 + ema));
        icseg_weights_close(&w);
    }
    assert_int_equal(icseg_weights_open_set(&w, file, "swa", &error), ICSEG_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "it contains \"ema_model\", \"model\""));
}

/* _rebuild_from_type_v2(_rebuild_tensor_v2, torch.Tensor, arguments, attributes), and a parameter with attributes. */
static void tensors_with_attributes_are_tensors(void **state) {
    static const char arguments[] = "((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuK\x10tQ"
                                    "K\0K\x10\x85K\1\x85\x89}t";
    static const char first[] = "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\n"
                                "ctorch\nTensor\n",
                      second[] = "ctorch._utils\n_rebuild_parameter_with_state\n(ctorch._utils\n_rebuild_tensor_v2\n";
    (void)state;
    for (int i = 0; i < 2; i++) {
        icseg_string p = {0};
        icseg_string_append(&p, "\x80\2}", 3);
        put_text(&p, "visual.class_embedding");
        icseg_string_append(&p, i ? second : first, (i ? sizeof second : sizeof first) - 1);
        icseg_string_append(&p, arguments, sizeof arguments - 1);
        icseg_string_append(&p, i ? "R\x88}}tRs" : "}tRs", i ? 7 : 4);
        write_archive(&p);
        expect("visual.class_embedding");
    }
}

static void other_models_are_named(void **state) {
    static const struct {
        const char *names[3], *message;
    } files[] = {
        {{"visual.trunk.pos_embed", "logit_bias", NULL},
         "this is a SigLIP model; icseg reads both encoders of OpenAI's CLIP"},
        {{"visual.trunk.pos_embed", "text.token_embedding.weight", NULL},
         "this is a CLIP whose image encoder is timm's"},
        {{"visual.class_embedding", "text_decoder.ln_final.weight", NULL}, "this is a CoCa model"},
        {{"visual.attn_pool.query", "text.token_embedding.weight", NULL}, "this is a CoCa model"},
        {{"visual_encoder.cls_token", "text_decoder.cls", NULL}, "this is a BLIP model"},
        {{"image_encoder.model.head", "text_encoder.projection", NULL}, "this is a MobileCLIP model"},
        {{"visual.blocks.0.attn.q_bias", "text.positional_embedding", NULL}, "this is an EVA-CLIP model"},
        {{"visual.class_embedding", "text.transformer.embeddings.LayerNorm", NULL}, "text encoder is Hugging Face's"},
        {{"visual.class_embedding", NULL, NULL}, "this is an image encoder alone"},
        {{"vision_model.embeddings.class_embedding", NULL, NULL}, "this is an image encoder alone"},
        {{"token_embedding.weight", NULL, NULL}, "this is a text encoder alone"},
    };
    icseg_string p = {0};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        icseg_string_append(&p, "\x80\2}", 3);
        for (int n = 0; files[i].names[n]; n++) {
            put_tensor(&p, files[i].names[n]);
            icseg_string_append(&p, "s", 1);
        }
        write_archive(&p);
        refuses(files[i].message);
    }
    static const char whole[] = "\x80\2cclip.model\nCLIP\n)\x81}b";
    icseg_string_append(&p, whole, sizeof whole - 1);
    write_archive(&p);
    refuses("an object of the class clip.model.CLIP, not tensors by name");
}

/* A TorchScript archive whose code is `source`. */
static void a_script_says_its_activation(void **state) {
    static const struct {
        const char *source, *file;
        icseg_clip_activation activation;
    } files[] = {
        {"return torch.mul(x, torch.sigmoid(torch.mul(x, CONSTANTS.c0)))", "x/code/__torch__/model.py",
         ICSEG_CLIP_QUICK_GELU},
        {"return torch.gelu(x)", "x/code/__torch__/model.py", ICSEG_CLIP_GELU},
        {"return torch.gelu(x)", "x/code/__torch__/model.py.debug_pkl", ICSEG_CLIP_QUICK_GELU},
        {"return torch.gelu(x)", "x/extra/model.py", ICSEG_CLIP_QUICK_GELU},
    };
    static const float numbers[16] = {0};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof files / sizeof *files; i++) {
        icseg_string p = {0};
        icseg_weights *w;
        test_zip a = {0};
        icseg_string_append(&p, "\x80\2c__torch__\nCLIP\n)\x81}", 21);
        put_tensor(&p, "visual.class_embedding");
        icseg_string_append(&p, "sb.", 3);
        test_zip_add(&a, "x/data.pkl", p.data, p.size, 0);
        test_zip_add(&a, "x/data/0", numbers, sizeof numbers, 0);
        if (i % 2)
            test_zip_deflate(&a, files[i / 2].file, files[i / 2].source, strlen(files[i / 2].source));
        else
            test_zip_add(&a, files[i / 2].file, files[i / 2].source, strlen(files[i / 2].source), 0);
        test_zip_write(&a, path);
        icseg_string_close(&p);
        if (icseg_weights_open(&w, path, &error) != ICSEG_OK) fail_msg("%s", error.message);
        assert_string_equal(icseg_weights_container(w), "TorchScript archive");
        assert_true(w->facts.activation_known);
        assert_int_equal(w->facts.activation, files[i / 2].activation);
        icseg_weights_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_beside_the_tensors_are_read_over),
        cmocka_unit_test(a_defaultdict_is_a_state_dict),
        cmocka_unit_test(wrappers_are_removed_from_names),
        cmocka_unit_test(the_weights_are_taken_before_their_average_and_single_tensors),
        cmocka_unit_test(a_wrapper_that_only_the_model_has_is_removed),
        cmocka_unit_test(the_set_of_weights_is_chosen_by_key_prefix_or_kind),
        cmocka_unit_test(moments_are_not_weights),
        cmocka_unit_test(keys_and_their_number_are_bounded),
        cmocka_unit_test(sets_of_weights_may_be_in_shards),
        cmocka_unit_test(a_prefix_in_a_safetensors_file_is_chosen),
        cmocka_unit_test(tensors_with_attributes_are_tensors),
        cmocka_unit_test(other_models_are_named),
        cmocka_unit_test(a_script_says_its_activation),
    };
    return cmocka_run_group_tests(tests, open_folder, test_scratch_close);
}

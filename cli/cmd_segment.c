/* SPDX-License-Identifier: Apache-2.0
 * icseg segment: labels images with any classes, with CLIP's weights and without training. */
#include "cli.h"
#include "labelling.h"
#include "open_vocabulary.h"
#include "support.h"

struct options {
    const char *weights;
    open_options open;
    labelling_options label;
};

static const icseg_option rows[] = {
    {"WEIGHTS", ICSEG_FIELD_STRING(struct options, weights), "CLIP's weights: the file or folder as published",
     .positional = true, .required = true},
    LABELLING_IMAGE_ROW(struct options),
    OPEN_CLASS_ROWS(struct options, open),
    LABELLING_OUT_ROW(struct options, false),
    {"save-labels", ICSEG_FIELD_STRING(struct options, label.save_labels),
     "write a data set of the images and their labels into a new folder, to be corrected and trained on",
     .metavar = "DIR"},
    {"min-confidence", ICSEG_FIELD_FLOAT(struct options, label.min_confidence),
     "--save-labels: pixels whose class is less probable than this are unlabelled", ICSEG_BETWEEN(0, 1)},
    OPEN_ROWS(struct options, open, "WEIGHTS"),
    EXPORT_ROWS(struct options, label.exports),
    LABELLING_ROWS(struct options),
    INFERENCE_ROWS_SHOWN(struct options, label.inference, "slide", "224x224", "112x112; with --crop two thirds of it",
                         "336"),
    IMAGE_ROWS(struct options, label.values, "as the file says"),
};

static void defaults(void *values) {
    struct options *o = values;
    labelling_defaults(&o->label);
    open_defaults(&o->open);
    o->label.min_confidence = 0.5;
}

static icseg_status open_weights(icseg_model **out, const icseg_command_context *context, const void *user,
                                 icseg_error *error) {
    const struct options *o = user;
    return open_model(out, &o->open, o->weights, NULL, 0, context, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    if (!open_given(&o->open))
        return icseg_error_set(error, ICSEG_ERROR_ARGUMENT,
                               "no classes are given; use --classes \"sky; grass; person, man, woman\" or "
                               "--classes-file FILE");
    TRY(open_check(&o->open, true, "--classes", o->label.inference.precision, error));
    return labelling_run(&o->label, context, o->weights, open_weights, o, error);
}

const icseg_command icseg_command_segment = {
    .name = "segment",
    .summary = "Labels the pixels of images with any classes, without training",
    .description = "Compares each position of an image with the names of classes, with CLIP's\n"
                   "weights alone. WEIGHTS is anything that `icseg convert` reads: OpenAI's\n"
                   "ViT-B-16.pt, an open_clip file, a Hugging Face folder or a converted file.\n"
                   "\n"
                   "The results are those of `icseg predict`. The labels are a first guess: they\n"
                   "find large regions of common things better than small or thin ones.\n"
                   "--save-labels writes them as a data set, from which a labelling tool, then\n"
                   "`icseg train`, can go on (docs/open_vocabulary.md).\n"
                   "\n"
                   "Positional embeddings are resampled bicubically, as DINO does, and not as in\n"
                   "models that were trained with icseg.\n",
    .examples = "icseg segment ViT-B-16.pt photo.jpg --out labels --overlay \\\n"
                "    --classes \"sky; grass; person, man, woman; dog\"\n"
                "icseg segment ViT-B-16.pt photos/ --out labels --classes-file names.txt \\\n"
                "    --background \"wall, floor\" --threshold 0.1 --refine pamr\n"
                "icseg segment laion.safetensors photos/ --classes \"road; car; tree\" \\\n"
                "    --save-labels data/first --min-confidence 0.6\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

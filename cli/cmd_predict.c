/* SPDX-License-Identifier: Apache-2.0
 * icseg predict: labels images with a trained model. */
#include "cli.h"
#include "icseg/model.h"
#include "labelling.h"

struct options {
    const char *checkpoint;
    labelling_options label;
};

static const icseg_option rows[] = {
    {"CHECKPOINT", ICSEG_FIELD_STRING(struct options, checkpoint), "checkpoint of the model, a .safetensors file",
     .positional = true, .required = true},
    LABELLING_IMAGE_ROW(struct options),
    LABELLING_OUT_ROW(struct options, true),
    EXPORT_ROWS(struct options, label.exports),
    LABELLING_ROWS(struct options),
    INFERENCE_ROWS(struct options, label.inference),
    IMAGE_ROWS(struct options, label.values, "as in training, else as the file says"),
};

static void defaults(void *values) { labelling_defaults(&((struct options *)values)->label); }

static icseg_status open_checkpoint(icseg_model **out, const icseg_command_context *context, const void *user,
                                    icseg_error *error) {
    (void)context;
    return icseg_model_open(out, ((const struct options *)user)->checkpoint, error);
}

static icseg_status run(const icseg_command_context *context, const void *values, icseg_error *error) {
    const struct options *o = values;
    return labelling_run(&o->label, context, o->checkpoint, open_checkpoint, o, error);
}

const icseg_command icseg_command_predict = {
    .name = "predict",
    .summary = "Labels the pixels of images",
    .description = "Writes DIR/STEM.png for each image: a label map of the size of the image, whose\n"
                   "values are class numbers, with a palette or, from 256 classes on, as 16-bit\n"
                   "grey. Images may be JPEG, PNG, WebP, TIFF, BMP, GIF, PNM, HEIC or AVIF files;\n"
                   "the orientation in their EXIF data is applied.\n"
                   "\n"
                   "With --format, it writes the files of labelling tools into DIR/FORMAT, from\n"
                   "which `icseg dataset import` makes the same masks. Each region of connected\n"
                   "pixels of a class is an object; the class \"background\" is left out. Objects have\n"
                   "scores with --confidence or --json, in formats that have scores.\n"
                   "\n"
                   "Results of earlier calls are replaced. Other files are not, unless --force is\n"
                   "given: DIR/.icseg-results lists the results.\n"
                   "\n"
                   "By default, images are processed as in the evaluations during training, which\n"
                   "`icseg info` shows. The command prints the names of the files with labels. If an\n"
                   "image cannot be read, the command reports it, continues with the others and\n"
                   "exits with status 1.\n"
                   "\n"
                   "`mpirun -n N icseg predict ...` divides the images among N processes.\n",
    .examples = "icseg predict checkpoint.safetensors street.jpg --out labels --overlay\n"
                "icseg predict checkpoint.safetensors photos/ 'more/*.png' --out labels --json\n"
                "icseg predict checkpoint.safetensors photos/ --out labels --mode slide\n"
                "icseg predict checkpoint.safetensors photos/ --out labels --recursive \\\n"
                "    --format png,coco --tolerance 1 --min-area 50\n"
                "icseg predict checkpoint.safetensors - --out - <street.jpg >labels.png\n",
    .options = ICSEG_TABLE(rows),
    .size = sizeof(struct options),
    .defaults = defaults,
    .run = run,
};

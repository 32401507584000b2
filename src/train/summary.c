/* SPDX-License-Identifier: Apache-2.0
 * Checks the data before training; reports problems and the number of pixels of each class. */
#include <stdio.h>

#include "train/trainer.h"

enum { MAX_SHOWN = 20, NAME_COLUMNS = 28 };

typedef struct problem_list {
    const icseg_trainer *trainer;
    int64_t count;
} problem_list;

static void show_problem(void *user, const icseg_error *problem) {
    problem_list *list = user;
    if (list->count++ < MAX_SHOWN) icseg_trainer_say(list->trainer, "%s", problem->message);
}

static void say_split(const icseg_trainer *t, const char *name, const icseg_dataset_summary *s) {
    char sizes[80];
    snprintf(sizes, sizeof sizes, "%dx%d", s->min_width, s->min_height);
    if (s->min_width != s->max_width || s->min_height != s->max_height)
        snprintf(sizes, sizeof sizes, "%dx%d to %dx%d", s->min_width, s->min_height, s->max_width, s->max_height);
    icseg_trainer_say(t, "%s: %lld %s, %s, %.2f %% of the pixels unlabelled", name, (long long)s->images,
                      icseg_plural(s->images, "image", "images"), sizes,
                      s->pixels ? 100.0 * (double)s->ignored / (double)s->pixels : 0.0);
}

static double share(const icseg_dataset_summary *s, int32_t k) {
    int64_t labelled = s->pixels - s->ignored;
    return labelled ? 100.0 * (double)s->class_pixels[k] / (double)labelled : 0.0;
}

/* summary: of the training and the validation split. */
static icseg_status say_classes(const icseg_trainer *t, const icseg_dataset_summary summary[2], icseg_error *error) {
    const char *const *names = icseg_dataset_class_names(t->train);
    icseg_string text = {0}, absent = {0};
    icseg_string_printf(&text, "%5s  %-*s  %14s  %8s  %8s  %14s  %8s  %8s", "Label", (int)NAME_COLUMNS, "Class",
                        "Train pixels", "Share", "Images", "Val pixels", "Share", "Images");
    for (int32_t k = 0; k < summary[0].classes; k++) {
        icseg_string_printf(&text, "\n%5d  %-*s", k, (int)NAME_COLUMNS, names[k]);
        for (int i = 0; i < 2; i++)
            icseg_string_printf(&text, "  %14lld  %6.2f %%  %8lld", (long long)summary[i].class_pixels[k],
                                share(&summary[i], k), (long long)summary[i].class_images[k]);
        if (summary[0].class_pixels[k] == 0) icseg_string_printf(&absent, "%s%s", absent.size ? ", " : "", names[k]);
    }
    bool complete = !text.failed && !absent.failed;
    if (complete) icseg_trainer_say(t, "%s", text.data);
    if (complete && absent.size) icseg_trainer_warn(t, "classes without training pixels: %s", absent.data);
    icseg_string_close(&text);
    icseg_string_close(&absent);
    return complete ? ICSEG_OK : icseg_fail_memory(error, 0, "the table of classes");
}

/* Of each kind one note, about an image of either split. */
static void say_notes(const icseg_trainer *t) {
    for (int kind = ICSEG_IMAGE_NOTE_NONE + 1; kind < ICSEG_IMAGE_NOTES; kind++) {
        icseg_error note;
        if (!icseg_dataset_note(t->train, (icseg_image_note)kind, &note) &&
            !icseg_dataset_note(t->val, (icseg_image_note)kind, &note))
            continue;
        icseg_trainer_warn(t, "%s%s%s", note.message, note.field[0] ? "; set data." : "", note.field);
    }
}

icseg_status icseg_trainer_check_data(icseg_trainer *t, icseg_error *error) {
    const icseg_dataset *dataset[2] = {t->train, t->val};
    char val[160];
    icseg_recipe_describe_val(t->recipe, val, sizeof val);
    const char *name[2] = {t->recipe->data.train_split, val};
    icseg_dataset_summary summary[2] = {{ICSEG_DATASET_SUMMARY_INIT}, {ICSEG_DATASET_SUMMARY_INIT}};
    problem_list found = {.trainer = t};
    icseg_dataset_check_options how = {ICSEG_DATASET_CHECK_OPTIONS_INIT, .threads = t->recipe->train.threads,
                                       .on_problem = show_problem, .user = &found};
    icseg_status status = ICSEG_OK;
    for (int i = 0; i < 2 && status == ICSEG_OK; i++) {
        status = icseg_dataset_check(dataset[i], &how, &t->progress, &summary[i], error);
        how.names_checked = true; /* both splits share the class list */
        if (status == ICSEG_OK) say_split(t, name[i], &summary[i]);
    }
    say_notes(t);
    const icseg_dataset_summary *train = &summary[0];
    t->short_side = train->max_width < train->max_height ? train->max_width : train->max_height;
    if (status == ICSEG_OK) status = say_classes(t, summary, error);
    if (status == ICSEG_OK) status = icseg_trainer_find_class_weights(t, train, error);
    if (found.count > MAX_SHOWN)
        icseg_trainer_say(t, "... and %lld more; check the data set to list them all",
                          (long long)found.count - MAX_SHOWN);
    for (int i = 0; i < 2; i++) icseg_dataset_summary_close(&summary[i]);
    return status;
}

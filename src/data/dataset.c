/* SPDX-License-Identifier: Apache-2.0
 * The folder data set: finding and pairing files, the label rule, reading one pair. */
#include "icseg/dataset.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "data/classes.h"
#include "data/dataset_internal.h"
#include "image/codec.h"

/* A file of a folder under the stem it is paired by. */
typedef struct stem_file {
    char *stem, *path;
    bool usable; /* the extension is one that is read */
} stem_file;

typedef struct stem_list {
    stem_file *files;
    size_t count;
} stem_list;

static const char *const image_types[] = {"jpg", "jpeg", "png", "webp", "tif", "tiff", NULL};
static const char *const label_types[] = {"png", "tif", "tiff", NULL};

icseg_dataset_options icseg_dataset_options_default(void) { return (icseg_dataset_options){.split = "train"}; }

static bool has_type(const char *name, const char *const *types) {
    const char *extension = icseg_path_extension(name);
    for (; *types; types++)
        if (!strcasecmp(extension, *types)) return true;
    return false;
}

/* By stem; of one stem those of a usable type come first. */
static int compare_stems(const void *a, const void *b) {
    const stem_file *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    if (order) return order;
    if (x->usable != y->usable) return x->usable ? -1 : 1;
    return strcmp(x->path, y->path);
}

static icseg_status fail_folder(const char *path, icseg_error *error) {
    return icseg_fail(error, ICSEG_ERROR_DATA,
                      "%s: no such folder; a data set has images/SPLIT, annotations/SPLIT and classes.txt", path);
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Names of the subfolders of `folder`, sorted; hidden ones left out. The list is the arena's. */
static icseg_status list_folders(icseg_arena *arena, const char *folder, char ***out, int32_t *count,
                                 icseg_error *error) {
    enum { MOST = 1024 };
    icseg_status status = ICSEG_OK;
    DIR *open = opendir(folder);
    *count = 0;
    if (!open) return fail_folder(folder, error);
    *out = icseg_arena_array(arena, MOST, sizeof **out);
    for (struct dirent *entry; *out && *count < MOST && (entry = readdir(open));) {
        struct stat info;
        if (entry->d_name[0] == '.' || fstatat(dirfd(open), entry->d_name, &info, 0) != 0 || !S_ISDIR(info.st_mode))
            continue;
        if (!((*out)[(*count)++] = icseg_arena_strdup(arena, entry->d_name))) *out = NULL;
    }
    closedir(open);
    if (!*out)
        status = icseg_fail_memory(error, MOST * sizeof **out, folder);
    else
        qsort(*out, (size_t)*count, sizeof **out, compare_names);
    return status;
}

icseg_status icseg_dataset_splits(char ***out, int32_t *count, const char *folder, icseg_error *error) {
    icseg_arena *arena;
    char **names = NULL, *images;
    icseg_status status;
    *out = NULL;
    *count = 0;
    ICSEG_TRY(icseg_arena_open(&arena, error));
    if (!(images = icseg_arena_printf(arena, "%s/images", folder)))
        status = icseg_fail_memory(error, strlen(folder), folder);
    else
        status = icseg_folder_exists(folder) ? list_folders(arena, images, &names, count, error)
                                             : fail_folder(folder, error);
    size_t bytes = 0;
    for (int32_t i = 0; status == ICSEG_OK && i < *count; i++) bytes += sizeof **out + strlen(names[i]) + 1;
    if (status == ICSEG_OK && !(*out = icseg_alloc(bytes))) status = icseg_fail_memory(error, bytes, folder);
    if (status == ICSEG_OK) {
        char *text = (char *)(*out + *count);
        for (int32_t i = 0; i < *count; i++) {
            (*out)[i] = strcpy(text, names[i]);
            text += strlen(text) + 1;
        }
    }
    icseg_arena_close(&arena);
    return status;
}

/* A split that is not there: the text names those that are. */
static icseg_status fail_split(icseg_arena *arena, const char *parent, const char *path, icseg_error *error) {
    char **names, splits[200] = "";
    int32_t count;
    size_t used = 0;
    if (list_folders(arena, parent, &names, &count, NULL) != ICSEG_OK || !count) return fail_folder(path, error);
    for (int32_t i = 0; i < count && used + strlen(names[i]) + 3 < sizeof splits; i++)
        used += (size_t)snprintf(splits + used, sizeof splits - used, "%s%s", used ? ", " : "", names[i]);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no such folder; %s holds the splits %s", path, parent, splits);
}

/* Lists `folder` (all files, `usable` marking the types), sorted by stem. */
static icseg_status list_stems(icseg_arena *arena, const char *folder, const char *const *types, stem_list *out,
                               icseg_error *error) {
    char **names = NULL, stem[NAME_MAX + 1];
    size_t count;
    icseg_status status;
    ICSEG_TRY_GOTO(icseg_folder_list(folder, &names, &count, error));
    *out = (stem_list){icseg_arena_array(arena, count, sizeof *out->files), count};
    if (!out->files) {
        status = icseg_fail_memory(error, count * sizeof *out->files, folder);
        goto fail;
    }
    for (size_t i = 0; i < count; i++) {
        icseg_path_stem(names[i], stem, sizeof stem);
        stem_file *f = &out->files[i];
        *f = (stem_file){icseg_arena_strdup(arena, stem), icseg_arena_printf(arena, "%s/%s", folder, names[i]),
                         has_type(names[i], types)};
        if (!f->stem || !f->path) {
            status = icseg_fail_memory(error, strlen(folder) + strlen(names[i]), folder);
            goto fail;
        }
    }
    qsort(out->files, count, sizeof *out->files, compare_stems);
    for (size_t i = 1; i < count; i++)
        if (out->files[i].usable && out->files[i - 1].usable && !strcmp(out->files[i - 1].stem, out->files[i].stem)) {
            status = icseg_fail(error, ICSEG_ERROR_DATA,
                                "%s and %s have the same stem, so it is unclear which belongs to the pair; remove one",
                                out->files[i - 1].path, icseg_path_name(out->files[i].path));
            goto fail;
        }
fail:
    icseg_free(names);
    return status;
}

/* The first label file whose stem is not before `stem`. */
static size_t lower_bound(const stem_list *list, const char *stem) {
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(list->files[middle].stem, stem) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void pair_one(icseg_dataset_pair *pair, const stem_file *image, const stem_list *labels) {
    *pair = (icseg_dataset_pair){.image = image->path};
    size_t at = lower_bound(labels, image->stem);
    if (at == labels->count) return;
    const stem_file *found = &labels->files[at];
    if (!strcmp(found->stem, image->stem))
        pair->label = found->path;
    else if (!strncmp(found->stem, image->stem, strlen(image->stem)))
        pair->hint = found->path; /* a_mask.png for a */
}

/* Labels that no image asked for; both lists are sorted. */
static icseg_status find_orphans(icseg_dataset *d, const stem_list *images, const stem_list *labels,
                                 icseg_error *error) {
    d->orphans = icseg_arena_array(d->arena, labels->count, sizeof *d->orphans);
    if (!d->orphans) return icseg_fail_memory(error, labels->count * sizeof *d->orphans, d->label_folder);
    for (size_t i = 0, j = 0; i < labels->count; i++) {
        if (!labels->files[i].usable) continue;
        while (j < images->count &&
               (!images->files[j].usable || strcmp(images->files[j].stem, labels->files[i].stem) < 0))
            j++;
        if (j == images->count || strcmp(images->files[j].stem, labels->files[i].stem))
            d->orphans[d->orphan_count++] = labels->files[i].path;
    }
    return ICSEG_OK;
}

icseg_status icseg_dataset_fail_unpaired(const icseg_dataset *d, const icseg_dataset_pair *pair, icseg_error *error) {
    char stem[NAME_MAX + 1];
    icseg_path_stem(pair->image, stem, sizeof stem);
    if (pair->hint)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: no label file %s/%s.png; there is %s: a label file is named like its image, rename it",
                          pair->image, d->label_folder, stem, icseg_path_name(pair->hint));
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no label file %s/%s.png; add it or remove the image", pair->image,
                      d->label_folder, stem);
}

static icseg_status pair_files(icseg_dataset *d, const char *image_folder, const stem_list *images,
                               const stem_list *labels, bool keep_unpaired, icseg_error *error) {
    size_t usable = 0;
    for (size_t i = 0; i < images->count; i++) usable += images->files[i].usable;
    if (!usable)
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: no images (.jpg, .jpeg, .png, .webp, .tif or .tiff); subfolders are not searched",
                          image_folder);
    if (usable > UINT32_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %zu images, at most %u are possible", image_folder, usable,
                          UINT32_MAX);
    d->pairs = icseg_arena_array(d->arena, usable, sizeof *d->pairs);
    if (!d->pairs) return icseg_fail_memory(error, usable * sizeof *d->pairs, image_folder);
    for (size_t i = 0; i < images->count; i++) {
        if (!images->files[i].usable) continue;
        icseg_dataset_pair *pair = &d->pairs[d->count++];
        pair_one(pair, &images->files[i], labels);
        if (!pair->label && !d->images_only && !keep_unpaired) return icseg_dataset_fail_unpaired(d, pair, error);
    }
    return d->images_only ? ICSEG_OK : find_orphans(d, images, labels, error);
}

static icseg_status find_files(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    const char *split = o->split ? o->split : "", *slash = split[0] ? "/" : "";
    char *folders[2], *parents[2];
    for (int i = 0; i < 2; i++) {
        parents[i] = icseg_arena_printf(d->arena, "%s/%s", o->folder, i ? "annotations" : "images");
        folders[i] = parents[i] ? icseg_arena_printf(d->arena, "%s%s%s", parents[i], slash, split) : NULL;
        if (!folders[i]) return icseg_fail_memory(error, strlen(o->folder) + strlen(split), o->folder);
        if (!(i && o->images_only) && !icseg_folder_exists(folders[i]))
            return fail_split(d->arena, parents[i], folders[i], error);
    }
    d->label_folder = folders[1];
    stem_list images = {0}, labels = {0};
    ICSEG_TRY(list_stems(d->arena, folders[0], image_types, &images, error));
    if (!o->images_only) ICSEG_TRY(list_stems(d->arena, folders[1], label_types, &labels, error));
    return pair_files(d, folders[0], &images, &labels, o->keep_unpaired, error);
}

static icseg_status set_rule(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    if (o->ignore_count < 0 || o->ignore_count > ICSEG_IGNORE_VALUES)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "data.ignore: %d values, at most %d are possible",
                          o->ignore_count, ICSEG_IGNORE_VALUES);
    for (int deep = 0; deep < 2; deep++) {
        for (int32_t v = 0; v < ICSEG_LABEL_VALUES; v++) {
            int32_t label = o->reduce_zero_label ? v - 1 : v; /* 0 becomes -1: ignore */
            d->rule[deep][v] = (int16_t)(label < d->classes ? label : ICSEG_LABEL_INVALID);
        }
        d->rule[deep][deep ? 65535 : 255] = ICSEG_LABEL_IGNORE;
        for (int32_t i = 0; i < o->ignore_count; i++) {
            if (o->ignore[i] < 0 || o->ignore[i] >= ICSEG_LABEL_VALUES)
                return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "data.ignore: %d is not a label value; 0..65535 are",
                                  o->ignore[i]);
            d->rule[deep][o->ignore[i]] = ICSEG_LABEL_IGNORE;
            d->ignores_255 |= o->ignore[i] == 255;
        }
    }
    d->reduce_zero_label = o->reduce_zero_label;
    return ICSEG_OK;
}

icseg_status icseg_dataset_open(icseg_dataset **out, const icseg_dataset_options *o, icseg_error *error) {
    *out = NULL;
    if (!o->folder || !o->folder[0]) return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "no data folder was given");
    if (!icseg_folder_exists(o->folder)) return fail_folder(o->folder, error);
    icseg_status status;
    icseg_dataset *d = icseg_calloc_array(1, sizeof *d);
    if (!d) return icseg_fail_memory(error, sizeof *d, "a data set");
    d->images_only = o->images_only;
    d->check_images = o->check_images;
    ICSEG_TRY_GOTO(icseg_arena_open(&d->arena, error));
    char *classes = o->classes_file ? icseg_arena_strdup(d->arena, o->classes_file)
                                    : icseg_arena_printf(d->arena, "%s/classes.txt", o->folder);
    if (!classes) {
        status = icseg_fail_memory(error, strlen(o->folder), o->folder);
        goto fail;
    }
    if (o->classes_file || !o->images_only || icseg_file_exists(classes))
        ICSEG_TRY_GOTO(icseg_classes_read(d->arena, classes, &d->names, &d->classes, error));
    ICSEG_TRY_GOTO(set_rule(d, o, error));
    ICSEG_TRY_GOTO(find_files(d, o, error));
    *out = d;
    return ICSEG_OK;
fail:
    icseg_dataset_close(&d);
    return status;
}

void icseg_dataset_close(icseg_dataset **dataset) {
    if (!dataset || !*dataset) return;
    icseg_arena_close(&(*dataset)->arena);
    icseg_free(*dataset);
    *dataset = NULL;
}

int64_t icseg_dataset_count(const icseg_dataset *d) { return d->count; }
int32_t icseg_dataset_classes(const icseg_dataset *d) { return d->classes; }
const char *const *icseg_dataset_class_names(const icseg_dataset *d) { return (const char *const *)d->names; }
const char *icseg_dataset_image_path(const icseg_dataset *d, int64_t index) { return d->pairs[index].image; }
const char *icseg_dataset_label_path(const icseg_dataset *d, int64_t index) { return d->pairs[index].label; }

/* Whether the picture's EXIF orientation swaps its sides. */
static bool is_turned(const char *path) {
    icseg_map map;
    icseg_header header;
    if (icseg_map_open(&map, path, NULL) != ICSEG_OK) return false;
    icseg_source source = {.data = map.data, .size = map.size, .name = path};
    bool turned = icseg_header_read(&header, &source, NULL) == ICSEG_OK && header.orientation >= 5;
    icseg_map_close(&map);
    return turned;
}

icseg_status icseg_dataset_check_size(const icseg_dataset_pair *pair, int32_t width, int32_t height,
                                      const icseg_mask *mask, icseg_error *error) {
    if (mask->width == width && mask->height == height) return ICSEG_OK;
    if (mask->width == height && mask->height == width && is_turned(pair->image))
        return icseg_fail(
            error, ICSEG_ERROR_DATA,
            "%s: the mask is %dx%d, which fits %s only without its EXIF rotation (%dx%d with it); turn the "
            "mask, or remove the image's EXIF orientation",
            pair->label, mask->width, mask->height, pair->image, width, height);
    return icseg_fail(error, ICSEG_ERROR_DATA, "%s: the mask is %dx%d but its image %s is %dx%d; they must be equal",
                      pair->label, mask->width, mask->height, pair->image, width, height);
}

icseg_status icseg_dataset_fail_value(const icseg_dataset *d, const char *path, const icseg_mask *mask,
                                      icseg_error *error) {
    const int16_t *rule = icseg_dataset_rule(d, mask->bits);
    size_t n = (size_t)mask->width * (size_t)mask->height, first = n, others = 0;
    for (size_t i = 0; i < n; i++)
        if (rule[mask->data[i]] == ICSEG_LABEL_INVALID) {
            if (first == n)
                first = i;
            else
                others++;
        }
    if (first == n) return icseg_fail(error, ICSEG_ERROR_INTERNAL, "%s: no value is out of range", path);
    int32_t value = mask->data[first], low = d->reduce_zero_label ? 1 : 0, high = d->classes - 1 + low;
    char more[64] = "";
    if (others) snprintf(more, sizeof more, " and %zu more pixels out of range", others);
    const char *remedy = value == high + 1 && !d->reduce_zero_label
                             ? "if 0 means unlabelled and classes count from 1, set data.reduce_zero_label; if"
                             : "if";
    return icseg_fail(
        error, ICSEG_ERROR_DATA,
        "%s: value %d at x=%zu, y=%zu%s; classes are %d..%d and %d is ignored; %s %d means unlabelled, add "
        "it to data.ignore; if it is a class, add its name to the class list",
        path, value, first % (size_t)mask->width, first / (size_t)mask->width, more, low, high,
        mask->bits == 16 ? 65535 : 255, remedy, value);
}

/* Stored values to labels. */
static icseg_status apply_rule(const icseg_dataset *d, const char *path, const icseg_mask *mask, icseg_labels *labels,
                               icseg_error *error) {
    ICSEG_TRY(icseg_labels_create(labels, mask->width, mask->height, error));
    const int16_t *rule = icseg_dataset_rule(d, mask->bits);
    size_t n = (size_t)mask->width * (size_t)mask->height;
    bool invalid = false;
    for (size_t i = 0; i < n; i++) {
        int16_t label = rule[mask->data[i]];
        invalid |= label == ICSEG_LABEL_INVALID;
        labels->data[i] = label;
    }
    return invalid ? icseg_dataset_fail_value(d, path, mask, error) : ICSEG_OK;
}

icseg_status icseg_dataset_read(const icseg_dataset *d, int64_t index, icseg_image *image, icseg_labels *labels,
                                icseg_error *error) {
    *image = (icseg_image){0};
    *labels = (icseg_labels){0};
    if (index < 0 || index >= d->count)
        return icseg_fail(error, ICSEG_ERROR_ARGUMENT, "image %lld of a data set of %lld", (long long)index,
                          (long long)d->count);
    const icseg_dataset_pair *pair = &d->pairs[index];
    icseg_mask mask = {0};
    icseg_status status;
    if (!pair->label && !d->images_only) return icseg_dataset_fail_unpaired(d, pair, error);
    ICSEG_TRY_GOTO(icseg_image_read(image, pair->image, error));
    if (!d->images_only) {
        ICSEG_TRY_GOTO(icseg_mask_read(&mask, pair->label, error));
        ICSEG_TRY_GOTO(icseg_dataset_check_size(pair, image->width, image->height, &mask, error));
        ICSEG_TRY_GOTO(apply_rule(d, pair->label, &mask, labels, error));
    }
    icseg_mask_close(&mask);
    return ICSEG_OK;
fail:
    icseg_mask_close(&mask);
    icseg_labels_close(labels);
    icseg_image_close(image);
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * Finds the files of a data set and pairs images with label files by stem. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/argument.h"
#include "base/compare.h"
#include "base/file.h"
#include "base/text.h"
#include "dataset/internal.h"
#include "dataset/text_lines.h"

enum { MAX_LIST_BYTES = 64 << 20 };

/* A file, and the stem by which it is paired. */
typedef struct stem_file {
    char *stem, *path;
    bool usable; /* has an extension and suffix that are read */
} stem_file;

typedef struct stem_list {
    stem_file *files;
    size_t count, capacity;
} stem_list;

/* The files of a split, both lists sorted by stem. */
typedef struct split_files {
    stem_list images, labels;
} split_files;

/* Selects the usable files of a folder. */
typedef struct file_kind {
    const char *const *types;
    const char *suffix; /* end of the name that does not belong to the stem */
} file_kind;

static bool has_type(const char *name, const char *const *types) {
    const char *extension = icseg_path_extension(name);
    for (; *types; types++)
        if (!strcasecmp(extension, *types)) return true;
    return false;
}

/* By stem; usable files come first. */
static int compare_stems(const void *a, const void *b) {
    const stem_file *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    if (order) return order;
    if (x->usable != y->usable) return x->usable ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* The names of the subfolders of `folder`, sorted, without hidden ones. The arena owns the list. */
static icseg_status list_folders(icseg_arena *arena, const char *folder, char ***out, int32_t *count,
                                 icseg_error *error) {
    enum { MAX_FOLDERS = 4096 };
    icseg_status status = ICSEG_OK;
    DIR *open;
    *count = 0;
    if (!icseg_folder_exists(folder)) return icseg_dataset_fail_folder(folder, error);
    ICSEG_TRY(icseg_folder_open(&open, folder, error));
    *out = icseg_arena_array(arena, MAX_FOLDERS, sizeof **out);
    const char *name;
    while (*out && status == ICSEG_OK && (status = icseg_folder_next(open, folder, &name, error)) == ICSEG_OK && name) {
        struct stat info;
        if (name[0] == '.') continue;
        if (fstatat(dirfd(open), name, &info, 0) != 0) /* a link, perhaps to a folder full of images */
            status = icseg_fail(error, ICSEG_ERROR_IO, "%s/%s: cannot open: %s", folder, name, strerror(errno));
        else if (!S_ISDIR(info.st_mode))
            continue;
        else if (*count == MAX_FOLDERS)
            status = icseg_fail(error, ICSEG_ERROR_DATA,
                                "%s: more than %d subfolders; is this the folder of a data set?", folder, MAX_FOLDERS);
        else if (!((*out)[(*count)++] = icseg_arena_strdup(arena, name)))
            *out = NULL;
    }
    closedir(open);
    if (!*out)
        status = icseg_fail_memory_in(error, 0, folder);
    else
        qsort(*out, (size_t)*count, sizeof **out, icseg_compare_names);
    return status;
}

icseg_status icseg_dataset_copy_names(char ***out, char *const *names, int32_t count, const char *folder,
                                      icseg_error *error) {
    size_t bytes = 0;
    for (int32_t i = 0; i < count; i++) bytes += sizeof **out + strlen(names[i]) + 1;
    if (!(*out = icseg_alloc(bytes))) return icseg_fail_memory_in(error, bytes, folder);
    char *text = (char *)(*out + count);
    for (int32_t i = 0; i < count; i++) {
        (*out)[i] = strcpy(text, names[i]);
        text += strlen(text) + 1;
    }
    return ICSEG_OK;
}

/* The folder of a split's images, or the split's list. */
static char *split_path(icseg_arena *arena, const char *folder, const icseg_dataset_layout *l, const char *split) {
    return l->list_root ? icseg_arena_printf(arena, "%s/%s/%s.txt", folder, l->list_root, split)
                        : icseg_arena_printf(arena, "%s/%s/%s", folder, l->image_root, split);
}

static icseg_status find_splits(icseg_arena *arena, const char *folder, char ***out, int32_t *count,
                                icseg_error *error) {
    const icseg_dataset_layout *l = icseg_dataset_recognise(folder);
    if (!l->splits[0]) {
        char *images = icseg_arena_printf(arena, "%s/images", folder);
        if (!images) return icseg_fail_memory_in(error, 0, folder);
        if (!icseg_folder_exists(folder)) return icseg_dataset_fail_folder(folder, error);
        ICSEG_TRY(icseg_dataset_check_folder(folder, false, false, error));
        return list_folders(arena, images, out, count, error);
    }
    *out = icseg_arena_array(arena, 2, sizeof **out);
    for (int i = 0; *out && i < 2; i++) {
        char *path = split_path(arena, folder, l, l->splits[i]);
        if (!path)
            *out = NULL;
        else {
            bool folder_found, list_found;
            ICSEG_TRY(icseg_path_find(path, S_IFDIR, &folder_found, error));
            ICSEG_TRY(icseg_path_find(path, S_IFREG, &list_found, error));
            if ((folder_found || list_found) && !((*out)[(*count)++] = icseg_arena_strdup(arena, l->splits[i])))
                *out = NULL;
        }
    }
    return *out ? ICSEG_OK : icseg_fail_memory_in(error, 0, folder);
}

icseg_status icseg_dataset_splits(char ***out, int32_t *count, const char *folder, icseg_error *error) {
    icseg_arena *arena;
    char **names = NULL;
    ICSEG_NEED(out);
    ICSEG_NEED(count);
    *out = NULL;
    *count = 0;
    ICSEG_NEED(folder);
    ICSEG_TRY(icseg_arena_open(&arena, error));
    icseg_status status = find_splits(arena, folder, &names, count, error);
    if (status == ICSEG_OK) status = icseg_dataset_copy_names(out, names, *count, folder, error);
    if (status != ICSEG_OK) *count = 0;
    icseg_arena_close(&arena);
    return status;
}

/* The error of a missing split; it names those that exist. */
static icseg_status fail_split(icseg_arena *arena, const char *parent, const char *path, icseg_error *error) {
    char **names, splits[200] = "";
    int32_t count;
    size_t used = 0;
    if (list_folders(arena, parent, &names, &count, NULL) != ICSEG_OK || !count)
        return icseg_dataset_fail_folder(path, error);
    for (int32_t i = 0; i < count && used + strlen(names[i]) + 3 < sizeof splits; i++)
        used += (size_t)snprintf(splits + used, sizeof splits - used, "%s%s", used ? ", " : "", names[i]);
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "split", ICSEG_REMEDY_SET_FIELD,
                            "%s: no such folder; %s contains the splits %s", path, parent, splits);
}

/* Removes the suffix from the end of the stem. False if the stem does not end in it. */
static bool cut_suffix(char *stem, const char *suffix) {
    size_t length = strlen(stem), cut = strlen(suffix);
    if (length <= cut || strcmp(stem + length - cut, suffix) != 0) return false;
    stem[length - cut] = '\0';
    return true;
}

static icseg_status add_file(icseg_arena *arena, stem_list *list, const char *folder, const char *name,
                             const file_kind *kind, icseg_error *error) {
    char stem[NAME_MAX + 1];
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        stem_file *grown = icseg_arena_array(arena, capacity, sizeof *grown);
        if (!grown) return icseg_fail_memory_in(error, capacity * sizeof *grown, folder);
        if (list->count) memcpy(grown, list->files, list->count * sizeof *grown);
        list->files = grown;
        list->capacity = capacity;
    }
    icseg_path_stem(name, stem, sizeof stem);
    bool usable = has_type(name, kind->types) && (!kind->suffix[0] || cut_suffix(stem, kind->suffix));
    stem_file *f = &list->files[list->count];
    *f = (stem_file){icseg_arena_strdup(arena, stem), icseg_arena_printf(arena, "%s/%s", folder, name), usable};
    if (!f->stem || !f->path) return icseg_fail_memory_in(error, 0, folder);
    if (usable && !icseg_file_exists(f->path)) /* without it the data set would be another one */
        return icseg_fail(error, ICSEG_ERROR_DATA,
                          "%s: a link to a missing file, a pipe or a device instead of an image; remove or replace it",
                          f->path);
    list->count++;
    return ICSEG_OK;
}

/* Collects the files `depth` levels below `folder`, unsorted. */
static icseg_status collect(icseg_arena *arena, const char *folder, const file_kind *kind, int depth, stem_list *out,
                            icseg_error *error) {
    if (depth > 0) {
        char **below;
        int32_t folders;
        ICSEG_TRY(list_folders(arena, folder, &below, &folders, error));
        for (int32_t i = 0; i < folders; i++) {
            char *path = icseg_arena_printf(arena, "%s/%s", folder, below[i]);
            if (!path) return icseg_fail_memory_in(error, 0, folder);
            ICSEG_TRY(collect(arena, path, kind, depth - 1, out, error));
        }
        return ICSEG_OK;
    }
    char **names = NULL;
    size_t count;
    ICSEG_TRY(icseg_folder_list(folder, &names, &count, error));
    icseg_status status = ICSEG_OK;
    for (size_t i = 0; i < count && status == ICSEG_OK; i++)
        status = add_file(arena, out, folder, names[i], kind, error);
    icseg_free(names);
    return status;
}

/* Lists all files of `folder`, sorted by stem; `usable` marks those of the kind. */
static icseg_status list_stems(icseg_arena *arena, const char *folder, const file_kind *kind, int depth, stem_list *out,
                               icseg_error *error) {
    *out = (stem_list){0};
    ICSEG_TRY(collect(arena, folder, kind, depth, out, error));
    if (out->count) qsort(out->files, out->count, sizeof *out->files, compare_stems);
    for (size_t i = 1; i < out->count; i++)
        if (out->files[i].usable && out->files[i - 1].usable && !strcmp(out->files[i - 1].stem, out->files[i].stem))
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s and %s differ only in the extension; remove one of them",
                              out->files[i - 1].path, icseg_path_name(out->files[i].path));
    return ICSEG_OK;
}

/* The first file whose stem is not before `stem`. */
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

static stem_file *find_stem(const stem_list *list, const char *stem) {
    size_t at = lower_bound(list, stem);
    return at < list->count && list->files[at].usable && !strcmp(list->files[at].stem, stem) ? &list->files[at] : NULL;
}

/* Finds the label file of the image's stem; otherwise, as a hint, one such as a_mask.png for a, unless it belongs to
 * another image. `any`: accepts a file of the stem that is not usable, so that reading it reports what is wrong. */
static void pair_one(icseg_dataset_pair *pair, const stem_file *image, const stem_list *images, const stem_list *labels,
                     bool any) {
    size_t length = strlen(image->stem);
    *pair = (icseg_dataset_pair){.image = image->path};
    for (size_t i = lower_bound(labels, image->stem); i < labels->count && !pair->label && !pair->hint; i++) {
        const stem_file *label = &labels->files[i];
        if (strncmp(label->stem, image->stem, length) != 0) return;
        char next = label->stem[length];
        if (!next && (any || label->usable))
            pair->label = label->path;
        else if (next && strchr("_-.", next) && label->usable && !find_stem(images, label->stem))
            pair->hint = label->path;
    }
}

/* Finds label files without an image. */
static icseg_status find_orphans(icseg_dataset *d, const split_files *files, icseg_error *error) {
    const stem_list *images = &files->images, *labels = &files->labels;
    d->orphans = icseg_arena_array(d->arena, labels->count, sizeof *d->orphans);
    if (!d->orphans) return icseg_fail_memory_in(error, labels->count * sizeof *d->orphans, d->label_folder);
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
    const icseg_dataset_layout *l = d->layout;
    char stem[NAME_MAX + 1];
    icseg_path_stem(pair->image, stem, sizeof stem);
    if (l->depth)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_CHECK_DATASET,
                                "%s: its label file %s%s.%s is missing; add it or remove the image", pair->image, stem,
                                l->label_suffix, l->label_types[0]);
    if (pair->hint)
        return icseg_fail_field(
            error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_CHECK_DATASET,
            "%s: its label file %s/%s%s.%s is missing, but there is %s; rename it: a label file must have the name of "
            "its image",
            pair->image, d->label_folder, stem, l->label_suffix, l->label_types[0], icseg_path_name(pair->hint));
    return icseg_fail_field(error, ICSEG_ERROR_DATA, NULL, ICSEG_REMEDY_CHECK_DATASET,
                            "%s: its label file %s/%s%s.%s is missing; add it or remove the image", pair->image,
                            d->label_folder, stem, l->label_suffix, l->label_types[0]);
}

/* origin: the folder or list of the images, for messages. */
static icseg_status pair_files(icseg_dataset *d, const char *origin, const split_files *files, bool keep_unpaired,
                               icseg_error *error) {
    const stem_list *images = &files->images;
    size_t usable = 0;
    for (size_t i = 0; i < images->count; i++) usable += images->files[i].usable;
    if (!usable)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: no images (%s); subfolders are not searched", origin,
                          d->layout->format == ICSEG_DATASET_FOLDER ? ".jpg, .png, .tif and others" : ".jpg");
    if (usable > UINT32_MAX)
        return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %zu images; at most %u are supported", origin, usable,
                          UINT32_MAX);
    d->pairs = icseg_arena_array(d->arena, usable, sizeof *d->pairs);
    if (!d->pairs) return icseg_fail_memory_in(error, usable * sizeof *d->pairs, origin);
    for (size_t i = 0; i < images->count; i++) {
        if (!images->files[i].usable) continue;
        icseg_dataset_pair *pair = &d->pairs[d->count++];
        pair_one(pair, &images->files[i], images, &files->labels, !d->layout->label_suffix[0]);
        if (!pair->label && !d->images_only && !keep_unpaired) return icseg_dataset_fail_unpaired(d, pair, error);
    }
    return d->images_only ? ICSEG_OK : find_orphans(d, files, error);
}

/* ---- sets whose splits are lists of stems ---- */

/* Reads the stems of the list, one per line, into the arena. */
static icseg_status read_list(icseg_arena *arena, const char *path, char ***out, size_t *count, icseg_error *error) {
    unsigned char *text;
    size_t size, max_lines = 1;
    ICSEG_TRY(icseg_file_read_text(path, MAX_LIST_BYTES, &text, &size, error));
    for (size_t i = 0; i < size; i++) max_lines += text[i] == '\n';
    icseg_status status = ICSEG_OK;
    *out = icseg_arena_array(arena, max_lines, sizeof **out);
    *count = 0;
    if (!*out) status = icseg_fail_memory_in(error, max_lines * sizeof **out, path);
    icseg_text_lines lines = icseg_text_lines_of(text, size);
    for (char *line; status == ICSEG_OK && (line = icseg_text_lines_next(&lines));) {
        if (strlen(line) > NAME_MAX - 16 || strpbrk(line, "/\r"))
            status = icseg_fail(error, ICSEG_ERROR_DATA, "%s: line %zu is not an image name", path, lines.number);
        else if (*line && !((*out)[(*count)++] = icseg_arena_strdup(arena, line)))
            status = icseg_fail_memory_in(error, 0, path);
    }
    icseg_free(text);
    return status;
}

/* Keeps the files that the list names. A missing image becomes an entry, which the check reports. */
static icseg_status keep_listed(icseg_dataset *d, const char *list_path, const char *image_folder, split_files *files,
                                bool keep_missing, icseg_error *error) {
    char **stems;
    size_t count;
    ICSEG_TRY(read_list(d->arena, list_path, &stems, &count, error));
    stem_list kept = {icseg_arena_array(d->arena, count, sizeof(stem_file)), 0, count};
    stem_list kept_labels = {icseg_arena_array(d->arena, count, sizeof(stem_file)), 0, count};
    if (!kept.files || !kept_labels.files) return icseg_fail_memory_in(error, 0, list_path);
    if (count) qsort(stems, count, sizeof *stems, icseg_compare_names);
    for (size_t i = 0; i < count; i++) {
        if (i && !strcmp(stems[i - 1], stems[i]))
            return icseg_fail(error, ICSEG_ERROR_DATA, "%s: %s is listed twice; remove one line", list_path, stems[i]);
        const stem_file *image = find_stem(&files->images, stems[i]);
        const stem_file *label = find_stem(&files->labels, stems[i]);
        if (!image && !keep_missing)
            return icseg_fail(error, ICSEG_ERROR_DATA,
                              "%s: the list contains %s, but %s/%s.jpg is missing; add it or remove the line",
                              list_path, stems[i], image_folder, stems[i]);
        kept.files[kept.count] =
            image ? *image
                  : (stem_file){stems[i], icseg_arena_printf(d->arena, "%s/%s.jpg", image_folder, stems[i]), true};
        if (!kept.files[kept.count++].path) return icseg_fail_memory_in(error, 0, list_path);
        if (label) kept_labels.files[kept_labels.count++] = *label;
    }
    *files = (split_files){kept, kept_labels};
    return ICSEG_OK;
}

/* ---- the split ---- */

/* The set's own name for the split: ADE20K's for "val" is "validation". */
static icseg_status name_split(const icseg_dataset_layout *l, const char *given, const char **out, icseg_error *error) {
    static const char *const common[2] = {"train", "val"};
    for (int i = 0; i < 2; i++)
        if (!strcmp(given, l->splits[i]) || !strcmp(given, common[i]) || (i && !strcmp(given, "test"))) {
            *out = l->splits[i];
            return ICSEG_OK;
        }
    return icseg_fail_field(error, ICSEG_ERROR_DATA, "split", ICSEG_REMEDY_SET_FIELD,
                            "split \"%.80s\": %s has the splits %s (or train) and %s (or val)", given, l->title,
                            l->splits[0], l->splits[1]);
}

static icseg_status find_listed(icseg_dataset *d, const icseg_dataset_options *o, const char *split,
                                icseg_error *error) {
    const icseg_dataset_layout *l = d->layout;
    split_files files = {0};
    char *image_folder = icseg_arena_printf(d->arena, "%s/%s", o->folder, l->image_root);
    d->label_folder = icseg_arena_printf(d->arena, "%s/%s", o->folder, l->label_root);
    char *list = split_path(d->arena, o->folder, l, split);
    if (!image_folder || !d->label_folder || !list) return icseg_fail_memory_in(error, 0, o->folder);
    ICSEG_TRY(list_stems(d->arena, image_folder, &(file_kind){l->image_types, ""}, 0, &files.images, error));
    if (!o->images_only)
        ICSEG_TRY(list_stems(d->arena, d->label_folder, &(file_kind){l->label_types, l->label_suffix}, 0, &files.labels,
                             error));
    ICSEG_TRY(keep_listed(d, list, image_folder, &files, o->keep_unpaired, error));
    return pair_files(d, list, &files, o->keep_unpaired, error);
}

icseg_status icseg_dataset_find_files(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    const icseg_dataset_layout *l = d->layout;
    const char *split = o->split ? o->split : "train";
    if (l->splits[0]) ICSEG_TRY(name_split(l, split, &split, error));
    if (l->list_root) return find_listed(d, o, split, error);
    const char *slash = split[0] ? "/" : "";
    char *folders[2], *parents[2];
    for (int i = 0; i < 2; i++) {
        parents[i] = icseg_arena_printf(d->arena, "%s/%s", o->folder, i ? l->label_root : l->image_root);
        folders[i] = parents[i] ? icseg_arena_printf(d->arena, "%s%s%s", parents[i], slash, split) : NULL;
        if (!folders[i]) return icseg_fail_memory_in(error, 0, o->folder);
        if (!(i && o->images_only) && !icseg_folder_exists(folders[i]))
            return fail_split(d->arena, parents[i], folders[i], error);
    }
    d->label_folder = folders[1];
    split_files files = {0};
    ICSEG_TRY(list_stems(d->arena, folders[0], &(file_kind){l->image_types, ""}, l->depth, &files.images, error));
    if (!o->images_only)
        ICSEG_TRY(list_stems(d->arena, folders[1], &(file_kind){l->label_types, l->label_suffix}, l->depth,
                             &files.labels, error));
    return pair_files(d, folders[0], &files, o->keep_unpaired, error);
}

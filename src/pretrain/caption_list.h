/* SPDX-License-Identifier: Apache-2.0
 * A list of images with their captions, from a file of lines: JSON objects or comma- or tab-separated values. */
#ifndef ICSEG_PRETRAIN_CAPTION_LIST_H
#define ICSEG_PRETRAIN_CAPTION_LIST_H

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct icseg_captioned {
    const char *image;           /* as in the file: relative to its folder, or absolute */
    const char *const *captions; /* (count), UTF-8, not empty */
    int32_t count;
    const char *class_name; /* what the image shows; NULL: not said */
} icseg_captioned;

typedef struct icseg_caption_list {
    icseg_arena *arena;
    const icseg_captioned *images; /* (count), sorted by name */
    int64_t count;
    int64_t empty; /* captions that were left out because they are empty */
} icseg_caption_list;

/* The path of captions.jsonl, captions.csv, metadata.jsonl or metadata.csv in a folder, in the arena; NULL: none of
 * them exists. */
icseg_status icseg_caption_list_find(const char **out, const char *folder, icseg_arena *arena, icseg_error *error);

/* Reads the list of a folder, or the file that `path` names.
 * JSON lines: {"image": "a.jpg", "caption": "..."}, also "file_name" and "text", with one caption or a list of them,
 * and optionally "class": what the image shows.
 * Values: a first line with such names, divided by commas, semicolons or tabs, with RFC 4180's quotes. Several lines of
 * one image are its captions. *folder receives the folder to which images are relative, in the list's arena.
 * ICSEG_ERROR_FORMAT names file and line. Close the list with icseg_caption_list_close, also after an error. */
icseg_status icseg_caption_list_read(icseg_caption_list *out, const char *path, const char **folder,
                                     icseg_error *error);
void icseg_caption_list_close(icseg_caption_list *list);

#endif

/* SPDX-License-Identifier: Apache-2.0
 * Dividing one split into two, by a hash of the images' names. */
#include "dataset/hold_out.h"

#include "base/text.h"
#include "dataset/internal.h"

/* FNV-1a, mixed by splitmix64. */
uint64_t icseg_dataset_hash_name(const char *name, uint64_t seed) {
    uint64_t hash = 1469598103934665603u ^ seed * 0x9e3779b97f4a7c15u;
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

/* A number in 0..1, by the file's name without folder and extension. */
static double position_of(const icseg_dataset_pair *pair) {
    char stem[512];
    icseg_path_stem(icseg_path_name(pair->image), stem, sizeof stem);
    return (double)(icseg_dataset_hash_name(stem, 0) >> 11) * 0x1p-53;
}

icseg_status icseg_dataset_hold_out(icseg_dataset *d, const icseg_dataset_options *o, icseg_error *error) {
    int64_t lowest = 0, highest = 0, kept = 0;
    if (d->count < 2)
        return icseg_fail_field(error, ICSEG_ERROR_DATA, "val_share", ICSEG_REMEDY_SET_FIELD,
                                "%s: val_share: %lld image cannot be divided into two splits", o->folder,
                                (long long)d->count);
    for (int64_t i = 1; i < d->count; i++) {
        if (position_of(&d->pairs[i]) < position_of(&d->pairs[lowest])) lowest = i;
        if (position_of(&d->pairs[i]) > position_of(&d->pairs[highest])) highest = i;
    }
    if (lowest == highest) highest = lowest ? 0 : 1; /* all names are equal */
    for (int64_t i = 0; i < d->count; i++) {
        bool held = i == lowest || (i != highest && position_of(&d->pairs[i]) < o->val_share);
        if (held == o->held_out) d->pairs[kept++] = d->pairs[i];
    }
    d->count = kept;
    return ICSEG_OK;
}

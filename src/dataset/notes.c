/* SPDX-License-Identifier: Apache-2.0
 * Notes about the images of a data set: of each kind the first, whatever the order in which threads read them. */
#include <stdio.h>

#include "dataset/internal.h"

icseg_status icseg_dataset_notes_open(icseg_dataset_notes **out, icseg_error *error) {
    icseg_dataset_notes *n = *out = icseg_calloc_array(1, sizeof *n);
    if (!n) return icseg_fail_memory(error, sizeof *n, "a data set");
    pthread_mutex_init(&n->mutex, NULL);
    for (int i = 0; i < ICSEG_IMAGE_NOTES; i++) n->first[i].index = -1;
    return ICSEG_OK;
}

void icseg_dataset_notes_close(icseg_dataset_notes **notes) {
    if (!*notes) return;
    pthread_mutex_destroy(&(*notes)->mutex);
    icseg_free(*notes);
    *notes = NULL;
}

void icseg_dataset_take_note(const icseg_dataset *d, int64_t index, const icseg_image_info *info) {
    icseg_dataset_notes *n = d->notes;
    if (info->note == ICSEG_IMAGE_NOTE_NONE) return;
    pthread_mutex_lock(&n->mutex);
    if (n->first[info->note].index < 0 || index < n->first[info->note].index) {
        n->first[info->note].index = index;
        n->first[info->note].field = info->field;
        snprintf(n->first[info->note].text, sizeof n->first[info->note].text, "%s", info->text);
    }
    pthread_mutex_unlock(&n->mutex);
}

bool icseg_dataset_note(const icseg_dataset *d, icseg_image_note kind, icseg_error *out) {
    if (!d || kind <= ICSEG_IMAGE_NOTE_NONE || kind >= ICSEG_IMAGE_NOTES) return false;
    icseg_dataset_notes *n = d->notes;
    pthread_mutex_lock(&n->mutex);
    int64_t index = n->first[kind].index;
    const char *field = n->first[kind].field;
    if (index >= 0)
        icseg_fail_field(out, ICSEG_OK, field, *field ? ICSEG_REMEDY_SET_FIELD : ICSEG_REMEDY_NONE, "%s: %s",
                         d->pairs[index].image, n->first[kind].text);
    pthread_mutex_unlock(&n->mutex);
    return index >= 0;
}

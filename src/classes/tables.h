/* SPDX-License-Identifier: Apache-2.0
 * Classes of the published data sets, in the order of their labels. */
#ifndef ICSEG_CLASSES_TABLES_H
#define ICSEG_CLASSES_TABLES_H

#include <stdint.h>

typedef struct icseg_class_entry {
    int32_t stored; /* value in label files: label (ADE20K), label of v1.1 (COCO-Stuff), object id (ADE20K-Full) */
    const char *synonyms; /* "building, edifice" */
} icseg_class_entry;

typedef struct icseg_class_table {
    const char *name; /* that of the data set format */
    const icseg_class_entry *entries;
    int32_t count;
} icseg_class_table;

enum { ICSEG_ADE20K_CLASSES = 150, ICSEG_COCOSTUFF10K_CLASSES = 171, ICSEG_ADE20K_FULL_CLASSES = 847 };

extern const icseg_class_entry icseg_classes_ade20k[ICSEG_ADE20K_CLASSES];
extern const uint8_t icseg_colors_ade20k[ICSEG_ADE20K_CLASSES][3]; /* the published red, green, blue */
extern const icseg_class_entry icseg_classes_cocostuff10k[ICSEG_COCOSTUFF10K_CLASSES];
extern const icseg_class_entry icseg_classes_ade20k_full[ICSEG_ADE20K_FULL_CLASSES];

/* All tables (published.c). */
enum { ICSEG_TABLE_ADE20K, ICSEG_TABLE_COCOSTUFF10K, ICSEG_TABLE_ADE20K_FULL, ICSEG_CLASS_TABLES };
extern const icseg_class_table icseg_class_tables[ICSEG_CLASS_TABLES];

#endif

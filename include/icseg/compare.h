/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Comparison of training runs over the same validation images: metrics, bootstrap intervals of their differences,
 * curves, and the images that differ most.
 *
 *     const char *runs[] = {"runs/a-0", "runs/a-1", "runs/b-0", "runs/b-1"};
 *     icseg_compare_options options = {ICSEG_COMPARE_OPTIONS_INIT, .runs = runs, .run_count = 4};
 *     icseg_run_comparison_open(&comparison, &options, NULL, &error);
 *     icseg_run_comparison_text(comparison, ICSEG_COMPARISON_TABLE, &text, &error);
 *
 * Runs with the same recipe but for train.seed form a group. Each group is compared with the first one, the baseline.
 * docs/compare.md defines the statistics. */
#ifndef ICSEG_COMPARE_H
#define ICSEG_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#include "icseg/error.h"
#include "icseg/progress.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What to compare. A field that is NULL or 0 has its default. Everything is copied. */
typedef struct icseg_compare_options {
    size_t struct_size;        /**< ICSEG_COMPARE_OPTIONS_INIT */
    const char *const *runs;   /**< (run_count) run directories with recipe.yaml, log.jsonl and images.jsonl */
    int32_t run_count;         /**< 1..64 */
    const char *baseline;      /**< one of `runs`: its group is the baseline; NULL: the first run */
    const char *const *ignore; /**< (ignore_count) keys of the recipe, such as "data.folder", in which the runs of a
                                    group may differ */
    int32_t ignore_count;      /**< 0: none */
    int32_t resamples;         /**< of the bootstrap, 100..1000000; 0: 2000 */
    int32_t top;               /**< so many of the images that differ most are listed, 1..1000; 0: 10 */
    int64_t seed;              /**< of the bootstrap, 0 or more */
} icseg_compare_options;

/** Initialises an icseg_compare_options. */
#define ICSEG_COMPARE_OPTIONS_INIT ICSEG_INIT(icseg_compare_options)

/** A finished comparison. It is read-only: any number of threads may use it. */
typedef struct icseg_run_comparison icseg_run_comparison;

/** Reads the runs and compares them. Thread-safe.
 *
 * @param out receives the comparison, NULL on failure; close it with icseg_run_comparison_close
 * @param options which runs; required
 * @param progress callbacks or NULL; stage "resample", and a warning if a run's images.jsonl is not of its last
 * evaluation
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if an option is out of range, a directory does not contain a run, or a run is given
 * twice; ICSEG_ERROR_DATA if runs were evaluated on different images, classes or labels, with the first difference;
 * ICSEG_ERROR_FORMAT if a file is damaged; ICSEG_ERROR_IO if one cannot be read; ICSEG_ERROR_CANCELLED */
ICSEG_API icseg_status icseg_run_comparison_open(icseg_run_comparison **out, const icseg_compare_options *options,
                                                 const icseg_progress *progress, icseg_error *error);

/** Frees the comparison and sets the pointer to NULL. Accepts NULL and a pointer to NULL. */
ICSEG_API void icseg_run_comparison_close(icseg_run_comparison **comparison);

/** The forms of a comparison. */
typedef enum icseg_comparison_form {
    ICSEG_COMPARISON_TABLE, /**< tables for people, in percent */
    ICSEG_COMPARISON_JSON,  /**< everything, as one JSON object */
    ICSEG_COMPARISON_CSV,   /**< one row for each group and score, with a header */
    ICSEG_COMPARISON_HTML,  /**< a page that needs no other file */
    ICSEG_COMPARISON_FORMS  /**< number of forms */
} icseg_comparison_form;

/** Describes the comparison.
 *
 * @param comparison the comparison
 * @param form how
 * @param out receives NUL-terminated UTF-8, NULL on failure; free it with icseg_buffer_free
 * @param error receives the message on failure; may be NULL
 * @return ICSEG_ERROR_ARGUMENT if `form` is unknown */
ICSEG_API icseg_status icseg_run_comparison_text(const icseg_run_comparison *comparison, icseg_comparison_form form,
                                                 char **out, icseg_error *error);

#ifdef __cplusplus
}
#endif
#endif

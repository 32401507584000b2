/* SPDX-License-Identifier: Apache-2.0
 * Calls of export.h. */
#include "allocation/allocation.h"

QUIET(icseg_export_format_count, )
QUIET(icseg_export_format_name, ICSEG_EXPORT_COCO)
QUIET(icseg_export_format_description, ICSEG_EXPORT_COCO)
QUIET(icseg_export_format_is_joint, ICSEG_EXPORT_COCO)
QUIET(icseg_export_format_has_runs, ICSEG_EXPORT_COCO)
icseg_status call_icseg_export_format_find(icseg_error *error) {
    icseg_export_format format;
    return icseg_export_format_find(&format, "coco", error);
}
icseg_status call_icseg_export_path(icseg_error *error) {
    char *out = BAD;
    icseg_status status = icseg_export_path(ICSEG_EXPORT_PNG, "folder", "a.jpg", &out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}
static icseg_export_options export_options(void) {
    return (icseg_export_options){ICSEG_EXPORT_OPTIONS_INIT,
                                  .format = ICSEG_EXPORT_COCO,
                                  .names = shared.names,
                                  .classes = CLASSES,
                                  .tolerance = 1,
                                  .min_area = 4};
}
static const icseg_export_image export_image = {ICSEG_EXPORT_IMAGE_INIT, .name = "a.jpg", .labels = &shared.labels};
icseg_status call_icseg_export_open(icseg_error *error) {
    icseg_export_options options = export_options();
    icseg_export *out = BAD;
    icseg_status status = icseg_export_open(&out, alloc_path("exported"), &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    if (status == ICSEG_OK) status = icseg_export_add(out, &export_image, error);
    if (status == ICSEG_OK) status = icseg_export_finish(out, error);
    icseg_export_close(&out);
    return status;
}
icseg_status call_icseg_export_add(icseg_error *error) { return call_icseg_export_open(error); }
icseg_status call_icseg_export_finish(icseg_error *error) { return call_icseg_export_open(error); }
CLOSES(icseg_export_close)
icseg_status call_icseg_export_encode(icseg_error *error) {
    icseg_export_options options = export_options();
    void *out = BAD;
    size_t size;
    icseg_status status = icseg_export_encode(&options, &export_image, &out, &size, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_buffer_free(out);
    return status;
}

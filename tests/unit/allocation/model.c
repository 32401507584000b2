/* SPDX-License-Identifier: Apache-2.0
 * Calls of config.h, model.h and onnx.h. */
#include "allocation/allocation.h"

QUIET(icseg_preset_count, )
QUIET(icseg_preset_name, 0)
QUIET(icseg_preset_description, 0)
icseg_status call_icseg_config_preset(icseg_error *error) {
    icseg_config out = {ICSEG_CONFIG_INIT};
    return icseg_config_preset(&out, "vit-b16", error);
}
icseg_status call_icseg_config_read_json(icseg_error *error) {
    char *json;
    icseg_config out = {ICSEG_CONFIG_INIT};
    ICSEG_TRY(icseg_config_write_json(&shared.config, &json, error));
    icseg_status status = icseg_config_read_json(&out, json, error);
    icseg_buffer_free(json);
    return status;
}
icseg_status call_icseg_config_update_json(icseg_error *error) {
    icseg_config out = shared.config;
    icseg_status status = icseg_config_update_json(&out, "{\"embed_dim\": 32, \"prompt\": \"static\"}", error);
    if (status != ICSEG_OK) assert_memory_equal(&out, &shared.config, sizeof out);
    return status;
}
TELLS(icseg_config_write_json, &shared.config, &text)
DOES(icseg_config_check, &shared.config)
QUIET(icseg_config_embed_level, &shared.config)
QUIET(icseg_config_level_channels, &shared.config, 0)
icseg_status call_icseg_model_create(icseg_error *error) {
    icseg_model_options options = {ICSEG_MODEL_OPTIONS_INIT, .config = &shared.config, .class_names = shared.names};
    icseg_model *out = BAD;
    icseg_status status = icseg_model_create(&out, &options, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_model_close(&out);
    return status;
}
OPENS(icseg_model_open, icseg_model *, icseg_model_close, alloc_path("model.safetensors"))
DOES(icseg_model_save, shared.model, alloc_path("saved.safetensors"))
icseg_status call_icseg_model_export_onnx(icseg_error *error) {
    const icseg_onnx_options options = {ICSEG_ONNX_OPTIONS_INIT, .height = 32, .width = 32};
    icseg_build build = {ICSEG_BUILD_INIT};
    ICSEG_TRY(icseg_build_info(&build, error));
    icseg_status status = icseg_model_export_onnx(shared.model, alloc_path("model.onnx"), &options, NULL, error);
    return status == ICSEG_ERROR_UNSUPPORTED && !build.onnx ? ICSEG_OK : status;
}
CLOSES(icseg_model_close)
QUIET(icseg_model_config, shared.model)
QUIET(icseg_model_class_names, shared.model)
QUIET(icseg_model_name_count, shared.model)
QUIET(icseg_model_is_calibrated, shared.model)
icseg_status call_icseg_model_calibration_of(icseg_error *error) {
    icseg_model_calibration out = {ICSEG_MODEL_CALIBRATION_INIT};
    return icseg_model_calibration_of(shared.model, &out, error);
}
icseg_status call_icseg_model_eval_options(icseg_error *error) {
    icseg_eval_options out = {ICSEG_EVAL_OPTIONS_INIT};
    return icseg_model_eval_options(shared.model, &out, error);
}
icseg_status call_icseg_model_image_values(icseg_error *error) {
    icseg_image_values out = {ICSEG_IMAGE_VALUES_INIT};
    return icseg_model_image_values(shared.model, &out, error);
}
icseg_status call_icseg_model_label_values(icseg_error *error) {
    icseg_label_values out = {ICSEG_LABEL_VALUES_INIT};
    return icseg_model_label_values(shared.model, &out, error);
}
QUIET(icseg_model_trained_side, shared.model)
QUIET(icseg_model_val_share, shared.model)
QUIET(icseg_model_auto_precision, shared.model)
icseg_status call_icseg_model_agreement(icseg_error *error) {
    icseg_label_agreement out = {ICSEG_LABEL_AGREEMENT_INIT};
    return icseg_model_agreement(shared.model, ICSEG_PRECISION_INT8, &out, error);
}
OPENS(icseg_calibrator_open, icseg_calibrator *, icseg_calibrator_close, shared.model, NULL)
DOES(icseg_calibrator_add, shared.calibrator, &shared.image)
icseg_status call_icseg_calibrator_model(icseg_error *error) {
    icseg_model *out = BAD;
    icseg_status status = icseg_calibrator_model(shared.calibrator, &out, error);
    assert_true((out != NULL) == (status == ICSEG_OK));
    icseg_model_close(&out);
    return status;
}
DOES(icseg_calibrator_compare, shared.calibrator, &shared.image)
DOES(icseg_calibrator_keep_f32, shared.calibrator, "decoder.head")
icseg_status call_icseg_calibrator_search(icseg_error *error) {
    icseg_search_options options = {ICSEG_SEARCH_OPTIONS_INIT, .agree = 0.01};
    icseg_search_result out = {ICSEG_SEARCH_RESULT_INIT};
    icseg_status status = icseg_calibrator_search(shared.calibrator, &shared.image, 1, &options, &out, error);
    if (status == ICSEG_ERROR_UNSUPPORTED) return ICSEG_OK; /* no INT8 */
    assert_true((out.costs != NULL) == (status == ICSEG_OK));
    return status;
}
CLOSES(icseg_calibrator_close)

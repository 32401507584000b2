# SPDX-License-Identifier: Apache-2.0
# Made by scripts/make_declarations.py from the headers in include/icseg/. Do not edit it.
"""The structs, enumerators, callbacks and functions of libicseg's public headers, under their names in C."""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int16, c_int32, c_int64, c_size_t,
    c_uint, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p,
)
from typing import Any, Callable

# enum icseg_status
ICSEG_OK = 0
ICSEG_ERROR_ARGUMENT = 1
ICSEG_ERROR_MEMORY = 2
ICSEG_ERROR_IO = 3
ICSEG_ERROR_FORMAT = 4
ICSEG_ERROR_SHAPE = 5
ICSEG_ERROR_CONFIG = 6
ICSEG_ERROR_DATA = 7
ICSEG_ERROR_NUMERIC = 8
ICSEG_ERROR_UNSUPPORTED = 9
ICSEG_ERROR_CANCELLED = 10
ICSEG_ERROR_INTERNAL = 11

# enum icseg_remedy
ICSEG_REMEDY_NONE = 0
ICSEG_REMEDY_SET_FIELD = 1
ICSEG_REMEDY_RESUME = 2
ICSEG_REMEDY_CALIBRATE = 3
ICSEG_REMEDY_CONVERT_WEIGHTS = 4
ICSEG_REMEDY_IMPORT_DATASET = 5
ICSEG_REMEDY_CHECK_DATASET = 6
ICSEG_REMEDY_OVERWRITE = 7
ICSEG_REMEDY_DATA_CHANGED = 8
ICSEG_REMEDY_NEW_RUN = 9
ICSEG_REMEDY_START_FROM_CLIP = 10
ICSEG_REMEDY_GET_WEIGHTS = 11

# limits
ICSEG_ERROR_FIELD_SIZE = 64
ICSEG_ERROR_MESSAGE_SIZE = 1024


class icseg_error(Structure):
    status: int
    remedy: int
    field: bytes
    message: bytes
    _fields_ = [
        ("status", c_int),
        ("remedy", c_int),
        ("field", (c_char * 64)),
        ("message", (c_char * 1024)),
    ]


# limits
ICSEG_LABEL_IGNORE = -1
ICSEG_IMAGE_MAX_SIDE = 32768
ICSEG_IMAGE_MAX_PIXELS = 268435456
ICSEG_PALETTE_MAX_SIZE = 65534


class icseg_image(Structure):
    width: int
    height: int
    data: Any
    _fields_ = [
        ("width", c_int32),
        ("height", c_int32),
        ("data", POINTER(c_uint8)),
    ]



class icseg_labels(Structure):
    width: int
    height: int
    data: Any
    _fields_ = [
        ("width", c_int32),
        ("height", c_int32),
        ("data", POINTER(c_int16)),
    ]



class icseg_mask(Structure):
    width: int
    height: int
    bits: int
    palette_size: int
    palette: Any
    data: Any
    _fields_ = [
        ("width", c_int32),
        ("height", c_int32),
        ("bits", c_int32),
        ("palette_size", c_int32),
        ("palette", ((c_uint8 * 3) * 256)),
        ("data", POINTER(c_uint16)),
    ]



class icseg_palette(Structure):
    size: int
    color: Any
    _fields_ = [
        ("size", c_int32),
        ("color", POINTER((c_uint8 * 3))),
    ]



class icseg_image_values(Structure):
    struct_size: int
    bands: Any
    value_low: float
    value_high: float
    _fields_ = [
        ("struct_size", c_size_t),
        ("bands", (c_int32 * 3)),
        ("value_low", c_double),
        ("value_high", c_double),
    ]



class icseg_image_input(Structure):
    struct_size: int
    path: bytes | None
    data: int | None
    size: int
    values: Any
    max_pixels: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("path", c_char_p),
        ("data", c_void_p),
        ("size", c_size_t),
        ("values", POINTER(icseg_image_values)),
        ("max_pixels", c_int64),
    ]


# enum icseg_image_note
ICSEG_IMAGE_NOTE_NONE = 0
ICSEG_IMAGE_NOTE_PAGE = 1
ICSEG_IMAGE_NOTE_DARK = 2
ICSEG_IMAGE_NOTES = 3


class icseg_image_info(Structure):
    struct_size: int
    format: bytes | None
    width: int
    height: int
    bits: int
    note: int
    text: bytes
    field: bytes | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("format", c_char_p),
        ("width", c_int32),
        ("height", c_int32),
        ("bits", c_int32),
        ("note", c_int),
        ("text", (c_char * 160)),
        ("field", c_char_p),
    ]



class icseg_class_share(Structure):
    index: int
    pixels: int
    share: float
    confidence: float
    _fields_ = [
        ("index", c_int32),
        ("pixels", c_int64),
        ("share", c_double),
        ("confidence", c_double),
    ]



class icseg_labels_summary(Structure):
    struct_size: int
    labelled: int
    confidence: float
    count: int
    classes: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("labelled", c_int64),
        ("confidence", c_double),
        ("count", c_int32),
        ("classes", POINTER(icseg_class_share)),
    ]



class icseg_overlay_options(Structure):
    struct_size: int
    palette: Any
    names: Any
    opacity: float
    _fields_ = [
        ("struct_size", c_size_t),
        ("palette", POINTER(icseg_palette)),
        ("names", POINTER(c_char_p)),
        ("opacity", c_double),
    ]


# enum icseg_tokenizer_kind
ICSEG_TOKENIZER_BYTES = 0
ICSEG_TOKENIZER_CLIP = 1

# limits
ICSEG_TEXT_MAX_BYTES = 8192
ICSEG_TEMPLATES_MAX = 256
ICSEG_CLIP_CONTEXT_LENGTH = 77
ICSEG_CONTEXT_MAX_LENGTH = 65536


class icseg_tokenizer(Structure):
    """Opaque."""



class icseg_templates(Structure):
    """Opaque."""


# limits
ICSEG_LEVELS = 4

# enum icseg_backbone
ICSEG_BACKBONE_RESNET = 0
ICSEG_BACKBONE_VIT = 1

# enum icseg_prompt
ICSEG_PROMPT_TEMPLATE = 0
ICSEG_PROMPT_STATIC = 1
ICSEG_PROMPT_INSTANCE = 2

# enum icseg_prompt_source
ICSEG_PROMPT_FROM_TOKENS = 0
ICSEG_PROMPT_FROM_GLOBAL = 1
ICSEG_PROMPT_FROM_REGIONS = 2

# enum icseg_contrast_anchor
ICSEG_CONTRAST_TEXT = 0
ICSEG_CONTRAST_IMAGE = 1
ICSEG_CONTRAST_BOTH = 2

# enum icseg_contrast_selection
ICSEG_CONTRAST_HARD = 0
ICSEG_CONTRAST_SEMI_HARD = 1
ICSEG_CONTRAST_RANDOM = 2

# enum icseg_class_weights
ICSEG_CLASS_WEIGHTS_NONE = 0
ICSEG_CLASS_WEIGHTS_INVERSE = 1
ICSEG_CLASS_WEIGHTS_EFFECTIVE = 2
ICSEG_CLASS_WEIGHTS_GIVEN = 3

# enum icseg_dense_embeddings
ICSEG_DENSE_EMBEDDINGS_ATTENTION = 0
ICSEG_DENSE_EMBEDDINGS_VALUES = 1

# enum icseg_align_source
ICSEG_ALIGN_FROM_LEVEL = 0
ICSEG_ALIGN_FROM_EMBEDDINGS = 1

# enum icseg_clip_activation
ICSEG_CLIP_QUICK_GELU = 0
ICSEG_CLIP_GELU = 1

# enum icseg_synonyms_use
ICSEG_SYNONYMS_FIRST = 0
ICSEG_SYNONYMS_MEAN = 1
ICSEG_SYNONYMS_EACH = 2


class icseg_config(Structure):
    struct_size: int
    backbone: int
    resnet_layers: Any
    resnet_width: int
    vit_patch: int
    vit_width: int
    vit_layers: int
    vit_heads: int
    vit_taps: Any
    vit_drop_path: float
    pos_grid: int
    embed_dim: int
    text_width: int
    text_heads: int
    text_layers: int
    vocab_size: int
    context_length: int
    prompt: int
    prompt_tokens: int
    prompt_width: int
    prompt_heads: int
    prompt_layers: int
    post_prompt: bool
    post_width: int
    post_heads: int
    post_layers: int
    align: Any
    align_dim: int
    tau: float
    fpn_dim: int
    num_classes: int
    dropout: float
    align_weights: Any
    contrast_weight: float
    contrast_positives: int
    contrast_negatives: int
    activation: int
    vit_mlp_width: int
    prompt_source: int
    prompt_region: int
    prompt_depth: int
    contrast_anchor: int
    contrast_selection: int
    contrast_strides: Any
    contrast_tau: float
    contrast_memory: int
    label_smoothing: float
    focal_gamma: float
    ohem_threshold: float
    ohem_least: int
    class_weights: int
    dense_embeddings: int
    score_logits: float
    dice_weight: float
    lovasz_weight: float
    align_source: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("backbone", c_int),
        ("resnet_layers", (c_int32 * 4)),
        ("resnet_width", c_int32),
        ("vit_patch", c_int32),
        ("vit_width", c_int32),
        ("vit_layers", c_int32),
        ("vit_heads", c_int32),
        ("vit_taps", (c_int32 * 4)),
        ("vit_drop_path", c_double),
        ("pos_grid", c_int32),
        ("embed_dim", c_int32),
        ("text_width", c_int32),
        ("text_heads", c_int32),
        ("text_layers", c_int32),
        ("vocab_size", c_int32),
        ("context_length", c_int32),
        ("prompt", c_int),
        ("prompt_tokens", c_int32),
        ("prompt_width", c_int32),
        ("prompt_heads", c_int32),
        ("prompt_layers", c_int32),
        ("post_prompt", c_bool),
        ("post_width", c_int32),
        ("post_heads", c_int32),
        ("post_layers", c_int32),
        ("align", (c_bool * 4)),
        ("align_dim", c_int32),
        ("tau", c_double),
        ("fpn_dim", c_int32),
        ("num_classes", c_int32),
        ("dropout", c_double),
        ("align_weights", (c_double * 4)),
        ("contrast_weight", c_double),
        ("contrast_positives", c_int32),
        ("contrast_negatives", c_int32),
        ("activation", c_int),
        ("vit_mlp_width", c_int32),
        ("prompt_source", c_int),
        ("prompt_region", c_int32),
        ("prompt_depth", c_int32),
        ("contrast_anchor", c_int),
        ("contrast_selection", c_int),
        ("contrast_strides", (c_bool * 4)),
        ("contrast_tau", c_double),
        ("contrast_memory", c_int32),
        ("label_smoothing", c_double),
        ("focal_gamma", c_double),
        ("ohem_threshold", c_double),
        ("ohem_least", c_int32),
        ("class_weights", c_int),
        ("dense_embeddings", c_int),
        ("score_logits", c_double),
        ("dice_weight", c_double),
        ("lovasz_weight", c_double),
        ("align_source", c_int),
    ]



class icseg_model(Structure):
    """Opaque."""



class icseg_model_options(Structure):
    struct_size: int
    config: Any
    class_names: Any
    class_synonyms: Any
    seed: int
    tokenizer: int
    vocabulary: bytes | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("config", POINTER(icseg_config)),
        ("class_names", POINTER(c_char_p)),
        ("class_synonyms", POINTER(c_char_p)),
        ("seed", c_uint64),
        ("tokenizer", c_int),
        ("vocabulary", c_char_p),
    ]



class icseg_model_calibration(Structure):
    struct_size: int
    layers: int
    covered: int
    problem: bytes | None
    kept_f32: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("layers", c_int32),
        ("covered", c_int32),
        ("problem", c_char_p),
        ("kept_f32", c_int32),
    ]


# enum icseg_precision
ICSEG_PRECISION_F32 = 0
ICSEG_PRECISION_BF16 = 1
ICSEG_PRECISION_AUTO = 2
ICSEG_PRECISION_BF16X2 = 3
ICSEG_PRECISION_INT8 = 4


class icseg_label_agreement(Structure):
    struct_size: int
    images: int
    mean: float
    low: float
    _fields_ = [
        ("struct_size", c_size_t),
        ("images", c_int32),
        ("mean", c_double),
        ("low", c_double),
    ]


# enum icseg_eval_mode
ICSEG_EVAL_WHOLE = 0
ICSEG_EVAL_SLIDE = 1

# enum icseg_refine
ICSEG_REFINE_NONE = 0
ICSEG_REFINE_PAMR = 1

# limits
ICSEG_EVAL_SCALES = 8


class icseg_eval_options(Structure):
    struct_size: int
    mode: int
    resize_short: int
    resize_long: int
    crop_height: int
    crop_width: int
    stride_height: int
    stride_width: int
    scale_count: int
    scale: Any
    flip: bool
    refine: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("mode", c_int),
        ("resize_short", c_int32),
        ("resize_long", c_int32),
        ("crop_height", c_int32),
        ("crop_width", c_int32),
        ("stride_height", c_int32),
        ("stride_width", c_int32),
        ("scale_count", c_int32),
        ("scale", (c_double * 8)),
        ("flip", c_bool),
        ("refine", c_int),
    ]



class icseg_label_values(Structure):
    struct_size: int
    map: bytes | None
    ignore: Any
    ignore_count: int
    reduce_zero_label: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("map", c_char_p),
        ("ignore", POINTER(c_int32)),
        ("ignore_count", c_int32),
        ("reduce_zero_label", c_bool),
    ]



class icseg_progress_event(Structure):
    stage: bytes | None
    done: float
    total: float
    seconds: float
    detail: bytes | None
    _fields_ = [
        ("stage", c_char_p),
        ("done", c_double),
        ("total", c_double),
        ("seconds", c_double),
        ("detail", c_char_p),
    ]


# enum icseg_message_level
ICSEG_MESSAGE_INFO = 0
ICSEG_MESSAGE_WARNING = 1


class icseg_progress(Structure):
    struct_size: int
    report: Any
    message: Any
    user: int | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("report", CFUNCTYPE(c_bool, c_void_p, POINTER(icseg_progress_event))),
        ("message", CFUNCTYPE(None, c_void_p, c_int, c_char_p)),
        ("user", c_void_p),
    ]



class icseg_calibrator(Structure):
    """Opaque."""


# enum icseg_range_method
ICSEG_RANGES_MSE = 0
ICSEG_RANGES_MAX = 1
ICSEG_RANGES_PERCENTILE = 2


class icseg_calibrator_options(Structure):
    struct_size: int
    threads: int
    eval: Any
    ranges: int
    percentile: float
    no_bias_correction: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("eval", POINTER(icseg_eval_options)),
        ("ranges", c_int),
        ("percentile", c_double),
        ("no_bias_correction", c_bool),
    ]



class icseg_search_options(Structure):
    struct_size: int
    agree: float
    work: float
    progress: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("agree", c_double),
        ("work", c_double),
        ("progress", POINTER(icseg_progress)),
    ]



class icseg_layer_cost(Structure):
    first: bytes | None
    last: bytes | None
    layers: int
    changed: float
    work: float
    kept_f32: bool
    _fields_ = [
        ("first", c_char_p),
        ("last", c_char_p),
        ("layers", c_int32),
        ("changed", c_double),
        ("work", c_double),
        ("kept_f32", c_bool),
    ]



class icseg_search_result(Structure):
    struct_size: int
    before: float
    after: float
    costs: Any
    count: int
    kept: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("before", c_double),
        ("after", c_double),
        ("costs", POINTER(icseg_layer_cost)),
        ("count", c_int32),
        ("kept", c_int32),
    ]



class icseg_class_list(Structure):
    """Opaque."""


# limits
ICSEG_CLASSIFY_MAX_CLASSES = 16384
ICSEG_CLASSIFY_MAX_TEMPLATES = 256


class icseg_classifier_options(Structure):
    struct_size: int
    weights: bytes | None
    vocabulary: bytes | None
    class_names: Any
    class_count: int
    synonyms: int
    templates: Any
    template_count: int
    threads: int
    config: bytes | None
    state_dict: bytes | None
    cache: bytes | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights", c_char_p),
        ("vocabulary", c_char_p),
        ("class_names", POINTER(c_char_p)),
        ("class_count", c_size_t),
        ("synonyms", c_int),
        ("templates", POINTER(c_char_p)),
        ("template_count", c_size_t),
        ("threads", c_int32),
        ("config", c_char_p),
        ("state_dict", c_char_p),
        ("cache", c_char_p),
    ]



class icseg_classifier(Structure):
    """Opaque."""



class icseg_classifier_info(Structure):
    summary: bytes | None
    class_names: Any
    text: Any
    class_count: int
    width: int
    side: int
    logit_scale: float
    logit_scale_missing: bool
    cached: bool
    _fields_ = [
        ("summary", c_char_p),
        ("class_names", POINTER(c_char_p)),
        ("text", POINTER(c_float)),
        ("class_count", c_int32),
        ("width", c_int32),
        ("side", c_int32),
        ("logit_scale", c_float),
        ("logit_scale_missing", c_bool),
        ("cached", c_bool),
    ]


# limits
ICSEG_TENSOR_MAX_RANK = 8

# enum icseg_tensor_type
ICSEG_TENSOR_F32 = 0
ICSEG_TENSOR_I16 = 1
ICSEG_TENSOR_U8 = 2
ICSEG_TENSOR_F64 = 3
ICSEG_TENSOR_F16 = 4
ICSEG_TENSOR_I64 = 5
ICSEG_TENSOR_I32 = 6
ICSEG_TENSOR_I8 = 7
ICSEG_TENSOR_U16 = 8
ICSEG_TENSOR_BOOL = 9


class icseg_tensor(Structure):
    type: int
    rank: int
    shape: Any
    strides: Any
    data: int | None
    owner: int | None
    _fields_ = [
        ("type", c_int),
        ("rank", c_int32),
        ("shape", (c_int64 * 8)),
        ("strides", (c_int64 * 8)),
        ("data", c_void_p),
        ("owner", c_void_p),
    ]



class icseg_session(Structure):
    """Opaque."""



class icseg_session_options(Structure):
    struct_size: int
    threads: int
    precision: int
    cached_networks: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("precision", c_int),
        ("cached_networks", c_int32),
    ]



class icseg_session_cost(Structure):
    struct_size: int
    parameters: int
    trainable: int
    flops: float
    weights: int
    activations: int
    unplanned: int
    scratch: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("parameters", c_int64),
        ("trainable", c_int64),
        ("flops", c_double),
        ("weights", c_size_t),
        ("activations", c_size_t),
        ("unplanned", c_size_t),
        ("scratch", c_size_t),
    ]



class icseg_session_layers(Structure):
    struct_size: int
    f32: int
    bf16: int
    bf16x2: int
    int8: int
    attention_f32: int
    attention_int8: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("f32", c_int32),
        ("bf16", c_int32),
        ("bf16x2", c_int32),
        ("int8", c_int32),
        ("attention_f32", c_int32),
        ("attention_int8", c_int32),
    ]


# enum icseg_frame_format
ICSEG_FRAME_RGB8 = 0
ICSEG_FRAME_BGR8 = 1
ICSEG_FRAME_RGBA8 = 2
ICSEG_FRAME_BGRA8 = 3
ICSEG_FRAME_GREY8 = 4
ICSEG_FRAME_FORMATS = 5


class icseg_frame(Structure):
    format: int
    width: int
    height: int
    stride: int
    data: int | None
    _fields_ = [
        ("format", c_int),
        ("width", c_int32),
        ("height", c_int32),
        ("stride", c_size_t),
        ("data", c_void_p),
    ]


# enum icseg_image_layout
ICSEG_LAYOUT_NCHW = 0
ICSEG_LAYOUT_NHWC = 1


class icseg_batch(Structure):
    struct_size: int
    count: int
    frames: Any
    tensor: Any
    layout: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("count", c_int32),
        ("frames", POINTER(icseg_frame)),
        ("tensor", POINTER(icseg_tensor)),
        ("layout", c_int),
    ]


# enum icseg_output
ICSEG_OUTPUT_LABELS = 1
ICSEG_OUTPUT_CONFIDENCE = 2
ICSEG_OUTPUT_TOP_CLASSES = 4
ICSEG_OUTPUT_TOP_PROBABILITIES = 8
ICSEG_OUTPUT_PROBABILITIES = 16
ICSEG_OUTPUT_LOGITS = 32
ICSEG_OUTPUT_SCORES_4 = 64
ICSEG_OUTPUT_SCORES_8 = 128
ICSEG_OUTPUT_SCORES_16 = 256
ICSEG_OUTPUT_SCORES_32 = 512
ICSEG_OUTPUT_CLASS_EMBEDDINGS = 1024
ICSEG_OUTPUT_IMAGE_EMBEDDING = 2048
ICSEG_OUTPUT_PROMPT_ATTENTION = 4096
ICSEG_OUTPUT_ALL = 8191


class icseg_run_options(Structure):
    struct_size: int
    outputs: int
    top_k: int
    eval: Any
    progress: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("outputs", c_uint32),
        ("top_k", c_int32),
        ("eval", POINTER(icseg_eval_options)),
        ("progress", POINTER(icseg_progress)),
    ]



class icseg_result(Structure):
    """Opaque."""



class icseg_explainer(Structure):
    """Opaque."""



class icseg_explain_options(Structure):
    struct_size: int
    session: Any
    against: Any
    name: bytes | None
    against_name: bytes | None
    title: bytes | None
    classes: Any
    class_count: int
    top: int
    eval: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("session", POINTER(icseg_session)),
        ("against", POINTER(icseg_session)),
        ("name", c_char_p),
        ("against_name", c_char_p),
        ("title", c_char_p),
        ("classes", POINTER(c_char_p)),
        ("class_count", c_int32),
        ("top", c_int32),
        ("eval", POINTER(icseg_eval_options)),
    ]


# enum icseg_explain_kind
ICSEG_EXPLAIN_LABELS = 0
ICSEG_EXPLAIN_CONFIDENCE = 1
ICSEG_EXPLAIN_ENTROPY = 2
ICSEG_EXPLAIN_SCORE = 3
ICSEG_EXPLAIN_ATTENTION = 4
ICSEG_EXPLAIN_KINDS = 5


class icseg_explain_map(Structure):
    kind: int
    model: int
    stride: int
    index: int
    width: int
    height: int
    values: Any
    mean: float
    largest: float
    low: float
    high: float
    covers_width: float
    covers_height: float
    global_share: float
    file: bytes | None
    _fields_ = [
        ("kind", c_int),
        ("model", c_int32),
        ("stride", c_int32),
        ("index", c_int32),
        ("width", c_int32),
        ("height", c_int32),
        ("values", POINTER(c_float)),
        ("mean", c_double),
        ("largest", c_double),
        ("low", c_double),
        ("high", c_double),
        ("covers_width", c_double),
        ("covers_height", c_double),
        ("global_share", c_double),
        ("file", c_char_p),
    ]



class icseg_explained_model(Structure):
    labels: Any
    classes: Any
    entropy: float
    score_mean: Any
    score_largest: Any
    _fields_ = [
        ("labels", icseg_labels),
        ("classes", icseg_labels_summary),
        ("entropy", c_double),
        ("score_mean", (POINTER(c_double) * 4)),
        ("score_largest", (POINTER(c_double) * 4)),
    ]



class icseg_explanation(Structure):
    models: int
    map_count: int
    maps: Any
    model: Any
    _fields_ = [
        ("models", c_int32),
        ("map_count", c_int32),
        ("maps", POINTER(icseg_explain_map)),
        ("model", (icseg_explained_model * 2)),
    ]


# enum icseg_export_format
ICSEG_EXPORT_PNG = 0
ICSEG_EXPORT_COCO = 1
ICSEG_EXPORT_LABELME = 2
ICSEG_EXPORT_YOLO = 3
ICSEG_EXPORT_GEOJSON = 4
ICSEG_EXPORT_CVAT = 5
ICSEG_EXPORT_LABEL_STUDIO = 6
ICSEG_EXPORT_FORMATS = 7


class icseg_export_options(Structure):
    struct_size: int
    format: int
    names: Any
    classes: int
    background: bytes | None
    runs: bool
    tolerance: float
    min_area: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("format", c_int),
        ("names", POINTER(c_char_p)),
        ("classes", c_int32),
        ("background", c_char_p),
        ("runs", c_bool),
        ("tolerance", c_double),
        ("min_area", c_int64),
    ]



class icseg_export_image(Structure):
    struct_size: int
    name: bytes | None
    labels: Any
    confidence: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("labels", POINTER(icseg_labels)),
        ("confidence", POINTER(c_float)),
    ]



class icseg_export(Structure):
    """Opaque."""



class icseg_onnx_options(Structure):
    struct_size: int
    height: int
    width: int
    dynamic: bool
    threads: int
    int8: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("height", c_int32),
        ("width", c_int32),
        ("dynamic", c_bool),
        ("threads", c_int32),
        ("int8", c_bool),
    ]


# enum icseg_open_method
ICSEG_OPEN_AUTO = 0
ICSEG_OPEN_CLIP = 1
ICSEG_OPEN_MASKCLIP = 2
ICSEG_OPEN_SCLIP = 3
ICSEG_OPEN_CLEARCLIP = 4
ICSEG_OPEN_NACLIP = 5
ICSEG_OPEN_NACLIP_VANILLA = 6
ICSEG_OPEN_KK_REDUCED = 7


class icseg_open_vocabulary_options(Structure):
    struct_size: int
    weights: bytes | None
    vocabulary: bytes | None
    class_names: Any
    class_count: int
    templates: Any
    template_count: int
    method: int
    background: bytes | None
    threshold: float
    logit_scale: float
    config: bytes | None
    cache: bytes | None
    threads: int
    state_dict: bytes | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("weights", c_char_p),
        ("vocabulary", c_char_p),
        ("class_names", POINTER(c_char_p)),
        ("class_count", c_size_t),
        ("templates", POINTER(c_char_p)),
        ("template_count", c_size_t),
        ("method", c_int),
        ("background", c_char_p),
        ("threshold", c_double),
        ("logit_scale", c_double),
        ("config", c_char_p),
        ("cache", c_char_p),
        ("threads", c_int32),
        ("state_dict", c_char_p),
    ]



class icseg_open_vocabulary_info(Structure):
    summary: bytes | None
    method: int
    word_count: int
    background: int
    threshold: float
    logit_scale: float
    cached: bool
    _fields_ = [
        ("summary", c_char_p),
        ("method", c_int),
        ("word_count", c_int32),
        ("background", c_int32),
        ("threshold", c_double),
        ("logit_scale", c_double),
        ("cached", c_bool),
    ]



class icseg_tensor_metadata(Structure):
    struct_size: int
    count: int
    keys: Any
    values: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("count", c_size_t),
        ("keys", POINTER(c_char_p)),
        ("values", POINTER(c_char_p)),
    ]



class icseg_tensor_file(Structure):
    """Opaque."""



class icseg_build(Structure):
    struct_size: int
    version: bytes | None
    compiler: bytes | None
    onednn: Any
    kernels_avx2: bool
    kernels_avx512: bool
    avx2: bool
    avx512: bool
    avx512_bf16: bool
    amx: bool
    train: bool
    tiff: bool
    webp: bool
    matlab: bool
    sanitizers: bool
    gif: bool
    heif: bool
    video: bool
    vnni: bool
    onnx: bool
    neon: bool
    dotprod: bool
    i8mm: bool
    arm_bf16: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("version", c_char_p),
        ("compiler", c_char_p),
        ("onednn", (c_int32 * 3)),
        ("kernels_avx2", c_bool),
        ("kernels_avx512", c_bool),
        ("avx2", c_bool),
        ("avx512", c_bool),
        ("avx512_bf16", c_bool),
        ("amx", c_bool),
        ("train", c_bool),
        ("tiff", c_bool),
        ("webp", c_bool),
        ("matlab", c_bool),
        ("sanitizers", c_bool),
        ("gif", c_bool),
        ("heif", c_bool),
        ("video", c_bool),
        ("vnni", c_bool),
        ("onnx", c_bool),
        ("neon", c_bool),
        ("dotprod", c_bool),
        ("i8mm", c_bool),
        ("arm_bf16", c_bool),
    ]


# limits
ICSEG_VIDEO_MAX_SIDE = 16384
ICSEG_VIDEO_MAX_PIXELS = 67108864
ICSEG_VIDEO_MAX_FRAMES = 100000000


class icseg_video(Structure):
    """Opaque."""



class icseg_video_info(Structure):
    struct_size: int
    width: int
    height: int
    rate: float
    frames: int
    codec: bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("width", c_int32),
        ("height", c_int32),
        ("rate", c_double),
        ("frames", c_int64),
        ("codec", (c_char * 32)),
    ]



class icseg_video_frame(Structure):
    struct_size: int
    end: bool
    index: int
    seconds: float
    image: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("end", c_bool),
        ("index", c_int64),
        ("seconds", c_double),
        ("image", icseg_image),
    ]



class icseg_camera_options(Structure):
    struct_size: int
    width: int
    height: int
    rate: float
    cancelled: Any
    user: int | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("width", c_int32),
        ("height", c_int32),
        ("rate", c_double),
        ("cancelled", CFUNCTYPE(c_bool, c_void_p)),
        ("user", c_void_p),
    ]



class icseg_camera_counts(Structure):
    struct_size: int
    is_camera: bool
    dropped: int
    damaged: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("is_camera", c_bool),
        ("dropped", c_int64),
        ("damaged", c_int64),
    ]



class icseg_video_writer(Structure):
    """Opaque."""



class icseg_video_writer_options(Structure):
    struct_size: int
    path: bytes | None
    width: int
    height: int
    rate: float
    _fields_ = [
        ("struct_size", c_size_t),
        ("path", c_char_p),
        ("width", c_int32),
        ("height", c_int32),
        ("rate", c_double),
    ]


# enum icseg_weights_type
ICSEG_WEIGHTS_F32 = 0
ICSEG_WEIGHTS_F16 = 1
ICSEG_WEIGHTS_BF16 = 2

# enum icseg_naming
ICSEG_NAMING_ICSEG = 0
ICSEG_NAMING_OPENAI = 1
ICSEG_NAMING_HUGGINGFACE = 2


class icseg_weights_convert_options(Structure):
    struct_size: int
    type: int
    naming: int
    class_names: Any
    class_count: int
    vocabulary: bytes | None
    tokens: bytes | None
    config: bytes | None
    state_dict: bytes | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("type", c_int),
        ("naming", c_int),
        ("class_names", POINTER(c_char_p)),
        ("class_count", c_size_t),
        ("vocabulary", c_char_p),
        ("tokens", c_char_p),
        ("config", c_char_p),
        ("state_dict", c_char_p),
    ]


# enum icseg_bench_mode
ICSEG_BENCH_INFER = 0
ICSEG_BENCH_TRAIN = 1
ICSEG_BENCH_TEXT = 2


class icseg_bench_options(Structure):
    struct_size: int
    preset: bytes | None
    checkpoint: bytes | None
    mode: int
    prompt: int
    precision: int
    low_memory: bool
    classes: int
    size: int
    batch: int
    runs: int
    threads: int
    profile: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("preset", c_char_p),
        ("checkpoint", c_char_p),
        ("mode", c_int),
        ("prompt", c_int),
        ("precision", c_int),
        ("low_memory", c_bool),
        ("classes", c_int32),
        ("size", c_int32),
        ("batch", c_int32),
        ("runs", c_int32),
        ("threads", c_int32),
        ("profile", c_bool),
    ]



class icseg_bench_result(Structure):
    struct_size: int
    first_seconds: float
    min_seconds: float
    median_seconds: float
    flops: float
    peak_flops_per_second: float
    peak_bytes: int
    activation_bytes: int
    scratch_bytes: int
    weight_bytes: int
    packed_bytes: int
    training_bytes: int
    threads: int
    classes: int
    prompt: int
    precision: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("first_seconds", c_double),
        ("min_seconds", c_double),
        ("median_seconds", c_double),
        ("flops", c_double),
        ("peak_flops_per_second", c_double),
        ("peak_bytes", c_size_t),
        ("activation_bytes", c_size_t),
        ("scratch_bytes", c_size_t),
        ("weight_bytes", c_size_t),
        ("packed_bytes", c_size_t),
        ("training_bytes", c_size_t),
        ("threads", c_int32),
        ("classes", c_int32),
        ("prompt", c_int),
        ("precision", c_int),
    ]



class icseg_bench(Structure):
    """Opaque."""


# enum icseg_bench_key
ICSEG_BENCH_OPERATOR = 0
ICSEG_BENCH_MODULE = 1
ICSEG_BENCH_NODE = 2


class icseg_bench_row(Structure):
    name: bytes | None
    nodes: int
    forward: float
    backward: float
    flops: float
    bytes: float
    _fields_ = [
        ("name", c_char_p),
        ("nodes", c_int64),
        ("forward", c_double),
        ("backward", c_double),
        ("flops", c_double),
        ("bytes", c_double),
    ]



class icseg_compare_options(Structure):
    struct_size: int
    runs: Any
    run_count: int
    baseline: bytes | None
    ignore: Any
    ignore_count: int
    resamples: int
    top: int
    seed: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("runs", POINTER(c_char_p)),
        ("run_count", c_int32),
        ("baseline", c_char_p),
        ("ignore", POINTER(c_char_p)),
        ("ignore_count", c_int32),
        ("resamples", c_int32),
        ("top", c_int32),
        ("seed", c_int64),
    ]



class icseg_run_comparison(Structure):
    """Opaque."""


# enum icseg_comparison_form
ICSEG_COMPARISON_TABLE = 0
ICSEG_COMPARISON_JSON = 1
ICSEG_COMPARISON_CSV = 2
ICSEG_COMPARISON_HTML = 3
ICSEG_COMPARISON_FORMS = 4

# enum icseg_dataset_format
ICSEG_DATASET_FOLDER = 0
ICSEG_DATASET_AUTO = 1
ICSEG_DATASET_ADE20K = 2
ICSEG_DATASET_COCOSTUFF10K = 3
ICSEG_DATASET_ADE20K_FULL = 4
ICSEG_DATASET_FORMATS = 5


class icseg_dataset_options(Structure):
    struct_size: int
    folder: bytes | None
    format: int
    split: bytes | None
    classes_file: bytes | None
    reduce_zero_label: bool
    ignore: Any
    ignore_count: int
    images_only: bool
    keep_unpaired: bool
    values: Any
    map: bytes | None
    val_share: float
    held_out: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("folder", c_char_p),
        ("format", c_int),
        ("split", c_char_p),
        ("classes_file", c_char_p),
        ("reduce_zero_label", c_bool),
        ("ignore", POINTER(c_int32)),
        ("ignore_count", c_int32),
        ("images_only", c_bool),
        ("keep_unpaired", c_bool),
        ("values", POINTER(icseg_image_values)),
        ("map", c_char_p),
        ("val_share", c_double),
        ("held_out", c_bool),
    ]



class icseg_dataset(Structure):
    """Opaque."""



class icseg_dataset_sample(Structure):
    struct_size: int
    next: int
    index: int
    status: int
    image_path: bytes | None
    label_path: bytes | None
    image: Any
    labels: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("next", c_int64),
        ("index", c_int64),
        ("status", c_int),
        ("image_path", c_char_p),
        ("label_path", c_char_p),
        ("image", icseg_image),
        ("labels", icseg_labels),
    ]


icseg_dataset_problem = CFUNCTYPE(None, c_void_p, POINTER(icseg_error))


class icseg_dataset_check_options(Structure):
    struct_size: int
    threads: int
    decode_images: bool
    on_problem: Any
    user: int | None
    names_checked: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_int32),
        ("decode_images", c_bool),
        ("on_problem", icseg_dataset_problem),
        ("user", c_void_p),
        ("names_checked", c_bool),
    ]



class icseg_dataset_summary(Structure):
    struct_size: int
    images: int
    pixels: int
    ignored: int
    problems: int
    classes: int
    class_pixels: Any
    class_images: Any
    min_width: int
    min_height: int
    max_width: int
    max_height: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("images", c_int64),
        ("pixels", c_int64),
        ("ignored", c_int64),
        ("problems", c_int64),
        ("classes", c_int32),
        ("class_pixels", POINTER(c_int64)),
        ("class_images", POINTER(c_int64)),
        ("min_width", c_int32),
        ("min_height", c_int32),
        ("max_width", c_int32),
        ("max_height", c_int32),
    ]



class icseg_group(Structure):
    """Opaque."""



class icseg_confusion(Structure):
    classes: int
    count: Any
    _fields_ = [
        ("classes", c_int32),
        ("count", POINTER(c_int64)),
    ]



class icseg_metrics(Structure):
    struct_size: int
    classes: int
    counted: int
    iou: Any
    accuracy: Any
    pixels: Any
    miou: float
    macc: float
    aacc: float
    miou_labelled: float
    miou_all: float
    _fields_ = [
        ("struct_size", c_size_t),
        ("classes", c_int32),
        ("counted", c_int32),
        ("iou", POINTER(c_double)),
        ("accuracy", POINTER(c_double)),
        ("pixels", POINTER(c_int64)),
        ("miou", c_double),
        ("macc", c_double),
        ("aacc", c_double),
        ("miou_labelled", c_double),
        ("miou_all", c_double),
    ]


# enum icseg_import_format
ICSEG_IMPORT_AUTO = 0
ICSEG_IMPORT_VOC = 1
ICSEG_IMPORT_CVAT = 2
ICSEG_IMPORT_COCO = 3
ICSEG_IMPORT_LABELME = 4
ICSEG_IMPORT_YOLO = 5
ICSEG_IMPORT_ROBOFLOW = 6
ICSEG_IMPORT_CITYSCAPES = 7
ICSEG_IMPORT_MMSEG = 8
ICSEG_IMPORT_MAPILLARY = 9
ICSEG_IMPORT_MASKS = 10
ICSEG_IMPORT_CVAT_XML = 11
ICSEG_IMPORT_LABEL_STUDIO = 12
ICSEG_IMPORT_SUPERVISELY = 13
ICSEG_IMPORT_GEOJSON = 14
ICSEG_IMPORT_FORMATS = 15


class icseg_import_options(Structure):
    struct_size: int
    source: bytes | None
    folder: bytes | None
    format: int
    image_folder: bytes | None
    classes_file: bytes | None
    background: bytes | None
    split: bytes | None
    val_share: float
    on_problem: Any
    user: int | None
    map: bytes | None
    background_colour: bytes | None
    ignore_colour: bytes | None
    _fields_ = [
        ("struct_size", c_size_t),
        ("source", c_char_p),
        ("folder", c_char_p),
        ("format", c_int),
        ("image_folder", c_char_p),
        ("classes_file", c_char_p),
        ("background", c_char_p),
        ("split", c_char_p),
        ("val_share", c_double),
        ("on_problem", icseg_dataset_problem),
        ("user", c_void_p),
        ("map", c_char_p),
        ("background_colour", c_char_p),
        ("ignore_colour", c_char_p),
    ]



class icseg_import_summary(Structure):
    struct_size: int
    format: int
    classes: int
    images: int
    objects: int
    skipped: int
    problems: int
    no_background: bool
    split_unused: bool
    val_share_unused: bool
    images_without_objects: int
    unused_files: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("format", c_int),
        ("classes", c_int32),
        ("images", c_int64),
        ("objects", c_int64),
        ("skipped", c_int64),
        ("problems", c_int64),
        ("no_background", c_bool),
        ("split_unused", c_bool),
        ("val_share_unused", c_bool),
        ("images_without_objects", c_int64),
        ("unused_files", c_int64),
    ]


# enum icseg_parity_group
ICSEG_PARITY_EVAL = 0
ICSEG_PARITY_TRAIN = 1
ICSEG_PARITY_LOSS = 2
ICSEG_PARITY_GRADIENT = 3
ICSEG_PARITY_RUNNING = 4
ICSEG_PARITY_CURVE = 5
ICSEG_PARITY_OPEN_SCORES = 6
ICSEG_PARITY_OPEN_LABELS = 7
ICSEG_PARITY_GROUPS = 8


class icseg_parity_result(Structure):
    title: bytes | None
    compared: int
    failed: int
    worst: float
    bound: float
    worst_name: bytes
    _fields_ = [
        ("title", c_char_p),
        ("compared", c_int32),
        ("failed", c_int32),
        ("worst", c_double),
        ("bound", c_double),
        ("worst_name", (c_char * 200)),
    ]



class icseg_parity_report(Structure):
    struct_size: int
    compared: int
    failed: int
    group: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("compared", c_int32),
        ("failed", c_int32),
        ("group", (icseg_parity_result * 8)),
    ]



class icseg_parity_options(Structure):
    struct_size: int
    precision: int
    threads: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("precision", c_int),
        ("threads", c_int32),
    ]



class icseg_recipe(Structure):
    """Opaque."""


# enum icseg_recipe_type
ICSEG_RECIPE_BOOL = 0
ICSEG_RECIPE_INTEGER = 1
ICSEG_RECIPE_REAL = 2
ICSEG_RECIPE_TEXT = 3
ICSEG_RECIPE_WORD = 4
ICSEG_RECIPE_INTEGER_LIST = 5
ICSEG_RECIPE_REAL_LIST = 6
ICSEG_RECIPE_STRIDE_LIST = 7
ICSEG_RECIPE_STRIDE_MAP = 8


class icseg_recipe_key(Structure):
    struct_size: int
    name: bytes | None
    type: int
    description: bytes | None
    words: Any
    default_note: bytes | None
    default_value: bytes
    range: bytes
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("type", c_int),
        ("description", c_char_p),
        ("words", POINTER(c_char_p)),
        ("default_note", c_char_p),
        ("default_value", (c_char * 160)),
        ("range", (c_char * 288)),
    ]



class icseg_plan_options(Structure):
    struct_size: int
    out: bytes | None
    threads: int
    classes: int
    quick: bool
    seconds: float
    _fields_ = [
        ("struct_size", c_size_t),
        ("out", c_char_p),
        ("threads", c_int32),
        ("classes", c_int32),
        ("quick", c_bool),
        ("seconds", c_double),
    ]



class icseg_plan_figures(Structure):
    struct_size: int
    memory: int
    weights: int
    gradients: int
    optimiser: int
    copies: int
    activations: int
    loader: int
    evaluation: int
    rest: int
    disk: int
    checkpoint: int
    best: int
    log: int
    report: int
    disk_peak: int
    memory_available: int
    disk_available: int
    memory_fits: bool
    disk_fits: bool
    measured: bool
    step_seconds: float
    image_seconds: float
    evaluation_seconds: float
    save_seconds: float
    total_seconds: float
    steps: int
    evaluations: int
    saves: int
    flops: float
    threads: int
    advice_count: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("memory", c_size_t),
        ("weights", c_size_t),
        ("gradients", c_size_t),
        ("optimiser", c_size_t),
        ("copies", c_size_t),
        ("activations", c_size_t),
        ("loader", c_size_t),
        ("evaluation", c_size_t),
        ("rest", c_size_t),
        ("disk", c_size_t),
        ("checkpoint", c_size_t),
        ("best", c_size_t),
        ("log", c_size_t),
        ("report", c_size_t),
        ("disk_peak", c_size_t),
        ("memory_available", c_size_t),
        ("disk_available", c_size_t),
        ("memory_fits", c_bool),
        ("disk_fits", c_bool),
        ("measured", c_bool),
        ("step_seconds", c_double),
        ("image_seconds", c_double),
        ("evaluation_seconds", c_double),
        ("save_seconds", c_double),
        ("total_seconds", c_double),
        ("steps", c_int64),
        ("evaluations", c_int64),
        ("saves", c_int64),
        ("flops", c_double),
        ("threads", c_int32),
        ("advice_count", c_int32),
    ]



class icseg_plan_advice(Structure):
    change: bytes | None
    effect: bytes | None
    memory: int
    fits: bool
    _fields_ = [
        ("change", c_char_p),
        ("effect", c_char_p),
        ("memory", c_size_t),
        ("fits", c_bool),
    ]



class icseg_run_plan(Structure):
    """Opaque."""


# enum icseg_plan_form
ICSEG_PLAN_TABLE = 0
ICSEG_PLAN_JSON = 1
ICSEG_PLAN_FORMS = 2


class icseg_pretrain_options(Structure):
    struct_size: int
    out: bytes | None
    resume: bool
    threads: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("out", c_char_p),
        ("resume", c_bool),
        ("threads", c_int32),
    ]


# limits
ICSEG_PRETRAIN_RECALLS = 3


class icseg_pretrain_scores(Structure):
    pairs: int
    zero_shot: float
    image_to_text: Any
    text_to_image: Any
    _fields_ = [
        ("pairs", c_int32),
        ("zero_shot", c_double),
        ("image_to_text", (c_double * 3)),
        ("text_to_image", (c_double * 3)),
    ]



class icseg_pretrain_result(Structure):
    struct_size: int
    steps: int
    loss: float
    logit_scale: float
    scores: Any
    broken: int
    cut: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("steps", c_int64),
        ("loss", c_double),
        ("logit_scale", c_double),
        ("scores", icseg_pretrain_scores),
        ("broken", c_int64),
        ("cut", c_int64),
    ]



class icseg_report_sample(Structure):
    name: bytes | None
    image: Any
    truth: Any
    prediction: Any
    _fields_ = [
        ("name", c_char_p),
        ("image", POINTER(icseg_image)),
        ("truth", POINTER(icseg_labels)),
        ("prediction", POINTER(icseg_labels)),
    ]



class icseg_report_input(Structure):
    struct_size: int
    title: bytes | None
    subtitle: bytes | None
    log_path: bytes | None
    recipe: bytes | None
    metrics: Any
    confusion: Any
    classes: int
    class_names: Any
    palette: Any
    samples: Any
    sample_count: int
    sample_width: int
    worst_count: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("title", c_char_p),
        ("subtitle", c_char_p),
        ("log_path", c_char_p),
        ("recipe", c_char_p),
        ("metrics", POINTER(icseg_metrics)),
        ("confusion", POINTER(icseg_confusion)),
        ("classes", c_int32),
        ("class_names", POINTER(c_char_p)),
        ("palette", POINTER(icseg_palette)),
        ("samples", POINTER(icseg_report_sample)),
        ("sample_count", c_int64),
        ("sample_width", c_int32),
        ("worst_count", c_int64),
    ]



class icseg_split_options(Structure):
    struct_size: int
    out: bytes | None
    val: float
    test: float
    group: bytes | None
    seed: int
    link: bool
    threads: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("out", c_char_p),
        ("val", c_double),
        ("test", c_double),
        ("group", c_char_p),
        ("seed", c_uint64),
        ("link", c_bool),
        ("threads", c_int32),
    ]



class icseg_split_summary(Structure):
    struct_size: int
    splits: int
    classes: int
    names: Any
    class_names: Any
    images: Any
    class_images: Any
    class_pixels: Any
    groups: int
    others: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("splits", c_int32),
        ("classes", c_int32),
        ("names", POINTER(c_char_p)),
        ("class_names", POINTER(c_char_p)),
        ("images", POINTER(c_int64)),
        ("class_images", POINTER(c_int64)),
        ("class_pixels", POINTER(c_int64)),
        ("groups", c_int64),
        ("others", c_int64),
    ]


# limits
ICSEG_SYNTH_CLASSES = 13
ICSEG_SYNTH_MIN_SIDE = 64
ICSEG_SYNTH_MAX_SIDE = 4096
ICSEG_SYNTH_MAX_IMAGES = 1000000
ICSEG_SYNTH_NO_IMAGES = -1

# enum icseg_synth_vocabulary
ICSEG_SYNTH_SMALL = 0
ICSEG_SYNTH_LARGE = 1
ICSEG_SYNTH_VOCABULARIES = 2


class icseg_synth_scene_options(Structure):
    struct_size: int
    seed: int
    index: int
    width: int
    height: int
    vocabulary: int
    _fields_ = [
        ("struct_size", c_size_t),
        ("seed", c_uint64),
        ("index", c_uint64),
        ("width", c_int32),
        ("height", c_int32),
        ("vocabulary", c_int),
    ]



class icseg_synth_options(Structure):
    struct_size: int
    folder: bytes | None
    train: int
    val: int
    width: int
    height: int
    seed: int
    threads: int
    force: bool
    vocabulary: int
    captions: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("folder", c_char_p),
        ("train", c_int32),
        ("val", c_int32),
        ("width", c_int32),
        ("height", c_int32),
        ("seed", c_uint64),
        ("threads", c_int32),
        ("force", c_bool),
        ("vocabulary", c_int),
        ("captions", c_bool),
    ]



class icseg_train_options(Structure):
    struct_size: int
    out: bytes | None
    resume: bool
    threads: int
    data_changed: bool
    group: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("out", c_char_p),
        ("resume", c_bool),
        ("threads", c_int32),
        ("data_changed", c_bool),
        ("group", POINTER(icseg_group)),
    ]



class icseg_train_result(Structure):
    struct_size: int
    steps: int
    best_miou: float
    best_step: int
    metrics: Any
    stopped_early: bool
    _fields_ = [
        ("struct_size", c_size_t),
        ("steps", c_int64),
        ("best_miou", c_double),
        ("best_step", c_int64),
        ("metrics", POINTER(icseg_metrics)),
        ("stopped_early", c_bool),
    ]



class icseg_trainer(Structure):
    """Opaque."""


# limits
ICSEG_TRAIN_LOSSES = 16


class icseg_train_step(Structure):
    struct_size: int
    step: int
    learning_rate: float
    gradient_norm: float
    seconds: float
    loss_count: int
    loss: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("step", c_int64),
        ("learning_rate", c_double),
        ("gradient_norm", c_double),
        ("seconds", c_double),
        ("loss_count", c_int32),
        ("loss", (c_double * 16)),
    ]


# enum icseg_train_due
ICSEG_TRAIN_DUE_EVALUATE = 1
ICSEG_TRAIN_DUE_SAVE = 2
ICSEG_TRAIN_DUE_STOP = 4


class icseg_lr_options(Structure):
    struct_size: int
    min_lr: float
    max_lr: float
    steps: int
    threads: int
    group: Any
    _fields_ = [
        ("struct_size", c_size_t),
        ("min_lr", c_double),
        ("max_lr", c_double),
        ("steps", c_int32),
        ("threads", c_int32),
        ("group", POINTER(icseg_group)),
    ]



class icseg_lr_range(Structure):
    """Opaque."""


# enum icseg_lr_form
ICSEG_LR_TABLE = 0
ICSEG_LR_JSON = 1
ICSEG_LR_HTML = 2
ICSEG_LR_FORMS = 3

# macros
ICSEG_AUTO_AGREEMENT = 0.999
ICSEG_AUTO_IMAGES = 8
ICSEG_CLASSES_MAX = 16384
ICSEG_OPACITY_NONE = -1.0
ICSEG_VERSION_NUMBER = 200

ENUMS: dict[str, list[str]] = {
    "icseg_status": [
        "ICSEG_OK",
        "ICSEG_ERROR_ARGUMENT",
        "ICSEG_ERROR_MEMORY",
        "ICSEG_ERROR_IO",
        "ICSEG_ERROR_FORMAT",
        "ICSEG_ERROR_SHAPE",
        "ICSEG_ERROR_CONFIG",
        "ICSEG_ERROR_DATA",
        "ICSEG_ERROR_NUMERIC",
        "ICSEG_ERROR_UNSUPPORTED",
        "ICSEG_ERROR_CANCELLED",
        "ICSEG_ERROR_INTERNAL",
    ],
    "icseg_remedy": [
        "ICSEG_REMEDY_NONE",
        "ICSEG_REMEDY_SET_FIELD",
        "ICSEG_REMEDY_RESUME",
        "ICSEG_REMEDY_CALIBRATE",
        "ICSEG_REMEDY_CONVERT_WEIGHTS",
        "ICSEG_REMEDY_IMPORT_DATASET",
        "ICSEG_REMEDY_CHECK_DATASET",
        "ICSEG_REMEDY_OVERWRITE",
        "ICSEG_REMEDY_DATA_CHANGED",
        "ICSEG_REMEDY_NEW_RUN",
        "ICSEG_REMEDY_START_FROM_CLIP",
        "ICSEG_REMEDY_GET_WEIGHTS",
    ],
    "icseg_image_note": [
        "ICSEG_IMAGE_NOTE_NONE",
        "ICSEG_IMAGE_NOTE_PAGE",
        "ICSEG_IMAGE_NOTE_DARK",
        "ICSEG_IMAGE_NOTES",
    ],
    "icseg_tokenizer_kind": [
        "ICSEG_TOKENIZER_BYTES",
        "ICSEG_TOKENIZER_CLIP",
    ],
    "icseg_backbone": [
        "ICSEG_BACKBONE_RESNET",
        "ICSEG_BACKBONE_VIT",
    ],
    "icseg_prompt": [
        "ICSEG_PROMPT_TEMPLATE",
        "ICSEG_PROMPT_STATIC",
        "ICSEG_PROMPT_INSTANCE",
    ],
    "icseg_prompt_source": [
        "ICSEG_PROMPT_FROM_TOKENS",
        "ICSEG_PROMPT_FROM_GLOBAL",
        "ICSEG_PROMPT_FROM_REGIONS",
    ],
    "icseg_contrast_anchor": [
        "ICSEG_CONTRAST_TEXT",
        "ICSEG_CONTRAST_IMAGE",
        "ICSEG_CONTRAST_BOTH",
    ],
    "icseg_contrast_selection": [
        "ICSEG_CONTRAST_HARD",
        "ICSEG_CONTRAST_SEMI_HARD",
        "ICSEG_CONTRAST_RANDOM",
    ],
    "icseg_class_weights": [
        "ICSEG_CLASS_WEIGHTS_NONE",
        "ICSEG_CLASS_WEIGHTS_INVERSE",
        "ICSEG_CLASS_WEIGHTS_EFFECTIVE",
        "ICSEG_CLASS_WEIGHTS_GIVEN",
    ],
    "icseg_dense_embeddings": [
        "ICSEG_DENSE_EMBEDDINGS_ATTENTION",
        "ICSEG_DENSE_EMBEDDINGS_VALUES",
    ],
    "icseg_align_source": [
        "ICSEG_ALIGN_FROM_LEVEL",
        "ICSEG_ALIGN_FROM_EMBEDDINGS",
    ],
    "icseg_clip_activation": [
        "ICSEG_CLIP_QUICK_GELU",
        "ICSEG_CLIP_GELU",
    ],
    "icseg_synonyms_use": [
        "ICSEG_SYNONYMS_FIRST",
        "ICSEG_SYNONYMS_MEAN",
        "ICSEG_SYNONYMS_EACH",
    ],
    "icseg_precision": [
        "ICSEG_PRECISION_F32",
        "ICSEG_PRECISION_BF16",
        "ICSEG_PRECISION_AUTO",
        "ICSEG_PRECISION_BF16X2",
        "ICSEG_PRECISION_INT8",
    ],
    "icseg_eval_mode": [
        "ICSEG_EVAL_WHOLE",
        "ICSEG_EVAL_SLIDE",
    ],
    "icseg_refine": [
        "ICSEG_REFINE_NONE",
        "ICSEG_REFINE_PAMR",
    ],
    "icseg_message_level": [
        "ICSEG_MESSAGE_INFO",
        "ICSEG_MESSAGE_WARNING",
    ],
    "icseg_range_method": [
        "ICSEG_RANGES_MSE",
        "ICSEG_RANGES_MAX",
        "ICSEG_RANGES_PERCENTILE",
    ],
    "icseg_tensor_type": [
        "ICSEG_TENSOR_F32",
        "ICSEG_TENSOR_I16",
        "ICSEG_TENSOR_U8",
        "ICSEG_TENSOR_F64",
        "ICSEG_TENSOR_F16",
        "ICSEG_TENSOR_I64",
        "ICSEG_TENSOR_I32",
        "ICSEG_TENSOR_I8",
        "ICSEG_TENSOR_U16",
        "ICSEG_TENSOR_BOOL",
    ],
    "icseg_frame_format": [
        "ICSEG_FRAME_RGB8",
        "ICSEG_FRAME_BGR8",
        "ICSEG_FRAME_RGBA8",
        "ICSEG_FRAME_BGRA8",
        "ICSEG_FRAME_GREY8",
        "ICSEG_FRAME_FORMATS",
    ],
    "icseg_image_layout": [
        "ICSEG_LAYOUT_NCHW",
        "ICSEG_LAYOUT_NHWC",
    ],
    "icseg_output": [
        "ICSEG_OUTPUT_LABELS",
        "ICSEG_OUTPUT_CONFIDENCE",
        "ICSEG_OUTPUT_TOP_CLASSES",
        "ICSEG_OUTPUT_TOP_PROBABILITIES",
        "ICSEG_OUTPUT_PROBABILITIES",
        "ICSEG_OUTPUT_LOGITS",
        "ICSEG_OUTPUT_SCORES_4",
        "ICSEG_OUTPUT_SCORES_8",
        "ICSEG_OUTPUT_SCORES_16",
        "ICSEG_OUTPUT_SCORES_32",
        "ICSEG_OUTPUT_CLASS_EMBEDDINGS",
        "ICSEG_OUTPUT_IMAGE_EMBEDDING",
        "ICSEG_OUTPUT_PROMPT_ATTENTION",
        "ICSEG_OUTPUT_ALL",
    ],
    "icseg_explain_kind": [
        "ICSEG_EXPLAIN_LABELS",
        "ICSEG_EXPLAIN_CONFIDENCE",
        "ICSEG_EXPLAIN_ENTROPY",
        "ICSEG_EXPLAIN_SCORE",
        "ICSEG_EXPLAIN_ATTENTION",
        "ICSEG_EXPLAIN_KINDS",
    ],
    "icseg_export_format": [
        "ICSEG_EXPORT_PNG",
        "ICSEG_EXPORT_COCO",
        "ICSEG_EXPORT_LABELME",
        "ICSEG_EXPORT_YOLO",
        "ICSEG_EXPORT_GEOJSON",
        "ICSEG_EXPORT_CVAT",
        "ICSEG_EXPORT_LABEL_STUDIO",
        "ICSEG_EXPORT_FORMATS",
    ],
    "icseg_open_method": [
        "ICSEG_OPEN_AUTO",
        "ICSEG_OPEN_CLIP",
        "ICSEG_OPEN_MASKCLIP",
        "ICSEG_OPEN_SCLIP",
        "ICSEG_OPEN_CLEARCLIP",
        "ICSEG_OPEN_NACLIP",
        "ICSEG_OPEN_NACLIP_VANILLA",
        "ICSEG_OPEN_KK_REDUCED",
    ],
    "icseg_weights_type": [
        "ICSEG_WEIGHTS_F32",
        "ICSEG_WEIGHTS_F16",
        "ICSEG_WEIGHTS_BF16",
    ],
    "icseg_naming": [
        "ICSEG_NAMING_ICSEG",
        "ICSEG_NAMING_OPENAI",
        "ICSEG_NAMING_HUGGINGFACE",
    ],
    "icseg_bench_mode": [
        "ICSEG_BENCH_INFER",
        "ICSEG_BENCH_TRAIN",
        "ICSEG_BENCH_TEXT",
    ],
    "icseg_bench_key": [
        "ICSEG_BENCH_OPERATOR",
        "ICSEG_BENCH_MODULE",
        "ICSEG_BENCH_NODE",
    ],
    "icseg_comparison_form": [
        "ICSEG_COMPARISON_TABLE",
        "ICSEG_COMPARISON_JSON",
        "ICSEG_COMPARISON_CSV",
        "ICSEG_COMPARISON_HTML",
        "ICSEG_COMPARISON_FORMS",
    ],
    "icseg_dataset_format": [
        "ICSEG_DATASET_FOLDER",
        "ICSEG_DATASET_AUTO",
        "ICSEG_DATASET_ADE20K",
        "ICSEG_DATASET_COCOSTUFF10K",
        "ICSEG_DATASET_ADE20K_FULL",
        "ICSEG_DATASET_FORMATS",
    ],
    "icseg_import_format": [
        "ICSEG_IMPORT_AUTO",
        "ICSEG_IMPORT_VOC",
        "ICSEG_IMPORT_CVAT",
        "ICSEG_IMPORT_COCO",
        "ICSEG_IMPORT_LABELME",
        "ICSEG_IMPORT_YOLO",
        "ICSEG_IMPORT_ROBOFLOW",
        "ICSEG_IMPORT_CITYSCAPES",
        "ICSEG_IMPORT_MMSEG",
        "ICSEG_IMPORT_MAPILLARY",
        "ICSEG_IMPORT_MASKS",
        "ICSEG_IMPORT_CVAT_XML",
        "ICSEG_IMPORT_LABEL_STUDIO",
        "ICSEG_IMPORT_SUPERVISELY",
        "ICSEG_IMPORT_GEOJSON",
        "ICSEG_IMPORT_FORMATS",
    ],
    "icseg_parity_group": [
        "ICSEG_PARITY_EVAL",
        "ICSEG_PARITY_TRAIN",
        "ICSEG_PARITY_LOSS",
        "ICSEG_PARITY_GRADIENT",
        "ICSEG_PARITY_RUNNING",
        "ICSEG_PARITY_CURVE",
        "ICSEG_PARITY_OPEN_SCORES",
        "ICSEG_PARITY_OPEN_LABELS",
        "ICSEG_PARITY_GROUPS",
    ],
    "icseg_recipe_type": [
        "ICSEG_RECIPE_BOOL",
        "ICSEG_RECIPE_INTEGER",
        "ICSEG_RECIPE_REAL",
        "ICSEG_RECIPE_TEXT",
        "ICSEG_RECIPE_WORD",
        "ICSEG_RECIPE_INTEGER_LIST",
        "ICSEG_RECIPE_REAL_LIST",
        "ICSEG_RECIPE_STRIDE_LIST",
        "ICSEG_RECIPE_STRIDE_MAP",
    ],
    "icseg_plan_form": [
        "ICSEG_PLAN_TABLE",
        "ICSEG_PLAN_JSON",
        "ICSEG_PLAN_FORMS",
    ],
    "icseg_synth_vocabulary": [
        "ICSEG_SYNTH_SMALL",
        "ICSEG_SYNTH_LARGE",
        "ICSEG_SYNTH_VOCABULARIES",
    ],
    "icseg_train_due": [
        "ICSEG_TRAIN_DUE_EVALUATE",
        "ICSEG_TRAIN_DUE_SAVE",
        "ICSEG_TRAIN_DUE_STOP",
    ],
    "icseg_lr_form": [
        "ICSEG_LR_TABLE",
        "ICSEG_LR_JSON",
        "ICSEG_LR_HTML",
        "ICSEG_LR_FORMS",
    ],
}

STRUCTS: list[type[Structure]] = [
    icseg_error,
    icseg_image,
    icseg_labels,
    icseg_mask,
    icseg_palette,
    icseg_image_values,
    icseg_image_input,
    icseg_image_info,
    icseg_class_share,
    icseg_labels_summary,
    icseg_overlay_options,
    icseg_config,
    icseg_model_options,
    icseg_model_calibration,
    icseg_label_agreement,
    icseg_eval_options,
    icseg_label_values,
    icseg_progress_event,
    icseg_progress,
    icseg_calibrator_options,
    icseg_search_options,
    icseg_layer_cost,
    icseg_search_result,
    icseg_classifier_options,
    icseg_classifier_info,
    icseg_tensor,
    icseg_session_options,
    icseg_session_cost,
    icseg_session_layers,
    icseg_frame,
    icseg_batch,
    icseg_run_options,
    icseg_explain_options,
    icseg_explain_map,
    icseg_explained_model,
    icseg_explanation,
    icseg_export_options,
    icseg_export_image,
    icseg_onnx_options,
    icseg_open_vocabulary_options,
    icseg_open_vocabulary_info,
    icseg_tensor_metadata,
    icseg_build,
    icseg_video_info,
    icseg_video_frame,
    icseg_camera_options,
    icseg_camera_counts,
    icseg_video_writer_options,
    icseg_weights_convert_options,
    icseg_bench_options,
    icseg_bench_result,
    icseg_bench_row,
    icseg_compare_options,
    icseg_dataset_options,
    icseg_dataset_sample,
    icseg_dataset_check_options,
    icseg_dataset_summary,
    icseg_confusion,
    icseg_metrics,
    icseg_import_options,
    icseg_import_summary,
    icseg_parity_result,
    icseg_parity_report,
    icseg_parity_options,
    icseg_recipe_key,
    icseg_plan_options,
    icseg_plan_figures,
    icseg_plan_advice,
    icseg_pretrain_options,
    icseg_pretrain_scores,
    icseg_pretrain_result,
    icseg_report_sample,
    icseg_report_input,
    icseg_split_options,
    icseg_split_summary,
    icseg_synth_scene_options,
    icseg_synth_options,
    icseg_train_options,
    icseg_train_result,
    icseg_train_step,
    icseg_lr_options,
]

# name: type of the result, types of the arguments; made on the first use, because importing takes time
FUNCTIONS: dict[str, Callable[[], tuple[Any, list[Any]]]] = {
    "icseg_status_name": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_buffer_free": lambda: (
        None,
        [c_void_p],
    ),
    "icseg_image_extensions": lambda: (
        POINTER(c_char_p),
        [],
    ),
    "icseg_image_load": lambda: (
        c_int,
        [POINTER(icseg_image), POINTER(icseg_image_input), POINTER(icseg_image_info), POINTER(icseg_error)],
    ),
    "icseg_image_read": lambda: (
        c_int,
        [POINTER(icseg_image), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_image_read_memory": lambda: (
        c_int,
        [POINTER(icseg_image), c_void_p, c_size_t, c_char_p, POINTER(icseg_error)],
    ),
    "icseg_image_read_size": lambda: (
        c_int,
        [POINTER(c_int32), POINTER(c_int32), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_image_create": lambda: (
        c_int,
        [POINTER(icseg_image), c_int32, c_int32, POINTER(icseg_error)],
    ),
    "icseg_image_close": lambda: (
        None,
        [POINTER(icseg_image)],
    ),
    "icseg_image_write_png": lambda: (
        c_int,
        [POINTER(icseg_image), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_image_write_jpeg": lambda: (
        c_int,
        [POINTER(icseg_image), c_char_p, c_int, POINTER(icseg_error)],
    ),
    "icseg_image_encode_jpeg": lambda: (
        c_int,
        [POINTER(icseg_image), c_int, POINTER(c_void_p), POINTER(c_size_t), POINTER(icseg_error)],
    ),
    "icseg_image_encode_png": lambda: (
        c_int,
        [POINTER(icseg_image), POINTER(c_void_p), POINTER(c_size_t), POINTER(icseg_error)],
    ),
    "icseg_image_resize": lambda: (
        c_int,
        [POINTER(icseg_image), POINTER(icseg_image), c_int32, c_int32, POINTER(icseg_error)],
    ),
    "icseg_mask_read": lambda: (
        c_int,
        [POINTER(icseg_mask), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_mask_close": lambda: (
        None,
        [POINTER(icseg_mask)],
    ),
    "icseg_labels_write_png": lambda: (
        c_int,
        [POINTER(icseg_labels), POINTER(icseg_palette), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_labels_encode_png": lambda: (
        c_int,
        [POINTER(icseg_labels), POINTER(icseg_palette), POINTER(c_void_p), POINTER(c_size_t), POINTER(icseg_error)],
    ),
    "icseg_labels_create": lambda: (
        c_int,
        [POINTER(icseg_labels), c_int32, c_int32, POINTER(icseg_error)],
    ),
    "icseg_labels_resize": lambda: (
        c_int,
        [POINTER(icseg_labels), POINTER(icseg_labels), c_int32, c_int32, POINTER(icseg_error)],
    ),
    "icseg_labels_close": lambda: (
        None,
        [POINTER(icseg_labels)],
    ),
    "icseg_labels_summarise": lambda: (
        c_int,
        [POINTER(icseg_labels_summary), POINTER(icseg_labels), POINTER(c_float), c_int32, POINTER(icseg_error)],
    ),
    "icseg_labels_summary_close": lambda: (
        None,
        [POINTER(icseg_labels_summary)],
    ),
    "icseg_confidence_write_png": lambda: (
        c_int,
        [POINTER(c_float), c_int32, c_int32, c_char_p, POINTER(icseg_error)],
    ),
    "icseg_palette_create": lambda: (
        c_int,
        [POINTER(icseg_palette), c_int32, POINTER(icseg_error)],
    ),
    "icseg_palette_close": lambda: (
        None,
        [POINTER(icseg_palette)],
    ),
    "icseg_overlay_draw": lambda: (
        c_int,
        [POINTER(icseg_image), POINTER(icseg_image), POINTER(icseg_labels), POINTER(icseg_overlay_options), POINTER(icseg_error)],
    ),
    "icseg_tokenizer_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_tokenizer)), c_int, c_char_p, POINTER(icseg_error)],
    ),
    "icseg_tokenizer_close": lambda: (
        None,
        [POINTER(POINTER(icseg_tokenizer))],
    ),
    "icseg_tokenizer_vocabulary_size": lambda: (
        c_int32,
        [POINTER(icseg_tokenizer)],
    ),
    "icseg_tokenizer_sos": lambda: (
        c_int32,
        [POINTER(icseg_tokenizer)],
    ),
    "icseg_tokenizer_eos": lambda: (
        c_int32,
        [POINTER(icseg_tokenizer)],
    ),
    "icseg_tokenizer_encode": lambda: (
        c_int,
        [POINTER(icseg_tokenizer), c_char_p, c_bool, POINTER(POINTER(c_int32)), POINTER(c_int32), POINTER(icseg_error)],
    ),
    "icseg_tokenizer_encode_context": lambda: (
        c_int,
        [POINTER(icseg_tokenizer), c_char_p, POINTER(c_int32), c_int32, POINTER(c_int32), POINTER(icseg_error)],
    ),
    "icseg_tokenizer_decode": lambda: (
        c_int,
        [POINTER(icseg_tokenizer), POINTER(c_int32), c_int32, POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_templates_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_templates)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_templates_close": lambda: (
        None,
        [POINTER(POINTER(icseg_templates))],
    ),
    "icseg_templates_count": lambda: (
        c_size_t,
        [POINTER(icseg_templates)],
    ),
    "icseg_templates_list": lambda: (
        POINTER(c_char_p),
        [POINTER(icseg_templates)],
    ),
    "icseg_preset_count": lambda: (
        c_int32,
        [],
    ),
    "icseg_preset_name": lambda: (
        c_char_p,
        [c_int32],
    ),
    "icseg_preset_description": lambda: (
        c_char_p,
        [c_int32],
    ),
    "icseg_config_preset": lambda: (
        c_int,
        [POINTER(icseg_config), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_config_read_json": lambda: (
        c_int,
        [POINTER(icseg_config), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_config_update_json": lambda: (
        c_int,
        [POINTER(icseg_config), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_config_write_json": lambda: (
        c_int,
        [POINTER(icseg_config), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_config_check": lambda: (
        c_int,
        [POINTER(icseg_config), POINTER(icseg_error)],
    ),
    "icseg_config_embed_level": lambda: (
        c_int32,
        [POINTER(icseg_config)],
    ),
    "icseg_config_level_channels": lambda: (
        c_int32,
        [POINTER(icseg_config), c_int],
    ),
    "icseg_model_create": lambda: (
        c_int,
        [POINTER(POINTER(icseg_model)), POINTER(icseg_model_options), POINTER(icseg_error)],
    ),
    "icseg_model_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_model)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_model_save": lambda: (
        c_int,
        [POINTER(icseg_model), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_model_close": lambda: (
        None,
        [POINTER(POINTER(icseg_model))],
    ),
    "icseg_model_config": lambda: (
        POINTER(icseg_config),
        [POINTER(icseg_model)],
    ),
    "icseg_model_class_names": lambda: (
        POINTER(c_char_p),
        [POINTER(icseg_model)],
    ),
    "icseg_model_name_count": lambda: (
        c_int32,
        [POINTER(icseg_model)],
    ),
    "icseg_model_is_calibrated": lambda: (
        c_bool,
        [POINTER(icseg_model)],
    ),
    "icseg_model_calibration_of": lambda: (
        c_int,
        [POINTER(icseg_model), POINTER(icseg_model_calibration), POINTER(icseg_error)],
    ),
    "icseg_model_agreement": lambda: (
        c_int,
        [POINTER(icseg_model), c_int, POINTER(icseg_label_agreement), POINTER(icseg_error)],
    ),
    "icseg_model_auto_precision": lambda: (
        c_int,
        [POINTER(icseg_model)],
    ),
    "icseg_model_eval_options": lambda: (
        c_int,
        [POINTER(icseg_model), POINTER(icseg_eval_options), POINTER(icseg_error)],
    ),
    "icseg_model_image_values": lambda: (
        c_int,
        [POINTER(icseg_model), POINTER(icseg_image_values), POINTER(icseg_error)],
    ),
    "icseg_model_label_values": lambda: (
        c_int,
        [POINTER(icseg_model), POINTER(icseg_label_values), POINTER(icseg_error)],
    ),
    "icseg_model_trained_side": lambda: (
        c_int32,
        [POINTER(icseg_model)],
    ),
    "icseg_model_val_share": lambda: (
        c_double,
        [POINTER(icseg_model)],
    ),
    "icseg_calibrator_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_calibrator)), POINTER(icseg_model), POINTER(icseg_calibrator_options), POINTER(icseg_error)],
    ),
    "icseg_calibrator_add": lambda: (
        c_int,
        [POINTER(icseg_calibrator), POINTER(icseg_image), POINTER(icseg_error)],
    ),
    "icseg_calibrator_keep_f32": lambda: (
        c_int,
        [POINTER(icseg_calibrator), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_calibrator_search": lambda: (
        c_int,
        [POINTER(icseg_calibrator), POINTER(icseg_image), c_int32, POINTER(icseg_search_options), POINTER(icseg_search_result), POINTER(icseg_error)],
    ),
    "icseg_calibrator_compare": lambda: (
        c_int,
        [POINTER(icseg_calibrator), POINTER(icseg_image), POINTER(icseg_error)],
    ),
    "icseg_calibrator_model": lambda: (
        c_int,
        [POINTER(icseg_calibrator), POINTER(POINTER(icseg_model)), POINTER(icseg_error)],
    ),
    "icseg_calibrator_close": lambda: (
        None,
        [POINTER(POINTER(icseg_calibrator))],
    ),
    "icseg_class_list_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_class_list)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_class_list_open_published": lambda: (
        c_int,
        [POINTER(POINTER(icseg_class_list)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_class_list_close": lambda: (
        None,
        [POINTER(POINTER(icseg_class_list))],
    ),
    "icseg_class_list_count": lambda: (
        c_int32,
        [POINTER(icseg_class_list)],
    ),
    "icseg_class_list_names": lambda: (
        POINTER(c_char_p),
        [POINTER(icseg_class_list)],
    ),
    "icseg_class_list_synonyms": lambda: (
        POINTER(c_char_p),
        [POINTER(icseg_class_list)],
    ),
    "icseg_palette_create_for": lambda: (
        c_int,
        [POINTER(icseg_palette), POINTER(c_char_p), c_int32, POINTER(icseg_error)],
    ),
    "icseg_classifier_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_classifier)), POINTER(icseg_classifier_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_classifier_close": lambda: (
        None,
        [POINTER(POINTER(icseg_classifier))],
    ),
    "icseg_classifier_run": lambda: (
        c_int,
        [POINTER(icseg_classifier), POINTER(icseg_image), POINTER(c_float), POINTER(c_float), POINTER(icseg_error)],
    ),
    "icseg_classifier_embed": lambda: (
        c_int,
        [POINTER(icseg_classifier), POINTER(icseg_image), POINTER(c_float), POINTER(icseg_error)],
    ),
    "icseg_classifier_score": lambda: (
        c_int,
        [POINTER(icseg_classifier), POINTER(c_float), POINTER(c_float), POINTER(c_float), POINTER(icseg_error)],
    ),
    "icseg_classifier_encode_texts": lambda: (
        c_int,
        [POINTER(icseg_classifier), POINTER(c_char_p), c_size_t, POINTER(c_float), POINTER(icseg_error)],
    ),
    "icseg_classifier_describe": lambda: (
        POINTER(icseg_classifier_info),
        [POINTER(icseg_classifier)],
    ),
    "icseg_tensor_type_size": lambda: (
        c_size_t,
        [c_int],
    ),
    "icseg_tensor_dense": lambda: (
        c_int,
        [POINTER(icseg_tensor), c_int, c_int32, POINTER(c_int64), c_void_p, POINTER(icseg_error)],
    ),
    "icseg_session_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_session)), POINTER(icseg_model), POINTER(icseg_session_options), POINTER(icseg_error)],
    ),
    "icseg_session_close": lambda: (
        None,
        [POINTER(POINTER(icseg_session))],
    ),
    "icseg_session_model": lambda: (
        POINTER(icseg_model),
        [POINTER(icseg_session)],
    ),
    "icseg_session_threads": lambda: (
        c_int32,
        [POINTER(icseg_session)],
    ),
    "icseg_session_precision": lambda: (
        c_int,
        [POINTER(icseg_session)],
    ),
    "icseg_session_cost_at": lambda: (
        c_int,
        [POINTER(icseg_session), c_int32, c_int32, c_int32, POINTER(icseg_session_cost), POINTER(icseg_error)],
    ),
    "icseg_session_layers_at": lambda: (
        c_int,
        [POINTER(icseg_session), c_int32, c_int32, c_int32, POINTER(icseg_session_layers), POINTER(icseg_error)],
    ),
    "icseg_session_predict": lambda: (
        c_int,
        [POINTER(icseg_session), POINTER(icseg_image), POINTER(icseg_eval_options), POINTER(icseg_labels), POINTER(POINTER(c_float)), POINTER(icseg_error)],
    ),
    "icseg_session_run": lambda: (
        c_int,
        [POINTER(icseg_session), POINTER(icseg_batch), POINTER(icseg_run_options), POINTER(POINTER(icseg_result)), POINTER(icseg_error)],
    ),
    "icseg_session_prepare": lambda: (
        c_int,
        [POINTER(icseg_session), c_int32, c_int32, c_int32, POINTER(icseg_run_options), POINTER(icseg_error)],
    ),
    "icseg_result_tensor": lambda: (
        c_int,
        [POINTER(icseg_result), c_int, POINTER(icseg_tensor), POINTER(icseg_error)],
    ),
    "icseg_result_outputs": lambda: (
        c_uint32,
        [POINTER(icseg_result)],
    ),
    "icseg_result_close": lambda: (
        None,
        [POINTER(POINTER(icseg_result))],
    ),
    "icseg_explainer_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_explainer)), POINTER(icseg_explain_options), POINTER(icseg_error)],
    ),
    "icseg_explainer_add": lambda: (
        c_int,
        [POINTER(icseg_explainer), c_char_p, POINTER(icseg_image), POINTER(POINTER(icseg_explanation)), POINTER(icseg_error)],
    ),
    "icseg_explainer_write_maps": lambda: (
        c_int,
        [POINTER(icseg_explainer), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_explainer_write_page": lambda: (
        c_int,
        [POINTER(icseg_explainer), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_explainer_close": lambda: (
        None,
        [POINTER(POINTER(icseg_explainer))],
    ),
    "icseg_export_format_count": lambda: (
        c_int32,
        [],
    ),
    "icseg_export_format_name": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_export_format_description": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_export_format_is_joint": lambda: (
        c_bool,
        [c_int],
    ),
    "icseg_export_format_has_runs": lambda: (
        c_bool,
        [c_int],
    ),
    "icseg_export_format_find": lambda: (
        c_int,
        [POINTER(c_int), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_export_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_export)), c_char_p, POINTER(icseg_export_options), POINTER(icseg_error)],
    ),
    "icseg_export_add": lambda: (
        c_int,
        [POINTER(icseg_export), POINTER(icseg_export_image), POINTER(icseg_error)],
    ),
    "icseg_export_finish": lambda: (
        c_int,
        [POINTER(icseg_export), POINTER(icseg_error)],
    ),
    "icseg_export_close": lambda: (
        None,
        [POINTER(POINTER(icseg_export))],
    ),
    "icseg_export_path": lambda: (
        c_int,
        [c_int, c_char_p, c_char_p, POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_export_encode": lambda: (
        c_int,
        [POINTER(icseg_export_options), POINTER(icseg_export_image), POINTER(c_void_p), POINTER(c_size_t), POINTER(icseg_error)],
    ),
    "icseg_file_write": lambda: (
        c_int,
        [c_char_p, c_void_p, c_size_t, POINTER(icseg_error)],
    ),
    "icseg_file_check_writable": lambda: (
        c_int,
        [c_char_p, POINTER(icseg_error)],
    ),
    "icseg_model_export_onnx": lambda: (
        c_int,
        [POINTER(icseg_model), c_char_p, POINTER(icseg_onnx_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_model_open_vocabulary": lambda: (
        c_int,
        [POINTER(POINTER(icseg_model)), POINTER(icseg_open_vocabulary_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_model_open_vocabulary_info": lambda: (
        POINTER(icseg_open_vocabulary_info),
        [POINTER(icseg_model)],
    ),
    "icseg_open_method_name": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_tensor_read": lambda: (
        c_int,
        [POINTER(icseg_tensor), c_char_p, c_char_p, POINTER(icseg_error)],
    ),
    "icseg_tensors_write": lambda: (
        c_int,
        [c_char_p, POINTER(c_char_p), POINTER(icseg_tensor), c_size_t, POINTER(icseg_error)],
    ),
    "icseg_tensor_file_write": lambda: (
        c_int,
        [c_char_p, POINTER(c_char_p), POINTER(icseg_tensor), c_size_t, POINTER(icseg_tensor_metadata), POINTER(icseg_error)],
    ),
    "icseg_tensor_file_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_tensor_file)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_tensor_file_close": lambda: (
        None,
        [POINTER(POINTER(icseg_tensor_file))],
    ),
    "icseg_tensor_file_count": lambda: (
        c_size_t,
        [POINTER(icseg_tensor_file)],
    ),
    "icseg_tensor_file_name": lambda: (
        c_char_p,
        [POINTER(icseg_tensor_file), c_size_t],
    ),
    "icseg_tensor_file_read": lambda: (
        c_int,
        [POINTER(icseg_tensor_file), c_char_p, POINTER(icseg_tensor), POINTER(icseg_error)],
    ),
    "icseg_tensor_file_metadata": lambda: (
        c_int,
        [POINTER(icseg_tensor_file), POINTER(icseg_tensor_metadata), POINTER(icseg_error)],
    ),
    "icseg_version": lambda: (
        c_char_p,
        [],
    ),
    "icseg_build_info": lambda: (
        c_int,
        [POINTER(icseg_build), POINTER(icseg_error)],
    ),
    "icseg_video_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_video)), c_char_p, c_int32, POINTER(icseg_error)],
    ),
    "icseg_camera_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_video)), c_char_p, POINTER(icseg_camera_options), POINTER(icseg_error)],
    ),
    "icseg_camera_counts_of": lambda: (
        c_int,
        [POINTER(icseg_video), POINTER(icseg_camera_counts), POINTER(icseg_error)],
    ),
    "icseg_video_close": lambda: (
        None,
        [POINTER(POINTER(icseg_video))],
    ),
    "icseg_video_info_of": lambda: (
        c_int,
        [POINTER(icseg_video), POINTER(icseg_video_info), POINTER(icseg_error)],
    ),
    "icseg_video_next": lambda: (
        c_int,
        [POINTER(icseg_video), POINTER(icseg_video_frame), POINTER(icseg_error)],
    ),
    "icseg_video_frame_close": lambda: (
        None,
        [POINTER(icseg_video_frame)],
    ),
    "icseg_video_writer_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_video_writer)), POINTER(icseg_video_writer_options), POINTER(icseg_error)],
    ),
    "icseg_video_writer_add": lambda: (
        c_int,
        [POINTER(icseg_video_writer), POINTER(icseg_image), POINTER(icseg_error)],
    ),
    "icseg_video_writer_add_at": lambda: (
        c_int,
        [POINTER(icseg_video_writer), POINTER(icseg_image), c_double, POINTER(icseg_error)],
    ),
    "icseg_video_writer_finish": lambda: (
        c_int,
        [POINTER(icseg_video_writer), POINTER(icseg_error)],
    ),
    "icseg_video_writer_close": lambda: (
        None,
        [POINTER(POINTER(icseg_video_writer))],
    ),
    "icseg_weights_convert": lambda: (
        c_int,
        [c_char_p, c_char_p, POINTER(icseg_weights_convert_options), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_bench_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_bench)), POINTER(icseg_bench_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_bench_run": lambda: (
        c_int,
        [POINTER(icseg_bench), POINTER(icseg_bench_result), POINTER(icseg_error)],
    ),
    "icseg_bench_layers": lambda: (
        c_int,
        [POINTER(icseg_bench), POINTER(icseg_session_layers), POINTER(icseg_error)],
    ),
    "icseg_bench_close": lambda: (
        None,
        [POINTER(POINTER(icseg_bench))],
    ),
    "icseg_bench_profile": lambda: (
        c_int,
        [POINTER(icseg_bench), c_int, POINTER(POINTER(icseg_bench_row)), POINTER(c_int32), POINTER(icseg_error)],
    ),
    "icseg_bench_profile_text": lambda: (
        c_int,
        [POINTER(icseg_bench), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_run_comparison_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_run_comparison)), POINTER(icseg_compare_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_run_comparison_close": lambda: (
        None,
        [POINTER(POINTER(icseg_run_comparison))],
    ),
    "icseg_run_comparison_text": lambda: (
        c_int,
        [POINTER(icseg_run_comparison), c_int, POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_dataset_format_count": lambda: (
        c_int32,
        [],
    ),
    "icseg_dataset_format_name": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_dataset_format_description": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_dataset_format_layout": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_dataset_format_find": lambda: (
        c_int,
        [POINTER(c_int), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_dataset_splits": lambda: (
        c_int,
        [POINTER(POINTER(c_char_p)), POINTER(c_int32), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_dataset_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_dataset)), POINTER(icseg_dataset_options), POINTER(icseg_error)],
    ),
    "icseg_dataset_close": lambda: (
        None,
        [POINTER(POINTER(icseg_dataset))],
    ),
    "icseg_dataset_count": lambda: (
        c_int64,
        [POINTER(icseg_dataset)],
    ),
    "icseg_dataset_classes": lambda: (
        c_int32,
        [POINTER(icseg_dataset)],
    ),
    "icseg_dataset_class_names": lambda: (
        POINTER(c_char_p),
        [POINTER(icseg_dataset)],
    ),
    "icseg_dataset_class_synonyms": lambda: (
        POINTER(c_char_p),
        [POINTER(icseg_dataset)],
    ),
    "icseg_dataset_recognised": lambda: (
        c_int,
        [POINTER(icseg_dataset)],
    ),
    "icseg_dataset_description": lambda: (
        c_char_p,
        [POINTER(icseg_dataset)],
    ),
    "icseg_dataset_image_path": lambda: (
        c_char_p,
        [POINTER(icseg_dataset), c_int64],
    ),
    "icseg_dataset_label_path": lambda: (
        c_char_p,
        [POINTER(icseg_dataset), c_int64],
    ),
    "icseg_dataset_read": lambda: (
        c_int,
        [POINTER(icseg_dataset), c_int64, POINTER(icseg_image), POINTER(icseg_labels), POINTER(icseg_error)],
    ),
    "icseg_dataset_note": lambda: (
        c_bool,
        [POINTER(icseg_dataset), c_int, POINTER(icseg_error)],
    ),
    "icseg_dataset_next": lambda: (
        c_bool,
        [POINTER(icseg_dataset), POINTER(icseg_dataset_sample), POINTER(icseg_error)],
    ),
    "icseg_dataset_sample_close": lambda: (
        None,
        [POINTER(icseg_dataset_sample)],
    ),
    "icseg_dataset_check": lambda: (
        c_int,
        [POINTER(icseg_dataset), POINTER(icseg_dataset_check_options), POINTER(icseg_progress), POINTER(icseg_dataset_summary), POINTER(icseg_error)],
    ),
    "icseg_dataset_summary_close": lambda: (
        None,
        [POINTER(icseg_dataset_summary)],
    ),
    "icseg_group_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_group)), POINTER(icseg_error)],
    ),
    "icseg_group_close": lambda: (
        None,
        [POINTER(POINTER(icseg_group))],
    ),
    "icseg_group_agree": lambda: (
        c_int,
        [POINTER(icseg_group), c_int, POINTER(icseg_error)],
    ),
    "icseg_group_share": lambda: (
        c_int64,
        [POINTER(icseg_group), c_int64, POINTER(c_int64)],
    ),
    "icseg_group_failed_together": lambda: (
        c_bool,
        [POINTER(icseg_group)],
    ),
    "icseg_group_abort": lambda: (
        None,
        [POINTER(icseg_group)],
    ),
    "icseg_group_rank": lambda: (
        c_int32,
        [POINTER(icseg_group)],
    ),
    "icseg_group_size": lambda: (
        c_int32,
        [POINTER(icseg_group)],
    ),
    "icseg_confusion_create": lambda: (
        c_int,
        [POINTER(icseg_confusion), c_int32, POINTER(icseg_error)],
    ),
    "icseg_confusion_close": lambda: (
        None,
        [POINTER(icseg_confusion)],
    ),
    "icseg_confusion_add": lambda: (
        c_int,
        [POINTER(icseg_confusion), POINTER(icseg_labels), POINTER(icseg_labels), POINTER(icseg_error)],
    ),
    "icseg_metrics_compute": lambda: (
        c_int,
        [POINTER(icseg_metrics), POINTER(icseg_confusion), POINTER(icseg_error)],
    ),
    "icseg_metrics_close": lambda: (
        None,
        [POINTER(icseg_metrics)],
    ),
    "icseg_metrics_table": lambda: (
        c_int,
        [POINTER(icseg_metrics), POINTER(c_char_p), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_metrics_json": lambda: (
        c_int,
        [POINTER(icseg_metrics), POINTER(c_char_p), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_evaluate": lambda: (
        c_int,
        [POINTER(icseg_session), POINTER(icseg_dataset), POINTER(icseg_eval_options), POINTER(icseg_progress), POINTER(icseg_confusion), POINTER(icseg_error)],
    ),
    "icseg_evaluate_group": lambda: (
        c_int,
        [POINTER(icseg_session), POINTER(icseg_dataset), POINTER(icseg_eval_options), POINTER(icseg_group), POINTER(icseg_progress), POINTER(icseg_confusion), POINTER(icseg_error)],
    ),
    "icseg_evaluate_images": lambda: (
        c_int,
        [POINTER(icseg_session), POINTER(icseg_dataset), POINTER(icseg_eval_options), POINTER(icseg_group), POINTER(icseg_progress), c_char_p, POINTER(icseg_confusion), POINTER(icseg_error)],
    ),
    "icseg_import_format_count": lambda: (
        c_int32,
        [],
    ),
    "icseg_import_format_name": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_import_format_description": lambda: (
        c_char_p,
        [c_int],
    ),
    "icseg_import_format_find": lambda: (
        c_int,
        [POINTER(c_int), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_import_run": lambda: (
        c_int,
        [POINTER(icseg_import_options), POINTER(icseg_progress), POINTER(icseg_import_summary), POINTER(icseg_error)],
    ),
    "icseg_parity_run": lambda: (
        c_int,
        [POINTER(icseg_parity_report), c_char_p, POINTER(icseg_parity_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_parity_text": lambda: (
        c_int,
        [POINTER(icseg_parity_report), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_recipe_open_preset": lambda: (
        c_int,
        [POINTER(POINTER(icseg_recipe)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_recipe_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_recipe)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_recipe_open_text": lambda: (
        c_int,
        [POINTER(POINTER(icseg_recipe)), c_char_p, c_char_p, c_size_t, POINTER(icseg_error)],
    ),
    "icseg_recipe_open_run": lambda: (
        c_int,
        [POINTER(POINTER(icseg_recipe)), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_recipe_close": lambda: (
        None,
        [POINTER(POINTER(icseg_recipe))],
    ),
    "icseg_recipe_set": lambda: (
        c_int,
        [POINTER(icseg_recipe), c_char_p, c_char_p, POINTER(icseg_error)],
    ),
    "icseg_recipe_assign": lambda: (
        c_int,
        [POINTER(icseg_recipe), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_recipe_get": lambda: (
        c_int,
        [POINTER(icseg_recipe), c_char_p, POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_recipe_check": lambda: (
        c_int,
        [POINTER(icseg_recipe), POINTER(icseg_error)],
    ),
    "icseg_recipe_write": lambda: (
        c_int,
        [POINTER(icseg_recipe), c_char_p, POINTER(icseg_error)],
    ),
    "icseg_recipe_text": lambda: (
        c_int,
        [POINTER(icseg_recipe), POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_recipe_key_count": lambda: (
        c_int32,
        [],
    ),
    "icseg_recipe_key_at": lambda: (
        c_int,
        [POINTER(icseg_recipe_key), c_int32, POINTER(icseg_error)],
    ),
    "icseg_run_plan_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_run_plan)), POINTER(icseg_recipe), POINTER(icseg_plan_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_run_plan_close": lambda: (
        None,
        [POINTER(POINTER(icseg_run_plan))],
    ),
    "icseg_run_plan_figures": lambda: (
        c_int,
        [POINTER(icseg_run_plan), POINTER(icseg_plan_figures), POINTER(icseg_error)],
    ),
    "icseg_run_plan_advice": lambda: (
        POINTER(icseg_plan_advice),
        [POINTER(icseg_run_plan), c_int32],
    ),
    "icseg_run_plan_text": lambda: (
        c_int,
        [POINTER(icseg_run_plan), c_int, POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_pretrain": lambda: (
        c_int,
        [POINTER(icseg_recipe), POINTER(icseg_pretrain_options), POINTER(icseg_progress), POINTER(icseg_pretrain_result), POINTER(icseg_error)],
    ),
    "icseg_report_write": lambda: (
        c_int,
        [c_char_p, POINTER(icseg_report_input), POINTER(icseg_error)],
    ),
    "icseg_dataset_split": lambda: (
        c_int,
        [POINTER(icseg_dataset_options), POINTER(icseg_split_options), POINTER(icseg_progress), POINTER(icseg_split_summary), POINTER(icseg_error)],
    ),
    "icseg_split_summary_close": lambda: (
        None,
        [POINTER(icseg_split_summary)],
    ),
    "icseg_synth_class_names": lambda: (
        POINTER(c_char_p),
        [],
    ),
    "icseg_synth_vocabulary_names": lambda: (
        POINTER(c_char_p),
        [c_int, POINTER(c_int32)],
    ),
    "icseg_synth_scene": lambda: (
        c_int,
        [POINTER(icseg_synth_scene_options), POINTER(icseg_image), POINTER(icseg_labels), POINTER(icseg_error)],
    ),
    "icseg_synth_write": lambda: (
        c_int,
        [POINTER(icseg_synth_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_train": lambda: (
        c_int,
        [POINTER(icseg_recipe), POINTER(icseg_train_options), POINTER(icseg_progress), POINTER(icseg_train_result), POINTER(icseg_error)],
    ),
    "icseg_train_result_close": lambda: (
        None,
        [POINTER(icseg_train_result)],
    ),
    "icseg_trainer_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_trainer)), POINTER(icseg_recipe), POINTER(icseg_train_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_trainer_close": lambda: (
        None,
        [POINTER(POINTER(icseg_trainer))],
    ),
    "icseg_trainer_step": lambda: (
        c_int,
        [POINTER(icseg_trainer), POINTER(icseg_train_step), POINTER(icseg_error)],
    ),
    "icseg_trainer_due": lambda: (
        c_uint,
        [POINTER(icseg_trainer)],
    ),
    "icseg_trainer_evaluate": lambda: (
        c_int,
        [POINTER(icseg_trainer), POINTER(icseg_metrics), POINTER(icseg_error)],
    ),
    "icseg_trainer_save": lambda: (
        c_int,
        [POINTER(icseg_trainer), POINTER(icseg_error)],
    ),
    "icseg_trainer_finish": lambda: (
        c_int,
        [POINTER(icseg_trainer), POINTER(icseg_error)],
    ),
    "icseg_train_report": lambda: (
        c_int,
        [c_char_p, c_char_p, POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_train_index": lambda: (
        c_int,
        [c_char_p, POINTER(icseg_error)],
    ),
    "icseg_lr_range_open": lambda: (
        c_int,
        [POINTER(POINTER(icseg_lr_range)), POINTER(icseg_recipe), POINTER(icseg_lr_options), POINTER(icseg_progress), POINTER(icseg_error)],
    ),
    "icseg_lr_range_close": lambda: (
        None,
        [POINTER(POINTER(icseg_lr_range))],
    ),
    "icseg_lr_range_suggestion": lambda: (
        c_double,
        [POINTER(icseg_lr_range)],
    ),
    "icseg_lr_range_text": lambda: (
        c_int,
        [POINTER(icseg_lr_range), c_int, POINTER(c_char_p), POINTER(icseg_error)],
    ),
    "icseg_trainer_model": lambda: (
        POINTER(icseg_model),
        [POINTER(icseg_trainer)],
    ),
    "icseg_trainer_step_count": lambda: (
        c_int64,
        [POINTER(icseg_trainer)],
    ),
    "icseg_trainer_total_steps": lambda: (
        c_int64,
        [POINTER(icseg_trainer)],
    ),
    "icseg_trainer_loss_count": lambda: (
        c_int32,
        [POINTER(icseg_trainer)],
    ),
    "icseg_trainer_loss_name": lambda: (
        c_char_p,
        [POINTER(icseg_trainer), c_int32],
    ),
    "icseg_trainer_best_miou": lambda: (
        c_double,
        [POINTER(icseg_trainer), POINTER(c_int64)],
    ),
}

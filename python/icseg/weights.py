# SPDX-License-Identifier: Apache-2.0
"""Converting published weights, and calibrating models for INT8."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from . import _declarations as c
from ._library import (
    Exclusive, Handle, call, encode, init, owned_text, path_bytes, path_text, text as text_of, text_array,
)
from ._memory import as_image
from ._options import EvalOptions, choose, eval_pointer
from .image import ImageLike
from .model import LayerCost, LayerSearch, Model, check_several, load
from .progress import CallbackLike, Watch

PathLike = Union[str, "os.PathLike[str]"]
_TYPES = {"f32": c.ICSEG_WEIGHTS_F32, "f16": c.ICSEG_WEIGHTS_F16, "bf16": c.ICSEG_WEIGHTS_BF16}
_RANGES = {"mse": c.ICSEG_RANGES_MSE, "max": c.ICSEG_RANGES_MAX, "percentile": c.ICSEG_RANGES_PERCENTILE}
_NAMINGS = {"icseg": c.ICSEG_NAMING_ICSEG, "openai": c.ICSEG_NAMING_OPENAI, "huggingface": c.ICSEG_NAMING_HUGGINGFACE}


def convert_weights(
    source: PathLike,
    out: PathLike,
    *,
    type: str = "f32",
    naming: str = "icseg",
    class_names: Optional[Sequence[str]] = None,
    vocabulary: Optional[PathLike] = None,
    tokens: Optional[Sequence[Sequence[int]]] = None,
    config: Optional[Mapping[str, Any]] = None,
    state_dict: Optional[str] = None,
) -> str:
    """Converts published weights to one safetensors file (docs/weights.md).

    A segmentation model becomes a checkpoint for `icseg.load`. Plain CLIP weights become a file from which training can
    start (`model.init` of a recipe).

    Args:
        source: a file or folder of OpenAI, open_clip, Hugging Face or DenseCLIP.
        out: the file to write.
        type: of the tensors: "f32", "f16" or "bf16". Vectors, and tensors that f16 would change too much, are f32.
        naming: of the tensors: "icseg", "openai" or "huggingface".
        class_names: of a segmentation model; None: those in the file.
        vocabulary: CLIP's vocabulary, for the class names: a file or folder; None: next to the source.
        tokens: token ids of each class; None: the names are tokenised.
        config: fields that shapes do not determine, such as {"vit_heads": 4}; None: CLIP's values.
        state_dict: which of several state dicts of a file: its key, the prefix of its names, or "ema" for averaged weights; None:
            the raw weights.

    Raises:
        FileError: a file cannot be read or written.
        FormatError, ShapeError: the source is damaged, or not one of these.
        ArgumentError: classes or a vocabulary that do not fit.

    Returns:
        A few lines about the tensors read, written and left out.
    """
    options = init(
        c.icseg_weights_convert_options,
        type=choose(_TYPES, type, "type"),
        naming=choose(_NAMINGS, naming, "naming"),
        class_names=None if class_names is None else text_array(class_names, "class_names"),
        class_count=len(class_names or ()),
        vocabulary=None if vocabulary is None else path_bytes(vocabulary),
        tokens=None if tokens is None else json.dumps([list(map(int, row)) for row in tokens]).encode(),
        config=None if config is None else json.dumps(dict(config)).encode(),
        state_dict=None if state_dict is None else encode(state_dict, "state_dict"),
    )
    summary = ctypes.c_char_p()
    call("icseg_weights_convert", path_bytes(source), path_bytes(out), ctypes.byref(options), ctypes.byref(summary),
         file=path_text(source))
    return owned_text(summary)


def _search(pointer: Any, model: Model, images: Sequence[ImageLike], how: Any, progress: CallbackLike) -> LayerSearch:
    """Keeps layers in f32, searched with three of the images, from the whole list."""
    count = min(3, len(images))
    chosen = [(2 * i + 1) * len(images) // (2 * count) for i in range(count)]
    arrays = [model._read(images[i], f"images[{i}]").rgb() for i in chosen]
    structs = (c.icseg_image * count)(*[as_image(array) for array in arrays])
    found = init(c.icseg_search_result)
    with Watch(progress) as watch:
        how.progress = watch.pointer
        call("icseg_calibrator_search", pointer, structs, count, ctypes.byref(how), ctypes.byref(found))
    costs = [
        LayerCost(text_of(cost.first), text_of(cost.last), cost.layers, cost.changed, cost.work, cost.kept_f32)
        for cost in found.costs[: found.count]
    ]
    return LayerSearch(found.before, found.after, costs)


def _each(calibrator: Any, model: Model, images: Iterable[ImageLike], function: str) -> None:
    for index, image in enumerate(images):
        pixels = model._read(image, f"images[{index}]")
        call(function, calibrator, ctypes.byref(as_image(pixels.rgb())), file=pixels.name)


def calibrate(
    model: Union[Model, PathLike],
    images: Iterable[ImageLike],
    out: Optional[PathLike] = None,
    *,
    options: Optional[EvalOptions] = None,
    ranges: str = "mse",
    percentile: float = 99.99,
    bias_correction: bool = True,
    keep_f32: Union[str, Sequence[str]] = (),
    agree: float = 0.995,
    keep_work: float = 0.02,
    compare: bool = True,
    progress: CallbackLike = None,
    threads: int = 0,
) -> Model:
    """Measures the activation ranges that precision "int8" needs, on a few dozen images that are typical of the model's use.

    Args:
        model: a Model, which does not change, or the path of a checkpoint.
        images: as for a call of the model.
        out: the checkpoint to write; None: none.
        options: how images are resized; None: as in the model's training.
        ranges: which range of a layer's values in an image bytes cover: "mse", with the smallest mean square error;
            "max", all values; "percentile", all but the largest and the smallest.
        percentile: on each side, 100 minus this percentage of the values are left out.
        bias_correction: whether INT8 subtracts from the biases what rounding the weights adds to the mean of each
            output channel.
        keep_f32: names of layers' weights that stay in f32, or beginnings of such names up to a dot; "auto": the layers
            that cost the most accuracy, which are searched with three of the images. This takes minutes. The model
            then has the costs of layers as `search`.
        agree: "auto" keeps layers until this share of the labels are those of f32.
        keep_work: "auto" keeps layers that have at most this share of the work of all layers.
        compare: whether the images are labelled in "int8", "bf16" and "bf16x2", too, as far as the processor supports
            them. The model then has an `agreement` with "f32", from which precision "auto" chooses.
        progress: called during the search of layers.
        threads: 0: all cores that the process may use.

    Returns:
        The calibrated model, in precision "f32". `icseg.load(out, precision="int8")` runs it in INT8.

    Raises:
        ArgumentError: there are no images.
        NumericError: a range that is not plausible: the weights are damaged.
    """
    if not isinstance(model, Model):
        with load(model, threads=threads) as opened:
            return calibrate(
                opened,
                images,
                out,
                options=options,
                ranges=ranges,
                percentile=percentile,
                bias_correction=bias_correction,
                keep_f32=keep_f32,
                agree=agree,
                keep_work=keep_work,
                compare=compare,
                progress=progress,
                threads=threads,
            )
    check_several(images)
    how = init(
        c.icseg_calibrator_options,
        threads=threads,
        eval=eval_pointer(options),
        ranges=choose(_RANGES, ranges, "ranges"),
        percentile=percentile,
        no_bias_correction=not bias_correction,
    )
    kept = [keep_f32] if isinstance(keep_f32, str) else list(keep_f32)
    automatic = kept == ["auto"]
    listed = list(images) if automatic or compare else images
    calibrator = Exclusive(c.icseg_calibrator, "icseg_calibrator_close", "calibrator")
    made = Handle(c.icseg_model, "icseg_model_close", "model")
    search: Optional[LayerSearch] = None
    with model._session, model._handle as pointer:
        call("icseg_calibrator_open", ctypes.byref(calibrator.pointer), pointer, ctypes.byref(how))
    with calibrator as pointer:
        for layer in [] if automatic else kept:
            call("icseg_calibrator_keep_f32", pointer, encode(layer, "keep_f32"))
        _each(pointer, model, listed, "icseg_calibrator_add")
        if automatic:
            aims = init(c.icseg_search_options, agree=agree, work=keep_work)
            search = _search(pointer, model, list(listed), aims, progress)
        if compare:
            _each(pointer, model, listed, "icseg_calibrator_compare")
        call("icseg_calibrator_model", pointer, ctypes.byref(made.pointer))
    calibrator.close()
    calibrated = Model(made, threads=threads, name=f"{model._name}, calibrated" if out is None else path_text(out))
    calibrated._search = search
    if out is not None:
        calibrated.save(out)
    return calibrated

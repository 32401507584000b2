# SPDX-License-Identifier: Apache-2.0
"""Converting published weights, and calibrating models for INT8."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from . import _declarations as c
from ._library import Exclusive, Handle, call, encode, init, owned_text, path_bytes, path_text, text_array
from ._memory import as_image
from ._options import EvalOptions, choose, eval_pointer
from .image import ImageLike
from .model import Model, check_several, load

PathLike = Union[str, "os.PathLike[str]"]
_TYPES = {"f32": c.ICSEG_WEIGHTS_F32, "f16": c.ICSEG_WEIGHTS_F16, "bf16": c.ICSEG_WEIGHTS_BF16}
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
        type: of the tensors: "f32", "f16" or "bf16".
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


def calibrate(
    model: Union[Model, PathLike],
    images: Iterable[ImageLike],
    out: Optional[PathLike] = None,
    *,
    options: Optional[EvalOptions] = None,
    threads: int = 0,
) -> Model:
    """Measures the activation ranges that precision "int8" needs, on a few dozen images that are typical of the model's use.

    Args:
        model: a Model, which does not change, or the path of a checkpoint.
        images: as for a call of the model.
        out: the checkpoint to write; None: none.
        options: how images are resized; None: as in the model's training.
        threads: 0: all cores that the process may use.

    Returns:
        The calibrated model, in precision "f32". `icseg.load(out, precision="int8")` runs it in INT8.

    Raises:
        ArgumentError: there are no images.
        NumericError: a range that is not plausible: the weights are damaged.
    """
    if not isinstance(model, Model):
        with load(model, threads=threads) as opened:
            return calibrate(opened, images, out, options=options, threads=threads)
    check_several(images)
    how = init(c.icseg_calibrator_options, threads=threads, eval=eval_pointer(options))
    calibrator = Exclusive(c.icseg_calibrator, "icseg_calibrator_close", "calibrator")
    made = Handle(c.icseg_model, "icseg_model_close", "model")
    with model._session, model._handle as pointer:
        call("icseg_calibrator_open", ctypes.byref(calibrator.pointer), pointer, ctypes.byref(how))
    with calibrator as pointer:
        for index, image in enumerate(images):
            pixels = model._read(image, f"images[{index}]")
            call("icseg_calibrator_add", pointer, ctypes.byref(as_image(pixels.rgb())), file=pixels.name)
        call("icseg_calibrator_model", pointer, ctypes.byref(made.pointer))
    calibrator.close()
    calibrated = Model(made, threads=threads, name=f"{model._name}, calibrated" if out is None else path_text(out))
    if out is not None:
        calibrated.save(out)
    return calibrated

# SPDX-License-Identifier: Apache-2.0
"""The interface of Hugging Face's pipeline for image segmentation."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

import numpy as np

from ._options import EvalOptions
from .errors import ArgumentError
from .model import Model, load
from .result import Result


class ImageSegmentationPipeline:
    """Labels images, and returns a mask for each class, as transformers.ImageSegmentationPipeline does."""

    task = "image-segmentation"

    def __init__(self, model: Model, options: Optional[EvalOptions] = None) -> None:
        self.model = model
        self._options = options

    def __repr__(self) -> str:
        return f"<icseg.pipeline {self.task!r} of {self.model!r}>"

    def __call__(self, inputs: Any = None, **options: Any) -> Any:
        """Labels an image, or a list of images.

        Args:
            inputs: as for a call of the model; a list of images returns a list of lists, and an iterator yields lists.
            subtask: None or "semantic".
            threshold: classes with a smaller score are left out; 0: none is.
            mask_threshold, overlap_mask_area_threshold, timeout: accepted and not used, as with semantic models.

        Returns:
            [{"label": the class's name, "score": the mean probability of its pixels, "mask": a PIL image of mode L, 255
            where the class is}], the largest class first. Pillow must be installed.
        """
        if inputs is None:
            inputs = options.pop("images", None)
        known = {"subtask", "threshold", "mask_threshold", "overlap_mask_area_threshold", "timeout", "batch_size"}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ArgumentError(f"{unknown[0]} is not an option of this pipeline", field=unknown[0])
        if options.get("subtask") not in (None, "semantic"):
            raise ArgumentError(
                f"subtask: {options['subtask']!r} is not supported; the model does semantic segmentation", field="subtask"
            )
        threshold = float(options.get("threshold") or 0.0)
        if isinstance(inputs, (list, tuple)):
            return list(self._stream(inputs, threshold))
        if isinstance(inputs, Iterator):
            return self._stream(inputs, threshold)
        return _masks(self.model(inputs, options=self._options), threshold)

    def _stream(self, images: Iterable[Any], threshold: float) -> Iterator[list[dict[str, Any]]]:
        return (_masks(result, threshold) for result in self.model.predict(images, options=self._options))


def _masks(result: Result, threshold: float) -> list[dict[str, Any]]:
    from PIL import Image

    made = []
    for share in result.classes:
        score = share.confidence or 0.0
        if score >= threshold:
            mask = Image.fromarray(result.mask(share.index).astype(np.uint8) * 255)
            made.append({"label": share.name, "score": score, "mask": mask})
    return made


def pipeline(
    task: str = "image-segmentation",
    model: Union[Model, str, "os.PathLike[str]", None] = None,
    *,
    options: Optional[EvalOptions] = None,
    **load_options: Any,
) -> ImageSegmentationPipeline:
    """Makes a function that labels images, with the signature and the results of Hugging Face's pipeline.

    Args:
        task: "image-segmentation".
        model: a Model, or the path of a checkpoint.
        options: how images are resized and divided; None: as in the model's training.
        **load_options: those of `icseg.load`, for a path.

    Raises:
        ArgumentError: another task, or no model.
    """
    if task != ImageSegmentationPipeline.task:
        raise ArgumentError(f"task: {task!r} is not supported; use {ImageSegmentationPipeline.task!r}", field="task")
    if model is None:
        raise ArgumentError("model: name a checkpoint", field="model")
    if not isinstance(model, Model):
        model = load(model, **load_options)
    return ImageSegmentationPipeline(model, options)

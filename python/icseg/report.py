# SPDX-License-Identifier: Apache-2.0
"""Reports in one HTML file: curves, metrics, images beside their labels."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import call, encode, encode_optional, init, path_bytes, path_text, whole
from ._memory import as_image, as_labels
from .errors import ArgumentError
from .image import ImageLike, read
from .metrics import Metrics, as_int16
from .result import Palette

PathLike = Union[str, "os.PathLike[str]"]


class ReportSample(NamedTuple):
    """A row of a report: an image, its true labels, and those of the model, all of the same size.

    Attributes:
        name: the text above the row, usually the file's name.
        image: as for a call of a model.
        prediction: integers (height, width): classes; -1: unlabelled.
        truth: the same; None: unknown.
    """

    name: str
    image: ImageLike
    prediction: NDArray[Any]
    truth: Optional[NDArray[Any]] = None


def _borrow(labels: Optional[NDArray[Any]], name: str, kept: list[Any]) -> Any:
    if labels is None:
        return None
    array = as_int16(labels, name)
    kept.append(array)
    return ctypes.pointer(as_labels(array))


def _samples(samples: Sequence[ReportSample], kept: list[Any]) -> Any:
    rows = (c.icseg_report_sample * max(len(samples), 1))()
    for i, (row, sample) in enumerate(zip(rows, samples)):
        name, image, prediction, truth = sample
        pixels = read(image, name=f"samples[{i}].image").rgb()
        kept.append(pixels)
        row.name = encode(name, f"samples[{i}].name")
        row.image = ctypes.pointer(as_image(pixels))
        row.prediction = _borrow(prediction, f"samples[{i}].prediction", kept)
        row.truth = _borrow(truth, f"samples[{i}].truth", kept)
    return rows


def write_report(
    path: PathLike,
    *,
    class_names: Sequence[str] = (),
    samples: Sequence[ReportSample] = (),
    metrics: Optional[Metrics] = None,
    log: Optional[PathLike] = None,
    recipe: Optional[str] = None,
    title: Optional[str] = None,
    subtitle: Optional[str] = None,
    sample_width: int = 0,
    worst: int = 0,
) -> None:
    """Writes an HTML file that shows the results of a model. `Run.report` writes that of a training run.

    Args:
        path: the file to write. An old file is replaced completely or not at all.
        class_names: the names of the classes; required with samples. With metrics alone, their names are used.
        samples: images with their labels, at most 1000.
        metrics: a table of the classes, and the confusion matrix.
        log: the file log.jsonl of a run, of which the curves are drawn.
        recipe: text that is shown as the recipe, such as `Recipe.to_yaml()`.
        title, subtitle: lines at the top.
        sample_width: wider images are reduced by a whole factor, in pixels; 0: 640.
        worst: so many of the samples come first and are shown as the worst images.

    Raises:
        FileError: the file cannot be written, or the log cannot be read.
        ShapeError: sizes or numbers of classes do not agree.
        DataError: a label that is not a class.
        ArgumentError: samples without class names, or an array that is not an image or a label map.
    """
    names = list(class_names) or (metrics.class_names if metrics is not None else [])
    if samples and not names:
        raise ArgumentError("class_names: name the classes of the samples", field="class_names")
    kept: list[Any] = []
    page = init(
        c.icseg_report_input,
        title=encode_optional(title, "title"),
        subtitle=encode_optional(subtitle, "subtitle"),
        log_path=None if log is None else path_bytes(log),
        recipe=encode_optional(recipe, "recipe"),
        classes=len(names),
        samples=_samples(samples, kept),
        sample_count=len(samples),
        sample_width=whole(sample_width, "sample_width", 0),
        worst_count=whole(worst, "worst", 0),
    )
    if names:
        palette = Palette(names)
        page.class_names = palette.array
        page.palette = ctypes.pointer(palette.struct)
    if metrics is None:
        call("icseg_report_write", path_bytes(path), ctypes.byref(page), file=path_text(path))
        return
    with metrics.borrowed() as (matrix, figures):
        page.confusion, page.metrics = ctypes.pointer(matrix), ctypes.pointer(figures)
        call("icseg_report_write", path_bytes(path), ctypes.byref(page), file=path_text(path))

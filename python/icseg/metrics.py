# SPDX-License-Identifier: Apache-2.0
"""Segmentation metrics from confusion matrices."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import call, init, lib, owned_text, text_array
from ._memory import as_labels
from .errors import ArgumentError


class Metrics:
    """Metrics of a confusion matrix, as fractions in 0..1.

    Attributes:
        confusion: (classes, classes) int64: pixels; row = label, column = prediction.
        class_names: the names of the classes.
        iou: (classes,) float64; NaN for a class that occurs neither in labels nor in predictions.
        accuracy: (classes,) float64; NaN for a class that does not occur in the labels.
        pixels: (classes,) int64: labelled pixels.
        miou: mean IoU, without classes that occur neither in labels nor in predictions.
        macc: mean accuracy over the classes that occur in the labels.
        aacc: accuracy over all labelled pixels.
        miou_labelled: mean IoU over the classes that occur in the labels.
        miou_all: mean IoU over all classes; an undefined IoU counts as 0.
    """

    def __init__(self, confusion: NDArray[Any], class_names: Optional[list[str]] = None) -> None:
        with np.errstate(invalid="ignore"):
            self.confusion: NDArray[np.int64] = np.array(confusion, np.int64, order="C")
        if self.confusion.ndim != 2 or self.confusion.shape[0] != self.confusion.shape[1] or not self.confusion.size:
            raise ArgumentError(f"confusion: shape {self.confusion.shape}; expected (classes, classes)")
        if (self.confusion != confusion).any() or (self.confusion < 0).any():
            raise ArgumentError("confusion: a count of pixels is a whole number of at least 0")
        classes = self.confusion.shape[0]
        self.class_names = [f"class {k}" for k in range(classes)] if class_names is None else list(class_names)
        if len(self.class_names) != classes:
            raise ArgumentError(f"class_names: {len(self.class_names)} names for {classes} classes")
        with self.borrowed() as (_, found):
            self.iou = np.array(found.iou[:classes])
            self.accuracy = np.array(found.accuracy[:classes])
            self.pixels = np.array(found.pixels[:classes])
            self.miou, self.macc, self.aacc = float(found.miou), float(found.macc), float(found.aacc)
            self.miou_labelled, self.miou_all = float(found.miou_labelled), float(found.miou_all)

    @contextmanager
    def borrowed(self) -> Iterator[tuple[Any, Any]]:
        """The icseg_confusion and the icseg_metrics, during a `with` statement."""
        found = init(c.icseg_metrics)
        count = ctypes.cast(self.confusion.ctypes.data, ctypes.POINTER(ctypes.c_int64))
        matrix = c.icseg_confusion(classes=len(self.confusion), count=count)
        call("icseg_metrics_compute", ctypes.byref(found), ctypes.byref(matrix))
        try:
            yield matrix, found
        finally:
            lib.icseg_metrics_close(ctypes.byref(found))

    def _text(self, function: str) -> str:
        out = ctypes.c_char_p()
        with self.borrowed() as (_, found):
            call(function, ctypes.byref(found), text_array(self.class_names, "class_names"), ctypes.byref(out))
        return owned_text(out)

    def table(self) -> str:
        """IoU and accuracy of each class, and the means, in percent, as text."""
        return self._text("icseg_metrics_table")

    def to_dict(self) -> dict[str, Any]:
        """The metrics as a dict that JSON can hold, with None where a value is undefined."""
        return dict(json.loads(self._text("icseg_metrics_json")))

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<icseg.Metrics: mIoU {self.miou:.4f}, mAcc {self.macc:.4f}, aAcc {self.aacc:.4f}, {len(self.iou)} classes>"


class Confusion:
    """A confusion matrix that grows image by image.

    Attributes:
        counts: (classes, classes) int64: pixels; row = label, column = prediction.
    """

    def __init__(self, classes: int) -> None:
        if not 1 <= classes <= c.ICSEG_CLASSES_MAX:
            raise ArgumentError(f"classes is {classes}; expected 1..{c.ICSEG_CLASSES_MAX}", field="classes")
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    def add(self, labels: NDArray[Any], predicted: NDArray[Any]) -> None:
        """Adds the pixels of an image.

        Args:
            labels: integers (H, W): the ground truth; -1: the pixel does not count.
            predicted: integers (H, W): the predictions, such as `Result.labels`.

        Raises:
            ShapeError: the sizes differ.
            DataError: a value that is not a class; nothing is counted then.
        """
        maps = [as_int16(labels, "labels"), as_int16(predicted, "predicted")]
        count = ctypes.cast(self.counts.ctypes.data, ctypes.POINTER(ctypes.c_int64))
        matrix = c.icseg_confusion(classes=len(self.counts), count=count)
        call("icseg_confusion_add", ctypes.byref(matrix), *[ctypes.byref(as_labels(m)) for m in maps])

    def metrics(self, class_names: Optional[list[str]] = None) -> Metrics:
        """The metrics of the pixels so far."""
        return Metrics(self.counts, class_names)

    def __repr__(self) -> str:
        return f"<icseg.Confusion: {len(self.counts)} classes, {int(self.counts.sum())} pixels>"


def as_int16(labels: NDArray[Any], name: str) -> NDArray[np.int16]:
    """A label map as the library has it."""
    array = np.asarray(labels)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iu":
        raise ArgumentError(f"{name}: an array {array.shape} of {array.dtype}; expected integers (height, width)")
    if array.min() < -1 or array.max() >= c.ICSEG_CLASSES_MAX:
        raise ArgumentError(f"{name}: values {array.min()}..{array.max()}; expected -1..{c.ICSEG_CLASSES_MAX - 1}")
    return np.ascontiguousarray(array, np.int16)

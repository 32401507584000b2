# SPDX-License-Identifier: Apache-2.0
"""Label maps as files and arrays: reading, writing, encoding, resizing, counting; palettes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import call, path_bytes, path_text, whole
from ._memory import as_labels, buffer_bytes, labels_array, mask_array
from .errors import ArgumentError, ArrayTypeError, DataError
from .image import sides
from .metrics import as_int16
from .result import ClassShare, Palette, class_shares_of

PathLike = Union[str, "os.PathLike[str]"]
PaletteLike = Union[None, Sequence[str], NDArray[np.uint8]]


class LabelFile(NamedTuple):
    """A label file as it is stored.

    Attributes:
        values: (height, width) uint16: grey values or palette indices, never scaled.
        bits: bits of a stored value: 1, 2, 4, 8 or 16.
        palette: (colours, 3) uint8: the palette of the file, red, green, blue; None: it does not have one.
    """

    values: NDArray[np.uint16]
    bits: int
    palette: Optional[NDArray[np.uint8]]


def read_label_file(path: PathLike) -> LabelFile:
    """Reads a label file as it is stored, before any rule about its labels is applied.

    Args:
        path: a PNG (grey of 1 to 16 bits, or palette), a TIFF of one channel and page, a BMP or GIF with a palette, a PBM
            or a PGM.

    Raises:
        FileError: the file cannot be read.
        FormatError: it is damaged or not an image.
        DataError: a colour image, or a lossy format.
    """
    mask = c.icseg_mask()
    call("icseg_mask_read", ctypes.byref(mask), path_bytes(path), file=path_text(path))
    palette = np.ctypeslib.as_array(mask.palette)[: mask.palette_size].copy() if mask.palette_size else None
    return LabelFile(mask_array(mask), int(mask.bits), palette)


def read_labels(path: PathLike) -> NDArray[np.int16]:
    """Reads a label map, such as one that `write_labels` or the program wrote.

    For label files by other rules, `Dataset` has options, and `read_label_file` returns the stored values.

    Args:
        path: as for `read_label_file`.

    Raises:
        FileError, FormatError: as for `read_label_file`.
        DataError: a colour image, a lossy format, or a value that is not a label.

    Returns:
        (height, width) int16: the class of each pixel, -1: unlabelled, stored as 255 in 8 bits or 65535 in 16 bits.
    """
    stored = read_label_file(path)
    unlabelled = stored.values == (1 << stored.bits) - 1 if stored.bits >= 8 else np.zeros(stored.values.shape, bool)
    wrong = (stored.values >= c.ICSEG_CLASSES_MAX) & ~unlabelled
    if wrong.any():
        y, x = np.argwhere(wrong)[0]
        raise DataError(
            f"{path_text(path)}: value {stored.values[y, x]} at x {x}, y {y}; labels are 0..{c.ICSEG_CLASSES_MAX - 1}, and "
            f"{(1 << stored.bits) - 1} is unlabelled",
            file=path_text(path),
        )
    return np.where(unlabelled, np.int16(c.ICSEG_LABEL_IGNORE), stored.values.astype(np.int16))


def _generated(classes: int) -> Palette:
    """The colours of a number of classes."""
    made = c.icseg_palette()
    call("icseg_palette_create", ctypes.byref(made), whole(classes, "classes"))
    return Palette.owning(made)


class _Colours:
    """An icseg_palette, and what keeps its memory."""

    def __init__(self, palette: PaletteLike, classes: int) -> None:
        self.owner: Any
        if palette is None or (isinstance(palette, (list, tuple)) and all(isinstance(name, str) for name in palette)):
            self.owner = _generated(classes) if palette is None else Palette(list(palette))
            self.struct = self.owner.struct
            return
        colours = np.asarray(palette)
        if colours.ndim != 2 or colours.shape[1] != 3 or not len(colours) or colours.dtype != np.uint8:
            raise ArgumentError(
                f"palette: an array {colours.shape} of {colours.dtype}; expected uint8 (classes, 3), or a list of the names "
                "of the classes",
                field="palette",
            )
        self.owner = np.ascontiguousarray(colours)
        kinds: Any = c.icseg_palette._fields_
        data = ctypes.cast(self.owner.ctypes.data, dict(kinds)["color"])
        self.struct = c.icseg_palette(size=len(colours), color=data)


def _colours(palette: PaletteLike, labels: NDArray[np.int16]) -> _Colours:
    return _Colours(palette, max(int(labels.max()) + 1, 1))


def palette(classes: Union[int, Sequence[str]]) -> NDArray[np.uint8]:
    """The colours of classes: those of ADE20K for its 150 names, otherwise colours that differ clearly.

    Args:
        classes: how many, 1..65534, or their names.

    Raises:
        ArgumentError: a number out of range, or no names.

    Returns:
        (classes, 3) uint8: red, green, blue.
    """
    if isinstance(classes, str):
        raise ArrayTypeError("classes: one string; pass a list of strings, or a number", field="classes")
    if isinstance(classes, Sequence):
        return Palette(list(classes)).colours
    return _generated(classes).colours


def encode_labels(labels: NDArray[Any], palette: PaletteLike = None) -> bytes:
    """Makes the PNG file of a label map in memory. The arguments are those of `write_labels`."""
    array = as_int16(labels, "labels")
    colours = _colours(palette, array)
    out, size = ctypes.c_void_p(), ctypes.c_size_t()
    call("icseg_labels_encode_png", ctypes.byref(as_labels(array)), ctypes.byref(colours.struct), ctypes.byref(out),
         ctypes.byref(size))
    return buffer_bytes(out, size.value)


def write_labels(path: PathLike, labels: NDArray[Any], palette: PaletteLike = None) -> None:
    """Writes a label map as a PNG file: 8 bits with a palette, or 16 bits of grey from 256 classes on.

    An old file is replaced completely or not at all. `read_labels` returns the same labels.

    Args:
        path: a name that ends in .png.
        labels: integers (height, width): the class of each pixel; -1: unlabelled, stored as 255 or 65535.
        palette: the names of all classes, which get the colours of `icseg.palette`; or colours (classes, 3) of uint8;
            None: as many classes as occur.

    Raises:
        FileError: the file cannot be written.
        DataError: a label that the palette does not contain.
        ArgumentError: an array that is not a label map or a palette, or another extension.
    """
    file = path_text(path)
    if file and not file.lower().endswith(".png"):
        raise ArgumentError(f"{file}: a label map is a PNG file; use a name that ends in .png")
    array = as_int16(labels, "labels")
    colours = _colours(palette, array)
    call("icseg_labels_write_png", ctypes.byref(as_labels(array)), ctypes.byref(colours.struct), path_bytes(path), file=file)


def resize_labels(labels: NDArray[Any], size: Sequence[int]) -> NDArray[np.int16]:
    """Resizes a label map: nearest neighbour with half-pixel centres.

    Args:
        labels: integers (height, width); -1: unlabelled.
        size: (height, width) of the result in pixels, 1..32768.

    Returns:
        (height, width) int16.

    Raises:
        ArgumentError: a size out of range, or an array that is not a label map.
    """
    height, width = sides(size)
    array, out = as_int16(labels, "labels"), c.icseg_labels()
    call("icseg_labels_resize", ctypes.byref(out), ctypes.byref(as_labels(array)), width, height)
    return labels_array(out)


def class_shares(
    labels: NDArray[Any], class_names: Sequence[str], confidence: Optional[NDArray[Any]] = None
) -> list[ClassShare]:
    """The classes that occur in a label map, the largest first, as `Result.classes` has them.

    Args:
        labels: integers (height, width); -1: unlabelled.
        class_names: the names of all classes.
        confidence: numbers (height, width), 0..1; None: the shares do not have confidences.

    Raises:
        DataError: a label without a name.
        ArgumentError: an array that is not a label map, or confidences of another shape.
    """
    array = as_int16(labels, "labels")
    values: Optional[NDArray[np.float32]] = None
    if confidence is not None:
        values = np.ascontiguousarray(confidence, np.float32)
        if values.shape != array.shape:
            raise ArgumentError(f"confidence: shape {values.shape}; the labels have the shape {array.shape}", field="confidence")
    return class_shares_of(array, values, list(class_names))

# SPDX-License-Identifier: Apache-2.0
"""The labels of one image, with what can be made of them: tables, overlays, files, polygons."""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import call, encode, encode_optional, init, lib, path_bytes, path_text, text_array
from ._memory import Outputs, as_image, as_labels, buffer_bytes, image_array
from .errors import ArgumentError
from .image import Pixels


@dataclass(frozen=True)
class ClassShare:
    """A class that occurs in an image.

    Attributes:
        index: the class's number, its value in the labels.
        name: the class's name.
        pixels: how many pixels have the class.
        share: their share of the image, 0..1.
        confidence: the mean of their confidences, 0..1; None: the result has none.
    """

    index: int
    name: str
    pixels: int
    share: float
    confidence: Optional[float] = None


@dataclass(frozen=True)
class Polygon:
    """The outline of a region of pixels of one class that are connected by their sides.

    Attributes:
        index: the class's number.
        label: the class's name.
        exterior: (points, 2) float64: x and y in pixels; pixel (x, y) covers x..x+1 and y..y+1. Not closed: the last
            point is joined to the first.
        holes: outlines of the holes, as the exterior.
    """

    index: int
    label: str
    exterior: NDArray[np.float64]
    holes: tuple[NDArray[np.float64], ...]


class Palette:
    """The class names of a model and their colours, which its results share."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.array = text_array(names, "class_names")
        self.struct = c.icseg_palette()
        call("icseg_palette_create_for", ctypes.byref(self.struct), self.array, len(names))

    @classmethod
    def owning(cls, struct: Any) -> Palette:
        """A palette without names, which owns an icseg_palette."""
        made = cls.__new__(cls)
        made.names, made.array, made.struct = [], None, struct
        return made

    def __del__(self, close: Any = lib.icseg_palette_close) -> None:
        if hasattr(self, "struct"):
            close(ctypes.byref(self.struct))

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """(classes, 3) uint8: red, green, blue."""
        return np.ctypeslib.as_array(self.struct.color, (self.struct.size,)).copy()


def class_shares_of(
    labels: NDArray[np.int16], confidence: Optional[NDArray[np.float32]], names: list[str]
) -> list[ClassShare]:
    """The classes that occur in a label map, the largest first. The arrays are dense."""
    found = init(c.icseg_labels_summary)
    values = None if confidence is None else ctypes.cast(confidence.ctypes.data, ctypes.POINTER(ctypes.c_float))
    call("icseg_labels_summarise", ctypes.byref(found), ctypes.byref(as_labels(labels)), values, len(names))
    try:
        return [
            ClassShare(s.index, names[s.index], s.pixels, s.share, None if confidence is None else s.confidence)
            for s in found.classes[: found.count]
        ]
    finally:
        lib.icseg_labels_summary_close(ctypes.byref(found))


def export_options(format: str, names: list[str], *, background: Optional[str], **fields: Any) -> Any:
    """An icseg_export_options. The fields are those of `Result.encode`."""
    kind = ctypes.c_int()
    call("icseg_export_format_find", ctypes.byref(kind), encode(format, "format"))
    return init(
        c.icseg_export_options,
        format=kind.value,
        names=text_array(names, "class_names"),
        classes=len(names),
        background=encode_optional(background, "background"),
        **fields,
    )


def _ring(points: list[list[float]]) -> NDArray[np.float64]:
    return np.array(points[:-1], np.float64)  # GeoJSON repeats the first point


class Result:
    """The labels of an image. In a notebook it shows itself.

    The arrays stay valid after the model is closed. They share memory with the engine, except for labels of uint8, which
    are a copy.
    """

    def __init__(
        self,
        image: Pixels,
        palette: Palette,
        labels: NDArray[np.int16],
        outputs: Optional[Outputs],
    ) -> None:
        self._image = image
        self._palette = palette
        self._labels = labels
        self._outputs = outputs  # those of the run, which have the confidences
        self._narrow: Optional[NDArray[Any]] = None  # the labels in the type that users see

    @cached_property
    def _confidence(self) -> Optional[NDArray[np.float32]]:
        if self._outputs is None:
            return None
        return self._outputs.plane(c.ICSEG_OUTPUT_CONFIDENCE, self._labels.shape)

    def __repr__(self) -> str:
        first = ", ".join(f"{s.name} {100 * s.share:.1f}%" for s in self.classes[:3])
        more = len(self.classes) - 3
        return (
            f"<icseg.Result of {self.name!r}, {self.width}x{self.height}: {first}"
            f"{f' and {more} more' if more > 0 else ''}>"
        )

    @property
    def name(self) -> str:
        """The image's path, or its name in messages."""
        return self._image.name

    @property
    def width(self) -> int:
        """Of the image, in pixels."""
        return self._image.width

    @property
    def height(self) -> int:
        """Of the image, in pixels."""
        return self._image.height

    @property
    def image(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8: the image that was labelled, upright, red, green, blue."""
        return self._image.rgb()

    @property
    def class_names(self) -> list[str]:
        """The names of all classes of the model; a label is an index into them."""
        return list(self._palette.names)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """(classes, 3) uint8: the colours of the classes, red, green, blue."""
        return self._palette.colours

    @property
    def labels(self) -> NDArray[Any]:
        """(height, width): the class of each pixel; uint8, or uint16 if the model has more than 256 classes."""
        if self._narrow is None:
            wide = len(self._palette.names) > 256
            self._narrow = self._labels.view(np.uint16) if wide else self._labels.astype(np.uint8)  # all are at least 0
        return self._narrow

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(height, width) float32: the probability of each pixel's class, 0..1."""
        if self._confidence is None:
            raise ArgumentError("the result has no confidence; leave confidence=False out", field="confidence")
        return self._confidence

    @cached_property
    def classes(self) -> list[ClassShare]:
        """The classes that occur, the largest first."""
        return class_shares_of(self._labels, self._confidence, self._palette.names)

    def mask(self, label: Union[str, int]) -> NDArray[np.bool_]:
        """(height, width) bool: the pixels of one class, which is named or numbered."""
        index = self._palette.names.index(label) if isinstance(label, str) and label in self._palette.names else label
        if not isinstance(index, (int, np.integer)) or isinstance(index, bool) or not 0 <= index < len(self._palette.names):
            raise ArgumentError(f"{label!r} is not a class of the model")
        found: NDArray[np.bool_] = self._labels == index
        return found

    def _draw(self, opacity: float, legend: bool) -> c.icseg_image:
        if not isinstance(opacity, Real) or not 0 <= opacity <= 1:
            raise ArgumentError(f"opacity is {opacity!r}; expected 0..1", field="opacity")
        out = c.icseg_image()
        image = self._image.rgb()
        options = init(
            c.icseg_overlay_options,
            palette=ctypes.pointer(self._palette.struct),
            names=self._palette.array if legend else None,
            opacity=opacity if opacity > 0 else c.ICSEG_OPACITY_NONE,
        )
        call("icseg_overlay_draw", ctypes.byref(out), ctypes.byref(as_image(image)),
             ctypes.byref(as_labels(self._labels)), ctypes.byref(options))
        return out

    def overlay(self, opacity: float = 0.55, legend: bool = True) -> NDArray[np.uint8]:
        """Draws the colours of the classes over the image.

        Args:
            opacity: of the colours, 0..1; 0: the image as it is.
            legend: also the names and shares of the classes, below the image.

        Returns:
            (rows, width, 3) uint8: red, green, blue; rows is the height of the image, and more with a legend.
        """
        return image_array(self._draw(opacity, legend))

    def to_png(self, opacity: float = 0.55, legend: bool = True) -> bytes:
        """The overlay as a PNG file. The arguments are those of `overlay`."""
        drawn = self._draw(opacity, legend)
        try:
            out, size = ctypes.c_void_p(), ctypes.c_size_t()
            call("icseg_image_encode_png", ctypes.byref(drawn), ctypes.byref(out), ctypes.byref(size))
            return buffer_bytes(out, size.value)
        finally:
            lib.icseg_image_close(ctypes.byref(drawn))

    def _repr_png_(self) -> bytes:
        """The overlay, for notebooks."""
        return self.to_png()

    def show(self, opacity: float = 0.55, legend: bool = True) -> None:
        """Shows the overlay in a window or a notebook, by Matplotlib.

        Raises:
            ImportError: Matplotlib is not installed.
        """
        import matplotlib.pyplot as plt

        drawn = self.overlay(opacity, legend)
        figure = plt.figure(figsize=(10, max(10 * drawn.shape[0] / drawn.shape[1], 1)))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(drawn)
        axes.set_axis_off()
        plt.show()

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the label map as a PNG file: 8 bits with a palette, or 16 bits of grey if the model has more than 255
        classes. The same bytes as of the program.

        Raises:
            FileError: the file cannot be written; an old file is then unchanged.
        """
        labels, file = as_labels(self._labels), path_text(path)
        if file and not file.lower().endswith(".png"):
            raise ArgumentError(f"{file}: a label map is a PNG file; use a name that ends in .png")
        call("icseg_labels_write_png", ctypes.byref(labels), ctypes.byref(self._palette.struct), path_bytes(path),
             file=file)

    def save_confidence(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes the confidences as a PNG file of 16 bits of grey, 65535 for 1. The same bytes as of the program.

        Raises:
            FileError: the file cannot be written; an old file is then unchanged.
        """
        values = ctypes.cast(self.confidence.ctypes.data, ctypes.POINTER(ctypes.c_float))
        call("icseg_confidence_write_png", values, self.width, self.height, path_bytes(path), file=path_text(path))

    def encode(
        self,
        format: str,
        *,
        name: Optional[str] = None,
        background: Optional[str] = None,
        runs: bool = False,
        tolerance: float = 0.0,
        min_area: int = 0,
    ) -> bytes:
        """Makes the file of a labelling tool with the labels of this image.

        Args:
            format: "png", "coco", "labelme", "yolo", "geojson", "cvat" or "label-studio".
            name: file name of the image in the file; None: that of the image's path.
            background: name of the class that is left out; None: "background", if it is a class; "": none is.
            runs: objects as run lengths, not as polygons, if the format has them.
            tolerance: polygons deviate by at most this many pixels; 0: they follow the pixels exactly.
            min_area: in pixels: a smaller region becomes part of its largest neighbour.

        Raises:
            ArgumentError: an option that cannot work.
            DataError: a name that the format cannot contain.
        """
        options = export_options(
            format, self._palette.names, background=background, runs=runs, tolerance=tolerance, min_area=min_area
        )
        image = self._to_export(name)
        out, size = ctypes.c_void_p(), ctypes.c_size_t()
        call("icseg_export_encode", ctypes.byref(options), ctypes.byref(image), ctypes.byref(out), ctypes.byref(size))
        return buffer_bytes(out, size.value)

    def _to_export(self, name: Optional[str]) -> Any:
        """The labels as an icseg_export_image. `name` is the image's file name in the file; None: that of its path."""
        image = init(c.icseg_export_image, labels=ctypes.pointer(as_labels(self._labels)))
        image.name = encode(name or Path(self.name).name, "name")
        if self._confidence is not None:
            image.confidence = ctypes.cast(self._confidence.ctypes.data, ctypes.POINTER(ctypes.c_float))
        return image

    def to_coco(self, **options: Any) -> dict[str, Any]:
        """A COCO file (instances) as a dict. The options are those of `encode`."""
        return dict(json.loads(self.encode("coco", **options)))

    def to_labelme(self, **options: Any) -> dict[str, Any]:
        """A LabelMe file as a dict. The options are those of `encode`."""
        return dict(json.loads(self.encode("labelme", **options)))

    def to_geojson(self, **options: Any) -> dict[str, Any]:
        """A GeoJSON FeatureCollection in pixels as a dict. The options are those of `encode`."""
        return dict(json.loads(self.encode("geojson", **options)))

    def polygons(self, *, background: Optional[str] = None, tolerance: float = 0.0, min_area: int = 0) -> list[Polygon]:
        """The outlines of the regions. The options are those of `encode`."""
        found = []
        made = self.to_geojson(background=background, tolerance=tolerance, min_area=min_area)
        for feature in made["features"]:
            label = feature["properties"]["classification"]["name"]
            geometry = feature["geometry"]
            parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
            for exterior, *holes in parts:
                index = self._palette.names.index(label)
                found.append(Polygon(index, label, _ring(exterior), tuple(_ring(h) for h in holes)))
        return found

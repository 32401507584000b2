# SPDX-License-Identifier: Apache-2.0
"""What one or two models see in images, as maps and as one HTML page (docs/explain.md)."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import Exclusive, call, encode, encode_optional, init, path_bytes, path_text, text, text_array, whole
from ._memory import array_on, as_image
from ._options import EvalOptions, eval_pointer
from .errors import ArgumentError
from .image import ImageLike
from .model import Model

PathLike = Union[str, "os.PathLike[str]"]

_KINDS = {
    c.ICSEG_EXPLAIN_LABELS: "labels",
    c.ICSEG_EXPLAIN_CONFIDENCE: "confidence",
    c.ICSEG_EXPLAIN_ENTROPY: "entropy",
    c.ICSEG_EXPLAIN_SCORE: "score",
    c.ICSEG_EXPLAIN_ATTENTION: "attention",
}


class ExplainedMap(NamedTuple):
    """A map of an image.

    Attributes:
        kind: "labels", "confidence", "entropy", "score" or "attention".
        model: 0: the model, 1: that of `against`.
        stride: of a score map; else 0.
        number: the class of a score map, or the prompt token from 0; else -1.
        values: int16 (height, width) for "labels", else float32: of the image's size, or for "score" and "attention" of
            the size of the network's grid.
        low, high: the values at the ends of the colour scale.
        global_share: "attention": what the token takes from the global token; with the values it adds up to 1.
        path: the PNG file.
    """

    kind: str
    model: int
    stride: int
    number: int
    values: NDArray[Any]
    low: float
    high: float
    global_share: float
    path: str


def _values(found: Any, entry: Any) -> NDArray[Any]:
    """A copy, because the explainer owns the values until the next image."""
    if entry.kind == c.ICSEG_EXPLAIN_LABELS:
        labels = found.model[entry.model].labels
        address, dtype = ctypes.addressof(labels.data.contents), "<i2"
    else:
        address, dtype = ctypes.addressof(entry.values.contents), "<f4"
    return np.array(array_on(found, address, (entry.height, entry.width), dtype))


def _maps(found: Any, folder: str) -> list[ExplainedMap]:
    return [
        ExplainedMap(
            _KINDS[entry.kind], entry.model, entry.stride, entry.index, _values(found, entry), entry.low, entry.high,
            entry.global_share, os.path.join(folder, text(entry.file)),
        )
        for entry in (found.maps[i] for i in range(found.map_count))
    ]


def explain(
    folder: PathLike,
    model: Model,
    images: Mapping[str, ImageLike],
    *,
    against: Optional[Model] = None,
    names: Sequence[str] = (),
    classes: Sequence[str] = (),
    top: int = 6,
    title: Optional[str] = None,
    options: Optional[EvalOptions] = None,
) -> dict[str, list[ExplainedMap]]:
    """Writes index.html, which shows what a model sees in images, and the folder maps with each map as a PNG file.

    Existing files of the same names are replaced.

    Args:
        folder: for the files, created if it does not exist.
        model: the model.
        images: names and images, as for a call of a model. A name is the heading on the page and the beginning of the
            names of files.
        against: a second model with the same classes, whose maps are shown beside those of the first.
        names: those of the models on the page, one for each; empty: "model" and "second model".
        classes: the names of the classes whose score maps are shown; empty: as `top` says.
        top: so many classes: half of them those with the largest areas, the others those with the highest scores.
        title: of the page.
        options: only resize_short and resize_long are used, because the network sees the whole image at once; None: as
            in each model's training.

    Raises:
        ArgumentError: classes of the models that differ, or a name that is not that of a class.
        FileError: an image cannot be read, or a file cannot be written.

    Returns:
        The maps of each image.
    """
    models = [model] if against is None else [model, against]
    if names and len(names) != len(models):
        raise ArgumentError(f"names: {len(names)} for {len(models)} models; give a name for each", field="names")
    given = [*(encode(name, "names") for name in names), None, None]
    maps_folder = os.path.join(path_text(folder), "maps")
    os.makedirs(maps_folder, exist_ok=True)
    found = ctypes.POINTER(c.icseg_explanation)()
    results = {}
    with contextlib.ExitStack() as stack:
        for each in sorted(set(models), key=id):  # two threads with the same models do not wait for each other
            stack.enter_context(each._session)
        how = init(
            c.icseg_explain_options,
            session=model._session.pointer,
            against=None if against is None else against._session.pointer,
            name=given[0],
            against_name=given[1],
            title=encode_optional(title, "title"),
            classes=text_array(classes, "classes"),
            class_count=len(classes),
            top=whole(top, "top", 1),
            eval=eval_pointer(options),
        )
        explainer = Exclusive(c.icseg_explainer, "icseg_explainer_close", "explainer")
        stack.callback(explainer.close)
        call("icseg_explainer_open", ctypes.byref(explainer.pointer), ctypes.byref(how))
        for name, image in images.items():
            pixels = model._read(image, f"images[{name!r}]").rgb()
            call("icseg_explainer_add", explainer.pointer, encode(name, "images"), ctypes.byref(as_image(pixels)),
                 ctypes.byref(found), file=name)
            call("icseg_explainer_write_maps", explainer.pointer, path_bytes(maps_folder), file=maps_folder)
            results[name] = _maps(found.contents, maps_folder)
        page = os.path.join(path_text(folder), "index.html")
        call("icseg_explainer_write_page", explainer.pointer, path_bytes(page), file=page)
    return results

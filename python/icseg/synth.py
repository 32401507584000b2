# SPDX-License-Identifier: Apache-2.0
"""Generated street and country scenes with exact label maps, to try the library without data."""

from __future__ import annotations

import ctypes
import os
from typing import Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from ._library import call, init, lib, path_bytes, path_text, texts, whole
from ._memory import image_array, labels_array
from ._options import choose
from .errors import ArgumentError
from .progress import CallbackLike, Watch

#: The names of the 13 classes of the small vocabulary, in the order of the labels.
CLASS_NAMES = texts(lib.icseg_synth_class_names(), c.ICSEG_SYNTH_CLASSES)

_VOCABULARIES = {"small": c.ICSEG_SYNTH_SMALL, "large": c.ICSEG_SYNTH_LARGE}


def class_names(vocabulary: str = "small") -> list[str]:
    """The names of the classes, in the order of the labels: 13 of the "small" vocabulary, 96 of the "large" one.

    Raises:
        ArgumentError: an unknown vocabulary.
    """
    count = ctypes.c_int32()
    names = lib.icseg_synth_vocabulary_names(choose(_VOCABULARIES, vocabulary, "vocabulary"), ctypes.byref(count))
    return texts(names, count.value)


def scene(
    index: int = 0, *, width: int = 256, height: int = 192, seed: int = 0, vocabulary: str = "small"
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Draws a scene. It depends on the arguments only.

    Args:
        index: of the scene.
        width, height: in pixels, 64..4096.
        seed: different seeds give different scenes.
        vocabulary: "small": most of 13 classes; "large": two to eight of 96 classes with composed names.

    Raises:
        ArgumentError: a size out of range, or an unknown vocabulary.

    Returns:
        (height, width, 3) uint8: red, green, blue; (height, width) int16: the class of each pixel.
    """
    if not width or not height:
        raise ArgumentError(f"{width} x {height} pixels; expected at least {c.ICSEG_SYNTH_MIN_SIDE} a side")
    image, labels = c.icseg_image(), c.icseg_labels()
    options = init(
        c.icseg_synth_scene_options,
        seed=seed,
        index=index,
        width=width,
        height=height,
        vocabulary=choose(_VOCABULARIES, vocabulary, "vocabulary"),
    )
    call("icseg_synth_scene", ctypes.byref(options), ctypes.byref(image), ctypes.byref(labels))
    return image_array(image), labels_array(labels)


def write(
    folder: Union[str, os.PathLike[str]],
    *,
    train: int = 400,
    val: int = 100,
    width: int = 256,
    height: int = 192,
    seed: int = 0,
    threads: int = 0,
    force: bool = False,
    vocabulary: str = "small",
    captions: bool = False,
    callback: CallbackLike = None,
) -> None:
    """Writes a data set of scenes, which `icseg.Dataset` and `icseg.train` read.

    Args:
        folder: the folder of the data set, created if it does not exist.
        train: images of the training split.
        val: images of the validation split.
        width, height: in pixels, 64..4096.
        seed: different seeds give different scenes.
        threads: 0: all cores; the files do not depend on it.
        force: write into a folder that is not empty: replaces an earlier set, keeps other files.
        vocabulary: "small" or "large", as for `scene`.
        captions: also write captions.jsonl and, of the validation split, captions_val.jsonl.
        callback: as for `icseg.train`; stage "generate scenes".

    Raises:
        ArgumentError: an option out of range, or a folder that is not empty.
        FileError: the files cannot be written.
    """
    if not width or not height:
        raise ArgumentError(f"{width} x {height} pixels; expected at least {c.ICSEG_SYNTH_MIN_SIDE} a side")
    options = init(
        c.icseg_synth_options,
        folder=path_bytes(folder),
        train=whole(train, "train", 0) or c.ICSEG_SYNTH_NO_IMAGES,
        val=whole(val, "val", 0) or c.ICSEG_SYNTH_NO_IMAGES,
        width=width,
        height=height,
        seed=seed,
        threads=threads,
        force=force,
        vocabulary=choose(_VOCABULARIES, vocabulary, "vocabulary"),
        captions=captions,
    )
    with Watch(callback) as watch:
        call("icseg_synth_write", ctypes.byref(options), watch.pointer, file=path_text(folder))

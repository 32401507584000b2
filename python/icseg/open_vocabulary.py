# SPDX-License-Identifier: Apache-2.0
"""Segmentation without training: a model of CLIP's weights and the names of any classes."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Sequence
from typing import Optional, Union

from . import _declarations as c
from ._cache import CacheLike, cache_bytes
from ._library import Handle, call, encode, init, path_bytes, path_text, text_array
from ._options import choose
from .clip import templates as read_templates
from .model import Model
from .progress import CallbackLike, Watch

PathLike = Union[str, "os.PathLike[str]"]
_METHODS = {
    "auto": c.ICSEG_OPEN_AUTO,
    "clip": c.ICSEG_OPEN_CLIP,
    "maskclip": c.ICSEG_OPEN_MASKCLIP,
    "sclip": c.ICSEG_OPEN_SCLIP,
    "clearclip": c.ICSEG_OPEN_CLEARCLIP,
    "naclip": c.ICSEG_OPEN_NACLIP,
    "naclip_vanilla": c.ICSEG_OPEN_NACLIP_VANILLA,
    "kk_reduced": c.ICSEG_OPEN_KK_REDUCED,
}


def open_vocabulary(
    weights: PathLike,
    classes: Union[str, Sequence[str]],
    *,
    vocabulary: Optional[PathLike] = None,
    templates: Union[PathLike, Sequence[str]] = "imagenet",
    method: str = "auto",
    background: Optional[str] = None,
    threshold: float = 0.0,
    logit_scale: float = 40.0,
    activation: Optional[str] = None,
    state_dict: Optional[str] = None,
    cache: CacheLike = True,
    precision: str = "f32",
    threads: int = 0,
    callback: CallbackLike = None,
) -> Model:
    """Opens CLIP's weights as a model that labels pixels with any classes, without training.

        model = icseg.open_vocabulary("ViT-B-16.pt", ["sky", "grass", "person, man, woman", "dog"])
        model("photo.jpg").overlay().show()

    Args:
        weights: CLIP as published: a file or a folder.
        classes: the classes; "person, man, woman" is a class of three words, of which the one that fits best counts. Or
            one string, in which semicolons separate the classes.
        vocabulary: CLIP's vocabulary, a file or a folder with one; None: next to the weights.
        templates: sentences whose embeddings are averaged for each word: "imagenet" (80), "simple" (7), a file with one on
            each line, or a list. Each has "{}" in place of the word.
        method: how the last block of the image encoder is changed: "clip", "maskclip", "sclip", "clearclip", "naclip",
            "naclip_vanilla" or "kk_reduced"; "auto": "naclip" for a vision transformer, "maskclip" for a ResNet.
        background: words for what is none of the classes, such as "wall, floor". They make the class "background".
        threshold: pixels whose most probable class is less probable than this become background.
        logit_scale: factor of the cosines before the softmax.
        activation: "quick_gelu" or "gelu"; None: as the configuration beside the weights says.
        state_dict: which of several state dicts of a file: its key, the prefix of its names, or "ema" for averaged weights; None:
            the raw weights.
        cache: whether embeddings of texts are kept for the next call, in $XDG_CACHE_HOME/icseg or ~/.cache/icseg; or the
            folder for them.
        precision, threads: as for `load`.
        callback: as for `icseg.train`; stage "encode texts", if they take some seconds.

    Raises:
        FileError, FormatError: weights or vocabulary that cannot be read, or that are not CLIP's.
        ArgumentError: no class, one class, an empty or too long name, or an option out of range.
        UnsupportedError: the method needs a vision transformer.
    """
    names = [name.strip() for name in classes.split(";") if name.strip()] if isinstance(classes, str) else list(classes)
    filled = read_templates(templates) if isinstance(templates, (str, os.PathLike)) else list(templates)
    options = init(
        c.icseg_open_vocabulary_options,
        weights=path_bytes(weights),
        vocabulary=None if vocabulary is None else path_bytes(vocabulary),
        class_names=text_array(names, "classes"),
        class_count=len(names),
        templates=text_array(filled, "templates"),
        template_count=len(filled),
        method=choose(_METHODS, method, "method"),
        background=None if background is None else encode(background, "background"),
        threshold=threshold,
        logit_scale=logit_scale,
        config=None if activation is None else json.dumps({"activation": activation}).encode(),
        state_dict=None if state_dict is None else encode(state_dict, "state_dict"),
        cache=cache_bytes(cache),
        threads=threads,
    )
    handle = Handle(c.icseg_model, "icseg_model_close", "model")
    with Watch(callback) as watch:
        call("icseg_model_open_vocabulary", ctypes.byref(handle.pointer), ctypes.byref(options), watch.pointer,
             file=path_text(weights))
    return Model(handle, precision=precision, threads=threads, name=path_text(weights))

# SPDX-License-Identifier: Apache-2.0
"""Plain CLIP: embeddings of images and texts, zero-shot classification, tokenizers."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from . import image as images_
from ._cache import CacheLike, cache_bytes
from ._library import (
    Closing, Exclusive, Handle, call, encode, init, lib, owned_text, path_bytes, path_text, text, text_array, texts, whole,
)
from ._memory import as_image
from ._options import choose
from .errors import ArgumentError
from .image import ImageLike
from .progress import CallbackLike, Watch

PathLike = Union[str, "os.PathLike[str]"]
_FLOATS = ctypes.POINTER(ctypes.c_float)
_KINDS = {"clip": c.ICSEG_TOKENIZER_CLIP, "bytes": c.ICSEG_TOKENIZER_BYTES}
_SYNONYMS = {"first": c.ICSEG_SYNONYMS_FIRST, "mean": c.ICSEG_SYNONYMS_MEAN}


def _floats(array: NDArray[np.float32]) -> Any:
    return ctypes.cast(array.ctypes.data, _FLOATS)


class Tokenizer(Closing):
    """Text to token ids and back. Any number of threads may use one at the same time.

    Args:
        vocabulary: CLIP's vocabulary: bpe_simple_vocab_16e6.txt(.gz), merges.txt, vocab.json with merges.txt, or
            tokenizer.json; or a folder that contains one. Not needed for "bytes".
        kind: "clip": CLIP's byte-pair encoding; "bytes": the bytes of UTF-8.
    """

    def __init__(self, vocabulary: Optional[PathLike] = None, *, kind: str = "clip") -> None:
        self._handle = Handle(c.icseg_tokenizer, "icseg_tokenizer_close", "tokenizer")
        path = None if vocabulary is None else path_bytes(vocabulary)
        call("icseg_tokenizer_open", ctypes.byref(self._handle.pointer), choose(_KINDS, kind, "kind"), path,
             file=None if vocabulary is None else path_text(vocabulary))
        with self._handle as tokenizer:
            self.vocabulary_size: int = lib.icseg_tokenizer_vocabulary_size(tokenizer)
            self.sos: int = lib.icseg_tokenizer_sos(tokenizer)
            self.eos: int = lib.icseg_tokenizer_eos(tokenizer)

    def __repr__(self) -> str:
        return f"<icseg.clip.Tokenizer: {self.vocabulary_size} tokens>"

    def __len__(self) -> int:
        return self.vocabulary_size

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """The ids of a text.

        Args:
            text: not empty, without null characters.
            special: whether SOS is put before the ids and EOS after them.
        """
        ids, count = ctypes.POINTER(ctypes.c_int32)(), ctypes.c_int32()
        with self._handle as tokenizer:
            call("icseg_tokenizer_encode", tokenizer, encode(text, "text"), special, ctypes.byref(ids), ctypes.byref(count))
        try:
            return list(ids[: count.value])
        finally:
            lib.icseg_buffer_free(ids)

    def __call__(self, texts: Union[str, Sequence[str]], length: int = c.ICSEG_CLIP_CONTEXT_LENGTH) -> NDArray[np.int32]:
        """SOS, the ids, EOS, then zeros, as `clip.tokenize` returns them.

        Args:
            texts: a text, or several.
            length: tokens of a row.

        Raises:
            ArgumentError: a text that is empty or too long.

        Returns:
            int32 (texts, length).
        """
        several = [texts] if isinstance(texts, str) else list(texts)
        if not 3 <= whole(length, "length") <= c.ICSEG_CONTEXT_MAX_LENGTH:
            raise ArgumentError(f"length is {length}; expected 3..{c.ICSEG_CONTEXT_MAX_LENGTH}", field="length")
        made = np.zeros((len(several), length), np.int32)
        with self._handle as tokenizer:
            for row, one in zip(made, several):
                ids = ctypes.cast(row.ctypes.data, ctypes.POINTER(ctypes.c_int32))
                call("icseg_tokenizer_encode_context", tokenizer, encode(one, "text"), ids, length, None)
        return made

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, up to the first EOS."""
        numbers = [whole(i, "ids", 0) for i in ids]
        out = ctypes.c_char_p()
        with self._handle as tokenizer:
            array = (ctypes.c_int32 * max(len(numbers), 1))(*numbers)
            call("icseg_tokenizer_decode", tokenizer, array, len(numbers), ctypes.byref(out))
        return owned_text(out)


def templates(name: PathLike) -> list[str]:
    """A list of templates, texts in which a class name replaces "{}".

    Args:
        name: "imagenet": the 80 templates of CLIP's notebook for ImageNet; "simple": the seven of them that its authors
            selected; otherwise a file with one template per line.

    Raises:
        DataError: a line of the file is not a template.
        FileError: the file cannot be read.
    """
    handle = Handle(c.icseg_templates, "icseg_templates_close", "list of templates")
    call("icseg_templates_open", ctypes.byref(handle.pointer), path_bytes(name), file=path_text(name))
    with handle as opened:
        made = texts(lib.icseg_templates_list(opened), lib.icseg_templates_count(opened))
    handle.close()
    return made


def _as_templates(given: Union[PathLike, Sequence[str]]) -> Sequence[str]:
    return templates(given) if isinstance(given, (str, os.PathLike)) else given


@dataclass(frozen=True)
class Classification:
    """How well an image fits each class.

    Attributes:
        class_names: the names of the classes.
        probabilities: (classes,) float32, with sum 1.
        cosines: (classes,) float32, -1..1: of the embeddings of the image and the classes.
    """

    class_names: list[str]
    probabilities: NDArray[np.float32]
    cosines: NDArray[np.float32]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The most probable classes with their probabilities."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.class_names[k], float(self.probabilities[k])) for k in order]

    def __repr__(self) -> str:
        return "<icseg.clip.Classification: " + ", ".join(f"{n} {100 * p:.1f}%" for n, p in self.top(3)) + ">"


class Classifier(Closing):
    """CLIP with the embeddings of some classes. `Clip.classifier` makes one.

    Attributes:
        class_names: the names of the classes.
        text_features: (classes, channels) float32: the embeddings of the classes, of unit length.
        side: side of the square image that the model reads, pixels.
        logit_scale: factor of the cosines before the softmax.
        summary: lines about the weights.
        cached: whether the embeddings of the classes were read from the cache.
    """

    def __init__(
        self,
        weights: PathLike,
        class_names: Sequence[str],
        *,
        templates: Union[PathLike, Sequence[str]] = (),
        synonyms: str = "first",
        vocabulary: Optional[PathLike] = None,
        activation: Optional[str] = None,
        state_dict: Optional[str] = None,
        cache: CacheLike = True,
        threads: int = 0,
        callback: CallbackLike = None,
    ) -> None:
        self._handle = Exclusive(c.icseg_classifier, "icseg_classifier_close", "classifier")
        filled = _as_templates(templates)
        options = init(
            c.icseg_classifier_options,
            weights=path_bytes(weights),
            vocabulary=None if vocabulary is None else path_bytes(vocabulary),
            class_names=text_array(class_names, "class_names"),
            class_count=len(class_names),
            synonyms=choose(_SYNONYMS, synonyms, "synonyms"),
            templates=text_array(filled, "templates"),
            template_count=len(filled),
            threads=threads,
            state_dict=None if state_dict is None else encode(state_dict, "state_dict"),
            cache=cache_bytes(cache),
            config=None if activation is None else json.dumps({"activation": activation}).encode(),
        )
        with Watch(callback) as watch:
            call("icseg_classifier_open", ctypes.byref(self._handle.pointer), ctypes.byref(options), watch.pointer,
                 file=path_text(weights))
        with self._handle as classifier:
            info = lib.icseg_classifier_describe(classifier).contents
            self.class_names = texts(info.class_names, info.class_count)
            shape = info.class_count, info.width
            self.text_features: NDArray[np.float32] = np.ctypeslib.as_array(info.text, shape).copy()
            self.side, self.logit_scale, self.summary = int(info.side), float(info.logit_scale), text(info.summary)
            self.cached = bool(info.cached)

    def __repr__(self) -> str:
        return f"<icseg.clip.Classifier: {len(self.class_names)} classes, {self.text_features.shape[1]} channels>"

    def image_features(self, image: ImageLike) -> NDArray[np.float32]:
        """The embedding of an image, of unit length: float32 (channels,)."""
        pixels = images_.read(image).rgb()
        made = np.empty(self.text_features.shape[1], np.float32)
        with self._handle as classifier:
            call("icseg_classifier_embed", classifier, ctypes.byref(as_image(pixels)), _floats(made))
        return made

    def text_embeddings(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The embeddings of texts as they are, of unit length: float32 (texts, channels)."""
        made = np.empty((len(texts), self.text_features.shape[1]), np.float32)
        array = text_array(texts, "texts")
        with self._handle as classifier:
            if len(texts):
                call("icseg_classifier_encode_texts", classifier, array, len(texts), _floats(made))
        return made

    def score(self, features: NDArray[np.float32]) -> Classification:
        """Classifies an embedding of unit length, float32 (channels,)."""
        embedding = np.ascontiguousarray(features, np.float32)
        if embedding.shape != self.text_features.shape[1:]:
            raise ArgumentError(f"features: shape {embedding.shape}; expected {self.text_features.shape[1:]}")
        if not np.isfinite(embedding).all():
            raise ArgumentError("features: a value is not finite")
        made = np.empty((2, len(self.class_names)), np.float32)
        with self._handle as classifier:
            call("icseg_classifier_score", classifier, _floats(embedding), _floats(made[0]), _floats(made[1]))
        return Classification(self.class_names, made[0], made[1])

    def __call__(self, image: ImageLike) -> Classification:
        """Classifies an image. It is resized and cropped as by CLIP."""
        return self.score(self.image_features(image))


class Clip(Closing):
    """CLIP's two encoders. `load` makes one.

    Attributes:
        channels: elements of an embedding.
    """

    def __init__(
        self,
        weights: PathLike,
        *,
        vocabulary: Optional[PathLike] = None,
        activation: Optional[str] = None,
        state_dict: Optional[str] = None,
        cache: CacheLike = True,
        threads: int = 0,
    ) -> None:
        self._how: dict[str, Any] = {
            "weights": weights, "vocabulary": vocabulary, "activation": activation, "state_dict": state_dict,
            "cache": cache, "threads": threads,
        }
        self._encoders = Classifier(class_names=["image"], callback=False, **self._how)
        self.channels = int(self._encoders.text_features.shape[1])

    def __repr__(self) -> str:
        return f"<icseg.clip.Clip: {path_text(self._how['weights'])}, {self.channels} channels>"

    def encode_image(self, images: Any) -> NDArray[np.float32]:
        """The embedding of an image, float32 (channels,), or of a list of images, (images, channels); of unit length."""
        if not isinstance(images, (list, tuple)):
            return self._encoders.image_features(images)
        made = [self._encoders.image_features(image) for image in images]
        return np.stack(made) if made else np.zeros((0, self.channels), np.float32)

    def encode_text(self, texts: Union[str, Sequence[str]]) -> NDArray[np.float32]:
        """The embedding of a text, float32 (channels,), or of a list of texts, (texts, channels); of unit length.

        Raises:
            ArgumentError: a text is empty or too long for the model.
        """
        if isinstance(texts, str):
            one: NDArray[np.float32] = self._encoders.text_embeddings([texts])[0]
            return one
        return self._encoders.text_embeddings(texts)

    def classifier(
        self,
        class_names: Sequence[str],
        *,
        templates: Union[PathLike, Sequence[str]] = (),
        synonyms: str = "first",
        callback: CallbackLike = None,
    ) -> Classifier:
        """Computes the embeddings of classes, to classify images.

        Args:
            class_names: "building, edifice" has two names.
            templates: texts in which the name replaces "{}"; with several, a class is their mean. Empty: "a photo of a {}".
                One string or path: a list of them, as for `icseg.clip.templates`.
            synonyms: classes with several names: "first" or "mean".
            callback: as for `icseg.train`; stage "encode texts", if they take some seconds.
        """
        return Classifier(
            class_names=class_names, templates=templates, synonyms=synonyms, callback=callback, **self._how
        )

    def classify(self, image: ImageLike, class_names: Sequence[str], **options: Any) -> Classification:
        """Classifies one image. `classifier` is faster for several.

        Args:
            image: as for a call of a model.
            class_names: "building, edifice" has two names.
            **options: those of `classifier`.
        """
        return self.classifier(class_names, **options)(image)

    def close(self) -> None:
        """Closes the encoders. May be called again."""
        self._encoders.close()

def load(
    weights: PathLike,
    *,
    vocabulary: Optional[PathLike] = None,
    activation: Optional[str] = None,
    state_dict: Optional[str] = None,
    cache: CacheLike = True,
    threads: int = 0,
) -> Clip:
    """Opens CLIP's weights as they are published, or a checkpoint of icseg.

    Args:
        weights: a file or folder of OpenAI, open_clip or Hugging Face.
        vocabulary: CLIP's vocabulary, a file or a folder with one; None: next to the weights.
        activation: "quick_gelu" for OpenAI's weights, "gelu" for most of LAION's, DataComp's and others; None: as the
            configuration next to the weights says, otherwise quick_gelu, with a warning.
        state_dict: which of several state dicts of a file: its key, the prefix of its names, or "ema" for averaged weights; None:
            the raw weights.
        cache: whether embeddings of classes are kept for the next call, in $XDG_CACHE_HOME/icseg or ~/.cache/icseg; or the
            folder for them.
        threads: 0: all cores that the process may use.

    Raises:
        ArgumentError: the file does not have the state dict.
        FormatError: the weights are not a complete CLIP model, or the vocabulary does not fit.
        FileError: a file cannot be opened.
    """
    return Clip(
        weights, vocabulary=vocabulary, activation=activation, state_dict=state_dict, cache=cache, threads=threads
    )

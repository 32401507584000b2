# SPDX-License-Identifier: Apache-2.0
"""Models: opening a checkpoint, and running it on images."""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, Optional, Union, overload

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from . import image as images_
from ._library import (
    Closing, Exclusive, Handle, as_dict, call, compute, encode, init, lib, owned_text, path_bytes, path_text, prompt,
    text as text_of, text_array, texts, whole,
)
from ._memory import Outputs
from ._options import PRECISIONS, EvalOptions, choose, eval_pointer, name_of
from .errors import ArgumentError, ArrayTypeError, FileError, UnsupportedError, from_library
from .image import ImageLike, Pixels
from .progress import CallbackLike, Watch
from .result import Palette, Result

_TOKENIZERS = {"clip": c.ICSEG_TOKENIZER_CLIP, "bytes": c.ICSEG_TOKENIZER_BYTES}
_TOP = c.ICSEG_OUTPUT_TOP_CLASSES | c.ICSEG_OUTPUT_TOP_PROBABILITIES
_LABELS = c.ICSEG_OUTPUT_LABELS | c.ICSEG_OUTPUT_CONFIDENCE
_SCORES = {4: c.ICSEG_OUTPUT_SCORES_4, 8: c.ICSEG_OUTPUT_SCORES_8, 16: c.ICSEG_OUTPUT_SCORES_16,
           32: c.ICSEG_OUTPUT_SCORES_32}


_ONE_IMAGE = (str, bytes, bytearray, memoryview, os.PathLike)


class Calibration(NamedTuple):
    """How far a model is calibrated for precision "int8".

    Attributes:
        layers: convolutions and linear layers that need an activation range.
        covered: how many of them have one: all, or 0 if the model is not calibrated.
        problem: why the calibration in the model's file cannot be used; None: usable or missing.
        kept_f32: how many layers stay f32 by choice.
    """

    layers: int
    covered: int
    problem: Optional[str]
    kept_f32: int = 0


class Agreement(NamedTuple):
    """How well the labels of a precision agree with those of "f32" (`icseg.calibrate`).

    Attributes:
        images: number of images on which labels were compared.
        mean: share of an image's pixels with the same label, 0 to 1: mean of the images.
        low: the mean minus two standard errors; 0 for a single image.
    """

    images: int
    mean: float
    low: float


class LayerCost(NamedTuple):
    """What INT8 costs in a layer, or in neighbouring layers that cost little.

    Attributes:
        first: the name of the first layer's weights, in the order of the checkpoint.
        last: that of the last one; the same for one layer.
        layers: their number.
        changed: share of the labels that change when only these layers are INT8, or that no longer change when all
            others are.
        work: share of the multiplications of all layers.
        kept_f32: whether the layer stays f32.
    """

    first: str
    last: str
    layers: int
    changed: float
    work: float
    kept_f32: bool


class LayerSearch(NamedTuple):
    """What `icseg.calibrate(..., keep_f32="auto")` found.

    Attributes:
        before: share of the labels of the searched images that are those of "f32" with all layers in INT8.
        after: the same with the layers that stay f32.
        costs: of all layers, in the order of the checkpoint.
    """

    before: float
    after: float
    costs: list[LayerCost]


class OpenVocabulary(NamedTuple):
    """What an open-vocabulary model was made of (`icseg.open_vocabulary`).

    Attributes:
        method: how the last block of the image encoder is changed.
        word_count: words of all classes.
        background: index of the class "background"; -1: none.
        threshold: pixels whose most probable class is less probable than this become background.
        logit_scale: factor of the cosines before the softmax.
        cached: whether the embeddings of the texts were read from the cache.
        summary: lines about the weights.
    """

    method: str
    word_count: int
    background: int
    threshold: float
    logit_scale: float
    cached: bool
    summary: str


_session_run = prompt("icseg_session_run", *[ctypes.c_void_p] * 5)


class _Arguments:
    """The arguments of icseg_session_run. A session is used by one thread at a time, and so are they."""

    __slots__ = ("frame", "batch", "options", "result", "error", "pointers")

    def __init__(self) -> None:
        self.frame = c.icseg_frame()
        self.batch = init(c.icseg_batch, count=1, frames=ctypes.pointer(self.frame))
        self.options = init(c.icseg_run_options)
        self.result = ctypes.c_void_p()
        self.error = c.icseg_error()
        self.pointers = ctypes.byref(self.options), ctypes.byref(self.result), ctypes.byref(self.error)


def _as_tensor(images: Any) -> Optional[NDArray[np.float32]]:
    """An array of four axes, which is a batch of normalised images; None for other images."""
    if getattr(images, "ndim", 0) != 4:
        return None
    array: NDArray[Any] = np.asarray(images)
    if array.dtype != np.float32 or array.shape[1] != 3 or min(array.shape) < 1 or min(array.shape[2:]) < 32:
        raise ArrayTypeError(
            f"images: an array {array.shape} of {array.dtype}; a batch is float32 (N, 3, H, W), normalised as CLIP does, "
            "with sides of at least 32; pass other images as a list"
        )
    return np.require(array, requirements="A")


def _tensor_batch(array: NDArray[np.float32]) -> Any:
    """An icseg_batch that borrows an array (N, 3, H, W), which must stay alive."""
    tensor = c.icseg_tensor(type=c.ICSEG_TENSOR_F32, rank=4, data=array.ctypes.data)
    tensor.shape[:4] = array.shape
    tensor.strides[:4] = array.strides
    return init(c.icseg_batch, tensor=ctypes.pointer(tensor))


def check_several(images: Any) -> None:
    """Refuses one image where several belong: the rows of an array or the letters of a path are not images."""
    if isinstance(images, _ONE_IMAGE) or getattr(images, "ndim", 4) < 4 or not isinstance(images, Iterable):
        raise ArrayTypeError(f"images: one {type(images).__name__}; pass a list of images")


def _is_one(images: Any) -> bool:
    return not isinstance(images, (list, tuple))


class Model(Closing):
    """A model that is ready to run. `load` opens one.

    A model runs one call at a time; further threads wait. For work in several threads, give each thread a `clone`, which
    shares the weights. `close`, the end of a `with` statement, or Python's garbage collector closes a model.
    """

    def __init__(self, handle: Handle, *, precision: str = "f32", threads: int = 0, name: str = "model") -> None:
        self._handle = handle
        self._name = name
        self._watch = Watch(False)  # used while the session is, by one thread
        self._clones: Optional[weakref.WeakSet[Model]] = None  # those of a trainer's model, which it closes
        self._session = Exclusive(c.icseg_session, "icseg_session_close", "model")
        self._arguments = _Arguments()
        options = init(c.icseg_session_options, threads=threads, precision=choose(PRECISIONS, precision, "precision"))
        with handle as model:
            call("icseg_session_open", ctypes.byref(self._session.pointer), model, ctypes.byref(options), file=name)
            self._config = _config(lib.icseg_model_config(model))
            self._names = texts(lib.icseg_model_class_names(model), self._config["num_classes"])
            self._values = init(c.icseg_image_values)
            call("icseg_model_image_values", model, ctypes.byref(self._values))
            eval_options = init(c.icseg_eval_options)
            call("icseg_model_eval_options", model, ctypes.byref(eval_options))
            self._eval_options = EvalOptions.from_struct(eval_options)
            labels = init(c.icseg_label_values)
            call("icseg_model_label_values", model, ctypes.byref(labels))
            self._data_options: dict[str, Any] = {
                "bands": [band for band in self._values.bands if band],
                "value_range": (self._values.value_low, self._values.value_high),
                "map": text_of(labels.map),
                "ignore": labels.ignore[: labels.ignore_count] if labels.ignore_count else [],
                "reduce_zero_label": labels.reduce_zero_label,
            }
            self._calibrated = bool(lib.icseg_model_is_calibrated(model))
            calibration = init(c.icseg_model_calibration)
            call("icseg_model_calibration_of", model, ctypes.byref(calibration))
            self._calibration = Calibration(
                calibration.layers,
                calibration.covered,
                text_of(calibration.problem) or None,
                calibration.kept_f32,
            )
            self._agreement = _agreement(model)
            self._search: Optional[LayerSearch] = None
            self._auto_precision = name_of(PRECISIONS, lib.icseg_model_auto_precision(model))
            info = lib.icseg_model_open_vocabulary_info(model)
            self._open_vocabulary = _open_vocabulary(info.contents) if info else None
            self._trained_side = int(lib.icseg_model_trained_side(model))
            self._val_share = float(lib.icseg_model_val_share(model))
        self._threads = int(lib.icseg_session_threads(self._session.pointer))
        self._precision = name_of(PRECISIONS, lib.icseg_session_precision(self._session.pointer))

    def __repr__(self) -> str:
        closed = ", closed" if self._session.closed else ""
        return (
            f"<icseg.Model {self._name!r}: {self._config['backbone']}, {len(self._names)} classes, {self._precision}, "
            f"{self._threads} thread{'s' if self._threads != 1 else ''}{closed}>"
        )

    # -- life

    def close(self) -> None:
        """Closes the model, at the end of a call that runs. Results stay valid. May be called again."""
        self._session.close()

    def clone(self, *, precision: Optional[str] = None, threads: Optional[int] = None) -> Model:
        """A further model with the same weights, which are in memory once, for work in another thread.

        Args:
            precision: as for `load`; None: that of this model.
            threads: as for `load`; None: those of this model.
        """
        with self._session:
            made = Model(
                self._handle,
                precision=self._precision if precision is None else precision,
                threads=self._threads if threads is None else threads,
                name=self._name,
            )
        if self._clones is not None:
            self._clones.add(made)
            made._clones = self._clones
        return made

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes a checkpoint, with the ranges for INT8 if the model is calibrated.

        Raises:
            FileError: the file cannot be written; an old file is then unchanged.
        """
        with self._session, self._handle as model:
            call("icseg_model_save", model, path_bytes(path), file=path_text(path))

    def export_onnx(
        self,
        path: Union[str, os.PathLike[str]],
        *,
        height: int = 0,
        width: int = 0,
        dynamic: bool = False,
        int8: bool = False,
        progress: CallbackLike = None,
    ) -> None:
        """Writes the network as an ONNX file (docs/onnx.md), which ONNX Runtime, OpenVINO and other programs run.

        The input `image` is uint8, (N, 3, height, width), red, green, blue. The outputs are `labels`, int64 (N, height,
        width), and `logits`, float32 (N, classes, h, w).

        Args:
            path: the file.
            height, width: of the images; 0: those of the windows with which the model is evaluated, or 512.
            dynamic: the file accepts any number of images of any size whose sides are multiples of 32.
            int8: weights of 8 bits and quantised inputs, for a model from `icseg.calibrate`.
            progress: of the check of the file, as for `icseg.train`.

        Raises:
            FileError: the file cannot be written; an old file is then unchanged.
            UnsupportedError: a file of 2 GiB, a build without ONNX, or a model of open vocabulary that is dynamic or has a
                threshold.
        """
        options = init(c.icseg_onnx_options, height=height, width=width, dynamic=dynamic, threads=self._threads, int8=int8)
        with self._session, self._handle as model, Watch(progress) as watch:
            call(
                "icseg_model_export_onnx", model, path_bytes(path), ctypes.byref(options), watch.pointer,
                file=path_text(path),
            )

    # -- facts

    @property
    def config(self) -> dict[str, Any]:
        """The configuration (docs/method.md), as a checkpoint stores it."""
        return dict(self._config)

    @property
    def class_names(self) -> list[str]:
        """The names of the classes; a label is an index into them."""
        return list(self._names)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self._names)

    @property
    def precision(self) -> str:
        """The precision in use: "f32", "bf16", "bf16x2" or "int8"; "f32" if the processor lacks the requested one."""
        return self._precision

    @property
    def threads(self) -> int:
        """The number of threads in use. Results depend on it."""
        return self._threads

    @property
    def eval_options(self) -> EvalOptions:
        """How the model was evaluated in its training, which is the default for its images."""
        return self._eval_options

    @property
    def data_options(self) -> dict[str, Any]:
        """How the training read images and label files, as options of `icseg.Dataset`."""
        return dict(self._data_options)

    @property
    def is_calibrated(self) -> bool:
        """Whether the model has the activation ranges that precision "int8" needs (`icseg.calibrate`)."""
        return self._calibrated

    @property
    def calibration(self) -> Calibration:
        """How far the model is calibrated for precision "int8"."""
        return self._calibration

    @property
    def agreement(self) -> dict[str, Agreement]:
        """How well labels agree with those of "f32", for each precision that `icseg.calibrate` compared."""
        return dict(self._agreement)

    @property
    def search(self) -> Optional[LayerSearch]:
        """The search of layers, if `icseg.calibrate(..., keep_f32="auto")` returned this model. Files do not have it."""
        return self._search

    @property
    def auto_precision(self) -> str:
        """The precision that "auto" means for this model on this processor."""
        return self._auto_precision

    @property
    def open_vocabulary(self) -> Optional[OpenVocabulary]:
        """What the model was made of if `icseg.open_vocabulary` has opened it; else None."""
        return self._open_vocabulary

    @property
    def trained_side(self) -> int:
        """The largest short side of the training images in pixels; 0: unknown."""
        return self._trained_side

    @property
    def val_share(self) -> float:
        """The share of the training images that training held out and evaluated on; 0: none or unknown."""
        return self._val_share

    @property
    def closed(self) -> bool:
        """Whether the model is closed."""
        return self._session.closed

    @cached_property
    def _palette(self) -> Palette:
        return Palette(self._names)

    # -- running

    def _run(
        self,
        outputs: int,
        image: Union[Pixels, NDArray[np.float32]],
        options: Optional[EvalOptions],
        *,
        top_k: int = 0,
    ) -> Outputs:
        """Runs the network on an image, or on a tensor (N, 3, H, W) of normalised values."""
        compute()
        how = self._eval_options if options is None else options
        settings = None if options is None else eval_pointer(options)
        with self._session as session:
            use = self._arguments
            use.options.outputs, use.options.top_k, use.options.eval = outputs, top_k, settings
            if isinstance(image, Pixels):
                image.lend(use.frame)
                batch = use.batch
            else:
                batch = _tensor_batch(image)
            # A run of one window cannot be cancelled. Watching it would take half of the time that Python adds.
            several = how.mode == "slide" or how.flip or len(how.scales) > 1
            use.options.progress = self._watch.pointer if several else None
            if not several:
                return self._start(session, batch, image)
            with self._watch:
                return self._start(session, batch, image)

    def _start(self, session: Any, batch: Any, image: Union[Pixels, NDArray[np.float32]]) -> Outputs:
        """Runs the session with the arguments that `_run` has filled."""
        use = self._arguments
        if _session_run(session, ctypes.byref(batch), *use.pointers):
            raise from_library(use.error, image.name if isinstance(image, Pixels) else None)
        return Outputs(use.result.value)

    def _read(self, image: ImageLike, name: str = "image") -> Pixels:
        return images_.read(image, self._values, name)

    def _label(self, pixels: Pixels, options: Optional[EvalOptions], confidence: bool) -> Result:
        outputs = _LABELS if confidence else c.ICSEG_OUTPUT_LABELS
        made = self._run(outputs, pixels, options)
        labels = made.plane(c.ICSEG_OUTPUT_LABELS, pixels.pixels.shape)
        return Result(pixels, self._palette, labels, made if confidence else None)

    @overload
    def __call__(
        self, images: list[Any], *, options: Optional[EvalOptions] = None, confidence: bool = True
    ) -> list[Result]: ...

    @overload
    def __call__(
        self, images: ImageLike, *, options: Optional[EvalOptions] = None, confidence: bool = True
    ) -> Result: ...

    def __call__(
        self, images: Any, *, options: Optional[EvalOptions] = None, confidence: bool = True
    ) -> Union[Result, list[Result]]:
        """Labels an image, or a list of images one by one.

        Args:
            images: a path; the bytes of an image file; a PIL image; an array (height, width) or (height, width,
                channels) of uint8 or uint16; or a list of these.
            options: how images are resized and divided; None: as in the model's training.
            confidence: whether the results have confidences.

        Returns:
            A Result, or a list of results for a list.

        Raises:
            ClosedError: the model is closed.
            FileError, FormatError, UnsupportedError, DataError: an image that cannot be read.
            ArgumentError, ArrayTypeError: an array that is not an image, or options that cannot work.
            NumericError: the model's values are not finite.
        """
        if _is_one(images):
            return self._label(self._read(images), options, confidence)
        return list(self.predict(images, options=options, confidence=confidence))

    def predict(
        self,
        images: Iterable[ImageLike],
        batch_size: int = 8,
        *,
        options: Optional[EvalOptions] = None,
        confidence: bool = True,
    ) -> Iterator[Result]:
        """Labels a stream of images. A thread decodes the next images meanwhile.

        Each image goes through the network by itself, so a result does not depend on `batch_size`.

        Args:
            images: as for a call; any iterable, which may be endless.
            batch_size: images that are decoded ahead and held in memory.
            options: how images are resized and divided; None: as in the model's training.
            confidence: whether the results have confidences.

        Yields:
            A Result for each image, in their order.

        Raises:
            The exceptions of a call, when the image's turn comes.
        """
        batch_size = whole(batch_size, "batch_size", 1)
        check_several(images)
        with self._session:
            pass  # raises now, and not at the first image, if the model is closed
        return self._stream(images, batch_size, options, confidence)

    def _stream(
        self, images: Iterable[ImageLike], batch_size: int, options: Optional[EvalOptions], confidence: bool
    ) -> Iterator[Result]:
        waiting: deque[Future[Pixels]] = deque()
        pool = ThreadPoolExecutor(1, "icseg-decode")
        try:
            for index, image in enumerate(images):
                waiting.append(pool.submit(self._read, image, f"images[{index}]"))
                if len(waiting) > batch_size:
                    yield self._label(waiting.popleft().result(), options, confidence)
            while waiting:
                yield self._label(waiting.popleft().result(), options, confidence)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _compute(
        self, images: Any, output: int, options: Optional[EvalOptions], one_view: bool = True
    ) -> Any:
        """An output of the network for an image, each image of a list, or a tensor."""
        tensor = _as_tensor(images)
        if tensor is not None:
            return self._run(output, tensor, options)[output]
        if options is None and one_view:
            options = replace(self._eval_options, mode="whole")
        if not _is_one(images):
            return [self._run(output, self._read(i, f"images[{n}]"), options)[output][0] for n, i in enumerate(images)]
        return self._run(output, self._read(images), options)[output][0]

    def logits(self, images: Any, *, options: Optional[EvalOptions] = None) -> Any:
        """The network's output before it is resized to the image, at stride 4.

        Args:
            images: an image or a list of images, as for a call; or an array (N, 3, H, W) of float32 that is normalised as
                CLIP does, as PyTorch code has it. Its strides may be any.
            options: as for a call, without windows, scales and mirror images; None: the whole image, resized as in the
                model's training.

        Returns:
            float32 (h, w, classes), where h and w are about a quarter of the resized image; a list of such arrays for a
            list; (N, h, w, classes) for an array of images.
        """
        return self._compute(images, c.ICSEG_OUTPUT_LOGITS, options)

    def probabilities(self, images: Any, *, options: Optional[EvalOptions] = None) -> Any:
        """The probabilities of all classes: 150 MiB for 512 x 512 pixels and 150 classes.

        Args:
            images: as for `logits`.
            options: as for a call.

        Returns:
            float32 (H, W, classes); a list of such arrays for a list; (N, H, W, classes) for an array of images.
        """
        return self._compute(images, c.ICSEG_OUTPUT_PROBABILITIES, options, one_view=False)

    def top(
        self, image: ImageLike, k: int = 5, *, options: Optional[EvalOptions] = None
    ) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """The most probable classes of each pixel, the most probable first.

        Args:
            image: as for a call.
            k: how many classes; never more than the model has.
            options: as for a call.

        Returns:
            int16 (H, W, k): classes; float32 (H, W, k): their probabilities.
        """
        arrays = self._run(_TOP, self._read(image), options, top_k=whole(k, "k", 1))
        return arrays[c.ICSEG_OUTPUT_TOP_CLASSES][0], arrays[c.ICSEG_OUTPUT_TOP_PROBABILITIES][0]

    def scores(self, images: Any, stride: int = 32, *, options: Optional[EvalOptions] = None) -> Any:
        """The cosines of pixels and classes at a stride, before the division by tau.

        Args:
            images: as for `logits`.
            stride: 4, 8, 16 or 32, one that the model has (`config["align_strides"]`).
            options: as for `logits`.

        Returns:
            float32 (h, w, classes); a list of such arrays for a list; (N, h, w, classes) for an array of images.
        """
        if not isinstance(stride, int) or stride not in _SCORES:
            raise ArgumentError(f"stride is {stride!r}; expected 4, 8, 16 or 32", field="stride")
        return self._compute(images, _SCORES[stride], options)

    def image_features(self, images: Any, *, options: Optional[EvalOptions] = None) -> Any:
        """CLIP's embedding of the whole image, not normalised.

        Args:
            images: as for `logits`.
            options: as for `logits`.

        Returns:
            float32 (channels,); a list of such arrays for a list; (N, channels) for an array of images.
        """
        return self._compute(images, c.ICSEG_OUTPUT_IMAGE_EMBEDDING, options)

    def class_features(self, images: Any, *, options: Optional[EvalOptions] = None) -> Any:
        """The embeddings of the classes with which the pixels of an image are compared, not normalised.

        Args:
            images: as for `logits`.
            options: as for `logits`.

        Returns:
            float32 (classes, channels); a list of such arrays for a list; (N, classes, channels) for an array of images,
            with N = 1 if the embeddings do not depend on the image.
        """
        return self._compute(images, c.ICSEG_OUTPUT_CLASS_EMBEDDINGS, options)

    def prompt_attention(self, images: Any, *, options: Optional[EvalOptions] = None) -> Any:
        """How much each prompt token takes from each position, of a model whose prompts read positions of the image.

        Args:
            images: as for `logits`.
            options: as for `logits`.

        Returns:
            float32 (tokens, h, w), where h and w are those of the embedding stride or of its regions; what is missing to 1
            is the share of the global token. A list of such arrays for a list; (N, tokens, h, w) for an array of images.

        Raises:
            ArgumentError: the prompts do not read positions.
        """
        return self._compute(images, c.ICSEG_OUTPUT_PROMPT_ATTENTION, options)

    @cached_property
    def text_features(self) -> NDArray[np.float32]:
        """float32 (classes, channels): the embeddings of the classes, of a model whose prompts do not depend on the image.

        Raises:
            UnsupportedError: they do; `class_features` returns those for an image.
        """
        found: NDArray[np.float32] = self.class_features(np.zeros((2, 3, 32, 32), np.float32))
        if len(found) != 1:
            raise UnsupportedError(
                "the prompts of this model depend on the image; use class_features(image)", remedy="class_features(image)"
            )
        features: NDArray[np.float32] = found[0]
        return features

    def prepare(self, height: int, width: int, *, options: Optional[EvalOptions] = None, confidence: bool = True) -> None:
        """Builds the network for images of a size and loads the weights, so that the first call is as fast as others.

        Args:
            height, width: of the images, in pixels.
            options, confidence: as for a call.

        Raises:
            ArgumentError: a size out of range, or options that cannot work.
        """
        outputs = _LABELS if confidence else c.ICSEG_OUTPUT_LABELS
        run = init(c.icseg_run_options, outputs=outputs, eval=eval_pointer(options))
        height, width = whole(height, "height"), whole(width, "width")
        with self._session as session:
            call("icseg_session_prepare", session, 1, height, width, ctypes.byref(run))

    def cost(self, height: int, width: int) -> dict[str, Any]:
        """The memory of the model, and the cost of labelling one image of a size.

        Args:
            height, width: of the image that the network reads, in pixels, at least 32.

        Raises:
            ShapeError: the network does not accept this size.

        Returns:
            "parameters" and "trainable": elements of the weights; "flops": operations of a run, a multiply-add counts as
            two; "weights", "activations", "unplanned" and "scratch": bytes; "layers": how many convolutions and linear
            layers, and attention operators, are computed in each precision.
        """
        height, width = whole(height, "height"), whole(width, "width")
        cost, layers = init(c.icseg_session_cost), init(c.icseg_session_layers)
        with self._session as session:
            call("icseg_session_cost_at", session, 1, height, width, ctypes.byref(cost))
            call("icseg_session_layers_at", session, 1, height, width, ctypes.byref(layers))
        return {**as_dict(cost), "layers": as_dict(layers)}


def load(path: Union[str, os.PathLike[str]], *, precision: str = "f32", threads: int = 0) -> Model:
    """Opens a checkpoint.

    Args:
        path: the file, such as "best.safetensors". It must not change while the model is open.
        precision: of convolutions and linear layers: "f32", "bf16", "auto", "bf16x2" or "int8". Where the processor does
            not have it, f32 is used. "auto": the fastest that kept 99.9 % of the labels when `icseg.calibrate` compared
            them (`Model.auto_precision`).
        threads: 0: all cores that the process may use.

    Raises:
        FileError: the file cannot be opened.
        FormatError, ShapeError, ConfigError: it is damaged or not a checkpoint.
        ArgumentError: an option out of range, or "int8" and a model that is not calibrated.
    """
    file = path_text(path)
    if os.path.isdir(file):
        raise FileError(f"{file}: a folder, not a checkpoint; pass the file, such as best.safetensors", file=file)
    handle = Handle(c.icseg_model, "icseg_model_close", "model")
    call("icseg_model_open", ctypes.byref(handle.pointer), path_bytes(path), file=file)
    return Model(handle, precision=precision, threads=threads, name=file)


def _agreement(model: Any) -> dict[str, Agreement]:
    found = {}
    for name in ("int8", "bf16", "bf16x2"):
        a = init(c.icseg_label_agreement)
        call("icseg_model_agreement", model, PRECISIONS[name], ctypes.byref(a))
        if a.images:
            found[name] = Agreement(a.images, a.mean, a.low)
    return found


def _open_vocabulary(info: Any) -> OpenVocabulary:
    return OpenVocabulary(
        method=text_of(lib.icseg_open_method_name(info.method)),
        word_count=info.word_count,
        background=info.background,
        threshold=info.threshold,
        logit_scale=info.logit_scale,
        cached=info.cached,
        summary=text_of(info.summary),
    )


def _config(pointer: Any) -> dict[str, Any]:
    """An icseg_config as the dict that a checkpoint stores."""
    text = ctypes.c_char_p()
    call("icseg_config_write_json", pointer, ctypes.byref(text))
    return dict(json.loads(owned_text(text)))


def _known_fields(settings: Any, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields, if a configuration has each; the library ignores others, which later versions may have added."""
    unknown = sorted(set(config) - set(_config(ctypes.byref(settings))))
    if unknown:
        raise ArgumentError(f"config: {unknown[0]!r} is not a field of a model's configuration", field=unknown[0])
    return config


def presets() -> dict[str, str]:
    """The presets of `create` and of recipes, with a line about each."""
    return {
        text_of(lib.icseg_preset_name(i)): text_of(lib.icseg_preset_description(i))
        for i in range(lib.icseg_preset_count())
    }


def create(
    class_names: Sequence[str],
    *,
    preset: str = "rn50",
    config: Optional[Mapping[str, Any]] = None,
    class_synonyms: Optional[Sequence[str]] = None,
    seed: int = 0,
    tokenizer: str = "clip",
    vocabulary: Union[str, os.PathLike[str], None] = None,
    precision: str = "f32",
    threads: int = 0,
) -> Model:
    """Makes a model with new weights, which labels nothing sensible before it is trained.

    Args:
        class_names: the names of the classes.
        preset: "rn50", "rn101", "vit-b16", "tiny-resnet" or "tiny-vit".
        config: fields of the configuration that differ from the preset (docs/method.md).
        class_synonyms: all names of each class: "building, edifice"; None: a class is its name.
        seed: of the weights, which are a function of configuration and seed.
        tokenizer: "clip", with a vocabulary, or "bytes".
        vocabulary: CLIP's vocabulary: a file, or a folder with one.
        precision, threads: as for `load`.

    Raises:
        ConfigError: the configuration cannot work, or a class name is too long.
        ArgumentError: an unknown preset.
    """
    settings = init(c.icseg_config)
    call("icseg_config_preset", ctypes.byref(settings), encode(preset, "preset"))
    kind = choose(_TOKENIZERS, tokenizer, "tokenizer")
    changes: dict[str, Any] = {"vocab_size": 258} if tokenizer == "bytes" else {}
    changes.update(_known_fields(settings, config or {}))
    changes["num_classes"] = len(class_names)
    call("icseg_config_update_json", ctypes.byref(settings), json.dumps(changes).encode())
    if class_synonyms is not None and len(class_synonyms) != len(class_names):
        raise ArgumentError(f"class_synonyms: {len(class_synonyms)} for {len(class_names)} classes")
    options = init(
        c.icseg_model_options,
        config=ctypes.pointer(settings),
        class_names=text_array(class_names, "class_names"),
        class_synonyms=None if class_synonyms is None else text_array(class_synonyms, "class_synonyms"),
        seed=seed,
        tokenizer=kind,
        vocabulary=None if vocabulary is None else path_bytes(vocabulary),
    )
    handle = Handle(c.icseg_model, "icseg_model_close", "model")
    call("icseg_model_create", ctypes.byref(handle.pointer), ctypes.byref(options))
    return Model(handle, precision=precision, threads=threads, name=f"new {preset}")

# SPDX-License-Identifier: Apache-2.0
"""Models: opening a checkpoint, and running it on images."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Any, Optional, Union, overload

import numpy as np
from numpy.typing import NDArray

from . import _declarations as c
from . import image as images_
from ._library import Handle, call, init, lib, owned_text, path_bytes, texts
from ._memory import tensor_array
from ._options import PRECISIONS, EvalOptions, choose, name_of
from .errors import ArgumentError, ArrayTypeError, FileError
from .image import ImageLike, Pixels
from .progress import ProgressLike, Watch
from .result import Palette, Result

_LABELS = c.ICSEG_OUTPUT_LABELS | c.ICSEG_OUTPUT_CONFIDENCE
_SCORES = {4: c.ICSEG_OUTPUT_SCORES_4, 8: c.ICSEG_OUTPUT_SCORES_8, 16: c.ICSEG_OUTPUT_SCORES_16,
           32: c.ICSEG_OUTPUT_SCORES_32}


class _Arrays:
    """The tensors of one run, which keep it alive."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle  # arrays keep it

    def __getitem__(self, output: int) -> NDArray[Any]:
        tensor = c.icseg_tensor()
        call("icseg_result_tensor", self.handle.pointer, output, ctypes.byref(tensor))
        return tensor_array(self.handle, tensor)


def _is_tensor(images: Any) -> bool:
    return isinstance(images, np.ndarray) and images.ndim == 4 and images.dtype == np.float32


def _is_one(images: Any) -> bool:
    return not isinstance(images, (list, tuple))


class Model:
    """A model that is ready to run. `load` opens one.

    A model runs one call at a time; further threads wait. For work in several threads, give each thread a `clone`, which
    shares the weights. A model is closed by `close`, by a `with` statement, or when it is no longer used.
    """

    def __init__(self, handle: Handle, *, precision: str = "f32", threads: int = 0, name: str = "model") -> None:
        self._handle = handle
        self._name = name
        self._session = Handle(c.icseg_session, "icseg_session_close", "model", exclusive=True)
        options = init(c.icseg_session_options, threads=threads, precision=choose(PRECISIONS, precision, "precision"))
        with handle as model:
            call("icseg_session_open", ctypes.byref(self._session.pointer), model, ctypes.byref(options), file=name)
            text = ctypes.c_char_p()
            call("icseg_config_write_json", lib.icseg_model_config(model), ctypes.byref(text))
            self._config: dict[str, Any] = json.loads(owned_text(text))
            self._names = texts(lib.icseg_model_class_names(model), self._config["num_classes"])
            self._values = init(c.icseg_image_values)
            call("icseg_model_image_values", model, ctypes.byref(self._values))
            eval_options = init(c.icseg_eval_options)
            call("icseg_model_eval_options", model, ctypes.byref(eval_options))
            self._eval_options = EvalOptions.from_struct(eval_options)
            self._calibrated = bool(lib.icseg_model_is_calibrated(model))
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

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def clone(self, *, precision: Optional[str] = None, threads: Optional[int] = None) -> Model:
        """A further model with the same weights, which are in memory once, for work in another thread.

        Args:
            precision: as for `load`; None: that of this model.
            threads: as for `load`; None: those of this model.
        """
        with self._session:
            return Model(
                self._handle,
                precision=self._precision if precision is None else precision,
                threads=self._threads if threads is None else threads,
                name=self._name,
            )

    def save(self, path: Union[str, os.PathLike[str]]) -> None:
        """Writes a checkpoint, with the ranges for INT8 if the model is calibrated.

        Raises:
            FileError: the file cannot be written; an old file is then unchanged.
        """
        with self._session, self._handle as model:
            call("icseg_model_save", model, path_bytes(path), file=os.fspath(path))

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
    def is_calibrated(self) -> bool:
        """Whether the model has the activation ranges that precision "int8" needs (`icseg.calibrate`)."""
        return self._calibrated

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
        pixels: list[Pixels],
        options: Optional[EvalOptions],
        *,
        tensor: Optional[NDArray[np.float32]] = None,
        top_k: int = 0,
        progress: ProgressLike = False,
    ) -> _Arrays:
        """Runs the network on images of one size, or on a tensor (N, 3, H, W) of normalised values."""
        batch = init(c.icseg_batch)
        if tensor is not None:
            described = c.icseg_tensor(type=c.ICSEG_TENSOR_F32, rank=4, data=tensor.ctypes.data)
            described.shape[:4] = tensor.shape
            described.strides[:4] = tensor.strides
            batch.tensor = ctypes.pointer(described)
        else:
            frames = (c.icseg_frame * len(pixels))(*[p.frame() for p in pixels])
            batch.count = len(pixels)
            batch.frames = frames
        run = init(c.icseg_run_options, outputs=outputs, top_k=top_k)
        if options is not None:
            run.eval = ctypes.pointer(options.to_struct())
        result = Handle(c.icseg_result, "icseg_result_close", "result")
        with self._session as session, Watch(progress) as watch:
            run.progress = watch.pointer
            call("icseg_session_run", session, ctypes.byref(batch), ctypes.byref(run), ctypes.byref(result.pointer),
                 file=pixels[0].name if pixels else None)
        return _Arrays(result)

    def _read(self, image: ImageLike, name: str = "image") -> Pixels:
        return images_.read(image, self._values, name)

    def _label(self, pixels: Pixels, options: Optional[EvalOptions], confidence: bool) -> Result:
        outputs = _LABELS if confidence else c.ICSEG_OUTPUT_LABELS
        arrays = self._run(outputs, [pixels], options)
        labels = arrays[c.ICSEG_OUTPUT_LABELS][0]
        return Result(pixels, self._palette, labels, arrays[c.ICSEG_OUTPUT_CONFIDENCE][0] if confidence else None)

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
        if batch_size < 1:
            raise ArgumentError(f"batch_size is {batch_size}; expected at least 1", field="batch_size")
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


def load(path: Union[str, os.PathLike[str]], *, precision: str = "f32", threads: int = 0) -> Model:
    """Opens a checkpoint.

    Args:
        path: the file, such as "best.safetensors". It must not change while the model is open.
        precision: of convolutions and linear layers: "f32", "bf16", "auto", "bf16x2" or "int8". Where the processor does
            not have it, f32 is used.
        threads: 0: all cores that the process may use.

    Raises:
        FileError: the file cannot be opened.
        FormatError, ShapeError, ConfigError: it is damaged or not a checkpoint.
        ArgumentError: an option out of range, or "int8" and a model that is not calibrated.
    """
    file = os.fspath(path)
    if os.path.isdir(file):
        raise FileError(f"{file}: a folder, not a checkpoint; pass the file, such as best.safetensors", file=file)
    handle = Handle(c.icseg_model, "icseg_model_close", "model")
    call("icseg_model_open", ctypes.byref(handle.pointer), path_bytes(path), file=file)
    return Model(handle, precision=precision, threads=threads, name=file)

# SPDX-License-Identifier: Apache-2.0
"""Training, in one call or step by step, and evaluation."""

from __future__ import annotations

import ctypes
import json
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional, Union, cast

import numpy as np

from . import _declarations as c
from ._library import Closing, Exclusive, Handle, call, init, lib, owned_text, path_bytes, path_text, text, texts, whole
from ._options import EvalOptions, eval_pointer
from .dataset import Dataset
from .errors import ArgumentError
from .metrics import Metrics
from .model import Model
from .progress import CallbackLike, Watch
from .recipe import as_recipe
from .run import Run

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class Step:
    """A step of the optimiser.

    Attributes:
        step: steps completed, this one included.
        learning_rate: of this step.
        gradient_norm: L2 norm of the gradient before clipping.
        seconds: duration, waiting for images included.
        losses: means over the step's batches by name; the first, "total", is their sum.
    """

    step: int
    learning_rate: float
    gradient_norm: float
    seconds: float
    losses: dict[str, float]

    @property
    def loss(self) -> float:
        """The total loss."""
        return self.losses["total"]


def _options(out: PathLike, resume: bool, threads: int, data_changed: bool) -> Any:
    return init(
        c.icseg_train_options, out=path_bytes(out), resume=resume, threads=threads, data_changed=data_changed
    )


def prepared_recipe(recipe: Any, data: Optional[PathLike]) -> Any:
    """A recipe with another folder of the data set, unless `data` is None."""
    made = as_recipe(recipe)
    if data is not None:
        made = made.copy() if made is recipe else made
        made["data.folder"] = path_text(data)
    return made


def train(
    recipe: Any,
    data: Optional[PathLike] = None,
    out: Optional[PathLike] = None,
    *,
    resume: bool = False,
    threads: int = 0,
    data_changed: bool = False,
    callback: CallbackLike = None,
) -> Run:
    """Trains from the first step, or the step at which the run stopped, to the last; then writes the report.

    Ctrl-C, and a callback that returns False, finish the step and write the state: the run can be resumed.

    Args:
        recipe: a Recipe, a dict, the path of a YAML file, or the name of a recipe that comes with icseg.
        data: the folder of the data set; None: that of the recipe.
        out: the run directory, which is created.
        resume: continue the run in the directory, or begin one.
        threads: compute threads; 0: those of the recipe.
        data_changed: resume although training images were added, removed or renamed.
        callback: None: a bar if tqdm is installed and somebody watches; True: a bar if tqdm is installed; False: silent;
            or a function that receives an `icseg.Progress` after each step and returns False to stop.

    Returns:
        The run: its log, its metrics, its models.

    Raises:
        ArgumentError: a recipe that cannot work, or a directory with a run if `resume` is False.
        DataError: a data set with problems.
        NumericError: a loss or gradient is not finite.
        CancelledError: the callback returned False.
        KeyboardInterrupt: Ctrl-C.
    """
    if out is None:
        raise ArgumentError("out: name the folder of the run", field="out")
    made = prepared_recipe(recipe, data)
    options = _options(out, resume, threads, data_changed)
    with made._handle as pointer, Watch(callback) as watch:
        call("icseg_train", pointer, ctypes.byref(options), watch.pointer, None, file=path_text(out))
    return Run(out)


def find_lr(
    recipe: Any,
    data: Optional[PathLike] = None,
    *,
    min_lr: float = 1e-7,
    max_lr: float = 1.0,
    steps: int = 100,
    threads: int = 0,
    html: Optional[PathLike] = None,
    callback: CallbackLike = None,
) -> dict[str, Any]:
    """Smith's learning-rate range test: trains with a rate that grows from step to step until the loss diverges.

    Args:
        recipe, data, callback: as for `icseg.train`; stage "learning rates".
        min_lr, max_lr: the rates of the first and the last step.
        steps: number of steps, at least 10.
        threads: compute threads; 0: those of the recipe.
        html: also write a page with the curve. An old file is replaced completely or not at all.

    Raises:
        ArgumentError: a recipe that cannot work, or a number out of range.
        DataError: a data set with problems.
        CancelledError: the callback returned False.

    Returns:
        What `icseg lr --json` writes: "suggestion", the rate at which the smoothed loss falls most steeply, or None if it
        does not fall; "lowest", the rate of the lowest loss; "end", and "points", each with "lr", "loss", "smoothed".
    """
    made = prepared_recipe(recipe, data)
    options = init(
        c.icseg_lr_options, min_lr=float(min_lr), max_lr=float(max_lr), steps=whole(steps, "steps", 1), threads=threads
    )
    found = ctypes.POINTER(c.icseg_lr_range)()
    with made._handle as pointer, Watch(callback) as watch:
        call("icseg_lr_range_open", ctypes.byref(found), pointer, ctypes.byref(options), watch.pointer)

    def form(which: int) -> str:
        made_text = ctypes.c_char_p()
        call("icseg_lr_range_text", found, which, ctypes.byref(made_text))
        return owned_text(made_text)

    try:
        if html is not None:
            page = form(c.ICSEG_LR_HTML).encode()
            call("icseg_file_write", path_bytes(html), page, len(page), file=path_text(html))
        return cast("dict[str, Any]", json.loads(form(c.ICSEG_LR_JSON)))
    finally:
        lib.icseg_lr_range_close(ctypes.byref(found))


class Trainer(Closing):
    """A training run for loops of one's own.

        with icseg.Trainer(recipe, data="photos", out="runs/photos") as trainer:
            for step in trainer:
                print(step.step, step.loss)

    The loop saves and evaluates when the recipe schedules it, and finishes the run after the last step. `step`, `save`,
    `evaluate` and `finish` do the same one by one. The arguments are those of `icseg.train`.

    Closing a trainer saves nothing: after Ctrl-C, call `save` first if the steps since the last save matter.
    """

    def __init__(
        self,
        recipe: Any,
        data: Optional[PathLike] = None,
        out: Optional[PathLike] = None,
        *,
        resume: bool = False,
        threads: int = 0,
        data_changed: bool = False,
        callback: CallbackLike = False,
    ) -> None:
        if out is None:
            raise ArgumentError("out: name the folder of the run", field="out")
        made = prepared_recipe(recipe, data)
        options = _options(out, resume, threads, data_changed)
        self._out = path_text(out)
        self._watch = Watch(callback)
        self._handle = Exclusive(c.icseg_trainer, "icseg_trainer_close", "trainer")
        self._models: weakref.WeakSet[Model] = weakref.WeakSet()
        with made._handle as pointer, self._watch as watch:
            call("icseg_trainer_open", ctypes.byref(self._handle.pointer), pointer, ctypes.byref(options),
                 watch.pointer, file=self._out)
        with self._handle as trainer:
            self.total_steps: int = lib.icseg_trainer_total_steps(trainer)
            count = lib.icseg_trainer_loss_count(trainer)
            self.loss_names = [text(lib.icseg_trainer_loss_name(trainer, i)) for i in range(count)]
            model = lib.icseg_trainer_model(trainer)
            classes = lib.icseg_model_config(model).contents.num_classes
            self.class_names = texts(lib.icseg_model_class_names(model), classes)

    def __repr__(self) -> str:
        state = "closed" if self._handle.closed else f"step {self.step_count} of {self.total_steps}"
        return f"<icseg.Trainer {self._out!r}: {state}>"

    @property
    def step_count(self) -> int:
        """Steps completed, those of earlier processes of a resumed run included."""
        with self._handle as trainer:
            return int(lib.icseg_trainer_step_count(trainer))

    @property
    def due(self) -> frozenset[str]:
        """What the recipe schedules after the current step and is still to be done: "save", "evaluate";
        "stop" when train.patience has ended the run."""
        with self._handle as trainer:
            bits = lib.icseg_trainer_due(trainer)
        names = {"evaluate": c.ICSEG_TRAIN_DUE_EVALUATE, "save": c.ICSEG_TRAIN_DUE_SAVE,
                 "stop": c.ICSEG_TRAIN_DUE_STOP}
        return frozenset(name for name, bit in names.items() if bits & bit)

    @property
    def best(self) -> tuple[float, int]:
        """The best mIoU of all evaluations, and its step; step 0: none yet."""
        step = ctypes.c_int64()
        with self._handle as trainer:
            miou = lib.icseg_trainer_best_miou(trainer, ctypes.byref(step))
        return float(miou), step.value

    def step(self) -> Step:
        """Does one step of the optimiser.

        Raises:
            ArgumentError: the last step is done.
            NumericError: a loss or gradient is not finite; the trainer can only be closed then.
        """
        made = init(c.icseg_train_step)
        with self._handle as trainer, self._watch:
            call("icseg_trainer_step", trainer, ctypes.byref(made), file=self._out)
        losses = dict(zip(self.loss_names, made.loss[: made.loss_count]))
        return Step(made.step, made.learning_rate, made.gradient_norm, made.seconds, losses)

    def evaluate(self) -> Metrics:
        """Evaluates the current weights on the validation split, and keeps them if they are the best.

        Raises:
            CancelledError: the callback returned False.
        """
        with self._handle as trainer, self._watch:
            call("icseg_trainer_evaluate", trainer, None, file=self._out)
        return Run(self._out).metrics

    def save(self) -> None:
        """Writes checkpoint.safetensors, from which the run can be resumed."""
        with self._handle as trainer, self._watch:
            call("icseg_trainer_save", trainer, file=self._out)

    def finish(self) -> Run:
        """Evaluates and saves the last weights if that is due, and ends the log. No step can follow."""
        with self._handle as trainer, self._watch:
            call("icseg_trainer_finish", trainer, file=self._out)
        return Run(self._out)

    def __iter__(self) -> Iterator[Step]:
        """Does the remaining steps, with what is due after each, and finishes the run."""
        while self.step_count < self.total_steps and "stop" not in self.due:
            yield self.step()
            due = self.due
            if "save" in due:
                self.save()
            if "evaluate" in due:
                self.evaluate()
        self.finish()

    def model(self, *, precision: str = "f32", threads: int = 0) -> Model:
        """The model with the current weights, to label images between steps, in the thread that steps.

        It is closed together with the trainer. A step changes its weights.
        """
        with self._handle as trainer:
            borrowed = _Borrowed(self._handle, lib.icseg_trainer_model(trainer))
            made = Model(borrowed, precision=precision, threads=threads, name=f"{self._out}, training")
        self._models.add(made)
        made._clones = self._models
        return made

    def close(self) -> None:
        """Closes the trainer. Nothing is saved. May be called again."""
        for model in list(self._models):
            model.close()
        self._handle.close()

class _Borrowed(Handle):
    """A model that belongs to a trainer, which it keeps alive."""

    def __init__(self, trainer: Handle, pointer: Any) -> None:
        super().__init__(c.icseg_model, "icseg_model_close", "model")
        self._finalizer.detach()
        self.pointer = pointer
        self._trainer = trainer


def evaluate(
    model: Union[Model, PathLike],
    data: Union[Dataset, PathLike],
    *,
    split: Optional[str] = None,
    options: Optional[EvalOptions] = None,
    images: Optional[PathLike] = None,
    callback: CallbackLike = None,
) -> Metrics:
    """Runs a model on every image of a data set, and computes the metrics of all pixels together.

    Args:
        model: a Model, or the path of a checkpoint.
        data: a Dataset with labels, or the folder of one, which is read as the training read it.
        split: the split of a folder; None: the images that the training evaluated on, "val" or a share of "train".
        options: how images are resized and divided; None: as in the model's training.
        images: a file to which what was counted in each image is written, as the images.jsonl of a run (docs/compare.md).
        callback: as for `icseg.train`; stage "evaluate", in images.

    Raises:
        DataError: the number of classes differs, or a file cannot be read.
    """
    if not isinstance(model, Model):
        from .model import load

        with load(model) as opened:
            return evaluate(opened, data, split=split, options=options, images=images, callback=callback)
    if not isinstance(data, Dataset):
        how_read = model.data_options
        if split is None and model.val_share > 0:
            how_read.update(val_share=model.val_share, held_out=True)
        data = Dataset(data, split or ("train" if "held_out" in how_read else "val"), **how_read)
    how = eval_pointer(options)
    found = c.icseg_confusion()
    with model._session as session, data._handle as dataset, Watch(callback) as watch:
        if images is None:
            call("icseg_evaluate", session, dataset, how, watch.pointer, ctypes.byref(found), file=data._folder)
        else:
            call(
                "icseg_evaluate_images", session, dataset, how, None, watch.pointer, path_bytes(images),
                ctypes.byref(found), file=data._folder,
            )
    try:
        classes = found.classes
        counts = np.array(found.count[: classes * classes], np.int64).reshape(classes, classes)
    finally:
        lib.icseg_confusion_close(ctypes.byref(found))
    return Metrics(counts, model.class_names)

# SPDX-License-Identifier: Apache-2.0
"""Contrastive language-image pretraining of CLIP's two encoders."""

from __future__ import annotations

import ctypes
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

from . import _declarations as c
from ._library import call, init, path_bytes, path_text
from .errors import ArgumentError
from .progress import CallbackLike, Watch
from .recipe import as_recipe

PathLike = Union[str, "os.PathLike[str]"]


@dataclass(frozen=True)
class PretrainScores:
    """What the encoders achieve on held-out pairs. Shares are in 0..1.

    Attributes:
        pairs: pairs that were used.
        zero_shot: images whose class is the nearest as "a photo of a CLASS"; None if the pairs do not say classes.
        image_to_text: images whose caption is among the 1, 5, 10 nearest captions, by these numbers.
        text_to_image: captions whose image is among the 1, 5, 10 nearest images.
    """

    pairs: int
    zero_shot: Optional[float]
    image_to_text: dict[int, float]
    text_to_image: dict[int, float]


@dataclass(frozen=True)
class Pretrained:
    """A finished run of pretraining.

    Attributes:
        path: the run directory.
        weights: its checkpoint: CLIP's weights, for `icseg.clip.Classifier`, `icseg.open_vocabulary` and `model.init`.
        steps: completed steps of the optimiser.
        loss: of the last step; None if this call did none.
        logit_scale: factor of the similarities, at most 100.
        scores: on the held-out pairs; None without such pairs.
        broken: different pairs that could not be read.
        cut: samples whose caption was cut because it is too long.
    """

    path: Path
    weights: Path
    steps: int
    loss: Optional[float]
    logit_scale: float
    scores: Optional[PretrainScores]
    broken: int
    cut: int


def _scores(s: c.icseg_pretrain_scores) -> Optional[PretrainScores]:
    if not s.pairs:
        return None
    ranks = (1, 5, 10)
    return PretrainScores(
        pairs=s.pairs,
        zero_shot=None if math.isnan(s.zero_shot) else s.zero_shot,
        image_to_text=dict(zip(ranks, s.image_to_text)),
        text_to_image=dict(zip(ranks, s.text_to_image)),
    )


def pretrain(
    recipe: Any,
    pairs: Optional[PathLike] = None,
    out: Optional[PathLike] = None,
    *,
    val_pairs: Optional[PathLike] = None,
    init_weights: Optional[PathLike] = None,
    resume: bool = False,
    threads: int = 0,
    callback: CallbackLike = None,
) -> Pretrained:
    """Trains both encoders so that images and their captions match, from the first step, or the step at which the run
    stopped, to the last.

    Ctrl-C, and a callback that returns False, finish the step and write the state: the run can be resumed.

    Args:
        recipe: a Recipe, a dict, the path of a YAML file, or the name of a recipe that comes with icseg; its sections
            `model` and `pretrain` are used.
        pairs: images with captions: a folder with captions.jsonl or captions.csv, such a file, or WebDataset archives;
            None: those of the recipe.
        out: the run directory, which is created.
        val_pairs: held-out pairs for evaluations; None: those of the recipe.
        init_weights: weights to start from; None: those of the recipe, or from scratch.
        resume: continue the run in the directory, or begin one.
        threads: compute threads; 0: those of the recipe.
        callback: as in `icseg.train`.

    Raises:
        ArgumentError: a recipe that cannot work, or a directory with a run if `resume` is False.
        DataError: more pairs than the recipe allows cannot be read.
        NumericError: a loss or gradient is not finite.
        CancelledError: the callback returned False.
        KeyboardInterrupt: Ctrl-C.
    """
    if out is None:
        raise ArgumentError("out: name the folder of the run", field="out")
    given = {"pretrain.pairs": pairs, "pretrain.val_pairs": val_pairs, "model.init": init_weights}
    made = as_recipe(recipe)
    made = made.copy() if made is recipe else made
    for key, value in given.items():
        if value is not None:
            made[key] = path_text(value)
    options = init(c.icseg_pretrain_options, out=path_bytes(out), resume=resume, threads=threads)
    result = init(c.icseg_pretrain_result)
    with made._handle as pointer, Watch(callback) as watch:
        call(
            "icseg_pretrain",
            pointer,
            ctypes.byref(options),
            watch.pointer,
            ctypes.byref(result),
            file=path_text(out),
        )
    folder = Path(path_text(out))
    return Pretrained(
        path=folder,
        weights=folder / "checkpoint.safetensors",
        steps=result.steps,
        loss=None if math.isnan(result.loss) else result.loss,
        logit_scale=result.logit_scale,
        scores=_scores(result.scores),
        broken=result.broken,
        cut=result.cut,
    )

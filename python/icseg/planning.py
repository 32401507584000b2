# SPDX-License-Identifier: Apache-2.0
"""What a training run needs, before it starts (docs/plan.md)."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any, Optional, Union, cast

from . import _declarations as c
from ._library import call, init, lib, owned_text, path_bytes, whole
from .progress import CallbackLike, Watch
from .training import prepared_recipe

PathLike = Union[str, "os.PathLike[str]"]


def plan(
    recipe: Any,
    data: Optional[PathLike] = None,
    out: Optional[PathLike] = None,
    *,
    threads: int = 0,
    classes: int = 0,
    quick: bool = False,
    seconds: float = 10,
    callback: CallbackLike = None,
) -> dict[str, Any]:
    """Says how much memory, time and disk space a training run will need, and what to change if it does not fit.

    The memory includes what this process takes already.

    Args:
        recipe: as for `icseg.train`.
        data: folder of the data set; None: the recipe's data.folder.
        out: the run directory, whose disk is looked at; it need not exist. None: the current folder.
        threads: compute threads; 0: train.threads of the recipe.
        classes: plan without the data set, for so many classes; 0: open the data set.
        quick: measure no times.
        seconds: how long steps are measured; one is finished in any case.
        callback: as for `icseg.train`; stage "measure".

    Raises:
        ArgumentError: the recipe contradicts itself, or a number is out of range.
        DataError: the data set cannot be used.
        FileError: a file cannot be read.

    Returns:
        What `icseg plan --json` prints: sizes in bytes such as "memory" and "disk", times in seconds such as
        "step_seconds" (None: not measured), "memory_fits", "disk_fits", and "advice", a list of changes with "change",
        "effect", "memory" and "fits".
    """
    options = init(
        c.icseg_plan_options,
        out=None if out is None else path_bytes(out),
        threads=threads,
        classes=whole(classes, "classes", 0),
        quick=quick,
        seconds=seconds,
    )
    made = prepared_recipe(recipe, data)
    handle = ctypes.POINTER(c.icseg_run_plan)()
    text = ctypes.c_char_p()
    with made._handle as pointer, Watch(callback) as watch:
        call("icseg_run_plan_open", ctypes.byref(handle), pointer, ctypes.byref(options), watch.pointer)
    try:
        call("icseg_run_plan_text", handle, c.ICSEG_PLAN_JSON, ctypes.byref(text))
        return cast("dict[str, Any]", json.loads(owned_text(text)))
    finally:
        lib.icseg_run_plan_close(ctypes.byref(handle))

# SPDX-License-Identifier: Apache-2.0
"""Comparison of training runs over the same validation images (docs/compare.md)."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Sequence
from typing import Any, Optional, Union, cast

from . import _declarations as c
from ._library import call, init, lib, owned_text, path_bytes, path_text, text_array, whole
from .progress import CallbackLike, Watch

PathLike = Union[str, "os.PathLike[str]"]


def _form(comparison: Any, form: int) -> str:
    text = ctypes.c_char_p()
    call("icseg_run_comparison_text", comparison, form, ctypes.byref(text))
    return owned_text(text)


def compare(
    runs: Sequence[PathLike],
    *,
    baseline: Optional[PathLike] = None,
    ignore: Sequence[str] = (),
    resamples: int = 2000,
    top: int = 10,
    seed: int = 0,
    html: Optional[PathLike] = None,
    callback: CallbackLike = None,
) -> dict[str, Any]:
    """Compares training runs: groups of runs with the same recipe but for the seed, and how they differ from the first.

    Args:
        runs: run directories, at most 64, which were evaluated on the same images.
        baseline: the run with whose group the others are compared; None: the first.
        ignore: keys of the recipe, such as "data.folder", in which the runs of a group may differ.
        resamples: how often the images are drawn again, for the intervals.
        top: so many of the images that differ most are listed.
        seed: of these draws.
        html: also write a page with curves and tables. An old file is replaced completely or not at all.
        callback: as for `icseg.train`; stage "resample".

    Raises:
        ArgumentError: a directory does not contain a run, a run is given twice, or a number is out of range.
        DataError: the runs were evaluated on different images, classes or labels.
        FileError: a file of a run is missing, such as images.jsonl, or cannot be read or written.
        FormatError: a file of a run is damaged.

    Returns:
        What `icseg compare --json` writes: "images", "resamples", "seed", "classes", and "groups", each with "name",
        "settings", "runs", "scores", "difference" and "images". Scores are fractions; None: undefined.
    """
    paths = [path_bytes(run) for run in runs]
    options = init(
        c.icseg_compare_options,
        runs=(ctypes.c_char_p * max(len(paths), 1))(*paths),
        run_count=len(paths),
        baseline=None if baseline is None else path_bytes(baseline),
        ignore=text_array(ignore, "ignore"),
        ignore_count=len(ignore),
        resamples=whole(resamples, "resamples", 1),
        top=whole(top, "top", 1),
        seed=seed,
    )
    comparison = ctypes.POINTER(c.icseg_run_comparison)()
    with Watch(callback) as watch:
        call("icseg_run_comparison_open", ctypes.byref(comparison), ctypes.byref(options), watch.pointer)
    try:
        if html is not None:
            page = _form(comparison, c.ICSEG_COMPARISON_HTML).encode()
            call("icseg_file_write", path_bytes(html), page, len(page), file=path_text(html))
        return cast("dict[str, Any]", json.loads(_form(comparison, c.ICSEG_COMPARISON_JSON)))
    finally:
        lib.icseg_run_comparison_close(ctypes.byref(comparison))

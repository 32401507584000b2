# SPDX-License-Identifier: Apache-2.0
"""What the library and this machine can do: the build, its speed, and its agreement with the PyTorch reference."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Any, Optional, Union

from . import _declarations as c
from ._library import Exclusive, as_dict, call, encode, init, owned_text, path_bytes, path_text, text
from ._options import PRECISIONS, choose, name_of
from .progress import CallbackLike, Watch

PathLike = Union[str, "os.PathLike[str]"]
_MODES = {"infer": c.ICSEG_BENCH_INFER, "train": c.ICSEG_BENCH_TRAIN, "text": c.ICSEG_BENCH_TEXT}
_PROMPTS = {"template": c.ICSEG_PROMPT_TEMPLATE, "static": c.ICSEG_PROMPT_STATIC, "instance": c.ICSEG_PROMPT_INSTANCE}
_GROUPINGS = {"operator": c.ICSEG_BENCH_OPERATOR, "module": c.ICSEG_BENCH_MODULE, "node": c.ICSEG_BENCH_NODE}


def build_info() -> dict[str, Any]:
    """How the library was built, and what this processor has.

    Returns:
        "version": of the library; "compiler": its description; "onednn": the version of oneDNN, (major, minor, patch); and whether the build or the
        processor has each of "kernels_avx2", "kernels_avx512", "avx2", "avx512", "avx512_bf16", "vnni", "amx", "neon",
        "dotprod", "i8mm", "arm_bf16", "train", "tiff", "webp", "gif", "heif", "video", "matlab", "onnx", "sanitizers".
    """
    build = init(c.icseg_build)
    call("icseg_build_info", ctypes.byref(build))
    return {
        **as_dict(build), "version": text(build.version), "compiler": text(build.compiler), "onednn": tuple(build.onednn),
    }


@dataclass(frozen=True)
class BenchmarkRow:
    """A row of a profile.

    Attributes:
        name: the operator, module or node.
        nodes: operators of the network that ran.
        forward, backward: seconds of a run.
        flops: operations of a run; a multiply-add counts as two.
        bytes: of activations that are alive when the network needs most memory.
    """

    name: str
    nodes: int
    forward: float
    backward: float
    flops: float
    bytes: float


@dataclass(frozen=True)
class Benchmark:
    """Figures of `benchmark`.

    Attributes:
        first_seconds: making the model and its first run.
        min_seconds, median_seconds: of an image: the fastest timed run and the median, divided by the batch.
        flops: operations of one run; a multiply-add counts as two.
        peak_flops_per_second: of large products of f32 matrices, measured in the same process.
        peak_bytes: the largest resident set of the process.
        activation_bytes, scratch_bytes: planned memory of a run.
        weight_bytes, packed_bytes: weights in their own layout, and in those that operators prefer.
        training_bytes: gradients and the optimiser's moments.
        threads, classes: in use.
        prompt, precision: of the model.
        layers: how many convolutions and linear layers, and attention operators, are computed in each precision.
        profile: the slowest row first; empty without `profile`.
        profile_text: the profile as tables; empty without `profile`.
    """

    first_seconds: float
    min_seconds: float
    median_seconds: float
    flops: float
    peak_flops_per_second: float
    peak_bytes: int
    activation_bytes: int
    scratch_bytes: int
    weight_bytes: int
    packed_bytes: int
    training_bytes: int
    threads: int
    classes: int
    prompt: str
    precision: str
    layers: dict[str, int]
    profile: list[BenchmarkRow]
    profile_text: str

    def __repr__(self) -> str:
        return (
            f"<icseg.Benchmark: {1e3 * self.median_seconds:.1f} ms an image, {self.precision}, {self.threads} threads, "
            f"{self.peak_bytes / 2**20:.0f} MiB>"
        )


def benchmark(
    preset: Optional[str] = None,
    *,
    checkpoint: Optional[PathLike] = None,
    mode: str = "infer",
    prompt: str = "template",
    precision: str = "f32",
    low_memory: bool = False,
    classes: int = 0,
    size: int = 0,
    batch: int = 0,
    runs: int = 0,
    threads: int = 0,
    profile: Optional[str] = None,
    callback: CallbackLike = None,
) -> Benchmark:
    """Measures how fast a model runs on this machine, and how much memory it needs (docs/performance.md).

    Args:
        preset: an architecture with random weights, as for `icseg.create`; None: "rn50".
        checkpoint: a checkpoint instead, with its own classes and prompts.
        mode: "infer": from images to label maps; "train": steps of training; "text": prompts and text encoder.
        prompt: of a preset: "template", "static" or "instance".
        precision: as for `icseg.load`, but one that the processor does not have is an error.
        low_memory: steps of training as with `train.memory = low`.
        classes: of a preset; 0: 150.
        size: side of the images in pixels, 32..8192; 0: 512.
        batch: images of a run, at most 256; 0: 1.
        runs: timed runs; 0: 5.
        threads: 0: all cores that the process may use.
        profile: also times every operator; rows are grouped by "operator", "module" or "node".
        callback: as for `icseg.train`; stage "bench", in runs.

    Raises:
        ArgumentError: an option out of range.
        UnsupportedError: the processor does not have the precision.
        CancelledError: the callback returned False.
    """
    grouping = None if profile is None else choose(_GROUPINGS, profile, "profile")
    options = init(
        c.icseg_bench_options,
        preset=None if preset is None else encode(preset, "preset"),
        checkpoint=None if checkpoint is None else path_bytes(checkpoint),
        mode=choose(_MODES, mode, "mode"),
        prompt=choose(_PROMPTS, prompt, "prompt"),
        precision=choose(PRECISIONS, precision, "precision"),
        low_memory=low_memory,
        classes=classes,
        size=size,
        batch=batch,
        runs=runs,
        threads=threads,
        profile=grouping is not None,
    )
    handle = Exclusive(c.icseg_bench, "icseg_bench_close", "benchmark")
    found, layers = init(c.icseg_bench_result), init(c.icseg_session_layers)
    rows: list[BenchmarkRow] = []
    tables = ""
    with Watch(callback) as watch:
        call("icseg_bench_open", ctypes.byref(handle.pointer), ctypes.byref(options), watch.pointer,
             file=None if checkpoint is None else path_text(checkpoint))
        with handle as bench:
            call("icseg_bench_run", bench, ctypes.byref(found))
            call("icseg_bench_layers", bench, ctypes.byref(layers))
            if grouping is not None:
                rows, tables = _profile(bench, grouping)
    handle.close()
    figures = as_dict(found)
    figures["prompt"] = name_of(_PROMPTS, found.prompt)
    figures["precision"] = name_of(PRECISIONS, found.precision)
    return Benchmark(**figures, layers=as_dict(layers), profile=rows, profile_text=tables)


def _profile(bench: Any, grouping: int) -> tuple[list[BenchmarkRow], str]:
    rows, count, tables = ctypes.POINTER(c.icseg_bench_row)(), ctypes.c_int32(), ctypes.c_char_p()
    call("icseg_bench_profile", bench, grouping, ctypes.byref(rows), ctypes.byref(count))
    made = [
        BenchmarkRow(text(r.name), r.nodes, r.forward, r.backward, r.flops, r.bytes) for r in rows[: count.value]
    ]
    call("icseg_bench_profile_text", bench, ctypes.byref(tables))
    return made, owned_text(tables)


@dataclass(frozen=True)
class ParityGroup:
    """A group of compared values. Differences are relative: the norm of the difference, divided by the reference's.

    Attributes:
        title: such as "gradients".
        compared, failed: tensors or numbers; how many differ by more than `bound`.
        worst, worst_name: the largest difference, and its tensor.
        bound: the largest difference that is accepted.
    """

    title: str
    compared: int
    failed: int
    worst: float
    bound: float
    worst_name: str


@dataclass(frozen=True)
class Parity:
    """Agreement with the PyTorch reference.

    Attributes:
        compared, failed: tensors or numbers of all groups; the reference is met if none failed.
        groups: evaluation, training mode, losses, gradients, running statistics, and the curve of training.
        table: the same as text, a line for each group.
    """

    compared: int
    failed: int
    groups: list[ParityGroup]
    table: str

    def __str__(self) -> str:
        return self.table

    def __repr__(self) -> str:
        return f"<icseg.Parity: {self.compared - self.failed} of {self.compared} values agree>"


def parity(
    fixture: PathLike, *, precision: str = "f32", threads: int = 0, callback: CallbackLike = None
) -> Parity:
    """Compares a small model with what the PyTorch reference computed of it in double precision (docs/method.md).

    Args:
        fixture: a file of tests/parity/, or one that reference/make_fixtures.py wrote.
        precision: as for `icseg.load`; bounds are wider in "bf16".
        threads: 0: all cores that the process may use.
        callback: as for `icseg.train`; stage "compare".

    Raises:
        FormatError, ShapeError: the fixture is damaged.
        UnsupportedError: the processor does not have the precision.
    """
    options = init(c.icseg_parity_options, precision=choose(PRECISIONS, precision, "precision"), threads=threads)
    report = init(c.icseg_parity_report)
    with Watch(callback) as watch:
        call("icseg_parity_run", ctypes.byref(report), path_bytes(fixture), ctypes.byref(options), watch.pointer,
             file=path_text(fixture))
    groups = [
        ParityGroup(text(g.title), g.compared, g.failed, g.worst, g.bound, text(g.worst_name)) for g in report.group
    ]
    table = ctypes.c_char_p()
    call("icseg_parity_text", ctypes.byref(report), ctypes.byref(table))
    return Parity(report.compared, report.failed, groups, owned_text(table))

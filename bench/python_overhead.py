#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the Python package adds to the engine: the time of a call, the time to the first result, and memory.

Usage: python_overhead.py [call|first|memory] CHECKPOINT [IMAGE]     ICSEG_PROGRAM: the program to compare with

call     the overhead of a call on 32 x 32 pixels with one thread: the time of `model(image).labels` minus that of
         icseg_session_run, icseg_result_tensor and icseg_result_close, called and timed in C with the same session and
         arguments, in turns for 20 s (needs a C compiler)
first    `icseg.load`, the first result of IMAGE and its file in a fresh process, and the program's `predict` with the same
         arguments, in turns, 9 times: the ratios of their times, without and with the start of Python and its imports
memory   the resident set after a tenth and after all of 10,000 predictions, and of 1,000 load and close cycles

Other processes lengthen single measurements. So `call` prints the difference of the shortest times, the difference of the
medians, and the median of the differences of neighbours, and `first` the median of the ratios of neighbours.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np

import icseg
from icseg import _declarations as c
from icseg._library import init, lib

ROOT = Path(__file__).resolve().parent.parent
ENGINE = """
#include <time.h>
#include <icseg/icseg.h>
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
double label(icseg_session *session, const icseg_batch *batch, const icseg_run_options *options) {
    double begin = now();
    icseg_result *result;
    icseg_tensor labels;
    if (icseg_session_run(session, batch, options, &result, 0) != ICSEG_OK) return 1e9;
    if (icseg_result_tensor(result, ICSEG_OUTPUT_LABELS, &labels, 0) != ICSEG_OK) return 1e9;
    icseg_result_close(&result);
    return now() - begin;
}
"""
FIRST = """
import icseg, sys, time
begin = time.perf_counter()
icseg.load(sys.argv[1])(sys.argv[2]).save(sys.argv[3])
print(time.perf_counter() - begin)
"""


def resident() -> int:
    """KiB of the resident set."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def engine(model: icseg.Model, folder: str) -> Callable[[Any, Any, Any], float]:
    """A function in C that labels the batch as a program in C does, and returns how long that took, in seconds."""
    source, made = Path(folder) / "engine.c", Path(folder) / "engine.so"
    source.write_text(ENGINE)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", f"-I{ROOT}/include", "-o", made, source, lib._name], check=True)
    function = ctypes.CDLL(str(made)).label
    function.restype = ctypes.c_double
    return function  # type: ignore[no-any-return]


def overhead(checkpoint: str) -> None:
    model = icseg.load(checkpoint, threads=1)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    frame = c.icseg_frame(format=c.ICSEG_FRAME_RGB8, width=32, height=32, data=image.ctypes.data)
    batch = init(c.icseg_batch, count=1, frames=ctypes.pointer(frame))
    options = init(c.icseg_run_options, outputs=c.ICSEG_OUTPUT_LABELS | c.ICSEG_OUTPUT_CONFIDENCE)
    arguments = model._session.pointer, ctypes.byref(batch), ctypes.byref(options)
    calls, engines = [], []

    def call() -> None:
        begin = time.perf_counter()
        model(image).labels
        calls.append(time.perf_counter() - begin)

    with tempfile.TemporaryDirectory() as folder:
        label = engine(model, folder)
        runs = max(100, int(10 / min(label(*arguments) for _ in range(5))))
        for i in range(runs):  # in the order A B B A, so that neither follows the other more often
            if i % 2:
                call()
            engines.append(label(*arguments))
            if not i % 2:
                call()
    shortest = 1e6 * (min(calls) - min(engines))
    median = 1e6 * (statistics.median(calls) - statistics.median(engines))
    pairs = 1e6 * statistics.median(a - b for a, b in zip(calls, engines))
    print(f"call on 32 x 32: engine {1e6 * min(engines):.0f} us (shortest), {1e6 * statistics.median(engines):.0f} us (median); "
          f"overhead {shortest:.0f} us (shortest), {median:.0f} us (medians), {pairs:.0f} us (median of pairs)")


def seconds(*command: str) -> tuple[float, str]:
    """How long a command takes, and what it prints."""
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begin, done.stdout


def first(checkpoint: str, image: str) -> None:
    own = os.environ.get("ICSEG_PROGRAM")
    program = [own] if own else [sys.executable, "-m", "icseg"]
    within, whole, theirs = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(9):
            theirs.append(seconds(*program, "predict", checkpoint, image, "--out", folder, "--quiet")[0])
            took, printed = seconds(sys.executable, "-c", FIRST, checkpoint, image, f"{folder}/ours.png")
            whole.append(took)
            within.append(float(printed))
    for name, ours in ("load and first result", within), ("with Python's start and imports", whole):
        ratio = statistics.median(a / b for a, b in zip(ours, theirs))
        print(f"{name}: {min(ours):.2f} s, the program {min(theirs):.2f} s (shortest); ratio {ratio:.2f} (median)")


def memory(checkpoint: str) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    with icseg.load(checkpoint) as model:
        for i in range(10000):
            model(image).labels
            if i + 1 == 1000:
                before = resident()
    print(f"resident after 1,000 and 10,000 predictions: {before:,} KiB, {resident():,} KiB")
    for i in range(1000):
        with icseg.load(checkpoint) as model:
            model(image).labels
        if i + 1 == 100:
            before = resident()
    print(f"resident after 100 and 1,000 loads: {before:,} KiB, {resident():,} KiB")


def main() -> None:
    kinds = {"call": overhead, "first": first, "memory": memory}
    if len(sys.argv) < 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()

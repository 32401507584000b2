#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what the Python package adds to the engine: the time of a call, the time to the first result, and memory.

Usage: python_overhead.py CHECKPOINT IMAGE [PREDICTIONS [CYCLES]]     ICSEG_PROGRAM: the program to compare with

Prints one line for each figure:
- the overhead of a call on 32 x 32 pixels: the median time of `model(image)` minus that of icseg_session_run alone, called
  with the same arguments, in turns;
- `icseg.load` and the first result, in a fresh process after the imports, divided by the time of the whole program;
- the resident set after a tenth and after all of PREDICTIONS (10,000) predictions, and of CYCLES (1,000) load and close
  cycles.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import icseg
from icseg import _declarations as c
from icseg._library import init, lib
from icseg.image import read
from icseg.model import _LABELS

FIRST = """
import sys, time, icseg, numpy
begin = time.perf_counter()
result = icseg.load(sys.argv[1])(sys.argv[2])
result.save(sys.argv[3])
print(time.perf_counter() - begin)
"""


def resident() -> int:
    """KiB of the resident set."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def overhead(model: icseg.Model) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    frame = read(image).frame()
    batch = init(c.icseg_batch, count=1, frames=ctypes.pointer(frame))
    options = init(c.icseg_run_options, outputs=_LABELS)
    result, error = ctypes.POINTER(c.icseg_result)(), c.icseg_error()
    pointer = model._session.pointer
    times: dict[str, list[float]] = {"call": [], "engine": []}
    for _ in range(1000):
        begin = time.perf_counter()
        model(image)
        middle = time.perf_counter()
        lib.icseg_session_run(pointer, ctypes.byref(batch), ctypes.byref(options), ctypes.byref(result), ctypes.byref(error))
        end = time.perf_counter()
        lib.icseg_result_close(ctypes.byref(result))
        times["call"].append(middle - begin)
        times["engine"].append(end - middle)
    call, engine = (1e6 * statistics.median(times[name]) for name in ("call", "engine"))
    print(f"call on 32 x 32: {call:.0f} us, engine alone {engine:.0f} us, overhead {call - engine:.0f} us")


def first(checkpoint: str, image: str) -> None:
    ours, theirs = [], []
    program = os.environ.get("ICSEG_PROGRAM")
    command = [program] if program else [sys.executable, "-m", "icseg"]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(7):
            begin = time.perf_counter()
            subprocess.run([*command, "predict", checkpoint, image, "--out", folder, "--quiet"], check=True,
                           stdout=subprocess.DEVNULL)
            theirs.append(time.perf_counter() - begin)
            done = subprocess.run([sys.executable, "-c", FIRST, checkpoint, image, f"{folder}/ours.png"], check=True,
                                  capture_output=True, text=True)
            ours.append(float(done.stdout))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"load and first result: {a:.3f} s, the program {b:.3f} s, ratio {a / b:.2f}")


def memory(checkpoint: str, predictions: int, cycles: int) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    with icseg.load(checkpoint) as model:
        for i in range(predictions):
            model(image).labels
            if i + 1 == predictions // 10:
                before = resident()
    print(f"resident after {predictions // 10} and {predictions} predictions: {before} KiB, {resident()} KiB")
    for i in range(cycles):
        with icseg.load(checkpoint) as model:
            model(image).labels
        if i + 1 == cycles // 10:
            before = resident()
    print(f"resident after {cycles // 10} and {cycles} loads: {before} KiB, {resident()} KiB")


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    checkpoint, image = sys.argv[1:3]
    predictions, cycles = (int(a) for a in (*sys.argv[3:], *("10000", "1000")[len(sys.argv) - 3 :]))
    first(checkpoint, image)
    with icseg.load(checkpoint) as model:
        overhead(model)
    memory(checkpoint, predictions, cycles)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how one model uses the cores: threads of one session, sessions beside each other, and a new process.

Usage: scale.py [--model rn50] [--size 512] [--classes 150] [--prompt template] [--precision f32] [--images 12] [--rounds 3]

Sessions share the weights (Model.clone) and label images in threads of their own. Each row says how many sessions, of how
many threads each, label how many images a second, the time of one image, and the rate against one session with one thread
for each thread in use. The rows are measured in turn, several times, and have medians. The last row is the time from the
start of `icseg predict` to its end, for one image. The weights are random. Needs numpy, and build/ (or ICSEG_LIBRARY).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("ICSEG_LIBRARY", str(ROOT / "build" / "libicseg.so"))
sys.path[:0] = [str(ROOT / "python")]
import numpy as np  # noqa: E402

import icseg  # noqa: E402

WHOLE = icseg.EvalOptions(mode="whole")


def divisions(cores: int) -> list[tuple[int, int]]:
    """(sessions, threads of each): one session with 1, 2, 4, ... threads; then sessions that use all cores together."""
    counts = [n for n in (1 << i for i in range(cores.bit_length())) if n < cores] + [cores]
    return [(1, n) for n in counts] + [(n, cores // n) for n in counts if n > 1]


def rate(sessions: list[icseg.Model], image: "np.ndarray[Any, Any]", images: int) -> float:
    """Images a second, when each session labels `images`."""

    def work(session: icseg.Model) -> None:
        for _ in range(images):
            session(image, options=WHOLE, confidence=False)

    workers = [threading.Thread(target=work, args=(session,)) for session in sessions]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(sessions) * images / (time.perf_counter() - start)


def new_process(checkpoint: str, size: int, precision: str, folder: str) -> float:
    picture = os.path.join(folder, "image.ppm")
    with open(picture, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (size, size) + np.random.default_rng(1).bytes(3 * size * size))
    command = [ROOT / "build" / "icseg", "predict", checkpoint, picture, "--out", folder, "--mode", "whole", "--quiet"]
    start = time.perf_counter()
    subprocess.run([*command, "--precision", precision], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    options = argparse.ArgumentParser(description="how one model uses the cores")
    options.add_argument("--model", default="rn50", help="preset (icseg bench --help)")
    options.add_argument("--size", type=int, default=512, help="side of the image, pixels")
    options.add_argument("--classes", type=int, default=150)
    options.add_argument("--prompt", default="template", choices=["template", "static", "instance"])
    options.add_argument("--precision", default="f32", choices=["f32", "bf16", "bf16x2", "int8"])
    options.add_argument("--images", type=int, default=12, help="images of a measurement, over all sessions")
    options.add_argument("--rounds", type=int, default=3)
    o = options.parse_args()
    image = np.random.default_rng(0).integers(0, 256, (o.size, o.size, 3), np.uint8)
    names = [f"class {i}" for i in range(o.classes)]
    model = icseg.create(names, preset=o.model, tokenizer="bytes", config={"prompt": o.prompt}, seed=3)
    if o.precision == "int8":
        model = icseg.calibrate(model, [image])
    rows = divisions(len(os.sched_getaffinity(0)))
    sessions = {row: [model.clone(precision=o.precision, threads=row[1]) for _ in range(row[0])] for row in rows}
    rates: dict[tuple[int, int], list[float]] = {row: [] for row in rows}
    for row in rows:
        rate(sessions[row], image, 1)  # packs weights, fills caches
    for _ in range(o.rounds):
        for row in rows:
            rates[row].append(rate(sessions[row], image, max(1, o.images // row[0])))
    print(f"{o.model}, {o.size} x {o.size}, {o.classes} classes, {o.prompt} prompts, {o.precision}")
    one = statistics.median(rates[1, 1])
    for row in rows:
        median = statistics.median(rates[row])
        print(f"{row[0]:3} sessions of {row[1]:2} threads  {median:7.2f} images/s  {1000 * row[0] / median:8.1f} ms"
              f"  {100 * median / one / (row[0] * row[1]):5.1f} % of one thread's rate for each")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = os.path.join(folder, "model.safetensors")
        model.save(checkpoint)
        starts = [new_process(checkpoint, o.size, o.precision, folder) for _ in range(o.rounds)]
    print(f"a new process           {1000 * statistics.median(starts):8.1f} ms to the end of one image")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the results of scripts/gain.sh as Markdown.

Usage: gain_table.py RUNS [table|classes|cost] [--split val|test] [--variant NAME]

  table    for each variant and number of scenes the mean mIoU over the seeds, its standard deviation, and the mean paired
           difference to DenseCLIP with a 95 % bootstrap interval over the seeds
  classes  how much a variant's IoU of each class differs from DenseCLIP's, by the frequency of the classes
  cost     time and memory of a training step and of inference
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from pathlib import Path
from typing import Sequence

BASE = "denseclip"
DRAWS = 10000
BINS = 4
EXTREMES = 5


def read(folder: Path, split: str) -> dict[str, dict[int, dict[int, dict]]]:
    """Results of `icseg eval` by variant, number of scenes and seed."""
    found: dict[str, dict[int, dict[int, dict]]] = {}
    for path in sorted(folder.glob(f"*/*/{split}.json")):
        count, seed = map(int, path.parent.name.split("-"))
        found.setdefault(path.parent.parent.name, {}).setdefault(count, {})[seed] = json.loads(path.read_text())
    if not found:
        sys.exit(f"{folder}: contains no results on the {split} scenes; run scripts/gain.sh WORK runs")
    return found


def mean_and_interval(differences: Sequence[float]) -> str:
    """The mean, and the middle 95 % of the means of samples drawn with replacement."""
    text = f"{statistics.fmean(differences):+.2f}"
    if len(differences) < 2:
        return text
    draw = random.Random(0)
    means = sorted(statistics.fmean(draw.choices(differences, k=len(differences))) for _ in range(DRAWS))
    return f"{text} [{means[int(0.025 * DRAWS)]:+.2f}, {means[int(0.975 * DRAWS) - 1]:+.2f}]"


def print_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in [head, ["---"] * len(head), *rows]:
        print("| " + " | ".join(row) + " |")


def table(found: dict[str, dict[int, dict[int, dict]]]) -> None:
    counts = sorted({count for runs in found.values() for count in runs})
    rows = []
    for variant in sorted(found, key=lambda name: (name != BASE, name)):
        row = [variant]
        for count in counts:
            scores = {seed: 100 * result["miou"] for seed, result in found[variant].get(count, {}).items()}
            base = {seed: 100 * result["miou"] for seed, result in found.get(BASE, {}).get(count, {}).items()}
            text = f"{statistics.fmean(scores.values()):.2f}" if scores else ""
            if len(scores) > 1:
                text += f" ± {statistics.stdev(scores.values()):.2f}"
            differences = [scores[seed] - base[seed] for seed in sorted(scores) if seed in base]
            if variant != BASE and differences:
                text += f"; {mean_and_interval(differences)}"
            row.append(text)
        rows.append(row)
    print_rows(["variant"] + [f"{count} scenes" for count in counts], rows)


def class_gains(runs: dict[int, dict], base: dict[int, dict]) -> list[tuple[int, str, float]]:
    """Labelled pixels, name and mean difference of the IoU (points) of each class, the most frequent first."""
    gains: dict[str, list[float]] = {}
    pixels: dict[str, int] = {}
    for seed in sorted(set(runs) & set(base)):
        for ours, theirs in zip(runs[seed]["classes"], base[seed]["classes"]):
            if ours["pixels"] and ours["iou"] is not None and theirs["iou"] is not None:
                gains.setdefault(ours["name"], []).append(100 * (ours["iou"] - theirs["iou"]))
                pixels[ours["name"]] = ours["pixels"]
    return sorted(((pixels[name], name, statistics.fmean(values)) for name, values in gains.items()), reverse=True)


def classes(found: dict[str, dict[int, dict[int, dict]]], variant: str) -> None:
    for count in sorted(found.get(variant, {})):
        gains = class_gains(found[variant][count], found.get(BASE, {}).get(count, {}))
        if not gains:
            continue
        total = sum(pixels for pixels, _, _ in gains)
        print(f"\n{variant} over {BASE}, {count} scenes: IoU of classes by frequency\n")
        rows = []
        for i in range(BINS):
            part = gains[i * len(gains) // BINS : (i + 1) * len(gains) // BINS]
            share = 100 * sum(pixels for pixels, _, _ in part) / total
            rows.append([f"{len(part)}", f"{share:.1f} %", mean_and_interval([gain for _, _, gain in part])])
        print_rows(["classes", "share of the pixels", "difference"], rows)
        order = sorted(gains, key=lambda row: -row[2])
        for title, chosen in (("largest gains", order[:EXTREMES]), ("largest losses", order[: -EXTREMES - 1 : -1])):
            print(f"\n{title}: " + ", ".join(f"{name} {gain:+.1f}" for _, name, gain in chosen))


def cost(folder: Path) -> None:
    rows = []
    for path in sorted(folder.glob("*/cost.json"), key=lambda path: (path.parent.name != BASE, path.parent.name)):
        measured = json.loads(path.read_text())
        train, infer = measured["train"], measured["infer"]
        rows.append(
            [
                path.parent.name,
                f"{1000 * train['median_s_per_image'] * train['batch']:.0f} ms",
                f"{train['peak_mib']} MiB",
                f"{1000 * infer['median_s_per_image']:.1f} ms",
                f"{infer['peak_mib']} MiB",
            ]
        )
    if not rows:
        sys.exit(f"{folder}: contains no measurements; run scripts/gain.sh WORK cost")
    print_rows(["variant", "training step", "its peak memory", "inference", "its peak memory"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("what", nargs="?", choices=["table", "classes", "cost"], default="table")
    parser.add_argument("--split", choices=["val", "test"], default="val")
    parser.add_argument("--variant", default="icpc", help="for classes (default: icpc)")
    options = parser.parse_args()
    if options.what == "cost":
        cost(options.runs)
    elif options.what == "classes":
        classes(read(options.runs, options.split), options.variant)
    else:
        table(read(options.runs, options.split))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the results of scripts/gain.sh as Markdown: for each variant and number of scenes the mean mIoU over the seeds,
its standard deviation, and the mean paired difference to DenseCLIP with a 95 % bootstrap interval over the seeds.

Usage: gain_table.py RUNS [val|test]
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from pathlib import Path

BASE = "denseclip"
DRAWS = 10000


def read(folder: Path, split: str) -> dict[str, dict[int, dict[int, float]]]:
    """mIoU in percent by variant, number of scenes and seed."""
    found: dict[str, dict[int, dict[int, float]]] = {}
    for path in sorted(folder.glob(f"*/*/{split}.json")):
        count, seed = map(int, path.parent.name.split("-"))
        result = json.loads(path.read_text())
        found.setdefault(path.parent.parent.name, {}).setdefault(count, {})[seed] = 100 * result["miou"]
    return found


def interval(differences: list[float]) -> tuple[float, float]:
    """The middle 95 % of the means of samples drawn with replacement."""
    draw = random.Random(0)
    means = sorted(statistics.fmean(draw.choices(differences, k=len(differences))) for _ in range(DRAWS))
    return means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS) - 1]


def cell(runs: dict[int, float], base: dict[int, float], is_base: bool) -> str:
    scores = list(runs.values())
    text = f"{statistics.fmean(scores):.2f}"
    if len(scores) > 1:
        text += f" ± {statistics.stdev(scores):.2f}"
    differences = [runs[seed] - base[seed] for seed in sorted(runs) if seed in base]
    if is_base or not differences:
        return text
    text += f"; {statistics.fmean(differences):+.2f}"
    if len(differences) > 1:
        low, high = interval(differences)
        text += f" [{low:+.2f}, {high:+.2f}]"
    return text


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    split = sys.argv[2] if len(sys.argv) == 3 else "val"
    found = read(Path(sys.argv[1]), split)
    if not found:
        sys.exit(f"{sys.argv[1]}: contains no results on the {split} scenes; run scripts/gain.sh WORK runs")
    counts = sorted({count for runs in found.values() for count in runs})
    print("| variant | " + " | ".join(f"{count} scenes" for count in counts) + " |")
    print("|---" * (1 + len(counts)) + "|")
    for variant in sorted(found, key=lambda name: (name != BASE, name)):
        cells = [
            cell(found[variant][count], found.get(BASE, {}).get(count, {}), variant == BASE)
            if count in found[variant]
            else ""
            for count in counts
        ]
        print(f"| {variant} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the results of scripts/gain.sh as Markdown, or carries them from one machine to another.

Usage: gain_table.py RUNS [table|classes|cost|keep|restore] [--split val|test] [--variant NAME] [--file FILE]

  table    for each variant and number of scenes the mean mIoU over the seeds, its standard deviation, and the mean paired
           difference to DenseCLIP with a 95 % bootstrap interval over the seeds
  classes  how much a variant's IoU of each class differs from DenseCLIP's, by the frequency of the classes
  cost     time and memory of a training step and of inference
  keep     writes the results of all runs, of both splits, into FILE
  restore  makes runs in RUNS that have the results in FILE, so that gain.sh does not train them again
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
SPLITS = ["val", "test"]
SCORES = ["miou", "macc", "aacc"]
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


def keep(folder: Path, file: Path) -> None:
    """A line of JSON for each split with its classes, and one for each result, to five digits."""
    lines = []
    for split in SPLITS:
        paths = sorted(folder.glob(f"*/*/{split}.json"))
        for i, path in enumerate(paths):
            result = json.loads(path.read_text())
            if i == 0:
                classes = {key: [row[key] for row in result["classes"]] for key in ("name", "pixels")}
                lines.append({"split": split, "classes": classes})
            scores = {key: round(result[key], 7) for key in SCORES}
            ious = [row["iou"] if row["iou"] is None else round(row["iou"], 5) for row in result["classes"]]
            lines.append({"split": split, "run": f"{path.parent.parent.name}/{path.parent.name}", **scores, "iou": ious})
    part = file.with_suffix(".part")
    part.write_text("".join(json.dumps(line) + "\n" for line in lines))
    part.replace(file)
    print(f"{file}: {len(lines) - len({line['split'] for line in lines})} results")


def restore(folder: Path, file: Path) -> None:
    classes: dict[str, dict] = {}
    for line in map(json.loads, file.read_text().splitlines()):
        split = line["split"]
        if "classes" in line:
            classes[split] = line["classes"]
            continue
        path = folder / line["run"] / f"{split}.json"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = zip(classes[split]["name"], line["iou"], classes[split]["pixels"])
        result = {key: line[key] for key in SCORES}
        result["classes"] = [{"name": name, "iou": iou, "pixels": pixels} for name, iou, pixels in rows]
        path.write_text(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("what", nargs="?", choices=["table", "classes", "cost", "keep", "restore"], default="table")
    parser.add_argument("--split", choices=SPLITS, default="val")
    parser.add_argument("--variant", default="icpc", help="for classes (default: icpc)")
    parser.add_argument("--file", type=Path, help="for keep and restore")
    options = parser.parse_args()
    if options.what in ("keep", "restore"):
        if not options.file:
            parser.error(f"{options.what} needs --file")
        (keep if options.what == "keep" else restore)(options.runs, options.file)
    elif options.what == "cost":
        cost(options.runs)
    elif options.what == "classes":
        classes(read(options.runs, options.split), options.variant)
    else:
        table(read(options.runs, options.split))


if __name__ == "__main__":
    main()

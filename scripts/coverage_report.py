#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads gcovr's JSON, prints line coverage by file and folder, and lists the lines that no test runs.

Usage: coverage_report.py COVERAGE_JSON UNCOVERED_TXT LEAST_PERCENT; exit status 1 below LEAST_PERCENT in total.
"""
import json
import os
import sys


def show(name, covered, lines):
    print(f"{100 * covered / lines:6.2f} %  {covered:6d} of {lines:6d}  {name}")


def main():
    source, target, least = sys.argv[1], sys.argv[2], float(sys.argv[3])
    folders, excluded = {}, 0
    with open(source) as file:
        entries = sorted(json.load(file)["files"], key=lambda entry: entry["file"])
    with open(target, "w") as out:
        for entry in entries:
            name = entry["file"]
            with open(name) as file:
                text = file.read().split("\n")
            excluded += sum(line["gcovr/excluded"] for line in entry["lines"])
            lines = [line for line in entry["lines"] if not line["gcovr/noncode"]]
            missed = [line["line_number"] for line in lines if not line["count"]]
            out.writelines(f"{name}:{n}: {text[n - 1].strip()}\n" for n in missed)
            if lines:
                show(name, len(lines) - len(missed), len(lines))
            sums = folders.setdefault(os.path.dirname(name), [0, 0])
            sums[0] += len(lines) - len(missed)
            sums[1] += len(lines)
    print()
    for name, (covered, lines) in folders.items():
        show(name + "/", covered, lines)
    covered, lines = (sum(sums[i] for sums in folders.values()) for i in (0, 1))
    print()
    show(f"src/ (at least {least:g} %; {excluded} lines are excluded)", covered, lines)
    print(f"lines that no test runs: {target}")
    return 100 * covered < least * lines


sys.exit(main())

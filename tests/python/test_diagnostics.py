# SPDX-License-Identifier: Apache-2.0
"""Lists of classes, the build, benchmarks, parity with the reference."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, program

import icseg


def test_lists_of_classes(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("road, street\n sky\n")
    assert icseg.read_classes(tmp_path / "classes.txt") == (["road", "sky"], ["road, street", "sky"])
    names = icseg.published_classes("ade20k").names
    assert len(names) == 150 and names[0] == "wall"
    (tmp_path / "classes.txt").write_text("road\nroad\n")
    with pytest.raises(icseg.DataError, match="classes.txt: lines 1 and 2"):
        icseg.read_classes(tmp_path / "classes.txt")
    with pytest.raises(icseg.FileError):
        icseg.read_classes(tmp_path / "none.txt")
    with pytest.raises(icseg.ArgumentError, match="ade21k"):
        icseg.published_classes("ade21k")


def test_the_build_is_that_of_the_program() -> None:
    build, printed = icseg.build_info(), program("--version")
    assert build["version"] == icseg.__version__ and build["compiler"] in printed
    assert ".".join(map(str, build["onednn"])) in printed and build["train"] is True


def test_benchmarks(checkpoint: Path) -> None:
    seen: list[icseg.Progress] = []
    found = icseg.benchmark(checkpoint=checkpoint, size=64, runs=2, threads=1, callback=seen.append)
    assert found.classes == 13 and found.threads == 1 and found.precision == "f32" and found.prompt == "instance"
    assert 0 < found.min_seconds <= found.median_seconds and found.flops > 1e6 and found.layers["f32"] > 10
    assert found.profile == [] and found.profile_text == "" and "ms an image" in repr(found) and seen[-1].done == 2
    timed = icseg.benchmark("tiny-resnet", size=64, runs=1, classes=3, profile="operator", mode="train", callback=False)
    assert timed.training_bytes > 0 and timed.classes == 3 and any("conv2d" in row.name for row in timed.profile)
    assert timed.profile[0].forward + timed.profile[0].backward > 0 and "conv2d" in timed.profile_text
    for options in ({"preset": "rn5o"}, {"size": 31}, {"mode": "both"}, {"profile": "layer"}, {"runs": 2**40}):
        with pytest.raises(icseg.ArgumentError):
            icseg.benchmark(callback=False, **options)  # type: ignore[arg-type]
    with pytest.raises(icseg.CancelledError):
        icseg.benchmark("tiny-resnet", size=64, callback=lambda now: False)


def test_parity(photos: list[Path]) -> None:
    found = icseg.parity(ROOT / "tests" / "parity" / "resnet_denseclip.safetensors", threads=1, callback=False)
    assert found.failed == 0 < found.compared == sum(group.compared for group in found.groups)
    assert [group.title for group in found.groups][3] == "gradients" and found.groups[3].worst <= found.groups[3].bound
    with pytest.raises(icseg.FormatError):
        icseg.parity(photos[0], callback=False)

# SPDX-License-Identifier: Apache-2.0
"""Comparison of runs, and the file of the results of images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import icseg


@pytest.fixture()
def runs(run: Path, tmp_path: Path) -> list[Path]:
    """Two runs whose recipes differ in a seed, and one with another learning rate and only the right class of an image."""
    made = [tmp_path / name for name in ("a-0", "a-1", "b-0")]
    for folder in made:
        shutil.copytree(run, folder)
    recipe = icseg.Recipe.open(run / "recipe.yaml")
    recipe.train.seed = 1
    recipe.save(made[1] / "recipe.yaml")
    recipe.train.lr = 0.5
    recipe.save(made[2] / "recipe.yaml")
    lines = [json.loads(line) for line in (run / "images.jsonl").read_text().splitlines()]
    lines[1]["pixels"] = [[k, labelled, labelled, labelled] for k, _, labelled, _ in lines[1]["pixels"] if labelled]
    (made[2] / "images.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return made


def test_runs_are_compared_in_groups(runs: list[Path], tmp_path: Path) -> None:
    seen = []
    found = icseg.compare(runs, resamples=200, top=3, html=tmp_path / "c.html", callback=seen.append)
    a, b = found["groups"]
    assert (a["name"], len(a["runs"]), b["name"], len(b["runs"])) == ("a", 2, "b-0", 1)
    assert b["settings"] == {"train.lr": "0.5"} and a["difference"] is None
    miou = b["difference"]["miou"]
    assert 0 <= miou["low"] <= miou["value"] <= miou["high"] and miou["above"] > 0.5
    assert miou["value"] == pytest.approx(b["scores"]["miou"]["mean"] - a["scores"]["miou"]["mean"], abs=1e-8)
    assert [image["value"] for image in b["images"]] == [1.0]
    assert "Validation mIoU" in (tmp_path / "c.html").read_text()
    assert seen[-1].stage == "resample" and seen[-1].done == 600


def test_the_scores_are_those_of_an_evaluation(run: Path, data: Path, tmp_path: Path) -> None:
    metrics = icseg.evaluate(run / "checkpoint.safetensors", data, images=tmp_path / "images.jsonl")
    (of_run,) = icseg.compare([run], resamples=100)["groups"][0]["runs"]
    assert of_run["miou"] == pytest.approx(metrics.miou, abs=1e-8) and of_run["step"] == 12
    iou = np.array([np.nan if value is None else value for value in of_run["iou"]])
    np.testing.assert_allclose(iou, metrics.iou, atol=1e-8)
    written, made = ((folder / "images.jsonl").read_text() for folder in (tmp_path, run))
    assert written == made.replace('"step": 12, ', "")


def test_runs_that_cannot_be_compared(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(icseg.ArgumentError, match="does not contain a run"):
        icseg.compare([tmp_path])
    with pytest.raises(icseg.ArgumentError, match="expected 1 to 64"):
        icseg.compare([])
    with pytest.raises(icseg.ArgumentError, match="train.lr"):
        icseg.compare(runs, ignore=["train.lrr"])
    with pytest.raises(icseg.ArgumentError, match="not one of the runs"):
        icseg.compare(runs, baseline=tmp_path)
    text = (runs[0] / "images.jsonl").read_text()
    (runs[0] / "images.jsonl").write_text(text[:-5])
    with pytest.raises(icseg.FormatError, match=r"images\.jsonl"):
        icseg.compare(runs)
    (runs[0] / "images.jsonl").unlink()
    with pytest.raises(icseg.FileError, match="is missing"):
        icseg.compare(runs)


def test_a_page_that_cannot_be_written_is_a_file_error(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(icseg.FileError, match="missing"):
        icseg.compare(runs, resamples=100, html=tmp_path / "missing" / "c.html")

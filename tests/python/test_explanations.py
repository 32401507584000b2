# SPDX-License-Identifier: Apache-2.0
"""icseg.explain: its maps against those of the model, its files, two models, wrong arguments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import icseg
from conftest import program


@pytest.fixture(scope="session")
def static(data: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same classes whose prompts do not depend on the image."""
    folder = tmp_path_factory.mktemp("static") / "run"
    program("train", recipe_file, "--out", folder, "--set", "train.steps=1", "--set", "model.prompt=static",
            "--set", "train.warmup=0")
    return folder / "checkpoint.safetensors"


def test_maps_are_those_of_the_model(model: icseg.Model, photos: list[Path], tmp_path: Path) -> None:
    found = icseg.explain(tmp_path / "new" / "out", model, {"a": photos[0], "b": photos[1]}, top=2)
    assert sorted(found) == ["a", "b"]
    maps = {(each.kind, each.stride, each.number): each for each in found["b"]}
    result = model(photos[1])
    assert (maps["labels", 0, -1].values == result.labels).all()
    assert (maps["confidence", 0, -1].values == result.confidence).all()
    p = model.probabilities(photos[1])
    entropy = -(p * np.log(np.maximum(p, 1e-30))).sum(-1) / np.log(model.num_classes)
    assert np.allclose(maps["entropy", 0, -1].values, entropy, atol=1e-4)
    scores = [key for key in maps if key[0] == "score"]
    assert len(scores) == 6
    for _, stride, index in scores:
        assert (maps["score", stride, index].values == model.scores(photos[1], stride)[:, :, index]).all()
    attention = model.prompt_attention(photos[1])
    for token, values in enumerate(attention):
        each = maps["attention", 0, token]
        assert (each.values == values).all() and each.global_share + values.sum() == pytest.approx(1, abs=1e-6)
    assert all(Path(each.path).read_bytes().startswith(b"\x89PNG") for each in found["a"] + found["b"])
    page = (tmp_path / "new" / "out" / "index.html").read_text()
    assert "<h2>a</h2>" in page and "<h2>b</h2>" in page


def test_two_models(model: icseg.Model, static: Path, photos: list[Path], tmp_path: Path) -> None:
    other = icseg.load(static, threads=1)
    photo = np.asarray(icseg.read_image(photos[0]))
    found = icseg.explain(tmp_path, model, {"a": photo}, against=other, names=["x<1", "y"], classes=["sky"], title="T")
    labels = [each.values for each in found["a"] if each.kind == "labels"]
    assert (labels[0] == model(photo).labels).all() and (labels[1] == other(photo).labels).all()
    assert {each.number for each in found["a"] if each.kind == "score"} == {0}
    assert not [each for each in found["a"] if each.kind == "attention" and each.model == 1]
    page = (tmp_path / "index.html").read_text()
    assert "x&lt;1 and y" in page and "<h1>T</h1>" in page
    same = icseg.explain(tmp_path, model, {"a": photo}, against=model)
    assert len([each for each in same["a"] if each.kind == "labels"]) == 2


def test_wrong_arguments(model: icseg.Model, static: Path, photos: list[Path], tmp_path: Path) -> None:
    with pytest.raises(icseg.ArgumentError, match="did you mean sky"):
        icseg.explain(tmp_path, model, {"a": photos[0]}, classes=["skye"])
    with pytest.raises(icseg.ArgumentError, match="2 for 1 models"):
        icseg.explain(tmp_path, model, {"a": photos[0]}, names=["a", "b"])
    with pytest.raises(icseg.ArgumentError, match="top"):
        icseg.explain(tmp_path, model, {"a": photos[0]}, top=0)
    with pytest.raises(icseg.FileError):
        icseg.explain(tmp_path, model, {"a": tmp_path / "none.jpg"})
    with pytest.raises(icseg.ArgumentError, match="do not read positions"):
        icseg.load(static, threads=1).prompt_attention(photos[0])

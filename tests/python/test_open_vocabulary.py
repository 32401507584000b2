# SPDX-License-Identifier: Apache-2.0
"""Segmentation without training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, program

import icseg

CLIP = ROOT / "tests" / "parity" / "open_patch16.safetensors"  # a small CLIP, whose text encoder reads bytes
CLASSES = ["sky", "grass", "person, man, woman"]


def opened(**options: object) -> icseg.Model:
    settings: dict[str, object] = {"templates": ["{}"], "activation": "quick_gelu", "cache": False, "threads": 1}
    return icseg.open_vocabulary(CLIP, CLASSES, **{**settings, **options})  # type: ignore[arg-type]


def test_results_are_those_of_the_program(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "templates.txt").write_text("{}\n")
    program("segment", CLIP, photos[0], "--classes", "; ".join(CLASSES), "--templates", tmp_path / "templates.txt",
            "--activation", "quick_gelu", "--no-cache", "--out", tmp_path, "--confidence")
    with opened() as model:
        result = model(photos[0])
        theirs = icseg.read_labels(tmp_path / f"{photos[0].stem}.png")
        assert (np.asarray(theirs) == result.labels).all()
        assert model.class_names == ["sky", "grass", "person"] and model.num_classes == 3
        assert model.eval_options.mode == "slide" and model.eval_options.resize_short == 336
        info = model.open_vocabulary
        assert info and info.method == "naclip" and info.word_count == 5 and info.background == -1 and not info.cached
        assert "ViT" in info.summary and result.confidence is not None
        with model.clone() as other:
            assert (other(photos[0]).labels == result.labels).all()
        with pytest.raises(icseg.UnsupportedError, match="cannot be saved"):
            model.save(tmp_path / "model.safetensors")


def test_options(photos: list[Path], tmp_path: Path) -> None:
    with opened(method="sclip", background="wall, floor", threshold=0.9, cache=tmp_path / "cache") as model:
        assert model.class_names[0] == "background" and (model(photos[0]).labels == 0).any()
    with opened(method="sclip", background="wall, floor", cache=tmp_path / "cache") as model:
        assert model.open_vocabulary and model.open_vocabulary.cached
    with icseg.open_vocabulary(CLIP, "sky; grass;", templates="simple", activation="quick_gelu", cache=False) as model:
        plain = model(photos[0], options=icseg.EvalOptions())
        refined = model(photos[0], options=icseg.EvalOptions(refine="pamr"))
        assert model.class_names == ["sky", "grass"] and plain.labels.shape == refined.labels.shape


def test_a_trained_model_has_no_vocabulary(model: icseg.Model, photos: list[Path]) -> None:
    assert model.open_vocabulary is None
    assert model(photos[0], options=icseg.EvalOptions(refine="pamr")).labels.shape == model(photos[0]).labels.shape


def test_evaluation(data: Path) -> None:
    dataset = icseg.Dataset(data)
    model = icseg.open_vocabulary(CLIP, dataset.class_names, templates=["{}"], activation="quick_gelu", cache=False)
    assert 0 <= icseg.evaluate(model, dataset).miou <= 1


@pytest.mark.parametrize("classes, options, error, match", [
    ([], {}, icseg.ArgumentError, "class_names is empty"),
    (["sky"], {}, icseg.ArgumentError, "one class: every pixel would be"),
    (["sky", ""], {}, icseg.ArgumentError, "the name of class 1"),
    (["sky", "sky"], {}, icseg.ArgumentError, "two classes are called"),
    (["sky", "x" * 300], {}, icseg.ArgumentError, "the name of class 1"),
    (["sky", "dog"], {"method": "dino"}, icseg.ArgumentError, "method: 'dino'"),
    (["sky", "dog"], {"threshold": 0.5}, icseg.ArgumentError, "words of the background"),
    (["sky", "dog"], {"templates": ["x"]}, icseg.ArgumentError, "{}"),
    (["sky", "dog"], {"cache": 3}, icseg.ArrayTypeError, "cache: int"),
])
def test_bad_input(classes: list[str], options: dict[str, object], error: type[Exception], match: str) -> None:
    settings: dict[str, object] = {"templates": ["{}"], "activation": "quick_gelu", "cache": False}
    with pytest.raises(error, match=match):
        icseg.open_vocabulary(CLIP, classes, **{**settings, **options})  # type: ignore[arg-type]


def test_the_wrong_kind_of_file(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(icseg.ArgumentError, match="trained for its classes, not CLIP"):
        icseg.open_vocabulary(checkpoint, ["sky", "dog"], cache=False)
    with pytest.raises(icseg.FileError, match="none.pt"):
        icseg.open_vocabulary(tmp_path / "none.pt", ["sky", "dog"])
    with pytest.raises(icseg.FormatError):
        icseg.load(CLIP)
    with pytest.raises(icseg.ArgumentError, match="refine"):
        icseg.EvalOptions(refine="x").to_struct()

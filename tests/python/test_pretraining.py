# SPDX-License-Identifier: Apache-2.0
"""Pretraining on pairs of images and captions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import icseg

COLORS = {"red": (220, 30, 30), "green": (20, 200, 40), "blue": (30, 40, 220), "white": (235, 235, 235)}
RECIPE = {
    "model": {"preset": "tiny-resnet"},
    "pretrain": {"steps": 4, "batch": 4, "warmup": 1, "lr": 1e-3, "eval_every": 0, "log_every": 1, "threads": 1},
}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = tmp_path / "pairs"
    folder.mkdir()
    with (folder / "captions.jsonl").open("w") as lines:
        for i in range(12):
            name = list(COLORS)[i % len(COLORS)]
            image = np.full((40, 48, 3), COLORS[name], np.uint8)
            image[::2] //= 2
            icseg.write_image(folder / f"{i}.png", image)
            lines.write(json.dumps({"image": f"{i}.png", "caption": f"a photo of a {name}", "class": name}) + "\n")
    return folder


def test_a_run_and_its_weights(pairs: Path, tmp_path: Path) -> None:
    seen: list[icseg.Progress] = []
    made = icseg.pretrain(RECIPE, pairs, tmp_path / "run", val_pairs=pairs, callback=seen.append)
    assert made.steps == 4 and made.loss is not None and 0 < made.loss < 20 and 10 < made.logit_scale <= 100.001
    assert made.broken == made.cut == 0 and made.weights.is_file() and (made.path / "report.html").is_file()
    scores = made.scores
    assert scores is not None and scores.pairs == 12 and scores.zero_shot is not None and 0 <= scores.zero_shot <= 1
    assert list(scores.image_to_text) == [1, 5, 10] and scores.text_to_image[10] >= scores.text_to_image[1]
    assert {event.stage for event in seen} >= {"pretrain", "evaluate"}
    with icseg.clip.Classifier(made.weights, list(COLORS)) as classifier:
        assert classifier(pairs / "0.png")


def test_stopping_and_resuming(pairs: Path, tmp_path: Path) -> None:
    whole = icseg.pretrain(RECIPE, pairs, tmp_path / "whole", callback=False)
    assert whole.scores is None

    def stop(event: icseg.Progress) -> bool:
        return event.stage != "pretrain" or event.done < 2

    with pytest.raises(icseg.CancelledError, match="can be resumed"):
        icseg.pretrain(RECIPE, pairs, tmp_path / "run", callback=stop)
    with pytest.raises(icseg.ArgumentError, match="already contains a run"):
        icseg.pretrain(RECIPE, pairs, tmp_path / "run", callback=False)
    made = icseg.pretrain(RECIPE, pairs, tmp_path / "run", resume=True, callback=False)
    assert made.weights.read_bytes() == whole.weights.read_bytes()
    done = icseg.pretrain(RECIPE, pairs, tmp_path / "run", resume=True, callback=False)
    assert done.steps == 4 and done.loss is None


def test_starting_from_weights(pairs: Path, tmp_path: Path) -> None:
    first = icseg.pretrain(RECIPE, pairs, tmp_path / "first", callback=False)
    recipe = icseg.Recipe("tiny-resnet", pretrain={**RECIPE["pretrain"], "freeze_text": True})
    second = icseg.pretrain(recipe, pairs, tmp_path / "second", init_weights=first.weights, callback=False)
    assert recipe["model.init"] == ""  # the caller's recipe is not changed
    one, two = icseg.load_tensors(first.weights), icseg.load_tensors(second.weights)
    assert np.array_equal(one["token_embedding.weight"], two["token_embedding.weight"])
    assert not np.array_equal(one["visual.conv1.weight"], two["visual.conv1.weight"])


def test_mistakes(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(icseg.ArgumentError, match="out"):
        icseg.pretrain(RECIPE, pairs)
    with pytest.raises(icseg.ArgumentError, match="pretrain.pairs: is not set"):
        icseg.pretrain(RECIPE, out=tmp_path / "run", callback=False)
    with pytest.raises(icseg.Error, match="no such file or folder"):
        icseg.pretrain(RECIPE, tmp_path / "nowhere", tmp_path / "run", callback=False)
    with pytest.raises(icseg.ArgumentError, match="pretrain.batch"):
        icseg.pretrain({**RECIPE, "pretrain": {"batch": 1}}, pairs, tmp_path / "run2", callback=False)

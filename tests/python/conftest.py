# SPDX-License-Identifier: Apache-2.0
"""A small data set and a checkpoint, made once, and the program."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import icseg

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPE = """
model: {preset: tiny-resnet, resnet_width: 4, context_length: 40}
data: {folder: FOLDER}
augment: {crop: [64, 64], resize_short: 0}
train: {steps: 12, batch: 2, lr: 2e-3, backbone_lr_mult: 1, warmup: 2, eval_every: 0, threads: 1}
eval: {resize_short: 0}
"""


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings of texts are not kept in the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def program(*arguments: object, status: int = 0) -> str:
    """Runs `python -m icseg` with one thread, and returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "icseg", *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 6 + 4 generated scenes."""
    folder = tmp_path_factory.mktemp("synth") / "data"
    program("synth", folder, "--images", 10, "--val", 4, "--size", "96x64")
    return folder


@pytest.fixture(scope="session")
def recipe_file(data: Path) -> Path:
    path = data.parent / "recipe.yaml"
    path.write_text(RECIPE.replace("FOLDER", str(data)))
    return path


@pytest.fixture(scope="session")
def run(data: Path, recipe_file: Path) -> Path:
    """A finished training run of a tiny model, by the program."""
    program("train", recipe_file, "--out", data.parent / "run")
    return data.parent / "run"


@pytest.fixture(scope="session")
def checkpoint(run: Path) -> Path:
    return run / "checkpoint.safetensors"


@pytest.fixture
def model(checkpoint: Path) -> icseg.Model:
    return icseg.load(checkpoint, threads=1)


@pytest.fixture(scope="session")
def photos(data: Path) -> list[Path]:
    return sorted(data.glob("images/*/*.jpg"))

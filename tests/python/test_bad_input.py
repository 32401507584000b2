# SPDX-License-Identifier: Apache-2.0
"""Bad input is an exception with a sentence, never a crash."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import icseg

BYTES = np.zeros((32, 40, 3), np.uint8)


@pytest.mark.parametrize(
    ("image", "kind", "words"),
    [
        (np.zeros((), np.uint8), ValueError, r"0 axes; an image has the shape \(height, width\)"),
        (np.zeros(5, np.uint8), ValueError, "1 axes"),
        (np.zeros((2, 32, 40, 3), np.uint8), ValueError, "4 axes.*pass several images as a list"),
        (BYTES.astype(np.float32), TypeError, "array of float32; expected uint8.*convert it"),
        (BYTES.astype(np.int64), TypeError, "array of int64"),
        (BYTES.astype(bool), TypeError, "array of bool"),
        (BYTES.astype(object), TypeError, "array of object"),
        (BYTES.astype(np.complex64), TypeError, "array of complex64"),
        (np.zeros((3, 32, 40), np.uint8), ValueError, r"shape \(3, 32, 40\).*move the channels to the last axis"),
        (np.zeros((32, 40, 5), np.uint8), ValueError, "the last axis has the channels"),
        (np.zeros((32, 40, 0), np.uint8), ValueError, "the last axis has the channels"),
        (np.zeros((32, 40, 4), np.uint16), ValueError, "uint16 arrays have 1 or 3 channels"),
        (np.zeros((0, 40, 3), np.uint8), ValueError, r"shape \(0, 40, 3\); an image has at least one pixel"),
        (np.zeros((32, 0), np.uint8), ValueError, "at least one pixel"),
        (np.broadcast_to(np.uint8(0), (32769, 2)), ValueError, "at most 32768 pixels a side"),
        (np.broadcast_to(np.uint8(0), (32768, 32768)), ValueError, "at most 32768 pixels a side and 268435456 in all"),
        (None, TypeError, "NoneType; expected a path"),
        (7, TypeError, "int; expected a path"),
        ({"a": 1}, TypeError, "dict; expected a path"),
        (b"", ValueError, "no bytes"),
        (b"not an image", ValueError, "not an image that icseg can read"),
        ("none.jpg", OSError, "^none.jpg: cannot open: No such file"),
        ("", ValueError, "the path is empty; name a file"),
        ("a\0b.jpg", ValueError, "null character"),
        (Image.new("F", (8, 8)), TypeError, "floating-point values"),
    ],
    ids=str,
)
def test_images(model: icseg.Model, image: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(icseg.Error, match=words) as caught:
        model(image)
    assert isinstance(caught.value, kind)
    with pytest.raises(icseg.Error, match=words):
        list(model.predict([BYTES, image]))


def test_a_folder(model: icseg.Model, tmp_path: Path) -> None:
    with pytest.raises(icseg.FileError, match="a folder, not an image") as caught:
        model(tmp_path)
    assert caught.value.file == str(tmp_path)
    with pytest.raises(OSError, match="a folder, not a checkpoint"):
        icseg.load(tmp_path)


def test_a_damaged_file(model: icseg.Model, photos: list[Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photos[0].read_bytes()[:900])
    with pytest.raises(icseg.FormatError) as caught:
        model(cut)
    assert caught.value.file == str(cut) and str(caught.value).startswith(str(cut))
    with pytest.raises(icseg.FormatError):
        model(photos[0].read_bytes()[:900])


def test_files_that_are_not_checkpoints(tmp_path: Path, photos: list[Path]) -> None:
    with pytest.raises(icseg.FileError, match="No such file") as caught:
        icseg.load(tmp_path / "none.safetensors")
    assert isinstance(caught.value, OSError) and caught.value.file == str(tmp_path / "none.safetensors")
    with pytest.raises(icseg.FormatError) as damaged:
        icseg.load(photos[0])
    assert isinstance(damaged.value, ValueError) and damaged.value.file == str(photos[0])


def test_options(checkpoint: Path, model: icseg.Model) -> None:
    with pytest.raises(icseg.ArgumentError, match="precision: 'f64' is not one of 'f32'") as caught:
        icseg.load(checkpoint, precision="f64")
    assert caught.value.field == "precision"
    with pytest.raises(icseg.ArgumentError, match="threads"):
        icseg.load(checkpoint, threads=-1)
    with pytest.raises(icseg.ArgumentError, match="calibrat") as calibrate:
        icseg.load(checkpoint, precision="int8")
    assert calibrate.value.field == "precision" and calibrate.value.remedy == "icseg.calibrate()"
    assert "--" not in str(calibrate.value)
    bad: list[dict[str, Any]] = [
        {"mode": "both"},
        {"resize_short": -1},
        {"scales": (1.0,) * 9},
        {"scales": (1000.0,)},
        {"mode": "slide", "crop": (64, 64), "stride": (65, 64)},
    ]
    for options in bad:
        with pytest.raises(icseg.ArgumentError):
            model(BYTES, options=icseg.EvalOptions(**options))
    with pytest.raises(icseg.ArgumentError, match="batch_size is 0"):
        model.predict([BYTES], batch_size=0)


def test_results(model: icseg.Model, tmp_path: Path) -> None:
    result = model(BYTES, confidence=False)
    with pytest.raises(icseg.ArgumentError, match="no confidence"):
        result.confidence
    with pytest.raises(icseg.ArgumentError, match="ends in .png"):
        result.save(tmp_path / "x.jpg")
    with pytest.raises(icseg.FileError, match="none/x.png"):
        result.save(tmp_path / "none" / "x.png")
    with pytest.raises(icseg.ArgumentError, match="opacity is 2"):
        result.overlay(opacity=2)
    with pytest.raises(icseg.ArgumentError, match="not a class"):
        result.mask("nothing")
    with pytest.raises(icseg.ArgumentError, match="not a class"):
        result.mask(13)
    with pytest.raises(icseg.ArgumentError, match="cocoa"):
        result.encode("cocoa")
    with pytest.raises(icseg.ArgumentError, match="tolerance"):
        result.to_coco(tolerance=-1)


def test_a_closed_model(checkpoint: Path) -> None:
    model = icseg.load(checkpoint, threads=1)
    kept = model(BYTES)
    twin = model.clone()
    stream = model.predict([BYTES] * 20)
    next(stream)
    model.close()
    model.close()
    assert model.closed and "closed" in repr(model)
    for use in (lambda: model(BYTES), lambda: model.predict([]), lambda: model.clone(), lambda: model.save("x"),
                lambda: list(stream)):
        with pytest.raises(icseg.ClosedError, match="the model is closed") as caught:
            use()
        assert isinstance(caught.value, ValueError)
    assert kept.labels.shape == (32, 40) and kept.confidence.max() <= 1 and kept._repr_png_()
    assert (twin(BYTES).labels == kept.labels).all()
    with icseg.load(checkpoint, threads=1) as entered:
        pass
    with pytest.raises(icseg.ClosedError):
        entered(BYTES)


def test_exceptions_can_be_pickled(model: icseg.Model) -> None:
    for bad in ("none.jpg", b"x", BYTES.astype(float)):
        with pytest.raises(icseg.Error) as caught:
            model(bad)
        again = pickle.loads(pickle.dumps(caught.value))
        assert type(again) is type(caught.value) and str(again) == str(caught.value)
        assert again.file == caught.value.file

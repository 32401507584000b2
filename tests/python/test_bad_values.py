# SPDX-License-Identifier: Apache-2.0
"""Values that ctypes would cut or that Python would take for something else are refused, not computed with."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from PIL import Image

import icseg

BYTES = np.zeros((32, 40, 3), np.uint8)
BIG = 2**32 + 64


@pytest.mark.parametrize(
    ("use", "kind", "words"),
    [
        (lambda m: m(BYTES, options=icseg.EvalOptions(resize_short=BIG)), ValueError, "resize_short is 4294967360"),
        (lambda m: m(BYTES, options=icseg.EvalOptions(resize_short="64")), TypeError, "^resize_short: "),
        (lambda m: m(BYTES, options={"flip": True}), TypeError, "options: dict; expected an icseg.EvalOptions"),
        (lambda m: icseg.EvalOptions(crop=64), ValueError, "crop is 64; expected two numbers"),
        (lambda m: icseg.EvalOptions(stride=(1, 2, 3)), ValueError, r"stride is \(1, 2, 3\); expected two numbers"),
        (lambda m: icseg.EvalOptions(scales=2.0), ValueError, "scales is 2.0; expected factors"),
        (lambda m: icseg.EvalOptions(scales=("1",)), ValueError, r"scales is \('1',\)"),
        (lambda m: m.clone(threads=2**40), ValueError, "threads is 1099511627776"),
        (lambda m: m.clone(threads=1.5), TypeError, "^threads: "),
        (lambda m: m.clone(precision=["f32"]), ValueError, "precision: .* is not one of"),
        (lambda m: m.cost(BIG, 64), ValueError, "height is 4294967360"),
        (lambda m: m.cost(64, 64.0), TypeError, "width: float; expected a whole number"),
        (lambda m: m.prepare(64, BIG), ValueError, "width is 4294967360"),
        (lambda m: m.top(BYTES, 2**40), ValueError, "k is 1099511627776"),
        (lambda m: m.top(BYTES, 1.5), TypeError, "k: float"),
        (lambda m: m.scores(BYTES, [8]), ValueError, r"stride is \[8\]"),
        (lambda m: m.predict([BYTES], batch_size=1.5), TypeError, "batch_size: float"),
        (lambda m: m.predict(BYTES), TypeError, "images: one ndarray; pass a list"),
        (lambda m: m.predict("photo.jpg"), TypeError, "images: one str; pass a list"),
        (lambda m: m.predict(None), TypeError, "images: one NoneType; pass a list"),
        (lambda m: icseg.calibrate(m, BYTES), TypeError, "images: one ndarray; pass a list"),
        (lambda m: m(BYTES).mask(True), ValueError, "True is not a class"),
        (lambda m: m(BYTES).overlay(opacity="1"), ValueError, "opacity is '1'"),
        (lambda m: m(BYTES).save(""), ValueError, "^the path is empty; name a file"),
        (lambda m: m(BYTES).save(3), TypeError, "3 is not a path"),
        (lambda m: m(BYTES).to_coco(name="a\0b"), ValueError, "name: 'a.x00b' contains a null character"),
        (lambda m: m(BYTES).to_coco(name="\ud800"), ValueError, "name: .* surrogates not allowed"),
        (lambda m: m(BYTES).to_coco(min_area=2**70), ValueError, "min_area is 1180591620717411303424"),
        (lambda m: m(BYTES).to_coco(background=5), TypeError, "background: int; expected a string"),
        (lambda m: m(BYTES).encode("co\0co"), ValueError, "format: 'co.x00co' contains a null character"),
        (lambda m: m("\ud800.jpg"), TypeError, "is not a path"),
        (lambda m: m(memoryview(BYTES)[::2]), ValueError, "image: its bytes cannot be read"),
        (lambda m: icseg.load(None), TypeError, "None is not a path"),
        (lambda m: icseg.load(b"none.safetensors"), OSError, "^none.safetensors: cannot open"),
        (lambda m: icseg.create(["a"], preset="tiny-resnet", config={"nokey": 1}), ValueError, "config: 'nokey' is not"),
        (lambda m: icseg.create("ab", preset="tiny-resnet"), TypeError, "class_names: one string; pass a list"),
        (lambda m: icseg.Recipe.from_text(None), TypeError, "yaml: NoneType; expected a string"),
        (lambda m: icseg.Recipe().update({"data.folder": b"x"}), ValueError, "data.folder: b'x' is not a value"),
        (lambda m: icseg.synth.write("none", train=-1), ValueError, "train is -1"),
        (lambda m: icseg.synth.write("none", seed=2**70), ValueError, "seed is 1180591620717411303424"),
        (lambda m: icseg.Metrics(np.array([[0.5]])), ValueError, "whole number"),
        (lambda m: icseg.Metrics(np.array([[-1]])), ValueError, "whole number"),
        (lambda m: icseg.Metrics(np.array([[np.nan]])), ValueError, "whole number"),
        (lambda m: icseg.clip.Tokenizer(kind="bytes").decode([2**40]), ValueError, "ids is 1099511627776"),
        (lambda m: icseg.Video("/dev/none", size=640), ValueError, r"size is 640; expected \(width, height\)"),
        (lambda m: icseg.VideoWriter("none/a.mp4", BIG, 64, 10), ValueError, "width is 4294967360"),
    ],
)
def test_values(model: icseg.Model, use: Callable[[icseg.Model], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(icseg.Error, match=words) as caught:
        use(model)
    assert isinstance(caught.value, kind)


def test_numbers_of_data_sets(data: Path) -> None:
    for options in ({"ignore": [2**32]}, {"bands": [2**40]}, {"bands": [0]}, {"map": 5}, {"split": None}):
        with pytest.raises(icseg.ArgumentError, match=next(iter(options))):
            icseg.Dataset(data, **options)  # type: ignore[arg-type]


def test_features_that_are_not_finite(checkpoint: Path) -> None:
    clip = icseg.clip.load(checkpoint, threads=1)
    with pytest.raises(icseg.ArgumentError, match="features: a value is not finite"):
        clip.classifier(["a"]).score(np.full(clip.channels, np.nan, np.float32))
    with pytest.raises(icseg.ArrayTypeError, match="class_names: one string"):
        clip.classifier("cat")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_a_transparent_colour_of_a_pil_image(model: icseg.Model, mode: str) -> None:
    values = np.random.default_rng(0).integers(0, 3, (40, 48, 3)).astype(np.uint8) * 100
    grey = values[:, :, 0]
    image, colour = {
        "1": (Image.fromarray(grey).convert("1"), 1),
        "L": (Image.fromarray(grey), 100),
        "P": (Image.fromarray(values).quantize(8), 3),
        "RGB": (Image.fromarray(values), (100, 0, 200)),
        "I;16": (Image.fromarray(grey.astype(np.uint16) * 300), 30000),
    }[mode]
    file = io.BytesIO()
    image.save(file, "PNG", transparency=colour)
    read = Image.open(io.BytesIO(file.getvalue()))
    assert "transparency" in read.info
    assert (model(read).image == model(file.getvalue()).image).all()


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "I", "LA", "La", "PA", "RGBX", "RGBa", "I;16B"])
def test_every_mode_of_a_pil_image(model: icseg.Model, mode: str) -> None:
    assert model(Image.new(mode, (40, 36))).labels.shape == (36, 40)


def test_pil_images_that_cannot_be_read(model: icseg.Model, photos: list[Path]) -> None:
    with pytest.raises(icseg.FormatError, match="image: Pillow cannot read it: .*truncated"):
        model(Image.open(io.BytesIO(photos[0].read_bytes()[:900])))
    image = Image.open(photos[0])
    image.close()
    with pytest.raises(icseg.FormatError, match="Pillow cannot read it"):
        model(image)


def test_kinds_of_arrays(model: icseg.Model) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    deep = pixels[:, :, 0].astype(np.uint16) * 257
    unaligned = np.frombuffer(b"\0" + deep.tobytes(), np.uint8)[1:].view(np.uint16).reshape(deep.shape)
    for array in (deep.astype(">u2"), unaligned):
        assert (model(array).labels == model(deep).labels).all()
    assert (model(np.broadcast_to(pixels[0], pixels.shape)).image == pixels[0]).all()
    assert (model(np.ma.masked_equal(pixels, 3)).image == pixels).all()
    batch = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    shifted = np.frombuffer(b"\0" + batch.tobytes(), np.uint8)[1:].view(np.float32).reshape(batch.shape)
    assert not shifted.flags.aligned and (model.logits(shifted) == model.logits(batch)).all()

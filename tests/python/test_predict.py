# SPDX-License-Identifier: Apache-2.0
"""Results are those of the program, bit by bit, for images of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import program
from PIL import Image

import icseg


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with some noise, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (7 + 5 * k) + k) + np.cos(y / (11 - 2 * k) - k) for k in range(3)]
    values = 127 + 50 * np.stack(waves, -1) + random.normal(0, 8, (height, width, 3))
    return values.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, photos: list[Path]) -> list[Path]:
    """Twenty image files of every kind."""
    folder = tmp_path_factory.mktemp("kinds")
    rgb = Image.fromarray(scene(80, 56))
    alpha = Image.fromarray(np.dstack([scene(64, 48, 1), np.arange(64 * 48).reshape(48, 64) % 256]).astype(np.uint8))
    deep = (scene(72, 40, 2).astype(np.uint16) * 250 + 99).astype(np.uint16)
    rgb.save(folder / "rgb.png")
    rgb.save(folder / "rgb.jpg", quality=90)
    rgb.save(folder / "progressive.jpg", progressive=True)
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.convert("L").save(folder / "grey.png")
    rgb.convert("L").save(folder / "grey.jpg")
    rgb.convert("1").save(folder / "bits.png")
    rgb.quantize(64).save(folder / "palette.png")
    alpha.save(folder / "alpha.png")
    alpha.convert("LA").save(folder / "grey_alpha.png")
    Image.fromarray(deep[:, :, 0]).save(folder / "deep.png")
    Image.fromarray(deep[:, :, 0]).save(folder / "deep.tif")
    rgb.save(folder / "rgb.tif")
    rgb.save(folder / "rgb.bmp")
    rgb.save(folder / "rgb.webp", lossless=True)
    for turn in (3, 6):
        exif = Image.Exif()
        exif[0x0112] = turn
        rgb.save(folder / f"turned{turn}.jpg", exif=exif)
    Image.fromarray(scene(1, 1)).save(folder / "one.png")
    Image.fromarray(scene(7, 3)).save(folder / "tiny.png")
    Image.fromarray(scene(4000, 64)).save(folder / "wide.jpg")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory, files: list[Path], checkpoint: Path
) -> dict[str, tuple[bytes, bytes]]:
    """The program's label map and confidences of each image: the bytes of its files."""
    made = {}
    for file in files:  # some differ in their extension only
        out = tmp_path_factory.mktemp("out")
        program("predict", checkpoint, file, "--out", out, "--confidence", "--quiet")
        made[file.name] = (out / f"{file.stem}.png").read_bytes(), (out / f"{file.stem}_confidence.png").read_bytes()
    return made


def same(result: icseg.Result, expected: tuple[bytes, bytes], folder: Path) -> bool:
    """Whether the files of labels and confidences are the program's, byte by byte."""
    result.save(folder / "labels.png")
    result.save_confidence(folder / "confidence.png")
    return (
        (folder / "labels.png").read_bytes() == expected[0]
        and (folder / "confidence.png").read_bytes() == expected[1]
        and bool((np.asarray(Image.open(folder / "labels.png")) == result.labels).all())
    )

SLIDE = icseg.EvalOptions(mode="slide", crop=(64, 64), stride=(32, 32), flip=True)


def test_there_are_twenty_files(files: list[Path]) -> None:
    assert len(files) == 20


def test_paths_one_by_one(
    files: list[Path], expected: dict[str, tuple[bytes, bytes]], model: icseg.Model, tmp_path: Path
) -> None:
    assert [f.name for f in files if not same(model(f), expected[f.name], tmp_path)] == []


def test_bytes(files: list[Path], expected: dict[str, tuple[bytes, bytes]], model: icseg.Model, tmp_path: Path) -> None:
    assert [f.name for f in files if not same(model(f.read_bytes()), expected[f.name], tmp_path)] == []


@pytest.mark.parametrize("batch_size", [1, 3, 8, 64])
def test_a_stream(
    batch_size: int, files: list[Path], expected: dict[str, tuple[bytes, bytes]], model: icseg.Model, tmp_path: Path
) -> None:
    results = list(model.predict((f for f in files), batch_size))
    assert [r.name for r in results] == [str(f) for f in files]
    assert [r.name for r in results if not same(r, expected[Path(r.name).name], tmp_path)] == []


def test_pil_images_and_arrays(
    files: list[Path], expected: dict[str, tuple[bytes, bytes]], model: icseg.Model, tmp_path: Path
) -> None:
    lossless = [f for f in files if f.suffix in (".png", ".tif", ".bmp", ".webp")]
    assert [f.name for f in lossless if not same(model(Image.open(f)), expected[f.name], tmp_path)] == []
    arrays = [f for f in lossless if Image.open(f).mode in ("RGB", "L", "RGBA", "LA", "I;16", "I;16B")]
    assert len(arrays) >= 9
    for f in arrays:
        assert same(model(np.asarray(Image.open(f))), expected[f.name], tmp_path), f.name


def test_a_pil_image_is_turned_upright(files: list[Path], model: icseg.Model) -> None:
    turned = next(f for f in files if f.name == "turned6.jpg")
    result = model(Image.open(turned))
    assert (result.width, result.height) == (56, 80) == (model(turned).width, model(turned).height)


def test_layouts_of_arrays_do_not_matter(model: icseg.Model) -> None:
    pixels = scene(48, 40)
    wanted = model(pixels)
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 20:68] = pixels
    frozen = pixels.copy()
    frozen.flags.writeable = False
    kinds = {
        "rows with a stride": wide[:, 20:68],
        "Fortran order": np.asfortranarray(pixels),
        "not contiguous": np.repeat(pixels, 2, axis=1)[:, ::2],
        "backwards": pixels[::-1, ::-1][::-1, ::-1],
        "upside down in memory": np.ascontiguousarray(pixels[::-1])[::-1],
        "read-only": frozen,
        "opaque RGBA": np.dstack([pixels, np.full((40, 48), 255, np.uint8)]),
        "channels first in memory": np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0),
        "bands of a larger array": np.dstack([pixels, pixels])[:, :, :3],
    }
    for name, array in kinds.items():
        result = model(array)
        assert (result.labels == wanted.labels).all() and (result.confidence == wanted.confidence).all(), name
        assert (result.image == pixels).all(), name
    grey = pixels[:, :, 0]
    same_grey = model(np.dstack([grey] * 3))
    for array in (grey, grey[:, :, None]):
        assert (model(array).confidence == same_grey.confidence).all()


def test_arrays_are_not_copied_if_their_pixels_follow_each_other(model: icseg.Model) -> None:
    wide = np.zeros((40, 100, 3), np.uint8)
    for array in (scene(48, 40), wide[:, 20:68], wide[5:30], np.zeros((40, 48), np.uint8)):
        assert np.shares_memory(model._read(array).pixels, array)


def test_options_of_the_program(model: icseg.Model, checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    cases = {
        ("--mode", "slide", "--crop", "64x64"): icseg.EvalOptions(mode="slide", crop=(64, 64)),
        ("--resize-short", "48", "--mode", "whole"): icseg.EvalOptions(resize_short=48),
        ("--flip", "--scales", "0.75,1.25"): icseg.EvalOptions(flip=True, scales=(0.75, 1.25)),
    }
    for arguments, options in cases.items():
        program("predict", checkpoint, photos[0], "--out", tmp_path, *arguments)
        model(photos[0], options=options).save(tmp_path / "ours.png")
        assert (tmp_path / "ours.png").read_bytes() == (tmp_path / f"{photos[0].stem}.png").read_bytes(), arguments


def test_labels_of_many_classes_are_uint16() -> None:
    from icseg.image import Pixels
    from icseg.result import Palette, Result

    for classes, dtype in ((256, np.uint8), (257, np.uint16)):
        labels = np.array([[0, classes - 1]], np.int16)
        result = Result(Pixels(np.zeros((1, 2, 3), np.uint8), "x"), Palette([f"c{i}" for i in range(classes)]), labels, None)
        assert result.labels.dtype == dtype and result.labels.tolist() == [[0, classes - 1]]


def test_calls_do_not_affect_each_other(model: icseg.Model, photos: list[Path]) -> None:
    image = model(photos[0]).image
    first, slid = model(image), model(image, options=SLIDE)
    labels, confidence = first.labels.copy(), first.confidence.copy()
    assert (slid.confidence != confidence).any()
    for use in (
        lambda: model(image, options=SLIDE),
        lambda: model(image[:40, :50, 0]),
        lambda: model(image[:, ::2]),
        lambda: model.top(image, 2),
        lambda: model.logits(np.zeros((2, 3, 32, 32), np.float32)),
        lambda: model(image, confidence=False),
        lambda: pytest.raises(icseg.ArgumentError, model, image, options=icseg.EvalOptions(resize_short=-1)),
        lambda: pytest.raises(icseg.NumericError, model.logits, np.full((1, 3, 32, 32), np.nan, np.float32)),
    ):
        use()
        again = model(image)
        assert (again.labels == labels).all() and (again.confidence == confidence).all()
    assert (first.labels == labels).all() and (first.confidence == confidence).all()  # those of the first call
    frozen = image.copy()
    frozen.flags.writeable = False
    assert (model(frozen).confidence == confidence).all()

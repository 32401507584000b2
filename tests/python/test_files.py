# SPDX-License-Identifier: Apache-2.0
"""Files beside models: images, label maps, palettes, tensors, reports."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from conftest import program
from PIL import Image

import icseg

GRADIENT = np.add.outer(np.arange(40), 2 * np.arange(48))[:, :, None].repeat(3, 2).astype(np.uint8)
LABELS = np.arange(40 * 48).reshape(40, 48) % 7


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


# -- images


def test_images_of_every_kind_are_read_alike(photos: list[Path]) -> None:
    theirs = icseg.read_image(photos[0])
    assert theirs.shape == (64, 96, 3) and theirs.dtype == np.uint8 and theirs.flags.writeable
    assert (icseg.read_image(photos[0].read_bytes()) == theirs).all()
    assert (icseg.read_image(np.asfortranarray(theirs)) == theirs).all()
    assert icseg.read_image(theirs) is theirs or np.shares_memory(icseg.read_image(theirs), theirs)
    assert (icseg.read_image(theirs[:, :, 0])[:, :, 1] == theirs[:, :, 0]).all()
    assert icseg.image_size(photos[0]) == (64, 96)
    info = icseg.image_info(photos[0])
    assert info == icseg.image_info(photos[0].read_bytes()) == ("JPEG", 64, 96, 8, None)
    assert {"jpg", "png", "tiff"} <= set(icseg.image_extensions())


def test_values_of_16_bits(tmp_path: Path) -> None:
    dark = (np.arange(64 * 64).reshape(64, 64) % 1000).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    note = icseg.image_info(tmp_path / "dark.png").note
    assert note is not None and note.startswith("its ")
    assert icseg.read_image(tmp_path / "dark.png", value_range=(0, 999)).max() == 255
    assert icseg.read_image(tmp_path / "dark.png").max() < 8
    for options in ({"bands": (1, 2)}, {"bands": [0]}, {"value_range": (1,)}):
        with pytest.raises(icseg.ArgumentError, match=next(iter(options))):
            icseg.read_image(tmp_path / "dark.png", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [np.array, np.asfortranarray, read_only, lambda a: a[::-1, ::-1][::-1, ::-1]])
def test_images_are_written(change: Callable[[np.ndarray], np.ndarray], tmp_path: Path) -> None:
    image = change(GRADIENT)
    icseg.write_image(tmp_path / "a.png", image)
    assert (np.asarray(Image.open(tmp_path / "a.png")) == GRADIENT).all()
    assert icseg.encode_image(image) == (tmp_path / "a.png").read_bytes()
    icseg.write_image(tmp_path / "a.JPG", image, quality=95)
    assert icseg.encode_image(image, "jpeg", quality=95) == (tmp_path / "a.JPG").read_bytes()
    assert Image.open(tmp_path / "a.JPG").format == "JPEG"
    assert len(icseg.encode_image(image, "jpeg", quality=20)) < len(icseg.encode_image(image, "jpeg", quality=95))


def test_images_are_resized() -> None:
    small = icseg.resize(GRADIENT, (20, 24))
    assert small.shape == (20, 24, 3) and abs(int(small[10, 12, 0]) - int(GRADIENT[20, 24, 0])) < 4
    assert (icseg.resize(np.asfortranarray(GRADIENT), [20, 24]) == small).all()
    assert (icseg.resize(GRADIENT, (40, 48)) == GRADIENT).all()
    assert icseg.resize(GRADIENT[:, :, 0], (1, 1)).shape == (1, 1, 3)


# -- label maps


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.int16, np.uint16])
def test_labels_read_back_as_written(kind: Any, tmp_path: Path) -> None:
    labels = LABELS.astype(kind)
    icseg.write_labels(tmp_path / "a.png", labels)
    assert icseg.encode_labels(labels) == (tmp_path / "a.png").read_bytes()
    read = icseg.read_labels(tmp_path / "a.png")
    assert read.dtype == np.int16 and (read == LABELS).all()
    stored = icseg.read_label_file(tmp_path / "a.png")
    assert stored.bits == 8 and (stored.values == LABELS).all() and stored.palette is not None
    assert (stored.palette[:7] == icseg.palette(7)).all()
    assert (icseg.read_labels(tmp_path / "a.png") == np.asarray(Image.open(tmp_path / "a.png"))).all()


def test_unlabelled_pixels_and_many_classes(tmp_path: Path) -> None:
    labels = np.asfortranarray(LABELS.astype(np.int32))
    labels[3, 4] = -1
    icseg.write_labels(tmp_path / "a.png", labels)
    assert (icseg.read_labels(tmp_path / "a.png") == labels).all()
    assert icseg.read_label_file(tmp_path / "a.png").values[3, 4] == 255
    labels[0, 0] = 300
    icseg.write_labels(tmp_path / "b.png", read_only(labels))
    assert (icseg.read_labels(tmp_path / "b.png") == labels).all()
    wide = icseg.read_label_file(tmp_path / "b.png")
    assert wide.bits == 16 and wide.values[3, 4] == 65535 and wide.palette is None
    icseg.write_labels(tmp_path / "c.png", np.full((2, 2), -1))
    assert (icseg.read_labels(tmp_path / "c.png") == -1).all()
    Image.fromarray(np.full((2, 2), 16384, np.uint16)).save(tmp_path / "d.png")
    with pytest.raises(icseg.DataError, match="value 16384 at x 0, y 0; labels are 0..16383, and 65535 is unlabelled"):
        icseg.read_labels(tmp_path / "d.png")
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "e.png")
    assert icseg.read_labels(tmp_path / "e.png").tolist() == [[0, 1]]  # of one bit; no value is unlabelled


def test_palettes(tmp_path: Path) -> None:
    names = icseg.published_classes("ade20k").names
    assert icseg.palette(names)[:2].tolist() == [[120, 120, 120], [180, 120, 120]]
    assert icseg.palette(5).shape == (5, 3) and (icseg.palette(9)[:5] == icseg.palette(5)).all()
    icseg.write_labels(tmp_path / "a.png", LABELS, names)
    colours = np.asfortranarray(np.arange(21, dtype=np.uint8).reshape(7, 3))
    icseg.write_labels(tmp_path / "b.png", LABELS, colours)
    for file, wanted in (("a.png", icseg.palette(names)), ("b.png", colours)):
        palette = icseg.read_label_file(tmp_path / file).palette
        assert palette is not None and (palette[: len(wanted)] == wanted).all()
    with pytest.raises(icseg.DataError, match="label 6 at x 6, y 0 is not in the palette of 6 classes"):
        icseg.write_labels(tmp_path / "c.png", LABELS, names[:6])


def test_the_files_of_the_program_are_read(model: icseg.Model, checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    program("predict", checkpoint, photos[0], "--out", tmp_path)
    result = model(photos[0])
    assert (icseg.read_labels(tmp_path / f"{photos[0].stem}.png") == result.labels).all()
    assert icseg.encode_labels(result.labels, result.class_names) == (tmp_path / f"{photos[0].stem}.png").read_bytes()


def test_labels_are_resized_and_counted(model: icseg.Model, photos: list[Path]) -> None:
    assert (icseg.resize_labels(LABELS, (80, 96))[::2, ::2] == LABELS).all()
    result = model(photos[0])
    names = result.class_names
    assert icseg.class_shares(np.asfortranarray(result.labels), names, result.confidence) == result.classes
    assert [s.confidence for s in icseg.class_shares(result.labels, names)] == [None] * len(result.classes)
    shares = icseg.class_shares(np.array([[2, 2, -1, 0]]), ["a", "b", "c"], [[0.5, 0.25, 1, 1]])  # type: ignore[arg-type]
    assert [(s.name, s.pixels, s.share, s.confidence) for s in shares] == [("c", 2, 0.5, 0.375), ("a", 1, 0.25, 1)]
    assert icseg.class_shares(np.array([[-1]]), ["a"]) == []


def test_shares_of_a_result(model: icseg.Model, photos: list[Path]) -> None:
    result = model(photos[0])
    for part in result.classes:
        inside = result.mask(part.index)
        assert part.pixels == inside.sum() and part.share == part.pixels / inside.size
        assert part.confidence == pytest.approx(float(result.confidence[inside].mean(dtype=np.float64)), rel=1e-12)
    assert model(photos[0], confidence=False).classes[0].confidence is None


# -- tensors


def test_tensors_read_back_as_written(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    random = np.random.default_rng(0)
    kinds = "f2 f4 f8 i1 i2 i4 i8 u1 u2 ?".split()
    tensors: dict[str, Any] = {kind: random.integers(0, 2, (2, 3, 4)).astype(kind) for kind in kinds}
    tensors.update(
        fortran=np.asfortranarray(random.normal(size=(3, 4))), reversed=np.arange(5)[::-1], repeated=np.broadcast_to(3, (2, 2)),
        big=np.arange(4, dtype=">i4"), scalar=np.float32(7), empty=np.zeros((0, 3)), six=np.zeros((1,) * 6), texté=[1.5],
    )
    tensors["read only"] = read_only(np.arange(3))
    icseg.save_tensors(file, tensors, metadata={"format": "pt", "caf\u00e9": ""})
    read = icseg.load_tensors(file)
    assert list(read) == list(tensors)
    for name, array in tensors.items():
        assert read[name].shape == np.shape(array) and read[name].flags.writeable, name
        assert read[name].dtype == np.asarray(array).dtype.newbyteorder("=") and (read[name] == array).all(), name
    assert icseg.tensor_metadata(file) == {"format": "pt", "caf\u00e9": ""}
    assert list(icseg.load_tensors(file, ["six", "f4"])) == ["six", "f4"]
    first = file.read_bytes()
    icseg.save_tensors(file, tensors, metadata={"format": "pt", "caf\u00e9": ""})
    assert file.read_bytes() == first
    icseg.save_tensors(file, {"a": np.zeros(1)})
    assert icseg.tensor_metadata(file) == {}


def test_tensors_of_a_checkpoint(checkpoint: Path, model: icseg.Model) -> None:
    tensors = icseg.load_tensors(checkpoint)
    assert sum(t.size for t in tensors.values() if t.dtype == np.float32) >= model.cost(64, 64)["parameters"]
    assert any("config" in key for key in icseg.tensor_metadata(checkpoint))


def test_pytorch_reads_the_tensors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    icseg.save_tensors(tmp_path / "a.safetensors", {"a": torch.arange(6).reshape(2, 3).T})
    assert library.load_file(tmp_path / "a.safetensors")["a"].tolist() == [[0, 3], [1, 4], [2, 5]]


# -- reports and lists


def test_a_report(model: icseg.Model, run: Path, photos: list[Path], tmp_path: Path) -> None:
    confusion = icseg.Confusion(model.num_classes)
    result = model(photos[0])
    confusion.add(result.labels, result.labels)
    metrics = confusion.metrics(model.class_names)
    sample = icseg.ReportSample("first <photo>", photos[0], result.labels, result.labels)
    icseg.write_report(tmp_path / "a.html", samples=[sample, ("second", result.image, result.labels, None)],  # type: ignore[list-item]
                       metrics=metrics, class_names=model.class_names, log=run / "log.jsonl", recipe="steps: 3", title="A title")
    page = (tmp_path / "a.html").read_text()
    for words in ("A title", "first &lt;photo&gt;", "second", "steps: 3", model.class_names[0]):
        assert words in page
    icseg.write_report(tmp_path / "b.html", metrics=metrics)
    assert model.class_names[0] in (tmp_path / "b.html").read_text()
    pages = []
    zeros, ones = np.zeros((64, 96), int), np.ones((64, 96), int)
    for prediction, truth in ((zeros, ones), (ones, zeros), (zeros, zeros), (zeros, None)):
        one = icseg.ReportSample("x", photos[0], prediction, truth)
        icseg.write_report(tmp_path / "d.html", samples=[one], class_names=model.class_names)
        pages.append((tmp_path / "d.html").read_text())
    assert len(set(pages)) == 4
    with pytest.raises(icseg.ArgumentError, match="class_names: name the classes"):
        icseg.write_report(tmp_path / "c.html", samples=[sample])
    with pytest.raises(icseg.ShapeError):
        small = icseg.ReportSample("small", photos[0], result.labels[:5])
        icseg.write_report(tmp_path / "c.html", samples=[small], class_names=model.class_names)
    with pytest.raises(icseg.FileError, match="none"):
        icseg.write_report(tmp_path / "none" / "c.html", metrics=metrics)
    assert not (tmp_path / "c.html").exists()


def test_an_index_of_runs(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(run)
    assert "a/report.html" in icseg.Run.index(tmp_path).read_text()
    (tmp_path / "empty").mkdir()
    with pytest.raises(icseg.ArgumentError, match="empty"):
        icseg.Run.index(tmp_path / "empty")
    with pytest.raises(icseg.FileError, match="none: cannot open the folder"):
        icseg.Run.index(tmp_path / "none")


def test_formats_and_presets(tmp_path: Path, model: icseg.Model) -> None:
    assert [f.name for f in icseg.Dataset.formats()][:2] == ["folder", "auto"]
    assert "images/" in str(icseg.Dataset.formats()[0].layout)
    assert {"coco", "yolo", "geojson"} <= {f.name for f in icseg.Dataset.import_formats()}
    formats = {f.name: f for f in icseg.Export.formats()}
    assert formats["coco"].joint and formats["coco"].runs and not formats["labelme"].joint
    assert "rn50" in icseg.presets() and "tiny-vit" in icseg.presets()
    with icseg.Export(tmp_path / "out", "labelme", ["a"]) as export:
        assert export.path("b/c.jpg") == str(tmp_path / "out" / "b" / "c.json")
    assert model.calibration.layers > 10 and model.calibration.covered == 0 and model.calibration.problem is None


def test_notes_of_a_data_set(tmp_path: Path) -> None:
    for folder in ("images", "annotations"):
        (tmp_path / folder / "train").mkdir(parents=True)
    (tmp_path / "classes.txt").write_text("a\nb\n")
    Image.fromarray(np.full((64, 64), 900, np.uint16)).save(tmp_path / "images" / "train" / "x.png")
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "annotations" / "train" / "x.png")
    dataset = icseg.Dataset(tmp_path)
    assert dataset.notes == []
    dataset[0]
    assert len(dataset.notes) == 1 and "x.png" in dataset.notes[0]


def test_assignments() -> None:
    recipe = icseg.Recipe("tiny-resnet")
    recipe.assign("train.lr=1e-3", "augment.crop=96,128")
    assert recipe["train.lr"] == 1e-3 and recipe["augment.crop"] == [96, 128]
    for bad, words in (("train.lr", "KEY=VALUE"), ("train.lrr=1", "train.lr"), ("train.steps=x", "train.steps")):
        with pytest.raises(icseg.ArgumentError, match=words):
            recipe.assign(bad)


# -- bad input


@pytest.mark.parametrize(
    ("use", "kind", "words"),
    [
        (lambda f: icseg.read_image(f / "none.png"), OSError, "none.png: cannot open"),
        (lambda f: icseg.read_image(f), OSError, "a folder, not an image"),
        (lambda f: icseg.image_size(f / "none.png"), OSError, "none.png: cannot open"),
        (lambda f: icseg.image_size(3), TypeError, "3 is not a path"),
        (lambda f: icseg.image_info(b"x"), ValueError, "not an image that icseg can read"),
        (lambda f: icseg.image_info(GRADIENT), TypeError, "is not a path"),
        (lambda f: icseg.write_image(f / "a.gif", GRADIENT), ValueError, "a.gif: images are written as PNG and JPEG files"),
        (lambda f: icseg.write_image("", GRADIENT), ValueError, "the path: images are written"),
        (lambda f: icseg.write_image(f / "none" / "a.png", GRADIENT), OSError, "none/a.png"),
        (lambda f: icseg.write_image(f / "a.png", GRADIENT.astype(float)), TypeError, "array of float64; expected uint8"),
        (lambda f: icseg.write_image(f / "a.png", GRADIENT[None]), ValueError, "4 axes"),
        (lambda f: icseg.write_image(f / "a.png", GRADIENT[:0]), ValueError, "at least one pixel"),
        (lambda f: icseg.write_image(f / "a.jpg", GRADIENT, quality=0), ValueError, "quality"),
        (lambda f: icseg.write_image(f / "a.jpg", GRADIENT, quality=9.5), TypeError, "quality: float"),
        (lambda f: icseg.encode_image(GRADIENT, "gif"), ValueError, "format: 'gif' is not one of 'png', 'jpeg'"),
        (lambda f: icseg.encode_image(GRADIENT, "jpeg", quality=101), ValueError, "quality"),
        (lambda f: icseg.resize(GRADIENT, 20), ValueError, r"size is 20; expected \(height, width\)"),
        (lambda f: icseg.resize(GRADIENT, (20, 20, 3)), ValueError, "size is"),
        (lambda f: icseg.resize(GRADIENT, (0, 20)), ValueError, "20 x 0 pixels"),
        (lambda f: icseg.resize(GRADIENT, (2**40, 20)), ValueError, "size is 1099511627776"),
        (lambda f: icseg.resize(GRADIENT, (20.0, 20)), TypeError, "size: float"),
        (lambda f: icseg.resize("none.png", (20, 20)), OSError, "none.png"),
        (lambda f: icseg.read_labels(f / "none.png"), OSError, "none.png: cannot open"),
        (lambda f: icseg.read_label_file(f), OSError, "it is a folder"),
        (lambda f: icseg.write_labels(f / "a.jpg", LABELS), ValueError, "use a name that ends in .png"),
        (lambda f: icseg.write_labels(f / "none" / "a.png", LABELS), OSError, "none/a.png"),
        (lambda f: icseg.write_labels(f / "a.png", LABELS.astype(float)), ValueError, "labels: an array .* of float64"),
        (lambda f: icseg.write_labels(f / "a.png", LABELS[None]), ValueError, r"labels: an array \(1, 40, 48\)"),
        (lambda f: icseg.write_labels(f / "a.png", LABELS[:0]), ValueError, r"labels: an array \(0, 48\)"),
        (lambda f: icseg.write_labels(f / "a.png", LABELS - 2), ValueError, r"labels: values -2..4; expected -1"),
        (lambda f: icseg.write_labels(f / "a.png", LABELS + 20000), ValueError, "expected -1..16383"),
        (lambda f: icseg.encode_labels(LABELS, np.zeros((7, 3))), ValueError, r"palette: an array \(7, 3\) of float64"),
        (lambda f: icseg.encode_labels(LABELS, np.zeros((7, 4), np.uint8)), ValueError, "palette: an array"),
        (lambda f: icseg.encode_labels(LABELS, []), ValueError, "a palette of 0 colours"),
        (lambda f: icseg.encode_labels(LABELS, np.zeros((5, 3), np.uint8)), ValueError, "label 5 at x 5, y 0"),
        (lambda f: icseg.resize_labels(LABELS, (0, 5)), ValueError, "5 x 0 pixels"),
        (lambda f: icseg.palette(0), ValueError, "a palette of 0 colours"),
        (lambda f: icseg.palette(2**40), ValueError, "classes is 1099511627776"),
        (lambda f: icseg.palette("ab"), TypeError, "classes: one string"),
        (lambda f: icseg.palette(2.5), TypeError, "classes: float"),
        (lambda f: icseg.class_shares(LABELS, ["a"]), ValueError, "label 1 at x 1, y 0 is not one of 1 classes"),
        (lambda f: icseg.class_shares(LABELS, list("abcdefg"), LABELS[1:]), ValueError, "confidence: shape"),
        (lambda f: icseg.load_tensors(f / "none"), OSError, "none: cannot open"),
        (lambda f: icseg.load_tensors(f / "bad.safetensors"), ValueError, "bad.safetensors"),
        (lambda f: icseg.load_tensors(f / "good.safetensors", ["b"]), ValueError, 'does not have a tensor "b"'),
        (lambda f: icseg.load_tensors(f / "good.safetensors", "a"), TypeError, "names: one string"),
        (lambda f: icseg.tensor_metadata(f / "bad.safetensors"), ValueError, "bad.safetensors"),
        (lambda f: icseg.save_tensors(f / "x", {}), ValueError, "x: no tensors"),
        (lambda f: icseg.save_tensors(f / "x", [np.zeros(1)]), TypeError, "tensors: list; expected a dict"),
        (lambda f: icseg.save_tensors(f / "x", {"a": np.zeros(1, complex)}), TypeError, "'a' is an array of complex128"),
        (lambda f: icseg.save_tensors(f / "x", {"a": "text"}), TypeError, "tensors: 'a' is an array of <U4"),
        (lambda f: icseg.save_tensors(f / "x", {"a": np.zeros((1,) * 7)}), ValueError, "its rank is not 0 to 6"),
        (lambda f: icseg.save_tensors(f / "x", {"a": np.zeros((1,) * 9)}), ValueError, "9 axes"),
        (lambda f: icseg.save_tensors(f / "x", {3: np.zeros(1)}), TypeError, "tensors: int; expected a string"),
        (lambda f: icseg.save_tensors(f / "x", {"__metadata__": np.zeros(1)}), ValueError, "__metadata__"),
        (lambda f: icseg.save_tensors(f / "x", {"a": 1.0}, metadata={"a": 3}), TypeError, "metadata: int; expected a string"),
        (lambda f: icseg.save_tensors(f / "none" / "x", {"a": 1.0}), OSError, "none/x"),
        (lambda f: icseg.Recipe().assign(3), TypeError, "assignment: int"),
    ],
)
def test_bad_input(use: Callable[[Path], Any], kind: type[Exception], words: str, tmp_path: Path) -> None:
    icseg.save_tensors(tmp_path / "good.safetensors", {"a": np.zeros(3)})
    (tmp_path / "bad.safetensors").write_bytes((tmp_path / "good.safetensors").read_bytes()[:-1])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(icseg.Error, match=words) as caught:
        use(tmp_path)
    assert isinstance(caught.value, kind)
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_image(photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(photos[0].read_bytes()[:700])
    for use in (icseg.read_image, icseg.image_info):
        with pytest.raises(icseg.FormatError) as caught:
            use(tmp_path / "cut.jpg")
        assert caught.value.file == str(tmp_path / "cut.jpg")
    buffer = io.BytesIO()
    Image.fromarray(GRADIENT).save(buffer, "PNG")
    assert icseg.image_info(memoryview(buffer.getvalue())).format == "PNG"

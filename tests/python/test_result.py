# SPDX-License-Identifier: Apache-2.0
"""What can be made of a result: tables, drawings, polygons, files of labelling tools, Hugging Face's pipeline."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import program
from PIL import Image

import icseg


@pytest.fixture
def result(model: icseg.Model, photos: list[Path]) -> icseg.Result:
    return model(photos[0])


def filled(polygons: list[icseg.Polygon], height: int, width: int) -> np.ndarray:
    """The classes of the pixels whose centres are in the polygons, by counting crossings of each row; -1: none."""
    made = np.full((height, width), -1)
    x = np.arange(width) + 0.5
    for polygon in polygons:
        inside = np.zeros((height, width), bool)
        for ring in (polygon.exterior, *polygon.holes):
            for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, 0)):
                for row in range(height):
                    y = row + 0.5
                    if (y0 <= y) != (y1 <= y):
                        inside[row] ^= x > x0 + (y - y0) / (y1 - y0) * (x1 - x0)
        made[inside] = polygon.index
    return made


def test_classes_and_masks(result: icseg.Result) -> None:
    assert [c.pixels for c in result.classes] == sorted((c.pixels for c in result.classes), reverse=True)
    assert sum(c.pixels for c in result.classes) == 64 * 96 and sum(c.share for c in result.classes) == pytest.approx(1)
    for part in result.classes:
        assert (result.labels == part.index).sum() == part.pixels == result.mask(part.name).sum()
        assert result.class_names[part.index] == part.name
    assert result.classes[0].name in repr(result) and result.palette.shape == (13, 3)


def test_overlays_are_those_of_the_program(result: icseg.Result, checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    program("predict", checkpoint, photos[0], "--out", tmp_path, "--overlay")
    theirs = np.asarray(Image.open(tmp_path / f"{photos[0].stem}_overlay.png"))
    assert (result.overlay() == theirs).all()
    assert (np.asarray(Image.open(io.BytesIO(result._repr_png_()))) == theirs).all()
    assert (result.overlay(opacity=0, legend=False) == result.image).all()


def test_showing(result: icseg.Result) -> None:
    pytest.importorskip("matplotlib")
    result.show()


def test_polygons_cover_the_labels(result: icseg.Result) -> None:
    assert (filled(result.polygons(), 64, 96) == result.labels).all()
    assert all(p.label == result.class_names[p.index] and p.exterior.shape[1] == 2 for p in result.polygons())
    assert len(result.polygons(min_area=2000)) <= len(result.polygons())


def test_files_of_labelling_tools(result: icseg.Result, checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    program("predict", checkpoint, photos[0], "--out", tmp_path, "--format", "coco,labelme,geojson,yolo,cvat", "--confidence")
    stem = photos[0].stem
    assert result.to_coco() == json.loads((tmp_path / "coco" / "instances.json").read_text())
    assert result.to_labelme() == json.loads((tmp_path / "labelme" / f"{stem}.json").read_text())
    assert result.to_geojson() == json.loads((tmp_path / "geojson" / f"{stem}.geojson").read_text())
    assert result.encode("cvat") == (tmp_path / "cvat" / "annotations.xml").read_bytes()
    assert result.to_coco(name="b/c.jpg")["images"][0]["file_name"] == "b/c.jpg"
    assert "counts" in result.to_coco(runs=True)["annotations"][0]["segmentation"]
    with pytest.raises(icseg.DataError):
        result.to_coco(name="../c.jpg")


def test_an_export_of_many_images(model: icseg.Model, checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    with icseg.Export(tmp_path / "ours", "coco", model.class_names, tolerance=1) as export:
        for result in model.predict(photos[:3], confidence=False):
            export.add(result)
    program("predict", checkpoint, *photos[:3], "--out", tmp_path, "--format", "coco", "--tolerance", 1)
    ours, theirs = (json.loads((tmp_path / f / "instances.json").read_text()) for f in ("ours", "coco"))
    assert ours == theirs
    with pytest.raises(icseg.ClosedError, match="the export is closed"):
        export.add(model(photos[0]))
    with pytest.raises(LookupError):
        with icseg.Export(tmp_path / "none", "coco", model.class_names) as export:
            export.add(model(photos[0]))
            raise LookupError
    assert not (tmp_path / "none" / "instances.json").exists()
    with pytest.raises(icseg.ArgumentError):
        icseg.Export(tmp_path / "none", "coco", [])


def test_the_pipeline_of_hugging_face(model: icseg.Model, checkpoint: Path, photos: list[Path]) -> None:
    segment = icseg.pipeline("image-segmentation", model=checkpoint, threads=1)
    result = model(photos[0])
    made = segment(str(photos[0]))
    assert [m["label"] for m in made] == [c.name for c in result.classes]
    for part in made:
        assert set(part) == {"label", "score", "mask"} and part["mask"].mode == "L" and part["mask"].size == (96, 64)
        inside = np.asarray(part["mask"]) == 255
        assert (inside == result.mask(part["label"])).all()
        assert part["score"] == pytest.approx(float(result.confidence[inside].mean()), rel=1e-5)
    several = segment([Image.open(p) for p in photos[:2]])
    assert len(several) == 2 and len(several[0]) >= 1
    assert [len(m) for m in segment(iter(photos[:2]))] == [len(m) for m in segment(photos[:2])]
    assert segment(photos[0], threshold=1.1) == [] and len(segment(images=photos[0], subtask="semantic")) == len(made)
    for use in (
        lambda: segment(photos[0], subtask="panoptic"),
        lambda: segment(photos[0], colour=3),
        lambda: icseg.pipeline("image-classification", model=model),
        lambda: icseg.pipeline("image-segmentation"),
    ):
        with pytest.raises(icseg.ArgumentError):
            use()

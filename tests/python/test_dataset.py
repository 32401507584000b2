# SPDX-License-Identifier: Apache-2.0
"""Data sets and generated scenes."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import program
from PIL import Image

import icseg


def test_a_data_set_is_a_sequence_of_samples(data: Path) -> None:
    dataset = icseg.Dataset(data, "val")
    assert len(dataset) == 4 and dataset.class_names == icseg.synth.CLASS_NAMES and dataset.format == "folder"
    assert "4 images, 13 classes" in repr(dataset) and icseg.Dataset.splits(data) == ["train", "val"]
    samples = list(dataset)
    for index, (image, label, name) in enumerate(samples):
        assert image.shape == (64, 96, 3) and image.dtype == np.uint8
        assert label is not None and label.shape == (64, 96) and label.dtype == np.int16
        assert name == dataset.image_path(index) and Path(name).exists()
        stored = np.asarray(Image.open(dataset.label_path(index) or ""))
        assert (stored == label).all()
    assert (dataset[-1].image == samples[3].image).all()
    for index in (4, -5):
        with pytest.raises(IndexError):
            dataset[index]
    with ThreadPoolExecutor(4) as pool:
        for sample, again in zip(samples, pool.map(dataset.__getitem__, range(4))):
            assert (sample.image == again.image).all() and (sample.label == again.label).all()
    dataset.close()
    with pytest.raises(icseg.ClosedError, match="the data set is closed"):
        dataset[0]
    with pytest.raises(icseg.ClosedError):
        dataset.check()
    assert samples[0].image.any()


def test_options(data: Path) -> None:
    assert len(icseg.Dataset(data, "train")) == 6
    share = icseg.Dataset(data, "train", val_share=0.3), icseg.Dataset(data, "train", val_share=0.3, held_out=True)
    assert sum(map(len, share)) == 6 and min(map(len, share)) >= 1
    assert icseg.Dataset(data, "train", images_only=True)[0].label is None
    label = icseg.Dataset(data, "train", ignore=[0, 2])[0].label
    plain = icseg.Dataset(data, "train")[0].label
    assert label is not None and plain is not None
    assert ((label == -1) == np.isin(plain, [0, 2])).all()


def test_a_check_lists_every_problem(data: Path, tmp_path: Path) -> None:
    good = icseg.Dataset(data, "train").check(callback=False)
    assert good.images == 6 and good.pixels == 6 * 64 * 96 == good.class_pixels.sum() and good.problems == ()
    assert good.min_size == good.max_size == (96, 64) and good.class_images.max() <= 6
    shutil.copytree(data, tmp_path / "bad")
    labels = tmp_path / "bad" / "annotations" / "train"
    (labels / "000000.png").unlink()
    Image.fromarray(np.full((64, 96), 77, np.uint8)).save(labels / "000001.png")
    with pytest.raises(icseg.DataError, match="000000"):
        icseg.Dataset(tmp_path / "bad", "train")
    found = icseg.Dataset(tmp_path / "bad", "train", keep_unpaired=True).check(callback=False)
    assert found.images == 4 and len(found.problems) == 2
    assert any("000000" in p for p in found.problems) and any("77" in p for p in found.problems)


def test_showing(data: Path) -> None:
    pytest.importorskip("matplotlib")
    dataset = icseg.Dataset(data, "val")
    assert dataset.overlay(0).shape[1:] == (96, 3)
    dataset.show(2)


def test_dividing(data: Path, tmp_path: Path) -> None:
    made = icseg.Dataset(data, "train").divide(tmp_path / "new", test=0.34, callback=False)
    assert made.names == ("train", "test") and made.images.sum() == 6 and made.class_pixels.shape == (2, 13)
    assert len(icseg.Dataset(tmp_path / "new", "test")) == made.images[1]


def test_importing(data: Path, model: icseg.Model, checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    program("predict", checkpoint, *photos[:2], "--out", tmp_path / "out", "--format", "coco")
    (tmp_path / "photos").mkdir()
    for photo in photos[:2]:
        shutil.copy(photo, tmp_path / "photos")
    made = icseg.Dataset.convert(
        tmp_path / "out" / "coco", tmp_path / "new", image_folder=tmp_path / "photos", callback=False
    )
    assert made.format == "coco" and made.images == 2 and made.objects > 0
    assert len(icseg.Dataset(tmp_path / "new")) == 2
    broken = json.loads((tmp_path / "out" / "coco" / "instances.json").read_text())
    for image in broken["images"]:
        image["file_name"] = "gone_" + image["file_name"]
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    with pytest.raises(icseg.DataError, match="gone_.*\n.*gone_"):
        icseg.Dataset.convert(tmp_path / "broken.json", tmp_path / "newer", image_folder=tmp_path / "photos",
                              callback=False)
    with pytest.raises(icseg.ArgumentError, match="coco"):
        icseg.Dataset.convert(tmp_path, tmp_path / "newer", format="cocoa")


def test_bad_folders(tmp_path: Path, data: Path) -> None:
    for folder, split in ((tmp_path / "none", "train"), (tmp_path, "train"), (data, "test")):
        with pytest.raises(icseg.DataError) as caught:
            icseg.Dataset(folder, split)
        assert isinstance(caught.value, ValueError) and "--" not in str(caught.value)
    with pytest.raises(icseg.ArgumentError, match="bands"):
        icseg.Dataset(data, bands=[1, 2])
    with pytest.raises(icseg.ArgumentError, match="folder"):
        icseg.Dataset(data, format="folders")


def test_scenes(tmp_path: Path) -> None:
    image, labels = icseg.synth.scene(3, width=96, height=64, seed=7)
    assert image.shape == (64, 96, 3) and labels.shape == (64, 96) and 0 <= labels.min() <= labels.max() < 13
    assert (image == icseg.synth.scene(3, width=96, height=64, seed=7)[0]).all()
    icseg.synth.write(tmp_path / "set", train=2, val=1, width=64, height=64, callback=False)
    assert len(icseg.Dataset(tmp_path / "set")) == 2
    with pytest.raises(icseg.ArgumentError, match="force=True") as caught:
        icseg.synth.write(tmp_path / "set", train=2, val=1, width=64, height=64, callback=False)
    assert caught.value.remedy == "force=True" and "--" not in str(caught.value)
    icseg.synth.write(tmp_path / "set", train=1, val=0, width=64, height=64, force=True, callback=False)
    with pytest.raises(icseg.ArgumentError):
        icseg.synth.scene(width=10)
    with pytest.raises(icseg.ArgumentError):
        icseg.synth.scene(width=0)


def test_scenes_of_the_large_vocabulary(tmp_path: Path) -> None:
    names = icseg.synth.class_names("large")
    assert icseg.synth.class_names() == icseg.synth.CLASS_NAMES and len(set(names)) == len(names) == 96
    labels = icseg.synth.scene(3, width=96, height=64, vocabulary="large")[1]
    assert 2 <= len(set(labels.ravel())) <= 8 and labels.max() < 96
    icseg.synth.write(
        tmp_path, train=2, val=1, width=64, height=64, vocabulary="large", captions=True, force=True, callback=False
    )
    assert icseg.Dataset(tmp_path).class_names == names
    lines = [json.loads(line) for line in (tmp_path / "captions.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == ["images/train/000000.jpg", "images/train/000001.jpg"]
    with pytest.raises(icseg.ArgumentError, match="vocabulary: 'huge' is not one of 'small', 'large'"):
        icseg.synth.scene(vocabulary="huge")

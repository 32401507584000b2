# SPDX-License-Identifier: Apache-2.0
"""Logits, probabilities, scores and embeddings: values, shapes, memory; agreement with the program and with PyTorch."""

from __future__ import annotations

import gc
import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, program

import icseg

MEAN, STD = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])


def normalised(image: np.ndarray) -> np.ndarray:
    """(1, 3, H, W) float32 of an image (H, W, 3)."""
    return ((image / 255 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None]


def write_tensor(path: Path, name: str, array: np.ndarray) -> None:
    header = json.dumps({name: {"dtype": "F32", "shape": array.shape, "data_offsets": [0, array.nbytes]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + np.ascontiguousarray(array).tobytes())


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    made = {}
    for name, info in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = info["data_offsets"]
            made[name] = np.frombuffer(data[8 + size + begin : 8 + size + end], np.float32).reshape(info["shape"])
    return made


def test_a_batch_of_tensors_is_that_of_the_program(model: icseg.Model, checkpoint: Path, tmp_path: Path) -> None:
    batch = np.random.default_rng(0).normal(size=(2, 3, 48, 64)).astype(np.float32)
    write_tensor(tmp_path / "in", "image", batch)
    program("forward", checkpoint, tmp_path / "in", tmp_path / "out.safetensors")
    theirs = read_tensors(tmp_path / "out.safetensors")
    ours = {"logits": model.logits(batch), "text": model.class_features(batch)}
    ours.update({f"align.{s}": model.scores(batch, s) for s in (8, 16, 32)})
    for name, array in ours.items():
        wanted = theirs[name] if name == "text" else theirs[name].transpose(0, 2, 3, 1)
        assert array.dtype == np.float32 and (array == wanted).all(), name
    strided = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert (model.logits(strided) == ours["logits"]).all()


def test_shapes_and_relations(model: icseg.Model, photos: list[Path]) -> None:
    photo, classes = photos[0], model.num_classes
    result, probabilities = model(photo), model.probabilities(photo)
    assert probabilities.shape == (64, 96, classes) and np.allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert (probabilities.argmax(-1) == result.labels).all()
    assert np.allclose(probabilities.max(-1), result.confidence, atol=1e-6)
    top, shares = model.top(photo, 3)
    assert top.shape == shares.shape == (64, 96, 3) and (top[:, :, 0] == result.labels).all()
    assert (shares == -np.sort(-probabilities, -1)[:, :, :3]).all()
    assert model.top(photo, 99)[0].shape == (64, 96, classes)
    assert model.logits(photo).shape == (16, 24, classes)
    assert model.scores(photo, 32).shape == (2, 3, classes) and np.abs(model.scores(photo, 8)).max() <= 1.0001
    assert model.image_features(photo).shape == (model.config["embed_dim"],)
    assert model.class_features(photo).shape == (classes, model.config["embed_dim"])
    several = model.logits([photo, result.image, result.image[:32, :40]])
    assert [a.shape for a in several] == [(16, 24, classes)] * 2 + [(8, 10, classes)]
    assert (several[0] == model.logits(photo)).all() and (several[1] == several[0]).all()
    tensor = model.logits(normalised(result.image))
    assert np.allclose(tensor[0], several[0], atol=1e-4)


def test_features_of_classes_that_do_not_depend_on_the_image(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    program("train", recipe_file, "--out", tmp_path / "run", "--set", "train.steps=1", "--set", "model.prompt=static",
            "--set", "train.warmup=0")
    model = icseg.load(tmp_path / "run" / "best.safetensors", threads=1)
    photo = next(data.glob("images/val/*.jpg"))
    assert model.text_features.shape == (13, 48)
    assert (model.text_features == model.class_features(photo)).all()


def test_features_of_classes_that_do(model: icseg.Model) -> None:
    with pytest.raises(icseg.UnsupportedError, match=r"use class_features\(image\)"):
        model.text_features


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 3, 64, 64)), r"float32 \(N, 3, H, W\)"),
        (np.zeros((1, 64, 64, 3), np.float32), r"\(1, 64, 64, 3\) of float32"),
        (np.zeros((0, 3, 64, 64), np.float32), r"\(0, 3, 64, 64\)"),
        (np.zeros((1, 3, 31, 64), np.float32), "sides of at least 32"),
        (np.full((1, 3, 32, 32), np.nan, np.float32), "not finite|NaN|finite"),
    ],
)
def test_bad_tensors(model: icseg.Model, array: np.ndarray, words: str) -> None:
    with pytest.raises(icseg.Error, match=words):
        model.logits(array)


def test_bad_options(model: icseg.Model, photos: list[Path]) -> None:
    with pytest.raises(icseg.ArgumentError, match="stride is 5; expected 4, 8, 16 or 32"):
        model.scores(photos[0], 5)
    with pytest.raises(icseg.ArgumentError, match="does not have a score map at stride 4"):
        model.scores(photos[0], 4)
    with pytest.raises(icseg.ArgumentError, match="one view"):
        model.logits(photos[0], options=icseg.EvalOptions(flip=True))
    with pytest.raises(icseg.ArgumentError, match="k is 0"):
        model.top(photos[0], 0)
    with pytest.raises(icseg.ArgumentError, match="resize"):
        model.logits(np.zeros((1, 3, 64, 64), np.float32), options=icseg.EvalOptions(resize_short=64))


def test_arrays_share_memory_with_the_engine_and_keep_it(checkpoint: Path, photos: list[Path]) -> None:
    model = icseg.load(checkpoint, threads=1)
    kept = model.probabilities(photos[0])
    copy = kept.copy()
    part = model.logits(photos[0])[3:5, :, 2]
    wanted = part.copy()
    assert not kept.flags.owndata and kept.flags.writeable and kept.flags.c_contiguous
    result = model(photos[0])
    labels, confidence = result.labels, result.confidence
    assert not confidence.flags.owndata
    sums = labels.sum(), confidence.sum()
    del result
    model.close()
    del model
    gc.collect()
    _ = [np.ones((64, 96, 13), np.float32) for _ in range(20)]  # would overwrite memory that was freed
    assert (kept == copy).all() and (part == wanted).all() and sums == (labels.sum(), confidence.sum())


def test_prepare_and_cost(model: icseg.Model, photos: list[Path]) -> None:
    model.prepare(64, 96)
    cost = model.cost(64, 96)
    assert cost["parameters"] > cost["trainable"] > 1000 or cost["parameters"] == cost["trainable"]
    assert cost["flops"] > 1e6 and cost["weights"] >= 4 * cost["parameters"] and cost["layers"]["f32"] > 10
    with pytest.raises(icseg.ShapeError, match="at least 32"):
        model.cost(16, 64)


def test_torch_uses_the_same_memory(model: icseg.Model, photos: list[Path]) -> None:
    torch = pytest.importorskip("torch")
    array = model.logits(photos[0])
    tensor = torch.from_numpy(array)
    assert tensor.data_ptr() == array.ctypes.data and tensor.shape == array.shape
    assert torch.from_numpy(model(photos[0]).labels).dtype == torch.uint8
    batch = torch.zeros(1, 3, 32, 32)
    assert (model.logits(batch) == model.logits(batch.numpy())).all()


def test_the_reference_in_pytorch_agrees(model: icseg.Model, checkpoint: Path) -> None:
    torch = pytest.importorskip("torch")
    sys.path.insert(0, str(ROOT / "reference"))
    try:
        import icpc_reference as reference
    finally:
        sys.path.pop(0)
    theirs, names = reference.load_checkpoint(str(checkpoint))
    assert names == model.class_names
    theirs.eval()
    batch = np.random.default_rng(1).normal(size=(2, 3, 64, 96)).astype(np.float32)
    with torch.no_grad():
        outputs = theirs(torch.from_numpy(batch))
    wanted = outputs["logits"].numpy().transpose(0, 2, 3, 1)
    ours = model.logits(batch)
    assert np.linalg.norm(ours - wanted) <= 2e-5 * np.linalg.norm(wanted)

# SPDX-License-Identifier: Apache-2.0
"""ONNX files: valid for onnx.checker, and with icseg's labels and logits in ONNX Runtime and OpenVINO."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from conftest import ROOT
from test_predict import scene

import icseg

if not icseg.build_info()["onnx"]:
    pytest.skip("this build does not write ONNX files", allow_module_level=True)
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

NAMES = ["sky", "paved road", "building", "grass", "person", "car", "water"]
SYNONYMS = ["sky", "paved road, street", "building, house, edifice", "grass", "person", "car, auto", "water"]
WHOLE = icseg.EvalOptions()
RESNET: dict[str, Any] = {"resnet_width": 4, "context_length": 40}
VIT: dict[str, Any] = {"context_length": 40}
MODELS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "resnet-template": ("tiny-resnet", {**RESNET, "prompt": "template"}, False),
    "resnet-static": ("tiny-resnet", {**RESNET, "prompt": "static"}, False),
    "resnet-instance": ("tiny-resnet", {**RESNET, "prompt": "instance"}, False),
    "resnet-synonyms": ("tiny-resnet", {**RESNET, "prompt": "instance"}, True),
    "resnet-denseclip": ("tiny-resnet", {**RESNET, "prompt": "static", "post_prompt": True}, False),
    "vit-template": ("tiny-vit", {**VIT, "prompt": "template"}, False),
    "vit-instance": ("tiny-vit", {**VIT, "prompt": "instance"}, False),
    "vit-gelu": ("tiny-vit", {**VIT, "prompt": "instance", "activation": "gelu", "post_prompt": True}, False),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> icseg.Model:
    """A model with random weights."""
    preset, config, synonyms = MODELS[request.param]
    return icseg.model.create(
        NAMES, preset=preset, config=config, class_synonyms=SYNONYMS if synonyms else None, tokenizer="bytes", seed=5,
    )


def runtime(path: Path) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The file in ONNX Runtime: images -> labels, logits."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: tuple(session.run(["labels", "logits"], {"image": images}))


def compare(model: icseg.Model, run: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], images: np.ndarray) -> None:
    """The labels of (N, H, W, 3) are equal on 99.9 % of the pixels, and the logits nearly."""
    labels, logits = run(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    assert labels.dtype == np.int64 and labels.shape == images.shape[:3]
    assert logits.shape[:2] == (len(images), model.num_classes)
    for i, image in enumerate(images):
        same = np.mean(model(image, options=WHOLE).labels == labels[i])
        assert same >= 0.999, same
        expected = np.asarray(model.logits(image, options=WHOLE)).transpose(2, 0, 1)
        assert np.abs(logits[i] - expected).max() <= 1e-4 * np.abs(expected).max()


def test_a_file_of_one_size(model: icseg.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for height, width in ((64, 96), (101, 77)):
        model.export_onnx(path, height=height, width=width)
        onnx.checker.check_model(str(path), full_check=True)
        compare(model, runtime(path), scene(width, height)[None])


def test_a_file_of_any_size(model: icseg.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    model.export_onnx(path, dynamic=True)
    onnx.checker.check_model(str(path), full_check=True)
    run = runtime(path)
    for count, height, width in ((1, 64, 96), (3, 128, 64), (2, 224, 224), (1, 32, 32)):
        compare(model, run, np.stack([scene(width, height, i) for i in range(count)]))


def test_openvino(model: icseg.Model, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    path = tmp_path / "model.onnx"
    f32 = {"INFERENCE_PRECISION_HINT": "f32"}
    model.export_onnx(path, height=64, width=96)
    compiled = openvino.Core().compile_model(str(path), "CPU", f32)
    compare(model, lambda x: tuple(compiled(x)[name] for name in ("labels", "logits")), scene(96, 64)[None])
    model.export_onnx(path, dynamic=True)
    compiled = openvino.Core().compile_model(str(path), "CPU", f32)
    images = np.stack([scene(128, 64, i) for i in range(2)])
    compare(model, lambda x: tuple(compiled(x)[name] for name in ("labels", "logits")), images)


def photos(count: int) -> list[np.ndarray]:
    return [scene(96, 64, i) for i in range(count)]


def test_int8(model: icseg.Model, tmp_path: Path) -> None:
    """Quantised files are valid, smaller, and have the labels of icseg's INT8 on 97 % of the pixels."""
    path, plain = tmp_path / "int8.onnx", tmp_path / "f32.onnx"
    with icseg.calibrate(model, photos(3)) as calibrated, calibrated.clone(precision="int8") as int8:
        calibrated.export_onnx(path, height=64, width=96, int8=True)
        calibrated.export_onnx(plain, height=64, width=96)
        onnx.checker.check_model(str(path), full_check=True)
        kinds = {node.op_type for node in onnx.load(str(path)).graph.node}
        assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
        assert path.stat().st_size < 0.9 * plain.stat().st_size
        runs = [runtime(path)]
        if openvino := pytest.importorskip("openvino"):
            compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            runs.append(lambda x: tuple(compiled(x)[name] for name in ("labels", "logits")))
        for run in runs:
            equal = [
                np.mean(int8(image, options=WHOLE).labels == run(image.transpose(2, 0, 1)[None])[0][0])
                for image in photos(3)
            ]
            assert np.mean(equal) >= 0.97, equal
        calibrated.export_onnx(path, dynamic=True, int8=True)
        onnx.checker.check_model(str(path), full_check=True)
        assert runtime(path)(np.zeros((2, 3, 64, 96), np.uint8))[0].shape == (2, 64, 96)


@pytest.mark.parametrize("method", ["clip", "maskclip", "sclip", "clearclip", "naclip", "naclip_vanilla", "kk_reduced"])
def test_open_vocabulary(method: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for classes in (["sky", "grass", "person, man, woman", "dog, cat"], ["sky", "grass"]):
        with icseg.open_vocabulary(
            ROOT / "tests" / "parity" / "open_patch16.safetensors", classes, templates=["{}"], method=method,
            activation="quick_gelu", cache=False,
        ) as model:
            for height, width in ((64, 96), (80, 80)):  # 80 x 80 is the size of the position embeddings
                model.export_onnx(path, height=height, width=width)
                onnx.checker.check_model(str(path), full_check=True)
                compare(model, runtime(path), scene(width, height)[None])
            with pytest.raises(icseg.UnsupportedError, match="one size of images"):
                model.export_onnx(path, dynamic=True)
            with pytest.raises(icseg.ArgumentError, match="width is 70: a multiple of 16"):
                model.export_onnx(path, height=64, width=70)


def test_a_size_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    model = icseg.model.create(NAMES, preset="tiny-resnet", config=RESNET, tokenizer="bytes")
    path = tmp_path / "model.onnx"
    model.export_onnx(path, dynamic=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for height, width in ((48, 64), (64, 100), (36, 36)):
        with pytest.raises(Exception, match="(?i)shape|dimension|broadcast"):
            session.run(None, {"image": np.zeros((1, 3, height, width), np.uint8)})
    with pytest.raises(Exception, match="(?i)type"):  # values from 0 to 1 would be black images
        session.run(None, {"image": np.zeros((1, 3, 64, 64), np.float32)})


def test_facts(tmp_path: Path) -> None:
    model = icseg.model.create(NAMES, preset="tiny-resnet", config=RESNET, tokenizer="bytes")
    path = tmp_path / "model.onnx"
    model.export_onnx(path, height=64, width=96)
    file = onnx.load(str(path))
    facts = {p.key: json.loads(p.value) for p in file.metadata_props}
    assert facts["classes"] == NAMES
    assert facts["palette"] == [list(color) for color in icseg.palette(NAMES)]
    assert facts["preprocessing"]["layout"] == "NCHW" and facts["preprocessing"]["values"] == "0 to 255"
    assert (file.producer_name, file.producer_version) == ("icseg", icseg.__version__)
    assert [(o.domain, o.version) for o in file.opset_import] == [("", 17)]
    used = {name for node in file.graph.node for name in node.input}
    assert [i.name for i in file.graph.initializer if i.name not in used] == []


def test_what_is_refused(tmp_path: Path) -> None:
    model = icseg.model.create(NAMES, preset="tiny-resnet", config=RESNET, tokenizer="bytes")
    with pytest.raises(icseg.ArgumentError, match="height is 31: expected 32"):
        model.export_onnx(tmp_path / "a.onnx", height=31, width=64)
    with pytest.raises(icseg.ArgumentError, match="width is 0"):
        model.export_onnx(tmp_path / "a.onnx", height=64)
    with pytest.raises(icseg.ArgumentError, match="a size and a dynamic model"):
        model.export_onnx(tmp_path / "a.onnx", height=64, width=64, dynamic=True)
    with pytest.raises(icseg.ArgumentError, match="int8 needs activation ranges"):
        model.export_onnx(tmp_path / "a.onnx", height=64, width=64, int8=True)
    with pytest.raises(icseg.FileError, match="none/a.onnx"):
        model.export_onnx(tmp_path / "none" / "a.onnx")
    assert list(tmp_path.iterdir()) == []

# SPDX-License-Identifier: Apache-2.0
"""Clients that others wrote: Triton's, Hugging Face's, and curl."""
import shutil
import subprocess
from pathlib import Path
from typing import List

import numpy as np
import pytest
import requests
from PIL import Image

from conftest import Server

triton = pytest.importorskip("tritonclient.http", reason="the package tritonclient[http] is not installed")
hub = pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is not installed")

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def labels_of(predicted: Path, photo: Path) -> np.ndarray:
    return np.asarray(Image.open(predicted / f"{photo.stem}.png")).astype(np.int16)


@pytest.mark.parametrize("binary", [True, False])
def test_triton_sends_pixels(server: Server, photos: List[Path], predicted: Path, binary: bool) -> None:
    client = triton.InferenceServerClient(server.host)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("scenes")
    assert client.get_server_metadata()["name"] == "icseg"
    assert client.get_model_metadata("scenes")["outputs"][0]["name"] == "labels"
    pixels = np.stack([np.asarray(Image.open(photo)) for photo in photos])
    image = triton.InferInput("image", list(pixels.shape), "UINT8")
    image.set_data_from_numpy(pixels, binary_data=binary)
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("labels", "confidence")]
    result = client.infer("scenes", [image], outputs=wanted)
    labels, confidence = result.as_numpy("labels"), result.as_numpy("confidence")
    expected = np.stack([labels_of(predicted, photo) for photo in photos])
    assert labels.dtype == np.int16 and confidence.dtype == np.float32 and confidence.shape == labels.shape
    assert (labels == expected).mean() > 0.999  # a batch goes through the network together


def test_triton_sends_one_encoded_image(server: Server, photos: List[Path], predicted: Path) -> None:
    client = triton.InferenceServerClient(server.host)
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([photos[0].read_bytes()], dtype=object))
    result = client.infer("scenes", [image])
    assert (result.as_numpy("labels")[0] == labels_of(predicted, photos[0])).all()


def test_triton_sends_normalised_floats(server: Server, photos: List[Path], predicted: Path) -> None:
    client = triton.InferenceServerClient(server.host)
    pixels = (np.asarray(Image.open(photos[0])).astype(np.float32) / 255 - MEAN) / DEVIATION
    image = triton.InferInput("image", [1, 3, 64, 96], "FP32")
    image.set_data_from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
    wanted = [triton.InferRequestedOutput(name) for name in ("labels", "logits", "image_embedding", "class_embeddings")]
    result = client.infer("scenes", [image], outputs=wanted)
    assert (result.as_numpy("labels")[0] == labels_of(predicted, photos[0])).mean() > 0.999
    assert result.as_numpy("logits").shape[:3] == (1, 16, 24) and result.as_numpy("image_embedding").shape[0] == 1


def test_triton_sees_errors(server: Server) -> None:
    client = triton.InferenceServerClient(server.host)
    image = triton.InferInput("image", [1, 8, 8, 4], "UINT8")
    image.set_data_from_numpy(np.zeros((1, 8, 8, 4), np.uint8))
    with pytest.raises(triton.InferenceServerException, match="shape"):
        client.infer("scenes", [image])
    with pytest.raises(triton.InferenceServerException, match="not a model"):
        client.get_model_metadata("nothing")


def test_triton_loads_a_model_again(server: Server) -> None:
    client = triton.InferenceServerClient(server.host)
    before = int(client.get_model_metadata("again")["versions"][0])
    client.load_model("again")
    assert int(client.get_model_metadata("again")["versions"][0]) == before + 1
    assert {m["name"]: m["state"] for m in client.get_model_repository_index()} == {"scenes": "READY", "again": "READY"}


def test_hugging_face(server: Server, photos: List[Path], predicted: Path) -> None:
    client = hub.InferenceClient(f"{server.url}/models/scenes")
    segments = client.image_segmentation(str(photos[0]))
    labels = labels_of(predicted, photos[0])
    names = [c["name"] for c in requests.get(f"{server.url}/v2/models/scenes").json()["parameters"]["classes"]]
    assert sum((np.asarray(s.mask) == 255).sum() for s in segments) == labels.size
    for segment in segments:
        assert segment.mask.mode == "L" and 0 < segment.score <= 1
        assert ((np.asarray(segment.mask) == 255) == (labels == names.index(segment.label))).all()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_one_line_of_curl(server: Server, photos: List[Path], predicted: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.png"
    url = f"{server.url}/v1/segment?format=png"
    subprocess.run(["curl", "-sf", "--data-binary", f"@{photos[0]}", url, "-o", out], check=True)
    assert out.read_bytes() == (predicted / f"{photos[0].stem}.png").read_bytes()

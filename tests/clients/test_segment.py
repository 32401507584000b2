# SPDX-License-Identifier: Apache-2.0
"""POST /v1/segment, the log and the metrics, with requests."""
import base64
import io
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List

import numpy as np
import requests
from PIL import Image

from conftest import PROGRAM, Server


def test_answers_equal_predict(server: Server, photos: List[Path], predicted: Path) -> None:
    for photo in photos:
        for data in ({"data": photo.read_bytes()}, {"files": {"image": (photo.name, photo.read_bytes())}}):
            for form, name in (("png", f"{photo.stem}.png"), ("overlay", f"{photo.stem}_overlay.png")):
                answer = requests.post(f"{server.url}/v1/segment?format={form}", **data)
                assert answer.status_code == 200
                assert answer.headers["Content-Type"] == "image/png"
                assert answer.content == (predicted / name).read_bytes()


def test_json_equals_predict(server: Server, photos: List[Path], predicted: Path) -> None:
    answer = requests.post(f"{server.url}/v1/segment?labels=1&confidence=1", data=photos[0].read_bytes()).json()
    expected = json.loads((predicted / f"{photos[0].stem}.json").read_text())
    assert [c["name"] for c in answer["classes"]] == [c["name"] for c in expected["classes"]]
    for ours, theirs in zip(answer["classes"], expected["classes"]):
        assert ours["pixels"] == theirs["pixels"]
        assert abs(ours["confidence"] - theirs["confidence"]) < 1e-5
    assert base64.b64decode(answer["labels"]) == (predicted / f"{photos[0].stem}.png").read_bytes()
    confidence = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["confidence_map"]))))
    assert confidence.shape == (64, 96)
    assert abs(confidence.mean() / 255 - answer["confidence"]) < 0.003


def test_npy(server: Server, photos: List[Path], predicted: Path) -> None:
    labels = np.load(io.BytesIO(requests.post(f"{server.url}/v1/segment?format=npy", data=photos[1].read_bytes()).content))
    assert labels.dtype == np.int16
    assert (labels == np.asarray(Image.open(predicted / f"{photos[1].stem}.png"))).all()
    url = f"{server.url}/v1/segment?format=npy&confidence=1"
    confidence = np.load(io.BytesIO(requests.post(url, data=photos[1].read_bytes()).content))
    assert confidence.dtype == np.float32 and confidence.shape == labels.shape
    assert 0 < confidence.min() <= confidence.max() <= 1


def test_exports_equal_predict(server: Server, folder: Path, checkpoint: Path, photos: List[Path]) -> None:
    out = folder / "exports"
    subprocess.run([PROGRAM, "predict", checkpoint, photos[0], "--out", out, "--format", "coco,geojson", "--quiet"], check=True)
    for form, path in (("polygons", "coco/instances.json"), ("geojson", f"geojson/{photos[0].stem}.geojson")):
        files = {"image": (photos[0].name, photos[0].read_bytes())}
        ours = requests.post(f"{server.url}/v1/segment?format={form}", files=files).json()
        theirs = json.loads((out / path).read_text())
        key = "annotations" if form == "polygons" else "features"
        shape = "segmentation" if form == "polygons" else "geometry"
        assert ours[key] and [o[shape] for o in ours[key]] == [t[shape] for t in theirs[key]]


def test_run_lengths_cover_the_labels(server: Server, photos: List[Path], predicted: Path) -> None:
    answer = requests.post(f"{server.url}/v1/segment?format=rle", data=photos[0].read_bytes()).json()
    area = sum(a["area"] for a in answer["annotations"])
    labels = np.asarray(Image.open(predicted / f"{photos[0].stem}.png"))
    assert isinstance(answer["annotations"][0]["segmentation"]["counts"], (list, str))
    assert area == labels.size  # the scenes' classes do not have a "background"


def test_classes_select(server: Server, photos: List[Path]) -> None:
    everything = requests.post(f"{server.url}/v1/segment", data=photos[0].read_bytes()).json()["classes"]
    chosen = everything[0]["name"]
    some = requests.post(f"{server.url}/v1/segment", params={"classes": chosen}, data=photos[0].read_bytes()).json()["classes"]
    assert [c["name"] for c in some] == [chosen] and some[0]["pixels"] == everything[0]["pixels"]


def test_images_that_wait_run_together(checkpoint: Path, folder: Path, photos: List[Path], predicted: Path) -> None:
    """Also when measured to be slower, now and then; the labels then differ by rounding at most."""
    server = Server([f"scenes={checkpoint}", "--batch", "4"], folder / "together.log")
    url = f"{server.url}/v1/segment?format=png"
    expected = np.asarray(Image.open(predicted / f"{photos[0].stem}.png"))
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: requests.post(url, data=photos[0].read_bytes()), range(60)))
    assert server.close() == 0
    for answer in answers:
        labels = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert answer.status_code == 200 and (labels == expected).mean() > 0.999
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert len(lines) == 60 and {line["batch"] for line in lines} & {2, 3, 4}


def test_log_and_metrics(server: Server, photos: List[Path]) -> None:
    answer = requests.post(f"{server.url}/v1/segment", data=photos[0].read_bytes(), headers={"X-Request-Id": "from-a-test"})
    assert answer.headers["X-Request-Id"] == "from-a-test"
    metrics = requests.get(f"{server.url}/metrics").text
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    (mine,) = [line for line in lines if line.get("id") == "from-a-test"]
    assert mine["status"] == 200 and mine["model"] == "scenes" and (mine["width"], mine["height"]) == (96, 64)
    assert mine["worked_ms"] > 0 and mine["waited_ms"] >= 0 and mine["batch"] == 1
    counted = [line for line in metrics.splitlines() if line.startswith('icseg_requests_total{status="200"}')]
    assert int(counted[0].split()[1]) >= 1
    for name in ("icseg_request_seconds_bucket", "icseg_queue_requests", "icseg_images_total", "process_resident_memory_bytes"):
        assert name in metrics


def test_openapi_describes_every_path(server: Server) -> None:
    described = requests.get(f"{server.url}/openapi.json").json()["paths"]
    for path, methods in described.items():
        for method in methods.keys() - {"parameters"}:
            answer = requests.request(method, server.url + path.replace("{name}", "scenes"))
            assert answer.status_code in (200, 400), (method, path, answer.text)

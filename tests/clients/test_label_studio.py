# SPDX-License-Identifier: Apache-2.0
"""Label Studio's calls of a machine learning backend, and a small server in place of Label Studio, which has images
and wants a token. The brush strokes are decoded by Label Studio's own package."""
import base64
import io
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import requests
from PIL import Image, ImageDraw

from conftest import PROGRAM, Server

brush = pytest.importorskip("label_studio_sdk.converter.brush", reason="the package label-studio-sdk is not installed")

BRUSH = """<View><Image name="photo" value="$picture"/>
<BrushLabels name="strokes" toName="photo">{labels}</BrushLabels></View>"""
POLYGON = """<View><image name="photo" value="$picture"/><Labels name="x" toName="photo"/>
<polygonlabels name="outlines" toname="photo">{labels}</polygonlabels></View>"""
TOKEN = "0123456789abcdef0123456789abcdef01234567"
REFRESH = "eyJhbGciOi.eyJ0b2tlbl90.c2lnbmF0dXJl"


class Studio(BaseHTTPRequestHandler):
    """Answers as Label Studio does, for images, tokens and storage."""

    photo = b""
    elsewhere = ""  # the address of another server

    def log_message(self, *arguments: Any) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", location: Optional[str] = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/token/refresh" and body == {"refresh": REFRESH}:
            self.answer(200, json.dumps({"access": "an-access-token"}).encode())
        else:
            self.answer(401)

    def do_GET(self) -> None:
        path = urlparse(self.path)
        if path.path.startswith("/public/"):
            self.answer(200, b"never to be read")
        elif self.headers.get("Authorization") not in (f"Token {TOKEN}", "Bearer an-access-token"):
            self.answer(302, location="/user/login/?next=" + path.path)
        elif path.path == "/data/upload/1/a.jpg":
            self.answer(200, self.photo)
        elif path.path == "/data/moved.jpg":
            self.answer(302, location="/data/upload/1/a.jpg")
        elif path.path == "/data/elsewhere.jpg":
            self.answer(302, location=self.elsewhere + "/public/a.jpg")
        elif path.path == "/data/circle.jpg":
            self.answer(302, location="/data/circle.jpg")
        elif path.path == "/data/large.jpg":
            self.answer(200, bytes(3 << 20))
        elif path.path == "/tasks/7/resolve/":
            uri = base64.b64decode(parse_qs(path.query)["fileuri"][0]).decode()
            self.answer(200 if uri == "s3://bucket/a.jpg" else 404, self.photo)
        else:
            self.answer(404)


@pytest.fixture(scope="module")
def studio(photos: List[Path]) -> Iterator[str]:
    Studio.photo = photos[0].read_bytes()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Studio) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    Studio.elsewhere = f"http://127.0.0.1:{servers[1].server_port}"
    yield f"http://127.0.0.1:{servers[0].server_port}"
    for server in servers:
        server.shutdown()


def serve(folder: Path, checkpoint: Path, studio: str, token: str) -> Server:
    (folder / "studio.txt").write_text(token + "\n")
    return Server([f"scenes={checkpoint}", f"again={checkpoint}", "--max-body", "2", "--label-studio", studio + "/",
                   "--label-studio-token-file", str(folder / "studio.txt")], folder / "studio.log")


@pytest.fixture(scope="module")
def backend(folder: Path, checkpoint: Path, studio: str) -> Iterator[Server]:
    server = serve(folder, checkpoint, studio, TOKEN)
    yield server
    assert server.close() == 0


@pytest.fixture(scope="module")
def classes(backend: Server) -> List[str]:
    found = requests.get(f"{backend.url}/v2/models/scenes").json()["parameters"]["classes"]
    return [entry["name"] for entry in found]


def interface(form: str, labels: List[str]) -> str:
    return form.format(labels="".join(f'<Label value="{label}"/>' for label in labels))


def predict(backend: Server, config: str, *pictures: str, path: str = "") -> requests.Response:
    tasks = [{"id": 7 + i, "data": {"picture": picture}} for i, picture in enumerate(pictures)]
    body: Dict[str, Any] = {"tasks": tasks, "model_version": None, "project": "1.1700000000", "label_config": config,
                            "params": {"login": None, "password": None, "context": None}}
    return requests.post(f"{backend.url}{path}/predict", json=body, timeout=60)


def expected(predicted: Path, photos: List[Path]) -> np.ndarray:
    return np.asarray(Image.open(predicted / f"{photos[0].stem}.png"))


def painted(regions: List[Dict[str, Any]], classes: List[str], size: Any) -> np.ndarray:
    """The label map that the regions make; 255 where there are none."""
    labels = np.full(size, 255, np.uint8)
    for region in regions:
        kind = region["type"]
        label = classes.index(region["value"][kind][0])
        if kind == "brushlabels":
            mask = brush.decode_rle(region["value"]["rle"]).reshape(*size, 4)[..., 3]
            labels[mask > 0] = label
        else:
            points = [(x * size[1] / 100, y * size[0] / 100) for x, y in region["value"]["points"]]
            picture = Image.fromarray(labels)
            ImageDraw.Draw(picture).polygon(points, fill=label)
            labels = np.array(picture)
    return labels


def test_health_and_setup(backend: Server, classes: List[str]) -> None:
    assert requests.get(f"{backend.url}/health").json() == {"status": "UP", "model_class": "icseg"}
    body = {"project": "1.1", "schema": interface(BRUSH, classes), "hostname": "http://localhost:8080", "access_token": "x"}
    version = requests.post(f"{backend.url}/setup", json=body).json()["model_version"]
    assert version.startswith("scenes, 20")
    other = requests.post(f"{backend.url}/label-studio/again/setup", json=body).json()["model_version"]
    assert other.startswith("again, 20")
    assert requests.get(f"{backend.url}/versions").json() == {"versions": [version]}
    assert requests.get(f"{backend.url}/label-studio/again/versions").json() == {"versions": [other]}
    assert requests.post(f"{backend.url}/webhook", json={"action": "ANNOTATION_CREATED"}).json() == {}


@pytest.mark.parametrize("picture", ["/data/upload/1/a.jpg", "/data/moved.jpg", "s3://bucket/a.jpg"])
def test_brush_strokes_are_the_labels(backend: Server, classes: List[str], predicted: Path, photos: List[Path],
                                      picture: str) -> None:
    reply = predict(backend, interface(BRUSH, classes), picture)
    assert reply.status_code == 200, reply.text
    (task,) = reply.json()["results"]
    assert 0 < task["score"] <= 1 and task["model_version"] == reply.json()["model_version"]
    region = task["result"][0]
    assert (region["from_name"], region["to_name"], region["type"]) == ("strokes", "photo", "brushlabels")
    assert (region["original_width"], region["original_height"], region["image_rotation"]) == (96, 64, 0)
    assert (painted(task["result"], classes, (64, 96)) == expected(predicted, photos)).all()


def test_polygons_are_near_the_labels(backend: Server, classes: List[str], predicted: Path, photos: List[Path],
                                      studio: str) -> None:
    reply = predict(backend, interface(POLYGON, classes), studio + "/data/upload/1/a.jpg", path="/label-studio/again")
    (task,) = reply.json()["results"]
    assert {region["type"] for region in task["result"]} == {"polygonlabels"}
    assert task["result"][0]["from_name"] == "outlines" and task["result"][0]["value"]["closed"]
    assert (painted(task["result"], classes, (64, 96)) == expected(predicted, photos)).mean() > 0.8


def test_an_image_in_the_task(backend: Server, classes: List[str], predicted: Path, photos: List[Path]) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(photos[0].read_bytes()).decode()
    (task,) = predict(backend, interface(BRUSH, classes), url).json()["results"]
    assert (painted(task["result"], classes, (64, 96)) == expected(predicted, photos)).all()


def test_every_pixel_of_a_larger_image(backend: Server, classes: List[str], photos: List[Path]) -> None:
    file = io.BytesIO()
    Image.open(photos[0]).resize((768, 512)).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    (task,) = predict(backend, interface(BRUSH, classes), url).json()["results"]
    labels = requests.post(f"{backend.url}/v1/segment?format=png", data=file.getvalue(), timeout=60).content
    assert (painted(task["result"], classes, (512, 768)) == np.asarray(Image.open(io.BytesIO(labels)))).all()


def test_only_labels_of_the_project(backend: Server, classes: List[str], predicted: Path, photos: List[Path]) -> None:
    truth = expected(predicted, photos)
    common = int(np.bincount(truth.ravel()).argmax())
    config = interface(BRUSH, [classes[common].upper(), "something else"])
    (task,) = predict(backend, config, "/data/upload/1/a.jpg").json()["results"]
    assert {region["value"]["brushlabels"][0] for region in task["result"]} == {classes[common].upper()}
    shown = painted(task["result"], [name.upper() for name in classes], (64, 96))
    assert ((shown == common) == (truth == common)).all()


def test_a_bad_task_does_not_spoil_others(backend: Server, classes: List[str], folder: Path) -> None:
    reply = predict(backend, interface(BRUSH, classes), "/data/none.jpg", "/data/upload/1/a.jpg")
    assert reply.status_code == 200
    bad, good = reply.json()["results"]
    assert "status 404" in bad["error"] and "result" not in bad
    assert good["result"]
    for _ in range(200):  # the log follows the reply
        if '"error":"/data/none.jpg: cannot fetch the image' in (folder / "studio.log").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("the log does not have the failure")


@pytest.mark.parametrize("picture, status, sentence", [
    ("/data/none.jpg", 502, "/data/none.jpg: cannot fetch the image from Label Studio: it answers with status 404"),
    ("/data/elsewhere.jpg", 502, "images are fetched from"),
    ("/data/circle.jpg", 502, "redirects more than"),
    ("/data/large.jpg", 502, "more than 2097152 bytes"),
    ("http://127.0.0.1:1/a.jpg", 502, "images are fetched from"),
    ("//127.0.0.1:1/a.jpg", 502, "status 404"),
    ("file:///etc/passwd", 502, "status 404"),  # Label Studio's matter: it is asked for it as a file of its storage
    ("data:image/png,abc", 400, "expected \"data:...;base64,\""),
    ("data:image/png;base64,AAAA", 400, "not an image"),
])
def test_images_that_cannot_be_read(backend: Server, classes: List[str], picture: str, status: int,
                                    sentence: str) -> None:
    reply = predict(backend, interface(BRUSH, classes), picture)
    assert reply.status_code == status and sentence in reply.json()["error"], reply.text


def test_another_origin_with_the_same_beginning(backend: Server, classes: List[str], studio: str) -> None:
    for address in (studio + ".example.com/a.jpg", studio + "@127.0.0.1:1/a.jpg", studio + "1/a.jpg"):
        reply = predict(backend, interface(BRUSH, classes), address)
        assert reply.status_code == 502 and "images are fetched from" in reply.json()["error"], reply.text


@pytest.mark.parametrize("config, sentence", [
    ("<View>", "label_config: line 1:"),
    ("<View/>", "expected <BrushLabels> or <PolygonLabels>"),
    ('<!DOCTYPE a [<!ENTITY b "c">]><View/>', "DOCTYPE"),
    (interface(BRUSH, ["nothing", "known"]), "no label of the project is a class of the model scenes"),
    (interface(BRUSH, ["sky"]).replace("$picture", "a.jpg"), "expected <BrushLabels>"),
])
def test_interfaces_that_cannot_work(backend: Server, config: str, sentence: str) -> None:
    reply = predict(backend, config, "/data/upload/1/a.jpg")
    assert reply.status_code == 400 and sentence in reply.json()["error"], reply.text
    reply = requests.post(f"{backend.url}/setup", json={"schema": config})
    assert reply.status_code == 400 and sentence.replace("label_config", "schema") in reply.json()["error"]


@pytest.mark.parametrize("body, sentence", [
    ("", "expected a JSON object"), ("[]", "expected a JSON object"), ("{}", "label_config: expected"),
    ('{"label_config": 1}', "label_config: expected"),
])
def test_requests_that_are_not_label_studios(backend: Server, body: str, sentence: str) -> None:
    reply = requests.post(f"{backend.url}/predict", data=body)
    assert reply.status_code == 400 and sentence in reply.json()["error"], reply.text


def test_tasks_of_a_wrong_kind(backend: Server, classes: List[str]) -> None:
    config = interface(BRUSH, classes)
    for tasks, sentence in ((1, "tasks: expected a list"), ([1], "data.picture: expected"), ([{"data": {}}], "data.picture"),
                            ([{"data": {"picture": 5}}], "data.picture")):
        reply = requests.post(f"{backend.url}/predict", json={"tasks": tasks, "label_config": config})
        assert reply.status_code == 400 and sentence in reply.json()["error"], reply.text
    assert requests.post(f"{backend.url}/predict", json={"tasks": [], "label_config": config}).json()["results"] == []
    assert requests.get(f"{backend.url}/label-studio/other/health").status_code == 404


def test_tokens(folder: Path, checkpoint: Path, studio: str, classes: List[str]) -> None:
    for token, status, sentence in ((REFRESH, 200, ""), (REFRESH + "x", 502, "refuses the token"),
                                    ("wrong-token", 502, "does not accept the token")):
        server = serve(folder, checkpoint, studio, token)
        reply = predict(server, interface(BRUSH, classes), "/data/upload/1/a.jpg")
        assert reply.status_code == status and sentence in reply.json().get("error", ""), reply.text
        assert token not in (folder / "studio.log").read_text() and token not in reply.text
        assert server.close() == 0


def test_without_an_address(server: Server, classes: List[str]) -> None:
    reply = predict(server, interface(BRUSH, classes), "/data/upload/1/a.jpg")
    assert reply.status_code == 400 and "--label-studio http://" in reply.json()["error"]


def test_the_servers_own_token_as_a_password(folder: Path, checkpoint: Path, classes: List[str], photos: List[Path]) -> None:
    (folder / "own.txt").write_text("a-token-of-this-server\n")
    server = Server([str(checkpoint), "--token-file", str(folder / "own.txt")], folder / "own.log")
    body = {"schema": interface(BRUSH, classes)}
    for password, status in (("a-token-of-this-server", 200), ("a-token-of-this-serve", 401), ("", 401)):
        reply = requests.post(f"{server.url}/setup", json=body, auth=("label-studio", password))
        assert reply.status_code == status
    for header in ("Basic", "Basic ", "Basic !!!!", "Basic " + base64.b64encode(b"a-token-of-this-server").decode()):
        assert requests.post(f"{server.url}/setup", json=body, headers={"Authorization": header}).status_code == 401
    assert server.close() == 0


@pytest.mark.parametrize("address", ["localhost:8080", "ftp://a", "http://", "http://a b", "http://user@host", "http://a?b"])
def test_addresses_that_cannot_be_label_studios(checkpoint: Path, address: str) -> None:
    done = subprocess.run([PROGRAM, "serve", checkpoint, "--label-studio", address], capture_output=True, text=True,
                          env=os.environ)
    assert done.returncode == 2 and "expected an address such as http://127.0.0.1:8080" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm, or only fail: the right answer for them, and none of it for others."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import zlib
from pathlib import Path
from typing import Iterator, List

import pytest
import requests

from conftest import PROGRAM, Server

TOKEN = "a-long-enough-token"


@pytest.fixture(scope="module")
def guarded(checkpoint: Path, folder: Path) -> Iterator[Server]:
    """A small server: one session, a queue of two, 1 MiB, 2 seconds."""
    token = folder / "token.txt"
    token.write_text(TOKEN + "\n")
    arguments = [f"scenes={checkpoint}", "--queue", "2", "--max-body", "1", "--timeout", "2", "--max-pixels", "1000000",
                 "--token-file", str(token), "--threads", "1", "--cors", "https://example.org"]
    server = Server(arguments, folder / "guarded.log")
    yield server
    assert server.close() == 0


AUTH = {"Authorization": f"Bearer {TOKEN}"}


def assert_serves(server: Server, photo: Path) -> None:
    """Others are unharmed. A queue that bad clients filled empties within the time limit."""
    for _ in range(50):
        answer = requests.post(f"{server.url}/v1/segment", data=photo.read_bytes(), headers=AUTH, timeout=20)
        if answer.status_code != 503:
            break
        time.sleep(0.2)
    assert answer.status_code == 200, answer.text


def connect(server: Server, text: bytes = b"") -> socket.socket:
    s = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    s.sendall(text)
    return s


def head(length: int, path: str = "/v1/segment", more: str = "") -> bytes:
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"{more}\r\n").encode()


def read_all(s: socket.socket) -> bytes:
    data = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                break
            data += part
    except (ConnectionResetError, socket.timeout):
        pass
    return data


def png(width: int, height: int, rows: int) -> bytes:
    """A valid header of any size, with `rows` rows of zeros behind it."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    compressor = zlib.compressobj(9)
    data = b"".join(compressor.compress(bytes(1 + 3 * width)) for _ in range(rows)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_tokens(guarded: Server, photos: List[Path]) -> None:
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN}x"},
                  {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer "}):
        for method, path in (("POST", "/v1/segment"), ("GET", "/metrics"), ("GET", "/v2/models/scenes"),
                             ("POST", "/v2/models/scenes/infer"), ("POST", "/models/scenes"),
                             ("POST", "/v2/repository/models/scenes/load")):
            answer = requests.request(method, guarded.url + path, headers=wrong)
            assert answer.status_code == 401 and "token" in answer.json()["error"]
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    for path in ("/", "/healthz", "/v2/health/ready"):
        assert requests.get(guarded.url + path).status_code == 200
    assert_serves(guarded, photos[0])


def test_cors(guarded: Server) -> None:
    answer = requests.options(f"{guarded.url}/v1/segment", headers={"Origin": "https://example.org"})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("path", ["/etc/passwd", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/page/index.html",
                                  "/v2/models/..%2f..%2fetc%2fpasswd", "/v2/models/", "/v2/models/scenes/x/y", "//"])
def test_no_request_names_a_file(guarded: Server, path: str) -> None:
    s = connect(guarded, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n".encode())
    answer = read_all(s)
    assert answer.startswith(b"HTTP/1.1 404 ") and b"root:" not in answer


def test_too_large_bodies(guarded: Server, photos: List[Path]) -> None:
    answer = requests.post(f"{guarded.url}/v1/segment", data=bytes(2 << 20), headers=AUTH)
    assert answer.status_code == 413 and "at most 1048576" in answer.json()["error"]
    chunks = (bytes(65536) for _ in range(64))
    answer = requests.post(f"{guarded.url}/v1/segment", data=chunks, headers=AUTH)
    assert answer.status_code == 413
    assert read_all(connect(guarded, head(10**30))).startswith(b"HTTP/1.1 4")
    assert_serves(guarded, photos[0])


def test_image_bombs(guarded: Server, photos: List[Path]) -> None:
    for bomb in (png(60000, 60000, 1), png(32768, 8192, 1), png(1001, 1000, 1000)):
        answer = requests.post(f"{guarded.url}/v1/segment", data=bomb, headers=AUTH)
        assert answer.status_code in (400, 413) and "pixels" in answer.json()["error"], answer.text
    assert requests.post(f"{guarded.url}/v1/segment", data=png(100, 100, 50), headers=AUTH).status_code == 400
    assert_serves(guarded, photos[0])


@pytest.mark.parametrize("kind, body, status", [
    ("text/html", b"<p>", 415), ("application/json", b"{}", 415), ("multipart/form-data", b"x", 400),
    ("multipart/form-data; boundary=a", b"--b\r\n", 400), ("image/png", b"", 400), ("image/png", b"\x89PNG\r\n\x1a\n", 400)])
def test_wrong_types(guarded: Server, kind: str, body: bytes, status: int) -> None:
    answer = requests.post(f"{guarded.url}/v1/segment", data=body, headers={**AUTH, "Content-Type": kind})
    assert answer.status_code == status and answer.json()["error"], answer.text


@pytest.mark.parametrize("text, part", [
    (b"", "not JSON"), (b"[]", "inputs"), (b"{\"inputs\": 1}", "inputs"), (b"[" * 100000, "not JSON"),
    (b'{"inputs":[{"datatype":"INT64","shape":[1],"data":[1]}]}', "datatype"),
    (b'{"inputs":[{"datatype":"UINT8","shape":[-1,1,1,3],"data":[1]}]}', "shape"),
    (b'{"inputs":[{"datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,256]}]}', "0 to 255"),
    (b'{"inputs":[{"datatype":"UINT8","shape":[1,1,1,3],"data":[1,2]}]}', "2 elements"),
    (b'{"inputs":[{"datatype":"UINT8","shape":[64,1000,1000,3],"data":[]}]}', "0 elements"),
    (b'{"inputs":[{"datatype":"FP32","shape":[1,3,1,1],"data":[1,2,1e999]}]}', "not JSON"),
    (b'{"inputs":[{"datatype":"FP32","shape":[1,3,1,1],"data":[1,2,1e50]}]}', "not finite"),
    (b'{"inputs":[{"datatype":"BYTES","shape":[1],"data":["%%%"]}]}', "base64"),
    (b'{"inputs":[{"datatype":"BYTES","shape":[1],"data":["aGVsbG8="]}]}', "not an image"),
    (b'{"inputs":[{"datatype":"UINT8","shape":[1,1,1,3],"parameters":{"binary_data_size":3}}]}', "binary_data_size"),
    (b'{"inputs":[{"datatype":"UINT8","shape":[1,1,1,3],"data":[1,2,3]}],"outputs":[{"name":"x"}]}', "outputs")])
def test_malformed_tensors(guarded: Server, text: bytes, part: str) -> None:
    answer = requests.post(f"{guarded.url}/v2/models/scenes/infer", data=text, headers=AUTH)
    assert answer.status_code == 400 and part in answer.json()["error"], answer.text


def test_malformed_binary_tensors(guarded: Server) -> None:
    def ask(json_text: bytes, data: bytes, length: str) -> requests.Response:
        return requests.post(f"{guarded.url}/v2/models/scenes/infer", data=json_text + data,
                             headers={**AUTH, "Inference-Header-Content-Length": length})

    text = b'{"inputs":[{"datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":%d}}]}'
    for data in (b"", b"abc", struct.pack("<I", 0xFFFFFFFF), struct.pack("<I", 2) + b"a", struct.pack("<I", 1) + b"ab"):
        json_text = text % len(data)
        answer = ask(json_text, data, str(len(json_text)))
        assert answer.status_code == 400, answer.text
    for length in ("-1", "x", "99999999", "", "18446744073709551616"):
        assert ask(text % 0, b"", length).status_code == 400


def test_many_large_bodies(guarded: Server, photos: List[Path]) -> None:
    """All bodies together take at most 16 MiB here; one more is refused, until the others are gone."""
    sockets = [connect(guarded, head(1 << 20) + bytes((1 << 20) - 1)) for _ in range(24)]
    time.sleep(0.5)
    answer = requests.post(f"{guarded.url}/v1/segment", data=bytes(1 << 20), headers=AUTH)
    assert answer.status_code == 503 and "too many large requests" in answer.json()["error"], answer.text
    assert answer.headers["Retry-After"] == "1"
    for s in sockets:
        s.close()
    assert_serves(guarded, photos[0])


def test_broken_http(guarded: Server, photos: List[Path]) -> None:
    for text in (b"\x00\xff" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 100000 + b"\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"):
        s = connect(guarded)
        try:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = read_all(s)
        assert not answer or answer.startswith(b"HTTP/1."), answer[:100]
    assert_serves(guarded, photos[0])


def test_cut_bodies(guarded: Server, photos: List[Path]) -> None:
    for _ in range(50):
        connect(guarded, head(100000) + b"abc").close()
    assert_serves(guarded, photos[0])


def test_slow_clients_are_closed(guarded: Server, photos: List[Path]) -> None:
    """One byte a second, in the headers and in bodies, and no byte at all; the time limit is 2 seconds."""
    sockets = [connect(guarded, b"GET / HT" if i % 3 else head(1000) if i % 2 else b"") for i in range(200)]
    assert_serves(guarded, photos[0])
    end = time.monotonic() + 8
    while sockets and time.monotonic() < end:
        for s in list(sockets):
            try:
                s.sendall(b"a")
                s.setblocking(False)
                if s.recv(1000) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                s.settimeout(20)
            except OSError:
                sockets.remove(s)
        time.sleep(0.5)
    assert not sockets
    assert_serves(guarded, photos[0])


def test_a_thousand_connections(guarded: Server, photos: List[Path]) -> None:
    sockets = [connect(guarded) for _ in range(1000)]
    assert_serves(guarded, photos[0])
    for s in sockets:
        s.close()
    assert_serves(guarded, photos[0])


def test_a_full_queue_is_answered_at_once(guarded: Server, photos: List[Path]) -> None:
    """More requests than may wait: each is answered, 200 or 503 with Retry-After."""
    answers: List[requests.Response] = []

    def ask() -> None:
        answers.append(requests.post(f"{guarded.url}/v1/segment", data=png(900, 900, 900), headers=AUTH, timeout=60))

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    refused = [a for a in answers if a.status_code == 503]
    assert len(answers) == 30 and refused
    assert all(a.status_code in (200, 503) for a in answers)
    assert any(a.headers.get("Retry-After") == "1" and "wait already" in a.json()["error"] for a in refused)
    assert_serves(guarded, photos[0])


def test_dropped_requests_free_their_places(guarded: Server, photos: List[Path]) -> None:
    image = png(900, 900, 900)
    for _ in range(100):
        connect(guarded, head(len(image)) + image).close()
    start = time.monotonic()
    assert_serves(guarded, photos[0])
    assert time.monotonic() - start < 20
    metrics = requests.get(f"{guarded.url}/metrics", headers=AUTH).text
    assert "icseg_queue_requests 0" in metrics


def test_a_bad_checkpoint_does_not_replace_a_good_one(checkpoint: Path, folder: Path, photos: List[Path]) -> None:
    copy = folder / "copy.safetensors"
    copy.write_bytes(checkpoint.read_bytes())
    server = Server([str(copy)], folder / "copy.log")
    try:
        other = folder / "other.safetensors"
        other.write_bytes(b"not a checkpoint")
        os.replace(other, copy)
        answer = requests.post(f"{server.url}/v2/repository/models/copy/load")
        assert answer.status_code == 400 and "copy.safetensors" in answer.json()["error"]
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if '"event":"load"' in server.log.read_text():
                break
            time.sleep(0.1)
        (line,) = [json.loads(x) for x in server.log.read_text().splitlines() if "event" in x]
        assert line["ok"] is False and "copy.safetensors" in line["error"]
        assert requests.post(f"{server.url}/v1/segment", data=photos[0].read_bytes()).status_code == 200
        good = folder / "good.safetensors"
        good.write_bytes(checkpoint.read_bytes())
        os.replace(good, copy)
        assert requests.post(f"{server.url}/v2/repository/models/copy/load").status_code == 200
        assert requests.get(f"{server.url}/v2/models/copy").json()["versions"] == ["2"]
    finally:
        assert server.close() == 0


def test_sigterm_completes_requests(checkpoint: Path, folder: Path) -> None:
    server = Server([f"scenes={checkpoint}", "--threads", "1"], folder / "stopped.log")
    answers: List[int] = []

    def ask() -> None:
        answers.append(requests.post(f"{server.url}/v1/segment", data=png(900, 900, 900), timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    assert server.close() == 0
    for t in threads:
        t.join()
    assert answers == [200, 200, 200]
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)


@pytest.mark.parametrize("arguments, part", [
    (["--listen", "x"], "listen"), (["--listen", "127.0.0.1:99999"], "listen"), (["--listen", "256.0.0.1:80"], "listen"),
    (["--token-file", "/nothing"], "/nothing"), (["--sessions", "0"], "sessions"), (["--queue", "-1"], "queue"),
    (["x=/nothing.safetensors"], "nothing.safetensors"), (["--max-pixels", "0"], "max-pixels")])
def test_wrong_options(checkpoint: Path, arguments: List[str], part: str) -> None:
    result = subprocess.run([PROGRAM, "serve", checkpoint, *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode in (1, 2) and part in result.stderr, result.stderr


def test_an_address_in_use(server: Server, checkpoint: Path) -> None:
    command = [PROGRAM, "serve", checkpoint, "--listen", server.host]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "in use" in result.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_file(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "packaging" / "icseg.service"
    unit = tmp_path / "icseg.service"
    unit.write_text(source.read_text().replace("ExecStart=icseg", f"ExecStart={PROGRAM}"))
    result = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert result.returncode == 0 and not result.stderr, result.stderr

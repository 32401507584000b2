# SPDX-License-Identifier: Apache-2.0
"""The server behind nginx, with the lines that docs/serve.md prints."""
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Iterator, List

import pytest
import requests

from conftest import Server

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed")

CONFIGURATION = """\
{user} daemon off; error_log {folder}/error.log; pid {folder}/nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server behind nginx."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    documented = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    location = re.search(r"^    location /icseg/ \{\n.*?^    \}\n", documented, re.M | re.S)
    assert location, "docs/serve.md has no location for nginx"
    assert "http://127.0.0.1:8080/" in location[0]
    user = "user root;" if os.geteuid() == 0 else ""  # to write into the folder
    text = location[0].replace("127.0.0.1:8080", server.host)
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, location=text, user=user))
    assert NGINX
    process = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/icseg"
    process.terminate()
    process.wait(timeout=30)


def test_the_labels_are_the_same(proxy: str, photos: List[Path], predicted: Path) -> None:
    for photo in photos:
        reply = requests.post(f"{proxy}/v1/segment?format=png", data=photo.read_bytes(), timeout=60)
        assert reply.status_code == 200 and reply.content == (predicted / f"{photo.stem}.png").read_bytes()


def test_the_page_works_below_a_path(proxy: str) -> None:
    page = requests.get(f"{proxy}/").text
    assert not re.search(r'(src|href)="/', page), "an address that is not relative"
    for name in re.findall(r'(?:src|href)="([a-z.]+)"', page):
        assert requests.get(f"{proxy}/{name}").status_code == 200, name
    assert requests.get(f"{proxy}/openapi.json").json()["openapi"]


def test_errors_and_sizes_pass(proxy: str) -> None:
    reply = requests.post(f"{proxy}/v1/segment", data=b"hello")
    assert reply.status_code == 400 and "not an image" in reply.json()["error"]
    reply = requests.post(f"{proxy}/v1/segment", data=bytes((64 << 20) - 4096), timeout=60)  # as much as both allow
    assert reply.status_code == 400 and "not an image" in reply.json()["error"]

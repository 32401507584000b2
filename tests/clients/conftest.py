# SPDX-License-Identifier: Apache-2.0
"""A server on generated scenes, for all tests of this folder. scripts/test_clients.sh sets ICSEG_PROGRAM."""
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Iterator, List, Optional

import pytest

PROGRAM = os.environ["ICSEG_PROGRAM"]

RECIPE = """\
model: {{preset: tiny-resnet, context_length: 40}}
data: {{folder: {data}}}
augment: {{crop: [64, 64], resize_short: 0}}
train: {{steps: 40, batch: 4, warmup: 1, threads: 2, lr: 0.002, backbone_lr_mult: 1, eval_every: 0}}
eval: {{resize_short: 0}}
"""


class Server:
    """A running `icseg serve`."""

    def __init__(self, arguments: List[str], log: Path) -> None:
        self.log = log
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        self.process = subprocess.Popen(
            [PROGRAM, "serve", *arguments, "--listen", "127.0.0.1:0"],
            stdout=log.open("wb"), stderr=subprocess.PIPE, env=environment,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline().decode()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert found, line + self.process.stderr.read().decode()
        self.port = int(found[1])
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"

    def close(self) -> Optional[int]:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes and a model that was trained on them for a moment."""
    path = tmp_path_factory.mktemp("serve")
    data = path / "data"
    subprocess.run([PROGRAM, "synth", data, "--images", "8", "--val", "4", "--size", "96x64", "--quiet"], check=True)
    (path / "tiny.yaml").write_text(RECIPE.format(data=data))
    subprocess.run([PROGRAM, "train", path / "tiny.yaml", "--out", path / "run", "--quiet"], check=True)
    return path


@pytest.fixture(scope="session")
def checkpoint(folder: Path) -> Path:
    return folder / "run" / "checkpoint.safetensors"


@pytest.fixture(scope="session")
def photos(folder: Path) -> List[Path]:
    return sorted((folder / "data" / "images" / "val").glob("*.jpg"))


@pytest.fixture(scope="session")
def predicted(folder: Path, checkpoint: Path, photos: List[Path]) -> Path:
    """What `icseg predict` writes for the photos."""
    out = folder / "predicted"
    subprocess.run([PROGRAM, "predict", checkpoint, *photos, "--out", out, "--overlay", "--json", "--quiet"], check=True)
    return out


@pytest.fixture(scope="session")
def server(checkpoint: Path, folder: Path) -> Iterator[Server]:
    server = Server([f"scenes={checkpoint}", f"again={checkpoint}"], folder / "serve.log")
    yield server
    assert server.close() == 0

# SPDX-License-Identifier: Apache-2.0
"""The programs of examples/python/ and the notebook run."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

EXAMPLES = ROOT / "examples" / "python"


def test_to_coco(checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLES / "to_coco.py", checkpoint, tmp_path / "coco"]
    done = subprocess.run([*command, *photos[:3]], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith("coco/instances.json\n"), done.stderr
    made = json.loads((tmp_path / "coco" / "instances.json").read_text())
    assert [image["file_name"] for image in made["images"]] == [p.name for p in photos[:3]] and made["annotations"]
    done = subprocess.run([*command, "none.jpg"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "to_coco.py: none.jpg: cannot open: No such file or directory\n"


def test_serve(checkpoint: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    from fastapi.testclient import TestClient

    monkeypatch.setenv("ICSEG_CHECKPOINT", str(checkpoint))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    client = TestClient(importlib.import_module("serve").app)
    data = photos[0].read_bytes()
    found = client.post("/classes", content=data).json()
    assert (found["width"], found["height"]) == (96, 64) and sum(c["pixels"] for c in found["classes"]) == 96 * 64
    assert client.post("/overlay", content=data).content.startswith(b"\x89PNG")
    for bad in (b"", b"not an image", data[:900]):
        answer = client.post("/classes", content=bad)
        assert answer.status_code == 422 and "image" in answer.json()["detail"]


def test_notebook(tmp_path: Path) -> None:
    pytest.importorskip("nbconvert")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    shutil.copy(EXAMPLES / "scenes.ipynb", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "scenes.ipynb"],
        cwd=tmp_path, capture_output=True, text=True, timeout=600,
    )
    assert done.returncode == 0, done.stderr
    images = [
        output
        for file in (tmp_path, EXAMPLES)  # the executed copy, and the stored notebook
        for cell in json.loads((file / "scenes.ipynb").read_text())["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(images) >= 6

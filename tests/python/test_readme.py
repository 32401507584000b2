# SPDX-License-Identifier: Apache-2.0
"""The Python code in the README and in docs/python.md runs as it is printed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import ROOT


def blocks(page: str, heading: str = "") -> list[str]:
    """The indented blocks of Python below a heading."""
    text = (ROOT / page).read_text()
    if heading:
        text = text.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [b for b in map(textwrap.dedent, found) if re.search(r"^(import|from) |^\w+ = |model|result", b, re.MULTILINE)]


@pytest.fixture
def folder(tmp_path: Path, run: Path, photos: list[Path]) -> Path:
    """A folder with the files that the code names."""
    shutil.copy(run / "best.safetensors", tmp_path / "best.safetensors")
    shutil.copy(photos[0], tmp_path / "photo.jpg")
    shutil.copy(photos[1], tmp_path / "another.jpg")
    return tmp_path


def run_code(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, code + done.stderr
    return done.stdout


def test_quick_start(folder: Path) -> None:
    (code,) = blocks("README.md", "## Python")
    lines = run_code(code, folder).splitlines()
    assert lines[0].startswith("(64, 96) uint8 0.") and len(lines) > 1
    assert (folder / "labels.png").exists()


def test_guide(folder: Path) -> None:
    code = "\n".join(blocks("docs/python.md"))
    assert "icseg.load" in code
    run_code(code, folder)

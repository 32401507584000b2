# SPDX-License-Identifier: Apache-2.0
"""The package as a whole: version, program, types, imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, program

import icseg


def test_the_version_is_that_of_the_library() -> None:
    assert f"VERSION {icseg.__version__} " in (ROOT / "CMakeLists.txt").read_text()


def test_the_module_runs_the_program() -> None:
    assert program("--version").split()[1] == icseg.__version__
    assert "Usage: icseg predict" in program("predict", "--help")
    assert "IMAGE" in program("predict", "none.safetensors", "--out", "x", status=2)
    assert "none.safetensors" in program("info", "none.safetensors", status=1)


def test_importing_needs_numpy_only() -> None:
    code = "import sys, icseg; print([m for m in ('PIL', 'matplotlib', 'torch', 'tqdm') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_a_library_that_does_not_exist_is_an_import_error() -> None:
    environment = {**os.environ, "ICSEG_LIBRARY": "/none/libicseg.so"}
    done = subprocess.run([sys.executable, "-c", "import icseg"], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "ImportError: icseg: cannot load /none/libicseg.so" in done.stderr


def test_types_are_complete(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    source = Path(icseg.__file__).parent.parent
    path = {} if source.name == "site-packages" else {"MYPYPATH": str(source)}
    for command in (["-p", "icseg"], [str(ROOT / "tests" / "python" / "typed_program.py")]):
        done = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"),
             "--cache-dir", str(ROOT / "build-python" / "mypy"), *command],
            capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **path},
        )
        assert done.returncode == 0, done.stdout + done.stderr

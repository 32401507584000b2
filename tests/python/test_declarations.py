# SPDX-License-Identifier: Apache-2.0
"""The generated declarations agree with the headers and with the C compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from icseg import _declarations as c
from icseg._library import lib

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


@needs_compiler
def test_the_declarations_are_those_of_the_headers(tmp_path: Path) -> None:
    pytest.importorskip("pycparser")
    made = tmp_path / "declarations.py"
    subprocess.run([sys.executable, ROOT / "scripts" / "make_declarations.py", made], check=True)
    assert made.read_text() == Path(c.__file__).read_text(), "run scripts/make_declarations.py"


@needs_compiler
def test_sizes_offsets_and_enumerators_are_those_of_the_compiler(tmp_path: Path) -> None:
    expected, lines = [], []
    for struct in c.STRUCTS:
        name = struct.__name__
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field in struct._fields_:  # type: ignore[misc]
            lines.append(
                f'printf("{name}.{field[0]} %zu %zu\\n", offsetof({name}, {field[0]}), sizeof((({name} *)0)->{field[0]}));'
            )
            place = getattr(struct, field[0])
            expected.append(f"{name}.{field[0]} {place.offset} {place.size}")
    for name, members in c.ENUMS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {ctypes.sizeof(ctypes.c_int)}")
    numbers = {name: value for name, value in vars(c).items() if name.startswith("ICSEG_")}
    assert len(c.STRUCTS) > 50 and len(numbers) > 150
    for name, value in numbers.items():
        lines.append(f'printf("{name} %.17g\\n", (double){name});')
        expected.append(f"{name} {value:.17g}" if isinstance(value, float) else f"{name} {value}")
    source, binary = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text(
        "#include <stdio.h>\n#include <stddef.h>\n#include <icseg/icseg.h>\nint main(void) {\n" + "\n".join(lines) + "\n}\n"
    )
    subprocess.run(["cc", "-I", ROOT / "include", "-o", binary, source], check=True)
    assert subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines() == expected


def test_every_function_is_in_the_library() -> None:
    assert [name for name in c.FUNCTIONS if not hasattr(lib, name)] == []

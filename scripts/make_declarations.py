#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes python/icseg/_declarations.py: the structs, enumerators, callbacks and functions of include/icseg/ for ctypes.

Needs a C compiler and pycparser.
"""

import argparse
import pathlib
import re
import subprocess
import tempfile

from pycparser import c_ast, c_parser

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "python" / "icseg" / "_declarations.py"

# Stand-ins for the system's headers, which pycparser cannot read.
SYSTEM_HEADERS = {
    "stdbool.h": "typedef _Bool bool;\n",
    "stddef.h": "typedef unsigned long size_t;\n",
    "stdint.h": "".join(
        f"typedef {c} {name}_t;\n"
        for name, c in [("int8", "signed char"), ("uint8", "unsigned char"), ("int16", "short"),
                        ("uint16", "unsigned short"), ("int32", "int"), ("uint32", "unsigned"), ("int64", "long"),
                        ("uint64", "unsigned long")]),
}

# C type: the type of ctypes, and the type that Python code sees in a field.
SCALARS = {
    "bool": ("c_bool", "bool"), "char": ("c_char", "bytes"), "int": ("c_int", "int"), "unsigned": ("c_uint", "int"),
    "unsigned int": ("c_uint", "int"), "float": ("c_float", "float"), "double": ("c_double", "float"),
    "size_t": ("c_size_t", "int"),
    **{f"{sign}int{bits}_t": (f"c_{sign}int{bits}", "int") for sign in ("", "u") for bits in (8, 16, 32, 64)},
}

HEADER = '''# SPDX-License-Identifier: Apache-2.0
# Made by scripts/make_declarations.py from the headers in include/icseg/. Do not edit it.
"""The structs, enumerators, callbacks and functions of libicseg's public headers, under their names in C."""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int16, c_int32, c_int64, c_size_t,
    c_uint, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p,
)
from typing import Any, Callable
'''


def preprocess():
    """Returns the headers as one C text, and the values of their numeric macros."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in SYSTEM_HEADERS.items():
            (pathlib.Path(folder) / name).write_text(text)
        command = ["cc", "-E", "-nostdinc", "-I", folder, "-I", str(ROOT / "include"), "-D__attribute__(x)=",
                   str(ROOT / "include" / "icseg" / "icseg.h")]
        text = subprocess.run(command + ["-P"], check=True, capture_output=True, text=True).stdout
        macros = subprocess.run(command + ["-dM"], check=True, capture_output=True, text=True).stdout
    numbers = {}
    for name, value in re.findall(r"^#define (ICSEG_\w+) \(?(-?\d+(?:\.\d+)?)\)?$", macros, re.MULTILINE):
        numbers[name] = value
    return text, numbers


class Writer:
    """Translates declarations in the order of the headers."""

    def __init__(self):
        self.lines = []
        self.constants = {}   # enumerators so far
        self.enums = {}       # name of an enum: its enumerators
        self.structs = []     # structs with fields
        self.opaque = []      # structs without
        self.callbacks = {}   # name of a function pointer's typedef: its type
        self.functions = []   # (name, result, arguments)

    def constant(self, node):
        """The value of a constant expression."""
        if isinstance(node, c_ast.Constant):
            return int(node.value.rstrip("uUlL"), 0)
        if isinstance(node, c_ast.ID):
            return self.constants[node.name]
        if isinstance(node, c_ast.UnaryOp) and node.op == "-":
            return -self.constant(node.expr)
        if isinstance(node, c_ast.BinaryOp):
            a, b = self.constant(node.left), self.constant(node.right)
            return {"<<": lambda: a << b, "-": lambda: a - b, "+": lambda: a + b, "*": lambda: a * b,
                    "|": lambda: a | b}[node.op]()
        raise ValueError(f"a constant of the kind {type(node).__name__} is not supported")

    def enum(self, enum):
        value, names = -1, []
        for item in enum.values.enumerators:
            value = self.constant(item.value) if item.value else value + 1
            self.constants[item.name] = value
            names.append(item.name)
        if enum.name:
            self.enums[enum.name] = names
            self.lines.append(f"\n# enum {enum.name}")
        else:
            self.lines.append("\n# limits")
        self.lines += [f"{name} = {self.constants[name]}" for name in names]

    def callback(self, function):
        arguments = ", ".join(self.type(p.type)[0] for p in function.args.params)
        return f"CFUNCTYPE({self.type(function.type)[0]}, {arguments})"

    def pointer(self, node):
        """The type of a pointer to `node`."""
        if isinstance(node, c_ast.FuncDecl):
            return self.callback(node), "Any"
        if isinstance(node, c_ast.TypeDecl) and isinstance(node.type, c_ast.IdentifierType):
            name = " ".join(node.type.names)
            if name == "void":
                return "c_void_p", "int | None"
            if name == "char":
                return "c_char_p", "bytes | None"
        return f"POINTER({self.type(node)[0]})", "Any"

    def type(self, node):
        """The type of ctypes, and the type that Python code sees."""
        if isinstance(node, c_ast.PtrDecl):
            return self.pointer(node.type)
        if isinstance(node, c_ast.ArrayDecl):
            element, _ = self.type(node.type)
            return (f"({element} * {self.constant(node.dim)})" if node.dim else f"POINTER({element})",
                    "bytes" if element == "c_char" else "Any")
        if isinstance(node, c_ast.TypeDecl):
            if isinstance(node.type, c_ast.IdentifierType):
                name = " ".join(node.type.names)
                if name == "void":
                    return "None", "None"
                if name in SCALARS:
                    return SCALARS[name]
                if name in self.enums:
                    return "c_int", "int"
                if name in self.callbacks or name in self.structs or name in self.opaque:
                    return name, "Any"
        raise ValueError(f"{node} is not supported")

    def struct(self, name, fields):
        self.structs.append(name)
        self.lines += ["", "", f"class {name}(Structure):"]
        rows, hints = [], []
        for field in fields:
            kind, hint = self.type(field.type)
            hints.append(f"    {field.name}: {hint}")
            rows.append(f'        ("{field.name}", {kind}),')
        self.lines += hints + ["    _fields_ = ["] + rows + ["    ]", ""]

    def typedef(self, node):
        kind = node.type
        if isinstance(kind, c_ast.PtrDecl) and isinstance(kind.type, c_ast.FuncDecl):
            self.callbacks[node.name] = self.callback(kind.type)
            self.lines += ["", f"{node.name} = {self.callbacks[node.name]}"]
        elif isinstance(kind.type, c_ast.Enum):
            self.enum(kind.type)
        elif isinstance(kind.type, c_ast.Struct) and kind.type.decls:
            self.struct(node.name, kind.type.decls)
        elif isinstance(kind.type, c_ast.Struct):
            self.opaque.append(node.name)
            self.lines += ["", "", f"class {node.name}(Structure):", '    """Opaque."""', ""]
        else:
            assert not node.name.startswith("icseg_"), node.name  # one of the stand-ins

    def function(self, node):
        parameters = node.type.args.params if node.type.args else []
        if any(isinstance(p, c_ast.EllipsisParam) for p in parameters):
            return  # for programs in C
        types = [self.type(p.type)[0] for p in parameters]
        self.functions.append((node.name, self.type(node.type.type)[0], [t for t in types if t != "None"]))

    def write(self, text, macros):
        for node in c_parser.CParser().parse(text).ext:
            if isinstance(node, c_ast.Typedef):
                self.typedef(node)
            elif isinstance(node.type, c_ast.Enum):
                self.enum(node.type)
            elif isinstance(node.type, c_ast.FuncDecl):
                self.function(node)
        self.lines += ["", "# macros"] + [f"{name} = {value}" for name, value in sorted(macros.items())]
        self.lines += ["", "ENUMS: dict[str, list[str]] = {"]
        for name, members in self.enums.items():
            self.lines += [f'    "{name}": [', *(f'        "{member}",' for member in members), "    ],"]
        self.lines += ["}", "", "STRUCTS: list[type[Structure]] = ["] + [f"    {name}," for name in self.structs]
        self.lines += ["]", "", "# name: type of the result, types of the arguments; made on the first use, because importing takes time"]
        self.lines += ["FUNCTIONS: dict[str, Callable[[], tuple[Any, list[Any]]]] = {"]
        for name, result, arguments in self.functions:
            self.lines += [f'    "{name}": lambda: (', f"        {result},", "        [" + ", ".join(arguments) + "],", "    ),"]
        self.lines += ["}"]
        return HEADER + "\n".join(self.lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", nargs="?", type=pathlib.Path, default=OUTPUT)
    output = parser.parse_args().output
    text, macros = preprocess()
    output.write_text(Writer().write(text, macros))


if __name__ == "__main__":
    main()

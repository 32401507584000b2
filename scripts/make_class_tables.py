#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/classes/tables.c and tables_full.c (ADE20K-Full) from the class lists of the published data sets
(JSON: id or object_id, and name or synonyms). The C files are committed; this runs only when a list changes.
Usage: scripts/make_class_tables.py FOLDER_OF_JSON"""
import json
import os
import sys


def load(folder, name):
    with open(os.path.join(folder, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def entry(value, synonyms):
    text = ", ".join(synonyms)
    assert '"' not in text and "\\" not in text and text.isascii() and not any("," in s for s in synonyms)
    return '    {%d, "%s"},' % (value, text)


HEAD = """/* SPDX-License-Identifier: Apache-2.0
 * %s Made by scripts/make_class_tables.py:
 * change that, not this. */
#include "classes/tables.h"

/* clang-format off */
"""


def table(name, rows):
    return "\nconst icseg_class_entry icseg_classes_%s[%d] = {\n%s\n};\n" % (name, len(rows), "\n".join(rows))


def colour_table(name, colours):
    lines = [" ".join("{%d, %d, %d}," % tuple(c) for c in colours[at : at + 7]) for at in range(0, len(colours), 7)]
    return "\nconst uint8_t icseg_colors_%s[%d][3] = {\n    %s\n};\n" % (name, len(colours), "\n    ".join(lines))


def write(name, title, *tables):
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "classes")
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(HEAD % title + "".join(tables))


def main():
    folder = sys.argv[1]
    ade20k, full = load(folder, "ade20k"), load(folder, "ade20k_full")
    assert [c["train_id"] for c in full] == list(range(len(full)))
    write("tables.c", "Classes of ADE20K, with their colours, and of COCO-Stuff 10k.",
          table("ade20k", [entry(c["id"], c["synonyms"]) for c in ade20k]),
          colour_table("ade20k", [c["color"] for c in ade20k]),
          table("cocostuff10k", [entry(c["id"], [c["name"]]) for c in load(folder, "cocostuff10k")]))
    write("tables_full.c", "Classes of ADE20K-Full.",
          table("ade20k_full", [entry(c["object_id"], c["synonyms"]) for c in full]))


main()

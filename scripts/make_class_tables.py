#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/data/class_tables.c from the class lists of the published data sets (JSON: id or object_id, and name or
synonyms). The C file is committed; this runs only when a list changes.
Usage: scripts/make_class_tables.py FOLDER_OF_JSON >src/data/class_tables.c"""
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


def table(name, rows):
    print("\nconst icseg_class_entry icseg_classes_%s[%d] = {" % (name, len(rows)))
    print("\n".join(rows))
    print("};")


def main():
    folder = sys.argv[1]
    full = load(folder, "ade20k_full")
    assert [c["train_id"] for c in full] == list(range(len(full)))
    print("/* SPDX-License-Identifier: Apache-2.0")
    print(" * Classes of the published data sets. Made by scripts/make_class_tables.py: change that, not this. */")
    print('#include "data/class_tables.h"\n\n/* clang-format off */')
    table("ade20k", [entry(c["id"], c["synonyms"]) for c in load(folder, "ade20k")])
    colours = [c["color"] for c in load(folder, "ade20k")]
    print("\nconst uint8_t icseg_colors_ade20k[%d][3] = {" % len(colours))
    for at in range(0, len(colours), 7):
        print("    " + " ".join("{%d, %d, %d}," % tuple(c) for c in colours[at : at + 7]))
    print("};")
    table("cocostuff10k", [entry(c["id"], [c["name"]]) for c in load(folder, "cocostuff10k")])
    table("ade20k_full", [entry(c["object_id"], c["synonyms"]) for c in full])


main()

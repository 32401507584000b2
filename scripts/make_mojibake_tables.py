#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/text/mojibake_tables.c: the facts behind ftfy's repair of text that was decoded with the wrong encoding,
taken from an installed ftfy (pip install ftfy) and Python's codecs. Run from the root; the build does not need it."""
import re
import sys

import ftfy
from ftfy import badness, chardata

try:
    from re import _parser as parser
except ImportError:
    import sre_parse as parser

SPACE, WORD, NOT_LETTER, NOT_NEWLINE = "space", "word", "not a letter", "not a newline"
specials = [SPACE, WORD, NOT_LETTER, NOT_NEWLINE]  # worked out in C, bits 0..3
clues = [
    frozenset(c for c in range(0x10000) if re.fullmatch(f"[{chardata.UTF8_CLUES[key]}]", chr(c)))
    for key in ("utf8_first_of_2", "utf8_first_of_3", "utf8_first_of_4", "utf8_continuation", "utf8_continuation_strict")
]
sets = specials + clues  # bits 4..8
AT_START = 255


def members(items):
    """The set a character class stands for."""
    if str(items[0][0]) == "NEGATE":
        assert sorted(map(str, items[1:])) == ["(RANGE, (65, 90))", "(RANGE, (97, 122))"], items
        return NOT_LETTER
    if str(items[0][0]) == "CATEGORY":
        assert len(items) == 1
        return {"CATEGORY_SPACE": SPACE, "CATEGORY_WORD": WORD}[str(items[0][1])]
    out = set()
    for kind, value in items:
        if str(kind) == "LITERAL":
            out.add(value)
        else:
            assert str(kind) == "RANGE", kind
            out.update(range(value[0], value[1] + 1))
    return frozenset(out)


def number(entry):
    if entry not in sets:
        sets.append(entry)
    return sets.index(entry)


def expand(sequence):
    """A sequence of characters as lists of set numbers; an optional character gives two lists."""
    out = [[]]
    for kind, value in sequence:
        kind = str(kind)
        if kind == "MAX_REPEAT":
            assert value[:2] == (0, 1)
            out += [o + e for o in out for e in expand(value[2])]
            continue
        if kind == "AT":
            step = AT_START
        elif kind == "ANY":
            step = number(NOT_NEWLINE)
        else:
            step = number(members(value) if kind == "IN" else frozenset([value]))
        out = [o + [step] for o in out]
    return out


tree = parser.parse(badness.BADNESS_RE.pattern, re.VERBOSE)
assert len(tree) == 1 and str(tree[0][0]) == "BRANCH"
patterns = [p for branch in tree[0][1][1] for p in expand(branch)]
assert len(sets) <= 128, len(sets)
longest = max(map(len, patterns))
universe = sorted(set().union(*[s for s in sets if not isinstance(s, str)]))
masks = [sum(1 << i for i, s in enumerate(sets) if not isinstance(s, str) and c in s) for c in universe]
assert universe[-1] < 0x10000

codecs = []
for name in chardata.CHARMAP_ENCODINGS:
    text = bytes([0x1A] + list(range(0x80, 0x100))).decode(name)
    assert len(set(text)) == 129 and max(map(ord, text)) < 0x10000
    assert all(bytes([b]).decode(name) == chr(b) for b in range(0x80) if b != 0x1A)
    assert all(chardata.possible_encoding(ch, name) for ch in text)
    codecs.append((name, text))
strict = []  # bytes of Windows-1252 without a character
for b in range(0x80, 0xA0):
    try:
        bytes([b]).decode("windows-1252")
    except UnicodeDecodeError:
        strict.append(b)
assert strict == [0x81, 0x8D, 0x8F, 0x90, 0x9D]


def rows(values, width=118):
    line, lines = "   ", []
    for value in values:
        if len(line) + len(value) + 2 > width:
            lines.append(line)
            line = "   "
        line += " " + value + ","
    return "\n".join(lines + [line])


unique = sorted(set(masks))
with open("src/text/mojibake_tables.c", "w", encoding="ascii") as f:
    f.write(f"""/* SPDX-License-Identifier: Apache-2.0
 * Characters and sequences that tell text decoded with the wrong encoding, and the encodings it may have been. The facts
 * are ftfy's (Robyn Speer, Apache-2.0), which CLIP's tokenizer runs on its input.
 * Made by scripts/make_mojibake_tables.py with ftfy {ftfy.__version__}, Python {sys.version.split()[0]}; not to be edited. */
#include "text/tables.h"

/* clang-format off */
/* code point << 8 | row of icseg_mojibake_masks */
const uint32_t icseg_mojibake_characters[{len(universe)}] = {{
{rows(f"0x{c << 8 | unique.index(m):x}" for c, m in zip(universe, masks))}
}};
const size_t icseg_mojibake_characters_count = {len(universe)};

/* bit s % 64 of word s / 64: the character is in set s */
const uint64_t icseg_mojibake_masks[{len(unique)}][2] = {{
{rows(f"{{0x{m & (1 << 64) - 1:x}, 0x{m >> 64:x}}}" for m in unique)}
}};

/* Sequences of set number + 1, ended by 0; {AT_START} = only at the start of the text. */
const uint8_t icseg_mojibake_patterns[{len(patterns)}][ICSEG_MOJIBAKE_LONGEST + 1] = {{
{rows("{" + ", ".join(str(s if s == AT_START else s + 1) for s in p) + "}" for p in patterns)}
}};
const size_t icseg_mojibake_patterns_count = {len(patterns)};

/* What byte 0x1a and bytes 0x80..0xff mean: {", ".join(name for name, _ in codecs)}. */
const uint16_t icseg_mojibake_encodings[ICSEG_ENCODINGS][129] = {{
""")
    for name, text in codecs:
        f.write("    {\n" + rows((f"0x{ord(ch):x}" for ch in text), 114) + "\n    },\n")
    f.write("};\n")
assert len(unique) < 256 and longest <= 7 and len(codecs) == 10
print(f"mojibake: {len(sets)} sets, {len(patterns)} patterns, {len(universe)} characters, {len(unique)} masks", file=sys.stderr)

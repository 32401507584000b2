#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/text/unicode_tables.c and src/text/html_tables.c: what Python's str, unicodedata, html and the `regex`
package (pip install regex) know, as CLIP's tokenizer uses them. Run from the root; the build does not need it."""
import html
import html.entities
import sys
import unicodedata

import regex

ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def rows(values, width=118):
    line, lines = "   ", []
    for value in values:
        if len(line) + len(value) + 2 > width:
            lines.append(line)
            line = "   "
        line += " " + value + ","
    return "\n".join(lines + [line])


def array(kind, name, values):
    values = list(values)
    return f"const {kind} {name}[{len(values)}] = {{\n{rows(values)}\n}};\nconst size_t {name}_count = {len(values)};\n"


def ranges(function):
    """Starts of the ranges over which function(code point) (0..255) is the same, as start << 8 | value."""
    out, last = [], None
    for c in ALL:
        value = function(chr(c))
        if value != last:
            out.append(f"0x{c << 8 | value:x}")
            last = value
    return out


def flags(s):
    kinds = [regex.fullmatch(p, s, regex.IGNORECASE) for p in (r"[\p{L}]", r"[\p{N}]", r"\s", r"[^\s\p{L}\p{N}]")]
    assert sum(map(bool, kinds)) == (s != "\u0345")  # which src/text/clip_tokenizer.c knows
    cased = (s + "Σ").lower()[-1] == "ς"
    ignorable = ("a" + s + "Σ").lower()[-1] == "ς" and not cased
    return (
        bool(regex.fullmatch(r"\p{L}", s)) * 1
        | bool(regex.fullmatch(r"\p{N}", s)) * 2
        | bool(regex.fullmatch(r"\s", s)) * 4
        | s.isspace() * 8
        | s.isdecimal() * 16
        | (s.isalnum() or s == "_") * 32
        | cased * 64
        | ignorable * 128
    )


def lower_runs():
    """{first, last, step, shift} for all that lower() changes, but U+0130 and the sigma, which C handles."""
    runs = []
    for c in ALL:
        small = chr(c).lower()
        if small == chr(c) or c in (0x130, 0x3A3):
            continue
        assert len(small) == 1, hex(c)
        shift = ord(small) - c
        if runs and runs[-1][3] == shift:
            first, last, step, _ = runs[-1]
            if c - last in (1, 2) and (first == last or c - last == step):
                runs[-1] = [first, c, c - last, shift]
                continue
        runs.append([c, c, 1, shift])
    return [f"{{0x{a:x}, 0x{b:x}, {step}, {shift}}}" for a, b, step, shift in runs]


def decompositions():
    out = []
    for c in ALL:
        text = unicodedata.decomposition(chr(c))
        if text and not text.startswith("<"):
            parts = [int(p, 16) for p in text.split()]
            out.append((c, parts[0], parts[1] if len(parts) > 1 else 0))
    return out


def escaped(text):
    """A C string literal's inside; octal, for it ends after three digits."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in text.encode())


def html_source():
    """Python's html5 table, and the names that ftfy reads in capitals too (`&EACUTE;`)."""
    entries = dict(html.entities.html5)
    capitals = {}
    for name, text in html.entities.html5.items():
        if name.endswith(";") and name == name.lower():
            upper = name.upper()
            if html.unescape("&" + upper) == "&" + upper:
                capitals[upper] = text.upper()
    both = sorted(
        [(n, t, 0) for n, t in entries.items()] + [(n, t, 1) for n, t in capitals.items()],
        key=lambda e: e[0].encode(),
    )
    pool, offsets, lines, at = [], [], [], 0
    for name, text, capital in both:
        assert name.isascii() and "\0" not in name + text
        offsets.append(f"0x{at | capital << 31:x}")
        at += len(name) + 1 + len(text.encode()) + 1
        lines.append(f'    "{name}\\0{escaped(text)}\\0"')
    joined = []
    for line in lines:  # several to a line
        body = line.strip()[1:-1]
        if joined and len(joined[-1]) + len(body) < 112:
            joined[-1] += body
        else:
            joined.append(body)
    longest = max(len(n) for n, _, _ in both)
    invalid = sorted(html._invalid_charrefs.items())
    dropped = html._invalid_codepoints
    source = "const char icseg_html_names[] =\n" + "\n".join(f'    "{j}"' for j in joined) + ";\n\n"
    source += array("uint32_t", "icseg_html_offsets", offsets) + "\n"
    source += f"const uint16_t icseg_html_replaced[{len(invalid)}][2] = {{\n"
    source += rows(f"{{0x{c:x}, 0x{ord(t):x}}}" for c, t in invalid) + "\n};\n"
    source += f"const size_t icseg_html_replaced_count = {len(invalid)};\n\n"
    source += array("uint32_t", "icseg_html_dropped", (f"0x{c:x}" for c in sorted(dropped)))
    print(f"html: {len(both)} names, longest {longest}", file=sys.stderr)
    return source


def unicode_source():
    source = "/* L, N and white space of the regex package; the rest of Python's own tables. start << 8 | flags */\n"
    source += array("uint32_t", "icseg_unicode_flags", ranges(flags)) + "\n/* start << 8 | combining class */\n"
    source += array("uint32_t", "icseg_unicode_combining", ranges(unicodedata.combining))
    lower = lower_runs()
    source += "\n/* first, last, step, shift */\n"
    source += f"const int32_t icseg_unicode_lower[{len(lower)}][4] = {{\n{rows(lower)}\n}};\n"
    source += f"const size_t icseg_unicode_lower_count = {len(lower)};\n"
    pairs = decompositions()
    source += "\n/* code point, first part, second part or 0 */\n"
    source += f"const uint32_t icseg_unicode_parts[{len(pairs)}][3] = {{\n"
    source += rows("{" + ", ".join(f"0x{v:x}" if v else "0" for v in p) + "}" for p in pairs) + "\n};\n"
    source += f"const size_t icseg_unicode_parts_count = {len(pairs)};\n"
    # NFC keeps what may be composed; exclusions come out decomposed.
    composed = [i for i, (c, a, b) in enumerate(pairs) if b and unicodedata.normalize("NFC", chr(c)) == chr(c)]
    composed.sort(key=lambda i: pairs[i][1:])
    source += "\n/* rows of icseg_unicode_parts that compose, by their parts */\n"
    source += array("uint16_t", "icseg_unicode_composed", map(str, composed))
    wide = []
    for c in range(0xFF01, 0xFFF0):
        text = unicodedata.normalize("NFKC", chr(c))
        assert len(text) == 1 or c == 0xFFE3
        wide.append(f"0x{ord(text[0]):x}" if text != chr(c) else "0")
    source += "\n/* U+FF01..U+FFEF: the usual width, 0 = the same (U+FFE3 has two: U+0020 U+0304) */\n"
    source += array("uint16_t", "icseg_unicode_width", wide)
    return source


def write(path, what, body):
    head = f"""/* SPDX-License-Identifier: Apache-2.0
 * {what}
 * Made by scripts/make_unicode_tables.py with Python {sys.version.split()[0]} (Unicode {unicodedata.unidata_version}) and regex {regex.__version__}; not to be edited. */
#include "text/tables.h"

/* clang-format off */
"""
    with open(path, "w", encoding="ascii") as f:
        f.write(head + body)


write("src/text/unicode_tables.c", "Unicode: letters, numbers, white space, case, canonical composition, widths.", unicode_source())
write("src/text/html_tables.c", "HTML's named characters and how HTML5 reads numeric ones.", html_source())

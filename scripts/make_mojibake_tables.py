#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/text/mojibake_tables.c: which characters and sequences tell UTF-8 that was read in a single-byte encoding.

    python3 scripts/make_mojibake_tables.py            from Python's codecs and unicodedata, and the rules below
    python3 scripts/make_mojibake_tables.py --compare  the rules against an installed ftfy (pip install ftfy)

CLIP's tokenizer cleans its input with ftfy 6.3 (Robyn Speer, Apache-2.0), so that is what the rules have to decide alike;
--compare looks at every pair of characters they know and at a million longer sequences. Run from the root; the build does
not need it.
"""
import itertools
import random
import sys
import unicodedata

# ---------------------------------------------------------------------------------------------------- the code pages
# In the order in which they are tried. A byte that Windows leaves open stands for the control character of its number,
# and byte 0x1a for a character that was lost (U+FFFD), except in the three that have no open bytes.
PAGES = ["latin-1", "windows-1252", "windows-1251", "windows-1250", "windows-1253", "windows-1254", "windows-1257",
         "iso-8859-2", "mac_roman", "cp437"]
WINDOWS = PAGES[1:7]


def read(page, byte):
    try:
        return bytes([byte]).decode(page)
    except UnicodeDecodeError:
        return chr(byte)


def read_all(pages, first, last):
    return {read(page, byte) for page in pages for byte in range(first, last + 1)}


universe = read_all(PAGES, 0x80, 0xFF) | {"\ufffd"}


def category(*names):
    return {c for c in universe if unicodedata.category(c) in names}


def script(*names):
    return {c for c in universe if unicodedata.name(c, "").split(" ")[0] in names}


def block(first, last):
    return {c for c in universe if first <= ord(c) <= last}


# ------------------------------------------------------------------------------------------------ kinds of characters
controls = block(0x80, 0x9F)
money = set("¢£¥₧€")  # ¤ is no one's money
law = set("§¶")
common = set("\xa0\xad·´–—―…’")  # found in good text of every kind
ordinals = category("Lo")
# what keyboards have no use for: free-standing accents, daggers and the like
bad = set("¤¦¬ƒ†‡‰⌐◊\ufffd¨¯¸") | ordinals | (block(0x2C6, 0x2DC) - set("˙˚˝"))
opening = category("Pi", "Ps", "Co") | set("¡¿©•΄΅")
closing = (category("Pf") - set("’")) | set("®™˝")
numbers = (category("Sm", "No") - set("¬∙⌠⌡")) | set("µ№") - {"ⁿ"}
lines = (block(0x2500, 0x259F)) - set("─└┴")  # those three are drawn by hand more often than lost
# o and u with accents make faces: "(ò_ó)"
faces = {c for c in universe if unicodedata.normalize("NFD", c)[0] in "OUou" and c not in "OUou"}
faces = (faces | set("ø°")) - set("ŮŰůűőōūų")
latin = script("LATIN")
upper = ((category("Lu") & latin) - faces - set("ÞĮŔŖ")) | set("ÜҐ")
lower = ((category("Ll") & latin) - faces - bad - set("ýþÿıńņňőŗřōţůűūų")) | set("üґ")
upper_other = ((category("Lu") - latin - upper) | set("Þ΢")) | {"Ѝ"}
lower_other = ((category("Ll") - latin - lower) - set("µΐϊϋόύώ")) | set("ѐѝ")
small, big = {chr(c) for c in range(0x61, 0x7B)}, {chr(c) for c in range(0x41, 0x5B)}
ascii_letters = small | big
accented = lower | upper
marks = bad | accented | lines | opening | closing | money | numbers | law

# Sets that C works out by itself, bits 0..3, and what UTF-8 looks like in the Windows code pages: first bytes of two, of
# three and (of planes 1 and 14, where emoji are) of four, and bytes that follow; a0 may have become a blank.
SPACE, WORD, NOT_LETTER, ANY = "space", "word", "not a letter", "not a newline"
follow = read_all(PAGES[:7], 0x80, 0xBF)
dashes_and_quotes = block(0x2010, 0x2027) - set("†‡")  # after a letter they may be meant
clues = [read_all(PAGES[:7], 0xC2, 0xDF), read_all(PAGES[:7], 0xE0, 0xEF), read_all(PAGES[:7], 0xF0, 0xF0) |
         read_all(PAGES[:7], 0xF3, 0xF3), follow | {" "}, follow - dashes_and_quotes]
AT_START = "at the start"

# ---------------------------------------------------------------------------------------- sequences no one writes
# Each is a list of sets; a string stands for the set of its characters.
SEQUENCES = [
    [controls],
    [marks, bad],
    [bad, marks - bad],
    [ascii_letters, lower_other | upper_other, bad],
    # an accented capital after what ends words or numbers; a sign of money after a letter, ...
    [lower | lower_other | lines | closing | money | numbers, upper],
    [lines | closing | money | numbers, lower],
    [lower | lines | closing, money],
    [SPACE, upper, money],
    [upper | lines, numbers | law],
    [accented | lines | money | closing, opening, numbers],
    [accented | money | numbers | lines | law, closing, opening],
    [money | numbers | lines, opening],
    [small, upper, opening | money],
    [accented, opening | closing, WORD],
    # ... and lines of text graphics beside text
    [lines, faces],
    [accented | money | numbers | opening | closing | law, lines],
    [lines, closing],
    ["Œœ", NOT_LETTER],
    [upper, "°"],
    # UTF-8 in Windows-1252: Latin and Greek, Arabic (common letters: two pairs), Indic
    ["ÂÃÎÐ", set("€œŠš¢£Ÿž\xa0\xad®©°·»–—´") | opening | closing],
    ["×", "²³"],
    *[["ØÙ", followers, "ØÙ", followers] for followers in [common | money | bad | numbers | opening | set("ŸŠ®°µ»")]],
    ["à", "²µ¹¼½¾"],
    ["Ã", "\xa0¡"],
    [small, "ÃÂ", " "],
    [small, SPACE, "ÃÂ", " "],
    [AT_START, "ÃÂ", " "],
    [small | set(".,?!") | closing, "Â", set(" ") | opening | closing],
    # in MacRoman
    ["√", "±∂†≠®™´≤≥¥µø"],
    ["≈", "°¢"],
    ["‚", "Ä", "ìîïòôúùû†°¢π"],
    ["‚", "âó", "àä°ê"],
    # in Windows-1251, 1253 and 1257: U+20xx, and pairs that need a third to be sure
    ["в", "Ђ"],
    ["ВГРС", controls | bad | opening | closing | money | set("°µ"), "ВГРС"],
    ["Г", "ў", "В", "Ђ", "В", ANY, ascii_letters | set(" ")],
    ["β", "€", "™\xa0Ά\xad®°"],
    ["ΒΓΞΟ", controls | bad | opening | closing | money | set("°"), "ΒΓΞΟ"],
    ["ā", "€"],
]

# ------------------------------------------------------------------------------------------------------- the tables
sets = [SPACE, WORD, NOT_LETTER, ANY] + [frozenset(c) for c in clues]
FIRST_LISTED, START = 4, 255


def number(step):
    if step == AT_START:
        return START
    entry = step if step in sets[:FIRST_LISTED] else frozenset(step)
    if entry not in sets:
        sets.append(entry)
    return sets.index(entry)


patterns = [[number(step) for step in sequence] for sequence in SEQUENCES]
listed = sets[FIRST_LISTED:]
characters = sorted(frozenset().union(*listed))
masks = [sum(1 << i for i, s in enumerate(listed, FIRST_LISTED) if c in s) for c in characters]
unique = sorted(set(masks))
assert len(sets) <= 128 and len(unique) < 256 and max(map(len, patterns)) <= 7 and ord(characters[-1]) < 0x10000


def pages():
    for page in PAGES:
        lost = "\ufffd" if page in WINDOWS else "\x1a"
        text = lost + "".join(read(page, byte) for byte in range(0x80, 0x100))
        assert len(set(text)) == 129 and all(read(page, byte) == chr(byte) for byte in range(0x80))
        yield page, text


def rows(values, width=118):
    line, lines_out = "   ", []
    for value in values:
        if len(line) + len(value) + 2 > width:
            lines_out.append(line)
            line = "   "
        line += " " + value + ","
    return "\n".join(lines_out + [line])


def write(path):
    with open(path, "w", encoding="ascii") as f:
        f.write(f"""/* SPDX-License-Identifier: Apache-2.0
 * Characters and sequences that tell text decoded with the wrong encoding, and the encodings it may have been. Made by
 * scripts/make_mojibake_tables.py, where the rules are, with Python {sys.version.split()[0]}; not to be edited. */
#include "text/tables.h"

/* clang-format off */
/* code point << 8 | row of icseg_mojibake_masks */
const uint32_t icseg_mojibake_characters[{len(characters)}] = {{
{rows(f"0x{ord(c) << 8 | unique.index(m):x}" for c, m in zip(characters, masks))}
}};
const size_t icseg_mojibake_characters_count = {len(characters)};

/* bit s % 64 of word s / 64: the character is in set s */
const uint64_t icseg_mojibake_masks[{len(unique)}][2] = {{
{rows(f"{{0x{m & (1 << 64) - 1:x}, 0x{m >> 64:x}}}" for m in unique)}
}};

/* Sequences of set number + 1, ended by 0; {START} = only at the start of the text. */
const uint8_t icseg_mojibake_patterns[{len(patterns)}][ICSEG_MOJIBAKE_LONGEST + 1] = {{
{rows("{" + ", ".join(str(s if s == START else s + 1) for s in p) + "}" for p in patterns)}
}};
const size_t icseg_mojibake_patterns_count = {len(patterns)};

/* What byte 0x1a and bytes 0x80..0xff mean: {", ".join(PAGES)}. */
const uint16_t icseg_mojibake_encodings[ICSEG_ENCODINGS][129] = {{
""")
        for _, text in pages():
            f.write("    {\n" + rows((f"0x{ord(ch):x}" for ch in text), 114) + "\n    },\n")
        f.write("};\n")
    print(f"{path}: {len(sets)} sets, {len(patterns)} sequences, {len(characters)} characters, {len(unique)} masks")


# -------------------------------------------------------------------------------------------------- against ftfy
def fits(step, c):
    if step in sets[:FIRST_LISTED]:
        return {SPACE: c.isspace(), WORD: c.isalnum() or c == "_", NOT_LETTER: c not in ascii_letters, ANY: c != "\n"}[step]
    return c in step


def is_bad(text):
    for sequence in SEQUENCES:
        start = sequence[0] == AT_START
        steps = sequence[1:] if start else sequence
        for at in range(1 if start else len(text) - len(steps) + 1):
            if at + len(steps) <= len(text) and all(fits(s, c) for s, c in zip(steps, text[at:])):
                return True
    return False


def compare():
    import ftfy
    from ftfy import badness, chardata

    wrong = []
    names = ("utf8_first_of_2", "utf8_first_of_3", "utf8_first_of_4", "utf8_continuation", "utf8_continuation_strict")
    import re

    for mine, name in zip(clues, names):
        theirs = {chr(c) for c in range(0x10000) if re.fullmatch(f"[{chardata.UTF8_CLUES[name]}]", chr(c))}
        wrong += [name] * (mine != theirs)
    for (page, text), name in zip(pages(), chardata.CHARMAP_ENCODINGS):
        wrong += [page] * (text != bytes([0x1A, *range(0x80, 0x100)]).decode(name))
    known = sorted(frozenset().union(*listed) | universe | set("aZ0 \n.,_-") | set("Ωשあ\u3000"))
    rng = random.Random(1)
    members = {number(s): [c for c in known if fits(s, c)] for q in SEQUENCES for s in q if s != AT_START}

    def near():
        """A sequence with one character changed, between two harmless ones."""
        text = [rng.choice(members[number(s)]) for s in rng.choice(SEQUENCES) if s != AT_START]
        text[rng.randrange(len(text))] = rng.choice(known)
        return rng.choice(["", "a", "Z", " "]) + "".join(text) + rng.choice(["", "a", " "])

    longer = (near() if i % 2 else "".join(rng.choices(known, k=rng.randint(3, 8))) for i in range(1000000))
    count = 0
    for text in itertools.chain((a + b for a in known for b in known), longer):
        count += 1
        if is_bad(text) != bool(badness.is_bad(text)):
            wrong.append(ascii(text))
    print(f"ftfy {ftfy.__version__}: {count} sequences of {len(known)} characters, {len(wrong)} decided otherwise", *wrong[:40])
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(compare() if "--compare" in sys.argv[1:] else write("src/text/mojibake_tables.c"))

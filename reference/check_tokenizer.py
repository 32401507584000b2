#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `icseg tokenize` with OpenAI's simple_tokenizer on more than 50,000 strings, configured for the
differences that docs/tokenizer.md lists: ftfy does not repair encodings here, and only XML's references are replaced.

    python3 reference/check_tokenizer.py ICSEG --vocab FILE [--classes DIR] [--count N] [--seed S]

ICSEG is the program, FILE bpe_simple_vocab_16e6.txt.gz, DIR holds class lists as JSON. The reference is written here
from CLIP's published behaviour, with the packages that CLIP uses (pip install ftfy regex). Without them or without FILE the
check is skipped with a message and exit status 77."""
import argparse
import gzip
import html
import json
import pathlib
import random
import subprocess
import sys
import unicodedata

SKIPPED = 77


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


try:
    import ftfy
    import regex
except ImportError as missing:
    if __name__ == "__main__":
        skip(f"{missing}; pip install ftfy regex")
    raise


REFERENCE = regex.compile(r"&(?:amp|lt|gt|quot|apos|#[0-9]{1,4000}|#[xX][0-9a-fA-F]+);")
# Of ftfy.fix_text, everything except the repair of wrong encodings and HTML's named references.
FIXES = ftfy.TextFixerConfig(
    unescape_html=False, fix_encoding=False, restore_byte_a0=False, replace_lossy_sequences=False,
    decode_inconsistent_utf8=False,
)


class SimpleTokenizer:
    """CLIP's tokenizer, from its merges (at most 48,894 lines after the first)."""

    def __init__(self, lines):
        printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [b for b in range(256) if b not in printed]
        self.symbol = {b: chr(b) for b in printed} | {b: chr(256 + i) for i, b in enumerate(others)}
        merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1] if line]
        names = [self.symbol[b] for b in printed + others]
        names += [name + "</w>" for name in names] + ["".join(pair) for pair in merges]
        names += ["<|startoftext|>", "<|endoftext|>"]
        self.ids = {name: i for i, name in enumerate(names)}
        self.rank = {pair: i for i, pair in enumerate(merges)}
        self.pattern = regex.compile(
            r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
            regex.IGNORECASE,
        )
        self.words = {}

    @staticmethod
    def clean(text):
        before = None
        while text != before:
            before, text = text, ftfy.fix_text(REFERENCE.sub(lambda m: html.unescape(m.group()) or "", text), FIXES)
        return regex.sub(r"\s+", " ", text).strip().lower()

    def word(self, text):
        if text in ("<|startoftext|>", "<|endoftext|>"):
            return [self.ids[text]]
        if text not in self.words:
            parts = [self.symbol[b] for b in text.encode()]
            parts[-1] += "</w>"
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda pair: self.rank.get(pair, 1 << 30))
                if best not in self.rank:
                    break
                merged, i = [], 0
                while i < len(parts):
                    both = tuple(parts[i : i + 2]) == best
                    merged.append("".join(parts[i : i + 1 + both]))
                    i += 1 + both
                parts = merged
            self.words[text] = [self.ids[p] for p in parts]
        return self.words[text]

    def encode(self, text):
        return [i for word in self.pattern.findall(self.clean(text)) for i in self.word(word)]


def class_names(folder):
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8")):
            names = entry.get("synonyms") or [entry["name"]]
            yield from names
            yield ", ".join(names)
            yield f"a photo of a {names[0]}."


def scalar(rng, low=1, high=0x10FFFF):
    while True:
        c = rng.randint(low, high)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


BLOCKS = [(0x20, 0x7E), (0xA0, 0x17F), (0x250, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF), (0xE00, 0x11FF),
          (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3000, 0x31FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
          (0xFB00, 0xFEFF), (0xFF00, 0xFFFF), (0x10400, 0x1044F), (0x1D000, 0x1D7FF), (0x1E900, 0x1E95F),
          (0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF), (0x20000, 0x2FA1F), (0xE0001, 0xE01EF)]
WORDS = ["wall", "Building", "café", "naïve", "über", "Straße", "ΣΊΣΥΦΟΣ", "İstanbul", "ΟΔΥΣΣΕΥΣ", "москва", "東京", "서울",
         "हिन्दी", "ไทย", "العربية", "עברית", "it's", "WE'LL", "i'd", "they've", "I'M", "don't", "'ſ", "3rd", "x²", "½", "Ⅷ",
         "①", "👩‍👩‍👧", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🇩🇪", "❤️", "👍🏽", "ﬁne", "ĳs", "ǅ", "ŉ", "ＡＢＣ", "ｶﾞｷﾞ", "ﾡ", "￣", "“q”", "‘s", "—", "…",
         "<|startoftext|>", "<|endoftext|>", "<|ſtartoftext|>", "&", "&&", "a<b", "\u212a", "\u2126", "\ufb1d", "\x1b[31mred\x1b[0m"]


def html_pieces(rng, names=sorted(html.entities.html5)):
    kind = rng.randrange(6)
    if kind == 0:
        return "&" + rng.choice(names)
    if kind == 1:
        return "&" + rng.choice(names).upper()
    if kind == 2:
        return "&#" + str(rng.choice([rng.randrange(300), rng.randrange(0x120000)])) + rng.choice([";", "", "x"])
    if kind == 3:
        return "&#" + rng.choice("xX") + format(rng.choice([rng.randrange(300), rng.randrange(0x120000)]), "x") + rng.choice([";", ""])
    if kind == 4:
        return rng.choice(["&amp;", "&amp;amp;", "&amp;lt;", "&#38;"]) + rng.choice(names)
    return "&" + rng.choice(names)[: rng.randrange(1, 9)] + rng.choice([";", "", "x;", "é", "&"])


ENCODINGS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac-roman", "cp437"]


def mojibake(rng):
    text = rng.choice(WORDS + ["à la", "“quotes”", "naïve café", "déjà vu", "l’été", "Ünïcödé", "–", "€5", "\xa0", "π≈3"])
    for _ in range(rng.randrange(1, 3)):
        raw = bytearray(text.encode())
        if rng.random() < 0.2:
            raw[rng.randrange(len(raw))] = rng.choice(b" ?\x1a\xa0\x85")
        encoding = rng.choice(ENCODINGS)
        text = "".join(
            ch if ch != "\ufffd" or rng.random() < 0.5 else chr(b)
            for b, ch in zip(raw, bytes(raw).decode(encoding, "replace"))
        )
    return text


def odd_utf8(rng):
    """Bytes that ftfy has special rules for, read in a single-byte encoding."""
    pieces = [b"\xc3\xa9", b"\xe2\x80\x99", b"\xc3 la", b"\xc3 quele ", b"\xc3 quela", b"\xc3 s ", b"\xc3  ", b"\xc2 ", b"\xe2 \x99", b"\xe2\x82 ",
              b"\xf0 \x98\x80", b"\xf0\x9f \x80", b"\xf0\x9f\x98 ", b"\xed\xa0\xbd\xed\xb8\x80", b"\xed\xa0\xbd\xed\xb8\n", b"\xed\xa0?\xed\xb8\x80",
              b"\xed\xa0\xbd\xed\xb8?", b"\xed\xa0\xbd", b"\xc0\x80", b"\xc0\n", b"\xc0", b"\xed\x95\x9c", b"\xe2\x1a\x99", b"\xc3\x1a", b"\xc3?",
              b"\xf0\x9f?\x80", b"\xe2\x85 ", b"a", b" ", b"\n", b"\xf0\x85 \x80"]
    raw = b"".join(rng.choices(pieces, k=rng.randrange(1, 5)))
    if rng.random() < 0.5:
        raw = b"\xc3\xa9\xe2\x80\x99" + raw
    return raw.decode(rng.choice(["latin-1", "sloppy-windows-1252", "sloppy-windows-1252", "macroman", "sloppy-windows-1250"]))


def wrong_bytes(rng):
    """Damaged UTF-8, decoded with U+FFFD in place of invalid bytes."""
    raw = bytearray(" ".join(rng.choices(WORDS, k=3)).encode())
    for _ in range(rng.randrange(1, 4)):
        raw[rng.randrange(len(raw))] = rng.randrange(1, 256)
    return bytes(raw[: rng.randrange(1, len(raw) + 1)]).decode("utf-8", "replace")


def marks(rng):
    combining = "".join(chr(rng.randint(0x300, 0x36F)) for _ in range(rng.randrange(1, 40 if rng.random() < 0.1 else 5)))
    return rng.choice("aeiouAEIOUyYnNçÇşŞ가각ΑΩ") + combining


def suspects(rng, pool=[]):
    """Random letters and signs that occur in text whose encoding was confused."""
    if not pool:
        pool.extend(sorted({ch for e in ENCODINGS for ch in bytes(range(0x80, 256)).decode(e, "ignore")}))
        pool.extend(" aZ?\n\r\x1a\ufffd")
    return "".join(rng.choices(pool, k=rng.randrange(1, 9)))


def strings(count, seed, classes):
    rng = random.Random(seed)
    yield from (classes and class_names(classes) or [])
    yield from WORDS
    for c in [*range(1, 0x3000), *range(0xA640, 0xAB70), *range(0xF900, 0x10000), *range(0x1D400, 0x1D800)]:
        if not 0xD800 <= c < 0xE000:
            yield f"a{chr(c)}B {chr(c)}"
    makers = [
        lambda: " ".join(rng.choices(WORDS, k=rng.randrange(1, 6))),
        lambda: "".join(scalar(rng) for _ in range(rng.randrange(1, 9))),
        lambda: "".join(scalar(rng, *rng.choice(BLOCKS)) for _ in range(rng.randrange(1, 12))),
        lambda: "".join(scalar(rng, *b) for b in [rng.choice(BLOCKS)] for _ in range(rng.randrange(1, 12))),
        lambda: "".join(rng.choice([html_pieces, html_pieces, lambda r: r.choice(WORDS)])(rng) for _ in range(rng.randrange(1, 5))),
        lambda: "".join(chr(rng.choice([rng.randrange(1, 0x21), rng.randrange(0x7E, 0xA2), rng.randrange(0x41, 0x7B)])) for _ in range(rng.randrange(1, 10))),
        lambda: " ".join(mojibake(rng) for _ in range(rng.randrange(1, 4))),
        lambda: wrong_bytes(rng),
        lambda: odd_utf8(rng),
        lambda: "".join(marks(rng) for _ in range(rng.randrange(1, 4))),
        lambda: unicodedata.normalize(rng.choice(["NFD", "NFKD"]), "".join(rng.choices(WORDS, k=2))),
        lambda: suspects(rng),
        lambda: "".join(rng.choice("ΣσΑa.'\u0345\u00ad1ǅʰ ") for _ in range(rng.randrange(1, 8))),
        lambda: "".join(rng.choice(["\r", "\n", "\t", "\x0c", " ", "\u2028", "\u3000", "\xa0", "\ufeff", "<", "&lt;", "x", "\x1b[1;3m"]) for _ in range(rng.randrange(1, 12))),
        lambda: "".join(rng.choice("abcdefghijklmnopqrstuvwxyz'0 ") for _ in range(rng.randrange(1, 60))),
    ]
    for i in range(count):
        yield makers[i % len(makers)]()


def comparable(text):
    """A C string ends at NUL, and icseg accepts at most 8192 bytes. Python, regex and utf8proc have different versions of
    Unicode, so characters that Python does not know are left out; docs/tokenizer.md explains U+FB05."""
    if not text or "\0" in text or "\ufb05" in text or len(text.encode()) > 8192:
        return False
    return not any(unicodedata.category(c) == "Cn" for c in SimpleTokenizer.clean(text))


def ours(program, vocab, texts):
    run = subprocess.run(
        [program, "tokenize", "--null", "--vocab", vocab], input=b"".join(t.encode() + b"\0" for t in texts),
        stdout=subprocess.PIPE, check=True,
    )
    lines = run.stdout.decode("utf-8", "replace").split("\n")[:-1]
    assert len(lines) == len(texts), f"{len(lines)} lines for {len(texts)} texts"
    return [[] if line.startswith("refused:") else [int(i) for i in line.split()] for line in lines]


def load(path):
    raw = pathlib.Path(path).read_bytes()
    return SimpleTokenizer((gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode().split("\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--icseg-vocab", help="vocabulary for icseg when it is another file (tokenizer.json, ...)")
    parser.add_argument("--classes", help="folder with class lists (JSON)")
    parser.add_argument("--count", type=int, default=60000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not pathlib.Path(args.vocab).is_file():
        skip(f"{args.vocab}: no such vocabulary")
    texts = [t for t in strings(args.count, args.seed, args.classes) if comparable(t)]
    tokenizer, wrong = load(args.vocab), 0
    for text, got in zip(texts, ours(args.program, args.icseg_vocab or args.vocab, texts)):
        want = tokenizer.encode(text)
        if got != want:
            wrong += 1
            if wrong <= 10:
                print(f"{text!r} ({ascii(text)})\n  cleaned {ascii(tokenizer.clean(text))}\n  want {want}\n  got  {got}")
    print(f"{len(texts)} strings, {wrong} differ (ftfy {ftfy.__version__}, regex {regex.__version__}, Unicode {unicodedata.unidata_version})")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/unit/data/clip_merges.txt and clip_tokens.txt: a small vocabulary, and the ids of some 900
strings with it and with CLIP's vocabulary, computed by the independent tokenizer of check_tokenizer.py.

    python3 reference/make_tokenizer_fixture.py bpe_simple_vocab_16e6.txt.gz CLASSES_DIR"""
import collections
import pathlib
import random
import sys

import check_tokenizer as check

MERGES, STRINGS = 400, 900


def train(tokenizer, texts):
    """Byte pairs by frequency, ties by spelling."""
    words = collections.Counter(w for t in texts for w in tokenizer.pattern.findall(tokenizer.clean(t)))
    split = {w: [tokenizer.symbol[b] for b in w.encode()] for w in words}
    for parts in split.values():
        parts[-1] += "</w>"
    merges = []
    while len(merges) < MERGES:
        pairs = collections.Counter()
        for word, parts in split.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        for word, parts in split.items():
            out, i = [], 0
            while i < len(parts):
                both = tuple(parts[i : i + 2]) == best
                out.append("".join(parts[i : i + 1 + both]))
                i += 1 + both
            split[word] = out
    return merges


def escaped(text):
    return "".join(c if " " <= c <= "~" and c != "\\" else f"\\{{{ord(c):X}}}" for c in text)


big = check.load(sys.argv[1])
rng = random.Random(7)
names = list(check.class_names(sys.argv[2]))
merges = train(big, names + check.WORDS * 5)
lines = ["#version: icseg tests"] + [" ".join(m) for m in merges]
small = check.SimpleTokenizer(lines)
# check.strings goes through its kinds in turn, so the end of the list has all of them.
texts = list(check.strings(40000, 11, None))
odd = random.Random(3)
macroman = random.Random(4)
# One string for each rule that random strings hardly ever trigger, found by planting bugs.
rare = ["&ltx;", "&gtx", "&amp;amp;lt;", "&#x1;&#65;&#x41;", "\u0394\u03a3\u0345 \u0394\u03a3.\u0391", "\u1fb7 \ufb1d\u0323"]
chosen = rare + [check.odd_utf8(odd) for _ in range(40)] + [check.suspects(macroman) for _ in range(60)]
chosen += check.WORDS + rng.sample(names, 60) + [t for t in texts[-STRINGS + 150 :]] + rng.sample(texts[:-STRINGS], 90)
chosen = [t for t in dict.fromkeys(chosen) if check.comparable(t)]
folder = pathlib.Path("tests/unit/data")
folder.mkdir(exist_ok=True)
(folder / "clip_merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
with open(folder / "clip_tokens.txt", "w", encoding="ascii") as f:
    for text in chosen:
        f.write("\t".join([escaped(text), *(" ".join(map(str, t.encode(text))) for t in (small, big))]) + "\n")
print(len(chosen), "strings")

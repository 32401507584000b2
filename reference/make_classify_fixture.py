# SPDX-License-Identifier: Apache-2.0
"""Writes tests/unit/data/clip_classify.txt: the public CLIP code's results for small models and images, which the
unit test generates with the same formulas. Needs `pip install open_clip_torch "pillow<13"` (13 swaps the passes for some
sizes, which changes single bits); the test needs only the file.

    python3 reference/make_classify_fixture.py tests/unit/data/clip_classify.txt
"""
from __future__ import annotations

import sys
from typing import Iterator, List

import numpy as np
import open_clip
import torch
from PIL import Image

EMBED, SOS, EOS = 16, 256, 257                                # vocabulary: bytes
TEXT = dict(context_length=48, vocab_size=258, width=64, heads=1, layers=2)
MODELS = {
    "rn50": dict(image_size=64, layers=(1, 1, 1, 1), width=4),
    "rn50x4": dict(image_size=96, layers=(1, 1, 2, 1), width=10),
    "vit-b16": dict(image_size=48, layers=2, width=128, patch_size=16),
    "vit-b32": dict(image_size=64, layers=4, width=64, patch_size=32),
}
CLASSES = [["cat"], ["dog", "hound"], ["caf\u00e9 (small, old)"]]
TEMPLATES = [["a photo of a {}"], ["a {}.", "{} or {}"]]
IMAGES = [(80, 70), (50, 131), (96, 96), (33, 90)]
RESIZES = [  # image, full size, window
    ((80, 70), (80, 70), (0, 0, 80, 70)), ((80, 70), (31, 27), (0, 0, 31, 27)), ((50, 131), (224, 586), (0, 181, 224, 224)),
    ((96, 96), (7, 7), (2, 1, 4, 5)), ((3, 2), (40, 33), (0, 0, 40, 33)), ((1, 1), (5, 4), (0, 0, 5, 4)),
    ((640, 5), (64, 48), (10, 8, 40, 40)), ((33, 90), (48, 130), (0, 41, 48, 48))]


def fnv(data: bytes) -> int:
    h = 2166136261
    for b in data:
        h = ((h ^ b) * 16777619) & 0xFFFFFFFF
    return h


def noise(name: str, count: int) -> np.ndarray:
    """float32 in [-1/2, 1/2), the same numbers as the C test's."""
    x = (fnv(name.encode()) + np.arange(count, dtype=np.uint64) * 0x9E3779B9) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        x = ((x ^ (x >> np.uint64(shift))) * factor) & 0xFFFFFFFF
    return ((x >> np.uint64(8)).astype(np.float32) / np.float32(1 << 24)) - np.float32(0.5)


def fill(name: str, t: torch.Tensor) -> None:
    u = noise(name, t.numel()).reshape(t.shape)
    if name.endswith("running_var"):
        u = u + np.float32(1)
    elif t.ndim > 1 and "embedding" not in name:
        u = u * np.float32((12 / t[0].numel()) ** 0.5)
    elif t.ndim > 1 or name.endswith("class_embedding"):
        u = u * np.float32(2)
    elif name.endswith("weight"):
        u = u * np.float32(0.25) + np.float32(1)
    else:
        u = u * np.float32(0.25)
    t.copy_(torch.from_numpy(np.ascontiguousarray(u)))


def image(w: int, h: int) -> Image.Image:
    y, x, c = np.mgrid[0:h, 0:w, 0:3]
    return Image.fromarray(((7 * y + 13 * x + 29 * c + x * y % 11 * 5) % 256).astype(np.uint8))


def tokenize(texts: List[str]) -> torch.Tensor:
    out = torch.zeros(len(texts), TEXT["context_length"], dtype=torch.long)
    for row, text in zip(out, texts):
        ids = [SOS, *text.encode(), EOS]
        row[: len(ids)] = torch.tensor(ids)
    return out


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def lines(name: str) -> Iterator[str]:
    model = open_clip.CLIP(EMBED, MODELS[name], TEXT, quick_gelu=True).eval()
    with torch.no_grad():
        for key, t in model.state_dict().items():
            if t.is_floating_point() and t.ndim and "attn_mask" not in key:
                fill(key, t)
        model.logit_scale.fill_(3.0)
        prepare = open_clip.image_transform(MODELS[name]["image_size"], is_train=False)
        images = unit(torch.cat([model.encode_image(prepare(image(*size))[None]) for size in IMAGES]))
        for variant, templates in enumerate(TEMPLATES):
            rows = [unit(unit(model.encode_text(tokenize([t.replace("{}", n) for n in (k if variant else k[:1])
                                                          for t in templates]))).mean(0)) for k in CLASSES]
            text = torch.stack(rows)
            probabilities = (model.logit_scale.exp() * images @ text.T).softmax(-1)
            for kind, values in (("image", images), ("text", text), ("probabilities", probabilities)):
                for row in values:
                    yield f"{name} {variant} {kind} " + " ".join(f"{v:.7g}" for v in row.tolist())


def main() -> None:
    with open(sys.argv[1], "w") as f:
        for size, full, (x, y, w, h) in RESIZES:
            made = np.asarray(image(*size).resize(full, Image.BICUBIC))[y: y + h, x: x + w]
            f.write(f"resize {size[0]} {size[1]} {full[0]} {full[1]} {x} {y} {w} {h} {fnv(made.tobytes())}\n")
        for name in MODELS:
            f.write("\n".join(lines(name)) + "\n")


if __name__ == "__main__":
    main()

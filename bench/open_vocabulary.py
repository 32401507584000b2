#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures segmentation without training: icseg against PyTorch, with the same random weights, image and method.

Usage: open_vocabulary.py [--model ViT-B-16-quickgelu] [--size 336x448] [--classes 20] [--method naclip] [--threads N]
                          [--seconds 20]

PyTorch runs open_clip's own blocks (fused attention) and, for the last one, the formulas of reference/open_vocabulary.py;
then it upsamples the scores and takes the softmax and the largest class of each pixel, as the public code does. Both sides
run in turn for the given time, for the whole image and for windows of 224 pixels in steps of 112, and print their median
times. The labels of the two must agree. Needs open_clip and PyTorch, and the library in build/ (ICSEG_LIBRARY: another one).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("ICSEG_LIBRARY", str(ROOT / "build" / "libicseg.so"))
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "reference")]
try:
    import numpy as np
    import open_clip
    import torch
    import torch.nn.functional as F
    from safetensors.torch import save_file
except ImportError as missing:
    sys.exit(f"{sys.argv[0]}: {missing}; pip install open_clip_torch safetensors")

import icseg  # noqa: E402
import open_vocabulary as reference  # noqa: E402

VOCABULARY = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def randomise(model: torch.nn.Module) -> None:
    """Values of CLIP's initialisation are so small that all positions would look alike."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim > 1:
                value.normal_(0, 1 / value[0].numel() ** 0.5 if "embedding" not in name else 0.3)


class Torch:
    def __init__(self, model: torch.nn.Module, text: torch.Tensor, method: str) -> None:
        self.visual, self.text = model.visual, text
        self.kind, self.whole = reference.METHODS[method]
        self.weights = {name: value.float() for name, value in model.state_dict().items()}

    def features(self, image: torch.Tensor) -> torch.Tensor:
        visual = self.visual
        x = visual.conv1(image)
        rows, columns = x.shape[-2:]
        x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x.flatten(2).transpose(1, 2)], 1)
        x = visual.ln_pre(x + reference.positions(visual.positional_embedding, rows, columns))
        blocks = visual.transformer.resblocks
        for one in blocks[:-1]:
            x = one(x)
        heads = blocks[-1].attn.num_heads
        plus = reference.near(rows, columns).float() if "near" in self.kind else 0.0
        x = reference.block(self.weights, f"visual.transformer.resblocks.{len(blocks) - 1}.", x, heads, self.kind, self.whole,
                            plus)
        x = F.normalize(visual.ln_post(x[:, 1:]) @ visual.proj, dim=-1)
        return (x @ self.text.T).transpose(1, 2).view(len(x), -1, rows, columns)

    def __call__(self, image: torch.Tensor, slide: bool) -> torch.Tensor:
        height, width = image.shape[-2:]
        with torch.inference_mode():
            if slide:
                total = torch.zeros(1, len(self.text), height, width)
                count = torch.zeros(1, 1, height, width)
                for y in range(0, max(height - 224, 0) + 111, 112):
                    for x in range(0, max(width - 224, 0) + 111, 112):
                        y0, x0 = min(y, height - 224), min(x, width - 224)
                        part = self.features(image[..., y0 : y0 + 224, x0 : x0 + 224])
                        total[..., y0 : y0 + 224, x0 : x0 + 224] += F.interpolate(part, size=(224, 224), mode="bilinear")
                        count[..., y0 : y0 + 224, x0 : x0 + 224] += 1
                scores = total / count
            else:
                scores = F.interpolate(self.features(image), size=(height, width), mode="bilinear")
            return (40 * scores[0]).softmax(0).max(0)[1]


def compare(name: str, ours: Callable[[], np.ndarray], theirs: Callable[[], torch.Tensor], seconds: float) -> None:
    same = float((ours() == theirs().numpy()).mean())
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for work, list_ in ((ours, times[0]), (theirs, times[1])):
            work()  # while the other side's threads fall asleep
            for _ in range(4):
                start = time.perf_counter()
                work()
                list_.append(time.perf_counter() - start)
    a, b = statistics.median(times[0]), statistics.median(times[1])
    print(f"{name:6} icseg {1000 * a:8.1f} ms, PyTorch {1000 * b:8.1f} ms: {b / a:.2f}x, labels equal on {100 * same:.2f} %",
          flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description="segmentation without training: icseg against PyTorch")
    options.add_argument("--model", default="ViT-B-16-quickgelu")
    options.add_argument("--size", default="336x448", help="height x width, pixels")
    options.add_argument("--classes", type=int, default=20)
    options.add_argument("--method", default="naclip", choices=sorted(reference.METHODS))
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options.add_argument("--seconds", type=float, default=20)
    o = options.parse_args()
    height, width = map(int, o.size.split("x"))
    torch.set_num_threads(o.threads)
    model = open_clip.create_model(o.model).eval()
    randomise(model)
    classes = list(icseg.published_classes("ade20k").names)[: o.classes]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "clip.safetensors")
        state = {name: value.contiguous() for name, value in model.state_dict().items() if value.is_floating_point()}
        save_file(state, path)
        ours = icseg.open_vocabulary(path, classes, vocabulary=VOCABULARY, templates="simple", method=o.method, cache=False,
                                     activation="quick_gelu" if "quickgelu" in o.model else "gelu", threads=o.threads)
    tokenizer = open_clip.get_tokenizer(o.model)
    with torch.inference_mode():
        text = torch.stack([
            F.normalize(F.normalize(
                model.encode_text(tokenizer([t.replace("{}", name) for t in icseg.clip.templates("simple")])), dim=-1
            ).mean(0), dim=0)
            for name in classes
        ])
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    pixels = np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:height, :width]
    pixels = np.clip(pixels + generator.integers(-20, 20, pixels.shape), 0, 255).astype(np.uint8)
    normalised = (torch.from_numpy(pixels).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    image = normalised.permute(2, 0, 1)[None].contiguous()
    peer = Torch(model, text, o.method)
    print(f"{o.model}, {o.method}, {height}x{width}, {o.classes} classes, {o.threads} threads", flush=True)
    for name in ("whole", "slide"):
        how = icseg.EvalOptions(mode=name, crop=(224, 224), stride=(112, 112))
        compare(name, lambda: ours(pixels, options=how).labels, lambda: peer(image, name == "slide"), o.seconds)


if __name__ == "__main__":
    main()

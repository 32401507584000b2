#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the text features of many classes with many templates: icseg against open_clip, with the same random weights.

Usage: text_features.py [--classes 150] [--templates imagenet] [--model ViT-B-16-quickgelu] [--threads N]

The classes are ADE20K's first ones, each with one name. open_clip runs its own `build_zero_shot_classifier`, ten classes at
a time. icseg's time includes reading the weights. Both sides use N threads (default: all cores). Prints wall time, CPU
time, and the largest difference of the two results. Needs open_clip and PyTorch, and the library in build/
(ICSEG_LIBRARY: another one).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("ICSEG_LIBRARY", str(ROOT / "build" / "libicseg.so"))
sys.path.insert(0, str(ROOT / "python"))
try:
    import numpy as np
    import open_clip
    import torch
except ImportError as missing:
    sys.exit(f"{sys.argv[0]}: {missing}; pip install open_clip_torch")

import icseg  # noqa: E402

VOCABULARY = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"


def timed(name: str, work: Callable[[], Any]) -> tuple[Any, float]:
    """The result of the work and its wall time, which is printed together with the CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:10} {wall:8.2f} s, CPU time {cpu:8.2f} s", flush=True)
    return made, wall


def randomise(model: torch.nn.Module) -> None:
    """Values of CLIP's initialisation are so small that all texts would have almost the same embedding."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim == 2:
                value.normal_(0, 1 / value.shape[-1] ** 0.5 if "embedding" not in name else 0.3)


def main() -> None:
    options = argparse.ArgumentParser(description="text features: icseg against open_clip")
    options.add_argument("--classes", type=int, default=150)
    options.add_argument("--templates", default="imagenet")
    options.add_argument("--model", default="ViT-B-16-quickgelu")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    names = [name.split(",")[0] for name in icseg.published_classes("ade20k").names[: given.classes]]
    templates = icseg.clip.templates(given.templates)
    model = open_clip.create_model(given.model, pretrained=None).eval()
    randomise(model)
    tokenize = open_clip.get_tokenizer(given.model)
    print(f"{given.model}, {len(names)} classes, {len(templates)} templates, {given.threads} threads; "
          f"torch {torch.__version__}, open_clip {open_clip.__version__}, icseg {icseg.__version__}")

    def peer() -> Any:
        with torch.no_grad():
            return open_clip.build_zero_shot_classifier(
                model, tokenize, names, templates, num_classes_per_batch=10, device="cpu").T.numpy()

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        torch.save(model.state_dict(), weights)
        activation = "quick_gelu" if "quickgelu" in given.model else "gelu"
        clip = icseg.clip.load(weights, vocabulary=VOCABULARY, activation=activation, threads=given.threads)
        ours, our_time = timed("icseg", lambda: clip.classifier(names, templates=templates, callback=False).text_features)
    theirs, their_time = timed("open_clip", peer)
    print(f"icseg is {their_time / our_time:.1f} times as fast; largest difference {np.abs(ours - theirs).max():.1e}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a step of contrastive pretraining: icseg against open_clip in PyTorch, alternately, in processes of their own.

Usage: pretrain.py [--model rn50|vit-b16] [--batch 64] [--chunk 8] [--steps 2] [--rounds 1] [--threads N] [--precision f32]

Both sides train the same architecture from random weights with AdamW, in batches that are encoded in chunks by two passes
(open_clip's --accum-freq). open_clip gets tensors that are ready; icseg also reads and crops its images, which are
generated once. The first step of each process is not counted. Prints seconds per step (medians) and the peak memory of
the processes. Needs open_clip and PyTorch, and the program in build/ (PROGRAM: another one).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("PROGRAM", str(ROOT / "build" / "icseg"))
NAMES = {"rn50": "RN50-quickgelu", "vit-b16": "ViT-B-16-quickgelu"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=NAMES, default="rn50")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=8)
    parser.add_argument("--steps", type=int, default=2, help="steps of each process that are counted")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--precision", default="f32", help="of icseg: f32 or bf16")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def vocabulary() -> Path:
    import open_clip

    return Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"


def run_peer(o: argparse.Namespace) -> None:
    """The other side, in a process of its own: prints its times as JSON."""
    import open_clip
    import torch

    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    model = open_clip.create_model(NAMES[o.model]).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.2)
    loss_of = open_clip.ClipLoss()
    images = torch.randn(o.batch, 3, 224, 224)
    texts = open_clip.tokenize([f"a photo of a mossy stone wall next to fence {i}" for i in range(o.batch)])
    chunks = list(zip(images.split(o.chunk), texts.split(o.chunk)))
    times = []
    for _ in range(1 + o.steps):
        start = time.perf_counter()
        optimiser.zero_grad()
        with torch.no_grad():
            features = [model(image, text)[:2] for image, text in chunks]
        for j, (image, text) in enumerate(chunks):
            one, two, scale = model(image, text)[:3]
            all_images = torch.cat([one if i == j else f[0] for i, f in enumerate(features)])
            all_texts = torch.cat([two if i == j else f[1] for i, f in enumerate(features)])
            loss_of(all_images, all_texts, scale).backward()
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, 4.605170)
        times.append(time.perf_counter() - start)
    print(json.dumps({"seconds": times[1:], "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def measure_peer(o: argparse.Namespace) -> tuple[list[float], float]:
    out = subprocess.run([sys.executable, __file__, "--peer", *sys.argv[1:]], check=True, capture_output=True, text=True)
    result = json.loads(out.stdout.splitlines()[-1])
    return result["seconds"], result["mib"]


def measure_icseg(o: argparse.Namespace, work: Path) -> tuple[list[float], float]:
    (work / "recipe.yaml").write_text(
        f"model:\n  preset: {o.model}\n  tokenizer: clip\n  merges: {vocabulary()}\n"
        f"pretrain:\n  pairs: {work / 'pairs'}\n  steps: {1 + o.steps}\n  batch: {o.batch}\n  chunk: {o.chunk}\n"
        f"  warmup: 0\n  lr: 1e-4\n  log_every: 1\n  eval_every: 0\n  checkpoint_every: 0\n  threads: {o.threads}\n"
        f"  precision: {o.precision}\n"
    )
    run = work / "run"
    subprocess.run(["rm", "-rf", str(run)], check=True)
    command = [PROGRAM, "pretrain", str(work / "recipe.yaml"), "--out", str(run)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip().splitlines()[-1])
    steps = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = [entry for entry in steps if entry["type"] == "step"]
    seconds = [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:])]
    return seconds, steps[-1]["peak_mib"]


def main() -> None:
    o = parse()
    if o.peer:
        run_peer(o)
        return
    with tempfile.TemporaryDirectory(prefix="icseg_bench.") as folder:
        work = Path(folder)
        subprocess.run(
            [PROGRAM, "synth", str(work / "pairs"), "--images", str(2 * o.batch), "--val", "0", "--size", "320x240",
             "--vocabulary", "large", "--captions"],
            check=True, capture_output=True,
        )
        times: dict[str, list[float]] = {"icseg": [], "open_clip": []}
        peak = {"icseg": 0.0, "open_clip": 0.0}
        for _ in range(o.rounds):
            for side, (seconds, mib) in (("icseg", measure_icseg(o, work)), ("open_clip", measure_peer(o))):
                times[side] += seconds
                peak[side] = max(peak[side], mib)
    median = {side: statistics.median(seconds) for side, seconds in times.items()}
    print(f"{o.model}, batch {o.batch} in chunks of {o.chunk}, {o.threads} threads, icseg in {o.precision}:")
    for side in median:
        print(f"  {side:10} {median[side]:7.2f} s a step  {peak[side]:7.0f} MiB")
    print(f"  {median['open_clip'] / median['icseg']:.2f} times as fast, {peak['icseg'] / peak['open_clip']:.2f} of the memory")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Checks `icseg convert` and `icseg classify` at full size against PyTorch: every container and naming, tensor by tensor,
by CLIP's own embeddings and by logits.

    python3 reference/check_weights.py [--program build/icseg] [--dir DIR] [rn50 rn101 rn50x4 vit-b16 vit-b32]

Random weights are made by make_weights.py in DIR (about 2.5 GB a model; kept when DIR is given). A converted file must
contain exactly PyTorch's values. Image and text embeddings that classify computes from each file must agree with PyTorch's
within 1e-4, and so must the logits and text embeddings of a converted DenseCLIP checkpoint with the reference's. Time and peak memory of each run are printed. This check is not part of
`make test`: it needs PyTorch and takes minutes.
"""
from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from typing import Dict, List, Tuple

try:
    import torch
except ImportError:
    print("skipped: PyTorch is not installed")
    sys.exit(0)
import icpc_reference as ref
import make_weights

failures = 0
NAMES = ["wall", "a photo of a cat", "qu xi-zo", "skyscraper on 5th street", "z"]
MEASURE = """
import os, subprocess, sys, time
start = time.time()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
told = child.stderr.read()
_, status, usage = os.wait4(child.pid, 0)
if status: sys.exit(told.decode())
print(time.time() - start, usage.ru_maxrss)
"""


def run(command: List[str]) -> Tuple[float, float]:
    """Seconds and peak MiB of a command that must succeed. A small process starts it, because the peak of a child begins at
    the memory of its parent, and this process holds whole models."""
    answer = subprocess.run([sys.executable, "-c", MEASURE, *command], stdout=subprocess.PIPE, text=True, check=True)
    seconds, kib = answer.stdout.split()
    return float(seconds), float(kib) / 1024


def report(name: str, good: bool, text: str) -> None:
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'}  {name}: {text}", flush=True)


def same_tensors(path: str, expected: Dict[str, torch.Tensor]) -> str:
    """The differences; empty if everything is equal."""
    found, _ = ref.load_safetensors(path)
    names = set(found) ^ set(expected)
    if names:
        return f"names differ: {sorted(names)[:4]}"
    for name, t in expected.items():
        if found[name].shape != t.shape or not torch.equal(found[name].float(), t.float()):
            return f"{name} differs"
    return ""


def distance(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return ((ours - theirs).norm() / theirs.norm()).item()


def check_clip(program: str, folder: str, model: str) -> None:
    path = lambda end: os.path.join(folder, f"{model}.{end}")
    out = path("out.safetensors")
    full = ref.load_safetensors(path("open_clip.safetensors"))[0]
    half = ref.load_safetensors(path("f16.expected.safetensors"))[0]
    sources = [("openai.pt", half), ("state_dict.pt", full), ("legacy.pt", full), ("open_clip.safetensors", full)]
    if model.startswith("vit"):
        sources.append(("huggingface", full))
    for end, expected in sources:
        seconds, peak = run([program, "convert", path(end), out])
        difference = same_tensors(out, expected)
        report(f"{model} {end}", not difference, difference or f"equal; {seconds:.2f} s, peak {peak:.0f} MiB")
    for naming in ("openai", "huggingface") if model.startswith("vit") else ("openai",):
        back = path("back.safetensors")
        run([program, "convert", path("state_dict.pt"), out, "--names", naming])
        run([program, "convert", out, back])
        difference = same_tensors(back, full)
        report(f"{model} to {naming} names and back", not difference, difference or "equal")
        if naming == "huggingface":
            difference = same_tensors(out, {k: v for k, v in make_weights.hugging_face(full).items()
                                            if not k.endswith("position_ids")})
            report(f"{model} as {naming}", not difference, difference or "PyTorch's names, shapes and values")


def write_png(path: str, side: int, pixels: bytes) -> None:
    rows = b"".join(b"\0" + pixels[y * side * 3: (y + 1) * side * 3] for y in range(side))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
                + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def check_embeddings(program: str, folder: str, model: str) -> None:
    """Checks each file that make_weights.py wrote, and one that convert wrote."""
    path = lambda end: os.path.join(folder, f"{model}.{end}")
    vocabulary, classes, image, out = os.path.join(folder, "merges.txt"), path("classes.txt"), path("png"), path("e.safetensors")
    make_weights.write_vocabulary(vocabulary)
    with open(classes, "w") as f:
        f.write("\n".join(NAMES) + "\n")
    ids = subprocess.run([program, "tokenize", "--vocab", vocabulary], input="\n".join(NAMES) + "\n", text=True,
                         stdout=subprocess.PIPE, check=True).stdout.splitlines()
    texts = [[int(i) for i in line.split()] for line in ids]
    clip = make_weights.full_clip(model)
    side = int(clip.input_resolution)
    write_png(image, side, make_weights.image_pixels(side))
    full = make_weights.embeddings(clip, texts)
    clip.load_state_dict(ref.load_safetensors(path("f16.expected.safetensors"))[0], strict=False)
    half = make_weights.embeddings(clip, texts)
    del clip
    run([program, "convert", path("state_dict.pt"), path("ours.safetensors")])
    sources = [("openai.pt", half), ("state_dict.pt", full), ("legacy.pt", full), ("open_clip.safetensors", full),
               ("ours.safetensors", full), ("huggingface", full)]
    for end, expected in sources:
        if not os.path.exists(path(end)):
            continue
        seconds, peak = run([program, "classify", path(end), image, "--classes-file", classes, "--vocab", vocabulary,
                             "--template", "{}", "--embeddings", out])
        found = ref.load_safetensors(out)[0]
        far = {k: (found[k] - expected[k]).norm(dim=-1).max().item() for k in ("image", "text")}
        report(f"{model} {end}, embeddings", max(far.values()) <= 1e-4,
               f"image {far['image']:.1e}, text {far['text']:.1e}; {seconds:.2f} s, peak {peak:.0f} MiB")
    os.remove(path("ours.safetensors"))


def check_denseclip(program: str, folder: str, model: str) -> None:
    path = lambda end: os.path.join(folder, f"{model}.{end}")
    out, image, result = path("out.safetensors"), path("image.safetensors"), path("result.safetensors")
    seconds, peak = run([program, "convert", path("denseclip.pth"), out, "--tokens", path("tokens.json")])
    reference, classes = ref.load_checkpoint(path("denseclip.expected.safetensors"))
    _, meta = ref.load_safetensors(out)
    report(f"{model} denseclip.pth", meta["icpc.classes"].count("class ") == len(classes),
           f"{seconds:.2f} s, peak {peak:.0f} MiB for {os.path.getsize(out) / 2**20:.0f} MiB")
    x = make_weights.image_of(160, 128)
    ref.save_safetensors(image, {"image": x})
    run([program, "forward", out, image, result])
    with torch.no_grad():
        theirs = reference(x)
    ours = ref.load_safetensors(result)[0]
    for key in ("logits", "text"):
        d = distance(ours[key].reshape(-1), theirs[key].reshape(-1))
        report(f"{model} denseclip.pth, {key}", d <= 1e-4, f"relative difference {d:.1e}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[])
    parser.add_argument("--program", default=os.path.join(os.path.dirname(__file__), "..", "build", "icseg"))
    parser.add_argument("--dir")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.dir or temporary
        for model in args.models or list(make_weights.FULL):
            if not os.path.exists(os.path.join(folder, f"{model}.openai.pt")):
                make_weights.make_full(folder, [model])
            check_clip(args.program, folder, model)
            check_embeddings(args.program, folder, model)
            if model in make_weights.BASELINES:
                check_denseclip(args.program, folder, model)
            if not args.dir:
                shutil.rmtree(folder)
                os.mkdir(folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

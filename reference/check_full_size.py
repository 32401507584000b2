# SPDX-License-Identifier: Apache-2.0
"""Compares full-size models in both directions: a checkpoint that PyTorch wrote must have the same outputs in icseg, and one
that icseg trained must have the same outputs in PyTorch.

usage: check_full_size.py ICSEG [--models rn50 rn101 vit] [--size 256]         needs torch and numpy, 4 GiB of disk in /tmp
prints one line per comparison; exit status 1 if any tensor differs by more than 1e-4 of its norm.
"""
import argparse
import os
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: PyTorch is not installed (pip install torch==2.13.0 numpy)")
    sys.exit(0)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import icpc_reference as R

BOUND = 1e-4
PRESETS = {"rn50": (R.rn50, "rn50"), "rn101": (R.rn101, "rn101"), "vit": (R.vit_b16, "vit-b16")}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def compare(title, icseg, checkpoint, model, size, folder):
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(3))
    source, target = os.path.join(folder, "in.safetensors"), os.path.join(folder, "out.safetensors")
    R.save_safetensors(source, {"image": image})
    run(icseg, "forward", checkpoint, source, target)
    ours, _ = R.load_safetensors(target)
    with torch.no_grad():
        theirs = model.eval()(image)
    worst = 0.0
    for name, value in theirs.items():
        difference = float((ours[name].double() - value.double()).norm() / value.double().norm())
        worst = max(worst, difference if difference == difference else float("inf"))
    print(f"{'ok    ' if worst <= BOUND else 'FAILED'} {title}: {len(theirs)} outputs at {size[0]}x{size[1]}, "
          f"worst {worst:.2e} of its norm (bound {BOUND:.0e})", flush=True)
    return worst <= BOUND


def from_pytorch(name, icseg, size, folder):
    torch.manual_seed(1)
    config = PRESETS[name][0](num_classes=19)
    g = torch.Generator().manual_seed(2)
    tokens = [torch.randint(1, config.vocab_size - 2, (1 + k % 3,), generator=g).tolist() for k in range(19)]
    model = R.ICPC(config, tokens)
    for key, value in model.state_dict().items():  # statistics and gains that matter
        if key.endswith("running_mean"):
            value.copy_(0.1 * torch.randn(value.shape, generator=g))
        elif key.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=g))
        elif key.startswith("prompt.out.1"):
            value.copy_(0.05 * torch.randn(value.shape, generator=g))
    path = os.path.join(folder, "pytorch.safetensors")
    R.save_checkpoint(path, model, [f"class {k}" for k in range(19)])
    return compare(f"{name}, PyTorch's checkpoint in icseg", icseg, path, model, size, folder)


def to_pytorch(name, icseg, size, folder):
    data, out, recipe = (os.path.join(folder, f) for f in ("data", f"run_{name}", "recipe.yaml"))
    if not os.path.isdir(data):
        run(icseg, "synth", data, "--images", "4", "--val", "1", "--size", "128x128")
    with open(recipe, "w") as f:
        f.write(f"model:\n  preset: {PRESETS[name][1]}\n  tokenizer: bytes\ndata:\n  folder: {data}\n"
                "augment:\n  crop: [96, 96]\n  resize_short: 0\n  resize_long: 0\n"
                "train:\n  steps: 2\n  batch: 2\n  warmup: 0\n  lr: 1e-4\n  checkpoint_every: 0\n")
    run(icseg, "train", recipe, "--out", out)
    checkpoint = os.path.join(out, "checkpoint.safetensors")
    model, _ = R.load_checkpoint(checkpoint)
    return compare(f"{name}, icseg's checkpoint in PyTorch", icseg, checkpoint, model, size, folder)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("icseg")
    p.add_argument("--models", nargs="+", default=list(PRESETS), choices=list(PRESETS))
    p.add_argument("--size", type=int, default=256)
    a = p.parse_args()
    passed = failed = 0
    for name in a.models:
        for check in (from_pytorch, to_pytorch):
            with tempfile.TemporaryDirectory() as folder:
                good = check(name, a.icseg, (a.size, a.size + 32), folder)
                passed, failed = passed + good, failed + (not good)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())

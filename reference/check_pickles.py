# SPDX-License-Identifier: Apache-2.0
"""Checks that icseg reads the weights of files that also hold every kind of object that torch.load(weights_only=True) loads.

    python3 reference/check_pickles.py WEIGHTS.pt [--program build/icseg]

WEIGHTS.pt: a state dict of CLIP, or a dict with one under "module" or "state_dict". Each object is saved beside the state dict
and nested in a list, together with a parameter and a tensor that have attributes. This check needs PyTorch; without it, it
prints a message and ends.
"""
import argparse
import collections
import os
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)


def objects() -> dict:
    sparse = torch.eye(3).to_sparse()
    return {
        "size": torch.Size([1, 2]), "device": torch.device("cpu"), "set": {1, 2}, "complex": 1 + 2j, "bytes": b"xy",
        "bytearray": bytearray(b"ab"), "integer": 1 << 100, "counter": collections.Counter("aab"),
        "ordered": collections.OrderedDict(a=1), "dtypes": [torch.float32, torch.uint16, torch.float8_e4m3fn, torch.qint8],
        "layout": torch.strided, "scheme": torch.per_tensor_affine, "random state": torch.get_rng_state(),
        "storage": torch.zeros(3).storage(), "untyped storage": torch.zeros(3).untyped_storage(),
        "sparse": sparse, "compressed rows": torch.eye(3).to_sparse_csr(), "meta": torch.empty(3, device="meta"),
        "quantised": torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8),
        "complex tensor": torch.randn(3, dtype=torch.complex64), "conjugate": torch.randn(3, dtype=torch.complex64).conj(),
        "negative view": torch._neg_view(torch.ones(3)), "uint16": torch.zeros(3).to(torch.uint16),
        "float8": torch.zeros(3).to(torch.float8_e4m3fn), "bool": torch.zeros(2, dtype=torch.bool),
        "seven dimensions": torch.zeros(1, 1, 1, 1, 1, 1, 1), "expanded": torch.zeros(1).expand(5),
        "nested": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    }


def with_attributes(state: dict) -> dict:
    state = collections.OrderedDict(state)
    parameter = torch.nn.Parameter(state["text_projection"].clone())
    parameter.note = "a"
    scale = state["logit_scale"].clone()
    scale.note = 1
    state.update(text_projection=parameter, logit_scale=scale)
    return state


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--program", default=os.path.join(os.path.dirname(__file__), "..", "build", "icseg"))
    args = parser.parse_args()
    state = torch.load(args.weights, weights_only=True)
    state = with_attributes(state.get("state_dict", state.get("module", state)))
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        file, out = os.path.join(folder, "a.pt"), os.path.join(folder, "a.safetensors")
        for name, value in objects().items():
            for content in ({"state_dict": state, "other": value}, {"state_dict": state, "other": {"list": [value]}}):
                for zipped in (True, False):
                    torch.save(content, file, _use_new_zipfile_serialization=zipped)
                    try:
                        torch.load(file, weights_only=True)
                    except Exception:  # the old container does not hold every kind
                        if zipped:
                            raise
                        continue
                    run = subprocess.run([args.program, "convert", file, out], capture_output=True, text=True)
                    failures += run.returncode != 0
                    kind = "zip" if zipped else "before 1.6"
                    print(f"{'FAIL' if run.returncode else 'ok  '}  {name} ({kind}): {run.stderr.strip()}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

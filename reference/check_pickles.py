# SPDX-License-Identifier: Apache-2.0
"""Checks that icseg reads the weights of files that also hold other objects, and that it finds them wherever they are.

    python3 reference/check_pickles.py WEIGHTS.pt [--program build/icseg]

WEIGHTS.pt: a state dict of CLIP, or a dict with one under "module" or "state_dict".

1. Every kind of object that torch.load(weights_only=True) loads, and functions and objects that it refuses, are saved beside
   the state dict and nested in a list, together with a parameter and a tensor that have attributes, in both containers and in
   several protocols of pickle.
2. Two state dicts, of which one has a text_projection two times as large, are saved as trainers do it, and one is chosen.

This check needs PyTorch; without it, it prints a message and ends.
"""
import argparse
import collections
import functools
import json
import operator
import os
import pathlib
import random
import struct
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


class Options(dict):
    """A dict of another class, as trainers' configurations are."""


def refused_objects() -> dict:
    """What torch.load(weights_only=True) refuses. Nothing of it may be called."""
    return {
        "builtin function": len, "partial": functools.partial(len), "partial with arguments": functools.partial(int, "7", base=8),
        "defaultdict": collections.defaultdict(int, a=1), "defaultdict of list": collections.defaultdict(list),
        "defaultdict of a function": collections.defaultdict(functools.partial(int, "1")), "itemgetter": operator.itemgetter(1),
        "method": [].append, "path": pathlib.PurePosixPath("/a"), "random": random.Random(1), "class": Options,
        "dict of another class": Options(a=1), "module function": os.path.join, "range": range(3), "slice": slice(1, 2),
        "exception": ValueError("a"), "module": torch.nn.Linear(2, 2), "activation": torch.nn.functional.relu,
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1), "object": object(),
    }


def places(state: dict, other: dict) -> list:
    """(name, content of the file, --weights or None, whether `other` is read)"""
    def prefixed(prefix: str, values: dict) -> dict:
        return {prefix + name: value for name, value in values.items()}

    lightning = {"state_dict": {**prefixed("ema_model.module.", other), **prefixed("model.", state), "loss.weight": torch.zeros(2)}}
    averaging = {"state_dict": prefixed("model.", other), "current_model_state": prefixed("model.", state), "averaging_state": {}}
    engine = {"state_dict": other, "ema_state_dict": prefixed("module.", state), "message_hub": {}}
    nemo = {"state_dict": state, "optimizer_states": [{"opt": {}, "ema": tuple(other.values())}]}
    swa = {"state_dict": state, "callbacks": {"StochasticWeightAveraging": {"average_model_state": prefixed("module.", other)}}}
    made = [("top level", state, None, False), ("list", [state], None, False)]
    for key in ("net", "params", "params_ema", "student", "teacher", "network", "model_state", "generator"):
        made.append((key, {key: state, "epoch": 1}, None, False))
    made += [
        ("model.state_dict", {"model": {"state_dict": state}}, None, False),
        ("state_dict.model", {"state_dict": {"model": state}}, None, False),
        ("params and params_ema", {"params_ema": other, "params": state}, None, False),
        ("params and params_ema", {"params_ema": other, "params": state}, "ema", True),
        ("student and teacher", {"teacher": other, "student": state}, None, False),
        ("student and teacher", {"teacher": other, "student": state}, "teacher", True),
        ("Lightning, prefixes", lightning, None, False), ("Lightning, prefixes", lightning, "ema", True),
        ("Lightning, prefixes", lightning, "ema_model", True), ("Lightning, prefixes", lightning, "model", False),
        ("Lightning, WeightAveraging", averaging, None, True), ("Lightning, WeightAveraging", averaging, "ema", True),
        ("Lightning, WeightAveraging", averaging, "current_model_state", False),
        ("Lightning, StochasticWeightAveraging", swa, None, False), ("Lightning, StochasticWeightAveraging", swa, "ema", True),
        ("MMEngine, EMAHook", engine, "ema", True), ("MMEngine, EMAHook", engine, "ema_state_dict", False),
        ("NeMo, EMA", nemo, None, False),
    ]
    return made


def projection(path: str) -> torch.Tensor:
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        entry = json.loads(file.read(size))["text_projection"]
        file.seek(8 + size + entry["data_offsets"][0])
        raw = bytearray(file.read(entry["data_offsets"][1] - entry["data_offsets"][0]))
    return torch.frombuffer(raw, dtype=torch.float32).reshape(entry["shape"])


def with_attributes(state: dict) -> dict:
    state = collections.OrderedDict(state)
    parameter = torch.nn.Parameter(state["text_projection"].clone())
    parameter.note = "a"
    scale = state["logit_scale"].clone()
    scale.note = 1
    state.update(text_projection=parameter, logit_scale=scale)
    return state


def check(program: str, file: str, out: str, what: str, *options: str) -> bool:
    run = subprocess.run([program, "convert", file, out, *options], capture_output=True, text=True)
    print(f"{'FAIL' if run.returncode else 'ok  '}  {what}: {run.stderr.strip()}", flush=True)
    return run.returncode == 0


def check_objects(program: str, state: dict, folder: str) -> int:
    file, out = os.path.join(folder, "a.pt"), os.path.join(folder, "a.safetensors")
    failures, refused = 0, refused_objects()
    for name, value in {**objects(), **refused}.items():
        for content in ({"state_dict": state, "other": value}, {"state_dict": state, "other": {"list": [value]}}):
            for zipped, protocol in ((True, 2), (True, 4), (True, 5), (False, 2)):
                torch.save(content, file, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
                try:
                    torch.load(file, weights_only=name not in refused and protocol == 2)
                except Exception:  # the old container does not hold every kind
                    if zipped:
                        raise
                    continue
                kind = f"zip, protocol {protocol}" if zipped else "before 1.6"
                failures += not check(program, file, out, f"{name} ({kind})")
    return failures


def check_places(program: str, state: dict, folder: str) -> int:
    file, out = os.path.join(folder, "a.pt"), os.path.join(folder, "a.safetensors")
    failures = 0
    other = {name: 2 * value if name == "text_projection" else value for name, value in state.items()}
    for name, content, wanted, second in places(state, other):
        torch.save(content, file)
        passed = check(program, file, out, f"{name} ({wanted})", *(("--weights", wanted) if wanted else ()))
        expected = (other if second else state)["text_projection"].float()
        if passed and not torch.equal(projection(out), expected):
            print(f"FAIL  {name} ({wanted}): the other state dict was read")
            passed = False
        failures += not passed
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--program", default=os.path.join(os.path.dirname(__file__), "..", "build", "icseg"))
    args = parser.parse_args()
    state = torch.load(args.weights, weights_only=True)
    state = dict(state.get("state_dict", state.get("module", state)))
    state = {name.removeprefix("module."): value for name, value in state.items()}
    with tempfile.TemporaryDirectory() as folder:
        failures = check_places(args.program, state, folder) + check_objects(args.program, with_attributes(state), folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures one model in icseg, PyTorch, ONNX Runtime and OpenVINO, which run its checkpoint and its exported ONNX file.

Usage: vs_peers.py [--model rn50] [--size 512] [--classes 150] [--prompt template] [--threads N] [--rounds 5] [--no-int8]
                   [--isa avx2]

The weights are random. icseg runs in f32 and int8, PyTorch and ONNX Runtime in f32, OpenVINO in f32 and in int8 (quantised
by NNCF with the same images). With template and static prompts, all sides have the class embeddings already. All sides
label the same image in turn, several times in each round. Their median times are compared, and their labels with those of
icseg in f32. (With random weights, most pixels have several classes with nearly equal scores, which int8 exchanges.)
--isa avx2 limits the sides that can be limited to AVX2, to stand for a processor without AVX-512: not ONNX Runtime, and
not INT8, which it leaves out. Needs onnxruntime, openvino and nncf, and torch for PyTorch (vs_peers.sh installs them), and
the library in build/ (ICSEG_LIBRARY: another one).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

PRODUCTS = "products limited to AVX2"  # those that oneDNN computes; the other loops are not limited
LIMITED = {"icseg f32": PRODUCTS, "OpenVINO f32": PRODUCTS, "PyTorch f32": "limited to AVX2"}
if "avx2" in (argument.removeprefix("--isa=") for argument in sys.argv[1:]):  # libraries read this when they are loaded
    for variable in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"):
        os.environ[variable] = "AVX2"
    os.environ["ATEN_CPU_CAPABILITY"] = "avx2"

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("ICSEG_LIBRARY", str(ROOT / "build" / "libicseg.so"))
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "reference")]
try:
    import nncf
    import numpy as np
    import onnxruntime
    import openvino
except ImportError as missing:
    sys.exit(f"{sys.argv[0]}: {missing}; pip install onnxruntime openvino nncf")

import icseg  # noqa: E402

CALIBRATION_IMAGES = 4
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP
Labels = Callable[[], "np.ndarray[Any, Any]"]


def picture(size: int, seed: int) -> "np.ndarray[Any, Any]":
    """Squares of random colours with some noise: (size, size, 3)."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (size // 32 + 1, size // 32 + 1, 3), np.uint8)
    pixels = np.kron(coarse, np.ones((32, 32, 1), np.uint8))[:size, :size]
    return np.clip(pixels + generator.integers(-20, 20, pixels.shape), 0, 255).astype(np.uint8)


def peers(path: str, images: list[Any], threads: int, int8: bool) -> dict[str, Labels]:
    planes = [np.ascontiguousarray(image.transpose(2, 0, 1)[None]) for image in images]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    made: dict[str, Labels] = {"ONNX Runtime f32": lambda: session.run(["labels"], {"image": planes[0]})[0][0]}
    core = openvino.Core()
    model = core.read_model(path)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    full = core.compile_model(model, "CPU", settings)
    made["OpenVINO f32"] = lambda: full(planes[0])["labels"][0]
    if int8:
        small = core.compile_model(nncf.quantize(model, nncf.Dataset(planes), subset_size=len(planes)), "CPU", settings)
        made["OpenVINO int8"] = lambda: small(planes[0])["labels"][0]
    return made


def pytorch(checkpoint: str, image: Any, threads: int, fixed_text: bool) -> dict[str, Labels]:
    """The reference (reference/icpc_reference.py); nothing if PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        print("PyTorch: skipped, torch is not installed")
        return {}
    import icpc_reference as reference
    from exportable import LabelMap, batched_text

    torch.set_num_threads(threads)
    reference.ICPC.encode_text = batched_text
    model = reference.load_checkpoint(checkpoint)[0].eval()
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    pixels = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        if fixed_text:
            text = model.encode_text(model.prompt(None) if model.c.prompt == "static" else None, 1)
            model.encode_text = lambda prompts, batch: text
        labels = LabelMap(model, True)

    def run() -> "np.ndarray[Any, Any]":
        with torch.no_grad():
            return labels(pixels)[0].numpy()

    return {"PyTorch f32": run}


def main() -> None:
    options = argparse.ArgumentParser(description="icseg against PyTorch, ONNX Runtime and OpenVINO")
    options.add_argument("--model", default="rn50", help="preset (icseg bench --help)")
    options.add_argument("--size", type=int, default=512, help="side of the image, pixels")
    options.add_argument("--classes", type=int, default=150)
    options.add_argument("--prompt", default="template", choices=["template", "static", "instance"])
    options.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--no-int8", action="store_true")
    options.add_argument("--isa", choices=["avx2"], help="limit the sides that can be limited to these instructions")
    o = options.parse_args()
    o.no_int8 |= o.isa is not None
    images = [picture(o.size, seed) for seed in range(CALIBRATION_IMAGES)]
    names = list(icseg.published_classes("ade20k").names)
    names = (names + [f"class {i}" for i in range(o.classes)])[: o.classes]
    whole = icseg.EvalOptions(mode="whole")
    with tempfile.TemporaryDirectory() as folder:
        model = icseg.create(names, preset=o.model, tokenizer="bytes", config={"prompt": o.prompt}, seed=3, threads=o.threads)
        path = os.path.join(folder, "model.onnx")
        model.export_onnx(path, height=o.size, width=o.size)
        sides: dict[str, Labels] = {"icseg f32": lambda: model(images[0], options=whole, confidence=False).labels}
        if not o.no_int8:
            calibrated = icseg.calibrate(model, images).clone(precision="int8")
            sides["icseg int8"] = lambda: calibrated(images[0], options=whole, confidence=False).labels
        checkpoint = os.path.join(folder, "model.safetensors")
        model.save(checkpoint)
        sides.update(pytorch(checkpoint, images[0], o.threads, o.prompt != "instance"))
        sides.update(peers(path, images, o.threads, not o.no_int8))
    expected = sides["icseg f32"]()
    same = {name: float((run() == expected).mean()) for name, run in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(o.rounds):
        for name, run in sides.items():
            run()  # while the other sides' threads fall asleep
            for _ in range(3):
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
    print(f"{o.model}, {o.size} x {o.size}, {o.classes} classes, {o.prompt} prompts, {o.threads} threads")
    ours = {name: statistics.median(list_) for name, list_ in times.items()}
    for name, seconds in ours.items():
        own = ours["icseg int8" if name.endswith("int8") else "icseg f32"]
        limit = f"   {LIMITED.get(name, 'not limited')}" if o.isa else ""
        print(f"{name:18} {1000 * seconds:8.1f} ms   {seconds / own:5.2f} of icseg   labels equal on {100 * same[name]:6.2f} %{limit}")


if __name__ == "__main__":
    main()

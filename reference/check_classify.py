# SPDX-License-Identifier: Apache-2.0
"""Checks `icseg classify` against the public CLIP code: open_clip (OpenAI's models) and Hugging Face's transformers.

    python3 reference/check_classify.py [--program build/icseg] [MODEL...]      e.g. RN50-quickgelu ViT-H-14 huggingface

The models get random weights and are saved as they are published. Images of many sizes pass through the preprocessing of
Pillow and torchvision, and class names through open_clip's tokenizer. Probabilities must agree within 1e-3, embeddings
within 1e-4 (relative). This check is not part of `make test`: it needs `pip install open_clip_torch transformers` and takes
minutes. Without these packages it prints a message and ends.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Dict, List, Tuple

try:
    import numpy as np
    import open_clip
    import torch
    import transformers
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing}; pip install open_clip_torch transformers")
    sys.exit(0)

MODELS = ["RN50-quickgelu", "RN101-quickgelu", "RN50x4-quickgelu", "ViT-B-16-quickgelu", "ViT-B-32-quickgelu", "RN50", "ViT-B-16",
          "ViT-B-32", "ViT-L-14", "ViT-L-14-quickgelu", "ViT-L-14-336", "RN50x16", "RN50x64", "ViT-H-14", "ViT-g-14", "ViT-bigG-14"]
LARGE = ("RN50x16", "RN50x64", "ViT-L", "ViT-H", "ViT-g", "ViT-bigG")  # one file and a few pictures
SHORTENED = {"ViT-g-14": 6, "ViT-bigG-14": 4}  # blocks of each encoder: the whole model does not fit into 24 GiB
CLASSES = [["cat"], ["dog", "hound"], ["a building (tall, with windows)"], ["café"], ["sky", "heaven", "firmament"], ["road"]]
TEMPLATES = [["a photo of a {}"], ["a photo of a {}.", "a drawing of the {}!", "{}"]]
VOCAB = os.path.join(os.path.dirname(open_clip.__file__), "bpe_simple_vocab_16e6.txt.gz")
failures = 0


def report(name: str, good: bool, text: str) -> None:
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'}  {name}: {text}", flush=True)


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Draws values such that nothing stays at zero or one and signals keep their scale."""
    g = torch.Generator().manual_seed(seed)
    for name, t in model.state_dict().items():
        if not t.is_floating_point() or t.ndim == 0 or "attn_mask" in name:
            continue
        noise = torch.randn(t.shape, generator=g)
        if name.endswith("running_var"):
            t.copy_(0.5 + torch.rand(t.shape, generator=g))
        elif t.ndim > 1 and "embedding" not in name:
            t.copy_(noise / t[0].numel() ** 0.5)
        elif t.ndim > 1:
            t.copy_(noise * (0.3 if t.shape[0] > 1000 else 0.1))
        else:
            t.add_(0.1 * noise)


def write_pictures(folder: str) -> List[str]:
    """Sizes that are scaled down and up, cropped at whole and half pixels on either axis, in several formats."""
    rng = np.random.default_rng(3)
    files = []
    for i, (w, h, kind) in enumerate([(640, 427, "jpg"), (301, 512, "png"), (225, 224, "png"), (224, 227, "png"), (50, 80, "png"),
                                      (1200, 130, "png"), (224, 224, "png"), (500, 333, "webp"), (97, 89, "grey.png")]):
        y, x = np.mgrid[0:h, 0:w]
        wave = [128 + 100 * np.sin(x / rng.uniform(3, 60) + y / rng.uniform(3, 60) + c) for c in range(3)]
        pixels = np.clip(np.stack(wave, 2) + rng.normal(0, 20, (h, w, 3)), 0, 255).astype(np.uint8)
        image = Image.fromarray(pixels).convert("L" if kind.startswith("grey") else "RGB")
        files.append(os.path.join(folder, f"{i}.{kind}"))
        image.save(files[-1], **({"quality": 90} if kind == "jpg" else {"lossless": True} if kind == "webp" else {}))
    return files


def classify(program: str, weights: str, files: List[str], names: List[str], templates: List[str], mean: bool, folder: str,
             options: List[str]) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities (images, classes) and the two embeddings."""
    out, classes = os.path.join(folder, "embeddings.safetensors"), os.path.join(folder, "classes.txt")
    with open(classes, "w") as f:
        f.write("\n".join(names) + "\n")
    command = [program, "classify", weights, *files, "--classes-file", classes, "--vocab", VOCAB, "--json", "--embeddings", out, *options]
    for t in templates:
        command += ["--template", t]
    lines = subprocess.run(command + ["--synonyms", "mean" if mean else "first"], check=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True).stdout.splitlines()
    rows = [sorted(json.loads(line)["classes"], key=lambda k: k["index"]) for line in lines]
    from safetensors.torch import load_file
    tensors = load_file(out)
    return torch.tensor([[k["probability"] for k in row] for row in rows]), tensors["image"], tensors["text"]


def zero_shot(encode, tokenize, templates: List[str], mean: bool) -> torch.Tensor:
    """Class embeddings, computed as in CLIP's zero-shot notebook."""
    rows = []
    for names in CLASSES:
        texts = [t.format(n) for n in (names if mean else names[:1]) for t in templates]
        e = encode(tokenize(texts))
        e = (e / e.norm(dim=-1, keepdim=True)).mean(0)
        rows.append(e / e.norm())
    return torch.stack(rows)


def compare(name: str, program: str, weights: str, files: List[str], model: Dict, folder: str, *options: str) -> None:
    """model: encode_image, encode_text, preprocess, tokenize, scale. options: of `icseg classify`."""
    with torch.no_grad():
        images = torch.cat([model["encode_image"](model["preprocess"](Image.open(f))[None]) for f in files])
        images = images / images.norm(dim=-1, keepdim=True)
        for templates, mean in ((TEMPLATES[0], False), (TEMPLATES[1], True)):
            texts = zero_shot(model["encode_text"], model["tokenize"], templates, mean)
            theirs = (model["scale"] * images @ texts.T).softmax(-1)
            ours, image, text = classify(program, weights, files, [", ".join(k) for k in CLASSES], templates, mean, folder,
                                         list(options))
            worst = (ours - theirs).abs().max().item()
            far = [((a - b).norm(dim=-1) / b.norm(dim=-1)).max().item() for a, b in ((image, images), (text, texts))]
            spread = f"largest probability {theirs.max().item():.2f}, smallest {theirs.min().item():.0e}"
            report(f"{name}, {len(templates)} template(s), {'mean' if mean else 'first'}", worst <= 1e-3 and max(far) <= 1e-4,
                   f"probabilities {worst:.1e}, image embeddings {far[0]:.1e}, text {far[1]:.1e} ({spread})")


def check_open_clip(program: str, name: str, files: List[str], folder: str) -> None:
    """A model of open_clip, whose name ends in -quickgelu if it has that activation."""
    quick, large = name.endswith("-quickgelu"), name.startswith(LARGE)
    torch.manual_seed(1)
    layers = SHORTENED.get(name)
    short = {}
    if layers:
        full = open_clip.get_model_config(name)
        short = {"vision_cfg": {**full["vision_cfg"], "layers": layers}, "text_cfg": {**full["text_cfg"], "layers": layers}}
    model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=None, **short)
    randomise(model, 7)
    model = model.eval()
    model.logit_scale.data.fill_(4.6051 if name != "RN50-quickgelu" else 5.5)     # where training ends, and another value
    path = lambda end: os.path.join(folder, f"{name}.{end}")
    from safetensors.torch import save_file
    reference = {"preprocess": preprocess, "tokenize": open_clip.get_tokenizer(name), "scale": model.logit_scale.exp().item(),
                 "encode_image": model.encode_image, "encode_text": model.encode_text}
    activation = [] if quick else ["--activation", "gelu"]
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path("safetensors"))
    compare(f"{name} safetensors", program, path("safetensors"), files[:3] if large else files, reference, folder, *activation)
    if not large:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, path("training.pt"))
        compare(f"{name} training.pt", program, path("training.pt"), files, reference, folder, *activation)
        subprocess.run([program, "convert", path("safetensors"), path("ours.safetensors"), *activation], check=True,
                       stdout=subprocess.DEVNULL)
        compare(f"{name} converted", program, path("ours.safetensors"), files, reference, folder)
    config = os.path.join(folder, "open_clip_config.json")          # as open_clip publishes it
    with open(config, "w") as f:
        json.dump({"model_cfg": open_clip.get_model_config(name)}, f)
    compare(f"{name} with its configuration", program, path("safetensors"), files[:3] if large else files, reference, folder)
    os.remove(config)
    if not large:
        model = model.half().float()                            # OpenAI's archives hold f16
        reference["scale"] = model.logit_scale.exp().item()
        example = (torch.zeros(1, 3, *np.broadcast_to(model.visual.image_size, 2)), torch.zeros(1, 77, dtype=torch.long))
        with torch.no_grad():
            traced = torch.jit.trace(model, example, check_trace=False)
            torch.jit.save(traced.half(), path("openai.pt"))    # shares its tensors with the model
        model.float()
        compare(f"{name} TorchScript archive (f16)", program, path("openai.pt"), files, reference, folder)
    for end in ("training.pt", "safetensors", "ours.safetensors", "openai.pt"):
        if os.path.exists(path(end)):
            os.remove(path(end))


def check_hugging_face(program: str, activation: str, files: List[str], folder: str) -> None:
    """transformers.CLIPModel of ViT-B/32's shape, saved as published: two shards and a config. With GELU its heads are not
    64 wide."""
    other = {"hidden_act": activation, "num_attention_heads": 4 if activation == "gelu" else 8}
    config = transformers.CLIPConfig(text_config=other, vision_config={**other, "num_attention_heads": 6 if activation == "gelu" else 12},
                                     projection_dim=512)
    model = transformers.CLIPModel(config).eval()
    randomise(model, 9)
    weights = os.path.join(folder, "huggingface")
    model.save_pretrained(weights, max_shard_size="300MB")
    shutil.copy(VOCAB, weights)
    _, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained=None)
    value = lambda x: x if isinstance(x, torch.Tensor) else x.pooler_output
    compare(f"Hugging Face, ViT-B/32, {activation}, " + ("shards" if os.path.exists(os.path.join(weights, "model.safetensors.index.json"))
                                          else "one file"), program, weights, files,
            {"preprocess": preprocess, "tokenize": open_clip.get_tokenizer("ViT-B-32"), "scale": model.logit_scale.exp().item(),
             "encode_image": lambda x: value(model.get_image_features(pixel_values=x)),
             "encode_text": lambda ids: value(model.get_text_features(
                 input_ids=ids, attention_mask=torch.ones_like(ids)))}, folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[])
    parser.add_argument("--program", default=os.path.join(os.path.dirname(__file__), "..", "build", "icseg"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = write_pictures(folder)
        for name in args.models or MODELS + ["huggingface"]:
            if name == "huggingface":
                for activation in ("quick_gelu", "gelu"):
                    check_hugging_face(args.program, activation, files, folder)
            else:
                check_open_clip(args.program, name, files, folder)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Segmentation without training (docs/open_vocabulary.md) in a few lines of PyTorch, and fixtures for `icseg parity`.

    python3 reference/open_vocabulary.py OUT_DIR [SEED]        writes fixtures of several sizes, patches and methods
    python3 reference/open_vocabulary.py --small OUT_DIR       writes the small ones of tests/parity

The formulas are those of MaskCLIP, SCLIP, ClearCLIP and NACLIP, and of PAMR. Weights are random. All is computed in float64
from weights that are exact in float32.
"""
from __future__ import annotations

import json
import math
import os
import sys
from typing import Dict, List, Tuple

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

Weights = Dict[str, torch.Tensor]
# method: (attention, residual and MLP stay)
METHODS = {
    "clip": ("qk", True),
    "maskclip": ("v", True),
    "sclip": ("qq+kk", True),
    "clearclip": ("qq", False),
    "naclip": ("near kk", False),
    "naclip_vanilla": ("near kk", True),
    "kk_reduced": ("kk", False),
}
DEVIATION = 5.0


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.702 * x)


def near(rows: int, columns: int) -> torch.Tensor:
    """What NACLIP adds to the scores of two positions; nothing to those of the class token."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    at = torch.stack([y.flatten(), x.flatten()], 1).double()
    grid = torch.exp(-((at[:, None] - at[None]) ** 2).sum(-1) / (2 * DEVIATION**2))
    return F.pad(grid, (1, 0, 1, 0))


def attention(w: Weights, name: str, x: torch.Tensor, heads: int, kind: str, plus: torch.Tensor) -> torch.Tensor:
    batch, length, width = x.shape
    qkv = F.linear(x, w[name + "in_proj_weight"], w[name + "in_proj_bias"]).chunk(3, -1)
    q, k, v = (t.view(batch, length, heads, width // heads).transpose(1, 2) for t in qkv)
    scale = (width // heads) ** -0.5

    def softmax(a: torch.Tensor, b: torch.Tensor, plus: object = 0.0) -> torch.Tensor:
        return (a @ b.transpose(-1, -2) * scale + plus).softmax(-1)

    if kind == "v":
        out = v
    elif kind == "qk":
        out = softmax(q, k, plus) @ v  # plus: the causal mask of the text encoder
    elif kind == "qq":
        out = softmax(q, q) @ v
    elif kind == "kk":
        out = softmax(k, k) @ v
    elif kind == "qq+kk":
        out = (softmax(q, q) + softmax(k, k)) @ v
    else:
        out = softmax(k, k, plus) @ v
    out = out.transpose(1, 2).reshape(batch, length, width)
    return F.linear(out, w[name + "out_proj.weight"], w[name + "out_proj.bias"])


def block(w: Weights, name: str, x: torch.Tensor, heads: int, kind: str = "qk", whole: bool = True, plus: object = 0.0,
          activation: object = quick_gelu) -> torch.Tensor:
    width = x.shape[-1]
    y = F.layer_norm(x, (width,), w[name + "ln_1.weight"], w[name + "ln_1.bias"])
    y = attention(w, name + "attn.", y, heads, kind, plus)
    if not whole:
        return y
    x = x + y
    y = F.layer_norm(x, (width,), w[name + "ln_2.weight"], w[name + "ln_2.bias"])
    y = activation(F.linear(y, w[name + "mlp.c_fc.weight"], w[name + "mlp.c_fc.bias"]))
    return x + F.linear(y, w[name + "mlp.c_proj.weight"], w[name + "mlp.c_proj.bias"])


def positions(stored: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Resampled as DINO does, with the factors (g + 0.1) / g0."""
    side = math.isqrt(len(stored) - 1)
    if (rows, columns) == (side, side):
        return stored
    grid = stored[1:].view(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=((rows + 0.1) / side, (columns + 0.1) / side), mode="bicubic",
                         align_corners=False, recompute_scale_factor=False)
    return torch.cat([stored[:1], grid.permute(0, 2, 3, 1).reshape(rows * columns, -1)])


def count_blocks(w: Weights, prefix: str) -> int:
    return len({name.split(".")[prefix.count(".") + 2] for name in w if name.startswith(prefix + "transformer.resblocks.")})


def encode_image(w: Weights, image: torch.Tensor, method: str, heads: int, activation: object = quick_gelu) -> torch.Tensor:
    """image (B, 3, H, W) -> unit embeddings of positions (B, h, w, C)."""
    kind, whole = METHODS[method]
    x = F.conv2d(image, w["visual.conv1.weight"], stride=w["visual.conv1.weight"].shape[-1])
    rows, columns = x.shape[-2:]
    x = x.flatten(2).transpose(1, 2)
    start = w["visual.class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([start, x], 1) + positions(w["visual.positional_embedding"], rows, columns)
    width = x.shape[-1]
    x = F.layer_norm(x, (width,), w["visual.ln_pre.weight"], w["visual.ln_pre.bias"])
    layers = count_blocks(w, "visual.")
    for i in range(layers):
        name = f"visual.transformer.resblocks.{i}."
        if i < layers - 1:
            x = block(w, name, x, heads, activation=activation)
        else:
            plus = near(rows, columns).to(x.dtype) if "near" in kind else 0.0
            x = block(w, name, x, heads, kind, whole, plus, activation)
    x = F.layer_norm(x[:, 1:], (width,), w["visual.ln_post.weight"], w["visual.ln_post.bias"]) @ w["visual.proj"]
    return F.normalize(x, dim=-1).view(len(x), rows, columns, -1)


def encode_text(w: Weights, ids: List[int], heads: int) -> torch.Tensor:
    """Token ids without SOS and EOS -> a unit embedding (C,)."""
    table = w["token_embedding.weight"]
    ids = [len(table) - 2] + ids + [len(table) - 1]
    x = (table[ids] + w["positional_embedding"][: len(ids)])[None]
    mask = torch.full((len(ids), len(ids)), -math.inf, dtype=x.dtype).triu(1)
    for i in range(count_blocks(w, "")):
        x = block(w, f"transformer.resblocks.{i}.", x, heads, plus=mask)
    x = F.layer_norm(x[0, -1], x.shape[-1:], w["ln_final.weight"], w["ln_final.bias"]) @ w["text_projection"]
    return F.normalize(x, dim=0)


def pamr(image: torch.Tensor, logits: torch.Tensor, steps: int = 10, dilations: Tuple[int, ...] = (8, 16)) -> torch.Tensor:
    """Pixel-adaptive mask refinement (Araslanov and Roth 2020). image (B, 3, H, W), logits (B, K, H, W)."""

    def shifted(x: torch.Tensor, d: int) -> List[torch.Tensor]:
        height, width = x.shape[-2:]
        x = F.pad(x, [d] * 4, mode="replicate")
        return [x[..., i * d : i * d + height, j * d : j * d + width] for i in range(3) for j in range(3)]

    def around(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([s for d in dilations for i, s in enumerate(shifted(x, d)) if i != 4], 2)

    deviation = torch.stack([s for d in dilations for s in shifted(image, d)], 2).std(2, keepdim=True)
    likeness = -(around(image) - image[:, :, None]).abs() / (1e-8 + 0.1 * deviation)
    weight = likeness.mean(1, keepdim=True).softmax(2)
    for _ in range(steps):
        logits = (around(logits) * weight).sum(2)
    return logits


# ------------------------------------------------------------------------------------------------------------- fixtures


def random_weights(g: torch.Generator, width: int, layers: int, grid: int, patch: int, text: int, text_layers: int,
                   embed: int, vocabulary: int) -> Weights:
    def draw(*shape: int, scale: float = 1.0, mean: float = 0.0) -> torch.Tensor:
        return mean + scale * torch.randn(shape, generator=g)

    w = {
        "visual.class_embedding": draw(width),
        "visual.conv1.weight": draw(width, 3, patch, patch, scale=(3 * patch * patch) ** -0.5),
        "visual.positional_embedding": draw(grid * grid + 1, width),
        "visual.proj": draw(width, embed, scale=width**-0.5),
        "token_embedding.weight": draw(vocabulary, text),
        "positional_embedding": draw(40, text, scale=0.5),
        "text_projection": draw(text, embed, scale=text**-0.5),
        "logit_scale": torch.tensor(math.log(50.0)),
    }
    norms = [("visual.ln_pre", width), ("visual.ln_post", width), ("ln_final", text)]
    for prefix, count, size in (("visual.", layers, width), ("", text_layers, text)):
        for i in range(count):
            name = f"{prefix}transformer.resblocks.{i}."
            norms += [(name + "ln_1", size), (name + "ln_2", size)]
            for leaf, rows, columns in (("attn.in_proj_", 3 * size, size), ("attn.out_proj.", size, size),
                                        ("mlp.c_fc.", 4 * size, size), ("mlp.c_proj.", size, 4 * size)):
                w[name + leaf + "weight"] = draw(rows, columns, scale=columns**-0.5)
                w[name + leaf + "bias"] = draw(rows, scale=0.1)
    for name, size in norms:
        w[name + ".weight"] = draw(size, scale=0.1, mean=1.0)
        w[name + ".bias"] = draw(size, scale=0.1)
    return w


def write_fixture(path: str, seed: int, *, size: Tuple[int, int], classes: int, **shape: int) -> None:
    g = torch.Generator().manual_seed(seed)
    stored = random_weights(g, **shape)
    w = {name: t.double() for name, t in stored.items()}
    image = torch.randn((1, 3, *size), generator=g)
    image = F.avg_pool2d(F.pad(image, [2] * 4, mode="replicate"), 5, 1) * 2  # neighbours look alike, as in photographs
    tokens = [torch.randint(1, shape["vocabulary"] - 2, (1 + k % 3,), generator=g).tolist() for k in range(classes)]
    text = torch.stack([encode_text(w, ids, max(1, shape["text"] // 64)) for ids in tokens])
    out = {"weights." + name: t for name, t in stored.items()}
    out.update({"image": image, "expected.text": text.float()})
    for method in METHODS:
        features = encode_image(w, image.double(), method, max(1, shape["width"] // 64))
        scores = torch.einsum("bhwc,kc->bkhw", features, text)
        upsampled = F.interpolate(scores, size=size, mode="bilinear", align_corners=False)
        out[f"expected.{method}.scores"] = scores.float()
        out[f"expected.{method}.labels"] = upsampled.argmax(1).int()
        if method == "naclip":
            out["expected.naclip.pamr"] = pamr(image.double(), upsampled).float()
    config = {"width": size[1], "height": size[0], "gaussian_std": DEVIATION, "pamr_steps": 10, "pamr_dilations": [8, 16]}
    save_file({name: t.contiguous() for name, t in out.items()}, path,
              {"config": json.dumps(config), "tokens": json.dumps(tokens), "source": "reference/open_vocabulary.py"})
    print(path)


def main() -> None:
    small = sys.argv[1:2] == ["--small"]
    arguments = sys.argv[1 + small :]
    if not arguments:
        sys.exit(__doc__)
    folder, seed = arguments[0], int(arguments[1]) if len(arguments) > 1 else 0
    os.makedirs(folder, exist_ok=True)
    tiny = {"layers": 4, "text": 64, "text_layers": 1, "embed": 32, "vocabulary": 258}
    write_fixture(f"{folder}/open_patch16.safetensors", seed, size=(96, 64), classes=5, width=64, grid=5, patch=16, **tiny)
    write_fixture(f"{folder}/open_patch14.safetensors", seed + 1, size=(70, 98), classes=9, width=64, grid=6, patch=14, **tiny)
    if small:
        return
    larger = {"layers": 4, "text": 128, "text_layers": 3, "embed": 96, "vocabulary": 300}
    for i, (patch, size, grid, width) in enumerate(
        [(16, (224, 224), 14, 192), (32, (224, 320), 7, 128), (14, (224, 336), 16, 256), (8, (64, 120), 9, 64),
         (16, (48, 400), 3, 320)]
    ):
        write_fixture(f"{folder}/open_{i}_patch{patch}.safetensors", seed + 2 + i, size=size, classes=2 + 13 * i, width=width,
                      grid=grid, patch=patch, **larger)


if __name__ == "__main__":
    main()

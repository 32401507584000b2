# SPDX-License-Identifier: Apache-2.0
"""Writes random weights in the formats in which weights are published, to test `icseg convert` and `--init`.

    python3 reference/make_weights.py tests/weights            the tiny fixtures of the unit tests (committed)
    python3 reference/make_weights.py --full DIR [rn50 ...]    full-size models, for reference/check_weights.py

Containers and namings: torch.jit.save as OpenAI's archives, torch.save (zip and the container before 1.6), safetensors
with and without shards; OpenAI's, open_clip's, Hugging Face's and DenseCLIP's names.
"""
from __future__ import annotations

import argparse
import collections
import functools
import json
import math
import os
import zipfile
from dataclasses import asdict, replace
from typing import Dict, List

import torch
from torch import Tensor, nn

import icpc_reference as ref


class CLIP(nn.Module):
    """CLIP with the module structure of OpenAI's archives."""

    def __init__(self, c: ref.Config):
        super().__init__()
        self.visual = ref.ResNet(c) if c.backbone == "resnet" else ref.ViT(c)
        for name in ("fpn1", "fpn2", "fpn3", "fpn4"):       # not in CLIP
            if hasattr(self.visual, name):
                delattr(self.visual, name)
        self.token_embedding = nn.Embedding(c.vocab_size, c.text_width)
        self.positional_embedding = nn.Parameter(torch.randn(c.context_length, c.text_width) * 0.01)
        self.transformer = ref.Transformer(c.text_width, c.text_layers, c.text_heads)
        self.ln_final = nn.LayerNorm(c.text_width)
        self.text_projection = nn.Parameter(torch.randn(c.text_width, c.embed_dim) / c.text_width ** 0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(100.0)))
        side = c.pos_grid * (32 if c.backbone == "resnet" else c.vit_patch)
        for name, value in (("input_resolution", side), ("context_length", c.context_length),
                            ("vocab_size", c.vocab_size)):
            self.register_buffer(name, torch.tensor(value))

    def forward(self, text: Tensor) -> Tensor:              # enough to trace; the archive keeps all parameters
        x = self.token_embedding(text) + self.positional_embedding[: text.shape[1]]
        return self.ln_final(x) @ self.text_projection * self.logit_scale.exp()

    def encode_image(self, image: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, C): the reference's global token."""
        v = self.visual
        if isinstance(v, ref.ResNet):
            return v(image)[1][:, 0]
        x = v.conv1(image).flatten(2).transpose(1, 2)
        t = v.ln_pre(torch.cat([v.class_embedding.expand(len(image), 1, -1), x], 1) + v.positional_embedding)
        for block in v.transformer.resblocks:
            t = block(t)
        return v.ln_post(t[:, 0]) @ v.proj

    def encode_texts(self, texts: List[List[int]]) -> Tensor:
        """Ids without SOS and EOS -> (len(texts), C), one sequence after the other."""
        vocab, out = self.token_embedding.num_embeddings, []
        for ids in texts:
            x = self.token_embedding(torch.tensor([vocab - 2, *ids, vocab - 1]))[None]
            x = x + self.positional_embedding[: x.shape[1]]
            mask = torch.full((x.shape[1],) * 2, float("-inf")).triu(1)
            for block in self.transformer.resblocks:
                x = block(x, mask)
            out.append(self.ln_final(x[:, -1]) @ self.text_projection)
        return torch.cat(out)


def randomise(module: nn.Module, seed: int) -> None:
    """Values that reveal a wrong position: nothing stays at 0 or 1."""
    g = torch.Generator().manual_seed(seed)
    for name, t in module.state_dict().items():
        if not t.is_floating_point() or name == "logit_scale":
            continue
        noise = torch.randn(t.shape, generator=g)
        if name.endswith("running_var"):
            t.copy_(0.5 + torch.rand(t.shape, generator=g))
        elif t.ndim > 1 and "embedding" not in name:
            t.copy_(noise / math.sqrt(t[0].numel()))
        else:
            t.add_(0.1 * noise)


def clip_state(clip: CLIP) -> Dict[str, Tensor]:
    skip = ("input_resolution", "context_length", "vocab_size")
    return {k: v.detach().clone() for k, v in clip.state_dict().items()
            if k not in skip and not k.endswith("num_batches_tracked")}


# --------------------------------------------------------------------------- namings
def hugging_face(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """transformers.CLIPModel's names (ViT only)."""
    out: Dict[str, Tensor] = {}
    plain = {"visual.class_embedding": "vision_model.embeddings.class_embedding",
             "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
             "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
             "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
             "positional_embedding": "text_model.embeddings.position_embedding.weight",
             "logit_scale": "logit_scale"}
    norms = {"visual.ln_pre": "vision_model.pre_layrnorm", "visual.ln_post": "vision_model.post_layernorm",
             "ln_final": "text_model.final_layer_norm"}
    inner = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
             "attn.out_proj": "self_attn.out_proj"}
    for name, t in state.items():
        stem, _, leaf = name.rpartition(".")
        if name in plain:
            out[plain[name]] = t
        elif name == "visual.proj":
            out["visual_projection.weight"] = t.t().contiguous()
        elif name == "text_projection":
            out["text_projection.weight"] = t.t().contiguous()
        elif stem in norms:
            out[f"{norms[stem]}.{leaf}"] = t
        else:
            tower = "vision_model" if name.startswith("visual.") else "text_model"
            index, rest = name.split("resblocks.")[1].split(".", 1)
            base = f"{tower}.encoder.layers.{index}"
            if rest.startswith("attn.in_proj_"):
                for letter, part in zip("qkv", t.chunk(3)):
                    out[f"{base}.self_attn.{letter}_proj.{rest[len('attn.in_proj_'):]}"] = part.contiguous()
            else:
                part, _, leaf = rest.rpartition(".")
                out[f"{base}.{inner[part]}.{leaf}"] = t
    out["vision_model.embeddings.position_ids"] = torch.arange(4)
    return out


def denseclip(model: ref.ICPC, classes: List[str]) -> dict:
    """An mmsegmentation checkpoint as DenseCLIP's code writes it."""
    top = {"prompt.context": "contexts", "post.gamma": "gamma"}
    state: Dict[str, Tensor] = {}
    for name, t in model.state_dict().items():
        t = t.clone()
        if name in top:
            state[top[name]] = t[None] if name == "prompt.context" else t
        elif name.startswith("visual."):
            if name == "visual.positional_embedding" and model.c.backbone == "vit":
                t[0] -= model.visual.class_embedding        # DenseCLIP's code adds it a second time
            state["backbone." + name[7:]] = t
        elif name.startswith("post."):
            state["context_decoder." + name[5:]] = t
        elif name.startswith("decoder.neck."):
            state["neck." + name[13:]] = t
        elif name.startswith("decoder.head."):
            state["decode_head." + name[13:]] = t
        else:
            state["text_encoder." + name] = t
    state["identity_head.extra"] = torch.zeros(2)           # DenseCLIP's auxiliary head, for training only
    some = next(iter(state.values()))
    return {"meta": {"env_info": "sys.platform: linux", "epoch": 3, "iter": 80000, "time": 1.5,
                     "CLASSES": tuple(classes), "PALETTE": [[120, 120, 120], [4, -5, 70000]]},
            "state_dict": state,
            "optimizer": {"state": {0: {"step": 1, "exp_avg": some, "amsgrad": False}},
                          "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0]}]}}


# --------------------------------------------------------------------------- containers
def save_torchscript(path: str, clip: CLIP, small: bool = False) -> None:
    """`small` leaves out data that only a debugger reads."""
    clip = clip.eval()
    traced = torch.jit.trace(clip, torch.zeros(1, 3, dtype=torch.long), check_trace=False)
    torch.jit.save(traced.half(), path)
    if small:
        with zipfile.ZipFile(path) as archive:
            entries = [(info, archive.read(info)) for info in archive.infolist()
                       if not info.filename.endswith(".debug_pkl")]
        with zipfile.ZipFile(path, "w") as archive:
            for info, data in entries:
                archive.writestr(zipfile.ZipInfo(info.filename), data, info.compress_type)


def save_sharded(folder: str, state: Dict[str, Tensor], shards: int, dtype: torch.dtype) -> None:
    os.makedirs(folder, exist_ok=True)
    names = sorted(state)
    where = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = {n: state[n].to(dtype) if state[n].is_floating_point() else state[n] for n in names[i::shards]}
        save_any(os.path.join(folder, file), part)
        where.update({n: file for n in part})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": 0}, "weight_map": where}, f)


def save_any(path: str, state: Dict[str, Tensor]) -> None:
    """safetensors; numpy has no bf16, so bits are written as such."""
    ref.DTYPES.update({torch.bfloat16: "BF16", torch.float64: "F64"})
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, t in state.items():
        raw = (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).contiguous().numpy().tobytes()
        header[name] = {"dtype": ref.DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(raw)]}
        blobs.append(raw)
        at += len(raw)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(len(head).to_bytes(8, "little") + head + b"".join(blobs))


def odd_strides(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The same values as views: transposed storage, channels last, and two tensors in one storage."""
    out = dict(state)
    out["text_projection"] = state["text_projection"].t().contiguous().t()
    name = "visual.conv1.weight"
    out[name] = state[name].contiguous(memory_format=torch.channels_last)
    both = torch.cat([state["ln_final.weight"], state["ln_final.bias"]])
    width = state["ln_final.weight"].numel()
    out["ln_final.weight"], out["ln_final.bias"] = both[:width], both[width:]
    return out


# --------------------------------------------------------------------------- models
CLASSES = ["wall", "tree", "sky"]
TOKENS = [[5, 6], [7], [8, 9, 10]]
LARGE = 128                                                 # elements


def tiny(backbone: str, **kw) -> ref.Config:
    base = dict(resnet_layers=(1, 1, 1, 1), resnet_width=2, pos_grid=2, embed_dim=8, text_width=8, text_heads=2,
                text_layers=1, vocab_size=32, context_length=12, fpn_dim=4, num_classes=3, dropout=0.0)
    if backbone == "vit":
        base.update(backbone="vit", vit_width=8, vit_layers=4, vit_heads=2, vit_taps=(0, 1, 2, 3))
    base.update(kw)
    return ref.Config(**base)


def baseline(c: ref.Config, tokens: List[List[int]], seed: int) -> ref.ICPC:
    torch.manual_seed(seed)
    model = ref.ICPC(c, tokens)
    randomise(model, seed)
    return model.eval()


def baseline_keys(backbone: str, **kw) -> dict:
    stride = 16 if backbone == "vit" else 32
    return dict(prompt="static", post_prompt=True, align_strides=(stride,), contrast_weight=0.0,
                align_weights={str(stride): 0.4}, **kw)


def image_of(h: int, w: int) -> Tensor:
    """The image that the C test also makes: (1, 3, h, w), value at (c, y, x)."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([((7 * y + 13 * x + 29 * c + (y * x) % 11) % 64).float() / 32 - 1 for c in range(3)])[None]


def sums(state: Dict[str, Tensor]) -> List[str]:
    """name, shape, sum, and a sum weighted by place: enough to identify a tensor."""
    out = []
    for name in sorted(state):
        v = state[name].double().flatten()
        place = (torch.arange(v.numel()) % 97).double() / 97
        shape = "x".join(map(str, state[name].shape)) or "scalar"
        out.append(f"{name} {shape} {v.sum().item():.9g} {(v * place).sum().item():.9g}")
    return out


def write_lines(path: str, lines: List[str]) -> None:
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")


def rounded(state: Dict[str, Tensor], dtype: torch.dtype) -> Dict[str, Tensor]:
    return {k: v.to(dtype).float() for k, v in state.items()}


def lightning(state: Dict[str, Tensor]) -> dict:
    """A checkpoint of a trainer that also has an average, whose text_projection is two times as large, and objects of all kinds."""
    both = {"model." + k: v for k, v in state.items()}
    both.update({"ema_model.module." + k: 2 * v if k == "text_projection" else v for k, v in state.items()})
    return {"pytorch-lightning_version": "2.5.0", "state_dict": both, "loops": collections.defaultdict(int, a=1),
            "hyper_parameters": {"activation": functools.partial(len), "length": len}}


def make_tiny(out: str) -> None:
    os.makedirs(out, exist_ok=True)
    path = lambda name: os.path.join(out, name)
    torch.manual_seed(1)
    resnet, vit = CLIP(tiny("resnet")), CLIP(tiny("vit"))
    randomise(resnet, 1)
    randomise(vit, 2)
    rn, vt = clip_state(resnet), clip_state(vit)
    save_torchscript(path("openai_resnet.pt"), resnet, small=True)
    write_lines(path("resnet_f16.sums"), sums(rounded(rn, torch.float16)))
    torch.save(lightning({k: v.half() for k, v in rn.items()}), path("lightning_resnet.ckpt"))
    half = odd_strides({k: v.half() for k, v in vt.items()})
    torch.save({"epoch": 1, "state_dict": {"module." + k: v for k, v in half.items()}},
               path("open_clip_vit_legacy.pt"), _use_new_zipfile_serialization=False)
    write_lines(path("vit_f16.sums"), sums(rounded(vt, torch.float16)))
    save_sharded(path("huggingface_vit"), hugging_face(vt), 2, torch.bfloat16)
    write_lines(path("vit_bf16.sums"), sums(rounded(vt, torch.bfloat16)))
    c = tiny("vit", **baseline_keys("vit", prompt_tokens=3, post_width=8, post_heads=2, post_layers=1))
    model = baseline(c, TOKENS, 3)
    for t in model.state_dict().values():                   # large tensors in f16, to keep the file small
        if t.numel() >= LARGE:
            t.copy_(t.half().float())
    checkpoint = denseclip(model, CLASSES)
    checkpoint["state_dict"] = {k: v.half() if v.numel() >= LARGE else v for k, v in checkpoint["state_dict"].items()}
    torch.save(checkpoint, path("denseclip_vit.pth"))
    with open(path("denseclip_vit.json"), "w") as f:
        json.dump({k: v for k, v in asdict(c).items() if k in ("vit_heads", "text_heads", "post_heads")}, f)
    with open(path("denseclip_vit.tokens.json"), "w") as f:
        json.dump(TOKENS, f)
    with torch.no_grad():
        ref.save_safetensors(path("denseclip_vit.expected.safetensors"), {"logits": model(image_of(64, 48))["logits"]})


def rn50x4() -> ref.Config:
    return ref.Config(resnet_layers=(4, 6, 10, 6), resnet_width=80, pos_grid=9, embed_dim=640, text_width=640, text_heads=10)


def vit_b32() -> ref.Config:
    return replace(ref.vit_b16(vit_patch=32), pos_grid=7)


FULL = {"rn50": ref.rn50, "rn101": ref.rn101, "rn50x4": rn50x4, "vit-b16": ref.vit_b16, "vit-b32": vit_b32}
BASELINES = ("rn50", "rn101", "vit-b16")                    # DenseCLIP's


def write_vocabulary(path: str) -> None:
    """A merges.txt with 49,408 tokens: pairs of bytes, no longer words."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printed] + [chr(256 + i) for i in range(256 - len(printed))]
    with open(path, "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{letters[i // 256]} {letters[i % 256]}\n" for i in range(49408 - 512 - 2)))


def image_pixels(side: int) -> bytes:
    """The pixels (side, side, 3) of an image that does not need resizing."""
    g = torch.Generator().manual_seed(8)
    return bytes(torch.randint(0, 256, (side * side * 3,), generator=g).tolist())


def embeddings(clip: CLIP, texts: List[List[int]]) -> Dict[str, Tensor]:
    """clip's embeddings of the image and the texts, at unit length."""
    side = int(clip.input_resolution)
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    pixels = torch.tensor(list(image_pixels(side)), dtype=torch.float32).view(side, side, 3) / 255
    with torch.no_grad():
        image = clip.encode_image(((pixels - mean) / std).permute(2, 0, 1)[None])
        return {k: v / v.norm(dim=-1, keepdim=True) for k, v in (("image", image), ("text", clip.encode_texts(texts)))}


def full_clip(name: str) -> CLIP:
    torch.manual_seed(5)
    clip = CLIP(FULL[name]())
    randomise(clip, 5)
    return clip.eval()


def make_full(out: str, names: List[str]) -> None:
    os.makedirs(out, exist_ok=True)
    for name in names:
        path = lambda end: os.path.join(out, f"{name}.{end}")
        c, clip = FULL[name](), full_clip(name)
        state = clip_state(clip)
        torch.save(state, path("state_dict.pt"))
        torch.save(state, path("legacy.pt"), _use_new_zipfile_serialization=False)
        save_any(path("open_clip.safetensors"), state)
        if c.backbone == "vit":
            save_sharded(path("huggingface"), hugging_face(state), 3, torch.float32)
        save_any(path("f16.expected.safetensors"), rounded(state, torch.float16))
        save_torchscript(path("openai.pt"), clip)
        if name not in BASELINES:
            continue
        names_k = [f"class {k}" for k in range(20)]
        tokens = [[1000 + k, 2000 + 3 * k][: 1 + k % 2] for k in range(20)]
        kw = baseline_keys(c.backbone, num_classes=20, context_length=13)
        model = baseline(FULL[name](**kw), tokens, 6)
        torch.save(denseclip(model, names_k), path("denseclip.pth"))
        with open(path("tokens.json"), "w") as f:
            json.dump(tokens, f)
        ref.save_checkpoint(path("denseclip.expected.safetensors"), model, names_k)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("models", nargs="*", default=[], help="rn50, rn101, rn50x4, vit-b16, vit-b32 (default: all)")
    parser.add_argument("--full", action="store_true")
    args = parser.parse_args()
    make_full(args.out, args.models or list(FULL)) if args.full else make_tiny(args.out)

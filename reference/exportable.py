# SPDX-License-Identifier: Apache-2.0
"""The PyTorch model in the forms that its peers run: text in one batch, and operators that ONNX exporters know."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch
import icpc_reference as R


def batched_text(self, prompts, batch):
    """encode_text of icpc_reference.ICPC as DenseCLIP's code does it: names padded to one length, all images and classes in
    one batch."""
    c, n = self.c, 0 if prompts is None else prompts.shape[1]
    longest = max(map(len, self.class_tokens)) + 2
    ids = torch.zeros(len(self.class_tokens), longest, dtype=torch.long)
    for i, t in enumerate(self.class_tokens):
        ids[i, :len(t) + 2] = torch.tensor([c.vocab_size - 2] + t + [c.vocab_size - 1])
    eos = torch.tensor([len(t) + 1 + n for t in self.class_tokens])
    e = self.token_embedding(ids).unsqueeze(0).expand(batch, -1, -1, -1)
    if prompts is not None:
        e = torch.cat([e[:, :, :1], prompts.unsqueeze(1).expand(-1, e.shape[1], -1, -1), e[:, :, 1:]], 2)
    x = e.flatten(0, 1)
    length = x.shape[1]
    x = x + self.positional_embedding[:length]
    mask = torch.full((length, length), float("-inf")).triu(1)
    for b in self.transformer.resblocks:
        x = b(x, mask)
    x = self.ln_final(x[torch.arange(x.shape[0]), eos.repeat(batch)]) @ self.text_projection
    return x.reshape(batch, len(self.class_tokens), -1)


def attend(q, k, v, heads, mask=None):
    split = lambda t: t.reshape(t.shape[0], t.shape[1], heads, t.shape[2] // heads).transpose(1, 2)
    q, k, v = split(q), split(k), split(v)
    s = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    o = ((s if mask is None else s + mask).softmax(-1) @ v).transpose(1, 2)
    return o.reshape(o.shape[0], o.shape[1], -1)


def resize_positions(pos, h, w):
    g = int(round((int(pos.shape[0]) - 1) ** 0.5))
    grid = pos[1:].reshape(1, g, g, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(int(h), int(w)), mode="bilinear", align_corners=False)
    return torch.cat([pos[:1], grid.flatten(2)[0].t()], 0)


class LabelMap(torch.nn.Module):
    """Image (1, 3, H, W) -> labels: of each position of the logits, or with `whole`, of each pixel (1, H, W)."""

    def __init__(self, model, whole):
        super().__init__()
        self.model, self.whole = model, whole

    def forward(self, image):
        logits = self.model(image)["logits"]
        if self.whole:
            logits = torch.nn.functional.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)
        return logits.argmax(1)


def export(model, path, height, width, whole=False):
    """Writes the label map of images of one size as an ONNX file. Changes icpc_reference."""
    R.attend, R.resize_positions, R.ICPC.encode_text = attend, resize_positions, batched_text
    R.F.normalize = lambda x, dim=1, p=2, eps=1e-12: x / x.norm(dim=dim, keepdim=True).clamp_min(eps)
    extra = {"dynamo": False} if int(torch.__version__.split(".")[0]) >= 2 else {}
    with torch.no_grad():
        torch.onnx.export(LabelMap(model, whole), torch.randn(1, 3, height, width), path, opset_version=14,
                          input_names=["image"], output_names=["labels"], **extra)

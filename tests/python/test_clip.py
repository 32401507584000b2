# SPDX-License-Identifier: Apache-2.0
"""CLIP alone, weights, calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, program

import icseg

MERGES = ROOT / "tests" / "unit" / "data" / "clip_merges.txt"
WEIGHTS = ROOT / "tests" / "weights"


def test_classification_is_that_of_the_program(checkpoint: Path, photos: list[Path]) -> None:
    names = ["cat", "dog", "a tree"]
    printed = program("classify", checkpoint, photos[0], "--classes", ", ".join(names), "--json")
    (line,) = [row for row in printed.splitlines() if row.startswith("{")]
    theirs = {row["name"]: row["probability"] for row in json.loads(line)["classes"]}
    with icseg.clip.load(checkpoint, threads=1) as clip:
        ours = clip.classify(photos[0], names)
        assert dict(ours.top(3)) == pytest.approx(theirs, abs=1e-5) and ours.probabilities.sum() == pytest.approx(1)
        classifier = clip.classifier(names, templates=["{}", "a photo of a {}"])
        found = classifier(photos[0])
        assert found.class_names == names and found.cosines.shape == (3,) and "%" in repr(found)
        features = clip.encode_image(photos[0])
        assert (classifier.score(features).probabilities == found.probabilities).all()
        assert np.allclose(classifier.text_features @ features, found.cosines, atol=1e-6)
        with pytest.raises(icseg.ArgumentError, match="features: shape"):
            classifier.score(features[:-1])
        with pytest.raises(icseg.ArgumentError, match="name|class"):
            clip.classifier([])
        with pytest.raises(icseg.ArgumentError, match="synonyms: 'none'"):
            clip.classifier(names, synonyms="none")
    with pytest.raises(icseg.ClosedError, match="the classifier is closed"):
        clip.encode_image(photos[0])


def test_lists_of_templates(checkpoint: Path, tmp_path: Path) -> None:
    imagenet, simple = (icseg.clip.templates(name) for name in ("imagenet", "simple"))
    assert len(imagenet) == 80 and len(simple) == 7 and set(simple) < set(imagenet)
    (tmp_path / "own.txt").write_text("# two of them\n{}\n\nthe {} in a photo\n")
    assert icseg.clip.templates(tmp_path / "own.txt") == ["{}", "the {} in a photo"]
    with icseg.clip.load(checkpoint, threads=1) as clip:
        named, file, listed = (
            clip.classifier(["cat", "dog"], templates=given).text_features
            for given in ("simple", tmp_path / "own.txt", ["{}", "the {} in a photo"])
        )
        assert (named == clip.classifier(["cat", "dog"], templates=simple).text_features).all()
        assert (file == listed).all() and np.abs(file - named).max() > 1e-4
        with pytest.raises(icseg.ArgumentError, match="expected imagenet, simple or the name of a file"):
            clip.classifier(["cat"], templates="a photo of a {}")
    (tmp_path / "bad.txt").write_text("{}\na street\n")
    with pytest.raises(icseg.DataError, match="bad.txt: line 2 has no {}"):
        icseg.clip.templates(tmp_path / "bad.txt")
    with pytest.raises(icseg.FileError, match="none.txt: the file does not exist"):
        icseg.clip.templates(tmp_path / "none.txt")


def test_embeddings_are_kept(checkpoint: Path, tmp_path: Path) -> None:
    made = [icseg.clip.load(checkpoint, cache=tmp_path / "cache", threads=1).classifier(["cat", "dog"]) for _ in range(2)]
    assert [one.cached for one in made] == [False, True] and (made[0].text_features == made[1].text_features).all()
    assert len(list((tmp_path / "cache").iterdir())) == 2  # those of the classes, and the one with which weights are opened
    assert not icseg.clip.load(checkpoint, cache=False).classifier(["cat", "dog"]).cached
    with pytest.raises(icseg.ArrayTypeError, match="cache: int"):
        icseg.clip.load(checkpoint, cache=5)  # type: ignore[arg-type]


def test_encoding(checkpoint: Path, photos: list[Path]) -> None:
    clip = icseg.clip.load(checkpoint, threads=1)
    several = clip.encode_image(photos[:2])
    assert several.shape == (2, clip.channels) and np.allclose(np.linalg.norm(several, axis=1), 1, atol=1e-5)
    assert (several[1] == clip.encode_image(photos[1])).all() and clip.encode_image([]).shape == (0, clip.channels)
    texts = clip.encode_text(["a cat", "a dog, asleep", "(a, b)"])
    assert texts.shape == (3, clip.channels) and np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    assert np.allclose(clip.encode_text("a dog, asleep"), texts[1], atol=1e-6)
    assert np.allclose(clip.classifier(["dog"], templates=["a {}, asleep"]).text_features[0], texts[1], atol=1e-6)
    assert np.abs(texts[1] - clip.encode_text("a dog")).max() > 1e-3
    assert clip.encode_text([]).shape == (0, clip.channels) and clip.encode_text(", {}; a dog").shape == (clip.channels,)
    for bad, words in (("", "texts.0."), ("x" * 1000, "at most"), ("a\0b", "null character")):
        with pytest.raises(icseg.ArgumentError, match=words):
            clip.encode_text(bad)
    with pytest.raises(icseg.ArrayTypeError, match="texts: int; expected a string"):
        clip.encode_text(["a", 5])  # type: ignore[list-item]


def test_activation(checkpoint: Path, tmp_path: Path) -> None:
    """CLIP's weights are run with the activation that they or the caller name; without either, with a warning."""
    embed = [icseg.clip.load(checkpoint, activation=name).encode_text("a cat") for name in (None, "quick_gelu", "gelu")]
    assert (embed[0] == embed[1]).all() and np.abs(embed[0] - embed[2]).max() > 1e-4
    program("convert", checkpoint, tmp_path / "gelu.safetensors", "--names", "openai", "--activation", "gelu")
    assert (icseg.clip.load(tmp_path / "gelu.safetensors").encode_text("a cat") == embed[2]).all()
    with pytest.raises(icseg.Error, match="activation"):
        icseg.clip.load(checkpoint, activation="relu")


def test_one_of_several_state_dicts(checkpoint: Path, tmp_path: Path) -> None:
    """A file with the weights under "model." and, with the negative text projection, under "ema_model."."""
    program("convert", checkpoint, tmp_path / "clip.safetensors", "--names", "openai")
    raw = (tmp_path / "clip.safetensors").read_bytes()
    size = 8 + int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8:size]), raw[size:]
    first, last = header["text_projection"]["data_offsets"]
    negative = data[:first] + (-np.frombuffer(data[first:last], np.float32)).tobytes() + data[last:]
    both = {"__metadata__": header.pop("__metadata__")}
    for prefix, offset in (("model.", 0), ("ema_model.", len(data))):
        for name, entry in header.items():
            both[prefix + name] = {**entry, "data_offsets": [place + offset for place in entry["data_offsets"]]}
    text = json.dumps(both).encode()
    text += b" " * (-len(text) % 8)
    (tmp_path / "both.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data + negative)
    embed = [icseg.clip.load(tmp_path / "both.safetensors", state_dict=name).encode_text("a cat") for name in (None, "ema")]
    assert (embed[0] == icseg.clip.load(checkpoint).encode_text("a cat")).all() and np.allclose(embed[0], -embed[1])
    with pytest.raises(icseg.ArgumentError, match='does not contain the weights "swa"'):
        icseg.clip.load(tmp_path / "both.safetensors", state_dict="swa")


def test_tokenizer() -> None:
    tokenizer = icseg.clip.Tokenizer(MERGES)
    ids = tokenizer.encode("the cat")
    assert tokenizer.decode(ids) == "the cat" and len(tokenizer) == tokenizer.eos + 1 == tokenizer.sos + 2
    assert tokenizer.encode("the cat", special=True) == [tokenizer.sos, *ids, tokenizer.eos]
    rows = tokenizer(["the cat", "a"])
    assert rows.shape == (2, 77) and rows.dtype == np.int32
    assert rows[0, : len(ids) + 2].tolist() == [tokenizer.sos, *ids, tokenizer.eos] and not rows[0, len(ids) + 2 :].any()
    assert icseg.clip.Tokenizer(kind="bytes").encode("hé") == list("hé".encode())
    for use in (
        lambda: tokenizer.encode(""),
        lambda: tokenizer.encode("a\0b"),
        lambda: tokenizer("the cat " * 99),
        lambda: tokenizer("a", length=2),
        lambda: tokenizer.decode([len(tokenizer)]),
        lambda: tokenizer.decode([-1]),
        lambda: icseg.clip.Tokenizer(kind="words"),
    ):
        with pytest.raises(icseg.ArgumentError):
            use()
    tokenizer.close()
    with pytest.raises(icseg.ClosedError, match="the tokenizer is closed"):
        tokenizer.encode("a")
    with pytest.raises(icseg.FileError):
        icseg.clip.Tokenizer("none.txt")


def test_converting_is_that_of_the_program(tmp_path: Path) -> None:
    source = WEIGHTS / "denseclip_vit.pth"
    tokens, config = (json.loads((WEIGHTS / f"denseclip_vit{end}.json").read_text()) for end in (".tokens", ""))
    summary = icseg.convert_weights(source, tmp_path / "ours.safetensors", tokens=tokens, config=config)
    program("convert", source, tmp_path / "theirs.safetensors", "--tokens", WEIGHTS / "denseclip_vit.tokens.json",
            "--config", WEIGHTS / "denseclip_vit.json")
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()
    assert "tensors" in summary and icseg.load(tmp_path / "ours.safetensors").num_classes == len(tokens)
    assert "F16" in icseg.convert_weights(WEIGHTS / "openai_resnet.pt", tmp_path / "half.safetensors", type="f16")
    with pytest.raises(icseg.ArgumentError, match="type: 'f8' is not one of"):
        icseg.convert_weights(source, tmp_path / "x.safetensors", type="f8")
    with pytest.raises(icseg.Error, match="classes"):
        icseg.convert_weights(source, tmp_path / "x.safetensors", class_names=["a"])
    with pytest.raises(icseg.FileError):
        icseg.convert_weights(tmp_path / "none.pt", tmp_path / "x.safetensors")
    with pytest.raises(icseg.FormatError, match="convert it to safetensors"):
        icseg.load(WEIGHTS / "denseclip_vit.pth")
    assert not (tmp_path / "x.safetensors").exists()


def test_calibrating_is_that_of_the_program(checkpoint: Path, photos: list[Path], tmp_path: Path) -> None:
    program("calibrate", checkpoint, *photos[:3], "--out", tmp_path / "theirs.safetensors")
    model = icseg.load(checkpoint, threads=1)
    made = icseg.calibrate(model, photos[:3], tmp_path / "ours.safetensors", threads=1)
    assert made.is_calibrated and not model.is_calibrated
    assert model.agreement == {} and model.auto_precision == "f32"
    for name, found in made.agreement.items():
        quick = made.clone(precision=name)
        shares = [float((quick(photo).labels == made(photo).labels).mean()) for photo in photos[:3]]
        assert found.images == 3 and abs(found.mean - sum(shares) / 3) < 1e-9 and 0 <= found.low <= found.mean
    assert made.clone(precision="auto").precision == made.auto_precision == "f32"  # it needs eight images
    assert icseg.calibrate(model, photos[:2], compare=False, threads=1).agreement == {}
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()
    assert icseg.load(tmp_path / "ours.safetensors", precision="int8").precision in ("int8", "f32")
    assert (made(photos[0]).labels == model(photos[0]).labels).all()
    program(
        *("calibrate", checkpoint, *photos[:3], "--out", tmp_path / "theirs.safetensors"),
        *("--ranges", "percentile:99.5", "--bias-correction", "off", "--keep-f32", "decoder.neck,decoder.head"),
    )
    kept = icseg.calibrate(
        model,
        photos[:3],
        tmp_path / "ours.safetensors",
        ranges="percentile",
        percentile=99.5,
        bias_correction=False,
        keep_f32=["decoder.neck", "decoder.head"],
        threads=1,
    )
    assert (tmp_path / "ours.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()
    assert kept.calibration.kept_f32 > 2 and made.calibration.kept_f32 == 0
    if icseg.load(tmp_path / "ours.safetensors", precision="int8").precision == "int8":
        stages: list[str] = []
        found = icseg.calibrate(
            model, photos[:3], keep_f32="auto", agree=0.9999, keep_work=0.5, progress=lambda p: stages.append(p.stage)
        )
        assert found.is_calibrated and "measure layers" in stages
        assert found.search is not None and 0 <= found.search.before <= 1 and 0 <= found.search.after <= 1
        assert sum(cost.layers for cost in found.search.costs) == found.calibration.layers
        assert sum(cost.kept_f32 for cost in found.search.costs) == found.calibration.kept_f32
        assert abs(sum(cost.work for cost in found.search.costs) - 1) < 1e-6
        assert found.search.costs[0].first == "visual.conv1.weight"
    assert made.search is None and kept.search is None
    for bad in (
        {"ranges": "min"},
        {"percentile": 40},
        {"keep_f32": "decoder.nec"},
        {"keep_f32": "auto", "agree": 2},
        {"keep_f32": "auto", "keep_work": -1},
    ):
        with pytest.raises(icseg.ArgumentError):
            icseg.calibrate(model, photos[:1], **bad)
    with pytest.raises(icseg.ArgumentError):
        icseg.calibrate(checkpoint, [])
    with pytest.raises(icseg.FileError, match="none.jpg"):
        icseg.calibrate(model, ["none.jpg"])
